/* Values that are put together from parts. A sum of pads that have no element in common, as the gradient of a split
 * is, becomes a concat; and a stored concat of parts of one size is written part by part, by a map over one of them, so
 * that no part is computed for the elements of the others. */
#include "passes/fuse.h"

enum {
    PARTS_AT_MOST = 8,                   /* of a stored concat: places that its kernel writes */
    PADS_AT_MOST = 16
};

/* ---- pads ---- */

typedef struct Pads {
    const Node *at[PADS_AT_MOST];        /* by rising place */
    int     count;
    int     axis;                        /* along which they lie side by side; -1: not known yet */
} Pads;

/* The only axis along which a pad has zeros, or -1. */
static int padded_axis(const Node *pad)
{
    int axis = -1;
    for (int k = 0; k < pad->type.rank; k++) {
        if (dim_value(pad->type.dim[k]) == dim_value(pad->args[0]->type.dim[k])) continue;
        if (axis >= 0) return -1;
        axis = k;
    }
    return axis;
}

static bool add_pad(Pads *pads, const Node *pad)
{
    int axis = padded_axis(pad), k = pads->count;
    if (axis < 0 || k == PADS_AT_MOST || (pads->axis >= 0 && pads->axis != axis)) return false;
    pads->axis = axis;
    int64_t start = dim_value(pad->attr.start[axis]);
    for (; k > 0 && dim_value(pads->at[k - 1]->attr.start[axis]) > start; k--) pads->at[k] = pads->at[k - 1];
    pads->at[k] = pad;
    pads->count++;
    return true;
}

/* The terms of a sum, as far as nothing else asks for its partial sums; false when there is another term than pads. */
static bool find_pads(const Node *sum, const int *users, Pads *pads)
{
    for (int k = 0; k < 2; k++) {
        const Node *term = sum->args[k];
        bool partial = term->op == OP_add && users[term->id] == 1;
        bool found = partial ? find_pads(term, users, pads) : term->op == OP_pad && add_pad(pads, term);
        if (!found) return false;
    }
    return true;
}

/* Whether each begins where the one before ends. */
static bool are_a_row(const Pads *pads, const Type *type)
{
    int64_t end = 0;
    for (int k = 0; k < pads->count; k++) {
        if (dim_value(pads->at[k]->attr.start[pads->axis]) != end) return false;
        end += dim_value(pads->at[k]->args[0]->type.dim[pads->axis]);
    }
    return end == dim_value(type->dim[pads->axis]);
}

Node *fuse_join_pads(Graph *g, const Node *sum, const int *users, Node *const *copy)
{
    Pads pads = {.axis = -1};
    if (!find_pads(sum, users, &pads) || !are_a_row(&pads, &sum->type)) return NULL;
    Node *parts[PADS_AT_MOST];
    for (int k = 0; k < pads.count; k++) parts[k] = copy[pads.at[k]->args[0]->id];
    Node *whole = fuse_concat(g, parts, pads.count, pads.axis);
    return make_reshape(g, whole, sum->type);                /* the same extents, perhaps by other names */
}

/* The parts of `from` that are concats along the axis as their own parts; returns how many. */
static int take_apart(Node *const *from, int count, int axis, Node **to)
{
    int n = 0;
    for (int k = 0; k < count; k++) {
        bool joined = from[k]->op == OP_concat && from[k]->attr.axis == axis;
        Node *const *parts = joined ? from[k]->args : &from[k];
        for (int j = 0; j < (joined ? from[k]->arg_count : 1); j++, n++)
            if (n < PADS_AT_MOST) to[n] = parts[j];
    }
    return n;
}

Node *fuse_concat(Graph *g, Node *const *parts, int count, int axis)
{
    Node *apart[PADS_AT_MOST];
    int n = take_apart(parts, count, axis, apart);
    return n <= PARTS_AT_MOST ? make_concat(g, apart, n, axis) : make_concat(g, parts, count, axis);
}

/* ---- parts ---- */

bool fuse_fits_parts(const Fusion *f, const Node *node)
{
    if (node->op != OP_concat || node->arg_count > PARTS_AT_MOST || node->arg_count < 2) return false;
    for (int k = 1; k < node->arg_count; k++)
        if (f->elements[node->args[k]->id] != f->elements[node->args[0]->id]) return false;
    return f->elements[node->id] > 0;
}
