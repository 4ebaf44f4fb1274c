/* ptm check: every error of a model file at once; where there is none, what training would refuse. */
#include "frontend/cli/host.h"
#include "frontend/cli/measure.h"
#include "frontend/cli/step.h"

/* What only the gradient finds out: of every shape of the batches. */
static bool check_gradient(Session *s, const StepSource *step)
{
    for (int v = 0; v < step->variants.count; v++) {
        if (!step->graphs[v] || !step->passes[v].trained_count) continue;
        PassOptions passes = step->passes[v];
        passes.stop_after = "grad";
        passes_run(s->arena, step->graphs[v], &passes, s->diagnostics);
    }
    return diag_error_count(s->diagnostics) == 0 || session_report(s);
}

/* A state goes from batch to batch, so it is of one type for all shapes of them. */
static bool check_states(Session *s, const char *title, Graph **graphs, int count)
{
    Job job;
    Graphs all = { 0 };
    for (int v = 0; v < count; v++)
        if (graphs[v]) vec_push(s->arena, &all, graphs[v]);
    bool good = job_open(s, title, graphs, count, 0, NULL, build_layout(s, &all), &job);
    job_close(&job);
    return good;
}

static bool check_step(Session *s, StepSource *step)
{
    return step_optimizer(s, step) && check_gradient(s, step)
        && check_states(s, step->stage->minimize, step->graphs, step->variants.count);
}

static bool check_evaluation(Session *s, const Evaluation *evaluation)
{
    Measure m;
    if (!measure_open(s, evaluation, &m)) return false;
    for (int t = 0; t < evaluation->term_count; t++) {
        const char *title = arena_print(s->arena, "evaluate %s", evaluation->name);
        if (!check_states(s, title, m.graphs[t], m.variants[t].count)) return false;
    }
    return true;
}

/* The stages as `train` prepares them, on the data that is given. */
static bool check_training(Session *s)
{
    const TrainSpec *train = model_train(s->model);
    StepSource *steps = arena_array(s->arena, StepSource, train->stage_count + 1);
    for (int i = 0; i < train->stage_count; i++)
        if (train->stages[i].minimize && !step_graphs(s, &train->stages[i], &steps[i])) return false;
    for (int i = 0; i < train->stage_count; i++) {
        const StageSpec *stage = &train->stages[i];
        if (stage->minimize && !check_step(s, &steps[i])) return false;
        for (int k = 0; k < stage->evaluation_count; k++)
            if (!check_evaluation(s, &stage->evaluations[k])) return false;
    }
    return true;
}

int command_check(const Options *options)
{
    Session s;
    int status = EXIT_BAD_INPUT;
    if (session_open(&s, options)) {
        model_check(s.model, s.diagnostics);
        bool good = diag_error_count(s.diagnostics) ? session_report(&s) : check_training(&s) && session_report(&s);
        if (good && session_data_is_used(&s)) {
            int warnings = diag_warning_count(s.diagnostics);
            printf("%s: no errors", options->argument);
            if (warnings) printf(", %d warning%s", warnings, warnings == 1 ? "" : "s");
            putchar('\n');
            status = EXIT_GOOD;
        }
    }
    session_close(&s);
    return status;
}
