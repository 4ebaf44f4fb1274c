/* Shipped objects: programs written out with the C functions that run them, for somebody else's program. The table of a
 * program lies in the object as constants of exactly the layout of runtime/core/program.h, so that JIT and object share
 * kernels, table and layout. With one thread the object walks its tables itself and wants no library; with a pool
 * libptm-core does. Several sets of instructions stand side by side, and the widest that the processor has is chosen
 * when the first function is called. */
#ifndef PTM_EXPORT_H
#define PTM_EXPORT_H

#include "codegen/codegen.h"

typedef struct ExportOptions {
    const char *triple;                  /* NULL: this host's */
    const char *cpu;                     /* one set of instructions for this processor, "native" for this one; NULL:
                                            every set of the architecture that code is made for */
    const char *features;                /* "+avx2,-fma": one set of instructions with these; or NULL */
    Blas        blas;
    bool        pool;                    /* programs run on a Pool of libptm-core */
} ExportOptions;

/* The sets of instructions of an object, the narrowest first: "x86-64", "avx2", "avx512". */
enum { EXPORT_MAX_SETS = 4 };

typedef enum ExportCode {
#define CODE(name, text) EXPORT_##name,
#include "codegen/export.def"
#undef CODE
    EXPORT_CODES
} ExportCode;

/* An argument of a function, in the order of C. The hash comes before all of them. */
typedef enum ExportArgKind {
    ARG_BLOCK,                           /* a block: aligned, not NULL */
    ARG_POOL,                            /* struct Pool *, with options.pool */
    ARG_DIM,                             /* int64_t: says which case is meant */
    ARG_NUMBER,                          /* int64_t, for the input `value` of every program: "seed", "step" */
    ARG_INPUT,                           /* array that is copied to the input `value`; of a step of several shards, one
                                            behind the other */
    ARG_OUTPUT,                          /* array that the output `value` is copied to, unless NULL */
    ARG_FAULT                            /* {const char *place; int64_t index, rows;}, written with bad_index; may be
                                            NULL */
} ExportArgKind;

typedef struct ExportArg {
    ExportArgKind kind;
    RtBlock       block;
    const char   *value;
} ExportArg;

/* What a case of a function does, in order. It stops at the first bad index. */
typedef struct ExportAction {
    int     program;                     /* number of it; -1: zeroes */
    int64_t place, bytes;                /* of what is zeroed */
    int64_t shard;                       /* program: the batch it works on; shards draw different numbers */
    int64_t sums;                        /* program: where its block of sums begins, in the function's own */
} ExportAction;

typedef struct ExportCase {
    const int64_t *dims;                 /* a value for every ARG_DIM, in order */
    Vec(ExportAction) actions;
} ExportCase;

typedef struct ExportFunction {
    const char *symbol;
    Vec(ExportArg)  args;
    Vec(ExportCase) cases;
    int     stage;                       /* its numbers are drawn by the seed of this stage; 0: by the seed itself */
    int64_t sum_bytes;                   /* of all slots */
} ExportFunction;

/* A block that is part of the object, read-only; and a list of values for C to read. */
typedef struct ExportList {
    const char    *symbol;
    const RtValue *values;
    int            count;
} ExportList;

typedef struct Export Export;

/* NULL after an error report: a target that LLVM does not know, or one that is not 64-bit and little-endian. */
Export     *export_new(Arena *arena, const ExportOptions *options, Diagnostics *d);
void        export_free(Export *e);
int         export_set_count(const Export *e);
const char *export_set_name(const Export *e, int set);

/* Makes the table of a plan, which must stay until export_emit. Its number, or -1 after an error report. The program
 * says where values lie; it cannot be run. */
int            export_program(Export *e, const Plan *plan, const char *entry, Diagnostics *d);
const Program *export_get(const Export *e, int program);

/* Memory that a function wants as its work block: [work of the neediest program | sums | scratch of a thread], the
 * scratch without a pool. */
int64_t export_work_bytes(const Export *e, const ExportFunction *f);
int64_t export_scratch_bytes(const Export *e);               /* of the neediest program */

/* Everything else that the object holds. */
typedef struct ExportContents {
    const char *prefix;                  /* of the symbols that every object has: PREFIX_error, and with several sets
                                            PREFIX_instruction_set, PREFIX_use_instruction_set */
    uint64_t    abi;                     /* what callers must give */
    const char *block[BLOCK_COUNT];      /* bytes of blocks that are part of the object; NULL: no function reads it, or
                                            it is an argument */
    int64_t     block_bytes[BLOCK_COUNT];
    Vec(ExportFunction) functions;
    Vec(ExportList)     lists;
} ExportContents;

typedef enum ExportForm { FORM_obj, FORM_asm, FORM_llvm } ExportForm;

/* The bytes (of export_free), or NULL after an error report. Once. */
const char *export_emit(Export *e, const ExportContents *contents, ExportForm form, int64_t *size, Diagnostics *d);

#endif
