/* A graph that only moves elements (weights_graph) as blocks of elements to copy: what reading and writing published
 * weights do, without running a program. */
#ifndef PTM_CLI_MOVES_H
#define PTM_CLI_MOVES_H

#include "ir/graph.h"
#include "runtime/train/transfer.h"

typedef struct Moves {
    struct Moved {
        const char *source;              /* the input of the graph that it comes from */
        RtMove      move;                /* to the result */
    } *at;
    int count, capacity;
} Moves;

/* All dimensions have values. False where an axis is cut into more blocks than there is sense in. */
bool moves_of(Arena *arena, const Node *result, Moves *out);

#endif
