/* The processors that code is made for, as LLVM sees them. */
#ifndef PTM_CODEGEN_TARGET_H
#define PTM_CODEGEN_TARGET_H

#include <llvm-c/TargetMachine.h>

#include <stdbool.h>

typedef struct Target {
    char *triple, *cpu, *features;       /* owned by LLVM; target_free */
    bool  wide;                          /* 512-bit registers */
    bool  fused;                         /* multiplies and adds in one step */
    bool  dots;                          /* 512-bit dot products of bf16 */
    LLVMTargetRef handle;
} Target;

/* Rows, and vectors of 16 lanes, of which the sums stay in registers with a row of the right operand beside them. */
typedef struct RegisterTile {
    int rows, vectors;
} RegisterTile;
RegisterTile target_register_tile(const Target *target, int64_t element_bytes);

bool target_find(Target *target);        /* this host; false: LLVM has no code generator for it */
/* Any: triple NULL is this host's, cpu NULL what every processor of the kind has, "native" this one; features ""
 * or "+avx2,-fma". NULL, or why not, in LLVM's memory. Needs an assembly parser too. */
char *target_named(const char *triple, const char *cpu, const char *features, Target *target);
void target_free(Target *target);
LLVMTargetMachineRef target_machine(const Target *target);

#endif
