/* ptm eval: the model's `evaluate` lines over whole passes. */
#include "frontend/cli/host.h"
#include "frontend/cli/nonfinite.h"
#include "frontend/cli/run.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static bool check_stage(const Session *s)
{
    const TrainSpec *train = model_train(s->model);
    const char *asked = s->options->stage, **names = arena_array(s->arena, const char *, train->stage_count + 1);
    const char *list = "";
    int count = 0;
    if (!asked) return true;
    for (int i = 0; i < train->stage_count; i++) {
        if (!strcmp(train->stages[i].name, asked)) return true;
        if (!*train->stages[i].name) continue;
        list = arena_print(s->arena, "%s%s%s", list, count ? ", " : "", train->stages[i].name);
        names[count++] = train->stages[i].name;
    }
    const char *near = suggest(asked, names, count);
    if (near) session_fail(s, "%s has no stage %s; did you mean %s?", s->options->argument, asked, near);
    else session_fail(s, "%s has no stage %s; its stages: %s", s->options->argument, asked, count ? list : "none");
    return false;
}

/* One object, in the order of the lines; a number that is not finite, which JSON has not, is null. */
static int print_json(const Session *s, const RtStage *stage, const double *values)
{
    json_t *object = json_object();
    for (int i = 0; i < stage->evaluation_count; i++) {
        json_t *value = isfinite(values[i]) ? json_real(values[i]) : json_null();
        json_object_set_new(object, stage->evaluations[i].name, value);
    }
    char *text = json_dumps(object, JSON_REAL_PRECISION(17));
    json_decref(object);
    if (!text) return session_fail(s, "out of memory");
    puts(text);
    free(text);
    return EXIT_GOOD;
}

static int print_lines(const RtStage *stage, const double *values)
{
    int width = 12;
    for (int i = 0; i < stage->evaluation_count; i++) {
        int length = (int)strlen(stage->evaluations[i].name);
        if (length > width) width = length;
    }
    for (int i = 0; i < stage->evaluation_count; i++)
        printf("%-*s %.6f\n", width, stage->evaluations[i].name, values[i]);
    return EXIT_GOOD;
}

static int evaluate(Run *r)
{
    if (!session_has_weights(r->s) || !check_stage(r->s) || !run_open(r, r->s, false)) return EXIT_BAD_INPUT;
    if (!r->measures.count)
        return session_fail(r->s, "%s has no `evaluate` line in %s", r->s->options->argument,
                            r->s->options->stage ? "this stage" : "its train block");
    if (!run_memory(r, NULL) || !session_data_is_used(r->s)) return EXIT_BAD_INPUT;
    Recipe recipe = {
        .pool = r->pool, .param = r->param, .constants = r->constants, .stages = r->stages,
        .stage_count = r->stage_count, .seed = r->seed, .progress = -1
    };
    const RtStage *stage = &r->stages[r->stage_count - 1];
    double *values = arena_array(r->s->arena, double, stage->evaluation_count);
    RtError error;
    if (!rt_evaluate(&recipe, values, &error)) return session_fail(r->s, "%s", error.text);
    int status = r->s->options->json ? print_json(r->s, stage, values) : print_lines(stage, values);
    bool finite = true;
    for (int i = 0; i < stage->evaluation_count; i++) finite = finite && isfinite(values[i]);
    return finite || !r->s->options->trace_nonfinite ? status : trace(r, &recipe, values);
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
