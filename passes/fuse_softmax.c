/* What asks for the exponentials of a softmax after its result gets result * row sum instead: the result is stored more
 * often than not (the gradient reads it), and then what the exponentials were computed from need not be.
 *
 * With e = exp(x - max(x)) and z = sum(e) over a row, e / z * z is e but for rounding, at most 1.5 ulp more, or
 * z * 2^-149 where e / z is subnormal; for e is at most 1 and z lies between 1 and the length of the row. Anything less
 * than this form is left alone: with a divisor of 0 or inf, or exp(x) itself infinite, e / z * z is NaN. (Rows with NaN
 * or +inf have a NaN sum either way.) Only multiplications get the product; comparisons with e must see e. */
#include "passes/fuse.h"

#include <math.h>

static const Node *without_stop(const Node *x)
{
    while (x->op == OP_stop) x = x->args[0];
    return x;
}

static const Node *constant_of(const Node *x)
{
    x = without_stop(x);
    if (x->op == OP_expand) x = x->args[0];
    return x->op == OP_const ? x : NULL;
}

static bool is_number(const Node *x, double value)
{
    const Node *c = constant_of(x);
    return c && dtype_is_float(c->type.dtype) && c->attr.f == value;
}

/* The reduction behind where(r == odd, instead, r), or behind nothing at all; NULL for other things. */
static const Node *guarded(const Node *x, Op op, double odd, double instead)
{
    x = without_stop(x);
    if (x->op == OP_where && is_number(x->args[1], instead)) {
        const Node *test = without_stop(x->args[0]), *r = without_stop(x->args[2]);
        if (test->op != OP_eq) return NULL;
        bool same = (without_stop(test->args[0]) == r && is_number(test->args[1], odd)) ||
                    (without_stop(test->args[1]) == r && is_number(test->args[0], odd));
        x = same ? r : x;
    }
    return x->op == op ? x : NULL;
}

/* Whether `expand` puts a reduction's result back along the axes that it reduced. */
static bool spreads_back(const Node *expand, const Node *reduction)
{
    const Type *from = &reduction->args[0]->type;
    int kept = 0;
    if (!type_same_shape(&expand->type, from)) return false;
    for (int k = 0; k < from->rank; k++)
        if (!(reduction->attr.axes >> k & 1) && expand->attr.map[kept++] != k) return false;
    return kept == reduction->type.rank;
}

/* The other factor of x * -1, or NULL. */
static const Node *negated(const Node *x)
{
    x = without_stop(x);
    if (x->op != OP_mul) return NULL;
    return is_number(x->args[1], -1) ? x->args[0] : is_number(x->args[0], -1) ? x->args[1] : NULL;
}

/* x + -spread(max(x)): the sign may stand before or behind the spread. */
static const Node *shifted_by(const Node *shift, const Node *x)
{
    const Node *outer = negated(shift), *expand = without_stop(outer ? outer : shift);
    if (expand->op != OP_expand) return NULL;
    const Node *top = outer ? expand->args[0] : negated(expand->args[0]);
    const Node *max = top ? guarded(top, OP_reduce_max, -INFINITY, 0) : NULL;
    return max && without_stop(max->args[0]) == without_stop(x) && spreads_back(expand, max) ? max : NULL;
}

/* The maximum of the rows that e = exp(x - maximum) was shifted by, or NULL. */
static const Node *find_shift(const Node *e)
{
    const Node *a = without_stop(e->args[0]);
    if (a->op != OP_add) return NULL;
    const Node *max = shifted_by(a->args[1], a->args[0]);
    return max ? max : shifted_by(a->args[0], a->args[1]);
}

/* e / spread(z) or e * spread(1 / z). */
static Softmax find_quotient(const Node *p)
{
    for (int k = 0; k < p->arg_count && k < 2; k++) {
        const Node *e = p->args[k], *by = p->args[p->arg_count == 2 ? 1 - k : 0];
        if (e->op != OP_exp || by->op != OP_expand) continue;
        if (p->op == OP_div && k == 0) return (Softmax){p, by, e, by->args[0]};
        const Node *r = by->args[0];
        if (p->op == OP_mul && r->op == OP_div && is_number(r->args[0], 1)) return (Softmax){p, by, e, r->args[1]};
    }
    return (Softmax){0};
}

Softmax fuse_find_softmax(const Node *p)
{
    Softmax s = find_quotient(p);
    if (!s.p) return s;
    const Node *sum = guarded(s.z, OP_sum, 0, 1), *max = find_shift(s.e);
    bool whole = sum && max && sum->args[0] == s.e && sum->attr.axes == max->attr.axes && spreads_back(s.spread, sum);
    return whole ? s : (Softmax){0};
}

Node *fuse_ask_exponential(Graph *g, const Softmax *s, Node *const *copy)
{
    Node *z = make_expand(g, copy[s->z->id], s->spread->attr.map, s->spread->type);
    return make_binary(g, OP_mul, copy[s->p->id], z);
}
