/* One tile of a product: blocks along k, panels of B, rows of A. */
#include "codegen/product.h"

#include <stddef.h>

/* B is read where it lies, unless its rows are so far apart that each has a page of its own and so many rows of A pass
 * that copying is worth the while. */
enum { FAR_APART = 1024, MANY_PANELS = 12 };

typedef struct TileCode {
    const ProductCode *p;
    Emit *e;
    LLVMValueRef a, b, c, m, n, k, c_row, scratch;
    LLVMValueRef a_row, a_column, b_row, b_column;
    LLVMValueRef row_panels;             /* of at most tile.rows rows each, as equal as can be */
    LLVMValueRef from, depth;            /* of the block along k */
    LLVMValueRef packed_a, packed_b;
} TileCode;

static int panel_columns(const TileCode *t) { return t->p->tile.vectors * LANES; }

static LLVMValueRef offset(const TileCode *t, LLVMTypeRef type, LLVMValueRef base, LLVMValueRef index,
                           LLVMValueRef stride)
{
    return element_at(t->e, type, base, times(t->e, index, stride));
}

static LLVMTypeRef a_type(const TileCode *t) { return memory_type(t->e->unit, t->p->types.a); }
static LLVMTypeRef b_type(const TileCode *t) { return memory_type(t->e->unit, t->p->types.b); }

/* copy: of an operand whose columns are adjacent; the other is transposed. */
static void pack(const TileCode *t, LLVMValueRef adjacent, LLVMValueRef copy, LLVMValueRef transpose, LLVMValueRef to,
                 int64_t to_row, LLVMValueRef from, LLVMValueRef row, LLVMValueRef column, LLVMValueRef rows,
                 LLVMValueRef columns)
{
    LLVMValueRef stride = whole(t->e->unit, to_row);
    Choice lies = choice_open(t->e, adjacent);
    call_inner(t->e, copy, (LLVMValueRef[]){to, stride, from, row, rows, columns}, 6);
    choice_else(t->e, &lies);
    call_inner(t->e, transpose, (LLVMValueRef[]){to, stride, from, column, columns, rows}, 6);
    choice_close(t->e, &lies);
}

static LLVMValueRef is_one(const TileCode *t, LLVMValueRef v)
{
    return compare(t->e, LLVMIntEQ, v, whole(t->e->unit, 1));
}

/* The function for so many rows, of those for 1 .. most. */
static void call_by_rows(const TileCode *t, LLVMValueRef rows, const LLVMValueRef *of, int most, LLVMValueRef *args,
                         int count)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    LLVMBasicBlockRef never = LLVMAppendBasicBlockInContext(u->context, e->function, "never");
    LLVMBasicBlockRef next = LLVMAppendBasicBlockInContext(u->context, e->function, "next");
    LLVMValueRef way = LLVMBuildSwitch(at(e, e->depth), rows, never, (unsigned)most);
    for (int r = 1; r <= most; r++) {
        LLVMBasicBlockRef here = LLVMAppendBasicBlockInContext(u->context, e->function, "rows");
        LLVMAddCase(way, whole(u, r), here);
        LLVMPositionBuilderAtEnd(u->builder, here);
        call_inner(e, of[r], args, count);
        LLVMBuildBr(u->builder, next);
    }
    LLVMPositionBuilderAtEnd(u->builder, never);
    LLVMBuildUnreachable(u->builder);
    branch_done(e, e->depth, next);
}

/* All rows of A past one panel of B. */
static void pass_rows(const TileCode *t, LLVMValueRef b, LLVMValueRef b_step, LLVMValueRef column, LLVMValueRef columns)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    Loop loop;
    loop_open(e, &loop, whole(u, 0), t->row_panels, 1, false, NULL, 0);
    LLVMValueRef first = over(e, times(e, loop.index, t->m), t->row_panels);
    LLVMValueRef next = over(e, times(e, plus(e, loop.index, whole(u, 1)), t->m), t->row_panels);
    LLVMValueRef c = element_at(e, t->p->real, offset(t, t->p->real, t->c, first, t->c_row), column);
    LLVMValueRef a = offset(t, t->p->word, t->packed_a, first, whole(u, PRODUCT_ROW));
    LLVMValueRef more = compare(e, LLVMIntNE, t->from, whole(u, 0));
    LLVMValueRef words = over_up(e, t->depth, whole(u, t->p->pair));
    LLVMValueRef args[] = {a, b, b_step, c, t->c_row, words, columns, more};
    call_by_rows(t, minus(e, next, first), t->p->rows, t->p->tile.rows, args, 8);
    loop_close(e, &loop, NULL);
}

static void pass_panels(const TileCode *t)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    LLVMValueRef width = whole(u, panel_columns(t)), b_block = offset(t, b_type(t), t->b, t->from, t->b_row);
    LLVMValueRef adjacent = is_one(t, t->b_column);
    LLVMValueRef near = compare(e, LLVMIntSLE, t->b_row, whole(u, FAR_APART));
    LLVMValueRef few = compare(e, LLVMIntSLE, t->row_panels, whole(u, MANY_PANELS));
    LLVMValueRef in_place = LLVMBuildAnd(u->builder, adjacent, LLVMBuildOr(u->builder, near, few, ""), "");
    bool as_it_is = t->p->pair == 1 && t->p->types.b == t->p->types.in;
    if (!as_it_is) in_place = LLVMConstInt(u->i1, 0, false);
    Loop loop;
    loop_open(e, &loop, whole(u, 0), t->n, panel_columns(t), false, NULL, 0);
    LLVMValueRef columns = least(e, width, minus(e, t->n, loop.index));
    LLVMValueRef b = offset(t, b_type(t), b_block, loop.index, t->b_column);
    LLVMValueRef all = compare(e, LLVMIntEQ, columns, width);
    Choice direct = choice_open(e, LLVMBuildAnd(u->builder, in_place, all, ""));
    choice_else(e, &direct);
    pack(t, adjacent, t->p->panel, t->p->transpose_b, t->packed_b, panel_columns(t), b, t->b_row, t->b_column, t->depth,
         columns);
    choice_close(e, &direct);
    LLVMValueRef where = choice_value(e, &direct, b, t->packed_b);
    LLVMValueRef step = choice_value(e, &direct, t->b_row, width);
    pass_rows(t, where, step, loop.index, columns);
    loop_close(e, &loop, NULL);
}

static void pass_few(const TileCode *t)
{
    Emit *e = t->e;
    LLVMValueRef args[] = {t->a, t->a_row, t->b, t->b_row, t->c, t->c_row, t->n, t->k, t->packed_b};
    Choice lies = choice_open(e, is_one(t, t->b_column));
    call_by_rows(t, t->m, t->p->few_rows, PRODUCT_FEW, args, 9);
    choice_else(e, &lies);
    args[3] = t->b_column;
    call_by_rows(t, t->m, t->p->few_columns, PRODUCT_FEW, args, 9);
    choice_close(e, &lies);
}

static void pass_blocks(TileCode *t)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    LLVMValueRef one = whole(u, 1), blocks = over_up(e, t->k, whole(u, PRODUCT_DEPTH * t->p->pair));
    blocks = LLVMBuildSelect(u->builder, compare(e, LLVMIntSGT, blocks, one), blocks, one, "");
    LLVMValueRef depth = times(e, over_up(e, over_up(e, t->k, blocks), whole(u, LANES)), whole(u, LANES));
    Loop loop;
    loop_open(e, &loop, whole(u, 0), blocks, 1, false, NULL, 0);
    t->from = times(e, loop.index, depth);
    t->depth = least(e, depth, minus(e, t->k, t->from));
    pack(t, is_one(t, t->a_column), t->p->copy, t->p->transpose_a, t->packed_a, PRODUCT_ROW,
         offset(t, a_type(t), t->a, t->from, t->a_column), t->a_row, t->a_column, t->m, t->depth);
    pass_panels(t);
    loop_close(e, &loop, NULL);
}

LLVMValueRef product_block(const ProductCode *p)
{
    Unit *u = p->unit;
    LLVMTypeRef types[] = {u->pointer, u->pointer, u->pointer, u->pointer, u->i64,
                           u->i64,     u->i64,     u->i64,     u->pointer};
    TileCode t = {.p = p};
    const char *name = arena_print(p->arena, "product_%s_block", p->name);
    Emit *e = t.e = inner_function(u, p->arena, name, types, 9);
    LLVMValueRef args = parameter(e, 0);
    t.a = parameter(e, 1), t.b = parameter(e, 2), t.c = parameter(e, 3);
    t.m = parameter(e, 4), t.n = parameter(e, 5), t.k = parameter(e, 6), t.c_row = parameter(e, 7);
    t.a_row = word_at(e, args, offsetof(RtProduct, a_row));
    t.a_column = word_at(e, args, offsetof(RtProduct, a_column));
    t.b_row = word_at(e, args, offsetof(RtProduct, b_row));
    t.b_column = word_at(e, args, offsetof(RtProduct, b_column));
    t.packed_b = parameter(e, 8);
    t.packed_a = element_after(e, p->word, t.packed_b, PRODUCT_DEPTH * PRODUCT_MAX_VECTORS * LANES);
    t.row_panels = over_up(e, t.m, whole(u, p->tile.rows));
    if (product_has_few(p)) {
        LLVMValueRef few = compare(e, LLVMIntSLE, t.m, whole(u, PRODUCT_FEW));
        Choice way = choice_open(e, LLVMBuildAnd(u->builder, few, is_one(&t, t.a_column), ""));
        pass_few(&t);
        choice_else(e, &way);
        pass_blocks(&t);
        choice_close(e, &way);
    } else {
        pass_blocks(&t);
    }
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}
