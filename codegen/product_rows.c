/* The register tile: some rows by one or two vectors of the result, as long as k lasts. */
#include "codegen/product.h"

enum {
    MAX_SUMS = PRODUCT_MAX_ROWS * PRODUCT_MAX_VECTORS,
    AHEAD = 12                           /* rows of B that are on their way when one is used */
};

typedef struct Rows {
    const ProductCode *p;
    Emit *e;
    int   rows, vectors;
    LLVMValueRef a, b, b_step, c, c_row, k, columns, more;
    LLVMValueRef tail[PRODUCT_MAX_VECTORS];      /* lanes of columns */
} Rows;

static LLVMValueRef sum_pointer(const Rows *r, int row, int vector)
{
    LLVMValueRef line = element_at(r->e, r->p->real, r->c, times(r->e, r->c_row, whole(r->e->unit, row)));
    return element_after(r->e, r->p->real, line, vector * LANES);
}

static void load_sums(const Rows *r, bool all, LLVMValueRef *sum)
{
    for (int i = 0; i < r->rows * r->vectors; i++) {
        int vector = i % r->vectors;
        sum[i] = lanes_load(r->e, r->p->real, sum_pointer(r, i / r->vectors, vector), all ? NULL : r->tail[vector]);
    }
}

static void store_sums(const Rows *r, bool all, LLVMValueRef *sum)
{
    for (int i = 0; i < r->rows * r->vectors; i++) {
        int vector = i % r->vectors;
        lanes_store(r->e, r->p->real, sum_pointer(r, i / r->vectors, vector), all ? NULL : r->tail[vector], sum[i]);
    }
}

static void choose_sums(const Rows *r, const Choice *c, LLVMValueRef *sum, LLVMValueRef *failed)
{
    for (int i = 0; i < r->rows * r->vectors; i++) sum[i] = choice_value(r->e, c, sum[i], failed[i]);
}

static LLVMValueRef is_whole(const Rows *r)
{
    return compare(r->e, LLVMIntEQ, r->columns, whole(r->e->unit, r->vectors * LANES));
}

/* Zeros, or what C holds. */
static void start_sums(const Rows *r, LLVMValueRef *sum)
{
    LLVMValueRef other[MAX_SUMS];
    Choice more = choice_open(r->e, r->more);
    Choice all = choice_open(r->e, is_whole(r));
    load_sums(r, true, sum);
    choice_else(r->e, &all);
    load_sums(r, false, other);
    choice_close(r->e, &all);
    choose_sums(r, &all, sum, other);
    choice_else(r->e, &more);
    for (int i = 0; i < r->rows * r->vectors; i++) other[i] = LLVMConstNull(lanes_of(r->p->real));
    choice_close(r->e, &more);
    choose_sums(r, &more, sum, other);
}

/* One word along k: a row of B, and a word of every row of A. */
static void step_sums(const Rows *r, LLVMValueRef k, LLVMValueRef b, LLVMValueRef *sum)
{
    const Unit *u = r->e->unit;
    LLVMTypeRef word = r->p->word;
    LLVMValueRef line[PRODUCT_MAX_VECTORS], a = element_at(r->e, word, r->a, k);
    LLVMValueRef later = element_at(r->e, word, b, times(r->e, r->b_step, whole(u, AHEAD)));
    for (int v = 0; v < r->vectors; v++) {
        line[v] = lanes_load(r->e, word, element_after(r->e, word, b, v * LANES), NULL);
        fetch_early(r->e, element_after(r->e, word, later, v * LANES));
    }
    for (int i = 0; i < r->rows; i++) {
        LLVMValueRef one = LLVMBuildLoad2(u->builder, word, element_after(r->e, word, a, i * PRODUCT_ROW), "");
        LLVMValueRef all = splat(u, one);
        for (int v = 0; v < r->vectors; v++) {
            LLVMValueRef *s = &sum[i * r->vectors + v];
            *s = product_multiply_add(r->p, all, line[v], *s);
        }
    }
}

LLVMValueRef product_rows(const ProductCode *p, int rows)
{
    Unit *u = p->unit;
    LLVMTypeRef types[] = {u->pointer, u->pointer, u->i64, u->pointer, u->i64, u->i64, u->i64, u->i1};
    const char *name = arena_print(p->arena, "product_%s_%d", p->name, rows);
    Emit *e = inner_function(u, p->arena, name, types, 8);
    Rows r = {.p = p, .e = e, .rows = rows, .vectors = p->tile.vectors};
    r.a = parameter(e, 0), r.b = parameter(e, 1), r.b_step = parameter(e, 2);
    r.c = parameter(e, 3), r.c_row = parameter(e, 4);
    r.k = parameter(e, 5), r.columns = parameter(e, 6), r.more = parameter(e, 7);
    for (int v = 0; v < r.vectors; v++) r.tail[v] = lanes_below(e, minus(e, r.columns, whole(u, v * LANES)));
    int count = rows * r.vectors;
    LLVMValueRef carried[MAX_SUMS + 1];
    start_sums(&r, carried);
    carried[count] = r.b;
    Loop loop;
    loop_open(e, &loop, whole(u, 0), r.k, 1, true, carried, count + 1);
    LLVMValueRef b = carried[count];
    step_sums(&r, loop.index, b, carried);
    carried[count] = element_at(e, p->word, b, r.b_step);
    loop_close(e, &loop, carried);
    Choice all = choice_open(e, is_whole(&r));
    store_sums(&r, true, carried);
    choice_else(e, &all);
    store_sums(&r, false, carried);
    choice_close(e, &all);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}
