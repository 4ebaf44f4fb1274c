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

/* A scatter whose result lies where its base lies moves its values, not the base. */
static Cost cost_in_place(const Plan *p, const Kernel *k)
{
    Cost cost = kernel_cost(k);
    const Node *result = k->outputs.at[0], *base = k->kind == KERNEL_scatter ? result->args[0] : NULL;
    const Buffer *lies = base ? kernel_buffer(p, k, base) : NULL;
    if (!lies || kernel_buffer(p, k, result)->takes_over != lies) return cost;
    cost.read -= type_value_bytes(&base->type);
    cost.written = type_value_bytes(&result->args[1]->type);
    if (result->attr.i) cost.read += cost.written;
    return cost;
}

Cost plan_cost(const Plan *p)
{
    Cost all = {0};
    for (int i = 0; i < p->kernels.count; i++) {
        const Kernel *k = p->kernels.at[i];
        Cost cost = k->body ? plan_cost(k->body) : cost_in_place(p, k);
        int64_t times = k->body ? dim_value(k->outputs.at[k->outputs.count - 1]->attr.count) : 1;
        all.operations += cost.operations * (double)times;
        all.products += cost.products * (double)times;
        all.read += cost.read * times;
        all.written += cost.written * times;
    }
    return all;
}
