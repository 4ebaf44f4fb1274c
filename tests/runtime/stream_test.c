/* Streams: pure in (seed, step), permutations per epoch, finite passes in data order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/stream.h"

enum { ROWS = 103, BATCH = 10 };

/* Rows of two numbers: 2 * row and 2 * row + 1. */
static RtStream rows_stream(int32_t *data, bool shuffle)
{
    for (int32_t i = 0; i < 2 * ROWS; i++) data[i] = i;
    RtStream s = { .dtype = 5, .rank = 2, .shape = { BATCH, 2 }, .base = (const char *)data, .row_bytes = 8,
                   .rows = ROWS, .row_stride = 8, .places = ROWS, .place_stride = 8, .shuffle = shuffle, .key = 7 };
    rt_stream_set_variants(&s);
    return s;
}

static void test_permute_is_a_permutation(void **state)
{
    (void)state;
    for (int64_t count = 1; count <= 300; count++) {
        char seen[300] = { 0 };
        for (int64_t i = 0; i < count; i++) {
            int64_t place = rt_stream_permute(11, 3, i, count);
            assert_in_range(place, 0, count - 1);
            assert_int_equal(seen[place]++, 0);
        }
    }
}

/* Neighbours should not stay neighbours, and every place should be as likely as any: over 200 orders of 50 items, item
 * 0 falls into each fifth 40 times on average (standard deviation 5.7; 15 to 65 is more than four of them). */
static void test_permute_mixes(void **state)
{
    (void)state;
    int fifths[5] = { 0 }, neighbours = 0;
    for (uint64_t epoch = 0; epoch < 200; epoch++) {
        fifths[rt_stream_permute(5, epoch, 0, 50) / 10]++;
        for (int64_t i = 1; i < 50; i++)
            neighbours += rt_stream_permute(5, epoch, i, 50) == rt_stream_permute(5, epoch, i - 1, 50) + 1;
    }
    for (int i = 0; i < 5; i++) assert_in_range(fifths[i], 15, 65);
    assert_in_range(neighbours, 100, 300);   /* expected 49 / 50 for each of 200 orders */
}

static void test_large_counts_stay_in_range(void **state)
{
    (void)state;
    int64_t count = ((int64_t)1 << 40) + 12345;
    for (int64_t i = 0; i < 100; i++) assert_in_range(rt_stream_permute(1, 2, count - 1 - i, count), 0, count - 1);
}

static void test_training_visits_each_row_once_an_epoch(void **state)
{
    (void)state;
    int32_t data[2 * ROWS], out[2 * BATCH], first[2 * BATCH];
    RtStream s = rows_stream(data, true);
    assert_int_equal(rt_stream_steps(&s), 10);
    assert_int_equal(rt_stream_bytes(&s), sizeof out);
    int visits[ROWS] = { 0 }, in_order = 0;
    for (int64_t step = 0; step < 20; step++) {
        rt_stream_batch(&s, 42, step, out);
        if (step == 0) memcpy(first, out, sizeof out);
        for (int row = 0; row < BATCH; row++) {
            assert_int_equal(out[2 * row] + 1, out[2 * row + 1]);
            visits[out[2 * row] / 2]++;
            in_order += out[2 * row] / 2 == step % 10 * BATCH + row;
        }
        for (int row = 0; row < ROWS; row++) assert_true(visits[row] <= step / 10 + 1);
    }
    assert_true(in_order < 20);
    rt_stream_batch(&s, 42, 0, out);
    assert_memory_equal(first, out, sizeof out);
    rt_stream_batch(&s, 43, 0, out);
    assert_memory_not_equal(first, out, sizeof out);
    rt_stream_batch(&s, 42, 10, out);
    assert_memory_not_equal(first, out, sizeof out);
}

static void test_unshuffled_training_goes_in_order(void **state)
{
    (void)state;
    int32_t data[2 * ROWS], out[2 * BATCH];
    RtStream s = rows_stream(data, false);
    rt_stream_batch(&s, 1, 13, out);
    assert_int_equal(out[0], 2 * 3 * BATCH);
}

static void test_streams_of_one_key_advance_together(void **state)
{
    (void)state;
    int32_t data[2 * ROWS], a[2 * BATCH], b[2 * BATCH];
    RtStream s = rows_stream(data, true), t = s;
    t.base += 4;
    t.row_bytes = 4;
    rt_stream_batch(&s, 1, 17, a);
    rt_stream_batch(&t, 1, 17, b);
    for (int row = 0; row < BATCH; row++) assert_int_equal(a[2 * row + 1], b[row]);
}

static void test_pass_covers_all_rows_in_order(void **state)
{
    (void)state;
    int32_t data[2 * ROWS], out[2 * BATCH];
    RtStream s = rows_stream(data, true);
    int64_t next = 0;
    assert_int_equal(rt_stream_pass_batches(&s), 11);
    for (int64_t i = 0; i < 11; i++) {
        int64_t rows = rt_stream_pass_batch(&s, i, out);
        assert_int_equal(rows, i < 10 ? BATCH : 3);
        for (int64_t row = 0; row < rows; row++) assert_int_equal(out[2 * row], 2 * next++);
    }
    assert_int_equal(next, ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permute_is_a_permutation),
        cmocka_unit_test(test_permute_mixes),
        cmocka_unit_test(test_large_counts_stay_in_range),
        cmocka_unit_test(test_training_visits_each_row_once_an_epoch),
        cmocka_unit_test(test_unshuffled_training_goes_in_order),
        cmocka_unit_test(test_streams_of_one_key_advance_together),
        cmocka_unit_test(test_pass_covers_all_rows_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
