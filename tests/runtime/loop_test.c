/* The training loop on a program made by hand: least squares with momentum, noise from the counter-based generator,
 * and a learning rate that falls. Its kernels are C; everything around them is the real thing. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/core/random.h"
#include "runtime/data/value.h"
#include "runtime/train/recipe.h"

enum { ROWS = 10, BATCH = 4, REST = ROWS % BATCH, COLUMNS = 3, STEPS = 40 };

/* Allocations while `counting`: the law says there are none. Sanitizers bring an allocator of their own. */
static atomic_int  allocations;
static atomic_bool counting;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
extern void *__libc_malloc(size_t size), *__libc_calloc(size_t count, size_t size),
    *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static void count_allocation(void)
{
    if (atomic_load(&counting)) atomic_fetch_add(&allocations, 1);
}

void *malloc(size_t size) { count_allocation(); return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { count_allocation(); return __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { count_allocation(); return __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) { count_allocation(); return __libc_memalign(alignment, size); }
#endif

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
    State      state;
    JudgeState judge_state;
    int32_t    table[3];
    RtStream   fit, held;
    RtFeed     train_feed, full_feed, rest_feed;
    RtTerm     mean_term, all_term, count_term;
    RtEvaluation evaluations[4];
    RtValue    params[1], states[1], tables[1];
    RtFile     files[1];
    Recipe     recipe;
} Bench;

static double square_root(void *context, const double *terms)
{
    assert_non_null(context);
    return sqrt(terms[0]) + terms[1];
}

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
    b->fit = b->held;
    b->fit.shuffle = true;
    b->fit.key = 1;
}

static RtTerm make_term(Bench *b, const Program *full, const Program *rest, int reduce)
{
    return (RtTerm){.full = {full, &b->full_feed, 1}, .rest = {rest, &b->rest_feed, 1}, .reduce = reduce,
                    .state = (const char *)&b->judge_state};
}

static Bench *bench_new(int threads, const char *out)
{
    Bench *b = calloc(1, sizeof *b);
    make_streams(b);
    b->table[0] = 5;
    b->train_feed = (RtFeed){&train_inputs[0], &b->fit};
    b->full_feed = (RtFeed){&full_inputs[0], &b->held};
    b->rest_feed = (RtFeed){&rest_inputs[0], &b->held};
    b->mean_term = make_term(b, &full_mean, &rest_mean, RT_MEAN);
    b->all_term = make_term(b, &full_all, &rest_all, RT_SUM);
    b->count_term = make_term(b, &full_count, &rest_count, RT_SUM);
    b->evaluations[0] =
        (RtEvaluation){.name = "loss", .terms = &b->mean_term, .term_count = 1, .every = 10, .better = -1};
    b->evaluations[1] = (RtEvaluation){.name = "sum", .terms = &b->all_term, .term_count = 1, .every = 20};
    b->params[0] =
        (RtValue){.name = "w", .dtype = RT_f32, .rank = 1, .shape = {2}, .place = RT_PLACE(BLOCK_param, 0), .bytes = 8};
    b->states[0] = (RtValue){.name = "optimizer.w.momentum", .dtype = RT_f32, .rank = 1, .shape = {2},
                             .place = RT_PLACE(BLOCK_state, 0), .bytes = 8};
    b->tables[0] = (RtValue){
        .name = "tree", .dtype = RT_i32, .rank = 1, .shape = {3}, .place = RT_PLACE(BLOCK_const, 0), .bytes = 12};
    b->files[0] = (RtFile){"model.ptm", "a model", 7};
    b->recipe = (Recipe){
        .pool = rt_pool_new(threads, 0),
        .param = (char *)&b->param,
        .state = (char *)&b->state,
        .constants = (char *)b->table,
        .params = b->params,
        .states = b->states,
        .tables = b->tables,
        .param_count = 1,
        .state_count = 1,
        .table_count = 1,
        .train = {&train_program, &b->train_feed, 1},
        .loss = &train_outputs[0],
        .lr = &train_outputs[1],
        .steps = STEPS,
        .epoch_steps = rt_stream_steps(&b->fit),
        .tokens = BATCH,
        .seed = 3,
        .evaluations = b->evaluations,
        .evaluation_count = 2,
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

static char directory[64];

static void path_of(char *path, size_t size, const char *run, const char *name)
{
    snprintf(path, size, "%s/%s%s%s", directory, run, *name ? "/" : "", name);
}

static int make_directory(void **state)
{
    (void)state;
    event = (Event){0};
    strcpy(directory, "/tmp/ptm-loop-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"model.ptm", "metrics.jsonl", "last.safetensors", "best.safetensors"};
    static const char *const runs[] = {"a", "b", "deep/er"};
    char path[200];
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            path_of(path, sizeof path, runs[r], names[n]);
            unlink(path);
        }
        path_of(path, sizeof path, runs[r], "");
        rmdir(path);
    }
    path_of(path, sizeof path, "deep", "");
    rmdir(path);
    return rmdir(directory);
}

static size_t slurp(const char *run, const char *name, char *text, size_t room)
{
    char path[200];
    path_of(path, sizeof path, run, name);
    FILE *in = fopen(path, "rb");
    if (!in) fail_msg("%s is missing", path);
    size_t size = fread(text, 1, room - 1, in);
    text[size] = '\0';
    fclose(in);
    return size;
}

/* Cuts off what depends on the clock: fields from the first that ends in _s on. */
static void strip_times(char *text)
{
    char *to = text;
    for (char *line = text; *line; ) {
        char *end = strchr(line, '\n'), *time = strstr(line, ", \"step_s\"");
        assert_non_null(end);
        assert_non_null(time);
        assert_true(time < end);
        memmove(to, line, (size_t)(time - line));
        to += time - line;
        *to++ = '\n';
        line = end + 1;
    }
    *to = '\0';
}

static void check_equal_runs(const char *one, const char *other)
{
    static const char *const names[] = {"last.safetensors", "best.safetensors", "metrics.jsonl"};
    static char x[20000], y[20000];
    for (int i = 0; i < 3; i++) {
        size_t x_size = slurp(one, names[i], x, sizeof x), y_size = slurp(other, names[i], y, sizeof y);
        if (i == 2) {
            strip_times(x);
            strip_times(y);
            assert_string_equal(x, y);
            continue;
        }
        assert_int_equal(x_size, y_size);
        assert_memory_equal(x, y, x_size);
    }
}

/* Trains in run directory `run`; the outcome, with the error in e. Frees the bench. */
static RtOutcome train_in(const char *run, bool resume, int64_t steps, int64_t save_every, int threads, RtError *e)
{
    char path[200];
    path_of(path, sizeof path, run, "");
    Bench *b = bench_new(threads, path);
    b->recipe.resume = resume;
    b->recipe.steps = steps;
    b->recipe.save_every = save_every;
    *e = (RtError){{0}};
    RtOutcome outcome = rt_train(&b->recipe, e);
    atomic_store(&counting, false);
    bench_free(b);
    return outcome;
}

static void must_train(const char *run, bool resume, int64_t save_every, int threads)
{
    RtError e;
    if (train_in(run, resume, STEPS, save_every, threads, &e) != RT_DONE) fail_msg("%s", e.text);
}

static void trains_and_writes(void **state)
{
    (void)state;
    char path[200], text[20000];
    path_of(path, sizeof path, "deep/er", "");
    Bench *b = bench_new(1, path);
    RtError e;
    atomic_store(&allocations, 0);
    assert_int_equal(rt_train(&b->recipe, &e), RT_DONE);
    atomic_store(&counting, false);
#ifdef COUNTS_ALLOCATIONS
    assert_int_equal(allocations, 0);
#endif
    assert_true(fabsf(b->param.w[0] - 2) < 0.6f && fabsf(b->param.w[1] + 3) < 0.6f);
    bench_free(b);
    slurp("deep/er", "model.ptm", text, sizeof text);
    assert_string_equal(text, "a model");
    slurp("deep/er", "metrics.jsonl", text, sizeof text);
    static const char *const wanted[] = {"{\"step\": 1, \"epoch\": 0.5, \"lr\": 0.5, \"loss\": ",
                                         "{\"step\": 10, \"epoch\": 5, ",
                                         "\"valid_loss\": ",
                                         "\"valid_sum\": ",
                                         "\"step_s\": ",
                                         "{\"step\": 40, "};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (!strstr(text, wanted[i])) fail_msg("no %s in\n%s", wanted[i], text);
    }
    assert_null(strstr(text, "\"step\": 2,"));
}

static void same_for_any_threads(void **state)
{
    (void)state;
    must_train("a", false, 0, 1);
    must_train("b", false, 0, 3);
    check_equal_runs("a", "b");
}

/* The process is killed in the middle of a step, at every distance from a checkpoint. */
static void killed_and_resumed_is_the_same(void **state)
{
    (void)state;
    must_train("a", false, 7, 1);
    for (int64_t at = 3; at < STEPS; at += 9) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            event = (Event){KILL, at};
            RtError e;
            train_in("b", false, STEPS, 7, 1, &e);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        must_train("b", true, 7, 2);
        check_equal_runs("a", "b");
        char path[200];
        static const char *const names[] = {"model.ptm", "metrics.jsonl", "last.safetensors", "best.safetensors"};
        for (int i = 0; i < 4; i++) {
            path_of(path, sizeof path, "b", names[i]);
            assert_int_equal(unlink(path), 0);
        }
    }
}

static void interrupted_and_resumed_is_the_same(void **state)
{
    (void)state;
    RtError e;
    must_train("a", false, 0, 1);
    event = (Event){INTERRUPT, 16};
    assert_int_equal(train_in("b", false, STEPS, 0, 1, &e), RT_INTERRUPTED);
    event = (Event){0};
    char text[20000];
    slurp("b", "last.safetensors", text, sizeof text);
    assert_non_null(strstr(text + 8, "\"step\":\"17\""));
    must_train("b", true, 0, 1);
    check_equal_runs("a", "b");
}

static void runs_are_not_overwritten(void **state)
{
    (void)state;
    RtError e;
    assert_int_equal(train_in("a", true, STEPS, 0, 1, &e), RT_FAILED);
    assert_non_null(strstr(e.text, "holds no run to resume"));
    must_train("a", false, 0, 1);
    assert_int_equal(train_in("a", false, STEPS, 0, 1, &e), RT_FAILED);
    assert_non_null(strstr(e.text, "holds a run already"));
    must_train("a", true, 0, 1);                             /* nothing is left to do */
}

static void resume_refuses_what_differs(void **state)
{
    (void)state;
    char path[200];
    path_of(path, sizeof path, "a", "");
    must_train("a", false, 0, 1);
    RtError e;
    Bench *b = bench_new(1, path);
    b->recipe.resume = true;
    b->recipe.steps = 2 * STEPS;
    b->recipe.seed = 4;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_non_null(strstr(e.text, "started with seed 3, it cannot go on with seed 4"));
    b->recipe.seed = 3;
    b->table[1] = 1;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_non_null(strstr(e.text, "started with other data"));
    b->table[1] = 0;
    b->recipe.state_count = 0;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_non_null(strstr(e.text, "the model has changed"));
    bench_free(b);
}

static void a_loss_that_is_no_number_stops(void **state)
{
    (void)state;
    RtError e;
    event = (Event){NOT_A_NUMBER, 24};
    assert_int_equal(train_in("a", false, STEPS, 0, 1, &e), RT_FAILED);
    if (!strstr(e.text, "the loss is not a number at step 25") ||
        !strstr(e.text, "the last checkpoint is of step 20")) {
        fail_msg("%s", e.text);
    }
    char text[20000];
    slurp("a", "last.safetensors", text, sizeof text);
    assert_non_null(strstr(text + 8, "\"step\":\"20\""));
}

static void a_bad_id_is_named(void **state)
{
    (void)state;
    RtError e;
    event = (Event){BAD_ID, 2};
    assert_int_equal(train_in("a", false, STEPS, 0, 1, &e), RT_FAILED);
    assert_string_equal(e.text, "line.ptm:3:5 h.0: id 70 is outside the table's 65 rows");
}

static void evaluations_reduce(void **state)
{
    (void)state;
    Bench *b = bench_new(1, NULL);
    b->param = (Param){{0.5f, -0.25f}};
    b->judge_state.count = 100;
    RtTerm terms[2] = {b->mean_term, b->count_term};
    RtTerm all = b->all_term;
    all.reduce = RT_MEAN;
    int context = 0;
    b->evaluations[2] =
        (RtEvaluation){.name = "root", .terms = terms, .term_count = 2, .post = square_root, .context = &context};
    b->evaluations[3] = (RtEvaluation){.name = "all", .terms = &all, .term_count = 1};
    b->recipe.evaluation_count = 4;
    double sum = 0, values[4];
    for (int i = 0; i < ROWS; i++) sum += pow(error_of(&b->param, b->rows + i * COLUMNS), 2);
    RtError e;
    if (!rt_evaluate(&b->recipe, values, &e)) fail_msg("%s", e.text);
    assert_true(fabs(values[0] - sum / ROWS) < 1e-6);        /* the short batch counts for its rows only */
    assert_true(fabs(values[1] - sum) < 1e-5);
    assert_true(fabs(values[2] - (sqrt(sum / ROWS) + 101 + 102 + 103)) < 1e-5);   /* a pass starts with the initial state */
    assert_true(fabs(values[3] - sum / ROWS) < 1e-6);
    double again[4];
    assert_true(rt_evaluate(&b->recipe, again, &e));
    assert_memory_equal(values, again, sizeof values);
    bench_free(b);
}

static void plain_progress(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    Bench *b = bench_new(1, NULL);
    b->recipe.progress = ends[1];
    RtError e;
    assert_int_equal(rt_train(&b->recipe, &e), RT_DONE);
    atomic_store(&counting, false);
    close(ends[1]);
    char text[8000] = {0};
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_non_null(strstr(text, "step  1/40  loss "));
    assert_non_null(strstr(text, "\nstep 40/40  loss "));
    assert_non_null(strstr(text, "valid_loss"));
    assert_null(strchr(text, '\r'));
    bench_free(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(trains_and_writes),      TEST(same_for_any_threads),        TEST(killed_and_resumed_is_the_same),
        TEST(runs_are_not_overwritten), TEST(interrupted_and_resumed_is_the_same), TEST(resume_refuses_what_differs),
        TEST(a_loss_that_is_no_number_stops), TEST(a_bad_id_is_named),   TEST(evaluations_reduce),
        TEST(plain_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
