/* The training step of a stage: its entry for every variant of its streams, and the optimizer's code. */
#ifndef PTM_CLI_STEP_H
#define PTM_CLI_STEP_H

#include "frontend/cli/build.h"
#include "frontend/cli/variants.h"

typedef struct StepSource {
    const StageSpec   *stage;
    Variants           variants;
    Graph            **graphs;           /* by variant; NULL: no step has it. With shards, two more behind them: what
                                            merges gradients and what updates, which step_optimizer makes */
    PassOptions       *passes;           /* the same, for all but the layout */
    int64_t            shards;           /* batches to a step */
    const ParamUpdate *updates;          /* of every parameter that the stage trains */
    int                update_count;
    int64_t            steps, epoch_steps;
} StepSource;

/* Elaborates the entry, and counts the steps as `steps` or `epochs` says; a stage without streams has no passes. False
 * after printing what is wrong. */
bool step_graphs(Session *s, const StageSpec *stage, StepSource *out);

/* How many programs a step has beside those of its variants. */
int step_programs(const StepSource *step);

/* The optimizer's code for a stage of out->steps steps, once the graphs of all stages are made. */
bool step_optimizer(Session *s, StepSource *out);

#endif
