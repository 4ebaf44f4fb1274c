/* What the files of the pass `strip` share. A *strip* is some neighbouring rows of a large value, such as the scores of
 * attention, [B, H, T, S]: rows are the places that ask (T), columns those that are asked (S). */
#ifndef PTM_PASSES_STRIP_H
#define PTM_PASSES_STRIP_H

#include "passes/build.h"
#include "passes/passes.h"

enum { STRIPS_AT_MOST = 8 };             /* kernels of several lengths are compiled; what strips add up is one map's */

/* What a node is to a region. */
typedef enum StripRole {
    STRIP_outside,                       /* made as a whole: strips read slices of it */
    STRIP_side,                          /* of rows and columns, but not of a product of the region, such as a mask: a
                                            strip makes its part of it from what is outside */
    STRIP_full,                          /* of rows and columns: never whole */
    STRIP_row,                           /* a value for each row, that full ones are reduced to and read again */
    STRIP_end                            /* made of full ones, and without rows or without columns: see Region.leaves */
} StripRole;

typedef struct StripAxes {
    int8_t row, column;                  /* -1: the value has none */
} StripAxes;

/* Values that are made by strips together, in all directions from one product. */
typedef struct Region {
    const Node *seed;
    StripRole  *role;                    /* by id */
    StripAxes  *axes;                    /* by id; of ends: of the result */
    bool       *leaves;                  /* by id: ends, and row values that are asked for outside: all rows joined, or
                                            where rows are summed, the sum over the strips */
    const Node *broken;                  /* why it can not be cut; NULL: it can */
    const char *why;
    int         strips;
    int64_t     rows;                    /* of a strip; the last may have less */
    const Dim  *all_rows, *all_columns;
    int64_t     columns[STRIPS_AT_MOST]; /* behind these every value of the strip is without effect */
} Region;

/* Live nodes and their live users. */
typedef struct StripGraph {
    Arena *arena;
    const Graph *graph;
    bool   *live, *is_output;
    Node ***users;
    int    *user_count;
} StripGraph;

/* strip_region.c: the region of a product, rows being those of operand `rows_of`. */
Region *strip_grow(const StripGraph *s, const Node *seed, int rows_of);
int64_t strip_first_row(const Region *r, int strip);
int64_t strip_row_count(const Region *r, int strip);

/* An axis through a node. up: of argument k in the result; down: of the result in argument k. */
enum { AXIS_none = -1, AXIS_lost = -2 };                     /* gone, or new; merged with others, or moved in */
int strip_axis_up(const Node *node, int k, int axis);
int strip_axis_down(const Node *node, int k, int axis);
StripAxes strip_axes_down(const Node *node, int k, StripAxes axes);
/* Of an argument of a node that has a role; whether it is read part by part, as the region makes it. */
StripAxes strip_argument_axes(const Region *r, const Node *user, int k);
bool strip_is_part(const Region *r, const Node *user, int k);

/* strip_columns.c: fills `columns`. */
void strip_find_columns(const StripGraph *s, Region *r);

/* strip_make.c: the graph with these regions cut. */
Graph *strip_make(const StripGraph *s, Region *const *regions, int count);

#endif
