/* Reference values of scans, worked out by hand: both directions, until, no iterations, scans in scans, draws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ir/eval.h"

#include <stdio.h>
#include <string.h>

static Arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static Graph *read_text(const char *text)
{
    Source *source = arena_new_of(arena, Source);
    *source = (Source){.path = "t.graph", .text = text, .size = strlen(text)};
    Diagnostics *d = diag_new(arena);
    Graph *g = graph_read(arena, source, d);
    if (!g) diag_print(d, stderr);
    assert_non_null(g);
    assert_null(graph_verify(g, arena));
    return g;
}

/* The outputs of a graph whose inputs have these values, one after the other. */
static Tensor **run(const char *text, const double *values, const char **why)
{
    Graph *g = read_text(text);
    Tensor **inputs = arena_array(arena, Tensor *, g->inputs.count + 1);
    Tensor **results = arena_array(arena, Tensor *, g->outputs.count + 1);
    for (int k = 0; k < g->inputs.count; k++) {
        Tensor *t = inputs[k] = tensor_new(arena, g->inputs.at[k]->type);
        for (int64_t j = 0; j < t->count; j++, values++) {
            if (t->f)
                t->f[j] = *values;
            else
                t->i[j] = (int64_t)*values;
        }
    }
    *why = graph_eval(g, inputs, results, arena);
    return results;
}

static void expect(const Tensor *t, int count, const double *wanted)
{
    assert_int_equal(t->count, count);
    for (int k = 0; k < count; k++) {
        double found = t->f ? t->f[k] : (double)t->i[k];
        if (found != wanted[k]) fail_msg("[%d]: %.17g, wanted %.17g", k, found, wanted[k]);
    }
}
#define EXPECT(t, ...) \
    expect(t, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (const double[]){__VA_ARGS__})

static Tensor **run_good(const char *text, const double *values)
{
    const char *why = NULL;
    Tensor **results = run(text, values, &why);
    if (why) fail_msg("%s", why);
    return results;
}
#define RUN(text, ...) run_good(text, (const double[]){__VA_ARGS__})

/* h' = w*h + x_t, emitted before and after, with the place; `count` elements of two numbers in this direction. */
static const char *recurrence(int count, int backwards)
{
    return arena_print(arena,
                       "graph g\ndim T = %d\n"
                       "%%0 = input \"x\" data : f32[T, 2]\n"
                       "%%1 = input \"h\" data : f32[2]\n"
                       "%%2 = input \"w\" data : f32[2]\n"
                       "%%3 = scan %%1 %%0 %%2 axis=0 i=%d count=T : i64 {\n"
                       "  %%0 = input \"index\" ambient : i64\n"
                       "  %%1 = input \"h\" carry : f32[2]\n"
                       "  %%2 = input \"x\" each : f32[2]\n"
                       "  %%3 = input \"w\" outer : f32[2]\n"
                       "  %%4 = mul %%1 %%3 : f32[2]\n"
                       "  %%5 = add %%4 %%2 : f32[2]\n"
                       "  result \"before\" %%1\n"
                       "  update \"h\" %%5\n"
                       "  result \"after\" %%5\n"
                       "  result \"place\" %%0\n"
                       "}\n"
                       "%%4 = pick %%3 i=0 : f32[2]\n"
                       "%%5 = pick %%3 i=1 : f32[T, 2]\n"
                       "%%6 = pick %%3 i=2 : f32[T, 2]\n"
                       "%%7 = pick %%3 i=3 : i64[T]\n"
                       "result \"h\" %%4\nresult \"before\" %%5\nresult \"after\" %%6\nresult \"place\" %%7\n",
                       count, backwards);
}

static void forwards(void **state)
{
    (void)state;
    Tensor **r = RUN(recurrence(3, 0), 1, 2, 3, 4, 5, 6, 10, 20, 2, 3);
    EXPECT(r[0], 2 * (2 * (2 * 10 + 1) + 3) + 5, 3 * (3 * (3 * 20 + 2) + 4) + 6);
    EXPECT(r[1], 10, 20, 21, 62, 45, 190);
    EXPECT(r[2], 21, 62, 45, 190, 95, 576);
    EXPECT(r[3], 0, 1, 2);
}

static void backwards(void **state)
{
    (void)state;
    Tensor **r = RUN(recurrence(3, 1), 1, 2, 3, 4, 5, 6, 10, 20, 2, 3);
    EXPECT(r[0], 2 * (2 * (2 * 10 + 5) + 3) + 1, 3 * (3 * (3 * 20 + 6) + 4) + 2);
    EXPECT(r[1], 53, 202, 25, 66, 10, 20);
    EXPECT(r[2], 107, 608, 53, 202, 25, 66);
    EXPECT(r[3], 0, 1, 2);
}

static void no_iterations(void **state)
{
    (void)state;
    Tensor **r = RUN(recurrence(0, 0), 10, 20, 2, 3);
    EXPECT(r[0], 10, 20);
    for (int k = 1; k < 4; k++) assert_int_equal(r[k]->count, 0);
}

/* Counts up by x_t until the sum is above 5, and emits it. */
static const char *until(int backwards)
{
    return arena_print(arena,
                       "graph g\n"
                       "%%0 = input \"x\" data : i32[4]\n"
                       "%%1 = input \"over\" data : bool\n"
                       "%%2 = const 0 : i32\n"
                       "%%3 = scan %%2 %%0 %%1 axis=2 i=%d count=4 : i64 {\n"
                       "  %%0 = input \"n\" carry : i32\n"
                       "  %%1 = input \"x\" each : i32\n"
                       "  %%2 = input \"over\" carry : bool\n"
                       "  %%3 = add %%0 %%1 : i32\n"
                       "  %%4 = const 5 : i32\n"
                       "  %%5 = lt %%4 %%3 : bool\n"
                       "  result \"0\" %%3\n"
                       "  update \"over\" %%5\n"
                       "  update \"n\" %%3\n"
                       "}\n"
                       "%%4 = pick %%3 i=0 : i32\n"
                       "%%5 = pick %%3 i=1 : bool\n"
                       "%%6 = pick %%3 i=2 : i32[4]\n"
                       "result \"n\" %%4\nresult \"over\" %%5\nresult \"0\" %%6\n",
                       backwards);
}

static void until_ends_it(void **state)
{
    (void)state;
    Tensor **r = RUN(until(0), 2, 4, 1, 1, 0);
    EXPECT(r[0], 6);
    EXPECT(r[1], 1);
    EXPECT(r[2], 2, 6, 0, 0);
    r = RUN(until(1), 2, 4, 1, 1, 0);
    EXPECT(r[0], 6);
    EXPECT(r[2], 0, 6, 2, 1);
    r = RUN(until(0), 1, 1, 1, 1, 0);
    EXPECT(r[0], 4);
    EXPECT(r[1], 0);
    EXPECT(r[2], 1, 2, 3, 4);
    r = RUN(until(0), 1, 1, 1, 1, 1);    /* over before it begins */
    EXPECT(r[0], 0);
    EXPECT(r[1], 1);
    EXPECT(r[2], 0, 0, 0, 0);
}

/* For every row the running sums of its elements, begun with the sum of the row before. */
static void scans_in_scans(void **state)
{
    (void)state;
    Tensor **r = RUN("graph g\n"
                     "%0 = input \"x\" data : f32[2, 3]\n"
                     "%1 = const 0.0 : f32\n"
                     "%2 = scan %0 %1 axis=0 i=0 count=2 : i64 {\n"
                     "  %0 = input \"row\" each : f32[3]\n"
                     "  %1 = input \"total\" carry : f32\n"
                     "  %2 = scan %1 %0 axis=0 i=0 count=3 : i64 {\n"
                     "    %0 = input \"s\" carry : f32\n"
                     "    %1 = input \"x\" each : f32\n"
                     "    %2 = add %0 %1 : f32\n"
                     "    update \"s\" %2\n"
                     "    result \"0\" %2\n"
                     "  }\n"
                     "  %3 = pick %2 i=0 : f32\n"
                     "  %4 = pick %2 i=1 : f32[3]\n"
                     "  update \"total\" %3\n"
                     "  result \"0\" %4\n"
                     "}\n"
                     "%3 = pick %2 i=0 : f32\n"
                     "%4 = pick %2 i=1 : f32[2, 3]\n"
                     "result \"total\" %3\nresult \"sums\" %4\n",
                     1, 2, 3, 4, 5, 6);
    EXPECT(r[0], 21);
    EXPECT(r[1], 1, 3, 6, 10, 15, 21);
}

/* Iteration t draws what the same draw outside has as element t of an axis more, in either direction. */
static void draws_go_on_in_their_stream(void **state)
{
    (void)state;
    static const char DRAWS[] = "graph g\n"
                                "%%0 = input \"seed\" ambient : i64\n"
                                "%%1 = input \"step\" ambient : i64\n"
                                "%%2 = const -5 : i32\n"
                                "%%3 = const 1000 : i32\n"
                                "%%4 = scan %%0 %%1 %%2 %%3 axis=0 i=%d count=4 : i64 {\n"
                                "  %%0 = input \"seed\" outer : i64\n"
                                "  %%1 = input \"step\" outer : i64\n"
                                "  %%2 = input \"low\" outer : i32\n"
                                "  %%3 = input \"high\" outer : i32\n"
                                "  %%4 = input \"index\" ambient : i64\n"
                                "  %%5 = uniform %%0 %%1 %%4 \"a\" : f32[2, 3]\n"
                                "  %%6 = integers %%0 %%1 %%2 %%3 %%4 \"b\" : i32[5]\n"
                                "  result \"0\" %%5\n"
                                "  result \"1\" %%6\n"
                                "}\n"
                                "%%5 = pick %%4 i=0 : f32[4, 2, 3]\n"
                                "%%6 = pick %%4 i=1 : i32[4, 5]\n"
                                "%%7 = uniform %%0 %%1 \"a\" : f32[4, 2, 3]\n"
                                "%%8 = integers %%0 %%1 %%2 %%3 \"b\" : i32[4, 5]\n"
                                "result \"0\" %%5\nresult \"1\" %%6\nresult \"2\" %%7\nresult \"3\" %%8\n";
    for (int direction = 0; direction < 2; direction++) {
        Tensor **r = RUN(arena_print(arena, DRAWS, direction), 7, 3);
        for (int k = 0; k < 24; k++) assert_true(r[0]->f[k] == r[2]->f[k]);
        for (int k = 0; k < 20; k++) assert_int_equal(r[1]->i[k], r[3]->i[k]);
        assert_true(r[0]->f[0] != r[0]->f[6]);
    }
}

static void faults_come_out(void **state)
{
    (void)state;
    const char *why = NULL;
    run("graph g\n"
        "%0 = input \"table\" const : f32[3]\n"
        "%1 = input \"ids\" data : i32[2]\n"
        "%2 = scan %0 %1 axis=0 i=0 count=2 : i64 {\n"
        "  %0 = input \"table\" outer : f32[3]\n"
        "  %1 = input \"id\" each : i32\n"
        "  %2 = gather %0 %1 axis=0 : f32 @ a.ptm:3:4\n"
        "  result \"0\" %2\n"
        "}\n"
        "%3 = pick %2 i=0 : f32[2]\n"
        "result \"0\" %3\n",
        (const double[]){1, 2, 3, 0, 3}, &why);
    assert_string_equal(why, "a.ptm:3:4: index 3 is out of range: gather reads an axis of 3");
    run("graph g\ndim T\n%0 = const 1.0 : f32\n%1 = scan %0 axis=0 i=0 count=T : i64 {\n"
        "  %0 = input \"h\" carry : f32\n  update \"h\" %0\n}\n%2 = pick %1 i=0 : f32\nresult \"0\" %2\n",
        NULL, &why);
    assert_string_equal(why, "scan: T has no value");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(forwards),      TEST(backwards),      TEST(no_iterations),
        TEST(until_ends_it), TEST(scans_in_scans), TEST(draws_go_on_in_their_stream),
        TEST(faults_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
