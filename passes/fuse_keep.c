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
    uint32_t *needed;                    /* passes that ask a full node */
    int      *cost;                      /* of computing a full node in a pass */
} Passes;

static void find_costs(const Passes *p)
{
    for (int k = 0; k < p->kernel->nodes.count; k++) {
        const Node *n = p->kernel->nodes.at[k];
        p->cost[k] = fuse_node_cost(n);
        for (int j = 0; j < n->arg_count; j++) {
            int a = fuse_slot(p->f, p->kernel, n->args[j]);
            if (a >= 0 && p->full[a] && p->full[k] && p->cost[k] < 1000) p->cost[k] += p->cost[a];
        }
    }
}

static void ask_arguments(const Passes *p, const Node *n, uint32_t passes)
{
    for (int j = 0; j < n->arg_count; j++) {
        int a = fuse_slot(p->f, p->kernel, n->args[j]);
        if (a < 0 || !p->full[a]) continue;
        if (fuse_argument_stand(p->f, &p->unit->space, n, j, node_is_reduction(n) ? STAND_row : STAND_full) ==
            STAND_full)
            p->needed[a] |= passes;
    }
}

static bool fits(const Passes *p, const Node *n)
{
    if (fuse_is_output(p->kernel, n)) return true;
    return p->kernel->keep.count < KEPT_AT_MOST && p->unit->space.r * dtype_bytes(n->type.dtype) <= KEPT_BYTES;
}

void fuse_keep(const Fusion *f, const Unit *unit, const bool *full, Kernel *kernel)
{
    int count = kernel->nodes.count;
    Passes p = {f, unit, full, kernel, arena_array(f->arena, uint32_t, count), arena_array(f->arena, int, count)};
    find_costs(&p);
    if (kernel->last_pass >= PASSES) return;
    for (int k = count - 1; k >= 0; k--) {
        Node *n = kernel->nodes.at[k];
        if (node_is_reduction(n)) {
            ask_arguments(&p, n, 1u << kernel->pass[k]);
            continue;
        }
        if (!full[k]) continue;
        if (fuse_is_output(kernel, n)) p.needed[k] |= 1u << kernel->last_pass;
        uint32_t passes = p.needed[k], first = passes & (0u - passes);
        if (passes != first && p.cost[k] > DEAR && !f->contracted[n->id] && fits(&p, n)) {
            vec_push(f->arena, &kernel->keep, n);
            passes = first;
        }
        ask_arguments(&p, n, passes);
    }
}
