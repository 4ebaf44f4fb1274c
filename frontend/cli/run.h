/* A model in memory: compiled programs over blocks with parameters and states in them. Shared by train, eval and
 * generate. */
#ifndef PTM_CLI_RUN_H
#define PTM_CLI_RUN_H

#include "frontend/cli/session.h"
#include "runtime/train/recipe.h"

typedef struct Run {
    Session     *s;
    StepSource   step;                   /* of train only */
    Layout      *layout;
    Build        train, initial;
    Build       *terms;                  /* full and rest of every term of every evaluation, in order */
    int          term_count;
    Build       *posts;                  /* of every evaluation: the program around its terms; NULL code: none */
    RtEvaluation *evaluations;
    int          evaluation_count;
    Pool        *pool;
    char        *param, *state, *constants;
    RtValue     *params, *states, *tables;
    int          param_count, state_count, table_count;
    uint64_t     seed;
} Run;

/* Compiles what the command needs. `training`: the step with its optimizer; always: every evaluation. */
bool run_open(Run *r, Session *s, bool training);
void run_close(Run *r);

/* Allocates the blocks and fills them: tables from `data`; parameters and states drawn from the seed, then read from
 * --weights where given. `extra` are graphs of further entries. */
bool run_memory(Run *r, const Build *extra, int extra_count);

/* Prints the memory certificate of training. memory: of the recipe. */
void certificate_print(FILE *out, const Run *r, const RtMemory *memory);

#endif
