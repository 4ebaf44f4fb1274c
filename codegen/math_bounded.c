/* Hyperbolic tangent, error function, sine and cosine: functions whose values stay within [-1, 1]. */
#include "codegen/math.h"

/* One of two values for |x|, by whether it lies below `limit` (NaN does not), with the sign of x. */
static LLVMValueRef odd_function(const Math *m, LLVMValueRef x, LLVMValueRef size, double limit, LLVMValueRef below,
                                 LLVMValueRef above)
{
    LLVMValueRef small = LLVMBuildFCmp(m->b, LLVMRealOLT, size, math_number(m, limit), "");
    return math_copy_sign(m, LLVMBuildSelect(m->b, small, below, above, ""), x);
}

/* x + x^3 P(x^2) near zero, else 1 - 2 / (e^(2|x|) + 1). */
LLVMValueRef math_tanh(const Unit *u, LLVMValueRef x)
{
    static const double narrow[] = {-0x1.555532d85fecdp-2, 0x1.110726d42751bp-3, -0x1.b83c59df94999p-5,
                                    0x1.52269b587083cp-6, -0x1.75e1cd4583d17p-8};
    static const double wide[] = {-0x1.5555555555555p-2,  0x1.11111111110b1p-3,   -0x1.ba1ba1ba143eap-5,
                                  0x1.664f488077f2bp-6,   -0x1.226e34f42035ap-7,  0x1.d6d3b83a82dc3p-9,
                                  -0x1.7da17a99ec855p-10, 0x1.353e12f9eafeep-11,  -0x1.f392842bebe92p-13,
                                  0x1.8a219109e40acp-14,  -0x1.148b89cd17256p-15, 0x1.f3e50d8928704p-18};
    Math m = math_of(u, x);
    LLVMValueRef size = math_magnitude(&m, x);
    LLVMValueRef square = LLVMBuildFMul(m.b, size, size, "");
    LLVMValueRef p = m.wide ? math_polynomial(&m, square, wide, 12) : math_polynomial(&m, square, narrow, 5);
    LLVMValueRef below = math_multiply_add(&m, LLVMBuildFMul(m.b, size, square, ""), p, size);
    LLVMValueRef limited = math_at_most(&m, size, m.wide ? 20 : 10);
    LLVMValueRef e = math_exp_moderate(u, LLVMBuildFAdd(m.b, limited, limited, ""));
    LLVMValueRef rest = LLVMBuildFDiv(m.b, math_number(&m, 2), LLVMBuildFAdd(m.b, e, math_number(&m, 1), ""), "");
    LLVMValueRef above = LLVMBuildFSub(m.b, math_number(&m, 1), rest, "");
    return odd_function(&m, x, size, m.wide ? 0.55 : 0.625, below, above);
}

/* f32, |x| from 0.9: 1 - e^-G(x), G a fit of -log(erfc). */
static LLVMValueRef erf_above_narrow(const Math *m, LLVMValueRef size)
{
    static const double g[] = {0x1.5cea073cff112p-13, -0x1.21253f07ff28cp+0, -0x1.4450d53eefe74p-1,
                               -0x1.bb2421022df60p-4, 0x1.9a94dce64a779p-6,  -0x1.0fdcf120a7f91p-8,
                               0x1.c29c36dcf25edp-12, -0x1.5b04c0ec16bd9p-16};
    LLVMValueRef limited = math_at_most(m, size, 4);
    return LLVMBuildFSub(m->b, math_number(m, 1), math_exp_moderate(m->u, math_polynomial(m, limited, g, 8)), "");
}

/* f64, |x| from 1: 1 - e^(-x^2) X(t) / (x + 1) with t = (x - 5/2) / (x + 5/2), X a fit of (x + 1) e^(x^2) erfc(x). */
static LLVMValueRef erf_above_wide(const Math *m, LLVMValueRef size)
{
    static const double c[] = {
        0x1.79c3d75404db4p-1,  -0x1.f9f3a54baa071p-3, 0x1.38b4d42ef6cfbp-4,   0x1.0b08958616fafp-6,
        -0x1.023af7a89d1e7p-5, 0x1.d752594f3c004p-7,  -0x1.c063eaad773f8p-11, -0x1.cb8f4b4aef7ccp-10,
        0x1.799e1de0b602ap-12, 0x1.07d805703dcb5p-12, -0x1.014c8d8481195p-14, -0x1.8de16704495e2p-15,
        0x1.d63a6e49ebffbp-18, 0x1.52601d647abc3p-17, 0x1.543430dc2ab3ap-25,  -0x1.dacbf21e3941dp-20};
    LLVMValueRef x = math_at_most(m, size, 6), middle = math_number(m, 2.5);
    LLVMValueRef t = LLVMBuildFDiv(m->b, LLVMBuildFSub(m->b, x, middle, ""), LLVMBuildFAdd(m->b, x, middle, ""), "");
    LLVMValueRef scaled =
        LLVMBuildFDiv(m->b, math_polynomial(m, t, c, 16), LLVMBuildFAdd(m->b, x, math_number(m, 1), ""), "");
    LLVMValueRef power = math_exp_moderate(m->u, LLVMBuildFNeg(m->b, LLVMBuildFMul(m->b, x, x, ""), ""));
    return LLVMBuildFSub(m->b, math_number(m, 1), LLVMBuildFMul(m->b, power, scaled, ""), "");
}

/* x + x Q(x^2) near zero. */
LLVMValueRef math_erf(const Unit *u, LLVMValueRef x)
{
    static const double narrow[] = {0x1.06eba815ecea8p-3,  -0x1.8127440e3232ep-2, 0x1.ce2e53e714f43p-4,
                                    -0x1.b815235c50951p-6, 0x1.550a44fe64c68p-8,  -0x1.aca3937543d24p-11,
                                    0x1.6510c4aaadb22p-14};
    static const double wide[] = {0x1.06eba8214db69p-3,   -0x1.812746b0379e7p-2,  0x1.ce2f21a042bddp-4,
                                  -0x1.b82ce3128899bp-6,  0x1.565bcd0e64ab7p-8,   -0x1.c02db3fed8f6ep-11,
                                  0x1.f9a326bfb7250p-14,  -0x1.f4d255e147e3ap-17, 0x1.b9e64d07dab17p-20,
                                  -0x1.5f6d6b5253019p-23, 0x1.fc41172162e1bp-27,  -0x1.4e55ccc9d06f1p-30,
                                  0x1.7ecbf8379ceb0p-34,  -0x1.2928f43a12d3ap-38};
    Math m = math_of(u, x);
    LLVMValueRef size = math_magnitude(&m, x);
    LLVMValueRef square = LLVMBuildFMul(m.b, size, size, "");
    LLVMValueRef q = m.wide ? math_polynomial(&m, square, wide, 14) : math_polynomial(&m, square, narrow, 7);
    LLVMValueRef below = math_multiply_add(&m, size, q, size);
    LLVMValueRef above = m.wide ? erf_above_wide(&m, size) : erf_above_narrow(&m, size);
    return odd_function(&m, x, size, m.wide ? 1.0 : 0.9, below, above);
}

/* x = quarter * pi/2 + r, |r| <= pi/4: pi/2 in three parts, the products with the first two exact for the promised |x|.
 * f32 is reduced in f64. Beyond the promise r is 0. */
static LLVMValueRef reduce_circle(const Math *m, LLVMValueRef x, LLVMValueRef *quarter)
{
    LLVMValueRef wide_x = m->wide ? x : LLVMBuildFPExt(m->b, x, lanes_of(m->u->f64), "");
    Math w = math_of(m->u, wide_x);
    LLVMValueRef inside =
        LLVMBuildFCmp(w.b, LLVMRealULE, math_magnitude(&w, wide_x), math_number(&w, m->wide ? 0x1p20 : 0x1p30), "");
    LLVMValueRef infinite = LLVMBuildFCmp(w.b, LLVMRealOEQ, math_magnitude(&w, wide_x), math_number(&w, 1.0 / 0.0), "");
    wide_x = LLVMBuildSelect(w.b, inside, wide_x, math_number(&w, 0), "");
    wide_x = LLVMBuildSelect(w.b, infinite, math_number(&w, 0.0 / 0.0), wide_x, "");
    LLVMValueRef bits,
        n = math_nearest(&w, LLVMBuildFMul(w.b, wide_x, math_number(&w, 0x1.45f306dc9c883p-1), ""), &bits);
    static const double narrow[] = {-0x1.921fb4p+0, -0x1.4442dp-24, -0x1.8469898cc5170p-48};
    static const double wide[] = {-0x1.921fb544p+0, -0x1.0b4611a6p-34, -0x1.3198a2e037073p-69};
    LLVMValueRef r = wide_x;
    for (int k = 0; k < 3; k++) r = math_multiply_add(&w, n, math_number(&w, m->wide ? wide[k] : narrow[k]), r);
    *quarter = m->wide ? bits : LLVMBuildTrunc(w.b, bits, m->whole_type, "");
    return m->wide ? r : LLVMBuildFPTrunc(w.b, r, m->type, "");
}

static LLVMValueRef sine_near_zero(const Math *m, LLVMValueRef r, LLVMValueRef square)
{
    static const double narrow[] = {-0x1.5555554c68a63p-3, 0x1.11110863b46f4p-7, -0x1.a00f79c435816p-13,
                                    0x1.6cd0a83f6d598p-19};
    static const double wide[] = {-0x1.5555555555555p-3, 0x1.111111111110bp-7,   -0x1.a01a01a018a51p-13,
                                  0x1.71de3a532e3f7p-19, -0x1.ae64528a74878p-26, 0x1.61208a50cbbabp-33,
                                  -0x1.aaa14a102e9ecp-41};
    LLVMValueRef p = m->wide ? math_polynomial(m, square, wide, 7) : math_polynomial(m, square, narrow, 4);
    return math_multiply_add(m, LLVMBuildFMul(m->b, square, p, ""), r, r);
}

/* 1 - r^2/2 + r^4 P(r^2); what rounding 1 - r^2/2 loses is added back. */
static LLVMValueRef cosine_near_zero(const Math *m, LLVMValueRef square)
{
    static const double narrow[] = {0x1.5555554ed2c31p-5, -0x1.6c16b822dc398p-10, 0x1.a010da1347248p-16,
                                    -0x1.241da277b3d5dp-22};
    static const double wide[] = {0x1.5555555555555p-5,   -0x1.6c16c16c16c0fp-10, 0x1.a01a01a018cb1p-16,
                                  -0x1.27e4fb75e9defp-22, 0x1.1eed8c8ee7cf9p-29,  -0x1.939321f9ef4f0p-37,
                                  0x1.aabc209a30a1dp-45};
    LLVMValueRef p = m->wide ? math_polynomial(m, square, wide, 7) : math_polynomial(m, square, narrow, 4);
    LLVMValueRef one = math_number(m, 1), half = LLVMBuildFMul(m->b, square, math_number(m, 0.5), "");
    LLVMValueRef head = LLVMBuildFSub(m->b, one, half, "");
    LLVMValueRef lost = LLVMBuildFSub(m->b, LLVMBuildFSub(m->b, one, head, ""), half, "");
    LLVMValueRef tail = math_multiply_add(m, LLVMBuildFMul(m->b, square, square, ""), p, lost);
    return LLVMBuildFAdd(m->b, head, tail, "");
}

/* sin(r + quarter * pi/2): sine or cosine of r by the lowest bit of quarter, negated by the next. */
static LLVMValueRef circle(const Math *m, LLVMValueRef r, LLVMValueRef quarter)
{
    LLVMValueRef square = LLVMBuildFMul(m->b, r, r, "");
    LLVMValueRef sine = sine_near_zero(m, r, square), cosine = cosine_near_zero(m, square);
    LLVMValueRef one = math_whole(m, 1);
    LLVMValueRef is_cosine = LLVMBuildICmp(m->b, LLVMIntNE, LLVMBuildAnd(m->b, quarter, one, ""), math_whole(m, 0), "");
    LLVMValueRef value = LLVMBuildSelect(m->b, is_cosine, cosine, sine, "");
    LLVMValueRef sign = LLVMBuildShl(m->b, LLVMBuildLShr(m->b, quarter, one, ""), math_whole(m, m->wide ? 63 : 31), "");
    LLVMValueRef flipped = LLVMBuildXor(m->b, LLVMBuildBitCast(m->b, value, m->whole_type, ""), sign, "");
    return LLVMBuildBitCast(m->b, flipped, m->type, "");
}

LLVMValueRef math_sin(const Unit *u, LLVMValueRef x)
{
    Math m = math_of(u, x);
    LLVMValueRef quarter, r = reduce_circle(&m, x, &quarter);
    LLVMValueRef zero = LLVMBuildFCmp(m.b, LLVMRealOEQ, x, math_number(&m, 0), "");         /* keeps the sign of zero */
    return LLVMBuildSelect(m.b, zero, x, circle(&m, r, quarter), "");
}

LLVMValueRef math_cos(const Unit *u, LLVMValueRef x)
{
    Math m = math_of(u, x);
    LLVMValueRef quarter, r = reduce_circle(&m, x, &quarter);
    return circle(&m, r, LLVMBuildAdd(m.b, quarter, math_whole(&m, 1), ""));
}
