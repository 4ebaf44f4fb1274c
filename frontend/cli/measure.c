/* Compiling evaluations. */
#include "frontend/cli/measure.h"
#include "frontend/cli/sizes.h"

#include <string.h>

static bool term_graphs(Session *s, Measure *m, int term)
{
    const EvalTerm *t = &m->from->terms[term];
    Variants *variants = &m->variants[term];
    if (!variants_open(s, t->streams, t->stream_count, false, variants)) return false;
    Graph **graphs = arena_array(s->arena, Graph *, variants->count);
    Type *types = arena_array(s->arena, Type, t->stream_count + 1);
    for (int v = 0; v < variants->count; v++) {
        if (!variants_has(variants, v)) continue;
        for (int k = 0; k < t->stream_count; k++) types[k] = variants_type(variants, model_dims(s->model), k, v);
        graphs[v] = model_eval_graph(s->model, m->from, term, types, s->diagnostics);
        if (!graphs[v] || !sizes_check(s, graphs[v])) return session_report(s) && false;
    }
    m->graphs[term] = graphs;
    return true;
}

/* Does it sum, or average, over no elements? */
static bool reduces_nothing(const Graph *graph)
{
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *n = graph->nodes.at[i];
        if (n->op == OP_sum && type_value_elements(&n->type) && !type_value_elements(&n->args[0]->type)) return true;
    }
    return false;
}

/* Where a scalar's sums are empty for the rest of a stream and not for its other batches, the rest predicts nothing:
 * of parallel streams it may be the one element that predicts the next. */
static void find_idle(Graph *const *graphs, Job *job)
{
    for (int v = 1; v < job->shapes; v++)
        if (graphs[v] && graphs[0] && !graphs[v]->outputs.at[0].node->type.rank)
            job->run[v].idle = reduces_nothing(graphs[v]) && !reduces_nothing(graphs[0]);
}

bool measure_open(Session *s, const Evaluation *from, Measure *out)
{
    *out = (Measure){ .from = from };
    out->graphs = arena_array(s->arena, Graph **, from->term_count + 1);
    out->variants = arena_array(s->arena, Variants, from->term_count + 1);
    out->jobs = arena_array(s->arena, Job, from->term_count + 1);
    for (int t = 0; t < from->term_count; t++)
        if (!term_graphs(s, out, t)) return false;
    return true;
}

void measure_add_graphs(Session *s, const Measure *m, Graphs *to)
{
    for (int t = 0; t < m->from->term_count; t++)
        for (int v = 0; v < m->variants[t].count; v++)
            if (m->graphs[t][v]) vec_push(s->arena, to, m->graphs[t][v]);
}

static bool larger_is_better(const char *name)
{
#define LARGER(metric, doc) if (!strcmp(name, #metric)) return true;
#include "frontend/cli/metrics.def"
#undef LARGER
    return false;
}

static bool build_term(Session *s, const Layout *shared, Measure *m, int term)
{
    const EvalTerm *t = &m->from->terms[term];
    const Variants *variants = &m->variants[term];
    Job *job = &m->jobs[term];
    const char *title = arena_print(s->arena, "evaluate %s", m->from->name);
    const char **names = arena_array(s->arena, const char *, t->stream_count + 1);
    for (int k = 0; k < t->stream_count; k++) names[k] = t->streams[k].name;
    if (!job_open(s, title, m->graphs[term], variants->count, 0, NULL, shared, job)) return false;
    if (!job_build(s, NULL, job)) return false;
    job_feed(s, job, variants, names);
    find_idle(m->graphs[term], job);
    return true;
}

/* The scalar program around the terms; none where it is the one term itself. */
static bool build_post(Session *s, const Layout *shared, Measure *m)
{
    const Graph *post = m->from->post;
    PassOptions passes = { .layout = shared };
    bool is_term = !post || (m->from->term_count == 1 && post->outputs.at[0].node->op == OP_input);
    return is_term || build_graph(s, post, &passes, &m->post);
}

bool measure_build(Session *s, const Layout *shared, Measure *m)
{
    const Evaluation *from = m->from;
    for (int t = 0; t < from->term_count; t++)
        if (!build_term(s, shared, m, t)) return false;
    return build_post(s, shared, m);
}

bool measure_initial(Session *s, Measure *m, Pool *pool, char *const *block, uint64_t seed)
{
    for (int t = 0; t < m->from->term_count; t++)
        if (!job_initial(s, &m->jobs[t], pool, block, seed)) return false;
    return true;
}

RtEvaluation measure_evaluation(Session *s, const Measure *m)
{
    const Evaluation *from = m->from;
    RtTerm *terms = arena_array(s->arena, RtTerm, from->term_count + 1);
    for (int t = 0; t < from->term_count; t++)
        terms[t] = (RtTerm){ .runs = job_runs(&m->jobs[t]), .states = m->jobs[t].states,
                             .reduce = from->terms[t].reduce == TERM_sum ? RT_SUM : RT_MEAN };
    return (RtEvaluation){ .name = from->name, .terms = terms, .term_count = from->term_count,
                           .post = m->post.program, .every = from->every,
                           .better = larger_is_better(from->name) ? 1 : -1 };
}

int64_t measure_scratch(const Measure *m)
{
    int64_t most = m->post.program ? m->post.program->scratch_bytes : 0;
    for (int t = 0; t < m->from->term_count; t++)
        if (job_scratch(&m->jobs[t]) > most) most = job_scratch(&m->jobs[t]);
    return most;
}

void measure_close(Measure *m)
{
    build_free(&m->post);
    for (int t = 0; m->jobs && t < m->from->term_count; t++) job_close(&m->jobs[t]);
}
