/* Weights blocks as rules: which parameter is made of which tensors, and how, as a graph. */
#include "frontend/elab.h"

#include <string.h>

/* names in the file */

static const char *without_prefix(const WeightBlock *b, const char *name)
{
    size_t n = strlen(b->prefix);
    return strncmp(name, b->prefix, n) ? name : name + n;
}

bool weights_ignores(const Model *m, int block, const char *name)
{
    const WeightBlock *b = block < 0 ? NULL : m->weights.at[block];
    for (int i = 0; b && i < b->ignored.count; i++) {
        const char *pattern = b->ignored.at[i].pattern;
        if (pattern_matches(pattern, name) || pattern_matches(pattern, without_prefix(b, name))) return true;
    }
    return false;
}

/* rules */

typedef struct Making {
    Model       *m;
    const WeightBlock *block;            /* NULL: the model's own names */
    WeightNames *has;
    void        *context;
    Vec(WeightRule) rules;
    int         *rule_of;                /* of each parameter: its rule, or -1 */
} Making;

/* The name with the prefix, or without it where the file has only that. */
static const char *file_name(const Making *g, const char *name)
{
    const char *prefix = g->block ? g->block->prefix : "";
    const char *full = *prefix ? arena_print(g->m->arena, "%s%s", prefix, name) : name;
    if (!*prefix || !g->has || g->has(g->context, full) || !g->has(g->context, name)) return full;
    return name;
}

static void add_source(const Making *g, WeightRule *r, const char *name)
{
    const char *found = file_name(g, name);
    for (int i = 0; i < r->source_count; i++)
        if (!strcmp(r->sources[i], found)) return;
    r->sources[r->source_count++] = found;
}

static int param_number(const Model *m, const Param *p)
{
    int i = 0;
    while (m->params.at[i] != p) i++;
    return i;
}

/* The targets that this rule gives; a rule of an earlier line loses them. False when it gives none. */
static bool take_targets(Making *g, WeightRule *r, int number)
{
    const WeightLine *line = r->line;
    bool any = false;
    r->targets = arena_array(g->m->arena, const Param *, line->target_count);
    for (int i = 0; i < line->target_count; i++) {
        const char *path = pattern_with(g->m->arena, line->targets[i], r->parts, r->part_count);
        const Param *p = model_find_param(g->m, path);
        if (!p) continue;
        int k = param_number(g->m, p);
        if (g->rule_of[k] == number) continue;
        if (g->rule_of[k] >= 0) {
            WeightRule *old = &g->rules.at[g->rule_of[k]];
            for (int t = 0; t < old->target_count; t++)
                if (old->targets[t] == p) old->targets[t] = NULL;
        }
        g->rule_of[k] = number;
        r->targets[i] = p;
        any = true;
    }
    return any;
}

static bool was_made(const Making *g, const WeightLine *line, const Captures *parts, int from)
{
    for (int i = from; i < g->rules.count; i++) {
        const WeightRule *r = &g->rules.at[i];
        bool same = r->line == line && r->part_count == parts->count;
        for (int k = 0; same && k < parts->count; k++) same = !strcmp(r->parts[k], parts->at[k]);
        if (same) return true;
    }
    return false;
}

static void add_line(Making *g, const WeightLine *line)
{
    Arena *arena = g->m->arena;
    int from = g->rules.count;
    for (int p = 0; p < g->m->params.count; p++) {
        for (int t = 0; t < line->target_count; t++) {
            Captures parts = { 0 };
            if (!pattern_capture(arena, line->targets[t], g->m->params.at[p]->path, &parts)) continue;
            Captures again = { 0 };
            const char *first = pattern_with(arena, line->targets[0], parts.at, parts.count);
            if (!pattern_capture(arena, line->targets[0], first, &again) || was_made(g, line, &parts, from)) continue;
            WeightRule r = { .place = line->stmt->place, .target_count = line->target_count, .line = line,
                             .parts = parts.at, .part_count = parts.count };
            if (!take_targets(g, &r, g->rules.count)) continue;
            r.sources = arena_array(arena, const char *, line->leaf_count);
            for (int i = 0; i < line->leaf_count; i++)
                add_source(g, &r, pattern_with(arena, line->leaf_patterns[i], parts.at, parts.count));
            vec_push(arena, &g->rules, r);
        }
    }
}

static void add_unmentioned(Making *g, const Param *p)
{
    WeightRule r = { .target_count = 1, .targets = arena_array(g->m->arena, const Param *, 1),
                     .sources = arena_array(g->m->arena, const char *, 1) };
    if (g->block) r.place = g->block->place;
    r.targets[0] = p;
    add_source(g, &r, p->path);
    vec_push(g->m->arena, &g->rules, r);
}

const WeightRule *weights_rules(Model *m, int block, WeightNames *has, void *context, int *count)
{
    Making g = { .m = m, .block = block < 0 ? NULL : m->weights.at[block], .has = has, .context = context };
    g.rule_of = arena_array(m->arena, int, m->params.count + 1);
    for (int i = 0; i < m->params.count; i++) g.rule_of[i] = -1;
    for (int i = 0; g.block && i < g.block->lines.count; i++) add_line(&g, g.block->lines.at[i]);
    int unmentioned = g.rules.count;
    for (int i = 0; i < m->params.count; i++)
        if (g.rule_of[i] < 0) add_unmentioned(&g, m->params.at[i]);
    *count = 0;                          /* in the order of the parameters; a rule that lost all its targets is none */
    WeightRule *ordered = arena_array(m->arena, WeightRule, g.rules.count + 1);
    bool *taken = arena_array(m->arena, bool, g.rules.count + 1);
    for (int i = 0; i < m->params.count; i++) {
        int rule = g.rule_of[i] < 0 ? unmentioned++ : g.rule_of[i];
        if (!taken[rule]) ordered[(*count)++] = g.rules.at[rule];
        taken[rule] = true;
    }
    return ordered;
}

/* rules as graphs */

int weights_leaf_source(const WeightRule *r, const Expr *leaf)
{
    const WeightLine *line = r->line;
    for (int i = 0; i < line->leaf_count; i++) {
        if (line->leaves[i] != leaf) continue;
        Arena *scratch = arena_new();
        const char *name = pattern_with(scratch, line->leaf_patterns[i], r->parts, r->part_count);
        const char *full = arena_print(scratch, "%s%s", line->block->prefix, name);
        int source = 0;
        while (strcmp(r->sources[source], full) && strcmp(r->sources[source], name)) source++;
        arena_free(scratch);
        return source;
    }
    return -1;
}

Elab *weights_elab(Model *m, const WeightRule *r, Diagnostics *d)
{
    Elab *e = elab_new(m, MODE_entry, graph_new(m->arena, m->dims, "weights"), d);
    e->symbolic = true;
    elab_push(e, NULL, m->root, "", (Place){0});
    if (r->line) elab_bind_scope(e, &r->line->scope);
    return e;
}

Type weights_type(const Model *m, const WeightRule *r, const WeightShape *shape)
{
    Type type = { .rank = shape->rank };
    for (int i = 0; i < shape->rank; i++) type.dim[i] = dim_int(m->dims, shape->dim[i]);
    for (int i = 0; i < r->target_count; i++)
        if (r->targets[i]) type.dtype = r->targets[i]->type.dtype;
    return type;
}

void weights_refuse(Diagnostics *d, Place place, const char *what)
{
    diag_error(d, place,
               "a line of weights only moves elements: split, concat, reshape, permute, .T, slices; this is %s", what);
}

/* Whether nothing happens to elements but that they move. */
static bool only_moves(Elab *e, const WeightRule *r, const Graph *g)
{
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *n = g->nodes.at[i];
        bool input = n->op == OP_input && n->attr.storage == STORE_data;
        if (input || n->op == OP_reshape || n->op == OP_permute || n->op == OP_slice || n->op == OP_concat) continue;
        weights_refuse(e->d, r->place, n->op == OP_input ? n->attr.text : op_name(n->op));
        return false;
    }
    return true;
}

static bool same_extents(const Type *a, const Type *b)
{
    if (a->rank != b->rank || a->dtype != b->dtype) return false;
    for (int i = 0; i < a->rank; i++)
        if (dim_value(a->dim[i]) != dim_value(b->dim[i])) return false;
    return true;
}

/* With numbers for the names of dimensions: those of a file have none. */
static const char *extents_text(Elab *e, const Type *type)
{
    Type plain = *type;
    for (int i = 0; i < type->rank; i++) {
        int64_t value = dim_value(type->dim[i]);
        if (value >= 0) plain.dim[i] = dim_int(e->dims, value);
    }
    return type_text(e->arena, &plain);
}

static const char *sources_text(Elab *e, const WeightRule *r, const Type *types)
{
    const char *text = "";
    for (int i = 0; i < r->source_count; i++)
        text = arena_print(e->arena, "%s%s%s %s", text, i ? ", " : "", r->sources[i], extents_text(e, &types[i]));
    return text;
}

static bool add_result(Elab *e, const WeightRule *r, const Type *types, int k, const Value *v)
{
    const Param *p = r->targets[k];
    if (v->kind == VALUE_error) return false;
    if (v->kind != VALUE_tensor) {
        elab_error(e, r->place, "a tensor of the file is wanted here, found %s", value_text(e->arena, v));
        return false;
    }
    if (!p) return true;
    if (!same_extents(&v->node->type, &p->type)) {
        elab_error(e, r->place, "%s is %s, but the line makes %s of %s", p->path, extents_text(e, &p->type),
                   extents_text(e, &v->node->type), sources_text(e, r, types));
        return false;
    }
    graph_output(e->graph, OUTPUT_result, arena_print(e->arena, "%d", k), v->node);
    return true;
}

static bool add_results(Elab *e, const WeightRule *r, const Type *types)
{
    Value *values;
    int count;
    if (!elab_values(e, r->line->stmt->values, &values, &count)) return false;
    if (count == 1 && values[0].kind == VALUE_list) {
        count = values[0].list.count;
        values = (Value *)values[0].list.at;
    }
    if (count != r->target_count) {
        elab_error(e, r->place, "%d parameters on the left, but %d tensors on the right", r->target_count, count);
        return false;
    }
    for (int k = 0; k < count; k++)
        if (!add_result(e, r, types, k, &values[k])) return false;
    return true;
}

Graph *weights_graph(Model *m, const WeightRule *r, const Type *types, Diagnostics *d)
{
    Elab *e = weights_elab(m, r, d);
    int errors = diag_error_count(d);
    Node **inputs = arena_array(m->arena, Node *, r->source_count);
    elab_at(e, r->place);
    for (int i = 0; i < r->source_count; i++)
        inputs[i] = make_input(e->graph, STORE_data, r->sources[i], types[i]);
    if (!r->line) {
        Value v = value_tensor(inputs[0]);
        return add_result(e, r, types, 0, &v) ? e->graph : NULL;
    }
    const WeightLine *line = r->line;
    e->terms = line->leaves;
    e->term_count = line->leaf_count;
    e->term_nodes = arena_array(m->arena, Node *, line->leaf_count);
    for (int i = 0; i < line->leaf_count; i++)
        e->term_nodes[i] = inputs[weights_leaf_source(r, line->leaves[i])];
    bool good = add_results(e, r, types) && only_moves(e, r, e->graph);
    if (good && diag_error_count(d) == errors) return e->graph;
    if (r->part_count)
        diag_note(d, r->place, "for %s", pattern_with(m->arena, line->targets[0], r->parts, r->part_count));
    return NULL;
}
