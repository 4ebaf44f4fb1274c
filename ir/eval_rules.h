/* Inside the reference evaluator: what its files share. Every structural row of ops.def names a function eval_x, which
 * fills `out` (made by node_eval from the node's type, zeroed) and returns NULL or a message. */
#ifndef PTM_EVAL_RULES_H
#define PTM_EVAL_RULES_H

#include "ir/eval.h"

typedef const char *EvalRule(const Node *node, Tensor *const *args, Tensor *out, Arena *arena);

EvalRule eval_cast, eval_copy, eval_sum, eval_reduce_max, eval_cumsum, eval_einsum, eval_permute, eval_expand,
    eval_slice, eval_pad, eval_concat, eval_window, eval_gather, eval_scatter, eval_const, eval_iota, eval_uniform,
    eval_integers, eval_input, eval_scan, eval_pick;

int64_t wrap_to_dtype(DType dtype, int64_t x);               /* modulo the width; bool: x != 0 */
int64_t dtype_least(DType dtype);                            /* of an integer type or bool */
int64_t dtype_most(DType dtype);

/* Extents and row-major strides, in elements. */
typedef struct Shape {
    int     rank;
    int64_t extent[2 * MAX_RANK], stride[2 * MAX_RANK];
} Shape;

Shape shape_of(const Type *type);
int64_t shape_count(const Shape *shape);

/* Steps `index` through a shape in row-major order; false after the last. */
bool shape_next(const Shape *shape, int64_t *index);

/* Copies one element between tensors of one type. */
static inline void tensor_copy_element(Tensor *to, int64_t k, const Tensor *from, int64_t j)
{
    if (to->f)
        to->f[k] = from->f[j];
    else
        to->i[k] = from->i[j];
}

#endif
