/* Checks that the verifier and the reader share. */
#ifndef PTM_VERIFY_H
#define PTM_VERIFY_H

#include "ir/graph.h"

/* An update rebinds a parameter or state of equal type. NULL, or the reason why this output cannot be. */
const char *verify_output(const Graph *g, const Output *output, Arena *arena);

/* The node of `g` that equals this one: itself, unless it was edited or made elsewhere. */
const Node *graph_find_equal(Graph *g, const Node *node);

#endif
