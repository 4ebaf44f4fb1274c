/* Adds the parts of a product: every second part takes the next one, every fourth the one two further, and so on, a
 * binary tree over their numbers; then the first goes to where the result is wanted. The partial results are lost. */
#include "codegen/product.h"

#include <stddef.h>

/* `count` adjacent elements of every part's result from `first` on are `rows` rows of C from `c` on. */
typedef struct SumRange {
    LLVMValueRef first, count, c, rows;
} SumRange;

static SumRange find_range(const Emit *e, LLVMValueRef unit)
{
    LLVMValueRef m = product_word(e, offsetof(RtProduct, m)), n = product_word(e, offsetof(RtProduct, n));
    LLVMValueRef sum_rows = product_word(e, offsetof(RtProduct, sum_rows)), chunks = over_up(e, m, sum_rows);
    LLVMValueRef element = over(e, unit, chunks), row = times(e, rest_of(e, unit, chunks), sum_rows);
    LLVMValueRef rows = least(e, sum_rows, minus(e, m, row)), c_row = product_word(e, offsetof(RtProduct, c_row));
    return (SumRange){.first = times(e, plus(e, times(e, element, m), row), n),
                      .count = times(e, rows, n),
                      .c = plus(e, product_batch_place(e, element).c, times(e, row, c_row)),
                      .rows = rows};
}

/* to += from, or to = from. */
static void each_vector(Emit *e, LLVMTypeRef real, bool add, LLVMValueRef to, LLVMValueRef from, LLVMValueRef count)
{
    const Unit *u = e->unit;
    LLVMValueRef tail = rest_of(e, count, whole(u, LANES)), even = minus(e, count, tail);
    Loop loop;
    loop_open(e, &loop, whole(u, 0), even, LANES, true, NULL, 0);
    LLVMValueRef here = element_at(e, real, to, loop.index);
    LLVMValueRef v = lanes_load(e, real, element_at(e, real, from, loop.index), NULL);
    if (add) v = LLVMBuildFAdd(u->builder, lanes_load(e, real, here, NULL), v, "");
    lanes_store(e, real, here, NULL, v);
    loop_close(e, &loop, NULL);
    Choice more = choice_open(e, compare(e, LLVMIntNE, tail, whole(u, 0)));
    LLVMValueRef on = lanes_below(e, tail), end = element_at(e, real, to, even);
    v = lanes_load(e, real, element_at(e, real, from, even), on);
    if (add) v = LLVMBuildFAdd(u->builder, lanes_load(e, real, end, on), v, "");
    lanes_store(e, real, end, on, v);
    choice_else(e, &more);
    choice_close(e, &more);
}

static LLVMValueRef doubled(const Emit *e, LLVMValueRef one, LLVMValueRef times_)
{
    return LLVMBuildShl(e->unit->builder, one, times_, "");
}

/* Levels of the tree: the least number whose power of two reaches `parts`. */
static LLVMValueRef level_count(const Emit *e, LLVMValueRef parts)
{
    const Unit *u = e->unit;
    LLVMValueRef args[] = {minus(e, parts, whole(u, 1)), LLVMConstInt(u->i1, 0, false)};
    return minus(e, whole(u, 64), intrinsic_of(u, "llvm.ctlz", args, 2));
}

static void add_parts(Emit *e, LLVMTypeRef real, LLVMValueRef partial, LLVMValueRef count)
{
    const Unit *u = e->unit;
    LLVMValueRef parts = product_word(e, offsetof(RtProduct, parts)), area =
        times(e, product_word(e, offsetof(RtProduct, m)), product_word(e, offsetof(RtProduct, n)));
    LLVMValueRef size = times(e, product_batches(e), area);
    Loop levels, pairs;
    loop_open(e, &levels, whole(u, 0), level_count(e, parts), 1, true, NULL, 0);
    LLVMValueRef step = doubled(e, whole(u, 1), levels.index), twice = plus(e, step, step);
    LLVMValueRef pair_count = over_up(e, minus(e, parts, step), twice);
    loop_open(e, &pairs, whole(u, 0), pair_count, 1, true, NULL, 0);
    LLVMValueRef part = times(e, pairs.index, twice);
    LLVMValueRef to = element_at(e, real, partial, times(e, part, size));
    each_vector(e, real, true, to, element_at(e, real, partial, times(e, plus(e, part, step), size)), count);
    loop_close(e, &pairs, NULL);
    loop_close(e, &levels, NULL);
}

void product_sum(Emit *e, DType dtype)
{
    const Unit *u = e->unit;
    LLVMTypeRef real = register_type(u, dtype);
    LLVMValueRef n = product_word(e, offsetof(RtProduct, n)), c_row = product_word(e, offsetof(RtProduct, c_row));
    LLVMValueRef partial = decoded_place(e, e->blocks, product_word(e, offsetof(RtProduct, partial)));
    LLVMValueRef c = decoded_place(e, e->blocks, product_word(e, offsetof(RtProduct, c)));
    Loop units, rows;
    loop_open(e, &units, e->begin, e->end, 1, true, NULL, 0);
    SumRange range = find_range(e, units.index);
    LLVMValueRef from = element_at(e, real, partial, range.first), to = element_at(e, real, c, range.c);
    add_parts(e, real, from, range.count);
    loop_open(e, &rows, whole(u, 0), range.rows, 1, true, NULL, 0);
    each_vector(e, real, false, element_at(e, real, to, times(e, rows.index, c_row)),
                element_at(e, real, from, times(e, rows.index, n)), n);
    loop_close(e, &rows, NULL);
    loop_close(e, &units, NULL);
}
