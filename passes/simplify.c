/* Simplification: one sweep, arguments first, that rebuilds the live nodes in a new graph and rewrites each by the
 * rules of simplify.def until none applies; rounds that take work out of loops, each with such a sweep behind it
 * (simplify_scan.c); then a sweep that cuts large reductions and one that leaves out what is dead.
 * Needs: nothing (any graph). Guarantees: the same inputs of storage data, the same outputs with the same values up
 * to the rounding that simplify.def and simplify_scan.c state; no `stop`; `einsum` only with a summed letter. */
#include "passes/simplify_scan.h"
#include "passes/passes.h"

#include <math.h>

enum { SCAN_ROUNDS = 6 };                /* of taking work out of loops; what is left then stays */

typedef struct Rule {
    SimplifyRule *apply;
    int           op;                    /* -1: every element operator and cast */
} Rule;

static const Rule rules[] = {
#define RULE(op, name, doc) {simplify_##name, OP_##op},
#define ELEMENTS(name, doc) {simplify_##name, -1},
#include "passes/simplify.def"
#undef RULE
#undef ELEMENTS
};

static bool rule_fits(const Rule *rule, Op op)
{
    return rule->op == (int)op || (rule->op < 0 && (op_is_element(op) || op == OP_cast));
}

static Node *apply_rules(Simplify *s, Node *node)
{
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++) {
        Node *better = rule_fits(&rules[k], node->op) ? rules[k].apply(s, node) : NULL;
        if (better) return better;
    }
    return node;
}

static void track(Simplify *s, uint32_t id)
{
    while ((uint32_t)s->normal.count <= id) {
        vec_push(s->g->arena, &s->normal, NULL);
        vec_push(s->g->arena, &s->uses, 0);
    }
}

Node *emit_normal(Simplify *s, Node *node)
{
    track(s, node->id);
    if (s->normal.at[node->id]) return s->normal.at[node->id];
    Node *better = apply_rules(s, node);
    if (better != node) better = emit_normal(s, better);
    s->normal.at[node->id] = better;
    return better;
}

Node *emit(Simplify *s, Op op, Node *const *args, int arg_count, const Attr *attr, const Type *type)
{
    return emit_normal(s, build(s->g, op, args, arg_count, attr, type));
}

Node *emit_unary(Simplify *s, Op op, Node *a) { return emit(s, op, &a, 1, NULL, NULL); }

Node *emit_binary(Simplify *s, Op op, Node *a, Node *b) { return emit(s, op, (Node *[]){a, b}, 2, NULL, NULL); }

Node *emit_expand(Simplify *s, Node *a, const int8_t *map, Type type)
{
    return emit_normal(s, make_expand(s->g, a, map, type));
}

Node *emit_permute(Simplify *s, Node *a, const int8_t *map) { return emit_normal(s, make_permute(s->g, a, map)); }

Node *emit_reshape(Simplify *s, Node *a, Type type) { return emit_normal(s, make_reshape(s->g, a, type)); }

Node *emit_reduce(Simplify *s, Op op, Node *a, uint32_t axes) { return emit_normal(s, make_reduce(s->g, op, a, axes)); }

Node *emit_full(Simplify *s, Type type, double value)
{
    Node *scalar = dtype_is_float(type.dtype) ? make_float(s->g, type.dtype, value)
                                              : make_whole(s->g, type.dtype, (int64_t)value);
    return emit_normal(s, make_broadcast(s->g, scalar, type));
}

const Node *splat_of(const Node *node)
{
    if (node->op == OP_expand) node = node->args[0];
    return node->op == OP_const ? node : NULL;
}

bool is_splat_float(const Node *node, double value)
{
    const Node *scalar = splat_of(node);
    if (!scalar || !dtype_is_float(scalar->type.dtype)) return false;
    return scalar->attr.f == value && signbit(scalar->attr.f) == signbit(value);
}

bool is_splat_whole(const Node *node, int64_t value)
{
    const Node *scalar = splat_of(node);
    return scalar && !dtype_is_float(scalar->type.dtype) && scalar->attr.i == value;
}

/* How often each node is used by a live node or an output; outputs, their updated inputs and data inputs count as
 * used. */
static int *count_uses(Arena *arena, const Graph *graph)
{
    int *uses = arena_array(arena, int, graph->nodes.count + 1);
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *output = &graph->outputs.at[k];
        uses[output->node->id]++;
        Node *updated = output->kind == OUTPUT_update ? graph_find_input(graph, output->name) : NULL;
        if (updated) uses[updated->id]++;
    }
    for (int k = graph->nodes.count - 1; k >= 0; k--) {
        const Node *node = graph->nodes.at[k];
        if (node->op == OP_input && node->attr.storage == STORE_data) uses[k]++;
        for (int j = 0; uses[k] > 0 && j < node->arg_count; j++) uses[node->args[j]->id]++;
    }
    return uses;
}

static Node *rebuild(Graph *g, const Node *node, Node *const *copy)
{
    Node **args = arena_array(g->arena, Node *, node->arg_count + 1);
    for (int j = 0; j < node->arg_count; j++) args[j] = copy[node->args[j]->id];
    g->origin = node->origin_count ? node->origins[0] : NULL;
    return graph_rebuild(g, node, args);
}

static void copy_outputs(Graph *g, const Graph *graph, Node *const *copy)
{
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *output = &graph->outputs.at[k];
        graph_output(g, output->kind, output->name, copy[output->node->id]);
    }
}

/* A node that became its own argument is no use of it any more. */
static void add_uses(Simplify *s, const Node *node, Node *const *copy, int uses)
{
    uint32_t id = copy[node->id]->id;
    track(s, id);
    s->uses.at[id] += uses;
    for (int j = 0; j < node->arg_count; j++)
        if (copy[node->args[j]->id] == copy[node->id]) s->uses.at[id]--;
}

/* Every live node in normal form, among nodes that rules made on the way. */
static Graph *rewrite(Arena *arena, const Graph *graph)
{
    Graph *g = graph_like(arena, graph);
    Simplify s = {.g = g};
    int *uses = count_uses(arena, graph);
    Node **copy = arena_array(arena, Node *, graph->nodes.count + 1);
    for (int k = 0; k < graph->nodes.count; k++) {
        if (!uses[k]) continue;
        copy[k] = emit_normal(&s, rebuild(g, graph->nodes.at[k], copy));
        if (!splat_of(copy[k])) graph_add_origins(g, copy[k], graph->nodes.at[k]);
        add_uses(&s, graph->nodes.at[k], copy, uses[k]);
    }
    copy_outputs(g, graph, copy);
    return g;
}

/* Live nodes only, and large reductions cut; the reductions that were cut stay behind, dead. */
static Graph *cut_reductions(Arena *arena, const Graph *graph)
{
    Graph *g = graph_like(arena, graph);
    int *uses = count_uses(arena, graph);
    Node **copy = arena_array(arena, Node *, graph->nodes.count + 1);
    for (int k = 0; k < graph->nodes.count; k++) {
        if (!uses[k]) continue;
        copy[k] = rebuild(g, graph->nodes.at[k], copy);
        Op op = copy[k]->op;
        if (op == OP_sum || op == OP_reduce_max) copy[k] = cut_reduction(g, copy[k]);
    }
    copy_outputs(g, graph, copy);
    return g;
}

Graph *simplify_drop_dead(Arena *arena, const Graph *graph)
{
    Graph *g = graph_like(arena, graph);
    int *uses = count_uses(arena, graph);
    Node **copy = arena_array(arena, Node *, graph->nodes.count + 1);
    for (int k = 0; k < graph->nodes.count; k++)
        if (uses[k]) copy[k] = rebuild(g, graph->nodes.at[k], copy);
    copy_outputs(g, graph, copy);
    return g;
}

static bool has_scan(const Graph *graph)
{
    for (int k = 0; k < graph->nodes.count; k++)
        if (graph->nodes.at[k]->op == OP_scan) return true;
    return false;
}

Graph *simplify_normal(Arena *arena, const Graph *graph, Map *normal)
{
    Graph *known = map_get_bytes(normal, &graph, sizeof graph);
    if (known) return known;
    Graph *g = simplify_drop_dead(arena, rewrite(arena, graph));
    for (int round = 0; round < SCAN_ROUNDS && has_scan(g); round++) {
        Graph *better = simplify_scans(arena, g, normal);
        if (!better) break;
        g = simplify_drop_dead(arena, rewrite(arena, simplify_drop_dead(arena, better)));
    }
    const Graph *result = g;
    map_set_bytes(normal, &graph, sizeof graph, g);
    map_set_bytes(normal, &result, sizeof result, g);
    return g;
}

Graph *pass_simplify(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d)
{
    (void)options, (void)d;
    return simplify_drop_dead(arena, cut_reductions(arena, simplify_normal(arena, graph, map_new(arena))));
}
