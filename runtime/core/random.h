/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011, section 3.2). A draw is a pure function of (key, step, index), so neither threads nor
 * the order of work can change it. The generated kernels compute the same function on 16 lanes. */
#ifndef PTM_RUNTIME_RANDOM_H
#define PTM_RUNTIME_RANDOM_H

#include <stdint.h>

/* First word of the block at counter (index, step) under key. */
static inline uint32_t rt_random_word(uint64_t key, uint64_t step, uint64_t index)
{
    uint32_t x0 = (uint32_t)index, x1 = (uint32_t)(index >> 32);
    uint32_t x2 = (uint32_t)step, x3 = (uint32_t)(step >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)x0 * 0xD2511F53u, p1 = (uint64_t)x2 * 0xCD9E8D57u;
        uint32_t y0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0, y2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
        x1 = (uint32_t)p1;
        x3 = (uint32_t)p0;
        x0 = y0;
        x2 = y2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return x0;
}

/* The words of indices first, first + 1, …, as rt_random_word gives them one by one, on lanes that a compiler can turn
 * into vectors. */
enum { RT_RANDOM_LANES = 8 };
static inline void rt_random_words(uint64_t key, uint64_t step, uint64_t first, uint32_t words[RT_RANDOM_LANES])
{
    uint32_t x0[RT_RANDOM_LANES], x1[RT_RANDOM_LANES], x2[RT_RANDOM_LANES], x3[RT_RANDOM_LANES];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (uint64_t i = 0; i < RT_RANDOM_LANES; i++) {
        x0[i] = (uint32_t)(first + i), x1[i] = (uint32_t)((first + i) >> 32);
        x2[i] = (uint32_t)step, x3[i] = (uint32_t)(step >> 32);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < RT_RANDOM_LANES; i++) {
            uint64_t p0 = (uint64_t)x0[i] * 0xD2511F53u, p1 = (uint64_t)x2[i] * 0xCD9E8D57u;
            x0[i] = (uint32_t)(p1 >> 32) ^ x1[i] ^ k0;
            x2[i] = (uint32_t)(p0 >> 32) ^ x3[i] ^ k1;
            x1[i] = (uint32_t)p1;
            x3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < RT_RANDOM_LANES; i++) words[i] = x0[i];
}

/* A number in [0, 1): the top 24 bits of a word, exact in f32. */
static inline float rt_random_unit(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

/* Mixes two keys into one (the finalizer of SplitMix64 on their combination): seed with the hash of a label path. */
static inline uint64_t rt_random_key(uint64_t a, uint64_t b)
{
    uint64_t z = a + 0x9E3779B97F4A7C15u * (b + 1);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* FNV-1a over a zero-terminated text: label paths and source places as keys. */
static inline uint64_t rt_random_hash(const char *text)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 0x100000001B3u;
    return h;
}

#endif
