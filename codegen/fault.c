/* What a kernel does with an id out of range: it leaves the lowest one in RtFault, so that what is reported does not
 * depend on threads. */
#include "codegen/emit.h"

/* (place, value, bound) of a bad id, or of the fault so far. */
typedef struct Fault {
    LLVMValueRef word[3];
} Fault;

static LLVMValueRef fault_word(const Emit *e, int word)
{
    LLVMValueRef number = whole(e->unit, word);
    return LLVMBuildInBoundsGEP2(e->unit->builder, e->unit->i64, e->fault, &number, 1, "");
}

/* Whether x comes before y in the order of its words. */
static LLVMValueRef comes_before(const Unit *u, const Fault *x, const Fault *y)
{
    LLVMValueRef before = LLVMConstInt(u->i1, 0, false);
    for (int k = 2; k >= 0; k--) {
        LLVMValueRef less = LLVMBuildICmp(u->builder, LLVMIntSLT, x->word[k], y->word[k], "");
        LLVMValueRef same = LLVMBuildICmp(u->builder, LLVMIntEQ, x->word[k], y->word[k], "");
        before = LLVMBuildOr(u->builder, less, LLVMBuildAnd(u->builder, same, before, ""), "");
    }
    return before;
}

/* Keeps the lower of the two, holding the lock. */
static void record_fault(Emit *e, const Fault *found, LLVMBasicBlockRef next)
{
    enum { LOCK = 3 };
    const Unit *u = e->unit;
    LLVMBuilderRef b = u->builder;
    LLVMBasicBlockRef spin = LLVMAppendBasicBlockInContext(u->context, e->function, "lock");
    LLVMBasicBlockRef held = LLVMAppendBasicBlockInContext(u->context, e->function, "compare");
    LLVMValueRef lock = fault_word(e, LOCK), zero = whole(u, 0);
    LLVMBuildBr(b, spin);
    LLVMPositionBuilderAtEnd(b, spin);
    LLVMValueRef swap = LLVMBuildAtomicCmpXchg(b, lock, zero, whole(u, 1), LLVMAtomicOrderingAcquire,
                                               LLVMAtomicOrderingMonotonic, false);
    LLVMBuildCondBr(b, LLVMBuildExtractValue(b, swap, 1, ""), held, spin);
    LLVMPositionBuilderAtEnd(b, held);
    Fault so_far;
    for (int k = 0; k < 3; k++) so_far.word[k] = LLVMBuildLoad2(b, u->i64, fault_word(e, k), "");
    LLVMValueRef none = LLVMBuildICmp(b, LLVMIntEQ, so_far.word[0], zero, "");
    LLVMValueRef wins = LLVMBuildOr(b, none, comes_before(u, found, &so_far), "");
    for (int k = 0; k < 3; k++)
        LLVMBuildStore(b, LLVMBuildSelect(b, wins, found->word[k], so_far.word[k], ""), fault_word(e, k));
    LLVMValueRef unlock = LLVMBuildStore(b, zero, lock);
    LLVMSetOrdering(unlock, LLVMAtomicOrderingRelease);
    LLVMSetAlignment(unlock, 8);
    LLVMBuildBr(b, next);
}

void emit_fault(Emit *e, int depth, int site, LLVMValueRef bad, LLVMValueRef value, int64_t bound)
{
    const Unit *u = e->unit;
    LLVMBasicBlockRef record = LLVMAppendBasicBlockInContext(u->context, e->function, "fault");
    LLVMBasicBlockRef next = LLVMAppendBasicBlockInContext(u->context, e->function, "checked");
    LLVMValueRef place = word_value(e, site).v;
    LLVMBuildCondBr(at(e, depth), bad, record, next);
    LLVMPositionBuilderAtEnd(u->builder, record);
    record_fault(e, &(Fault){{place, value, whole(u, bound)}}, next);
    branch_done(e, depth, next);
}
