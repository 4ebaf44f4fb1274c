/* How an einsum becomes a product: operands as strided views of stored values, letters grouped into batch, m, n and k.
 * Shared by `fuse`, which must know whether an operand can be read where it lies, and by the code generator, which
 * fills the table. */
#ifndef PTM_CONTRACTION_H
#define PTM_CONTRACTION_H

#include "ir/graph.h"

/* A value read through movement: element (i0, i1, ..) of the node is element offset + sum of i_k * stride[k] of
 * `base`, in the type that its reader multiplies. */
typedef struct View {
    const Node *base;
    int64_t     offset;
    int         rank;
    int64_t     stride[MAX_RANK];
} View;

/* Whether a product whose operands are of type `in` can read them from memory that holds `stored`, and cast on the
 * way. */
bool product_reads(DType stored, DType in);

/* Whether a view may go through an operator as it is: permute, slice, expand, reshape, stop. */
bool view_is_through(const Node *node);

/* Follows such operators and one cast that a product can make from `node` to the first node for which stored() holds.
 * False when a reshape cannot be written as strides or another operator stands between. Needs valued dimensions. */
bool view_find(const Node *node, bool (*stored)(void *context, const Node *node), void *context, View *view);

/* What a product reads from memory, and what it multiplies; sums and the result are of type `out`. */
typedef struct ProductTypes {
    DType a, b, in, out;
} ProductTypes;

bool product_is_plain(const ProductTypes *t);                /* all the same, f32 or f64: what libraries have */

/* C[batch](m, n) = sum over k of A[batch](m, k) B[batch](k, n). When `swapped`, A is the einsum's second argument.
 * Letters of a group merge into one stride where their strides allow; further m or n letters become batch axes. */
typedef struct Contraction {
    bool    swapped;
    ProductTypes types;
    int64_t m, n, k;
    int64_t a_row, a_column, b_row, b_column, c_row;         /* elements; c's columns are adjacent */
    int     batch_rank;                                      /* at most 4 */
    int64_t batch[4], a_batch[4], b_batch[4], c_batch[4];
    int64_t cuts;                                            /* products that one became since letters of m or n do not
                                                                merge: 1 when all do */
} Contraction;

/* False when the types, letters or strides do not fit a product (operands are not f32, f64 or bf16, k does not merge,
 * neither stride of an operand is 1, the result ends in a batch letter while both operands have letters of their own,
 * more than 4 batch axes): the caller then stores an operand in another order, or multiplies and sums. */
bool contraction_find(const Node *einsum, const View *a, const View *b, Contraction *out);

/* "ab,bc->ac": the three terms, without blanks. False when one has more than MAX_RANK letters. */
bool einsum_terms(const char *text, char term[3][MAX_RANK + 1]);

/* How a product is shared out: tiles of the result and parts of k. A unit of work is one tile of one batch element and
 * one part; what the parts give is added in a fixed binary tree by a second step. */
typedef struct Tiling {
    int64_t tile_m, tile_n;
    int64_t parts;                       /* 1: units write the result itself */
    int64_t units;
    int64_t partial_elements;            /* parts * batch * m * n; this and the rest are 0 when parts is 1 */
    int64_t sum_rows, sum_units;         /* of the second step: rows of the result in a unit, and units */
} Tiling;

/* A function of the shape and of how the operands lie: the bits of a product follow from it. A product without elements
 * has no units; one over nothing makes zeros, in one unit for each batch element. */
Tiling contraction_tiling(const Contraction *c);

#endif
