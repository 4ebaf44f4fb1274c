/* A job: an entry at work over streams, compiled for each variant of its batches, with the states that it carries from
 * batch to batch. Parameters and tables lie where everybody's do; the states are the job's own. */
#ifndef PTM_CLI_JOB_H
#define PTM_CLI_JOB_H

#include "frontend/cli/build.h"
#include "frontend/cli/variants.h"
#include "runtime/core/pool.h"
#include "runtime/train/recipe.h"

typedef struct Job {
    const char  *title;                  /* for messages: "training", "evaluate loss" */
    Graph *const *graphs;                /* by variant; NULL: no batch has it. Of steps of several shards there are two
                                            more behind them: what merges and what updates */
    int          count, shapes;          /* graphs in all; those by variant */
    Layout      *layout;
    const Graph *drawn;                  /* the initial values that are not zero; NULL: there are none */
    Build       *builds;                 /* as `graphs`; owned */
    Build        drawing;                /* the program of `drawn`; owned */
    RtRun       *run;                    /* as `graphs` */
    RtStates     states;
    char        *initial;                /* owned; states.bytes of them, or NULL */
} Job;

/* Gives the states their places: those of `kept` (the optimizer's code) first. graphs: `shapes` of them by variant,
 * then `more` others. False after saying which state has another shape in another variant. */
bool job_open(Session *s, const char *title, Graph *const *graphs, int shapes, int more, const Graphs *kept,
              const Layout *shared, Job *out);

/* Runs the passes, also once more; compiles; both. passes: as `graphs`, without layout; NULL: nothing is trained. The
 * runs have no feeds yet. */
bool job_plan(Session *s, const PassOptions *passes, Job *job);
bool job_compile(Session *s, Job *job);
bool job_build(Session *s, const PassOptions *passes, Job *job);

/* Stream k feeds the input names[k] in every variant that reads it; the leader comes first among the feeds. */
void job_feed(Session *s, Job *job, const Variants *variants, const char *const *names);

/* Makes job->states.initial, if there is anything to draw; `block` has the tables. */
bool job_initial(Session *s, Job *job, Pool *pool, char *const *block, uint64_t seed);

int64_t job_scratch(const Job *job);     /* of the neediest program, for the pool */
RtRuns  job_runs(const Job *job);
void    job_close(Job *job);

/* The work block of a program of initial values, with its inputs "seed" and "step" (0). NULL: no memory. */
char *job_draw_work(const Program *p, uint64_t seed);
/* Runs a program of initial values: inputs "seed" and "step" (0) and what the blocks hold. work is made for it. */
bool job_draw(Session *s, const Program *program, Pool *pool, char *const *block, uint64_t seed);

#endif
