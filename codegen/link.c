/* Object bytes to running code, through ORC. With listeners, debuggers and profilers see the code and its lines: only
 * the older linking layer has them. perf reads a file that every process would leave behind: only where JITDUMPDIR says
 * that it is wanted. */
#include "codegen/compile.h"

#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/ExecutionEngine.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/OrcEE.h>

#include <stdlib.h>

struct Linked {
    LLVMOrcLLJITRef jit;
};

static LLVMOrcObjectLayerRef listening_layer(void *context, LLVMOrcExecutionSessionRef session, const char *triple)
{
    (void)context, (void)triple;
    LLVMOrcObjectLayerRef layer = LLVMOrcCreateRTDyldObjectLinkingLayerWithSectionMemoryManager(session);
    const char *dumps = getenv("JITDUMPDIR");
    LLVMJITEventListenerRef listeners[] = {LLVMCreateGDBRegistrationListener(),
                                           dumps ? LLVMCreatePerfJITEventListener() : NULL};
    for (int k = 0; k < 2; k++)
        if (listeners[k]) LLVMOrcRTDyldObjectLinkingLayerRegisterJITEventListener(layer, listeners[k]);
    return layer;
}

static const char *message(Arena *arena, LLVMErrorRef error)
{
    char *text = LLVMGetErrorMessage(error);
    const char *copy = arena_print(arena, "%s", text);
    LLVMDisposeErrorMessage(text);
    return copy;
}

static LLVMErrorRef add_objects(LLVMOrcLLJITRef jit, Objects *objects)
{
    for (int k = 0; k < objects->count; k++) {
        LLVMMemoryBufferRef bytes = objects->at[k].bytes;
        if (!bytes) continue;
        LLVMMemoryBufferRef copy =
            LLVMCreateMemoryBufferWithMemoryRangeCopy(LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes), "kernels");
        LLVMErrorRef error = LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), copy);
        if (error) return error;
    }
    return NULL;
}

static LLVMErrorRef find_addresses(LLVMOrcLLJITRef jit, Functions *functions)
{
    for (int k = 0; k < functions->all.count; k++) {
        LLVMOrcExecutorAddress address;
        LLVMErrorRef error = LLVMOrcLLJITLookup(jit, &address, functions->all.at[k]->name);
        if (error) return error;
        functions->all.at[k]->address = (RtKernel *)(uintptr_t)address;
    }
    return NULL;
}

Linked *link_objects(Arena *arena, Objects *objects, Functions *functions, bool listeners, const char **why)
{
    Linked *linked = arena_new_of(arena, Linked);
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    if (listeners) LLVMOrcLLJITBuilderSetObjectLinkingLayerCreator(builder, listening_layer, NULL);
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&linked->jit, builder);
    if (!error) error = add_objects(linked->jit, objects);
    if (!error) error = find_addresses(linked->jit, functions);
    if (!error) return linked;
    *why = message(arena, error);
    link_free(linked);
    return NULL;
}

void link_free(Linked *linked)
{
    if (!linked || !linked->jit) return;
    LLVMErrorRef error = LLVMOrcDisposeLLJIT(linked->jit);
    if (error) LLVMConsumeError(error);
    linked->jit = NULL;
}
