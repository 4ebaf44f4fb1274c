/* Few rows, as in decoding: B is read once, where it lies, and nothing is copied. With B in rows the sums of wide
 * panels stay in registers while their k pass, what is left over in panels of half the width and so on; with B in
 * columns squares of it are transposed in registers. */
#include "codegen/product.h"

enum {
    WIDEST = 8,                          /* vectors of a panel */
    AHEAD = 12,                          /* rows of B that are on their way when one is used */
    CACHE_LINE = 64
};

typedef struct Few {
    const ProductCode *p;
    Emit *e;
    int   rows, vectors;
    LLVMValueRef a, a_row, b, b_line, c, c_row, n, k, spare;
} Few;

bool product_has_few(const ProductCode *p) { return p->pair == 1 && p->types.a == p->types.in; }

static Few open_few(const ProductCode *p, int rows, const char *lies)
{
    Unit *u = p->unit;
    LLVMTypeRef types[] = {u->pointer, u->i64, u->pointer, u->i64, u->pointer, u->i64, u->i64, u->i64, u->pointer};
    const char *name = arena_print(p->arena, "product_%s_%s_%d", p->name, lies, rows);
    Few f = {.p = p, .e = inner_function(u, p->arena, name, types, 9), .rows = rows};
    int sums = p->tile.rows * p->tile.vectors / rows;
    f.vectors = sums > WIDEST ? WIDEST : sums > 1 ? sums : 1;
    f.a = parameter(f.e, 0), f.a_row = parameter(f.e, 1), f.b = parameter(f.e, 2), f.b_line = parameter(f.e, 3);
    f.c = parameter(f.e, 4), f.c_row = parameter(f.e, 5), f.n = parameter(f.e, 6), f.k = parameter(f.e, 7);
    f.spare = parameter(f.e, 8);
    return f;
}

static LLVMValueRef in_row(const Few *f, LLVMValueRef base, LLVMValueRef stride, int row, LLVMValueRef column)
{
    LLVMValueRef line = element_at(f->e, f->p->real, base, times(f->e, stride, whole(f->e->unit, row)));
    return element_at(f->e, f->p->real, line, column);
}

/* sum[row][vector] += a[row][k] * line[vector] */
static void add_line(const Few *f, LLVMValueRef k, const LLVMValueRef *line, int vectors, LLVMValueRef *sum)
{
    const Unit *u = f->e->unit;
    for (int i = 0; i < f->rows; i++) {
        LLVMValueRef all = splat(u, LLVMBuildLoad2(u->builder, f->p->real, in_row(f, f->a, f->a_row, i, k), ""));
        for (int v = 0; v < vectors; v++)
            sum[i * vectors + v] = element_multiply_add(u, all, line[v], sum[i * vectors + v]);
    }
}

static void start(const Few *f, int vectors, LLVMValueRef *sum)
{
    for (int i = 0; i < f->rows * vectors; i++) sum[i] = LLVMConstNull(lanes_of(f->p->real));
}

static void finish(const Few *f, LLVMValueRef column, int vectors, LLVMValueRef on, LLVMValueRef *sum)
{
    for (int i = 0; i < f->rows * vectors; i++) {
        LLVMValueRef at = in_row(f, f->c, f->c_row, i / vectors, column);
        lanes_store(f->e, f->p->real, element_after(f->e, f->p->real, at, i % vectors * LANES), on, sum[i]);
    }
}

/* ---- B in rows ---- */

static void pass_panel(const Few *f, LLVMValueRef column, int vectors, LLVMValueRef on)
{
    Emit *e = f->e;
    const Unit *u = e->unit;
    LLVMTypeRef type = memory_type(u, f->p->types.b);
    int each_line = CACHE_LINE / dtype_bytes(f->p->types.b) / LANES;
    LLVMValueRef carried[PRODUCT_MAX_ROWS * WIDEST + 1], line[WIDEST];
    int count = f->rows * vectors;
    start(f, vectors, carried);
    carried[count] = element_at(e, type, f->b, column);
    Loop loop;
    loop_open(e, &loop, whole(u, 0), f->k, 1, true, carried, count + 1);
    LLVMValueRef b = carried[count], later = element_at(e, type, b, times(e, f->b_line, whole(u, AHEAD)));
    for (int v = 0; v < vectors; v++) {
        line[v] = product_load(f->p, e, f->p->types.b, element_after(e, type, b, v * LANES), on);
        if (!each_line || v % each_line == 0) fetch_early(e, element_after(e, type, later, v * LANES));
    }
    add_line(f, loop.index, line, vectors, carried);
    carried[count] = element_at(e, type, b, f->b_line);
    loop_close(e, &loop, carried);
    finish(f, column, vectors, on, carried);
}

LLVMValueRef product_few_rows(const ProductCode *p, int rows)
{
    Few f = open_few(p, rows, "few_rows");
    Emit *e = f.e;
    const Unit *u = e->unit;
    LLVMValueRef done = whole(u, 0);
    Loop loop;
    for (int vectors = f.vectors; vectors > 1; vectors /= 2) {
        int64_t wide = vectors * LANES;
        LLVMValueRef left = minus(e, f.n, done), end = minus(e, f.n, rest_of(e, left, whole(u, wide)));
        loop_open(e, &loop, done, end, wide, true, NULL, 0);
        pass_panel(&f, loop.index, vectors, NULL);
        loop_close(e, &loop, NULL);
        done = end;
    }
    loop_open(e, &loop, done, f.n, LANES, true, NULL, 0);
    pass_panel(&f, loop.index, 1, lanes_below(e, minus(e, f.n, loop.index)));
    loop_close(e, &loop, NULL);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}

/* ---- B in columns ---- */

/* The last k, fewer than 16: the square goes through memory, from where only those are read that there are. */
static void add_rest(const Few *f, LLVMValueRef column, LLVMValueRef from, LLVMValueRef *sum)
{
    Emit *e = f->e;
    const Unit *u = e->unit;
    LLVMTypeRef real = f->p->real, type = memory_type(u, f->p->types.b);
    LLVMValueRef left = minus(e, f->k, from), width = whole(u, LANES);
    LLVMValueRef b = element_at(e, type, element_at(e, type, f->b, times(e, column, f->b_line)), from);
    LLVMValueRef columns = least(e, width, minus(e, f->n, column));
    call_inner(e, f->p->transpose_b, (LLVMValueRef[]){f->spare, width, b, f->b_line, columns, left}, 6);
    Loop loop;
    loop_open(e, &loop, whole(u, 0), left, 1, true, sum, f->rows);
    LLVMValueRef one = lanes_load(e, real, element_at(e, real, f->spare, times(e, loop.index, whole(u, LANES))), NULL);
    add_line(f, plus(e, from, loop.index), &one, 1, sum);
    loop_close(e, &loop, sum);
}

LLVMValueRef product_few_columns(const ProductCode *p, int rows)
{
    Few f = open_few(p, rows, "few_columns");
    Emit *e = f.e;
    const Unit *u = e->unit;
    LLVMValueRef even = minus(e, f.k, rest_of(e, f.k, whole(u, LANES)));
    LLVMTypeRef type = memory_type(u, p->types.b);
    LLVMValueRef line[LANES], x[LANES], sum[PRODUCT_MAX_ROWS], next = times(e, f.b_line, whole(u, LANES));
    Loop columns, squares;
    loop_open(e, &columns, whole(u, 0), f.n, LANES, true, NULL, 0);
    product_square_lines(p, e, p->types.b, f.b, f.b_line, columns.index, f.n, line, LANES);
    start(&f, 1, sum);
    loop_open(e, &squares, whole(u, 0), even, LANES, true, sum, rows);
    for (int i = 0; i < LANES; i++)
        x[i] = product_load(p, e, p->types.b, element_at(e, type, line[i], squares.index), NULL);
    for (int i = 0; i < LANES; i++) fetch_early(e, element_at(e, type, line[i], plus(e, squares.index, next)));
    product_square_turn(u, x);
    for (int i = 0; i < LANES; i++) add_line(&f, plus(e, squares.index, whole(u, i)), &x[i], 1, sum);
    loop_close(e, &squares, sum);
    LLVMValueRef so_far[PRODUCT_MAX_ROWS];
    for (int i = 0; i < rows; i++) so_far[i] = sum[i];
    Choice more = choice_open(e, compare(e, LLVMIntSLT, even, f.k));
    add_rest(&f, columns.index, even, sum);
    choice_else(e, &more);
    choice_close(e, &more);
    for (int i = 0; i < rows; i++) sum[i] = choice_value(e, &more, sum[i], so_far[i]);
    finish(&f, columns.index, 1, lanes_below(e, minus(e, f.n, columns.index)), sum);
    loop_close(e, &columns, NULL);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}
