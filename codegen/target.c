/* The host: processor name and features, target machines for the compiler threads. */
#include "codegen/codegen.h"
#include "codegen/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>

#include <string.h>

bool target_find(Target *target)
{
    *target = (Target){0};
    if (LLVMInitializeNativeTarget() || LLVMInitializeNativeAsmPrinter()) return false;
    target->triple = LLVMGetDefaultTargetTriple();
    target->cpu = LLVMGetHostCPUName();
    target->features = LLVMGetHostCPUFeatures();
    target->wide = strstr(target->features, "+avx512f") != NULL;
    target->fused = strstr(target->features, "+fma") != NULL || !strncmp(target->triple, "aarch64", 7);
    char *why = NULL;
    if (LLVMGetTargetFromTriple(target->triple, &target->handle, &why) == 0) return true;
    LLVMDisposeMessage(why);
    target_free(target);
    return false;
}

void target_free(Target *target)
{
    if (target->triple) LLVMDisposeMessage(target->triple);
    if (target->cpu) LLVMDisposeMessage(target->cpu);
    if (target->features) LLVMDisposeMessage(target->features);
    *target = (Target){0};
}

LLVMTargetMachineRef target_machine(const Target *target)
{
    return LLVMCreateTargetMachine(target->handle, target->triple, target->cpu, target->features,
                                   LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelSmall);
}

const char *code_target(Arena *arena)
{
    Target target;
    if (!target_find(&target)) return "none";
    const char *vectors = target.wide ? "avx512" : strstr(target.features, "+avx2") ? "avx2" : "baseline vectors";
    const char *text = arena_print(arena, "%s, %s, 16 lanes", target.cpu, vectors);
    target_free(&target);
    return text;
}
