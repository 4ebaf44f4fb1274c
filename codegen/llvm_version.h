/* What differs between the versions of LLVM that ptm is built with (19 to 22). Nothing else asks for the version. */
#ifndef PTM_CODEGEN_LLVM_VERSION_H
#define PTM_CODEGEN_LLVM_VERSION_H

#include "codegen/emit.h"

#include <llvm/Config/llvm-config.h>

/* A masked load, store, gather or scatter of `count` arguments, of which args[pointer] points at elements that lie at
 * multiples of `bytes`. Up to LLVM 21 this is an argument of its own behind the pointer, from 22 on an attribute of
 * it. */
static inline LLVMValueRef masked_access(const Unit *u, const char *name, LLVMTypeRef *overloads, LLVMValueRef *args,
                                         int count, int pointer, int bytes)
{
#if LLVM_VERSION_MAJOR < 22
    LLVMValueRef all[4];
    for (int k = 0; k < count; k++) all[k <= pointer ? k : k + 1] = args[k];
    all[pointer + 1] = LLVMConstInt(u->i32, (unsigned)bytes, false);
    return intrinsic(u, name, overloads, 2, all, count + 1);
#else
    LLVMValueRef call = intrinsic(u, name, overloads, 2, args, count);
    unsigned kind = LLVMGetEnumAttributeKindForName("align", 5);
    LLVMAddCallSiteAttribute(call, (unsigned)pointer + 1, LLVMCreateEnumAttribute(u->context, kind, (unsigned)bytes));
    return call;
#endif
}

#endif
