/* Orders the kernels for the least memory. Needs: a plan from `fuse`. Guarantees: bodies of scans are ordered and
 * placed; new values of parameters and states reach their places, written there by the kernel that makes them when
 * every other reader of the old value can come earlier, else by a copy (carries: else beside the old value); of several
 * topological orders the one with the lowest peak of work bytes. */
#include "passes/plan.h"

#include <assert.h>
#include <string.h>

typedef Vec(int) IntList;

typedef struct Schedule {
    Arena *arena;
    Plan  *p;
    int   *writer;                       /* kernel of each buffer, or -1 */
    IntList *readers;                    /* kernels that read a buffer, rising, each once */
    bool  *pinned;                       /* buffers that are not freed within the step, or not in work */
    bool  *is_output;
    IntList *after;                      /* by kernel: kernels that must come later */
    int   *waits;                        /* by kernel: how many kernels must come before */
    int   *mark;                         /* stamps of searches */
    int    stamp;
    IntList stack;                       /* of a search */
} Schedule;

static Buffer *buffer_at(const Schedule *s, const Node *n) { return s->p->buffer_of[n->id]; }

/* ---- dependences ---- */

static void must_follow(Schedule *s, int first, int then)
{
    IntList *list = &s->after[first];
    if (list->count && list->at[list->count - 1] == then) return;
    vec_push(s->arena, list, then);
    s->waits[then]++;
}

static void find_readers(Schedule *s)
{
    for (int k = 0; k < s->p->kernels.count; k++) {
        const Kernel *kernel = s->p->kernels.at[k];
        for (int i = 0; i < kernel->inputs.count; i++) {
            int b = buffer_at(s, kernel->inputs.at[i])->id;
            IntList *list = &s->readers[b];
            if (!list->count || list->at[list->count - 1] != k) vec_push(s->arena, list, k);
        }
        for (int i = 0; i < kernel->outputs.count; i++)
            if (kernel->kind != KERNEL_copy) s->writer[buffer_at(s, kernel->outputs.at[i])->id] = k;
    }
}

static void find_dependences(Schedule *s)
{
    for (int b = 0; b < s->p->buffers.count; b++)
        for (int i = 0; s->writer[b] >= 0 && i < s->readers[b].count; i++)
            must_follow(s, s->writer[b], s->readers[b].at[i]);
}

/* Whether some kernel after `from` (itself excepted) is marked with the goal's stamp. */
static bool reaches(Schedule *s, int from, int goal)
{
    IntList *stack = &s->stack;
    stack->count = 0;
    vec_push(s->arena, stack, from);
    while (stack->count) {
        const IntList *after = &s->after[stack->at[--stack->count]];
        for (int i = 0; i < after->count; i++) {
            int next = after->at[i];
            if (s->mark[next] == goal) return true;
            if (s->mark[next] == s->stamp) continue;
            s->mark[next] = s->stamp;
            vec_push(s->arena, stack, next);
        }
    }
    return false;
}

/* ---- updates ---- */

static bool can_write_in_place(Schedule *s, const Buffer *value, const Buffer *place)
{
    int writer = s->writer[value->id];
    const IntList *readers = &s->readers[place->id];
    if (writer < 0) return false;
    if (!kernel_may_take_over(s->p, s->p->kernels.at[writer], value->node, place)) return false;
    int goal = ++s->stamp;
    s->stamp++;
    for (int i = 0; i < readers->count; i++)
        if (readers->at[i] != writer) s->mark[readers->at[i]] = goal;
    return !reaches(s, writer, goal);
}

static void follow_readers(Schedule *s, const Buffer *value, const Buffer *place)
{
    for (int i = 0; i < s->readers[place->id].count; i++)
        if (s->readers[place->id].at[i] != s->writer[value->id])
            must_follow(s, s->readers[place->id].at[i], s->writer[value->id]);
}

/* What a scatter, or a loop, goes on from, if another kernel makes it and nobody but kernels wants it. */
static Buffer *base_of(const Schedule *s, const Buffer *value)
{
    const Kernel *k = s->p->kernels.at[s->writer[value->id]];
    for (int i = 0; i < k->inputs.count && (k->kind == KERNEL_scatter || k->kind == KERNEL_scan); i++) {
        Buffer *b = buffer_at(s, k->inputs.at[i]);
        bool made = s->writer[b->id] >= 0 && !s->is_output[b->id] && !b->takes_over;
        if (made && kernel_may_take_over(s->p, k, value->node, b)) return b;
    }
    return NULL;
}

/* Rows that are written into a table one after the other: all those tables lie in its place, so that none is copied.
 * The dependences of a way that turns out to be barred stay; they bar nothing. */
static bool write_in_place(Schedule *s, Buffer *value, Buffer *place)
{
    Vec(Buffer *) way = {0};                                 /* from the value back to what is written first */
    if (s->writer[value->id] < 0 || value->takes_over) return false;
    for (Buffer *b = value; b; b = base_of(s, b)) vec_push(s->arena, &way, b);
    vec_push(s->arena, &way, place);
    for (int k = way.count - 2; k >= 0; k--) {
        if (!can_write_in_place(s, way.at[k], way.at[k + 1])) return false;
        follow_readers(s, way.at[k], way.at[k + 1]);
    }
    for (int k = 0; k < way.count - 1; k++) {
        way.at[k]->takes_over = way.at[k + 1];
        s->pinned[way.at[k]->id] = true;
    }
    return true;
}

static bool write_last_in_place(Schedule *s, Buffer *value, Buffer *place)
{
    if (value->takes_over || !can_write_in_place(s, value, place)) return false;
    follow_readers(s, value, place);
    value->takes_over = place;
    s->pinned[value->id] = true;
    return true;
}

static void write_by_copy(Schedule *s, Node *value, Node *place)
{
    const Buffer *from = buffer_at(s, value), *to = buffer_at(s, place);
    int copy = s->p->kernels.count;
    vec_push(s->arena, &s->p->kernels, plan_new_copy(s->arena, value, place));
    for (int i = 0; i < s->readers[to->id].count; i++) must_follow(s, s->readers[to->id].at[i], copy);
    if (s->writer[from->id] >= 0) must_follow(s, s->writer[from->id], copy);
    vec_push(s->arena, &s->readers[from->id], copy);
}

static void place_updates(Schedule *s)
{
    const Graph *g = s->p->graph;
    for (int k = 0; k < g->outputs.count; k++) {
        const Output *o = &g->outputs.at[k];
        if (o->kind != OUTPUT_update) continue;
        Node *place = graph_find_input(g, o->name);
        Buffer *from = buffer_at(s, o->node), *to = buffer_at(s, place);
        if (from == to) continue;
        if (write_in_place(s, from, to) || write_last_in_place(s, from, to)) continue;
        if (plan_is_carry(g, o)) s->pinned[from->id] = true;
        else write_by_copy(s, o->node, place);
    }
}

/* ---- list scheduling ---- */

/* What is ready runs by rising key: with `memory` whatever frees the most first, with `eager` whatever frees
 * anything first, else in the given order. */
typedef enum Rule { RULE_given, RULE_eager, RULE_memory, RULE_COUNT } Rule;
static const char *const rule_names[] = {"as written", "as written, what frees memory first", "least growth first"};

enum { FAR_LESS = 32 };

typedef struct Ready {
    int64_t key;
    int     kernel;
} Ready;

typedef struct List {
    Schedule *s;
    Rule      rule;
    int      *waits, *readers_left;
    bool     *done, *is_ready;
    Vec(Ready) heap;
    int64_t   live, peak;
    double    area;                      /* sum of live over the kernels: of equal peaks the smaller wins */
    int      *order;
    int       count;
} List;

static bool before(const Ready *a, const Ready *b)
{
    return a->key != b->key ? a->key < b->key : a->kernel < b->kernel;
}

static void heap_push(List *l, Ready r)
{
    vec_push(l->s->arena, &l->heap, r);
    int k = l->heap.count - 1;
    for (; k > 0 && before(&r, &l->heap.at[(k - 1) / 2]); k = (k - 1) / 2) l->heap.at[k] = l->heap.at[(k - 1) / 2];
    l->heap.at[k] = r;
}

static Ready heap_pop(List *l)
{
    Ready top = l->heap.at[0], last = l->heap.at[--l->heap.count];
    int k = 0;
    for (int child; (child = 2 * k + 1) < l->heap.count; k = child) {
        if (child + 1 < l->heap.count && before(&l->heap.at[child + 1], &l->heap.at[child])) child++;
        if (!before(&l->heap.at[child], &last)) break;
        l->heap.at[k] = l->heap.at[child];
    }
    l->heap.at[k] = last;
    return top;
}

static int64_t written_bytes(const Schedule *s, const Kernel *k)
{
    int64_t n = 0;
    for (int i = 0; i < k->outputs.count && k->kind != KERNEL_copy; i++) {
        const Buffer *b = buffer_at(s, k->outputs.at[i]);
        if (!b->takes_over) n += b->bytes;
    }
    return n + (k->parts >= 0 ? s->p->buffers.at[k->parts]->bytes : 0);
}

/* Bytes of the values that nobody reads after this kernel. Reshapes of one value count once: they are neighbours by
 * id at best, so each is checked against those before it. */
static int64_t freed_bytes(const List *l, const Kernel *k)
{
    const Schedule *s = l->s;
    int64_t n = 0;
    for (int i = 0; i < k->inputs.count; i++) {
        const Buffer *b = buffer_at(s, k->inputs.at[i]);
        bool again = false;
        for (int j = 0; j < i; j++) again = again || buffer_at(s, k->inputs.at[j]) == b;
        if (!again && !s->pinned[b->id] && l->readers_left[b->id] == 1) n += b->bytes;
    }
    return n;
}

/* The memory that a kernel has for itself is free again behind it: a loop's, the parts of a product. */
static int64_t passing_bytes(const Schedule *s, const Kernel *k)
{
    if (k->parts >= 0) return s->p->buffers.at[k->parts]->bytes;
    return k->kind == KERNEL_scan ? buffer_at(s, k->outputs.at[k->outputs.count - 1])->bytes : 0;
}

/* Goes over all that one product makes, reads little else, and makes of it far less, such as the sum of a gradient's
 * squares: right behind the product it finds it in a cache. */
static bool follows_at_once(const Schedule *s, const Kernel *k)
{
    const Buffer *large = NULL;
    int64_t rest = written_bytes(s, k);
    for (int i = 0; i < k->inputs.count && k->kind == KERNEL_loop; i++) {
        const Buffer *b = buffer_at(s, k->inputs.at[i]);
        if (!large || b->bytes > large->bytes) large = b;
    }
    for (int i = 0; i < k->inputs.count && large; i++) {
        const Buffer *b = buffer_at(s, k->inputs.at[i]);
        rest += b == large ? 0 : b->bytes;
    }
    int writer = large ? s->writer[large->id] : -1;
    if (writer < 0 || s->p->kernels.at[writer]->kind != KERNEL_contract || k->c_rank > 0) return false;
    return rest <= large->bytes / FAR_LESS &&
           kernel_extent(k, 0, k->a_rank + k->r_rank) == type_value_elements(&large->node->type);
}

static int64_t key_of(const List *l, const Kernel *k)
{
    if (follows_at_once(l->s, k)) return INT64_MIN;
    if (l->rule == RULE_given) return 0;
    int64_t growth = written_bytes(l->s, k) - freed_bytes(l, k) - passing_bytes(l->s, k);
    return l->rule == RULE_eager ? growth >= 0 : growth;
}

static void make_ready(List *l, int kernel)
{
    l->is_ready[kernel] = true;
    heap_push(l, (Ready){key_of(l, l->s->p->kernels.at[kernel]), kernel});
}

/* Bytes that outputs can take from inputs that die here. */
static int64_t taken_bytes(const List *l, const Kernel *k)
{
    const Schedule *s = l->s;
    int64_t n = 0;
    int next = 0;
    for (int i = 0; i < k->outputs.count && k->kind == KERNEL_loop; i++)
        for (int j = next; j < k->inputs.count; j++) {
            const Buffer *b = buffer_at(s, k->inputs.at[j]);
            if (s->pinned[b->id] || l->readers_left[b->id] != 1) continue;
            if (!kernel_may_take_over(s->p, k, k->outputs.at[i], b)) continue;
            n += b->bytes;
            next = j + 1;
            break;
        }
    return n;
}

static void run_kernel(List *l, int kernel)
{
    Schedule *s = l->s;
    const Kernel *k = s->p->kernels.at[kernel];
    int64_t written = written_bytes(s, k), freed = freed_bytes(l, k), taken = taken_bytes(l, k);
    if (l->live + written - taken > l->peak) l->peak = l->live + written - taken;
    l->live += written - freed - passing_bytes(s, k);
    l->area += (double)l->live;
    l->done[kernel] = true;
    l->order[l->count++] = kernel;
    for (int i = 0; i < k->inputs.count; i++) {
        int b = buffer_at(s, k->inputs.at[i])->id;
        bool again = false;
        for (int j = 0; j < i; j++) again = again || buffer_at(s, k->inputs.at[j])->id == b;
        if (again || --l->readers_left[b] != 1 || l->rule == RULE_given) continue;
        for (int j = 0; j < s->readers[b].count; j++) {      /* its last reader frees more than it did before */
            int reader = s->readers[b].at[j];
            if (l->is_ready[reader] && !l->done[reader]) make_ready(l, reader);
        }
    }
    for (int i = 0; i < s->after[kernel].count; i++)
        if (--l->waits[s->after[kernel].at[i]] == 0) make_ready(l, s->after[kernel].at[i]);
}

static List list_new(Schedule *s, Rule rule)
{
    int kernels = s->p->kernels.count, buffers = s->p->buffers.count;
    List l = {.s = s, .rule = rule};
    l.waits = arena_array(s->arena, int, kernels + 1);
    l.readers_left = arena_array(s->arena, int, buffers + 1);
    l.done = arena_array(s->arena, bool, kernels + 1);
    l.is_ready = arena_array(s->arena, bool, kernels + 1);
    l.order = arena_array(s->arena, int, kernels + 1);
    for (int k = 0; k < kernels; k++) l.waits[k] = s->waits[k];
    for (int b = 0; b < buffers; b++) l.readers_left[b] = s->readers[b].count;
    return l;
}

static List list_schedule(Schedule *s, Rule rule)
{
    List l = list_new(s, rule);
    for (int k = 0; k < s->p->kernels.count; k++)
        if (l.waits[k] == 0) make_ready(&l, k);
    while (l.heap.count) {
        Ready r = heap_pop(&l);
        if (!l.done[r.kernel]) run_kernel(&l, r.kernel);
    }
    return l;
}

/* ---- the pass ---- */

static Schedule schedule_new(Arena *arena, Plan *p)
{
    const Graph *g = p->graph;
    int buffers = p->buffers.count, kernels = p->kernels.count + g->outputs.count;    /* at most one copy an output */
    Schedule s = {.arena = arena, .p = p};
    s.writer = arena_array(arena, int, buffers + 1);
    s.readers = arena_array(arena, IntList, buffers + 1);
    s.pinned = arena_array(arena, bool, buffers + 1);
    s.is_output = arena_array(arena, bool, buffers + 1);
    s.after = arena_array(arena, IntList, kernels + 1);
    s.waits = arena_array(arena, int, kernels + 1);
    s.mark = arena_array(arena, int, kernels + 1);
    for (int b = 0; b < buffers; b++) {
        s.writer[b] = -1;
        s.pinned[b] = graph_input_stays(p->buffers.at[b]->node);
    }
    for (int k = 0; k < g->outputs.count; k++) {
        int b = buffer_at(&s, g->outputs.at[k].node)->id;
        s.is_output[b] = true;
        if (g->outputs.at[k].kind == OUTPUT_result) s.pinned[b] = true;
    }
    return s;
}

static void reorder(Plan *p, const List *l)
{
    Kernel **at = arena_array(p->arena, Kernel *, l->count + 1);
    for (int k = 0; k < l->count; k++) {
        at[k] = p->kernels.at[l->order[k]];
        at[k]->id = k;
    }
    if (l->count) memcpy(p->kernels.at, at, sizeof *at * (size_t)l->count);
    p->order = rule_names[l->rule];
}

Plan *pass_schedule(Arena *arena, Plan *plan, const PassOptions *options, Diagnostics *d)
{
    (void)options;
    Plan *p = plan_copy(arena, plan);
    plan_rooms(arena, p, d);
    Schedule s = schedule_new(arena, p);
    find_readers(&s);
    find_dependences(&s);
    place_updates(&s);
    List best = list_schedule(&s, RULE_given);
    for (Rule rule = RULE_given + 1; rule < RULE_COUNT; rule++) {
        List l = list_schedule(&s, rule);
        if (l.peak < best.peak || (l.peak == best.peak && l.area < best.area)) best = l;
    }
    assert(best.count == p->kernels.count && "the dependences have no cycle");
    reorder(p, &best);
    return p;
}
