/* Counting operations and bytes. */
#include "ir/cost.h"

#include <string.h>

/* Every letter's extent once. */
static double einsum_operations(const Node *node)
{
    double product = 2;
    const char *text = node->attr.text;
    for (int arg = 0, at = 0; arg < node->arg_count; arg++, at++) {
        for (int axis = 0; axis < node->args[arg]->type.rank; axis++, at++)
            if (!memchr(text, text[at], (size_t)at)) product *= (double)dim_value(node->args[arg]->type.dim[axis]);
    }
    return product;
}

double node_operations(const Node *node)
{
    double elements = (double)type_value_elements(&node->type);
    switch (node->op) {
#define ELEMENT(name, arity, types, result, value, code, gradient, cost, doc) case OP_##name: return elements * cost;
#define STRUCTURAL(...)
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    case OP_einsum: return einsum_operations(node);
    case OP_sum: case OP_reduce_max: case OP_cumsum: return (double)type_value_elements(&node->args[0]->type);
    case OP_uniform: case OP_integers: return 40 * elements;
    case OP_scatter: return node->attr.i ? (double)type_value_elements(&node->args[1]->type) : 0;
    default: return 0;
    }
}

/* Of a table that rows are taken from, no more than what is taken. */
static int64_t bytes_read(const Kernel *k, const Node *input)
{
    int64_t whole = type_value_bytes(&input->type), taken = 0;
    for (int i = 0; i < k->nodes.count; i++) {
        const Node *node = k->nodes.at[i];
        for (int a = 0; a < node->arg_count; a++) {
            if (node->args[a] != input) continue;
            if (node->op != OP_gather || a > 0) return whole;
            taken += type_value_bytes(&node->type);
        }
    }
    return taken && taken < whole ? taken : whole;
}

Cost kernel_cost(const Kernel *kernel)
{
    Cost cost = {0};
    for (int i = 0; i < kernel->nodes.count; i++) {
        const Node *node = kernel->nodes.at[i];
        double operations = node->op == OP_scan ? 0 : node_operations(node);
        cost.operations += operations;
        if (node->op == OP_einsum) cost.products += operations;
    }
    for (int i = 0; i < kernel->inputs.count; i++)
        if (kernel->inputs.at[i]->op != OP_scan) cost.read += bytes_read(kernel, kernel->inputs.at[i]);
    for (int i = 0; i < kernel->outputs.count; i++)
        if (kernel->outputs.at[i]->op != OP_scan) cost.written += type_value_bytes(&kernel->outputs.at[i]->type);
    return cost;
}
