/* Training, one step at a time: what rt_train does between two lines of metrics, without a directory. */
#include "frontend/cli/embed/embed.h"
#include "frontend/cli/recipe.h"
#include "runtime/train/due.h"
#include "runtime/train/step.h"

PtmTraining *ptm_training(PtmModel *model, PtmError *error)
{
    if (model->built || model->training) {
        embed_fail(error, model->built ? "the model is built already: ask for training before"
                                       : "training of this model was asked for already");
        return NULL;
    }
    Session *s = &model->session;
    bool complete = model_complete(s->model, s->diagnostics);
    if (!session_report(s) || !complete || !run_open_steps(&model->run)) {
        embed_failed(model, error);
        return NULL;
    }
    model->training = arena_new_of(model->session.arena, PtmTraining);
    *model->training = (PtmTraining){ .model = model };
    return model->training;
}

bool training_open(PtmTraining *t)
{
    RtError error;
    recipe_of(&t->model->run, &t->recipe);
    return blocks_new(&t->recipe, &t->blocks, &error)
        || (session_fail(&t->model->session, "%s", error.text) && false);
}

void training_close(PtmTraining *t)
{
    blocks_free(&t->blocks);
    history_free(&t->history);
}

int64_t ptm_training_steps(const PtmTraining *t) { return run_steps(&t->model->run); }

int64_t ptm_training_made(const PtmTraining *t) { return t->made; }

static const RtStage *stage_of(const PtmTraining *t) { return &t->recipe.stages[t->stage]; }

/* Goes on to the stage of the next step, whose states and histories begin afresh. */
static bool find_stage(PtmTraining *t, PtmError *error)
{
    RtError e;
    if (t->made == ptm_training_steps(t)) return embed_fail(error, "all %lld steps are made", (long long)t->made);
    while (t->made_of_stage == stage_of(t)->steps) {
        history_free(&t->history);
        t->begun = false;
        t->made_of_stage = 0;
        t->stage++;
    }
    if (t->begun) return true;
    if (!history_new(stage_of(t), &t->history, &e)) return embed_fail(error, "%s", e.text);
    states_begin(&stage_of(t)->states, t->blocks.train[BLOCK_state]);
    return t->begun = true;
}

/* A step whose rate follows evaluations needs those that are due. */
static bool note_evaluations(PtmTraining *t, PtmError *error)
{
    const RtStage *stage = stage_of(t);
    for (int i = 0; t->history.count > 0 && i < stage->evaluation_count; i++) {
        const RtEvaluation *evaluation = &stage->evaluations[i];
        double value;
        if (!due_evaluation(stage, evaluation, t->made_of_stage)) continue;
        if (!ptm_training_evaluate(t, i, NULL, &value, error)) return false;
        history_note(&t->history, i, due_evaluations(stage, evaluation, t->made_of_stage) - 1, value);
    }
    return true;
}

bool ptm_training_step(PtmTraining *t, double *loss, PtmError *error)
{
    RtError e;
    if (!t->recipe.pool) return embed_fail(error, "the model is not built yet");
    if (!find_stage(t, error)) return false;
    const RtStage *stage = stage_of(t);
    uint64_t seed = rt_stage_seed(t->recipe.seed, t->stage);
    int variant = step_make(&t->recipe, stage, &t->blocks, &t->history, seed, t->made_of_stage, &e);
    if (variant < 0) return embed_fail(error, "%s", e.text);
    t->made++;
    t->made_of_stage++;
    if (loss) *loss = value_element(t->blocks.train, stage->loss[variant], 0);
    return note_evaluations(t, error);
}

bool ptm_training_evaluate(PtmTraining *t, int k, const char **name, double *value, PtmError *error)
{
    RtError e;
    if (!t->recipe.pool) return embed_fail(error, "the model is not built yet");
    const RtStage *stage = stage_of(t);
    if (k < 0 || k >= stage->evaluation_count)
        return embed_fail(error, "there are %d evaluations, and none of number %d", stage->evaluation_count, k);
    if (name) *name = stage->evaluations[k].name;
    if (evaluate_one(&t->recipe, &t->blocks, &stage->evaluations[k], t->made_of_stage, value, &e) == RT_DONE)
        return true;
    return embed_fail(error, "%s", e.text);
}
