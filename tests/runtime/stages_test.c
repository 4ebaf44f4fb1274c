/* Stages: what each begins with, how states and histories go on, and the same bits wherever a run stops and goes on. */
#include "two_stages.h"
#include "runs.h"

#include <sys/wait.h>

static int begin(void **state)
{
    event = (Event){0, -1, -1};
    return make_directory(state);
}

static RtOutcome train_in(const char *run, bool resume, int64_t save_every, RtError *e)
{
    char path[200];
    path_of(path, sizeof path, run, "");
    Bench *b = bench_new(path, 2, PRE_STEPS);
    b->recipe.resume = resume;
    b->recipe.save_every = save_every;
    *e = (RtError){{0}};
    RtOutcome outcome = rt_train(&b->recipe, e);
    atomic_store(&counting, false);
    bench_free(b);
    if (outcome == RT_FAILED) print_message("%s\n", e->text);
    return outcome;
}

static void must_train(const char *run, bool resume, int64_t save_every)
{
    RtError e;
    assert_int_equal(train_in(run, resume, save_every, &e), RT_DONE);
}

static int numbers_in(const float *history)
{
    int count = 0;
    while (count < MOST_HISTORY && !isnan(history[count])) count++;
    return count;
}

/* Steps count from the stage's begin; its hidden states begin anew with each pass, its optimizer's with the stage;
 * what happens between two steps, an evaluation for one, leaves all of them as they are. */
static void each_stage_begins_afresh(void **state)
{
    (void)state;
    char path[200];
    path_of(path, sizeof path, "a", "");
    Bench *b = bench_new(path, 2, PRE_STEPS);
    for (int i = 0; i < MOST_SEEN; i++) seen[i] = (Seen){0};
    RtError e;
    atomic_store(&allocations, 0);
    if (rt_train(&b->recipe, &e) != RT_DONE) fail_msg("%s", e.text);
    atomic_store(&counting, false);
#ifdef COUNTS_ALLOCATIONS
    assert_int_equal(allocations, 0);
#endif
    assert_int_equal(seen_count, TOTAL);
    for (int i = 0; i < PRE_STEPS; i++) {
        const Seen *s = &seen[i], *before = &seen[i - (i > 0)];
        assert_true(s->stage == 0 && s->step == i && s->seed == 3 && s->width == LENGTH);
        assert_memory_equal(s->before.hidden, i % PRE_EPOCH ? before->after.hidden : b->pre_state.hidden, 8);
        assert_true(s->before.momentum == (i > 0 ? before->after.momentum : 0));
        assert_int_equal(numbers_in(s->history), i / PRE_EPOCH);
    }
    bool widths[LENGTH * MOST_IDS] = {false};
    for (int i = 0; i < SORT_STEPS; i++) {
        const Seen *s = &seen[PRE_STEPS + i];
        assert_true(s->stage == 1 && s->step == i && s->seed == (int64_t)rt_random_key(3, 1) && s->rows == SIZE);
        assert_true(i > 0 || s->scale == b->sort_state.scale);
        widths[s->width] = true;
    }
    assert_true(widths[4] + widths[8] + widths[12] + widths[13] > 1);
    bench_free(b);
}

static void lines_name_their_stage(void **state)
{
    (void)state;
    char text[20000];
    must_train("a", false, 0);
    slurp("a", "metrics.jsonl", text, sizeof text);
    static const char *const wanted[] = {
        "{\"step\": 1, \"stage\": \"pre\", \"epoch\": 0.25, \"lr\": ",
        "{\"step\": 10, \"stage\": \"pre\", \"epoch\": 2.5, ",
        "{\"step\": 11, \"stage\": \"sort.all\", \"epoch\": 0.2, ",
        "{\"step\": 19, \"stage\": \"sort.all\", \"epoch\": 1.8, ",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (!strstr(text, wanted[i])) fail_msg("no %s in\n%s", wanted[i], text);
    }
    /* What the rate follows is what the line says. */
    const char *line = strstr(text, "{\"step\": 4,"), *value = line ? strstr(line, "\"valid_loss\": ") : NULL;
    assert_non_null(value);
    assert_true((float)strtod(value + strlen("\"valid_loss\": "), NULL) == seen[PRE_EPOCH].history[0]);
    /* The last stage alone chooses the best weights. */
    slurp("a", "best.safetensors", text, sizeof text);
    assert_non_null(strstr(text + 8, "\"best_step\":\"1"));
    assert_non_null(strstr(text + 8, "\"stage\":\"1\""));
    assert_non_null(strstr(text + 8, "\"pending\":\"0\""));
    slurp("a", "last.safetensors", text, sizeof text);
    assert_non_null(strstr(text + 8, "optimizer.w.scale"));
    assert_null(strstr(text + 8, "h.c"));
}

/* Trains until the event, in a process of its own. */
static int train_until(Event until, int64_t save_every)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        RtError e;
        event = until;
        _exit((int)train_in("b", false, save_every, &e));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void go_on_and_compare(int64_t save_every)
{
    must_train("b", true, save_every);
    check_equal_runs("a", "b");
    remove_run("b");
}

/* In the middle of a pass, at its end, between stages, and at every distance from a checkpoint. */
static void killed_and_resumed_is_the_same(void **state)
{
    (void)state;
    must_train("a", false, 3);
    int batches = judged;
    for (int at = 1; at < TOTAL; at++) {
        assert_true(WIFSIGNALED(train_until((Event){SIGKILL, at, -1}, 3)));
        go_on_and_compare(3);
    }
    for (int at = 0; at < batches; at += 7) {
        assert_true(WIFSIGNALED(train_until((Event){SIGKILL, -1, at}, 3)));
        go_on_and_compare(3);
    }
}

static void interrupted_and_resumed_is_the_same(void **state)
{
    (void)state;
    must_train("a", false, 0);
    for (int at = 0; at < TOTAL - 1; at++) {
        int status = train_until((Event){SIGINT, at, -1}, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == RT_INTERRUPTED);
        go_on_and_compare(0);
    }
}

/* An evaluation is left in its middle, and made again: also that of the last step, and for runs that are killed or
 * interrupted once more before they come to their next checkpoint. */
static void evaluations_stop_at_once(void **state)
{
    (void)state;
    char text[20000];
    must_train("a", false, 0);
    int batches = judged, in_the_middle = 0;
    for (int at = 0; at < batches; at++) {
        RtError e;
        event = (Event){SIGINT, -1, at};
        RtOutcome outcome = train_in("b", false, 0, &e);
        event.signal = 0;
        assert_int_equal(judged, outcome == RT_DONE ? batches : at + 1);
        assert_true(outcome == RT_INTERRUPTED || at == batches - 1);
        slurp("b", "last.safetensors", text, sizeof text);
        in_the_middle += strstr(text + 8, "\"pending\":\"1\"") != NULL;
        if (at % 3 == 1 && outcome != RT_DONE) {
            event = (Event){SIGINT, -1, 0};
            assert_int_equal(train_in("b", true, 0, &e), RT_INTERRUPTED);
            event.signal = 0;
        }
        go_on_and_compare(0);
    }
    assert_in_range(in_the_middle, batches * 3 / 4, batches - 1);
}

/* A run that goes on after it had stopped in an evaluation, and is killed at once. */
static void killed_after_a_stop_is_the_same(void **state)
{
    (void)state;
    RtError e;
    must_train("a", false, 0);
    event = (Event){SIGINT, -1, 9};
    assert_int_equal(train_in("b", false, 0, &e), RT_INTERRUPTED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        event = (Event){SIGKILL, 5, -1};
        train_in("b", true, 100, &e);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    event.signal = 0;
    go_on_and_compare(0);
}

/* A run that is made longer has the history that it would have had from the beginning. */
static void histories_grow(void **state)
{
    (void)state;
    char path[200];
    path_of(path, sizeof path, "a", "");
    RtError e;
    for (int part = 0; part < 2; part++) {
        Bench *b = bench_new(path, 1, part ? 14 : PRE_STEPS);
        b->recipe.resume = part;
        if (rt_train(&b->recipe, &e) != RT_DONE) fail_msg("%s", e.text);
        atomic_store(&counting, false);
        bench_free(b);
    }
    assert_int_equal(seen_count, 4);     /* 10 to 13, evaluated at 4, 8, 12 */
    assert_int_equal(numbers_in(seen[0].history), 2);
    assert_int_equal(numbers_in(seen[1].history), 2);
    assert_int_equal(numbers_in(seen[2].history), 3);
}

static void resume_refuses_other_stages(void **state)
{
    (void)state;
    RtError e;
    char path[200];
    path_of(path, sizeof path, "a", "");
    must_train("a", false, 0);
    Bench *b = bench_new(path, 2, PRE_STEPS + 1);
    b->recipe.resume = true;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    const char *wanted = "step 19 of stage 2, which began at step 10, does not fit the stages as they are now";
    assert_non_null(strstr(e.text, wanted));
    b->recipe.stage_count = 1;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_non_null(strstr(e.text, "does not fit the stages"));
    bench_free(b);
}

static void histories_need_their_evaluation(void **state)
{
    (void)state;
    RtError e;
    Bench *b = bench_new(NULL, 2, PRE_STEPS);
    b->pre_evaluations[0].name = "other";
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_string_equal(e.text, "history.loss: the stage does not evaluate this");
    bench_free(b);
}

static void without_a_checkpoint_it_begins_again(void **state)
{
    (void)state;
    must_train("a", false, 0);
    assert_true(WIFSIGNALED(train_until((Event){SIGKILL, 1, -1}, 0)));
    char path[200], text[8000] = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    path_of(path, sizeof path, "b", "");
    Bench *b = bench_new(path, 2, PRE_STEPS);
    b->recipe.resume = true;
    b->recipe.progress = ends[1];
    RtError e;
    assert_int_equal(rt_train(&b->recipe, &e), RT_DONE);
    atomic_store(&counting, false);
    bench_free(b);
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_non_null(strstr(text, "/b holds no checkpoint: beginning at step 0\nstage pre: 10 steps\n"));
    assert_non_null(strstr(text, "stage sort.all: 9 steps\n"));
    check_equal_runs("a", "b");
}

/* Parallel streams: a mean over batches of different widths is that over all predicted ids, the state carried. */
static void means_count_what_is_predicted(void **state)
{
    (void)state;
    Bench *b = bench_new(NULL, 1, PRE_STEPS);
    double values[2], again[2], hidden = 1, weighted = 0;
    RtError e;
    for (int i = 0; i < 7; i++) weighted += 5 * (hidden *= 0.5);
    weighted += 4 * hidden * 0.5;
    if (!rt_evaluate(&b->recipe, values, &e)) fail_msg("%s", e.text);
    assert_int_equal(judged, 16);
    assert_true(fabs(values[0] - (1 + 0.1 * weighted / 39)) < 1e-6);
    assert_true(values[0] == values[1]);
    assert_true(rt_evaluate(&b->recipe, again, &e) && again[0] == values[0]);
    bench_free(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(each_stage_begins_afresh),
        TEST(lines_name_their_stage),
        TEST(killed_and_resumed_is_the_same),
        TEST(interrupted_and_resumed_is_the_same),
        TEST(evaluations_stop_at_once),
        TEST(killed_after_a_stop_is_the_same),
        TEST(histories_grow),
        TEST(resume_refuses_other_stages),
        TEST(histories_need_their_evaluation),
        TEST(without_a_checkpoint_it_begins_again),
        TEST(means_count_what_is_predicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
