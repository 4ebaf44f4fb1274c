/* Running programs on streams: inputs filled, states begun, faults put into words, evaluations reduced. */
#ifndef PTM_RUNTIME_RUN_H
#define PTM_RUNTIME_RUN_H

#include "runtime/train/recipe.h"

/* A scalar or an element, as f64. */
double value_element(char *const *block, const RtValue *value, int64_t index);

/* What fills an input, or NULL. */
const RtFeed *run_feed(const RtRun *run, const RtValue *input);

/* The stream that says which variant a batch has; NULL without streams. Any other of the same call says the same. */
const RtStream *runs_stream(const RtRuns *runs);

/* The program for a training batch, for a batch of a finite pass. */
const RtRun *runs_step(const RtRuns *runs, uint64_t seed, int64_t batch);
const RtRun *runs_pass(const RtRuns *runs, int64_t index);

/* The ambient numbers; training batch `batch` of the streams. */
void run_fill_ambient(const RtRun *run, char *const *block, uint64_t seed, int64_t step);
void run_fill_batch(const RtRun *run, char *const *block, uint64_t seed, int64_t batch);

/* Batch `index` of a finite pass. step: for the ambient number alone. */
void run_fill_pass(const RtRun *run, char *const *block, uint64_t seed, int64_t step, int64_t index);

/* States as they begin, in a block of rt_memory_new: all of them, or those that a new pass resets. */
void states_begin(const RtStates *states, char *block);
void states_begin_pass(const RtStates *states, char *block);

/* Blocks in which all programs of a recipe can run, one after the other: work shared, states of evaluations apart from
 * those of training. */
typedef struct Blocks {
    char   *train[BLOCK_COUNT], *evaluate[BLOCK_COUNT];
    int64_t work_bytes, train_bytes, sum_bytes, evaluate_bytes;      /* of what was made here: the work block, both
                                                                        state blocks, and training's slots of sums */
} Blocks;
bool blocks_new(const Recipe *recipe, Blocks *blocks, RtError *e);
void blocks_free(Blocks *blocks);

/* One evaluation over its whole pass. RT_INTERRUPTED: asked to stop in the middle of it. */
RtOutcome evaluate_one(const Recipe *recipe, const Blocks *blocks, const RtEvaluation *evaluation, int64_t step,
                       double *value, RtError *e);

#endif
