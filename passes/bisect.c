/* Comparing the programs between the passes. How far rounding reaches is measured: each new output is evaluated in f64
 * as well, and the difference says how much the roundings of f32 add up to in it. */
#include "passes/bisect.h"
#include "ir/plan_eval.h"
#include "passes/build.h"

#include <math.h>
#include <string.h>

/* An output as it was when it first appeared. */
struct KnownOutput {
    OutputKind  kind;
    const char *name;
    Tensor     *want;
    double      slack;                   /* of any element, beside what its size allows */
};

/* The last place of a type, a few hundred times over; and how often the measured rounding may come. */
static double rounding(DType dtype)
{
    switch (dtype) {
    case DT_f64: return 1e-12;
    case DT_f32: return 1e-5;
    case DT_bf16: return 3e-2;
    case DT_f16: return 4e-3;
    case DT_i64: case DT_i32: case DT_i8: case DT_u8: case DT_bool: case DT_COUNT: break;
    }
    return 0;
}
static const double MEASURED = 16;

/* ---- a graph in f64 ---- */

static Type wide_type(Type type) { return type.dtype == DT_f32 ? type_with(type, DT_f64) : type; }

static Graph *widen(Arena *arena, const Graph *graph)
{
    Graph *g = graph_like(arena, graph);
    Node **copy = arena_array(arena, Node *, graph->nodes.count + 1);
    for (int k = 0; k < graph->nodes.count; k++) {
        const Node *node = graph->nodes.at[k];
        Node **args = arena_array(arena, Node *, node->arg_count + 1);
        Type type = wide_type(node->type);
        for (int j = 0; j < node->arg_count; j++) args[j] = copy[node->args[j]->id];
        copy[k] = node->region ? make_scan(g, args, node->arg_count, &node->attr, widen(arena, node->region))
                               : build(g, node->op, args, node->arg_count, &node->attr, &type);
        if (dtype_is_float(type.dtype)) copy[k] = make_cast(g, copy[k], type.dtype);
    }
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *o = &graph->outputs.at[k];
        graph_output(g, o->kind, o->name, copy[o->node->id]);
    }
    return g;
}

/* The largest difference between the values in f32 and in f64. */
static double measure(const Tensor *want, const Tensor *wide)
{
    double most = 0;
    for (int64_t k = 0; want->f && k < want->count; k++) {
        double error = fabs(want->f[k] - wide->f[k]);
        if (isfinite(error) && error > most) most = error;
    }
    return most;
}

/* ---- comparing ---- */

static double scale_of(const Tensor *t)
{
    double sum = 0;
    for (int64_t k = 0; k < t->count; k++)
        if (isfinite(t->f[k])) sum += t->f[k] * t->f[k];
    return t->count ? sqrt(sum / (double)t->count) : 0;
}

static bool same_number(double have, double want, double slack)
{
    if (isnan(want)) return isnan(have);
    if (isinf(want)) return have == want;
    return fabs(have - want) <= slack;
}

/* The first element that differs, or -1. */
static int64_t compare(const KnownOutput *known, const Tensor *have)
{
    const Tensor *want = known->want;
    double last = rounding(want->type.dtype), scale = want->f ? scale_of(want) : 0;
    for (int64_t k = 0; k < want->count; k++) {
        bool same = want->f ? same_number(have->f[k], want->f[k], known->slack + last * fmax(fabs(want->f[k]), scale))
                            : have->i[k] == want->i[k];
        if (!same) return k;
    }
    return -1;
}

static KnownOutput *find_known(const Bisect *b, const Output *o)
{
    for (int k = 0; k < b->known.count; k++)
        if (b->known.at[k]->kind == o->kind && !strcmp(b->known.at[k]->name, o->name)) return b->known.at[k];
    return NULL;
}

static void know(Bisect *b, const Output *o, const Tensor *value, const Tensor *wide)
{
    KnownOutput *known = arena_new_of(b->arena, KnownOutput);
    char *bytes = arena_alloc(b->arena, (size_t)type_value_bytes(&value->type) + 1);
    tensor_to_bytes(value, bytes);
    *known = (KnownOutput){.kind = o->kind, .name = o->name, .want = tensor_from_bytes(b->arena, value->type, bytes)};
    known->slack = MEASURED * measure(value, wide);
    vec_push(b->arena, &b->known, known);
}

static void find(Bisect *b, const char *stage, const char *why)
{
    b->stage = stage;
    b->why = why ? arena_print(b->arena, "%s", why) : NULL;
}

/* Compares outputs that are known; whether there are others. */
static bool look(Bisect *b, const char *stage, const Graph *g, Tensor *const *results)
{
    bool more = false;
    for (int k = 0; k < g->outputs.count && !b->stage; k++) {
        const KnownOutput *known = find_known(b, &g->outputs.at[k]);
        int64_t at = known ? compare(known, results[k]) : -1;
        more = more || !known;
        if (at < 0) continue;
        find(b, stage, NULL);
        b->output = known->name;
        b->element = at;
        b->type = known->want->type;
        b->have = results[k]->f ? results[k]->f[at] : (double)results[k]->i[at];
        b->want = known->want->f ? known->want->f[at] : (double)known->want->i[at];
    }
    return more;
}

/* ---- the stages ---- */

static Tensor **inputs_of(const Bisect *b, Arena *arena, const Graph *g)
{
    Tensor **inputs = arena_array(arena, Tensor *, g->inputs.count + 1);
    for (int k = 0; k < g->inputs.count; k++) inputs[k] = b->value(b->context, arena, g->inputs.at[k]);
    return inputs;
}

static void look_at_graph(Bisect *b, const char *stage, const Graph *g)
{
    Arena *scratch = arena_new();
    Tensor **results = arena_array(scratch, Tensor *, g->outputs.count + 1), **inputs = inputs_of(b, scratch, g);
    const char *why = graph_verify(g, scratch);
    if (!why) why = graph_eval(g, inputs, results, scratch);
    if (why) {
        find(b, stage, why);
    } else if (look(b, stage, g, results)) {
        Tensor **wide = arena_array(scratch, Tensor *, g->outputs.count + 1);
        why = graph_eval(widen(scratch, g), inputs, wide, scratch);
        for (int k = 0; k < g->outputs.count; k++)
            if (!find_known(b, &g->outputs.at[k])) know(b, &g->outputs.at[k], results[k], why ? results[k] : wide[k]);
    }
    arena_free(scratch);
}

typedef const char *PlanRun(void *context, const Plan *plan, Tensor *const *inputs, Tensor **results, Arena *arena);

static const char *run_apart(void *context, const Plan *p, Tensor *const *inputs, Tensor **results, Arena *arena)
{
    (void)context;
    return plan_eval(p, PLAN_apart, inputs, results, arena);
}

static const char *run_placed(void *context, const Plan *p, Tensor *const *inputs, Tensor **results, Arena *arena)
{
    (void)context;
    const char *why = plan_verify(p, arena);
    return why ? why : plan_eval(p, PLAN_placed, inputs, results, arena);
}

static void look_at_plan(Bisect *b, const char *stage, const Plan *p, PlanRun *run)
{
    Arena *scratch = arena_new();
    Tensor **results = arena_array(scratch, Tensor *, p->graph->outputs.count + 1);
    const char *why = run(b->context, p, inputs_of(b, scratch, p->graph), results, scratch);
    if (why) find(b, stage, why);
    else look(b, stage, p->graph, results);
    arena_free(scratch);
}

/* After `fuse` the kernels have no memory yet: the graph that it has rewritten is evaluated. */
void bisect_observe(void *bisect, const char *pass, bool after, const Graph *graph, const Plan *plan)
{
    Bisect *b = bisect;
    if (!after || b->stage) return;
    if (graph) look_at_graph(b, pass, graph);
    else if (!strcmp(pass, "fuse")) look_at_graph(b, pass, plan->graph);
    else look_at_plan(b, pass, plan, strcmp(pass, "plan") ? run_apart : run_placed);
}

bool bisect_passes(Arena *arena, Bisect *b, const Graph *graph, PassOptions options, Diagnostics *d)
{
    b->arena = arena;
    b->stage = b->output = b->why = NULL;
    memset(&b->known, 0, sizeof b->known);                  /* what an earlier arena held */
    if (!options.observe) {
        options.observe = bisect_observe;
        options.context = b;
    }
    options.verify = false;
    look_at_graph(b, "graph", graph);
    const Plan *plan = b->stage ? NULL : passes_run(arena, graph, &options, d);
    if (plan && !b->stage && b->run) look_at_plan(b, "code generation", plan, b->run);
    return b->stage != NULL;
}
