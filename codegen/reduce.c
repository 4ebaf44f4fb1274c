/* Reductions: 16 accumulators side by side along the lanes, then one fixed tree, so that the result depends on the
 * shape alone. */
#include "codegen/emit.h"

#include <assert.h>

int reductions_of(const Emit *e, Reduction *out)
{
    int count = 0;
    for (int k = 0; k < e->s->members.count; k++) {
        const Member *member = e->s->members.at[k];
        if (!member->inside || !node_is_reduction(member->node)) continue;
        assert(count < MAX_REDUCTIONS);
        out[count++] = (Reduction){member->node, k, member->pass};
    }
    return count;
}

static int64_t least_whole(DType dtype)
{
    switch (dtype) {
    case DT_i64: return INT64_MIN;
    case DT_i32: return INT32_MIN;
    case DT_i8: return INT8_MIN;
    default: return 0;
    }
}

LLVMValueRef reduction_start(const Unit *u, const Node *node)
{
    LLVMTypeRef lane = register_type(u, node->type.dtype);
    if (node->op == OP_sum) return zero_of(u, node->type.dtype);
    if (dtype_is_float(node->type.dtype)) return splat_float(lane, -1.0 / 0.0);
    return splat_whole(lane, least_whole(node->type.dtype));
}

/* The larger of a and b as of the element operator, a NaN if one of them is: b is looked at before a is at hand, so
 * that a chain of maxima waits for one comparison each. */
static LLVMValueRef larger_of(const Unit *u, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef larger = LLVMBuildSelect(u->builder, LLVMBuildFCmp(u->builder, LLVMRealOGT, b, a, ""), b, a, "");
    LLVMValueRef is_none = LLVMBuildFCmp(u->builder, LLVMRealUNO, b, b, "");
    LLVMValueRef none = LLVMBuildFAdd(u->builder, b, b, "");             /* not b: the choices stay two */
    return LLVMBuildSelect(u->builder, is_none, none, larger, "");
}

static LLVMValueRef combine(const Unit *u, const Node *node, LLVMValueRef a, LLVMValueRef b)
{
    if (node->op == OP_reduce_max && dtype_is_float(node->type.dtype)) return larger_of(u, a, b);
    return element_code(u, node->op == OP_sum ? OP_add : OP_max, node->type.dtype, a, b, NULL);
}

LLVMValueRef reduction_step(Emit *e, const Node *node, LLVMValueRef so_far, unsigned groups, Mask mask)
{
    const Unit *u = e->unit;
    Affine index[MAX_RANK], operand[MAX_RANK];
    const Node *arg = node->args[0];
    nest_index(&e->indexer, e->nest, e->part, groups, &node->type, index);
    nest_operand(&e->indexer, e->nest, e->part, node, index, operand);
    LLVMValueRef next;
    if (signature_contracts(e->s, arg)) {
        Value a = eval(e, arg->args[0], operand, mask), b = eval(e, arg->args[1], operand, mask);
        at(e, e->depth);
        next = element_multiply_add(u, a.v, b.v, so_far);
    } else {
        Value v = eval(e, arg, operand, mask);
        at(e, e->depth);
        next = combine(u, node, so_far, cast_code(u, arg->type.dtype, node->type.dtype, v.v));
    }
    return mask.tail ? LLVMBuildSelect(u->builder, mask.tail, next, so_far, "") : next;
}

LLVMValueRef reduction_tree(const Unit *u, const Node *node, LLVMValueRef lanes)
{
    for (int half = LANES / 2; half > 0; half /= 2) {
        LLVMValueRef take[LANES];
        for (int k = 0; k < LANES; k++) take[k] = LLVMConstInt(u->i32, (unsigned)((k + half) % LANES), false);
        LLVMValueRef other = LLVMBuildShuffleVector(u->builder, lanes, LLVMGetPoison(LLVMTypeOf(lanes)),
                                                    LLVMConstVector(take, LANES), "");
        lanes = combine(u, node, lanes, other);
    }
    return splat(u, first_lane(u, lanes));
}
