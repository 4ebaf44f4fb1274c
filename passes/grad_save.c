/* Which values of the forward scan its backward scan reads, and which it makes again. Saving costs the memory of all
 * iterations at once, so what is cheap is made again from what is there: unless that would need more memory than the
 * value itself. What no iteration changes is never saved: it is made again, and leaves the loop in `simplify`. */
#include "passes/fuse.h"
#include "passes/grad.h"

/* Operations an element for which a value is made again rather than saved: what a store in the one loop and a load in
 * the other take of the time of a core. Above are the functions that are computed by polynomials; those alone, and
 * whatever is no element operator, are saved. */
enum { RECALL_COST = 4 };

static bool is_cheap(const Node *node)
{
    switch ((int)node->op) {
    case OP_const:
    case OP_iota:
    case OP_cast:
    case OP_stop: return true;
    default: return op_is_movement(node->op) || (op_is_element(node->op) && fuse_node_cost(node) <= RECALL_COST);
    }
}

typedef struct Search {
    Saving *s;
    bool   *given;                       /* of the same value in the backward body without saving: inputs but carries,
                                            and what no iteration changes */
    int    *seen;                        /* the count that has met it last */
    int     count;
} Search;

static bool *find_given(const Saving *s)
{
    Arena *arena = s->work->arena;
    bool *given = arena_array(arena, bool, s->forward_count + 1);
    bool *varies = arena_array(arena, bool, s->forward_count + 1);
    for (int k = 0; k < s->forward_count; k++) {
        const Node *node = s->work->nodes.at[k];
        varies[k] = node->op == OP_input && node->attr.storage != STORE_outer;
        for (int j = 0; j < node->arg_count; j++) varies[k] = varies[k] || varies[node->args[j]->id];
        given[k] = !varies[k] || (node->op == OP_input && node->attr.storage != STORE_carry);
    }
    return given;
}

/* Of the values that would have to be saved to make this one again, beside those that are needed anyway. */
static int64_t bytes_below(Search *search, const Node *node)
{
    const Saving *s = search->s;
    int64_t bytes = 0;
    for (int k = 0; k < node->arg_count; k++) {
        const Node *arg = node->args[k];
        if (s->needed[arg->id] || search->given[arg->id] || s->pick[arg->id] >= 0) continue;
        if (search->seen[arg->id] == search->count) continue;
        search->seen[arg->id] = search->count;
        bytes += is_cheap(arg) ? bytes_below(search, arg) : type_value_bytes(&arg->type);
    }
    return bytes;
}

static bool must_save(Search *search, const Node *node)
{
    const Saving *s = search->s;
    if ((int)node->id >= s->forward_count || search->given[node->id]) return false;
    if (!is_cheap(node) || s->pick[node->id] >= 0) return true;
    search->count++;
    return bytes_below(search, node) > type_value_bytes(&node->type);
}

/* Backwards, so that all who need a value have spoken before it is decided on. */
void saving_find(Saving *s)
{
    Search search = {.s = s, .given = find_given(s)};
    search.seen = arena_array(s->work->arena, int, s->forward_count + 1);
    for (int k = 0; k < s->forward_count; k++)
        if (search.given[k]) s->pick[k] = -1;
    for (int k = s->work->nodes.count - 1; k >= 0; k--) {
        Node *node = s->work->nodes.at[k];
        if (!s->needed[k]) continue;
        if (must_save(&search, node)) {
            if (s->pick[k] >= 0) continue;
            s->pick[k] = s->pick_count++;
            vec_push(s->work->arena, &s->saved, node);
            continue;
        }
        for (int j = 0; j < node->arg_count; j++) s->needed[node->args[j]->id] = true;
    }
}
