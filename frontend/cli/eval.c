/* ptm eval: the model's `evaluate` lines over whole passes. */
#include "frontend/cli/host.h"
#include "frontend/cli/run.h"

static int evaluate(Run *r)
{
    if (!r->s->options->weights) return session_fail(r->s, "which weights? --weights DIR or FILE is missing");
    if (!run_open(r, r->s, false)) return EXIT_BAD_INPUT;
    if (!r->evaluation_count)
        return session_fail(r->s, "%s has no `evaluate` line in its train block", r->s->options->argument);
    if (!run_memory(r, NULL, 0)) return EXIT_BAD_INPUT;
    const char *unused = host_data_unused(r->s->data);
    if (unused)
        return session_fail(r->s, "nothing in %s reads \"%s\" (--data %s=...)", r->s->options->argument, unused,
                            unused);
    Recipe recipe = {
        .pool = r->pool, .param = r->param, .state = r->state, .constants = r->constants, .seed = r->seed,
        .evaluations = r->evaluations, .evaluation_count = r->evaluation_count, .progress = -1
    };
    double *values = arena_array(r->s->arena, double, r->evaluation_count);
    RtError error;
    if (!rt_evaluate(&recipe, values, &error)) return session_fail(r->s, "%s", error.text);
    for (int i = 0; i < r->evaluation_count; i++) printf("%-12s %.6f\n", r->evaluations[i].name, values[i]);
    return EXIT_GOOD;
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
