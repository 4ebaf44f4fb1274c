/* Building and filling a model in memory. */
#include "frontend/cli/run.h"
#include "frontend/cli/host.h"
#include "frontend/cli/mapping.h"
#include "frontend/cli/saved.h"
#include "frontend/cli/sizes.h"
#include "runtime/core/memory.h"

#include <string.h>

/* stages */

/* The length of each stage. --steps says how many there are in all: they are taken in order, and the last stage makes
 * what is left, which may be more than its own. Returns how many stages run. */
static int cut_lengths(Run *r, int count)
{
    int64_t left = r->s->options->steps;
    if (left < 0) return count;
    for (int i = 0; i < count; i++) {
        StepSource *step = &r->steps[i];
        if (i + 1 == count || step->steps > left) step->steps = left;
        left -= step->steps;
        if (!left) return i + 1;
    }
    return count;
}

static bool minimizes(const TrainSpec *train) { return train->stage_count && train->stages[0].minimize; }

bool run_open_steps(Run *r)
{
    Session *s = r->s;
    const TrainSpec *train = model_train(s->model);
    if (!minimizes(train))
        return session_fail(s, "%s has no `train` block with a `minimize` line", s->options->argument) && false;
    r->steps = arena_array(s->arena, StepSource, train->stage_count);
    for (int i = 0; i < train->stage_count; i++)
        if (!step_graphs(s, &train->stages[i], &r->steps[i])) return false;
    r->train_count = cut_lengths(r, train->stage_count);
    for (int i = 0; i < r->train_count; i++)
        if (!step_optimizer(s, &r->steps[i])) return false;
    return true;
}

bool run_plan_step(Run *r, int stage) { return job_plan(r->s, r->steps[stage].passes, &r->trains[stage]); }

bool run_compile_step(Run *r, int stage)
{
    const StepSource *step = &r->steps[stage];
    const StageSpec *spec = step->stage;
    const char **names = arena_array(r->s->arena, const char *, spec->stream_count + 1);
    for (int i = 0; i < spec->stream_count; i++) names[i] = model_entry_parameter(r->s->model, spec->minimize, i);
    if (!job_compile(r->s, &r->trains[stage])) return false;
    job_feed(r->s, &r->trains[stage], &step->variants, names);
    return true;
}

bool run_open_step(Run *r, int stage)
{
    Session *s = r->s;
    const StepSource *step = &r->steps[stage];
    const char *name = step->stage->name, *title = *name ? arena_print(s->arena, "stage %s", name) : "training";
    Graphs codes = { 0 };
    for (int i = 0; i < step->update_count; i++) vec_push(s->arena, &codes, step->updates[i].code);
    return job_open(s, title, step->graphs, step->variants.count, step_programs(step), &codes, r->layout,
                    &r->trains[stage]) && run_plan_step(r, stage);
}

/* evaluations */

static const Measure *find_measure(const Run *r, const Evaluation *e)
{
    for (int i = 0; i < r->measures.count; i++)
        if (r->measures.at[i].from->terms == e->terms) return &r->measures.at[i];
    return NULL;
}

/* Each once: a stage may have those of another. */
static bool open_measures(Run *r, const StageSpec *stage)
{
    for (int i = 0; i < stage->evaluation_count; i++) {
        Measure measure;
        if (find_measure(r, &stage->evaluations[i])) continue;
        if (!measure_open(r->s, &stage->evaluations[i], &measure)) return false;
        vec_push(r->s->arena, &r->measures, measure);
    }
    return true;
}

/* Those of --stage; without it, of all. */
static bool open_asked_measures(Run *r)
{
    const TrainSpec *train = model_train(r->s->model);
    const char *asked = r->s->options->stage;
    for (int i = 0; i < train->stage_count; i++)
        if ((!asked || !strcmp(asked, train->stages[i].name)) && !open_measures(r, &train->stages[i])) return false;
    return true;
}

static bool open_all_measures(Run *r, bool training)
{
    if (!training) return open_asked_measures(r);
    for (int i = 0; i < r->train_count; i++)
        if (!open_measures(r, r->steps[i].stage)) return false;
    return true;
}

/* places */

static Graphs all_graphs(const Run *r)
{
    Session *s = r->s;
    Graphs all = { 0 };
    for (int i = 0; i < r->train_count; i++)
        for (int v = 0; v < r->steps[i].variants.count; v++)
            if (r->steps[i].graphs[v]) vec_push(s->arena, &all, r->steps[i].graphs[v]);
    for (int i = 0; i < r->measures.count; i++) measure_add_graphs(s, &r->measures.at[i], &all);
    for (int i = 0; i < r->also_graphs.count; i++) vec_push(s->arena, &all, r->also_graphs.at[i]);
    return all;
}

static bool graph_has_dimension(const Graph *graph, const char *name)
{
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *n = graph->nodes.at[i];
        for (int k = 0; k < n->type.rank; k++)
            if (dim_mentions(n->type.dim[k], name)) return true;
        if (n->region && graph_has_dimension(n->region, name)) return true;
    }
    return false;
}

/* Batches give the dimensions of an entry their values; a --dim that says otherwise would do nothing. */
static bool dimensions_are_used(const Run *r, const Graphs *all)
{
    const Pairs *given = &r->s->options->dim;
    for (int i = 0; i < given->count; i++) {
        bool used = false;
        for (int g = 0; g < all->count && !used; g++) used = graph_has_dimension(all->at[g], given->at[i].name);
        if (used) continue;
        session_fail(r->s, "--dim %s=%s: nothing takes its value from there; batches have the shapes that `data` "
                     "gives them", given->at[i].name, given->at[i].value);
        return false;
    }
    return true;
}

/* values */

/* Parameters, as the program of initial values lists them. */
static void list_params(Run *r)
{
    const Program *p = r->initial.program;
    r->params = arena_array(r->s->arena, RtValue, p->input_count + 1);
    for (int i = 0; i < p->input_count; i++)
        if (rt_block(p->inputs[i].place) == BLOCK_param) r->params[r->param_count++] = p->inputs[i];
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

/* The blocks of parameters and tables, and the program that fills the first. */
static bool make_values(Run *r)
{
    Session *s = r->s;
    if (r->initial.program) return true;
    if (!build_initial(s, r->layout, &r->initial)) return false;
    list_params(r);
    list_tables(r);
    r->param = rt_memory_new(r->layout->bytes[MEMORY_param]);
    r->constants = rt_memory_new(r->layout->bytes[MEMORY_const]);
    if (!r->param || !r->constants)
        return session_fail(s, "not enough memory: parameters and tables need %lld bytes",
                            (long long)(r->layout->bytes[MEMORY_param] + r->layout->bytes[MEMORY_const])) && false;
    fill_tables(r);
    return true;
}

/* Parameters are drawn while the rest is planned, where it is sure enough that the rest will fit too. */
static bool draw_early(Run *r)
{
    enum { SHARE = 8 };
    if (r->s->options->weights || r->layout->bytes[MEMORY_param] > sizes_machine() / SHARE) return true;
    if (!make_values(r)) return false;
    char *block[BLOCK_COUNT] = { [BLOCK_param] = r->param, [BLOCK_const] = r->constants };
    r->drawing = initial_begin(&r->initial, block, r->seed, rt_pool_count((int)r->s->options->threads));
    return true;
}

/* all of it */

bool run_open_rest(Run *r, bool training)
{
    Session *s = r->s;
    if (!open_all_measures(r, training)) return false;
    Graphs all = all_graphs(r);
    if (!dimensions_are_used(r, &all)) return false;
    r->layout = build_layout(s, &all);
    r->trains = arena_array(s->arena, Job, r->train_count + 1);
    if (training && !draw_early(r)) return false;
    for (int i = 0; i < r->measures.count; i++)
        if (!measure_build(s, r->layout, &r->measures.at[i])) return false;
    for (int i = 0; i < r->train_count; i++)
        if (!run_open_step(r, i)) return false;
    if (s->options->memory > 0 && !run_fit(r, s->options->memory)) return false;
    if (!run_fits_machine(r)) return false;
    for (int i = 0; i < r->train_count; i++)
        if (!run_compile_step(r, i)) return false;
    return session_report(s);
}

bool run_open(Run *r, Session *s, bool training)
{
    *r = (Run){ .s = s, .seed = s->options->seed > 0 ? (uint64_t)s->options->seed : 0 };
    return (!training || run_open_steps(r)) && run_open_rest(r, training);
}

int64_t run_steps(const Run *r)
{
    int64_t steps = 0;
    for (int i = 0; i < r->train_count; i++) steps += r->steps[i].steps;
    return steps;
}

void run_close(Run *r)
{
    initial_stop(r->drawing);
    build_free(&r->initial);
    for (int i = 0; r->trains && i < r->train_count; i++) job_close(&r->trains[i]);
    for (int i = 0; i < r->measures.count; i++) measure_close(&r->measures.at[i]);
    if (r->pool) rt_pool_free(r->pool);
    if (!r->layout) return;
    if (r->param) rt_memory_free(r->param, r->layout->bytes[MEMORY_param]);
    if (r->constants) rt_memory_free(r->constants, r->layout->bytes[MEMORY_const]);
}

static int64_t most_scratch(const Run *r, const Job *extra)
{
    int64_t most = r->initial.program->scratch_bytes;
    for (int i = 0; i < r->train_count; i++)
        if (job_scratch(&r->trains[i]) > most) most = job_scratch(&r->trains[i]);
    for (int i = 0; i < r->measures.count; i++)
        if (measure_scratch(&r->measures.at[i]) > most) most = measure_scratch(&r->measures.at[i]);
    for (int i = 0; i < r->also.count; i++)
        if (job_scratch(r->also.at[i]) > most) most = job_scratch(r->also.at[i]);
    return extra && job_scratch(extra) > most ? job_scratch(extra) : most;
}

bool run_read(Session *s, const RtValue *params, int count, char *block, const char *weights)
{
    RtError error;
    Saved *saved = host_data_saved(s->data);                 /* which has them open, maybe */
    RtWeights *own = saved ? NULL : saved_weights(s->arena, weights, &error);
    RtWeights *tensors = saved ? saved_file_open(saved, &error) : own;
    Map *wanted = map_new(s->arena);
    Mapping mapping;
    if (!tensors) return session_fail(s, "%s", error.text) && false;
    for (int i = 0; i < count; i++) map_set(wanted, params[i].name, (void *)&params[i]);
    mapping_find(s, tensors, saved_file(s->arena, weights), wanted, &mapping);
    bool fits = mapping_report(&mapping);
    bool good = fits && mapping_load(&mapping, params, count, block, &error);
    rt_weights_close(own);
    if (fits && !good) session_fail(s, "%s", error.text);
    return good;
}

static bool begin_states(Run *r, char *const *block, Job *extra)
{
    for (int i = 0; i < r->train_count; i++)
        if (!job_initial(r->s, &r->trains[i], r->pool, block, rt_stage_seed(r->seed, i))) return false;
    for (int i = 0; i < r->measures.count; i++)
        if (!measure_initial(r->s, &r->measures.at[i], r->pool, block, r->seed)) return false;
    for (int i = 0; i < r->also.count; i++)
        if (!job_initial(r->s, r->also.at[i], r->pool, block, r->seed)) return false;
    return !extra || job_initial(r->s, extra, r->pool, block, r->seed);
}

/* What a step works through: predicted tokens of windows and parallel streams, rows of anything else. */
static void set_items(const StepSource *step, RtStage *stage)
{
    if (!step->stage->stream_count) return;
    const RtVariant *batch = host_stream(&step->stage->streams[0].stream)->variants;
    stage->items = step->shards * batch->weight;
    stage->unit = batch->weight == batch->rows ? "rows" : "tokens";
}

static const RtValue *find_output(const Program *program, const char *name)
{
    for (int i = 0; i < program->output_count; i++)
        if (!strcmp(program->outputs[i].name, name)) return &program->outputs[i];
    return NULL;
}

/* The output of each variant, or of the update that follows any of them; NULL where no variant has it. */
static const RtValue *const *outputs(const Run *r, int stage, const char *name)
{
    const Job *job = &r->trains[stage];
    const RtValue **found = arena_array(r->s->arena, const RtValue *, job->shapes);
    bool any = false;
    for (int v = 0; v < job->shapes; v++) {
        const char *output = name ? name : r->steps[stage].passes[v].loss;
        const RtRun *run = &job->run[job->count > job->shapes ? job->count - 1 : v];
        found[v] = run->program ? find_output(run->program, output) : NULL;
        any = any || found[v];
    }
    return any ? found : NULL;
}

static void add_evaluations(const Run *r, const StageSpec *from, RtStage *stage)
{
    RtEvaluation *evaluations = arena_array(r->s->arena, RtEvaluation, from->evaluation_count + 1);
    for (int i = 0; i < from->evaluation_count; i++)
        evaluations[i] = measure_evaluation(r->s, find_measure(r, &from->evaluations[i]));
    stage->evaluations = evaluations;
    stage->evaluation_count = from->evaluation_count;
}

static bool has_measure(const StageSpec *stage, const Measure *m)
{
    for (int i = 0; i < stage->evaluation_count; i++)
        if (stage->evaluations[i].terms == m->from->terms) return true;
    return false;
}

/* "accuracy"; of a line that the last stage does not have, "pretrain.loss", by the first that has it. */
static const char *measure_label(const Run *r, const Measure *m)
{
    const TrainSpec *train = model_train(r->s->model);
    if (r->s->options->stage || has_measure(&train->stages[train->stage_count - 1], m)) return m->from->name;
    const StageSpec *first = train->stages;
    while (!has_measure(first, m)) first++;
    return arena_print(r->s->arena, "%s.%s", first->name, m->from->name);
}

/* All that are open, as the evaluations of one stage. */
static void add_measures(const Run *r, RtStage *stage)
{
    RtEvaluation *evaluations = arena_array(r->s->arena, RtEvaluation, r->measures.count);
    for (int i = 0; i < r->measures.count; i++) {
        evaluations[i] = measure_evaluation(r->s, &r->measures.at[i]);
        evaluations[i].name = measure_label(r, &r->measures.at[i]);
    }
    *stage = (RtStage){ .name = "", .evaluations = evaluations, .evaluation_count = r->measures.count };
}

/* The block of the program that merges is two slots. */
static void add_shards(const Job *job, int64_t shards, RtStage *stage)
{
    stage->shards = shards;
    if (job->count == job->shapes) return;
    stage->merge = job->run[job->shapes];
    stage->update = job->run[job->shapes + 1];
    stage->slot_bytes = job->layout->bytes[MEMORY_sum] / 2;
}

static void list_stages(Run *r)
{
    r->stages = arena_array(r->s->arena, RtStage, r->train_count + 1);
    for (int i = 0; i < r->train_count; i++) {
        const StepSource *step = &r->steps[i];
        r->stages[i] = (RtStage){
            .name = step->stage->name, .train = job_runs(&r->trains[i]), .states = r->trains[i].states,
            .loss = outputs(r, i, NULL), .lr = outputs(r, i, "lr"), .grad_norm = outputs(r, i, "grad_norm"),
            .steps = step->steps, .epoch_steps = step->epoch_steps
        };
        set_items(step, &r->stages[i]);
        add_shards(&r->trains[i], step->shards, &r->stages[i]);
        add_evaluations(r, step->stage, &r->stages[i]);
    }
    r->stage_count = r->train_count;
    if (r->train_count || !r->measures.count) return;
    add_measures(r, &r->stages[0]);
    r->stage_count = 1;
}

bool run_begin(Run *r)
{
    char *block[BLOCK_COUNT] = { [BLOCK_param] = r->param, [BLOCK_const] = r->constants };
    const char *weights = r->s->options->weights;
    if (weights) return run_read(r->s, r->params, r->param_count, r->param, weights);    /* all of them */
    return job_draw(r->s, r->initial.program, r->pool, block, r->seed);
}

static bool finish_drawing(Run *r)
{
    RtFault fault;
    RtError error;
    Initial *drawing = r->drawing;
    r->drawing = NULL;
    if (!initial_finish(drawing, &fault)) return true;
    rt_fault_text(r->initial.program, &fault, &error);
    return session_fail(r->s, "%s", error.text) && false;
}

bool run_memory(Run *r, Job *extra)
{
    Session *s = r->s;
    if (!make_values(r)) return false;
    r->pool = rt_pool_new(s->options->threads > 0 ? (int)s->options->threads : 0, most_scratch(r, extra));
    if (!r->pool) return session_fail(s, "not enough memory for threads: besides scratch, each needs 128 MiB of "
                                      "addresses for OpenBLAS; --threads 1 needs the least") && false;
    if (s->options->memory > 0 && !run_fit(r, s->options->memory)) return false;
    char *block[BLOCK_COUNT] = { [BLOCK_param] = r->param, [BLOCK_const] = r->constants };
    if (!(r->drawing ? finish_drawing(r) : run_begin(r)) || !begin_states(r, block, extra)) return false;
    list_stages(r);
    return true;
}
