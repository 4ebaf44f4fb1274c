/* The reference evaluator's heart: dispatch over ops.def, the element operators from the table's `value` column,
 * casts and makers. Structural rules over shapes are in eval_move.c, eval_reduce.c and eval_index.c. */
#include "ir/eval_rules.h"
#include "runtime/core/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Wide enough for the sum and the product of any two int64_t. */
__extension__ typedef __int128 Wide;

static Wide floor_divide(Wide a, Wide b)
{
    if (b == 0) return 0;
    Wide q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

#define STRUCTURAL(...)

#define FLOOR_DIVIDE(a, b) floor((a) / (b))
static double element_float(Op op, double a, double b, bool c)
{
    (void)b, (void)c;
    switch ((int)op) {
#define ELEMENT(name, arity, types, result, value, ...) case OP_##name: return value;
#include "ir/ops.def"
#undef ELEMENT
    }
    abort();
}
#undef FLOOR_DIVIDE

/* Rows that take floats only are cut out, since their expressions have no meaning here. */
#define FLOOR_DIVIDE(a, b) floor_divide(a, b)
#define WHOLE_FLOAT(value)
#define WHOLE_NUMBER(value) return value;
#define WHOLE_TRUTH(value) return value;
#define WHOLE_ANY(value) return value;
static Wide element_whole(Op op, Wide a, Wide b, bool c)
{
    (void)b, (void)c;
    switch ((int)op) {
#define ELEMENT(name, arity, types, result, value, ...) case OP_##name: WHOLE_##types(value) break;
#include "ir/ops.def"
#undef ELEMENT
    }
    abort();
}
#undef FLOOR_DIVIDE
#undef STRUCTURAL

static void element_eval(const Node *node, Tensor *const *args, Tensor *out)
{
    int first = node->op == OP_where ? 1 : 0;
    const Tensor *c = first ? args[0] : NULL, *a = args[first];
    const Tensor *b = node->arg_count > first + 1 ? args[first + 1] : NULL;
    DType dtype = node->type.dtype;
    for (int64_t k = 0; k < out->count; k++) {
        bool condition = c && c->i[k];
        if (out->f) {
            out->f[k] = round_to_dtype(dtype, element_float(node->op, a->f[k], b ? b->f[k] : 0, condition));
        } else if (a->f) {
            out->i[k] = element_float(node->op, a->f[k], b ? b->f[k] : 0, condition) != 0;
        } else {
            Wide value = element_whole(node->op, a->i[k], b ? b->i[k] : 0, condition);
            out->i[k] = wrap_to_dtype(dtype, (int64_t)(uint64_t)value);
        }
    }
}

/* Toward zero; out of range saturates; NaN is 0. */
static int64_t float_to_whole(double x, DType dtype)
{
    if (isnan(x)) return 0;
    if (dtype == DT_bool) return x != 0;
    double whole = trunc(x);
    if (whole <= (double)dtype_least(dtype)) return dtype_least(dtype);
    if (whole >= (double)dtype_most(dtype)) return dtype_most(dtype);
    return (int64_t)whole;
}

const char *eval_cast(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    const Tensor *x = args[0];
    DType dtype = node->type.dtype;
    for (int64_t k = 0; k < out->count; k++) {
        if (out->f && dtype == DT_f32 && x->i)
            out->f[k] = (float)x->i[k];
        else if (out->f)
            out->f[k] = round_to_dtype(dtype, x->f ? x->f[k] : (double)x->i[k]);
        else
            out->i[k] = x->f ? float_to_whole(x->f[k], dtype) : wrap_to_dtype(dtype, x->i[k]);
    }
    return NULL;
}

const char *eval_copy(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)node, (void)arena;
    for (int64_t k = 0; k < out->count; k++) tensor_copy_element(out, k, args[0], k);
    return NULL;
}

const char *eval_const(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)args, (void)arena;
    if (out->f)
        out->f[0] = round_to_dtype(node->type.dtype, node->attr.f);
    else
        out->i[0] = wrap_to_dtype(node->type.dtype, node->attr.i);
    return NULL;
}

const char *eval_iota(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)args, (void)arena;
    Shape shape = shape_of(&node->type);
    int axis = node->attr.axis;
    for (int64_t k = 0; k < out->count; k++) {
        int64_t at = k / shape.stride[axis] % shape.extent[axis];
        if (out->f)
            out->f[k] = round_to_dtype(node->type.dtype, (double)at);
        else
            out->i[k] = wrap_to_dtype(node->type.dtype, at);
    }
    return NULL;
}

/* Number k of the draws of iteration `index`. */
static uint32_t draw_word(const Node *node, Tensor *const *args, const Tensor *index, int64_t k, int64_t count)
{
    uint64_t place = (uint64_t)k + (index ? (uint64_t)index->i[0] * (uint64_t)count : 0);
    uint64_t key = rt_random_key((uint64_t)args[0]->i[0], rt_random_hash(node->attr.text));
    return rt_random_word(key, (uint64_t)args[1]->i[0], place);
}

const char *eval_uniform(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    const Tensor *index = node->arg_count > 2 ? args[2] : NULL;
    for (int64_t k = 0; k < out->count; k++)
        out->f[k] = round_to_dtype(node->type.dtype, rt_random_unit(draw_word(node, args, index, k, out->count)));
    return NULL;
}

/* How many numbers there are to draw from: at least one, at most what a word tells apart. */
static uint64_t draw_range(int64_t low, int64_t high)
{
    uint64_t range = high <= low ? 1 : (uint64_t)high - (uint64_t)low;
    return range > (uint64_t)1 << 32 ? (uint64_t)1 << 32 : range;
}

const char *eval_integers(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    const Tensor *low = args[2], *high = args[3], *index = node->arg_count > 4 ? args[4] : NULL;
    uint64_t range = draw_range(low->i[0], high->i[0]);
    for (int64_t k = 0; k < out->count; k++) {
        uint64_t value = (uint64_t)low->i[0] + ((uint64_t)draw_word(node, args, index, k, out->count) * range >> 32);
        out->i[k] = wrap_to_dtype(node->type.dtype, (int64_t)value);
    }
    return NULL;
}

const char *eval_input(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)args, (void)out;
    return arena_print(arena, "the input \"%s\" has no value", node->attr.text);
}

Tensor *node_eval(const Node *node, Tensor *const *args, Arena *arena, const char **why)
{
    Tensor *out = tensor_new(arena, node->type);
    const char *fault = NULL;
    switch (node->op) {
#define ELEMENT(name, ...) case OP_##name: element_eval(node, args, out); break;
#define STRUCTURAL(name, arity, kind, attrs, shape, gradient, eval, doc) \
    case OP_##name: fault = eval_##eval(node, args, out, arena); break;
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    case OP_COUNT: abort();
    }
    if (fault) *why = fault;
    return fault ? NULL : out;
}

static void mark_needed(const Graph *g, bool *needed)
{
    for (int k = 0; k < g->outputs.count; k++) needed[g->outputs.at[k].node->id] = true;
    for (int k = g->nodes.count - 1; k >= 0; k--) {
        const Node *node = g->nodes.at[k];
        for (int j = 0; needed[k] && j < node->arg_count; j++) needed[node->args[j]->id] = true;
    }
}

const char *graph_eval_nodes(const Graph *g, Tensor *const *inputs, Tensor **value, Arena *arena)
{
    bool *needed = arena_array(arena, bool, g->nodes.count + 1);
    mark_needed(g, needed);
    for (int k = 0; k < g->inputs.count; k++) value[g->inputs.at[k]->id] = inputs[k];
    for (int k = 0; k < g->nodes.count; k++) {
        const Node *node = g->nodes.at[k];
        if (!needed[k] || value[k]) continue;
        Tensor **args = arena_array(arena, Tensor *, node->arg_count + 1);
        for (int j = 0; j < node->arg_count; j++) args[j] = value[node->args[j]->id];
        const char *why = NULL;
        value[k] = node_eval(node, args, arena, &why);
        if (!value[k]) return why;
    }
    return NULL;
}

const char *graph_eval(const Graph *g, Tensor *const *inputs, Tensor **results, Arena *arena)
{
    Tensor **value = arena_array(arena, Tensor *, g->nodes.count + 1);
    const char *why = graph_eval_nodes(g, inputs, value, arena);
    for (int k = 0; !why && k < g->outputs.count; k++) results[k] = value[g->outputs.at[k].node->id];
    return why;
}
