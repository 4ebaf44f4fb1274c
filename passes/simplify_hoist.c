/* What leaves a loop before it begins. The new body is built from what it must return: a value that is the same in
 * every iteration is computed once outside, unless it is movement; one that depends on the place alone is computed for
 * all places at once, if it is a contraction, a reduction, an indexing, a draw or a dear function: all time steps'
 * products with a weight become one. Cheap element work stays inside, where a kernel of the loop does it beside other
 * work. */
#include "passes/fuse.h"
#include "passes/simplify_scan.h"

/* Operations an element above which an element operator is computed outside: more than a store there and a load here
 * take. */
enum { LIFT_COST = 8 };

/* The most bytes that a value may take for all places at once, if it is no contraction: beyond that it is cheaper to
 * make it where it is read. */
enum { LIFT_BYTES = 16 << 20 };

/* ---- paces ---- */

/* The same element at all places. */
static bool repeats(const Node *arg)
{
    if (arg->op != OP_expand) return false;
    const Node *x = arg->args[0];
    return x->type.rank == 0 || arg->attr.map[0] > 0 || dim_is(x->type.dim[0], 1);
}

static bool same_constant(const Node *a, const Node *b)
{
    const Node *x = splat_of(a), *y = splat_of(b);
    return x && y && x->type.dtype == y->type.dtype && is_splat_float(x, y->attr.f) == dtype_is_float(x->type.dtype) &&
           x->attr.i == y->attr.i;
}

static Pace carry_pace(const Loop *l, const Node *input)
{
    for (int k = 0; k < l->carry_count; k++) {
        const Carry *c = &l->carries[k];
        if (c->input != input || c->ends) continue;
        if (c->delays) return PACE_place;
        if (c->next == input) return splat_of(l->args[input->id]) ? PACE_constant : PACE_fixed;
        if (same_constant(c->next, l->args[input->id])) return PACE_constant;
    }
    return PACE_carried;
}

static Pace input_pace(const Loop *l, const Node *input)
{
    const Node *arg = l->args[input->id];
    switch ((Storage)input->attr.storage) {
    case STORE_carry: return carry_pace(l, input);
    case STORE_outer: return splat_of(arg) ? PACE_constant : PACE_fixed;
    case STORE_each:
        if (splat_of(arg) || (arg->op == OP_iota && arg->attr.axis > 0)) return PACE_constant;
        return repeats(arg) ? PACE_fixed : PACE_place;
    case STORE_ambient: return PACE_place;
    case STORE_data: case STORE_param: case STORE_state: case STORE_sum: case STORE_const: break;
    }
    return PACE_carried;
}

static bool fixed_from(const Loop *l, const Node *node, int first, int end)
{
    for (int k = first; k < end; k++)
        if (loop_varies(l, node->args[k])) return false;
    return true;
}

bool loop_can_lift(const Loop *l, const Node *node)
{
    const Node *outer;
    if (node->type.rank == MAX_RANK) return false;
    for (int k = 0; k < node->arg_count; k++)
        if (node->args[k]->type.rank == MAX_RANK) return false;
    switch ((int)node->op) {
    case OP_input:
    case OP_cast:
    case OP_sum:
    case OP_reduce_max:
    case OP_cumsum:
    case OP_einsum: return true;
    case OP_gather:
        return !loop_varies(l, node->args[0]) || fixed_from(l, node, 1, node->arg_count) || node->attr.axis == 0;
    case OP_scatter: return fixed_from(l, node, 2, node->arg_count) || node->attr.axis == 0;
    case OP_uniform:
    case OP_integers: return fixed_from(l, node, 0, node->arg_count - 1) && loop_draw_index(l, node, &outer);
    default: return op_is_movement(node->op) || op_is_element(node->op);
    }
}

/* An index out of range is an error of the iteration that meets it: where it may never come to that, it stays there,
 * and with it the loop that it stands in. */
static bool may_fail(const Node *node)
{
    for (int k = 0; node->op == OP_scan && k < node->region->nodes.count; k++)
        if (may_fail(node->region->nodes.at[k])) return true;
    return node->op == OP_gather || node->op == OP_scatter;
}

static void find_paces(Loop *l)
{
    for (int k = 0; k < l->body->nodes.count; k++) {
        const Node *node = l->body->nodes.at[k];
        Pace pace = node->op == OP_input ? input_pace(l, node) : PACE_constant;
        for (int j = 0; j < node->arg_count; j++)
            if (l->pace[node->args[j]->id] > pace) pace = l->pace[node->args[j]->id];
        l->pace[k] = pace;
        bool stays = (l->may_skip && may_fail(node)) || (pace == PACE_place && !loop_can_lift(l, node));
        if (stays) l->pace[k] = PACE_carried;
    }
}

/* A carry whose new value does not depend on carries is that value one iteration late. */
static bool find_delays(Loop *l)
{
    bool more = false;
    for (int k = 0; k < l->carry_count && !l->may_skip; k++) {
        Carry *c = &l->carries[k];
        bool carried = c->delays || c->ends || l->pace[c->input->id] != PACE_carried;
        if (carried || l->pace[c->next->id] == PACE_carried || c->input->type.rank == MAX_RANK) continue;
        c->delays = more = true;
    }
    return more;
}

void loop_find_paces(Loop *l)
{
    do find_paces(l);
    while (find_delays(l));
}

/* ---- the new body ---- */

/* A view of its argument, which costs nothing inside. */
static bool is_view(const Node *node) { return is_whole_view(node) || node->op == OP_slice; }

static bool is_heavy(const Node *node)
{
    switch ((int)node->op) {
    case OP_einsum:
    case OP_sum:
    case OP_reduce_max:
    case OP_cumsum:
    case OP_gather:
    case OP_scatter:
    case OP_uniform:
    case OP_integers: return true;
    default: return false;
    }
}

static bool is_dear(const Node *node)
{
    return is_heavy(node) || (op_is_element(node->op) && fuse_node_cost(node) > LIFT_COST);
}

static const char *fresh_name(const Loop *l, const char *wanted)
{
    const char *name = wanted ? wanted : "hoisted.0";
    for (int k = 1; graph_find_input(l->inner, name) || (name != wanted && graph_find_input(l->body, name)); k++)
        name = arena_print(l->g->arena, "hoisted.%d", k);
    return name;
}

Node *loop_add_input(Loop *l, Storage storage, const char *name, Type type, Node *arg)
{
    for (int k = 0; k < l->inner->inputs.count; k++) {
        Node *input = l->inner->inputs.at[k];
        bool same = storage != STORE_carry && storage == (Storage)input->attr.storage && l->inner_args.at[k] == arg;
        if (same) return input;
    }
    Node *input = make_input(l->inner, storage, fresh_name(l, name), type);
    vec_push(l->g->arena, &l->inner_args, arg);
    return input;
}

static Node *copy_constant(Loop *l, const Node *scalar, Type type)
{
    return make_broadcast(l->inner, graph_rebuild(l->inner, scalar, NULL), type);
}

/* A value that is the same in every iteration, as an input of the body; one that is spread is spread there. */
static Node *outer_input(Loop *l, Node *value, const char *name)
{
    const Node *scalar = splat_of(value);
    if (scalar) return copy_constant(l, scalar, value->type);
    if (value->op != OP_expand) return loop_add_input(l, STORE_outer, name, value->type, value);
    l->changed = true;
    return make_expand(l->inner, outer_input(l, value->args[0], name), value->attr.map, value->type);
}

/* "index" as element t of an iota along the places. */
static Node *index_element(Loop *l, Type type)
{
    Node *index = loop_add_input(l, STORE_ambient, "index", type_scalar(DT_i64), NULL);
    return make_broadcast(l->inner, make_cast(l->inner, index, type.dtype), type);
}

static Node *hoist(Loop *l, const Node *node)
{
    l->changed = true;
    if (l->pace[node->id] < PACE_place) return outer_input(l, loop_whole(l, node), NULL);
    return loop_add_input(l, STORE_each, NULL, node->type, loop_every(l, node));
}

static Node *inside_input(Loop *l, const Node *input)
{
    Node *arg = l->args[input->id];
    const Node *scalar = arg ? splat_of(arg) : NULL;
    if (input->attr.storage == STORE_ambient)
        return loop_add_input(l, STORE_ambient, "index", input->type, NULL);
    if (input->attr.storage == STORE_carry && l->pace[input->id] == PACE_place) return hoist(l, input);
    if (l->pace[input->id] == PACE_place && arg->op != OP_iota)
        return loop_add_input(l, STORE_each, input->attr.text, input->type, arg);
    if (input->attr.storage != STORE_outer || scalar) l->changed = true;
    if (scalar) return copy_constant(l, scalar, input->type);
    if (arg->op == OP_iota && input->attr.storage == STORE_each)
        return arg->attr.axis ? make_iota(l->inner, input->type, arg->attr.axis - 1) : index_element(l, input->type);
    return outer_input(l, loop_whole(l, input), input->attr.text);
}

static Node *copy_inside(Loop *l, const Node *node)
{
    Node **args = arena_array(l->g->arena, Node *, node->arg_count + 1);
    for (int k = 0; k < node->arg_count; k++) args[k] = loop_inside(l, node->args[k]);
    return graph_rebuild(l->inner, node, args);
}

/* Of a loop that may end early contractions alone: most of what else it lists might never be asked for. */
static bool leaves_for_every(const Loop *l, const Node *node)
{
    int64_t bytes = type_value_bytes(&node->type), count = dim_value(l->attr->count);
    if (node->op == OP_einsum || !is_dear(node)) return is_dear(node);
    return !l->attr->axis && (bytes <= 0 || count <= LIFT_BYTES / bytes);
}

bool loop_leaves(const Loop *l, const Node *node)
{
    switch (l->pace[node->id]) {
    case PACE_constant: return is_heavy(node) || node->op == OP_pick;
    case PACE_fixed: return !is_view(node) && node->op != OP_scan;
    case PACE_place: return leaves_for_every(l, node);
    case PACE_carried: return false;
    }
    return false;
}

Node *loop_make_inside(Loop *l, const Node *node)
{
    return node->op == OP_input ? inside_input(l, node) : loop_leaves(l, node) ? hoist(l, node) : copy_inside(l, node);
}
