/* The emitter of one kernel: LLVM's builder with scopes. A scope is a loop nest level; code that does not depend on a
 * loop is put before it by construction: every value knows the depth of the innermost loop that it depends on and is
 * built at the end of that scope's block, which has no terminator until the loops inside it are closed. So no pass has
 * to move code out of loops, and no alias analysis is needed to move loads. */
#ifndef PTM_CODEGEN_EMIT_H
#define PTM_CODEGEN_EMIT_H

#include "codegen/nest.h"

#include <llvm-c/Core.h>

enum { MAX_DEPTH = MAX_PARTS + 2, MAX_REDUCTIONS = 64, BLOCK_VECTORS = 8 };

/* A module under construction: one context, used by one thread. */
typedef struct Unit {
    LLVMContextRef context;
    LLVMModuleRef  module;
    LLVMBuilderRef builder;
    LLVMTypeRef i1, i8, i16, i32, i64, half, f32, f64, pointer;
    bool   fused;                        /* the target multiplies and adds in one step, rounding once */
    struct DebugLines *lines;            /* NULL without debug lines */
} Unit;

typedef struct Scope {
    LLVMBasicBlockRef end;               /* new code of this depth goes here */
    int  serial;                         /* no two scopes of a kernel share one */
} Scope;

/* A value in 16 lanes, at the depth of the scope that it was built in. */
typedef struct Value {
    LLVMValueRef v;
    int depth;
} Value;

/* Which lanes count. tail: lanes beyond the end of the axis, never all of them; when: what pads, concats and absent ids
 * ask for. Both are <16 x i1> or NULL for all lanes. */
typedef struct Mask {
    LLVMValueRef tail, when;
    int  tail_depth, when_depth;
    LLVMValueRef when_any;               /* i1, with `when`: some lane holds */
} Mask;

/* Vectors along the lane axis, bound once in the unit's scope and taken in turn: a block of columns, or a short row. */
typedef struct Block {
    int  count;
    Var *part[BLOCK_VECTORS][MAX_PARTS];
    Mask mask[BLOCK_VECTORS];
} Block;

typedef struct Known Known;
typedef struct KnownMask KnownMask;
typedef struct KnownRow KnownRow;

/* A value kept across passes: stored by the pass that makes it, loaded by later ones. */
typedef enum HeldState { HELD_not, HELD_in_this_pass, HELD_before } HeldState;

typedef struct Emit {
    Unit *unit;
    Arena *arena;
    const Signature *s;
    const Kernel *kernel;
    const Nest *nest;
    const Grid *grid;
    Indexer indexer;
    LLVMValueRef function, blocks, args, begin, end, scratch, fault;
    /* decoded places (pointers) and other words, by word number; NULL until used */
    LLVMValueRef *word;
    Scope scope[MAX_DEPTH];
    int   depth, serials;
    Var  *part[MAX_PARTS];               /* of the loops that are open */
    /* by canonical number: values built so far, the last one first, to be used again while their scope is open */
    const Known **known;
    Vec(KnownMask *) known_masks;
    Vec(KnownRow *) known_rows;
    /* by canonical number: the row's value of a reduction; v NULL before it is known */
    Value *reduced;
    /* by canonical number: offset in scratch of a value kept across passes, or -1 */
    int64_t *held;
    HeldState *held_state;
    bool   in_row;                       /* inside a pass over the row: kept values are stored as they are made */
    /* a short row, all of it at once: its values stay in registers from pass to pass */
    Block  row;
} Emit;

/* emit.c: builder, types, scopes, loops */
Unit *unit_new(Arena *arena, const char *name, bool fused);
void  unit_free(Unit *u);
LLVMBuilderRef at(Emit *e, int depth);                       /* the builder, placed at the end of a scope */
void  branch_done(Emit *e, int depth, LLVMBasicBlockRef next);           /* the scope goes on in another block */

LLVMTypeRef  lanes_of(LLVMTypeRef lane);                     /* <16 x lane> */
LLVMTypeRef  register_type(const Unit *u, DType dtype);      /* of one lane: bf16 and f16 are computed in f32 */
LLVMTypeRef  memory_type(const Unit *u, DType dtype);
LLVMValueRef whole(const Unit *u, int64_t value);            /* i64 */
LLVMValueRef splat_constant(LLVMValueRef scalar);
LLVMValueRef splat_whole(LLVMTypeRef lane, int64_t value);
LLVMValueRef splat_float(LLVMTypeRef lane, double value);
LLVMValueRef zero_of(const Unit *u, DType dtype);            /* 16 lanes of zero */
LLVMValueRef splat(const Unit *u, LLVMValueRef scalar);      /* built where the builder stands */
LLVMValueRef first_lane(const Unit *u, LLVMValueRef vector);
LLVMValueRef lane_numbers(const Unit *u, LLVMTypeRef lane, int64_t stride);      /* 0, stride, 2 stride .. */
LLVMValueRef intrinsic(const Unit *u, const char *name, LLVMTypeRef *overloads, int overload_count, LLVMValueRef *args,
                       int arg_count);
/* overloaded on the first argument */
LLVMValueRef intrinsic_of(const Unit *u, const char *name, LLVMValueRef *args, int arg_count);
LLVMValueRef any_lane(const Unit *u, LLVMValueRef mask);     /* i1 */

/* A loop over first, first + step .. below limit, carrying values round. Code of the body goes to the scope of depth
 * e->depth. */
typedef struct Loop {
    LLVMBasicBlockRef body, exit;
    LLVMValueRef index, first, limit, *carried, *initial;
    int64_t step;
    int     carried_count;
    bool    guarded;                     /* may have no turn at all */
} Loop;
/* carried: in: values before the loop, out: as seen by the body. */
void loop_open(Emit *e, Loop *loop, LLVMValueRef first, LLVMValueRef limit, int64_t step, bool guarded,
               LLVMValueRef *carried, int count);
/* carried: in: values at the end of the body, out: after the loop. */
void loop_close(Emit *e, Loop *loop, LLVMValueRef *carried);

/* place.c: variables, forms, addresses, memory */
void   bind_axis(Emit *e, int axis, LLVMValueRef base, int64_t stride);  /* at depth e->depth */
Value  affine_lanes(Emit *e, const Affine *a, LLVMTypeRef lane);         /* lane: i32 or i64 */
void   emit_divide(void *emit, const Affine *of, int64_t by, Var *quotient, Var *rest);      /* Indexer.divide */
bool   scope_is_open(const Emit *e, int depth, int serial);
Value  word_pointer(Emit *e, int word);
Value  word_value(Emit *e, int word);                        /* i64 */
Value  load(Emit *e, DType dtype, LLVMValueRef base, const Affine *offset, Mask mask);
void   store(Emit *e, DType dtype, LLVMValueRef base, const Affine *offset, Mask mask, Value value);
/* Lanes, or one element, as memory holds them and as they are computed with. */
LLVMValueRef from_memory(const Unit *u, DType dtype, LLVMValueRef v);
LLVMValueRef to_memory(const Unit *u, DType dtype, LLVMValueRef lanes);
LLVMValueRef mask_value(Emit *e, Mask mask, int depth);      /* <16 x i1>, or NULL for all; at the builder of `depth` */
int    mask_depth(Mask mask);
/* The mask with a condition added; *holds: the lanes where the condition holds, whatever the mask was. */
Mask   mask_require(Emit *e, Mask mask, const Condition *condition, Value *holds);
/* any: i1, some lane of `lanes` holds. */
Mask   mask_and(Emit *e, Mask mask, LLVMValueRef lanes, LLVMValueRef any, int depth);

/* value.c: the value of a node at an index */
Value  eval(Emit *e, const Node *node, const Affine *index, Mask mask);
/* The row that one index tensor of a gather or scatter names: a variable in [0, bound), and the mask of the lanes where
 * it is there. */
Mask   eval_row(Emit *e, const Node *node, const Node *ids, const Affine *index, int64_t bound, Mask mask, Affine *row);

/* fault.c: records a bad id and goes on. bad: i1; value: i64; site: a word */
void   emit_fault(Emit *e, int depth, int site, LLVMValueRef bad, LLVMValueRef value, int64_t bound);

/* element.c, cast.c, draw.c: built where the builder stands */
LLVMValueRef element_code(const Unit *u, Op op, DType dtype, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
LLVMValueRef element_multiply_add(const Unit *u, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
LLVMValueRef cast_code(const Unit *u, DType from, DType to, LLVMValueRef v);
LLVMValueRef cast_round(const Unit *u, DType dtype, LLVMValueRef v);     /* to what memory of the type can hold */
LLVMValueRef draw_word(const Unit *u, LLVMValueRef seed, LLVMValueRef hash, LLVMValueRef step, LLVMValueRef index);

/* span.c: loops over the axes of a grid */
/* What happens at one vector of the nest; carried: values that go round the loops, replaced by their next ones. */
typedef void SpanBody(Emit *e, void *context, Mask mask, LLVMValueRef *carried);
/* inner loops and lanes */
void  span_inner(Emit *e, SpanBody *body, void *context, LLVMValueRef *carried, int count);
void  span_flat(Emit *e, SpanBody *body, void *context);                 /* a flat map's units */
/* The loop over units; their axes are bound. Returns the chunk of the lane axis that this unit is. */
LLVMValueRef span_units(Emit *e, Loop *loop);
void  span_chunk(Emit *e, LLVMValueRef chunk, SpanBody *body, void *context);    /* part of a long lane axis */

void  block_bind(Emit *e, LLVMValueRef chunk, Block *block);
void  block_bind_row(Emit *e);                               /* e->row, when the grid says that the row is short */
void  block_use(Emit *e, const Block *block, int vector);

/* loop.c, scatter.c: whole kernels */
void emit_map(Emit *e);
void emit_copy(Emit *e);
void emit_rows(Emit *e);
void emit_columns(Emit *e);
void emit_scatter(Emit *e);

/* reduce.c */
typedef struct Reduction {
    const Node *node;
    int number, pass;
} Reduction;
int  reductions_of(const Emit *e, Reduction *out);           /* at most MAX_REDUCTIONS */
LLVMValueRef reduction_start(const Unit *u, const Node *node);
LLVMValueRef reduction_step(Emit *e, const Node *node, LLVMValueRef so_far, unsigned groups, Mask mask);
/* all lanes in lane 0, then in every lane */
LLVMValueRef reduction_tree(const Unit *u, const Node *node, LLVMValueRef lanes);

/* kernel.c: one function; and one with a kernel's parameters and nothing in it yet. */
LLVMValueRef emit_kernel(Unit *u, Arena *arena, const Signature *s, const Nest *nest, const Grid *grid,
                         const char *name);
Emit        *kernel_function(Unit *u, Arena *arena, const char *name);

#endif
