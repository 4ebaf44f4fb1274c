/* Program: a compiled entry. A table of kernel calls over a few memory blocks, and the places of what goes in and out.
 * The same table runs from the JIT and from a shipped object. */
#ifndef PTM_RUNTIME_PROGRAM_H
#define PTM_RUNTIME_PROGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory blocks. The caller owns every byte. An offset word, in a kernel's arguments or as a value's place, has the
 * block above RT_OFFSET_BITS and the byte offset below. */
typedef enum RtBlock {
#define BLOCK(name, doc) BLOCK_##name,
#include "runtime/core/block.def"
#undef BLOCK
    BLOCK_COUNT
} RtBlock;
enum { RT_OFFSET_BITS = 48 };
#define RT_PLACE(block, offset) ((int64_t)(block) << RT_OFFSET_BITS | (int64_t)(offset))
static inline RtBlock rt_block(int64_t place) { return (RtBlock)(place >> RT_OFFSET_BITS); }
static inline int64_t rt_offset(int64_t place) { return place & (((int64_t)1 << RT_OFFSET_BITS) - 1); }
static inline char *rt_at(char *const *block, int64_t place) { return block[rt_block(place)] + rt_offset(place); }

enum { RT_MAX_RANK = 8, RT_MAX_THREADS = 64 };

/* One kernel over the units [begin, end) of its grid. args: offset words, then whatever numbers it was compiled to
 * read. scratch: this thread's own bytes (64-byte aligned, Program.scratch_bytes of them). fault: never NULL; see
 * RtFault. */
typedef struct RtFault RtFault;
typedef void RtKernel(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                      RtFault *fault);

/* A bad index: of those that the first steps with any, all that run at the same time, have met, the one with the lowest
 * place, then value, then bound, so that the message does not depend on threads. `place` indexes Program.places; 0
 * means no fault. A kernel holds `lock` (0: free) while it compares and writes. */
struct RtFault {
    int64_t place, value, bound, lock;
};

/* A loop over rows of the table. In each iteration it points blocks of its own, the cursors, to what the iteration
 * works on: kernels use them like any block. Blocks BLOCK_COUNT and above are cursors. */
enum { RT_MAX_CURSORS = 496 };           /* alive at a time, of all loops around a step */

/* In iteration i of n, which is at place t = i (backwards: n - 1 - i) along the axis, the cursor points to `first`
 * when i = 0 and first >= 0, else to base[i % 2] + t * stride. Words of first and base may lie in cursors of loops
 * around. */
typedef struct RtCursor {
    int64_t first, base[2];              /* offset words */
    int64_t stride;                      /* bytes */
} RtCursor;

typedef struct RtLoop {
    int64_t count;                       /* n */
    int32_t steps;                       /* rows behind this one that are its body, those of loops within included */
    int32_t backwards;
    int32_t first_cursor, cursor_count;  /* cursors[c] is block first_cursor + c */
    const RtCursor *cursors;
    int64_t index;                       /* place of an i64 that is set to t before each iteration; -1: nobody asks */
    int64_t until;                       /* place of a bool: true ends the loop before an iteration; -1: none */
} RtLoop;

typedef struct RtStep {
    const RtLoop  *loop;                 /* NULL: a kernel; else the head of a loop, whose other fields but name and
                                            place are not used */
    RtKernel      *run;
    const int64_t *args;
    int64_t        extent;               /* units of work in all */
    int64_t        tile;                 /* units in a tile; threads take whole tiles. extent <= tile: one thread, no
                                            barrier beyond the order */
    RtKernel      *tiled;                /* of a product: runs it and, on each tile, the kernel of the next row, which
                                            is then not run by itself; NULL: there is none such */
    int32_t        beside;               /* kernels in the rows behind this one that run at the same time */
    int32_t        name;                 /* index into Program.names */
    int32_t        place;                /* index into Program.places */
} RtStep;

typedef struct RtValue {
    const char *name;                    /* "ids", "h.0.attn.query.weight", "loss" */
    int32_t     dtype;                   /* row of dtype.def */
    int32_t     rank;
    int64_t     shape[RT_MAX_RANK];
    int64_t     place;                   /* offset word */
    int64_t     bytes;
} RtValue;

typedef struct Program {
    const char    *entry;
    int32_t        step_count, input_count, output_count, name_count, place_count;
    const RtStep  *steps;
    /* data, ambient ("seed", "step"), tables; parameters and states are listed too. A run may use the bytes of data for
     * something else: they are filled before every run. What is ambient or a table stays */
    const RtValue *inputs;
    const RtValue *outputs;              /* results only: updates land in their parameter or state */
    const char *const *names;            /* kernel names */
    const char *const *places;           /* "gpt.ptm:21:9 h.0.attn"; places[0] is "" */
    int64_t        block_bytes[BLOCK_COUNT];
    int64_t        scratch_bytes;        /* for each thread */
    int32_t        cursor_count;         /* blocks beyond BLOCK_COUNT that its loops use */
} Program;

/* Moving bytes, called like any kernel; a unit is RT_MOVE_BYTES of them. rt_copy: args from, to (offset words), bytes;
 * they do not overlap. rt_zero: args to, bytes. */
enum { RT_MOVE_BYTES = 4096 };
RtKernel rt_copy, rt_zero;

/* Products, called like any kernel:
 * C[batch](m, n) = sum over k of A[batch](m, k) * B[batch](k, n), f32 (rt_product_f32) or f64 (rt_product_f64).
 * rt_product_* are served by OpenBLAS (runtime/core/product.c); compiled programs may bring kernels of their own with
 * the same arguments (codegen/product.h).
 * A unit of the grid is one tile of one batch element and one part of k. The grid is the compiler's, and depends on the
 * shape alone. */
typedef struct RtProduct {
    int64_t a, b, c;                     /* offset words */
    int64_t m, n, k;
    int64_t a_row, a_column;             /* strides in elements; one of the two is 1 */
    int64_t b_row, b_column;
    int64_t c_row;                       /* stride of rows of C; its columns are adjacent */
    int64_t batch_rank;                  /* 0 to 4 batch axes, outermost first */
    int64_t batch[4], a_batch[4], b_batch[4], c_batch[4];    /* extents, and strides in elements */
    int64_t tile_m, tile_n;
    int64_t parts;                       /* of k, added in a fixed tree by the second step; 1: written directly */
    int64_t partial;                     /* offset word of parts * batch * m * n elements, when parts > 1 */
    int64_t sum_rows;                    /* rows of C in a unit of the second step, rt_product_sum_*, when parts > 1 */
    RtKernel      *run;                  /* what makes a tile: the step's own kernel */
    /* rt_product_tiled: what runs on what has just been made. A unit is a row of C and then_columns of its columns,
     * all rows of the first columns before those of the next. then_columns: tile_n, or n; in this case the step's tiles
     * are whole rows of tiles. The strides of C are multiples of n */
    RtKernel      *then;
    const int64_t *then_args;
    int64_t        then_columns;
} RtProduct;
RtKernel rt_product_f32, rt_product_f64, rt_product_tiled, rt_product_sum_f32, rt_product_sum_f64;

/* The kernels that OpenBLAS has chosen for this processor, or was told to take: "SkylakeX". */
const char *rt_product_kernels(void);

/* NULL: there is none of this name. */
const RtValue *rt_program_input(const Program *program, const char *name);

/* Runs every step on the pool. 0, or 1 when *fault says what went wrong: outputs, parameters and states are then not to
 * be used, since some of them may be new and some old. Allocates nothing. */
typedef struct Pool Pool;
int rt_program_run(const Program *program, Pool *pool, char *const *block, RtFault *fault);

/* Where a run is in the loops around a row: the place t along the axis, of the innermost loop first. */
typedef struct RtIteration RtIteration;
struct RtIteration {
    int64_t t;
    const RtIteration *around;           /* NULL: no further loop */
};

/* Looks into a run from between its rows; for finding faults. `row`: of the table, never the head of a loop. block: the
 * caller's and the cursors, as the row has them. begin and end: around the run; a fault leaves end out. */
typedef struct RtWatch {
    void *context;
    void (*begin)(void *context, const Program *program, char *const *block);
    void (*before)(void *context, int32_t row, char *const *block, const RtIteration *in);
    void (*after)(void *context, int32_t row, char *const *block, const RtIteration *in);
    void (*end)(void *context, char *const *block);
} RtWatch;

/* rt_program_run with a watch, which may be NULL. */
int rt_program_watch(const Program *program, Pool *pool, char *const *block, const RtWatch *watch, RtFault *fault);

#ifdef __cplusplus
}
#endif

#endif
