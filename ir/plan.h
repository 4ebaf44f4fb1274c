/* The plan: the graph cut into kernels, the kernels in order, every stored value at an offset. It is the last structure
 * without machine code: `fuse` makes it, `schedule` orders it, `plan` places it, codegen reads it. */
#ifndef PTM_PLAN_H
#define PTM_PLAN_H

#include "ir/graph.h"

/* LOOP: a nest over `space` = A axes, R axes, C axes (a_rank, r_rank, c_rank of them, adjacent and in this order).
 *   map      R = C = none: every output has the shape A.
 *   rows     R some, C none: reductions over the R axes of values of shape A+R, in as many passes over the row as their
 *            dependences need (softmax: maximum, then sum of exp); outputs have shape A+R (written in the last pass)
 *            or A (one value a row). The largest trap: a value that feeds a reduction and what follows it is computed
 *            once per pass, so the dear ones are listed in `keep` and held in the row's scratch or in their own output.
 *   columns  R and C some: one level of reductions over R of values of shape A+R+C, then element work on A+C; outputs
 *            have shape A+C.
 *   Nodes inside are element operators, movement, gather, const, iota, draws, casts and the reductions named above; a value
 *   is computed at an index by asking its arguments at the index their movement maps it to. A reduction may be asked only at
 *   the row that is being computed.
 * CONTRACT: one einsum, operands and result in memory (operands as strided views), served by a product.
 * SCATTER: base is copied (or taken over in place), then rows are set or added in order; the values, indices and their
 *   element work may be inside. Spread over the columns behind the indexed axes, so order never depends on threads.
 * COPY: the value of a node into its place in another block (a parameter whose new value could not be written in place). */
typedef enum KernelKind { KERNEL_loop, KERNEL_contract, KERNEL_scatter, KERNEL_copy } KernelKind;

/* A stored value. Reshapes of a stored value share its buffer. */
typedef struct Buffer Buffer;
struct Buffer {
    int          id;
    const Node  *node;                   /* the first node stored here */
    int64_t      bytes;
    int          block;                  /* a Block of runtime/core/program.h: param, state, const, work */
    int64_t      offset;                 /* in the block, 64-byte aligned; -1 before `plan` */
    int          first, last;            /* positions of kernels between which it is alive */
    Buffer      *takes_over;             /* written in place of this one (same bytes), or NULL */
    const char  *category;               /* for the certificate: "parameters", "gradients", "optimizer state", "saved activations", "scratch" … */
};

typedef struct Kernel {
    KernelKind  kind;
    int         id;
    Vec(Node *) nodes;                   /* computed inside, arguments first */
    Vec(Node *) inputs;                  /* read from memory */
    Vec(Node *) outputs;                 /* among nodes: written to memory */
    Vec(Node *) keep;                    /* rows: values held across passes */
    int         a_rank, r_rank, c_rank;
    const Dim  *space[2 * MAX_RANK];     /* a_rank + r_rank + c_rank dimensions */
    const char *reason;                  /* why it ends here: the refusal to fuse on, for --explain */
} Kernel;

typedef struct Plan {
    Arena *arena;
    const Graph *graph;
    Vec(Kernel *) kernels;               /* in order of execution after `schedule` */
    Vec(Buffer *) buffers;
    Buffer **buffer_of;                  /* by node id; NULL: never stored */
    int64_t  block_bytes[8];             /* by Block */
    int64_t  lower_bound;                /* the largest sum of work bytes alive at one time */
    const char *order;                   /* which schedule won */
} Plan;

/* Where the model's parameters and states lie, the same for all entries, so that they share one block. */
typedef struct Layout {
    Map     *offset;                     /* name -> int64_t * */
    int64_t  param_bytes, state_bytes, const_bytes;
} Layout;

void        plan_print(const Plan *p, FILE *out);            /* stages fuse, schedule and plan, as far as filled in */
const char *plan_verify(const Plan *p, Arena *arena);        /* dependences, coverage, no overlap of live buffers; NULL or the reason */

#endif
