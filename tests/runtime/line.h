/* A training program made by hand: least squares with momentum, noise from the counter-based generator, and a learning
 * rate that falls. Its kernels are C; everything around them is the real thing. */
#ifndef PTM_TESTS_LINE_H
#define PTM_TESTS_LINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "allocations.h"
#include "runtime/core/random.h"
#include "runtime/data/value.h"
#include "runtime/train/recipe.h"

enum { ROWS = 10, BATCH = 4, REST = ROWS % BATCH, COLUMNS = 3, STEPS = 40 };

/* What lies where. */
typedef struct Param { float w[2]; } Param;
typedef struct State { float momentum[2]; } State;
typedef struct JudgeState { int32_t others, count; } JudgeState;
typedef struct Work {
    float   batch[BATCH * COLUMNS];
    int64_t seed, step;
    float   loss, lr, errors[BATCH];
    int32_t count;
} Work;

/* What a kernel does at a step, to play a user or an accident. */
typedef struct Event {
    enum { NOTHING, KILL, INTERRUPT, NOT_A_NUMBER, BAD_ID } kind;
    int64_t step;
} Event;
static Event event;

static float noise(const Work *work, int i)
{
    return 0.01f * (rt_random_unit(rt_random_word((uint64_t)work->seed, (uint64_t)work->step, (uint64_t)i)) - 0.5f);
}

static float error_of(const Param *p, const float *row) { return p->w[0] * row[0] + p->w[1] * row[1] - row[2]; }

static void play_event(Work *work, RtFault *fault)
{
    if (event.kind == NOTHING || event.step != work->step) return;
    if (event.kind == KILL) raise(SIGKILL);
    if (event.kind == INTERRUPT) raise(SIGINT);
    if (event.kind == BAD_ID) *fault = (RtFault){.place = 1, .value = 70, .bound = 65};
}

static void train_kernel(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                         RtFault *fault)
{
    (void)args, (void)begin, (void)end, (void)scratch;
    Param *p = (Param *)block[BLOCK_param];
    State *s = (State *)block[BLOCK_state];
    Work *work = (Work *)block[BLOCK_work];
    if (work->step >= 1) atomic_store(&counting, true);
    play_event(work, fault);
    if (fault->place) return;
    float gradient[2] = {0};
    work->loss = 0;
    for (int i = 0; i < BATCH; i++) {
        const float *row = work->batch + i * COLUMNS;
        float error = error_of(p, row) + noise(work, i);
        work->loss += error * error / BATCH;
        for (int j = 0; j < 2; j++) gradient[j] += 2 * error * row[j] / BATCH;
    }
    if (event.kind == NOT_A_NUMBER && event.step == work->step) work->loss = NAN;
    work->lr = 0.5f / (1 + 0.05f * (float)work->step);
    for (int j = 0; j < 2; j++) {
        s->momentum[j] = 0.5f * s->momentum[j] + gradient[j];
        p->w[j] -= work->lr * s->momentum[j];
    }
}

/* args[0]: rows. Writes squared errors, their mean, and how often the state block has been used. */
static void judge_kernel(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                         RtFault *fault)
{
    (void)begin, (void)end, (void)scratch, (void)fault;
    const Param *p = (const Param *)block[BLOCK_param];
    Work *work = (Work *)block[BLOCK_work];
    work->loss = 0;
    for (int64_t i = 0; i < args[0]; i++) {
        float error = error_of(p, work->batch + i * COLUMNS);
        work->errors[i] = error * error;
        work->loss += error * error / (float)args[0];
    }
    work->count = ++((JudgeState *)block[BLOCK_state])->count;
}

#define WORK(field) RT_PLACE(BLOCK_work, offsetof(Work, field))

static const RtStep train_steps[] = {{.run = train_kernel, .extent = 1, .tile = 1}};
static const RtValue train_inputs[] = {
    {.name = "batch",
     .dtype = RT_f32,
     .rank = 2,
     .shape = {BATCH, COLUMNS},
     .place = WORK(batch),
     .bytes = BATCH * COLUMNS * 4},
    {.name = "seed", .dtype = RT_i64, .place = WORK(seed), .bytes = 8},
    {.name = "step", .dtype = RT_i64, .place = WORK(step), .bytes = 8},
};
static const RtValue train_outputs[] = {
    {.name = "loss", .dtype = RT_f32, .place = WORK(loss), .bytes = 4},
    {.name = "lr", .dtype = RT_f32, .place = WORK(lr), .bytes = 4},
};
static const char *const places[] = {"", "line.ptm:3:5 h.0"};
static const Program train_program = {
    .entry = "loss",
    .steps = train_steps,
    .step_count = 1,
    .inputs = train_inputs,
    .input_count = 3,
    .outputs = train_outputs,
    .output_count = 2,
    .places = places,
    .place_count = 2,
    .block_bytes = {[BLOCK_param] = sizeof(Param), [BLOCK_state] = sizeof(State), [BLOCK_work] = sizeof(Work)},
};

static const int64_t full_rows[] = {BATCH}, rest_rows[] = {REST};
static const RtStep full_steps[] = {{.run = judge_kernel, .args = full_rows, .extent = 1, .tile = 1}};
static const RtStep rest_steps[] = {{.run = judge_kernel, .args = rest_rows, .extent = 1, .tile = 1}};
#define JUDGE_INPUTS(rows)                                                                                           \
    {{.name = "batch",                                                                                               \
      .dtype = RT_f32,                                                                                               \
      .rank = 2,                                                                                                     \
      .shape = {rows, COLUMNS},                                                                                      \
      .place = WORK(batch),                                                                                          \
      .bytes = (rows)*COLUMNS * 4},                                                                                  \
     {.name = "count", .dtype = RT_i32, .place = RT_PLACE(BLOCK_state, offsetof(JudgeState, count)), .bytes = 4}}
static const RtValue full_inputs[] = JUDGE_INPUTS(BATCH), rest_inputs[] = JUDGE_INPUTS(REST);
static const RtValue mean_output[] = {{.name = "0", .dtype = RT_f32, .place = WORK(loss), .bytes = 4}};
static const RtValue full_errors[] = {
    {.name = "0", .dtype = RT_f32, .rank = 1, .shape = {BATCH}, .place = WORK(errors), .bytes = BATCH * 4}};
static const RtValue rest_errors[] = {
    {.name = "0", .dtype = RT_f32, .rank = 1, .shape = {REST}, .place = WORK(errors), .bytes = REST * 4}};
static const RtValue count_output[] = {{.name = "0", .dtype = RT_i32, .place = WORK(count), .bytes = 4}};

#define JUDGE(which, wanted)                                                                                         \
    {.entry = "judge", .steps = which##_steps, .step_count = 1, .inputs = which##_inputs, .input_count = 2,          \
     .outputs = wanted, .output_count = 1,                                                                           \
     .block_bytes = {[BLOCK_state] = sizeof(JudgeState), [BLOCK_work] = sizeof(Work)}}

static const Program full_mean = JUDGE(full, mean_output), rest_mean = JUDGE(rest, mean_output);
static const Program full_all = JUDGE(full, full_errors), rest_all = JUDGE(rest, rest_errors);
static const Program full_count = JUDGE(full, count_output), rest_count = JUDGE(rest, count_output);

/* Everything a recipe points to, for one run. */
typedef struct Bench {
    float      rows[ROWS * COLUMNS];
    Param      param;
    State      state;                    /* as training begins */
    JudgeState judge_state;
    int32_t    table[3];
    RtStream   fit, held;
    RtFeed     train_feed, full_feed, rest_feed;
    RtRun      train[2];                 /* of full batches; training has no short ones */
    const RtValue *loss[2], *lr[2];
    RtRun      runs[3][2];               /* of the terms: full batches and the short last one */
    RtTerm     mean_term, all_term, count_term;
    RtEvaluation evaluations[4];
    RtValue    params[1], states[1], tables[1];
    RtFile     files[1];
    RtStage    stage;
    Recipe     recipe;
} Bench;

static void make_streams(Bench *b)
{
    for (int i = 0; i < ROWS; i++) {
        float *row = b->rows + i * COLUMNS;
        for (int j = 0; j < 2; j++) row[j] = rt_random_unit(rt_random_word(7, (uint64_t)i, (uint64_t)j)) - 0.5f;
        row[2] = 2 * row[0] - 3 * row[1] + 0.1f * rt_random_unit(rt_random_word(8, (uint64_t)i, 0));
    }
    b->held = (RtStream){.dtype = RT_f32, .rank = 2, .shape = {BATCH, COLUMNS}, .base = (const char *)b->rows,
                         .row_bytes = COLUMNS * 4, .rows = ROWS, .row_stride = COLUMNS * 4, .places = ROWS,
                         .place_stride = COLUMNS * 4};
    rt_stream_set_variants(&b->held);
    b->fit = b->held;
    b->fit.shuffle = true;
    b->fit.key = 1;
}

static const bool all_drawn[] = {true};

static const RtValue judge_states[] = {
    {.name = "judge", .dtype = RT_u8, .rank = 1, .shape = {sizeof(JudgeState)}, .place = RT_PLACE(BLOCK_state, 0),
     .bytes = sizeof(JudgeState)}};

static RtTerm make_term(Bench *b, RtRun *runs, const Program *full, const Program *rest, int reduce)
{
    runs[0] = (RtRun){full, &b->full_feed, 1, false};
    runs[1] = (RtRun){rest, &b->rest_feed, 1, false};
    return (RtTerm){.runs = {runs, 2}, .reduce = reduce,
                    .states = {.bytes = sizeof(JudgeState), .initial = (const char *)&b->judge_state,
                               .drawn = all_drawn, .values = judge_states, .count = 1}};
}

static Bench *bench_new(int threads, const char *out)
{
    Bench *b = calloc(1, sizeof *b);
    make_streams(b);
    b->table[0] = 5;
    b->train_feed = (RtFeed){&train_inputs[0], &b->fit};
    b->full_feed = (RtFeed){&full_inputs[0], &b->held};
    b->rest_feed = (RtFeed){&rest_inputs[0], &b->held};
    b->mean_term = make_term(b, b->runs[0], &full_mean, &rest_mean, RT_MEAN);
    b->all_term = make_term(b, b->runs[1], &full_all, &rest_all, RT_SUM);
    b->count_term = make_term(b, b->runs[2], &full_count, &rest_count, RT_SUM);
    b->evaluations[0] =
        (RtEvaluation){.name = "loss", .terms = &b->mean_term, .term_count = 1, .every = 10, .better = -1};
    b->evaluations[1] = (RtEvaluation){.name = "sum", .terms = &b->all_term, .term_count = 1, .every = 20};
    b->params[0] =
        (RtValue){.name = "w", .dtype = RT_f32, .rank = 1, .shape = {2}, .place = RT_PLACE(BLOCK_param, 0), .bytes = 8};
    b->states[0] = (RtValue){.name = "optimizer.w.momentum", .dtype = RT_f32, .rank = 1, .shape = {2},
                             .place = RT_PLACE(BLOCK_state, 0), .bytes = 8};
    b->tables[0] = (RtValue){
        .name = "tree", .dtype = RT_i32, .rank = 1, .shape = {3}, .place = RT_PLACE(BLOCK_const, 0), .bytes = 12};
    b->files[0] = (RtFile){"model.ptm", "a model", 7, true};
    b->train[0] = (RtRun){&train_program, &b->train_feed, 1, false};
    b->loss[0] = &train_outputs[0];
    b->lr[0] = &train_outputs[1];
    b->stage = (RtStage){
        .name = "",
        .train = {b->train, 2},
        .loss = b->loss,
        .lr = b->lr,
        .states = {.bytes = sizeof(State), .initial = (const char *)&b->state, .drawn = all_drawn,
                   .values = b->states, .count = 1, .kept = 1},
        .steps = STEPS,
        .epoch_steps = rt_stream_steps(&b->fit),
        .items = BATCH,
        .unit = "tokens",
        .evaluations = b->evaluations,
        .evaluation_count = 2,
    };
    b->recipe = (Recipe){
        .pool = rt_pool_new(threads, 0),
        .param = (char *)&b->param,
        .constants = (char *)b->table,
        .params = b->params,
        .tables = b->tables,
        .param_count = 1,
        .table_count = 1,
        .stages = &b->stage,
        .stage_count = 1,
        .seed = 3,
        .out = out,
        .files = b->files,
        .file_count = 1,
        .progress = -1,
    };
    return b;
}

static void bench_free(Bench *b)
{
    rt_pool_free(b->recipe.pool);
    free(b);
}

#endif
