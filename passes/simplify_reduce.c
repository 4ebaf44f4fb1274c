/* Rules of simplify.def for sums and maxima, and the cut of large ones. */
#include "passes/simplify.h"

static bool reduces(const Node *node, int axis) { return node->attr.axes >> axis & 1; }

static uint32_t all_axes(int rank) { return (1u << rank) - 1; }

/* Reduced axes of one element only change the shape. */
static Node *reduce_ones(Simplify *s, const Node *node)
{
    Node *x = node->args[0];
    Type type = {.dtype = node->type.dtype};
    uint32_t rest = 0;
    for (int k = 0; k < x->type.rank; k++) {
        if (reduces(node, k) && dim_value(x->type.dim[k]) == 1) continue;
        if (reduces(node, k)) rest |= 1u << type.rank;
        type.dim[type.rank++] = x->type.dim[k];
    }
    if (type.rank == x->type.rank) return NULL;
    if (rest) return emit_reduce(s, node->op, emit_reshape(s, x, type_with(type, x->type.dtype)), rest);
    return emit_reshape(s, emit_normal(s, make_cast(s->g, x, type.dtype)), type);
}

/* One reduction over the axes of both, unless the inner one is needed for itself. */
static Node *reduce_of_reduce(Simplify *s, const Node *node)
{
    const Node *inner = node->args[0];
    if (inner->op != node->op || s->uses.at[inner->id] > 1) return NULL;
    uint32_t axes = inner->attr.axes;
    int kept = 0;
    for (int k = 0; k < inner->args[0]->type.rank; k++)
        if (!reduces(inner, k) && reduces(node, kept++)) axes |= 1u << k;
    Node *both = emit_reduce(s, node->op, inner->args[0], axes);
    return type_equal(&both->type, &node->type) ? both : NULL;
}

/* Along the axes that an expand added, all elements are equal: n of them sum to n times one, and their maximum is
 * one. */
static Node *reduce_of_expand(Simplify *s, const Node *node)
{
    const Node *expand = node->args[0];
    uint32_t added = all_axes(expand->type.rank), rest = 0;
    int8_t map[MAX_RANK] = {0};
    Type type = {.dtype = expand->type.dtype};
    int64_t copies = 1;
    for (int k = 0; k < expand->args[0]->type.rank; k++) added &= ~(1u << expand->attr.map[k]);
    added &= node->attr.axes;
    for (int k = 0, source = 0; k < expand->type.rank; k++) {
        bool mapped = source < expand->args[0]->type.rank && expand->attr.map[source] == k;
        if (added >> k & 1) {
            copies *= dim_value(expand->type.dim[k]);
            continue;
        }
        if (mapped) map[source++] = (int8_t)type.rank;
        if (reduces(node, k)) rest |= 1u << type.rank;
        type.dim[type.rank++] = expand->type.dim[k];
    }
    if (!added || copies < 1) return NULL;
    Node *narrow = emit_expand(s, expand->args[0], map, type);
    Node *once =
        rest ? emit_reduce(s, node->op, narrow, rest) : emit_normal(s, make_cast(s->g, narrow, node->type.dtype));
    if (node->op == OP_reduce_max) return once;
    return emit_binary(s, OP_mul, once, emit_full(s, once->type, (double)copies));
}

static bool is_negated(const Node *node)
{
    return node->op == OP_mul && (is_splat_float(node->args[1], -1.0) || is_splat_whole(node->args[1], -1));
}

static Node *sum_of_negated(Simplify *s, const Node *node)
{
    Node *sum = emit_reduce(s, OP_sum, node->args[0]->args[0], node->attr.axes);
    return emit_binary(s, OP_mul, sum, emit_full(s, sum->type, -1.0));
}

/* A permute that leaves the kept axes in order does not matter. */
static Node *reduce_of_permute(Simplify *s, const Node *node)
{
    const Node *permute = node->args[0];
    uint32_t axes = 0;
    int last = -1;
    for (int k = 0; k < permute->type.rank; k++) {
        int from = permute->attr.map[k];
        if (reduces(node, k)) {
            axes |= 1u << from;
            continue;
        }
        if (from < last) return NULL;
        last = from;
    }
    return emit_reduce(s, node->op, permute->args[0], axes);
}

/* Over all axes, the shape does not matter. A source with axes of one element is left to reduce_ones, which made
 * this reshape. */
static Node *reduce_of_reshape(Simplify *s, const Node *node)
{
    Node *source = node->args[0]->args[0];
    if (node->type.rank > 0) return NULL;
    for (int k = 0; k < source->type.rank; k++)
        if (dim_value(source->type.dim[k]) == 1) return NULL;
    return emit_reduce(s, node->op, source, all_axes(source->type.rank));
}

static Node *reduce_again(Simplify *s, const Node *node)
{
    Node *x = node->args[0];
    Node *better = reduce_ones(s, node);
    if (better) return better;
    if (x->op == node->op) return reduce_of_reduce(s, node);
    if (x->op == OP_expand) return reduce_of_expand(s, node);
    if (x->op == OP_permute) return reduce_of_permute(s, node);
    if (x->op == OP_reshape) return reduce_of_reshape(s, node);
    return NULL;
}

Node *simplify_sum(Simplify *s, Node *node)
{
    return is_negated(node->args[0]) ? sum_of_negated(s, node) : reduce_again(s, node);
}

Node *simplify_reduce_max(Simplify *s, Node *node) { return reduce_again(s, node); }

/* Cutting. A kernel spreads a reduction over threads by the axes before the reduced ones and by blocks of the
 * columns behind them ("units"). Where these are few and each has much to reduce, the first part of the reduced axes
 * is kept at first and reduced by a second, small node. The cut follows from the shape alone, so results do not
 * depend on threads. */
enum {
    BLOCK = 64,                          /* columns of a unit */
    ENOUGH_UNITS = 64,                   /* of work for any machine's threads */
    FEW_UNITS = 8,                       /* not worth splitting an axis for more */
    LEAST_ELEMENTS = 32768,              /* of a unit that is worth cutting */
    PART_ELEMENTS = 4096,                /* at least, in a part */
    PART_ROWS = 4,
    LEAST_ROW = 64,                      /* of a product that is reduced row by row */
    STEPS = 3                            /* of element work on it */
};

typedef struct Extent {
    int     first, last;                 /* the reduced axes, adjacent */
    int64_t rows;                        /* elements in them */
    int64_t units, unit;                 /* how many, and elements of each */
} Extent;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static Extent extent_of(const Node *node)
{
    Extent e = {.first = -1, .last = -1, .rows = 1, .units = 1};
    const Type *type = &node->args[0]->type;
    int64_t columns = 1;
    for (int k = 0; k < type->rank; k++) {
        int64_t value = dim_value(type->dim[k]);
        if (reduces(node, k)) {
            e.first = e.first < 0 ? k : e.first;
            e.last = k;
            e.rows *= value;
        } else if (e.first < 0) {
            e.units *= value;
        } else {
            columns *= value;
        }
    }
    e.units *= (columns + BLOCK - 1) / BLOCK;
    e.unit = e.rows * least(columns, BLOCK);
    return e;
}

static int64_t wanted_parts(const Extent *e)
{
    if (e->units <= 0 || e->unit < LEAST_ELEMENTS) return 1;
    return least(ENOUGH_UNITS / e->units, least(e->unit / PART_ELEMENTS, e->rows / PART_ROWS));
}

static int64_t largest_divisor(int64_t n, int64_t bound)
{
    for (int64_t k = least(n, bound); k > 1; k--)
        if (n % k == 0) return k;
    return 1;
}

/* x with axis k as two: [.., part, n / part, ..]. */
static Node *split_axis(Graph *g, Node *x, int axis, int64_t part)
{
    Type type = x->type;
    int64_t n = dim_value(type.dim[axis]);
    type.rank++;
    for (int k = type.rank - 1; k > axis; k--) type.dim[k] = type.dim[k - 1];
    type.dim[axis] = dim_int(g->dims, part);
    type.dim[axis + 1] = dim_int(g->dims, n / part);
    return make_reshape(g, x->op == OP_reshape ? x->args[0] : x, type);
}

static uint32_t axes_between(int first, int last) { return all_axes(last + 1) & ~all_axes(first); }

/* Whether an element of x is made of that element of one product, and of constants, in a few steps. */
static bool is_of_product(const Node *x, int steps, const Node **product)
{
    if (x->op == OP_const) return true;
    if (x->op == OP_expand) return x->args[0]->op == OP_const;
    if (x->op == OP_einsum) {
        bool same = !*product || *product == x;
        *product = x;
        return same;
    }
    bool is = op_is_element(x->op) && steps > 0;
    for (int k = 0; is && k < x->arg_count; k++) is = is_of_product(x->args[k], steps - 1, product);
    return is;
}

/* A number for each row of a product, which can be made of the product's tiles while they are in a cache, such as a
 * gradient's sum of squares. */
static bool goes_by_rows(const Node *node, const Extent *e)
{
    const Node *x = node->args[0], *product = NULL;
    bool all = e->first == 0 && e->last == x->type.rank - 1 && e->first < e->last && e->unit > 0;
    int64_t row = all ? dim_value(x->type.dim[e->last]) : 0;
    return all && row >= LEAST_ROW && e->unit >= LEAST_ELEMENTS && is_of_product(x, STEPS, &product) && product;
}

/* Keeps whole leading axes while they fit into the wanted parts, then splits the next one. */
static Node *cut_adjacent(Graph *g, Node *node)
{
    Extent e = extent_of(node);
    Node *x = node->args[0];
    int64_t wanted = wanted_parts(&e), parts = 1;
    int axis = e.first, last = e.last;
    if (goes_by_rows(node, &e)) {
        Node *rows = make_reduce(g, node->op, x, axes_between(last, last));
        return cut_adjacent(g, make_reduce(g, node->op, rows, axes_between(axis, last - 1)));
    }
    if (wanted < 2) return node;         /* also when there is nothing to reduce */
    while (axis < last && parts * dim_value(x->type.dim[axis]) <= wanted) parts *= dim_value(x->type.dim[axis++]);
    if (parts * e.units < FEW_UNITS && x->type.rank < MAX_RANK) {
        int64_t split = largest_divisor(dim_value(x->type.dim[axis]), wanted / parts);
        if (split > 1) {
            x = split_axis(g, x, axis++, split);
            last++;
            parts *= split;
        }
    }
    if (parts < 2) return node;
    Node *partial = make_reduce(g, node->op, x, axes_between(axis, last));
    return make_reduce(g, node->op, partial, axes_between(e.first, axis - 1));
}

Node *cut_reduction(Graph *g, Node *reduction)
{
    Node *x = reduction->args[0];
    int last = x->type.rank - 1;
    while (!reduces(reduction, last)) last--;
    int first = last;
    while (first > 0 && reduces(reduction, first - 1)) first--;
    uint32_t inner = axes_between(first, last), outer = reduction->attr.axes & ~inner;
    if (!outer) return cut_adjacent(g, reduction);
    return cut_reduction(
        g, make_reduce(g, reduction->op, cut_adjacent(g, make_reduce(g, reduction->op, x, inner)), outer));
}
