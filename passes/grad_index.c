/* Gradients of gather and scatter, which are adjoints of each other. No gradient flows to an index. */
#include "passes/grad_rules.h"

/* Rows read several times get the sum; absent rows (-1) send nothing. */
Node *grad_gather(Graph *g, Node *node, Node *d, int k)
{
    if (k != 0) return NULL;
    Node *nothing = make_full(g, node->args[0]->type, 0.0);
    return make_scatter(g, nothing, d, node->args + 1, node->arg_count - 1, node->attr.axis, true);
}

/* Places whose value stands in the result: those that no later place wrote over. Each place writes its own number
 * into a table, and looks whether it is still there. */
static Node *find_winners(Graph *g, const Node *node)
{
    Node *const *index = node->args + 2;
    int index_count = node->arg_count - 2, axis = node->attr.axis;
    const Type *base = &node->args[0]->type, *places = &index[0]->type;
    Type table = {.dtype = DT_i32, .rank = index_count};
    for (int k = 0; k < index_count; k++) table.dim[k] = base->dim[axis + k];
    Type flat = {.dtype = DT_i32, .rank = 1, .dim = {type_elements(g->dims, places)}};
    Node *number = make_reshape(g, make_iota(g, flat, 0), type_with(*places, DT_i32));
    Node *owner = make_scatter(g, build_splat(g, table, -1), number, index, index_count, 0, false);
    return make_binary(g, OP_eq, make_gather(g, owner, index, index_count, 0), number);
}

/* Set: what was there before gets the gradient outside the written rows, the last value written to a row gets it
 * inside. */
Node *grad_scatter(Graph *g, Node *node, Node *d, int k)
{
    Node *const *index = node->args + 2;
    int index_count = node->arg_count - 2, axis = node->attr.axis;
    bool add = node->attr.i != 0;
    if (k > 1) return NULL;
    if (k == 0 && add) return d;
    const Type *values = &node->args[1]->type;
    if (k == 0) return make_scatter(g, d, make_full(g, *values, 0.0), index, index_count, axis, false);
    Node *rows = make_gather(g, d, index, index_count, axis);
    if (add) return rows;
    int8_t map[MAX_RANK] = {0};
    for (int j = 0; j < index[0]->type.rank; j++) map[j] = (int8_t)(axis + j);
    Node *wins = make_expand(g, find_winners(g, node), map, type_with(*values, DT_bool));
    return make_where(g, wins, rows, make_full(g, *values, 0.0));
}
