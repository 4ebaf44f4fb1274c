/* Dimensions: normal forms, exact division, solving, text. */
#include "ir/dim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static Arena *arena;
static Dims *dims;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    dims = dims_new(arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const Dim *read(const char *text)
{
    const char *at = text;
    const Dim *d = dim_read(dims, &at);
    if (!d || *at) fail_msg("cannot read %s", text);
    return d;
}

/* The text's normal form is `wanted`, and `wanted` reads back as the same dimension. */
static void expect(const char *text, const char *wanted)
{
    assert_string_equal(dim_text(arena, read(text)), wanted);
    assert_ptr_equal(read(wanted), read(text));
}

static void polynomials(void **state)
{
    (void)state;
    expect("7", "7");
    expect("T - T", "0");
    expect("1 + T", "T + 1");
    expect("T*B + B*T", "2*B*T");
    expect("(B + 1)*(B - 1)", "B^2 - 1");
    expect("1 - T", "1 - T");
    expect("-T - 1", "-T - 1");
    expect("T - S + 3", "T - S + 3");
    expect("S - T + 3", "S - T + 3");
    expect("H*(width + 2)*H", "H^2*width + 2*H^2");
    expect("-(T^3)", "-T^3");
    expect("bert.V + 1", "bert.V + 1");
}

static void floors(void **state)
{
    (void)state;
    expect("7//2", "3");
    expect("(0 - 7)//2", "-4");
    expect("T//1", "T");
    expect("(T + 1)//2", "(T + 1)//2");
    expect("(T + 5)//2", "(T + 1)//2 + 2");
    expect("(2*T + S)//2", "T + S//2");
    expect("(0 - T)//2", "T//2 - T");
    expect("(6*T + 3)//4", "T + (T + 1)//2");
    expect("(2*T + 1)//4", "T//2");
    expect("T//2//3", "T//6");
    expect("(T//2 + 1)//3", "(T + 2)//6");
    expect("B*(T//2)", "B*(T//2)");
    expect("2*(T//2)", "2*(T//2)");
    expect("3*T//2", "T + T//2");
    expect("-(T//2)", "-(T//2)");
    expect("B - T//2", "B - T//2");
    expect("(T//2)*(T//2)", "(T//2)^2");
    expect("(B*T + 1)//3", "(B*T + 1)//3");
}

/* Every identity used in normal forms, against plain arithmetic. */
static void values_agree(void **state)
{
    (void)state;
    const Dim *n = dim_symbol(dims, "N", -1), *m = dim_symbol(dims, "M", -1);
    for (int64_t value = 0; value < 9; value++) {
        dim_set_value(dims, "N", value);
        dim_set_value(dims, "M", 2 * value + 1);
        for (int64_t a = -5; a <= 5; a++)
            for (int64_t c = -5; c <= 5; c++)
                for (int64_t k = 1; k <= 6; k++) {
                    const Dim *sum =
                        dim_add(dims, dim_add(dims, dim_mul(dims, dim_int(dims, a), n), m), dim_int(dims, c));
                    int64_t plain = a * value + 2 * value + 1 + c, found;
                    int64_t once = plain / k - (plain % k < 0), other = once + c, twice = other / 3 - (other % 3 < 0);
                    const Dim *floor = dim_floordiv(dims, sum, k);
                    assert_true(dim_evaluate(floor, &found));
                    assert_int_equal(found, once);
                    assert_true(dim_evaluate(dim_floordiv(dims, dim_add(dims, floor, dim_int(dims, c)), 3), &found));
                    assert_int_equal(found, twice);
                }
    }
}

static void division(void **state)
{
    (void)state;
    static const char *const GOOD[][3] = {
        {"4*H", "4", "H"},         {"4*H", "H", "4"}, {"B*T*V", "V*B", "T"},       {"B^2 - 1", "B + 1", "B - 1"},
        {"T + 1", "T + 1", "1"},   {"0", "T", "0"},   {"B*T + B", "T + 1", "B"},   {"6*B*T - 3*T", "2*B - 1", "3*T"},
        {"B*(T//2)", "T//2", "B"}, {"7", "7", "1"},   {"T*S - T*R", "S - R", "T"},
    };
    static const char *const BAD[][2] = {{"4*H", "3"}, {"T + 1", "T"}, {"T", "0"},
                                         {"B", "T"},   {"1", "2"},     {"B^2 + 1", "B + 1"}};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        assert_ptr_equal(dim_divide(dims, read(GOOD[i][0]), read(GOOD[i][1])), read(GOOD[i][2]));
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_null(dim_divide(dims, read(BAD[i][0]), read(BAD[i][1])));
}

static void solving(void **state)
{
    (void)state;
    assert_ptr_equal(dim_solve(dims, read("T + 1"), "T", read("65")), read("64"));
    assert_ptr_equal(dim_solve(dims, read("4*H"), "H", read("4*width")), read("width"));
    assert_ptr_equal(dim_solve(dims, read("B*H + B"), "H", read("B*K")), read("K - 1"));
    assert_null(dim_solve(dims, read("4*H"), "H", read("6")));
    assert_null(dim_solve(dims, read("H^2"), "H", read("4")));
    assert_null(dim_solve(dims, read("H + H//2"), "H", read("3")));
    assert_null(dim_solve(dims, read("B"), "H", read("3")));
}

static void substitution(void **state)
{
    (void)state;
    assert_ptr_equal(dim_substitute(dims, read("T^2 + (T + S)//2"), "T", read("2*R")), read("4*R^2 + R + S//2"));
    assert_ptr_equal(dim_substitute(dims, read("B"), "T", read("7")), read("B"));
}

static void values(void **state)
{
    (void)state;
    const Dim *b = dim_symbol(dims, "B", 12), *t = dim_symbol(dims, "T", -1);
    assert_int_equal(dim_value(dim_add(dims, b, b)), 24);
    assert_int_equal(dim_value(t), -1);
    int64_t value;
    assert_false(dim_is_int(b, &value));
    assert_true(dim_is(dim_sub(dims, b, b), 0));
    assert_true(dim_evaluate(dim_sub(dims, dim_int(dims, 5), b), &value));
    assert_int_equal(value, -7);
    const Dim *k = dim_counted(dims, "K", b);
    assert_int_equal(dim_kind(k), DIM_counted);
    assert_int_equal(dim_kind(b), DIM_fixed);
    assert_int_equal(dim_value(k), 12);
    assert_true(dim_mentions(read("(T + B)//2"), "T"));
    assert_false(dim_mentions(read("(T + B)//2"), "K"));
    assert_int_equal(dims_symbol_count(dims), 3);
    assert_string_equal(dims_symbol_name(dims, 1), "T");
    assert_int_equal(dims_symbol_value(dims, 0), 12);
}

static void overflow_is_one_dimension(void **state)
{
    (void)state;
    const Dim *large = dim_int(dims, INT64_MAX), *t = dim_symbol(dims, "T", 3);
    const Dim *over = dim_add(dims, large, dim_int(dims, 1));
    assert_true(dim_is_overflow(over));
    assert_ptr_equal(dim_mul(dims, over, dim_int(dims, 0)), over);
    assert_ptr_equal(dim_sub(dims, over, over), over);
    assert_int_equal(dim_value(dim_mul(dims, large, t)), -1);
    const Dim *product = t;
    for (int i = 0; i < 100; i++) product = dim_mul(dims, product, t);
    assert_true(dim_is_overflow(product));
    assert_false(dim_is(over, 0));
    const Dim *least = dim_mul(dims, dim_int(dims, INT64_MIN), t),
        *rest = dim_mul(dims, dim_int(dims, INT64_MAX - 1), t);
    assert_ptr_equal(dim_floordiv(dims, least, INT64_MAX),
                     dim_sub(dims, dim_floordiv(dims, rest, INT64_MAX), dim_mul(dims, t, dim_int(dims, 2))));
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",    "+",    "T +",  "(T", "T//0", "T//B", "99999999999999999999",
                                      "T^0", "T^99", "T**2", ")"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        const char *at = BAD[i];
        assert_null(dim_read(dims, &at));
    }
    char deep[1001];
    memset(deep, '(', 1000);
    deep[1000] = 0;
    const char *at = deep;
    assert_null(dim_read(dims, &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(polynomials, setup, teardown),
        cmocka_unit_test_setup_teardown(floors, setup, teardown),
        cmocka_unit_test_setup_teardown(values_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(division, setup, teardown),
        cmocka_unit_test_setup_teardown(solving, setup, teardown),
        cmocka_unit_test_setup_teardown(substitution, setup, teardown),
        cmocka_unit_test_setup_teardown(values, setup, teardown),
        cmocka_unit_test_setup_teardown(overflow_is_one_dimension, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_text_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
