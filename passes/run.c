/* The pipeline: the rows of passes.def, one after the other. */
#include "passes/passes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Run {
    Arena             *arena;
    const PassOptions *options;
    Diagnostics       *d;
    int                errors;           /* reported before the first pass */
    const Graph       *graph;            /* until a LOWER row has run */
    Plan              *plan;             /* from then on */
    bool               ended;            /* stop_after was reached, or errors were reported */
} Run;

void pass_note(Arena *arena, const PassOptions *options, const char *text)
{
    PassNotes *notes = options ? options->notes : NULL;
    for (int k = 0; notes && k < notes->count; k++)
        if (!strcmp(notes->at[k], text)) return;
    if (notes) vec_push(arena, notes, text);
}

/* grad and update belong to the step of `minimize`; an entry without a loss goes past them. Nothing is made again
 * without need. */
static bool is_wanted(const PassOptions *options, const char *pass)
{
    if (!strcmp(pass, "grad")) return options->loss != NULL;
    if (!strcmp(pass, "update")) return options->loss != NULL && options->updates != NULL;
    if (!strcmp(pass, "precision")) return options->precision == DT_bf16;
    if (!strcmp(pass, "narrow")) return options->layout && options->layout->narrow;
    return strcmp(pass, "recompute") != 0 || options->memory > 0;
}

static void observe(const Run *run, const char *pass, bool after)
{
    const PassOptions *options = run->options;
    if (options->observe) options->observe(options->context, pass, after, run->plan ? NULL : run->graph, run->plan);
}

/* A broken invariant is a bug of the pass, so there is nothing to report to the user. */
static void verify(const Run *run, const char *pass)
{
    if (!run->options->verify) return;
    const char *reason = run->plan ? plan_verify(run->plan, run->arena) : graph_verify(run->graph, run->arena);
    if (!reason) return;
    fprintf(stderr, "after the pass %s: %s\n", pass, reason);
    abort();
}

static void finish_pass(Run *run, const char *pass)
{
    const char *last = run->options->stop_after;
    if (!run->graph || diag_error_count(run->d) > run->errors) {
        run->ended = true;
        return;
    }
    verify(run, pass);
    observe(run, pass, true);
    run->ended = last && !strcmp(last, pass);
}

static bool begin_pass(const Run *run, const char *pass)
{
    if (run->ended || !is_wanted(run->options, pass)) return false;
    observe(run, pass, false);
    return true;
}

Plan *passes_run(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d)
{
    Run run = {arena, options, d, diag_error_count(d), graph, NULL, false};
#define GRAPH(name, function, doc) \
    if (begin_pass(&run, #name)) { \
        run.graph = function(arena, run.graph, options, d); \
        finish_pass(&run, #name); \
    }
#define LOWER(name, function, doc) \
    if (begin_pass(&run, #name)) { \
        run.plan = function(arena, run.graph, options, d); \
        finish_pass(&run, #name); \
    }
#define PLAN(name, function, doc) \
    if (begin_pass(&run, #name)) { \
        run.plan = function(arena, run.plan, options, d); \
        finish_pass(&run, #name); \
    }
#include "passes/passes.def"
#undef GRAPH
#undef LOWER
#undef PLAN
    return diag_error_count(d) > run.errors ? NULL : run.plan;
}
