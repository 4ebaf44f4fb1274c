/* Makes values again instead of keeping them, until the plan fits into so many bytes of work. Needs: an ordered plan
 * from `schedule`, the option `memory`. Guarantees: the same values, bit for bit, since the same kernels make them of
 * the same ones; an order with a lower peak of work bytes, within the option if that can be reached. Gives up: that
 * every kernel runs once.
 *
 * At the peak the values that wait for a later reader are looked at. Those of the kernel that frees most bytes for an
 * operation are made again just before they are read; what that kernel needs and is gone by then is made again too,
 * unless it is small and can wait. Each step must lower what reaches past a goal a little below the peak. */
#include "passes/fuse.h"
#include "passes/plan.h"

#include <string.h>

enum {
    GROUP = 8,                           /* kernels made again together, at most */
    SMALL_SHARE = 8,                     /* an input of at most 1/8 of what is freed waits, and is not made again */
    GOAL_STEP = 32,                      /* the goal is below the peak by 1/32 */
    LANES = 16                           /* multiply-adds of a product that cost as much as an operation */
};

/* Kernels to run again before the kernel at `before`, and what that brings. */
typedef struct Choice {
    int     kernels[GROUP];              /* positions, in order of execution */
    int     count;
    int     before;
    int64_t bytes;                       /* freed at the peak */
    double  cost;                        /* operations */
} Choice;

typedef struct Recompute {
    Arena  *arena;                       /* of one look at the plan */
    Plan   *p;                           /* as it is now, with lifetimes */
    const int64_t *live;
    int     peak;                        /* the kernel at which most is alive */
    int     before;                      /* of the choice being made */
    int    *first_later;                 /* by buffer: its first reader behind the peak; kernels.count: none */
    bool   *needed_now;                  /* by buffer: read or written at the peak */
    int    *gone;                        /* by buffer: from this kernel on other bytes are in its place */
    Map    *refused;                     /* names of choices that did not help */
} Recompute;

/* ---- the plan as it is ---- */

static int find_peak(const Plan *p, const int64_t *live)
{
    int best = 0;
    for (int k = 1; k < p->kernels.count; k++)
        if (live[k] > live[best]) best = k;
    return best;
}

/* New parameters and states take the place of old ones, or are copied there. */
static void find_ends(Recompute *r)
{
    Plan *p = r->p;
    for (int b = 0; b < p->buffers.count; b++) r->gone[b] = p->kernels.count + 1;
    for (int b = 0; b < p->buffers.count; b++) {
        const Buffer *x = p->buffers.at[b];
        if (x->takes_over && x->takes_over->block != MEMORY_work) r->gone[x->takes_over->id] = x->first;
    }
    for (int k = 0; k < p->kernels.count; k++) {
        const Kernel *kernel = p->kernels.at[k];
        if (kernel->kind == KERNEL_copy) r->gone[kernel_buffer(p, kernel, kernel->outputs.at[0])->id] = k;
    }
}

static void find_readers(Recompute *r)
{
    Plan *p = r->p;
    for (int b = 0; b < p->buffers.count; b++) r->first_later[b] = p->kernels.count;
    for (int k = p->kernels.count - 1; k > r->peak; k--) {
        const Kernel *kernel = p->kernels.at[k];
        for (int i = 0; i < kernel->inputs.count; i++)
            r->first_later[kernel_buffer(p, kernel, kernel->inputs.at[i])->id] = k;
    }
    const Kernel *now = p->kernels.at[r->peak];
    for (int i = 0; i < now->inputs.count; i++) r->needed_now[kernel_buffer(p, now, now->inputs.at[i])->id] = true;
}

static Recompute look_at(Arena *arena, const Plan *plan)
{
    Lives lives = plan_lives(arena, plan);
    int buffers = plan->buffers.count;
    Recompute r = {.arena = arena, .p = lives.p, .live = lives.bytes, .refused = map_new(arena)};
    r.peak = find_peak(r.p, r.live);
    r.first_later = arena_array(arena, int, buffers + 1);
    r.needed_now = arena_array(arena, bool, buffers + 1);
    r.gone = arena_array(arena, int, buffers + 1);
    find_ends(&r);
    find_readers(&r);
    return r;
}

static int64_t excess(const Plan *p, const int64_t *live, int64_t goal)
{
    int64_t sum = 0;
    for (int k = -1; k <= p->kernels.count; k++)
        if (live[k] > goal) sum += live[k] - goal;
    return sum;
}

/* ---- choosing ---- */

static double kernel_cost(const Kernel *k)
{
    View a, b;
    Contraction c;
    if (k->kind == KERNEL_contract) {
        if (!kernel_product(k, &a, &b, &c)) return 0;
        double cost = (double)c.m * (double)c.n * (double)c.k / LANES;
        for (int i = 0; i < c.batch_rank; i++) cost *= (double)c.batch[i];
        return cost;
    }
    double cost = 0;
    for (int i = 0; k->body && i < k->body->kernels.count; i++) cost += kernel_cost(k->body->kernels.at[i]);
    if (k->body) return cost * (double)dim_value(k->space[0]);
    for (int i = 0; i < k->nodes.count; i++)
        cost += (double)type_value_elements(&k->nodes.at[i]->type) * fuse_node_cost(k->nodes.at[i]);
    return cost + (double)kernel_extent(k, 0, k->a_rank + k->r_rank + k->c_rank);
}

/* A kernel that writes into no parameter or state. */
static bool may_run_again(const Recompute *r, const Kernel *k)
{
    for (int i = 0; i < k->outputs.count; i++)
        if (kernel_buffer(r->p, k, k->outputs.at[i])->block != MEMORY_work) return false;
    return k->kind != KERNEL_copy;
}

/* The value of a buffer may lie in several: one of them that is at hand there, or this one. */
static Buffer *at_hand(const Recompute *r, Buffer *b, int before)
{
    for (int i = 0; i < r->p->buffers.count; i++) {
        Buffer *x = r->p->buffers.at[i];
        bool same = x->node == b->node && x->bytes == b->bytes && x->block == b->block;
        if (same && x->first < before && x->last >= before) return x;
    }
    return b;
}

static bool chosen(const Choice *c, int kernel)
{
    for (int i = 0; i < c->count; i++)
        if (c->kernels[i] == kernel) return true;
    return false;
}

/* Adds a kernel behind those that it needs again. False when that cannot be done. */
static bool add_kernel(Recompute *r, int position, int depth, int64_t small, Choice *c)
{
    const Kernel *k = r->p->kernels.at[position];
    if (chosen(c, position)) return true;
    if (depth == GROUP || !may_run_again(r, k)) return false;
    for (int i = 0; i < k->inputs.count; i++) {
        const Buffer *b = at_hand(r, kernel_buffer(r->p, k, k->inputs.at[i]), c->before);
        if (r->gone[b->id] < c->before) return false;
        if (b->block != MEMORY_work || b->last >= c->before) continue;
        if (b->node->op == OP_input || b->bytes <= small) {
            if (b->last < r->peak) c->bytes -= b->bytes;
            continue;
        }
        if (!add_kernel(r, b->first, depth + 1, small, c)) return false;
    }
    if (c->count == GROUP) return false;
    c->kernels[c->count++] = position;
    c->cost += kernel_cost(k);
    return true;
}

/* What making the results of a kernel again would bring. */
static bool consider(Recompute *r, int position, Choice *c)
{
    const Kernel *k = r->p->kernels.at[position];
    *c = (Choice){.before = r->p->kernels.count};
    for (int i = 0; i < k->outputs.count; i++) {
        const Buffer *b = kernel_buffer(r->p, k, k->outputs.at[i]);
        int later = r->first_later[b->id];
        if (later < c->before) c->before = later;
        bool waits = later < r->p->kernels.count && !r->needed_now[b->id] && b->last < r->p->kernels.count;
        if (waits) c->bytes += b->bytes;
    }
    return c->bytes > 0 && add_kernel(r, position, 0, c->bytes / SMALL_SHARE, c) && c->bytes > 0;
}

static const char *choice_name(Arena *arena, const Recompute *r, const Choice *c)
{
    const Kernel *k = r->p->kernels.at[c->kernels[c->count - 1]];
    return arena_print(arena, "%d %d", kernel_buffer(r->p, k, k->outputs.at[0])->id, c->before - r->peak);
}

/* The one that frees most for its cost among those not refused. */
static bool choose(Recompute *r, Choice *best)
{
    best->count = 0;
    for (int k = 0; k < r->peak; k++) {
        Choice c;
        if (!consider(r, k, &c) || map_get(r->refused, choice_name(r->arena, r, &c))) continue;
        if (!best->count || (double)c.bytes * best->cost > (double)best->bytes * c.cost) *best = c;
    }
    return best->count > 0;
}

/* ---- doing it ---- */

static void set_instead(Arena *arena, Kernel *k, int from, int to)
{
    int old = k->instead.count;
    Instead *at = arena_array(arena, Instead, old + 1);
    int count = 0;
    for (int i = 0; i < old; i++)
        if (k->instead.at[i].from != from) at[count++] = k->instead.at[i];
    at[count++] = (Instead){from, to};
    k->instead.at = at;
    k->instead.count = k->instead.capacity = count;
}

static int new_buffer(Arena *arena, Plan *p, const Buffer *like)
{
    Buffer *b = arena_new_of(arena, Buffer);
    *b = (Buffer){.id = p->buffers.count, .node = like->node, .bytes = like->bytes, .block = MEMORY_work, .offset = -1};
    vec_push(arena, &p->buffers, b);
    return b->id;
}

/* The kernel once more, with places of its own for its results. */
static Kernel *run_again(Arena *arena, const Recompute *r, Plan *p, const Kernel *k, int before)
{
    Kernel *again = arena_new_of(arena, Kernel);
    *again = *k;
    for (int i = 0; i < k->inputs.count; i++) {
        Buffer *b = kernel_buffer(r->p, k, k->inputs.at[i]), *there = at_hand(r, b, before);
        if (there != b) set_instead(arena, again, p->buffer_of[k->inputs.at[i]->id]->id, there->id);
    }
    for (int i = 0; i < k->outputs.count; i++) {
        int from = p->buffer_of[k->outputs.at[i]->id]->id;
        set_instead(arena, again, from, new_buffer(arena, p, p->buffers.at[from]));
    }
    if (k->parts >= 0) again->parts = new_buffer(arena, p, p->buffers.at[k->parts]);
    return again;
}

/* Whoever reads from now on what `again` makes, reads it there. */
static void redirect(Arena *arena, Plan *p, const Kernel *again, Kernel *reader)
{
    for (int i = 0; i < again->outputs.count; i++) {
        int from = p->buffer_of[again->outputs.at[i]->id]->id;
        for (int j = 0; j < reader->inputs.count; j++)
            if (p->buffer_of[reader->inputs.at[j]->id]->id == from)
                set_instead(arena, reader, from, kernel_buffer(p, again, again->outputs.at[i])->id);
    }
}

/* r: of the same plan, with lifetimes. */
static void apply(Arena *arena, const Recompute *r, Plan *p, const Choice *c)
{
    Kernel *again[GROUP];
    for (int i = 0; i < c->count; i++) {
        again[i] = run_again(arena, r, p, p->kernels.at[c->kernels[i]], c->before);
        for (int j = 0; j < i; j++) redirect(arena, p, again[j], again[i]);
        for (int k = c->before; k < p->kernels.count; k++) redirect(arena, p, again[i], p->kernels.at[k]);
    }
    int rest = p->kernels.count - c->before;
    for (int i = 0; i < c->count; i++) vec_push(arena, &p->kernels, again[i]);
    memmove(p->kernels.at + c->before + c->count, p->kernels.at + c->before, sizeof *p->kernels.at * (size_t)rest);
    memcpy(p->kernels.at + c->before, again, sizeof *again * (size_t)c->count);
    for (int k = 0; k < p->kernels.count; k++) p->kernels.at[k]->id = k;
}

/* Whether the choice lowers what reaches past the goal. */
static bool helps(Arena *scratch, const Recompute *r, const Plan *plan, const Choice *c, int64_t goal)
{
    Plan *tried = plan_copy(scratch, plan);
    apply(scratch, r, tried, c);
    Lives after = plan_lives(scratch, tried);
    return excess(after.p, after.bytes, goal) < excess(r->p, r->live, goal);
}

/* A kernel that writes a state in place can not run again. One that makes much else, such as a loop with its last
 * carry, writes the new state to a place of its own instead, and a copy ends the step. */
static void set_states_free(Arena *arena, Plan *p)
{
    int count = p->kernels.count;
    bool *goes_on = arena_array(arena, bool, p->buffers.count + 1);
    for (int b = 0; b < p->buffers.count; b++)
        if (p->buffers.at[b]->takes_over) goes_on[p->buffers.at[b]->takes_over->id] = true;
    for (int k = 0; k < count; k++) {
        const Kernel *kernel = p->kernels.at[k];
        int64_t work = 0;
        for (int i = 0; i < kernel->outputs.count; i++) {
            const Buffer *b = kernel_buffer(p, kernel, kernel->outputs.at[i]);
            if (!b->takes_over && b->node->op != OP_scan) work += b->bytes;
        }
        for (int i = 0; i < kernel->outputs.count && kernel->kind != KERNEL_copy; i++) {
            Buffer *b = kernel_buffer(p, kernel, kernel->outputs.at[i]);
            bool alone = b->takes_over && b->takes_over->node->op == OP_input && !goes_on[b->id];
            if (!alone || b->bytes > work / SMALL_SHARE) continue;
            vec_push(arena, &p->kernels, plan_new_copy(arena, kernel->outputs.at[i], (Node *)b->takes_over->node));
            b->takes_over = NULL;
        }
    }
    for (int k = count; k < p->kernels.count; k++) p->kernels.at[k]->id = k;
}

/* One step toward a goal below the present peak, whatever the limit is: so a larger limit is met earlier on the same
 * way. */
static bool lower(Arena *arena, Plan *p)
{
    Arena *scratch = arena_new();
    Recompute r = look_at(scratch, p);
    int64_t peak = r.live[r.peak], goal = peak - peak / GOAL_STEP - 1;
    Choice c;
    bool done = false;
    while (!done && choose(&r, &c)) {
        done = helps(scratch, &r, p, &c, goal);
        if (done) apply(arena, &r, p, &c);
        else map_set(r.refused, choice_name(scratch, &r, &c), &r);
    }
    arena_free(scratch);
    return done;
}

static int64_t placed_bytes(const Plan *p, const PassOptions *options, Diagnostics *d)
{
    Arena *scratch = arena_new();
    PassOptions bare = {.layout = options->layout};
    int64_t bytes = pass_plan(scratch, (Plan *)p, &bare, d)->block_bytes[MEMORY_work];
    arena_free(scratch);
    return bytes;
}

Plan *pass_recompute(Arena *arena, Plan *plan, const PassOptions *options, Diagnostics *d)
{
    Plan *p = plan_copy(arena, plan), *best = plan;
    int64_t bytes = placed_bytes(p, options, d), least = bytes;
    if (bytes > options->memory) set_states_free(arena, p);
    while (bytes > options->memory && lower(arena, p)) {
        bytes = placed_bytes(p, options, d);
        if (bytes >= least) continue;
        least = bytes;
        best = plan_copy(arena, p);
    }
    return best;
}
