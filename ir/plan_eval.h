/* Reference values of a plan: its kernels one after the other, with the reference evaluator inside. Order, places and
 * lifetimes are right when the values are those of the graph. */
#ifndef PTM_PLAN_EVAL_H
#define PTM_PLAN_EVAL_H

#include "ir/eval.h"
#include "ir/plan.h"

/* Over what memory: the planned bytes, as machine code has them; or, for a plan that is not placed yet (from `schedule`
 * on), bytes of its own for every buffer. */
typedef enum PlanMemory { PLAN_placed, PLAN_apart } PlanMemory;

/* inputs[k] belongs to p->graph->inputs.at[k], results[k] to p->graph->outputs.at[k]. NULL, or a message: an id out of
 * range, or a kernel that reads in place what it does not. */
const char *plan_eval(const Plan *p, PlanMemory memory, Tensor *const *inputs, Tensor **results, Arena *arena);

#endif
