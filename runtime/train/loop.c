/* The training loop: fill, run, look, write. Whatever it needs is made before the first step. */
#include "runtime/train/recipe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/data/value.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/interrupt.h"
#include "runtime/train/metrics.h"
#include "runtime/train/progress.h"
#include "runtime/train/run.h"
#include "runtime/train/rundir.h"

enum { LOG_EVERY = 10, SAVES = 10, LINE_ROOM = 512, NUMBER_ROOM = 64 };

typedef struct Session {
    const Recipe *recipe;
    RunDirectory  directory;
    Blocks        blocks;
    Saver        *saver;
    Metrics       metrics;
    Progress      progress;
    Position      position;
    int64_t       saved_step;            /* of the last checkpoint; -1: none */
    int64_t       logged_step;
    double        logged_training_s;     /* at the last line */
    double        loss, lr, grad_norm;   /* of the last step; NaN: there is none */
} Session;

static int metrics_room(const Recipe *r)
{
    int room = LINE_ROOM;
    for (int i = 0; i < r->evaluation_count; i++) room += (int)strlen(r->evaluations[i].name) + NUMBER_ROOM;
    return room;
}

static bool is_due(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

static bool evaluation_due(const Recipe *r, const RtEvaluation *evaluation, int64_t step)
{
    return step == r->steps || is_due(step, evaluation->every > 0 ? evaluation->every : r->epoch_steps);
}

static bool any_evaluation_due(const Recipe *r, int64_t step)
{
    for (int i = 0; i < r->evaluation_count; i++) {
        if (evaluation_due(r, &r->evaluations[i], step)) return true;
    }
    return false;
}

static bool log_due(const Recipe *r, int64_t step)
{
    return step == 1 || step == r->steps || is_due(step, r->log_every > 0 ? r->log_every : LOG_EVERY) ||
           any_evaluation_due(r, step);
}

static bool save_due(const Recipe *r, int64_t step)
{
    if (step == r->steps || r->save_every > 0) return step == r->steps || is_due(step, r->save_every);
    if (r->evaluation_count > 0) return evaluation_due(r, &r->evaluations[0], step);
    return is_due(step, r->steps / SAVES > 0 ? r->steps / SAVES : 1);
}

static double output_of(const Session *s, const RtValue *output)
{
    return output ? value_element(s->blocks.train, output, 0) : NAN;
}

/* A run whose loss is no number any more has lost its parameters too; the last checkpoint still has good ones. */
static bool check_loss(const Session *s, double before, RtError *e)
{
    if (isfinite(s->loss)) return true;
    char kept[64] = "no checkpoint has been written";
    if (s->saved_step >= 0) snprintf(kept, sizeof kept, "the last checkpoint is of step %" PRId64, s->saved_step);
    const char *what = isnan(s->loss) ? "not a number" : "infinite";
    if (isnan(before)) return rt_fail(e, "the loss is %s at step %" PRId64 "; %s", what, s->position.step, kept);
    return rt_fail(e, "the loss is %s at step %" PRId64 " (%.6g at the step before); %s. "
                   "A smaller learning rate, a longer warm-up or clip may help", what, s->position.step, before, kept);
}

static bool train_step(Session *s, RtError *e)
{
    const Recipe *r = s->recipe;
    double start = clock_s(), before = s->loss;
    run_fill_step(&r->train, s->blocks.train, r->seed, s->position.step);
    RtFault fault;
    if (rt_program_run(r->train.program, r->pool, s->blocks.train, &fault) != 0) {
        rt_fault_text(r->train.program, &fault, e);
        return false;
    }
    s->position.step++;
    s->loss = output_of(s, r->loss);
    s->lr = output_of(s, r->lr);
    s->grad_norm = output_of(s, r->grad_norm);
    if (!check_loss(s, before, e)) return false;
    progress_step(&s->progress, s->position.step, clock_s() - start, s->loss, s->lr);
    return true;
}

/* Digits from which the same number is read back. */
static int exact_digits(const RtValue *value) { return value->dtype == RT_f64 ? 17 : 9; }

static void log_step(Session *s)
{
    const Recipe *r = s->recipe;
    Metrics *m = &s->metrics;
    metrics_begin(m, s->position.step);
    metrics_number(m, "", "epoch", r->epoch_steps > 0 ? (double)s->position.step / (double)r->epoch_steps : NAN, 6);
    if (r->lr) metrics_number(m, "", "lr", s->lr, exact_digits(r->lr));
    metrics_number(m, "", "loss", s->loss, exact_digits(r->loss));
    if (r->grad_norm) metrics_number(m, "", "grad_norm", s->grad_norm, exact_digits(r->grad_norm));
}

static void log_times(Session *s)
{
    double steps = (double)(s->position.step - s->logged_step);
    double seconds = s->progress.training_s - s->logged_training_s;
    metrics_number(&s->metrics, "", "step_s", seconds / steps, 4);
    metrics_number(&s->metrics, "", "session_s", clock_s() - s->progress.start_s, 6);
    s->logged_step = s->position.step;
    s->logged_training_s = s->progress.training_s;
}

/* The first evaluation with a direction chooses the best weights. */
static const RtEvaluation *chooser(const Recipe *r)
{
    for (int i = 0; i < r->evaluation_count; i++) {
        if (r->evaluations[i].better != 0) return &r->evaluations[i];
    }
    return NULL;
}

static bool improves(const RtEvaluation *evaluation, double value, double best)
{
    if (isnan(value) || isnan(best)) return !isnan(value);
    return evaluation->better < 0 ? value < best : value > best;
}

static bool note_best(Session *s, const RtEvaluation *evaluation, double value, RtError *e)
{
    if (evaluation != chooser(s->recipe) || !improves(evaluation, value, s->position.best)) return true;
    s->position.best = value;
    s->position.best_step = s->position.step;
    return !s->saver || saver_write_weights(s->saver, s->directory.best, &s->position, e);
}

static bool evaluate_due(Session *s, RtError *e)
{
    const Recipe *r = s->recipe;
    for (int i = 0; i < r->evaluation_count; i++) {
        const RtEvaluation *evaluation = &r->evaluations[i];
        if (!evaluation_due(r, evaluation, s->position.step)) continue;
        double start = clock_s(), value;
        if (!evaluate_one(r, &s->blocks, evaluation, s->position.step, &value, e)) return false;
        metrics_number(&s->metrics, "valid_", evaluation->name, value, 17);
        progress_line(&s->progress, "step %" PRId64 "  valid_%s %.6g  (%.2f s)", s->position.step, evaluation->name,
                      value, clock_s() - start);
        if (!note_best(s, evaluation, value, e)) return false;
    }
    return true;
}

/* A checkpoint on the disk has its lines of metrics there too: a resumed run does not write them again. */
static bool save(Session *s, RtError *e)
{
    if (!s->saver || s->saved_step == s->position.step) return true;
    if (!metrics_flush(&s->metrics, e)) return false;
    if (!saver_write_all(s->saver, s->directory.last, &s->position, e)) return false;
    s->saved_step = s->position.step;
    return true;
}

/* What follows a step: a line of metrics, evaluations, a checkpoint. */
static bool look(Session *s, RtError *e)
{
    const Recipe *r = s->recipe;
    if (log_due(r, s->position.step)) {
        log_step(s);
        if (!evaluate_due(s, e)) return false;
        log_times(s);
        if (!metrics_end(&s->metrics, e)) return false;
    }
    return !save_due(r, s->position.step) || save(s, e);
}

static RtOutcome stop_early(Session *s, RtError *e)
{
    if (!save(s, e)) return RT_FAILED;
    progress_line(&s->progress, "stopped after step %" PRId64 " of %" PRId64, s->position.step, s->recipe->steps);
    return RT_INTERRUPTED;
}

static RtOutcome train(Session *s, RtError *e)
{
    while (s->position.step < s->recipe->steps) {
        if (!train_step(s, e) || !look(s, e)) return RT_FAILED;
        if (interrupt_asked() && s->position.step < s->recipe->steps) return stop_early(s, e);
    }
    return RT_DONE;
}

static bool open_directory(Session *s, RtError *e)
{
    const Recipe *r = s->recipe;
    if (!r->out) return true;
    if (!rundir_open(r, &s->directory, e)) return false;
    if (s->directory.has_checkpoint) {
        if (!checkpoint_load(r, s->directory.last, &s->position, e)) return false;
        s->saved_step = s->position.step;
    }
    if (!rundir_describe(r, e)) return false;
    int64_t keep = s->directory.has_checkpoint ? s->position.step : -1;
    if (!metrics_open(&s->metrics, s->directory.metrics, keep, metrics_room(r), e)) return false;
    s->saver = saver_new(r, e);
    return s->saver != NULL;
}

static bool session_begin(Session *s, const Recipe *r, RtError *e)
{
    *s = (Session){.recipe = r,
                   .metrics = {.fd = -1},
                   .progress = {.fd = -1},
                   .position = {.best = NAN},
                   .saved_step = -1,
                   .loss = NAN};
    for (int i = 0; i < r->train.feed_count; i++) {
        if (rt_stream_steps(r->train.feeds[i].stream) > 0) continue;
        return rt_fail(e, "there are fewer rows of %s than one batch needs", r->train.feeds[i].input->name);
    }
    if (!open_directory(s, e) || !blocks_new(r, &s->blocks, e)) return false;
    s->logged_step = s->position.step;
    s->progress = progress_begin(r->progress, s->position.step, r->steps, r->tokens);
    if (s->position.step >= r->steps) {
        progress_line(&s->progress, "nothing to do: the run has made its %" PRId64 " steps", s->position.step);
    } else if (s->position.step > 0) {
        progress_line(&s->progress, "going on after step %" PRId64 " of %" PRId64, s->position.step, r->steps);
    }
    return true;
}

static void session_end(Session *s)
{
    progress_end(&s->progress);
    metrics_close(&s->metrics);
    saver_free(s->saver);
    blocks_free(&s->blocks);
}

RtOutcome rt_train(const Recipe *recipe, RtError *e)
{
    Session s;
    RtOutcome outcome = RT_FAILED;
    if (session_begin(&s, recipe, e)) {
        Interrupt interrupt;
        interrupt_begin(&interrupt);
        outcome = train(&s, e);
        interrupt_end(&interrupt);
    }
    session_end(&s);
    return outcome;
}
