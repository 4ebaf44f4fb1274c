/* Loops in a program's table: which rows run how often, and where the cursors stand in each iteration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/core/pool.h"

enum { MOST_NOTES = 64, CURSOR = BLOCK_COUNT };

/* The work block of these programs: kernels note which numbers they were shown. */
typedef struct Work {
    int64_t index, inner_index, count;
    int64_t note[MOST_NOTES];
    int64_t row[12], other[12];          /* what cursors walk along */
    char    flag[8];
} Work;

#define WORK(field) RT_PLACE(BLOCK_work, offsetof(Work, field))

/* args: count, then places of i64. Notes 1000 a + b .. of all of them. */
static void note(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)begin, (void)end, (void)scratch, (void)fault;
    Work *work = (Work *)block[BLOCK_work];
    int64_t value = 0;
    for (int64_t k = 1; k <= args[0]; k++) value = 1000 * value + *(const int64_t *)rt_at(block, args[k]);
    work->note[work->count++] = value;
}

/* args: from, to, and what is added. */
static void add(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)begin, (void)end, (void)scratch, (void)fault;
    *(int64_t *)rt_at(block, args[1]) = *(const int64_t *)rt_at(block, args[0]) + args[2];
}

/* args: place of an i64, a bound, place of a bool. */
static void reaches(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)begin, (void)end, (void)scratch, (void)fault;
    *rt_at(block, args[2]) = *(const int64_t *)rt_at(block, args[0]) >= args[1];
}

/* args: place of an i64, the number that is refused. */
static void refuse(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)begin, (void)end, (void)scratch;
    if (*(const int64_t *)rt_at(block, args[0]) == args[1]) *fault = (RtFault){.place = 3, .value = args[1]};
}

#define ARGS(...) (const int64_t[]){__VA_ARGS__}
#define ROW(kernel, ...) {.run = kernel, .args = ARGS(__VA_ARGS__), .extent = 1, .tile = 1}

static int run(const RtStep *steps, int count, Work *work)
{
    Program program = {.steps = steps, .step_count = count, .cursor_count = RT_MAX_CURSORS};
    char *block[BLOCK_COUNT] = {[BLOCK_work] = (char *)work};
    Pool *pool = rt_pool_new(1, 0);
    RtFault fault;
    for (int k = 0; k < 12; k++) work->row[k] = 10 + k;
    int failed = rt_program_run(&program, pool, block, &fault);
    rt_pool_free(pool);
    return failed;
}

static void check_notes(const Work *work, int count, const int64_t *wanted)
{
    assert_int_equal(work->count, count);
    for (int k = 0; k < count; k++) assert_int_equal(work->note[k], wanted[k]);
}
#define CHECK_NOTES(work, ...) \
    check_notes(work, (int)(sizeof(ARGS(__VA_ARGS__)) / sizeof(int64_t)), ARGS(__VA_ARGS__))

/* Every element of `row`, with its place. */
static void cursors_walk_both_ways(void **state)
{
    (void)state;
    RtCursor along = {.first = -1, .base = {WORK(row), WORK(row)}, .stride = 8};
    RtLoop loop = {.count = 4, .steps = 1, .first_cursor = CURSOR, .cursor_count = 1, .cursors = &along,
                   .index = WORK(index), .until = -1};
    RtStep steps[] = {{.loop = &loop}, ROW(note, 2, WORK(index), RT_PLACE(CURSOR, 0)), ROW(note, 1, WORK(row[7]))};
    Work forwards = {0}, backwards = {0};
    assert_int_equal(run(steps, 3, &forwards), 0);
    CHECK_NOTES(&forwards, 10, 1011, 2012, 3013, 17);
    loop.backwards = 1;
    assert_int_equal(run(steps, 3, &backwards), 0);
    CHECK_NOTES(&backwards, 3013, 2012, 1011, 10, 17);
}

/* A carried value: read at `first`, then where the iteration before wrote it; the last one writes `other`. */
static void carries_change_places(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 4; n++) {
        int64_t home = WORK(other), spare = WORK(other[1]);
        int even = n % 2 == 0;
        RtCursor cursors[] = {{.first = WORK(row[5]), .base = {even ? home : spare, even ? spare : home}},
                              {.first = -1, .base = {even ? spare : home, even ? home : spare}}};
        RtLoop loop = {.count = n, .steps = 1, .first_cursor = CURSOR, .cursor_count = 2, .cursors = cursors,
                       .index = -1, .until = -1};
        RtStep steps[] = {{.loop = &loop}, ROW(add, RT_PLACE(CURSOR, 0), RT_PLACE(CURSOR + 1, 0), 100)};
        Work work = {0};
        assert_int_equal(run(steps, 2, &work), 0);
        assert_int_equal(work.other[0], 15 + 100 * n);
        assert_int_equal(work.row[5], 15);
    }
}

/* The inner loop walks along a line that the outer one's cursor points to. */
static void loops_nest(void **state)
{
    (void)state;
    RtCursor outer_cursor = {.first = -1, .base = {WORK(row), WORK(row)}, .stride = 3 * 8};
    RtCursor inner_cursor = {.first = -1, .base = {RT_PLACE(CURSOR, 0), RT_PLACE(CURSOR, 0)}, .stride = 8};
    RtLoop outer = {.count = 2, .steps = 4, .first_cursor = CURSOR, .cursor_count = 1, .cursors = &outer_cursor,
                    .index = WORK(index), .until = -1};
    RtLoop inner = {.count = 3, .steps = 1, .backwards = 1, .first_cursor = CURSOR + 1, .cursor_count = 1,
                    .cursors = &inner_cursor, .index = WORK(inner_index), .until = -1};
    RtStep steps[] = {{.loop = &outer},
                      ROW(note, 1, WORK(index)),
                      {.loop = &inner},
                      ROW(note, 3, WORK(index), WORK(inner_index), RT_PLACE(CURSOR + 1, 0)),
                      ROW(note, 1, RT_PLACE(CURSOR, 0)),
                      ROW(note, 1, WORK(row[11]))};
    Work work = {0};
    assert_int_equal(run(steps, 6, &work), 0);
    CHECK_NOTES(&work, 0, 2012, 1011, 10, 10, 1, 1002015, 1001014, 1000013, 13, 21);
}

static void until_ends_before_an_iteration(void **state)
{
    (void)state;
    RtLoop loop = {.count = 9, .steps = 2, .index = WORK(index), .until = WORK(flag)};
    RtStep steps[] = {{.loop = &loop}, ROW(note, 1, WORK(index)), ROW(reaches, WORK(index), 2, WORK(flag)),
                      ROW(note, 1, WORK(row))};
    Work work = {0}, ended = {.flag = {1}};
    assert_int_equal(run(steps, 4, &work), 0);
    CHECK_NOTES(&work, 0, 1, 2, 10);
    assert_int_equal(run(steps, 4, &ended), 0);
    CHECK_NOTES(&ended, 10);
}

static void no_iteration_skips_the_body(void **state)
{
    (void)state;
    RtLoop inner = {.count = 5, .steps = 1, .index = -1, .until = -1}, loop = inner;
    loop.count = 0, loop.steps = 2;
    RtStep steps[] = {{.loop = &loop}, {.loop = &inner}, ROW(note, 1, WORK(row)), ROW(note, 1, WORK(row[1]))};
    Work work = {0};
    assert_int_equal(run(steps, 4, &work), 0);
    CHECK_NOTES(&work, 11);
}

static void faults_end_every_loop(void **state)
{
    (void)state;
    RtLoop outer = {.count = 3, .steps = 3, .index = WORK(index), .until = -1};
    RtLoop inner = {.count = 4, .steps = 2, .index = WORK(inner_index), .until = -1};
    RtStep steps[] = {{.loop = &outer}, {.loop = &inner}, ROW(refuse, WORK(inner_index), 2),
                      ROW(note, 2, WORK(index), WORK(inner_index)), ROW(note, 1, WORK(row))};
    Work work = {0};
    assert_int_equal(run(steps, 5, &work), 1);
    CHECK_NOTES(&work, 0, 1);
}

/* What a watch has seen: per call the row, before or after it, and the places along the loops around it. */
static int64_t watched[MOST_NOTES], watched_count;

static void watch_row(int64_t which, int32_t row, char *const *block, const RtIteration *in)
{
    int64_t value = which * 10 + row, cursor = in ? *(const int64_t *)block[CURSOR] : 0;
    for (; in; in = in->around) value = 10 * value + in->t;
    watched[watched_count++] = 100 * value + cursor;
}

static void watch_begin(void *context, const Program *program, char *const *block)
{
    (void)block;
    watched[watched_count++] = program == context ? -1 : -9;
}

static void watch_before(void *context, int32_t row, char *const *block, const RtIteration *in)
{
    (void)context;
    watch_row(1, row, block, in);
}

static void watch_after(void *context, int32_t row, char *const *block, const RtIteration *in)
{
    (void)context;
    watch_row(2, row, block, in);
}

static void watch_end(void *context, char *const *block)
{
    (void)context, (void)block;
    watched[watched_count++] = -2;
}

/* Rows that could run together are shown one by one; the heads of loops are not rows. */
static void watches_see_every_row(void **state)
{
    (void)state;
    RtCursor along = {.first = -1, .base = {WORK(row), WORK(row)}, .stride = 8};
    RtLoop loop = {.count = 2, .steps = 1, .first_cursor = CURSOR, .cursor_count = 1, .cursors = &along, .index = -1,
                   .until = -1};
    int64_t here = RT_PLACE(CURSOR, 0);
    RtStep steps[] = {ROW(note, 0), ROW(note, 0), {.loop = &loop}, ROW(add, here, here, 5)};
    steps[0].beside = 1;
    Program program = {.steps = steps, .step_count = 4, .cursor_count = 1};
    Work work = {.row = {10, 11}};
    char *block[BLOCK_COUNT] = {[BLOCK_work] = (char *)&work};
    Pool *pool = rt_pool_new(2, 0);
    RtWatch watch = {&program, watch_begin, watch_before, watch_after, watch_end};
    RtFault fault;
    assert_int_equal(rt_program_watch(&program, pool, block, &watch, &fault), 0);
    static const int64_t wanted[] = {-1,  1000, 2000, 1100, 2100, 13010, 23015, 13111, 23116, -2};
    assert_int_equal(watched_count, sizeof wanted / sizeof *wanted);
    for (int k = 0; k < watched_count; k++) assert_int_equal(watched[k], wanted[k]);
    rt_pool_free(pool);
}

/* Every byte and none beyond, for sizes around the unit. */
static void bytes_are_copied_and_zeroed(void **state)
{
    (void)state;
    enum { SIDE = 3 * RT_MOVE_BYTES };
    static unsigned char bytes[2 * SIDE];
    static const int64_t sizes[] = {1, 63, RT_MOVE_BYTES - 1, RT_MOVE_BYTES, RT_MOVE_BYTES + 1, 2 * RT_MOVE_BYTES + 17};
    char *block[BLOCK_COUNT] = {[BLOCK_work] = (char *)bytes};
    Pool *pool = rt_pool_new(2, 0);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int64_t n = sizes[k], to = SIDE + 8, args[] = {RT_PLACE(BLOCK_work, 1), RT_PLACE(BLOCK_work, to), n};
        for (int i = 0; i < SIDE; i++) bytes[i] = (unsigned char)(1 + i % 251), bytes[SIDE + i] = 255;
        RtStep step = {.run = rt_copy, .args = args, .extent = (n + RT_MOVE_BYTES - 1) / RT_MOVE_BYTES, .tile = 1};
        RtFault fault = {0};
        rt_pool_run(pool, &step, 1, block, &fault);
        assert_memory_equal(bytes + to, bytes + 1, (size_t)n);
        assert_int_equal(bytes[to - 1], 255);
        assert_int_equal(bytes[to + n], 255);
        step.run = rt_zero;
        step.args = args + 1;
        rt_pool_run(pool, &step, 1, block, &fault);
        for (int64_t i = 0; i < n; i++) assert_int_equal(bytes[to + i], 0);
        assert_int_equal(bytes[to - 1], 255);
        assert_int_equal(bytes[to + n], 255);
    }
    rt_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_walk_both_ways),
        cmocka_unit_test(carries_change_places),
        cmocka_unit_test(loops_nest),
        cmocka_unit_test(until_ends_before_an_iteration),
        cmocka_unit_test(no_iteration_skips_the_body),
        cmocka_unit_test(faults_end_every_loop),
        cmocka_unit_test(watches_see_every_row),
        cmocka_unit_test(bytes_are_copied_and_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
