/* Which values are made by strips together: from a product of rows and columns on to everything that has both of these
 * axes, down to what has one of them only. */
#include "passes/strip.h"

#include "ir/contraction.h"

#include <string.h>

/* ---- axes ---- */

/* The axis of `to` that has the same place in row-major order, or AXIS_lost. */
static int reshaped_axis(const Type *from, const Type *to, int axis)
{
    int64_t before = 1, passed = 1, extent = dim_value(from->dim[axis]);
    for (int k = 0; k < axis; k++) before *= dim_value(from->dim[k]);
    for (int k = 0; k < to->rank; k++) {
        if (passed == before && dim_value(to->dim[k]) == extent) return k;
        passed *= dim_value(to->dim[k]);
    }
    return AXIS_lost;
}

static int letter_axis(const Node *einsum, int from, int axis, int to)
{
    char term[3][MAX_RANK + 1];
    einsum_terms(einsum->attr.text, term);
    const char *at = strchr(term[to], term[from][axis]);
    return at ? (int)(at - term[to]) : AXIS_none;
}

static int permuted_axis(const Node *node, int axis)
{
    for (int i = 0; i < node->type.rank; i++)
        if (node->attr.map[i] == axis) return i;
    return AXIS_lost;
}

static int count_reduced(const Node *node, int before)
{
    int count = 0;
    for (int i = 0; i < before; i++) count += node->attr.axes >> i & 1;
    return count;
}

static bool keeps_axes(const Node *node)
{
    return op_is_element(node->op) || node->op == OP_cast || node->op == OP_stop;
}

int strip_axis_up(const Node *node, int k, int axis)
{
    if (axis < 0 || keeps_axes(node)) return axis;
    switch ((int)node->op) {
    case OP_permute:
        return permuted_axis(node, axis);
    case OP_reshape:
        return reshaped_axis(&node->args[0]->type, &node->type, axis);
    case OP_expand:
        return node->attr.map[axis];
    case OP_sum:
    case OP_reduce_max:
        return node->attr.axes >> axis & 1 ? AXIS_none : axis - count_reduced(node, axis);
    case OP_einsum:
        return letter_axis(node, k, axis, 2);
    default:
        return AXIS_lost;
    }
}

static int unexpanded_axis(const Node *node, int axis)
{
    const Type *from = &node->args[0]->type;
    for (int i = 0; i < from->rank; i++)
        if (node->attr.map[i] == axis)
            return dim_value(from->dim[i]) == dim_value(node->type.dim[axis]) ? i : AXIS_none;
    return AXIS_none;
}

static int unreduced_axis(const Node *node, int axis)
{
    int i = 0;
    for (int left = axis; left > 0 || node->attr.axes >> i & 1; i++) left -= !(node->attr.axes >> i & 1);
    return i;
}

int strip_axis_down(const Node *node, int k, int axis)
{
    if (axis < 0 || keeps_axes(node)) return axis;
    switch ((int)node->op) {
    case OP_permute:
        return node->attr.map[axis];
    case OP_reshape:
        return reshaped_axis(&node->type, &node->args[0]->type, axis);
    case OP_expand:
        return unexpanded_axis(node, axis);
    case OP_sum:
    case OP_reduce_max:
        return unreduced_axis(node, axis);
    case OP_einsum:
        return letter_axis(node, 2, axis, k);
    default:
        return AXIS_lost;
    }
}

StripAxes strip_axes_down(const Node *node, int k, StripAxes axes)
{
    return (StripAxes){(int8_t)strip_axis_down(node, k, axes.row), (int8_t)strip_axis_down(node, k, axes.column)};
}

static bool same_axes(StripAxes a, StripAxes b)
{
    return a.row == b.row && a.column == b.column;
}

static bool is_wide(const Region *r, const Node *node)
{
    return r->role[node->id] == STRIP_full || r->role[node->id] == STRIP_side;
}

/* By the letters that rows and columns have in an operand of both, else in the result. */
static StripAxes operand_axes(const Region *r, const Node *einsum, int k)
{
    int from = is_wide(r, einsum->args[0]) ? 0 : is_wide(r, einsum->args[1]) ? 1 : 2;
    StripAxes axes = r->axes[from < 2 ? einsum->args[from]->id : einsum->id];
    if (from == k) return axes;
    if (axes.row >= 0) axes.row = (int8_t)letter_axis(einsum, from, axes.row, k);
    if (axes.column >= 0) axes.column = (int8_t)letter_axis(einsum, from, axes.column, k);
    return axes;
}

StripAxes strip_argument_axes(const Region *r, const Node *user, int k)
{
    const Node *a = user->args[k];
    bool reduces = user->op == OP_sum || user->op == OP_reduce_max;
    if (user->op == OP_einsum) return operand_axes(r, user, k);
    if (reduces && (is_wide(r, a) || r->role[a->id] == STRIP_row)) return r->axes[a->id];
    return strip_axes_down(user, k, r->axes[user->id]);
}

bool strip_is_part(const Region *r, const Node *user, int k)
{
    const Node *a = user->args[k];
    StripRole role = r->role[a->id];
    if (r->role[user->id] == STRIP_outside || role == STRIP_outside || role == STRIP_end) return false;
    return same_axes(strip_argument_axes(r, user, k), r->axes[a->id]);
}

int64_t strip_first_row(const Region *r, int strip)
{
    return strip * r->rows;
}

int64_t strip_row_count(const Region *r, int strip)
{
    int64_t left = dim_value(r->all_rows) - strip_first_row(r, strip);
    return left < r->rows ? left : r->rows;
}

/* ---- growing ---- */

typedef struct Grow {
    const StripGraph *s;
    Region *r;
    Vec(const Node *) todo;
} Grow;

static void refuse(Region *r, const Node *node, const char *why)
{
    if (r->broken) return;
    r->broken = node;
    r->why = why;
}

static void set_role(Grow *w, const Node *node, StripRole role, StripAxes axes)
{
    Region *r = w->r;
    StripRole old = r->role[node->id];
    if (old != STRIP_outside && !same_axes(axes, r->axes[node->id]))
        refuse(r, node, "is asked for along different axes");
    if (old == role || old == STRIP_full) return;
    r->role[node->id] = role;
    r->axes[node->id] = axes;
    r->leaves[node->id] = role == STRIP_end;
    if (role != STRIP_end) vec_push(w->s->arena, &w->todo, node);
}

static bool is_cuttable(const Node *node)
{
    switch ((int)node->op) {
    case OP_cast:
    case OP_stop:
    case OP_permute:
    case OP_reshape:
    case OP_expand:
    case OP_sum:
    case OP_reduce_max:
    case OP_einsum:
        return true;
    default:
        return op_is_element(node->op);
    }
}

/* Whether a strip can make its part of a node from parts of its arguments. */
static bool is_made_by_parts(const Node *node, StripAxes axes)
{
    bool fits = is_cuttable(node);
    for (int k = 0; fits && k < node->arg_count; k++) {
        StripAxes below = strip_axes_down(node, k, axes);
        fits = below.row != AXIS_lost && below.column != AXIS_lost;
    }
    return fits;
}

/* What a full node is made of. What has neither rows nor columns, or one of them, stays outside for now. */
static void take_arguments(Grow *w, const Node *node)
{
    StripAxes axes = w->r->axes[node->id];
    StripRole role = w->r->role[node->id];
    for (int k = 0; k < node->arg_count; k++) {
        const Node *a = node->args[k];
        StripAxes below = strip_axes_down(node, k, axes);
        if (below.row < 0 || below.column < 0 || !is_made_by_parts(a, below)) continue;
        bool made = a->op == OP_einsum || w->r->role[a->id] == STRIP_full;
        set_role(w, a, made ? STRIP_full : STRIP_side, below);
        if (role == STRIP_side && w->r->role[a->id] == STRIP_full) set_role(w, node, STRIP_full, axes);
    }
}

static void meet_user(Grow *w, const Node *node, const Node *user, int k)
{
    StripAxes axes = w->r->axes[node->id];
    StripAxes up = {(int8_t)strip_axis_up(user, k, axes.row), (int8_t)strip_axis_up(user, k, axes.column)};
    bool adds = user->op == OP_einsum || user->op == OP_sum;
    if (!is_cuttable(user) || up.row == AXIS_lost || up.column == AXIS_lost)
        refuse(w->r, user, "asks for all of it");
    else if (up.row >= 0 && up.column >= 0 && !is_made_by_parts(user, up))
        refuse(w->r, user, "asks for all of it");
    else if (up.row >= 0 && up.column >= 0)
        set_role(w, user, STRIP_full, up);
    else if (up.row >= 0 && user->op == OP_einsum)
        set_role(w, user, STRIP_end, up);
    else if (up.row >= 0)
        set_role(w, user, STRIP_row, up);
    else if (adds)
        set_role(w, user, STRIP_end, up);
    else
        refuse(w->r, user, "is the largest over rows");
}

static void meet_users(Grow *w, const Node *node)
{
    const StripGraph *s = w->s;
    if (s->is_output[node->id]) refuse(w->r, node, "is a result");
    for (int j = 0; j < s->user_count[node->id]; j++) {
        const Node *user = s->users[node->id][j];
        for (int k = 0; k < user->arg_count; k++)
            if (user->args[k] == node) meet_user(w, node, user, k);
    }
}

static void grow(Grow *w)
{
    while (w->todo.count && !w->r->broken) {
        const Node *node = w->todo.at[--w->todo.count];
        StripRole role = w->r->role[node->id];
        if (role == STRIP_full || role == STRIP_side) take_arguments(w, node);
        if (w->r->role[node->id] == STRIP_full) meet_users(w, node);
    }
}

/* ---- rows ---- */

/* Gives candidates of rows the axis that they have them along: what is made of reduced values, row by row. */
static void mark_below_reductions(Grow *w, int8_t *row)
{
    const Graph *g = w->s->graph;
    for (int id = 0; id < g->nodes.count; id++) {
        const Node *n = g->nodes.at[id];
        StripRole role = w->r->role[id];
        row[id] = role == STRIP_row ? w->r->axes[id].row : AXIS_none;
        bool open = role == STRIP_outside && w->s->live[id] && n->op != OP_einsum && is_cuttable(n);
        for (int k = 0; open && k < n->arg_count; k++) {
            int up = strip_axis_up(n, k, row[n->args[k]->id]);
            if (up >= 0 && is_made_by_parts(n, (StripAxes){(int8_t)up, AXIS_none})) row[id] = (int8_t)up;
        }
    }
}

/* Of these, those that lead back to full ones belong to the region. */
static void keep_above_full(Grow *w, const int8_t *row)
{
    const Graph *g = w->s->graph;
    for (int id = g->nodes.count - 1; id >= 0; id--) {
        const Node *n = g->nodes.at[id];
        StripRole role = w->r->role[id];
        if (role != STRIP_full && role != STRIP_row && role != STRIP_side) continue;
        for (int k = 0; k < n->arg_count; k++) {
            const Node *a = n->args[k];
            int down = strip_axis_down(n, k, w->r->axes[id].row);
            bool belongs = w->r->role[a->id] == STRIP_outside && row[a->id] >= 0 && down == row[a->id];
            if (!belongs) continue;
            w->r->role[a->id] = STRIP_row;
            w->r->axes[a->id] = (StripAxes){row[a->id], AXIS_none};
        }
    }
}

/* What is asked for outside, or along other axes: then only whole. */
static void find_leaving(Grow *w)
{
    const Graph *g = w->s->graph;
    Region *r = w->r;
    bool *asked = arena_array(w->s->arena, bool, g->nodes.count + 1);
    for (int id = g->nodes.count - 1; id >= 0; id--) {
        const Node *n = g->nodes.at[id];
        asked[id] = w->s->is_output[id];
        for (int j = 0; !asked[id] && j < w->s->user_count[id]; j++) {
            const Node *user = w->s->users[id][j];
            for (int k = 0; k < user->arg_count; k++)
                if (user->args[k] == n &&
                    (!strip_is_part(r, user, k) || (r->role[user->id] == STRIP_side && asked[user->id])))
                    asked[id] = true;
        }
        if (r->role[id] == STRIP_row) r->leaves[id] = asked[id];
        if (r->role[id] != STRIP_side || !asked[id]) continue;
        for (int k = 0; k < n->arg_count; k++)
            if (r->role[n->args[k]->id] == STRIP_row) refuse(r, n, "is asked for as a whole");
    }
}

Region *strip_grow(const StripGraph *s, const Node *seed, int rows_of)
{
    Arena *arena = s->arena;
    int count = s->graph->nodes.count;
    Region *r = arena_new_of(arena, Region);
    *r = (Region){.seed = seed,
                  .role = arena_array(arena, StripRole, count),
                  .axes = arena_array(arena, StripAxes, count),
                  .leaves = arena_array(arena, bool, count)};
    Grow w = {.s = s, .r = r};
    StripAxes axes = {AXIS_none, AXIS_none};
    for (int k = seed->type.rank - 1; k >= 0; k--) {
        bool in[2] = {letter_axis(seed, 2, k, 0) >= 0, letter_axis(seed, 2, k, 1) >= 0};
        int8_t *axis = in[rows_of] ? &axes.row : &axes.column;
        bool longer = *axis < 0 || dim_value(seed->type.dim[k]) > dim_value(seed->type.dim[*axis]);
        if (in[0] != in[1] && longer) *axis = (int8_t)k;
    }
    r->all_rows = seed->type.dim[axes.row];
    r->all_columns = seed->type.dim[axes.column];
    set_role(&w, seed, STRIP_full, axes);
    grow(&w);
    int8_t *row = arena_array(arena, int8_t, count + 1);
    mark_below_reductions(&w, row);
    keep_above_full(&w, row);
    find_leaving(&w);
    return r;
}
