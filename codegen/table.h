/* The table under construction, shared by table.c (rows and values), contract.c (products) and scan.c (loops). */
#ifndef PTM_CODEGEN_TABLE_H
#define PTM_CODEGEN_TABLE_H

#include "codegen/compile.h"

/* Texts with numbers, each once. */
typedef struct Texts {
    Map *number;
    Vec(const char *) at;
} Texts;

typedef struct Table {
    Arena   *arena;
    Program *out;
    Texts    names, places;
    Vec(RtStep) steps;
    Vec(CodeRow) rows;                   /* one for each step */
    const Node *around;                  /* the scan whose rows are being made: where what has no place of its own
                                            belongs; or NULL */
    const char *why;                     /* what does not fit into a Program, or NULL */
} Table;

/* Where the memory of a plan lies: the entry's own, or that of the body of a scan. */
typedef struct Frame {
    const Plan *plan;
    int64_t  work;                       /* place of its work block */
    int64_t *bound;                      /* body: by buffer, the place of what lies in no block; else -1 */
    const Kernel *kernel;                /* the one whose rows are being made; NULL: none */
    int      cursors;                    /* blocks from here on are free for the loops inside */
} Frame;

int64_t frame_word(const Frame *f, const Node *node);        /* the place of a stored value, for the kernel */
int64_t frame_place(const Frame *f, const Buffer *buffer);

/* "gpt.ptm:21:9 h.0.attn": the innermost place in a file of the user's, and the label path. */
const char *table_place(Arena *arena, const Node *node);
/* A step with `words` argument words, unless it has nothing to do. */
void table_step(Table *t, const char *name, const Node *node, RtStep step, int words);
void table_rows(Table *t, const Frame *f, const Calls *calls);

/* beside.c: which rows of the entry's own plan run at the same time. */
void table_group(Table *t, const Frame *f);

/* contract.c: a contraction as the arguments of a product, and what follows from its grid. */
typedef struct Product {
    RtProduct args;
    RtKernel *run, *sum;                 /* sum: the second step, or NULL */
    int64_t   units, sum_units, scratch;
} Product;
Product product_of(const Frame *f, const Kernel *kernel, Blas blas, const ProductCalls *own);

/* scan.c: the rows of a scan kernel. calls: of its body. */
void table_scan(Table *t, const Frame *around, const Kernel *kernel, const Calls *calls);

#endif
