/* What ordering, planning and placing share. */
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

/* plan.c: a plan of our own: kernels and buffers may be changed; what kernels list is shared. */
Plan *plan_copy(Arena *arena, const Plan *from);

/* plan.c: the kernel that copies a new value to the place of the input that it updates. */
Kernel *plan_new_copy(Arena *arena, Node *value, Node *place);

/* plan.c: a copy of an ordered plan with lifetimes, and the bytes of work alive at each kernel, from -1 (before the
 * first) to kernels.count (after the last). */
typedef struct Lives {
    Plan          *p;
    const int64_t *bytes;
} Lives;
Lives plan_lives(Arena *arena, const Plan *plan);

/* plan.c: places the body of a scan; its outputs lie in no block. */
Plan *plan_body(Arena *arena, Plan *body);

/* plan_room.c: orders and places the bodies of the plan's scans, and gives scans and products their own memory. */
void plan_rooms(Arena *arena, Plan *p, Diagnostics *d);
bool plan_is_carry(const Graph *graph, const Output *o);     /* in the body of a scan: a carry's new value */

#endif
