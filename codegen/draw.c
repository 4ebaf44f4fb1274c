/* Random words in 16 lanes: Philox4x32-10, the same function as runtime/core/random.h. */
#include "codegen/emit.h"

static LLVMValueRef number(const Unit *u, LLVMTypeRef like, uint64_t value)
{
    LLVMValueRef one =
        LLVMConstInt(LLVMGetTypeKind(like) == LLVMVectorTypeKind ? LLVMGetElementType(like) : like, value, false);
    (void)u;
    return LLVMGetTypeKind(like) == LLVMVectorTypeKind ? splat_constant(one) : one;
}

/* z ^ (z >> shift), times a factor (1: none). */
static LLVMValueRef mix(const Unit *u, LLVMValueRef z, int shift, uint64_t factor)
{
    LLVMValueRef folded = LLVMBuildXor(u->builder, z, LLVMBuildLShr(u->builder, z, whole(u, shift), ""), "");
    return factor == 1 ? folded : LLVMBuildMul(u->builder, folded, number(u, u->i64, factor), "");
}

/* rt_random_key(a, b) */
static LLVMValueRef key(const Unit *u, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef next = LLVMBuildAdd(u->builder, b, whole(u, 1), "");
    LLVMValueRef z =
        LLVMBuildAdd(u->builder, a, LLVMBuildMul(u->builder, next, number(u, u->i64, 0x9E3779B97F4A7C15u), ""), "");
    z = mix(u, z, 30, 0xBF58476D1CE4E5B9u);
    z = mix(u, z, 27, 0x94D049BB133111EBu);
    return mix(u, z, 31, 1);
}

static LLVMValueRef low_word(const Unit *u, LLVMValueRef v)
{
    bool lanes = LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
    return LLVMBuildTrunc(u->builder, v, lanes ? lanes_of(u->i32) : u->i32, "");
}

static LLVMValueRef high_word(const Unit *u, LLVMValueRef v)
{
    LLVMValueRef shift = number(u, LLVMTypeOf(v), 32);
    return low_word(u, LLVMBuildLShr(u->builder, v, shift, ""));
}

static LLVMValueRef product(const Unit *u, LLVMValueRef x, uint64_t factor)
{
    LLVMTypeRef wide = lanes_of(u->i64);
    return LLVMBuildMul(u->builder, LLVMBuildZExt(u->builder, x, wide, ""), number(u, wide, factor), "");
}

static LLVMValueRef xor3(const Unit *u, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    return LLVMBuildXor(u->builder, LLVMBuildXor(u->builder, a, b, ""), splat(u, c), "");
}

/* rt_random_word(rt_random_key(seed, hash), step, index): seed, hash and step are i64, index 16 lanes of i64. */
LLVMValueRef draw_word(const Unit *u, LLVMValueRef seed, LLVMValueRef hash, LLVMValueRef step, LLVMValueRef index)
{
    LLVMBuilderRef b = u->builder;
    LLVMValueRef keys = key(u, seed, hash);
    LLVMValueRef k0 = low_word(u, keys), k1 = high_word(u, keys);
    LLVMValueRef x0 = low_word(u, index), x1 = high_word(u, index);
    LLVMValueRef x2 = splat(u, low_word(u, step)), x3 = splat(u, high_word(u, step));
    for (int round = 0; round < 10; round++) {
        LLVMValueRef p0 = product(u, x0, 0xD2511F53u), p1 = product(u, x2, 0xCD9E8D57u);
        LLVMValueRef y0 = xor3(u, high_word(u, p1), x1, k0), y2 = xor3(u, high_word(u, p0), x3, k1);
        x1 = low_word(u, p1);
        x3 = low_word(u, p0);
        x0 = y0;
        x2 = y2;
        k0 = LLVMBuildAdd(b, k0, number(u, u->i32, 0x9E3779B9u), "");
        k1 = LLVMBuildAdd(b, k1, number(u, u->i32, 0xBB67AE85u), "");
    }
    return x0;
}
