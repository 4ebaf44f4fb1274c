/* ptm eval: the model's `evaluate` lines over whole passes; where there are stages, those of the last one. */
#include "frontend/cli/host.h"
#include "frontend/cli/nonfinite.h"
#include "frontend/cli/run.h"

#include <math.h>

static const char *where(const Session *s)
{
    const TrainSpec *train = model_train(s->model);
    return train->stage_count > 1 ? "the last stage of its train block" : "its train block";
}

/* Evaluates again and looks for the first value that is not finite. */
static int trace(Run *r, Recipe *recipe, double *values)
{
    Session *s = r->s;
    RtError error;
    Nonfinite *n = nonfinite_new(s, NULL);
    for (int i = 0; i < r->measures.count; i++) {
        const Measure *m = &r->measures.at[i];
        const char *title = arena_print(s->arena, "evaluate %s", m->from->name);
        for (int t = 0; t < m->from->term_count; t++)
            for (int v = 0; v < m->jobs[t].count; v++) nonfinite_add(n, title, &m->jobs[t].builds[v]);
        nonfinite_add(n, title, &m->post);
    }
    recipe->watch = nonfinite_watch(n);
    if (!rt_evaluate(recipe, values, &error)) session_fail(s, "%s", error.text);
    else nonfinite_print(n);
    nonfinite_free(n);
    return EXIT_BAD_INPUT;
}

static int evaluate(Run *r)
{
    if (!r->s->options->weights) return session_fail(r->s, "which weights? --weights DIR or FILE is missing");
    if (!run_open(r, r->s, false)) return EXIT_BAD_INPUT;
    if (!r->measures.count)
        return session_fail(r->s, "%s has no `evaluate` line in %s", r->s->options->argument, where(r->s));
    if (!run_memory(r, NULL)) return EXIT_BAD_INPUT;
    const char *unused = host_data_unused(r->s->data);
    if (unused)
        return session_fail(r->s, "nothing in %s reads \"%s\" (--data %s=...)", r->s->options->argument, unused,
                            unused);
    Recipe recipe = {
        .pool = r->pool, .param = r->param, .constants = r->constants, .stages = r->stages,
        .stage_count = r->stage_count, .seed = r->seed, .progress = -1
    };
    const RtStage *stage = &r->stages[r->stage_count - 1];
    double *values = arena_array(r->s->arena, double, stage->evaluation_count);
    RtError error;
    if (!rt_evaluate(&recipe, values, &error)) return session_fail(r->s, "%s", error.text);
    bool finite = true;
    for (int i = 0; i < stage->evaluation_count; i++) {
        printf("%-12s %.6f\n", stage->evaluations[i].name, values[i]);
        finite = finite && isfinite(values[i]);
    }
    return finite || !r->s->options->trace_nonfinite ? EXIT_GOOD : trace(r, &recipe, values);
}

int command_eval(const Options *options)
{
    Session s;
    Run r = { 0 };
    int status = EXIT_BAD_INPUT;
    if (session_open(&s, options)) {
        r.s = &s;
        status = evaluate(&r);
    }
    run_close(&r);
    session_close(&s);
    return status;
}
