/* The shapes of a file's tensors that follow from those of the parameters: lines of weights read from left to right, so
 * that they can be checked without a file, and run backwards when weights are written. */
#include "frontend/elab.h"

#include <string.h>

typedef struct Shaping {
    Elab             *e;
    const WeightRule *rule;
    WeightShape      *shapes;            /* of the rule's sources */
} Shaping;

static bool wants(Shaping *s, const Expr *x, WeightShape want);

/* What is known already may be a part of the tensor: it grows. */
static bool wants_source(Shaping *s, const Expr *x, const WeightShape *want)
{
    int source = weights_leaf_source(s->rule, x);
    if (source < 0) return false;
    WeightShape *known = &s->shapes[source];
    if (known->rank < 0) *known = *want;
    if (known->rank != want->rank) return false;
    for (int i = 0; i < want->rank; i++)
        if (known->dim[i] < want->dim[i]) known->dim[i] = want->dim[i];
    return true;
}

/* An argument by its place or name, or NULL. */
static const Expr *argument(const Expr *call, int place, const char *name)
{
    int i = 0;
    for (const Expr *x = call->first; x; x = x->next, i++)
        if (x->keyword ? !strcmp(x->keyword, name) : i == place) return x;
    return NULL;
}

static bool whole(Shaping *s, const Expr *x, int64_t *out)
{
    Value v = elab_expr(s->e, x);
    if (v.kind == VALUE_number && v.dim) {
        *out = dim_value(v.dim);
        return *out >= 0;
    }
    return v.kind == VALUE_number && value_is_whole(&v, out);
}

/* An axis that an argument names; -1: there is none. */
static int axis_of(Shaping *s, const Expr *x, int64_t otherwise, int rank)
{
    int64_t axis = otherwise;
    if (x && !whole(s, x, &axis)) return -1;
    if (axis < 0) axis += rank;
    return axis >= 0 && axis < rank ? (int)axis : -1;
}

/* split(x, n; axis = -1): `want` is one of the parts. */
static bool wants_split(Shaping *s, const Expr *call, WeightShape want)
{
    const Expr *x = argument(call, 0, "x"), *n = argument(call, 1, "n");
    int axis = axis_of(s, argument(call, 2, "axis"), -1, want.rank);
    int64_t parts;
    if (!x || !n || axis < 0 || !whole(s, n, &parts) || parts < 1) return false;
    if (__builtin_mul_overflow(want.dim[axis], parts, &want.dim[axis])) return false;
    return wants(s, x, want);
}

/* concat([a, b]; axis = 0): the extents of all parts but one must be known. */
static bool wants_concat(Shaping *s, const Expr *call, WeightShape want)
{
    const Expr *list = argument(call, 0, "parts"), *open = NULL;
    int axis = axis_of(s, argument(call, 1, "axis"), 0, want.rank);
    if (!list || list->kind != EXPR_list || axis < 0) return false;
    int64_t left = want.dim[axis];
    for (const Expr *x = list->first; x; x = x->next) {
        int source = x->kind == EXPR_string ? weights_leaf_source(s->rule, x) : -1;
        bool known = source >= 0 && s->shapes[source].rank == want.rank;
        if (!known && open) return false;
        if (known) left -= s->shapes[source].dim[axis];
        else open = x;
    }
    want.dim[axis] = left;
    return left > 0 && (!open || wants(s, open, want));
}

static bool wants_permute(Shaping *s, const Expr *call, WeightShape want)
{
    const Expr *x = argument(call, 0, "x"), *order = argument(call, 1, "axes");
    WeightShape back = want;
    int k = 0;
    if (!x || !order || order->kind != EXPR_list) return false;
    for (const Expr *i = order->first; i; i = i->next, k++) {
        int axis = axis_of(s, i, 0, want.rank);
        if (axis < 0 || k >= want.rank) return false;
        back.dim[axis] = want.dim[k];
    }
    return k == want.rank && wants(s, x, back);
}

static bool wants_call(Shaping *s, const Expr *x, WeightShape want)
{
    const char *name = x->left->kind == EXPR_name ? x->left->text : "";
    if (!strcmp(name, "split")) return wants_split(s, x, want);
    if (!strcmp(name, "concat")) return wants_concat(s, x, want);
    if (!strcmp(name, "permute")) return wants_permute(s, x, want);
    return false;
}

/* x[a:b, i]: the tensor ends where the slice does, unless other lines need more of it. x[::-1] is as long as x. */
static bool wants_index(Shaping *s, const Expr *x, WeightShape want)
{
    WeightShape whole_shape = { 0 };
    int next = 0;
    int64_t first = 0;
    if (x->left->kind == EXPR_call) return wants(s, x->left, want);      /* split(…)[0] */
    for (const Expr *sub = x->first; sub; sub = sub->next) {
        bool slice = sub->kind == EXPR_slice;
        bool turned = sub->third && !sub->left && !sub->right && whole(s, sub->third, &first) && first == -1;
        if ((sub->third && !turned) || sub->kind == EXPR_ellipsis || (slice && next == want.rank)) return false;
        if (whole_shape.rank == MAX_RANK) return false;
        const Expr *start = slice ? sub->left : sub;
        first = 0;
        if (start && (!whole(s, start, &first) || first < 0)) return false;
        int64_t length = slice ? want.dim[next++] : 1;
        if (__builtin_add_overflow(first, length, &whole_shape.dim[whole_shape.rank++])) return false;
    }
    while (next < want.rank) {
        if (whole_shape.rank == MAX_RANK) return false;
        whole_shape.dim[whole_shape.rank++] = want.dim[next++];
    }
    return wants(s, x->left, whole_shape);
}

static bool wants_member(Shaping *s, const Expr *x, WeightShape want)
{
    if (strcmp(x->text, "T")) return false;
    if (want.rank > 1) {
        int64_t last = want.dim[want.rank - 1];
        want.dim[want.rank - 1] = want.dim[want.rank - 2];
        want.dim[want.rank - 2] = last;
    }
    return wants(s, x->left, want);
}

/* Notes what the sources of x must be for x to have this shape; false when that cannot be said. */
static bool wants(Shaping *s, const Expr *x, WeightShape want)
{
    switch (x->kind) {
    case EXPR_string: return wants_source(s, x, &want);
    case EXPR_member: return wants_member(s, x, want);
    case EXPR_index: return wants_index(s, x, want);
    case EXPR_call: return wants_call(s, x, want);
    default: return false;
    }
}

static bool shape_of(const Param *p, WeightShape *out)
{
    *out = (WeightShape){ .rank = p->type.rank };
    for (int i = 0; i < p->type.rank; i++) {
        out->dim[i] = dim_value(p->type.dim[i]);
        if (out->dim[i] < 0) return false;
    }
    return true;
}

bool weights_shapes(Model *m, const WeightRule *r, WeightShape *shapes)
{
    Shaping s = { .e = weights_elab(m, r, diag_new(m->arena)), .rule = r, .shapes = shapes };
    const Expr *x = r->line ? r->line->stmt->values : NULL;
    bool each = x && x->next;            /* a value for each target, and not one list of them */
    for (int i = 0; i < r->target_count; i++) {
        WeightShape want;
        if (r->targets[i] && shape_of(r->targets[i], &want)) {
            if (r->line) wants(&s, x, want);
            else shapes[0] = want;
        }
        if (each && !(x = x->next)) break;
    }
    for (int i = 0; i < r->source_count; i++)
        if (shapes[i].rank < 0) return false;
    return true;
}
