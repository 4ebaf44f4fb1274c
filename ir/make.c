/* Builders for passes. Their arguments are right by construction, so a refusal of the shape rule is our bug. */
#include "ir/graph.h"

#include <stdlib.h>
#include <string.h>

static _Noreturn void refuse(Graph *g, Node *const *args, int arg_count, const Type *type, const char *why)
{
    fprintf(stderr, "ptm: bug: graph %s: %s\n", g->name, why);
    for (int i = 0; i < arg_count; i++)
        fprintf(stderr, "  argument %d: %%%u = %s : %s\n", i, args[i]->id, op_name(args[i]->op),
                type_text(g->arena, &args[i]->type));
    if (type) fprintf(stderr, "  type: %s\n", type_text(g->arena, type));
    if (g->origin) fprintf(stderr, "  at %s\n", origin_text(g->arena, g->origin));
    abort();
}

static Node *make(Graph *g, Op op, Node *const *args, int arg_count, const Attr *attr, const Type *type)
{
    const char *why = NULL;
    Node *node = graph_node(g, op, args, arg_count, attr, type, &why);
    if (!node) refuse(g, args, arg_count, type, why);
    return node;
}

Node *make_input(Graph *g, Storage storage, const char *name, Type type)
{
    return make(g, OP_input, NULL, 0, &(Attr){.text = name, .storage = (int)storage}, &type);
}

Node *make_float(Graph *g, DType dtype, double value)
{
    Type type = type_scalar(dtype);
    return make(g, OP_const, NULL, 0, &(Attr){.f = value}, &type);
}

Node *make_whole(Graph *g, DType dtype, int64_t value)
{
    Type type = type_scalar(dtype);
    return make(g, OP_const, NULL, 0, &(Attr){.i = value}, &type);
}

Node *make_unary(Graph *g, Op op, Node *a) { return make(g, op, &a, 1, NULL, NULL); }

Node *make_binary(Graph *g, Op op, Node *a, Node *b) { return make(g, op, (Node *[]){a, b}, 2, NULL, NULL); }

Node *make_where(Graph *g, Node *condition, Node *a, Node *b)
{
    return make(g, OP_where, (Node *[]){condition, a, b}, 3, NULL, NULL);
}

Node *make_cast(Graph *g, Node *a, DType dtype)
{
    if (a->type.dtype == dtype) return a;
    Type type = type_scalar(dtype);
    return make(g, OP_cast, &a, 1, NULL, &type);
}

Node *make_reduce(Graph *g, Op op, Node *a, uint32_t axes) { return make(g, op, &a, 1, &(Attr){.axes = axes}, NULL); }

Node *make_expand(Graph *g, Node *a, const int8_t *map, Type type)
{
    Attr attr = {0};
    memcpy(attr.map, map, (size_t)a->type.rank);
    return make(g, OP_expand, &a, 1, &attr, &type);
}

Node *make_broadcast(Graph *g, Node *a, Type type)
{
    type.dtype = a->type.dtype;
    if (type_equal(&a->type, &type)) return a;
    int8_t map[MAX_RANK] = {0};
    for (int i = 0; i < a->type.rank; i++) map[i] = (int8_t)(type.rank - a->type.rank + i);
    return make_expand(g, a, map, type);
}

Node *make_permute(Graph *g, Node *a, const int8_t *map)
{
    Attr attr = {0};
    memcpy(attr.map, map, (size_t)a->type.rank);
    return make(g, OP_permute, &a, 1, &attr, NULL);
}

Node *make_reshape(Graph *g, Node *a, Type type)
{
    type.dtype = a->type.dtype;
    return type_equal(&a->type, &type) ? a : make(g, OP_reshape, &a, 1, NULL, &type);
}

Node *make_slice(Graph *g, Node *a, const Dim *const *start, const int64_t *step, Type type)
{
    Attr attr = {0};
    memcpy(attr.start, start, sizeof *start * (size_t)a->type.rank);
    memcpy(attr.step, step, sizeof *step * (size_t)a->type.rank);
    return make(g, OP_slice, &a, 1, &attr, &type);
}

Node *make_pad(Graph *g, Node *a, const Dim *const *before, Type type)
{
    Attr attr = {0};
    memcpy(attr.start, before, sizeof *before * (size_t)a->type.rank);
    return make(g, OP_pad, &a, 1, &attr, &type);
}

Node *make_einsum(Graph *g, const char *equation, Node *a, Node *b)
{
    return make(g, OP_einsum, (Node *[]){a, b}, 2, &(Attr){.text = equation}, NULL);
}

Node *make_full(Graph *g, Type type, double value)
{
    bool is_float = dtype_is_float(type.dtype);
    Node *scalar = is_float ? make_float(g, type.dtype, value) : make_whole(g, type.dtype, (int64_t)value);
    return make_broadcast(g, scalar, type);
}

Node *make_cumsum(Graph *g, Node *a, int axis) { return make(g, OP_cumsum, &a, 1, &(Attr){.axis = axis}, NULL); }

Node *make_concat(Graph *g, Node *const *args, int count, int axis)
{
    return make(g, OP_concat, args, count, &(Attr){.axis = axis}, NULL);
}

Node *make_window(Graph *g, Node *a, int axis, int64_t step, Type type)
{
    return make(g, OP_window, &a, 1, &(Attr){.axis = axis, .step = {step}}, &type);
}

/* The tables and values in `lead`, then the indices. */
static Node *make_indexed(Graph *g, Op op, Node *const *lead, int lead_count, Node *const *indices, int count,
                          const Attr *attr)
{
    Node *args[2 + MAX_RANK];
    memcpy(args, lead, sizeof *lead * (size_t)lead_count);
    memcpy(args + lead_count, indices, sizeof *indices * (size_t)count);
    return make(g, op, args, lead_count + count, attr, NULL);
}

Node *make_gather(Graph *g, Node *x, Node *const *indices, int count, int axis)
{
    return make_indexed(g, OP_gather, &x, 1, indices, count, &(Attr){.axis = axis});
}

Node *make_scatter(Graph *g, Node *x, Node *v, Node *const *indices, int count, int axis, bool add)
{
    return make_indexed(g, OP_scatter, (Node *[]){x, v}, 2, indices, count, &(Attr){.axis = axis, .i = add});
}

Node *make_iota(Graph *g, Type type, int axis) { return make(g, OP_iota, NULL, 0, &(Attr){.axis = axis}, &type); }

Node *make_scan(Graph *g, Node *const *args, int arg_count, const Attr *attr, const Graph *region)
{
    const char *why = NULL;
    Node *node = graph_scan(g, args, arg_count, attr, region, &why);
    if (!node) refuse(g, args, arg_count, NULL, why);
    return node;
}

Node *make_pick(Graph *g, Node *scan, int k) { return make(g, OP_pick, &scan, 1, &(Attr){.i = k}, NULL); }

Node *graph_rebuild(Graph *g, const Node *node, Node *const *args)
{
    const Origin *origin = g->origin;
    g->origin = NULL;
    Node *copy = node->region ? make_scan(g, args, node->arg_count, &node->attr, node->region)
                              : make(g, node->op, args, node->arg_count, &node->attr, &node->type);
    g->origin = origin;
    graph_add_origins(g, copy, node);
    return copy;
}
