/* From a plan to machine code. The only room that knows LLVM. Object bytes are the one product: the running code is
 * these bytes linked by ORC, a shipped object is these bytes in a file. */
#ifndef PTM_CODEGEN_H
#define PTM_CODEGEN_H

#include "ir/plan.h"
#include "runtime/core/program.h"

/* Functions that one program was compiled with are there for the next that is compiled with the same table. */
typedef struct CodeTable CodeTable;
CodeTable *code_table_new(void);
void       code_table_free(CodeTable *table);    /* after all programs that were compiled with it; may be NULL */

/* Who serves products: OpenBLAS, or kernels of our own (product.h). */
typedef enum Blas { BLAS_openblas, BLAS_none } Blas;

typedef struct CodeOptions {
    int   threads;                       /* compiler threads, one LLVM context each; 0: one per processor */
    bool  debug_lines;                   /* line tables into the .ptm file, gdb and perf listeners */
    FILE *llvm, *assembly;               /* dumps of what was compiled, or NULL */
    CodeTable *table;                    /* or NULL */
    const char *cache;                   /* directory of code compiled before, made when it is missing; NULL: none. Not
                                            for dumps */
    Blas  blas;
} CodeOptions;

/* Whether the kernel at this position of a placed plan runs on each tile that the product before it has just made. */
bool code_on_tiles(const Plan *plan, int position, Blas blas);

/* $PTM_CACHE, else ptm below the user's directory of caches (XDG Base Directory Specification). NULL: none, which is
 * also what PTM_CACHE=off says. */
const char *code_cache_directory(Arena *arena);

typedef struct Code Code;                /* machine code in memory, and the Program whose table points into it */

/* Compiles every distinct kernel once and links. `entry` names the Program. NULL after an error report (target without
 * support). */
Code          *code_compile(const Plan *plan, const char *entry, const CodeOptions *options, Diagnostics *d);
const Program *code_program(const Code *code);

/* What a row of the program's table computes, for looking into a run (RtWatch). It names nodes of the plan that was
 * compiled, which must still be there. */
typedef struct CodeRow {
    const Kernel  *kernel;               /* NULL: the row moves bytes, begins a loop, or makes parts that the next row
                                            adds */
    const int64_t *inputs, *outputs;     /* places of the kernel's inputs and outputs, in their order */
    int32_t        words;                /* of the step's arguments */
} CodeRow;
const CodeRow *code_rows(const Code *code);                  /* as many as the program has steps */
void           code_free(Code *code);

typedef struct CodeStatistics {
    int    kernels, functions;           /* rows of the program (those of a loop once), distinct functions compiled for
                                            it: those that the table had not yet */
    int    cached;                       /* of these functions: from the directory of the cache */
    int    groups;                       /* of kernels that run at the same time */
    double llvm_seconds;                 /* building, optimizing and emitting, summed over threads */
    int64_t code_bytes;
} CodeStatistics;
CodeStatistics code_statistics(const Code *code);

/* The code of one kernel (no contraction, no scan) before LLVM's own passes, as compiled for itself. Kernels with the
 * same signature have the same. */
const char    *code_kernel_llvm(Arena *arena, const Plan *plan, int kernel);

/* "avx512", 16 lanes; for `ptm help` and benchmarks. */
const char *code_target(Arena *arena);

/* From here on, when memory runs out in LLVM or it gives up, the program ends with a message and status 1. */
void code_report_ends(void);

#endif
