/* Loop kernels: maps, rows and columns (KernelKind in ir/plan.h). */
#include "codegen/emit.h"
#include "codegen/debug.h"

/* Values kept across passes that this kernel also writes are held where they are written. */
static bool held_in_output(const Emit *e, const Node *node)
{
    const Member *member = signature_member(e->s, node);
    return member->keep && e->held_state[member->number] == HELD_before;
}

typedef struct Written {
    const Node *output;
    Affine      position;
    Value       value;
} Written;
typedef Vec(Written) WrittenList;

static void eval_output(Emit *e, const Node *output, unsigned groups, Mask mask, WrittenList *list)
{
    for (int k = 0; k < kernel_parts(e->kernel, output); k++) {
        Piece piece = nest_piece(&e->indexer, e->nest, e->part, groups, e->kernel, output, k);
        Value value = eval(e, piece.node, piece.index, mask);
        vec_push(e->arena, list, ((Written){output, piece.position, value}));
    }
}

/* Computes all, then stores all. */
static void emit_outputs(Emit *e, bool spanning, unsigned groups, Mask mask)
{
    const Kernel *kernel = e->kernel;
    WrittenList list = {0};
    for (int k = 0; k < kernel->outputs.count; k++) {
        const Node *node = kernel->outputs.at[k];
        if (nest_spans(e->s, node) == spanning && !held_in_output(e, node)) eval_output(e, node, groups, mask, &list);
    }
    for (int k = 0; k < list.count; k++) {
        const Written *w = &list.at[k];
        const Member *member = signature_member(e->s, w->output);
        if (member->keep && e->held_state[member->number] == HELD_in_this_pass) continue;
        at(e, e->depth);
        debug_at(e->unit, w->output);
        store(e, w->output->type.dtype, word_pointer(e, member->place).v, &w->position, mask, w->value);
    }
}

static void map_body(Emit *e, void *context, Mask mask, LLVMValueRef *carried)
{
    (void)context, (void)carried;
    emit_outputs(e, false, 1u << GROUP_a, mask);
}

void emit_map(Emit *e)
{
    if (e->grid->flat) {
        span_flat(e, map_body, NULL);
        return;
    }
    Loop units;
    LLVMValueRef chunk = span_units(e, &units);
    if (e->grid->tiled || e->grid->chunks > 1)
        span_chunk(e, chunk, map_body, NULL);
    else
        span_inner(e, map_body, NULL, NULL, 0);
    loop_close(e, &units, NULL);
}

/* Bytes as numbers of their width. */
static DType copied_as(const Node *node)
{
    switch (dtype_bytes(node->type.dtype)) {
    case 8: return DT_i64;
    case 4: return DT_i32;
    case 2: return DT_bf16;
    default: return DT_i8;
    }
}

static void copy_body(Emit *e, void *context, Mask mask, LLVMValueRef *carried)
{
    (void)context, (void)carried;
    const Node *to = e->kernel->outputs.at[0];
    Affine flat = nest_flat(e->nest, e->part, 1u << GROUP_a);
    Value v = load(e, copied_as(to), word_pointer(e, 0).v, &flat, mask);
    store(e, copied_as(to), word_pointer(e, 1).v, &flat, mask, v);
}

void emit_copy(Emit *e)
{
    if (e->grid->flat) {
        span_flat(e, copy_body, NULL);
        return;
    }
    Loop units;
    span_units(e, &units);
    span_inner(e, copy_body, NULL, NULL, 0);
    loop_close(e, &units, NULL);
}

/* One pass over a row. */
typedef struct Pass {
    const Reduction *reduction[MAX_REDUCTIONS];
    int  count;
    bool last;                           /* writes the outputs along the row */
} Pass;

static void pass_body(Emit *e, void *context, Mask mask, LLVMValueRef *carried)
{
    const Pass *pass = context;
    for (int k = 0; k < pass->count; k++)
        carried[k] = reduction_step(e, pass->reduction[k]->node, carried[k], 1u << GROUP_a, mask);
    if (pass->last) emit_outputs(e, true, 1u << GROUP_a | 1u << GROUP_r, mask);
}

static bool row_is_empty(const Nest *nest)
{
    for (int k = 0; k < nest->dim_count; k++)
        if (nest->group[k] == GROUP_r && nest->dim[k] == 0) return true;
    return false;
}

static void emit_pass(Emit *e, Pass *pass)
{
    LLVMValueRef carried[MAX_REDUCTIONS];
    for (int k = 0; k < pass->count; k++) carried[k] = reduction_start(e->unit, pass->reduction[k]->node);
    e->in_row = true;
    if (!row_is_empty(e->nest)) span_inner(e, pass_body, pass, carried, pass->count);
    e->in_row = false;
    at(e, e->depth);
    for (int k = 0; k < pass->count; k++) {
        const Reduction *reduction = pass->reduction[k];
        e->reduced[reduction->number] = (Value){reduction_tree(e->unit, reduction->node, carried[k]), e->depth};
    }
    for (int k = 0; k < e->s->members.count; k++)
        if (e->held_state[k] == HELD_in_this_pass) e->held_state[k] = HELD_before;
}

static bool has_outputs(const Emit *e, bool spanning)
{
    for (int k = 0; k < e->kernel->outputs.count; k++)
        if (nest_spans(e->s, e->kernel->outputs.at[k]) == spanning) return true;
    return false;
}

void emit_rows(Emit *e)
{
    Reduction reductions[MAX_REDUCTIONS];
    int last = e->kernel->last_pass, count = reductions_of(e, reductions);
    bool spanning = has_outputs(e, true);
    Loop units;
    span_units(e, &units);
    block_bind_row(e);
    for (int number = 0; number <= last; number++) {
        Pass pass = {.last = spanning && number == last};
        for (int k = 0; k < count; k++)
            if (reductions[k].pass == number) pass.reduction[pass.count++] = &reductions[k];
        emit_pass(e, &pass);
    }
    emit_outputs(e, false, 1u << GROUP_a, (Mask){0});
    loop_close(e, &units, NULL);
}

/* The loops over the reduced axes around a block of columns. */
typedef struct Columns {
    Block     block;
    Reduction reduction[MAX_REDUCTIONS];
    int       count;
} Columns;

static void columns_step(Emit *e, const Columns *c, LLVMValueRef *carried)
{
    for (int vector = 0; vector < c->block.count; vector++) {
        block_use(e, &c->block, vector);
        for (int k = 0; k < c->count; k++) {
            LLVMValueRef *so_far = &carried[vector * c->count + k];
            *so_far =
                reduction_step(e, c->reduction[k].node, *so_far, 1u << GROUP_a | 1u << GROUP_c, c->block.mask[vector]);
        }
    }
}

static void columns_loops(Emit *e, int from, const Columns *c, LLVMValueRef *carried)
{
    if (from == e->grid->inner_count) {
        columns_step(e, c, carried);
        return;
    }
    int axis = e->grid->inner[from];
    Loop loop;
    LLVMValueRef limit = whole(e->unit, e->nest->axis[axis].extent);
    loop_open(e, &loop, whole(e->unit, 0), limit, 1, false, carried, c->count * c->block.count);
    bind_axis(e, axis, loop.index, 0);
    columns_loops(e, from + 1, c, carried);
    loop_close(e, &loop, carried);
}

void emit_columns(Emit *e)
{
    Columns c;
    Loop units;
    LLVMValueRef carried[MAX_REDUCTIONS * BLOCK_VECTORS];
    c.count = reductions_of(e, c.reduction);
    block_bind(e, span_units(e, &units), &c.block);
    for (int vector = 0; vector < c.block.count; vector++)
        for (int k = 0; k < c.count; k++) carried[vector * c.count + k] = reduction_start(e->unit, c.reduction[k].node);
    if (!row_is_empty(e->nest)) columns_loops(e, 0, &c, carried);
    for (int vector = 0; vector < c.block.count; vector++) {
        block_use(e, &c.block, vector);
        for (int k = 0; k < c.count; k++)
            e->reduced[c.reduction[k].number] = (Value){carried[vector * c.count + k], e->depth};
        emit_outputs(e, false, 1u << GROUP_a | 1u << GROUP_c, c.block.mask[vector]);
    }
    loop_close(e, &units, NULL);
}
