/* Streams: where the rows of a batch lie, and the permutation that shuffles them. */
#include "runtime/data/stream.h"

#include <assert.h>
#include <string.h>

#include "runtime/core/random.h"

enum { FEISTEL_ROUNDS = 6 };

int64_t rt_stream_bytes(const RtStream *s)
{
    return s->shape[0] * s->row_bytes;
}

int64_t rt_stream_steps(const RtStream *s)
{
    return s->places / s->shape[0];
}

int64_t rt_stream_pass_batches(const RtStream *s)
{
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

void rt_stream_batch(const RtStream *s, uint64_t seed, int64_t step, void *out)
{
    int64_t steps = rt_stream_steps(s);
    assert(steps > 0 && step >= 0);
    int64_t first = step % steps * s->shape[0];
    uint64_t epoch = (uint64_t)(step / steps), key = rt_random_key(seed, s->key);
    for (int64_t row = 0; row < s->shape[0]; row++) {
        int64_t place = first + row;
        if (s->shuffle) place = rt_stream_permute(key, epoch, place, s->places);
        memcpy((char *)out + row * s->row_bytes, s->base + place * s->place_stride, (size_t)s->row_bytes);
    }
}

int64_t rt_stream_pass_batch(const RtStream *s, int64_t index, void *out)
{
    assert(index >= 0 && index < rt_stream_pass_batches(s));
    int64_t first = index * s->shape[0];
    int64_t rows = s->rows - first < s->shape[0] ? s->rows - first : s->shape[0];
    for (int64_t row = 0; row < rows; row++) {
        memcpy((char *)out + row * s->row_bytes, s->base + (first + row) * s->row_stride, (size_t)s->row_bytes);
    }
    return rows;
}
