/* Which values of a row are held from one pass to the next instead of being computed again: the last common ones
 * that cost more than a store and a load. */
#include "passes/fuse.h"

enum {
    DEAR = 8,                            /* operations an element */
    KEPT_BYTES = 64 * 1024,              /* a longer row leaves the first caches, unless it is written anyway */
    KEPT_AT_MOST = 4,
    PASSES = 32
};

typedef struct Passes {
    const Fusion *f;
    const Unit   *unit;
    const bool   *full;
    const Kernel *kernel;
    int      *ready;                     /* first pass in which a node's reductions are known */
    uint32_t *needed;                    /* passes that ask a full node */
    int      *cost;                      /* of computing a full node in a pass */
} Passes;

/* The place of an argument among the kernel's nodes, or -1 when it is read from memory. */
static int slot_of(const Passes *p, const Node *node)
{
    int k = p->f->slot[node->id];
    return k < p->kernel->nodes.count && p->kernel->nodes.at[k] == node ? k : -1;
}

static void find_ready(const Passes *p)
{
    for (int k = 0; k < p->kernel->nodes.count; k++) {
        const Node *n = p->kernel->nodes.at[k];
        p->cost[k] = fuse_node_cost(n);
        for (int j = 0; j < n->arg_count; j++) {
            int a = slot_of(p, n->args[j]);
            if (a < 0) continue;
            int ready = p->ready[a] + fuse_is_reduction(n->args[j]);
            if (ready > p->ready[k]) p->ready[k] = ready;
            if (p->full[a] && p->full[k] && p->cost[k] < 1000) p->cost[k] += p->cost[a];
        }
    }
}

static bool is_output(const Kernel *k, const Node *node)
{
    for (int i = 0; i < k->outputs.count; i++)
        if (k->outputs.at[i] == node) return true;
    return false;
}

/* The pass that writes the outputs of full rows (KernelKind in ir/plan.h). */
static int last_pass(const Passes *p)
{
    int last = 0;
    for (int k = 0; k < p->kernel->nodes.count; k++) {
        const Node *n = p->kernel->nodes.at[k];
        bool counts = fuse_is_reduction(n) || (p->full[k] && is_output(p->kernel, n));
        if (counts && p->ready[k] > last) last = p->ready[k];
    }
    return last;
}

static void ask_arguments(const Passes *p, const Node *n, uint32_t passes)
{
    for (int j = 0; j < n->arg_count; j++) {
        int a = slot_of(p, n->args[j]);
        if (a < 0 || !p->full[a]) continue;
        if (fuse_argument_stand(p->f, &p->unit->space, n, j, fuse_is_reduction(n) ? STAND_row : STAND_full) ==
            STAND_full)
            p->needed[a] |= passes;
    }
}

static bool fits(const Passes *p, const Node *n)
{
    if (is_output(p->kernel, n)) return true;
    return p->kernel->keep.count < KEPT_AT_MOST && p->unit->space.r * dtype_bytes(n->type.dtype) <= KEPT_BYTES;
}

void fuse_keep(const Fusion *f, const Unit *unit, const bool *full, Kernel *kernel)
{
    int count = kernel->nodes.count;
    Passes p = {f, unit, full, kernel, arena_array(f->arena, int, count), arena_array(f->arena, uint32_t, count),
                arena_array(f->arena, int, count)};
    find_ready(&p);
    int last = last_pass(&p);
    if (last >= PASSES) return;
    for (int k = count - 1; k >= 0; k--) {
        Node *n = kernel->nodes.at[k];
        if (fuse_is_reduction(n)) {
            ask_arguments(&p, n, 1u << p.ready[k]);
            continue;
        }
        if (!full[k]) continue;
        if (is_output(kernel, n)) p.needed[k] |= 1u << last;
        uint32_t passes = p.needed[k], first = passes & (0u - passes);
        if (passes != first && p.cost[k] > DEAR && !f->contracted[n->id] && fits(&p, n)) {
            vec_push(f->arena, &kernel->keep, n);
            passes = first;
        }
        ask_arguments(&p, n, passes);
    }
}
