/* Gradients of casts and movement: the adjoint of moving elements is moving them back, adding where several came
 * from one. */
#include "passes/grad_rules.h"

Node *grad_cast(Graph *g, Node *node, Node *d, int k) { return make_cast(g, d, node->args[k]->type.dtype); }

Node *grad_reshape(Graph *g, Node *node, Node *d, int k) { return make_reshape(g, d, node->args[k]->type); }

Node *grad_permute(Graph *g, Node *node, Node *d, int k)
{
    (void)k;
    int8_t inverse[MAX_RANK] = {0};
    for (int j = 0; j < node->type.rank; j++) inverse[node->attr.map[j]] = (int8_t)j;
    return make_permute(g, d, inverse);
}

/* Sum over the axes that are new or were stretched from 1. */
Node *grad_expand(Graph *g, Node *node, Node *d, int k)
{
    const Type *from = &node->args[k]->type;
    uint32_t axes = (1u << node->type.rank) - 1;
    for (int j = 0; j < from->rank; j++)
        if (from->dim[j] == node->type.dim[node->attr.map[j]]) axes &= ~(1u << node->attr.map[j]);
    Node *sum = axes ? make_reduce(g, OP_sum, d, axes) : d;
    return make_reshape(g, make_cast(g, sum, from->dtype), *from);
}

/* Along each axis: backwards if the step was negative, zeros between the elements if it was wide, zeros around. */
Node *grad_slice(Graph *g, Node *node, Node *d, int k)
{
    const Dim *before[MAX_RANK], *one = dim_int(g->dims, 1);
    for (int j = 0; j < node->type.rank; j++) {
        int64_t step = node->attr.step[j], gap = step < 0 ? -step : step;
        const Dim *n = node->type.dim[j];
        if (dim_is(n, 0)) return make_full(g, node->args[k]->type, 0.0);
        before[j] = node->attr.start[j];
        if (step < 0) {
            d = build_flip(g, d, j);
            before[j] = dim_sub(g->dims, before[j], dim_mul(g->dims, dim_sub(g->dims, n, one), dim_int(g->dims, gap)));
        }
        d = build_dilate(g, d, j, gap);
    }
    return make_pad(g, d, before, node->args[k]->type);
}

Node *grad_pad(Graph *g, Node *node, Node *d, int k)
{
    int64_t step[MAX_RANK];
    for (int j = 0; j < node->type.rank; j++) step[j] = 1;
    return make_slice(g, d, node->attr.start, step, node->args[k]->type);
}

Node *grad_concat(Graph *g, Node *node, Node *d, int k)
{
    int axis = node->attr.axis;
    const Dim *start = dim_int(g->dims, 0);
    for (int j = 0; j < k; j++) start = dim_add(g->dims, start, node->args[j]->type.dim[axis]);
    return build_part(g, d, axis, start, node->args[k]->type.dim[axis]);
}

enum { SHIFTED_COPIES = 16 };

/* Row i, column j of the windows came from i * step + j. */
static Node *add_where_read(Graph *g, const Node *node, Node *d, const Type *from)
{
    int axis = node->attr.axis;
    Type places = type_of(dim_value(from->dim[axis]) <= INT32_MAX ? DT_i32 : DT_i64, 2, &node->type.dim[axis]);
    Node *step = build_splat(g, places, node->attr.step[0]);
    Node *first = make_binary(g, OP_mul, make_iota(g, places, 0), step);
    Node *index = make_binary(g, OP_add, first, make_iota(g, places, 1));
    return make_scatter(g, make_full(g, *from, 0.0), d, &index, 1, axis, true);
}

/* Windows that touch without overlap are a reshape; narrow ones are w shifted copies, added; wide ones are added up
 * place by place. */
Node *grad_window(Graph *g, Node *node, Node *d, int k)
{
    int axis = node->attr.axis;
    int64_t step = node->attr.step[0], width = dim_value(node->type.dim[axis + 1]);
    const Type *from = &node->args[k]->type;
    const Dim *length = from->dim[axis], *n = node->type.dim[axis];
    Type row = *from;
    if (step == width) {
        row.dim[axis] = dim_mul(g->dims, n, node->type.dim[axis + 1]);
        return build_place(g, make_reshape(g, d, row), axis, dim_int(g->dims, 0), length);
    }
    if (width > SHIFTED_COPIES) return add_where_read(g, node, d, from);
    row.dim[axis] = n;
    Node *sum = NULL;
    for (int64_t j = 0; j < width; j++) {
        Node *column = build_part(g, d, axis + 1, dim_int(g->dims, j), dim_int(g->dims, 1));
        Node *spread = build_dilate(g, make_reshape(g, column, row), axis, step);
        Node *placed = build_place(g, spread, axis, dim_int(g->dims, j), length);
        sum = sum ? make_binary(g, OP_add, sum, placed) : placed;
    }
    return sum;
}
