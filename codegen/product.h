/* Own products: the contract of rt_product_f32 and rt_product_f64 (runtime/core/program.h), emitted; of operands in
 * other types too, which are cast on their way to the register tile.
 *
 * A tile of the grid is made in blocks along k of at most PRODUCT_DEPTH. Of a block, the rows of A are copied, each
 * adjacent along k, to scratch, where they stay in the second cache. Panels of B are as wide as the register tile;
 * those that lie in columns, the last one, and those whose rows have a page each are copied beside them, the others
 * are read where they lie. All rows of A pass a panel, some rows at a time: these by its columns are the register
 * tile, the sums that one loop over k keeps in registers. PRODUCT_FEW rows and less read B once, in one block
 * (product_few.c).
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
    PRODUCT_DEPTH = 256,                 /* of a block; a multiple of LANES */
    PRODUCT_ROW = PRODUCT_DEPTH + LANES, /* elements from a row of A to the next in scratch: neighbours do not share a
                                            set of the cache */
    PRODUCT_MAX_ROWS = 12,               /* of a register tile, on any target */
    PRODUCT_MAX_VECTORS = 2,
    PRODUCT_FEW = 6                      /* rows of A that pass B where it lies, whichever way that is */
};

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

/* product_rows.c. rows(a, b, b_step, c, c_row, k, columns, more): rows x columns elements of C from k words of the rows
 * of A, PRODUCT_ROW apart, and k rows of words of B, b_step apart. columns: at most those of the tile. b: whole vectors
 * can be read. more: go on from what C holds. */
LLVMValueRef product_rows(const ProductCode *p, int rows);

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
 * along k, of a whole tile. b_line: from a row of B to the next, or from a column to the next. spare: 16 vectors. */
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
