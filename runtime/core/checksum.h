/* A checksum of 64 bits over regions of bytes: against damage and mistakes, not against malice. */
#ifndef PTM_RUNTIME_CHECKSUM_H
#define PTM_RUNTIME_CHECKSUM_H

#include <string.h>

#include "runtime/core/random.h"

enum { CHECKSUM_BLOCK = 32 };            /* regions are added in pieces of whole blocks, all but the last piece */

/* Four lanes of multiply and shift, 8 bytes each in turn. */
typedef struct Checksum {
    uint64_t lane[4];
} Checksum;

static inline Checksum checksum_begin(void)
{
    Checksum c = {{1, 2, 3, 4}};
    return c;
}

static inline void checksum_block(Checksum *c, const char *block)
{
    for (int i = 0; i < 4; i++) {
        uint64_t word;
        memcpy(&word, block + 8 * i, sizeof word);
        uint64_t h = (c->lane[i] ^ word) * 0x9E3779B97F4A7C15u;
        c->lane[i] = h ^ (h >> 32);
    }
}

/* The last block of a region is filled up with zeros. */
static inline void checksum_add(Checksum *c, const char *bytes, int64_t size)
{
    int64_t at = 0;
    for (; at + CHECKSUM_BLOCK <= size; at += CHECKSUM_BLOCK) checksum_block(c, bytes + at);
    if (at == size) return;
    char last[CHECKSUM_BLOCK] = {0};
    memcpy(last, bytes + at, (size_t)(size - at));
    checksum_block(c, last);
}

static inline uint64_t checksum_end(const Checksum *c)
{
    uint64_t h = 0;
    for (int i = 0; i < 4; i++) h = rt_random_key(h, c->lane[i]);
    return h;
}

/* Of one text, its length included. */
static inline uint64_t checksum_of(const char *bytes, int64_t size)
{
    Checksum c = checksum_begin();
    checksum_add(&c, bytes, size);
    return rt_random_key(checksum_end(&c), (uint64_t)size);
}

#endif
