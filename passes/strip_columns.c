/* How many columns of a strip there are to make: behind those that any of its rows can see, scores are -inf and their
 * exponentials 0 (a causal mask), and so is what is multiplied with them, if that is finite. All that is made of the
 * columns (sums, largest values, products over them) is the same without those. */
#include "passes/strip.h"

#include <math.h>

enum { GRAIN = 16 }; /* columns are counted in these */

/* The values of a full node in the columns left out. */
typedef enum Behind { BEHIND_any, BEHIND_zero, BEHIND_least } Behind;

typedef struct Look {
    const StripGraph *s;
    const Region *r;
    int64_t first_row, last_row;
    int64_t columns;                     /* as tried: those from here on are left out */
    Behind *behind;                      /* by id */
} Look;

/* ---- what whole numbers and conditions are there ---- */

typedef struct Range {
    bool known;
    int64_t from, to;
} Range;

static const Range unknown = {false, 0, 0};

static Range range_of(const Look *l, const Node *n, StripAxes axes);

static Range range_of_iota(const Look *l, const Node *n, StripAxes axes)
{
    if (n->attr.axis == axes.row) return (Range){true, l->first_row, l->last_row};
    int64_t last = dim_value(n->type.dim[n->attr.axis]) - 1;
    return (Range){true, n->attr.axis == axes.column ? l->columns : 0, last};
}

static Range range_of_pair(const Look *l, const Node *n, StripAxes axes)
{
    Range a = range_of(l, n->args[0], axes), b = range_of(l, n->args[1], axes), out = {true, 0, 0};
    bool narrow = a.from > -INT32_MAX && a.to < INT32_MAX && b.from > -INT32_MAX && b.to < INT32_MAX;
    if (!a.known || !b.known || !narrow) return unknown;
    if (n->op == OP_add) return (Range){true, a.from + b.from, a.to + b.to};
    int64_t corner[] = {a.from * b.from, a.from * b.to, a.to * b.from, a.to * b.to};
    out.from = out.to = corner[0];
    for (int k = 1; k < 4; k++) {
        if (corner[k] < out.from) out.from = corner[k];
        if (corner[k] > out.to) out.to = corner[k];
    }
    return out;
}

/* Numbers that wrap are none that count places: all that is made here must fit in 32 bits. */
static Range range_of(const Look *l, const Node *n, StripAxes axes)
{
    bool counts = n->type.dtype == DT_i32 || n->type.dtype == DT_i64;
    Range r = unknown;
    if (!counts) return unknown;
    switch ((int)n->op) {
    case OP_const:
        r = (Range){true, n->attr.i, n->attr.i};
        break;
    case OP_iota:
        r = range_of_iota(l, n, axes);
        break;
    case OP_add:
    case OP_mul:
        r = range_of_pair(l, n, axes);
        break;
    case OP_stop:
    case OP_cast:
    case OP_permute:
    case OP_reshape:
    case OP_expand:
        r = range_of(l, n->args[0], strip_axes_down(n, 0, axes));
        break;
    default:
        break;
    }
    return r.known && r.from > -INT32_MAX && r.to < INT32_MAX ? r : unknown;
}

typedef enum Truth { TRUTH_open, TRUTH_never, TRUTH_always } Truth;

static Truth truth_of(const Look *l, const Node *n, StripAxes axes)
{
    Truth a = TRUTH_open, b = TRUTH_open;
    switch ((int)n->op) {
    case OP_not:
        a = truth_of(l, n->args[0], axes);
        return a == TRUTH_never ? TRUTH_always : a == TRUTH_always ? TRUTH_never : TRUTH_open;
    case OP_and:
        a = truth_of(l, n->args[0], axes), b = truth_of(l, n->args[1], axes);
        if (a == TRUTH_never || b == TRUTH_never) return TRUTH_never;
        return a == TRUTH_always ? b : TRUTH_open;
    case OP_lt: {
        Range x = range_of(l, n->args[0], axes), y = range_of(l, n->args[1], axes);
        if (!x.known || !y.known) return TRUTH_open;
        return x.to < y.from ? TRUTH_always : x.from >= y.to ? TRUTH_never : TRUTH_open;
    }
    case OP_stop:
    case OP_permute:
    case OP_reshape:
    case OP_expand:
        return truth_of(l, n->args[0], strip_axes_down(n, 0, axes));
    default:
        return TRUTH_open;
    }
}

/* ---- what values are there ---- */

static Behind behind_of_constant(const Node *n)
{
    while (n->op == OP_expand || n->op == OP_reshape || n->op == OP_permute || n->op == OP_stop) n = n->args[0];
    if (n->op != OP_const || !dtype_is_float(n->type.dtype)) return BEHIND_any;
    return n->attr.f == 0 ? BEHIND_zero : n->attr.f == -INFINITY ? BEHIND_least : BEHIND_any;
}

static Behind behind_of(const Look *l, const Node *n)
{
    StripRole role = l->r->role[n->id];
    return role == STRIP_full || role == STRIP_side ? l->behind[n->id] : behind_of_constant(n);
}

static Behind behind_made(const Look *l, const Node *n)
{
    Behind a = n->arg_count > 0 ? behind_of(l, n->args[0]) : BEHIND_any;
    Behind b = n->arg_count > 1 ? behind_of(l, n->args[1]) : BEHIND_any;
    switch ((int)n->op) {
    case OP_where: {
        Truth c = truth_of(l, n->args[0], l->r->axes[n->id]);
        Behind other = behind_of(l, n->args[2]);
        return c == TRUTH_always ? b : c == TRUTH_never ? other : b == other ? b : BEHIND_any;
    }
    case OP_exp:
        return a == BEHIND_least ? BEHIND_zero : BEHIND_any;
    case OP_mul:
        return a == BEHIND_zero || b == BEHIND_zero ? BEHIND_zero : BEHIND_any;
    case OP_div:
        return a == BEHIND_zero ? BEHIND_zero : BEHIND_any;
    case OP_add:
        if (a == BEHIND_least || b == BEHIND_least) return BEHIND_least;
        return a == b ? a : BEHIND_any;
    case OP_stop:
    case OP_cast:
    case OP_permute:
    case OP_reshape:
    case OP_expand:
        return behind_of(l, n->args[0]) == BEHIND_any ? behind_of_constant(n) : a;
    default:
        return BEHIND_any;
    }
}

/* Whether what a node makes of columns is the same without those left out. */
static bool does_without(const Look *l, const Node *n)
{
    bool loses = false, adds_zeros = false;
    for (int k = 0; k < n->arg_count; k++) {
        const Node *a = n->args[k];
        if (l->r->role[a->id] != STRIP_full && l->r->role[a->id] != STRIP_side) continue;
        loses = true;
        adds_zeros = adds_zeros || l->behind[a->id] == (n->op == OP_reduce_max ? BEHIND_least : BEHIND_zero);
    }
    return !loses || adds_zeros;
}

static bool fits(Look *l, int64_t columns)
{
    const Graph *g = l->s->graph;
    l->columns = columns;
    for (int id = 0; id < g->nodes.count; id++) {
        const Node *n = g->nodes.at[id];
        StripRole role = l->r->role[id];
        if (role == STRIP_full || role == STRIP_side) l->behind[id] = behind_made(l, n);
        if ((role == STRIP_row || role == STRIP_end) && !does_without(l, n)) return false;
    }
    return true;
}

void strip_find_columns(const StripGraph *s, Region *r)
{
    Look l = {.s = s, .r = r, .behind = arena_array(s->arena, Behind, s->graph->nodes.count + 1)};
    for (int k = 0; k < r->strips; k++) {
        l.first_row = strip_first_row(r, k);
        l.last_row = l.first_row + strip_row_count(r, k) - 1;
        int64_t all = dim_value(r->all_columns), few = 0, enough = (all + GRAIN - 1) / GRAIN;
        while (enough - few > 1) { /* so many times GRAIN are enough, so few are not */
            int64_t middle = few + (enough - few) / 2;
            if (fits(&l, middle * GRAIN))
                enough = middle;
            else
                few = middle;
        }
        r->columns[k] = enough * GRAIN < all ? enough * GRAIN : all;
    }
}
