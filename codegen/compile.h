/* Distinct kernels, their modules, the object bytes, and the linked addresses. */
#ifndef PTM_CODEGEN_COMPILE_H
#define PTM_CODEGEN_COMPILE_H

#include "codegen/codegen.h"
#include "codegen/nest.h"

#include "ir/contraction.h"

#include <llvm-c/TargetMachine.h>
#include <llvm-c/Types.h>

/* What a function does: a kernel of a plan's, or one of those that serve products of some types (product.h): the
 * tiles, the tiles with what follows on each, the sum of parts. */
typedef enum Role { ROLE_kernel, ROLE_product, ROLE_product_tiled, ROLE_product_sum } Role;

/* One distinct function. */
typedef struct Function {
    const char *text;                    /* what makes it distinct */
    Role     role;
    ProductTypes types;                  /* of a product */
    const Signature *signature;          /* of the first kernel with this text; NULL for products */
    Nest     nest;
    Grid     grid;
    const char *name;                    /* symbol: of a product the same in every program, of a kernel its number
                                            among those compiled together */
    int64_t  cost;                       /* guessed, to balance the compiler threads */
    RtKernel *address;
} Function;

typedef struct Functions {
    const Map *known;                    /* by text: compiled before for other programs; NULL: none */
    Map *by_text;
    Vec(Function *) all;                 /* in order of first use */
} Functions;

/* The function of a kernel, made on its first use. Not for contractions. */
Function *function_find(Arena *arena, Functions *functions, const Signature *s);
/* One of those that serve products. */
Function *function_of_product(Arena *arena, Functions *functions, Role role, ProductTypes types);

/* Its code for a target, in the unit's module. */
struct Unit;
struct Target;
LLVMValueRef function_emit(struct Unit *u, Arena *arena, const Function *f, const char *name,
                           const struct Target *target);
void unit_verify(const struct Unit *u, const char *entry);   /* a wrong module is our bug: prints why and aborts */
/* NULL or the reason. LLVM's passes for modules of kernels. */
const char *unit_optimize(const struct Unit *u, Arena *arena, LLVMTargetMachineRef machine);

/* The bytes of one module. */
typedef struct Object {
    LLVMMemoryBufferRef bytes;           /* owned by whoever compiled, until linked */
    double  seconds;
    char   *llvm, *assembly;             /* dumps, or NULL; LLVM's memory */
    const char *error;                   /* NULL when all went well */
    bool    cached;                      /* of a product: compiled by a command before this one */
} Object;

typedef struct Objects {
    int     count;
    Object *at;
    int     cached;                      /* functions: compiled by commands before this one */
} Objects;

/* Compiles all functions over options->threads threads. */
Objects compile_functions(Arena *arena, const Functions *functions, const char *entry, const CodeOptions *options);
void    objects_free(Objects *objects);

/* link.c: machine code in memory. NULL with *why on failure. Fills every function's address. */
typedef struct Linked Linked;
Linked *link_objects(Arena *arena, Objects *objects, Functions *functions, bool listeners, const char **why);
void    link_free(Linked *linked);

/* tiles.c: the tiles of the product just before a kernel, if the kernel can run on each as soon as it is finished;
 * their whole rows for a kernel of rows; else no columns. */
Tiles tiles_before(const Plan *plan, int position, Blas blas);

/* product_grid.c: the tiles of an own product, of the same parts as contraction_tiling's; the bytes of scratch that it
 * takes. */
Tiling  product_tiling(const Contraction *c);
int64_t product_scratch(const Tiling *t, const ProductTypes *types);
/* Who serves: a library has no products of several types, nor of bf16. */
Blas    product_server(const ProductTypes *t, Blas blas);
Tiling  tiling_of(const Contraction *c, Blas blas);          /* whoever serves it */

/* The functions that serve a product; all NULL: the runtime does. */
typedef struct ProductCalls {
    Function *run, *tiled, *sum;         /* tiled, sum: NULL where nothing follows on tiles, where there are no parts */
} ProductCalls;

/* What the kernels of a plan call, by position: a function and the signature it is called with, or neither for
 * contractions, scans, and what writes no element; of a scan, what the kernels of its body call. */
typedef struct Calls Calls;
struct Calls {
    Blas        blas;
    ProductCalls *product;               /* of contractions */
    Function  **function;
    Signature **signature;
    Calls     **body;
    Tiles      *tiles;                   /* what they run on, of the product before them */
};

/* codegen.c: a plan's, with the functions it needs that are not among these yet. */
Calls *calls_find(Arena *arena, Functions *functions, const Plan *plan, Blas blas);

/* table.c: the Program, and what its rows compute. NULL, or why the table cannot hold it. */
const char *table_build(Arena *arena, const Plan *plan, const char *entry, const Calls *calls, Program *out,
                        const CodeRow **rows);

#endif
