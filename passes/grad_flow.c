/* Which values a gradient goes to, before any is built: forwards from the trained parameters, then backwards from the
 * loss. In a scan both go around until nothing is added: what one iteration leaves in a carry, the next one finds. */
#include "passes/grad.h"

static Flow *flow_new(Arena *arena, const Graph *graph)
{
    Flow *f = arena_new_of(arena, Flow);
    f->graph = graph;
    f->active = arena_array(arena, bool, graph->nodes.count + 1);
    f->wanted = arena_array(arena, bool, graph->nodes.count + 1);
    f->body = arena_array(arena, Flow *, graph->nodes.count + 1);
    return f;
}

/* ---- forwards ---- */

static void find_active(Arena *arena, Flow *f);

/* Carries whose new value is active become so; whether there were any. */
static bool carry_active(Flow *body, const Node *scan)
{
    bool more = false;
    for (int k = 0; k < scan_carry_count(scan); k++) {
        bool *carry = &body->active[scan_carry(scan, k)->id];
        if (*carry || !body->active[scan_output(scan, k)->node->id]) continue;
        *carry = more = true;
    }
    return more;
}

static void find_active_in_scan(Arena *arena, Flow *f, const Node *scan)
{
    Flow *body = f->body[scan->id];
    if (!body) {
        body = f->body[scan->id] = flow_new(arena, scan->region);
        body->pick = arena_array(arena, bool, scan_result_count(scan) + 1);
    }
    for (int k = 0; k < scan->arg_count; k++)
        if (f->active[scan->args[k]->id]) body->active[scan_input(scan, k)->id] = true;
    do find_active(arena, body);
    while (carry_active(body, scan));
}

/* The final value of a carry is what it began with where there is no iteration. */
static bool pick_is_active(const Flow *f, const Node *pick)
{
    const Node *scan = pick->args[0];
    const Flow *body = f->body[scan->id];
    int k = (int)pick->attr.i;
    const Node *made = k < scan_carry_count(scan) ? scan_carry(scan, k) : scan_output(scan, k)->node;
    return body->active[made->id];
}

static bool depends(const Flow *f, const Node *node)
{
    if (!dtype_is_float(node->type.dtype) || node->op == OP_stop) return false;
    if (node->op == OP_pick) return pick_is_active(f, node);
    for (int k = 0; k < node->arg_count; k++)
        if (f->active[node->args[k]->id]) return true;
    return false;
}

/* Beside what is active already. */
static void find_active(Arena *arena, Flow *f)
{
    for (int k = 0; k < f->graph->nodes.count; k++) {
        const Node *node = f->graph->nodes.at[k];
        if (node->op == OP_scan) find_active_in_scan(arena, f, node);
        f->active[k] = f->active[k] || depends(f, node);
    }
}

/* ---- backwards ---- */

static void want(Flow *f, const Node *node)
{
    if (f->active[node->id]) f->wanted[node->id] = true;
}

static void find_wanted(Flow *f);

/* Carries that an iteration reads are wanted of the one before; whether there were any. */
static bool carry_wanted(Flow *body, const Node *scan)
{
    bool more = false;
    for (int k = 0; k < scan_carry_count(scan); k++) {
        if (body->pick[k] || !body->wanted[scan_carry(scan, k)->id]) continue;
        body->pick[k] = more = true;
    }
    return more;
}

static void find_wanted_in_scan(Flow *f, const Node *scan)
{
    Flow *body = f->body[scan->id];
    do {
        for (int k = 0; k < scan_result_count(scan); k++)
            if (body->pick[k]) want(body, scan_output(scan, k)->node);
        find_wanted(body);
    } while (carry_wanted(body, scan));
    int carry = 0;
    for (int k = 0; k < scan->arg_count; k++) {
        const Node *input = scan_input(scan, k);
        bool carries = input->attr.storage == STORE_carry;
        if (carries ? body->pick[carry++] : body->wanted[input->id]) want(f, scan->args[k]);
    }
}

static void find_wanted(Flow *f)
{
    for (int k = f->graph->nodes.count - 1; k >= 0; k--) {
        const Node *node = f->graph->nodes.at[k];
        if (!f->wanted[k]) continue;
        if (node->op == OP_scan) {
            find_wanted_in_scan(f, node);
        } else if (node->op == OP_pick) {
            f->body[node->args[0]->id]->pick[node->attr.i] = true;
            f->wanted[node->args[0]->id] = true;
        } else {
            for (int j = 0; j < node->arg_count; j++) want(f, node->args[j]);
        }
    }
}

Flow *flow_find(Arena *arena, const Graph *graph, Node *const *trained, int trained_count, const Node *loss)
{
    Flow *f = flow_new(arena, graph);
    for (int k = 0; k < trained_count; k++)
        if (trained[k]) f->active[trained[k]->id] = true;
    find_active(arena, f);
    want(f, loss);
    find_wanted(f);
    return f;
}
