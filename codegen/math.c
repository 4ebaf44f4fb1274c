/* Exponential, logarithm and power. */
#include "codegen/math.h"

/* ln 2 in two parts; the products of the first with any exponent are exact. */
#define LN2_HIGH      0x1.62e4p-1
#define LN2_LOW       0x1.7f7d1cf79abcap-20
#define LN2_HIGH_WIDE 0x1.62e42feep-1
#define LN2_LOW_WIDE  0x1.a39ef35793c76p-33

Math math_of(const Unit *u, LLVMValueRef x)
{
    bool wide = LLVMGetElementType(LLVMTypeOf(x)) == u->f64;
    LLVMTypeRef lane = wide ? u->f64 : u->f32, whole_lane = wide ? u->i64 : u->i32;
    return (Math){u, u->builder, lane, lanes_of(lane), whole_lane, lanes_of(whole_lane), wide};
}

LLVMValueRef math_number(const Math *m, double value) { return splat_float(m->lane, value); }
LLVMValueRef math_whole(const Math *m, int64_t value) { return splat_whole(m->whole_lane, value); }

LLVMValueRef math_multiply_add(const Math *m, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    return element_multiply_add(m->u, a, b, c);
}

LLVMValueRef math_polynomial(const Math *m, LLVMValueRef x, const double *c, int count)
{
    LLVMValueRef sum = math_number(m, c[count - 1]);
    for (int k = count - 2; k >= 0; k--) sum = math_multiply_add(m, sum, x, math_number(m, c[k]));
    return sum;
}

LLVMValueRef math_magnitude(const Math *m, LLVMValueRef x) { return intrinsic_of(m->u, "llvm.fabs", &x, 1); }

LLVMValueRef math_copy_sign(const Math *m, LLVMValueRef magnitude, LLVMValueRef sign)
{
    LLVMValueRef args[] = {magnitude, sign};
    return intrinsic_of(m->u, "llvm.copysign", args, 2);
}

LLVMValueRef math_at_most(const Math *m, LLVMValueRef x, double limit)
{
    LLVMValueRef most = math_number(m, limit);
    return LLVMBuildSelect(m->b, LLVMBuildFCmp(m->b, LLVMRealOGT, x, most, ""), most, x, "");
}

static LLVMValueRef math_at_least(const Math *m, LLVMValueRef x, double limit)
{
    LLVMValueRef least = math_number(m, limit);
    return LLVMBuildSelect(m->b, LLVMBuildFCmp(m->b, LLVMRealOLT, x, least, ""), least, x, "");
}

/* Adding 1.5 * 2^p moves the fraction out of the significand. */
LLVMValueRef math_nearest(const Math *m, LLVMValueRef x, LLVMValueRef *bits)
{
    LLVMValueRef shift = math_number(m, m->wide ? 0x1.8p52 : 0x1.8p23);
    LLVMValueRef moved = LLVMBuildFAdd(m->b, x, shift, "");
    *bits = LLVMBuildSub(m->b, LLVMBuildBitCast(m->b, moved, m->whole_type, ""),
                         LLVMConstBitCast(shift, m->whole_type), "");
    return LLVMBuildFSub(m->b, moved, shift, "");
}

/* 2^n from its exponent field, for n that is normal. */
static LLVMValueRef power_of_two(const Math *m, LLVMValueRef n)
{
    LLVMValueRef biased = LLVMBuildAdd(m->b, n, math_whole(m, m->wide ? 1023 : 127), "");
    LLVMValueRef field = LLVMBuildShl(m->b, biased, math_whole(m, m->wide ? 52 : 23), "");
    return LLVMBuildBitCast(m->b, field, m->type, "");
}

/* e^x = 2^n e^r with r = x - n ln 2, |r| <= ln 2 / 2; e^r = 1 + r + r^2 P(r). */
static LLVMValueRef exp_parts(const Math *m, LLVMValueRef x, LLVMValueRef *n)
{
    static const double narrow[] = {0x1.fffffb8d78947p-2, 0x1.55548fd7607b5p-3, 0x1.5558f8825ed8fp-5,
                                    0x1.123b02e7c4a09p-7, 0x1.6a2253aff2e55p-10};
    static const double wide[] = {
        0x1p-1, 0x1.555555555555bp-3, 0x1.5555555555501p-5, 0x1.111111110ebcep-7, 0x1.6c16c16c30ac8p-10,
        0x1.a01a01b3b6e22p-13, 0x1.a01a01355affep-16, 0x1.71ddef906e3abp-19, 0x1.27e5b5ad19bebp-22,
        0x1.af6ce7fcddcaep-26, 0x1.1e3c83a62f9a6p-29};
    LLVMValueRef nearest = math_nearest(m, LLVMBuildFMul(m->b, x, math_number(m, 0x1.71547652b82fep0), ""), n);
    LLVMValueRef r = math_multiply_add(m, nearest, math_number(m, m->wide ? -LN2_HIGH_WIDE : -LN2_HIGH), x);
    r = math_multiply_add(m, nearest, math_number(m, m->wide ? -LN2_LOW_WIDE : -LN2_LOW), r);
    LLVMValueRef p = m->wide ? math_polynomial(m, r, wide, 11) : math_polynomial(m, r, narrow, 5);
    LLVMValueRef rest = math_multiply_add(m, LLVMBuildFMul(m->b, r, r, ""), p, r);
    return LLVMBuildFAdd(m->b, rest, math_number(m, 1), "");
}

/* 2^n in two factors, since n may lie outside the exponents of normal numbers by half. */
LLVMValueRef math_exp(const Unit *u, LLVMValueRef x)
{
    Math m = math_of(u, x);
    LLVMValueRef n, limited = math_at_least(&m, math_at_most(&m, x, m.wide ? 710 : 89), m.wide ? -746 : -104);
    LLVMValueRef e = exp_parts(&m, limited, &n);
    LLVMValueRef half = LLVMBuildAShr(m.b, n, math_whole(&m, 1), "");
    LLVMValueRef other = LLVMBuildSub(m.b, n, half, "");
    return LLVMBuildFMul(m.b, LLVMBuildFMul(m.b, e, power_of_two(&m, half), ""), power_of_two(&m, other), "");
}

LLVMValueRef math_exp_moderate(const Unit *u, LLVMValueRef x)
{
    Math m = math_of(u, x);
    LLVMValueRef n, e = exp_parts(&m, x, &n);
    return LLVMBuildFMul(m.b, e, power_of_two(&m, n), "");
}

/* x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2), for positive finite x. */
static LLVMValueRef split_power(const Math *m, LLVMValueRef x, LLVMValueRef *k)
{
    int bits = m->wide ? 52 : 23;
    LLVMValueRef tiny = LLVMBuildFCmp(m->b, LLVMRealOLT, x, math_number(m, m->wide ? 0x1p-1022 : 0x1p-126), "");
    LLVMValueRef lifted = LLVMBuildFMul(m->b, x, math_number(m, m->wide ? 0x1p52 : 0x1p23), "");
    x = LLVMBuildSelect(m->b, tiny, lifted, x, "");
    LLVMValueRef word = LLVMBuildBitCast(m->b, x, m->whole_type, "");
    LLVMValueRef root = math_whole(m, m->wide ? 0x3fe6a09e667f3bcd : 0x3f3504f3);           /* sqrt(1/2) */
    LLVMValueRef power = LLVMBuildAShr(m->b, LLVMBuildSub(m->b, word, root, ""), math_whole(m, bits), "");
    LLVMValueRef near_one = LLVMBuildSub(m->b, word, LLVMBuildShl(m->b, power, math_whole(m, bits), ""), "");
    LLVMValueRef lower = LLVMBuildSelect(m->b, tiny, math_whole(m, bits), math_whole(m, 0), "");
    *k = LLVMBuildSIToFP(m->b, LLVMBuildSub(m->b, power, lower, ""), m->type, "");
    return LLVMBuildFSub(m->b, LLVMBuildBitCast(m->b, near_one, m->type, ""), math_number(m, 1), "");
}

/* log(1 + f) - f + f^2/2 = f^3 P(f) */
static LLVMValueRef log_narrow(const Math *m, LLVMValueRef f, LLVMValueRef k)
{
    static const double c[] = {0x1.5555476c13a71p-2, -0x1.0000067121530p-2, 0x1.99a4b5368a6e8p-3, -0x1.555c4d5a37181p-3,
                               0x1.2337682b496a4p-3, -0x1.fc2206bc8d2a1p-4, 0x1.e6f0695f40ffbp-4, -0x1.de3c177dd5418p-4,
                               0x1.1457ac939ba06p-4};
    LLVMValueRef square = LLVMBuildFMul(m->b, f, f, "");
    LLVMValueRef cube = LLVMBuildFMul(m->b, f, square, "");
    LLVMValueRef low = LLVMBuildFMul(m->b, k, math_number(m, LN2_LOW), "");
    LLVMValueRef y = math_multiply_add(m, cube, math_polynomial(m, f, c, 9), low);
    y = math_multiply_add(m, square, math_number(m, -0.5), y);
    LLVMValueRef part = LLVMBuildFAdd(m->b, f, y, "");
    return math_multiply_add(m, k, math_number(m, LN2_HIGH), part);
}

/* With s = f / (2 + f): log(1 + f) = f - (f^2/2 - s (f^2/2 + s^2 R(s^2))), 2 atanh(s) = 2 s + s^3 R(s^2). */
static LLVMValueRef log_wide(const Math *m, LLVMValueRef f, LLVMValueRef k)
{
    static const double c[] = {0x1.5555555555555p-1, 0x1.9999999999e06p-2, 0x1.249249242aaf5p-2, 0x1.c71c7259aa583p-3,
                               0x1.745cddff5bb3cp-3, 0x1.3b20b4e09bcb9p-3, 0x1.0f5bf5de18908p-3, 0x1.0f6a9b9a54f5bp-3};
    LLVMValueRef s = LLVMBuildFDiv(m->b, f, LLVMBuildFAdd(m->b, f, math_number(m, 2), ""), "");
    LLVMValueRef z = LLVMBuildFMul(m->b, s, s, "");
    LLVMValueRef half = LLVMBuildFMul(m->b, LLVMBuildFMul(m->b, f, f, ""), math_number(m, 0.5), "");
    LLVMValueRef inner = math_multiply_add(m, z, math_polynomial(m, z, c, 8), half);
    LLVMValueRef low = LLVMBuildFMul(m->b, k, math_number(m, LN2_LOW_WIDE), "");
    LLVMValueRef corrected = LLVMBuildFSub(m->b, half, math_multiply_add(m, s, inner, low), "");
    LLVMValueRef part = LLVMBuildFSub(m->b, f, corrected, "");
    return math_multiply_add(m, k, math_number(m, LN2_HIGH_WIDE), part);
}

LLVMValueRef math_log(const Unit *u, LLVMValueRef x)
{
    Math m = math_of(u, x);
    LLVMValueRef k, f = split_power(&m, x, &k);
    LLVMValueRef y = m.wide ? log_wide(&m, f, k) : log_narrow(&m, f, k);
    LLVMValueRef infinity = math_number(&m, 1.0 / 0.0), zero = math_number(&m, 0);
    LLVMValueRef outside = LLVMBuildFCmp(m.b, LLVMRealULT, x, zero, "");                    /* negative or NaN */
    y = LLVMBuildSelect(m.b, LLVMBuildFCmp(m.b, LLVMRealOEQ, x, infinity, ""), infinity, y, "");
    y = LLVMBuildSelect(m.b, LLVMBuildFCmp(m.b, LLVMRealOEQ, x, zero, ""), math_number(&m, -1.0 / 0.0), y, "");
    return LLVMBuildSelect(m.b, outside, math_number(&m, 0.0 / 0.0), y, "");
}

static LLVMValueRef is_whole(const Math *m, LLVMValueRef x)
{
    return LLVMBuildFCmp(m->b, LLVMRealOEQ, intrinsic_of(m->u, "llvm.floor", &x, 1), x, "");
}

/* e^(b log |a|), in f64; negative where a is and b is an odd whole number, NaN where it is not whole. */
static LLVMValueRef pow_wide(const Unit *u, LLVMValueRef a, LLVMValueRef b)
{
    Math m = math_of(u, a);
    LLVMValueRef one = math_number(&m, 1), zero = math_number(&m, 0), infinity = math_number(&m, 1.0 / 0.0);
    LLVMValueRef size = math_magnitude(&m, a);
    LLVMValueRef power = math_exp(u, LLVMBuildFMul(m.b, b, math_log(u, size), ""));
    LLVMValueRef whole_b = is_whole(&m, b);
    LLVMValueRef even = is_whole(&m, LLVMBuildFMul(m.b, b, math_number(&m, 0.5), ""));
    LLVMValueRef odd = LLVMBuildAnd(m.b, whole_b, LLVMBuildNot(m.b, even, ""), "");
    power = LLVMBuildSelect(m.b, odd, math_copy_sign(&m, power, a), power, "");
    LLVMValueRef negative = LLVMBuildFCmp(m.b, LLVMRealOLT, a, zero, "");
    LLVMValueRef finite_base = LLVMBuildFCmp(m.b, LLVMRealONE, size, infinity, "");
    LLVMValueRef none =
        LLVMBuildAnd(m.b, LLVMBuildAnd(m.b, negative, finite_base, ""), LLVMBuildNot(m.b, whole_b, ""), "");
    power = LLVMBuildSelect(m.b, none, math_number(&m, 0.0 / 0.0), power, "");
    LLVMValueRef endless = LLVMBuildFCmp(m.b, LLVMRealOEQ, math_magnitude(&m, b), infinity, "");
    LLVMValueRef unit = LLVMBuildAnd(m.b, endless, LLVMBuildFCmp(m.b, LLVMRealOEQ, size, one, ""), "");
    LLVMValueRef is_one = LLVMBuildOr(m.b, LLVMBuildFCmp(m.b, LLVMRealOEQ, a, one, ""),
                                      LLVMBuildFCmp(m.b, LLVMRealOEQ, b, zero, ""), "");
    return LLVMBuildSelect(m.b, LLVMBuildOr(m.b, is_one, unit, ""), one, power, "");
}

LLVMValueRef math_pow(const Unit *u, LLVMValueRef a, LLVMValueRef b)
{
    Math m = math_of(u, a);
    if (m.wide) return pow_wide(u, a, b);
    LLVMTypeRef wide = lanes_of(u->f64);
    LLVMValueRef power = pow_wide(u, LLVMBuildFPExt(m.b, a, wide, ""), LLVMBuildFPExt(m.b, b, wide, ""));
    return LLVMBuildFPTrunc(m.b, power, m.type, "");
}
