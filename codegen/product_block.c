/* One tile of a product: blocks along k, panels of B, rows of A. */
#include "codegen/product.h"

#include <stddef.h>

enum {
    MANY_PANELS = 3,                     /* row panels that are worth a copy of B */
    ROWS_AHEAD = 12,                     /* of B, read in place: on their way when one is used */
    CACHE_LINE = 64
};

typedef struct TileCode {
    const ProductCode *p;
    Emit *e;
    LLVMValueRef a, b, c, m, n, k, c_row;
    LLVMValueRef packed_b, packed_a;     /* scratch */
    LLVMValueRef a_row, a_column, b_row, b_column;
    LLVMValueRef row_panels;             /* of at most tile.rows rows each, as equal as can be; the first of MANY_PANELS
                                            is whole */
    LLVMValueRef many;
    LLVMValueRef first_rows;             /* of the first row panel; of the others, the first of which have one more */
    LLVMValueRef rest_rows, larger_panels;
    LLVMValueRef from, depth;            /* of the block along k */
    LLVMValueRef block_a, block_a_row, block_a_step;         /* its columns of A, as words: in place, or a copy */
    Ahead ahead;                         /* in place: its first rows */
} TileCode;

/* A panel of B, as the first row panel reads it and as the others do. */
typedef struct Panel {
    LLVMValueRef b, b_step, rest_b, rest_b_step;
    LLVMValueRef column, columns;
    LLVMValueRef copies;                 /* the first row panel copies it */
    Ahead ahead;                         /* of the next panel, or of this one */
    LLVMValueRef fetches;                /* by all rows of A, not by the first ones alone */
} Panel;

static int panel_columns(const TileCode *t) { return t->p->tile.vectors * LANES; }

static LLVMValueRef offset(const TileCode *t, LLVMTypeRef type, LLVMValueRef base, LLVMValueRef index,
                           LLVMValueRef stride)
{
    return element_at(t->e, type, base, times(t->e, index, stride));
}

static LLVMTypeRef a_type(const TileCode *t) { return memory_type(t->e->unit, t->p->types.a); }
static LLVMTypeRef b_type(const TileCode *t) { return memory_type(t->e->unit, t->p->types.b); }

static LLVMValueRef choose(const TileCode *t, LLVMValueRef when, LLVMValueRef held, LLVMValueRef failed)
{
    return LLVMBuildSelect(t->e->unit->builder, when, held, failed, "");
}

static Ahead choose_ahead(const TileCode *t, LLVMValueRef when, Ahead held, Ahead failed)
{
    return (Ahead){choose(t, when, held.from, failed.from), choose(t, when, held.step, failed.step),
                   choose(t, when, held.jump, failed.jump), choose(t, when, held.other, failed.other)};
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

/* Rows of A, in place, from the first one on. */
static Ahead rows_of_a(const TileCode *t)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    int64_t bytes = dtype_bytes(t->p->types.a);
    LLVMValueRef adjacent = is_one(t, t->a_column), step = choose(t, adjacent, t->a_row, t->a_column);
    step = times(e, step, whole(u, bytes));
    return (Ahead){t->block_a, step, choose(t, adjacent, whole(u, LANES * bytes), times(e, step, whole(u, LANES))),
                   choose(t, adjacent, whole(u, 0), whole(u, (t->p->tile.rows - 1) * bytes))};
}

/* A panel of B, which is read in rows or in columns. */
static Ahead panel_of_b(const TileCode *t, LLVMValueRef from)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    int64_t bytes = dtype_bytes(t->p->types.b);
    LLVMValueRef adjacent = is_one(t, t->b_column), lanes = whole(u, LANES), pair = whole(u, t->p->pair);
    LLVMValueRef row = times(e, t->b_row, whole(u, bytes)), column = times(e, t->b_column, whole(u, bytes));
    LLVMValueRef words = times(e, row, pair), beside = t->p->pair == 1 ? whole(u, CACHE_LINE) : row;
    return (Ahead){from, choose(t, adjacent, words, column),
                   choose(t, adjacent, times(e, words, lanes), times(e, row, times(e, pair, lanes))),
                   choose(t, adjacent, beside, times(e, column, lanes))};
}

/* Where the panel behind lies; behind the last one, the first of the next block. */
static LLVMValueRef next_panel(const TileCode *t, LLVMValueRef b, LLVMValueRef column)
{
    Emit *e = t->e;
    LLVMValueRef width = whole(e->unit, panel_columns(t));
    LLVMValueRef last = compare(e, LLVMIntSGE, plus(e, column, width), t->n);
    LLVMValueRef below = offset(t, b_type(t), t->b, plus(e, t->from, t->depth), t->b_row);
    return choose(t, last, below, offset(t, b_type(t), b, width, t->b_column));
}

/* What is fetched while rows of A from `first` to before `next` pass a panel of B: by the first panel, which meets them
 * first, the next rows of A; else the next panel of B by the first rows; by few rows, rows of B that come soon. */
static Ahead find_ahead(const TileCode *t, const Panel *p, LLVMValueRef first, LLVMValueRef next)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    LLVMValueRef zero = whole(u, 0), last = compare(e, LLVMIntSGE, next, t->m);
    LLVMValueRef turn = LLVMBuildOr(u->builder, compare(e, LLVMIntEQ, first, zero), p->fetches, "");
    Ahead ahead = choose_ahead(t, turn, p->ahead, (Ahead){t->c, zero, zero, zero});
    if (!product_takes_a(&t->p->types)) return ahead;
    Ahead rows = t->ahead;
    rows.from = offset(t, a_type(t), rows.from, next, t->a_row);
    LLVMValueRef first_panel = compare(e, LLVMIntEQ, p->column, zero);
    LLVMValueRef more = LLVMBuildAnd(u->builder, first_panel, LLVMBuildNot(u->builder, last, ""), "");
    return choose_ahead(t, more, rows, ahead);
}

/* What is fetched for the sake of B while a panel is passed, and whether by all rows of A. */
static void fetch_for_panel(const TileCode *t, Panel *p, LLVMValueRef in_place, LLVMValueRef b)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    LLVMValueRef reads_on = LLVMBuildAnd(u->builder, in_place, LLVMBuildNot(u->builder, t->many, ""), "");
    LLVMValueRef further = offset(t, b_type(t), b, whole(u, ROWS_AHEAD), t->b_row);
    p->ahead = panel_of_b(t, choose(t, reads_on, further, next_panel(t, b, p->column)));
    LLVMValueRef first_panel = compare(e, LLVMIntEQ, p->column, whole(u, 0));
    p->fetches = LLVMBuildOr(u->builder, first_panel, reads_on, "");
}

/* Some rows of A, from the given one on, past one panel of B. */
static void pass_row_panel(const TileCode *t, const Panel *p, LLVMValueRef first, LLVMValueRef rows,
                           LLVMValueRef copies)
{
    Emit *e = t->e;
    LLVMValueRef zero = whole(e->unit, 0);
    LLVMTypeRef real = t->p->real;
    LLVMValueRef c = element_at(e, real, offset(t, real, t->c, first, t->c_row), p->column);
    LLVMValueRef a = offset(t, t->p->word, t->block_a, first, t->block_a_row);
    LLVMValueRef words = over_up(e, t->depth, whole(e->unit, t->p->pair));
    Ahead ahead = find_ahead(t, p, first, plus(e, first, rows));
    LLVMValueRef b = copies ? p->b : p->rest_b, b_step = copies ? p->b_step : p->rest_b_step;
    LLVMValueRef args[PRODUCT_ROWS_ARGUMENTS] = {
        a, t->block_a_row, t->block_a_step, b, b_step, c, t->c_row, words, p->columns,
        compare(e, LLVMIntNE, t->from, zero),
        ahead.from, ahead.step, ahead.jump, ahead.other, t->packed_b};
    if (!copies || !t->p->rows_copy) {
        call_by_rows(t, rows, t->p->rows, t->p->tile.rows, args, PRODUCT_ROWS_ARGUMENTS);
        return;
    }
    Choice copying = choice_open(e, copies);
    call_inner(e, t->p->rows_copy, args, PRODUCT_ROWS_ARGUMENTS);
    choice_else(e, &copying);
    call_by_rows(t, rows, t->p->rows, t->p->tile.rows, args, PRODUCT_ROWS_ARGUMENTS);
    choice_close(e, &copying);
}

/* All rows of A past one panel of B. */
static void pass_rows(const TileCode *t, const Panel *p)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    LLVMValueRef one = whole(u, 1), row = t->first_rows;
    pass_row_panel(t, p, whole(u, 0), row, p->copies);
    Loop loop;
    loop_open(e, &loop, one, t->row_panels, 1, true, &row, 1);
    LLVMValueRef first = row;
    LLVMValueRef larger = compare(e, LLVMIntSLE, loop.index, t->larger_panels);
    LLVMValueRef rows = plus(e, t->rest_rows, choose(t, larger, one, whole(u, 0)));
    pass_row_panel(t, p, first, rows, NULL);
    row = plus(e, first, rows);
    loop_close(e, &loop, &row);
}

/* Of B, `columns` of them: copied, or transposed. */
static void pack_panel(const TileCode *t, LLVMValueRef b, LLVMValueRef columns)
{
    LLVMValueRef stride = whole(t->e->unit, panel_columns(t));
    Choice lies = choice_open(t->e, is_one(t, t->b_column));
    call_inner(t->e, t->p->panel, (LLVMValueRef[]){t->packed_b, stride, b, t->b_row, t->depth, columns}, 6);
    choice_else(t->e, &lies);
    call_inner(t->e, t->p->transpose_b, (LLVMValueRef[]){t->packed_b, stride, b, t->b_column, columns, t->depth}, 6);
    choice_close(t->e, &lies);
}

static void pass_panels(const TileCode *t)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    LLVMValueRef width = whole(u, panel_columns(t)), b_block = offset(t, b_type(t), t->b, t->from, t->b_row);
    LLVMValueRef adjacent = is_one(t, t->b_column);
    Loop loop;
    loop_open(e, &loop, whole(u, 0), t->n, panel_columns(t), false, NULL, 0);
    LLVMValueRef columns = least(e, width, minus(e, t->n, loop.index));
    LLVMValueRef b = offset(t, b_type(t), b_block, loop.index, t->b_column);
    if (!product_takes_b(&t->p->types)) adjacent = LLVMConstInt(u->i1, 0, false);
    LLVMValueRef in_place = LLVMBuildAnd(u->builder, adjacent, compare(e, LLVMIntEQ, columns, width), "");
    Choice direct = choice_open(e, in_place);
    choice_else(e, &direct);
    pack_panel(t, b, columns);
    choice_close(e, &direct);
    Panel p = {.column = loop.index, .columns = columns};
    p.b = choice_value(e, &direct, b, t->packed_b);
    p.b_step = choice_value(e, &direct, t->b_row, width);
    p.copies = LLVMBuildAnd(u->builder, in_place, t->many, "");
    p.rest_b = choose(t, p.copies, t->packed_b, p.b);
    p.rest_b_step = choose(t, p.copies, width, p.b_step);
    fetch_for_panel(t, &p, in_place, b);
    pass_rows(t, &p);
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

/* The rows of A of a block: where they lie, or copied as words. */
static void take_rows(TileCode *t)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    LLVMValueRef from = offset(t, a_type(t), t->a, t->from, t->a_column), stride = whole(u, PRODUCT_ROW);
    if (product_takes_a(&t->p->types)) {
        t->block_a = from, t->block_a_row = t->a_row, t->block_a_step = t->a_column;
        t->ahead = rows_of_a(t);
        return;
    }
    t->block_a = t->packed_a, t->block_a_row = stride, t->block_a_step = whole(u, 1);
    Choice lies = choice_open(e, is_one(t, t->a_column));
    call_inner(e, t->p->copy, (LLVMValueRef[]){t->packed_a, stride, from, t->a_row, t->m, t->depth}, 6);
    choice_else(e, &lies);
    call_inner(e, t->p->transpose_a, (LLVMValueRef[]){t->packed_a, stride, from, t->a_column, t->depth, t->m}, 6);
    choice_close(e, &lies);
}

static void pass_blocks(TileCode *t)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    int64_t deepest = product_depth(&t->p->types) * t->p->pair;
    LLVMValueRef one = whole(u, 1), blocks = over_up(e, t->k, whole(u, deepest));
    blocks = LLVMBuildSelect(u->builder, compare(e, LLVMIntSGT, blocks, one), blocks, one, "");
    LLVMValueRef depth = times(e, over_up(e, over_up(e, t->k, blocks), whole(u, LANES)), whole(u, LANES));
    Loop loop;
    loop_open(e, &loop, whole(u, 0), blocks, 1, false, NULL, 0);
    t->from = times(e, loop.index, depth);
    t->depth = least(e, depth, minus(e, t->k, t->from));
    take_rows(t);
    pass_panels(t);
    loop_close(e, &loop, NULL);
}

static void share_rows(TileCode *t)
{
    Emit *e = t->e;
    const Unit *u = e->unit;
    LLVMValueRef largest = whole(u, t->p->tile.rows), one = whole(u, 1);
    t->row_panels = over_up(e, t->m, largest);
    t->many = compare(e, LLVMIntSGE, t->row_panels, whole(u, MANY_PANELS));
    t->first_rows = choose(t, t->many, largest, over_up(e, t->m, t->row_panels));
    LLVMValueRef several = compare(e, LLVMIntSGT, t->row_panels, one), rest = minus(e, t->m, t->first_rows);
    LLVMValueRef panels = choose(t, several, minus(e, t->row_panels, one), one);
    t->rest_rows = over(e, rest, panels);
    t->larger_panels = rest_of(e, rest, panels);
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
    t.packed_a = element_after(e, p->word, t.packed_b, product_depth(&p->types) * PRODUCT_MAX_VECTORS * LANES);
    share_rows(&t);
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
