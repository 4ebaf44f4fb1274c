/* Element types and places of tensors from files. */
#include "runtime/train/transfer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 32 };

/* ---- element types ---- */

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float from_bf16(uint16_t half) { return float_of((uint32_t)half << 16); }

/* IEEE binary16: sign, 5 bits of exponent, 10 of fraction. */
static float from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff;
    if (exponent == 31) return float_of(sign | 0x7f800000 | fraction << 13);
    if (exponent) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    return float_of(sign | bits_of((float)fraction * 0x1p-24f));
}

static uint16_t to_bf16(float x)
{
    uint32_t bits = bits_of(x);
    if (isnan(x)) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Below 2^-14, adding 0.5 leaves the multiple of 2^-24 that is nearest in the last bits. */
static uint16_t to_f16(float x)
{
    uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x3ff));
    if (bits >= bits_of(65520.0f)) return (uint16_t)(sign | 0x7c00);
    if (bits < bits_of(0x1p-14f)) return (uint16_t)(sign | (bits_of(float_of(bits) + 0.5f) - bits_of(0.5f)));
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | (bits - (112u << 23)) >> 13);
}

/* To f32 so that a further rounding to half as many bits is as if there had been one: where x lies between two floats
 * this is the one whose last bit is set. */
static float to_odd(double x)
{
    float near = (float)x;
    uint32_t bits = bits_of(near);
    if (isnan(x) || (double)near == x || bits & 1) return near;
    return float_of(fabs((double)near) > fabs(x) ? bits - 1 : bits + 1);
}

bool rt_converts(int32_t from, int32_t to)
{
    bool floats[RT_DTYPE_COUNT] = { [RT_f32] = true, [RT_f64] = true, [RT_bf16] = true, [RT_f16] = true };
    return from == to || (floats[from] && floats[to]);
}

#define EACH(From, To, expression) \
    for (int64_t i = 0; i < count; i++) { \
        From x; \
        memcpy(&x, (const char *)from + i * (int64_t)sizeof x, sizeof x); \
        To y = expression; \
        memcpy((char *)to + i * (int64_t)sizeof y, &y, sizeof y); \
    }

static void to_single(int32_t dtype, const void *from, void *to, int64_t count)
{
    if (dtype == RT_bf16) EACH(uint16_t, float, from_bf16(x))
    if (dtype == RT_f16) EACH(uint16_t, float, from_f16(x))
    if (dtype == RT_f64) EACH(double, float, (float)x)
}

static void from_single(int32_t dtype, const void *from, void *to, int64_t count)
{
    if (dtype == RT_bf16) EACH(float, uint16_t, to_bf16(x))
    if (dtype == RT_f16) EACH(float, uint16_t, to_f16(x))
    if (dtype == RT_f64) EACH(float, double, (double)x)
}

static void to_double(int32_t dtype, const void *from, void *to, int64_t count)
{
    if (dtype == RT_bf16) EACH(uint16_t, double, (double)from_bf16(x))
    if (dtype == RT_f16) EACH(uint16_t, double, (double)from_f16(x))
}

static void from_double(int32_t dtype, const void *from, void *to, int64_t count)
{
    if (dtype == RT_bf16) EACH(double, uint16_t, to_bf16(to_odd(x)))
    if (dtype == RT_f16) EACH(double, uint16_t, to_f16(to_odd(x)))
}

static void between_halves(int32_t dtype, const void *from, void *to, int64_t count)
{
    if (dtype == RT_bf16) EACH(uint16_t, uint16_t, to_f16(from_bf16(x)))
    if (dtype == RT_f16) EACH(uint16_t, uint16_t, to_bf16(from_f16(x)))
}

void rt_convert(int32_t from_dtype, const void *from, int32_t to_dtype, void *to, int64_t count)
{
    assert(rt_converts(from_dtype, to_dtype));
    if (from_dtype == to_dtype) memcpy(to, from, (size_t)(count * rt_dtype_bytes(to_dtype)));
    else if (to_dtype == RT_f32) to_single(from_dtype, from, to, count);
    else if (from_dtype == RT_f32) from_single(to_dtype, from, to, count);
    else if (to_dtype == RT_f64) to_double(from_dtype, from, to, count);
    else if (from_dtype == RT_f64) from_double(to_dtype, from, to, count);
    else between_halves(from_dtype, from, to, count);
}

/* ---- whole numbers with scales ---- */

/* The larger size of the two. As bits sizes are ordered as the numbers are, a NaN above all others. */
static float larger(float size, float x)
{
    uint32_t a = bits_of(size), b = bits_of(x) & 0x7fffffff;
    return float_of(a > b ? a : b);
}

static int8_t quantized(float w, float scale)
{
    float x = w / scale + 0.5f;
    x = x > 127 ? 127 : x >= -127 ? x : x < -127 ? -127 : 0;
    int32_t whole = (int32_t)x;
    return (int8_t)(whole - ((float)whole > x));
}

/* The rows of w, one after the other, and the scales that go with each: a row of them, or one. */
typedef struct Rows {
    int32_t rank;
    int64_t length, count;
    const int64_t *shape, *scales;
} Rows;

static int64_t first_scale(const Rows *r, int64_t row)
{
    int64_t at = 0, stride = r->scales[r->rank - 1];
    for (int k = r->rank - 2; k >= 0; k--) {
        if (r->scales[k] != 1) at += row % r->shape[k] * stride;
        row /= r->shape[k];
        stride *= r->scales[k];
    }
    return at;
}

static void raise_sizes(const float *w, int64_t length, bool one, float *most)
{
    float all = *most;
    for (int64_t j = 0; one && j < length; j++) all = larger(all, w[j]);
    if (one) *most = all;
    for (int64_t j = 0; !one && j < length; j++) most[j] = larger(most[j], w[j]);
}

static void quantize_row(const float *w, int64_t length, bool one, const float *scale, int8_t *q)
{
    float all = *scale;
    for (int64_t j = 0; one && j < length; j++) q[j] = quantized(w[j], all);
    for (int64_t j = 0; !one && j < length; j++) q[j] = quantized(w[j], scale[j]);
}

void rt_quantize(const float *w, int32_t rank, const int64_t *shape, const int64_t *scales, int8_t *q, float *scale)
{
    Rows r = { rank, shape[rank - 1], 1, shape, scales };
    bool one = scales[rank - 1] == 1;
    int64_t scale_count = 1;
    for (int k = 0; k < rank - 1; k++) r.count *= shape[k];
    for (int k = 0; k < rank; k++) scale_count *= scales[k];
    memset(scale, 0, (size_t)scale_count * sizeof *scale);
    for (int64_t i = 0; i < r.count; i++) raise_sizes(w + i * r.length, r.length, one, scale + first_scale(&r, i));
    for (int64_t i = 0; i < scale_count; i++) scale[i] /= 127;
    for (int64_t i = 0; i < r.count; i++)
        quantize_row(w + i * r.length, r.length, one, scale + first_scale(&r, i), q + i * r.length);
}

/* ---- places ---- */

int64_t rt_move_count(const RtMove *m)
{
    int64_t count = 1;
    for (int k = 0; k < m->rank; k++) count *= m->extent[k];
    return count;
}

RtMove rt_move_back(const RtMove *m)
{
    RtMove back = *m;
    memcpy(back.from_stride, m->to_stride, sizeof back.from_stride);
    memcpy(back.to_stride, m->from_stride, sizeof back.to_stride);
    back.from_start = m->to_start;
    back.to_start = m->from_start;
    return back;
}

static void swap_axes(RtMove *m, int a, int b)
{
    int64_t *rows[] = { m->extent, m->from_stride, m->to_stride };
    for (int i = 0; i < 3; i++) {
        int64_t x = rows[i][a];
        rows[i][a] = rows[i][b];
        rows[i][b] = x;
    }
}

/* The last axis is the one along which `to` is densest, the one before it that of `from`: so both are gone through in
 * tiles of rows that lie together. */
static RtMove ordered(const RtMove *m)
{
    RtMove o = *m;
    while (o.rank < 2) o.extent[o.rank++] = 1;
    int last = 0, before = 0;
    for (int k = 1; k < m->rank; k++)
        if (o.extent[k] > 1 && (o.extent[last] == 1 || llabs(o.to_stride[k]) < llabs(o.to_stride[last]))) last = k;
    swap_axes(&o, last, o.rank - 1);
    for (int k = 1; k < o.rank - 1; k++)
        if (o.extent[k] > 1 && (o.extent[before] == 1 || llabs(o.from_stride[k]) < llabs(o.from_stride[before])))
            before = k;
    swap_axes(&o, before, o.rank - 2);
    return o;
}

#define COPY_ROW(T) \
    for (int64_t j = 0; j < n; j++) ((T *)to)[j * to_step] = ((const T *)from)[j * from_step];

/* n elements of `size` bytes, a power of two up to 8, with steps between them. */
static void copy_row(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t n, int64_t size)
{
    if (to_step == 1 && from_step == 1) memcpy(to, from, (size_t)(n * size));
    else if (size == 1) COPY_ROW(uint8_t)
    else if (size == 2) COPY_ROW(uint16_t)
    else if (size == 4) COPY_ROW(uint32_t)
    else COPY_ROW(uint64_t)
}

static void move_plane(const RtMove *m, int64_t size, const char *from, char *to)
{
    int a = m->rank - 2, b = m->rank - 1;
    bool dense = m->from_stride[b] == 1 && m->to_stride[b] == 1;
    int64_t width = dense ? m->extent[b] : TILE;
    for (int64_t j = 0; j < m->extent[b]; j += width) {
        int64_t n = m->extent[b] - j < width ? m->extent[b] - j : width;
        for (int64_t i = 0; i < m->extent[a]; i++)
            copy_row(to + size * (i * m->to_stride[a] + j * m->to_stride[b]), m->to_stride[b],
                     from + size * (i * m->from_stride[a] + j * m->from_stride[b]), m->from_stride[b], n, size);
    }
}

static void move_axis(const RtMove *m, int axis, int64_t size, const char *from, char *to)
{
    if (axis == m->rank - 2) {
        move_plane(m, size, from, to);
        return;
    }
    for (int64_t i = 0; i < m->extent[axis]; i++)
        move_axis(m, axis + 1, size, from + size * i * m->from_stride[axis], to + size * i * m->to_stride[axis]);
}

void rt_move(const RtMove *move, int64_t element_bytes, const void *from, void *to)
{
    RtMove m = ordered(move);
    move_axis(&m, 0, element_bytes, (const char *)from + element_bytes * m.from_start,
              (char *)to + element_bytes * m.to_start);
}
