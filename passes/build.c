#include "passes/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Node *build(Graph *g, Op op, Node *const *args, int arg_count, const Attr *attr, const Type *type)
{
    static const Attr none = {0};
    const char *why = NULL;
    Node *node = graph_node(g, op, args, arg_count, attr ? attr : &none, type, &why);
    if (node) return node;
    fprintf(stderr, "a pass built a wrong %s: %s\n", op_name(op), why);
    for (int k = 0; k < arg_count; k++) fprintf(stderr, "  argument %d: %s\n", k, type_text(g->arena, &args[k]->type));
    if (type) fprintf(stderr, "  result: %s\n", type_text(g->arena, type));
    abort();
}

const Output *graph_find_output(const Graph *g, OutputKind kind, const char *name)
{
    for (int k = 0; k < g->outputs.count; k++)
        if (g->outputs.at[k].kind == kind && !strcmp(g->outputs.at[k].name, name)) return &g->outputs.at[k];
    return NULL;
}

Node *build_splat(Graph *g, Type type, int64_t value)
{
    return make_broadcast(g, make_whole(g, type.dtype, value), type);
}

Type type_with(Type type, DType dtype)
{
    type.dtype = dtype;
    return type;
}

static const Dim *zero(Graph *g) { return dim_int(g->dims, 0); }

Node *build_flip(Graph *g, Node *x, int axis)
{
    const Dim *start[MAX_RANK];
    int64_t step[MAX_RANK];
    for (int k = 0; k < x->type.rank; k++) {
        start[k] = k == axis ? dim_sub(g->dims, x->type.dim[k], dim_int(g->dims, 1)) : zero(g);
        step[k] = k == axis ? -1 : 1;
    }
    return make_slice(g, x, start, step, x->type);
}

Node *build_part(Graph *g, Node *x, int axis, const Dim *start, const Dim *length)
{
    const Dim *starts[MAX_RANK];
    int64_t step[MAX_RANK];
    Type type = x->type;
    for (int k = 0; k < x->type.rank; k++) {
        starts[k] = k == axis ? start : zero(g);
        step[k] = 1;
    }
    type.dim[axis] = length;
    return make_slice(g, x, starts, step, type);
}

Node *build_place(Graph *g, Node *x, int axis, const Dim *before, const Dim *length)
{
    const Dim *befores[MAX_RANK];
    Type type = x->type;
    for (int k = 0; k < x->type.rank; k++) befores[k] = k == axis ? before : zero(g);
    type.dim[axis] = length;
    return make_pad(g, x, befores, type);
}

Node *build_three(Graph *g, Node *x, int axis)
{
    Type type = type_of(x->type.dtype, 3, (const Dim *[]){dim_int(g->dims, 1), x->type.dim[axis], dim_int(g->dims, 1)});
    for (int k = 0; k < x->type.rank; k++) {
        const Dim **side = k < axis ? &type.dim[0] : &type.dim[2];
        if (k != axis) *side = dim_mul(g->dims, *side, x->type.dim[k]);
    }
    return make_reshape(g, x, type);
}

/* Through [outer, n, inner], for tensors of the highest rank. */
static Node *dilate_flat(Graph *g, Node *x, int axis, int64_t gap)
{
    Node *wide = build_dilate(g, build_three(g, x, axis), 1, gap);
    Type type = x->type;
    type.dim[axis] = wide->type.dim[1];
    return make_reshape(g, wide, type);
}

/* [.., n, ..] as [.., n, 1, ..], padded to [.., n, gap, ..], flattened, and the last gap - 1 zeros cut off. */
Node *build_dilate(Graph *g, Node *x, int axis, int64_t gap)
{
    const Dim *one = dim_int(g->dims, 1), *wide = dim_int(g->dims, gap), *n = x->type.dim[axis];
    if (gap == 1 || dim_is(n, 1)) return x;
    if (x->type.rank == MAX_RANK) return dilate_flat(g, x, axis, gap);
    Type split = x->type, flat = x->type;
    split.rank++;
    for (int k = split.rank - 1; k > axis + 1; k--) split.dim[k] = split.dim[k - 1];
    split.dim[axis + 1] = one;
    flat.dim[axis] = dim_mul(g->dims, n, wide);
    Node *padded = build_place(g, make_reshape(g, x, split), axis + 1, zero(g), wide);
    const Dim *length = dim_add(g->dims, dim_mul(g->dims, dim_sub(g->dims, n, one), wide), one);
    return build_part(g, make_reshape(g, padded, flat), axis, zero(g), length);
}

void build_at(Graph *g, const Node *node) { g->origin = node->origin_count ? node->origins[0] : NULL; }

Graph *graph_like(Arena *arena, const Graph *graph) { return graph_new(arena, graph->dims, graph->name); }

Node *graph_copy_node(Graph *to, const Node *node, Node *const *copy)
{
    Node **args = arena_array(to->arena, Node *, node->arg_count + 1);
    for (int k = 0; k < node->arg_count; k++) args[k] = copy[node->args[k]->id];
    return graph_rebuild(to, node, args);
}

Node **graph_copy_nodes(Graph *to, const Graph *from)
{
    Node **copy = arena_array(to->arena, Node *, from->nodes.count + 1);
    for (int k = 0; k < from->nodes.count; k++) copy[k] = graph_copy_node(to, from->nodes.at[k], copy);
    return copy;
}
