/* Reading idx files. */
#include "runtime/data/idx.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/data/value.h"

enum { MARK_BYTES = 4, EXTENT_BYTES = 4 };

typedef struct Kind {
    int     code;                        /* the third byte of the file */
    RtDtype dtype;
    int     bytes;                       /* of an element in the file */
} Kind;

static const Kind kinds[] = { { 0x08, RT_u8, 1 },  { 0x09, RT_i8, 1 },  { 0x0B, RT_i32, 2 },
                              { 0x0C, RT_i32, 4 }, { 0x0D, RT_f32, 4 }, { 0x0E, RT_f64, 8 } };

static const Kind *kind_of(int code)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].code == code) return &kinds[i];
    return NULL;
}

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The packed form of these files is the usual one. */
static bool check_mark(const FileBytes *file, const unsigned char *mark, RtError *e)
{
    if (mark[0] == 0x1f && mark[1] == 0x8b) return rt_fail(e, "%.300s is gzip; unpack it first", file->path);
    if (mark[0] || mark[1])
        return rt_fail(e, "%.300s is not an idx file: it does not begin with two zero bytes", file->path);
    if (!kind_of(mark[2]))
        return rt_fail(e, "%.300s: element type 0x%02x at byte 2 is none of the idx format", file->path, mark[2]);
    if (mark[3] > RT_MAX_RANK)
        return rt_fail(e, "%.300s: %d axes at byte 3, supported are %d", file->path, mark[3], RT_MAX_RANK);
    return true;
}

bool idx_open(const FileBytes *file, RtTensor *out, RtError *e)
{
    unsigned char mark[MARK_BYTES], extent[EXTENT_BYTES];
    if (file->size < MARK_BYTES) return rt_fail(e, "%.300s is too short for an idx file", file->path);
    if (!bytes_read(file, 0, mark, sizeof mark, e) || !check_mark(file, mark, e)) return false;
    const Kind *kind = kind_of(mark[2]);
    int64_t count = 1, begin = MARK_BYTES + EXTENT_BYTES * mark[3];
    *out = (RtTensor){ .name = "", .dtype = (int32_t)kind->dtype, .rank = mark[3], .offset = begin };
    if (file->size < begin)
        return rt_fail(e, "%.300s is cut off in its header, at byte %" PRId64, file->path, file->size);
    for (int i = 0; i < out->rank; i++) {
        if (!bytes_read(file, MARK_BYTES + EXTENT_BYTES * i, extent, sizeof extent, e)) return false;
        out->shape[i] = big_endian(extent);
        if (__builtin_mul_overflow(count, out->shape[i], &count) || count > INT64_MAX / 8)
            return rt_fail(e, "%.300s: the extents up to byte %d say more elements than there can be", file->path,
                           MARK_BYTES + EXTENT_BYTES * (i + 1));
    }
    if (count * kind->bytes != file->size - begin)
        return rt_fail(e, "%.300s: its header says %" PRId64 " bytes of elements from byte %" PRId64
                       " on, but there are %" PRId64, file->path, count * kind->bytes, begin, file->size - begin);
    out->bytes = count * rt_dtype_bytes(out->dtype);
    return true;
}

/* In place, from the last element to the first, since they may become wider. */
static void widen(const Kind *kind, char *bytes, int64_t count)
{
    int64_t wide = rt_dtype_bytes((int32_t)kind->dtype);
    for (int64_t i = count - 1; i >= 0; i--) {
        unsigned char element[8];
        uint64_t value = 0;
        memcpy(element, bytes + i * kind->bytes, (size_t)kind->bytes);
        for (int k = 0; k < kind->bytes; k++) value = value << 8 | element[k];
        int32_t whole = kind->bytes == 2 ? (int16_t)value : (int32_t)value;
        if (kind->bytes == 8) memcpy(bytes + i * wide, &value, sizeof value);
        else memcpy(bytes + i * wide, &whole, sizeof whole);
    }
}

bool idx_read(const FileBytes *file, const RtTensor *t, char *out, RtError *e)
{
    unsigned char mark[MARK_BYTES];
    if (!bytes_read(file, 0, mark, sizeof mark, e)) return false;
    const Kind *kind = kind_of(mark[2]);
    int64_t count = t->bytes / rt_dtype_bytes(t->dtype);
    if (!kind || (int32_t)kind->dtype != t->dtype)
        return rt_fail(e, "%.300s: byte 2 has changed while it was read", file->path);
    if (!bytes_read(file, t->offset, out, count * kind->bytes, e)) return false;
    if (kind->bytes > 1) widen(kind, out, count);
    return true;
}
