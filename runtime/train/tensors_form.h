/* The facts about tensor files that reading and writing share. */
#ifndef PTM_RUNTIME_TENSORS_FORM_H
#define PTM_RUNTIME_TENSORS_FORM_H

#include <string.h>

#include "runtime/core/random.h"
#include "runtime/data/value.h"

/* Names of element types in the header. */
static const char *const tensor_dtype_names[RT_DTYPE_COUNT] = {
    [RT_f32] = "F32", [RT_f64] = "F64", [RT_bf16] = "BF16", [RT_f16] = "F16", [RT_i64] = "I64",
    [RT_i32] = "I32", [RT_i8] = "I8",   [RT_u8] = "U8",     [RT_bool] = "BOOL",
};

enum {
    TENSOR_LENGTH_BYTES = 8,             /* of the length that stands before the header */
    TENSOR_ALIGN = 64,                   /* the data of a file that we write begins at a multiple of this */
    TENSOR_HEADER_LIMIT = 100000000,     /* the format's own limit */
    CHECKSUM_DIGITS = 16,
    CHECKSUM_BLOCK = 32                  /* regions are added in pieces of whole blocks, all but the last piece */
};

/* A file with a checksum begins with this text, the digits, and a quotation mark. The checksum is that of the
 * header with zeros for the digits, followed by the tensors one by one. */
#define TENSOR_CHECKSUM_START "{\"__metadata__\":{\"checksum\":\""
#define TENSOR_CHECKSUM_ZEROS "0000000000000000"

/* Four lanes of multiply and shift, 8 bytes each in turn: against damage, not against malice. */
typedef struct Checksum {
    uint64_t lane[4];
} Checksum;

static inline Checksum checksum_begin(void) { return (Checksum){{1, 2, 3, 4}}; }

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

#endif
