/* Rules of simplify.def for constants, element operators and casts. */
#include "passes/simplify.h"
#include "ir/eval.h"

#include <math.h>

Node *simplify_constants(Simplify *s, Node *node)
{
    Tensor *args[3];
    Arena *arena = s->g->arena;
    const char *why = NULL;
    if (node->type.rank != 0) return NULL;
    for (int k = 0; k < node->arg_count; k++) {
        if (node->args[k]->op != OP_const) return NULL;
        args[k] = node_eval(node->args[k], NULL, arena, &why);
    }
    Tensor *value = node_eval(node, args, arena, &why);
    return value->f ? make_float(s->g, node->type.dtype, value->f[0]) : make_whole(s->g, node->type.dtype, value->i[0]);
}

/* The argument that the others agree with: the first expand whose source is no scalar, else the first. */
static const Node *leading_expand(const Node *node)
{
    for (int k = 0; k < node->arg_count; k++)
        if (node->args[k]->op == OP_expand && node->args[k]->args[0]->type.rank > 0) return node->args[k];
    return node->args[0];
}

static bool same_spread(const Node *a, const Node *b)
{
    if (!type_same_shape(&a->args[0]->type, &b->args[0]->type)) return false;
    for (int k = 0; k < a->args[0]->type.rank; k++)
        if (a->attr.map[k] != b->attr.map[k]) return false;
    return true;
}

Node *simplify_spread(Simplify *s, Node *node)
{
    const Node *lead = leading_expand(node);
    Node *args[3];
    for (int k = 0; k < node->arg_count; k++) {
        const Node *arg = node->args[k];
        if (arg->op != OP_expand || (arg->args[0]->type.rank > 0 && !same_spread(arg, lead))) return NULL;
    }
    Type source = lead->args[0]->type;
    for (int k = 0; k < node->arg_count; k++) {
        Node *from = node->args[k]->args[0];
        args[k] = emit_normal(s, make_broadcast(s->g, from, type_with(source, from->type.dtype)));
    }
    Type narrow = type_with(source, node->type.dtype);
    Node *small = emit(s, node->op, args, node->arg_count, &node->attr, node->op == OP_cast ? &narrow : NULL);
    return emit_expand(s, small, lead->attr.map, node->type);
}

Node *simplify_order(Simplify *s, Node *node)
{
    Node *a = node->args[0], *b = node->args[1];
    bool a_splat = splat_of(a) != NULL, b_splat = splat_of(b) != NULL;
    if (a_splat == b_splat ? a->id <= b->id : b_splat) return NULL;
    return emit_binary(s, node->op, b, a);
}

/* Additions from zero on: -0 only by underflow. */
static bool is_added_up(const Node *node) { return node->op == OP_sum || node->op == OP_einsum; }

Node *simplify_add(Simplify *s, Node *node)
{
    (void)s;
    Node *a = node->args[0], *b = node->args[1];
    bool nothing = is_splat_float(b, -0.0) || is_splat_whole(b, 0) || (is_splat_float(b, 0.0) && is_added_up(a));
    return nothing ? a : NULL;
}

/* True when 1 / x is exact and neither is subnormal in f32 or wider. */
static bool is_power_of_two(double x)
{
    int exponent;
    return isfinite(x) && fabs(frexp(x, &exponent)) == 0.5 && exponent > -100 && exponent < 100;
}

/* Far from the ends of the range of f32 (and bf16): no product of two of them leaves it. */
static bool is_moderate(double x) { return fabs(x) >= 0x1p-60 && fabs(x) <= 0x1p60; }

/* x * c * d as x * (c * d): scaling by a power of two commutes with rounding, as long as x * c neither overflows nor is
 * subnormal. */
static Node *merge_factors(Simplify *s, const Node *node)
{
    const Node *inner = node->args[0], *d = splat_of(node->args[1]);
    const Node *c = inner->op == OP_mul ? splat_of(inner->args[1]) : NULL;
    if (!c || !d || !dtype_is_float(node->type.dtype) || node->type.dtype == DT_f16) return NULL;
    if (!is_power_of_two(c->attr.f) && !is_power_of_two(d->attr.f)) return NULL;
    if (!is_moderate(c->attr.f) || !is_moderate(d->attr.f) || !is_moderate(c->attr.f * d->attr.f)) return NULL;
    return emit_binary(s, OP_mul, inner->args[0], emit_binary(s, OP_mul, inner->args[1], node->args[1]));
}

Node *simplify_mul(Simplify *s, Node *node)
{
    Node *a = node->args[0], *b = node->args[1];
    if (is_splat_float(b, 1.0) || is_splat_whole(b, 1)) return a;
    return is_splat_whole(b, 0) ? b : merge_factors(s, node);
}

Node *simplify_div(Simplify *s, Node *node)
{
    const Node *b = splat_of(node->args[1]);
    if (!b) return NULL;
    if (b->attr.f == 1.0) return node->args[0];
    DType dtype = node->type.dtype;
    if (dtype == DT_f16 || !is_power_of_two(b->attr.f)) return NULL;
    return emit_binary(s, OP_mul, node->args[0], emit_full(s, node->type, 1.0 / b->attr.f));
}

Node *simplify_pow(Simplify *s, Node *node)
{
    const Node *constant = splat_of(node->args[1]);
    Node *x = node->args[0];
    if (!constant) return NULL;
    double exponent = constant->attr.f;
    if (exponent == 0) return emit_full(s, x->type, 1.0);
    if (exponent == 1) return x;
    if (exponent == 2) return emit_binary(s, OP_mul, x, x);
    if (exponent == 3) return emit_binary(s, OP_mul, emit_binary(s, OP_mul, x, x), x);
    if (exponent == 0.5) return emit_unary(s, OP_sqrt, x);
    if (exponent == -1) return emit_binary(s, OP_div, emit_full(s, x->type, 1.0), x);
    if (exponent != -0.5) return NULL;
    Node *root = emit_unary(s, OP_sqrt, x);
    return emit_binary(s, OP_div, emit_full(s, x->type, 1.0), root);
}

Node *simplify_max(Simplify *s, Node *node)
{
    (void)s;
    return node->args[0] == node->args[1] ? node->args[0] : NULL;
}

Node *simplify_where(Simplify *s, Node *node)
{
    (void)s;
    Node *condition = node->args[0], *a = node->args[1], *b = node->args[2];
    if (a == b || is_splat_whole(condition, 1)) return a;
    return is_splat_whole(condition, 0) ? b : NULL;
}

Node *simplify_not(Simplify *s, Node *node)
{
    (void)s;
    return node->args[0]->op == OP_not ? node->args[0]->args[0] : NULL;
}

Node *simplify_and(Simplify *s, Node *node)
{
    (void)s;
    Node *a = node->args[0], *b = node->args[1];
    if (a == b || is_splat_whole(b, 1)) return a;
    return is_splat_whole(b, 0) ? b : NULL;
}

/* Every value of `narrow` is a value of `wide`. */
static bool is_contained(DType narrow, DType wide)
{
    static const int bits[DT_COUNT] = {[DT_f32] = 24, [DT_f64] = 53, [DT_bf16] = 8, [DT_f16] = 11, [DT_i64] = 63,
                                       [DT_i32] = 31, [DT_i8] = 7,   [DT_u8] = 8,   [DT_bool] = 1};
    if (narrow == wide || narrow == DT_bool) return true;
    if (wide == DT_bool || wide == DT_u8) return false;
    if (dtype_is_float(narrow)) return (wide == DT_f32 && narrow != DT_f64) || wide == DT_f64;
    return bits[narrow] <= bits[wide];
}

Node *simplify_cast(Simplify *s, Node *node)
{
    Node *x = node->args[0];
    if (x->type.dtype == node->type.dtype) return x;
    if (x->op != OP_cast || !is_contained(x->args[0]->type.dtype, x->type.dtype)) return NULL;
    Node *source = x->args[0];
    return emit_normal(s, make_cast(s->g, source, node->type.dtype));
}

Node *simplify_stop(Simplify *s, Node *node)
{
    (void)s;
    return node->args[0];
}
