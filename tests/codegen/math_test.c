/* Errors of the transcendental functions in units in the last place, against the C library in a wider type: a walk over
 * the bit patterns of the whole range, and special values. The bounds are those of codegen/math.h. */
#include "jit.h"

#ifndef SAMPLES
#define SAMPLES (1 << 20)
#endif

typedef long double Real;

typedef struct Curve {
    Op     op;
    double bound, bound_wide;            /* ulp */
    double limit, limit_wide;            /* largest |x| that the bound is promised for; 0: all */
    Real (*exact)(Real);
} Curve;

static const Curve curves[] = {
    {OP_exp, 1.1, 1.1, 0, 0, expl},   {OP_log, 1, 1, 0, 0, logl},
    {OP_tanh, 1.5, 1.5, 0, 0, tanhl}, {OP_erf, 1.5, 1.5, 0, 0, erfl},
    {OP_sin, 1.6, 2.5, 0x1p30, 0x1p20, sinl}, {OP_cos, 1.6, 2.5, 0x1p30, 0x1p20, cosl},
};
enum { CURVES = sizeof curves / sizeof *curves };

static const double specials[] = {
    0.0, -0.0, 1, -1, 0.5, 2, INFINITY, -INFINITY, NAN, 0x1p-149, -0x1p-149, 0x1p-126, 0x1.fffffcp-127, 0x1p-1074,
    0x1.fffffep127, -0x1.fffffep127, 88.72283, 88.72284, -87.33654, -103.97208, -103.98, 709.78, 709.79, -745.1, -745.2,
    0.625, 0.9, 4, 9.0109, 1.5707964, 3.1415927, 100000, 0.69314718,
};
enum { SPECIALS = sizeof specials / sizeof *specials };

/* Distance in units of the wanted value's last place, in f32 or f64. */
static double ulps(double have, Real want, bool wide)
{
    int digits = wide ? 53 : 24, least = wide ? -1021 : -125;
    double most = wide ? 0x1.fffffffffffffp1023 : 0x1.fffffep127;
    if (isnan(want)) return isnan(have) ? 0 : INFINITY;
    if (isinf(have) || isinf(want)) {
        if (have == want) return 0;
        return isinf(have) && fabsl(want) > (Real)most && (have > 0) == (want > 0) ? 0 : INFINITY;
    }
    if (want == 0) return have == 0 && !signbit(have) == !signbit(want) ? 0 : INFINITY;
    int exponent;
    frexpl(want, &exponent);
    if (exponent < least) exponent = least;
    return (double)(fabsl((Real)have - want) / ldexpl(1, exponent - digits));
}

static Tensor *patterns(Arena *arena, Type type)
{
    Tensor *t = tensor_new(arena, type);
    bool wide = type.dtype == DT_f64;
    for (int64_t k = 0; k < t->count; k++) {
        if (k < SPECIALS) {
            t->f[k] = wide ? specials[k] : (float)specials[k];
        } else if (wide) {
            uint64_t bits = (uint64_t)k * (UINT64_MAX / SAMPLES) + (uint64_t)k * 0x9E3779B97u;
            memcpy(&t->f[k], &bits, 8);
        } else {
            uint32_t bits = (uint32_t)k * (uint32_t)(UINT32_MAX / SAMPLES) + (uint32_t)k % 4093;
            float x;
            memcpy(&x, &bits, 4);
            t->f[k] = x;
        }
    }
    return t;
}

static void check_curves(DType dtype)
{
    Lab l = lab_new();
    bool wide = dtype == DT_f64;
    Type type = {.dtype = dtype, .rank = 1, .dim = {dim_int(l.g->dims, SAMPLES)}};
    Node *x = make_input(l.g, STORE_data, "x", type);
    for (int k = 0; k < CURVES; k++) result(&l, op_name(curves[k].op), make_unary(l.g, curves[k].op, x));
    Tensor *in = patterns(l.arena, type);
    Jit j = jit_new(&l, 2);
    jit_set(&j, "x", in);
    assert_int_equal(jit_run(&j), 0);
    for (int k = 0; k < CURVES; k++) {
        const Curve *c = &curves[k];
        Tensor *out = jit_output(&j, &l.g->outputs.at[k]);
        double worst = 0, at = 0, limit = wide ? c->limit_wide : c->limit;
        for (int64_t i = 0; i < in->count; i++) {
            if (limit && isfinite(in->f[i]) && fabs(in->f[i]) > limit) {
                assert_true(fabs(out->f[i]) <= 1);
                continue;
            }
            double error = ulps(out->f[i], c->exact((Real)in->f[i]), wide);
            if (error > worst) worst = error, at = in->f[i];
        }
        printf("%s %s: %.3f ulp at %a\n", dtype_name(dtype), op_name(c->op), worst, at);
        assert_true(worst <= (wide ? c->bound_wide : c->bound));
    }
    jit_free(&j);
    arena_free(l.arena);
}

static void f32_errors_stay_within_their_bounds(void **state) { (void)state, check_curves(DT_f32); }
static void f64_errors_stay_within_their_bounds(void **state) { (void)state, check_curves(DT_f64); }

/* Every pair of specials, then pairs over the range. */
static void pow_follows_c(void **state)
{
    (void)state;
    static const DType dtypes[] = {DT_f32, DT_f64};
    static const double some[] = {
        0.0,        -0.0,      1,     -1,       0.5,       -0.5, 2,        -2,       3,
        -3,         1.5,       -1.5,  10,       0.1,       100,  -7,       1e10,     16777216,
        16777217,   1e30,      -1e30, INFINITY, -INFINITY, NAN,  0x1p-149, 0x1p-126, 0x1.fffffep127,
        0.99999994, 1.0000001, 33,    -33};
    enum { SOME = sizeof some / sizeof *some };
    for (int k = 0; k < 2; k++) {
        Lab l = lab_new();
        bool wide = dtypes[k] == DT_f64;
        Type type = {.dtype = dtypes[k], .rank = 1, .dim = {dim_int(l.g->dims, SOME * SOME + 50000)}};
        Node *a = make_input(l.g, STORE_data, "a", type), *b = make_input(l.g, STORE_data, "b", type);
        result(&l, "p", make_binary(l.g, OP_pow, a, b));
        Tensor *x = tensor_new(l.arena, type), *y = tensor_new(l.arena, type);
        for (int64_t i = 0; i < x->count; i++) {
            double u = (double)(i * 7919 % 50021) / 50021, v = (double)(i * 104729 % 50023) / 50023;
            x->f[i] = i < SOME * SOME ? some[i / SOME] : exp(8 * u - 4);
            y->f[i] = i < SOME * SOME ? some[i % SOME] : 40 * v - 20;
            if (!wide) x->f[i] = (float)x->f[i], y->f[i] = (float)y->f[i];
        }
        Jit j = jit_new(&l, 1);
        jit_set(&j, "a", x);
        jit_set(&j, "b", y);
        assert_int_equal(jit_run(&j), 0);
        Tensor *out = jit_output(&j, &l.g->outputs.at[0]);
        double worst = 0;
        for (int64_t i = 0; i < x->count; i++) {
            Real want = powl((Real)x->f[i], (Real)y->f[i]);
            double error = ulps(out->f[i], want, wide);
            if (error > (wide ? 2048 : 1)) fail_msg("pow(%a, %a) is %a, not %La", x->f[i], y->f[i], out->f[i], want);
            if (error > worst) worst = error;
        }
        printf("%s pow: %.3f ulp\n", dtype_name(dtypes[k]), worst);
        jit_free(&j);
        arena_free(l.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_errors_stay_within_their_bounds),
        cmocka_unit_test(f64_errors_stay_within_their_bounds),
        cmocka_unit_test(pow_follows_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
