/* Reverse-mode gradient (Griewank and Walther, Evaluating Derivatives, section 3.2), graph to graph: the forward nodes
 * are copied, then the nodes from the loss back to the trained parameters are visited in reverse order, and each sends
 * its gradient to those arguments that depend on a trained parameter. Every gradient node stands at the place of its
 * forward node.
 * Needs: the loss is a scalar float result. Guarantees: all outputs as before, and a result "d <parameter>" of the
 * parameter's type for every trained parameter that the graph reads; zero where the loss does not depend on it. */
#include "passes/grad_rules.h"
#include "passes/passes.h"

#include <string.h>

/* The gradient column of ops.def: macros over the names it uses. A tuple has one entry per argument. */
#define G d
#define Y node
#define A a
#define B b
#define C c
#define NUM(x) make_full(g, node->type, x)
#define ZERO NUM(0.0)
#define ONE NUM(1.0)
#define HALF NUM(0.5)
#define ADD(x, y) make_binary(g, OP_add, x, y)
#define SUB(x, y) ADD(x, NEG(y))
#define MUL(x, y) make_binary(g, OP_mul, x, y)
#define NEG(x) MUL(x, NUM(-1.0))
#define DIV(x, y) make_binary(g, OP_div, x, y)
#define POW(x, y) make_binary(g, OP_pow, x, y)
#define LOG(x) make_unary(g, OP_log, x)
#define EXP(x) make_unary(g, OP_exp, x)
#define SIN(x) make_unary(g, OP_sin, x)
#define COS(x) make_unary(g, OP_cos, x)
#define EQ(x, y) make_binary(g, OP_eq, x, y)
#define LT(x, y) make_binary(g, OP_lt, x, y)
#define WHERE(condition, x, y) make_where(g, condition, x, y)
#define NONE NULL

#define UNWRAP(...) __VA_ARGS__
#define ENTRY_0(x, y, z, ...) x
#define ENTRY_1(x, y, z, ...) y
#define ENTRY_2(x, y, z, ...) z
#define PICK(entry, ...) entry(__VA_ARGS__, NONE, NONE, NONE)

static Node *element_gradient(Graph *g, Node *node, Node *d, int k)
{
    int first = node->op == OP_where ? 1 : 0;
    Node *c = node->args[0], *a = node->args[first], *b = node->arg_count > first + 1 ? node->args[first + 1] : NULL;
    switch ((int)node->op) {
#define STRUCTURAL(...)
#define ELEMENT(name, arity, types, result, value, code, gradient, cost, doc) \
    case OP_##name: \
        if (k == 0) return PICK(ENTRY_0, UNWRAP gradient); \
        if (k == 1) return PICK(ENTRY_1, UNWRAP gradient); \
        return PICK(ENTRY_2, UNWRAP gradient);
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    }
    return NULL;
}

static Node *gradient_of_argument(Graph *g, Node *node, Node *d, int k)
{
    switch (node->op) {
#define ELEMENT(name, ...) case OP_##name: return element_gradient(g, node, d, k);
#define STRUCTURAL(name, arity, kind, attrs, shape, gradient, ...) \
    case OP_##name: return grad_##gradient(g, node, d, k);
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    case OP_COUNT: break;
    }
    return NULL;
}

Node *grad_none(Graph *g, Node *node, Node *d, int k)
{
    (void)g, (void)node, (void)d, (void)k;
    return NULL;
}

/* Float nodes that depend on a trained parameter, by id. */
static bool *find_active(Arena *arena, const Graph *g, Node *const *trained, int trained_count)
{
    bool *active = arena_array(arena, bool, g->nodes.count + 1);
    for (int k = 0; k < trained_count; k++)
        if (trained[k]) active[trained[k]->id] = true;
    for (int k = 0; k < g->nodes.count; k++) {
        const Node *node = g->nodes.at[k];
        if (!dtype_is_float(node->type.dtype) || node->op == OP_stop) continue;
        for (int j = 0; j < node->arg_count; j++) active[k] = active[k] || active[node->args[j]->id];
    }
    return active;
}

/* New nodes stand where `node` does. */
static void set_place(Graph *g, const Node *node) { g->origin = node->origin_count ? node->origins[0] : NULL; }

/* Gradients of all active nodes that the loss depends on, by id. */
static Node **propagate(Graph *g, Node *loss, const bool *active)
{
    int forward = g->nodes.count;
    Node **gradient = arena_array(g->arena, Node *, forward);
    set_place(g, loss);
    if (active[loss->id]) gradient[loss->id] = make_full(g, loss->type, 1.0);
    for (int k = (int)loss->id; k >= 0; k--) {
        Node *node = g->nodes.at[k];
        if (!gradient[k]) continue;
        set_place(g, node);
        for (int j = 0; j < node->arg_count; j++) {
            int to = (int)node->args[j]->id;
            Node *part = active[to] ? gradient_of_argument(g, node, gradient[k], j) : NULL;
            if (part) gradient[to] = gradient[to] ? make_binary(g, OP_add, gradient[to], part) : part;
        }
    }
    return gradient;
}

static const Output *find_result(const Graph *g, const char *name)
{
    for (int k = 0; k < g->outputs.count; k++)
        if (g->outputs.at[k].kind == OUTPUT_result && !strcmp(g->outputs.at[k].name, name)) return &g->outputs.at[k];
    return NULL;
}

static bool check_loss(const Graph *graph, const char *name, Diagnostics *d)
{
    const Output *loss = find_result(graph, name);
    if (!loss) {
        diag_error(d, (Place){0}, "the entry %s has no result \"%s\" to differentiate", graph->name, name);
        return false;
    }
    const Node *node = loss->node;
    if (node->type.rank == 0 && dtype_is_float(node->type.dtype)) return true;
    Place place = node->origin_count && node->origins[0] ? node->origins[0]->place : (Place){0};
    diag_error(d, place, "only a scalar float can be minimized, but \"%s\" is %s", name,
               type_text(graph->arena, &node->type));
    return false;
}

Graph *pass_grad(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d)
{
    if (!check_loss(graph, options->loss, d)) return NULL;
    Graph *g = graph_like(arena, graph);
    Node **copy = graph_copy_nodes(g, graph);
    Node **trained = arena_array(arena, Node *, options->trained_count + 1);
    for (int k = 0; k < options->trained_count; k++) trained[k] = graph_find_input(g, options->trained[k]);
    bool *active = find_active(arena, g, trained, options->trained_count);
    Node **gradient = propagate(g, copy[find_result(graph, options->loss)->node->id], active);

    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *output = &graph->outputs.at[k];
        graph_output(g, output->kind, output->name, copy[output->node->id]);
    }
    for (int k = 0; k < options->trained_count; k++) {
        Node *param = trained[k];
        if (!param) continue;
        set_place(g, param);
        Node *result = gradient[param->id] ? gradient[param->id] : make_full(g, param->type, 0.0);
        graph_output(g, OUTPUT_result, arena_print(arena, "d %s", options->trained[k]), result);
    }
    return g;
}
