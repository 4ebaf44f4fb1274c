/* Machine code on disk, so that a command need not compile what one before it has compiled. An entry is the objects of
 * one list of functions: the kernels of a program, or one function that serves products, for all models. Its key is
 * everything that the code depends on: the functions' canonical texts and lines, the target, and the build of the
 * compiler; the entry holds the key whole, so that no hash can mistake one for another. */
#ifndef PTM_CODEGEN_CACHE_H
#define PTM_CODEGEN_CACHE_H

#include "codegen/compile.h"
#include "codegen/target.h"

/* NULL: there is nothing to tell builds of this compiler apart by, so nothing is to be kept. */
const char *cache_key(Arena *arena, const Functions *functions, const char *entry, const CodeOptions *options,
                      const Target *target);

/* The objects stored under the key. False when there are none; a damaged entry, or one that others could have written,
 * is none. */
bool cache_load(Arena *arena, const char *directory, const char *key, Objects *out);

/* Stores whole entries, beside and renamed, and removes those not used for longest when there are too many. Failure is
 * silent: the directory may be read-only, full or somebody else's. */
void cache_store(Arena *arena, const char *directory, const char *key, const Objects *objects);

#endif
