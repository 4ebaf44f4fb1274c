/* Scans, inside out. The body is brought to normal form by the rules that any graph goes through; then it is built
 * again from what is asked for (carries and results that nobody picks, arguments that nobody reads are gone; results
 * and arguments that are the same are one), without what is better computed around the loop (simplify_hoist.c,
 * simplify_sink.c). Rounds repeat until nothing changes: what has left a loop meets the rules outside, and may leave
 * the loop around.
 * Guarantees: the same values but for the order of floating additions over the iterations; what an iteration that is
 * never made would compute is neither shown nor able to fail. */
#include "passes/simplify_scan.h"

#include <string.h>

/* ---- the loop as it is ---- */

static const Node *update_of(const Graph *body, const char *name)
{
    for (int k = 0; k < body->outputs.count; k++) {
        const Output *output = &body->outputs.at[k];
        if (output->kind == OUTPUT_update && !strcmp(output->name, name)) return output->node;
    }
    return NULL;
}

static void read_inputs(Loop *l, Node *const *args, const Graph *region)
{
    const Graph *body = l->body;
    for (int k = 0, next = 0; k < region->inputs.count; k++) {
        const Node *old = region->inputs.at[k], *input = graph_find_input(body, old->attr.text);
        Node *arg = old->attr.storage == STORE_ambient ? NULL : args[next++];
        if (input) l->args[input->id] = arg;
    }
    for (int k = 0; k < body->inputs.count; k++) {
        const Node *input = body->inputs.at[k];
        if (input->attr.storage != STORE_carry) continue;
        Carry *c = &l->carries[l->carry_count++];
        *c = (Carry){.input = input, .next = update_of(body, input->attr.text)};
        c->ends = l->carry_count == l->attr->axis;
    }
    for (int k = 0; k < body->outputs.count; k++)
        if (body->outputs.at[k].kind == OUTPUT_result) l->results[l->result_count++] = &body->outputs.at[k];
}

/* The scan whose body, in normal form, is `body`. Carries and results keep their numbers in that form. */
static Loop loop_new(Graph *g, const Node *scan, const Graph *body, Node *const *args, const bool *picked)
{
    Arena *arena = g->arena;
    int count = body->nodes.count + 1;
    Loop l = {.g = g, .body = body, .attr = &scan->attr, .picked = picked};
    l.may_skip = scan->attr.axis || dim_value(scan->attr.count) < 1;
    l.carries = arena_array(arena, Carry, body->inputs.count + 1);
    l.results = arena_array(arena, const Output *, body->outputs.count + 1);
    l.args = arena_array(arena, Node *, count);
    l.pace = arena_array(arena, Pace, count);
    l.live = arena_array(arena, bool, count);
    l.after = arena_array(arena, bool, count);
    l.stacked = arena_array(arena, bool, count);
    l.result = arena_array(arena, int, count);
    l.terms = arena_array(arena, int, count);
    for (int way = 0; way < 3; way++) l.made[way] = arena_array(arena, Node *, count);
    l.inner = graph_like(arena, body);
    read_inputs(&l, args, scan->region);
    return l;
}

/* ---- the new loop ---- */

static bool stays_carry(const Loop *l, const Carry *c)
{
    return c->live && !c->summed && l->pace[c->input->id] == PACE_carried;
}

static void build_carries(Loop *l)
{
    for (int k = 0; k < l->carry_count; k++) {
        Carry *c = &l->carries[k];
        if (!stays_carry(l, c)) continue;
        l->made[WAY_inside][c->input->id] =
            loop_add_input(l, STORE_carry, c->input->attr.text, c->input->type, l->args[c->input->id]);
        l->kept_carries++;
    }
    for (int k = 0; k < l->carry_count; k++)
        if (stays_carry(l, &l->carries[k]))
            graph_output(l->inner, OUTPUT_update, l->carries[k].input->attr.text, loop_inside(l, l->carries[k].next));
}

static bool has_result(const Graph *g, const char *name)
{
    for (int k = 0; k < g->outputs.count; k++)
        if (g->outputs.at[k].kind == OUTPUT_result && !strcmp(g->outputs.at[k].name, name)) return true;
    return false;
}

/* One result for a node, or for nodes that have become one. */
static void add_result(Loop *l, const Node *node, const char *name, int *count)
{
    Node *value = loop_inside(l, node);
    int number = 0;
    for (int k = 0; k < l->inner->outputs.count; k++) {
        const Output *output = &l->inner->outputs.at[k];
        if (output->kind != OUTPUT_result) continue;
        if (output->node == value) {
            l->result[node->id] = number;
            return;
        }
        number++;
    }
    for (int k = 0; !name; k++) {
        const char *free_name = arena_print(l->g->arena, "saved.%d", k);
        if (!has_result(l->inner, free_name) && !has_result(l->body, free_name)) name = free_name;
    }
    graph_output(l->inner, OUTPUT_result, name, value);
    l->result[node->id] = (*count)++;
}

/* The results that stay, then what is stacked besides. */
static void build_results(Loop *l)
{
    int count = 0;
    bool *named = arena_array(l->g->arena, bool, l->body->nodes.count + 1);
    for (int k = 0; k < l->result_count; k++) {
        const Output *output = l->results[k];
        bool stays = l->picked[l->carry_count + k] && l->stacked[output->node->id] && !named[output->node->id];
        if (!stays) continue;
        named[output->node->id] = true;
        add_result(l, output->node, output->name, &count);
    }
    for (int k = 0; k < l->body->nodes.count; k++) {
        if (!l->stacked[k] || named[k]) continue;
        add_result(l, l->body->nodes.at[k], NULL, &count);
        l->changed = true;
    }
}

/* A scan over a body whose inputs have the names of those of `inner`, with their arguments. */
static Node *scan_over(Loop *l, const Graph *body)
{
    Node **args = arena_array(l->g->arena, Node *, body->inputs.count + 1);
    int count = 0;
    Attr attr = {.i = l->attr->i, .count = l->attr->count};
    for (int k = 0, carry = 0; k < body->inputs.count; k++) {
        const Node *input = body->inputs.at[k];
        if (input->attr.storage == STORE_ambient) continue;
        for (int j = 0; j < l->inner->inputs.count; j++)
            if (!strcmp(l->inner->inputs.at[j]->attr.text, input->attr.text)) args[count++] = l->inner_args.at[j];
        if (input->attr.storage != STORE_carry) continue;
        carry++;
        for (int j = 0; j < l->carry_count; j++)
            if (l->carries[j].ends && !strcmp(l->carries[j].input->attr.text, input->attr.text)) attr.axis = carry;
    }
    return make_scan(l->g, args, count, &attr, body);
}

/* ---- what its picks become ---- */

/* A sum is no negative zero, so that zero before it is nothing. */
static Node *added(Loop *l, Node *before, Node *total)
{
    bool nothing = is_splat_float(before, 0.0) || is_splat_whole(before, 0);
    return nothing ? total : make_binary(l->g, OP_add, before, total);
}

static Node *final_value(Loop *l, int k)
{
    const Carry *c = &l->carries[k];
    Node *first = l->args[c->input->id];
    int number = 0;
    if (c->delays) return loop_last(l, c->next);
    if (l->pace[c->input->id] != PACE_carried) return loop_whole(l, c->input);
    for (int j = 0; j < k; j++) number += stays_carry(l, &l->carries[j]);
    if (!c->summed) {
        build_at(l->g, c->next);
        return make_pick(l->g, l->scan, number);
    }
    for (int j = 0; j < c->parts.count; j++) {
        Node *total = loop_total(l, c->parts.at[j]);
        build_at(l->g, c->next);
        first = added(l, first, total);
    }
    return first;
}

static Node *stacked_value(Loop *l, const Node *node)
{
    if (!l->attr->axis) return loop_every(l, node);
    build_at(l->g, node);
    return make_pick(l->g, l->scan, l->kept_carries + l->result[node->id]);
}

static Node *new_pick(Loop *l, int k)
{
    return k < l->carry_count ? final_value(l, k) : stacked_value(l, l->results[k - l->carry_count]->node);
}

/* Whether the new body differs from the old one in more than the numbers of its nodes. */
static bool has_changed(const Loop *l)
{
    return l->changed || l->inner->inputs.count != l->body->inputs.count ||
           l->inner->outputs.count != l->body->outputs.count;
}

/* Fills `picks` with what stands for each pick that is asked for. True when the loop is another one now. */
static bool simplify_scan(Graph *g, const Node *scan, Node *const *args, const bool *picked, Node **picks, Map *normal)
{
    const Graph *body = simplify_normal(g->arena, scan->region, normal);
    Loop l = loop_new(g, scan, body, args, picked);
    loop_find_paces(&l);
    loop_count_terms(&l);
    loop_find_sinks(&l);
    build_carries(&l);
    build_results(&l);
    bool changed = has_changed(&l);
    const Graph *inner = changed ? simplify_normal(g->arena, l.inner, normal) : body;
    if (inner->outputs.count) {
        build_at(g, scan);
        l.scan = scan_over(&l, inner);
        graph_add_origins(g, l.scan, scan);
    }
    for (int k = 0; k < l.carry_count + l.result_count; k++)
        if (picked[k]) picks[k] = new_pick(&l, k);
    return changed;
}

/* ---- all of them ---- */

/* For each scan, by its id: which picks of it there are. */
static bool **find_picked(Arena *arena, const Graph *graph)
{
    bool **picked = arena_array(arena, bool *, graph->nodes.count + 1);
    for (int k = 0; k < graph->nodes.count; k++) {
        const Node *node = graph->nodes.at[k];
        if (node->op == OP_scan) picked[k] = arena_array(arena, bool, scan_result_count(node) + 1);
        if (node->op == OP_pick) picked[node->args[0]->id][node->attr.i] = true;
    }
    return picked;
}

Graph *simplify_scans(Arena *arena, const Graph *graph, Map *normal)
{
    Graph *g = graph_like(arena, graph);
    bool **picked = find_picked(arena, graph), changed = false;
    Node **copy = arena_array(arena, Node *, graph->nodes.count + 1);
    Node ***picks = arena_array(arena, Node **, graph->nodes.count + 1);
    for (int k = 0; k < graph->nodes.count; k++) {
        const Node *node = graph->nodes.at[k];
        Node **args = arena_array(arena, Node *, node->arg_count + 1);
        for (int j = 0; j < node->arg_count; j++) args[j] = copy[node->args[j]->id];
        if (node->op == OP_scan) {
            picks[k] = arena_array(arena, Node *, scan_result_count(node) + 1);
            changed |= simplify_scan(g, node, args, picked[k], picks[k], normal);
        } else if (node->op == OP_pick) {
            copy[k] = picks[node->args[0]->id][node->attr.i];
        } else {
            copy[k] = graph_rebuild(g, node, args);
        }
    }
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *output = &graph->outputs.at[k];
        graph_output(g, output->kind, output->name, copy[output->node->id]);
    }
    return changed ? g : NULL;
}
