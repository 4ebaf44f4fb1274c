/* Groups: padded rows of like length come together in batches no wider than they need. The widths are few and follow
 * from the lengths alone. What is left of a group after its full batches moves up to the next wider one, so that a pass
 * has as many full batches as without groups; what is left of the widest stays out of training and ends a finite
 * pass. */
#ifndef PTM_RUNTIME_GROUPS_H
#define PTM_RUNTIME_GROUPS_H

#include <stdbool.h>

#include "runtime/data/stream.h"

enum { RT_MAX_WIDTHS = RT_MAX_VARIANTS - 1 };    /* and one variant for the short batch */

/* A group's list: `taken` rows left from the list of the narrower one, then the `own` rows order[first ..]. Its last
 * rows, those beyond batches * size, are left. */
typedef struct RtGroup {
    int64_t first, own, taken;
    int64_t batches, first_batch;        /* full ones; in the order of a pass that is not shuffled */
} RtGroup;

typedef struct RtGroups {
    const int64_t *order;                /* rows, group after group from the narrowest, in data order inside */
    int64_t rows, size;                  /* in all, and of a full batch */
    int     count;
    RtGroup group[RT_MAX_WIDTHS];
} RtGroups;

/* How a pass is gone through: shuffled by (key, epoch), or in the order that follows from the data. */
typedef struct RtOrder {
    bool     shuffled;
    uint64_t key, epoch;
} RtOrder;

/* At most `widths` groups. order: room for a number for each row, borrowed from now on. */
RtGroups groups_of(const int64_t *lengths, int64_t rows, int64_t size, int widths, int64_t *order);

/* The width of each group for a column of these lengths and padded width: the longest row that can be in it, rounded up
 * to a multiple of 4, within the padding. */
void groups_widths(const RtGroups *g, const int64_t *lengths, int64_t padded, int64_t *widths);

int64_t groups_batches(const RtGroups *g);       /* full ones */
int64_t groups_rest(const RtGroups *g);          /* rows of the short batch after them; 0: none */

/* Of batch `index` (groups_batches: the short one): its group, and the data row of row `row`. */
int     groups_find(const RtGroups *g, const RtOrder *order, int64_t index);
int64_t groups_row(const RtGroups *g, const RtOrder *order, int64_t index, int64_t row);

#endif
