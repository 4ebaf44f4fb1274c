/* The optimizer step: gradients are clipped by their global norm, and the optimizer's code is spliced in once per
 * parameter.
 * Needs: results "d <parameter>" from `grad`, one ParamUpdate per trained parameter. Guarantees: those results are
 * gone; an update per parameter and optimizer state; results "lr" (if the optimizer has one) and "grad_norm" (if
 * clipped). Of a shard: the gradients and the loss become updates of sums (shards.c). */
#include "passes/build.h"
#include "passes/passes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One trained parameter: its present value, gradient and code. */
typedef struct Item {
    const char  *name;
    const Graph *code;
    Node        *value, *gradient;
} Item;

typedef struct Items {
    Item *at;
    int   count;
} Items;

static const Graph *code_of(const PassOptions *options, const char *param)
{
    for (int k = 0; k < options->trained_count; k++)
        if (!strcmp(options->updates[k].param, param)) return options->updates[k].code;
    fprintf(stderr, "update: no optimizer code for the parameter %s\n", param);
    abort();
}

/* A parameter that the entry never reads has no input yet; the code knows its type. */
static Node *param_input(Graph *g, const char *name, const Graph *code)
{
    Node *present = graph_find_input(g, name);
    return present ? present : make_input(g, STORE_param, name, graph_find_input(code, "w")->type);
}

static Items collect_items(Graph *g, const Graph *graph, Node *const *copy, const PassOptions *options)
{
    Items items = {arena_array(g->arena, Item, options->trained_count + 1), options->trained_count};
    for (int k = 0; k < items.count; k++) {
        Item *item = &items.at[k];
        item->name = options->trained[k];
        item->code = code_of(options, item->name);
        item->value = param_input(g, item->name, item->code);
        build_at(g, item->value);
        const Output *d = graph_find_output(graph, OUTPUT_result, arena_print(g->arena, "d %s", item->name));
        item->gradient = d ? copy[d->node->id] : make_full(g, item->value->type, 0.0);
    }
    return items;
}

/* norm = sqrt(sum of g^2 over all gradients), in f32, or in f64 if any of them is. */
static Node *gradient_norm(Graph *g, const Items *items)
{
    DType dtype = DT_f32;
    for (int k = 0; k < items->count; k++)
        if (items->at[k].gradient->type.dtype == DT_f64) dtype = DT_f64;
    Node *total = NULL;
    for (int k = 0; k < items->count; k++) {
        Node *d = items->at[k].gradient;
        build_at(g, items->at[k].value);
        Node *wide = make_cast(g, d, dtype);
        Node *square = make_binary(g, OP_mul, wide, wide);
        if (d->type.rank > 0) square = make_reduce(g, OP_sum, square, (1u << d->type.rank) - 1);
        total = total ? make_binary(g, OP_add, total, square) : square;
    }
    return make_unary(g, OP_sqrt, total);
}

/* scale = min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ defines it. */
static void clip_gradients(Graph *g, Items *items, Node *norm, double clip)
{
    DType dtype = norm->type.dtype;
    Node *one = make_float(g, dtype, 1.0);
    Node *above_zero = make_binary(g, OP_add, norm, make_float(g, dtype, 1e-6));
    Node *ratio = make_binary(g, OP_div, make_float(g, dtype, clip), above_zero);
    Node *scale = make_where(g, make_binary(g, OP_lt, one, ratio), one, ratio);
    for (int k = 0; k < items->count; k++) {
        Node *d = items->at[k].gradient;
        build_at(g, items->at[k].value);
        items->at[k].gradient =
            make_binary(g, OP_mul, d, make_broadcast(g, make_cast(g, scale, d->type.dtype), d->type));
    }
}

/* What an input of the optimizer's code stands for in the graph: states and what is ambient are inputs of the graph
 * too, by the same names. */
static Node *bind_input(Graph *g, const Node *input, const Item *item)
{
    if (!strcmp(input->attr.text, "w")) return item->value;
    if (!strcmp(input->attr.text, "g")) return item->gradient;
    return graph_rebuild(g, input, NULL);
}

/* Copies the code's nodes behind the graph's; returns the copies by id. */
static Node **splice_code(Graph *g, const Item *item)
{
    const Graph *code = item->code;
    Node **copy = arena_array(g->arena, Node *, code->nodes.count + 1);
    for (int k = 0; k < code->nodes.count; k++) {
        const Node *node = code->nodes.at[k];
        copy[k] = node->op == OP_input ? bind_input(g, node, item) : graph_copy_node(g, node, copy);
    }
    return copy;
}

static bool is_gradient(const PassOptions *options, const Output *output)
{
    if (output->kind != OUTPUT_result || strncmp(output->name, "d ", 2) != 0) return false;
    for (int k = 0; k < options->trained_count; k++)
        if (!strcmp(output->name + 2, options->trained[k])) return true;
    return false;
}

Graph *pass_update(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d)
{
    (void)d;
    if (options->sums) return shard_sums(arena, graph, options);
    Graph *g = graph_like(arena, graph);
    Node **copy = graph_copy_nodes(g, graph);
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *output = &graph->outputs.at[k];
        if (!is_gradient(options, output)) graph_output(g, output->kind, output->name, copy[output->node->id]);
    }
    Items items = collect_items(g, graph, copy, options);
    if (options->clip > 0 && items.count > 0) {
        Node *norm = gradient_norm(g, &items);
        clip_gradients(g, &items, norm, options->clip);
        graph_output(g, OUTPUT_result, "grad_norm", norm);
    }
    for (int k = 0; k < items.count; k++) {
        const Graph *code = items.at[k].code;
        Node **spliced = splice_code(g, &items.at[k]);
        const Output *lr = graph_find_output(code, OUTPUT_result, "lr");
        const Output *w = graph_find_output(code, OUTPUT_result, "w");
        bool first = lr && !graph_find_output(g, OUTPUT_result, "lr");
        if (first) graph_output(g, OUTPUT_result, "lr", spliced[lr->node->id]);
        graph_output(g, OUTPUT_update, items.at[k].name, spliced[w->node->id]);
        for (int j = 0; j < code->outputs.count; j++) {
            const Output *state = &code->outputs.at[j];
            if (state->kind == OUTPUT_update) graph_output(g, OUTPUT_update, state->name, spliced[state->node->id]);
        }
    }
    return g;
}
