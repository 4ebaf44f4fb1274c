/* From forms to addresses: variables bound to loops, affine forms as scalars and lanes, masks, loads and stores. A form
 * is summed scope by scope, outermost first, so that an inner loop adds only what changes in it. */
#include "codegen/emit.h"
#include "codegen/llvm_version.h"
#include "runtime/core/program.h"

#include <assert.h>

struct KnownMask {
    Affine       value;
    int64_t      bound;
    LLVMValueRef outer;                  /* `when` before */
    Mask         mask;
    Value        holds;
    int          depth, serial;
};

static int larger(int a, int b) { return a > b ? a : b; }

bool scope_is_open(const Emit *e, int depth, int serial)
{
    return depth <= e->depth && e->scope[depth].serial == serial;
}

void bind_axis(Emit *e, int axis, LLVMValueRef base, int64_t stride)
{
    Var *own = index_var(&e->indexer, 0, e->nest->axis[axis].extent - 1, e->depth);
    own->base = base;
    own->stride = stride;
    for (int k = 0; k < e->nest->part_count; k++) {
        const Part *part = &e->nest->part[k];
        if (part->axis != axis) continue;
        e->part[k] = own;
        if (part->extent == e->nest->axis[axis].extent) return;
        e->part[k] = index_var(&e->indexer, 0, part->extent - 1, e->depth);
        e->part[k]->merged = own;
        e->part[k]->place = part->in_axis;
        e->part[k]->stride = part->in_axis == 1 ? stride : 0;
    }
}

/* The variable that carries a term, or NULL for a part that another part of its axis speaks for. */
static const Var *carrier(const Affine *a, const Term *term)
{
    const Var *var = term->var;
    if (!var->merged) return var;
    if (var->place == 1) return var->merged;
    for (int k = 0; k < a->count; k++) {
        const Var *other = a->term[k].var;
        if (other->merged != var->merged || other->place != 1) continue;
        assert(a->term[k].by * var->place == term->by);
        return NULL;
    }
    assert(!"an access that merged axes do not allow");
    return NULL;
}

/* The sum of the regular terms that belong to one scope; NULL when there are none. */
static LLVMValueRef scope_sum(Emit *e, const Affine *a, int depth)
{
    LLVMValueRef sum = NULL;
    for (int k = 0; k < a->count; k++) {
        const Term *term = &a->term[k];
        if (term->var->depth != depth || !term->var->regular) continue;
        const Var *var = carrier(a, term);
        if (!var) continue;
        LLVMBuilderRef b = at(e, depth);
        LLVMValueRef product = term->by == 1 ? var->base : LLVMBuildMul(b, var->base, whole(e->unit, term->by), "");
        sum = sum ? LLVMBuildAdd(b, sum, product, "") : product;
    }
    return sum;
}

/* i64 in lane 0. */
static Value affine_scalar(Emit *e, const Affine *a)
{
    Value sum = {whole(e->unit, a->constant), 0};
    for (int depth = 0; depth <= affine_depth(a); depth++) {
        LLVMValueRef here = scope_sum(e, a, depth);
        if (here) sum = (Value){LLVMBuildAdd(at(e, depth), here, sum.v, ""), depth};
    }
    return sum;
}

Value affine_lanes(Emit *e, const Affine *a, LLVMTypeRef lane)
{
    const Unit *u = e->unit;
    Value scalar = affine_scalar(e, a);
    int depth = affine_depth(a);
    LLVMBuilderRef b = at(e, depth);
    LLVMValueRef base = lane == u->i64 ? scalar.v : LLVMBuildTrunc(b, scalar.v, lane, "");
    LLVMValueRef sum = splat(u, base);
    int64_t stride = affine_stride(a);
    if (stride != 0) sum = LLVMBuildAdd(b, sum, lane_numbers(u, lane, stride), "");
    for (int k = 0; k < a->count; k++) {
        if (a->term[k].var->regular) continue;
        LLVMValueRef lanes = a->term[k].var->lanes;
        if (lane != u->i64) lanes = LLVMBuildTrunc(b, lanes, lanes_of(lane), "");
        if (a->term[k].by != 1) lanes = LLVMBuildMul(b, lanes, splat_whole(lane, a->term[k].by), "");
        sum = LLVMBuildAdd(b, sum, lanes, "");
    }
    return (Value){sum, depth};
}

/* 32-bit lanes where they suffice: twice as many fit in a register, and divisions are cheap. */
static LLVMTypeRef narrow_lane(const Unit *u, const Affine *a)
{
    return affine_low(a) >= INT32_MIN / 2 && affine_high(a) <= INT32_MAX / 2 ? u->i32 : u->i64;
}

void emit_divide(void *emit, const Affine *of, int64_t by, Var *quotient, Var *rest)
{
    Emit *e = emit;
    const Unit *u = e->unit;
    if (quotient->regular) {
        Value value = affine_scalar(e, of);
        LLVMBuilderRef b = at(e, quotient->depth);
        quotient->base = LLVMBuildUDiv(b, value.v, whole(u, by), "");
        rest->base = LLVMBuildURem(b, value.v, whole(u, by), "");
        return;
    }
    LLVMTypeRef lane = narrow_lane(u, of);
    Value value = affine_lanes(e, of, lane);
    LLVMBuilderRef b = at(e, quotient->depth);
    LLVMValueRef divisor = splat_whole(lane, by);
    LLVMValueRef q = LLVMBuildUDiv(b, value.v, divisor, "");
    LLVMValueRef r = LLVMBuildSub(b, value.v, LLVMBuildMul(b, q, divisor, ""), "");
    quotient->lanes = lane == u->i64 ? q : LLVMBuildSExt(b, q, lanes_of(u->i64), "");
    rest->lanes = lane == u->i64 ? r : LLVMBuildSExt(b, r, lanes_of(u->i64), "");
}

Value word_value(Emit *e, int word)
{
    if (!e->word[word]) {
        LLVMBuilderRef b = at(e, 0);
        LLVMValueRef number = whole(e->unit, word);
        LLVMValueRef address = LLVMBuildInBoundsGEP2(b, e->unit->i64, e->args, &number, 1, "");
        e->word[word] = LLVMBuildLoad2(b, e->unit->i64, address, "");
    }
    return (Value){e->word[word], 0};
}

/* rt_at of runtime/core/program.h: the block's address plus the offset. */
Value word_pointer(Emit *e, int word)
{
    if (!e->word[word]) {
        const Unit *u = e->unit;
        LLVMValueRef packed = word_value(e, word).v;
        LLVMBuilderRef b = at(e, 0);
        LLVMValueRef number = LLVMBuildLShr(b, packed, whole(u, RT_OFFSET_BITS), "");
        LLVMValueRef offset = LLVMBuildAnd(b, packed, whole(u, ((int64_t)1 << RT_OFFSET_BITS) - 1), "");
        LLVMValueRef slot = LLVMBuildInBoundsGEP2(b, u->pointer, e->blocks, &number, 1, "");
        LLVMValueRef block = LLVMBuildLoad2(b, u->pointer, slot, "");
        e->word[word] = LLVMBuildInBoundsGEP2(b, u->i8, block, &offset, 1, "");
    }
    return (Value){e->word[word], 0};
}

int mask_depth(Mask mask)
{
    int depth = 0;
    if (mask.tail) depth = mask.tail_depth;
    if (mask.when) depth = larger(depth, mask.when_depth);
    return depth;
}

LLVMValueRef mask_value(Emit *e, Mask mask, int depth)
{
    if (mask.tail && mask.when) return LLVMBuildAnd(at(e, depth), mask.tail, mask.when, "");
    return mask.tail ? mask.tail : mask.when;
}

Mask mask_and(Emit *e, Mask mask, LLVMValueRef lanes, LLVMValueRef any, int depth)
{
    if (!mask.when) {
        mask.when = lanes, mask.when_any = any, mask.when_depth = depth;
        return mask;
    }
    mask.when_depth = larger(mask.when_depth, depth);
    LLVMBuilderRef b = at(e, mask.when_depth);
    mask.when = LLVMBuildAnd(b, mask.when, lanes, "");
    mask.when_any = LLVMBuildAnd(b, mask.when_any, any, "");
    return mask;
}

Mask mask_require(Emit *e, Mask mask, const Condition *condition, Value *holds)
{
    const Unit *u = e->unit;
    for (int k = 0; k < e->known_masks.count; k++) {
        const KnownMask *known = e->known_masks.at[k];
        if (known->bound != condition->bound || known->outer != mask.when ||
            !affine_equal(&known->value, &condition->value))
            continue;
        if (!scope_is_open(e, known->depth, known->serial)) continue;
        Mask again = known->mask;
        again.tail = mask.tail, again.tail_depth = mask.tail_depth;
        *holds = known->holds;
        return again;
    }
    int depth = affine_depth(&condition->value);
    LLVMValueRef lanes, any;
    if (affine_uniform(&condition->value)) {
        Value value = affine_scalar(e, &condition->value);
        any = LLVMBuildICmp(at(e, depth), LLVMIntULT, value.v, whole(u, condition->bound), "");
        lanes = splat(u, any);
    } else {
        LLVMTypeRef lane = narrow_lane(u, &condition->value);
        Value value = affine_lanes(e, &condition->value, lane);
        lanes = LLVMBuildICmp(at(e, depth), LLVMIntULT, value.v, splat_whole(lane, condition->bound), "");
        any = any_lane(u, lanes);
    }
    *holds = (Value){lanes, depth};
    KnownMask *known = arena_new_of(e->arena, KnownMask);
    *known = (KnownMask){.value = condition->value, .bound = condition->bound, .outer = mask.when, .holds = *holds};
    known->mask = mask_and(e, mask, lanes, any, depth);
    known->depth = known->mask.when_depth;
    known->serial = e->scope[known->depth].serial;
    vec_push(e->arena, &e->known_masks, known);
    return known->mask;
}

/* base + offset elements, in lane 0. */
static Value element_pointer(Emit *e, LLVMTypeRef type, LLVMValueRef base, const Affine *offset)
{
    Value pointer = {base, 0};
    LLVMValueRef constant = whole(e->unit, offset->constant);
    if (offset->constant != 0) pointer.v = LLVMBuildGEP2(at(e, 0), type, pointer.v, &constant, 1, "");
    for (int depth = 0; depth <= affine_depth(offset); depth++) {
        LLVMValueRef here = scope_sum(e, offset, depth);
        if (here) pointer = (Value){LLVMBuildGEP2(at(e, depth), type, pointer.v, &here, 1, ""), depth};
    }
    return pointer;
}

LLVMValueRef from_memory(const Unit *u, DType dtype, LLVMValueRef v)
{
    bool lanes = LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
    LLVMTypeRef f32 = lanes ? lanes_of(u->f32) : u->f32, i32 = lanes ? lanes_of(u->i32) : u->i32;
    if (dtype == DT_f16) return LLVMBuildFPExt(u->builder, v, f32, "");
    if (dtype == DT_bool) return LLVMBuildICmp(u->builder, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
    if (dtype != DT_bf16) return v;
    LLVMValueRef wide = LLVMBuildZExt(u->builder, v, i32, "");
    LLVMValueRef sixteen = lanes ? splat_whole(u->i32, 16) : LLVMConstInt(u->i32, 16, false);
    return LLVMBuildBitCast(u->builder, LLVMBuildShl(u->builder, wide, sixteen, ""), f32, "");
}

LLVMValueRef to_memory(const Unit *u, DType dtype, LLVMValueRef v)
{
    if (dtype == DT_f16) return LLVMBuildFPTrunc(u->builder, v, lanes_of(u->half), "");
    if (dtype == DT_bool) return LLVMBuildZExt(u->builder, v, lanes_of(u->i8), "");
    if (dtype != DT_bf16) return v;                          /* the lanes of a bf16 are rounded already: cut them */
    LLVMValueRef bits = LLVMBuildBitCast(u->builder, v, lanes_of(u->i32), "");
    LLVMValueRef high = LLVMBuildLShr(u->builder, bits, splat_whole(u->i32, 16), "");
    return LLVMBuildTrunc(u->builder, high, lanes_of(u->i16), "");
}

/* One element for all lanes. Where no lane is asked for, the address may lie outside: element 0 is read instead. */
static Value load_one(Emit *e, DType dtype, LLVMValueRef base, const Affine *offset, Mask mask)
{
    const Unit *u = e->unit;
    LLVMTypeRef type = memory_type(u, dtype);
    Value pointer = element_pointer(e, type, base, offset);
    int depth = mask.when ? larger(pointer.depth, mask.when_depth) : pointer.depth;
    LLVMBuilderRef b = at(e, depth);
    if (mask.when) pointer.v = LLVMBuildSelect(b, mask.when_any, pointer.v, base, "");
    LLVMValueRef one = LLVMBuildLoad2(b, type, pointer.v, "");
    LLVMSetAlignment(one, (unsigned)dtype_bytes(dtype));
    return (Value){splat(u, from_memory(u, dtype, one)), depth};
}

static Value load_adjacent(Emit *e, DType dtype, LLVMValueRef base, const Affine *offset, Mask mask)
{
    const Unit *u = e->unit;
    LLVMTypeRef type = memory_type(u, dtype), vector = lanes_of(type);
    Value pointer = element_pointer(e, type, base, offset);
    int depth = larger(pointer.depth, mask_depth(mask));
    LLVMValueRef on = mask_value(e, mask, depth), loaded;
    LLVMBuilderRef b = at(e, depth);
    if (on) {
        LLVMTypeRef overloads[] = {vector, u->pointer};
        LLVMValueRef args[] = {pointer.v, on, LLVMConstNull(vector)};
        loaded = masked_access(u, "llvm.masked.load", overloads, args, 3, 0, dtype_bytes(dtype));
    } else {
        loaded = LLVMBuildLoad2(b, vector, pointer.v, "");
        LLVMSetAlignment(loaded, (unsigned)dtype_bytes(dtype));
    }
    return (Value){from_memory(u, dtype, loaded), depth};
}

static Value lane_pointers(Emit *e, LLVMTypeRef type, LLVMValueRef base, const Affine *offset)
{
    Value lanes = affine_lanes(e, offset, narrow_lane(e->unit, offset));
    LLVMBuilderRef b = at(e, lanes.depth);
    return (Value){LLVMBuildGEP2(b, type, base, &lanes.v, 1, ""), lanes.depth};
}

static Value load_scattered(Emit *e, DType dtype, LLVMValueRef base, const Affine *offset, Mask mask)
{
    const Unit *u = e->unit;
    LLVMTypeRef type = memory_type(u, dtype), vector = lanes_of(type), pointers = lanes_of(u->pointer);
    Value address = lane_pointers(e, type, base, offset);
    int depth = larger(address.depth, mask_depth(mask));
    LLVMValueRef on = mask_value(e, mask, depth);
    at(e, depth);
    LLVMTypeRef overloads[] = {vector, pointers};
    LLVMValueRef args[] = {address.v, on ? on : splat_whole(u->i1, 1), LLVMConstNull(vector)};
    LLVMValueRef loaded = masked_access(u, "llvm.masked.gather", overloads, args, 3, 0, dtype_bytes(dtype));
    return (Value){from_memory(u, dtype, loaded), depth};
}

Value load(Emit *e, DType dtype, LLVMValueRef base, const Affine *offset, Mask mask)
{
    if (affine_uniform(offset)) return load_one(e, dtype, base, offset, mask);
    if (affine_regular(offset) && affine_stride(offset) == 1) return load_adjacent(e, dtype, base, offset, mask);
    return load_scattered(e, dtype, base, offset, mask);
}

void store(Emit *e, DType dtype, LLVMValueRef base, const Affine *offset, Mask mask, Value value)
{
    const Unit *u = e->unit;
    LLVMTypeRef type = memory_type(u, dtype);
    bool uniform = affine_uniform(offset), adjacent = uniform || (affine_regular(offset) && affine_stride(offset) == 1);
    Value address = adjacent ? element_pointer(e, type, base, offset) : lane_pointers(e, type, base, offset);
    LLVMValueRef on = mask_value(e, mask, e->depth);
    LLVMBuilderRef b = at(e, e->depth);
    LLVMValueRef v = to_memory(u, dtype, value.v);
    if (!adjacent) {
        LLVMTypeRef overloads[] = {lanes_of(type), lanes_of(u->pointer)};
        LLVMValueRef args[] = {v, address.v, on ? on : splat_whole(u->i1, 1)};
        masked_access(u, "llvm.masked.scatter", overloads, args, 3, 1, dtype_bytes(dtype));
    } else if (uniform && !mask.when) {
        LLVMSetAlignment(LLVMBuildStore(b, first_lane(u, v), address.v), (unsigned)dtype_bytes(dtype));
    } else if (on) {
        LLVMTypeRef overloads[] = {lanes_of(type), u->pointer};
        LLVMValueRef args[] = {v, address.v, on};
        masked_access(u, "llvm.masked.store", overloads, args, 3, 1, dtype_bytes(dtype));
    } else {
        LLVMSetAlignment(LLVMBuildStore(b, v, address.v), (unsigned)dtype_bytes(dtype));
    }
}
