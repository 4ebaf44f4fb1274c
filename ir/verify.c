/* The verifier: everything that construction promises, checked again on a finished graph. */
#include "ir/verify.h"

#include "ir/shape.h"

#include <string.h>

static const char *blame(const Node *node, Arena *arena, const char *text)
{
    return arena_print(arena, "node %%%u (%s): %s", node->id, op_name(node->op), text);
}

static bool attr_equal(const Attr *a, const Attr *b)
{
    bool floats = !memcmp(&a->f, &b->f, sizeof a->f);
    return a->axis == b->axis && a->axes == b->axes && !memcmp(a->map, b->map, sizeof a->map) &&
           !memcmp(a->start, b->start, sizeof a->start) && !memcmp(a->step, b->step, sizeof a->step) &&
           a->text == b->text && floats && a->i == b->i && a->storage == b->storage &&
           a->count == b->count;
}

static const char *verify_node(Graph *g, const Node *node, uint32_t position, Arena *arena)
{
    if (node->id != position) return blame(node, arena, arena_print(arena, "stands at position %u", position));
    for (int i = 0; i < node->arg_count; i++) {
        const Node *arg = node->args[i];
        if (arg->id >= node->id) return blame(node, arena, "an argument comes after it");
        if (g->nodes.at[arg->id] != arg) return blame(node, arena, "an argument belongs to another graph");
    }
    ShapeCase c = {.g = g, .op = node->op, .args = node->args, .arg_count = node->arg_count, .attr = &node->attr,
                   .given = &node->type, .region = node->region};
    if (!shape_check(&c)) return blame(node, arena, c.why);
    if (!type_equal(&c.result, &node->type))
        return blame(node, arena,
                     arena_print(arena, "has type %s, but its arguments give %s", type_text(arena, &node->type),
                                 type_text(arena, &c.result)));
    const Node *equal = graph_find_equal(g, node);
    if (!equal || !attr_equal(&equal->attr, &node->attr)) return blame(node, arena, "was edited after it was made");
    if (equal != node) return blame(node, arena, arena_print(arena, "is equal to node %%%u", equal->id));
    return NULL;
}

static const char *verify_inputs(const Graph *g, Arena *arena)
{
    int next = 0;
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *node = g->nodes.at[i];
        if (node->op != OP_input) continue;
        if (next == g->inputs.count || g->inputs.at[next] != node)
            return blame(node, arena, "is missing from the inputs");
        if (graph_find_input(g, node->attr.text) != node)
            return blame(node, arena, "shares its name with another input");
        next++;
    }
    return next == g->inputs.count ? NULL : "the list of inputs names one that is no node";
}

static bool is_of_body(const Node *input)
{
    int storage = input->attr.storage;
    return storage == STORE_each || storage == STORE_carry || storage == STORE_outer;
}

/* The inputs are those of a graph, or of a scan's body. */
static const char *verify_storage(const Graph *g, Arena *arena)
{
    const Node *bound = NULL, *other = NULL;
    for (int i = 0; i < g->inputs.count; i++) {
        const Node *input = g->inputs.at[i];
        if (is_of_body(input))
            bound = input;
        else if (input->attr.storage != STORE_ambient || strcmp(input->attr.text, "index"))
            other = input;
    }
    if (!bound || !other) return NULL;
    return blame(other, arena, arena_print(arena, "stands beside \"%s\", which only the body of a scan has",
                                           bound->attr.text));
}

const char *verify_output(const Graph *g, const Output *output, Arena *arena)
{
    const Node *node = output->node;
    if (node->op == OP_scan)
        return arena_print(arena, "output \"%s\" is a scan, expected one of its picks", output->name);
    if (output->kind == OUTPUT_result) return NULL;
    const Node *input = graph_find_input(g, output->name);
    int storage = input ? input->attr.storage : STORE_data;
    bool kept = storage == STORE_param || storage == STORE_state || storage == STORE_sum || storage == STORE_carry;
    if (!kept) return arena_print(arena, "update of \"%s\", which is no parameter, state, sum or carry", output->name);
    if (type_equal(&input->type, &node->type)) return NULL;
    return arena_print(arena, "update of \"%s\": found %s, expected %s", output->name, type_text(arena, &node->type),
                       type_text(arena, &input->type));
}

static const char *verify_outputs(const Graph *g, Arena *arena)
{
    for (int i = 0; i < g->outputs.count; i++) {
        const Output *output = &g->outputs.at[i];
        const Node *node = output->node;
        if (node->id >= (uint32_t)g->nodes.count || g->nodes.at[node->id] != node)
            return arena_print(arena, "output \"%s\" belongs to another graph", output->name);
        for (int k = 0; k < i; k++)
            if (g->outputs.at[k].kind == output->kind && !strcmp(g->outputs.at[k].name, output->name))
                return arena_print(arena, "two outputs are called \"%s\"", output->name);
        const char *why = verify_output(g, output, arena);
        if (why) return why;
    }
    return NULL;
}

/* The graph itself stays as it is; only its tables of dimensions and texts may grow while rules run. */
const char *graph_verify(const Graph *g, Arena *arena)
{
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *node = g->nodes.at[i];
        const char *why = verify_node((Graph *)g, node, (uint32_t)i, arena);
        if (why) return why;
        why = node->region ? graph_verify(node->region, arena) : NULL;
        if (why) return blame(node, arena, arena_print(arena, "in its body, %s", why));
    }
    const char *why = verify_inputs(g, arena);
    if (!why) why = verify_storage(g, arena);
    return why ? why : verify_outputs(g, arena);
}
