/* Building and running what is timed. */
#include "frontend/cli/workload.h"
#include "frontend/cli/subject.h"
#include "ir/cost.h"
#include "runtime/core/random.h"
#include "runtime/data/value.h"
#include "runtime/train/progress.h"
#include "runtime/train/step.h"

#include <stdlib.h>
#include <string.h>

enum { WARM_UP = 2 };

static bool fail(Workload *w, const RtError *e) { return session_fail(w->run.s, "%s", e->text) && false; }

static bool open_step(Workload *w, Session *s)
{
    RtError error;
    w->title = "training step";
    if (!run_open(&w->run, s, true) || !run_memory(&w->run, NULL)) return false;
    if (!w->run.stage_count) return session_fail(s, "there are no steps to time") && false;
    w->job = &w->run.trains[0];
    w->recipe = (Recipe){ .pool = w->run.pool, .param = w->run.param, .constants = w->run.constants,
                          .stages = w->run.stages, .stage_count = 1, .seed = w->run.seed };
    bool good = blocks_new(&w->recipe, &w->blocks, &error) && history_new(&w->run.stages[0], &w->history, &error);
    if (good) states_begin(&w->run.stages[0].states, w->blocks.train[BLOCK_state]);
    return good || fail(w, &error);
}

static bool open_entry(Workload *w, Session *s)
{
    Subject subject;
    Graphs all = { 0 };
    RtError error;
    w->title = s->options->entry;
    w->run = (Run){ .s = s, .seed = s->options->seed > 0 ? (uint64_t)s->options->seed : 0 };
    if (!subject_open(s, &subject) || !subject_is_valued(s, subject.graph)) return false;
    vec_push(s->arena, &all, subject.graph);
    w->run.layout = build_layout(s, &all);
    Graph **graph = arena_new_of(s->arena, Graph *);
    *graph = subject.graph;
    bool good = job_open(s, w->title, graph, 1, 0, NULL, w->run.layout, &w->entry) && job_build(s, NULL, &w->entry)
        && run_memory(&w->run, &w->entry);
    if (!good) return false;
    w->job = &w->entry;
    RtStage *stage = arena_new_of(s->arena, RtStage);
    *stage = (RtStage){ .name = "", .train = job_runs(&w->entry), .states = w->entry.states };
    w->recipe = (Recipe){ .pool = w->run.pool, .param = w->run.param, .constants = w->run.constants,
                          .stages = stage, .stage_count = 1, .seed = w->run.seed };
    if (!blocks_new(&w->recipe, &w->blocks, &error)) return fail(w, &error);
    states_begin(&stage->states, w->blocks.train[BLOCK_state]);
    return true;
}

bool workload_open(Session *s, Workload *out)
{
    *out = (Workload){ 0 };
    return s->options->entry ? open_entry(out, s) : open_step(out, s);
}

/* Numbers for an input that nothing else fills. */
static void draw(char *at, const RtValue *v)
{
    memset(at, 0, (size_t)v->bytes);
    for (int64_t i = 0; v->dtype == RT_f32 && i < v->bytes / (int64_t)sizeof(float); i++)
        ((float *)at)[i] = rt_random_unit(rt_random_word(0, 0, (uint64_t)i));
    for (int64_t i = 0; v->dtype == RT_f64 && i < v->bytes / (int64_t)sizeof(double); i++)
        ((double *)at)[i] = rt_random_unit(rt_random_word(0, 0, (uint64_t)i));
}

static bool call_entry(Workload *w, const RtWatch *watch)
{
    const RtRun *run = &w->entry.run[0];
    char *const *block = w->blocks.train;
    RtFault fault;
    RtError error;
    for (int32_t i = 0; i < run->program->input_count; i++) {
        const RtValue *v = &run->program->inputs[i];
        if (rt_block(v->place) == BLOCK_work) draw(rt_at(block, v->place), v);
    }
    run_fill_ambient(run, block, w->recipe.seed, w->made++);
    if (!rt_program_watch(run->program, w->recipe.pool, block, watch, &fault)) return true;
    rt_fault_text(run->program, &fault, &error);
    return fail(w, &error);
}

bool workload_once(Workload *w, const RtWatch *watch)
{
    RtError error;
    if (w->job == &w->entry) return call_entry(w, watch);
    Recipe recipe = w->recipe;
    recipe.watch = watch;
    int variant = step_make(&recipe, &recipe.stages[0], &w->blocks, &w->history, recipe.seed, w->made++, &error);
    return variant >= 0 || fail(w, &error);
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

const double *workload_time(Workload *w, int count)
{
    double *seconds = arena_array(w->run.s->arena, double, count);
    for (int k = -WARM_UP; k < count; k++) {
        double start = clock_s();
        if (!workload_once(w, NULL)) return NULL;
        if (k >= 0) seconds[k] = clock_s() - start;
    }
    qsort(seconds, (size_t)count, sizeof *seconds, by_value);
    return seconds;
}

static double products_of(const Plan *plan)
{
    double all = 0;
    for (int k = 0; k < plan->kernels.count; k++) {
        const Kernel *kernel = plan->kernels.at[k];
        all += kernel_cost(kernel).products;
        if (!kernel->body) continue;
        const Node *scan = kernel->outputs.at[kernel->outputs.count - 1];
        all += products_of(kernel->body) * (double)dim_value(scan->attr.count);
    }
    return all;
}

double workload_products(const Workload *w)
{
    double all = 0;
    for (int k = 0; k < w->job->count; k++) {
        double one = w->job->builds[k].plan ? products_of(w->job->builds[k].plan) : 0;
        if (one > all) all = one;
    }
    return all;
}

int64_t workload_memory(const Workload *w)
{
    Needs needs = run_needs(&w->run);
    if (w->job != &w->entry) return needs.arena;
    int64_t work = w->entry.builds[0].plan->block_bytes[MEMORY_work];
    return needs.arena - needs.work + w->entry.states.bytes + (work > needs.work ? work : needs.work);
}

int64_t workload_items(const Workload *w, const char **unit)
{
    const RtStage *stage = w->job == &w->entry ? NULL : &w->run.stages[0];
    *unit = stage ? stage->unit : NULL;
    return stage ? stage->items : 0;
}

void workload_close(Workload *w)
{
    blocks_free(&w->blocks);
    history_free(&w->history);
    job_close(&w->entry);
    run_close(&w->run);
}
