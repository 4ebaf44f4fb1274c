/* Elements from files: every conversion rounds to the nearest, ties to even; blocks arrive where they should. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/train/transfer.h"

/* The value of a short float by its definition, in f64. */
static double value_of(int32_t dtype, uint16_t bits) { return rt_element(&bits, dtype, 0); }

static uint16_t shortened(int32_t from, int32_t to, double x)
{
    uint16_t out;
    float single = (float)x;
    if (from == RT_f32) rt_convert(from, &single, to, &out, 1);
    else rt_convert(from, &x, to, &out, 1);
    return out;
}

/* Every value goes to f32 and f64 and back unchanged; NaN stays NaN. */
static void check_values(int32_t dtype)
{
    for (uint32_t b = 0; b < 65536; b++) {
        uint16_t bits = (uint16_t)b, back;
        float single;
        double wide;
        rt_convert(dtype, &bits, RT_f32, &single, 1);
        rt_convert(dtype, &bits, RT_f64, &wide, 1);
        double wanted = value_of(dtype, bits);
        if (isnan(wanted)) {
            assert_true(isnan(single) && isnan(wide));
            rt_convert(RT_f32, &single, dtype, &back, 1);
            assert_true(isnan(value_of(dtype, back)));
            continue;
        }
        assert_true((double)single == wanted && wide == wanted && !!signbit(single) == bits >> 15);
        rt_convert(RT_f32, &single, dtype, &back, 1);
        assert_int_equal(back, bits);
        rt_convert(RT_f64, &wide, dtype, &back, 1);
        assert_int_equal(back, bits);
    }
}

/* Between two neighbours the nearer one is taken, half way the even one. `source`: f32 or f64, in which numbers a
 * little beside half way exist; those of f64 lie far below what f32 can tell from half way. */
static void check_rounding(int32_t source, int32_t dtype)
{
    uint16_t infinite = dtype == RT_f16 ? 0x7c00 : 0x7f80;
    for (uint16_t low = 0; low + 1 < infinite; low++) {
        uint16_t high = (uint16_t)(low + 1), even = low & 1 ? high : low;
        double middle = (value_of(dtype, low) + value_of(dtype, high)) / 2;
        double below = source == RT_f32 ? (double)nextafterf((float)middle, 0) : nextafter(middle, 0);
        double above = source == RT_f32 ? (double)nextafterf((float)middle, INFINITY) : nextafter(middle, INFINITY);
        if (source == RT_f32 && (double)(float)middle != middle) continue;   /* half of the least denormal */
        for (int negative = 0; negative < 2; negative++) {
            double sign = negative ? -1 : 1;
            uint16_t bit = negative ? 0x8000 : 0;
            assert_int_equal(shortened(source, dtype, sign * middle), bit | even);
            assert_int_equal(shortened(source, dtype, sign * below), bit | low);
            assert_int_equal(shortened(source, dtype, sign * above), bit | high);
        }
    }
    double most = value_of(dtype, (uint16_t)(infinite - 1)), before = value_of(dtype, (uint16_t)(infinite - 2));
    assert_int_equal(shortened(source, dtype, most + (most - before) / 4), infinite - 1);
    assert_int_equal(shortened(source, dtype, most + (most - before) / 2), infinite);
    assert_int_equal(shortened(RT_f64, dtype, 1e300), infinite);
    assert_int_equal(shortened(RT_f64, dtype, 1e-320), 0);
}

static void test_conversions(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int32_t dtype = i ? RT_f16 : RT_bf16;
        check_values(dtype);
        check_rounding(RT_f32, dtype);
        check_rounding(RT_f64, dtype);
    }
    double wide[] = { 0.1, 1e300, -1e-300, 1 + 0x1p-24, 1 + 3 * 0x1p-24, NAN };
    float single[6];
    rt_convert(RT_f64, wide, RT_f32, single, 6);
    assert_true(single[0] == 0.1f && isinf(single[1]) && single[2] == 0 && signbit(single[2]));
    assert_true(single[3] == 1 && single[4] == 1 + 0x1p-22f && isnan(single[5]));
    uint16_t half = 0x3c01, brain;
    rt_convert(RT_f16, &half, RT_bf16, &brain, 1);
    assert_int_equal(brain, 0x3f80);
    assert_true(rt_converts(RT_f16, RT_f32) && rt_converts(RT_i64, RT_i64));
    assert_false(rt_converts(RT_i64, RT_f32) || rt_converts(RT_f32, RT_bool));
}

/* A block of a tensor (A, B, C), at a place and turned about, against loops; there and back again. */
static void check_move(int64_t element, int64_t a, int64_t b, int64_t c)
{
    int64_t count = a * b * c, bytes = count * element;
    unsigned char *from = malloc((size_t)bytes), *to = calloc(1, (size_t)bytes), *back = calloc(1, (size_t)bytes);
    assert_true(from && to && back);
    for (int64_t i = 0; i < bytes; i++) from[i] = (unsigned char)(i * 7 + i / 251);
    RtMove m = { .rank = 3, .extent = { c, a, b }, .from_start = (b - 1) * c, .from_stride = { 1, b * c, -c },
                 .to_stride = { a * b, b, 1 } };
    assert_int_equal(rt_move_count(&m), count);
    rt_move(&m, element, from, to);
    for (int64_t i = 0; i < c; i++)
        for (int64_t j = 0; j < a; j++)
            for (int64_t k = 0; k < b; k++)
                assert_memory_equal(to + element * ((i * a + j) * b + k),
                                    from + element * ((j * b + b - 1 - k) * c + i), (size_t)element);
    RtMove reverse = rt_move_back(&m);
    rt_move(&reverse, element, to, back);
    assert_memory_equal(back, from, (size_t)bytes);
    free(from);
    free(to);
    free(back);
}

static void test_moves(void **state)
{
    (void)state;
    for (int64_t element = 1; element <= 8; element *= 2) {
        check_move(element, 1, 1, 1);
        check_move(element, 3, 5, 7);
        check_move(element, 2, 33, 65);
        check_move(element, 40, 1, 31);
    }
    int32_t one = 7, there[2] = { 0 };
    RtMove scalar = { .to_start = 1 };
    rt_move(&scalar, sizeof one, &one, there);
    assert_int_equal(there[1], 7);
    RtMove row = { .rank = 1, .extent = { 2 }, .from_stride = { 1 }, .to_stride = { 1 } };
    int32_t two[] = { 3, 4 };
    rt_move(&row, sizeof *two, two, there);
    assert_memory_equal(there, two, sizeof two);
}

/* The scale of element (i, j, k) of a tensor (2, 3, 5) whose scales have this shape. */
static int64_t scale_at(const int64_t *scales, int64_t i, int64_t j, int64_t k)
{
    return ((scales[0] == 1 ? 0 : i) * scales[1] + (scales[1] == 1 ? 0 : j)) * scales[2] + (scales[2] == 1 ? 0 : k);
}

static void check_quantized(const int64_t *scales)
{
    const int64_t shape[] = { 2, 3, 5 };
    float w[30], scale[30] = { 0 }, most[30] = { 0 };
    int8_t q[30];
    for (int i = 0; i < 30; i++) w[i] = (float)((i * 7 + 3) % 23 - 11) * 0.37f;
    rt_quantize(w, 3, shape, scales, q, scale);
    for (int n = 0; n < 30; n++) {
        int64_t s = scale_at(scales, n / 15, n / 5 % 3, n % 5);
        most[s] = fmaxf(most[s], fabsf(w[n]));
    }
    for (int n = 0; n < 30; n++) {
        int64_t s = scale_at(scales, n / 15, n / 5 % 3, n % 5);
        assert_true(scale[s] == most[s] / 127);
        assert_int_equal(q[n], scale[s] > 0 ? (int)floorf(w[n] / scale[s] + 0.5f) : 0);
        assert_true(fabsf(w[n] - (float)q[n] * scale[s]) <= 0.501f * scale[s]);
    }
}

static void test_quantization(void **state)
{
    (void)state;
    static const int64_t scales[][3] = { { 2, 3, 5 }, { 1, 3, 5 }, { 2, 1, 5 }, { 2, 3, 1 }, { 1, 1, 5 }, { 1, 3, 1 },
                                         { 2, 1, 1 }, { 1, 1, 1 } };
    for (int i = 0; i < 8; i++) check_quantized(scales[i]);
    const int64_t shape[] = { 4, 2 }, rows[] = { 4, 1 };
    float w[] = { 0, -0.0f, 127, -127, INFINITY, 1, NAN, 2 }, scale[4];
    int8_t q[8];
    rt_quantize(w, 2, shape, rows, q, scale);
    assert_true(scale[0] == 0 && scale[1] == 1 && isinf(scale[2]) && isnan(scale[3]));
    const int8_t wanted[] = { 0, 0, 127, -127, 0, 0, 0, 0 };
    assert_memory_equal(q, wanted, sizeof q);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_conversions), cmocka_unit_test(test_quantization),
                                        cmocka_unit_test(test_moves) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
