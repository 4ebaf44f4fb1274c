/* For tests of graph passes: small graphs that together hold every operator with a gradient, random inputs for them,
 * and evaluation by name. */
#ifndef PTM_TESTS_SAMPLES_H
#define PTM_TESTS_SAMPLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ir/eval.h"
#include "passes/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UNUSED __attribute__((unused))

/* A deterministic stream of numbers in [0, 1) (Knuth's MMIX generator). */
static double random_unit(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

static UNUSED int random_below(uint64_t *state, int bound) { return (int)(random_unit(state) * bound); }

static UNUSED Type shape(Graph *g, DType dtype, int rank, const int *extent)
{
    Type type = {.dtype = dtype, .rank = rank};
    for (int k = 0; k < rank; k++) type.dim[k] = dim_int(g->dims, extent[k]);
    return type;
}

#define SHAPE(g, dtype, ...) \
    shape(g, dtype, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (const int[]){__VA_ARGS__})

static UNUSED Graph *new_graph(Arena *arena) { return graph_new(arena, dims_new(arena), "sample"); }

/* Inputs: parameters lie in [low, high), clear of whole numbers by a tenth; "i.." are indices from -1 to 2; bools
 * are coins. */
static UNUSED Tensor *random_input(Arena *arena, const Node *input, double low, double high, uint64_t *state)
{
    Tensor *t = tensor_new(arena, input->type);
    for (int64_t k = 0; k < t->count; k++) {
        double u = random_unit(state), x = low + (high - low) * u;
        if (t->f)
            t->f[k] = (double)(float)(floor(x) + 0.1 + 0.8 * (x - floor(x)));
        else if (input->type.dtype == DT_bool)
            t->i[k] = u < 0.5;
        else
            t->i[k] = (int64_t)(u * 4) - 1;
    }
    return t;
}

static UNUSED Tensor **random_inputs(Arena *arena, const Graph *g, double low, double high, uint64_t seed)
{
    Tensor **inputs = arena_array(arena, Tensor *, g->inputs.count + 1);
    for (int k = 0; k < g->inputs.count; k++) inputs[k] = random_input(arena, g->inputs.at[k], low, high, &seed);
    return inputs;
}

/* The inputs of `to` by name, from those of `from`. */
static UNUSED Tensor **same_inputs(Arena *arena, const Graph *to, const Graph *from, Tensor *const *inputs)
{
    Tensor **found = arena_array(arena, Tensor *, to->inputs.count + 1);
    for (int k = 0; k < to->inputs.count; k++)
        for (int j = 0; j < from->inputs.count; j++)
            if (!strcmp(to->inputs.at[k]->attr.text, from->inputs.at[j]->attr.text)) found[k] = inputs[j];
    return found;
}

static UNUSED Tensor **evaluate(Arena *arena, const Graph *g, Tensor *const *inputs)
{
    Tensor **results = arena_array(arena, Tensor *, g->outputs.count + 1);
    const char *why = graph_eval(g, inputs, results, arena);
    if (why) fail_msg("%s", why);
    return results;
}

static UNUSED Tensor *output_value(Arena *arena, const Graph *g, Tensor *const *inputs, const char *name)
{
    Tensor **results = evaluate(arena, g, inputs);
    for (int k = 0; k < g->outputs.count; k++)
        if (!strcmp(g->outputs.at[k].name, name)) return results[k];
    fail_msg("no output %s", name);
    return NULL;
}

static UNUSED int count_op(const Graph *g, Op op)
{
    int count = 0;
    for (int k = 0; k < g->nodes.count; k++) count += g->nodes.at[k]->op == op;
    return count;
}

static UNUSED Node *param(Graph *g, const char *name, Type type) { return make_input(g, STORE_param, name, type); }
static UNUSED Node *data(Graph *g, const char *name, Type type) { return make_input(g, STORE_data, name, type); }

/* loss = sum of y * weights, so that every element has a gradient of its own. */
static UNUSED void weigh(Graph *g, Node *y)
{
    if (y->type.dtype != DT_f64) y = make_cast(g, y, DT_f64);
    Node *loss = make_binary(g, OP_mul, y, data(g, "weights", y->type));
    if (loss->type.rank) loss = make_reduce(g, OP_sum, loss, (1u << loss->type.rank) - 1);
    graph_output(g, OUTPUT_result, "loss", loss);
}

static UNUSED PassOptions options_for(Arena *arena, const Graph *g)
{
    const char **names = arena_array(arena, const char *, g->inputs.count + 1);
    int count = 0;
    for (int k = 0; k < g->inputs.count; k++)
        if (g->inputs.at[k]->attr.storage == STORE_param) names[count++] = g->inputs.at[k]->attr.text;
    return (PassOptions){.loss = "loss", .trained = names, .trained_count = count};
}

/* One structural operator in a graph; its parameters are the float inputs. */
typedef struct Sample {
    Op          op;
    const char *name;
    Node *(*make)(Graph *g);
} Sample;

#ifndef F
#define F DT_f64                         /* the float type of the samples */
#endif
#define FIXED(...) ((const int8_t[MAX_RANK]){__VA_ARGS__})

static Node *sample_cast(Graph *g)
{
    return make_cast(g, param(g, "x", SHAPE(g, F, 3, 5)), DT_f32);
}
static Node *sample_sum(Graph *g) { return make_reduce(g, OP_sum, param(g, "x", SHAPE(g, F, 3, 5, 2)), 2); }
static Node *sample_sum_outer(Graph *g) { return make_reduce(g, OP_sum, param(g, "x", SHAPE(g, F, 3, 1, 7)), 5); }
static Node *sample_sum_all(Graph *g) { return make_reduce(g, OP_sum, param(g, "x", SHAPE(g, F, 13)), 1); }
static Node *sample_max(Graph *g) { return make_reduce(g, OP_reduce_max, param(g, "x", SHAPE(g, F, 3, 7)), 2); }
static Node *sample_max_two(Graph *g) { return make_reduce(g, OP_reduce_max, param(g, "x", SHAPE(g, F, 3, 2, 5)), 5); }
static Node *sample_max_one(Graph *g) { return make_reduce(g, OP_reduce_max, param(g, "x", SHAPE(g, F, 3, 1)), 2); }
static Node *sample_cumsum(Graph *g) { return make_cumsum(g, param(g, "x", SHAPE(g, F, 3, 7, 2)), 1); }
static Node *sample_reshape(Graph *g)
{
    return make_reshape(g, param(g, "x", SHAPE(g, F, 6, 5)), SHAPE(g, F, 3, 1, 10));
}
static Node *sample_permute(Graph *g) { return make_permute(g, param(g, "x", SHAPE(g, F, 2, 3, 5)), FIXED(2, 0, 1)); }
static Node *sample_expand(Graph *g)
{
    return make_expand(g, param(g, "x", SHAPE(g, F, 3, 1)), FIXED(1, 2), SHAPE(g, F, 2, 3, 5));
}
static Node *sample_expand_scalar(Graph *g)
{
    return make_expand(g, param(g, "x", type_scalar(F)), FIXED(0), SHAPE(g, F, 7));
}

static Node *sample_matmul(Graph *g)
{
    return make_einsum(g, "ij,jk->ik", param(g, "x", SHAPE(g, F, 3, 5)), param(g, "y", SHAPE(g, F, 5, 2)));
}

static Node *sample_batched(Graph *g)
{
    return make_einsum(g, "bthd,bshd->bhts", param(g, "x", SHAPE(g, F, 2, 3, 2, 5)),
                       param(g, "y", SHAPE(g, F, 2, 4, 2, 5)));
}

/* Letters that are summed within one argument, and letters that both keep. */
static Node *sample_lone(Graph *g)
{
    return make_einsum(g, "iju,jkv->ji", param(g, "x", SHAPE(g, F, 3, 5, 2)), param(g, "y", SHAPE(g, F, 5, 1, 3)));
}

static Node *sample_outer(Graph *g)
{
    return make_einsum(g, "i,jk->kij", param(g, "x", SHAPE(g, F, 3)), param(g, "y", SHAPE(g, F, 5, 2)));
}

static Node *sliced(Graph *g, int extent, int start, int64_t step, int length)
{
    const Dim *starts[] = {dim_int(g->dims, 1), dim_int(g->dims, start)};
    return make_slice(g, param(g, "x", SHAPE(g, F, 3, extent)), starts, (int64_t[]){1, step}, SHAPE(g, F, 2, length));
}

static Node *sample_slice(Graph *g) { return sliced(g, 7, 2, 1, 4); }
static Node *sample_slice_back(Graph *g) { return sliced(g, 7, 5, -1, 4); }
static Node *sample_slice_step(Graph *g) { return sliced(g, 11, 1, 3, 4); }
static Node *sample_slice_back_step(Graph *g) { return sliced(g, 11, 9, -2, 5); }
static Node *sample_slice_one(Graph *g) { return sliced(g, 2, 1, 5, 1); }

static Node *sample_pad(Graph *g)
{
    const Dim *before[] = {dim_int(g->dims, 1), dim_int(g->dims, 0)};
    return make_pad(g, param(g, "x", SHAPE(g, F, 3, 5)), before, SHAPE(g, F, 4, 7));
}

static Node *sample_concat(Graph *g)
{
    Node *x = param(g, "x", SHAPE(g, F, 2, 3)), *y = param(g, "y", SHAPE(g, F, 2, 1));
    return make_concat(g, (Node *[]){x, y, x}, 3, 1);
}

static Node *windowed(Graph *g, int length, int64_t step, int count, int width)
{
    return make_window(g, param(g, "x", SHAPE(g, F, 2, length, 3)), 1, step, SHAPE(g, F, 2, count, width, 3));
}

static Node *sample_window(Graph *g) { return windowed(g, 7, 1, 5, 3); }
static Node *sample_window_step(Graph *g) { return windowed(g, 8, 2, 3, 3); }
static Node *sample_window_apart(Graph *g) { return windowed(g, 8, 3, 2, 3); }
static Node *sample_window_gaps(Graph *g) { return windowed(g, 11, 4, 3, 2); }
static Node *sample_window_wide(Graph *g) { return windowed(g, 23, 2, 3, 18); }

static Node *index_of(Graph *g, const char *name, int rank, const int *extent)
{
    return data(g, name, shape(g, DT_i32, rank, extent));
}
#define INDEX(g, name, ...) \
    index_of(g, name, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (const int[]){__VA_ARGS__})

static Node *sample_gather(Graph *g)
{
    return make_gather(g, param(g, "x", SHAPE(g, F, 3, 5)), (Node *[]){INDEX(g, "i", 2, 7)}, 1, 0);
}

static Node *sample_gather_inner(Graph *g)
{
    Node *x = param(g, "x", SHAPE(g, F, 2, 3, 4, 2));
    return make_gather(g, x, (Node *[]){INDEX(g, "i", 5), INDEX(g, "ii", 5)}, 2, 1);
}

static Node *scattered(Graph *g, bool add)
{
    Node *x = param(g, "x", SHAPE(g, F, 2, 3, 5)), *v = param(g, "y", SHAPE(g, F, 2, 7, 5));
    return make_scatter(g, x, v, (Node *[]){INDEX(g, "i", 7)}, 1, 1, add);
}

static Node *sample_scatter_add(Graph *g) { return scattered(g, true); }
static Node *sample_scatter_set(Graph *g) { return scattered(g, false); }

static Node *sample_scatter_pairs(Graph *g)
{
    Node *x = param(g, "x", SHAPE(g, F, 3, 4)), *v = param(g, "y", SHAPE(g, F, 2, 3));
    return make_scatter(g, x, v, (Node *[]){INDEX(g, "i", 2, 3), INDEX(g, "ii", 2, 3)}, 2, 0, false);
}

static const Sample samples[] = {
    {OP_cast, "cast", sample_cast}, {OP_sum, "sum", sample_sum}, {OP_sum, "sum_outer", sample_sum_outer},
    {OP_sum, "sum_all", sample_sum_all}, {OP_reduce_max, "max", sample_max},
    {OP_reduce_max, "max_two", sample_max_two}, {OP_reduce_max, "max_one", sample_max_one},
    {OP_cumsum, "cumsum", sample_cumsum}, {OP_reshape, "reshape", sample_reshape},
    {OP_permute, "permute", sample_permute}, {OP_expand, "expand", sample_expand},
    {OP_expand, "expand_scalar", sample_expand_scalar}, {OP_einsum, "matmul", sample_matmul},
    {OP_einsum, "batched", sample_batched}, {OP_einsum, "lone", sample_lone}, {OP_einsum, "outer", sample_outer},
    {OP_slice, "slice", sample_slice}, {OP_slice, "slice_back", sample_slice_back},
    {OP_slice, "slice_step", sample_slice_step}, {OP_slice, "slice_back_step", sample_slice_back_step},
    {OP_slice, "slice_one", sample_slice_one}, {OP_pad, "pad", sample_pad}, {OP_concat, "concat", sample_concat},
    {OP_window, "window", sample_window}, {OP_window, "window_step", sample_window_step},
    {OP_window, "window_apart", sample_window_apart}, {OP_window, "window_gaps", sample_window_gaps},
    {OP_window, "window_wide", sample_window_wide},
    {OP_gather, "gather", sample_gather}, {OP_gather, "gather_inner", sample_gather_inner},
    {OP_scatter, "scatter_add", sample_scatter_add}, {OP_scatter, "scatter_set", sample_scatter_set},
    {OP_scatter, "scatter_pairs", sample_scatter_pairs},
};
enum { SAMPLE_COUNT = sizeof samples / sizeof *samples };

/* One element operator on parameters (the condition of where is data): NULL when no argument is a float. */
static UNUSED Node *sample_element(Graph *g, Op op, const char *types, const char *result, Type type)
{
    static const char *const names[] = {"x", "y"};
    Node *args[3];
    int count = op_arity(op), first = op == OP_where ? 1 : 0;
    if (!strcmp(types, "TRUTH") || !strcmp(types, "WHOLE") || strcmp(result, "same") != 0) return NULL;
    if (first) args[0] = data(g, "condition", (Type){DT_bool, type.rank, {type.dim[0], type.dim[1], type.dim[2]}});
    for (int k = first; k < count; k++) args[k] = param(g, names[k - first], type);
    const char *why = NULL;
    Node *y = graph_node(g, op, args, count, NULL, NULL, &why);
    if (!y) fail_msg("%s", why);
    return y;
}

static UNUSED const Type *sample_shapes(Graph *g, int *count)
{
    Type *types = arena_array(g->arena, Type, 5);
    types[0] = type_scalar(F);
    types[1] = SHAPE(g, F, 1);
    types[2] = SHAPE(g, F, 17);
    types[3] = SHAPE(g, F, 3, 5);
    types[4] = SHAPE(g, F, 2, 1, 7);
    *count = 5;
    return types;
}

#endif
