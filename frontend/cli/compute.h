/* Graphs of the data phase, compiled by the same pipeline as a model and run once. */
#ifndef PTM_CLI_COMPUTE_H
#define PTM_CLI_COMPUTE_H

#include "ir/graph.h"

/* Whether the results have room in this machine; reports if not. */
bool compute_fits(const Graph *graph, Place place, Diagnostics *d);

/* inputs[k]: the packed bytes of graph->inputs.at[k]. results[k]: room for those of graph->outputs.at[k]. threads: 0
 * for one per processor. False after reporting at `place`. */
bool compute_graph(Arena *arena, Graph *graph, int threads, const void *const *inputs, void *const *results,
                   Place place, Diagnostics *d);

#endif
