/* An `evaluate` line, compiled: a job for each of its terms, and the program around them. */
#ifndef PTM_CLI_MEASURE_H
#define PTM_CLI_MEASURE_H

#include "frontend/cli/job.h"

typedef struct Measure {
    const Evaluation *from;
    Variants         *variants;          /* of each term */
    Graph          ***graphs;            /* of each term, by variant */
    Job              *jobs;              /* by term; owned */
    Build             post;              /* the program around the terms; NULL code: none. Owned */
} Measure;

/* Elaborates the terms. False after printing what is wrong. */
bool measure_open(Session *s, const Evaluation *from, Measure *out);
void measure_add_graphs(Session *s, const Measure *m, Graphs *to);

/* Compiles them. */
bool measure_build(Session *s, const Layout *shared, Measure *m);
bool measure_initial(Session *s, Measure *m, Pool *pool, char *const *block, uint64_t seed);

/* For a stage; again once the states have their initial values. */
RtEvaluation measure_evaluation(Session *s, const Measure *m);

int64_t measure_scratch(const Measure *m);
void    measure_close(Measure *m);

#endif
