/* Building and filling a model in memory. */
#include "frontend/cli/run.h"
#include "frontend/cli/host.h"
#include "frontend/cli/saved.h"
#include "runtime/core/memory.h"

#include <stdlib.h>
#include <string.h>

/* The batch types of a term: full, or with the rows that the last batch of a pass has (0: no such batch). */
static int64_t rest_rows(const EvalTerm *term)
{
    const RtStream *stream = host_stream(&term->streams[0].stream);
    return stream->rows % stream->shape[0];
}

static Graph *term_graph(Session *s, const Evaluation *e, int index, int64_t rows)
{
    const EvalTerm *term = &e->terms[index];
    Type *types = arena_array(s->arena, Type, term->stream_count);
    for (int i = 0; i < term->stream_count; i++) {
        types[i] = term->streams[i].stream.type;
        if (rows) types[i].dim[0] = dim_int(model_dims(s->model), rows);
    }
    return model_eval_graph(s->model, e, index, types, s->diagnostics);
}

static const RtValue *find_value(const RtValue *values, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(values[i].name, name)) return &values[i];
    return NULL;
}

static void feed(Session *s, RtRun *out, const Program *program, const StreamUse *uses, int count,
                 const char *const *names)
{
    RtFeed *feeds = arena_array(s->arena, RtFeed, count + 1);
    out->program = program;
    out->feeds = feeds;
    for (int i = 0; i < count; i++) {
        const RtValue *input = find_value(program->inputs, program->input_count, names[i]);
        if (input) feeds[out->feed_count++] = (RtFeed){ input, host_stream(&uses[i].stream) };
    }
}

/* Graphs of all terms: [2*i] full, [2*i + 1] for the short last batch or NULL. */
static bool term_graphs(Run *r, Graph **graphs)
{
    const TrainSpec *train = model_train(r->s->model);
    int n = 0;
    for (int e = 0; e < train->evaluation_count; e++) {
        const Evaluation *evaluation = &train->evaluations[e];
        for (int t = 0; t < evaluation->term_count; t++, n += 2) {
            const EvalTerm *term = &evaluation->terms[t];
            int64_t rest = rest_rows(term);
            graphs[n] = term_graph(r->s, evaluation, t, 0);
            if (rest && graphs[n]) graphs[n + 1] = term_graph(r->s, evaluation, t, rest);
            if (!graphs[n] || (rest && !graphs[n + 1])) return session_report(r->s) && false;
        }
    }
    return true;
}

static const char **stream_names(Arena *arena, const EvalTerm *term)
{
    const char **names = arena_array(arena, const char *, term->stream_count + 1);
    for (int i = 0; i < term->stream_count; i++) names[i] = term->streams[i].name;
    return names;
}

static bool larger_is_better(const char *name)
{
#define LARGER(metric, doc) if (!strcmp(name, #metric)) return true;
#include "frontend/cli/metrics.def"
#undef LARGER
    return false;
}

/* The scalar program around an evaluation's terms; none where it is the one term itself. */
static bool build_post(Run *r, const Evaluation *from, Build *out)
{
    PassOptions passes = { .layout = r->layout };
    bool is_term = !from->post || (from->term_count == 1 && from->post->outputs.at[0].node->op == OP_input);
    return is_term || build_graph(r->s, from->post, &passes, out);
}

static bool build_terms(Run *r, Graph **graphs)
{
    const TrainSpec *train = model_train(r->s->model);
    Arena *arena = r->s->arena;
    r->evaluations = arena_array(arena, RtEvaluation, train->evaluation_count + 1);
    r->evaluation_count = train->evaluation_count;
    int n = 0;
    for (int e = 0; e < train->evaluation_count; e++) {
        const Evaluation *from = &train->evaluations[e];
        RtTerm *terms = arena_array(arena, RtTerm, from->term_count + 1);
        for (int t = 0; t < from->term_count; t++) {
            const EvalTerm *term = &from->terms[t];
            terms[t].reduce = term->reduce == TERM_sum ? RT_SUM : RT_MEAN;
            for (int rest = 0; rest < 2; rest++, n++) {
                if (!graphs[n]) continue;
                PassOptions passes = { .layout = r->layout };
                if (!build_graph(r->s, graphs[n], &passes, &r->terms[n])) return false;
                feed(r->s, rest ? &terms[t].rest : &terms[t].full, r->terms[n].program, term->streams,
                     term->stream_count, stream_names(arena, term));
            }
        }
        if (!build_post(r, from, &r->posts[e])) return false;
        r->evaluations[e] = (RtEvaluation){
            .name = from->name, .terms = terms, .term_count = from->term_count, .post = r->posts[e].program,
            .every = from->every, .better = larger_is_better(from->name) ? 1 : -1
        };
    }
    return true;
}

bool run_open(Run *r, Session *s, bool training)
{
    *r = (Run){ .s = s, .seed = s->options->seed > 0 ? (uint64_t)s->options->seed : 0 };
    if (training && !step_source(s, &r->step)) return false;
    const TrainSpec *train = model_train(s->model);
    for (int e = 0; e < train->evaluation_count; e++) r->term_count += 2 * train->evaluations[e].term_count;
    Graph **graphs = arena_array(s->arena, Graph *, r->term_count + 1),
        **made = arena_array(s->arena, Graph *, r->term_count + 1);
    r->terms = arena_array(s->arena, Build, r->term_count + 1);
    r->posts = arena_array(s->arena, Build, train->evaluation_count + 1);
    if (!term_graphs(r, graphs)) return false;
    int count = 0;
    for (int i = 0; i < r->term_count; i++)
        if (graphs[i]) made[count++] = graphs[i];
    r->layout = session_layout(s, training ? &r->step : NULL, made, count);
    if (training) {
        r->step.passes.layout = r->layout;
        if (!build_graph(s, r->step.graph, &r->step.passes, &r->train)) return false;
    }
    if (!build_terms(r, graphs)) return false;
    return session_report(s);
}

void run_close(Run *r)
{
    build_free(&r->train);
    build_free(&r->initial);
    for (int i = 0; i < r->term_count; i++) build_free(&r->terms[i]);
    for (int i = 0; i < r->evaluation_count; i++) build_free(&r->posts[i]);
    if (r->pool) rt_pool_free(r->pool);
    if (!r->layout) return;
    if (r->param) rt_memory_free(r->param, r->layout->param_bytes);
    if (r->state) rt_memory_free(r->state, r->layout->state_bytes);
    if (r->constants) rt_memory_free(r->constants, r->layout->const_bytes);
}

/* Parameters and states, as the program of initial values lists them. */
static void list_values(Run *r)
{
    const Program *p = r->initial.program;
    r->params = arena_array(r->s->arena, RtValue, p->input_count + 1);
    r->states = arena_array(r->s->arena, RtValue, p->input_count + 1);
    for (int i = 0; i < p->input_count; i++) {
        RtBlock block = rt_block(p->inputs[i].place);
        if (block == BLOCK_param) r->params[r->param_count++] = p->inputs[i];
        if (block == BLOCK_state) r->states[r->state_count++] = p->inputs[i];
    }
}

/* The constant arrays of `data`, at their places in the const block. */
static void list_tables(Run *r)
{
    const Model *m = r->s->model;
    r->table_count = model_table_count(m);
    r->tables = arena_array(r->s->arena, RtValue, r->table_count + 1);
    for (int i = 0; i < r->table_count; i++) {
        const HostValue *table = model_table(m, i);
        const DataArray *array = host_array(table);
        const int64_t *offset = map_get(r->layout->offset, table->name);
        RtValue *v = &r->tables[i];
        *v = (RtValue){ .name = table->name, .dtype = array->dtype, .rank = array->rank,
                        .place = RT_PLACE(BLOCK_const, *offset),
                        .bytes = data_array_count(array) * rt_dtype_bytes(array->dtype) };
        memcpy(v->shape, array->shape, sizeof v->shape);
    }
}

static void fill_tables(Run *r)
{
    for (int i = 0; i < r->table_count; i++) {
        const RtValue *v = &r->tables[i];
        char *to = r->constants + rt_offset(v->place);
        if (v->bytes) memcpy(to, host_array(model_table(r->s->model, i))->data, (size_t)v->bytes);
    }
}

static bool draw_initial(Run *r)
{
    const Program *p = r->initial.program;
    char *work = rt_memory_new(p->block_bytes[BLOCK_work]);
    if (!work) return session_fail(r->s, "not enough memory for the initial values") && false;
    const RtValue *seed = find_value(p->inputs, p->input_count, "seed");
    const RtValue *step = find_value(p->inputs, p->input_count, "step");
    if (seed) *(int64_t *)(work + rt_offset(seed->place)) = (int64_t)r->seed;
    if (step) *(int64_t *)(work + rt_offset(step->place)) = 0;
    char *block[BLOCK_COUNT] = { r->param, r->state, r->constants, work };
    RtFault fault = { 0 };
    int failed = rt_program_run(p, r->pool, block, &fault);
    rt_memory_free(work, p->block_bytes[BLOCK_work]);
    if (!failed) return true;
    RtError error;
    rt_fault_text(p, &fault, &error);
    session_fail(r->s, "%s", error.text);
    return false;
}

static void raise_to(int64_t *most, const Program *program)
{
    if (program && program->scratch_bytes > *most) *most = program->scratch_bytes;
}

static int64_t most_scratch(const Run *r, const Build *extra, int extra_count)
{
    int64_t most = 0;
    raise_to(&most, r->initial.program);
    raise_to(&most, r->train.program);
    for (int i = 0; i < r->term_count; i++) raise_to(&most, r->terms[i].program);
    for (int i = 0; i < r->evaluation_count; i++) raise_to(&most, r->posts[i].program);
    for (int i = 0; i < extra_count; i++) raise_to(&most, extra[i].program);
    return most;
}

/* Reads parameters by path from a run directory or a file. All that the model has must be there. */
static bool load(Run *r, const char *weights)
{
    RtError error;
    RtTensors *tensors = saved_tensors(r->s->arena, weights, &error);
    bool good = tensors != NULL;
    for (int i = 0; good && i < r->param_count; i++)
        good = rt_tensors_load(tensors, &r->params[i], r->param + rt_offset(r->params[i].place), &error);
    if (tensors) rt_tensors_close(tensors);
    if (!good) session_fail(r->s, "%s", error.text);
    return good;
}

bool run_memory(Run *r, const Build *extra, int extra_count)
{
    Session *s = r->s;
    if (!build_initial(s, r->train.code ? &r->step : NULL, r->layout, &r->initial)) return false;
    list_values(r);
    list_tables(r);
    r->pool = rt_pool_new(s->options->threads > 0 ? (int)s->options->threads : 0, most_scratch(r, extra, extra_count));
    r->param = rt_memory_new(r->layout->param_bytes);
    r->state = rt_memory_new(r->layout->state_bytes);
    r->constants = rt_memory_new(r->layout->const_bytes);
    if (!r->pool || !r->param || !r->state || !r->constants) {
        session_fail(s, "not enough memory: parameters and states need %lld bytes",
                     (long long)(r->layout->param_bytes + r->layout->state_bytes));
        return false;
    }
    fill_tables(r);
    return draw_initial(r) && (!s->options->weights || load(r, s->options->weights));
}
