/* A gradient that goes back through an activation is the gradient behind it, u, times the activation's slope, however
 * the rules of differentiation have spread u over a sum: what is linear in the result of one product, and otherwise
 * made of that of one other product, becomes the first times a factor in which it has no part. So the slope is a value
 * by itself, which the forward kernel can leave in place of the activation's argument (fuse_store.c). Sums and
 * products are rounded in another order. */
#include "passes/build.h"
#include "passes/fuse.h"

enum {
    NODES_AT_MOST = 64,
    SMALL = 4                            /* a value spread over so many elements is no part of the question */
};

/* What one element of an expression is made of. */
typedef struct Made {
    const Node *top;
    const Node *node[NODES_AT_MOST];     /* element operators, each once */
    const Node *product[2];
    int  nodes, products, cost;
    bool other;                          /* also of something else as large */
} Made;

static bool is_spread(const Node *x, const Node *over)
{
    return x->op == OP_expand &&
           type_value_elements(&x->args[0]->type) * SMALL <= type_value_elements(&over->type);
}

static bool is_seen(const Made *m, const Node *x)
{
    for (int k = 0; k < m->nodes; k++)
        if (m->node[k] == x) return true;
    for (int k = 0; k < m->products; k++)
        if (m->product[k] == x) return true;
    return false;
}

static void find_made(Made *m, const Node *x)
{
    if (m->other || is_spread(x, m->top) || is_seen(m, x)) return;
    bool element = op_is_element(x->op);
    m->other = element ? m->nodes == NODES_AT_MOST : x->op != OP_einsum || m->products == 2;
    if (m->other) return;
    if (!element) m->product[m->products++] = x;
    if (!element) return;
    m->node[m->nodes++] = x;
    m->cost += fuse_node_cost(x);
    for (int k = 0; k < x->arg_count; k++) find_made(m, x->args[k]);
}

/* x = `of` * factor, or x is free of it; NULL for a factor of 1. */
typedef struct Linear {
    bool  depends, fails;                /* fails: it is neither */
    Node *factor;
} Linear;

typedef struct Slope {
    Graph *g;
    Node *const *copy;                   /* the new graph's nodes by the old ids */
    const Made *made;
    const Node *of;
    bool  known[NODES_AT_MOST];          /* by place in made->node */
    Linear found[NODES_AT_MOST];
} Slope;

static Linear slope_of(Slope *s, const Node *x);

static Linear slope_of_sum(Slope *s, const Node *x, const Linear *a, const Linear *b)
{
    if (!a->depends || !b->depends) return (Linear){.fails = true};
    Node *one = make_full(s->g, x->type, 1);
    Node *sum = make_binary(s->g, OP_add, a->factor ? a->factor : one, b->factor ? b->factor : one);
    return (Linear){.depends = true, .factor = sum};
}

static Linear slope_of_product(Slope *s, const Node *x, const Linear *a, const Linear *b)
{
    if (a->depends && b->depends) return (Linear){.fails = true};
    Node *other = s->copy[x->args[a->depends]->id], *factor = a->depends ? a->factor : b->factor;
    return (Linear){.depends = true, .factor = factor ? make_binary(s->g, OP_mul, factor, other) : other};
}

static Linear slope_of_element(Slope *s, const Node *x)
{
    Linear arg[3] = {{0}};
    bool depends = false;
    for (int k = 0; k < x->arg_count; k++) {
        arg[k] = slope_of(s, x->args[k]);
        if (arg[k].fails) return arg[k];
        depends = depends || arg[k].depends;
    }
    if (!depends) return (Linear){0};
    if (x->op == OP_add) return slope_of_sum(s, x, &arg[0], &arg[1]);
    if (x->op == OP_mul) return slope_of_product(s, x, &arg[0], &arg[1]);
    return (Linear){.fails = true};
}

static Linear slope_of(Slope *s, const Node *x)
{
    if (x == s->of) return (Linear){.depends = true};
    int k = 0;
    while (k < s->made->nodes && s->made->node[k] != x) k++;
    if (k == s->made->nodes) return (Linear){0};
    if (!s->known[k]) s->found[k] = slope_of_element(s, x);
    s->known[k] = true;
    return s->found[k];
}

Node *fuse_by_slope(Graph *g, const Node *x, Node *const *copy)
{
    if ((x->op != OP_add && x->op != OP_mul) || !dtype_is_float(x->type.dtype)) return NULL;
    Made made = {.top = x};
    find_made(&made, x);
    if (made.other || made.products != 2 || made.cost < SLOPE_COST) return NULL;
    for (int k = 0; k < 2; k++) {
        Slope s = {.g = g, .copy = copy, .made = &made, .of = made.product[k]};
        Linear found = slope_of(&s, x);
        if (!found.fails && found.depends && found.factor)
            return make_binary(g, OP_mul, found.factor, copy[made.product[k]->id]);
    }
    return NULL;
}
