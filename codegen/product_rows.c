/* The register tile: some rows by one or two vectors of the result, as long as k lasts. */
#include "codegen/product.h"

enum {
    MAX_SUMS = PRODUCT_MAX_ROWS * PRODUCT_MAX_VECTORS,
    TOGETHER = 4,                        /* rows of A that share a pointer */
    MAX_POINTERS = (PRODUCT_MAX_ROWS + TOGETHER - 1) / TOGETHER + 2
};

typedef struct Rows {
    const ProductCode *p;
    Emit *e;
    int   rows, vectors;
    LLVMValueRef a, a_row, a_step, b, b_step, c, c_row, k, columns, more;
    LLVMValueRef copy;                   /* where the panel of B is copied on the way; NULL: nowhere */
    Ahead ahead;
    LLVMValueRef within[TOGETHER];       /* elements from the first of rows that share a pointer to each */
    LLVMValueRef tail[PRODUCT_MAX_VECTORS];      /* lanes of columns */
} Rows;

/* What moves with k: in A, one for some rows, in B, and in its copy. */
typedef struct Places {
    LLVMValueRef at[MAX_POINTERS];
    int a_count, count;
} Places;

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

/* What the caller says will be needed, a line and another one. */
static void fetch_ahead(const Rows *r, LLVMValueRef k)
{
    Emit *e = r->e;
    const Unit *u = e->unit;
    LLVMValueRef low = rest_of(e, k, whole(u, LANES)), high = over(e, k, whole(u, LANES));
    LLVMValueRef ahead = plus(e, times(e, low, r->ahead.step), times(e, high, r->ahead.jump));
    LLVMValueRef line = element_at(e, u->i8, r->ahead.from, ahead);
    fetch_early(e, line);
    fetch_early(e, element_at(e, u->i8, line, r->ahead.other));
}

static Places start_places(Rows *r)
{
    Emit *e = r->e;
    const Unit *u = e->unit;
    Places p = {0};
    for (int i = 0; i < TOGETHER; i++) r->within[i] = times(e, r->a_row, whole(u, i));
    for (int i = 0; i < r->rows; i += TOGETHER)
        p.at[p.count++] = element_at(e, r->p->word, r->a, times(e, r->a_row, whole(u, i)));
    p.a_count = p.count;
    p.at[p.count++] = r->b;
    if (r->copy) p.at[p.count++] = r->copy;
    return p;
}

/* The step of A is frozen in the loop, which hides that it never changes: else LLVM derives each row's address from the
 * one before, a chain of additions as long as the multiply-adds take. */
static void move_places(const Rows *r, Places *p)
{
    LLVMTypeRef word = r->p->word;
    LLVMValueRef step = LLVMBuildFreeze(r->e->unit->builder, r->a_step, "");
    for (int i = 0; i < p->a_count; i++) p->at[i] = element_at(r->e, word, p->at[i], step);
    p->at[p->a_count] = element_at(r->e, word, p->at[p->a_count], r->b_step);
    if (r->copy) p->at[p->a_count + 1] = element_after(r->e, word, p->at[p->a_count + 1], r->vectors * LANES);
}

/* One word along k: a row of B, and a word of every row of A. */
static void step_sums(const Rows *r, LLVMValueRef k, const Places *p, LLVMValueRef *sum)
{
    const Unit *u = r->e->unit;
    LLVMTypeRef word = r->p->word;
    LLVMValueRef line[PRODUCT_MAX_VECTORS], b = p->at[p->a_count];
    for (int v = 0; v < r->vectors; v++) {
        line[v] = lanes_load(r->e, word, element_after(r->e, word, b, v * LANES), NULL);
        if (r->copy)
            lanes_store(r->e, word, element_after(r->e, word, p->at[p->a_count + 1], v * LANES), NULL, line[v]);
    }
    fetch_ahead(r, k);
    for (int i = 0; i < r->rows; i++) {
        LLVMValueRef place = element_at(r->e, word, p->at[i / TOGETHER], r->within[i % TOGETHER]);
        LLVMValueRef all = splat(u, LLVMBuildLoad2(u->builder, word, place, ""));
        for (int v = 0; v < r->vectors; v++) {
            LLVMValueRef *s = &sum[i * r->vectors + v];
            *s = product_multiply_add(r->p, all, line[v], *s);
        }
    }
}

static void sum_up(Rows *r, LLVMValueRef *sum)
{
    Emit *e = r->e;
    int count = r->rows * r->vectors;
    LLVMValueRef carried[MAX_SUMS + MAX_POINTERS];
    Places p = start_places(r);
    for (int i = 0; i < count; i++) carried[i] = sum[i];
    for (int i = 0; i < p.count; i++) carried[count + i] = p.at[i];
    Loop loop;
    loop_open(e, &loop, whole(e->unit, 0), r->k, 1, true, carried, count + p.count);
    for (int i = 0; i < p.count; i++) p.at[i] = carried[count + i];
    step_sums(r, loop.index, &p, carried);
    move_places(r, &p);
    for (int i = 0; i < p.count; i++) carried[count + i] = p.at[i];
    loop_close(e, &loop, carried);
    for (int i = 0; i < count; i++) sum[i] = carried[i];
}

LLVMValueRef product_rows(const ProductCode *p, int rows, bool copies)
{
    Unit *u = p->unit;
    LLVMTypeRef i = u->i64, pointer = u->pointer;
    LLVMTypeRef types[] = {pointer, i, i, pointer, i, pointer, i, i, i, u->i1, pointer, i, i, i, pointer};
    const char *name = arena_print(p->arena, "product_%s_%s%d", p->name, copies ? "copy_" : "", rows);
    Emit *e = inner_function(u, p->arena, name, types, PRODUCT_ROWS_ARGUMENTS);
    Rows r = {.p = p, .e = e, .rows = rows, .vectors = p->tile.vectors};
    r.a = parameter(e, 0), r.a_row = parameter(e, 1), r.a_step = parameter(e, 2);
    r.b = parameter(e, 3), r.b_step = parameter(e, 4), r.c = parameter(e, 5), r.c_row = parameter(e, 6);
    r.k = parameter(e, 7), r.columns = parameter(e, 8), r.more = parameter(e, 9);
    r.ahead = (Ahead){parameter(e, 10), parameter(e, 11), parameter(e, 12), parameter(e, 13)};
    if (copies) r.copy = parameter(e, 14);
    for (int v = 0; v < r.vectors; v++) r.tail[v] = lanes_below(e, minus(e, r.columns, whole(u, v * LANES)));
    LLVMValueRef sum[MAX_SUMS];
    start_sums(&r, sum);
    sum_up(&r, sum);
    Choice all = choice_open(e, is_whole(&r));
    store_sums(&r, true, sum);
    choice_else(e, &all);
    store_sums(&r, false, sum);
    choice_close(e, &all);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}
