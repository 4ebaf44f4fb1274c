/* Dimensions: integer polynomials in the user's symbols, kept in normal form and hash-consed, so that equal dimensions
 * of one table are equal pointers (LANGUAGE reference, "Dimensions"). Atoms are symbols and floor(p/k), with
 * floor((p + k*q)/k) = floor(p/k) + q, floor(floor(p/j)/k) = floor(p/(j*k)) and common factors cancelled. A symbol may
 * carry a value; values never take part in identity. Where a coefficient leaves 64 bits, or a polynomial grows past
 * what any program needs, the result is the one dimension for which dim_is_overflow holds; no type may have it. */
#ifndef PTM_DIM_H
#define PTM_DIM_H

#include "ir/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Dim  Dim;               /* immutable */
typedef struct Dims Dims;              /* the table that owns them */

/* FIXED: known at generation. COUNTED: known when the step runs, at most `bound`; occupies the bound, is iterated to
 * the count (reserved: no pass makes one yet). */
typedef enum DimKind { DIM_fixed, DIM_counted } DimKind;

Dims *dims_new(Arena *arena);

const Dim *dim_int(Dims *t, int64_t value);
/* The symbol of this name; `value` -1 leaves it unvalued. A second call with another value is an error of the
 * caller. */
const Dim *dim_symbol(Dims *t, const char *name, int64_t value);
const Dim *dim_counted(Dims *t, const char *name, const Dim *bound);
void       dim_set_value(Dims *t, const char *symbol, int64_t value);

const Dim *dim_add(Dims *t, const Dim *a, const Dim *b);
const Dim *dim_sub(Dims *t, const Dim *a, const Dim *b);
const Dim *dim_mul(Dims *t, const Dim *a, const Dim *b);
const Dim *dim_floordiv(Dims *t, const Dim *a, int64_t k);   /* k > 0 */
const Dim *dim_divide(Dims *t, const Dim *a, const Dim *b);  /* exact quotient of polynomials, or NULL */
/* Solves `form` = `actual` for `symbol` when form is linear in it (a*symbol + rest): the exact solution, or NULL. */
const Dim *dim_solve(Dims *t, const Dim *form, const char *symbol, const Dim *actual);
const Dim *dim_substitute(Dims *t, const Dim *d, const char *symbol, const Dim *by);

bool    dim_is_int(const Dim *d, int64_t *value);            /* a literal, not a symbol that has a value */
bool    dim_is(const Dim *d, int64_t value);                 /* dim_is_int and equal */
bool    dim_mentions(const Dim *d, const char *symbol);
DimKind dim_kind(const Dim *d);
int64_t dim_value(const Dim *d);                             /* every symbol valued: the value; else -1. The bound when
                                                                counted */
bool    dim_evaluate(const Dim *d, int64_t *value);          /* the same for values that may be negative; false when
                                                                unvalued */
bool    dim_is_overflow(const Dim *d);

const char *dim_text(Arena *arena, const Dim *d);   /* "T + 1", "4*H", "(T + 1)//2": language syntax */
const Dim  *dim_read(Dims *t, const char **cursor);          /* reads what dim_text wrote; NULL on an error */

int         dims_symbol_count(const Dims *t);                /* in order of first mention */
const char *dims_symbol_name(const Dims *t, int i);
int64_t     dims_symbol_value(const Dims *t, int i);
const Dim  *dims_symbol_bound(const Dims *t, int i);         /* of a counted symbol; else NULL */

#endif
