/* `evaluate NAME = post(mean(inner(streams)), …), every = n`: each outermost mean(…) or sum(…) over streams is a term,
 * reduced over a pass; what stands around the terms is a graph over f64 scalars. */
#include "frontend/elab.h"

#include <string.h>

typedef struct Terms {
    Elab *e;
    Vec(const Expr *) calls;             /* the mean(…) and sum(…) themselves */
    bool  failed;
} Terms;

static bool is_stream_name(Elab *e, const Expr *x)
{
    return x->kind == EXPR_name && map_get(e->model->root->pipeline, x->text) != NULL;
}

static bool mentions_stream(void *context, const Expr *x) { return is_stream_name(context, x); }

static bool is_term(Elab *e, const Expr *x)
{
    bool reduction = x->kind == EXPR_call && x->left->kind == EXPR_name
                  && (!strcmp(x->left->text, "mean") || !strcmp(x->left->text, "sum"));
    return reduction && x->first && walk_exprs(x->first, mentions_stream, e);
}

/* Outermost terms first; a stream outside a term has no single value. */
static void find_terms(Terms *t, const Expr *x)
{
    if (!x || t->failed) return;
    if (is_term(t->e, x)) {
        if (x->first->next) {
            elab_error(t->e, x->place, "over a stream, %s takes one value", x->left->text);
            t->failed = true;
        }
        vec_push(t->e->arena, &t->calls, x);
        return;
    }
    if (is_stream_name(t->e, x)) {
        elab_error(t->e, x->place, "%s is a stream: reduce what is computed from it by mean(…) or sum(…)", x->text);
        t->failed = true;
        return;
    }
    if (x->kind != EXPR_call || x->left->kind != EXPR_name) find_terms(t, x->left);
    find_terms(t, x->right);
    for (const Expr *i = x->first; i; i = i->next) find_terms(t, i);
}

/* streams of a term */

typedef struct StreamSearch {
    Elab *e;
    Vec(StreamUse) found;
    bool failed;
} StreamSearch;

static bool add_stream(void *context, const Expr *x)
{
    StreamSearch *s = context;
    StreamUse use;
    if (!is_stream_name(s->e, x)) return false;
    for (int i = 0; i < s->found.count; i++)
        if (!strcmp(s->found.at[i].name, x->text)) return false;
    if (!setting_stream(s->e, x, &use)) s->failed = true;
    else vec_push(s->e->arena, &s->found, use);
    return s->failed;
}

static const char *innermost_entry(const Expr *x)
{
    while (x->kind == EXPR_call && x->first && x->first->kind == EXPR_call) x = x->first;
    return x->kind == EXPR_call && x->left->kind == EXPR_name ? x->left->text : "";
}

static bool read_term(Elab *e, const Expr *call, EvalTerm *out)
{
    StreamSearch s = { .e = e };
    walk_exprs(call->first, add_stream, &s);
    *out = (EvalTerm){ .entry = innermost_entry(call->first), .streams = s.found.at, .stream_count = s.found.count };
    out->reduce = strcmp(call->left->text, "sum") ? TERM_mean : TERM_sum;
    return !s.failed;
}

/* the graph around the terms */

static const Graph *post_graph(Elab *outer, const Expr *x, const Expr **calls, int count)
{
    Model *m = outer->model;
    Elab *e = elab_new(m, MODE_term, graph_new(m->arena, m->dims, "post"), outer->d);
    elab_push(e, NULL, m->root, "", (Place){0});
    elab_bind_scope(e, &outer->frame->names);
    e->terms = calls;
    e->term_count = count;
    e->term_nodes = arena_array(m->arena, Node *, count);
    elab_at(e, x->place);
    for (int i = 0; i < count; i++)
        e->term_nodes[i] = make_input(e->graph, STORE_data, arena_print(m->arena, "%d", i), type_scalar(DT_f64));
    Value v = elab_expr(e, x);
    if (v.kind == VALUE_error) return NULL;
    if (v.kind != VALUE_tensor || v.node->type.rank || v.node->type.dtype != DT_f64) {
        elab_error(e, x->place, "an evaluation is one number, found %s", value_text(m->arena, &v));
        return NULL;
    }
    for (int i = 0; i < e->graph->inputs.count; i++) {
        const Node *input = e->graph->inputs.at[i];
        if (input->attr.storage == STORE_data) continue;
        elab_error(e, x->place, "around what is reduced stand numbers only, and %s is a tensor", input->attr.text);
        return NULL;
    }
    graph_output(e->graph, OUTPUT_result, "0", v.node);
    return e->graph;
}

/* every = 250 steps, or every = epoch. */
static bool read_every(Elab *e, const Expr *x, int64_t *out)
{
    *out = 0;
    if (x->kind == EXPR_name && !strcmp(x->text, "epoch")) return true;
    Value v = elab_expr(e, x);
    if (!elab_whole(e, &v, x->place, "every", out)) return false;
    if (*out < 1) elab_error(e, x->place, "every must be at least 1");
    return *out >= 1;
}

/* A misspelt stream is an unknown name, and no missing reduction. */
static bool reports_unknown(void *context, const Expr *x)
{
    Elab *e = context;
    DType dtype;
    if (x->kind != EXPR_name || elab_known_name(e, x->text) || elab_callable(e, x->text)) return false;
    if (builtin_find(x->text) || dtype_find(x->text, &dtype)) return false;
    elab_name(e, x->text, x->place);
    return true;
}

bool evaluate_read(Elab *e, const Stmt *s, Evaluation *out)
{
    const Expr *value = NULL;
    *out = (Evaluation){ .place = s->place };
    for (const Expr *x = s->values; x; x = x->next) {
        bool every = x->keyword && !strcmp(x->keyword, "every");
        if (every && !read_every(e, x, &out->every)) return false;
        if (every) continue;
        if (!x->keyword || value) {
            elab_error(e, x->place, "evaluate takes one named value: `evaluate loss = mean(loss(valid)), every = 250`");
            return false;
        }
        value = x;
    }
    if (!value) {
        elab_error(e, s->place, "evaluate lacks its value: `evaluate loss = mean(loss(valid))`");
        return false;
    }
    Terms terms = { .e = e };
    find_terms(&terms, value);
    if (terms.failed) return false;
    if (!terms.calls.count) {
        Expr alone = *value;
        alone.next = NULL;
        if (walk_exprs(&alone, reports_unknown, e)) return false;
        elab_error(e, value->place, "an evaluation reduces a finite stream by mean(…) or sum(…)");
        return false;
    }
    EvalTerm *read = arena_array(e->arena, EvalTerm, terms.calls.count);
    for (int i = 0; i < terms.calls.count; i++)
        if (!read_term(e, terms.calls.at[i], &read[i])) return false;
    out->name = value->keyword;
    out->terms = read;
    out->term_count = terms.calls.count;
    bool bare = terms.calls.count == 1 && terms.calls.at[0] == value;
    if (!bare && !(out->post = post_graph(e, value, terms.calls.at, terms.calls.count))) return false;
    TermSource source = { .terms = read, .calls = terms.calls.at, .scope = elab_scope(e) };
    vec_push(e->arena, &e->model->term_sources, source);
    return true;
}

/* graphs of terms */

static const TermSource *source_of(const Model *m, const Evaluation *evaluation)
{
    for (int i = 0; i < m->term_sources.count; i++)
        if (m->term_sources.at[i].terms == evaluation->terms) return &m->term_sources.at[i];
    return NULL;
}

Graph *model_eval_graph(Model *m, const Evaluation *evaluation, int term, const Type *batch_types, Diagnostics *d)
{
    const EvalTerm *t = &evaluation->terms[term];
    const TermSource *source = source_of(m, evaluation);
    const Expr *x = source->calls[term]->first;
    int errors = diag_error_count(d);
    m->work = 0;
    Elab *e =
        elab_new(m, MODE_term, graph_new(m->arena, m->dims, arena_print(m->arena, "evaluate %s", evaluation->name)), d);
    elab_push(e, NULL, m->root, "", (Place){0});
    elab_bind_scope(e, &source->scope);
    e->stream_nodes = map_new(m->arena);
    elab_at(e, x->place);
    for (int i = 0; i < t->stream_count; i++) {
        Node *n = make_input(e->graph, STORE_data, t->streams[i].name, batch_types[i]);
        map_set(e->stream_nodes, t->streams[i].name, n);
    }
    Value v = elab_expr(e, x);
    Node *n = elab_tensor(e, &v, x->place, "what is reduced");
    if (diag_error_count(d) == errors) elab_check_ahead(e);
    if (!n || diag_error_count(d) != errors) return NULL;
    graph_output(e->graph, OUTPUT_result, "0", n);
    elab_output_updates(e, false);
    return e->graph;
}

/* what a stage's evaluations have given so far */

int64_t model_history_length(const Evaluation *e, int64_t steps, int64_t epoch_steps)
{
    int64_t every = e->every > 0 ? e->every : epoch_steps;
    int64_t count = every > 0 ? (steps + every - 1) / every : 1;
    return count > 0 ? count : 1;
}

static const Evaluation *find_evaluation(const StageSpec *stage, const char *name)
{
    for (int i = 0; stage && i < stage->evaluation_count; i++)
        if (!strcmp(stage->evaluations[i].name, name)) return &stage->evaluations[i];
    return NULL;
}

Value evaluate_history(Elab *e, const char *name, Place place)
{
    const Evaluation *evaluation = e->frame->fn ? NULL : find_evaluation(e->stage, name);
    if (!evaluation) return value_none();
    if (elab_known_name(e, name) || map_get(e->frame->file->pipeline, name)) {
        elab_error(e, place, "%s is a name of the file and an evaluation of this stage", name);
        diag_note(e->d, evaluation->place, "the evaluation");
        return value_error();
    }
    const Dim *count = dim_int(e->dims, model_history_length(evaluation, (int64_t)e->steps, (int64_t)e->epoch));
    const char *input = arena_print(e->arena, "history.%s", name);
    elab_at(e, place);
    Node *n = graph_find_input(e->graph, input);
    if (!n) n = make_input(e->graph, STORE_ambient, input, type_of(DT_f32, 1, &count));
    return value_tensor(elab_real(e) == DT_f32 ? n : make_cast(e->graph, n, elab_real(e)));
}
