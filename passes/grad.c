/* Reverse-mode gradient (Griewank and Walther, Evaluating Derivatives, section 3.2), graph to graph: the forward nodes
 * are copied, then the nodes from the loss back to the trained parameters are visited in reverse order, and each sends
 * its gradient to those arguments that depend on a trained parameter. Every gradient node stands at the place of its
 * forward node.
 * Needs: the loss is a scalar float result. Guarantees: all outputs as before, and a result "d <parameter>" of the
 * parameter's type for every trained parameter that the graph reads; zero where the loss does not depend on it. */
#include "passes/grad.h"
#include "passes/grad_rules.h"
#include "passes/passes.h"

#include <assert.h>
#include <assert.h>
#include <string.h>

/* The gradient column of ops.def: macros over the names it uses. A tuple has one entry per argument. An entry runs on a
 * stack of nodes, operands first and of these the right one first, so that the order in which nodes are made is that of
 * the table whichever compiler reads it. */
typedef struct Rule {
    Graph *g;
    Type   type;                         /* of the numbers that it names */
    Node  *stack[8];
    int    count;
} Rule;

static void push(Rule *r, Node *node)
{
    assert(r->count < (int)(sizeof r->stack / sizeof *r->stack));
    r->stack[r->count++] = node;
}

static Node *pop(Rule *r)
{
    assert(r->count > 0);
    return r->stack[--r->count];
}

static void number(Rule *r, double value)
{
    push(r, make_full(r->g, r->type, value));
}

static void unary(Rule *r, Op op)
{
    push(r, make_unary(r->g, op, pop(r)));
}

static void binary(Rule *r, Op op)
{
    Node *x = pop(r), *y = pop(r);
    push(r, make_binary(r->g, op, x, y));
}

static void choice(Rule *r)
{
    Node *condition = pop(r), *x = pop(r), *y = pop(r);
    push(r, make_where(r->g, condition, x, y));
}

#define G push(&r, d)
#define Y push(&r, node)
#define A push(&r, a)
#define B push(&r, b)
#define C push(&r, c)
#define NUM(x) number(&r, x)
#define ZERO NUM(0.0)
#define ONE NUM(1.0)
#define HALF NUM(0.5)
#define ADD(x, y) (y, x, binary(&r, OP_add))
#define SUB(x, y) ADD(x, NEG(y))
#define MUL(x, y) (y, x, binary(&r, OP_mul))
#define NEG(x) MUL(x, NUM(-1.0))
#define DIV(x, y) (y, x, binary(&r, OP_div))
#define POW(x, y) (y, x, binary(&r, OP_pow))
#define LOG(x) (x, unary(&r, OP_log))
#define EXP(x) (x, unary(&r, OP_exp))
#define SIN(x) (x, unary(&r, OP_sin))
#define COS(x) (x, unary(&r, OP_cos))
#define EQ(x, y) (y, x, binary(&r, OP_eq))
#define LT(x, y) (y, x, binary(&r, OP_lt))
#define WHERE(condition, x, y) (y, x, condition, choice(&r))
#define NONE push(&r, NULL)

#define UNWRAP(...) __VA_ARGS__
#define ENTRY_0(x, y, z, ...) x
#define ENTRY_1(x, y, z, ...) y
#define ENTRY_2(x, y, z, ...) z
#define PICK(entry, ...) entry(__VA_ARGS__, NONE, NONE, NONE)

static Node *element_gradient(Graph *g, Node *node, Node *d, int k)
{
    Rule r = {.g = g, .type = node->type};
    int first = node->op == OP_where ? 1 : 0;
    Node *c = node->args[0], *a = node->args[first], *b = node->arg_count > first + 1 ? node->args[first + 1] : NULL;
    switch ((int)node->op) {
#define STRUCTURAL(...)
#define ELEMENT(name, arity, types, result, value, code, gradient, cost, doc) \
    case OP_##name: \
        if (k == 0) PICK(ENTRY_0, UNWRAP gradient); \
        else if (k == 1) PICK(ENTRY_1, UNWRAP gradient); \
        else PICK(ENTRY_2, UNWRAP gradient); \
        return pop(&r);
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    }
    return NULL;
}

Node *grad_rule(Graph *g, Node *node, Node *d, int k)
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

Grad *grad_begin(Graph *g, const Flow *flow, Diagnostics *d)
{
    const Graph *source = flow->graph;
    Grad *grad = arena_new_of(g->arena, Grad);
    *grad = (Grad){.g = g, .flow = flow, .d = d};
    grad->copy = arena_array(g->arena, Node *, source->nodes.count + 1);
    grad->gradient = arena_array(g->arena, Node *, source->nodes.count + 1);
    grad->scan = arena_array(g->arena, ScanGrad *, source->nodes.count + 1);
    for (int k = 0; k < source->nodes.count; k++) {
        const Node *node = source->nodes.at[k];
        if (node->op == OP_scan && flow->wanted[k]) grad->scan[k] = scan_grad_begin(grad, node);
        grad->copy[k] = grad->scan[k] ? grad->scan[k]->forward : graph_copy_node(g, node, grad->copy);
    }
    return grad;
}

void grad_add(Grad *grad, const Node *to, Node *part)
{
    Node **sum = &grad->gradient[to->id];
    if (grad->flow->active[to->id]) *sum = *sum ? make_binary(grad->g, OP_add, *sum, part) : part;
}

static void send_to_arguments(Grad *grad, const Node *node, Node *d)
{
    for (int k = 0; k < node->arg_count; k++) {
        if (!grad->flow->active[node->args[k]->id]) continue;
        Node *part = grad_rule(grad->g, grad->copy[node->id], d, k);
        if (part) grad_add(grad, node->args[k], part);
    }
}

void grad_finish(Grad *grad)
{
    for (int k = grad->flow->graph->nodes.count - 1; k >= 0; k--) {
        const Node *node = grad->flow->graph->nodes.at[k];
        Node *d = grad->gradient[k];
        if (!d && !grad->scan[k]) continue;
        build_at(grad->g, node);
        ScanGrad *scan = grad->scan[node->op == OP_pick ? node->args[0]->id : node->id];
        if (node->op == OP_scan)
            scan_grad_finish(grad, scan);
        else if (node->op != OP_pick)
            send_to_arguments(grad, node, d);
        else if (scan)
            scan->gradient[node->attr.i] = d;
    }
}

static bool check_loss(const Graph *graph, const char *name, Diagnostics *d)
{
    const Output *loss = graph_find_output(graph, OUTPUT_result, name);
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
    int errors = diag_error_count(d);
    const Node *loss = graph_find_output(graph, OUTPUT_result, options->loss)->node;
    Node **trained = arena_array(arena, Node *, options->trained_count + 1);
    for (int k = 0; k < options->trained_count; k++) trained[k] = graph_find_input(graph, options->trained[k]);
    Graph *g = graph_like(arena, graph);
    const Flow *flow = flow_find(arena, graph, trained, options->trained_count, loss);
    Grad *grad = grad_begin(g, flow, d);
    if (diag_error_count(d) > errors) return NULL;
    build_at(g, loss);
    if (flow->active[loss->id]) grad_add(grad, loss, make_full(g, loss->type, 1.0));
    grad_finish(grad);

    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *output = &graph->outputs.at[k];
        graph_output(g, output->kind, output->name, grad->copy[output->node->id]);
    }
    for (int k = 0; k < options->trained_count; k++) {
        const Node *param = trained[k];
        if (!param) continue;
        build_at(g, param);
        Node *result = grad->gradient[param->id];
        if (!result) result = make_full(g, param->type, 0.0);
        graph_output(g, OUTPUT_result, arena_print(arena, "d %s", options->trained[k]), result);
    }
    return g;
}
