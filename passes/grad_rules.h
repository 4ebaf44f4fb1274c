/* Inside the gradient pass: the rules of the structural operators. grad_x(g, node, d, k) is what the gradient d of
 * node's result sends to argument k, of that argument's type, made of ordinary nodes; NULL where nothing flows. */
#ifndef PTM_GRAD_RULES_H
#define PTM_GRAD_RULES_H

#include "passes/build.h"
#include "passes/passes.h"

GradRule grad_none, grad_cast, grad_sum, grad_reduce_max, grad_cumsum, grad_einsum, grad_reshape, grad_permute,
    grad_expand, grad_slice, grad_pad, grad_concat, grad_window, grad_gather, grad_scatter;

#endif
