/* Running plans. What nobody wrote is no plausible number, in the memory around and before each iteration of a loop. */
#include "ir/plan_eval.h"

#include <string.h>

typedef struct Memory {
    char *block[MEMORY_COUNT];
    char **own;                          /* by buffer, for a plan that is not placed; else NULL */
    char **bound;                        /* in the body of a scan: the places of its inputs and outputs, by buffer */
} Memory;

static char *unwritten(Arena *arena, int64_t bytes)
{
    char *memory = arena_alloc(arena, (size_t)bytes + 64);
    memset(memory, 0xEE, (size_t)bytes);
    return memory;
}

static Memory memory_new(Arena *arena, const Plan *p, PlanMemory kind)
{
    Memory m = {0};
    if (kind == PLAN_apart) {
        m.own = arena_array(arena, char *, p->buffers.count + 1);
        for (int b = 0; b < p->buffers.count; b++) m.own[b] = unwritten(arena, p->buffers.at[b]->bytes);
        return m;
    }
    for (int b = 0; b < MEMORY_COUNT; b++) m.block[b] = unwritten(arena, p->block_bytes[b]);
    return m;
}

static char *buffer_bytes(const Memory *m, const Buffer *b)
{
    while (b->block == MEMORY_bound && !m->bound[b->id]) b = b->takes_over;
    if (b->block == MEMORY_bound) return m->bound[b->id];
    return m->own ? m->own[b->id] : m->block[b->block] + b->offset;
}

static char *bytes_of(const Memory *m, const Plan *p, const Node *n) { return buffer_bytes(m, p->buffer_of[n->id]); }

static char *bytes_for(const Memory *m, const Plan *p, const Kernel *k, const Node *n)
{
    return buffer_bytes(m, kernel_buffer(p, k, n));
}

/* ---- kernels ---- */

static const char *evaluate_nodes(const Kernel *k, Tensor **value, Arena *arena)
{
    const char *why = NULL;
    for (int i = 0; i < k->nodes.count && !why; i++) {
        const Node *n = k->nodes.at[i];
        Tensor **args = arena_array(arena, Tensor *, n->arg_count + 1);
        for (int j = 0; j < n->arg_count; j++) args[j] = value[n->args[j]->id];
        value[n->id] = node_eval(n, args, arena, &why);
    }
    return why;
}

/* Whether a change of element `at` of the input has moved an element of the output elsewhere, in rows: another row. */
static bool strays(const Kernel *k, const Tensor *a, const Tensor *b, int64_t at)
{
    int64_t row = kernel_extent(k, k->a_rank, k->r_rank);
    int64_t scale = a->count == kernel_extent(k, 0, k->a_rank + k->r_rank) ? 1 : row;
    for (int64_t e = 0; a->f && e < a->count; e++)
        if (a->f[e] != b->f[e] && !(a->f[e] != a->f[e]) && e * scale / row != at / row) return true;
    return false;
}

/* Where a map or a row kernel writes in place of something it reads, a change of one element there changes that
 * element of the output only, or its row. */
static const char *check_aligned(const Plan *p, const Kernel *k, Tensor *const *value, Arena *arena)
{
    if (k->kind != KERNEL_loop || k->c_rank > 0) return NULL;
    Tensor **changed = arena_array(arena, Tensor *, p->graph->nodes.count + 1);
    for (int i = 0; i < k->aligned.count; i++) {
        const Node *in = k->aligned.at[i];
        const Tensor *old = value[in->id];
        if (!old->f || old->count == 0) continue;
        int64_t at = old->count / 2;
        memcpy(changed, value, sizeof *changed * (size_t)p->graph->nodes.count);
        changed[in->id] = tensor_new(arena, in->type);
        memcpy(changed[in->id]->f, old->f, sizeof *old->f * (size_t)old->count);
        changed[in->id]->f[at] += 0.75;
        const char *why = evaluate_nodes(k, changed, arena);
        if (why) return why;
        if (old->count < kernel_extent(k, 0, k->a_rank + k->r_rank)) at *= kernel_extent(k, k->a_rank, k->r_rank);
        for (int o = 0; o < k->outputs.count; o++) {
            const Node *out = k->outputs.at[o];
            if (kernel_parts(k, out) > 1) continue;          /* its parts are asked where they stand */
            if (strays(k, value[out->id], changed[out->id], at))
                return arena_print(arena, "kernel %d: %%%u is not aligned with %%%u", k->id, in->id, out->id);
        }
    }
    return NULL;
}

static const char *run_kernels(const Memory *m, const Plan *p, Arena *arena);

/* ---- loops ---- */

typedef struct LoopRun {
    const Memory *m;                     /* around the loop */
    const Plan   *p;
    const Kernel *k;
    const Node   *scan;
    Memory        inner;
    int64_t       n;
} LoopRun;

static char *argument_of(const LoopRun *l, const Node *input)
{
    return bytes_for(l->m, l->p, l->k, l->scan->args[scan_argument(l->scan, input)]);
}

static char *home_of(const LoopRun *l, int result)
{
    const Node *pick = kernel_pick(l->k, result);
    return pick ? bytes_for(l->m, l->p, l->k, pick) : l->inner.block[MEMORY_work] + l->k->home[result];
}

static bool copies_back(const LoopRun *l, int carry)
{
    return l->scan->attr.axis && !kernel_carry_in_place(l->k, carry);
}

/* Where iteration i writes a carry. */
static char *carry_place(const LoopRun *l, int carry, int64_t i)
{
    if (kernel_carry_in_place(l->k, carry)) return home_of(l, carry);
    bool at_home = !l->scan->attr.axis && (l->n - 1 - i) % 2 == 0;
    return at_home ? home_of(l, carry) : l->inner.block[MEMORY_work] + l->k->spare[carry];
}

static char **bound_at(const LoopRun *l, const Node *inner)
{
    return &l->inner.bound[l->k->body->buffer_of[inner->id]->id];
}

static void bind_iteration(const LoopRun *l, int64_t i, int64_t t)
{
    const Graph *body = l->k->body->graph;
    for (int j = 0; j < body->inputs.count; j++) {
        const Node *input = body->inputs.at[j];
        if (input->attr.storage == STORE_ambient) memcpy(bytes_of(&l->inner, l->k->body, input), &t, sizeof t);
        else *bound_at(l, input) = argument_of(l, input);
        if (input->attr.storage == STORE_each) *bound_at(l, input) += t * type_value_bytes(&input->type);
    }
    for (int j = 0; j < scan_result_count(l->scan); j++) {
        const Node *carry = scan_carry(l->scan, j), *value = scan_output(l->scan, j)->node;
        if (!carry) {
            bool picked = kernel_pick(l->k, j) != NULL;
            *bound_at(l, value) = home_of(l, j) + (picked ? t * type_value_bytes(&value->type) : 0);
            continue;
        }
        bool starts_home = kernel_carry_in_place(l->k, j) || copies_back(l, j);
        if (starts_home) *bound_at(l, carry) = home_of(l, j);
        else if (i > 0) *bound_at(l, carry) = carry_place(l, j, i - 1);
        *bound_at(l, value) = carry_place(l, j, i);
    }
}

static void begin_loop(const LoopRun *l)
{
    for (int j = 0; j < scan_result_count(l->scan); j++) {
        const Node *carry = scan_carry(l->scan, j), *pick = kernel_pick(l->k, j);
        if (carry && (l->n == 0 || kernel_carry_in_place(l->k, j) || copies_back(l, j)))
            memmove(home_of(l, j), argument_of(l, carry), (size_t)type_value_bytes(&carry->type));
        if (!carry && pick && l->scan->attr.axis) memset(home_of(l, j), 0, (size_t)type_value_bytes(&pick->type));
    }
}

static void end_iteration(const LoopRun *l, int64_t i)
{
    for (int j = 0; j < scan_carry_count(l->scan); j++)
        if (copies_back(l, j))
            memcpy(home_of(l, j), carry_place(l, j, i), (size_t)type_value_bytes(&scan_carry(l->scan, j)->type));
}

static const char *run_loop(const Memory *m, const Plan *p, const Kernel *k, Arena *arena)
{
    const Node *scan = k->outputs.at[k->outputs.count - 1];
    const char *why = NULL;
    LoopRun l = {.m = m, .p = p, .k = k, .scan = scan, .n = dim_value(scan->attr.count)};
    l.inner.block[MEMORY_work] = bytes_for(m, p, k, scan);
    l.inner.bound = arena_array(arena, char *, k->body->buffers.count + 1);
    memset(l.inner.block[MEMORY_work], 0xEE, (size_t)p->buffer_of[scan->id]->bytes);
    begin_loop(&l);
    for (int64_t i = 0; i < l.n && !why; i++) {
        int until = scan->attr.axis;
        if (until && *home_of(&l, until - 1)) break;
        memset(l.inner.block[MEMORY_work], 0xEE, (size_t)k->body->block_bytes[MEMORY_work]);
        bind_iteration(&l, i, scan->attr.i ? l.n - 1 - i : i);
        why = run_kernels(&l.inner, k->body, arena);
        end_iteration(&l, i);
    }
    return why;
}

/* ---- all of it ---- */

static const char *run_kernel(const Memory *m, const Plan *p, const Kernel *k, Tensor **value, Arena *arena)
{
    if (k->kind == KERNEL_scan) return run_loop(m, p, k, arena);
    if (k->kind == KERNEL_copy) {
        memcpy(bytes_for(m, p, k, k->outputs.at[0]), bytes_for(m, p, k, k->inputs.at[0]),
               (size_t)type_value_bytes(&k->inputs.at[0]->type));
        return NULL;
    }
    for (int i = 0; i < k->inputs.count; i++) {
        const Node *n = k->inputs.at[i];
        value[n->id] = tensor_from_bytes(arena, n->type, bytes_for(m, p, k, n));
    }
    const char *why = evaluate_nodes(k, value, arena);
    if (!why) why = check_aligned(p, k, value, arena);
    for (int i = 0; i < k->outputs.count && !why; i++)
        tensor_to_bytes(value[k->outputs.at[i]->id], bytes_for(m, p, k, k->outputs.at[i]));
    return why;
}

static const char *run_kernels(const Memory *m, const Plan *p, Arena *arena)
{
    const char *why = NULL;
    Tensor **value = arena_array(arena, Tensor *, p->graph->nodes.count + 1);
    for (int k = 0; k < p->kernels.count && !why; k++) why = run_kernel(m, p, p->kernels.at[k], value, arena);
    return why;
}

/* Where an output is after the step: an update of a placed plan in the input that it updates. */
static const Node *place_of(const Plan *p, PlanMemory kind, const Output *o)
{
    return o->kind == OUTPUT_update && kind == PLAN_placed ? graph_find_input(p->graph, o->name) : o->node;
}

const char *plan_eval(const Plan *p, PlanMemory memory, Tensor *const *inputs, Tensor **results, Arena *arena)
{
    const Graph *g = p->graph;
    Memory m = memory_new(arena, p, memory);
    for (int k = 0; k < g->inputs.count; k++)
        if (p->buffer_of[g->inputs.at[k]->id]) tensor_to_bytes(inputs[k], bytes_of(&m, p, g->inputs.at[k]));
    const char *why = run_kernels(&m, p, arena);
    for (int k = 0; k < g->outputs.count && !why; k++) {
        const Output *o = &g->outputs.at[k];
        results[k] = tensor_from_bytes(arena, o->node->type, bytes_of(&m, p, place_of(p, memory, o)));
    }
    return why;
}
