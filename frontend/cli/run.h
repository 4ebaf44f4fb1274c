/* A model in memory: compiled programs over blocks with parameters and tables in them. Shared by train, eval and
 * generate. */
#ifndef PTM_CLI_RUN_H
#define PTM_CLI_RUN_H

#include "frontend/cli/initial.h"
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
    Initial     *drawing;                /* runs it; NULL: not begun, or over */
    Pool        *pool;
    char        *param, *constants;
    RtValue     *params, *tables;
    int          param_count, table_count;
    RtStage     *stages;                 /* of train: one for each that runs; else one for the evaluations */
    int          stage_count;
    uint64_t     seed;
    Graphs       also_graphs;            /* of entries that are compiled beside: their parameters have places too */
    Vec(Job *)   also;                   /* their jobs, once they are built: run_memory begins their states */
} Run;

/* Compiles what the command needs. `training`: the steps of all stages with their optimizers; always: the evaluations,
 * of those stages; else of the one that --stage names, or of all. */
bool run_open(Run *r, Session *s, bool training);
void run_close(Run *r);

/* The first parts of run_open: the steps of all stages; and the states of one with its plans, once there is
 * r->layout. */
bool run_open_steps(Run *r);
bool run_open_rest(Run *r, bool training);
bool run_open_step(Run *r, int stage);

/* Reads parameters by path from a run directory or a file into the block that they lie in. All must be there. */
bool run_read(Session *s, const RtValue *params, int count, char *block, const char *weights);

/* Allocates the blocks and fills them: tables from `data`; states drawn from the seed; parameters too, or read from
 * --weights. extra: a job beside those of the run, or NULL. */
bool run_memory(Run *r, Job *extra);

/* The parameters as a run begins with them, again. */
bool run_begin(Run *r);

int64_t run_steps(const Run *r);         /* of all stages */

/* The passes of a stage that trains, with the options of its steps as they are now; and what follows them. */
bool run_plan_step(Run *r, int stage);
bool run_compile_step(Run *r, int stage);

/* The memory of a run, once everything is planned (needs.c). */
typedef struct Needs {
    int64_t states, sums;                /* of the neediest stage and the neediest evaluation */
    int64_t step, evaluation, initial;   /* work of each; they share one block */
    int64_t work;                        /* the largest of the three */
    int64_t arena;                       /* all blocks, those of parameters, tables and threads included */
} Needs;
Needs run_needs(const Run *r);

/* The program that needs most of the work: of a stage's step, in a variant; or of an evaluation (stage -1). build NULL:
 * there is none. */
typedef struct Neediest {
    int          stage, variant;
    const Build *build;
} Neediest;
Neediest run_neediest_step(const Run *r);
Neediest run_neediest_evaluation(const Run *r);

/* fit.c: brings the arena of training down to `size` bytes by making values again. False after saying what stands in
 * the way, and how much is the least. */
bool run_fit(Run *r, int64_t size);

/* False after saying that the arena is more than this process can have. */
bool run_fits_machine(const Run *r);

#endif
