/* Own products: the contract of rt_product_f32 and rt_product_f64 (runtime/core/program.h), emitted; of operands in
 * other types too, which are cast on their way to the register tile.
 *
 * A tile of the grid is made in blocks along k. Panels of B are as wide as the register tile. All rows of A pass a
 * panel, some rows at a time: these by its columns are the register tile, the sums that one loop over k keeps in
 * registers. A is read where it lies, in rows or in columns; the first rows copy the panel of B on their way, into the
 * second cache, unless few rows pass: then all read it where it lies. Panels that lie in columns, and the last one, are
 * copied beforehand. Operands of other types than are multiplied are copied too, the rows of A of a block and each
 * panel. PRODUCT_FEW rows and less read B once, in one block (product_few.c).
 *
 * Order of sums: an element of the result is fma(a[k], b[k], sum) for k = 0, 1, .. of its part, one after the other,
 * from +0 on. It depends on no tile, block, vector or thread, nor on how many other rows there are.
 * Of bf16 operands it goes by pairs, the second of each first: k = 1, 0, 3, 2, .. of its part, every product exact,
 * every sum rounded to f32; where k is odd, 0 stands for what the last pair lacks. That is what the processor's dot
 * product of bf16 does, which besides takes denormals (operands, products, sums) for zeros. */
#ifndef PTM_CODEGEN_PRODUCT_H
#define PTM_CODEGEN_PRODUCT_H

#include "codegen/compile.h"
#include "codegen/straight.h"
#include "codegen/target.h"

enum {
    PRODUCT_DEPTH = 768,                 /* of a block, in words; a multiple of LANES: rows of A and panels of B stay in
                                            the second cache */
    PRODUCT_COPIED_DEPTH = 256,          /* where rows of A are copied */
    PRODUCT_ROW = PRODUCT_COPIED_DEPTH + LANES,      /* words from one to the next: neighbours do not share a set of the
                                                        cache */
    PRODUCT_MAX_ROWS = 12,               /* of a register tile, on any target */
    PRODUCT_MAX_VECTORS = 2,
    PRODUCT_FEW = 6                      /* rows of A that pass B where it lies, whichever way that is */
};

/* Whether A is multiplied as it lies; B. */
static inline bool product_takes_a(const ProductTypes *t) { return t->a == t->in && t->in == t->out; }
static inline bool product_takes_b(const ProductTypes *t) { return t->b == t->in && t->in == t->out; }
static inline int64_t product_depth(const ProductTypes *t)
{
    return product_takes_a(t) ? PRODUCT_DEPTH : PRODUCT_COPIED_DEPTH;
}

/* What is emitted for one combination of types. Packed operands are words (product_operand.c). */
typedef struct ProductCode {
    Unit  *unit;
    Arena *arena;
    ProductTypes types;
    const char *name;                    /* of the types, in symbols */
    LLVMTypeRef real, word;              /* of a sum; of packed operands */
    int    pair;                         /* elements along k in a word */
    bool   dots;                         /* one instruction multiplies and adds pairs of bf16 */
    RegisterTile tile;
    LLVMValueRef rows[PRODUCT_MAX_ROWS + 1];     /* register tiles by their number of rows */
    LLVMValueRef rows_copy;              /* the largest, which copies B; NULL when B is copied beforehand anyway */
    LLVMValueRef few_rows[PRODUCT_FEW + 1], few_columns[PRODUCT_FEW + 1];
    LLVMValueRef copy, panel, transpose_a, transpose_b, block;
} ProductCode;

/* product_operand.c. 16 lanes of the type that is summed, from memory of another; on: NULL for all. */
LLVMValueRef product_load(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef pointer, LLVMValueRef on);
/* 16 words from adjacent elements along k, of which `left` are left (NULL: enough); from adjacent elements of two rows
 * along k, of which the second may be NULL for zeros and is not asked for where a word is one element. */
LLVMValueRef product_words_along(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef pointer,
                                 LLVMValueRef left);
LLVMValueRef product_words_across(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef first,
                                  LLVMValueRef second, LLVMValueRef on);
LLVMValueRef product_multiply_add(const ProductCode *p, LLVMValueRef a, LLVMValueRef b, LLVMValueRef sum);
const char  *product_name(Arena *arena, const ProductTypes *t);

/* Lines that will be needed later: for k = 0, 1, .. the one at from + k % 16 * step + k / 16 * jump, and the one
 * `other` behind it, all in bytes. */
typedef struct Ahead {
    LLVMValueRef from, step, jump, other;
} Ahead;

/* product_rows.c. rows(a, a_row, a_step, b, b_step, c, c_row, k, columns, more, ahead, copy): rows x columns elements
 * of C from k words, a_step apart, of the rows of A, a_row apart, and k rows of words of B, b_step apart. columns: at
 * most those of the tile. b: whole vectors can be read. more: go on from what C holds. copy: where B is copied on the
 * way, its rows adjacent, by the function that `copies`. */
enum { PRODUCT_ROWS_ARGUMENTS = 15 };
LLVMValueRef product_rows(const ProductCode *p, int rows, bool copies);

/* product_pack.c. copy(to, to_row, from, from_row, rows, columns): rows of A that are adjacent along k, each filled up
 * with zeros to whole vectors. panel, the same arguments: rows of B, as wide as the register tile or less. transpose,
 * of A in columns or of B in columns: element (i, j) of `from` becomes (j, i) of `to`, where whole vectors of whole
 * vectors of rows are written. `to` holds words, to_row of them in a row; the rest counts elements. */
LLVMValueRef product_copy(const ProductCode *p);
LLVMValueRef product_panel(const ProductCode *p);
LLVMValueRef product_transpose_a(const ProductCode *p);
LLVMValueRef product_transpose_b(const ProductCode *p);

/* The same by pieces, of `count` lines: where the rows from `row` on begin, as many as there are; a square of 16 x 16
 * whose rows become columns. */
void product_square_lines(const ProductCode *p, const Emit *e, DType stored, LLVMValueRef from, LLVMValueRef stride,
                          LLVMValueRef row, LLVMValueRef rows, LLVMValueRef *line, int count);
void product_square_turn(const Unit *u, LLVMValueRef *x);

/* product_few.c. few(a, a_row, b, b_line, c, c_row, n, k, spare): as many rows as the function was made for, adjacent
 * along k, of a whole tile. b_line: from a row of B to the next, or from a column to the next. spare: 32 vectors. */
LLVMValueRef product_few_rows(const ProductCode *p, int rows);
LLVMValueRef product_few_columns(const ProductCode *p, int rows);
bool product_has_few(const ProductCode *p);                  /* A as it is multiplied, no pairs */

/* product_block.c. block(args, a, b, c, m, n, k, c_row, scratch): one tile, from its first elements on. */
LLVMValueRef product_block(const ProductCode *p);

/* product_sum.c: the second step of a product in parts. */
void product_sum(Emit *e, DType out);

/* product.c: a kernel. */
LLVMValueRef product_emit(Unit *u, Arena *arena, const Function *f, const char *name, const Target *target);

/* Element offsets of a batch element in the operands, and the number of all. */
typedef struct BatchPlace {
    LLVMValueRef a, b, c;
} BatchPlace;
LLVMValueRef product_batches(const Emit *e);
BatchPlace   product_batch_place(const Emit *e, LLVMValueRef index);
LLVMValueRef product_word(const Emit *e, int64_t byte);      /* of the arguments */

#endif
