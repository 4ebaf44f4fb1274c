/* What fusion cannot cut into kernels as it stands becomes operators that it can: every einsum a product of dense
 * operands (or multiplications and a sum), every reduction over adjacent axes, running sums as masked sums, a
 * scatter that writes one place a row as a comparison with the index, a sum of pads side by side as a concat, a
 * scatter into zeros that is added to something as a scatter into that something, exponentials asked for after their
 * softmax. Values may differ in the order of additions, in the sign of a zero that is a sum, and as fuse_softmax.c
 * says. */
#include "passes/build.h"
#include "passes/fuse.h"
#include "ir/contraction.h"

#include <assert.h>
#include <string.h>

/* ---- reductions over axes that are not adjacent ---- */

/* The reduced axes from the last one down, as long as they are adjacent; axes of extent 1 may stand between. */
static uint32_t last_run(const Type *type, uint32_t axes)
{
    uint32_t run = 0;
    int k = type->rank - 1;
    while (!(axes >> k & 1)) k--;
    for (; k >= 0 && (axes >> k & 1 || dim_is(type->dim[k], 1)); k--) run |= axes & 1u << k;
    return run;
}

static Node *reduce_by_runs(Graph *g, Op op, Node *x, uint32_t axes)
{
    while (axes) {                       /* what is left stands before the run, so its axes keep their numbers */
        uint32_t run = last_run(&x->type, axes);
        x = make_reduce(g, op, x, run);
        axes &= ~run;
    }
    return x;
}

/* ---- einsum ---- */

enum { FEW_LINES = 32 };                 /* rows or columns of a product too small to reach its speed */

typedef struct Term {
    char  letter[2 * MAX_RANK + 1];
    int   count;
} Term;

static Term term_read(const char *from, const char *to)
{
    Term t = {0};
    for (; from < to; from++)
        if (*from != ' ') t.letter[t.count++] = *from;
    return t;
}

static void term_add(Term *t, char letter) { t->letter[t->count++] = letter; }
static bool term_has(const Term *t, char letter)
{
    return t->count && memchr(t->letter, letter, (size_t)t->count) != NULL;
}
static int term_find(const Term *t, char letter)
{
    return (int)((const char *)memchr(t->letter, letter, (size_t)t->count) - t->letter);
}

/* The letters of one operand, the other, and the result, and the operands. */
typedef struct Product {
    Term  a, b, out;
    Node *x, *y;
} Product;

static bool always(void *context, const Node *node)
{
    (void)context;
    (void)node;
    return true;
}

/* What it is as a product when its operands are dense; cuts 0: it is none. */
static Contraction dense_contraction(const Node *einsum)
{
    View a, b;
    Contraction c;
    view_find(einsum->args[0], always, NULL, &a);
    view_find(einsum->args[1], always, NULL, &b);
    return contraction_find(einsum, &a, &b, &c) ? c : (Contraction){0};
}

/* Sums out the letters that neither the other operand nor the result has. */
static Node *sum_lone(Graph *g, Node *x, Term *own, const Term *other, const Term *out)
{
    uint32_t lone = 0;
    Term rest = {0};
    for (int k = 0; k < own->count; k++) {
        if (term_has(other, own->letter[k]) || term_has(out, own->letter[k])) term_add(&rest, own->letter[k]);
        else lone |= 1u << k;
    }
    if (!lone) return x;
    *own = rest;
    return make_cast(g, reduce_by_runs(g, OP_sum, x, lone), x->type.dtype);
}

/* x with its axes in the order of `want`, which has the same letters. */
static Node *reorder(Graph *g, Node *x, const Term *have, const Term *want)
{
    int8_t map[MAX_RANK] = {0};
    bool same = true;
    for (int k = 0; k < want->count; k++) {
        map[k] = (int8_t)term_find(have, want->letter[k]);
        same = same && map[k] == k;
    }
    return same ? x : make_permute(g, x, map);
}

/* x spread over the axes of `space`; its own letters may stand in any order. */
static Node *spread(Graph *g, Node *x, const Term *have, const Term *space, const Type *type)
{
    Term sorted = {0};
    int8_t map[MAX_RANK] = {0};
    for (int k = 0; k < space->count; k++) {
        if (!term_has(have, space->letter[k])) continue;
        map[sorted.count] = (int8_t)k;
        term_add(&sorted, space->letter[k]);
    }
    return make_expand(g, reorder(g, x, have, &sorted), map, *type);
}

static const Dim *letter_dim(const Product *p, char letter)
{
    if (term_has(&p->a, letter)) return p->x->type.dim[term_find(&p->a, letter)];
    return p->y->type.dim[term_find(&p->b, letter)];
}

/* The letters by what they do; every one is in both operands or in the result, or in both of these. */
typedef struct Groups {
    Term batch, m, n, k;
} Groups;

static Groups find_groups(const Product *p)
{
    Groups found = {0};
    for (int i = 0; i < p->out.count; i++) {
        char c = p->out.letter[i];
        bool in_a = term_has(&p->a, c), in_b = term_has(&p->b, c);
        term_add(in_a && in_b ? &found.batch : in_a ? &found.m : &found.n, c);
    }
    for (int i = 0; i < p->a.count; i++)
        if (!term_has(&p->out, p->a.letter[i])) term_add(&found.k, p->a.letter[i]);
    return found;
}

static Term join(const Term *x, const Term *y, const Term *z)
{
    Term all = *x;
    for (int i = 0; i < y->count; i++) term_add(&all, y->letter[i]);
    for (int i = 0; i < z->count; i++) term_add(&all, z->letter[i]);
    return all;
}

static const Dim *group_dim(Graph *g, const Product *p, const Term *group)
{
    const Dim *n = dim_int(g->dims, 1);
    for (int i = 0; i < group->count; i++) n = dim_mul(g->dims, n, letter_dim(p, group->letter[i]));
    return n;
}

/* The same with each group of letters as one axis: the space [batch, m, n, k] has room for any einsum. */
static Node *multiply_and_sum_groups(Graph *g, const Product *p)
{
    Groups l = find_groups(p);
    Term a = join(&l.batch, &l.m, &l.k), b = join(&l.batch, &l.n, &l.k), out = join(&l.batch, &l.m, &l.n);
    const Dim *batch = group_dim(g, p, &l.batch), *m = group_dim(g, p, &l.m), *n = group_dim(g, p, &l.n),
              *k = group_dim(g, p, &l.k);
    DType dtype = p->x->type.dtype;
    Node *x = make_reshape(g, reorder(g, p->x, &p->a, &a), type_of(dtype, 3, (const Dim *[]){batch, m, k})),
         *y = make_reshape(g, reorder(g, p->y, &p->b, &b), type_of(dtype, 3, (const Dim *[]){batch, n, k}));
    Type space = type_of(dtype, 4, (const Dim *[]){batch, m, n, k}), type = {.dtype = dtype, .rank = out.count};
    Node *columns = make_expand(g, y, (const int8_t[MAX_RANK]){0, 2, 3}, space);
    Node *rows = make_expand(g, x, (const int8_t[MAX_RANK]){0, 1, 3}, space);
    Node *product = make_binary(g, OP_mul, rows, columns);
    for (int i = 0; i < out.count; i++) type.dim[i] = letter_dim(p, out.letter[i]);
    Node *sum = make_cast(g, make_reduce(g, OP_sum, product, 1u << 3), dtype);
    return reorder(g, make_reshape(g, sum, type), &out, &p->out);
}

static Node *multiply_and_sum(Graph *g, const Product *p)
{
    Term space = p->out;
    for (int k = 0; k < p->a.count; k++)
        if (!term_has(&p->out, p->a.letter[k])) term_add(&space, p->a.letter[k]);
    if (space.count > MAX_RANK) return multiply_and_sum_groups(g, p);
    Type type = {.dtype = p->x->type.dtype, .rank = space.count};
    uint32_t axes = 0;
    for (int k = 0; k < space.count; k++) {
        type.dim[k] = letter_dim(p, space.letter[k]);
        if (k >= p->out.count) axes |= 1u << k;
    }
    Node *y = spread(g, p->y, &p->b, &space, &type), *x = spread(g, p->x, &p->a, &space, &type);
    Node *product = make_binary(g, OP_mul, x, y);
    return axes ? make_cast(g, make_reduce(g, OP_sum, product, axes), type.dtype) : product;
}

/* The letters of `group` in the order in which they stand in x. */
static Term in_order_of(const Term *group, const Term *x)
{
    Term sorted = {0};
    for (int i = 0; i < x->count; i++)
        if (term_has(group, x->letter[i])) term_add(&sorted, x->letter[i]);
    return sorted;
}

static bool same_letters(const Term *x, const Term *y)
{
    return x->count == y->count && !memcmp(x->letter, y->letter, (size_t)x->count);
}

/* The order of k: that of the larger operand. Of m and n: that of the result, for which operands may have to be copied,
 * or that of the operands, for which the result is, whichever moves less. */
static void choose_order(const Product *p, Groups *l)
{
    Term m = in_order_of(&l->m, &p->a), n = in_order_of(&l->n, &p->b);
    if (type_value_elements(&p->y->type) > type_value_elements(&p->x->type)) l->k = in_order_of(&l->k, &p->b);
    int64_t operands = 0, result = 1;
    if (!same_letters(&m, &l->m)) operands += type_value_elements(&p->x->type);
    if (!same_letters(&n, &l->n)) operands += type_value_elements(&p->y->type);
    for (int i = 0; i < p->out.count; i++) result *= dim_value(letter_dim(p, p->out.letter[i]));
    if (result >= operands) return;
    l->m = m;
    l->n = n;
}

/* The same product with the operand first whose letters come first in the result. */
static Product first_in_result(const Product *p)
{
    for (int i = 0; i < p->out.count; i++) {
        bool in_a = term_has(&p->a, p->out.letter[i]), in_b = term_has(&p->b, p->out.letter[i]);
        if (in_a == in_b) continue;
        return in_a ? *p : (Product){.a = p->b, .b = p->a, .out = p->out, .x = p->y, .y = p->x};
    }
    return *p;
}

/* Operands ordered (batch, m, k) and (batch, k, n), so that each group is one run; the result is reordered behind
 * it. */
static Node *ordered_product(Graph *g, const Product *given)
{
    Product turned = first_in_result(given), *p = &turned;
    Groups l = find_groups(p);
    choose_order(p, &l);
    Term a = join(&l.batch, &l.m, &l.k), b = join(&l.batch, &l.k, &l.n), out = join(&l.batch, &l.m, &l.n);
    const char *text =
        arena_print(g->arena, "%.*s,%.*s->%.*s", a.count, a.letter, b.count, b.letter, out.count, out.letter);
    Node *y = reorder(g, p->y, &p->b, &b), *x = reorder(g, p->x, &p->a, &a);
    return reorder(g, make_einsum(g, text, x, y), &out, &p->out);
}

/* One product of its operands as they lie; or several, where it takes another order of the result to make it one. */
static bool fits_as_it_is(const Node *einsum, const Product *p)
{
    int64_t cuts = dense_contraction(einsum).cuts;
    Groups l = find_groups(p);
    Term ordered = join(&l.batch, &l.m, &l.n);
    return cuts == 1 || (cuts > 1 && !same_letters(&ordered, &p->out));
}

/* A letter that is summed over, and one that the result has of one operand alone: else multiplications do. */
static bool has_both_letters(const Product *p)
{
    bool inner = false, outer = false;
    for (int k = 0; k < p->a.count; k++)
        inner = inner || (!term_has(&p->out, p->a.letter[k]) && term_has(&p->b, p->a.letter[k]));
    for (int k = 0; k < p->out.count; k++)
        outer = outer || !term_has(&p->a, p->out.letter[k]) || !term_has(&p->b, p->out.letter[k]);
    return inner && outer;
}

static bool is_lone(char letter, const Term *other, const Term *out)
{
    return !term_has(other, letter) && !term_has(out, letter);
}

static bool has_lone_letter(const Product *p)
{
    for (int k = 0; k < p->a.count; k++)
        if (is_lone(p->a.letter[k], &p->b, &p->out)) return true;
    for (int k = 0; k < p->b.count; k++)
        if (is_lone(p->b.letter[k], &p->a, &p->out)) return true;
    return false;
}

static Node *rewrite_einsum(Graph *g, const Node *old, Node *const *args)
{
    const char *text = old->attr.text, *comma = strchr(text, ','), *arrow = strchr(text, '-');
    DType dtype = old->type.dtype;
    Product p = {term_read(text, comma), term_read(comma + 1, arrow), term_read(arrow + 2, text + strlen(text)),
                 args[0], args[1]};
    bool is_product = dtype_is_float(dtype) && has_both_letters(&p);
    if (!is_product || has_lone_letter(&p) || args[0]->type.dtype == DT_f16) {
        p.x = make_cast(g, p.x, dtype);
        p.y = make_cast(g, p.y, dtype);
    }
    p.x = sum_lone(g, p.x, &p.a, &p.b, &p.out);
    p.y = sum_lone(g, p.y, &p.b, &p.a, &p.out);
    if (!is_product) return multiply_and_sum(g, &p);
    if (p.x == args[0] && p.y == args[1] && fits_as_it_is(old, &p)) return graph_rebuild(g, old, args);
    return ordered_product(g, &p);
}

/* A product whose only use is in another order is written in that order, unless that takes it apart into small ones. */
static Node *rewrite_permute(Graph *g, const Node *old, Node *const *args, const int *users)
{
    const Node *product = args[0];
    Node *plain = graph_rebuild(g, old, args);
    if (product->op != OP_einsum || users[old->args[0]->id] != 1) return plain;
    const char *arrow = strchr(product->attr.text, '>') + 1;
    Term have = term_read(arrow, arrow + strlen(arrow));
    char want[MAX_RANK + 1] = {0};
    for (int k = 0; k < old->type.rank; k++) want[k] = have.letter[old->attr.map[k]];
    const char *text = arena_print(g->arena, "%.*s%s", (int)(arrow - product->attr.text), product->attr.text, want);
    Node *turned = make_einsum(g, text, product->args[0], product->args[1]);
    Contraction now = dense_contraction(product), then = dense_contraction(turned);
    bool small = then.cuts > now.cuts && (then.m < FEW_LINES || then.n < FEW_LINES);
    return then.cuts && !small ? turned : plain;
}

/* ---- reductions ---- */

static int64_t reduced_extent(const Node *reduce)
{
    int64_t n = 1;
    for (int k = 0; k < reduce->args[0]->type.rank; k++)
        if (reduce->attr.axes >> k & 1) n *= dim_value(reduce->args[0]->type.dim[k]);
    return n;
}

static Node *rewrite_reduce(Graph *g, const Node *old, Node *const *args)
{
    uint32_t axes = old->attr.axes;
    Node *x = args[0];
    if (reduced_extent(old) == 1)
        return make_cast(g, make_reshape(g, x, type_with(old->type, x->type.dtype)), old->type.dtype);
    return last_run(&x->type, axes) == axes ? graph_rebuild(g, old, args) : reduce_by_runs(g, old->op, x, axes);
}

/* result[.., j, ..] = sum over i of (i <= j ? x[.., i, ..] : 0), with i as a new last axis. */
static Node *masked_sums(Graph *g, Node *x, int axis)
{
    int rank = x->type.rank;
    assert(rank > 0 && rank < MAX_RANK);
    int8_t order[MAX_RANK] = {0}, map[MAX_RANK] = {0};
    Type wide = x->type;
    for (int k = 0, n = 0; k < rank; k++)
        if (k != axis) order[n++] = (int8_t)k;
    order[rank - 1] = (int8_t)axis;
    for (int k = 0; k < rank; k++) map[k] = k == rank - 1 ? (int8_t)rank : (int8_t)(k < axis ? k : k + 1);
    wide.dim[wide.rank++] = x->type.dim[axis];
    Type index = type_with(wide, DT_i32);
    Node *to = make_iota(g, index, rank), *from = make_iota(g, index, axis), *later = make_binary(g, OP_lt, from, to);
    Node *every = make_expand(g, make_permute(g, x, order), map, wide);
    Node *terms = make_where(g, later, make_full(g, wide, 0.0), every);
    return make_cast(g, make_reduce(g, OP_sum, terms, 1u << rank), x->type.dtype);
}

static Node *rewrite_cumsum(Graph *g, const Node *old, Node *const *args)
{
    if (old->type.rank < MAX_RANK) return masked_sums(g, args[0], old->attr.axis);
    return make_reshape(g, masked_sums(g, build_three(g, args[0], old->attr.axis), 1), old->type);
}

/* ---- scatter ---- */

static bool is_zero(const Node *x)
{
    while (op_is_movement(x->op) && x->op != OP_concat) x = x->args[0];
    return x->op == OP_const && x->attr.f == 0 && x->attr.i == 0;
}

static bool holds_index(DType dtype, const Dim *extent)
{
    int64_t most = dtype == DT_i8 ? INT8_MAX : dtype == DT_u8 ? UINT8_MAX : dtype == DT_i32 ? INT32_MAX : INT64_MAX;
    return dtype_is_whole(dtype) && dim_value(extent) - 1 <= most;
}

/* The axis of its own shape whose index x is, or -1. */
static int index_axis(const Node *x)
{
    if (x->op == OP_iota) return holds_index(x->type.dtype, x->type.dim[x->attr.axis]) ? x->attr.axis : -1;
    if (x->op != OP_expand && x->op != OP_cast && x->op != OP_reshape) return -1;
    int j = index_axis(x->args[0]);
    const Type *from = &x->args[0]->type;
    if (j < 0) return -1;
    if (x->op == OP_cast) return holds_index(x->type.dtype, x->type.dim[j]) ? j : -1;
    if (x->op == OP_expand) return from->dim[j] == x->type.dim[x->attr.map[j]] ? x->attr.map[j] : -1;
    int large = 0, to = -1;              /* a reshape that only adds axes of extent 1 around the one that counts */
    for (int k = 0; k < from->rank; k++) large += !dim_is(from->dim[k], 1);
    for (int k = 0; k < x->type.rank; k++)
        if (x->type.dim[k] == from->dim[j]) to = k;
    return large == 1 ? to : -1;
}

/* Which of the index tensors is free when all others are the index of their own axis, in order; or -1. Every place
 * is then written at most once. */
static int free_index(const Node *scatter, Node *const *args)
{
    Node *const *index = args + 2;
    int count = scatter->arg_count - 2, axis = scatter->attr.axis, found = -1;
    const Type *places = &index[0]->type, *base = &scatter->type;
    if (count != places->rank + 1) return -1;
    for (int k = 0, next = 0; k < count; k++) {
        bool own = next < places->rank && index_axis(index[k]) == next && base->dim[axis + k] == places->dim[next];
        if (own) next++;
        else if (found >= 0) return -1;
        else found = k;
    }
    return found;
}

/* where(index of the free axis == its index tensor, value, 0) */
static Node *one_place(Graph *g, const Node *scatter, Node *const *args, int hole)
{
    Node *values = args[1], *index = args[2 + hole];
    int cut = scatter->attr.axis + hole;
    int8_t value_map[MAX_RANK] = {0}, index_map[MAX_RANK] = {0};
    for (int k = 0; k < values->type.rank; k++) value_map[k] = (int8_t)(k < cut ? k : k + 1);
    for (int k = 0; k < index->type.rank; k++) index_map[k] = (int8_t)(scatter->attr.axis + (k < hole ? k : k + 1));
    Type type = scatter->type, places = type_with(type, index->type.dtype);
    Node *wanted = make_expand(g, index, index_map, places);
    Node *here = make_binary(g, OP_eq, make_iota(g, places, cut), wanted);
    Node *zeros = make_full(g, type, 0.0);
    return make_where(g, here, make_expand(g, values, value_map, type), zeros);
}

/* Whether a live gather takes the same ids for rows of the same extent, and so finds those out of range; a comparison
 * does not. */
static bool is_checked(const Graph *graph, const int *users, const Node *ids, const Dim *extent)
{
    for (int k = 0; k < graph->nodes.count; k++) {
        const Node *n = graph->nodes.at[k];
        for (int j = 1; users[k] && n->op == OP_gather && j < n->arg_count; j++)
            if (n->args[j] == ids && dim_value(n->args[0]->type.dim[n->attr.axis + j - 1]) == dim_value(extent))
                return true;
    }
    return false;
}

static Node *rewrite_scatter(Graph *g, const Node *old, Node *const *args, const Graph *graph, const int *users)
{
    int hole = is_zero(args[0]) ? free_index(old, args) : -1;
    bool checked = hole >= 0 && is_checked(graph, users, old->args[2 + hole], old->type.dim[old->attr.axis + hole]);
    return checked ? one_place(g, old, args, hole) : graph_rebuild(g, old, args);
}

/* A zero that is a sum has no sign that could be relied on: + 0 changes nothing. */
static bool is_sum(const Node *x)
{
    while (x->op == OP_cast || x->op == OP_reshape || x->op == OP_permute) x = x->args[0];
    return x->op == OP_einsum || x->op == OP_sum;
}

/* a + (zeros with v added at some places) = a with v added at those places. */
static Node *rewrite_add(Graph *g, const Node *old, Node *const *args, const int *users, Node *const *copy)
{
    Node *joined = fuse_join_pads(g, old, users, copy);
    if (joined) return joined;
    for (int k = 0; k < 2; k++)
        if (is_zero(args[k]) && is_sum(args[1 - k])) return args[1 - k];
    for (int k = 0; k < 2; k++) {
        const Node *s = args[k];
        if (s->op != OP_scatter || s->attr.i != 1 || !is_zero(s->args[0]) || users[old->args[k]->id] != 1) continue;
        return make_scatter(g, args[1 - k], s->args[1], s->args + 2, s->arg_count - 2, s->attr.axis, true);
    }
    return graph_rebuild(g, old, args);
}

static Node *rewrite_concat(Graph *g, const Node *old, Node *const *args)
{
    Node *whole = fuse_concat(g, args, old->arg_count, old->attr.axis);
    graph_add_origins(g, whole, old);
    return make_reshape(g, whole, old->type);
}

/* ---- scan ---- */

static Node *rewrite_scan(Graph *g, const Node *old, Node *const *args)
{
    Node *scan = make_scan(g, args, old->arg_count, &old->attr, fuse_rewrite_body(g->arena, old->region));
    graph_add_origins(g, scan, old);
    return scan;
}

/* ---- the graph ---- */

/* Counts the users of each node that reaches an output (an output is a user). 0: dead. */
static int *count_users(Arena *arena, const Graph *graph)
{
    int *users = arena_array(arena, int, graph->nodes.count + 1);
    for (int k = 0; k < graph->outputs.count; k++) users[graph->outputs.at[k].node->id]++;
    for (int k = graph->nodes.count - 1; k >= 0; k--) {
        const Node *node = graph->nodes.at[k];
        for (int j = 0; users[k] && j < node->arg_count; j++) users[node->args[j]->id]++;
    }
    return users;
}

static Node *argument(Graph *g, const Node *old, int k, const Softmax *later, Node *const *copy)
{
    const Node *asked = old->args[k];
    const Softmax *s = &later[asked->id];
    return old->op == OP_mul && s->p ? fuse_ask_exponential(g, s, copy) : copy[asked->id];
}

static Node *rewrite_node(Graph *g, const Node *old, Node *const *args, const Graph *graph, const int *users,
                          Node *const *copy)
{
    switch ((int)old->op) {
    case OP_einsum: return rewrite_einsum(g, old, args);
    case OP_sum:
    case OP_reduce_max: return rewrite_reduce(g, old, args);
    case OP_cumsum: return rewrite_cumsum(g, old, args);
    case OP_scatter: return rewrite_scatter(g, old, args, graph, users);
    case OP_add: {
        Node *by_slope = fuse_by_slope(g, old, copy);
        return by_slope ? by_slope : rewrite_add(g, old, args, users, copy);
    }
    case OP_permute: return rewrite_permute(g, old, args, users);
    case OP_concat: return rewrite_concat(g, old, args);
    case OP_scan: return rewrite_scan(g, old, args);
    default: return graph_rebuild(g, old, args);
    }
}

/* An output that is an input as it came must be copied before that input's place is written: the copy is a value of
 * its own. */
static Node *output_node(Graph *g, const Output *output, Node *node)
{
    const Node *base = node;
    while (base->op == OP_reshape) base = base->args[0];
    if (base->op != OP_input) return node;
    bool own = output->kind == OUTPUT_update && base == node && !strcmp(base->attr.text, output->name);
    bool fixed =
        output->kind == OUTPUT_result && base->attr.storage != STORE_param && base->attr.storage != STORE_state;
    return own || fixed ? node : make_unary(g, OP_stop, node);
}

/* A loop gives every output of its body a place of its own. */
static Node *body_output_node(Graph *g, Node *node)
{
    bool taken = node->op == OP_input || node->op == OP_reshape;
    for (int k = 0; k < g->outputs.count; k++) taken = taken || g->outputs.at[k].node == node;
    g->origin = node->origin_count ? node->origins[0] : NULL;
    return taken ? body_output_node(g, make_unary(g, OP_stop, node)) : node;
}

/* The live nodes and the inputs; returns them by the ids of the old graph. */
static Node **rewrite_nodes(Arena *arena, Graph *g, const Graph *graph)
{
    int *users = count_users(arena, graph);
    Node **copy = arena_array(arena, Node *, graph->nodes.count + 1);
    Softmax *later = arena_array(arena, Softmax, graph->nodes.count + 1);
    Node *args[256], **many = args;
    for (int k = 0; k < graph->nodes.count; k++) {
        Node *old = graph->nodes.at[k];
        if (!users[k] && old->op != OP_input) continue;
        g->origin = old->origin_count ? old->origins[0] : NULL;
        if (old->arg_count > 256) many = arena_array(arena, Node *, old->arg_count);
        for (int j = 0; j < old->arg_count; j++) many[j] = argument(g, old, j, later, copy);
        copy[k] = rewrite_node(g, old, many, graph, users, copy);
        Softmax found = fuse_find_softmax(old);
        if (found.p) later[found.e->id] = found;
        many = args;
    }
    return copy;
}

Graph *fuse_rewrite(Arena *arena, const Graph *graph)
{
    Graph *g = graph_like(arena, graph);
    Node **copy = rewrite_nodes(arena, g, graph);
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *o = &graph->outputs.at[k];
        graph_output(g, o->kind, o->name, output_node(g, o, copy[o->node->id]));
    }
    return g;
}

Graph *fuse_rewrite_body(Arena *arena, const Graph *body)
{
    Graph *g = graph_like(arena, body);
    Node **copy = rewrite_nodes(arena, g, body);
    for (int k = 0; k < body->outputs.count; k++) {
        const Output *o = &body->outputs.at[k];
        graph_output(g, o->kind, o->name, body_output_node(g, copy[o->node->id]));
    }
    return g;
}
