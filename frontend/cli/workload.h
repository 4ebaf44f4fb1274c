/* What is timed: training steps of the model's first stage, as `ptm train` makes them, or an entry on drawn numbers. */
#ifndef PTM_CLI_WORKLOAD_H
#define PTM_CLI_WORKLOAD_H

#include "frontend/cli/run.h"
#include "runtime/train/history.h"
#include "runtime/train/run.h"

typedef struct Workload {
    Run         run;
    const char *title;                   /* "training step", "logits" */
    const Job  *job;                     /* of run.trains, or `entry` */
    Job         entry;                   /* owned, like blocks and history */
    Blocks      blocks;
    History     history;
    Recipe      recipe;
    int64_t     made;                    /* steps, or calls */
} Workload;

/* That of --entry, whose dimensions come from --dim: whole numbers are 0, others are drawn from [0, 1). Else the step,
 * on the batches that training begins with. False after printing what is wrong; close it all the same. */
bool workload_open(Session *s, Workload *out);

/* Once more. watch: NULL, or what looks on. False after printing what went wrong. */
bool workload_once(Workload *w, const RtWatch *watch);

/* `count` of them after a few that do not count: their seconds, sorted. NULL after printing what went wrong. */
const double *workload_time(Workload *w, int count);

double workload_products(const Workload *w);                 /* operations in einsums, of the dearest program */
int64_t workload_memory(const Workload *w);                  /* bytes of all its blocks and of the threads */
int64_t workload_items(const Workload *w, const char **unit);        /* in a step; 0: not counted */
void workload_close(Workload *w);

#endif
