/* Reference values of the movement operators. Permute, expand, slice and window are affine: element i of the result is
 * element offset + sum of i_k * stride_k of the argument. */
#include "ir/eval_rules.h"

Shape shape_of(const Type *type)
{
    Shape shape = {.rank = type->rank};
    int64_t stride = 1;
    for (int k = type->rank - 1; k >= 0; k--) {
        shape.extent[k] = dim_value(type->dim[k]);
        shape.stride[k] = stride;
        stride *= shape.extent[k];
    }
    return shape;
}

int64_t shape_count(const Shape *shape)
{
    int64_t count = 1;
    for (int k = 0; k < shape->rank; k++) count *= shape->extent[k];
    return count;
}

bool shape_next(const Shape *shape, int64_t *index)
{
    for (int k = shape->rank - 1; k >= 0; k--) {
        if (++index[k] < shape->extent[k]) return true;
        index[k] = 0;
    }
    return false;
}

static int64_t place_of(int rank, const int64_t *index, const int64_t *stride)
{
    int64_t place = 0;
    for (int k = 0; k < rank; k++) place += index[k] * stride[k];
    return place;
}

static const char *copy_affine(const Tensor *from, Tensor *out, int64_t offset, const int64_t *stride)
{
    Shape shape = shape_of(&out->type);
    int64_t index[MAX_RANK] = {0};
    for (int64_t k = 0; k < out->count; k++) {
        tensor_copy_element(out, k, from, offset + place_of(shape.rank, index, stride));
        shape_next(&shape, index);
    }
    return NULL;
}

const char *eval_permute(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    Shape from = shape_of(&args[0]->type);
    int64_t stride[MAX_RANK];
    for (int k = 0; k < from.rank; k++) stride[k] = from.stride[node->attr.map[k]];
    return copy_affine(args[0], out, 0, stride);
}

const char *eval_expand(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    Shape from = shape_of(&args[0]->type);
    int64_t stride[MAX_RANK] = {0};
    for (int k = 0; k < from.rank; k++)
        if (from.extent[k] != 1) stride[node->attr.map[k]] = from.stride[k];
    return copy_affine(args[0], out, 0, stride);
}

const char *eval_slice(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    Shape from = shape_of(&args[0]->type);
    int64_t stride[MAX_RANK], offset = 0;
    for (int k = 0; k < from.rank; k++) {
        offset += dim_value(node->attr.start[k]) * from.stride[k];
        stride[k] = node->attr.step[k] * from.stride[k];
    }
    return copy_affine(args[0], out, offset, stride);
}

const char *eval_window(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    Shape from = shape_of(&args[0]->type);
    int axis = node->attr.axis;
    int64_t stride[MAX_RANK];
    for (int k = 0; k < out->type.rank; k++) stride[k] = from.stride[k <= axis ? k : k - 1];
    stride[axis] *= node->attr.step[0];
    return copy_affine(args[0], out, 0, stride);
}

/* Writes `from` into `out` from the place `offset` on, along the strides of `out`. */
static void place_block(const Tensor *from, Tensor *out, int64_t offset)
{
    Shape part = shape_of(&from->type), whole = shape_of(&out->type);
    int64_t index[MAX_RANK] = {0};
    for (int64_t k = 0; k < from->count; k++) {
        tensor_copy_element(out, offset + place_of(part.rank, index, whole.stride), from, k);
        shape_next(&part, index);
    }
}

const char *eval_pad(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    Shape whole = shape_of(&out->type);
    int64_t offset = 0;
    for (int k = 0; k < whole.rank; k++) offset += dim_value(node->attr.start[k]) * whole.stride[k];
    place_block(args[0], out, offset);
    return NULL;
}

const char *eval_concat(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    Shape whole = shape_of(&out->type);
    int64_t at = 0;
    for (int k = 0; k < node->arg_count; k++) {
        place_block(args[k], out, at * whole.stride[node->attr.axis]);
        at += dim_value(args[k]->type.dim[node->attr.axis]);
    }
    return NULL;
}
