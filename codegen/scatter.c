/* Scatter kernels: the base is copied or filled (unless the result lies in its memory), then rows are set or added in
 * the order of their indices. A unit is a block of the columns behind the indexed axes and takes all ids in turn. */
#include "codegen/emit.h"
#include "codegen/debug.h"

enum {
    FULL_BASE = 1u << GROUP_a | 1u << GROUP_rows | 1u << GROUP_c,
    FULL_VALUES = 1u << GROUP_a | 1u << GROUP_r | 1u << GROUP_c
};

typedef struct Scatter Scatter;
struct Scatter {
    const Node *node;
    Block block;
    void (*step)(Emit *e, const Scatter *s);
};

static LLVMValueRef result_place(Emit *e, const Scatter *s)
{
    return word_pointer(e, signature_member(e->s, s->node)->place).v;
}

static void base_step(Emit *e, const Scatter *s)
{
    for (int vector = 0; vector < s->block.count; vector++) {
        Affine index[MAX_RANK];
        block_use(e, &s->block, vector);
        nest_index(&e->indexer, e->nest, e->part, FULL_BASE, &s->node->type, index);
        Value v = eval(e, s->node->args[0], index, s->block.mask[vector]);
        Affine flat = nest_flat(e->nest, e->part, FULL_BASE);
        store(e, s->node->type.dtype, result_place(e, s), &flat, s->block.mask[vector], v);
    }
}

/* The rows that this turn of the loop names; lanes agree on them. */
static Mask find_rows(Emit *e, const Scatter *s, Affine *row)
{
    const Node *node = s->node;
    Mask mask = {0};
    for (int k = 2; k < node->arg_count; k++) {
        Affine index[MAX_RANK];
        nest_index(&e->indexer, e->nest, e->part, 1u << GROUP_r, &node->args[k]->type, index);
        int64_t bound = dim_value(node->type.dim[node->attr.axis + k - 2]);
        mask = eval_row(e, node, node->args[k], index, bound, mask, &row[k - 2]);
    }
    mask.when_depth = e->depth;          /* what is read and written must stay in this turn of the loop */
    return mask;
}

/* Where an element of the values lands: its own place, with the indexed axes replaced. */
static Affine landing(const Node *scatter, const Affine *index, const Affine *row)
{
    int axis = scatter->attr.axis, indexed = scatter->arg_count - 2, ids_rank = scatter->args[2]->type.rank;
    Affine to[MAX_RANK];
    for (int k = 0; k < axis; k++) to[k] = index[k];
    for (int k = 0; k < indexed; k++) to[axis + k] = row[k];
    for (int k = axis + indexed; k < scatter->type.rank; k++) to[k] = index[k - indexed + ids_rank];
    return index_flat_of(&scatter->type, to);
}

static void value_step(Emit *e, const Scatter *s)
{
    const Unit *u = e->unit;
    const Node *node = s->node;
    DType dtype = node->type.dtype;
    Affine row[MAX_RANK], index[MAX_RANK];
    Mask mask = find_rows(e, s, row);
    for (int vector = 0; vector < s->block.count; vector++) {
        block_use(e, &s->block, vector);
        mask.tail = s->block.mask[vector].tail, mask.tail_depth = s->block.mask[vector].tail_depth;
        nest_index(&e->indexer, e->nest, e->part, FULL_VALUES, &node->args[1]->type, index);
        Value v = eval(e, node->args[1], index, mask);
        Affine to = landing(node, index, row);
        if (node->attr.i == 1) {
            Value old = load(e, dtype, result_place(e, s), &to, mask);
            at(e, e->depth);
            v = (Value){cast_round(u, dtype, element_code(u, OP_add, dtype, old.v, v.v, NULL)), e->depth};
        }
        store(e, dtype, result_place(e, s), &to, mask, v);
    }
}

static void over_group(Emit *e, Group group, int from, const Scatter *s)
{
    int axis = from;
    while (axis < e->nest->axis_count && e->nest->axis[axis].group != group) axis++;
    if (axis == e->nest->axis_count) {
        s->step(e, s);
        return;
    }
    Loop loop;
    loop_open(e, &loop, whole(e->unit, 0), whole(e->unit, e->nest->axis[axis].extent), 1, false, NULL, 0);
    bind_axis(e, axis, loop.index, 0);
    over_group(e, group, axis + 1, s);
    loop_close(e, &loop, NULL);
}

static bool is_empty(const Nest *nest, Group group)
{
    for (int k = 0; k < nest->dim_count; k++)
        if (nest->group[k] == group && nest->dim[k] == 0) return true;
    return false;
}

void emit_scatter(Emit *e)
{
    Scatter s = {.node = e->kernel->outputs.at[0]};
    Loop units;
    block_bind(e, span_units(e, &units), &s.block);
    at(e, e->depth);
    debug_at(e->unit, s.node);
    s.step = base_step;
    if (!e->s->in_place) over_group(e, GROUP_rows, 0, &s);
    s.step = value_step;
    if (!is_empty(e->nest, GROUP_r)) over_group(e, GROUP_r, 0, &s);
    loop_close(e, &units, NULL);
}
