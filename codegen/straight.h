/* Code that is not a kernel's loop nest: functions of their own, arithmetic on whole numbers, memory by address, and
 * choices. The builder stands at the end of the innermost open scope of an Emit, whose loops (emit.h) serve here
 * too. */
#ifndef PTM_CODEGEN_STRAIGHT_H
#define PTM_CODEGEN_STRAIGHT_H

#include "codegen/emit.h"

/* A function of the module's own, seen by nobody else, with nothing in it yet; and its parameters. */
Emit        *inner_function(Unit *u, Arena *arena, const char *name, LLVMTypeRef *types, int count);
LLVMValueRef parameter(const Emit *e, int number);
LLVMValueRef call_inner(const Emit *e, LLVMValueRef function, LLVMValueRef *args, int count);

static inline LLVMValueRef plus(const Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildAdd(e->unit->builder, a, b, "");
}
static inline LLVMValueRef minus(const Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSub(e->unit->builder, a, b, "");
}
static inline LLVMValueRef times(const Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildMul(e->unit->builder, a, b, "");
}
/* of numbers from 0 on */
static inline LLVMValueRef over(const Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildUDiv(e->unit->builder, a, b, "");
}
static inline LLVMValueRef rest_of(const Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildURem(e->unit->builder, a, b, "");
}
static inline LLVMValueRef compare(const Emit *e, LLVMIntPredicate how, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildICmp(e->unit->builder, how, a, b, "");
}
LLVMValueRef over_up(const Emit *e, LLVMValueRef a, LLVMValueRef b);     /* rounded up */
LLVMValueRef least(const Emit *e, LLVMValueRef a, LLVMValueRef b);

LLVMValueRef element_at(const Emit *e, LLVMTypeRef type, LLVMValueRef base, LLVMValueRef index);
LLVMValueRef element_after(const Emit *e, LLVMTypeRef type, LLVMValueRef base, int64_t index);
LLVMValueRef word_at(const Emit *e, LLVMValueRef base, int64_t byte);    /* an i64 */
LLVMValueRef pointer_at(const Emit *e, LLVMValueRef base, int64_t byte);
/* The address that an offset word stands for. */
LLVMValueRef decoded_place(const Emit *e, LLVMValueRef blocks, LLVMValueRef word);

/* 16 adjacent elements; on: the lanes that count, or NULL for all. Others are read as 0. */
LLVMValueRef lanes_load(const Emit *e, LLVMTypeRef real, LLVMValueRef pointer, LLVMValueRef on);
void         lanes_store(const Emit *e, LLVMTypeRef real, LLVMValueRef pointer, LLVMValueRef on, LLVMValueRef value);
void         fetch_early(const Emit *e, LLVMValueRef pointer);           /* a line, which may lie anywhere */
LLVMValueRef lanes_below(const Emit *e, LLVMValueRef count);             /* <16 x i1>: lane < count, an i64 */

/* Either, or. What follows choice_open happens when the condition holds, what follows choice_else when not. */
typedef struct Choice {
    LLVMBasicBlockRef otherwise, join, from[2];
} Choice;
Choice       choice_open(Emit *e, LLVMValueRef when);
void         choice_else(Emit *e, Choice *c);
void         choice_close(Emit *e, Choice *c);
/* What a value has come to; before anything else after choice_close. */
LLVMValueRef choice_value(const Emit *e, const Choice *c, LLVMValueRef held, LLVMValueRef failed);

#endif
