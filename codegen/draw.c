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

/* Words are kept in the low halves of i64 lanes, above which there may be anything: a processor multiplies low halves
 * into whole lanes, so nothing is widened, narrowed or moved between rounds. */
static LLVMValueRef low_half(const Unit *u, LLVMValueRef x)
{
    return LLVMBuildAnd(u->builder, x, number(u, LLVMTypeOf(x), 0xFFFFFFFFu), "");
}

static LLVMValueRef high_half(const Unit *u, LLVMValueRef x)
{
    return LLVMBuildLShr(u->builder, x, number(u, LLVMTypeOf(x), 32), "");
}

static LLVMValueRef product(const Unit *u, LLVMValueRef x, uint64_t factor)
{
    return LLVMBuildMul(u->builder, low_half(u, x), number(u, LLVMTypeOf(x), factor), "");
}

static LLVMValueRef xor3(const Unit *u, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    return LLVMBuildXor(u->builder, LLVMBuildXor(u->builder, a, b, ""), splat(u, c), "");
}

/* rt_random_word(rt_random_key(seed, hash), step, index): seed, hash and step are i64, index 16 lanes of i64. */
LLVMValueRef draw_word(const Unit *u, LLVMValueRef seed, LLVMValueRef hash, LLVMValueRef step, LLVMValueRef index)
{
    LLVMBuilderRef b = u->builder;
    LLVMValueRef k0 = key(u, seed, hash), k1 = high_half(u, k0);
    LLVMValueRef x0 = index, x1 = high_half(u, index), x2 = splat(u, step), x3 = splat(u, high_half(u, step));
    for (int round = 0; round < 10; round++) {
        LLVMValueRef p0 = product(u, x0, 0xD2511F53u), p1 = product(u, x2, 0xCD9E8D57u);
        x0 = xor3(u, high_half(u, p1), x1, k0);
        x2 = xor3(u, high_half(u, p0), x3, k1);
        x1 = p1;
        x3 = p0;
        k0 = LLVMBuildAdd(b, k0, number(u, u->i64, 0x9E3779B9u), "");
        k1 = LLVMBuildAdd(b, k1, number(u, u->i64, 0xBB67AE85u), "");
    }
    return LLVMBuildTrunc(b, x0, lanes_of(u->i32), "");
}
