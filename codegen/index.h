/* Index expressions: where in its tensor a value is read, as affine forms over loop variables. Movement operators map
 * an index of their result to an index of their argument, so no movement ever costs a copy. What does not stay affine
 * (the quotient of a form that its divisor does not divide) becomes a variable of its own. This file knows nothing of
 * LLVM beyond the handles that the emitter hangs on a variable: the same walk serves the analysis of a nest, before any
 * code, and the code itself. */
#ifndef PTM_CODEGEN_INDEX_H
#define PTM_CODEGEN_INDEX_H

#include "ir/graph.h"

#include <llvm-c/Types.h>

enum { MAX_TERMS = 24 };

/* A whole number that a kernel computes with: a loop variable, a quotient, or an id read from memory. */
typedef struct Var Var;
struct Var {
    int          number;                 /* orders terms */
    int          axis;                   /* of the nest under analysis; -1: not an axis */
    int          depth;                  /* of the scope it belongs to; deeper ones may use it */
    int64_t      low, high;              /* inclusive */
    bool         regular;                /* lane l has base + stride * l; otherwise the lanes are a vector */
    int64_t      stride;
    LLVMValueRef base;                   /* i64 in lane 0; NULL under analysis and when irregular */
    LLVMValueRef lanes;                  /* irregular: <16 x i64> */
    /* a part of a merged axis: the axis' own variable, which stands for all parts at once */
    const Var   *merged;
    int64_t      place;                  /* the part's weight in it; the part of weight 1 carries the stride */
};

/* constant + sum of by * var; terms ordered by the variables' numbers, no factor 0. */
typedef struct Term {
    const Var *var;
    int64_t    by;
} Term;

typedef struct Affine {
    int64_t constant;
    int     count;
    Term    term[MAX_TERMS];
} Affine;

Affine  affine_constant(int64_t value);
Affine  affine_var(const Var *var);                          /* a constant when low = high */
Affine  affine_add(const Affine *a, const Affine *b);
Affine  affine_scale(const Affine *a, int64_t by);
bool    affine_equal(const Affine *a, const Affine *b);
int64_t affine_low(const Affine *a);
int64_t affine_high(const Affine *a);
int     affine_depth(const Affine *a);                       /* of the deepest variable; 0 for a constant */
bool    affine_regular(const Affine *a);
int64_t affine_stride(const Affine *a);                      /* between lanes, of a regular form */
bool    affine_uniform(const Affine *a);                     /* the same in every lane */
int64_t affine_factor(const Affine *a, const Var *var);      /* 0 when absent */

/* Quotients made so far, and who computes them. */
typedef struct Quotient Quotient;
typedef struct Indexer {
    Arena *arena;
    int    next;                         /* number of the next variable */
    Vec(Quotient *) quotients;
    /* Called for a division that does not come out: `of` = by * quotient + rest, of >= 0. Fills what emission needs. */
    void (*divide)(void *context, const Affine *of, int64_t by, Var *quotient, Var *rest);
    void  *context;
} Indexer;

Var *index_var(Indexer *x, int64_t low, int64_t high, int depth);        /* regular, stride 0 */

/* From a row-major position to the index, and back. extent: `rank` extents. */
void   index_unflat(Indexer *x, const Affine *flat, const int64_t *extent, int rank, Affine *index);
Affine index_flat_of(const Type *type, const Affine *index);

/* What must hold for the argument to be there at all: 0 <= value < bound. Otherwise the element is zero (pad) or
 * another's (concat). */
typedef struct Condition {
    Affine  value;
    int64_t bound;
} Condition;

typedef struct Conditions {
    Condition at[MAX_RANK];              /* those that the ranges of the variables do not settle */
    int  count;
    bool never;                          /* one of them can never hold */
} Conditions;

/* The index of argument `k` of a movement node (any but gather) at an index of its result. */
void index_argument(Indexer *x, const Node *node, int k, const Affine *index, Affine *out, Conditions *conditions);

/* The index of a gather's index tensors, and the index of its argument given the values read there. */
void index_ids(const Node *gather, const Affine *index, Affine *out);
void index_rows(const Node *gather, const Affine *index, const Affine *row, Affine *out);

#endif
