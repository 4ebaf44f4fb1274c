/* Looking for an operator whose gradient rule is off: from the loss back, each operator that the gradient goes through
 * is made alone, with inputs for arguments and for the gradient d of its result. What the rule gives is compared with
 * central differences of sum(d * result), at the values that the operator has in the graph. Element operators are
 * compared element by element; the others, which are linear in each argument but for reduce_max, along one random
 * direction. Of a scan the operators of its body come first, then the whole of it. */
#include "passes/grad.h"
#include "passes/grad_rules.h"

#include <math.h>
#include <string.h>

/* Central differences err by step^2 and by the last place of the value over the step. */
static const double WITHIN = 1e-5, LAST_PLACE = 4e-16;

typedef struct Check {
    Arena       *arena;
    const Graph *graph;
    const Flow  *flow;
    GradRule    *rule;
    int64_t      iteration;
    bool         found;
    GradFault   *out;
} Check;

/* An operator alone. */
typedef struct Lone {
    const Node    *node;
    Tensor *const *args;
    const Tensor  *value;                /* NULL of a scan */
    int            k;                    /* the argument that is looked at */
    Tensor        *d, *gradient;         /* of the value; of the argument, as derived */
    Arena         *arena;
} Lone;

/* A number in [0, 1) that depends on both: SplitMix64's finalizer. */
static double unit(uint64_t key, int64_t k)
{
    uint64_t z = key * 0x9E3779B97F4A7C15u + (uint64_t)k * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* Of either sign, clear of zero. */
static double proportion(uint64_t key, int64_t k)
{
    double u = unit(key, k);
    return u < 0.5 ? -0.5 - u : u;
}

static Tensor *copy_of(Arena *arena, const Tensor *from)
{
    Tensor *to = tensor_new(arena, from->type);
    memcpy(to->f, from->f, sizeof *to->f * (size_t)to->count);
    return to;
}

/* The value with the argument x in place of its own; NULL when it has none. */
static Tensor *value_at(const Lone *l, Tensor *x)
{
    const char *why = NULL;
    Tensor **args = arena_array(l->arena, Tensor *, l->node->arg_count + 1);
    memcpy(args, l->args, sizeof *args * (size_t)l->node->arg_count);
    args[l->k] = x;
    return node_eval(l->node, args, l->arena, &why);
}

/* Evaluates the rule. Where the value is no finite number no gradient comes in. */
static bool derive(const Check *c, Lone *l)
{
    Graph *g = graph_new(l->arena, c->graph->dims, "operator");
    int count = l->node->arg_count;
    Node **inputs = arena_array(l->arena, Node *, count + 1);
    Tensor **values = arena_array(l->arena, Tensor *, count + 2), *result = NULL;
    for (int j = 0; j < count; j++)
        inputs[j] = make_input(g, STORE_data, arena_print(l->arena, "%d", j), l->args[j]->type);
    Node *node = graph_rebuild(g, l->node, inputs), *d = make_input(g, STORE_data, "d", l->node->type);
    l->d = tensor_new(l->arena, l->node->type);
    for (int64_t i = 0; i < l->d->count; i++) l->d->f[i] = isfinite(l->value->f[i]) ? proportion(1, i) : 0;
    memcpy(values, l->args, sizeof *values * (size_t)count);
    values[count] = l->d;
    Node *gradient = c->rule(g, node, d, l->k);
    if (!gradient) gradient = make_full(g, l->args[l->k]->type, 0);
    graph_output(g, OUTPUT_result, "gradient", gradient);
    if (graph_eval(g, values, &result, l->arena)) return false;
    l->gradient = result;
    return true;
}

static bool report(Check *c, const Lone *l, int64_t element, double derived, double measured)
{
    *c->out = (GradFault){l->node, l->k, element, derived, measured, c->iteration};
    c->found = true;
    return true;
}

/* ---- element operators ---- */

/* How a slope compares with what differences say; a step that is too small for the values says nothing. */
typedef enum Verdict { SAYS_nothing, SAYS_right, SAYS_wrong } Verdict;

static Verdict judge(double slope, double below, double here, double above, double step, double *central)
{
    double left = (here - below) / step, right = (above - here) / step;
    double noise = LAST_PLACE * (fabs(below) + fabs(here) + fabs(above)) / step;
    *central = (above - below) / (2 * step);
    double slack = WITHIN * (fabs(slope) + fabs(*central)) + 2 * noise + 1e-9;
    bool lost = noise > 1e-4 * (fabs(slope) + fabs(*central)) + 1e-7;
    if (!isfinite(left) || !isfinite(right) || lost) return SAYS_nothing;
    bool between = slope >= fmin(left, right) - slack && slope <= fmax(left, right) + slack;
    return between || fabs(slope - *central) <= slack ? SAYS_right : SAYS_wrong;
}

static double step_of(double x, int which)
{
    return which == 0 ? 1e-5 * fmax(1, fabs(x)) : which == 1 ? 1e-5 * fabs(x) + 1e-12 : 1e-7;
}

enum { STEPS = 3 };

static bool check_element(Check *c, const Lone *l)
{
    Tensor *x = l->args[l->k], *below[STEPS], *above[STEPS];
    for (int s = 0; s < STEPS; s++) {
        Tensor *down = copy_of(l->arena, x), *up = copy_of(l->arena, x);
        for (int64_t i = 0; i < x->count; i++) down->f[i] -= step_of(x->f[i], s), up->f[i] += step_of(x->f[i], s);
        below[s] = value_at(l, down);
        above[s] = value_at(l, up);
    }
    for (int64_t i = 0; i < x->count; i++) {
        double central = 0, here = l->value->f[i], slope = l->gradient->f[i] / l->d->f[i];
        bool right = false, wrong = false;
        if (!isfinite(x->f[i]) || !isfinite(here)) continue;
        for (int s = 0; s < STEPS && !right; s++) {
            double step = step_of(x->f[i], s), measured;
            Verdict v = judge(slope, below[s]->f[i], here, above[s]->f[i], step, &measured);
            right = v == SAYS_right;
            if (v == SAYS_wrong && !wrong) central = measured;
            wrong = wrong || v == SAYS_wrong;
        }
        if (wrong && !right) return report(c, l, i, slope, central);
    }
    return false;
}

/* ---- the others ---- */

/* Sum of d * value over what is finite on both sides; the sum of the magnitudes is added to *size. */
static double weighed(const Lone *l, const Tensor *value, const Tensor *other, double *size)
{
    double sum = 0;
    for (int64_t i = 0; i < value->count; i++) {
        if (!isfinite(value->f[i]) || !isfinite(other->f[i])) continue;
        sum += l->d->f[i] * (value->f[i] - other->f[i]);
        *size += fabs(l->d->f[i] * value->f[i]);
    }
    return sum;
}

/* Along u, the direction; element < 0: the random one, else that element alone. False at a kink. */
static bool differs(const Lone *l, int64_t element, double *derived, double *measured)
{
    const double step = 1e-4;
    Tensor *x = l->args[l->k], *down = copy_of(l->arena, x), *up = copy_of(l->arena, x);
    double size = 0;
    *derived = 0;
    for (int64_t i = 0; i < x->count; i++) {
        double u = element < 0 ? proportion(2, i) : i == element;
        if (!isfinite(x->f[i])) continue;
        down->f[i] -= step * u;
        up->f[i] += step * u;
        *derived += l->gradient->f[i] * u;
    }
    Tensor *below = value_at(l, down), *above = value_at(l, up);
    if (!below || !above) return false;
    double right = weighed(l, above, l->value, &size) / step, left = weighed(l, l->value, below, &size) / step;
    *measured = (left + right) / 2;
    double slack = 1e-7 * (fabs(*derived) + fabs(*measured)) + 8 * LAST_PLACE * size / step + 1e-12;
    if (fabs(left - right) > 4 * slack) return false;
    return !(fabs(*derived - *measured) <= slack);
}

static bool check_direction(Check *c, const Lone *l)
{
    enum { MOST = 256 };
    double derived, measured, whole_derived, whole_measured;
    if (!differs(l, -1, &whole_derived, &whole_measured)) return false;
    for (int64_t i = 0; i < l->args[l->k]->count && i < MOST; i++)
        if (differs(l, i, &derived, &measured)) return report(c, l, i, derived, measured);
    return report(c, l, -1, whole_derived, whole_measured);
}

static bool is_f64(const Tensor *t) { return t && t->type.dtype == DT_f64; }

static bool check_operator(Check *c, const Node *node, Tensor *const *args, const Tensor *value, int k)
{
    bool found = false;
    if (!is_f64(args[k]) || !is_f64(value) || value->count == 0) return false;
    Lone l = {.node = node, .args = args, .value = value, .k = k, .arena = arena_new()};
    if (derive(c, &l)) found = op_is_element(node->op) ? check_element(c, &l) : check_direction(c, &l);
    arena_free(l.arena);
    return found;
}

/* ---- scans ---- */

/* The scan alone, its float results weighed and added up: the loss of a graph that pass_grad differentiates. */
static Graph *lone_scan(const Check *c, const Lone *l)
{
    Graph *g = graph_new(l->arena, c->graph->dims, "scan");
    Node **inputs = arena_array(l->arena, Node *, l->node->arg_count + 1), *loss = make_float(g, DT_f64, 0);
    for (int j = 0; j < l->node->arg_count; j++)
        inputs[j] = make_input(g, j == l->k ? STORE_param : STORE_data, arena_print(l->arena, "%d", j),
                               l->args[j]->type);
    Node *scan = graph_rebuild(g, l->node, inputs);
    for (int r = 0; r < scan_result_count(scan); r++) {
        Node *pick = make_pick(g, scan, r);
        if (pick->type.dtype != DT_f64 || !c->flow->body[l->node->id]->pick[r]) continue;
        Type flat = type_of(DT_f64, 1, (const Dim *[]){type_elements(g->dims, &pick->type)});
        Node *place = make_cast(g, make_iota(g, type_of(DT_i64, 1, flat.dim), 0), DT_f64);
        Node *weight = make_unary(g, OP_sin, make_binary(g, OP_add, place, make_full(g, flat, 1 + r)));
        Node *sum = make_reduce(g, OP_sum, make_binary(g, OP_mul, make_reshape(g, pick, flat), weight), 1);
        loss = make_binary(g, OP_add, loss, sum);
    }
    graph_output(g, OUTPUT_result, "loss", loss);
    return g;
}

static bool check_whole_scan(Check *c, const Node *scan, Tensor *const *args, int k)
{
    if (!is_f64(args[k])) return false;
    Lone l = {.node = scan, .args = args, .k = k, .arena = arena_new()};
    Graph *g = lone_scan(c, &l);
    const char *trained = arena_print(l.arena, "%d", k);
    PassOptions options = {.loss = "loss", .trained = &trained, .trained_count = 1};
    Graph *gradient = pass_grad(l.arena, g, &options, diag_new(l.arena));
    Tensor *results[2], *up = copy_of(l.arena, args[k]), *down = copy_of(l.arena, args[k]), **inputs;
    inputs = arena_array(l.arena, Tensor *, scan->arg_count + 1);
    memcpy(inputs, args, sizeof *inputs * (size_t)scan->arg_count);
    bool good = gradient && !graph_eval(gradient, inputs, results, l.arena), found = false;
    double derived = 0;
    for (int64_t i = 0; good && i < up->count; i++) {
        if (!isfinite(up->f[i])) continue;
        double u = proportion(3, i), h = 1e-6;
        derived += u * results[1]->f[i];
        up->f[i] += h * u;
        down->f[i] -= h * u;
    }
    Tensor *above = NULL, *below = NULL;
    inputs[k] = up;
    good = good && !graph_eval(g, inputs, &above, l.arena);
    inputs[k] = down;
    good = good && !graph_eval(g, inputs, &below, l.arena);
    if (good) {
        double h = 1e-6, here = results[0]->f[0], measured = (above->f[0] - below->f[0]) / (2 * h);
        double left = (here - below->f[0]) / h, right = (above->f[0] - here) / h;
        double slack = WITHIN * (fabs(derived) + fabs(measured)) + 1e-7 * fmax(1, fabs(here));
        bool kink = fabs(left - right) > 100 * slack;
        found = !kink && fabs(derived - measured) > slack && report(c, &l, -1, derived, measured);
    }
    arena_free(l.arena);
    return found;
}

static void check_nodes(Check *c, Tensor *const *value);

typedef struct Body {
    Check      *around;
    const Node *scan;
} Body;

/* Later iterations come first on the way back: their finding replaces that of earlier ones. */
static void check_iteration(void *context, int64_t t, Tensor *const *inputs)
{
    Body *b = context;
    const Flow *flow = b->around->flow->body[b->scan->id];
    Check inner = {.arena = arena_new(), .graph = b->scan->region, .flow = flow, .rule = b->around->rule,
                   .iteration = t, .out = b->around->out};
    Tensor **value = arena_array(inner.arena, Tensor *, b->scan->region->nodes.count + 1);
    if (!graph_eval_nodes(b->scan->region, inputs, value, inner.arena)) check_nodes(&inner, value);
    b->around->found = b->around->found || inner.found;
    arena_free(inner.arena);
}

static bool check_scan(Check *c, const Node *scan, Tensor *const *args)
{
    Body body = {c, scan};
    Arena *scratch = arena_new();
    scan_eval(scan, args, check_iteration, &body, scratch);
    arena_free(scratch);
    for (int k = 0; k < scan->arg_count && !c->found; k++)
        if (c->flow->active[scan->args[k]->id]) check_whole_scan(c, scan, args, k);
    return c->found;
}

/* ---- all of a graph ---- */

static void check_nodes(Check *c, Tensor *const *value)
{
    for (int n = c->graph->nodes.count - 1; n >= 0 && !c->found; n--) {
        const Node *node = c->graph->nodes.at[n];
        bool skip = node->op == OP_input || node->op == OP_pick || node->op == OP_cast || node->op == OP_stop;
        if (!c->flow->wanted[n] || !value[n] || skip) continue;
        Tensor **args = arena_array(c->arena, Tensor *, node->arg_count + 1);
        for (int k = 0; k < node->arg_count; k++) args[k] = value[node->args[k]->id];
        if (node->op == OP_scan) check_scan(c, node, args);
        for (int k = 0; node->op != OP_scan && k < node->arg_count && !c->found; k++)
            if (c->flow->active[node->args[k]->id]) check_operator(c, node, args, value[n], k);
    }
}

static Flow *flow_of(Arena *arena, const Graph *graph, const PassOptions *options)
{
    Node **trained = arena_array(arena, Node *, options->trained_count + 1);
    const Node *loss = NULL;
    for (int k = 0; k < options->trained_count; k++) trained[k] = graph_find_input(graph, options->trained[k]);
    for (int k = 0; k < graph->outputs.count; k++)
        if (!strcmp(graph->outputs.at[k].name, options->loss)) loss = graph->outputs.at[k].node;
    return flow_find(arena, graph, trained, options->trained_count, loss);
}

bool grad_find_fault(const Graph *graph, const PassOptions *options, Tensor *const *inputs, GradRule *rule,
                     GradFault *out)
{
    Check c = {.arena = arena_new(), .graph = graph, .rule = rule, .iteration = -1, .out = out};
    c.flow = flow_of(c.arena, graph, options);
    Tensor **value = arena_array(c.arena, Tensor *, graph->nodes.count + 1);
    const char *why = graph_eval_nodes(graph, inputs, value, c.arena);
    if (!why) check_nodes(&c, value);
    arena_free(c.arena);
    return c.found;
}

Graph *grad_freeze(Arena *arena, const Graph *graph, const PassOptions *options, StoppedNodes *stopped)
{
    Arena *scratch = arena_new();
    const Flow *flow = flow_of(scratch, graph, options);
    Graph *g = graph_like(arena, graph);
    Node **copy = arena_array(arena, Node *, graph->nodes.count + 1);
    for (int k = 0; k < graph->nodes.count; k++) {
        Node *node = graph->nodes.at[k];
        bool around = node->op == OP_stop && flow->active[node->args[0]->id];
        copy[k] = around ? make_input(g, STORE_data, arena_print(arena, "stop.%d", stopped->count), node->type)
                         : graph_copy_node(g, node, copy);
        if (around) vec_push(arena, stopped, node);
    }
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *output = &graph->outputs.at[k];
        if (output->kind == OUTPUT_result) graph_output(g, OUTPUT_result, output->name, copy[output->node->id]);
    }
    arena_free(scratch);
    return g;
}
