/* What the planning pass and its placement share. */
#ifndef PTM_PASSES_PLAN_H
#define PTM_PASSES_PLAN_H

#include "passes/passes.h"

/* Values in one place, one after the other. */
typedef struct Chain {
    int64_t bytes;                       /* a multiple of 64 */
    int     first, last;                 /* kernels between which some of its values is alive, both included */
    int64_t offset;
} Chain;

typedef struct Placing {
    Arena *arena;
    Plan  *p;
    bool  *taken;                        /* buffers whose place another one takes */
    Vec(Chain) chains;
    int   *chain_of;                     /* by buffer, for those in work */
} Placing;

/* plan_place.c: fills the offsets of the chains; returns the bytes they need. Stops trying at `enough`. */
int64_t plan_place(Placing *w, int64_t enough);

#endif
