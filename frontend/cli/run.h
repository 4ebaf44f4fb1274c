/* A model in memory: compiled programs over blocks with parameters and tables in them. Shared by train, eval and
 * generate. */
#ifndef PTM_CLI_RUN_H
#define PTM_CLI_RUN_H

#include "frontend/cli/measure.h"
#include "frontend/cli/step.h"

typedef struct Run {
    Session     *s;
    Layout      *layout;                 /* of parameters and tables */
    StepSource  *steps;                  /* of train only: of each stage that runs */
    Job         *trains;                 /* the same; owned */
    int          train_count;
    Vec(Measure) measures;               /* of all evaluations; owned */
    Build        initial;
    Pool        *pool;
    char        *param, *constants;
    RtValue     *params, *tables;
    int          param_count, table_count;
    RtStage     *stages;                 /* of train: one for each that runs; else one for the evaluations */
    int          stage_count;
    uint64_t     seed;
} Run;

/* Compiles what the command needs. `training`: the steps of all stages with their optimizers; always: the evaluations,
 * of those stages or of the last one. */
bool run_open(Run *r, Session *s, bool training);
void run_close(Run *r);

/* Allocates the blocks and fills them: tables from `data`; parameters and states drawn from the seed, parameters then
 * read from --weights where given. extra: a job beside those of the run, or NULL. */
bool run_memory(Run *r, Job *extra);

/* The parameters as a run begins with them, again. */
bool run_begin(Run *r);

int64_t run_steps(const Run *r);         /* of all stages */

/* Prints the memory certificate of training. memory: of the recipe. */
void certificate_print(FILE *out, const Run *r, const RtMemory *memory);

#endif
