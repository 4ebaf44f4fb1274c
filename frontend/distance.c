/* How far apart two whole scalars of a graph are, when their difference is a dimension whatever they are: both are
 * taken apart into numbers, dimensions and multiples of other scalars, which must cancel. */
#include "frontend/elab.h"

enum { MOST_STEPS = 1000 };              /* of sums within sums: what is longer counts as unknown */

typedef struct Term {
    const Node *node;
    const Dim  *factor;
} Term;

typedef struct Sum {
    Elab *e;
    const Dim *dim;
    Vec(Term) terms;
    int steps;
} Sum;

/* What a scalar is apart from the run: a constant, or ones that are counted (elab_number_node); NULL: neither. */
static const Dim *known_dim(const Elab *e, const Node *n)
{
    if (n->op == OP_const && dtype_is_whole(n->type.dtype)) return dim_int(e->dims, n->attr.i);
    while (n->op == OP_cast && dtype_is_whole(n->args[0]->type.dtype)) n = n->args[0];
    if (n->op != OP_sum || n->args[0]->type.rank != 1 || n->args[0]->op != OP_expand) return NULL;
    const Node *one = n->args[0]->args[0];
    return one->op == OP_const && one->attr.i == 1 && !one->type.rank ? n->args[0]->type.dim[0] : NULL;
}

static void add_term(Sum *sum, const Node *n, const Dim *factor)
{
    for (int i = 0; i < sum->terms.count; i++) {
        Term *term = &sum->terms.at[i];
        if (term->node != n) continue;
        term->factor = dim_add(sum->e->dims, term->factor, factor);
        return;
    }
    vec_push(sum->e->arena, &sum->terms, ((Term){ n, factor }));
}

/* Adds factor * n. */
static void add(Sum *sum, const Node *n, const Dim *factor)
{
    Dims *dims = sum->e->dims;
    const Dim *known = known_dim(sum->e, n);
    if (sum->steps++ > MOST_STEPS) return;
    if (known) {
        sum->dim = dim_add(dims, sum->dim, dim_mul(dims, known, factor));
    } else if (n->op == OP_add) {
        add(sum, n->args[0], factor);
        add(sum, n->args[1], factor);
    } else if (n->op == OP_mul && (known = known_dim(sum->e, n->args[1]))) {
        add(sum, n->args[0], dim_mul(dims, known, factor));
    } else {
        add_term(sum, n, factor);
    }
}

const Dim *elab_distance(Elab *e, const Node *from, const Node *to)
{
    Sum sum = { .e = e, .dim = dim_int(e->dims, 0) };
    add(&sum, to, dim_int(e->dims, 1));
    add(&sum, from, dim_int(e->dims, -1));
    for (int i = 0; i < sum.terms.count; i++)
        if (!dim_is(sum.terms.at[i].factor, 0)) return NULL;
    return sum.steps > MOST_STEPS || dim_is_overflow(sum.dim) ? NULL : sum.dim;
}
