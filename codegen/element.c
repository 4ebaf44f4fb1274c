/* Code of the element operators: column `code` of ops.def, its macros standing for builders over 16 lanes. */
#include "codegen/emit.h"
#include "codegen/math.h"

#include <assert.h>

/* What the builders of one operator see. */
typedef struct Element {
    const Unit *u;
    DType dtype;                         /* of the arguments */
} Element;

static bool is_float(const Element *x) { return dtype_is_float(x->dtype); }
static bool is_natural(const Element *x) { return x->dtype == DT_u8 || x->dtype == DT_bool; }

static LLVMValueRef build_add(const Element *x, LLVMValueRef a, LLVMValueRef b)
{
    return is_float(x) ? LLVMBuildFAdd(x->u->builder, a, b, "") : LLVMBuildAdd(x->u->builder, a, b, "");
}

static LLVMValueRef build_mul(const Element *x, LLVMValueRef a, LLVMValueRef b)
{
    return is_float(x) ? LLVMBuildFMul(x->u->builder, a, b, "") : LLVMBuildMul(x->u->builder, a, b, "");
}

static LLVMValueRef build_lt(const Element *x, LLVMValueRef a, LLVMValueRef b)
{
    if (is_float(x)) return LLVMBuildFCmp(x->u->builder, LLVMRealOLT, a, b, "");
    return LLVMBuildICmp(x->u->builder, is_natural(x) ? LLVMIntULT : LLVMIntSLT, a, b, "");
}

static LLVMValueRef build_eq(const Element *x, LLVMValueRef a, LLVMValueRef b)
{
    if (is_float(x)) return LLVMBuildFCmp(x->u->builder, LLVMRealOEQ, a, b, "");
    return LLVMBuildICmp(x->u->builder, LLVMIntEQ, a, b, "");
}

static LLVMValueRef build_select(const Element *x, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(x->u->builder, c, a, b, "");
}

/* b where a < b or b is NaN, unless a is NaN: a wins ties, NaN wins over numbers. */
static LLVMValueRef build_max(const Element *x, LLVMValueRef a, LLVMValueRef b)
{
    LLVMBuilderRef builder = x->u->builder;
    if (!is_float(x)) return build_select(x, build_lt(x, a, b), b, a);
    LLVMValueRef b_wins = LLVMBuildFCmp(builder, LLVMRealULT, a, b, "");
    LLVMValueRef a_number = LLVMBuildFCmp(builder, LLVMRealORD, a, a, "");
    return build_select(x, LLVMBuildAnd(builder, b_wins, a_number, ""), b, a);
}

/* Floor of a / b; 0 where b is 0; the least number over -1 wraps. The divisor is replaced where division would trap. */
static LLVMValueRef build_floordiv_whole(const Element *x, LLVMValueRef a, LLVMValueRef b)
{
    LLVMBuilderRef builder = x->u->builder;
    LLVMTypeRef type = LLVMTypeOf(a);
    LLVMValueRef zero = LLVMConstNull(type), one = splat_whole(LLVMGetElementType(type), 1),
                 minus = LLVMConstAllOnes(type);
    LLVMValueRef by_zero = LLVMBuildICmp(builder, LLVMIntEQ, b, zero, "");
    if (is_natural(x)) {
        LLVMValueRef quotient = LLVMBuildUDiv(builder, a, build_select(x, by_zero, one, b), "");
        return build_select(x, by_zero, zero, quotient);
    }
    LLVMValueRef by_minus = LLVMBuildICmp(builder, LLVMIntEQ, b, minus, "");
    LLVMValueRef divisor = build_select(x, LLVMBuildOr(builder, by_zero, by_minus, ""), one, b);
    LLVMValueRef quotient = LLVMBuildSDiv(builder, a, divisor, "");
    LLVMValueRef rest = LLVMBuildSub(builder, a, LLVMBuildMul(builder, quotient, divisor, ""), "");
    LLVMValueRef inexact = LLVMBuildICmp(builder, LLVMIntNE, rest, zero, "");
    LLVMValueRef opposite = LLVMBuildICmp(builder, LLVMIntSLT, LLVMBuildXor(builder, rest, divisor, ""), zero, "");
    LLVMValueRef step = LLVMBuildSExt(builder, LLVMBuildAnd(builder, inexact, opposite, ""), type, "");
    LLVMValueRef floored = LLVMBuildAdd(builder, quotient, step, "");
    LLVMValueRef negated = LLVMBuildSub(builder, zero, a, "");
    return build_select(x, by_zero, zero, build_select(x, by_minus, negated, floored));
}

static LLVMValueRef build_floor(const Element *x, LLVMValueRef a) { return intrinsic_of(x->u, "llvm.floor", &a, 1); }

static LLVMValueRef build_floordiv(const Element *x, LLVMValueRef a, LLVMValueRef b)
{
    LLVMBuilderRef builder = x->u->builder;
    if (!is_float(x)) return build_floordiv_whole(x, a, b);
    if (x->dtype == DT_f64) return build_floor(x, LLVMBuildFDiv(builder, a, b, ""));
    /* The quotient of two f32 in f64 lies on the same side of a whole number as the exact one. */
    LLVMTypeRef wide = lanes_of(x->u->f64), narrow = lanes_of(x->u->f32);
    LLVMValueRef quotient =
        LLVMBuildFDiv(builder, LLVMBuildFPExt(builder, a, wide, ""), LLVMBuildFPExt(builder, b, wide, ""), "");
    return LLVMBuildFPTrunc(builder, build_floor(x, quotient), narrow, "");
}

#define ADD(a, b) build_add(&x, a, b)
#define MUL(a, b) build_mul(&x, a, b)
#define DIV(a, b) LLVMBuildFDiv(u->builder, a, b, "")
#define POW(a, b) math_pow(u, a, b)
#define SQRT(a) intrinsic_of(u, "llvm.sqrt", &a, 1)
#define EXP(a) math_exp(u, a)
#define LOG(a) math_log(u, a)
#define TANH(a) math_tanh(u, a)
#define ERF(a) math_erf(u, a)
#define SIN(a) math_sin(u, a)
#define COS(a) math_cos(u, a)
#define FLOOR(a) build_floor(&x, a)
#define FLOORDIV(a, b) build_floordiv(&x, a, b)
#define MAX(a, b) build_max(&x, a, b)
#define WHERE(c, a, b) build_select(&x, c, a, b)
#define LT(a, b) build_lt(&x, a, b)
#define EQ(a, b) build_eq(&x, a, b)
#define NOT(a) LLVMBuildNot(u->builder, a, "")
#define AND(a, b) LLVMBuildAnd(u->builder, a, b, "")

LLVMValueRef element_code(const Unit *u, Op op, DType dtype, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    Element x = {u, dtype};
    switch ((int)op) {
#define ELEMENT(name, arity, types, result, value, code, gradient, cost, doc) case OP_##name: return code;
#define STRUCTURAL(...)
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    }
    assert(!"an element operator");
    return NULL;
}

/* Not llvm.fmuladd: where LLVM finds both factors constant it rounds their product, and then the bits would depend on
 * what one kernel knows and another does not. */
LLVMValueRef element_multiply_add(const Unit *u, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    LLVMValueRef args[] = {a, b, c};
    if (u->fused) return intrinsic_of(u, "llvm.fma", args, 3);
    return LLVMBuildFAdd(u->builder, LLVMBuildFMul(u->builder, a, b, ""), c, "");
}
