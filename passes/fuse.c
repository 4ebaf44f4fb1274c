/* Cuts the graph into kernels. Needs: a verified graph whose dimensions have values. Guarantees: a plan whose
 * kernels together compute every output, each in the form that ir/plan.h describes, in an order that respects their
 * dependences; the body of a scan likewise, in a plan of its own. Gives up: the given graph (the plan refers to a
 * rewritten one). */
#include "passes/fuse.h"

static void find_live(Fusion *f)
{
    f->live = arena_array(f->arena, bool, f->count + 1);
    for (int k = 0; k < f->graph->outputs.count; k++) f->live[f->graph->outputs.at[k].node->id] = true;
    for (int k = f->count - 1; k >= 0; k--) {
        const Node *n = f->graph->nodes.at[k];
        if (n->op == OP_input) f->live[k] = true;
        for (int j = 0; f->live[k] && j < n->arg_count; j++) f->live[n->args[j]->id] = true;
    }
}

static void find_users(Fusion *f)
{
    f->users = arena_array(f->arena, Node **, f->count + 1);
    f->user_count = arena_array(f->arena, int, f->count + 1);
    int *room = arena_array(f->arena, int, f->count + 1);
    for (int k = 0; k < f->count; k++) {
        const Node *n = f->graph->nodes.at[k];
        for (int j = 0; f->live[k] && j < n->arg_count; j++) room[n->args[j]->id]++;
    }
    for (int k = 0; k < f->count; k++) f->users[k] = arena_array(f->arena, Node *, room[k] + 1);
    for (int k = 0; k < f->count; k++) {
        Node *n = f->graph->nodes.at[k];
        for (int j = 0; f->live[k] && j < n->arg_count; j++) {
            uint32_t a = n->args[j]->id;
            int have = f->user_count[a];
            if (have == 0 || f->users[a][have - 1] != n) f->users[a][f->user_count[a]++] = n;
        }
    }
}

static Fusion fusion_new(Arena *arena, const Graph *graph)
{
    int count = graph->nodes.count;
    Fusion f = {.arena = arena, .graph = graph, .count = count};
    find_live(&f);
    find_users(&f);
    f.elements = arena_array(arena, int64_t, count + 1);
    for (int k = 0; k < count; k++) f.elements[k] = type_value_elements(&graph->nodes.at[k]->type);
    f.role = arena_array(arena, Role, count + 1);
    f.why = arena_array(arena, const char *, count + 1);
    f.in_parts = arena_array(arena, bool, count + 1);
    f.unit = arena_array(arena, Unit *, count + 1);
    f.readers = arena_array(arena, UnitList, count + 1);
    for (int s = 0; s < STAND_COUNT; s++) f.visited[s] = arena_array(arena, int, count + 1);
    f.stored = arena_array(arena, bool, count + 1);
    f.slot = arena_array(arena, int, count + 1);
    return f;
}

/* Depth first; `next` is the place among u->from where the walk goes on. */
static void order_unit(Fusion *f, Unit *root, int *next, UnitList *order)
{
    if (root->mark == f->stamp) return;
    root->mark = f->stamp;
    vec_push(f->arena, &f->stack, root);
    while (f->stack.count) {
        Unit *u = f->stack.at[f->stack.count - 1];
        if (next[u->id] == u->from.count) {
            vec_push(f->arena, order, u);
            f->stack.count--;
            continue;
        }
        Unit *before = u->from.at[next[u->id]++];
        if (before->mark == f->stamp) continue;
        before->mark = f->stamp;
        vec_push(f->arena, &f->stack, before);
    }
}

/* By age, but what a unit reads before it: a unit may have taken in anchors younger than its readers. */
static UnitList order_units(Fusion *f)
{
    UnitList order = {0};
    int *next = arena_array(f->arena, int, f->units.count + 1);
    f->stamp++;
    for (int k = 0; k < f->units.count; k++) order_unit(f, f->units.at[k], next, &order);
    return order;
}

static Plan *cut(Fusion *f)
{
    Plan *plan = arena_new_of(f->arena, Plan);
    plan->arena = f->arena;
    plan->graph = f->graph;
    plan->buffer_of = arena_array(f->arena, Buffer *, f->count + 1);
    fuse_mark_stored(f);
    fuse_contract(f);
    plan->contracted = f->contracted;
    fuse_group(f);
    UnitList order = order_units(f);
    fuse_build_kernels(f, &order, plan);
    return plan;
}

Plan *fuse_body(Arena *arena, const Graph *graph)
{
    Fusion f = fusion_new(arena, graph);
    f.is_body = true;
    return cut(&f);
}

/* Whether the plan as it is fits into the memory that there is, without a value made again. */
static bool fits(Arena *arena, Plan *plan, const PassOptions *options, Diagnostics *d)
{
    Plan *placed = pass_plan(arena, pass_schedule(arena, plan, options, d), options, d);
    return placed->block_bytes[MEMORY_work] <= options->memory;
}

Plan *pass_fuse(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d)
{
    const Graph *rewritten = fuse_rewrite(arena, graph);
    Fusion f = fusion_new(arena, rewritten);
    Plan *plan = cut(&f);
    if (!options->memory || fits(arena, plan, options, d)) return plan;
    f = fusion_new(arena, rewritten);
    f.is_limited = true;
    return cut(&f);
}
