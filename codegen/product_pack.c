/* Operands as the register tile reads them: copies of rows, and of columns by squares of 16. */
#include "codegen/product.h"

enum { CACHE_LINE = 64 };

typedef struct Pack {
    const ProductCode *p;
    Emit *e;
    LLVMValueRef to, to_row, from, from_row, rows, columns;
} Pack;

static Pack open_pack(const ProductCode *p, const char *name)
{
    Unit *u = p->unit;
    LLVMTypeRef types[] = {u->pointer, u->i64, u->pointer, u->i64, u->i64, u->i64};
    const char *symbol = arena_print(p->arena, "product_%s_%s", dtype_name(p->dtype), name);
    Pack k = {.p = p, .e = inner_function(u, p->arena, symbol, types, 6)};
    k.to = parameter(k.e, 0), k.to_row = parameter(k.e, 1);
    k.from = parameter(k.e, 2), k.from_row = parameter(k.e, 3);
    k.rows = parameter(k.e, 4), k.columns = parameter(k.e, 5);
    return k;
}

static LLVMValueRef line_of(const Pack *k, LLVMValueRef base, LLVMValueRef stride, LLVMValueRef row)
{
    return element_at(k->e, k->p->real, base, times(k->e, row, stride));
}

static void copy_vector(const Pack *k, LLVMValueRef to, LLVMValueRef from, LLVMValueRef column, LLVMValueRef on)
{
    LLVMTypeRef real = k->p->real;
    LLVMValueRef v = lanes_load(k->e, real, element_at(k->e, real, from, column), on);
    lanes_store(k->e, real, element_at(k->e, real, to, column), NULL, v);
}

LLVMValueRef product_copy(const ProductCode *p)
{
    const Unit *u = p->unit;
    Pack k = open_pack(p, "copy");
    Emit *e = k.e;
    LLVMValueRef tail = rest_of(e, k.columns, whole(u, LANES)), vectors = minus(e, k.columns, tail);
    LLVMValueRef on = lanes_below(e, tail), has_tail = compare(e, LLVMIntNE, tail, whole(u, 0));
    Loop rows, columns;
    loop_open(e, &rows, whole(u, 0), k.rows, 1, true, NULL, 0);
    LLVMValueRef to = line_of(&k, k.to, k.to_row, rows.index), from = line_of(&k, k.from, k.from_row, rows.index);
    loop_open(e, &columns, whole(u, 0), vectors, LANES, true, NULL, 0);
    copy_vector(&k, to, from, columns.index, NULL);
    loop_close(e, &columns, NULL);
    Choice more = choice_open(e, has_tail);
    copy_vector(&k, to, from, vectors, on);
    choice_else(e, &more);
    choice_close(e, &more);
    loop_close(e, &rows, NULL);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}

/* Rows of one panel of B, whole vectors or those that the last ones have; the next panel is on its way meanwhile. */
static void copy_panel(const Pack *k, LLVMValueRef *on)
{
    Emit *e = k->e;
    const Unit *u = e->unit;
    int vectors = k->p->tile.vectors;
    LLVMTypeRef real = k->p->real;
    int64_t line = CACHE_LINE / dtype_bytes(k->p->dtype);
    Loop rows;
    loop_open(e, &rows, whole(u, 0), k->rows, 1, true, NULL, 0);
    LLVMValueRef to = line_of(k, k->to, k->to_row, rows.index), from = line_of(k, k->from, k->from_row, rows.index);
    for (int v = 0; v < vectors; v++) {
        LLVMValueRef x = lanes_load(e, real, element_after(e, real, from, v * LANES), on ? on[v] : NULL);
        lanes_store(e, real, element_after(e, real, to, v * LANES), NULL, x);
    }
    for (int64_t i = 0; !on && i < vectors * LANES; i += line)
        fetch_early(e, element_after(e, real, from, vectors * LANES + i));
    loop_close(e, &rows, NULL);
}

LLVMValueRef product_panel(const ProductCode *p)
{
    const Unit *u = p->unit;
    Pack k = open_pack(p, "panel");
    Emit *e = k.e;
    LLVMValueRef on[PRODUCT_MAX_VECTORS];
    Choice all = choice_open(e, compare(e, LLVMIntEQ, k.columns, whole(u, p->tile.vectors * LANES)));
    copy_panel(&k, NULL);
    choice_else(e, &all);
    for (int v = 0; v < p->tile.vectors; v++) on[v] = lanes_below(e, minus(e, k.columns, whole(u, v * LANES)));
    copy_panel(&k, on);
    choice_close(e, &all);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}

/* Lanes of two vectors by number, 16 and above of the second. */
static LLVMValueRef shuffle(const Unit *u, LLVMValueRef a, LLVMValueRef b, const int *from)
{
    LLVMValueRef lanes[LANES];
    for (int i = 0; i < LANES; i++) lanes[i] = LLVMConstInt(u->i32, (unsigned)from[i], false);
    return LLVMBuildShuffleVector(u->builder, a, b, LLVMConstVector(lanes, LANES), "");
}

/* Of two vectors, by groups of four lanes: groups first and first + 2 of the one, then of the other. */
static LLVMValueRef shuffle_groups(const Unit *u, LLVMValueRef a, LLVMValueRef b, int first)
{
    int from[LANES];
    for (int i = 0; i < LANES; i++) from[i] = i / 8 * LANES + (i / 4 % 2 * 2 + first) * 4 + i % 4;
    return shuffle(u, a, b, from);
}

/* Within every group of four lanes: `width` lanes from `first` on of the one beside those of the other, twice. */
static LLVMValueRef shuffle_pairs(const Unit *u, LLVMValueRef a, LLVMValueRef b, int first, int width)
{
    int from[LANES];
    for (int i = 0; i < LANES; i++) {
        int in = i % 4, pair = in / (2 * width), side = in / width % 2;
        from[i] = side * LANES + i / 4 * 4 + first + pair * width + in % width;
    }
    return shuffle(u, a, b, from);
}

/* 16 x 16 in registers: fours of rows by fours of lanes, then the fours themselves. */
void product_square_turn(const Unit *u, LLVMValueRef *x)
{
    LLVMValueRef y[LANES];
    for (int i = 0; i < LANES; i += 2) {
        y[i] = shuffle_pairs(u, x[i], x[i + 1], 0, 1);
        y[i + 1] = shuffle_pairs(u, x[i], x[i + 1], 2, 1);
    }
    for (int i = 0; i < LANES; i += 4) {
        for (int j = 0; j < 2; j++) {
            x[i + 2 * j] = shuffle_pairs(u, y[i + j], y[i + 2 + j], 0, 2);
            x[i + 2 * j + 1] = shuffle_pairs(u, y[i + j], y[i + 2 + j], 2, 2);
        }
    }
    for (int q = 0; q < 4; q++) {                            /* x[4 g + q]: column 4 l + q of rows 4 g .. at lane 4 l */
        for (int half = 0; half < 2; half++) {
            LLVMValueRef top = shuffle_groups(u, x[q], x[4 + q], half);
            LLVMValueRef low = shuffle_groups(u, x[8 + q], x[12 + q], half);
            y[half * 4 + q] = shuffle_groups(u, top, low, 0);
            y[8 + half * 4 + q] = shuffle_groups(u, top, low, 1);
        }
    }
    for (int i = 0; i < LANES; i++) x[i] = y[i];
}

/* Rows beyond the last are that one once more: they become columns that nobody asks for. */
void product_square_lines(const ProductCode *p, const Emit *e, LLVMValueRef from, LLVMValueRef stride,
                          LLVMValueRef row, LLVMValueRef rows, LLVMValueRef *line)
{
    LLVMValueRef last = minus(e, rows, whole(e->unit, 1));
    for (int i = 0; i < LANES; i++)
        line[i] = element_at(e, p->real, from, times(e, least(e, plus(e, row, whole(e->unit, i)), last), stride));
}

void product_square_load(const ProductCode *p, const Emit *e, const LLVMValueRef *line, LLVMValueRef column,
                         LLVMValueRef on, LLVMValueRef *x)
{
    for (int i = 0; i < LANES; i++) x[i] = lanes_load(e, p->real, element_at(e, p->real, line[i], column), on);
}

LLVMValueRef product_transpose(const ProductCode *p)
{
    const Unit *u = p->unit;
    Pack k = open_pack(p, "transpose");
    Emit *e = k.e;
    LLVMValueRef x[LANES], cut[LANES], line[LANES];
    Loop rows, columns;
    loop_open(e, &rows, whole(u, 0), k.rows, LANES, true, NULL, 0);
    product_square_lines(p, e, k.from, k.from_row, rows.index, k.rows, line);
    loop_open(e, &columns, whole(u, 0), k.columns, LANES, true, NULL, 0);
    LLVMValueRef left = minus(e, k.columns, columns.index);
    Choice all = choice_open(e, compare(e, LLVMIntSGE, left, whole(u, LANES)));
    product_square_load(p, e, line, columns.index, NULL, x);
    choice_else(e, &all);
    product_square_load(p, e, line, columns.index, lanes_below(e, left), cut);
    choice_close(e, &all);
    for (int i = 0; i < LANES; i++) x[i] = choice_value(e, &all, x[i], cut[i]);
    product_square_turn(u, x);
    LLVMValueRef to = element_at(e, p->real, line_of(&k, k.to, k.to_row, columns.index), rows.index);
    for (int i = 0; i < LANES; i++) {
        lanes_store(e, p->real, to, NULL, x[i]);
        to = element_at(e, p->real, to, k.to_row);
    }
    loop_close(e, &columns, NULL);
    loop_close(e, &rows, NULL);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}
