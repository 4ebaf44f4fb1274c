/* Iteration spaces: which one an anchor asks for, and where the nodes of a kernel stand in it. Positions decide, not
 * axes: two values of as many elements that are connected by operators that keep the row-major position share one
 * loop. */
#include "passes/fuse.h"

bool fuse_is_anchor(const Fusion *f, const Node *node)
{
    return f->role[node->id] == ROLE_wish || f->role[node->id] == ROLE_store;
}

bool fuse_is_filled(const Node *node)
{
    while (op_is_movement(node->op) && node->op != OP_concat) node = node->args[0];
    return node->op == OP_const;
}

Node *fuse_base(const Node *node)
{
    while (node->op == OP_reshape) node = node->args[0];
    return (Node *)node;
}

static Space reduction_space(const Node *node)
{
    const Type *type = &node->args[0]->type;
    Space s = {.a = 1, .r = 1, .c = 1};
    bool inside = false;
    for (int k = 0; k < type->rank; k++) {
        int64_t d = dim_value(type->dim[k]);
        bool reduced = node->attr.axes >> k & 1;
        inside = inside || reduced;
        if (reduced) s.r *= d;
        else if (inside) s.c *= d;
        else s.a *= d;
    }
    s.form = s.c == 1 ? FORM_rows : FORM_columns;
    return s;
}

Space fuse_natural_space(const Fusion *f, const Node *anchor)
{
    if (node_is_reduction(anchor)) return reduction_space(anchor);
    if (f->in_parts[anchor->id]) return (Space){FORM_map, f->elements[anchor->args[0]->id], 1, 1};
    bool loops = anchor->op == OP_scan || anchor->op == OP_pick;
    bool alone = anchor->op == OP_einsum || anchor->op == OP_scatter || loops;
    return (Space){alone ? FORM_alone : FORM_map, f->elements[anchor->id], 1, 1};
}

Stand fuse_anchor_stand(const Fusion *f, const Space *space, const Node *anchor)
{
    int64_t n = f->elements[anchor->id];
    if (node_is_reduction(anchor)) return STAND_row;
    if (f->in_parts[anchor->id]) {
        bool fits = space->form == FORM_map && space->a == f->elements[anchor->args[0]->id];
        return fits ? STAND_full : STAND_other;
    }
    if (space->form != FORM_columns && n == space->a * space->r) return STAND_full;
    return space->form != FORM_map && n == space->a * space->c ? STAND_row : STAND_other;
}

/* Movement that changes no element's row-major position. */
static bool keeps_position(const Fusion *f, const Node *node)
{
    const Node *arg = node->args[0];
    if (f->elements[arg->id] != f->elements[node->id]) return false;
    int last = -1;
    for (int k = 0; k < node->type.rank; k++) {
        if (dim_value(node->type.dim[k]) == 1) continue;
        if (node->op == OP_slice && node->attr.step[k] < 0) return false;
        if (node->op == OP_permute) {
            if (node->attr.map[k] < last) return false;
            last = node->attr.map[k];
        }
    }
    return node->op == OP_expand || node->op == OP_slice || node->op == OP_permute || node->op == OP_pad ||
           node->op == OP_reshape;
}

/* An expand from A to A + R: the result's leading axes make up A and come from the argument, the others are R and
 * are new. */
static bool spreads_rows(const Space *space, const Node *node)
{
    const Type *from = &node->args[0]->type, *to = &node->type;
    int64_t rows = 1;
    int lead = 0;
    while (lead < to->rank && rows < space->a) rows *= dim_value(to->dim[lead++]);
    if (rows != space->a) return false;
    bool covered[MAX_RANK] = {0};
    for (int k = 0; k < from->rank; k++) {
        if (dim_value(from->dim[k]) == 1) continue;
        int j = node->attr.map[k];
        if (j >= lead) return false;
        covered[j] = true;
    }
    for (int j = 0; j < lead; j++)
        if (!covered[j] && dim_value(to->dim[j]) != 1) return false;
    return true;
}

static Stand movement_stand(const Fusion *f, const Space *space, const Node *node, Stand stand)
{
    if (keeps_position(f, node)) return stand;
    bool to_row = node->op == OP_expand && stand == STAND_full && space->form == FORM_rows && spreads_rows(space, node);
    return to_row ? STAND_row : STAND_other;
}

Stand fuse_argument_stand(const Fusion *f, const Space *space, const Node *node, int k, Stand stand)
{
    if (stand == STAND_other || f->in_parts[node->id]) return stand;
    if (op_is_element(node->op) || node->op == OP_cast || node->op == OP_stop) return stand;
    if (node_is_reduction(node)) return STAND_full;
    if (node->op == OP_scatter) return k == 0 ? STAND_full : STAND_other;
    if (op_is_movement(node->op) && node->op != OP_concat && node->op != OP_window)
        return movement_stand(f, space, node, stand);
    return STAND_other;
}

/* ---- walks ---- */

static bool is_outside(const Walk *w, const Node *node)
{
    const Node *base = fuse_base(node);
    Role role = w->f->role[base->id];
    return role == ROLE_input || (role != ROLE_inside && w->f->unit[base->id] != w->unit);
}

/* A constant spread out, stored by another kernel: cheaper made again than read, and no reason to share a kernel. */
static bool is_made_again(const Walk *w, const Node *node)
{
    return !w->is_product && w->f->unit[fuse_base(node)->id] != w->unit && fuse_is_filled(node);
}

static bool ask(const Walk *w, Node *node, Stand stand);

static bool ask_arguments(const Walk *w, const Node *node, Stand stand)
{
    for (int k = 0; k < node->arg_count; k++)
        if (!ask(w, node->args[k], fuse_argument_stand(w->f, &w->space, node, k, stand))) return false;
    return true;
}

static bool ask(const Walk *w, Node *node, Stand stand)
{
    int *visited = &w->f->visited[stand][node->id];
    if (*visited == w->f->stamp) return true;
    *visited = w->f->stamp;
    bool stored = is_outside(w, node) || fuse_is_anchor(w->f, node);
    if (stored && !is_made_again(w, node)) return w->leaf(w->context, node, stand);
    if (w->inner) w->inner(w->context, node, stand);
    return ask_arguments(w, node, stand);
}

/* A loop reads its arguments from memory, whatever they are. */
static bool ask_scan_arguments(const Walk *w, const Node *scan)
{
    for (int k = 0; k < scan->arg_count; k++)
        if (!w->leaf(w->context, scan->args[k], STAND_other)) return false;
    return true;
}

bool fuse_walk(const Walk *w, const Node *anchor)
{
    Walk own = *w;
    own.is_product = anchor->op == OP_einsum;
    w->f->stamp++;
    if (anchor->op == OP_scan) return ask_scan_arguments(w, anchor);
    return ask_arguments(&own, anchor, fuse_anchor_stand(w->f, &w->space, anchor));
}
