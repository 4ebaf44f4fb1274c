/* Which values of the forward scan its backward scan reads, and which it makes again. Saving a value costs a store in
 * the one loop and a load in the other, making it again costs its operations and needs its arguments: the cheapest
 * choice is a minimum cut between what can not be made again and what the backward body asks for. Each value stands
 * there as two vertices: it is made again if its first lies on the side of the backward body, saved if only its second
 * does.
 *
 * Nothing is saved that the backward body has anyway: elements of arguments, and what no iteration changes, which
 * leaves the loop in `simplify`. Values that only the gradient asks for, such as where a maximum was taken, are made
 * in either loop. */
#include "passes/fuse.h"
#include "passes/grad.h"
#include "passes/min_cut.h"

enum {
    SAVE_COST = 16,                      /* operations an element that take as long as its store and its load: about so
                                            many from the third-level cache, fewer from the second, more from memory */
    LOAD_COST = 8,                       /* the same of what the forward scan returns anyway */
    NEVER = -1
};

/* Operations an element to make a value again; NEVER: products, reductions, draws, rows read through an index, loops
 * and what they carry. Computing what only the gradient asks for costs nothing more in the backward loop. */
static int recall_cost(const Saving *s, const Node *node)
{
    if ((int)node->id >= s->forward_count || op_is_movement(node->op)) return 0;
    switch ((int)node->op) {
    case OP_const:
    case OP_iota:
    case OP_cast:
    case OP_stop: return 0;
    default: return op_is_element(node->op) ? fuse_node_cost(node) : NEVER;
    }
}

typedef struct Search {
    Saving *s;
    bool   *forward;                     /* by id: does not depend on the gradients that come in */
    bool   *given;                       /* the backward body has it anyway */
    MinCut *cut;
} Search;

static void find_given(Search *search)
{
    const Saving *s = search->s;
    bool *varies = arena_array(s->work->arena, bool, s->work->nodes.count + 1);
    for (int k = 0; k < s->work->nodes.count; k++) {
        const Node *node = s->work->nodes.at[k];
        bool input = node->op == OP_input, loop = node->op == OP_scan;
        search->forward[k] = k < s->forward_count || (!input && !loop);
        varies[k] = input && node->attr.storage != STORE_outer;
        for (int j = 0; j < node->arg_count; j++) {
            search->forward[k] = search->forward[k] && search->forward[node->args[j]->id];
            varies[k] = varies[k] || varies[node->args[j]->id];
        }
        search->given[k] = !varies[k] || (input && node->attr.storage != STORE_carry);
    }
}

static int vertex(const Node *node) { return MIN_CUT_FIRST + 2 * (int)node->id; }

/* For one operation or move an element; of the widest value that takes part. */
static int64_t price(const Node *node, int cost)
{
    int width = dtype_bytes(node->type.dtype);
    for (int k = 0; k < node->arg_count; k++)
        if (width < dtype_bytes(node->args[k]->type.dtype)) width = dtype_bytes(node->args[k]->type.dtype);
    return cost * width * type_value_elements(&node->type);
}

/* The arcs of a value that the backward body may ask for: returns whether it may ask for the arguments then. */
static bool add_arcs(Search *search, const Node *node)
{
    const Saving *s = search->s;
    int cost = recall_cost(s, node), first = vertex(node);
    int64_t bytes = type_value_bytes(&node->type);
    min_cut_arc(search->cut, first, first + 1, bytes * (s->pick[node->id] >= 0 ? LOAD_COST : SAVE_COST));
    min_cut_arc(search->cut, MIN_CUT_SOURCE, first, cost == NEVER ? MIN_CUT_NEVER : price(node, cost));
    for (int k = 0; cost != NEVER && k < node->arg_count; k++)
        if (!search->given[node->args[k]->id])
            min_cut_arc(search->cut, vertex(node->args[k]) + 1, first, MIN_CUT_NEVER);
    return cost != NEVER;
}

/* What the gradients ask for, and all that this may be made of. */
static void build_network(Search *search)
{
    const Saving *s = search->s;
    int count = s->work->nodes.count;
    bool *asked = arena_array(s->work->arena, bool, count + 1);
    search->cut = min_cut_new(s->work->arena, MIN_CUT_FIRST + 2 * count);
    for (int k = count - 1; k >= 0; k--) {
        const Node *node = s->work->nodes.at[k];
        if (!search->forward[k] && s->needed[k])
            for (int j = 0; j < node->arg_count; j++) s->needed[node->args[j]->id] = true;
    }
    for (int k = count - 1; k >= 0; k--) {
        const Node *node = s->work->nodes.at[k];
        if (!search->forward[k] || search->given[k]) continue;
        if (s->needed[k]) min_cut_arc(search->cut, vertex(node) + 1, MIN_CUT_SINK, MIN_CUT_NEVER);
        if (!s->needed[k] && !asked[k]) continue;
        bool again = add_arcs(search, node);
        for (int j = 0; again && j < node->arg_count; j++) asked[node->args[j]->id] = true;
    }
}

void saving_find(Saving *s)
{
    Arena *arena = s->work->arena;
    int count = s->work->nodes.count;
    Search search = {s, arena_array(arena, bool, count + 1), arena_array(arena, bool, count + 1), NULL};
    find_given(&search);
    build_network(&search);
    const bool *backward = min_cut_find(search.cut);
    for (int k = count - 1; k >= 0; k--) {
        Node *node = s->work->nodes.at[k];
        bool saved = search.forward[k] && !search.given[k] && s->needed[k] && !backward[vertex(node)];
        if (saved && s->pick[k] < 0) {
            s->pick[k] = s->pick_count++;
            vec_push(arena, &s->saved, node);
        } else if (!saved) {
            s->pick[k] = -1;
        }
        for (int j = 0; !saved && s->needed[k] && j < node->arg_count; j++) s->needed[node->args[j]->id] = true;
    }
}
