/* What a trained model says comes after some tokens, in one of two ways: by `logits` over a window of the last
 * `context` tokens, or by `next`, whose states know what it has read, so that every token is read once. States that
 * hold `context` tokens and no more are begun again, when they are full, with the last half of that. Several tokens
 * are read in runs of 512, 64, 8 and 1, so that few programs serve prompts of any length.
 *
 * Rows of tokens go on together where that changes no bit of any: with `next` and products of our own, whose sums
 * depend neither on how many rows there are nor on how many tokens a run reads, as long as none is made in parts. Then
 * runs read 8 tokens at most, of several rows one each. */
#ifndef PTM_CLI_PREDICT_H
#define PTM_CLI_PREDICT_H

#include "frontend/cli/run.h"
#include "runtime/text/tokenizer.h"

enum { PREDICT_FACTOR = 8, PREDICT_LONGEST = 512, PREDICT_LENGTHS = 4, PREDICT_ROWS = 8 };

typedef struct Predictor {
    Run         *run;
    const char  *entry;                  /* "logits" or "next" */
    bool         carries;                /* next: its states carry what was read */
    int64_t      rows;                   /* that go on together */
    int64_t      longest;                /* tokens that a run reads at most */
    Job          job;                    /* a graph for each of `lengths`; owned */
    int64_t      lengths[PREDICT_LENGTHS];   /* how many tokens a run reads */
    int          length_count;
    int64_t      context, vocabulary;    /* context: 0 when any number of tokens can be read */
    int64_t      read, held;             /* next: tokens that were read, and of those what its states hold */
    char        *block[BLOCK_COUNT];     /* work and states are owned */
    int64_t      work_bytes;
} Predictor;

/* Compiles the entry for prompts of so many tokens and `more` behind each, for at most `rows` rows at a time, and fills
 * the run's memory. False after saying what the model lacks. */
bool predict_open(Run *run, const RtTokenizer *tokenizer, const int64_t *prompts, int64_t count, int64_t more,
                  int64_t rows, Predictor *out);

/* Forgets what was read. */
void predict_begin(Predictor *p);

/* For each of `rows` rows the logits, `vocabulary` of them, of the token behind tokens[row][0 .. count): first as many
 * as all begin with, at most `context`, then one more with every call. NULL after printing an error. */
const float *predict_next(Predictor *p, int32_t *const *tokens, int64_t count);

void predict_close(Predictor *p);

#endif
