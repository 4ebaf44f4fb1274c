/* Few rows, as in decoding: B is read once, where it lies, and nothing is copied. With B in rows the sums of wide
 * panels stay in registers while their k pass, what is left over in panels of half the width and so on; with B in
 * columns squares of it are transposed in registers, of words of four bytes, whichever type these hold. */
#include "codegen/product.h"

enum {
    WIDEST = 8,                          /* vectors of a panel */
    AHEAD = 12 * 4,                      /* bytes of a column of B that are on their way when one is used */
    WORD = 4,                            /* bytes of an element of a square */
    MOST_GROUPS = 2,                     /* of 16 columns that pass together */
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
    LLVMValueRef rows_ahead = whole(u, AHEAD / dtype_bytes(f->p->types.b));
    LLVMValueRef b = carried[count], later = element_at(e, type, b, times(e, f->b_line, rows_ahead));
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

/* How many elements along k a word holds: one is read as what it is cast to. */
static int elements_of_word(const ProductCode *p)
{
    int bytes = dtype_bytes(p->types.b);
    return p->types.b == p->types.in || bytes >= WORD ? 1 : WORD / bytes;
}

/* Columns that pass together, by 16: sums of one would wait for each other longer than words of several elements take
 * to arrive. */
static int groups_of(const ProductCode *p) { return elements_of_word(p) > 1 ? MOST_GROUPS : 1; }

/* The sums of a group. */
static void pick_group(const Few *f, const LLVMValueRef *sum, int group, LLVMValueRef *own)
{
    for (int i = 0; i < f->rows; i++) own[i] = sum[i * groups_of(f->p) + group];
}

/* The last k, fewer than 16: the square goes through memory, from where only those are read that there are. */
static void add_rest(const Few *f, LLVMValueRef column, LLVMValueRef from, LLVMValueRef *sum)
{
    Emit *e = f->e;
    const Unit *u = e->unit;
    LLVMTypeRef real = f->p->real, type = memory_type(u, f->p->types.b);
    LLVMValueRef left = minus(e, f->k, from), width = whole(u, LANES), zero = whole(u, 0);
    LLVMValueRef b = element_at(e, type, element_at(e, type, f->b, times(e, column, f->b_line)), from);
    LLVMValueRef columns = least(e, width, minus(e, f->n, column));
    columns = LLVMBuildSelect(u->builder, compare(e, LLVMIntSGT, columns, zero), columns, zero, "");
    call_inner(e, f->p->transpose_b, (LLVMValueRef[]){f->spare, width, b, f->b_line, columns, left}, 6);
    Loop loop;
    loop_open(e, &loop, zero, left, 1, true, sum, f->rows);
    LLVMValueRef one = lanes_load(e, real, element_at(e, real, f->spare, times(e, loop.index, width)), NULL);
    add_line(f, plus(e, from, loop.index), &one, 1, sum);
    loop_close(e, &loop, sum);
}

static LLVMValueRef load_words(const Few *f, LLVMValueRef pointer)
{
    const Unit *u = f->e->unit;
    LLVMValueRef words = LLVMBuildLoad2(u->builder, lanes_of(u->i32), pointer, "");
    LLVMSetAlignment(words, (unsigned)dtype_bytes(f->p->types.b));
    return words;
}

/* Element j of every word, as what is multiplied. */
static LLVMValueRef element_of_words(const Few *f, LLVMValueRef words, int j)
{
    const Unit *u = f->e->unit;
    DType stored = f->p->types.b;
    int bits = 8 * dtype_bytes(stored);
    LLVMValueRef moved = LLVMBuildLShr(u->builder, words, splat_whole(u->i32, bits * j), "");
    LLVMTypeRef narrow = lanes_of(LLVMIntTypeInContext(u->context, (unsigned)bits));
    LLVMValueRef v = LLVMBuildTrunc(u->builder, moved, narrow, "");
    return cast_code(u, stored, f->p->types.out,
                     from_memory(u, stored, LLVMBuildBitCast(u->builder, v, lanes_of(memory_type(u, stored)), "")));
}

/* A square of words, those after it on their way: x[i] is what words i of all columns hold. */
static void load_square(const Few *f, const LLVMValueRef *line, LLVMValueRef k, int elements, LLVMValueRef *x)
{
    Emit *e = f->e;
    LLVMTypeRef type = memory_type(e->unit, f->p->types.b);
    LLVMValueRef next = plus(e, k, times(e, f->b_line, whole(e->unit, LANES * groups_of(f->p))));
    for (int i = 0; i < LANES; i++) {
        LLVMValueRef at = element_at(e, type, line[i], k);
        x[i] = elements > 1 ? load_words(f, at) : product_load(f->p, e, f->p->types.b, at, NULL);
    }
    for (int i = 0; i < LANES; i++) fetch_early(e, element_at(e, type, line[i], next));
    product_square_turn(e->unit, x);
}

/* The words of a square one after the other, from memory: unrolled they would be more code than all else. */
static void add_words(const Few *f, LLVMValueRef k, LLVMValueRef x[][LANES], int elements, LLVMValueRef *sum)
{
    Emit *e = f->e;
    const Unit *u = e->unit;
    int groups = groups_of(f->p);
    LLVMTypeRef word = elements > 1 ? u->i32 : f->p->real;
    LLVMValueRef one[MOST_GROUPS], words[MOST_GROUPS];
    for (int i = 0; i < LANES * groups; i++)
        lanes_store(e, word, element_after(e, word, f->spare, i * LANES), NULL, x[i % groups][i / groups]);
    Loop loop;
    loop_open(e, &loop, whole(u, 0), whole(u, LANES), 1, true, sum, f->rows * groups);
    LLVMValueRef from = element_at(e, word, f->spare, times(e, loop.index, whole(u, LANES * groups)));
    LLVMValueRef first = plus(e, k, times(e, loop.index, whole(u, elements)));
    for (int g = 0; g < groups; g++) words[g] = lanes_load(e, word, element_after(e, word, from, g * LANES), NULL);
    for (int j = 0; j < elements; j++) {
        for (int g = 0; g < groups; g++) one[g] = elements > 1 ? element_of_words(f, words[g], j) : words[g];
        add_line(f, plus(e, first, whole(u, j)), one, groups, sum);
    }
    loop_close(e, &loop, sum);
}

/* The whole squares from `from` on: the sums go on. Returns where they end. */
static LLVMValueRef add_squares(const Few *f, const LLVMValueRef *line, LLVMValueRef from, int elements,
                                LLVMValueRef *sum)
{
    Emit *e = f->e;
    const Unit *u = e->unit;
    int groups = groups_of(f->p);
    int64_t step = LANES * elements;
    LLVMValueRef end = minus(e, f->k, rest_of(e, minus(e, f->k, from), whole(u, step)));
    LLVMValueRef x[MOST_GROUPS][LANES];
    Loop squares;
    loop_open(e, &squares, from, end, step, true, sum, f->rows * groups);
    for (int g = 0; g < groups; g++) load_square(f, line + g * LANES, squares.index, elements, x[g]);
    if (groups > 1) add_words(f, squares.index, x, elements, sum);
    for (int i = 0; groups == 1 && i < LANES; i++) add_line(f, plus(e, squares.index, whole(u, i)), x[0] + i, 1, sum);
    loop_close(e, &squares, sum);
    return end;
}

static void finish_group(const Few *f, LLVMValueRef column, LLVMValueRef even, LLVMValueRef *sum)
{
    Emit *e = f->e;
    LLVMValueRef so_far[PRODUCT_MAX_ROWS];
    for (int i = 0; i < f->rows; i++) so_far[i] = sum[i];
    Choice more = choice_open(e, compare(e, LLVMIntSLT, even, f->k));
    add_rest(f, column, even, sum);
    choice_else(e, &more);
    choice_close(e, &more);
    for (int i = 0; i < f->rows; i++) sum[i] = choice_value(e, &more, sum[i], so_far[i]);
    finish(f, column, 1, lanes_below(e, minus(e, f->n, column)), sum);
}

LLVMValueRef product_few_columns(const ProductCode *p, int rows)
{
    Few f = open_few(p, rows, "few_columns");
    Emit *e = f.e;
    const Unit *u = e->unit;
    int groups = groups_of(p);
    LLVMValueRef line[MOST_GROUPS * LANES], sum[PRODUCT_FEW * MOST_GROUPS], own[PRODUCT_MAX_ROWS];
    LLVMValueRef even = whole(u, 0);
    Loop columns;
    loop_open(e, &columns, whole(u, 0), f.n, LANES * groups, true, NULL, 0);
    product_square_lines(p, e, p->types.b, f.b, f.b_line, columns.index, f.n, line, LANES * groups);
    start(&f, groups, sum);
    if (elements_of_word(p) > 1) even = add_squares(&f, line, even, elements_of_word(p), sum);
    even = add_squares(&f, line, even, 1, sum);
    for (int g = 0; g < groups; g++) {
        pick_group(&f, sum, g, own);
        finish_group(&f, plus(e, columns.index, whole(u, g * LANES)), even, own);
    }
    loop_close(e, &columns, NULL);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}
