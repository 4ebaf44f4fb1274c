/* The inside of a Dim, for the files that compute with it (ir/dim.c) and write it (ir/dim_text.c). */
#ifndef PTM_POLYNOMIAL_H
#define PTM_POLYNOMIAL_H

#include "ir/dim.h"

/* A symbol, or floor(inner / divisor). Atoms of one table are equal pointers when they are equal. */
typedef struct Atom {
    const char *name;                    /* NULL: a floor */
    int64_t     value;                   /* of a symbol; -1: none */
    const Dim  *bound;                   /* of a counted symbol */
    const Dim  *inner;                   /* of a floor: no term is a multiple of the divisor */
    int64_t     divisor;
} Atom;

typedef struct Factor {
    const Atom *atom;
    int64_t     power;                   /* at least 1 */
} Factor;

/* A product of atoms in rising order (symbols by name, then floors). The empty product is 1. */
typedef struct Monomial {
    int    count;
    int    degree;                       /* sum of the powers */
    Factor factor[];
} Monomial;

typedef struct Term {
    int64_t         coefficient;         /* never 0 */
    const Monomial *monomial;
} Term;

/* Terms in falling order of their monomials: by degree, then lexicographically; so the constant comes last. */
struct Dim {
    bool overflow;
    int  count;
    Term term[];
};

#endif
