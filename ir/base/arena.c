/* The arena: chunks of zeroed memory in a list, handed out from the front; small ones first, so that what needs little
 * takes little. Nothing is freed before the arena is. */
#include "ir/base/arena.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ALIGNMENT = 16,
    FIRST_CHUNK = 16 * 1024,
    HUGE_PAGE = 2 << 20,
    LARGEST_CHUNK = HUGE_PAGE
};

typedef struct Chunk Chunk;
struct Chunk {
    Chunk *before;
    size_t size, used;                   /* bytes of `memory` */
    _Alignas(ALIGNMENT) char memory[];
};

struct Arena {
    Chunk *last;                         /* the chunk that is handed out from */
};

static void out_of_memory(size_t bytes)
{
    fprintf(stderr, "ptm: out of memory (%zu bytes were asked for)\n", bytes);
    exit(1);
}

/* The bytes include the chunk's head. Large chunks lie on huge pages, which the system brings at once instead of 4 KiB
 * at a time. */
static Chunk *chunk_new(size_t bytes, Chunk *before)
{
    bool huge = bytes % HUGE_PAGE == 0;
    Chunk *chunk = huge ? aligned_alloc(HUGE_PAGE, bytes) : calloc(1, bytes);
    if (!chunk) out_of_memory(bytes);
#ifdef MADV_HUGEPAGE
    if (huge) madvise(chunk, bytes, MADV_HUGEPAGE);          /* only a hint: failure changes nothing */
#endif
    if (huge) memset(chunk, 0, bytes);
    chunk->before = before;
    chunk->size = bytes - sizeof(Chunk);
    return chunk;
}

Arena *arena_new(void)
{
    Arena *arena = calloc(1, sizeof(Arena));
    if (!arena) out_of_memory(sizeof(Arena));
    arena->last = chunk_new(FIRST_CHUNK, NULL);
    return arena;
}

void arena_free(Arena *arena)
{
    if (!arena) return;
    for (Chunk *chunk = arena->last, *before; chunk; chunk = before) {
        before = chunk->before;
        free(chunk);
    }
    free(arena);
}

/* A request that would fill most of a chunk gets one of its own, put behind the current chunk so that this one's rest
 * stays in use. */
static void *alloc_large(Arena *arena, size_t bytes)
{
    Chunk *chunk = chunk_new(sizeof(Chunk) + bytes, arena->last->before);
    chunk->used = bytes;
    arena->last->before = chunk;
    return chunk->memory;
}

void *arena_alloc(Arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) out_of_memory(bytes);
    bytes = bytes ? (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT;
    if (bytes > arena->last->size - arena->last->used) {
        if (bytes > LARGEST_CHUNK / 4) return alloc_large(arena, bytes);
        size_t size = 2 * (sizeof(Chunk) + arena->last->size);
        if (size > LARGEST_CHUNK) size = LARGEST_CHUNK;
        while (size < sizeof(Chunk) + bytes) size *= 2;
        arena->last = chunk_new(size, arena->last);
    }
    void *memory = arena->last->memory + arena->last->used;
    arena->last->used += bytes;
    return memory;
}

void *arena_items(Arena *arena, size_t item, size_t count)
{
    size_t bytes;
    if (__builtin_mul_overflow(item, count, &bytes)) out_of_memory(SIZE_MAX);
    return arena_alloc(arena, bytes);
}

char *arena_copy_text(Arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length) memcpy(copy, text, length);
    return copy;
}

char *arena_vprint(Arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0) {
        fprintf(stderr, "ptm: cannot print the format \"%s\"\n", format);
        abort();
    }
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_print(Arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprint(arena, format, args);
    va_end(args);
    return text;
}

void vec_reserve_(Arena *arena, void **at, int count, int *capacity, size_t item)
{
    if (count < *capacity) return;
    if (count > INT_MAX / 2) out_of_memory(SIZE_MAX);
    int larger = *capacity ? *capacity * 2 : 8;
    void *memory = arena_items(arena, item, (size_t)larger);
    if (count) memcpy(memory, *at, item * (size_t)count);
    *at = memory;
    *capacity = larger;
}
