/* A run of two stages made by hand. "pre" follows parallel streams with a hidden state that is carried, and a rate that
 * is halved at every evaluation so far; "sort.all" goes through padded rows in several widths. Kernels are C, and note
 * what they see; everything around them is the real thing. */
#ifndef PTM_TESTS_TWO_STAGES_H
#define PTM_TESTS_TWO_STAGES_H

#include "allocations.h"
#include "call.h"

#include <math.h>
#include <signal.h>

#include "runtime/core/random.h"
#include "runtime/train/recipe.h"

enum {
    PARTS = 2, LENGTH = 6, PRE_EPOCH = 4, PRE_STEPS = 10, SORT_EPOCH = 5, SORT_STEPS = 9,
    TOTAL = PRE_STEPS + SORT_STEPS, HELD = 40, ROWS = 22, SIZE = 4, MOST_IDS = 256, MOST_HISTORY = 8, MOST_SEEN = 100
};

/* What lies where. */
typedef struct Param { float w[2]; } Param;
typedef struct PreState { float hidden[PARTS], momentum; } PreState;
typedef struct SortState { float scale; } SortState;
typedef struct JudgeState { float hidden; int32_t batches; } JudgeState;
typedef struct Work {
    int32_t ids[MOST_IDS];
    int64_t seed, step;
    float   history[MOST_HISTORY], loss, lr;
} Work;

/* What a step saw, and left behind. */
typedef struct Seen {
    int64_t  stage, rows, width, seed, step;
    float    history[MOST_HISTORY];
    PreState before, after;              /* of "pre" */
    float    scale;                      /* of "sort.all", before */
} Seen;
static Seen seen[MOST_SEEN];
static int  seen_count, judged;          /* steps, and batches of evaluations */

/* A user or an accident, at a step or at a batch of an evaluation. */
typedef struct Event {
    int signal;                          /* 0: none */
    int step, judged;                    /* -1: never */
} Event;
static Event event;

static void step_kernel(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                        RtFault *fault)
{
    (void)begin, (void)end, (void)scratch, (void)fault;
    Param *p = (Param *)block[BLOCK_param];
    Work *work = (Work *)block[BLOCK_work];
    Seen *s = &seen[seen_count];
    *s = (Seen){.rows = args[0], .width = args[1], .stage = args[2], .seed = work->seed, .step = work->step};
    memcpy(s->history, work->history, sizeof s->history);
    if (seen_count++ >= 1) atomic_store(&counting, true);
    if (event.signal && s->stage * PRE_STEPS + s->step == event.step) raise(event.signal);
    PreState *pre = s->stage == 0 ? (PreState *)block[BLOCK_state] : NULL;
    SortState *sort = s->stage == 1 ? (SortState *)block[BLOCK_state] : NULL;
    if (pre) s->before = *pre;
    if (sort) s->scale = sort->scale;
    float gradient[2] = {0};
    work->loss = 0;
    for (int64_t row = 0; row < s->rows; row++) {
        float x = 0.01f * rt_random_unit(rt_random_word((uint64_t)work->seed, (uint64_t)work->step, (uint64_t)row));
        for (int64_t i = 0; i < s->width; i++) {
            int32_t id = work->ids[row * s->width + i];
            if (id >= 0) x += 0.01f * (float)id;
        }
        float h = pre ? pre->hidden[row] : 1, error = p->w[0] * x + p->w[1] * h - 1;
        if (pre) pre->hidden[row] = 0.5f * h + 0.1f * x;
        gradient[0] += 2 * error * x;
        gradient[1] += 2 * error * h;
        work->loss += error * error;
    }
    work->lr = 0.01f;
    for (int i = 0; pre && i < MOST_HISTORY; i++) work->lr *= isnan(work->history[i]) ? 1 : 0.5f;
    if (pre) pre->momentum = 0.5f * pre->momentum + gradient[1];
    if (sort) sort->scale = 0.9f * sort->scale + 0.1f * work->loss;
    p->w[0] -= work->lr * gradient[0] / (sort ? 1 + sort->scale : 1);
    p->w[1] -= work->lr * (pre ? pre->momentum : gradient[1]);
    if (pre) s->after = *pre;
}

/* The mean over predicted ids of how far each is from the one before, plus what the weights and a hidden state that
 * begins at 1 in every pass say. */
static void judge_kernel(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                         RtFault *fault)
{
    (void)begin, (void)end, (void)scratch, (void)fault;
    const Param *p = (const Param *)block[BLOCK_param];
    JudgeState *state = (JudgeState *)block[BLOCK_state];
    Work *work = (Work *)block[BLOCK_work];
    if (event.signal && judged == event.judged) raise(event.signal);
    judged++;
    double sum = 0;
    for (int64_t i = 0; i + 1 < args[0] * args[1]; i++) sum += pow(work->ids[i + 1] - work->ids[i], 2);
    state->hidden *= 0.5f;
    state->batches++;
    work->loss = (float)(sum / (double)(args[0] * args[1] - 1)) + p->w[0] * state->hidden;
}

/* A program for one variant of a stream. */
typedef struct Made {
    int64_t args[3];
    RtStep  step;
    RtValue inputs[5], outputs[2];
    Program program;
    RtFeed  feed;
} Made;

/* The runs of an entry and what they point to. */
typedef struct Entry {
    Made    made[RT_MAX_VARIANTS];
    RtRun   runs[RT_MAX_VARIANTS];
    const RtValue *loss[RT_MAX_VARIANTS], *lr[RT_MAX_VARIANTS];
    RtRuns  all;
} Entry;

#define WORK(field) RT_PLACE(BLOCK_work, offsetof(Work, field))

static void make_program(Made *m, RtKernel *kernel, const RtStream *s, int32_t variant, int64_t stage, int64_t history)
{
    int64_t shape[RT_MAX_RANK], bytes = rt_stream_variant_bytes(s, variant);
    rt_stream_shape(s, variant, shape);
    assert_true(bytes <= (int64_t)sizeof(((Work *)0)->ids) && history <= MOST_HISTORY);
    memcpy(m->args, (int64_t[]){shape[0], shape[1], stage}, sizeof m->args);
    m->step = (RtStep){.run = kernel, .args = m->args, .extent = 1, .tile = 1};
    m->inputs[0] = (RtValue){.name = "ids", .dtype = RT_i32, .rank = 2, .shape = {shape[0], shape[1]},
                             .place = WORK(ids), .bytes = bytes};
    m->inputs[1] = (RtValue){.name = "seed", .dtype = RT_i64, .place = WORK(seed), .bytes = 8};
    m->inputs[2] = (RtValue){.name = "step", .dtype = RT_i64, .place = WORK(step), .bytes = 8};
    m->inputs[3] = (RtValue){.name = "history.loss", .dtype = RT_f32, .rank = 1, .shape = {history},
                             .place = WORK(history), .bytes = 4 * history};
    m->outputs[0] = (RtValue){.name = "0", .dtype = RT_f32, .place = WORK(loss), .bytes = 4};
    m->outputs[1] = (RtValue){.name = "lr", .dtype = RT_f32, .place = WORK(lr), .bytes = 4};
    m->program = (Program){.entry = "f", .steps = &m->step, .step_count = 1, .inputs = m->inputs,
                           .input_count = history > 0 ? 4 : 3, .outputs = m->outputs, .output_count = 2,
                           .block_bytes = {[BLOCK_param] = sizeof(Param), [BLOCK_work] = sizeof(Work)}};
    m->feed = (RtFeed){&m->inputs[0], s};
}

static void make_entry(Entry *e, RtKernel *kernel, const RtStream *s, int64_t stage, int64_t history)
{
    e->all = (RtRuns){e->runs, s->variant_count};
    for (int32_t v = 0; v < s->variant_count; v++) {
        if (!(kernel == step_kernel ? s->variants[v].trains : s->variants[v].passes)) continue;
        make_program(&e->made[v], kernel, s, v, stage, history);
        e->runs[v] = (RtRun){&e->made[v].program, &e->made[v].feed, 1, false};
        e->loss[v] = &e->made[v].outputs[0];
        e->lr[v] = &e->made[v].outputs[1];
    }
}

/* Everything a recipe points to. */
typedef struct Bench {
    RtData      *data;
    Param        param;
    PreState     pre_state;
    SortState    sort_state;
    JudgeState   judge_state;
    RtValue      judge_states[2];
    Entry        pre, sort, judge_pre, judge_sort;
    RtTerm       terms[2];
    RtEvaluation pre_evaluations[2], sort_evaluations[1];
    RtValue      params[1], pre_states[2], sort_states[1];
    RtStage      stages[2];
    Recipe       recipe;
} Bench;

static const RtStream *stream_of(Reply r)
{
    if (!r.good) fail_msg("%s", r.error.text);
    return r.values[0].stream;
}

static const RtStream *parallel(RtData *d, DataValue ids, int batch)
{
    return stream_of(CALL(d, "streams", ids, named("batch", number(batch)), named("length", number(LENGTH)),
                          named("overlap", number(1))));
}

static DataValue padded_rows(RtData *d)
{
    int64_t *at = rt_data_alloc(d, ROWS + 1, sizeof *at);
    at[0] = 0;
    for (int i = 0; i < ROWS; i++) at[i + 1] = at[i] + 1 + i * 5 % 13;
    DataValue ragged = {.kind = DATA_ragged,
                        .ragged = {range(d, (int32_t)at[ROWS]).array.data, at, ROWS, NULL}};
    return one(CALL(d, "pad", ragged));
}

static const RtStream *sorted(RtData *d, DataValue rows, bool shuffle)
{
    return stream_of(CALL(d, "batches", rows, named("size", number(SIZE)), named("shuffle", truth(shuffle)),
                          named("widths", number(3))));
}

#define STATE(type, of, field, called)                                                                               \
    (RtValue){.name = called, .dtype = RT_f32, .place = RT_PLACE(BLOCK_state, offsetof(type, field)),                \
              .bytes = sizeof(((type *)0)->field), .rank = 1, .shape = {sizeof(((type *)0)->field) / 4}}

static void make_entries(Bench *b, int64_t pre_steps)
{
    RtData *d = b->data;
    DataValue rows = padded_rows(d);
    int64_t history = pre_steps / PRE_EPOCH + (pre_steps % PRE_EPOCH != 0);
    make_entry(&b->pre, step_kernel, parallel(d, range(d, 47), PARTS), 0, history);
    make_entry(&b->judge_pre, judge_kernel, parallel(d, range(d, HELD), 1), 0, 0);
    make_entry(&b->sort, step_kernel, sorted(d, rows, true), 1, 0);
    make_entry(&b->judge_sort, judge_kernel, sorted(d, rows, false), 1, 0);
    static const bool drawn[] = {true, false};
    b->judge_states[0] = STATE(JudgeState, judge, hidden, "h.c");
    b->judge_states[1] = STATE(JudgeState, judge, batches, "batches");
    RtStates judge = {.bytes = sizeof(JudgeState), .initial = (const char *)&b->judge_state, .drawn = drawn,
                      .values = b->judge_states, .count = 2};
    b->terms[0] = (RtTerm){.runs = b->judge_pre.all, .states = judge, .reduce = RT_MEAN};
    b->terms[1] = (RtTerm){.runs = b->judge_sort.all, .states = judge, .reduce = RT_SUM};
}

static void make_stages(Bench *b, int64_t pre_steps)
{
    static const bool drawn[] = {true, true};
    b->pre_evaluations[0] = (RtEvaluation){.name = "loss", .terms = &b->terms[0], .term_count = 1, .better = -1};
    b->pre_evaluations[1] = (RtEvaluation){.name = "more", .terms = &b->terms[0], .term_count = 1, .every = 3};
    b->sort_evaluations[0] = (RtEvaluation){.name = "loss", .terms = &b->terms[1], .term_count = 1, .better = -1};
    b->pre_states[0] = STATE(PreState, pre, momentum, "optimizer.w.momentum");
    b->pre_states[1] = STATE(PreState, pre, hidden, "h.c");
    b->sort_states[0] = STATE(SortState, sort, scale, "optimizer.w.scale");
    b->stages[0] = (RtStage){
        .name = "pre", .train = b->pre.all, .loss = b->pre.loss, .lr = b->pre.lr,
        .states = {sizeof(PreState), (const char *)&b->pre_state, drawn, b->pre_states, 2, 1},
        .steps = pre_steps, .epoch_steps = PRE_EPOCH, .evaluations = b->pre_evaluations, .evaluation_count = 2};
    b->stages[1] = (RtStage){
        .name = "sort.all", .train = b->sort.all, .loss = b->sort.loss, .lr = b->sort.lr,
        .states = {sizeof(SortState), (const char *)&b->sort_state, drawn, b->sort_states, 1, 1},
        .steps = SORT_STEPS, .epoch_steps = SORT_EPOCH, .evaluations = b->sort_evaluations, .evaluation_count = 1};
}

static Bench *bench_new(const char *out, int stages, int64_t pre_steps)
{
    Bench *b = calloc(1, sizeof *b);
    b->data = rt_data_new();
    b->param = (Param){{0.1f, 0.2f}};
    b->pre_state = (PreState){.hidden = {0.5f, -0.25f}};
    b->sort_state = (SortState){4};
    b->judge_state = (JudgeState){.hidden = 1};
    make_entries(b, pre_steps);
    make_stages(b, pre_steps);
    b->params[0] =
        (RtValue){.name = "w", .dtype = RT_f32, .rank = 1, .shape = {2}, .place = RT_PLACE(BLOCK_param, 0), .bytes = 8};
    b->recipe = (Recipe){.pool = rt_pool_new(1, 0), .param = (char *)&b->param, .params = b->params, .param_count = 1,
                         .stages = b->stages, .stage_count = stages, .seed = 3, .out = out, .log_every = 4,
                         .progress = -1};
    seen_count = judged = 0;
    return b;
}

static void bench_free(Bench *b)
{
    rt_pool_free(b->recipe.pool);
    rt_data_free(b->data);
    free(b);
}

#endif
