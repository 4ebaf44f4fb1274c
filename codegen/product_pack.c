/* Operands as the register tile reads them: copies of rows, and of columns by squares of 16, in words. */
#include "codegen/product.h"

typedef struct Pack {
    const ProductCode *p;
    Emit *e;
    LLVMValueRef to, to_row, from, from_row, rows, columns;
} Pack;

static Pack open_pack(const ProductCode *p, const char *name)
{
    Unit *u = p->unit;
    LLVMTypeRef types[] = {u->pointer, u->i64, u->pointer, u->i64, u->i64, u->i64};
    const char *symbol = arena_print(p->arena, "product_%s_%s", p->name, name);
    Pack k = {.p = p, .e = inner_function(u, p->arena, symbol, types, 6)};
    k.to = parameter(k.e, 0), k.to_row = parameter(k.e, 1);
    k.from = parameter(k.e, 2), k.from_row = parameter(k.e, 3);
    k.rows = parameter(k.e, 4), k.columns = parameter(k.e, 5);
    return k;
}

static LLVMValueRef from_line(const Pack *k, DType stored, LLVMValueRef row)
{
    return element_at(k->e, memory_type(k->e->unit, stored), k->from, times(k->e, row, k->from_row));
}

static LLVMValueRef to_line(const Pack *k, LLVMValueRef row)
{
    return element_at(k->e, k->p->word, k->to, times(k->e, row, k->to_row));
}

/* left: columns from there on, or NULL for enough */
static void copy_vector(const Pack *k, LLVMValueRef to, LLVMValueRef from, LLVMValueRef column, LLVMValueRef left)
{
    const Unit *u = k->e->unit;
    DType stored = k->p->types.a;
    LLVMValueRef at = element_at(k->e, memory_type(u, stored), from, column);
    LLVMValueRef v = product_words_along(k->p, k->e, stored, at, left);
    lanes_store(k->e, k->p->word, element_at(k->e, k->p->word, to, over(k->e, column, whole(u, k->p->pair))), NULL, v);
}

LLVMValueRef product_copy(const ProductCode *p)
{
    const Unit *u = p->unit;
    Pack k = open_pack(p, "copy");
    Emit *e = k.e;
    int64_t step = LANES * p->pair;
    LLVMValueRef tail = rest_of(e, k.columns, whole(u, step)), vectors = minus(e, k.columns, tail);
    LLVMValueRef has_tail = compare(e, LLVMIntNE, tail, whole(u, 0));
    Loop rows, columns;
    loop_open(e, &rows, whole(u, 0), k.rows, 1, true, NULL, 0);
    LLVMValueRef to = to_line(&k, rows.index), from = from_line(&k, p->types.a, rows.index);
    loop_open(e, &columns, whole(u, 0), vectors, step, true, NULL, 0);
    copy_vector(&k, to, from, columns.index, NULL);
    loop_close(e, &columns, NULL);
    Choice more = choice_open(e, has_tail);
    copy_vector(&k, to, from, vectors, tail);
    choice_else(e, &more);
    choice_close(e, &more);
    loop_close(e, &rows, NULL);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}

/* A row of words from one or two rows of a panel of B. */
static void panel_row(const Pack *k, LLVMValueRef row, bool second, LLVMValueRef *on)
{
    Emit *e = k->e;
    DType stored = k->p->types.b;
    LLVMTypeRef type = memory_type(e->unit, stored);
    LLVMValueRef to = to_line(k, over(e, row, whole(e->unit, k->p->pair))), from = from_line(k, stored, row);
    LLVMValueRef next = second ? element_at(e, type, from, k->from_row) : NULL;
    for (int v = 0; v < k->p->tile.vectors; v++) {
        LLVMValueRef below = next ? element_after(e, type, next, v * LANES) : NULL;
        LLVMValueRef x = product_words_across(k->p, e, stored, element_after(e, type, from, v * LANES), below,
                                              on ? on[v] : NULL);
        lanes_store(e, k->p->word, element_after(e, k->p->word, to, v * LANES), NULL, x);
    }
}

/* Rows of one panel of B, whole vectors or those that the last ones have. */
static void copy_panel(const Pack *k, LLVMValueRef *on)
{
    Emit *e = k->e;
    const Unit *u = e->unit;
    int pair = k->p->pair;
    LLVMValueRef rest = rest_of(e, k->rows, whole(u, pair)), even = minus(e, k->rows, rest);
    Loop rows;
    loop_open(e, &rows, whole(u, 0), even, pair, true, NULL, 0);
    panel_row(k, rows.index, pair > 1, on);
    loop_close(e, &rows, NULL);
    if (pair == 1) return;
    Choice more = choice_open(e, compare(e, LLVMIntNE, rest, whole(u, 0)));
    panel_row(k, even, false, on);
    choice_else(e, &more);
    choice_close(e, &more);
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
void product_square_lines(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef from, LLVMValueRef stride,
                          LLVMValueRef row, LLVMValueRef rows, LLVMValueRef *line, int count)
{
    LLVMTypeRef type = memory_type(p->unit, stored);
    LLVMValueRef last = minus(e, rows, whole(e->unit, 1));
    for (int i = 0; i < count; i++)
        line[i] = element_at(e, type, from, times(e, least(e, plus(e, row, whole(e->unit, i)), last), stride));
}

/* Of which operand, and of that the type; lines that make a square. */
typedef struct Square {
    bool  across;                        /* pairs are neighbours from line to line, not within a line */
    DType stored;
    LLVMValueRef line[2 * LANES], row;
} Square;

/* left: columns from there on, or NULL for enough */
static void load_square(const Pack *k, const Square *s, LLVMValueRef column, LLVMValueRef left, LLVMValueRef *x)
{
    const Emit *e = k->e;
    const Unit *u = e->unit;
    LLVMTypeRef type = memory_type(u, s->stored);
    LLVMValueRef on = s->across && left ? lanes_below(e, left) : NULL;
    for (int i = 0; i < LANES; i++) {
        if (!s->across) {
            x[i] = product_words_along(k->p, e, s->stored, element_at(e, type, s->line[i], column), left);
            continue;
        }
        int first = i * k->p->pair, second = first + k->p->pair - 1;
        x[i] = product_words_across(k->p, e, s->stored, element_at(e, type, s->line[first], column),
                                    element_at(e, type, s->line[second], column), on);
        if (k->p->pair == 1) continue;
        LLVMValueRef there = compare(e, LLVMIntSLT, plus(e, s->row, whole(u, second)), k->rows);
        LLVMValueRef alone = LLVMBuildAnd(u->builder, x[i], splat_whole(u->i32, 0xffff), "");
        x[i] = LLVMBuildSelect(u->builder, there, x[i], alone, "");
    }
}

static LLVMValueRef transpose(const ProductCode *p, const char *name, Square s)
{
    const Unit *u = p->unit;
    Pack k = open_pack(p, name);
    Emit *e = k.e;
    LLVMValueRef x[LANES], cut[LANES];
    int64_t lines = LANES * (s.across ? p->pair : 1), width = LANES * (s.across ? 1 : p->pair);
    Loop rows, columns;
    loop_open(e, &rows, whole(u, 0), k.rows, lines, true, NULL, 0);
    s.row = rows.index;
    product_square_lines(p, e, s.stored, k.from, k.from_row, rows.index, k.rows, s.line, (int)lines);
    loop_open(e, &columns, whole(u, 0), k.columns, width, true, NULL, 0);
    LLVMValueRef left = minus(e, k.columns, columns.index);
    Choice all = choice_open(e, compare(e, LLVMIntSGE, left, whole(u, width)));
    load_square(&k, &s, columns.index, NULL, x);
    choice_else(e, &all);
    load_square(&k, &s, columns.index, left, cut);
    choice_close(e, &all);
    for (int i = 0; i < LANES; i++) x[i] = choice_value(e, &all, x[i], cut[i]);
    product_square_turn(u, x);
    LLVMValueRef column = over(e, columns.index, whole(u, width / LANES));
    LLVMValueRef to = element_at(e, p->word, to_line(&k, column), over(e, rows.index, whole(u, lines / LANES)));
    for (int i = 0; i < LANES; i++) {
        lanes_store(e, p->word, to, NULL, x[i]);
        to = element_at(e, p->word, to, k.to_row);
    }
    loop_close(e, &columns, NULL);
    loop_close(e, &rows, NULL);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}

LLVMValueRef product_transpose_a(const ProductCode *p)
{
    return transpose(p, "transpose_a", (Square){.across = true, .stored = p->types.a});
}

LLVMValueRef product_transpose_b(const ProductCode *p)
{
    if (p->transpose_a && p->pair == 1 && p->types.a == p->types.b) return p->transpose_a;
    return transpose(p, "transpose_b", (Square){.stored = p->types.b});
}
