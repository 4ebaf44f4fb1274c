/* What `ptm check` says of weights blocks, without a file. */
#include "frontend/elab.h"

#include <string.h>

bool weights_reach(Model *m)
{
    bool good = true;
    Diagnostics *silent = diag_new(m->arena);
    for (int i = 0; i < map_count(m->root->fns); i++) {
        const Callable *c = map_value(m->root->fns, i);
        if (c->file != m->root || c->fn->module || !entry_is_complete(c->fn)) continue;
        if (!model_entry(m, c->fn->name, NULL, -1, false, silent)) good = false;
    }
    return good;
}

/* A parameter's path with a wildcard wherever the pattern has one, so that the two can be compared. */
static const char *generalised(Arena *arena, const char *pattern, const char *path)
{
    const char *out = "";
    while (*pattern && *path) {
        size_t p = strcspn(pattern, "."), t = strcspn(path, ".");
        bool any = p == 1 && *pattern == '*';
        out = arena_print(arena, "%s%s%.*s", out, *out ? "." : "", any ? 1 : (int)t, any ? "*" : path);
        pattern += p + (pattern[p] == '.');
        path += t + (path[t] == '.');
    }
    return *path ? arena_print(arena, "%s.%s", out, path) : out;
}

static const char *nearest(Model *m, const char *pattern)
{
    const char **names = arena_array(m->arena, const char *, m->params.count);
    for (int i = 0; i < m->params.count; i++) names[i] = generalised(m->arena, pattern, m->params.at[i]->path);
    return suggest(pattern, names, m->params.count);
}

static void check_target(Model *m, const WeightLine *line, int k, Diagnostics *d)
{
    const Expr *x = line->stmt->targets;
    for (int i = 0; i < k; i++) x = x->next;
    Captures parts = { 0 };
    for (int i = 0; i < m->params.count; i++)
        if (pattern_capture(m->arena, line->targets[k], m->params.at[i]->path, &parts)) return;
    const char *near = nearest(m, line->targets[k]);
    diag_error(d, x->place, "\"%s\" matches no parameter of the model%s%s%s", line->targets[k],
               near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Of a line with several targets, all that its wildcards stand for are parameters. */
static void check_targets(Model *m, const WeightRule *r, Diagnostics *d)
{
    for (int i = 0; i < r->line->target_count; i++) {
        const char *path = pattern_with(m->arena, r->line->targets[i], r->parts, r->part_count);
        if (model_find_param(m, path)) continue;
        const char *near = nearest(m, path);
        diag_error(d, r->place, "%s is no parameter of the model, as \"%s\" is%s%s%s", path,
                   pattern_with(m->arena, r->line->targets[i ? 0 : 1], r->parts, r->part_count),
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
}

/* What calculates with elements; seen without shapes, which not every line has before there is a file. */
static const Expr *calculation(const Expr *x)
{
    Op op;
    while (x->kind == EXPR_member || x->kind == EXPR_index) x = x->left;
    if (x->kind == EXPR_binary || x->kind == EXPR_unary) return x;
    if (x->kind != EXPR_call || !x->first || x->left->kind != EXPR_name) return NULL;
    return op_find(x->left->text, &op) && op_is_element(op) ? x : calculation(x->first);
}

static void check_rule(Model *m, const WeightRule *r, Diagnostics *d)
{
    for (const Expr *x = r->line->stmt->values; x; x = x->next) {
        const Expr *wrong = calculation(x);
        if (!wrong) continue;
        weights_refuse(d, wrong->place,
                       wrong->kind == EXPR_call ? wrong->left->text : operator_text(wrong->operator));
        return;
    }
    WeightShape *shapes = arena_array(m->arena, WeightShape, r->source_count);
    Type *types = arena_array(m->arena, Type, r->source_count);
    for (int i = 0; i < r->source_count; i++) shapes[i].rank = -1;
    if (!weights_shapes(m, r, shapes)) return;
    for (int i = 0; i < r->source_count; i++) types[i] = weights_type(m, r, &shapes[i]);
    weights_graph(m, r, types, d);
}

void weights_check(Model *m, Diagnostics *d)
{
    for (int b = 0; b < m->weights.count; b++) {
        const WeightBlock *block = m->weights.at[b];
        int count, errors = diag_error_count(d);
        for (int i = 0; i < block->lines.count; i++)
            for (int k = 0; k < block->lines.at[i]->target_count; k++) check_target(m, block->lines.at[i], k, d);
        if (diag_error_count(d) > errors) continue;
        const WeightRule *rules = weights_rules(m, b, NULL, NULL, &count);
        for (int i = 0; i < count; i++)
            if (rules[i].line) check_targets(m, &rules[i], d);
        if (diag_error_count(d) > errors) continue;
        for (int i = 0; i < count; i++)
            if (rules[i].line) check_rule(m, &rules[i], d);
    }
}
