/* What is due after a step, as the recipe says. Steps of a stage are counted from its begin. */
#ifndef PTM_RUNTIME_DUE_H
#define PTM_RUNTIME_DUE_H

#include "runtime/train/recipe.h"

int64_t due_total(const Recipe *r);                          /* steps of all stages */

bool due_evaluation(const RtStage *stage, const RtEvaluation *evaluation, int64_t stage_step);
/* How often it has been due in the first `stage_step` steps. */
int64_t due_evaluations(const RtStage *stage, const RtEvaluation *evaluation, int64_t stage_step);

/* A line of metrics, a checkpoint. step: of the whole run. */
bool due_log(const Recipe *r, const RtStage *stage, int64_t step, int64_t stage_step);
bool due_save(const Recipe *r, const RtStage *stage, int64_t step, int64_t stage_step);

/* The evaluation that chooses the best weights, or NULL. */
const RtEvaluation *due_chooser(const Recipe *r);

#endif
