/* One training step: a batch, or several shards. The gradients and losses of shards are added in a binary tree that
 * depends on their number alone; then one program updates the parameters by their mean. */
#ifndef PTM_RUNTIME_STEP_H
#define PTM_RUNTIME_STEP_H

#include "runtime/train/history.h"
#include "runtime/train/run.h"

/* How many sums a step of so many shards keeps at most: those of subtrees that are complete, and the newest. */
int step_slots(int64_t shards);

/* Makes step `made` (the first is 0) of a stage, with its states reset where a pass begins. Returns the variant whose
 * outputs are those of the step, or -1 when *e says what went wrong. */
int step_make(const Recipe *recipe, const RtStage *stage, const Blocks *blocks, const History *history, uint64_t seed,
              int64_t made, RtError *e);

#endif
