/* ptm gradcheck: the derived gradient beside central differences of the compiled loss, in f64, on a small batch, with
 * states and draws as in the first step: of some elements of each parameter, and of all of them along one random
 * direction, to which every element that is off adds. Where they disagree, the operator whose rule is off is looked
 * for. */
#include "frontend/cli/build.h"
#include "frontend/cli/small.h"
#include "frontend/cli/subject.h"

#include "codegen/trial.h"
#include "runtime/core/random.h"
#include "runtime/train/recipe.h"

#include <math.h>
#include <string.h>

enum { SAMPLE = 8, ATTEMPTS = 3 };

/* Agreement wanted, relative to the element; parameters are moved so far from their initial values. */
static const double WITHIN = 1e-5, NOISE = 0.02;

/* The error of a difference over `step` when the loss has an error of some of its last places. */
static const double LAST_PLACES = 4e-15;

typedef struct Gradcheck {
    Session     *s;
    StepSource  *step;
    Small        small;
    PassOptions  passes;                 /* the loss, and what is trained */
    const Graph *frozen;                 /* the loss with inputs for what `stop` hides */
    StoppedNodes stopped;
    Tensor     **inputs, **frozen_inputs;    /* of the small graph; of the frozen one */
    Trial        gradient, loss;         /* of the small graph; of the frozen one */
    Tensor     **derived;                /* by trained parameter */
    double       value, scale;           /* of the loss; the largest derived element of all */
} Gradcheck;

enum { ELEMENT_none = -2, ELEMENT_all = -1 };   /* nothing; all of them, along a random direction */

/* The derivative of the loss along a direction, twice. */
typedef struct Compared {
    int64_t element;                     /* of a parameter; or one of the above */
    double  derived, differences, error; /* error: relative; beside what differences can tell where that is more */
    bool    off;
} Compared;

/* preparation */

static void list_trained(Gradcheck *g)
{
    const Graph *graph = g->small.graph;
    const char **names = arena_array(g->s->arena, const char *, graph->inputs.count + 1);
    for (int k = 0; k < graph->inputs.count; k++) {
        const Node *input = graph->inputs.at[k];
        const Param *p = input->attr.storage == STORE_param ? model_find_param(g->s->model, input->attr.text) : NULL;
        if (!p || !p->trained || !dtype_is_float(input->type.dtype)) continue;
        if (!model_frozen(g->s->model, g->step->stage, p)) names[g->passes.trained_count++] = input->attr.text;
    }
    g->passes.trained = names;
    g->passes.loss = graph->outputs.at[0].name;
}

static bool open_trial(Session *s, const Graph *graph, PassOptions passes, Trial *out)
{
    CodeOptions code = build_options(s);
    passes.layout = layout_new(s->arena, &graph, 1);
    const Plan *plan = passes_run(s->arena, graph, &passes, s->diagnostics);
    return plan && trial_open(out, plan, code.threads, &code, s->diagnostics);
}

static bool open(Gradcheck *g)
{
    Session *s = g->s;
    if (!(g->step = subject_step(s)) || !small_open(s, g->step, &g->small)) return false;
    list_trained(g);
    if (!g->passes.trained_count) return session_fail(s, "%s trains nothing", g->step->stage->minimize) && false;
    g->frozen = grad_freeze(s->arena, g->small.graph, &g->passes, &g->stopped);
    for (int k = 0; k < g->stopped.count; k++)
        graph_output(g->small.graph, OUTPUT_result, arena_print(s->arena, "stop.%d", k), g->stopped.at[k]);
    if (!open_trial(s, g->small.graph, g->passes, &g->gradient)) return session_report(s) && false;
    if (!open_trial(s, g->frozen, (PassOptions){ 0 }, &g->loss)) return session_report(s) && false;
    return (g->inputs = small_inputs(s, &g->small, g->small.graph, NOISE)) != NULL;
}

static void set(Trial *t, const Graph *graph, Tensor *const *values, bool data)
{
    for (int k = 0; k < graph->inputs.count; k++)
        if ((graph->inputs.at[k]->attr.storage == STORE_data) == data)
            trial_set(t, graph->inputs.at[k]->attr.text, values[k]);
}

static bool run(Gradcheck *g, Trial *t)
{
    RtError error;
    if (trial_run(t)) return true;
    rt_fault_text(t->program, &t->fault, &error);
    return session_fail(g->s, "%s", error.text) && false;
}

static Tensor *result(const Gradcheck *g, const char *name)
{
    const Graph *lowered = g->gradient.plan->graph;
    for (int k = 0; k < lowered->outputs.count; k++)
        if (!strcmp(lowered->outputs.at[k].name, name))
            return trial_get(&g->gradient, g->s->arena, &lowered->outputs.at[k]);
    return NULL;
}

static Tensor *input_value(const Gradcheck *g, const char *name)
{
    for (int k = 0; k < g->small.graph->inputs.count; k++)
        if (!strcmp(g->small.graph->inputs.at[k]->attr.text, name)) return g->inputs[k];
    return result(g, name);                                  /* what a stop hides */
}

/* Runs the gradient once, and gives the frozen loss what it needs of it. */
static bool derive(Gradcheck *g)
{
    Arena *arena = g->s->arena;
    set(&g->gradient, g->small.graph, g->inputs, false);
    set(&g->gradient, g->small.graph, g->inputs, true);
    if (!run(g, &g->gradient)) return false;
    g->value = result(g, g->passes.loss)->f[0];
    if (!isfinite(g->value)) return session_fail(g->s, "the loss of this batch is %g", g->value) && false;
    g->derived = arena_array(arena, Tensor *, g->passes.trained_count);
    for (int k = 0; k < g->passes.trained_count; k++) {
        Tensor *d = g->derived[k] = result(g, arena_print(arena, "d %s", g->passes.trained[k]));
        for (int64_t i = 0; i < d->count; i++) g->scale = fmax(g->scale, fabs(d->f[i]));
    }
    g->frozen_inputs = arena_array(arena, Tensor *, g->frozen->inputs.count + 1);
    for (int k = 0; k < g->frozen->inputs.count; k++)
        g->frozen_inputs[k] = input_value(g, g->frozen->inputs.at[k]->attr.text);
    set(&g->loss, g->frozen, g->frozen_inputs, false);
    return true;
}

/* comparison */

/* How far a direction goes in element k of a parameter. */
static double along(const Gradcheck *g, int param, int64_t element, int64_t k)
{
    if (element != ELEMENT_all) return k == element;
    uint64_t key = rt_random_key(g->small.seed, rt_random_hash(g->passes.trained[param]));
    double u = (double)rt_random_word(key, 3, (uint64_t)k) * 0x1p-32;
    return (u < 0.5 ? u - 1 : u) / sqrt((double)g->derived[param]->count);
}

static double gradient_along(const Gradcheck *g, int param, int64_t element, const Tensor *gradient)
{
    double sum = 0;
    for (int64_t k = 0; k < gradient->count; k++) sum += gradient->f[k] * along(g, param, element, k);
    return sum;
}

/* The loss with a parameter moved. */
static double loss_at(Gradcheck *g, int param, int64_t element, double by)
{
    const char *name = g->passes.trained[param];
    const Tensor *here = input_value(g, name);
    Arena *scratch = arena_new();
    Tensor *there = tensor_new(scratch, here->type);
    for (int64_t k = 0; k < here->count; k++) there->f[k] = here->f[k] + by * along(g, param, element, k);
    trial_set(&g->loss, name, there);
    set(&g->loss, g->frozen, g->frozen_inputs, true);
    double value = run(g, &g->loss) ? trial_get(&g->loss, scratch, &g->loss.plan->graph->outputs.at[0])->f[0] : NAN;
    arena_free(scratch);
    return value;
}

/* Two central differences, of `step` and of twice that, extrapolated to none; a kink nearby asks for a smaller step. */
static void compare(Gradcheck *g, int param, int64_t element, double step, Compared *best)
{
    double near = (loss_at(g, param, element, step) - loss_at(g, param, element, -step)) / (2 * step);
    double far = (loss_at(g, param, element, 2 * step) - loss_at(g, param, element, -2 * step)) / (4 * step);
    Compared c = { .element = element, .differences = (4 * near - far) / 3 };
    c.derived = gradient_along(g, param, element, g->derived[param]);
    double size = fmax(fabs(c.derived), fabs(c.differences)), error = fabs(c.derived - c.differences);
    double noise = LAST_PLACES * fmax(1, fabs(g->value)) / step + fmin(fabs(near - far) / 2, 1e-6 * g->scale);
    c.error = error / (size + noise / WITHIN);
    c.off = !(c.error <= WITHIN);
    if (best->element == ELEMENT_none || !(c.error >= best->error)) *best = c;
}

static Compared compare_along(Gradcheck *g, int param, int64_t element)
{
    Compared best = { .element = ELEMENT_none, .off = true };
    double step = 1e-4;
    for (int k = 0; k < ATTEMPTS && best.off; k++, step /= 10) compare(g, param, element, step, &best);
    trial_set(&g->loss, g->passes.trained[param], input_value(g, g->passes.trained[param]));
    return best;
}

/* The largest, then by turns some that are not zero and any. */
static int64_t choose(const Gradcheck *g, int param, int number)
{
    const Tensor *d = g->derived[param];
    uint64_t key = rt_random_key(g->small.seed, rt_random_hash(g->passes.trained[param]));
    int64_t at = rt_random_word(key, 2, (uint64_t)number) % d->count;
    if (d->count <= SAMPLE) return number;
    if (number == 0) {
        for (int64_t k = at = 0; k < d->count; k++)
            if (fabs(d->f[k]) > fabs(d->f[at])) at = k;
    }
    for (int64_t k = 0; number % 2 && d->f[at] == 0 && k < d->count; k++) at = (at + 1) % d->count;
    return at;
}

static Compared compare_param(Gradcheck *g, int param)
{
    int64_t count = g->derived[param]->count < SAMPLE ? g->derived[param]->count : SAMPLE;
    Compared worst = { .element = ELEMENT_none };
    for (int64_t k = 0; k < count + (count == SAMPLE); k++) {
        Compared c = compare_along(g, param, k < count ? choose(g, param, (int)k) : ELEMENT_all);
        bool worse = c.off > worst.off || (c.off == worst.off && c.error > worst.error);
        if (worse || worst.element == ELEMENT_none) worst = c;
    }
    return worst;
}

/* telling */

static void print_row(const Gradcheck *g, int param, const Compared *c, int width)
{
    const Tensor *d = g->derived[param];
    if (c->element == ELEMENT_none) return;
    const char *at = c->element == ELEMENT_all ? "a direction" : type_index_text(g->s->arena, &d->type, c->element);
    printf("  %-*s %9lld %9.1e  %-12s %13.6g %13.6g%s\n", width, g->passes.trained[param], (long long)d->count,
           c->error, at, c->derived, c->differences, c->off ? "  OFF" : "");
}

/* The gradient by the reference evaluator, of the same graph: whether that one agrees. */
static bool evaluator_agrees(Gradcheck *g, int param, const Compared *c)
{
    Arena *arena = g->s->arena;
    Graph *gradient = pass_grad(arena, g->small.graph, &g->passes, g->s->diagnostics);
    Tensor **results = arena_array(arena, Tensor *, gradient->outputs.count + 1), **inputs;
    inputs = arena_array(arena, Tensor *, gradient->inputs.count + 1);
    for (int k = 0; k < gradient->inputs.count; k++) inputs[k] = input_value(g, gradient->inputs.at[k]->attr.text);
    if (graph_eval(gradient, inputs, results, arena)) return false;
    const char *name = arena_print(arena, "d %s", g->passes.trained[param]);
    for (int k = 0; k < gradient->outputs.count; k++) {
        if (strcmp(gradient->outputs.at[k].name, name)) continue;
        double value = gradient_along(g, param, c->element, results[k]);
        return fabs(value - c->differences) < fabs(value - c->derived);
    }
    return false;
}

static void report_operator(Gradcheck *g, const GradFault *fault)
{
    Arena *arena = g->s->arena;
    const Node *node = fault->node;
    const Origin *origin = node->origin_count ? node->origins[0] : NULL;
    const char *where = fault->element < 0 ? "in all" : type_index_text(arena, &node->args[fault->argument]->type,
                                                                          fault->element);
    long long t = fault->iteration;
    const char *in = t < 0 ? "" : arena_print(arena, ", iteration t = %lld", t);
    diag_error(g->s->diagnostics, origin ? origin->place : (Place){ 0 },
               "the gradient of %s is off: to argument %d, %s%s, its rule sends %.9g, differences of its values give "
               "%.9g",
               op_name(node->op), fault->argument, where, in, fault->derived, fault->measured);
    if (origin && origin->path && *origin->path)
        diag_note(g->s->diagnostics, origin->place, "under the label path %s", origin->path);
    if (origin) diag_chain(g->s->diagnostics, origin);
    session_report(g->s);
}

static bool narrows(const Node *n)
{
    bool floats = n->op == OP_cast && dtype_is_float(n->type.dtype) && dtype_is_float(n->args[0]->type.dtype);
    return floats && dtype_bytes(n->type.dtype) < dtype_bytes(n->args[0]->type.dtype);
}

/* Where differences and gradient may rightly disagree: a note for each place. */
static void note_causes(Gradcheck *g, const Graph *graph, bool loop)
{
    for (int k = 0; k < graph->nodes.count; k++) {
        const Node *n = graph->nodes.at[k];
        if (n->region) note_causes(g, n->region, true);
        if (!n->origin_count || !n->origins[0] || !(narrows(n) || (loop && n->op == OP_stop))) continue;
        diag_note(g->s->diagnostics, n->origins[0]->place, n->op == OP_stop ? "the gradient goes around this `stop`"
                                                         : "this rounds to %s", dtype_name(n->type.dtype));
    }
}

static int explain(Gradcheck *g, int param, const Compared *c)
{
    GradFault fault;
    if (grad_find_fault(g->small.graph, &g->passes, g->inputs, grad_rule, &fault)) {
        report_operator(g, &fault);
    } else if (evaluator_agrees(g, param, c)) {
        session_fail(g->s, "the derived gradient is right, but what was compiled of it is not; look for the pass with "
                     "ptm bisect %s", g->s->options->argument);
    } else {
        diag_error(g->s->diagnostics, (Place){ 0 }, "every operator's own rule agrees with differences of its values: "
                   "the loss may jump or round");
        note_causes(g, g->small.graph, false);
        session_report(g->s);
    }
    return EXIT_BAD_INPUT;
}

static int check(Gradcheck *g)
{
    Session *s = g->s;
    if (!open(g) || !derive(g)) return EXIT_BAD_INPUT;
    int width = 9, off = 0, first = -1;
    Compared shown = { 0 };
    const char *batch = "";
    for (int k = 0; k < g->small.count; k++)
        batch = arena_print(s->arena, "%s%s %s", batch, k ? "," : " of", type_text(s->arena, &g->small.batch[k]->type));
    for (int k = 0; k < g->passes.trained_count; k++)
        if ((int)strlen(g->passes.trained[k]) > width) width = (int)strlen(g->passes.trained[k]);
    printf("%s: loss %.9g in float64%s\n", s->options->argument, g->value, batch);
    printf("  %-*s %9s %9s  %-12s %13s %13s\n", width, "parameter", "elements", "error", "worst at", "derived",
           "differences");
    for (int k = 0; k < g->passes.trained_count; k++) {
        Compared c = compare_param(g, k);
        print_row(g, k, &c, width);
        off += c.off;
        if (c.off && first < 0) first = k, shown = c;
    }
    fflush(stdout);
    if (off) return explain(g, first, &shown);
    printf("%d gradients agree with differences of the loss, in %d elements of each and along a random direction\n",
           g->passes.trained_count, SAMPLE);
    return EXIT_GOOD;
}

int command_gradcheck(const Options *options)
{
    Session s;
    Gradcheck g = { .s = &s };
    int status = EXIT_BAD_INPUT;
    if (session_open(&s, options)) status = check(&g);
    trial_close(&g.gradient);
    trial_close(&g.loss);
    session_close(&s);
    return status;
}
