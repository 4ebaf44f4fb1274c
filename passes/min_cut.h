/* The cheapest way to part a source from a sink in a network of arcs: a minimum cut. */
#ifndef PTM_MIN_CUT_H
#define PTM_MIN_CUT_H

#include "ir/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum { MIN_CUT_SOURCE, MIN_CUT_SINK, MIN_CUT_FIRST };        /* vertices; those of the caller begin at MIN_CUT_FIRST */

typedef struct MinCut MinCut;

MinCut *min_cut_new(Arena *arena, int vertices);             /* MIN_CUT_FIRST and those of the caller */
/* An arc that cannot be cut has MIN_CUT_NEVER. */
void    min_cut_arc(MinCut *cut, int from, int to, int64_t price);
/* The vertices on the sink's side, as few as there can be: arcs into it are cut, at the lowest price in all. There must
 * be a path to cut only through arcs that can be. */
bool   *min_cut_find(MinCut *cut);

static const int64_t MIN_CUT_NEVER = (int64_t)1 << 60;

#endif
