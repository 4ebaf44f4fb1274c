/* Operands on their way from memory to the register tile. A word is what one lane multiplies at a time: a number of the
 * type that is multiplied, or two bf16, neighbours along k, the first one in its low half. */
#include "codegen/product.h"

const char *product_name(Arena *arena, const ProductTypes *t)
{
    const char *in = dtype_name(t->in);
    bool same = t->a == t->in && t->b == t->in;
    return same ? in : arena_print(arena, "%s_of_%s_%s", in, dtype_name(t->a), dtype_name(t->b));
}

LLVMValueRef product_load(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef pointer, LLVMValueRef on)
{
    const Unit *u = e->unit;
    LLVMValueRef held = lanes_load(e, memory_type(u, stored), pointer, on);
    return cast_code(u, stored, p->types.out, from_memory(u, stored, held));
}

/* 16 elements as bf16, to nearest, ties to even; the instruction that rounds takes denormals for zeros, as the one that
 * multiplies does. */
static LLVMValueRef load_halves(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef pointer,
                                LLVMValueRef on)
{
    const Unit *u = e->unit;
    if (stored == DT_bf16) return lanes_load(e, u->i16, pointer, on);
    LLVMValueRef x = product_load(p, e, stored, pointer, on);
    if (!p->dots) return to_memory(u, DT_bf16, cast_round(u, DT_bf16, x));
    LLVMTypeRef brain = LLVMBFloatTypeInContext(u->context);
    return LLVMBuildBitCast(u->builder, LLVMBuildFPTrunc(u->builder, x, lanes_of(brain), ""), lanes_of(u->i16), "");
}

/* 32 halves as 16 words: neighbours of both vectors, or lane by lane one of the first and one of the second. */
static LLVMValueRef words_of(const Unit *u, LLVMValueRef first, LLVMValueRef second, bool across)
{
    LLVMValueRef from[2 * LANES];
    for (int i = 0; i < 2 * LANES; i++)
        from[i] = LLVMConstInt(u->i32, (unsigned)(across ? i / 2 + i % 2 * LANES : i), false);
    LLVMValueRef halves = LLVMBuildShuffleVector(u->builder, first, second, LLVMConstVector(from, 2 * LANES), "");
    return LLVMBuildBitCast(u->builder, halves, lanes_of(u->i32), "");
}

LLVMValueRef product_words_along(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef pointer,
                                 LLVMValueRef left)
{
    const Unit *u = e->unit;
    if (p->pair == 1) return product_load(p, e, stored, pointer, left ? lanes_below(e, left) : NULL);
    LLVMValueRef next = element_after(e, memory_type(u, stored), pointer, LANES);
    LLVMValueRef first = load_halves(p, e, stored, pointer, left ? lanes_below(e, left) : NULL);
    LLVMValueRef more = left ? lanes_below(e, minus(e, left, whole(u, LANES))) : NULL;
    return words_of(u, first, load_halves(p, e, stored, next, more), false);
}

LLVMValueRef product_words_across(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef first,
                                  LLVMValueRef second, LLVMValueRef on)
{
    const Unit *u = e->unit;
    if (p->pair == 1) return product_load(p, e, stored, first, on);
    LLVMValueRef low = load_halves(p, e, stored, first, on), none = LLVMConstNull(lanes_of(u->i16));
    return words_of(u, low, second ? load_halves(p, e, stored, second, on) : none, true);
}

/* The second one of each pair, or the first, as f32. */
static LLVMValueRef half_of(const Unit *u, LLVMValueRef words, bool second)
{
    LLVMValueRef bits = second ? LLVMBuildAnd(u->builder, words, splat_whole(u->i32, (int64_t)0xffff0000), "")
                               : LLVMBuildShl(u->builder, words, splat_whole(u->i32, 16), "");
    return LLVMBuildBitCast(u->builder, bits, lanes_of(u->f32), "");
}

LLVMValueRef product_multiply_add(const ProductCode *p, LLVMValueRef a, LLVMValueRef b, LLVMValueRef sum)
{
    const Unit *u = p->unit;
    if (p->pair == 1) return element_multiply_add(u, a, b, sum);
    if (!p->dots) {
        sum = element_multiply_add(u, half_of(u, a, true), half_of(u, b, true), sum);
        return element_multiply_add(u, half_of(u, a, false), half_of(u, b, false), sum);
    }
    LLVMTypeRef brains = LLVMVectorType(LLVMBFloatTypeInContext(u->context), 2 * LANES);
    LLVMValueRef args[] = {sum, LLVMBuildBitCast(u->builder, a, brains, ""),
                           LLVMBuildBitCast(u->builder, b, brains, "")};
    return intrinsic(u, "llvm.x86.avx512bf16.dpbf16ps.512", NULL, 0, args, 3);
}
