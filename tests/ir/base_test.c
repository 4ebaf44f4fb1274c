/* Arena, map and diagnostics. */
#include "ir/base/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void arena_is_zeroed_and_aligned(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    for (size_t bytes = 0, all = 0; all < 6000000; bytes = bytes < 400000 ? bytes * 3 + 1 : 1, all += bytes) {
        unsigned char *memory = arena_alloc(arena, bytes);
        assert_int_equal((uintptr_t)memory % 16, 0);
        for (size_t i = 0; i < bytes; i++) assert_int_equal(memory[i], 0);
        memset(memory, 0xFF, bytes);
    }
    assert_string_equal(arena_print(arena, "%d-%s", 7, "x"), "7-x");
    arena_free(arena);
    arena_free(NULL);
}

static void vectors_grow(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Vec(int) v = {0};
    for (int i = 0; i < 1000; i++) vec_push(arena, &v, i * i);
    assert_int_equal(v.count, 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(v.at[i], i * i);
    arena_free(arena);
}

/* A number of items whose bytes do not fit is more memory than there is, not a small block. */
static void impossible_arrays_end_the_program(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        Arena *arena = arena_new();
        int64_t count = INT64_MAX / 4 + 2;                   /* times 8: 8, after the overflow */
        arena_array(arena, int64_t, count)[0] = 1;
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void maps_keep_their_order(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Map *map = map_new(arena);
    int values[500];
    for (int i = 0; i < 500; i++) map_set(map, arena_print(arena, "k%d", i), &values[i]);
    map_set(map, "k3", &values[4]);
    assert_int_equal(map_count(map), 500);
    assert_ptr_equal(map_get(map, "k3"), &values[4]);
    assert_ptr_equal(map_get(map, "k499"), &values[499]);
    assert_null(map_get(map, "k500"));
    for (int i = 0; i < 500; i++) assert_string_equal(map_key(map, i), arena_print(arena, "k%d", i));
    char text[] = "again";
    assert_ptr_equal(arena_intern(map, text), arena_intern(map, "again"));
    assert_ptr_not_equal(arena_intern(map, text), text);
    arena_free(arena);
}

static Source source_of(const char *path, const char *text)
{
    return (Source){.path = path, .text = text, .size = strlen(text)};
}

static void expect_printed(const Diagnostics *d, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    diag_print(d, out);
    fclose(out);
    assert_string_equal(text, wanted);
    free(text);
}

static void messages_are_sorted_and_said_once(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    Source a = source_of("a.ptm", "x = foo(y)\n\tz = \xC3\xA9t\xC3\xA9(q)\n"), b = source_of("b.ptm", "");
    diag_error(d, (Place){&b, 0, 0, 0}, "cannot read the file");
    diag_error(d, (Place){&a, 2, 6, 5}, "unknown name %s", "\xC3\xA9t\xC3\xA9");
    diag_note(d, (Place){&a, 1, 1, 1}, "first seen here");
    diag_error(d, (Place){&a, 1, 5, 3}, "unknown function foo");
    diag_error(d, (Place){&a, 1, 5, 3}, "unknown function foo");
    diag_warning(d, (Place){&a, 1, 10, 1}, "odd");
    assert_int_equal(diag_error_count(d), 4);
    assert_int_equal(diag_warning_count(d), 1);
    expect_printed(d, "a.ptm:1:5: error: unknown function foo\n"
                      "    x = foo(y)\n"
                      "        ^~~\n"
                      "a.ptm:1:10: warning: odd\n"
                      "    x = foo(y)\n"
                      "             ^\n"
                      "a.ptm:2:6: error: unknown name \xC3\xA9t\xC3\xA9\n"
                      "    \tz = \xC3\xA9t\xC3\xA9(q)\n"
                      "    \t    ^~~\n"
                      "a.ptm:1:1: note: first seen here\n"
                      "    x = foo(y)\n"
                      "    ^\n"
                      "b.ptm: error: cannot read the file\n");
    arena_free(arena);
}

static void control_bytes_and_missing_lines_are_harmless(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    Source a = source_of("a.ptm", "\x1B[2J\xFFx");
    diag_error(d, (Place){&a, 1, 6, 90}, "bad");
    diag_error(d, (Place){&a, 9, 1, 1}, "past the end");
    expect_printed(d, "a.ptm:1:6: error: bad\n    ?[2J?x\n         ^\na.ptm:9:1: error: past the end\n");
    arena_free(arena);
}

static void a_flood_of_messages_ends(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    Source a = source_of("a.ptm", "x\n");
    for (uint32_t i = 0; i < 1000; i++) diag_error(d, (Place){&a, 1, 1 + i, 1}, "odd");
    diag_note(d, (Place){&a, 1, 1, 1}, "belongs to a message that is not shown");
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    diag_print(d, out);
    fclose(out);
    assert_int_equal(diag_error_count(d), 1000);
    assert_non_null(strstr(text, "\n800 more messages are not shown\n"));
    assert_null(strstr(text, "belongs"));
    free(text);
    arena_free(arena);
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    char *text = arena_alloc(arena, 5001);
    memset(text, 'x', 5000);
    Source a = source_of("a.ptm", text);
    diag_error(d, (Place){&a, 1, 2500, 1}, "bad");
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    diag_print(d, out);
    fclose(out);
    assert_true(size < 400);
    assert_non_null(strstr(printed, "    ...xxx"));
    assert_non_null(strstr(printed, "xxx...\n"));
    free(printed);
    arena_free(arena);
}

static void chains_leave_the_prelude_out(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    Source a = source_of("a.ptm", "loss(block)\n"), p = source_of("prelude/nn.ptm", "inner()\n");
    p.builtin = true;
    Origin file = {.place = {&a, 1, 1, 4}, .path = ""};
    Origin block = {.place = {&a, 1, 6, 5}, .callee = "loss", .path = "", .caller = &file};
    Origin inner = {.place = {&p, 1, 1, 5}, .callee = "block", .path = "h.0", .caller = &block};
    Origin leaf = {.place = {&p, 1, 2, 1}, .callee = "inner", .path = "h.0", .caller = &inner};
    diag_error(d, (Place){0}, "broken");
    diag_chain(d, &leaf);
    expect_printed(d, "error: broken\n"
                      "a.ptm:1:6: note: in call of block, labelled h.0\n    loss(block)\n         ^~~~~\n"
                      "a.ptm:1:1: note: in call of loss\n    loss(block)\n    ^~~~\n");
    arena_free(arena);
}

static void suggestions(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"embedding", "softmax", "mean", "T"};
    assert_string_equal(suggest("embeding", NAMES, 4), "embedding");
    assert_string_equal(suggest("sofmtax", NAMES, 4), "softmax");
    assert_string_equal(suggest("maen", NAMES, 4), "mean");
    assert_null(suggest("variance", NAMES, 4));
    assert_null(suggest("B", NAMES, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_is_zeroed_and_aligned), cmocka_unit_test(vectors_grow),
        cmocka_unit_test(maps_keep_their_order),       cmocka_unit_test(impossible_arrays_end_the_program),
        cmocka_unit_test(messages_are_sorted_and_said_once),
        cmocka_unit_test(a_flood_of_messages_ends),
        cmocka_unit_test(long_lines_are_cut),          cmocka_unit_test(control_bytes_and_missing_lines_are_harmless),
        cmocka_unit_test(chains_leave_the_prelude_out), cmocka_unit_test(suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
