/* Streams: where the rows of a batch lie, and the permutation that shuffles them. */
#include "runtime/data/stream.h"

#include <assert.h>
#include <string.h>

#include "runtime/core/random.h"
#include "runtime/data/groups.h"

enum { FEISTEL_ROUNDS = 6 };

/* Shapes. */

void rt_stream_set_variants(RtStream *s)
{
    int64_t size = s->shape[0], rest = s->rows % size;
    bool windows = s->rank == 2 && s->row_stride != s->row_bytes;
    int64_t each = windows && s->shape[1] > 1 ? s->shape[1] - 1 : 1;
    s->variants[0] =
        (RtVariant){ .rows = size, .trains = s->places >= size, .passes = s->rows >= size, .weight = size * each };
    s->variant_count = 1;
    if (rest == 0) return;
    s->variants[s->variant_count++] = (RtVariant){ .rows = rest, .passes = true, .weight = rest * each };
}

int64_t rt_stream_bytes(const RtStream *s)
{
    return s->shape[0] * s->row_bytes;
}

static int64_t variant_row_bytes(const RtStream *s, int32_t variant)
{
    int64_t width = s->variants[variant].width;
    return width > 0 ? s->row_bytes / s->shape[1] * width : s->row_bytes;
}

int64_t rt_stream_variant_bytes(const RtStream *s, int32_t variant)
{
    return s->variants[variant].rows * variant_row_bytes(s, variant);
}

void rt_stream_shape(const RtStream *s, int32_t variant, int64_t shape[RT_MAX_RANK])
{
    assert(variant >= 0 && variant < s->variant_count);
    const RtVariant *v = &s->variants[variant];
    memcpy(shape, s->shape, sizeof s->shape);
    shape[0] = v->rows;
    if (v->width > 0) shape[1] = v->width;
}

/* Passes. */

int64_t rt_stream_steps(const RtStream *s)
{
    if (s->carries) return s->places;
    return s->groups ? groups_batches(s->groups) : s->places / s->shape[0];
}

/* The short batch of a finite pass is that of the last variant, which training never has. */
static bool has_short(const RtStream *s)
{
    const RtVariant *last = &s->variants[s->variant_count - 1];
    return last->passes && !last->trains;
}

int64_t rt_stream_pass_batches(const RtStream *s)
{
    assert(s->variant_count > 0);
    if (s->carries || s->groups) return rt_stream_steps(s) + has_short(s);
    return (s->rows + s->shape[0] - 1) / s->shape[0];
}

/* Bits of each half so that two halves number at least `count` items. */
static int half_bits(uint64_t count)
{
    int bits = 1;
    while (bits < 31 && (uint64_t)1 << 2 * bits < count) bits++;
    return bits;
}

/* A balanced Feistel network over 2 * bits bits: (left, right) becomes (right, left ^ F(right)), whatever F is a
 * permutation (Luby, Rackoff, "How to construct pseudorandom permutations", SIAM J. Comput. 17(2), 1988). F is a word
 * of the counter-based generator at (round, right). */
static uint64_t feistel(uint64_t key, uint64_t epoch, uint64_t x, int bits)
{
    uint64_t mask = ((uint64_t)1 << bits) - 1, left = x >> bits, right = x & mask;
    for (uint64_t round = 0; round < FEISTEL_ROUNDS; round++) {
        uint64_t next = left ^ (rt_random_word(key, epoch, round << 32 | right) & mask);
        left = right;
        right = next;
    }
    return left << bits | right;
}

/* Walks the cycle of the larger permutation until it is back among the items: fewer than four steps on average, since
 * the halves number less than four times as many. */
int64_t rt_stream_permute(uint64_t key, uint64_t epoch, int64_t i, int64_t count)
{
    assert(i >= 0 && i < count && count <= (int64_t)1 << 62);
    int bits = half_bits((uint64_t)count);
    uint64_t x = (uint64_t)i;
    do x = feistel(key, epoch, x, bits);
    while (x >= (uint64_t)count);
    return (int64_t)x;
}

/* Batches. */

static RtOrder training_order(const RtStream *s, uint64_t seed, int64_t step)
{
    int64_t steps = rt_stream_steps(s);
    assert(steps > 0 && step >= 0);
    return (RtOrder){ s->shuffle, rt_random_key(seed, s->key), (uint64_t)(step / steps) };
}

/* Groups are numbered from the narrowest, variants from the widest; the short batch has a variant of its own. */
static int32_t variant_of(const RtStream *s, const RtOrder *order, int64_t index)
{
    int64_t full = s->groups ? groups_batches(s->groups) : s->carries ? s->places : s->rows / s->shape[0];
    if (index >= full) return s->variant_count - 1;
    return s->groups ? s->groups->count - 1 - groups_find(s->groups, order, index) : 0;
}

int32_t rt_stream_variant(const RtStream *s, uint64_t seed, int64_t step)
{
    if (!s->groups) return 0;
    RtOrder order = training_order(s, seed, step);
    return variant_of(s, &order, step % rt_stream_steps(s));
}

int32_t rt_stream_pass_variant(const RtStream *s, int64_t index)
{
    RtOrder order = { .shuffled = false };
    return variant_of(s, &order, index);
}

/* Where a row of a batch begins, of those that no plain order gives. */
static const char *row_at(const RtStream *s, const RtOrder *order, int64_t index, int64_t row)
{
    if (s->groups) return s->base + groups_row(s->groups, order, index, row) * s->row_stride;
    return s->base + row * s->row_stride + index * s->place_stride;
}

static void copy_rows(const RtStream *s, const RtOrder *order, int32_t variant, int64_t index, char *out)
{
    int64_t bytes = variant_row_bytes(s, variant);
    for (int64_t row = 0; row < s->variants[variant].rows; row++) {
        memcpy(out + row * bytes, row_at(s, order, index, row), (size_t)bytes);
    }
}

void rt_stream_batch(const RtStream *s, uint64_t seed, int64_t step, void *out)
{
    RtOrder order = training_order(s, seed, step);
    int64_t index = step % rt_stream_steps(s), first = index * s->shape[0];
    if (s->groups || s->carries) {
        copy_rows(s, &order, variant_of(s, &order, index), index, out);
        return;
    }
    for (int64_t row = 0; row < s->shape[0]; row++) {
        int64_t place = first + row;
        if (s->shuffle) place = rt_stream_permute(order.key, order.epoch, place, s->places);
        memcpy((char *)out + row * s->row_bytes, s->base + place * s->place_stride, (size_t)s->row_bytes);
    }
}

int64_t rt_stream_pass_batch(const RtStream *s, int64_t index, void *out)
{
    assert(index >= 0 && index < rt_stream_pass_batches(s));
    RtOrder order = { .shuffled = false };
    int32_t variant = variant_of(s, &order, index);
    int64_t rows = s->variants[variant].rows, first = index * s->shape[0];
    if (s->groups || s->carries) {
        copy_rows(s, &order, variant, index, out);
        return rows;
    }
    for (int64_t row = 0; row < rows; row++) {
        memcpy((char *)out + row * s->row_bytes, s->base + (first + row) * s->row_stride, (size_t)s->row_bytes);
    }
    return rows;
}
