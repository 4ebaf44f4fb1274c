/* Updates by rows. A gradient that is scattered into zeros touches few rows of its table; where the rest of it is zero,
 * so is what follows from it, and new values are old ones. What such a gradient feeds is then computed for the
 * scattered rows alone: duplicates added in their order, in the row of the last one, every sum over the gradient over
 * those rows, and new values written, or added, to the rows that occur.
 *
 * Needs: a graph from `simplify`. Guarantees: the same outputs; values but for the order of additions the same, except
 * that with the optimizer's result "lazy" rows without gradient stay as they are, whatever the optimizer would do with
 * a zero; notes which tables are updated by rows, and why others are not. */
#include "passes/simplify.h"
#include "passes/passes.h"

#include <string.h>

enum { LEAST_SHARE = 2 };                /* rows of the table for each one scattered, else dense is no dearer */

/* What a node is where the gradient is zero: zero, or what another node is, or neither of them. */
typedef struct Idle {
    bool        zero;
    const Node *node;
} Idle;

/* How a node depends on the gradient: not at all (or by sums over all of it), element by element, by parts of a sum. */
typedef enum Share { SHARE_none, SHARE_rows, SHARE_parts } Share;

/* A gradient of shape [V, ..] as N rows and the places they are added to. */
typedef struct Table {
    const Node *gradient;
    int64_t     scattered;               /* N */
    Share      *share;                   /* by id in the given graph */
    Idle       *idle;                    /* of what has a share */
    const char *name;                    /* of the parameter that it is a gradient of; NULL: of none */
    Node       *ids;                     /* in the new graph: [N], -1 for none */
    Node       *owned;                   /* the same where the row's sum stands, -1 elsewhere */
    Node      **rows;                    /* by id in the given graph: its rows [N, ..]; NULL: not asked for */
} Table;

typedef struct Sparse {
    Arena *arena;
    const Graph *from;
    const PassOptions *options;
    Graph *to;
    Node **copy;                         /* by id in the given graph */
    Table **table;                       /* of the nodes that a table has a share in */
    bool   changes;
} Sparse;

/* ---- finding ---- */

static bool is_zero(const Node *x) { return is_splat_float(x, 0.0) || is_splat_whole(x, 0); }

/* Rows added into zeros, in one go or several. */
static bool is_scattered(const Node *n)
{
    if (n->op == OP_add) return is_scattered(n->args[0]) && is_scattered(n->args[1]);
    bool rows = n->op == OP_scatter && n->attr.i == 1 && n->attr.axis == 0 && n->arg_count == 3;
    return rows && dtype_is_float(n->type.dtype) && (is_zero(n->args[0]) || is_scattered(n->args[0]));
}

static int64_t scattered_rows(const Node *n)
{
    if (n->op == OP_add) return scattered_rows(n->args[0]) + scattered_rows(n->args[1]);
    int64_t own = type_value_elements(&n->args[2]->type);
    return is_zero(n->args[0]) ? own : own + scattered_rows(n->args[0]);
}

static bool is_not_above_zero(const Node *x)
{
    const Node *c = splat_of(x);
    return c && (dtype_is_float(c->type.dtype) ? c->attr.f <= 0 : c->attr.i <= 0);
}

static Idle idle_of(const Table *t, const Node *n)
{
    return t->share[n->id] == SHARE_none ? (Idle){is_zero(n), n} : t->idle[n->id];
}

/* An element operator where the gradient is zero. */
static Idle idle_element(const Table *t, const Node *n)
{
    static const Idle nothing = {.zero = true}, unknown = {0};
    Idle a = idle_of(t, n->args[0]), b = n->arg_count > 1 ? idle_of(t, n->args[1]) : unknown;
    switch ((int)n->op) {
    case OP_mul: return a.zero || b.zero ? nothing : unknown;
    case OP_div: return a.zero ? nothing : unknown;
    case OP_add: return a.zero ? b : b.zero ? a : unknown;
    case OP_max: return (a.zero && is_not_above_zero(n->args[1])) || (b.zero && is_not_above_zero(n->args[0])) ||
                        (a.zero && b.zero) ? nothing : unknown;
    case OP_where: {
        Idle c = idle_of(t, n->args[2]);
        return b.zero && c.zero ? nothing : b.node && b.node == c.node ? b : unknown;
    }
    case OP_sqrt:
    case OP_tanh:
    case OP_erf:
    case OP_sin:
    case OP_floor:
    case OP_cast: return a.zero ? nothing : unknown;
    default: return unknown;
    }
}

/* NULL, or why what the node makes of the gradient cannot be made of rows. */
static const char *take_share(Table *t, const Node *n)
{
    Share most = SHARE_none;
    for (int k = 0; k < n->arg_count; k++) {
        Share share = t->share[n->args[k]->id];
        if (share > most) most = share;
    }
    if (most == SHARE_none) return NULL;
    t->share[n->id] = SHARE_parts;
    if (most == SHARE_rows && (op_is_element(n->op) || n->op == OP_cast)) {
        t->share[n->id] = SHARE_rows;
        t->idle[n->id] = idle_element(t, n);
        return NULL;
    }
    if (n->op != OP_sum && n->op != OP_reshape) return "needs more of the gradient than its rows one by one";
    bool adds_nothing = t->idle[n->args[0]->id].zero;
    if (n->op == OP_sum && n->type.rank == 0) t->share[n->id] = SHARE_none;
    t->idle[n->id].zero = adds_nothing;
    return adds_nothing ? NULL : "adds up what is not zero where the gradient is";
}

/* The optimizer's code of the parameter that an update belongs to, by its own name or that of its state. */
static const ParamUpdate *owner_of(const PassOptions *options, const char *update)
{
    static const char prefix[] = "optimizer.";
    bool state = !strncmp(update, prefix, strlen(prefix));
    for (int k = 0; options->updates && k < options->trained_count; k++) {
        const char *param = options->updates[k].param, *name = state ? update + strlen(prefix) : update;
        size_t length = strlen(param);
        if (!strncmp(name, param, length) && name[length] == (state ? '.' : '\0')) return &options->updates[k];
    }
    return NULL;
}

static bool is_lazy(const ParamUpdate *update)
{
    for (int k = 0; update && k < update->code->outputs.count; k++) {
        const Output *o = &update->code->outputs.at[k];
        if (o->kind == OUTPUT_result && !strcmp(o->name, "lazy")) return is_splat_whole(o->node, 1);
    }
    return false;
}

static const char *refuse_output(const Sparse *s, Table *t, const Output *o)
{
    if (t->share[o->node->id] == SHARE_none) return NULL;
    if (o->kind == OUTPUT_result) return "its gradient is asked for as a result";
    const Node *old = graph_find_input(s->from, o->name);
    const ParamUpdate *owner = owner_of(s->options, o->name);
    if (owner && !t->name) t->name = owner->param;
    if (t->share[o->node->id] != SHARE_rows || t->idle[o->node->id].node == old || is_lazy(owner)) return NULL;
    return arena_print(s->arena, "\"%s\" also changes where no lookup sends a gradient", o->name);
}

static const char *place_of(Arena *arena, const Node *n)
{
    return n->origin_count ? origin_text(arena, n->origins[0]) : "-";
}

/* Of the outputs of one kind. */
static const char *refuse_outputs(const Sparse *s, Table *t, OutputKind kind)
{
    const char *why = NULL;
    for (int k = 0; k < s->from->outputs.count; k++) {
        const Output *o = &s->from->outputs.at[k];
        const char *wrong = o->kind == kind ? refuse_output(s, t, o) : NULL;
        if (wrong && !why) why = wrong;
    }
    return why;
}

/* What is said of updates comes first, since it is what a user knows. */
static const char *refuse(Sparse *s, Table *t)
{
    const Graph *g = s->from;
    const char *inside = NULL;
    for (int k = (int)t->gradient->id + 1; k < g->nodes.count; k++) {
        const Node *n = g->nodes.at[k];
        const char *wrong = take_share(t, n);
        if (wrong && !inside)
            inside = arena_print(s->arena, "%s %s @ %s", op_name(n->op), wrong, place_of(s->arena, n));
    }
    const char *why = refuse_outputs(s, t, OUTPUT_update);
    if (!why) why = inside;
    if (!why) why = refuse_outputs(s, t, OUTPUT_result);
    for (int k = 0; !why && k < g->nodes.count; k++)
        if (t->share[k] != SHARE_none && s->table[k]) why = "another table's rows meet its own";
    bool many = t->scattered * LEAST_SHARE > dim_value(t->gradient->type.dim[0]);
    return !why && many ? "half of its rows may occur in a step" : why;
}

static void note(const Sparse *s, const Table *t, const char *why)
{
    if (!t->name) return;
    int64_t all = dim_value(t->gradient->type.dim[0]);
    const char *text = arena_print(s->arena, "%s: only rows that occur are updated, at most %lld of %lld", t->name,
                                   (long long)t->scattered, (long long)all);
    if (why) text = arena_print(s->arena, "%s: every row is updated: %s", t->name, why);
    pass_note(s->arena, s->options, text);
}

/* Settles whether the gradient that a node is becomes rows. */
static void try_table(Sparse *s, const Node *gradient)
{
    int count = s->from->nodes.count;
    Table *t = arena_new_of(s->arena, Table);
    *t = (Table){.gradient = gradient, .scattered = scattered_rows(gradient)};
    t->share = arena_array(s->arena, Share, count);
    t->idle = arena_array(s->arena, Idle, count);
    t->rows = arena_array(s->arena, Node *, count);
    t->share[gradient->id] = SHARE_rows;
    t->idle[gradient->id] = (Idle){.zero = true};
    const char *why = refuse(s, t);
    note(s, t, why);
    if (why || !t->name) return;
    for (int k = 0; k < count; k++)
        if (t->share[k] != SHARE_none) s->table[k] = t;
    s->changes = true;
}

/* Those that are no part of a larger one. */
static void find_tables(Sparse *s)
{
    int count = s->from->nodes.count;
    bool *part = arena_array(s->arena, bool, count + 1);
    for (int k = count - 1; k >= 0; k--) {
        const Node *n = s->from->nodes.at[k];
        if (!is_scattered(n)) continue;
        if (n->op == OP_add) part[n->args[0]->id] = part[n->args[1]->id] = true;
        else part[n->args[0]->id] = true;
        if (!part[k]) try_table(s, n);
    }
}

/* ---- the gradient by rows ---- */

static Node *reshaped(Graph *g, Node *x, Type type)
{
    return type_same_shape(&x->type, &type) ? x : make_reshape(g, x, type);
}

/* Of a type that holds every number of a row, and -1. */
static Node *flat_ids(Sparse *s, const Node *scatter)
{
    Node *ids = s->copy[scatter->args[2]->id];
    const Dim *n = type_elements(s->to->dims, &ids->type);
    DType dtype = dim_value(scatter->type.dim[0]) <= INT32_MAX ? DT_i32 : DT_i64;
    ids = reshaped(s->to, ids, type_of(ids->type.dtype, 1, &n));
    return ids->type.dtype == dtype ? ids : make_cast(s->to, ids, dtype);
}

static Node *flat_values(Sparse *s, const Node *scatter)
{
    Node *v = s->copy[scatter->args[1]->id];
    Type type = scatter->type;
    type.dim[0] = type_elements(s->to->dims, &scatter->args[2]->type);
    return reshaped(s->to, v, type);
}

typedef Node *Flat(Sparse *s, const Node *scatter);

/* What `flat` makes of each scatter, first to last, one behind the other. */
static Node *joined(Sparse *s, const Node *gradient, Flat *flat)
{
    if (gradient->op == OP_add || !is_zero(gradient->args[0])) {
        Node *first = joined(s, gradient->args[0], flat);
        Node *then = gradient->op == OP_add ? joined(s, gradient->args[1], flat) : flat(s, gradient);
        return make_concat(s->to, (Node *[]){first, then}, 2, 0);
    }
    return flat(s, gradient);
}

/* Every id writes the number of its place, from 1 on, into a table over the rows; the last one stays, and the place
 * whose number it is owns the row's sum. */
static Node *owner_places(Graph *g, Node *ids, const Dim *rows)
{
    Type places = type_with(ids->type, DT_i32), table = type_of(DT_i32, 1, &rows);
    Node *one = build_splat(g, places, 1);
    Node *number = make_binary(g, OP_add, make_iota(g, places, 0), one);
    Node *last = make_scatter(g, build_splat(g, table, 0), number, &ids, 1, 0, false);
    Node *minus_one = build_splat(g, places, -1);
    return make_binary(g, OP_add, make_gather(g, last, &ids, 1, 0), minus_one);
}

static Type rows_type(const Table *t, Type type)
{
    type.dim[0] = t->ids->type.dim[0];
    return type;
}

static void make_rows(Sparse *s, Table *t)
{
    Graph *g = s->to;
    t->ids = joined(s, t->gradient, flat_ids);
    Node *place = owner_places(g, t->ids, t->gradient->type.dim[0]);
    Node *owns = make_binary(g, OP_eq, place, make_iota(g, place->type, 0));
    t->owned = make_where(g, owns, t->ids, build_splat(g, t->ids->type, -1));
    Node *none = make_full(g, rows_type(t, t->gradient->type), 0.0);
    t->rows[t->gradient->id] = make_scatter(g, none, joined(s, t->gradient, flat_values), &place, 1, 0, true);
}

/* The rows of a value [V, ..]. */
static Node *rows_of(Sparse *s, Table *t, const Node *x)
{
    Graph *g = s->to;
    Node *args[3], *rows = t->rows[x->id];
    if (rows) return rows;
    build_at(g, x);
    bool element = op_is_element(x->op) || x->op == OP_cast;
    for (int k = 0; element && k < x->arg_count; k++) args[k] = rows_of(s, t, x->args[k]);
    Type type = rows_type(t, x->type);
    if (element) {
        bool cast = x->op == OP_cast;
        rows = cast ? make_cast(g, args[0], x->type.dtype) : build(g, x->op, args, x->arg_count, NULL, NULL);
    } else if (x->op == OP_expand) {
        const Type *from = &x->args[0]->type;
        bool along = from->rank && x->attr.map[0] == 0 && !dim_is(from->dim[0], 1);
        rows = make_expand(g, along ? rows_of(s, t, x->args[0]) : s->copy[x->args[0]->id], x->attr.map, type);
    } else {
        rows = make_gather(g, s->copy[x->id], &t->ids, 1, 0);
    }
    return t->rows[x->id] = rows;
}

/* ---- the graph ---- */

static Node *sum_rows(Sparse *s, const Node *sum)
{
    const Node *x = sum->args[0];
    while (s->table[x->id]->share[x->id] == SHARE_parts) x = x->args[0];
    Node *rows = rows_of(s, s->table[x->id], x);
    build_at(s->to, sum);
    return cut_reduction(s->to, make_reduce(s->to, OP_sum, rows, (1u << rows->type.rank) - 1));
}

/* old + x adds x to the rows, without asking for the old ones. */
static Node *write_rows(Sparse *s, Table *t, const Output *o)
{
    const Node *old = graph_find_input(s->from, o->name), *value = o->node;
    Node *place = s->copy[old->id];
    for (int k = 0; value->op == OP_add && k < 2; k++)
        if (value->args[k] == old && value->args[1 - k] != old)
            return make_scatter(s->to, place, rows_of(s, t, value->args[1 - k]), &t->owned, 1, 0, true);
    return make_scatter(s->to, place, rows_of(s, t, value), &t->owned, 1, 0, false);
}

static void copy_node(Sparse *s, const Node *n)
{
    Table *t = s->table[n->id];
    build_at(s->to, n);
    if (t) {
        if (n == t->gradient) make_rows(s, t);
        return;
    }
    bool sums = n->op == OP_sum && s->table[n->args[0]->id];
    s->copy[n->id] = sums ? sum_rows(s, n) : graph_copy_node(s->to, n, s->copy);
}

static Graph *rebuild(Sparse *s)
{
    s->to = graph_like(s->arena, s->from);
    s->copy = arena_array(s->arena, Node *, s->from->nodes.count + 1);
    for (int k = 0; k < s->from->nodes.count; k++) copy_node(s, s->from->nodes.at[k]);
    for (int k = 0; k < s->from->outputs.count; k++) {
        const Output *o = &s->from->outputs.at[k];
        Table *t = s->table[o->node->id];
        build_at(s->to, o->node);
        graph_output(s->to, o->kind, o->name, t ? write_rows(s, t, o) : s->copy[o->node->id]);
    }
    return simplify_drop_dead(s->arena, s->to);
}

Graph *pass_sparse(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d)
{
    (void)d;
    Sparse s = {.arena = arena, .from = graph, .options = options};
    s.table = arena_array(arena, Table *, graph->nodes.count + 1);
    find_tables(&s);
    return s.changes ? rebuild(&s) : (Graph *)graph;
}
