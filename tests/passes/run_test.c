/* The pipeline: which passes run, in which order they are observed, where it ends. */
#include "tests/passes/samples.h"

typedef struct Log {
    Arena      *arena;
    const char *text;
    int         graphs, plans;
} Log;

static void observe(void *context, const char *pass, bool after, const Graph *graph, const Plan *plan)
{
    Log *log = context;
    log->text = arena_print(log->arena, "%s%s%s ", log->text, after ? "" : "+", pass);
    log->graphs += graph != NULL;
    log->plans += plan != NULL;
    assert_true((graph == NULL) != (plan == NULL));
}

static Graph *squares(Arena *arena)
{
    Graph *g = new_graph(arena);
    Node *x = param(g, "x", SHAPE(g, DT_f32, 8));
    graph_output(g, OUTPUT_result, "loss", make_reduce(g, OP_sum, make_binary(g, OP_mul, x, x), 1));
    return g;
}

static void test_stop_after(void **state)
{
    (void)state;
    Log log = {arena_new(), "", 0, 0};
    const char *const trained[] = {"x"};
    PassOptions options = {.loss = "loss",
                           .trained = trained,
                           .trained_count = 1,
                           .stop_after = "simplify",
                           .verify = true,
                           .observe = observe,
                           .context = &log};
    assert_null(passes_run(log.arena, squares(log.arena), &options, diag_new(log.arena)));
    assert_string_equal(log.text, "+grad grad +simplify simplify ");
    assert_int_equal(log.plans, 0);
    arena_free(log.arena);
}

static void test_all(void **state)
{
    (void)state;
    Log log = {arena_new(), "", 0, 0};
    Layout layout = {.offset = map_new(log.arena)};
    int64_t place = 0;
    map_set(layout.offset, "x", &place);
    layout.bytes[MEMORY_param] = 64;
    PassOptions options = {.layout = &layout, .verify = true, .observe = observe, .context = &log};
    assert_non_null(passes_run(log.arena, squares(log.arena), &options, diag_new(log.arena)));
    assert_string_equal(log.text, "+simplify simplify +sparse sparse +strip strip +fuse fuse +schedule schedule "
                                  "+plan plan ");
    assert_int_equal(log.graphs, 7);
    assert_int_equal(log.plans, 5);
    arena_free(log.arena);
}

static void test_errors_end_it(void **state)
{
    (void)state;
    Log log = {arena_new(), "", 0, 0};
    PassOptions options = {.loss = "lost", .observe = observe, .context = &log};
    Diagnostics *d = diag_new(log.arena);
    assert_null(passes_run(log.arena, squares(log.arena), &options, d));
    assert_int_equal(diag_error_count(d), 1);
    assert_string_equal(log.text, "+grad ");
    arena_free(log.arena);
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(pass_count(), 11);
    assert_string_equal(pass_name(0), "grad");
    assert_string_equal(pass_name(pass_count() - 1), "plan");
    assert_non_null(strstr(pass_doc(0), "reverse"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stop_after), cmocka_unit_test(test_all),
                                       cmocka_unit_test(test_errors_end_it), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
