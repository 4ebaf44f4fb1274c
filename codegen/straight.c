/* Functions, arithmetic, memory and choices outside of loop nests. */
#include "codegen/straight.h"
#include "codegen/llvm_version.h"
#include "runtime/core/program.h"

#include <string.h>

Emit *inner_function(Unit *u, Arena *arena, const char *name, LLVMTypeRef *types, int count)
{
    Emit *e = arena_new_of(arena, Emit);
    *e = (Emit){.unit = u, .arena = arena};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(u->context), types, (unsigned)count, false);
    e->function = LLVMAddFunction(u->module, name, type);
    LLVMSetLinkage(e->function, LLVMInternalLinkage);
    e->scope[0] = (Scope){LLVMAppendBasicBlockInContext(u->context, e->function, "entry"), ++e->serials};
    at(e, 0);
    return e;
}

LLVMValueRef parameter(const Emit *e, int number) { return LLVMGetParam(e->function, (unsigned)number); }

LLVMValueRef call_inner(const Emit *e, LLVMValueRef function, LLVMValueRef *args, int count)
{
    return LLVMBuildCall2(e->unit->builder, LLVMGlobalGetValueType(function), function, args, (unsigned)count, "");
}

LLVMValueRef over_up(const Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return over(e, plus(e, a, minus(e, b, whole(e->unit, 1))), b);
}

LLVMValueRef least(const Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[] = {a, b};
    return intrinsic_of(e->unit, "llvm.smin", args, 2);
}

LLVMValueRef element_at(const Emit *e, LLVMTypeRef type, LLVMValueRef base, LLVMValueRef index)
{
    return LLVMBuildGEP2(e->unit->builder, type, base, &index, 1, "");
}

LLVMValueRef element_after(const Emit *e, LLVMTypeRef type, LLVMValueRef base, int64_t index)
{
    return index == 0 ? base : element_at(e, type, base, whole(e->unit, index));
}

LLVMValueRef word_at(const Emit *e, LLVMValueRef base, int64_t byte)
{
    const Unit *u = e->unit;
    return LLVMBuildLoad2(u->builder, u->i64, element_after(e, u->i8, base, byte), "");
}

LLVMValueRef pointer_at(const Emit *e, LLVMValueRef base, int64_t byte)
{
    const Unit *u = e->unit;
    return LLVMBuildLoad2(u->builder, u->pointer, element_after(e, u->i8, base, byte), "");
}

LLVMValueRef decoded_place(const Emit *e, LLVMValueRef blocks, LLVMValueRef word)
{
    const Unit *u = e->unit;
    LLVMValueRef number = LLVMBuildLShr(u->builder, word, whole(u, RT_OFFSET_BITS), "");
    LLVMValueRef offset = LLVMBuildAnd(u->builder, word, whole(u, ((int64_t)1 << RT_OFFSET_BITS) - 1), "");
    LLVMValueRef block = LLVMBuildLoad2(u->builder, u->pointer, element_at(e, u->pointer, blocks, number), "");
    return element_at(e, u->i8, block, offset);
}

static int bytes_of(const Unit *u, LLVMTypeRef type)
{
    if (type == u->i8) return 1;
    if (type == u->i16 || type == u->half) return 2;
    return type == u->f64 ? 8 : 4;
}

LLVMValueRef lanes_load(const Emit *e, LLVMTypeRef real, LLVMValueRef pointer, LLVMValueRef on)
{
    const Unit *u = e->unit;
    LLVMTypeRef vector = lanes_of(real);
    if (on) {
        LLVMTypeRef overloads[] = {vector, u->pointer};
        LLVMValueRef args[] = {pointer, on, LLVMConstNull(vector)};
        return masked_access(u, "llvm.masked.load", overloads, args, 3, 0, bytes_of(u, real));
    }
    LLVMValueRef loaded = LLVMBuildLoad2(u->builder, vector, pointer, "");
    LLVMSetAlignment(loaded, (unsigned)bytes_of(u, real));
    return loaded;
}

void lanes_store(const Emit *e, LLVMTypeRef real, LLVMValueRef pointer, LLVMValueRef on, LLVMValueRef value)
{
    const Unit *u = e->unit;
    if (on) {
        LLVMTypeRef overloads[] = {lanes_of(real), u->pointer};
        LLVMValueRef args[] = {value, pointer, on};
        masked_access(u, "llvm.masked.store", overloads, args, 3, 1, bytes_of(u, real));
    } else {
        LLVMSetAlignment(LLVMBuildStore(u->builder, value, pointer), (unsigned)bytes_of(u, real));
    }
}

void fetch_early(const Emit *e, LLVMValueRef pointer)
{
    const Unit *u = e->unit;
    enum { READ = 0, NEAR = 2, DATA = 1 };                   /* NEAR: the second cache, before the first has room */
    LLVMTypeRef overloads[] = {u->pointer};
    LLVMValueRef args[] = {pointer, LLVMConstInt(u->i32, READ, false), LLVMConstInt(u->i32, NEAR, false),
                           LLVMConstInt(u->i32, DATA, false)};
    intrinsic(u, "llvm.prefetch", overloads, 1, args, 4);
}

LLVMValueRef lanes_below(const Emit *e, LLVMValueRef count)
{
    const Unit *u = e->unit;
    LLVMValueRef narrow = LLVMBuildTrunc(u->builder, count, u->i32, "");
    return compare(e, LLVMIntSLT, lane_numbers(u, u->i32, 1), splat(u, narrow));
}

Choice choice_open(Emit *e, LLVMValueRef when)
{
    LLVMContextRef context = e->unit->context;
    Choice c = {0};
    LLVMBasicBlockRef then = LLVMAppendBasicBlockInContext(context, e->function, "then");
    c.otherwise = LLVMAppendBasicBlockInContext(context, e->function, "else");
    c.join = LLVMAppendBasicBlockInContext(context, e->function, "joined");
    LLVMBuildCondBr(at(e, e->depth), when, then, c.otherwise);
    branch_done(e, e->depth, then);
    return c;
}

void choice_else(Emit *e, Choice *c)
{
    c->from[0] = e->scope[e->depth].end;
    LLVMBuildBr(at(e, e->depth), c->join);
    branch_done(e, e->depth, c->otherwise);
}

void choice_close(Emit *e, Choice *c)
{
    c->from[1] = e->scope[e->depth].end;
    LLVMBuildBr(at(e, e->depth), c->join);
    branch_done(e, e->depth, c->join);
}

LLVMValueRef choice_value(const Emit *e, const Choice *c, LLVMValueRef held, LLVMValueRef failed)
{
    LLVMValueRef phi = LLVMBuildPhi(e->unit->builder, LLVMTypeOf(held), "");
    LLVMValueRef values[] = {held, failed};
    LLVMAddIncoming(phi, values, (LLVMBasicBlockRef[]){c->from[0], c->from[1]}, 2);
    return phi;
}
