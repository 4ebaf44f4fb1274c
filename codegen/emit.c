/* The builder under the emitter: types, constants, intrinsics, scopes and loops. */
#include "codegen/emit.h"

#include <assert.h>
#include <string.h>

Unit *unit_new(Arena *arena, const char *name, bool fused)
{
    Unit *u = arena_new_of(arena, Unit);
    u->context = LLVMContextCreate();
    u->module = LLVMModuleCreateWithNameInContext(name, u->context);
    u->builder = LLVMCreateBuilderInContext(u->context);
    u->fused = fused;
    u->i1 = LLVMInt1TypeInContext(u->context);
    u->i8 = LLVMInt8TypeInContext(u->context);
    u->i16 = LLVMInt16TypeInContext(u->context);
    u->i32 = LLVMInt32TypeInContext(u->context);
    u->i64 = LLVMInt64TypeInContext(u->context);
    u->half = LLVMHalfTypeInContext(u->context);
    u->f32 = LLVMFloatTypeInContext(u->context);
    u->f64 = LLVMDoubleTypeInContext(u->context);
    u->pointer = LLVMPointerTypeInContext(u->context, 0);
    return u;
}

void unit_free(Unit *u)
{
    LLVMDisposeBuilder(u->builder);
    LLVMDisposeModule(u->module);
    LLVMContextDispose(u->context);
}

LLVMBuilderRef at(Emit *e, int depth)
{
    assert(depth <= e->depth);
    LLVMPositionBuilderAtEnd(e->unit->builder, e->scope[depth].end);
    return e->unit->builder;
}

void branch_done(Emit *e, int depth, LLVMBasicBlockRef next)
{
    e->scope[depth].end = next;
    LLVMPositionBuilderAtEnd(e->unit->builder, next);
}

LLVMTypeRef lanes_of(LLVMTypeRef lane) { return LLVMVectorType(lane, LANES); }

LLVMTypeRef register_type(const Unit *u, DType dtype)
{
    switch (dtype) {
    case DT_f32: case DT_bf16: case DT_f16: return u->f32;
    case DT_f64: return u->f64;
    case DT_i64: return u->i64;
    case DT_i32: return u->i32;
    case DT_i8: case DT_u8: return u->i8;
    case DT_bool: return u->i1;
    case DT_COUNT: break;
    }
    assert(!"a type");
    return NULL;
}

LLVMTypeRef memory_type(const Unit *u, DType dtype)
{
    switch (dtype) {
    case DT_f32: return u->f32;
    case DT_f64: return u->f64;
    case DT_bf16: return u->i16;
    case DT_f16: return u->half;
    case DT_i64: return u->i64;
    case DT_i32: return u->i32;
    case DT_i8: case DT_u8: case DT_bool: return u->i8;
    case DT_COUNT: break;
    }
    assert(!"a type");
    return NULL;
}

LLVMValueRef whole(const Unit *u, int64_t value) { return LLVMConstInt(u->i64, (unsigned long long)value, true); }

LLVMValueRef splat_constant(LLVMValueRef scalar)
{
    LLVMValueRef lanes[LANES];
    for (int k = 0; k < LANES; k++) lanes[k] = scalar;
    return LLVMConstVector(lanes, LANES);
}

LLVMValueRef splat_whole(LLVMTypeRef lane, int64_t value)
{
    return splat_constant(LLVMConstInt(lane, (unsigned long long)value, true));
}

LLVMValueRef splat_float(LLVMTypeRef lane, double value) { return splat_constant(LLVMConstReal(lane, value)); }

LLVMValueRef zero_of(const Unit *u, DType dtype) { return LLVMConstNull(lanes_of(register_type(u, dtype))); }

LLVMValueRef splat(const Unit *u, LLVMValueRef scalar)
{
    if (LLVMIsConstant(scalar)) return splat_constant(scalar);
    LLVMTypeRef type = lanes_of(LLVMTypeOf(scalar));
    LLVMValueRef one =
        LLVMBuildInsertElement(u->builder, LLVMGetPoison(type), scalar, LLVMConstInt(u->i32, 0, false), "");
    return LLVMBuildShuffleVector(u->builder, one, LLVMGetPoison(type), LLVMConstNull(lanes_of(u->i32)), "");
}

LLVMValueRef first_lane(const Unit *u, LLVMValueRef vector)
{
    return LLVMBuildExtractElement(u->builder, vector, LLVMConstInt(u->i32, 0, false), "");
}

LLVMValueRef lane_numbers(const Unit *u, LLVMTypeRef lane, int64_t stride)
{
    (void)u;
    LLVMValueRef lanes[LANES];
    for (int k = 0; k < LANES; k++) lanes[k] = LLVMConstInt(lane, (unsigned long long)(k * stride), true);
    return LLVMConstVector(lanes, LANES);
}

LLVMValueRef intrinsic(const Unit *u, const char *name, LLVMTypeRef *overloads, int overload_count, LLVMValueRef *args,
                       int arg_count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    assert(id != 0);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(u->module, id, overloads, (size_t)overload_count);
    LLVMTypeRef type = LLVMIntrinsicGetType(u->context, id, overloads, (size_t)overload_count);
    return LLVMBuildCall2(u->builder, type, function, args, (unsigned)arg_count, "");
}

LLVMValueRef intrinsic_of(const Unit *u, const char *name, LLVMValueRef *args, int arg_count)
{
    LLVMTypeRef type = LLVMTypeOf(args[0]);
    return intrinsic(u, name, &type, 1, args, arg_count);
}

LLVMValueRef any_lane(const Unit *u, LLVMValueRef mask)
{
    LLVMValueRef bits = LLVMBuildBitCast(u->builder, mask, u->i16, "");
    return LLVMBuildICmp(u->builder, LLVMIntNE, bits, LLVMConstInt(u->i16, 0, false), "");
}

void loop_open(Emit *e, Loop *loop, LLVMValueRef first, LLVMValueRef limit, int64_t step, bool guarded,
               LLVMValueRef *carried, int count)
{
    LLVMContextRef context = e->unit->context;
    *loop = (Loop){.first = first, .limit = limit, .step = step, .guarded = guarded, .carried_count = count};
    loop->body = LLVMAppendBasicBlockInContext(context, e->function, "loop");
    loop->exit = LLVMAppendBasicBlockInContext(context, e->function, "done");
    loop->initial = arena_array(e->arena, LLVMValueRef, count + 1);
    loop->carried = arena_array(e->arena, LLVMValueRef, count + 1);
    assert(e->depth + 1 < MAX_DEPTH);
    e->depth++;
    e->scope[e->depth] = (Scope){loop->body, ++e->serials};
    LLVMBuilderRef b = at(e, e->depth);
    loop->index = LLVMBuildPhi(b, e->unit->i64, "i");
    for (int k = 0; k < count; k++) {
        loop->initial[k] = carried[k];
        carried[k] = loop->carried[k] = LLVMBuildPhi(b, LLVMTypeOf(carried[k]), "acc");
    }
}

/* The values after the loop: a guarded loop joins those before it and those of the last turn. */
static LLVMValueRef joined(Emit *e, const Loop *loop, LLVMValueRef before, LLVMBasicBlockRef from, LLVMValueRef last,
                           LLVMBasicBlockRef latch)
{
    LLVMValueRef phi = LLVMBuildPhi(e->unit->builder, LLVMTypeOf(last), "");
    LLVMValueRef values[] = {last, before};
    LLVMBasicBlockRef blocks[] = {latch, from};
    LLVMAddIncoming(phi, values, blocks, loop->guarded ? 2 : 1);
    return phi;
}

void loop_close(Emit *e, Loop *loop, LLVMValueRef *carried)
{
    const Unit *u = e->unit;
    LLVMBuilderRef b = at(e, e->depth);
    LLVMValueRef next = LLVMBuildAdd(b, loop->index, whole(u, loop->step), "");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, loop->limit, ""), loop->body, loop->exit);
    LLVMBasicBlockRef latch = e->scope[e->depth].end;
    e->depth--;
    b = at(e, e->depth);
    LLVMBasicBlockRef from = e->scope[e->depth].end;
    if (loop->guarded)
        LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, loop->first, loop->limit, ""), loop->body, loop->exit);
    else
        LLVMBuildBr(b, loop->body);
    LLVMBasicBlockRef into[] = {from, latch};
    LLVMValueRef indices[] = {loop->first, next};
    LLVMAddIncoming(loop->index, indices, into, 2);
    branch_done(e, e->depth, loop->exit);
    for (int k = 0; k < loop->carried_count; k++) {
        LLVMValueRef turns[] = {loop->initial[k], carried[k]};
        LLVMAddIncoming(loop->carried[k], turns, into, 2);
        carried[k] = joined(e, loop, loop->initial[k], from, carried[k], latch);
    }
}
