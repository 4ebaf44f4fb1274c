/* Rules of simplify.def for movement. */
#include "passes/simplify.h"

/* A constant moved is a constant of the new shape. */
static Node *spread_again(Simplify *s, const Node *node)
{
    const Node *scalar = splat_of(node->args[0]);
    if (!scalar) return NULL;
    Node *from = node->args[0]->op == OP_expand ? node->args[0]->args[0] : node->args[0];
    return emit_normal(s, make_broadcast(s->g, from, node->type));
}

Node *simplify_reshape(Simplify *s, Node *node)
{
    Node *x = node->args[0];
    if (type_equal(&x->type, &node->type)) return x;
    if (x->op == OP_reshape) return emit_reshape(s, x->args[0], node->type);
    return spread_again(s, node);
}

static bool is_identity_map(const Node *node)
{
    for (int k = 0; k < node->type.rank; k++)
        if (node->attr.map[k] != k) return false;
    return true;
}

/* Only axes of one element change their place, so that the order of the elements stays. */
static bool moves_only_ones(const Node *node)
{
    int last = -1;
    for (int k = 0; k < node->type.rank; k++) {
        if (dim_is(node->type.dim[k], 1)) continue;
        if (node->attr.map[k] < last) return false;
        last = node->attr.map[k];
    }
    return true;
}

static Node *permute_of_permute(Simplify *s, const Node *node)
{
    const Node *inner = node->args[0];
    int8_t map[MAX_RANK] = {0};
    for (int k = 0; k < node->type.rank; k++) map[k] = inner->attr.map[node->attr.map[k]];
    return emit_permute(s, inner->args[0], map);
}

static Node *permute_of_vector(Simplify *s, const Node *node)
{
    const Node *spread = node->args[0];
    int8_t map[MAX_RANK] = {0};
    for (int k = 0; k < node->type.rank; k++)
        if (node->attr.map[k] == spread->attr.map[0]) map[0] = (int8_t)k;
    return emit_expand(s, spread->args[0], map, node->type);
}

Node *simplify_permute(Simplify *s, Node *node)
{
    Node *x = node->args[0];
    if (is_identity_map(node)) return x;
    if (x->op == OP_permute) return permute_of_permute(s, node);
    if (x->op == OP_expand && x->args[0]->type.rank == 1) return permute_of_vector(s, node);
    if (splat_of(x)) return spread_again(s, node);
    return moves_only_ones(node) ? emit_reshape(s, x, node->type) : NULL;
}

static Node *expand_of_expand(Simplify *s, const Node *node)
{
    const Node *inner = node->args[0];
    int8_t map[MAX_RANK] = {0};
    for (int k = 0; k < inner->args[0]->type.rank; k++) map[k] = node->attr.map[inner->attr.map[k]];
    return emit_expand(s, inner->args[0], map, node->type);
}

/* The axes of a reshape's argument stand in its result in order, with ones between them: expand can add those
 * itself. */
static Node *expand_of_reshape(Simplify *s, const Node *node)
{
    const Node *reshape = node->args[0], *x = reshape->args[0];
    int8_t map[MAX_RANK] = {0};
    int matched = 0;
    for (int k = 0; k < reshape->type.rank; k++) {
        if (matched < x->type.rank && x->type.dim[matched] == reshape->type.dim[k])
            map[matched++] = node->attr.map[k];
        else if (!dim_is(reshape->type.dim[k], 1))
            return NULL;
    }
    return matched == x->type.rank ? emit_expand(s, reshape->args[0], map, node->type) : NULL;
}

Node *simplify_expand(Simplify *s, Node *node)
{
    Node *x = node->args[0];
    if (type_equal(&x->type, &node->type)) return x;
    if (x->op == OP_expand) return expand_of_expand(s, node);
    return x->op == OP_reshape ? expand_of_reshape(s, node) : NULL;
}

static bool is_whole_slice(const Node *node)
{
    for (int k = 0; k < node->type.rank; k++)
        if (!dim_is(node->attr.start[k], 0) || node->attr.step[k] != 1) return false;
    return type_equal(&node->args[0]->type, &node->type);
}

/* A step from a single element leads nowhere: 1, so that equal slices are one node. NULL when all are. */
static Node *slice_with_plain_steps(Simplify *s, const Node *node)
{
    int64_t step[MAX_RANK];
    bool same = true;
    for (int k = 0; k < node->type.rank; k++) {
        step[k] = dim_is(node->type.dim[k], 1) ? 1 : node->attr.step[k];
        same = same && step[k] == node->attr.step[k];
    }
    return same ? NULL : emit_normal(s, make_slice(s->g, node->args[0], node->attr.start, step, node->type));
}

/* NULL when the product of two steps does not fit. */
static Node *slice_of_slice(Simplify *s, const Node *node)
{
    const Node *inner = node->args[0];
    Dims *dims = s->g->dims;
    const Dim *start[MAX_RANK];
    int64_t step[MAX_RANK];
    for (int k = 0; k < node->type.rank; k++) {
        const Dim *skipped = dim_mul(dims, node->attr.start[k], dim_int(dims, inner->attr.step[k]));
        start[k] = dim_add(dims, inner->attr.start[k], skipped);
        if (__builtin_mul_overflow(inner->attr.step[k], node->attr.step[k], &step[k])) return NULL;
    }
    return emit_normal(s, make_slice(s->g, inner->args[0], start, step, node->type));
}

Node *simplify_slice(Simplify *s, Node *node)
{
    Node *x = node->args[0];
    Node *plain = slice_with_plain_steps(s, node);
    if (plain) return plain;
    if (is_whole_slice(node)) return x;
    return x->op == OP_slice ? slice_of_slice(s, node) : spread_again(s, node);
}

static Node *pad_of_pad(Simplify *s, const Node *node)
{
    const Node *inner = node->args[0];
    const Dim *before[MAX_RANK];
    for (int k = 0; k < node->type.rank; k++)
        before[k] = dim_add(s->g->dims, node->attr.start[k], inner->attr.start[k]);
    return emit_normal(s, make_pad(s->g, inner->args[0], before, node->type));
}

Node *simplify_pad(Simplify *s, Node *node)
{
    Node *x = node->args[0];
    if (type_equal(&x->type, &node->type)) return x;
    return x->op == OP_pad ? pad_of_pad(s, node) : NULL;
}

Node *simplify_concat(Simplify *s, Node *node)
{
    (void)s;
    return node->arg_count == 1 ? node->args[0] : NULL;
}
