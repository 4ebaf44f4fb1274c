/* Steps of several shards: the gradient of each shard is made alone, and they are added in a binary tree. Three
 * programs make a step. That of a shard writes its gradients and its loss into the slot of the block of sums that it
 * is given; `merge` adds a slot to the one before it; `update` divides the sum by the number of shards and goes on as
 * the step of one batch would.
 *
 * The sums are inputs of storage sum, "d <parameter>" and SHARD_LOSS; merge reads those of the next slot as "next
 * ..". */
#include "passes/build.h"
#include "passes/passes.h"

const char SHARD_LOSS[] = "sum of losses";

static const char *sum_name(Arena *arena, const PassOptions *options, int k)
{
    return k == options->trained_count ? SHARD_LOSS : arena_print(arena, "d %s", options->trained[k]);
}

static Type sum_type(const PassOptions *options, int k, Type loss)
{
    return k == options->trained_count ? loss : graph_find_input(options->updates[k].code, "w")->type;
}

Graph *shard_sums(Arena *arena, const Graph *graph, const PassOptions *options)
{
    Graph *g = graph_like(arena, graph);
    Node **copy = graph_copy_nodes(g, graph);
    for (int k = 0; k < graph->outputs.count; k++)
        if (graph->outputs.at[k].kind == OUTPUT_update)
            graph_output(g, OUTPUT_update, graph->outputs.at[k].name, copy[graph->outputs.at[k].node->id]);
    Type loss = graph_find_output(graph, OUTPUT_result, options->loss)->node->type;
    for (int k = 0; k <= options->trained_count; k++) {
        const char *name = sum_name(arena, options, k);
        const Output *made = graph_find_output(graph, OUTPUT_result, k < options->trained_count ? name : options->loss);
        Type type = sum_type(options, k, loss);
        if (made) build_at(g, made->node);
        make_input(g, STORE_sum, name, type);
        graph_output(g, OUTPUT_update, name, made ? copy[made->node->id] : make_full(g, type, 0));
    }
    return g;
}

Graph *shard_merge(Arena *arena, Dims *dims, const PassOptions *options, Type loss)
{
    Graph *g = graph_new(arena, dims, "merge");
    int count = options->trained_count + 1;
    Node **here = arena_array(arena, Node *, count);
    for (int k = 0; k < count; k++)
        here[k] = make_input(g, STORE_sum, sum_name(arena, options, k), sum_type(options, k, loss));
    for (int k = 0; k < count; k++) {
        const char *name = sum_name(arena, options, k);
        Node *next = make_input(g, STORE_sum, arena_print(arena, "next %s", name), here[k]->type);
        graph_output(g, OUTPUT_update, name, make_binary(g, OP_add, here[k], next));
    }
    return g;
}

Graph *shard_update(Arena *arena, Dims *dims, const PassOptions *options, Type loss, int64_t shards)
{
    Graph *g = graph_new(arena, dims, "update");
    for (int k = 0; k <= options->trained_count; k++) {
        const char *name = sum_name(arena, options, k);
        Node *sum = make_input(g, STORE_sum, name, sum_type(options, k, loss));
        Node *mean = make_binary(g, OP_div, sum, make_full(g, sum->type, (double)shards));
        graph_output(g, OUTPUT_result, k < options->trained_count ? name : options->loss, mean);
    }
    return g;
}
