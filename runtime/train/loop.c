/* The training loop: fill, run, look, write; stage after stage. Whatever it needs is made before the first step. */
#include "runtime/train/recipe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/random.h"
#include "runtime/data/value.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/due.h"
#include "runtime/train/interrupt.h"
#include "runtime/train/metrics.h"
#include "runtime/train/progress.h"
#include "runtime/train/run.h"
#include "runtime/train/rundir.h"
#include "runtime/train/step.h"

enum { LINE_ROOM = 512, NUMBER_ROOM = 64 };

typedef struct Session {
    const Recipe *recipe;
    RunDirectory  directory;
    Blocks        blocks;
    Held          held;
    Saver        *saver;
    Metrics       metrics;
    Progress      progress;
    Position      position;
    int64_t       saved_step;            /* of the last checkpoint; -1: none */
    bool          saved_pending;
    int64_t       logged_step;
    double        logged_training_s;     /* at the last line */
} Session;

static const RtStage *stage_of(const Session *s) { return &s->recipe->stages[s->position.stage]; }

static int64_t stage_step(const Session *s) { return s->position.step - s->position.begin; }

static bool stage_is_over(const Session *s) { return stage_step(s) >= stage_of(s)->steps; }

static bool is_last_stage(const Session *s) { return s->position.stage == s->recipe->stage_count - 1; }

uint64_t rt_stage_seed(uint64_t seed, int stage) { return stage > 0 ? rt_random_key(seed, (uint64_t)stage) : seed; }

/* An output of the step, of whichever variant has it; all of them are of one type. NULL: there is none. */
static const RtValue *any_output(const RtStage *stage, const RtValue *const *outputs)
{
    for (int i = 0; outputs && i < stage->train.count; i++) {
        if (outputs[i]) return outputs[i];
    }
    return NULL;
}

/* The number of a step that is not finite: its loss, or the rate, which has then spoilt the parameters; in a strict run
 * also the norm of the gradient. */
static const char *find_lost(const Session *s, double *value)
{
    const Position *p = &s->position;
    const RtStage *stage = stage_of(s);
    *value = p->loss;
    if (!isfinite(p->loss)) return "loss";
    *value = p->lr;
    if (any_output(stage, stage->lr) && !isfinite(p->lr)) return "learning rate";
    *value = p->grad_norm;
    bool lost = s->recipe->strict && any_output(stage, stage->grad_norm) && !isfinite(p->grad_norm);
    return lost ? "norm of the gradient" : NULL;
}

/* A run whose loss is no number any more has lost its parameters too; the last checkpoint still has good ones. */
static bool check_step(const Session *s, double before, double rate, RtError *e)
{
    double value;
    const char *lost = find_lost(s, &value);
    if (!lost) return true;
    char kept[64] = "no checkpoint has been written", last[80] = "";
    if (s->saved_step >= 0) snprintf(kept, sizeof kept, "the last checkpoint is of step %" PRId64, s->saved_step);
    if (!isnan(rate)) snprintf(last, sizeof last, ", with a learning rate of %.6g", rate);
    const char *what = isnan(value) ? "not a number" : "infinite";
    if (isnan(before) || isfinite(s->position.loss))
        return rt_fail(e, "the %s is %s at step %" PRId64 "; %s", lost, what, s->position.step, kept);
    return rt_fail(e, "the %s is %s at step %" PRId64 " (%.6g at the step before%s); %s. "
                   "A smaller learning rate, a longer warm-up or clip may help", lost, what, s->position.step, before,
                   last, kept);
}

/* Outputs of a step are by variant. */
static double output_of(const Session *s, const RtValue *const *outputs, int64_t variant)
{
    return outputs && outputs[variant] ? value_element(s->blocks.train, outputs[variant], 0) : NAN;
}

static RtOutcome train_step(Session *s, RtError *e)
{
    const RtStage *stage = stage_of(s);
    Position *p = &s->position;
    double start = clock_s(), before = p->loss, rate = p->lr;
    int64_t made = stage_step(s);
    if (s->recipe->step) *s->recipe->step = p->step + 1;
    uint64_t seed = rt_stage_seed(s->recipe->seed, p->stage);
    int variant = step_make(s->recipe, stage, &s->blocks, &s->held.histories[p->stage], seed, made, e);
    if (variant < 0) return RT_FAILED;
    p->step++;
    p->pending = true;
    p->loss = output_of(s, stage->loss, variant);
    p->lr = output_of(s, stage->lr, variant);
    p->grad_norm = output_of(s, stage->grad_norm, variant);
    if (!check_step(s, before, rate, e)) return RT_DIVERGED;
    progress_step(&s->progress, p->step, clock_s() - start, p->loss, p->lr);
    return RT_DONE;
}

/* With digits from which the same number is read back. */
static void log_output(Session *s, const char *name, const RtValue *const *outputs, double number)
{
    const RtValue *value = any_output(stage_of(s), outputs);
    if (value) metrics_number(&s->metrics, "", name, number, value->dtype == RT_f64 ? 17 : 9);
}

static void log_step(Session *s)
{
    const RtStage *stage = stage_of(s);
    const Position *p = &s->position;
    Metrics *m = &s->metrics;
    double epoch = stage->epoch_steps > 0 ? (double)stage_step(s) / (double)stage->epoch_steps : NAN;
    metrics_begin(m, p->step);
    if (*stage->name) metrics_text(m, "stage", stage->name);
    metrics_number(m, "", "epoch", epoch, 6);
    log_output(s, "lr", stage->lr, p->lr);
    log_output(s, "loss", stage->loss, p->loss);
    log_output(s, "grad_norm", stage->grad_norm, p->grad_norm);
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

static bool improves(const RtEvaluation *evaluation, double value, double best)
{
    if (isnan(value) || isnan(best)) return !isnan(value);
    return evaluation->better < 0 ? value < best : value > best;
}

static bool note_best(Session *s, const RtEvaluation *evaluation, double value, RtError *e)
{
    if (evaluation != due_chooser(s->recipe) || !improves(evaluation, value, s->position.best)) return true;
    s->position.best = value;
    s->position.best_step = s->position.step;
    return !s->saver || saver_write_weights(s->saver, s->directory.best, &s->position, e);
}

static RtOutcome evaluate(Session *s, int number, RtError *e)
{
    const RtStage *stage = stage_of(s);
    const RtEvaluation *evaluation = &stage->evaluations[number];
    double start = clock_s(), value;
    RtOutcome outcome = evaluate_one(s->recipe, &s->blocks, evaluation, stage_step(s), &value, e);
    if (outcome != RT_DONE) return outcome;
    metrics_number(&s->metrics, "valid_", evaluation->name, value, 17);
    history_note(&s->held.histories[s->position.stage], number,
                 due_evaluations(stage, evaluation, stage_step(s)) - 1, value);
    progress_line(&s->progress, "step %" PRId64 "  valid_%s %.6g  (%.2f s)", s->position.step, evaluation->name, value,
                  clock_s() - start);
    return note_best(s, evaluation, value, e) ? RT_DONE : RT_FAILED;
}

static RtOutcome evaluate_due(Session *s, RtError *e)
{
    const RtStage *stage = stage_of(s);
    for (int i = 0; i < stage->evaluation_count; i++) {
        if (!due_evaluation(stage, &stage->evaluations[i], stage_step(s))) continue;
        RtOutcome outcome = evaluate(s, i, e);
        if (outcome != RT_DONE) return outcome;
    }
    return RT_DONE;
}

/* A checkpoint on the disk has its lines of metrics there too: a resumed run does not write them again. */
static bool save(Session *s, RtError *e)
{
    const Position *p = &s->position;
    if (!s->saver || (s->saved_step == p->step && s->saved_pending == p->pending)) return true;
    if (!metrics_flush(&s->metrics, e)) return false;
    bool later = s->saved_step >= 0 && s->saved_step < p->step;
    if (later && !kept_add(&s->directory.kept, s->directory.last, s->saved_step, e)) return false;
    if (!saver_write_all(s->saver, s->directory.last, p, e)) return false;
    kept_prune(&s->directory.kept);
    s->saved_step = p->step;
    s->saved_pending = p->pending;
    return true;
}

/* What follows a step: a line of metrics, evaluations, a checkpoint. */
static RtOutcome look(Session *s, RtError *e)
{
    const Recipe *r = s->recipe;
    if (due_log(r, stage_of(s), s->position.step, stage_step(s))) {
        log_step(s);
        RtOutcome outcome = evaluate_due(s, e);
        if (outcome != RT_DONE) return outcome;
        log_times(s);
        if (!metrics_end(&s->metrics, e)) return RT_FAILED;
    }
    s->position.pending = false;
    return !due_save(r, stage_of(s), s->position.step, stage_step(s)) || save(s, e) ? RT_DONE : RT_FAILED;
}

static void begin_stage(Session *s, int64_t number)
{
    const RtStage *stage = &s->recipe->stages[number];
    s->position.stage = number;
    s->position.begin = s->position.step;
    states_begin(&stage->states, s->held.state);
    progress_stage(&s->progress, s->position.step, stage->items, stage->unit);
    if (*stage->name) progress_line(&s->progress, "stage %s: %" PRId64 " step%s", stage->name, stage->steps,
                                      stage->steps == 1 ? "" : "s");
}

static RtOutcome stop_early(Session *s, RtError *e)
{
    if (!save(s, e)) return RT_FAILED;
    progress_line(&s->progress, "stopped after step %" PRId64 " of %" PRId64, s->position.step, due_total(s->recipe));
    return RT_INTERRUPTED;
}

/* A run that went on may have stopped before it had looked. */
static RtOutcome train(Session *s, RtError *e)
{
    for (;;) {
        RtOutcome outcome = s->position.pending ? look(s, e) : RT_DONE;
        if (outcome == RT_FAILED) return outcome;
        if (outcome == RT_DONE && stage_is_over(s) && is_last_stage(s)) return RT_DONE;
        if (interrupt_asked()) return stop_early(s, e);
        outcome = RT_DONE;
        if (stage_is_over(s)) begin_stage(s, s->position.stage + 1);
        else outcome = train_step(s, e);
        if (outcome != RT_DONE) return outcome;
    }
}

/* Beginning and ending. */

static int metrics_room(const Recipe *r)
{
    int most = 0;
    for (int k = 0; k < r->stage_count; k++) {
        const RtStage *stage = &r->stages[k];
        int room = LINE_ROOM + 2 * (int)strlen(stage->name);
        for (int i = 0; i < stage->evaluation_count; i++)
            room += (int)strlen(stage->evaluations[i].name) + NUMBER_ROOM;
        if (room > most) most = room;
    }
    return most;
}

/* A stage needs batches to train on. */
static bool check_streams(const RtStage *stage, RtError *e)
{
    for (int v = 0; v < stage->train.count; v++) {
        const RtRun *run = &stage->train.run[v];
        for (int i = 0; run->program && i < run->feed_count; i++) {
            if (rt_stream_steps(run->feeds[i].stream) > 0) continue;
            return rt_fail(e, "there are fewer rows of %s than one batch needs", run->feeds[i].input->name);
        }
        if (run->program) return true;
    }
    return rt_fail(e, "there are fewer rows than one batch needs");
}

static bool hold(Session *s, RtError *e)
{
    const Recipe *r = s->recipe;
    if (!blocks_new(r, &s->blocks, e)) return false;
    s->held.state = s->blocks.train[BLOCK_state];
    s->held.histories = calloc((size_t)r->stage_count, sizeof *s->held.histories);
    if (!s->held.histories) return rt_fail(e, "out of memory");
    for (int i = 0; i < r->stage_count; i++) {
        if (!check_streams(&r->stages[i], e) || !history_new(&r->stages[i], &s->held.histories[i], e)) return false;
    }
    return true;
}

static Loaded load(Session *s, const char *path, RtError *e)
{
    Loaded loaded = checkpoint_load(s->recipe, s->held, path, &s->position, e);
    if (loaded != LOADED) return loaded;
    s->saved_step = s->position.step;
    s->saved_pending = s->position.pending;
    return LOADED;
}

static void warn(const Session *s, const char *text)
{
    if (s->recipe->warn) s->recipe->warn(text);
}

/* The newest whole one of those before the last, which then becomes the last. `e` says why that is nothing to go on
 * from, and says so still when there is no other. */
static bool load_kept(Session *s, RtError *e)
{
    RunDirectory *d = &s->directory;
    char path[RUN_PATH_BYTES];
    for (int64_t i = d->kept.count - 1; i >= 0; i--) {
        RtError other;
        if (!kept_path(&d->kept, d->kept.steps[i], path, sizeof path, e)) return false;
        Loaded loaded = load(s, path, &other);
        if (loaded == LOADED) {
            rt_fail(&other, "%s; going on from %s, which is whole", e->text, path);
            warn(s, other.text);
            return rundir_promote(d, d->kept.steps[i], e);
        }
        if (loaded == LOADED_OTHER) {
            *e = other;
            return false;
        }
        warn(s, other.text);
    }
    size_t size = strlen(e->text);
    snprintf(e->text + size, sizeof e->text - size, "; %s holds no other checkpoint that is whole", s->recipe->out);
    return false;
}

/* Later ones than where the run goes on belong to what it makes again. */
static bool load_newest(Session *s, RtError *e)
{
    Loaded loaded = load(s, s->directory.last, e);
    if (loaded == LOADED_OTHER || (loaded == LOADED_NOTHING && !load_kept(s, e))) return false;
    kept_cut(&s->directory.kept, s->saved_step);
    return true;
}

static bool open_directory(Session *s, RtError *e)
{
    const Recipe *r = s->recipe;
    if (!r->out) return !r->from || load(s, r->from, e) == LOADED;
    if (!rundir_open(r, &s->directory, e)) return false;
    if (s->directory.has_checkpoint && !load_newest(s, e)) return false;
    if (!rundir_describe(r, &s->directory, e)) return false;
    int64_t keep = s->directory.has_checkpoint ? s->position.step - s->position.pending : -1;
    if (!metrics_open(&s->metrics, s->directory.metrics, keep, metrics_room(r), e)) return false;
    s->saver = saver_new(r, s->held, e);
    return s->saver != NULL;
}

static void say_where(Session *s, int64_t steps)
{
    const Position *p = &s->position;
    Progress *out = &s->progress;
    if (s->recipe->resume && !s->directory.has_checkpoint) {
        progress_line(out, "%s holds no checkpoint: beginning at step 0", s->recipe->out);
    } else if (p->step >= steps && !p->pending) {
        progress_line(out, "nothing to do: the run has made its %" PRId64 " steps", p->step);
    } else if (p->step > 0) {
        progress_line(out, "going on after step %" PRId64 " of %" PRId64, p->step, steps);
    }
}

static bool session_begin(Session *s, const Recipe *r, RtError *e)
{
    *s = (Session){.recipe = r,
                   .metrics = {.fd = -1},
                   .directory = {.lock = -1},
                   .progress = {.fd = -1},
                   .position = {.best = NAN, .loss = NAN, .lr = NAN, .grad_norm = NAN},
                   .saved_step = -1};
    if (r->stage_count == 0) return rt_fail(e, "there is nothing to train");
    if (!hold(s, e) || !open_directory(s, e)) return false;
    int64_t steps = due_total(r);
    s->logged_step = s->position.step;
    s->progress = progress_begin(r->progress, s->position.step, steps, stage_of(s)->items, stage_of(s)->unit);
    say_where(s, steps);
    if (s->saved_step < 0) begin_stage(s, 0);
    return true;
}

static void session_end(Session *s)
{
    progress_end(&s->progress);
    metrics_close(&s->metrics);
    rundir_close(&s->directory);
    saver_free(s->saver);
    for (int i = 0; s->held.histories && i < s->recipe->stage_count; i++) history_free(&s->held.histories[i]);
    free(s->held.histories);
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
