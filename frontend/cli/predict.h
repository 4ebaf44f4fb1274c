/* What a trained model says comes after some tokens, in one of two ways: by `logits` over a window of the last
 * `context` tokens, or by `next`, whose states know what it has read, so that every token is read once. */
#ifndef PTM_CLI_PREDICT_H
#define PTM_CLI_PREDICT_H

#include "frontend/cli/run.h"
#include "runtime/text/tokenizer.h"

typedef struct Predictor {
    Run         *run;
    const char  *entry;                  /* "logits" or "next" */
    Job          job;                    /* logits: one graph; next: for the prompt, then for one token. Owned */
    int64_t      context, vocabulary;    /* context: of logits */
    int64_t      read;                   /* next: tokens that its states know */
    char        *block[BLOCK_COUNT];     /* work and states are owned */
    int64_t      work_bytes;
} Predictor;

/* Compiles the entry for prompts of `prompt` tokens and fills the run's memory. False after saying what the model
 * lacks. */
bool predict_open(Run *run, const RtTokenizer *tokenizer, int64_t prompt, Predictor *out);

/* The logits, `vocabulary` of them, of the token behind tokens[0 .. count): first the prompt, then one token more with
 * every call. NULL after printing an error. */
const float *predict_next(Predictor *p, const int32_t *tokens, int64_t count);

void predict_close(Predictor *p);

#endif
