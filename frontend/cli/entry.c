/* ptm run: one entry, once, on arrays or a text. */
#include "frontend/cli/feed.h"
#include "frontend/cli/result.h"
#include "frontend/cli/run.h"
#include "runtime/core/memory.h"
#include "runtime/data/arrays.h"
#include "runtime/train/arrays_write.h"
#include "runtime/train/run.h"

#include <assert.h>
#include <string.h>

typedef struct Entry {
    Run        *run;
    const char *name;
    Feeds       feeds;
    Graph      *graph;
    Job         job;                     /* of one graph; owned */
    const Program *program;
    char       *block[BLOCK_COUNT];      /* work and states are owned */
    RtTensor   *results;
} Entry;

/* ---- compiling ---- */

static bool elaborate(Entry *e)
{
    Session *s = e->run->s;
    Dims *dims = model_dims(s->model);
    EntryArg *args = arena_array(s->arena, EntryArg, e->feeds.count + 1);
    for (int i = 0; i < e->feeds.count; i++) {
        const RtTensor *array = &e->feeds.at[i].array;
        args[i] = (EntryArg){ { .dtype = (DType)array->dtype, .rank = array->rank }, e->feeds.at[i].name };
        for (int32_t k = 0; k < array->rank; k++) args[i].type.dim[k] = dim_int(dims, array->shape[k]);
    }
    e->graph = model_entry(s->model, e->name, args, e->feeds.count, false, s->diagnostics);
    return session_report(s) && e->graph;
}

static bool compile(Entry *e)
{
    Session *s = e->run->s;
    Graphs all = { 0 };
    Graph **graphs = arena_array(s->arena, Graph *, 1);
    graphs[0] = e->graph;
    vec_push(s->arena, &all, e->graph);
    e->run->layout = build_layout(s, &all);
    if (!job_open(s, e->name, graphs, 1, 0, NULL, e->run->layout, &e->job)) return false;
    if (!job_build(s, NULL, &e->job)) return false;
    e->program = e->job.run[0].program;
    return true;
}

/* The results without their bytes: they are there after the run. */
static void list_results(Entry *e)
{
    const Program *p = e->program;
    e->results = arena_array(e->run->s->arena, RtTensor, p->output_count + 1);
    for (int i = 0; i < p->output_count; i++) {
        const RtValue *v = &p->outputs[i];
        e->results[i] = (RtTensor){ .name = v->name, .dtype = v->dtype, .rank = v->rank, .bytes = v->bytes };
        memcpy(e->results[i].shape, v->shape, sizeof v->shape);
    }
}

/* ---- states ---- */

static RtTensor state_tensor(const Entry *e, const RtValue *v)
{
    RtTensor t = { .name = v->name, .dtype = v->dtype, .rank = v->rank, .bytes = v->bytes,
                   .data = e->block[BLOCK_state] + rt_offset(v->place) };
    memcpy(t.shape, v->shape, sizeof t.shape);
    return t;
}

static bool same_form(const RtTensor *a, const RtValue *b)
{
    return a->dtype == b->dtype && a->rank == b->rank
        && !memcmp(a->shape, b->shape, sizeof *a->shape * (size_t)a->rank);
}

/* Every state of the entry from the file, which may hold more. */
static bool load_states(Entry *e, const RtArrays *arrays)
{
    Session *s = e->run->s;
    bool good = true;
    for (int64_t i = 0; i < e->job.states.count; i++) {
        const RtValue *v = &e->job.states.values[i];
        const RtTensor *t = rt_arrays_find(arrays, v->name);
        RtError error;
        if (!t) good = session_fail(s, "%s has no array %s", s->options->states, v->name) == EXIT_GOOD;
        else if (!same_form(t, v))
            good = session_fail(s, "%s: %s has another type or shape than the state of %s for these inputs",
                                s->options->states, v->name, e->name) == EXIT_GOOD;
        else if (!rt_arrays_read(arrays, t, e->block[BLOCK_state] + rt_offset(v->place), &error))
            good = session_fail(s, "%s", error.text) == EXIT_GOOD;
    }
    return good;
}

static bool begin_states(Entry *e)
{
    Session *s = e->run->s;
    const RtStates *states = &e->job.states;
    bool asked = s->options->states || s->options->save_states;
    if (asked && !states->count) return session_fail(s, "%s has no states", e->name) == EXIT_GOOD;
    states_begin(states, e->block[BLOCK_state]);
    if (!s->options->states) return true;
    RtError error;
    RtArrays *arrays = rt_arrays_open(s->options->states, &error);
    bool good = arrays ? load_states(e, arrays) : session_fail(s, "%s", error.text) == EXIT_GOOD;
    rt_arrays_close(arrays);
    return good;
}

static bool save_states(Entry *e)
{
    Session *s = e->run->s;
    const RtStates *states = &e->job.states;
    RtTensor *tensors = arena_array(s->arena, RtTensor, states->count + 1);
    for (int64_t i = 0; i < states->count; i++) tensors[i] = state_tensor(e, &states->values[i]);
    RtError error;
    return rt_npz_write(s->options->save_states, tensors, (int)states->count, &error)
        || session_fail(s, "%s", error.text) == EXIT_GOOD;
}

/* ---- running ---- */

static bool make_blocks(Entry *e)
{
    Run *r = e->run;
    e->block[BLOCK_param] = r->param;
    e->block[BLOCK_const] = r->constants;
    e->block[BLOCK_work] = rt_memory_new(e->program->block_bytes[BLOCK_work]);
    e->block[BLOCK_state] = rt_memory_new(e->job.states.bytes);
    if (e->block[BLOCK_work] && e->block[BLOCK_state]) return true;
    return session_fail(r->s, "not enough memory: %s needs %lld bytes", e->name,
                        (long long)(e->program->block_bytes[BLOCK_work] + e->job.states.bytes)) == EXIT_GOOD;
}

static void fill_inputs(Entry *e)
{
    for (int i = 0; i < e->feeds.count; i++) {
        const Feed *feed = &e->feeds.at[i];
        const RtValue *input = rt_program_input(e->program, feed->name);
        assert(input && input->bytes == feed->array.bytes && "a program lists the inputs of its graph, read or not");
        memcpy(rt_at(e->block, input->place), feed->array.data, (size_t)input->bytes);
    }
    const RtValue *seed = rt_program_input(e->program, "seed"), *step = rt_program_input(e->program, "step");
    if (seed) *(int64_t *)rt_at(e->block, seed->place) = (int64_t)e->run->seed;
    if (step) *(int64_t *)rt_at(e->block, step->place) = 0;
}

static bool apply(Entry *e)
{
    RtFault fault = { 0 };
    RtError error;
    fill_inputs(e);
    if (rt_program_run(e->program, e->run->pool, e->block, &fault)) {
        rt_fault_text(e->program, &fault, &error);
        return session_fail(e->run->s, "%s", error.text) == EXIT_GOOD;
    }
    for (int i = 0; i < e->program->output_count; i++)
        e->results[i].data = rt_at(e->block, e->program->outputs[i].place);
    return true;
}

static bool check_weights(const Entry *e)
{
    const Session *s = e->run->s;
    bool wanted = model_param_count(s->model) > 0;
    return !wanted || session_has_weights(s);
}

static bool run_entry(Entry *e)
{
    Session *s = e->run->s;
    if (!feeds_open(s, e->name, &e->feeds) || !elaborate(e) || !check_weights(e) || !compile(e)) return false;
    list_results(e);
    if (!results_check(s, e->name, e->results, e->program->output_count)) return false;
    return run_memory(e->run, &e->job) && make_blocks(e) && begin_states(e) && apply(e)
        && (!s->options->save_states || save_states(e)) && results_write(s, e->results, e->program->output_count);
}

static void close_entry(Entry *e)
{
    if (e->block[BLOCK_work]) rt_memory_free(e->block[BLOCK_work], e->program->block_bytes[BLOCK_work]);
    if (e->block[BLOCK_state]) rt_memory_free(e->block[BLOCK_state], e->job.states.bytes);
    job_close(&e->job);
}

int command_run(const Options *options)
{
    if (!options->entry) {
        fprintf(stderr, "ptm run: which fn? --entry NAME is missing   (ptm run --help)\n");
        return EXIT_MISUSE;
    }
    Session s;
    Run r = { 0 };
    Entry e = { .run = &r, .name = options->entry };
    bool good = session_open(&s, options);
    r.s = &s;
    r.seed = options->seed > 0 ? (uint64_t)options->seed : 0;
    good = good && run_entry(&e);
    close_entry(&e);
    run_close(&r);
    session_close(&s);
    return good ? EXIT_GOOD : EXIT_BAD_INPUT;
}
