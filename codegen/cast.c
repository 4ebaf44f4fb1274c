/* Changes of element type: to integers toward zero, out of range saturates, NaN is 0; between integers modulo the
 * width. */
#include "codegen/emit.h"

/* To the nearest bf16, ties to even, still in f32 lanes. A NaN keeps its sign and becomes quiet. */
static LLVMValueRef round_bf16(const Unit *u, LLVMValueRef v)
{
    LLVMBuilderRef b = u->builder;
    LLVMTypeRef i32 = lanes_of(u->i32);
    LLVMValueRef bits = LLVMBuildBitCast(b, v, i32, "");
    LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, bits, splat_whole(u->i32, 16), ""), splat_whole(u->i32, 1), "");
    LLVMValueRef half = LLVMBuildAdd(b, odd, splat_whole(u->i32, 0x7fff), "");
    LLVMValueRef up = LLVMBuildAdd(b, bits, half, "");
    LLVMValueRef quiet = LLVMBuildOr(b, bits, splat_whole(u->i32, 0x400000), "");
    LLVMValueRef is_nan = LLVMBuildFCmp(b, LLVMRealUNO, v, v, "");
    LLVMValueRef chosen = LLVMBuildSelect(b, is_nan, quiet, up, "");
    LLVMValueRef kept = LLVMBuildAnd(b, chosen, splat_whole(u->i32, (int64_t)0xffff0000), "");
    return LLVMBuildBitCast(b, kept, lanes_of(u->f32), "");
}

LLVMValueRef cast_round(const Unit *u, DType dtype, LLVMValueRef v)
{
    if (dtype == DT_bf16) return round_bf16(u, v);
    if (dtype != DT_f16) return v;
    LLVMValueRef half = LLVMBuildFPTrunc(u->builder, v, lanes_of(u->half), "");
    return LLVMBuildFPExt(u->builder, half, lanes_of(u->f32), "");
}

static bool is_natural(DType dtype) { return dtype == DT_u8 || dtype == DT_bool; }

static LLVMValueRef float_to_float(const Unit *u, DType from, DType to, LLVMValueRef v)
{
    if (from == DT_f64 && to != DT_f64) v = LLVMBuildFPTrunc(u->builder, v, lanes_of(u->f32), "");
    if (from != DT_f64 && to == DT_f64) v = LLVMBuildFPExt(u->builder, v, lanes_of(u->f64), "");
    return cast_round(u, to, v);
}

static LLVMValueRef float_to_whole(const Unit *u, DType to, LLVMValueRef v)
{
    if (to == DT_bool) return LLVMBuildFCmp(u->builder, LLVMRealONE, v, LLVMConstNull(LLVMTypeOf(v)), "");
    LLVMTypeRef overloads[] = {lanes_of(register_type(u, to)), LLVMTypeOf(v)};
    return intrinsic(u, to == DT_u8 ? "llvm.fptoui.sat" : "llvm.fptosi.sat", overloads, 2, &v, 1);
}

static LLVMValueRef whole_to_float(const Unit *u, DType from, DType to, LLVMValueRef v)
{
    LLVMTypeRef type = lanes_of(register_type(u, to));
    LLVMValueRef number =
        is_natural(from) ? LLVMBuildUIToFP(u->builder, v, type, "") : LLVMBuildSIToFP(u->builder, v, type, "");
    return cast_round(u, to, number);
}

LLVMValueRef cast_code(const Unit *u, DType from, DType to, LLVMValueRef v)
{
    if (from == to) return v;
    if (dtype_is_float(from) && dtype_is_float(to)) return float_to_float(u, from, to, v);
    if (dtype_is_float(from)) return float_to_whole(u, to, v);
    if (dtype_is_float(to)) return whole_to_float(u, from, to, v);
    if (to == DT_bool) return LLVMBuildICmp(u->builder, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
    LLVMTypeRef type = lanes_of(register_type(u, to));
    unsigned had = LLVMGetIntTypeWidth(register_type(u, from)), wanted = LLVMGetIntTypeWidth(register_type(u, to));
    if (wanted < had) return LLVMBuildTrunc(u->builder, v, type, "");
    if (wanted == had) return v;
    return is_natural(from) ? LLVMBuildZExt(u->builder, v, type, "") : LLVMBuildSExt(u->builder, v, type, "");
}
