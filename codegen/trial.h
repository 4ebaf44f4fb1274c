/* A plan as machine code with memory of its own, run on tensors: for whatever compares numbers. The memory is painted
 * first, so that reading what was never written shows. */
#ifndef PTM_TRIAL_H
#define PTM_TRIAL_H

#include "codegen/codegen.h"
#include "ir/eval.h"
#include "runtime/core/pool.h"

typedef struct Trial {
    const Plan    *plan;
    Code          *code;                 /* owned, like pool and blocks */
    const Program *program;
    Pool          *pool;
    char          *block[BLOCK_COUNT];
    RtFault        fault;
} Trial;

/* threads: of the run; 0: one per processor. False after an error report; close it all the same. */
bool trial_open(Trial *t, const Plan *plan, int threads, const CodeOptions *options, Diagnostics *d);
void trial_close(Trial *t);

/* Gives an input its value; data must be given before every run. False: the plan's graph has none of this name. */
bool trial_set(Trial *t, const char *name, const Tensor *value);

/* Runs once. False: t->fault says which index is bad. */
bool trial_run(Trial *t);

/* What an output of the plan's graph came to: an update lies where its input does. */
Tensor *trial_get(const Trial *t, Arena *arena, const Output *output);

#endif
