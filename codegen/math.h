/* Transcendental functions on 16 lanes of f32 or f64, as straight-line code. Largest errors, in units in the last place
 * of the exact result, over all arguments unless an interval is given (tests/codegen/math_test.c measures them):
 *
 *          f32                              f64
 *   exp    1.1                              1.1     results below the least normal number included
 *   log    1                                1
 *   tanh   1.5                              1.5
 *   erf    1.5                              1.5
 *   sin    1.6 for |x| <= 2^30              2.5 for |x| <= 2^20
 *   cos    1.6 for |x| <= 2^30              2.5 for |x| <= 2^20
 *   pow    1                                relative error 2^-42 (the logarithm is not carried beyond f64)
 *
 * Beyond their intervals sin and cos lie in [-1, 1] but mean nothing. NaN, infinities and signed zeros are as in C's
 * Annex F. The polynomials are minimax fits of our own (Remez exchange in 60 digits); the reductions are those of Cody
 * and Waite, "Software Manual for the Elementary Functions", 1980. */
#ifndef PTM_CODEGEN_MATH_H
#define PTM_CODEGEN_MATH_H

#include "codegen/emit.h"

LLVMValueRef math_exp(const Unit *u, LLVMValueRef x);
/* where the result is a normal number: fewer steps */
LLVMValueRef math_exp_moderate(const Unit *u, LLVMValueRef x);
LLVMValueRef math_log(const Unit *u, LLVMValueRef x);
LLVMValueRef math_pow(const Unit *u, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef math_tanh(const Unit *u, LLVMValueRef x);
LLVMValueRef math_erf(const Unit *u, LLVMValueRef x);
LLVMValueRef math_sin(const Unit *u, LLVMValueRef x);
LLVMValueRef math_cos(const Unit *u, LLVMValueRef x);

/* Shared by the files of these functions: arithmetic over lanes with constants. */
typedef struct Math {
    const Unit *u;
    LLVMBuilderRef b;
    LLVMTypeRef lane, type, whole_lane, whole_type;          /* f32 and i32, or f64 and i64 */
    bool wide;                                               /* f64 */
} Math;

Math math_of(const Unit *u, LLVMValueRef x);
LLVMValueRef math_number(const Math *m, double value);
LLVMValueRef math_whole(const Math *m, int64_t value);
LLVMValueRef math_multiply_add(const Math *m, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
/* c[0] + c[1] x + .. + c[count - 1] x^(count - 1) */
LLVMValueRef math_polynomial(const Math *m, LLVMValueRef x, const double *c, int count);
LLVMValueRef math_magnitude(const Math *m, LLVMValueRef x);
LLVMValueRef math_copy_sign(const Math *m, LLVMValueRef magnitude, LLVMValueRef sign);
LLVMValueRef math_at_most(const Math *m, LLVMValueRef x, double limit);  /* NaN passes */
/* The whole number nearest to x, |x| < 2^22 (f32) or 2^51; *bits: its low bits as an integer. */
LLVMValueRef math_nearest(const Math *m, LLVMValueRef x, LLVMValueRef *bits);

#endif
