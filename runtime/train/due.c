/* Counting steps. */
#include "runtime/train/due.h"

enum { LOG_EVERY = 10, SAVES = 10 };

int64_t due_total(const Recipe *r)
{
    int64_t total = 0;
    for (int i = 0; i < r->stage_count; i++) total += r->stages[i].steps;
    return total;
}

static bool is_multiple(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

static int64_t period(const RtStage *stage, const RtEvaluation *evaluation)
{
    return evaluation->every > 0 ? evaluation->every : stage->epoch_steps;
}

bool due_evaluation(const RtStage *stage, const RtEvaluation *evaluation, int64_t stage_step)
{
    return stage_step == stage->steps || is_multiple(stage_step, period(stage, evaluation));
}

int64_t due_evaluations(const RtStage *stage, const RtEvaluation *evaluation, int64_t stage_step)
{
    int64_t every = period(stage, evaluation), count = every > 0 ? stage_step / every : 0;
    bool at_end = stage_step > 0 && stage_step == stage->steps && !is_multiple(stage_step, every);
    return count + at_end;
}

static bool any_evaluation(const RtStage *stage, int64_t stage_step)
{
    for (int i = 0; i < stage->evaluation_count; i++) {
        if (due_evaluation(stage, &stage->evaluations[i], stage_step)) return true;
    }
    return false;
}

bool due_log(const Recipe *r, const RtStage *stage, int64_t step, int64_t stage_step)
{
    return stage_step == 1 || stage_step == stage->steps || any_evaluation(stage, stage_step)
        || is_multiple(step, r->log_every > 0 ? r->log_every : LOG_EVERY);
}

bool due_save(const Recipe *r, const RtStage *stage, int64_t step, int64_t stage_step)
{
    if (stage_step == stage->steps) return true;
    if (r->save_every > 0) return is_multiple(step, r->save_every);
    if (stage->evaluation_count > 0) return due_evaluation(stage, &stage->evaluations[0], stage_step);
    return is_multiple(stage_step, stage->steps / SAVES > 0 ? stage->steps / SAVES : 1);
}

const RtEvaluation *due_chooser(const Recipe *r)
{
    if (r->stage_count == 0) return NULL;
    const RtStage *last = &r->stages[r->stage_count - 1];
    for (int i = 0; i < last->evaluation_count; i++) {
        if (last->evaluations[i].better != 0) return &last->evaluations[i];
    }
    return NULL;
}
