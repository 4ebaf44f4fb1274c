/* Products in bf16: every operand of an f32 product is rounded to the nearest bf16, ties to even, in gradients too.
 * Parameters, states, sums, results and all that is no product stay as they are, so that small updates are not lost in
 * the weights (mixed precision with master weights: Micikevicius et al. 2018, arXiv 1710.03740, section 3.1; with bf16,
 * whose range is that of f32, losses need no scale: Kalamkar et al. 2019, arXiv 1905.12322).
 * Needs: normal form; `simplify` has run, which folds transposes into products and does not look through casts.
 * Guarantees: results have the types that they had. Gives up: the last 16 bits of what products read. */
#include "passes/build.h"
#include "passes/passes.h"
#include "passes/simplify.h"

#include <string.h>

/* Something is summed over, and one operand has letters of its own: else nothing is read more than once. */
static bool is_product(const Node *einsum)
{
    const char *text = einsum->attr.text, *second = strchr(text, ',') + 1, *result = strchr(text, '>') + 1;
    bool summed = false, first_alone = false, second_alone = false;
    for (const char *c = text; *c != ','; c++) {
        bool shared = memchr(second, *c, (size_t)einsum->args[1]->type.rank) != NULL;
        summed = summed || (shared && !strchr(result, *c));
        first_alone = first_alone || !shared;
    }
    for (const char *c = second; *c != '-'; c++)
        second_alone = second_alone || !memchr(text, *c, (size_t)einsum->args[0]->type.rank);
    return einsum->args[0]->type.dtype == DT_f32 && summed && (first_alone || second_alone);
}

/* What was widened from a type that bf16 holds is taken as it was. */
static Node *rounded(Graph *g, Node *x)
{
    DType from = x->op == OP_cast ? x->args[0]->type.dtype : DT_f32;
    return make_cast(g, from == DT_bf16 || from == DT_i8 ? x->args[0] : x, DT_bf16);
}

static Graph *round_graph(Arena *arena, const Graph *graph);

static Node *round_node(Graph *g, const Node *node, Node *const *copy)
{
    build_at(g, node);
    if (node->op == OP_einsum && is_product(node)) {
        Node *args[] = {rounded(g, copy[node->args[0]->id]), rounded(g, copy[node->args[1]->id])};
        return graph_rebuild(g, node, args);
    }
    if (node->op != OP_scan) return graph_copy_node(g, node, copy);
    Node **args = arena_array(g->arena, Node *, node->arg_count + 1);
    for (int k = 0; k < node->arg_count; k++) args[k] = copy[node->args[k]->id];
    Node *scan = make_scan(g, args, node->arg_count, &node->attr, round_graph(g->arena, node->region));
    graph_add_origins(g, scan, node);
    return scan;
}

static Graph *round_graph(Arena *arena, const Graph *graph)
{
    Graph *g = graph_like(arena, graph);
    Node **copy = arena_array(arena, Node *, graph->nodes.count + 1);
    for (int k = 0; k < graph->nodes.count; k++) copy[k] = round_node(g, graph->nodes.at[k], copy);
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *o = &graph->outputs.at[k];
        graph_output(g, o->kind, o->name, copy[o->node->id]);
    }
    return g;
}

Graph *pass_precision(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d)
{
    (void)options;
    (void)d;
    return simplify_drop_dead(arena, round_graph(arena, graph));
}
