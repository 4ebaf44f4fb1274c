/* Running programs on streams: inputs filled, faults put into words, evaluations reduced. */
#ifndef PTM_RUNTIME_RUN_H
#define PTM_RUNTIME_RUN_H

#include "runtime/train/recipe.h"

/* A scalar or an element, as f64. */
double value_element(char *const *block, const RtValue *value, int64_t index);

/* The batch of training step `step`, and the ambient numbers. */
void run_fill_step(const RtRun *run, char *const *block, uint64_t seed, int64_t step);

/* Batch `index` of a finite pass; returns its rows. step: for the ambient number alone. */
int64_t run_fill_pass(const RtRun *run, char *const *block, uint64_t seed, int64_t step, int64_t index);

/* Blocks in which all programs of a recipe can run, one after the other: work shared, states of evaluations apart. */
typedef struct Blocks {
    char   *train[BLOCK_COUNT], *evaluate[BLOCK_COUNT];
    int64_t work_bytes, state_bytes;     /* of what was made here: the work block, and the evaluations' states */
} Blocks;
bool blocks_new(const Recipe *recipe, Blocks *blocks, RtError *e);
void blocks_free(Blocks *blocks);

/* One evaluation over its whole pass. */
bool evaluate_one(const Recipe *recipe, const Blocks *blocks, const RtEvaluation *evaluation, int64_t step,
                  double *value, RtError *e);

#endif
