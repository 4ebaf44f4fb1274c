/* The plan: the graph cut into kernels, the kernels in order, every stored value at an offset. It is the last structure
 * without machine code: `fuse` makes it, `schedule` orders it, `plan` places it, codegen reads it. */
#ifndef PTM_PLAN_H
#define PTM_PLAN_H

#include "ir/contraction.h"

/* The memory blocks, in the runtime's own order. */
typedef enum MemoryBlock {
#define BLOCK(name, doc) MEMORY_##name,
#include "runtime/core/block.def"
#undef BLOCK
    MEMORY_COUNT,
    MEMORY_bound = MEMORY_COUNT          /* in the plan of a body: where the loop says, at offset 0 */
} MemoryBlock;

/* LOOP: a nest over `space` = A axes, R axes, C axes (a_rank, r_rank, c_rank of them, adjacent and in this order).
 *   map      R = C = none: every output has as many elements as A.
 *   rows     R some, C none: reductions over the R axes of values of size A*R, in as many passes over the row as their
 *            dependences need (softmax: maximum, then sum of exp); outputs have A*R elements (written in the last pass)
 *            or A (one value a row).
 *   columns  R and C some: one level of reductions over R of values of size A*R*C, then element work on A*C; outputs
 *            have A*C elements.
 *   Nodes inside are element operators, movement, gather, const, iota, draws, casts and the reductions named above; a
 *   value is computed at an index by asking its arguments at the index their movement maps it to. A node inside stands
 *   in one or more of three places:
 *     full   asked at its own row-major position p in A*R*C (in A for a map);
 *     row    asked at its own row-major position in A (rows) or A*C (columns): computed once a row or column. The
 *            results of the reductions stand here and nowhere else;
 *     other  asked at an index that movement or gather computes. Nothing that this kernel writes, and none of its
 *            reductions, stands here.
 *   Parts: a map may write an output that is a concat of n >= 2 parts of A elements each, n*A in all: every part
 *   stands full, and is written where it stands in the concat (kernel_parts). The concat itself stands nowhere, and is
 *   no value that this kernel reads.
 *   Places go by position, not by axis: an output or argument may have other axes than `space` with the same number of
 *   elements ([B, T, 1] beside [B, T], [B*T, D] beside [B, T, D]); element operators, casts and reshapes keep the
 *   position.
 *   From full to row leads an expand whose argument has all of A's axes and none (or 1) of R's.
 *   Passes: a reduction runs in pass 0 when no other reduction of the kernel feeds it, else one after the latest that
 *   does.
 *   All outputs of A*R elements are written in one pass: the later of the last reduction's pass and one past the last
 *   reduction that feeds any of them. Values in `keep` are computed in the first pass that needs them.
 *   Within a pass all values of an element (or vector) are computed before any of them is written, so that an output
 *   may lie in the bytes of an input that is read at that element only (Buffer.takes_over).
 * CONTRACT: one einsum, operands and result in memory; nodes are the movement and casts between inputs and the einsum,
 *   and the einsum last. view_find(operand, "is among inputs") and contraction_find succeed.
 * SCATTER: the scatter is the last node. Its base is an input (copied, unless the output takes it over), or movement of
 *   a const, with which the output is filled. Then rows are set or added in order; the values, indices and their
 *   element work may be inside. Spread over the columns behind the indexed axes, so order never depends on threads.
 * SCAN: one scan node, whose body is a plan of its own (Kernel.body, scheduled and placed before the plan around it);
 *   body->graph is the node's region, so that scan_carry, scan_output and the like name nodes of the body's plan.
 *   inputs: the scan's arguments, dense, from memory; outputs: its picks and, last, the scan itself, whose buffer is
 *   the loop's own memory (Kernel.home). space: the iterations.
 *   In the body's plan the inputs of storage each, carry and outer, and every output, lie in no block (MEMORY_bound):
 *   the loop gives them their places. An output of a body has a node of its own that is no input and no reshape (fuse
 *   wraps others in `stop`, which costs a copy of the element). The new value of a carry may take over the carry's own
 *   buffer (in place: nothing reads the old value afterwards); else old and new lie in two places that change roles
 *   with every iteration. "index" is a batch of the body's work block, filled before each iteration.
 * COPY: inputs[0] is a stored value, outputs[0] the OP_input (parameter or state) whose place receives it: a new value
 *   that could not be written in place. No nodes. Same bytes on both sides. */
typedef enum KernelKind { KERNEL_loop, KERNEL_contract, KERNEL_scatter, KERNEL_copy, KERNEL_scan } KernelKind;

/* A stored value. Reshapes of a stored value share its buffer. */
typedef struct Buffer Buffer;
struct Buffer {
    int          id;
    const Node  *node;                   /* the first node stored here */
    int64_t      bytes;
    MemoryBlock  block;
    int64_t      offset;                 /* in the block, 64-byte aligned; -1 before `plan` */
    int          first, last;            /* kernels (positions) between which it is alive, both included: from -1 when
                                            it is filled before the step, to kernels.count when it is read after it */
    Buffer      *takes_over;             /* written in place of this one (same bytes), or NULL */
    const char  *why;                    /* it is in memory, for --explain; NULL for inputs and what plan adds */
    const char  *category;               /* for the certificate: "parameters", "gradients", "optimizer state", "saved
                                            activations", "scratch" … */
};

/* A value that a kernel did not take in, though it makes or reads what the value needs; of a copy, what it copies. */
typedef struct Refusal {
    const Node *node;
    const char *why;
} Refusal;
typedef Vec(Refusal) Refusals;

/* A value that is made again has a buffer for every time it is made. */
typedef struct Instead {
    int from, to;                        /* buffers: where Plan.buffer_of says `from`, a kernel reads or writes `to` */
} Instead;

typedef struct Kernel {
    KernelKind  kind;
    int         id;
    Vec(Node *) nodes;                   /* computed inside, arguments first */
    Vec(Node *) inputs;                  /* read from memory; each has a buffer, a reshape of a stored value its
                                            argument's */
    Vec(Node *) aligned;                 /* of inputs: read in place full or row only, never at another index */
    Vec(Node *) outputs;                 /* among nodes (a copy excepted): written to memory, dense, row-major */
    Vec(Node *) keep;                    /* rows: dear full values needed in several passes: held in scratch, or in
                                            their own output */
    /* by place in nodes: the first pass in which every reduction before it is known; a reduction runs in that pass */
    int        *pass;
    int         last_pass;               /* rows: the one that writes the outputs of A*R elements */
    int         a_rank, r_rank, c_rank;
    const Dim  *space[2 * MAX_RANK];     /* a_rank + r_rank + c_rank dimensions; contract and scatter: the result's, all
                                            in A */
    Refusals refusals;                   /* why it ends here */
    struct Plan *body;                   /* scan: the plan of its body */
    int         parts;                   /* contract, from `schedule` on: the buffer for what the parts of k give
                                            (contraction_tiling), alive here only; -1: there is one part */
    /* scan, from `schedule` on: where the loop keeps what no pick holds, as 64-byte aligned offsets in the buffer of
     * the scan node, behind the body's work block at 0. By number of the result (scan_result_count of them).
     * home[k]: -1 when a pick of result k is asked for: then its buffer is the home. Else room for the carry's final
     * value, or for one element of a stacked result, which every iteration overwrites.
     * spare[k]: a carry's second place; -1 for one in place, and for stacked results.
     * A carry in place lies in its home before, in and after the loop; there it begins as a copy of the argument,
     * unless the home's buffer took over the argument's. One with a spare is written, in n iterations, to its home in
     * the last, to the spare in the one before, and so on by turns, and read where the iteration before wrote it, in
     * the first one at the argument's own place; with n = 0 the home gets a copy of the argument. With `until` n is not
     * known: the argument is copied to the home before the loop, each iteration reads the home and writes the spare,
     * and the spare is copied home after it. */
    int64_t     *home, *spare;
    Vec(Instead) instead;                /* of values made again: of the kernels that make and read them */
} Kernel;

typedef struct Plan {
    Arena *arena;
    const Graph *graph;
    Vec(Kernel *) kernels;               /* in order of execution after `schedule` */
    Vec(Buffer *) buffers;
    Buffer **buffer_of;                  /* by node id; NULL: never stored. A reshape of a stored value has its
                                            buffer. What a kernel sees there: kernel_buffer */
    /* by node id: a product that is rounded once, together with the add or sum that alone uses it (a multiply-add), in
     * every kernel that computes it. It is no value of its own: neither stored nor kept */
    bool    *contracted;
    int64_t  block_bytes[MEMORY_COUNT];
    int64_t  lower_bound;                /* the largest sum of work bytes alive at one time */
    const char *order;                   /* which schedule won; NULL before `schedule` */
} Plan;

/* Where the model's parameters and states lie, the same for all entries, so that they share one block. */
typedef struct Layout {
    Map     *offset;                     /* name -> int64_t * */
    int64_t  bytes[MEMORY_COUNT];        /* of each block; 0 for work */
    Map     *narrow;                     /* name of an f32 parameter that lies there in a narrower type -> Narrow *;
                                            NULL: none does (passes/narrow.c) */
} Layout;

/* A parameter w in a narrower type. bf16: each element the nearest, ties to even. i8: q of w = q * scale, where a scale
 * goes with all elements that have the same indices along `axes`; it lies as f32 with 1 in place of the other axes. */
typedef struct Narrow {
    DType    dtype;
    uint32_t axes;                       /* i8: bit k: axis k has scales of its own */
} Narrow;

/* Places every param, state, sum and const input of the graphs, in order of first mention, 64-byte aligned. Needs
 * values. */
Layout     *layout_new(Arena *arena, const Graph *const *graphs, int count);

Buffer     *kernel_buffer(const Plan *p, const Kernel *k, const Node *node);     /* NULL: not stored */
const Buffer *buffer_home(const Buffer *b);                  /* the first of those that took each other's place */
bool        node_is_reduction(const Node *node);             /* of those that kernels have: over some axes at once */
int64_t     kernel_extent(const Kernel *k, int first, int count);    /* product of the dimensions of `space` from
                                                                        `first` on */
/* Whether a kernel may write an output into the bytes of a stored value that nothing reads after this kernel: it
 * reads them at the element it writes, or not at all. */
bool        kernel_may_take_over(const Plan *p, const Kernel *k, const Node *output, const Buffer *old);

/* Of a contract kernel: its operands where they lie, and their product. False when it is none. */
bool        kernel_product(const Kernel *k, View *a, View *b, Contraction *c);
int         kernel_parts(const Kernel *k, const Node *output);           /* how many parts a map writes an output in;
                                                                            1: none but the value itself */
/* Of a scan: the pick of result k among its outputs, or NULL; whether carry k is written in place. */
const Node *kernel_pick(const Kernel *k, int result);
bool        kernel_carry_in_place(const Kernel *k, int carry);

int64_t     plan_scratch(const Plan *p);                     /* of a thread: what its rows hold between passes */
int         plan_made_again(const Plan *p);                  /* kernels that make values once more */
const char *kernel_kind_name(const Kernel *k);               /* map, rows, columns, contract, scatter, copy, scan */
const char *kernel_space_text(Arena *arena, const Kernel *k);         /* "[A | R | C]" */
const char *block_name(MemoryBlock block);
MemoryBlock block_of_storage(int storage);                   /* where the inputs of a Storage lie */
void        plan_print(const Plan *p, FILE *out);            /* stages fuse, schedule and plan, as far as filled in */
void        plan_explain(const Plan *p, FILE *out);          /* why kernels end where they do, and what is in memory */
const char *plan_verify(const Plan *p, Arena *arena);        /* dependences, coverage, no overlap of live buffers; NULL
                                                                or the reason */

#endif
