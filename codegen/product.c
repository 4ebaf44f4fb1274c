/* The kernels of own products: tiles one after the other, and what runs on tiles as soon as they are finished. */
#include "codegen/product.h"

#include <stddef.h>

/* One tile: element offsets, and what it covers. As Tile in runtime/core/product.c. */
typedef struct TilePlace {
    LLVMValueRef a, b, c, m, n, k, c_row;
} TilePlace;

enum { MAX_BATCH = 4 };

LLVMValueRef product_word(const Emit *e, int64_t byte) { return word_at(e, e->args, byte); }

static LLVMValueRef batch_extent(const Emit *e, int axis)
{
    const Unit *u = e->unit;
    LLVMValueRef there = compare(e, LLVMIntSGT, product_word(e, offsetof(RtProduct, batch_rank)), whole(u, axis));
    LLVMValueRef extent = product_word(e, (int64_t)offsetof(RtProduct, batch) + 8 * axis);
    return LLVMBuildSelect(u->builder, there, extent, whole(u, 1), "");
}

LLVMValueRef product_batches(const Emit *e)
{
    LLVMValueRef count = whole(e->unit, 1);
    for (int axis = 0; axis < MAX_BATCH; axis++) count = times(e, count, batch_extent(e, axis));
    return count;
}

BatchPlace product_batch_place(const Emit *e, LLVMValueRef index)
{
    LLVMValueRef zero = whole(e->unit, 0);
    BatchPlace at = {zero, zero, zero};
    for (int axis = MAX_BATCH - 1; axis >= 0; axis--) {
        LLVMValueRef extent = batch_extent(e, axis), i = rest_of(e, index, extent);
        index = over(e, index, extent);
        int64_t byte = 8 * axis;
        at.a = plus(e, at.a, times(e, i, product_word(e, (int64_t)offsetof(RtProduct, a_batch) + byte)));
        at.b = plus(e, at.b, times(e, i, product_word(e, (int64_t)offsetof(RtProduct, b_batch) + byte)));
        at.c = plus(e, at.c, times(e, i, product_word(e, (int64_t)offsetof(RtProduct, c_batch) + byte)));
    }
    return at;
}

/* Units count columns of tiles fastest, then rows of tiles, then batch elements, then parts. */
static TilePlace find_tile(const Emit *e, LLVMValueRef unit)
{
    const Unit *u = e->unit;
    LLVMValueRef m = product_word(e, offsetof(RtProduct, m)), n = product_word(e, offsetof(RtProduct, n));
    LLVMValueRef k = product_word(e, offsetof(RtProduct, k)), parts = product_word(e, offsetof(RtProduct, parts));
    LLVMValueRef tile_m = product_word(e, offsetof(RtProduct, tile_m));
    LLVMValueRef tile_n = product_word(e, offsetof(RtProduct, tile_n));
    LLVMValueRef tiles_m = over_up(e, m, tile_m), tiles_n = over_up(e, n, tile_n), batches = product_batches(e);
    LLVMValueRef column = times(e, rest_of(e, unit, tiles_n), tile_n);
    LLVMValueRef above = over(e, unit, tiles_n);
    LLVMValueRef row = times(e, rest_of(e, above, tiles_m), tile_m);
    above = over(e, above, tiles_m);
    LLVMValueRef element = rest_of(e, above, batches), part = over(e, above, batches);
    LLVMValueRef k_begin = over(e, times(e, part, k), parts);
    LLVMValueRef k_end = over(e, times(e, plus(e, part, whole(u, 1)), k), parts);
    BatchPlace at = product_batch_place(e, element);
    TilePlace t = {.m = least(e, tile_m, minus(e, m, row)), .n = least(e, tile_n, minus(e, n, column))};
    t.k = minus(e, k_end, k_begin);
    t.a = plus(e, at.a, plus(e, times(e, row, product_word(e, offsetof(RtProduct, a_row))),
                             times(e, k_begin, product_word(e, offsetof(RtProduct, a_column)))));
    t.b = plus(e, at.b, plus(e, times(e, k_begin, product_word(e, offsetof(RtProduct, b_row))),
                             times(e, column, product_word(e, offsetof(RtProduct, b_column)))));
    LLVMValueRef c_row = product_word(e, offsetof(RtProduct, c_row));
    LLVMValueRef c = plus(e, at.c, plus(e, times(e, row, c_row), column));
    LLVMValueRef index = plus(e, times(e, part, batches), element);
    LLVMValueRef partial = plus(e, times(e, plus(e, times(e, index, m), row), n), column);
    LLVMValueRef direct = compare(e, LLVMIntEQ, parts, whole(u, 1));
    t.c = LLVMBuildSelect(u->builder, direct, c, partial, "");
    t.c_row = LLVMBuildSelect(u->builder, direct, c_row, n, "");
    return t;
}

/* run: every tile of [begin, end). */
static void emit_run(Emit *e, const ProductCode *p)
{
    const Unit *u = e->unit;
    LLVMValueRef direct = compare(e, LLVMIntEQ, product_word(e, offsetof(RtProduct, parts)), whole(u, 1));
    LLVMValueRef word = LLVMBuildSelect(u->builder, direct, product_word(e, offsetof(RtProduct, c)),
                                        product_word(e, offsetof(RtProduct, partial)), "");
    LLVMValueRef a = decoded_place(e, e->blocks, product_word(e, offsetof(RtProduct, a)));
    LLVMValueRef b = decoded_place(e, e->blocks, product_word(e, offsetof(RtProduct, b)));
    LLVMValueRef c = decoded_place(e, e->blocks, word);
    Loop units;
    loop_open(e, &units, e->begin, e->end, 1, true, NULL, 0);
    TilePlace t = find_tile(e, units.index);
    LLVMValueRef args[] = {e->args, element_at(e, memory_type(u, p->types.a), a, t.a),
                           element_at(e, memory_type(u, p->types.b), b, t.b), element_at(e, p->real, c, t.c),
                           t.m, t.n, t.k, t.c_row, e->scratch};
    call_inner(e, p->block, args, 9);
    loop_close(e, &units, NULL);
}

static void call_kernel(const Emit *e, LLVMValueRef kernel, LLVMValueRef args, LLVMValueRef begin, LLVMValueRef end)
{
    LLVMBuildCall2(e->unit->builder, LLVMGlobalGetValueType(e->function), kernel,
                   (LLVMValueRef[]){e->blocks, args, begin, end, e->scratch, e->fault}, 6, "");
}

/* The rows of a finished tile, or of a finished row of tiles: adjacent ones in one call. */
static void call_then(Emit *e, const TilePlace *t)
{
    const Unit *u = e->unit;
    LLVMValueRef one = whole(u, 1), n = product_word(e, offsetof(RtProduct, n));
    LLVMValueRef wide = product_word(e, offsetof(RtProduct, then_columns));
    LLVMValueRef rows = times(e, product_batches(e), product_word(e, offsetof(RtProduct, m)));
    LLVMValueRef apart = over(e, t->c_row, n), adjacent = compare(e, LLVMIntEQ, apart, one);
    LLVMValueRef first = plus(e, times(e, over(e, rest_of(e, t->c, n), wide), rows), over(e, t->c, n));
    LLVMValueRef runs = LLVMBuildSelect(u->builder, adjacent, one, t->m, "");
    LLVMValueRef length = LLVMBuildSelect(u->builder, adjacent, t->m, one, "");
    Loop loop;
    loop_open(e, &loop, whole(u, 0), runs, 1, false, NULL, 0);
    LLVMValueRef begin = plus(e, first, times(e, loop.index, apart));
    call_kernel(e, pointer_at(e, e->args, offsetof(RtProduct, then)),
                pointer_at(e, e->args, offsetof(RtProduct, then_args)), begin, plus(e, begin, length));
    loop_close(e, &loop, NULL);
}

/* tiled: whatever kernel makes the tiles, and on each what follows it. */
static void emit_tiled(Emit *e)
{
    const Unit *u = e->unit;
    Loop units;
    loop_open(e, &units, e->begin, e->end, 1, true, NULL, 0);
    TilePlace t = find_tile(e, units.index);
    call_kernel(e, pointer_at(e, e->args, offsetof(RtProduct, run)), e->args, units.index,
                plus(e, units.index, whole(u, 1)));
    LLVMValueRef n = product_word(e, offsetof(RtProduct, n)), wide = product_word(e, offsetof(RtProduct, then_columns));
    LLVMValueRef last = compare(e, LLVMIntEQ, plus(e, rest_of(e, t.c, n), t.n), n);
    LLVMValueRef alone = compare(e, LLVMIntNE, wide, n);
    Choice finished = choice_open(e, LLVMBuildOr(u->builder, last, alone, ""));
    call_then(e, &t);
    choice_else(e, &finished);
    choice_close(e, &finished);
    loop_close(e, &units, NULL);
}

static void make_parts(ProductCode *p)
{
    for (int rows = 1; rows <= p->tile.rows; rows++) p->rows[rows] = product_rows(p, rows, false);
    if (product_takes_b(&p->types)) p->rows_copy = product_rows(p, p->tile.rows, true);
    if (!product_takes_a(&p->types)) {
        p->copy = product_copy(p);
        p->transpose_a = product_transpose_a(p);
    }
    p->panel = product_panel(p);
    p->transpose_b = product_transpose_b(p);
    for (int rows = 1; product_has_few(p) && rows <= PRODUCT_FEW; rows++) {
        p->few_rows[rows] = product_few_rows(p, rows);
        p->few_columns[rows] = product_few_columns(p, rows);
    }
    p->block = product_block(p);
}

LLVMValueRef product_emit(Unit *u, Arena *arena, const Function *f, const char *name, const Target *target)
{
    ProductCode p = {.unit = u, .arena = arena, .types = f->types, .name = product_name(arena, &f->types)};
    bool pairs = f->types.in == DT_bf16;
    p.real = register_type(u, f->types.out);
    p.word = pairs ? u->i32 : p.real;
    p.pair = pairs ? 2 : 1;
    p.dots = pairs && target->dots;
    if (f->role == ROLE_product) {
        p.tile = target_register_tile(target, dtype_bytes(f->types.out));
        make_parts(&p);
    }
    Emit *e = kernel_function(u, arena, name);
    switch (f->role) {
    case ROLE_kernel: break;
    case ROLE_product: emit_run(e, &p); break;
    case ROLE_product_tiled: emit_tiled(e); break;
    case ROLE_product_sum: product_sum(e, f->types.out); break;
    }
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}
