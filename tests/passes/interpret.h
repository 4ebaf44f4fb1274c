/* Runs a plan kernel by kernel over the planned bytes, with the reference evaluator inside the kernels, and compares
 * what lies in the outputs' places with what the graph means: order, places and lifetimes are right when the bytes
 * are. */
#ifndef PTM_TESTS_INTERPRET_H
#define PTM_TESTS_INTERPRET_H

#include "lower.h"
#include "ir/eval.h"

#include <math.h>


typedef struct Memory {
    char *block[MEMORY_COUNT];
    char **bound;                        /* in the body of a scan: the places of its inputs and outputs, by buffer */
} Memory;

static inline Memory memory_new(Arena *arena, const Plan *p)
{
    Memory m = {0};
    for (int b = 0; b < MEMORY_COUNT; b++) {
        m.block[b] = arena_alloc(arena, (size_t)p->block_bytes[b] + 64);
        memset(m.block[b], 0xEE, (size_t)p->block_bytes[b]);             /* what nobody wrote is no plausible number */
    }
    return m;
}

static inline char *buffer_bytes(const Memory *m, const Buffer *b)
{
    if (b->block == MEMORY_bound) return m->bound[b->id];
    return m->block[b->block] + b->offset;
}

static inline char *bytes_of(const Memory *m, const Plan *p, const Node *n) { return buffer_bytes(m, p->buffer_of[n->id]); }

static inline char *bytes_for(const Memory *m, const Plan *p, const Kernel *k, const Node *n)
{
    return buffer_bytes(m, kernel_buffer(p, k, n));
}

static inline Tensor *evaluate_node(const Node *n, Tensor *const *value, Arena *arena)
{
    Tensor *args[64];
    const char *why = NULL;
    for (int j = 0; j < n->arg_count; j++) args[j] = value[n->args[j]->id];
    Tensor *t = node_eval(n, args, arena, &why);
    if (!t) fail_msg("%%%u: %s", n->id, why);
    return t;
}

/* Where a map or a row kernel writes in place of something it reads, a change of one element there changes that
 * element of the output only, or its row. */
static inline void check_aligned(const Plan *p, const Kernel *k, Tensor *const *value, Arena *arena)
{
    if (k->kind != KERNEL_loop || k->c_rank > 0) return;
    Tensor **changed = arena_array(arena, Tensor *, p->graph->nodes.count + 1);
    for (int i = 0; i < k->aligned.count; i++) {
        const Node *in = k->aligned.at[i];
        const Tensor *old = value[in->id];
        if (!old->f || old->count == 0) continue;
        int64_t at = old->count / 2, row = kernel_extent(k, k->a_rank, k->r_rank);
        memcpy(changed, value, sizeof *changed * (size_t)p->graph->nodes.count);
        changed[in->id] = tensor_new(arena, in->type);
        memcpy(changed[in->id]->f, old->f, sizeof *old->f * (size_t)old->count);
        changed[in->id]->f[at] += 0.75;
        for (int n = 0; n < k->nodes.count; n++)
            changed[k->nodes.at[n]->id] = evaluate_node(k->nodes.at[n], changed, arena);
        if (old->count < kernel_extent(k, 0, k->a_rank + k->r_rank)) at *= row;
        for (int o = 0; o < k->outputs.count; o++) {
            const Tensor *a = value[k->outputs.at[o]->id], *b = changed[k->outputs.at[o]->id];
            if (kernel_parts(k, k->outputs.at[o]) > 1) continue;         /* its parts are asked where they stand */
            int64_t scale = a->count == kernel_extent(k, 0, k->a_rank + k->r_rank) ? 1 : row;
            for (int64_t e = 0; a->f && e < a->count; e++)
                if (a->f[e] != b->f[e] && !(a->f[e] != a->f[e]) && e * scale / row != at / row)
                    fail_msg("kernel %d: %%%u is not aligned with %%%u", k->id, in->id, k->outputs.at[o]->id);
        }
    }
}

static inline void run_kernels(const Memory *m, const Plan *p, Arena *arena);

/* ---- loops ---- */

typedef struct LoopRun {
    const Memory *m;                     /* around the loop */
    const Plan   *p;
    const Kernel *k;
    const Node   *scan;
    Memory        inner;
    int64_t       n;
} LoopRun;

static inline char *argument_of(const LoopRun *l, const Node *input)
{
    return bytes_for(l->m, l->p, l->k, l->scan->args[scan_argument(l->scan, input)]);
}

static inline char *home_of(const LoopRun *l, int result)
{
    const Node *pick = kernel_pick(l->k, result);
    return pick ? bytes_for(l->m, l->p, l->k, pick) : l->inner.block[MEMORY_work] + l->k->home[result];
}

static inline bool copies_back(const LoopRun *l, int carry)
{
    return l->scan->attr.axis && !kernel_carry_in_place(l->k, carry);
}

/* Where iteration i writes a carry. */
static inline char *carry_place(const LoopRun *l, int carry, int64_t i)
{
    if (kernel_carry_in_place(l->k, carry)) return home_of(l, carry);
    bool at_home = !l->scan->attr.axis && (l->n - 1 - i) % 2 == 0;
    return at_home ? home_of(l, carry) : l->inner.block[MEMORY_work] + l->k->spare[carry];
}

static inline char **bound_at(const LoopRun *l, const Node *inner)
{
    return &l->inner.bound[l->k->body->buffer_of[inner->id]->id];
}

static inline void bind_iteration(const LoopRun *l, int64_t i, int64_t t)
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

static inline void begin_loop(const LoopRun *l)
{
    for (int j = 0; j < scan_result_count(l->scan); j++) {
        const Node *carry = scan_carry(l->scan, j), *pick = kernel_pick(l->k, j);
        if (carry && (l->n == 0 || kernel_carry_in_place(l->k, j) || copies_back(l, j)))
            memmove(home_of(l, j), argument_of(l, carry), (size_t)type_value_bytes(&carry->type));
        if (!carry && pick && l->scan->attr.axis) memset(home_of(l, j), 0, (size_t)type_value_bytes(&pick->type));
    }
}

static inline void run_loop(const Memory *m, const Plan *p, const Kernel *k, Arena *arena)
{
    const Node *scan = k->outputs.at[k->outputs.count - 1];
    LoopRun l = {.m = m, .p = p, .k = k, .scan = scan, .n = dim_value(scan->attr.count)};
    l.inner.block[MEMORY_work] = bytes_for(m, p, k, scan);
    l.inner.bound = arena_array(arena, char *, k->body->buffers.count + 1);
    memset(l.inner.block[MEMORY_work], 0xEE, (size_t)p->buffer_of[scan->id]->bytes);
    begin_loop(&l);
    for (int64_t i = 0; i < l.n; i++) {
        int until = scan->attr.axis;
        if (until && *home_of(&l, until - 1)) break;
        memset(l.inner.block[MEMORY_work], 0xEE, (size_t)k->body->block_bytes[MEMORY_work]);
        bind_iteration(&l, i, scan->attr.i ? l.n - 1 - i : i);
        run_kernels(&l.inner, k->body, arena);
        for (int j = 0; j < scan_carry_count(scan); j++)
            if (copies_back(&l, j))
                memcpy(home_of(&l, j), carry_place(&l, j, i), (size_t)type_value_bytes(&scan_carry(scan, j)->type));
    }
}

static inline void run_kernel(const Memory *m, const Plan *p, const Kernel *k, Tensor **value, Arena *arena)
{
    if (k->kind == KERNEL_scan) {
        run_loop(m, p, k, arena);
        return;
    }
    if (k->kind == KERNEL_copy) {
        memcpy(bytes_for(m, p, k, k->outputs.at[0]), bytes_for(m, p, k, k->inputs.at[0]),
               (size_t)type_value_bytes(&k->inputs.at[0]->type));
        return;
    }
    for (int i = 0; i < k->inputs.count; i++) {
        const Node *n = k->inputs.at[i];
        value[n->id] = tensor_from_bytes(arena, n->type, bytes_for(m, p, k, n));
    }
    for (int i = 0; i < k->nodes.count; i++) {
        const Node *n = k->nodes.at[i];
        value[n->id] = evaluate_node(n, value, arena);
    }
    check_aligned(p, k, value, arena);
    for (int i = 0; i < k->outputs.count; i++)
        tensor_to_bytes(value[k->outputs.at[i]->id], bytes_for(m, p, k, k->outputs.at[i]));
}

static inline void run_kernels(const Memory *m, const Plan *p, Arena *arena)
{
    Tensor **value = arena_array(arena, Tensor *, p->graph->nodes.count + 1);
    for (int k = 0; k < p->kernels.count; k++) run_kernel(m, p, p->kernels.at[k], value, arena);
}

static inline Tensor *some_values(Arena *arena, const Node *input, int salt)
{
    Tensor *t = tensor_new(arena, input->type);
    uint32_t x = 12345u + (uint32_t)salt * 7919u;
    bool moment = strstr(input->attr.text, "optimizer.") != NULL;
    for (int64_t k = 0; k < t->count; k++) {
        x = x * 1664525u + 1013904223u;
        double unit = (x >> 8) * 0x1p-24;
        if (t->f) t->f[k] = (float)(moment ? unit : 0.6 * unit - 0.3);
        else t->i[k] = input->type.rank ? (int64_t)(unit * 8) : 3;
    }
    return t;
}

static inline void compare(const Tensor *have, const Tensor *want, const char *name)
{
    assert_true(have->count == want->count);
    for (int64_t k = 0; k < have->count; k++) {
        double a = have->f ? have->f[k] : (double)have->i[k], b = want->f ? want->f[k] : (double)want->i[k];
        if (!(fabs(a - b) <= 2e-5 * fmax(1, fabs(b))))       /* f32 after some hundred additions in another order */
            fail_msg("%s [%lld] is %.9g, not %.9g", name, (long long)k, a, b);
    }
}

/* Runs the plan and the graph it came from on the same inputs. */
static inline void compare_with_graph(Arena *arena, const Plan *p, const Graph *g)
{
    Memory m = memory_new(arena, p);
    Tensor **inputs = arena_array(arena, Tensor *, g->inputs.count + 1),
           **wanted = arena_array(arena, Tensor *, g->outputs.count + 1);
    for (int k = 0; k < g->inputs.count; k++) {
        inputs[k] = some_values(arena, g->inputs.at[k], k);
        Node *n = graph_find_input(p->graph, g->inputs.at[k]->attr.text);
        assert_non_null(n);
        tensor_to_bytes(inputs[k], bytes_of(&m, p, n));
    }
    const char *why = graph_eval(g, inputs, wanted, arena);
    assert_null(why);
    run_kernels(&m, p, arena);
    for (int k = 0; k < g->outputs.count; k++) {
        const Output *o = &p->graph->outputs.at[k];
        const Node *place = o->kind == OUTPUT_update ? graph_find_input(p->graph, o->name) : o->node;
        assert_string_equal(o->name, g->outputs.at[k].name);
        compare(tensor_from_bytes(arena, o->node->type, bytes_of(&m, p, place)), wanted[k], o->name);
    }
}

static inline void shrink(Lab *l)
{
    static const struct { const char *name; int64_t value; } sizes[] = {
        {"B", 3}, {"T", 7}, {"S", 7}, {"H", 2}, {"K", 4}, {"D", 8}, {"F", 20}, {"V", 11}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) dim_set_value(l->g->dims, sizes[k].name, sizes[k].value);
}

#endif
