/* Counts calls of the allocator while a test wants to know of them. */
#ifndef PTM_TESTS_ALLOCATIONS_H
#define PTM_TESTS_ALLOCATIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* From the second step on, until a test takes it back. */
static atomic_bool counting;

/* Allocations while `counting`: the law says there are none. Sanitizers bring an allocator of their own. */
static atomic_int allocations;

static inline void count_allocation(void)
{
    if (atomic_load(&counting)) atomic_fetch_add(&allocations, 1);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
extern void *__libc_malloc(size_t size), *__libc_calloc(size_t count, size_t size),
    *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) { count_allocation(); return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { count_allocation(); return __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { count_allocation(); return __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) { count_allocation(); return __libc_memalign(alignment, size); }
#endif

#endif
