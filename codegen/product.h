/* Own products: the contract of rt_product_f32 and rt_product_f64 (runtime/core/program.h), emitted.
 *
 * A tile of the grid is made in blocks along k of at most PRODUCT_DEPTH. Of a block, the rows of A are copied, each
 * adjacent along k, to scratch, where they stay in the second cache. Panels of B are as wide as the register tile;
 * those that lie in columns, the last one, and those whose rows have a page each are copied beside them, the others
 * are read where they lie. All rows of A pass a panel, some rows at a time: these by its columns are the register
 * tile, the sums that one loop over k keeps in registers. PRODUCT_FEW rows and less read B once, in one block
 * (product_few.c).
 *
 * Order of sums: an element of the result is fma(a[k], b[k], sum) for k = 0, 1, .. of its part, one after the other,
 * from +0 on. It depends on no tile, block, vector or thread, nor on how many other rows there are. */
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

/* What is emitted for one type. */
typedef struct ProductCode {
    Unit  *unit;
    Arena *arena;
    DType  dtype;
    LLVMTypeRef real;
    RegisterTile tile;
    LLVMValueRef rows[PRODUCT_MAX_ROWS + 1];     /* register tiles by their number of rows */
    LLVMValueRef few_rows[PRODUCT_FEW + 1], few_columns[PRODUCT_FEW + 1];
    LLVMValueRef copy, panel, transpose, block;
} ProductCode;

/* product_rows.c. rows(a, b, b_step, c, c_row, k, columns, more): rows x columns elements of C from k columns of the
 * rows of A, PRODUCT_ROW apart, and k rows of B, b_step apart. columns: at most those of the tile. b: whole vectors can
 * be read. more: go on from what C holds. */
LLVMValueRef product_rows(const ProductCode *p, int rows);

/* product_pack.c. copy(to, to_row, from, from_row, rows, columns): rows of adjacent elements, each filled up with zeros
 * to whole vectors. transpose, the same arguments: element (i, j) of `from` becomes (j, i) of `to`, where whole vectors
 * of whole vectors of rows are written. */
LLVMValueRef product_copy(const ProductCode *p);
LLVMValueRef product_panel(const ProductCode *p);            /* copy, of rows as wide as the register tile or less */
LLVMValueRef product_transpose(const ProductCode *p);

/* The same by pieces, 16 x 16: where the rows from `row` on begin, as many as there are; their elements from `column`
 * on, those that `on` says; rows become columns. */
void product_square_lines(const ProductCode *p, const Emit *e, LLVMValueRef from, LLVMValueRef stride,
                          LLVMValueRef row, LLVMValueRef rows, LLVMValueRef *line);
void product_square_load(const ProductCode *p, const Emit *e, const LLVMValueRef *line, LLVMValueRef column,
                         LLVMValueRef on, LLVMValueRef *x);
void product_square_turn(const Unit *u, LLVMValueRef *x);

/* product_few.c. few(a, a_row, b, b_line, c, c_row, n, k, spare): as many rows as the function was made for, adjacent
 * along k, of a whole tile. b_line: from a row of B to the next, or from a column to the next. spare: 16 vectors. */
LLVMValueRef product_few_rows(const ProductCode *p, int rows);
LLVMValueRef product_few_columns(const ProductCode *p, int rows);

/* product_block.c. block(args, a, b, c, m, n, k, c_row, scratch): one tile, from its first elements on. */
LLVMValueRef product_block(const ProductCode *p);

/* product_sum.c: the second step of a product in parts. */
void product_sum(Emit *e, DType dtype);

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
