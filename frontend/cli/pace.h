/* How long tokens took. */
#ifndef PTM_CLI_PACE_H
#define PTM_CLI_PACE_H

#include "frontend/cli/predict.h"

typedef struct Pace {
    Arena       *arena;
    double       begun;                  /* seconds, of some clock */
    double       reading;                /* seconds spent with prompts */
    int64_t      read;                   /* tokens of prompts */
    Vec(double)  seconds;                /* of every token behind the first of a text */
    Vec(int)     places;                 /* how many were generated before it */
} Pace;

void pace_start(Pace *p);
/* The time since pace_start went by for the first token of a text, behind a prompt of `prompt` tokens, or for the one
 * at `place`. */
void pace_prompt(Pace *p, int64_t prompt);
void pace_token(Pace *p, int64_t place);
/* To standard error: what was read and made, medians, and the bytes that a token moves in the predictor. */
void pace_report(const Pace *p, const Predictor *predictor);

#endif
