/* The training loop: what it writes, the same bits from any number of threads and across stop and resume, and how it
 * ends when something goes wrong. */
#include "line.h"
#include "runs.h"

#include <sys/stat.h>
#include <sys/wait.h>

static int begin(void **state)
{
    event = (Event){0};
    return make_directory(state);
}

/* Trains in run directory `run`; the outcome, with the error in e. Frees the bench. */
static RtOutcome train_in(const char *run, bool resume, int64_t steps, int64_t save_every, int threads, RtError *e)
{
    char path[200];
    path_of(path, sizeof path, run, "");
    Bench *b = bench_new(threads, path);
    b->recipe.resume = resume;
    b->stage.steps = steps;
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
        remove_run("b");
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

/* Writes the checkpoint of run `b` again with the metadata alone that files once had. */
static void age_checkpoint(void)
{
    static const char *const keys[] = {"step", "seed", "best", "best_step"};
    char path[200], data[4][64], header[4000];
    RtTensor tensors[4];
    RtMeta metadata[4];
    RtError e;
    path_of(path, sizeof path, "b", "last.safetensors");
    RtTensors *t = rt_tensors_open(path, &e);
    assert_non_null(t);
    int count = rt_tensors_count(t);
    assert_true(count <= 4);
    for (int i = 0; i < count; i++) {
        tensors[i] = *rt_tensors_at(t, i);
        assert_true(tensors[i].bytes <= 64 && rt_tensors_read(t, &tensors[i], data[i], &e));
        tensors[i].data = data[i];
    }
    for (int i = 0; i < 4; i++) metadata[i] = (RtMeta){keys[i], rt_tensors_metadata(t, keys[i])};
    assert_true(rt_tensors_header_bytes(tensors, count, metadata, 4) <= (int64_t)sizeof header);
    assert_true(rt_tensors_write(path, tensors, count, metadata, 4, header, &e));
    rt_tensors_close(t);
}

static void older_checkpoints_go_on(void **state)
{
    (void)state;
    RtError e;
    must_train("a", false, 0, 1);
    event = (Event){INTERRUPT, 16};
    assert_int_equal(train_in("b", false, STEPS, 0, 1, &e), RT_INTERRUPTED);
    event = (Event){0};
    age_checkpoint();
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
    b->stage.steps = 2 * STEPS;
    b->recipe.seed = 4;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_non_null(strstr(e.text, "started with seed 3, it cannot go on with seed 4"));
    b->recipe.seed = 3;
    b->table[1] = 1;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_non_null(strstr(e.text, "started with other data"));
    b->table[1] = 0;
    b->stage.states.count = b->stage.states.kept = 0;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_non_null(strstr(e.text, "the model has changed"));
    bench_free(b);
}

static void a_recipe_wants_stages_and_batches(void **state)
{
    (void)state;
    char path[200];
    path_of(path, sizeof path, "a", "");
    RtError e;
    Bench *b = bench_new(1, path);
    b->recipe.stage_count = 0;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_string_equal(e.text, "there is nothing to train");
    b->recipe.stage_count = 1;
    b->stage.train.count = 0;
    assert_int_equal(rt_train(&b->recipe, &e), RT_FAILED);
    assert_string_equal(e.text, "there are fewer rows than one batch needs");
    bench_free(b);
}

static void a_loss_that_is_no_number_stops(void **state)
{
    (void)state;
    RtError e;
    event = (Event){NOT_A_NUMBER, 24};
    assert_int_equal(train_in("a", false, STEPS, 0, 1, &e), RT_DIVERGED);
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
    assert_string_equal(e.text, "line.ptm:3:5 h.0: index 70 is outside its axis of 65");
}

/* The root of the first term plus the second, as compiled code around terms is: f64 scalars in the work block. */
static void root_kernel(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                        RtFault *fault)
{
    (void)args, (void)begin, (void)end, (void)scratch, (void)fault;
    double *at = (double *)block[BLOCK_work];
    at[2] = sqrt(at[0]) + at[1];
}

static const RtStep root_steps[] = {{.run = root_kernel, .extent = 1, .tile = 1}};
static const RtValue root_inputs[] = {
    {.name = "1", .dtype = RT_f64, .place = RT_PLACE(BLOCK_work, 8), .bytes = 8},
    {.name = "0", .dtype = RT_f64, .place = RT_PLACE(BLOCK_work, 0), .bytes = 8},
};
static const RtValue root_output[] = {{.name = "0", .dtype = RT_f64, .place = RT_PLACE(BLOCK_work, 16), .bytes = 8}};
static const Program root = {.entry = "post", .steps = root_steps, .step_count = 1, .inputs = root_inputs,
                             .input_count = 2, .outputs = root_output, .output_count = 1,
                             .block_bytes = {[BLOCK_work] = 24}};

static void evaluations_reduce(void **state)
{
    (void)state;
    Bench *b = bench_new(1, NULL);
    b->param = (Param){{0.5f, -0.25f}};
    b->judge_state.count = 100;
    RtTerm terms[2] = {b->mean_term, b->count_term};
    RtTerm all = b->all_term;
    all.reduce = RT_MEAN;
    b->evaluations[2] =
        (RtEvaluation){.name = "root", .terms = terms, .term_count = 2, .post = &root};
    b->evaluations[3] = (RtEvaluation){.name = "all", .terms = &all, .term_count = 1};
    b->stage.evaluation_count = 4;
    double sum = 0, values[4];
    for (int i = 0; i < ROWS; i++) sum += pow(error_of(&b->param, b->rows + i * COLUMNS), 2);
    RtError e;
    if (!rt_evaluate(&b->recipe, values, &e)) fail_msg("%s", e.text);
    assert_true(fabs(values[0] - sum / ROWS) < 1e-6);        /* the short batch counts for its rows only */
    assert_true(fabs(values[1] - sum) < 1e-5);
    /* A pass starts with the initial state. */
    assert_true(fabs(values[2] - (sqrt(sum / ROWS) + 101 + 102 + 103)) < 1e-5);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(trains_and_writes),      TEST(same_for_any_threads),        TEST(killed_and_resumed_is_the_same),
        TEST(older_checkpoints_go_on),
        TEST(runs_are_not_overwritten), TEST(interrupted_and_resumed_is_the_same), TEST(resume_refuses_what_differs),
        TEST(a_recipe_wants_stages_and_batches), TEST(a_bad_id_is_named),   TEST(evaluations_reduce),
        TEST(a_loss_that_is_no_number_stops), TEST(a_bad_id_is_named),   TEST(evaluations_reduce),
        TEST(plain_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
