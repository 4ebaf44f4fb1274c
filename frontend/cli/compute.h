/* Graphs of the data phase, compiled by the same pipeline as a model and run once. */
#ifndef PTM_CLI_COMPUTE_H
#define PTM_CLI_COMPUTE_H

#include "codegen/codegen.h"

/* Whether the results have room in this machine; reports if not. */
bool compute_fits(const Graph *graph, Place place, Diagnostics *d);

/* inputs[k]: the packed bytes of graph->inputs.at[k]. results[k]: room for those of graph->outputs.at[k]. code: how
 * to compile, and the threads that run. False after reporting at `place`. */
bool compute_graph(Arena *arena, Graph *graph, const CodeOptions *code, const void *const *inputs, void *const *results,
                   Place place, Diagnostics *d);

#endif
