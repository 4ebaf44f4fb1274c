/* Painted memory: reads of what was never written show. */
#ifndef PTM_TESTS_PAINT_H
#define PTM_TESTS_PAINT_H

#include <stdint.h>
#include <string.h>

/* Fills memory with a word that is NaN as f32 and f64 and outside every table as i32. */
static inline void paint(char *memory, int64_t bytes)
{
    static const uint32_t word = 0x7FF5A5A5u;
    int64_t whole = bytes / (int64_t)sizeof word;
    for (int64_t i = 0; i < whole; i++) memcpy(memory + i * (int64_t)sizeof word, &word, sizeof word);
    memset(memory + whole * (int64_t)sizeof word, 0xA5, (size_t)(bytes % (int64_t)sizeof word));
}

#endif
