/* Gradients of reductions and contractions. */
#include "passes/grad_rules.h"

#include <string.h>

/* Where the axes that a reduction kept stand in its argument. */
static void kept_axes(const Node *node, int8_t *map)
{
    int kept = 0;
    for (int k = 0; k < node->args[0]->type.rank; k++)
        if (!(node->attr.axes >> k & 1)) map[kept++] = (int8_t)k;
}

/* A value of the result's shape, spread over the argument's shape. */
static Node *spread(Graph *g, const Node *node, Node *value)
{
    int8_t map[MAX_RANK] = {0};
    kept_axes(node, map);
    return make_expand(g, value, map, type_with(node->args[0]->type, value->type.dtype));
}

Node *grad_sum(Graph *g, Node *node, Node *d, int k)
{
    return spread(g, node, make_cast(g, d, node->args[k]->type.dtype));
}

static int64_t reduced_elements(const Node *node)
{
    int64_t total = 1;
    for (int k = 0; k < node->args[0]->type.rank; k++)
        if (node->attr.axes >> k & 1) total *= dim_value(node->args[0]->type.dim[k]);
    return total;
}

/* The row-major number of each element within the reduced axes, counted down to 0: the first element has the
 * largest. */
static Node *count_down(Graph *g, const Node *node, Type type)
{
    int64_t total = 1;
    Node *number = NULL;
    for (int k = type.rank - 1; k >= 0; k--) {
        if (!(node->attr.axes >> k & 1)) continue;
        Node *stride = build_splat(g, type, -total);
        Node *term = make_binary(g, OP_mul, make_iota(g, type, k), stride);
        number = number ? make_binary(g, OP_add, number, term) : term;
        total *= dim_value(type.dim[k]);
    }
    return make_binary(g, OP_add, number, build_splat(g, type, total - 1));
}

/* To the first element that attains the maximum: among those that do, the one whose number, counted down, is
 * largest. */
Node *grad_reduce_max(Graph *g, Node *node, Node *d, int k)
{
    Node *x = node->args[k];
    Type number = type_with(x->type, reduced_elements(node) <= INT32_MAX ? DT_i32 : DT_i64);
    Node *attains = make_binary(g, OP_eq, x, spread(g, node, node));
    Node *below = build_splat(g, number, -1);
    Node *rank = make_where(g, attains, count_down(g, node, number), below);
    Node *best = spread(g, node, make_reduce(g, OP_reduce_max, rank, node->attr.axes));
    Node *first = make_binary(g, OP_and, attains, make_binary(g, OP_eq, rank, best));
    Node *zeros = make_full(g, x->type, 0.0);
    return make_where(g, first, spread(g, node, d), zeros);
}

/* The sum of what follows: a running sum from the other end. */
Node *grad_cumsum(Graph *g, Node *node, Node *d, int k)
{
    (void)k;
    int axis = node->attr.axis;
    Node *backwards = build_flip(g, d, axis);
    return build_flip(g, make_cumsum(g, backwards, axis), axis);
}

/* The argument's letters that the result or the other argument has are contracted; the rest, which were summed alone,
 * stretch. */
Node *grad_einsum(Graph *g, Node *node, Node *d, int k)
{
    Node *own = node->args[k], *other = node->args[1 - k];
    const char *text = node->attr.text, *comma = strchr(text, ','), *result = strchr(text, '>') + 1;
    const char *own_term = k == 0 ? text : comma + 1, *other_term = k == 0 ? comma + 1 : text;
    char kept[MAX_RANK + 1] = {0};
    int8_t map[MAX_RANK] = {0};
    int count = 0;
    for (int j = 0; j < own->type.rank; j++) {
        if (!strchr(result, own_term[j]) && !memchr(other_term, own_term[j], (size_t)other->type.rank)) continue;
        map[count] = (int8_t)j;
        kept[count++] = own_term[j];
    }
    const char *equation = arena_print(g->arena, "%s,%.*s->%s", result, other->type.rank, other_term, kept);
    Node *product = make_einsum(g, equation, make_cast(g, d, other->type.dtype), other);
    Node *narrow = make_cast(g, product, own->type.dtype);
    return count == own->type.rank ? narrow : make_expand(g, narrow, map, own->type);
}
