/* The graph with regions cut: ends of one level are made strip by strip, each strip's values one after the other, so
 * that a plan in this order holds those of one strip at a time. A level is how often the way to a node has left a
 * region: the gradient's ends are on a later one than those of the forward pass. There nothing is kept from the earlier
 * level but made again, from the same values by another name (`stop`), since equal nodes are one. */
#include "passes/strip.h"

typedef struct Made {
    Node *node;
    int level;                           /* where it was made */
} Made;

typedef struct Make {
    const StripGraph *s;
    Graph *g;
    Node **copy;                         /* by id: whole */
    int *level;                          /* by id */
    Region *const *regions;
    Made **made;                         /* of each region: by strip and id */
    int count;                           /* of regions */
} Make;

/* One strip of a region. */
typedef struct Strip {
    Make *m;
    const Region *r;
    int number, level;
    Made *made;                          /* by id */
} Strip;

static Node *copy_of(Make *m, const Node *old);
static Node *part_of(const Strip *p, const Node *node, StripAxes axes);

/* ---- parts ---- */

static const Dim *extent(const Strip *p, int64_t n)
{
    return dim_int(p->m->g->dims, n);
}

static bool has_all_columns(const Region *r, int strip)
{
    return r->columns[strip] == dim_value(r->all_columns);
}

static Type part_type(const Strip *p, Type type, StripAxes axes)
{
    if (axes.row >= 0) type.dim[axes.row] = extent(p, strip_row_count(p->r, p->number));
    bool cut = axes.column >= 0 && !has_all_columns(p->r, p->number);
    if (cut) type.dim[axes.column] = extent(p, p->r->columns[p->number]);
    return type;
}

/* Of a value that there is as a whole. */
static Node *slice_of(const Strip *p, Node *x, StripAxes axes)
{
    Graph *g = p->m->g;
    int64_t first = strip_first_row(p->r, p->number), rows = strip_row_count(p->r, p->number);
    if (axes.row >= 0) x = build_part(g, x, axes.row, extent(p, first), extent(p, rows));
    if (axes.column < 0 || has_all_columns(p->r, p->number)) return x;
    return build_part(g, x, axes.column, extent(p, 0), extent(p, p->r->columns[p->number]));
}

static Node *rebuild(const Strip *p, const Node *node, Node **args, StripAxes axes)
{
    Graph *g = p->m->g;
    Type type = part_type(p, node->type, axes);
    g->origin = NULL;
    Node *part = build(g, node->op, args, node->arg_count, &node->attr, &type);
    graph_add_origins(g, part, node);
    return part;
}

static Node *part_of_outside(const Strip *p, const Node *node, StripAxes axes)
{
    if (axes.row < 0 && axes.column < 0) return copy_of(p->m, node);
    if (node->op == OP_expand) {
        Node *x = part_of(p, node->args[0], strip_axes_down(node, 0, axes));
        return rebuild(p, node, &x, axes);
    }
    Node *x = copy_of(p->m, node);
    build_at(p->m->g, node);
    return slice_of(p, x, axes);
}

/* The smaller operand that is there as a whole; -1: there is none. */
static int outer_operand(const Region *r, const Node *einsum)
{
    int best = -1;
    for (int k = 0; k < 2; k++) {
        const Node *a = einsum->args[k];
        bool smaller = best < 0 || type_value_elements(&a->type) < type_value_elements(&einsum->args[best]->type);
        if (r->role[a->id] == STRIP_outside && smaller) best = k;
    }
    return best;
}

static Node *make_part(const Strip *p, const Node *node)
{
    const Region *r = p->r;
    bool again = node->op == OP_einsum && r->role[node->id] == STRIP_full && p->m->level[node->id] < p->level;
    int renamed = again ? outer_operand(r, node) : -1;
    Node *args[3];
    for (int k = 0; k < node->arg_count; k++) {
        StripAxes axes = strip_argument_axes(r, node, k);
        if (k == renamed)
            args[k] = slice_of(p, make_unary(p->m->g, OP_stop, copy_of(p->m, node->args[k])), axes);
        else if (strip_is_part(r, node, k))
            args[k] = part_of(p, node->args[k], axes);
        else
            args[k] = part_of_outside(p, node->args[k], axes);
    }
    return rebuild(p, node, args, r->axes[node->id]);
}

static Node *part_of(const Strip *p, const Node *node, StripAxes axes)
{
    StripRole role = p->r->role[node->id];
    StripAxes own = p->r->axes[node->id];
    bool inside = role != STRIP_outside && own.row == axes.row && own.column == axes.column;
    if (!inside) return part_of_outside(p, node, axes);
    Made *made = &p->made[node->id];
    if (made->node && made->level == p->level) return made->node;
    *made = (Made){make_part(p, node), p->level};
    return made->node;
}

/* ---- ends ---- */

static Node *join_rows(Make *m, const Node *end, Node *const *part, const Region *r)
{
    Node *joined = make_concat(m->g, part, r->strips, r->axes[end->id].row);
    return make_reshape(m->g, joined, end->type); /* the same extents, perhaps by other names */
}

static Node *add_strips(Make *m, const Node *end, Node *const *part, const Region *r)
{
    int column = r->axes[end->id].column;
    Node *sum = NULL;
    for (int k = 0; k < r->strips; k++) {
        Node *x = part[k];
        if (column >= 0 && !has_all_columns(r, k))
            x = build_place(m->g, x, column, dim_int(m->g->dims, 0), end->type.dim[column]);
        sum = sum ? make_binary(m->g, OP_add, sum, x) : x;
    }
    return sum;
}

/* All ends of the level. */
static void make_ends(Make *m, Region *r, int level, Made *made)
{
    int count = m->s->graph->nodes.count;
    Node *(*part)[STRIPS_AT_MOST] = arena_alloc(m->s->arena, sizeof *part * (size_t)count);
    for (int k = 0; k < r->strips; k++) {
        Strip p = {m, r, k, level, made + (size_t)k * (size_t)count};
        for (int id = 0; id < count; id++)
            if (r->leaves[id] && m->level[id] == level)
                part[id][k] = part_of(&p, m->s->graph->nodes.at[id], r->axes[id]);
    }
    for (int id = 0; id < count; id++) {
        const Node *end = m->s->graph->nodes.at[id];
        if (!r->leaves[id] || m->level[id] != level) continue;
        build_at(m->g, end);
        bool rows = r->axes[id].row >= 0;
        m->copy[id] = rows ? join_rows(m, end, part[id], r) : add_strips(m, end, part[id], r);
    }
}

/* ---- the graph ---- */

static Node *copy_of(Make *m, const Node *old)
{
    if (m->copy[old->id]) return m->copy[old->id];
    for (int k = 0; k < m->count; k++) {
        if (!m->regions[k]->leaves[old->id]) continue;
        make_ends(m, m->regions[k], m->level[old->id], m->made[k]);
        return m->copy[old->id];
    }
    Node **args = arena_array(m->s->arena, Node *, old->arg_count + 1);
    for (int k = 0; k < old->arg_count; k++) args[k] = copy_of(m, old->args[k]);
    m->g->origin = NULL;
    m->copy[old->id] = graph_rebuild(m->g, old, args);
    return m->copy[old->id];
}

static void find_levels(Make *m)
{
    const Graph *from = m->s->graph;
    for (int id = 0; id < from->nodes.count; id++) {
        const Node *n = from->nodes.at[id];
        for (int k = 0; k < n->arg_count; k++) {
            int a = (int)n->args[k]->id, level = m->level[a];
            for (int j = 0; j < m->count; j++)
                if (m->regions[j]->leaves[a] && !strip_is_part(m->regions[j], n, k)) level = m->level[a] + 1;
            if (level > m->level[id]) m->level[id] = level;
        }
    }
}

/* What only strips make. */
static bool is_within(const Make *m, int id)
{
    for (int k = 0; k < m->count; k++)
        if (m->regions[k]->role[id] != STRIP_outside && !m->regions[k]->leaves[id]) return true;
    return false;
}

Graph *strip_make(const StripGraph *s, Region *const *regions, int count)
{
    int nodes = s->graph->nodes.count;
    Make m = {.s = s, .g = graph_like(s->arena, s->graph), .regions = regions, .count = count};
    m.copy = arena_array(s->arena, Node *, nodes + 1);
    m.level = arena_array(s->arena, int, nodes + 1);
    m.made = arena_array(s->arena, Made *, count + 1);
    for (int k = 0; k < count; k++) m.made[k] = arena_array(s->arena, Made, regions[k]->strips * nodes);
    find_levels(&m);
    for (int k = 0; k < s->graph->inputs.count; k++) copy_of(&m, s->graph->inputs.at[k]);
    for (int id = 0; id < nodes; id++)
        if (s->live[id] && !is_within(&m, id)) copy_of(&m, s->graph->nodes.at[id]);
    for (int k = 0; k < s->graph->outputs.count; k++) {
        const Output *o = &s->graph->outputs.at[k];
        graph_output(m.g, o->kind, o->name, copy_of(&m, o->node));
    }
    return m.g;
}
