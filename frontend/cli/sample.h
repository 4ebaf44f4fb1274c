/* Choosing a token from logits. In this order: the repetition penalty changes the logits of tokens that were there
 * before (Keskar et al. 2019, section 4.1: positive ones divided by it, others times it), the temperature divides them
 * all, top-k keeps the likeliest k, and top-p of these the fewest likeliest that have together at least that share
 * (Holtzman et al. 2020, section 3.1). Equal logits: the lower id is the likelier one. */
#ifndef PTM_CLI_SAMPLE_H
#define PTM_CLI_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/base/arena.h"

typedef struct Sampler {
    double   temperature;                /* 0: always the likeliest */
    double   top_p;                      /* 1: all */
    double   penalty;                    /* 1: none */
    int64_t  top_k;                      /* 0: all */
    uint64_t seed;
    int64_t  vocabulary;
    float   *logits, *weights;           /* a copy; of candidates */
    int32_t *candidates;
} Sampler;

/* Takes the settings from `s` and room for a vocabulary from the arena. */
void sampler_open(Sampler *s, int64_t vocabulary, Arena *arena);

/* The token at `position` (from 0) of sample `sample`, behind tokens[0 .. count). A draw is a function of the seed,
 * sample, position and logits. -1: the logits are not all numbers, or none is finite. */
int32_t sampler_choose(Sampler *s, const float *logits, const int32_t *tokens, int64_t count, int64_t sample,
                       int64_t position);

#endif
