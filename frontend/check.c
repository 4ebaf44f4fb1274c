/* What `ptm check` reports: every fn and module that its signature describes, with open dimensions; what `train` uses,
 * with the types of its streams; and what nothing uses. */
#include "frontend/elab.h"

#include <string.h>

/* An optimizer is checked where `using` calls it: only there may it have states. */
static bool is_optimizer(const FnDecl *fn)
{
    const ParamDecl *w = fn->params, *g = w ? w->next : NULL;
    return fn->module && g && !strcmp(w->name, "w") && !strcmp(g->name, "g");
}

/* A fn after those that it calls: where one of them fails by itself, its callers have nothing to add. `seen` has the
 * names of the fns on the way and behind. */
static void check_fn(Model *m, const Callable *c, Diagnostics *d, Map *failed, Map *seen)
{
    if (c->file != m->root || map_get(seen, c->fn->name)) return;
    map_set(seen, c->fn->name, (void *)c->fn);
    for (int i = 0; i < map_count(m->root->fns); i++)
        if (fn_mentions(c->fn, map_key(m->root->fns, i))) check_fn(m, map_value(m->root->fns, i), d, failed, seen);
    if (!entry_is_complete(c->fn) || is_optimizer(c->fn)) return;
    if (!entry_symbolic(m, c, d)) map_set(failed, c->fn->name, (void *)c->fn);
}

static void check_fns(Model *m, Diagnostics *d, Map *failed)
{
    Map *seen = map_new(m->arena);
    for (int i = 0; i < map_count(m->root->fns); i++) check_fn(m, map_value(m->root->fns, i), d, failed, seen);
}

static bool typed_streams(const StreamUse *streams, int count)
{
    for (int i = 0; i < count; i++)
        if (!streams[i].stream.handle && !streams[i].stream.type.rank) return false;
    return true;
}

/* Results come before updates. */
static int count_results(const Graph *g)
{
    int n = 0;
    while (n < g->outputs.count && g->outputs.at[n].kind == OUTPUT_result) n++;
    return n;
}

/* True when the stage's entry could be elaborated. */
static bool check_minimize(Model *m, const Stage *stage, Diagnostics *d, const Map *failed)
{
    const StageSpec *spec = &stage->spec;
    if (!spec->minimize || !typed_streams(spec->streams, spec->stream_count)) return false;
    const Use *use = map_get(m->uses, spec->minimize);
    const char *fn = use ? use->callable->fn->name : spec->minimize;
    if (map_get(failed, fn)) return false;
    EntryArg *args = arena_array(m->arena, EntryArg, spec->stream_count + 1);
    for (int i = 0; i < spec->stream_count; i++)
        args[i] = (EntryArg){ spec->streams[i].stream.type, model_entry_parameter(m, spec->minimize, i) };
    Graph *g = model_entry(m, spec->minimize, args, spec->stream_count, true, d);
    if (!g) return false;
    int results = count_results(g);
    const Node *loss = results ? g->outputs.at[0].node : NULL;
    if (results != 1 || loss->type.rank || loss->type.dtype != m->options.real)
        diag_error(d, stage->minimize.stmt->values->place, "minimize takes one f32 number, and %s gives %s", fn,
                   !results      ? "none"
                   : results > 1 ? "several results"
                                 : type_text(m->arena, &loss->type));
    return true;
}

/* The optimizer for the first parameter that a stage trains, or for one made up. */
static void check_using(Model *m, const Stage *stage, bool elaborated, Diagnostics *d)
{
    const Param *param = NULL;
    for (int i = 0; elaborated && !param && i < m->params.count; i++)
        if (!model_frozen(m, &stage->spec, m->params.at[i])) param = m->params.at[i];
    if (!param) update_check_using(m, stage, d);
    else if (stage->using.stmt) model_update(m, &stage->spec, param, stage->spec.steps ? stage->spec.steps : 1, 1, d);
}

static void check_stages(Model *m, Diagnostics *d, const Map *failed)
{
    bool all = true, any = false, *good = arena_array(m->arena, bool, m->stages.count + 1);
    for (int i = 0; i < m->stages.count; i++) {
        good[i] = check_minimize(m, m->stages.at[i], d, failed);
        any = any || good[i];
        all = all && (good[i] || !m->stages.at[i]->minimize.stmt);
    }
    for (int i = 0; i < m->stages.count; i++) check_using(m, m->stages.at[i], good[i], d);
    if (all && any) model_check_patterns(m, d);
}

static void check_evaluation(Model *m, const Evaluation *e, Diagnostics *d, const Map *failed)
{
    for (int t = 0; t < e->term_count; t++) {
        const EvalTerm *term = &e->terms[t];
        if (!typed_streams(term->streams, term->stream_count) || map_get(failed, term->entry)) continue;
        Type *types = arena_array(m->arena, Type, term->stream_count + 1);
        for (int k = 0; k < term->stream_count; k++) types[k] = term->streams[k].stream.type;
        model_eval_graph(m, e, t, types, d);
    }
}

/* Whether a stage before this one has the evaluation too: then it is inherited, and was checked there. */
static bool is_inherited(const Model *m, int stage, const Evaluation *e)
{
    for (int i = 0; i < stage; i++) {
        const StageSpec *spec = &m->stages.at[i]->spec;
        for (int k = 0; k < spec->evaluation_count; k++)
            if (spec->evaluations[k].terms == e->terms) return true;
    }
    return false;
}

static void check_evaluations(Model *m, Diagnostics *d, const Map *failed)
{
    for (int i = 0; i < m->stages.count; i++) {
        const StageSpec *spec = &m->stages.at[i]->spec;
        for (int k = 0; k < spec->evaluation_count; k++)
            if (!is_inherited(m, i, &spec->evaluations[k])) check_evaluation(m, &spec->evaluations[k], d, failed);
    }
}

/* what nothing uses */

static bool used_by_fns(const File *file, const char *name)
{
    for (const FnDecl *fn = file->ast->fns; fn; fn = fn->next)
        if (fn_mentions(fn, name)) return true;
    return false;
}

static void report_constants(const Model *m, Diagnostics *d)
{
    for (int i = 0; i < m->root->names.count; i++) {
        const ItemName *n = m->root->names.at[i];
        if (!n->item->constant || n->used || used_by_fns(m->root, n->name->text)) continue;
        if (items_mention(m->ast->items, n->name->text)) continue;
        diag_warning(d, n->name->place, "the constant %s is never used", n->name->text);
    }
}

static void report_stores(const Model *m, Diagnostics *d)
{
    for (int i = 0; i < map_count(m->root->stores); i++) {
        const char *name = map_key(m->root->stores, i);
        const Stmt *s = map_value(m->root->stores, i);
        if (!used_by_fns(m->root, name))
            diag_warning(d, s->place, "the %s %s is never used, so it is not in the model",
                         s->kind == STMT_param ? "parameter" : "state", name);
    }
}

static void report_arguments(const Model *m, Diagnostics *d)
{
    for (const FnDecl *fn = m->root->ast->fns; fn; fn = fn->next) {
        for (const ParamDecl *p = fn->params; p; p = p->next)
            if (*p->name != '_' && !fn_mentions(fn, p->name))
                diag_warning(d, p->place, "%s never uses its parameter %s", fn->name, p->name);
    }
}

/* Every line of data, also those that nothing asks for. */
static void check_data(Model *m, Diagnostics *d)
{
    Elab *e = elab_new(m, MODE_data, NULL, d);
    elab_push(e, NULL, m->root, "", (Place){0});
    for (int i = 0; i < m->root->names.count; i++)
        elab_item(e, m->root->names.at[i], m->root->names.at[i]->name->place);
}

bool model_has_dimension(const Model *m, const char *name)
{
    for (int i = 0; i < map_count(m->root->fns); i++)
        if (fn_mentions(((const Callable *)map_value(m->root->fns, i))->fn, name)) return true;
    return false;
}

void model_check(Model *m, Diagnostics *d)
{
    Map *failed = m->faulty = map_new(m->arena);
    m->work = 0;
    check_data(m, d);
    check_fns(m, d, failed);
    check_stages(m, d, failed);
    check_evaluations(m, d, failed);
    if (!diag_error_count(d) && weights_count(m) && weights_reach(m)) weights_check(m, d);
    report_constants(m, d);
    report_stores(m, d);
    report_arguments(m, d);
}
