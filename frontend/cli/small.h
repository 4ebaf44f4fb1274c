/* A training step on little data, for what compares numbers: the first rows and columns of the batches that the first
 * step gets, as few as the model's entry takes. */
#ifndef PTM_CLI_SMALL_H
#define PTM_CLI_SMALL_H

#include "frontend/cli/step.h"
#include "ir/eval.h"

typedef struct Small {
    Graph       *graph;                  /* of the entry, for these batches */
    Tensor     **batch;                  /* by stream of the stage */
    const char **names;                  /* the inputs that they are given to */
    int          count;
    uint64_t     seed;                   /* of --seed */
} Small;

/* The stage's graphs are made. Afterwards the step has this one only. False after printing what is wrong. */
bool small_open(Session *s, StepSource *step, Small *out);

/* A value for each input of a graph on this model: the batches; parameters, states and tables as a run begins with
 * them, at step 0. noise: the bound of what is added to each parameter, so that none sits at a kink. NULL after
 * printing what is missing. */
Tensor **small_inputs(Session *s, const Small *small, const Graph *graph, double noise);

#endif
