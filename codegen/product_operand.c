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

/* 16 elements as bf16, to nearest, ties to even, each in the high half of an i32, whose low half is 0. */
static LLVMValueRef load_high(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef pointer, LLVMValueRef on)
{
    LLVMValueRef x = product_load(p, e, stored, pointer, on);
    if (stored == DT_f32) x = cast_round(e->unit, DT_bf16, x);
    return LLVMBuildBitCast(e->unit->builder, x, lanes_of(e->unit->i32), "");
}

/* Both vectors, one behind the other. The instruction takes denormals for zeros, as the one that multiplies does. */
static LLVMValueRef round_both(const Unit *u, LLVMValueRef first, LLVMValueRef second)
{
    LLVMValueRef args[] = {second, first};
    LLVMValueRef halves = intrinsic(u, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", NULL, 0, args, 2);
    return LLVMBuildBitCast(u->builder, halves, LLVMVectorType(u->i16, 2 * LANES), "");
}

/* Halves of both in their order, or of the first in the order of words: one of its first 16, one of its last. */
static LLVMValueRef shuffled(const Unit *u, LLVMValueRef a, LLVMValueRef b, bool across)
{
    LLVMValueRef from[2 * LANES];
    for (int i = 0; i < 2 * LANES; i++)
        from[i] = LLVMConstInt(u->i32, (unsigned)(across ? i / 2 + i % 2 * LANES : i), false);
    return LLVMBuildShuffleVector(u->builder, a, b, LLVMConstVector(from, 2 * LANES), "");
}

static LLVMValueRef as_words(const Unit *u, LLVMValueRef halves)
{
    return LLVMBuildBitCast(u->builder, halves, lanes_of(u->i32), "");
}

LLVMValueRef product_words_along(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef pointer,
                                 LLVMValueRef left)
{
    const Unit *u = e->unit;
    LLVMTypeRef type = memory_type(u, stored);
    LLVMValueRef on = left ? lanes_below(e, left) : NULL, next = element_after(e, type, pointer, LANES);
    if (p->pair == 1) return product_load(p, e, stored, pointer, on);
    LLVMValueRef more = left ? lanes_below(e, minus(e, left, whole(u, LANES))) : NULL;
    if (stored == DT_bf16) {
        LLVMValueRef first = lanes_load(e, type, pointer, on), second = lanes_load(e, type, next, more);
        return as_words(u, shuffled(u, first, second, false));
    }
    if (p->dots) {
        LLVMValueRef first = product_load(p, e, stored, pointer, on);
        return as_words(u, round_both(u, first, product_load(p, e, stored, next, more)));
    }
    LLVMTypeRef narrow = lanes_of(u->i16);
    LLVMValueRef sixteen = splat_whole(u->i32, 16), half[2];
    for (int i = 0; i < 2; i++) {
        LLVMValueRef high = load_high(p, e, stored, i ? next : pointer, i ? more : on);
        half[i] = LLVMBuildTrunc(u->builder, LLVMBuildLShr(u->builder, high, sixteen, ""), narrow, "");
    }
    return as_words(u, shuffled(u, half[0], half[1], false));
}

LLVMValueRef product_words_across(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef first,
                                  LLVMValueRef second, LLVMValueRef on)
{
    const Unit *u = e->unit;
    if (p->pair == 1) return product_load(p, e, stored, first, on);
    if (p->dots && stored != DT_bf16 && second) {
        LLVMValueRef x = product_load(p, e, stored, first, on);
        LLVMValueRef halves = round_both(u, x, product_load(p, e, stored, second, on));
        return as_words(u, shuffled(u, halves, LLVMGetUndef(LLVMTypeOf(halves)), true));
    }
    LLVMValueRef low = LLVMBuildLShr(u->builder, load_high(p, e, stored, first, on), splat_whole(u->i32, 16), "");
    return second ? LLVMBuildOr(u->builder, load_high(p, e, stored, second, on), low, "") : low;
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
