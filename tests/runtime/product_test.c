/* Products against plain sums: odd shapes, every way operands may lie, batches, parts of k; and the same bits for
 * any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/contraction.h"
#include "runtime/core/pool.h"
#include "runtime/core/random.h"

/* How an operand of (rows, columns) lies. */
typedef enum Layout { ROWS, COLUMNS, PADDED_ROWS, PADDED_COLUMNS, LAYOUTS } Layout;

typedef struct Case {
    RtProduct product;
    int64_t   a_elements, b_elements, c_elements, partial_elements, sum_units, units;
    double   *a, *b;                     /* in f64, whatever the type under test */
} Case;

static void lay_out(Layout layout, int64_t rows, int64_t columns, int64_t *row, int64_t *column, int64_t *size)
{
    int64_t pad = layout == PADDED_ROWS || layout == PADDED_COLUMNS ? 5 : 0;
    bool in_rows = layout == ROWS || layout == PADDED_ROWS;
    *row = in_rows ? columns + pad : 1;
    *column = in_rows ? 1 : rows + pad;
    *size = in_rows ? rows * (columns + pad) : columns * (rows + pad);
}

static double *random_numbers(int64_t count, uint64_t key)
{
    double *x = malloc((size_t)count * sizeof *x);
    for (int64_t i = 0; i < count; i++) x[i] = rt_random_unit(rt_random_word(key, 0, (uint64_t)i)) - 0.5f;
    return x;
}

/* The grid that the compiler gives it. */
static void fill_grid(Case *x)
{
    RtProduct *p = &x->product;
    Contraction c = {.m = p->m, .n = p->n, .k = p->k, .a_row = p->a_row, .a_column = p->a_column, .b_row = p->b_row,
                     .b_column = p->b_column, .c_row = p->c_row, .batch_rank = (int)p->batch_rank};
    memcpy(c.batch, p->batch, sizeof c.batch);
    Tiling t = contraction_tiling(&c);
    p->tile_m = t.tile_m, p->tile_n = t.tile_n, p->parts = t.parts, p->sum_rows = t.sum_rows;
    x->partial_elements = t.partial_elements, x->sum_units = t.sum_units, x->units = t.units;
}

/* One or two batch axes; in the first, B is shared by all elements. */
static Case make_case(int64_t m, int64_t n, int64_t k, Layout a, Layout b, int64_t c_pad, int64_t outer, int64_t inner)
{
    Case x = {0};
    RtProduct *p = &x.product;
    p->m = m, p->n = n, p->k = k;
    int64_t a_size, b_size, c_size = m * (n + c_pad);
    lay_out(a, m, k, &p->a_row, &p->a_column, &a_size);
    lay_out(b, k, n, &p->b_row, &p->b_column, &b_size);
    p->c_row = n + c_pad;
    p->batch_rank = 2;
    p->batch[0] = outer, p->batch[1] = inner;
    p->a_batch[0] = inner * a_size, p->a_batch[1] = a_size;
    p->b_batch[0] = 0, p->b_batch[1] = b_size;
    p->c_batch[0] = inner * c_size, p->c_batch[1] = c_size;
    x.a_elements = outer * inner * a_size, x.b_elements = inner * b_size, x.c_elements = outer * inner * c_size;
    x.a = random_numbers(x.a_elements, 1), x.b = random_numbers(x.b_elements, 2);
    fill_grid(&x);
    return x;
}

static void free_case(Case *x) { free(x->a), free(x->b); }

/* Runs the product in `bytes`-wide numbers; returns C, which the caller frees. */
static char *run_case(Case *x, int threads, size_t bytes)
{
    int64_t elements = x->a_elements + x->b_elements + x->c_elements + x->partial_elements;
    char *work = calloc((size_t)elements, bytes);
    for (int64_t i = 0; i < x->a_elements + x->b_elements; i++) {
        double value = i < x->a_elements ? x->a[i] : x->b[i - x->a_elements];
        if (bytes == sizeof(float)) ((float *)work)[i] = (float)value;
        else ((double *)work)[i] = value;
    }
    RtProduct p = x->product;
    int64_t wide = (int64_t)bytes;
    p.a = RT_PLACE(BLOCK_work, 0);
    p.b = RT_PLACE(BLOCK_work, x->a_elements * wide);
    p.c = RT_PLACE(BLOCK_work, (x->a_elements + x->b_elements) * wide);
    p.partial = RT_PLACE(BLOCK_work, (x->a_elements + x->b_elements + x->c_elements) * wide);
    memset(work + (p.c & 0xFFFFFFFF), 0x7F, (size_t)x->c_elements * bytes);
    bool is_single = bytes == sizeof(float);
    RtStep steps[2] = {
        {.run = is_single ? rt_product_f32 : rt_product_f64, .args = (int64_t *)&p, .extent = x->units, .tile = 1},
        {.run = is_single ? rt_product_sum_f32 : rt_product_sum_f64,
         .args = (int64_t *)&p,
         .extent = x->sum_units,
         .tile = 1},
    };
    Program program = {.steps = steps, .step_count = x->units == 0 ? 0 : p.parts > 1 ? 2 : 1};
    char *block[BLOCK_COUNT] = {[BLOCK_work] = work};
    Pool *pool = rt_pool_new(threads, 0);
    RtFault fault;
    assert_int_equal(rt_program_run(&program, pool, block, &fault), 0);
    rt_pool_free(pool);
    char *c = malloc((size_t)x->c_elements * bytes);
    memcpy(c, work + (p.c & 0xFFFFFFFF), (size_t)x->c_elements * bytes);
    free(work);
    return c;
}

static double expected(const Case *x, int64_t outer, int64_t inner, int64_t i, int64_t j)
{
    const RtProduct *p = &x->product;
    const double *a = x->a + outer * p->a_batch[0] + inner * p->a_batch[1];
    const double *b = x->b + outer * p->b_batch[0] + inner * p->b_batch[1];
    double sum = 0;
    for (int64_t k = 0; k < p->k; k++) sum += a[i * p->a_row + k * p->a_column] * b[k * p->b_row + j * p->b_column];
    return sum;
}

/* Numbers are below 1/2, sums of k products err by at most about k/4 * epsilon * log2(k). Gaps between rows keep
 * their bytes. */
static void check_values(const Case *x, const char *c, size_t bytes)
{
    const RtProduct *p = &x->product;
    double epsilon = bytes == sizeof(float) ? 0x1p-23 : 0x1p-52;
    double bound = epsilon * (double)p->k * (1 + log2((double)p->k + 1)) / 4 + epsilon;
    for (int64_t e = 0; e < p->batch[0] * p->batch[1]; e++) {
        int64_t outer = e / p->batch[1], inner = e % p->batch[1];
        for (int64_t i = 0; i < p->m; i++) {
            for (int64_t j = 0; j < p->c_row; j++) {
                int64_t at = outer * p->c_batch[0] + inner * p->c_batch[1] + i * p->c_row + j;
                if (j >= p->n) {
                    for (size_t byte = 0; byte < bytes; byte++) assert_int_equal(c[(size_t)at * bytes + byte], 0x7F);
                    continue;
                }
                double value = bytes == sizeof(float) ? ((const float *)c)[at] : ((const double *)c)[at];
                if (fabs(value - expected(x, outer, inner, i, j)) <= bound) continue;
                fail_msg("%ldx%ldx%ld element %ld (%ld, %ld): %g, wanted %g", (long)p->m, (long)p->n, (long)p->k,
                         (long)e, (long)i, (long)j, value, expected(x, outer, inner, i, j));
            }
        }
    }
}

static void check(int64_t m, int64_t n, int64_t k, Layout a, Layout b, int64_t c_pad, int64_t outer, int64_t inner)
{
    for (size_t bytes = 4; bytes <= 8; bytes += 4) {
        Case x = make_case(m, n, k, a, b, c_pad, outer, inner);
        char *c = run_case(&x, 2, bytes);
        check_values(&x, c, bytes);
        free(c);
        free_case(&x);
    }
}

static void odd_shapes_all_layouts(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 1, 1}, {1, 7, 5}, {7, 1, 5}, {7, 5, 1}, {1, 1, 9}, {1, 9, 1}, {9, 1, 1},
                                        {3, 5, 7}, {17, 33, 15}, {65, 31, 129}, {128, 17, 63}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int a = 0; a < LAYOUTS; a++) {
            for (int b = 0; b < LAYOUTS; b++) check(shapes[s][0], shapes[s][1], shapes[s][2], a, b, 0, 1, 1);
        }
    }
}

static void batches_and_gaps(void **state)
{
    (void)state;
    check(5, 6, 7, ROWS, ROWS, 3, 2, 3);
    check(16, 16, 32, ROWS, COLUMNS, 0, 3, 4);
    check(64, 32, 64, COLUMNS, ROWS, 1, 1, 5);
    check(1, 9, 4, PADDED_ROWS, COLUMNS, 2, 4, 1);
}

static void inner_dimension_in_parts(void **state)
{
    (void)state;
    Case x = make_case(8, 2, 5000, ROWS, ROWS, 0, 1, 1);
    assert_true(x.product.parts > 1);                        /* or this test has no object */
    assert_true(x.sum_units > 0);
    free_case(&x);
    check(8, 2, 5000, ROWS, ROWS, 0, 1, 1);
    check(67, 3, 4099, COLUMNS, ROWS, 5, 1, 1);
    check(70, 90, 4099, COLUMNS, ROWS, 5, 2, 1);
}

/* Without rows or columns there is nothing to do; a sum of nothing is 0. */
static void nothing_to_multiply(void **state)
{
    (void)state;
    static const int64_t shapes[][4] = {{0, 5, 7, 2}, {5, 0, 7, 2},  {0, 0, 0, 2},
                                        {5, 7, 3, 0}, {5, 70, 0, 2}, {1, 1, 0, 3}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        Case x = make_case(shapes[s][0], shapes[s][1], shapes[s][2], ROWS, COLUMNS, 0, shapes[s][3], 2);
        assert_int_equal(x.units > 0, x.c_elements > 0);
        free_case(&x);
        for (int a = 0; a < LAYOUTS; a++) check(shapes[s][0], shapes[s][1], shapes[s][2], a, ROWS, 0, shapes[s][3], 2);
    }
}

/* Strides BLAS refuses: an operand spread over its rows (stride 0) and one whose rows overlap. */
static void strange_strides(void **state)
{
    (void)state;
    Case x = make_case(6, 5, 4, ROWS, ROWS, 0, 1, 1);
    x.product.a_row = 0;
    char *c = run_case(&x, 1, sizeof(float));
    check_values(&x, c, sizeof(float));
    free(c);
    x.product.a_row = 2;
    x.product.b_row = 0, x.product.b_column = 1;
    c = run_case(&x, 1, sizeof(double));
    check_values(&x, c, sizeof(double));
    free(c);
    free_case(&x);
}

static void same_bits_for_any_threads(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {
        {768, 128, 128}, {128, 128, 768}, {65, 128, 768}, {96, 80, 4097}, {300, 257, 200}};
    static const int threads[] = {2, 3, 8};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int a = 0; a < 2; a++) {
            Case x = make_case(shapes[s][0], shapes[s][1], shapes[s][2], a, 1 - a, 0, 1, 1);
            char *one = run_case(&x, 1, sizeof(float));
            for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
                char *more = run_case(&x, threads[t], sizeof(float));
                assert_memory_equal(one, more, (size_t)x.c_elements * sizeof(float));
                free(more);
            }
            assert_true(x.units >= 8);
            free(one);
            free_case(&x);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_shapes_all_layouts),   cmocka_unit_test(batches_and_gaps),
        cmocka_unit_test(nothing_to_multiply), cmocka_unit_test(inner_dimension_in_parts),
        cmocka_unit_test(strange_strides),
        cmocka_unit_test(same_bits_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
