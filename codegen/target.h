/* The host as LLVM sees it. */
#ifndef PTM_CODEGEN_TARGET_H
#define PTM_CODEGEN_TARGET_H

#include <llvm-c/TargetMachine.h>

#include <stdbool.h>

typedef struct Target {
    char *triple, *cpu, *features;       /* owned by LLVM; target_free */
    bool  wide;                          /* 512-bit registers */
    bool  fused;                         /* multiplies and adds in one step */
    LLVMTargetRef handle;
} Target;

bool target_find(Target *target);        /* false: LLVM has no code generator for this host */
void target_free(Target *target);
LLVMTargetMachineRef target_machine(const Target *target);

#endif
