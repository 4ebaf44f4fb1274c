/* One kernel as one function: prologue, the nest of its kind, epilogue, attributes. */
#include "codegen/emit.h"
#include "codegen/debug.h"

int64_t kernel_scratch(const Signature *s, int64_t *held)
{
    int64_t bytes = 0, row = kernel_extent(s->kernel, s->kernel->a_rank, s->kernel->r_rank);
    for (int k = 0; k < s->members.count; k++) {
        const Member *member = s->members.at[k];
        if (held) held[k] = -1;
        if (!member->keep || member->output) continue;
        if (held) held[k] = bytes;
        bytes += (row * dtype_bytes(member->node->type.dtype) + 63) / 64 * 64;
    }
    return bytes;
}

static void make_function(Emit *e, const char *name)
{
    const Unit *u = e->unit;
    LLVMTypeRef params[] = {u->pointer, u->pointer, u->i64, u->i64, u->pointer, u->pointer};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(u->context), params, 6, false);
    e->function = LLVMAddFunction(u->module, name, type);
    e->blocks = LLVMGetParam(e->function, 0);
    e->args = LLVMGetParam(e->function, 1);
    e->begin = LLVMGetParam(e->function, 2);
    e->end = LLVMGetParam(e->function, 3);
    e->scratch = LLVMGetParam(e->function, 4);
    e->fault = LLVMGetParam(e->function, 5);
    static const char *const names[] = {"blocks", "args", "begin", "end", "scratch", "fault"};
    for (unsigned k = 0; k < 6; k++) {
        LLVMValueRef param = LLVMGetParam(e->function, k);
        size_t length = 0;
        while (names[k][length]) length++;
        LLVMSetValueName2(param, names[k], length);
    }
    e->scope[0] = (Scope){LLVMAppendBasicBlockInContext(u->context, e->function, "entry"), ++e->serials};
}

Emit *kernel_function(Unit *u, Arena *arena, const char *name)
{
    Emit *e = arena_new_of(arena, Emit);
    *e = (Emit){.unit = u, .arena = arena};
    make_function(e, name);
    at(e, 0);
    return e;
}

LLVMValueRef emit_kernel(Unit *u, Arena *arena, const Signature *s, const Nest *nest, const Grid *grid,
                         const char *name)
{
    Emit *e = arena_new_of(arena, Emit);
    int count = s->members.count + 1;
    *e = (Emit){.unit = u, .arena = arena, .s = s, .kernel = s->kernel, .nest = nest, .grid = grid};
    e->indexer = (Indexer){.arena = arena, .divide = emit_divide, .context = e};
    e->word = arena_array(arena, LLVMValueRef, s->words.count + 1);
    e->known = arena_array(arena, const Known *, count);
    e->reduced = arena_array(arena, Value, count);
    e->held = arena_array(arena, int64_t, count);
    e->held_state = arena_array(arena, HeldState, count);
    kernel_scratch(s, e->held);
    make_function(e, name);
    debug_function(u, e->function, s->kernel->outputs.at[0], name);
    if (s->kernel->kind == KERNEL_scatter)
        emit_scatter(e);
    else if (s->kernel->kind == KERNEL_copy)
        emit_copy(e);
    else if (s->kernel->c_rank > 0)
        emit_columns(e);
    else if (s->kernel->r_rank > 0)
        emit_rows(e);
    else
        emit_map(e);
    LLVMBuildRetVoid(at(e, 0));
    return e->function;
}
