/* Rules of simplify.def for contractions. An equation is three terms of letters; rules change terms, never the
 * meaning. */
#include "passes/simplify.h"

#include <string.h>

typedef struct Equation {
    char term[2][MAX_RANK + 1];
    char result[MAX_RANK + 1];
} Equation;

static Equation equation_of(const Node *einsum)
{
    Equation e = {0};
    int a = einsum->args[0]->type.rank, b = einsum->args[1]->type.rank;
    memcpy(e.term[0], einsum->attr.text, (size_t)a);
    memcpy(e.term[1], einsum->attr.text + a + 1, (size_t)b);
    memcpy(e.result, einsum->attr.text + a + b + 3, (size_t)einsum->type.rank);
    return e;
}

static Node *emit_einsum(Simplify *s, const Equation *e, Node *a, Node *b)
{
    const char *text = arena_print(s->g->arena, "%s,%s->%s", e->term[0], e->term[1], e->result);
    return emit_normal(s, make_einsum(s->g, text, a, b));
}

static void drop_letter(char *term, char letter)
{
    char *at = strchr(term, letter);
    if (at) memmove(at, at + 1, strlen(at));
}

Node *simplify_einsum_sum(Simplify *s, Node *node)
{
    Equation e = equation_of(node);
    for (int k = 0; k < 2; k++) {
        Node *x = node->args[k];
        uint32_t axes = 0;
        for (int j = 0; j < x->type.rank; j++)
            if (!strchr(e.term[1 - k], e.term[k][j]) && !strchr(e.result, e.term[k][j])) axes |= 1u << j;
        if (!axes) continue;
        Node *sum = emit_reduce(s, OP_sum, x, axes);
        if (sum->type.dtype != x->type.dtype) continue;
        for (int j = x->type.rank - 1; j >= 0; j--)
            if (axes >> j & 1) memmove(&e.term[k][j], &e.term[k][j + 1], strlen(&e.term[k][j]));
        return k == 0 ? emit_einsum(s, &e, sum, node->args[1]) : emit_einsum(s, &e, node->args[0], sum);
    }
    return NULL;
}

Node *simplify_einsum_permute(Simplify *s, Node *node)
{
    Equation e = equation_of(node);
    Node *args[2] = {node->args[0], node->args[1]};
    for (int k = 0; k < 2; k++) {
        if (args[k]->op != OP_permute) continue;
        char term[MAX_RANK + 1] = {0};
        for (int j = 0; j < args[k]->type.rank; j++) term[args[k]->attr.map[j]] = e.term[k][j];
        memcpy(e.term[k], term, sizeof term);
        args[k] = args[k]->args[0];
    }
    if (args[0] == node->args[0] && args[1] == node->args[1]) return NULL;
    return emit_einsum(s, &e, args[0], args[1]);
}

/* The type of the result with the letters of `kept` only, and where they stand in the full one. */
static Type narrowed_type(const Node *node, const char *full, const char *kept, int8_t *map)
{
    Type type = {.dtype = node->type.dtype};
    for (int k = 0; full[k]; k++) {
        if (!strchr(kept, full[k])) continue;
        map[type.rank] = (int8_t)k;
        type.dim[type.rank++] = node->type.dim[k];
    }
    return type;
}

/* x, with the letters of `term`, in the order they have in `result`, which has them all. */
static Node *ordered(Simplify *s, Node *x, const char *term, const char *result)
{
    int8_t map[MAX_RANK] = {0};
    int count = 0;
    for (int k = 0; result[k]; k++) {
        const char *at = strchr(term, result[k]);
        if (at) map[count++] = (int8_t)(at - term);
    }
    return count ? emit_permute(s, x, map) : x;
}

/* x, whose letters all are in the result, spread over the result's shape. */
static Node *spread_over(Simplify *s, const Node *node, Node *x, const char *term, const char *result)
{
    int8_t map[MAX_RANK] = {0};
    Node *in_order = ordered(s, x, term, result);
    narrowed_type(node, result, term, map);
    return emit_expand(s, in_order, map, type_with(node->type, x->type.dtype));
}

/* What an expand spreads, without the axes along which it does; their letters leave the term. */
static Node *narrow_argument(Simplify *s, Node *expand, char *term)
{
    Node *x = expand->args[0];
    Type type = {.dtype = x->type.dtype};
    char kept[MAX_RANK + 1] = {0};
    for (int j = 0; j < x->type.rank; j++) {
        int axis = expand->attr.map[j];
        if (x->type.dim[j] != expand->type.dim[axis]) continue;
        kept[type.rank] = term[axis];
        type.dim[type.rank++] = x->type.dim[j];
    }
    memcpy(term, kept, sizeof kept);
    return emit_reshape(s, x, type);
}

/* Every letter of the term is in the result or in the other term, so leaving one out there does not lose a sum. */
static bool has_no_lone_letter(const Equation *e, int k)
{
    for (const char *letter = e->term[k]; *letter; letter++)
        if (!strchr(e->term[1 - k], *letter) && !strchr(e->result, *letter)) return false;
    return true;
}

/* A scalar times the other argument, summed over what the result lacks. */
static Node *scaled(Simplify *s, const Equation *e, Node *const *args, const Node *node)
{
    int k = e->term[0][0] == 0 ? 0 : 1;
    if (args[k]->type.dtype != node->type.dtype) return NULL;
    Node *other = args[1 - k];
    const char *term = e->term[1 - k];
    char kept[MAX_RANK + 1] = {0};
    uint32_t axes = 0;
    for (int j = 0; term[j]; j++) {
        if (strchr(e->result, term[j]))
            kept[strlen(kept)] = term[j];
        else
            axes |= 1u << j;
    }
    Node *sum = axes ? emit_reduce(s, OP_sum, other, axes) : other;
    if (sum->type.dtype != args[k]->type.dtype) return NULL;
    Node *scale = emit_normal(s, make_broadcast(s->g, args[k], sum->type));
    return spread_over(s, node, emit_binary(s, OP_mul, sum, scale), kept, e->result);
}

static Node *einsum_of_expand(Simplify *s, Node *node, int k)
{
    Equation e = equation_of(node), full = e;
    Node *args[2] = {node->args[0], node->args[1]};
    if (args[k]->op != OP_expand || !has_no_lone_letter(&e, k)) return NULL;
    args[k] = narrow_argument(s, args[k], e.term[k]);
    if (!e.term[0][0] || !e.term[1][0]) return scaled(s, &e, args, node);
    for (int j = 0; full.result[j]; j++)
        if (!strchr(e.term[0], full.result[j]) && !strchr(e.term[1], full.result[j]))
            drop_letter(e.result, full.result[j]);
    Node *narrow = emit_einsum(s, &e, args[0], args[1]);
    return spread_over(s, node, narrow, e.result, full.result);
}

Node *simplify_einsum_expand(Simplify *s, Node *node)
{
    Node *better = einsum_of_expand(s, node, 0);
    return better ? better : einsum_of_expand(s, node, 1);
}

Node *simplify_einsum_product(Simplify *s, Node *node)
{
    Equation e = equation_of(node);
    for (int k = 0; k < 2; k++) {
        if (node->args[k]->type.dtype != node->type.dtype) return NULL;
        for (int j = 0; e.term[k][j]; j++)
            if (!strchr(e.result, e.term[k][j])) return NULL;
    }
    Node *a = spread_over(s, node, node->args[0], e.term[0], e.result);
    Node *b = spread_over(s, node, node->args[1], e.term[1], e.result);
    return emit_binary(s, OP_mul, a, b);
}

/* Not when the last letter would be one of both arguments: a product writes rows whose neighbours come from one of
 * them. Nor when the contraction is needed in the other order too. */
Node *simplify_einsum_result(Simplify *s, Node *node)
{
    Node *einsum = node->args[0];
    if (einsum->op != OP_einsum || s->uses.at[einsum->id] > 1) return NULL;
    Equation e = equation_of(einsum);
    char result[MAX_RANK + 1] = {0};
    for (int k = 0; k < node->type.rank; k++) result[k] = e.result[node->attr.map[k]];
    char last = result[node->type.rank - 1];
    if (strchr(e.term[0], last) && strchr(e.term[1], last)) return NULL;
    memcpy(e.result, result, sizeof result);
    return emit_einsum(s, &e, einsum->args[0], einsum->args[1]);
}
