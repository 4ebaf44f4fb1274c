/* The value of a node at an index, in 16 lanes: stored values are loaded, everything else asks its arguments at the
 * index that the node maps its own to. What was built before and is still in scope is used again. */
#include "codegen/emit.h"
#include "codegen/debug.h"

#include <assert.h>

struct Known {
    const Known *before;                 /* of the same node */
    LLVMValueRef tail, when;
    Value        value;
    int          serial;
    Affine      *index;
};

/* The row that an index tensor names at one place: see eval_row. */
struct KnownRow {
    const Node  *ids;
    int64_t      bound;
    Affine      *index;
    LLVMValueRef tail, when;
    Mask         mask;
    Affine       row;
    int          depth, serial;
};

static int larger(int a, int b) { return a > b ? a : b; }

static bool same_index(const Affine *a, const Affine *b, int rank)
{
    for (int k = 0; k < rank; k++)
        if (!affine_equal(&a[k], &b[k])) return false;
    return true;
}

static bool index_uniform(const Affine *index, int rank)
{
    for (int k = 0; k < rank; k++)
        if (!affine_uniform(&index[k])) return false;
    return true;
}

static Affine *copy_index(Emit *e, const Affine *index, int rank)
{
    Affine *copy = arena_array(e->arena, Affine, rank + 1);
    for (int k = 0; k < rank; k++) copy[k] = index[k];
    return copy;
}

/* A value built for all lanes serves any mask. */
static const Known *find_known(const Emit *e, const Node *node, const Affine *index, Mask mask)
{
    for (const Known *known = e->known[signature_member(e->s, node)->number]; known; known = known->before) {
        if (!scope_is_open(e, known->value.depth, known->serial)) continue;
        bool all_lanes = !known->tail && !known->when;
        if (!all_lanes && (known->tail != mask.tail || known->when != mask.when)) continue;
        if (same_index(known->index, index, node->type.rank)) return known;
    }
    return NULL;
}

static void remember(Emit *e, const Node *node, const Affine *index, Mask mask, Value value)
{
    const Known **last = &e->known[signature_member(e->s, node)->number];
    Known *known = arena_new_of(e->arena, Known);
    *known = (Known){*last, mask.tail, mask.when, value, e->scope[value.depth].serial,
                     copy_index(e, index, node->type.rank)};
    *last = known;
}

static Value eval_constant(Emit *e, const Node *node)
{
    LLVMTypeRef lane = register_type(e->unit, node->type.dtype);
    LLVMValueRef v =
        dtype_is_float(node->type.dtype) ? splat_float(lane, node->attr.f) : splat_whole(lane, node->attr.i);
    return (Value){v, 0};
}

static Value eval_iota(Emit *e, const Node *node, const Affine *index)
{
    const Affine *along = &index[node->attr.axis];
    DType dtype = node->type.dtype;
    DType counted = affine_high(along) <= INT32_MAX && affine_low(along) >= 0 ? DT_i32 : DT_i64;
    Value lanes = affine_lanes(e, along, register_type(e->unit, counted));
    at(e, lanes.depth);
    return (Value){cast_code(e->unit, counted, dtype, lanes.v), lanes.depth};
}

static Value eval_multiply_add(Emit *e, const Node *sum, const Node *product, const Node *other, const Affine *index,
                               Mask mask)
{
    Value a = eval(e, product->args[0], index, mask), b = eval(e, product->args[1], index, mask),
          c = eval(e, other, index, mask);
    int depth = larger(larger(a.depth, b.depth), c.depth);
    at(e, depth);
    debug_at(e->unit, sum);
    return (Value){element_multiply_add(e->unit, a.v, b.v, c.v), depth};
}

static Value eval_element(Emit *e, const Node *node, const Affine *index, Mask mask)
{
    assert(!signature_contracts(e->s, node));
    for (int k = 0; node->op == OP_add && k < 2; k++)
        if (signature_contracts(e->s, node->args[k]))
            return eval_multiply_add(e, node, node->args[k], node->args[1 - k], index, mask);
    Value arg[3] = {{0}};
    int depth = 0, first = node->op == OP_where ? 1 : 0;     /* where: the condition is letter c */
    for (int k = 0; k < node->arg_count; k++) {
        arg[k] = eval(e, node->args[k], index, mask);
        depth = larger(depth, arg[k].depth);
    }
    at(e, depth);
    debug_at(e->unit, node);
    DType dtype = node->args[first]->type.dtype;
    LLVMValueRef v = element_code(e->unit, node->op, dtype, arg[first].v, arg[first + 1].v, arg[0].v);
    return (Value){cast_round(e->unit, node->type.dtype, v), depth};
}

static Value eval_cast(Emit *e, const Node *node, const Affine *index, Mask mask)
{
    Value a = eval(e, node->args[0], index, mask);
    at(e, a.depth);
    return (Value){cast_code(e->unit, node->args[0]->type.dtype, node->type.dtype, a.v), a.depth};
}

static Value choose(Emit *e, Value condition, Value a, Value b)
{
    int depth = larger(condition.depth, larger(a.depth, b.depth));
    return (Value){LLVMBuildSelect(at(e, depth), condition.v, a.v, b.v, ""), depth};
}

/* An argument where the conditions hold, `otherwise` elsewhere. */
static Value eval_argument(Emit *e, const Node *node, int k, const Affine *index, Mask mask, Value otherwise)
{
    Affine argument[MAX_RANK];
    Conditions conditions;
    index_argument(&e->indexer, node, k, index, argument, &conditions);
    if (conditions.never) return otherwise;
    Value holds[MAX_RANK];
    for (int j = 0; j < conditions.count; j++) mask = mask_require(e, mask, &conditions.at[j], &holds[j]);
    Value v = eval(e, node->args[k], argument, mask);
    for (int j = 0; j < conditions.count; j++) v = choose(e, holds[j], v, otherwise);
    return v;
}

static Value eval_movement(Emit *e, const Node *node, const Affine *index, Mask mask)
{
    Value v = {zero_of(e->unit, node->type.dtype), 0};
    for (int k = 0; k < node->arg_count; k++) v = eval_argument(e, node, k, index, mask, v);
    return v;
}

static const KnownRow *find_row(const Emit *e, const Node *ids, const Affine *index, int64_t bound, Mask mask)
{
    for (int k = 0; k < e->known_rows.count; k++) {
        const KnownRow *known = e->known_rows.at[k];
        if (known->ids != ids || known->bound != bound || known->tail != mask.tail || known->when != mask.when)
            continue;
        if (scope_is_open(e, known->depth, known->serial) && same_index(known->index, index, ids->type.rank))
            return known;
    }
    return NULL;
}

/* Ids as lanes of i64: in range, or absent (-1), or recorded as a fault. Returns the lanes that are in range. */
static LLVMValueRef check_ids(Emit *e, const Node *node, LLVMValueRef id, int depth, int64_t bound, Mask mask,
                              bool uniform)
{
    const Unit *u = e->unit;
    LLVMBuilderRef b = at(e, depth);
    LLVMValueRef present = LLVMBuildICmp(b, LLVMIntULT, id, splat_whole(u->i64, bound), "");
    LLVMValueRef absent = LLVMBuildICmp(b, LLVMIntEQ, id, splat_whole(u->i64, -1), "");
    LLVMValueRef bad = LLVMBuildNot(b, LLVMBuildOr(b, present, absent, ""), "");
    LLVMValueRef on = mask_value(e, mask, depth);
    if (on) bad = LLVMBuildAnd(b, bad, on, "");
    LLVMValueRef bits = LLVMBuildBitCast(b, bad, u->i16, "");
    LLVMValueRef lane = LLVMConstInt(u->i32, 0, false);
    if (!uniform) {
        LLVMValueRef args[] = {bits, LLVMConstInt(u->i1, 0, false)};
        LLVMValueRef count = intrinsic_of(u, "llvm.cttz", args, 2);
        lane = LLVMBuildAnd(b, LLVMBuildZExt(b, count, u->i32, ""), LLVMConstInt(u->i32, LANES - 1, false), "");
    }
    LLVMValueRef value = LLVMBuildExtractElement(b, id, lane, "");
    LLVMValueRef any = LLVMBuildICmp(b, LLVMIntNE, bits, LLVMConstInt(u->i16, 0, false), "");
    emit_fault(e, depth, signature_member(e->s, node)->site, any, value, bound);
    return present;
}

Mask eval_row(Emit *e, const Node *node, const Node *ids, const Affine *index, int64_t bound, Mask mask, Affine *row)
{
    const Unit *u = e->unit;
    bool uniform = index_uniform(index, ids->type.rank);
    const KnownRow *known = find_row(e, ids, index, bound, mask);
    if (known) {
        *row = known->row;
        return known->mask;
    }
    Value ids_value = eval(e, ids, index, mask);
    int depth = larger(ids_value.depth, mask_depth(mask));
    at(e, depth);
    debug_at(u, node);
    LLVMValueRef id = cast_code(u, ids->type.dtype, DT_i64, ids_value.v);
    LLVMValueRef present = check_ids(e, node, id, depth, bound, mask, uniform);
    LLVMBuilderRef b = at(e, depth);
    id = LLVMBuildSelect(b, present, id, splat_whole(u->i64, 0), "");
    Var *var = index_var(&e->indexer, 0, bound - 1, depth);
    var->regular = uniform;
    if (uniform)
        var->base = first_lane(u, id);
    else
        var->lanes = id;
    *row = affine_var(var);
    LLVMValueRef any = uniform ? first_lane(u, present) : any_lane(u, present);
    KnownRow *made = arena_new_of(e->arena, KnownRow);
    *made = (KnownRow){.ids = ids,
                       .bound = bound,
                       .index = copy_index(e, index, ids->type.rank),
                       .tail = mask.tail,
                       .when = mask.when};
    made->mask = mask_and(e, mask, present, any, depth);
    made->row = *row;
    made->depth = larger(depth, mask_depth(made->mask));
    made->serial = e->scope[made->depth].serial;
    vec_push(e->arena, &e->known_rows, made);
    return made->mask;
}

static Value eval_gather(Emit *e, const Node *node, const Affine *index, Mask mask)
{
    const Node *x = node->args[0];
    Affine ids[MAX_RANK], row[MAX_RANK], argument[MAX_RANK];
    index_ids(node, index, ids);
    Mask outer = mask;
    for (int k = 1; k < node->arg_count; k++) {
        const Node *tensor = node->args[k];
        if (index_uniform(ids, tensor->type.rank) && !mask.when) mask.tail = NULL;
        mask = eval_row(e, node, tensor, ids, dim_value(x->type.dim[node->attr.axis + k - 1]), mask, &row[k - 1]);
    }
    mask.tail = outer.tail, mask.tail_depth = outer.tail_depth;
    index_rows(node, index, row, argument);
    Value v = eval(e, x, argument, mask);
    Value present = {mask.when, mask.when_depth}, zero = {zero_of(e->unit, node->type.dtype), 0};
    return choose(e, present, v, zero);
}

static LLVMValueRef draw_range(const Unit *u, LLVMValueRef low, LLVMValueRef high)
{
    LLVMBuilderRef b = u->builder;
    LLVMValueRef most = splat_whole(u->i64, (int64_t)1 << 32), range = LLVMBuildSub(b, high, low, "");
    LLVMValueRef large = LLVMBuildICmp(b, LLVMIntUGT, range, most, "");
    LLVMValueRef none = LLVMBuildICmp(b, LLVMIntSLE, high, low, "");
    return LLVMBuildSelect(b, none, splat_whole(u->i64, 1), LLVMBuildSelect(b, large, most, range, ""), "");
}

/* The number of each lane's draw: its element's position, behind the elements of `before`, if there is that argument,
 * draws of the same type. */
static Value draw_number(Emit *e, const Node *node, const Node *before, const Affine *index)
{
    const Unit *u = e->unit;
    Affine flat = index_flat_of(&node->type, index);
    Value lanes = affine_lanes(e, &flat, u->i64);
    if (!before) return lanes;
    Value count = eval(e, before, NULL, (Mask){0});
    int depth = larger(lanes.depth, count.depth);
    LLVMBuilderRef b = at(e, depth);
    LLVMValueRef counted = cast_code(u, before->type.dtype, DT_i64, count.v);
    LLVMValueRef first = LLVMBuildMul(b, counted, splat_whole(u->i64, type_value_elements(&node->type)), "");
    return (Value){LLVMBuildAdd(b, first, lanes.v, ""), depth};
}

static Value eval_draw(Emit *e, const Node *node, const Affine *index, Mask mask)
{
    const Unit *u = e->unit;
    DType dtype = node->type.dtype;
    int ranges = node->op == OP_integers ? 2 : 0;
    const Node *before = node->arg_count > 2 + ranges ? node->args[2 + ranges] : NULL;
    Value seed = eval(e, node->args[0], NULL, (Mask){0}), step = eval(e, node->args[1], NULL, (Mask){0});
    Value hash = word_value(e, signature_member(e->s, node)->key), lanes = draw_number(e, node, before, index);
    Value range[2] = {{0}};
    int depth = larger(lanes.depth, larger(seed.depth, step.depth));
    for (int k = 0; k < ranges; k++) {
        range[k] = eval(e, node->args[2 + k], index, mask);
        depth = larger(depth, range[k].depth);
    }
    LLVMBuilderRef b = at(e, depth);
    debug_at(u, node);
    LLVMValueRef seed_whole = cast_code(u, node->args[0]->type.dtype, DT_i64, seed.v);
    LLVMValueRef step_whole = cast_code(u, node->args[1]->type.dtype, DT_i64, step.v);
    LLVMValueRef word = draw_word(u, first_lane(u, seed_whole), hash.v, first_lane(u, step_whole), lanes.v);
    if (node->op == OP_uniform) {
        LLVMValueRef top = LLVMBuildLShr(b, word, splat_whole(u->i32, 8), "");
        LLVMTypeRef lane = register_type(u, dtype);
        LLVMValueRef unit =
            LLVMBuildFMul(b, LLVMBuildSIToFP(b, top, lanes_of(lane), ""), splat_float(lane, 0x1p-24), "");
        return (Value){cast_round(u, dtype, unit), depth};
    }
    /* low + (word * (high - low) >> 32), high - low clamped to 1 .. 2^32 */
    LLVMValueRef low = cast_code(u, dtype, DT_i64, range[0].v), high = cast_code(u, dtype, DT_i64, range[1].v);
    LLVMValueRef wide = LLVMBuildZExt(b, word, lanes_of(u->i64), "");
    LLVMValueRef product = LLVMBuildMul(b, wide, draw_range(u, low, high), "");
    LLVMValueRef drawn = LLVMBuildAdd(b, low, LLVMBuildLShr(b, product, splat_whole(u->i64, 32), ""), "");
    return (Value){cast_code(u, DT_i64, dtype, drawn), depth};
}

static Value eval_node(Emit *e, const Node *node, const Affine *index, Mask mask)
{
    switch (node->op) {
    case OP_const: return eval_constant(e, node);
    case OP_iota: return eval_iota(e, node, index);
    case OP_cast: return eval_cast(e, node, index, mask);
    case OP_stop: return eval(e, node->args[0], index, mask);
    case OP_gather: return eval_gather(e, node, index, mask);
    case OP_uniform: case OP_integers: return eval_draw(e, node, index, mask);
    default: break;
    }
    if (op_is_movement(node->op)) return eval_movement(e, node, index, mask);
    assert(op_is_element(node->op));
    return eval_element(e, node, index, mask);
}

/* Whether a node is one that the row holds across passes, asked at its own element: stored as it is made, loaded by
 * later passes. */
static bool is_held(Emit *e, const Node *node, const Affine *index)
{
    const Member *member = signature_member(e->s, node);
    if (!e->in_row || e->row.count > 0 || !member || !member->keep) return false;
    Affine own[MAX_RANK];
    nest_index(&e->indexer, e->nest, e->part, 1u << GROUP_a | 1u << GROUP_r, &node->type, own);
    return same_index(own, index, node->type.rank);
}

/* In its own output if it has one, else in scratch. */
static LLVMValueRef held_place(Emit *e, const Member *member, Affine *offset)
{
    unsigned groups = member->output ? 1u << GROUP_a | 1u << GROUP_r : 1u << GROUP_r;
    *offset = nest_flat(e->nest, e->part, groups);
    if (member->output) return word_pointer(e, member->place).v;
    LLVMValueRef start = whole(e->unit, e->held[member->number]);
    return LLVMBuildGEP2(at(e, 0), e->unit->i8, e->scratch, &start, 1, "");
}

static Value eval_held(Emit *e, const Node *node, const Affine *index, Mask mask)
{
    const Member *member = signature_member(e->s, node);
    Affine offset;
    LLVMValueRef place = held_place(e, member, &offset);
    if (e->held_state[member->number] == HELD_before) return load(e, node->type.dtype, place, &offset, mask);
    Value v = eval_node(e, node, index, mask);
    store(e, node->type.dtype, place, &offset, mask, v);
    e->held_state[member->number] = HELD_in_this_pass;
    return v;
}

static Value load_stored(Emit *e, const Node *node, const Node *stored, const Affine *index, Mask mask)
{
    Affine flat = index_flat_of(&node->type, index);
    Value base = word_pointer(e, signature_member(e->s, stored)->place);
    at(e, 0);
    debug_at(e->unit, node);
    return load(e, node->type.dtype, base.v, &flat, mask);
}

static Value eval_fresh(Emit *e, const Node *node, const Affine *index, Mask mask)
{
    const Node *stored = node;
    while (stored->op == OP_reshape && !signature_is_stored(e->s, stored)) stored = stored->args[0];
    if (signature_is_stored(e->s, stored)) return load_stored(e, node, stored, index, mask);
    return is_held(e, node, index) ? eval_held(e, node, index, mask) : eval_node(e, node, index, mask);
}

Value eval(Emit *e, const Node *node, const Affine *index, Mask mask)
{
    if (node_is_reduction(node)) {
        const Member *member = signature_member(e->s, node);
        if (member && member->inside) {
            Value row = e->reduced[member->number];
            assert(row.v);
            return row;
        }
    }
    if (index_uniform(index, node->type.rank)) mask.tail = NULL;
    const Known *known = find_known(e, node, index, mask);
    if (known) return known->value;
    Value value = eval_fresh(e, node, index, mask);
    remember(e, node, index, mask, value);
    return value;
}
