/* Text from a trained model that is part of the program.
 *
 *   ptm train models/gpt.ptm --out run/
 *   ptm compile models/gpt.ptm --entry next --dim B=1,T=1 --embed-weights run/ -o gpt.o
 *   cc -O2 models/embed/generate.c gpt.o -I. -lm -o generate
 *   ./generate run/tok.tokenizer "the " 300
 *
 * The parameters lie in gpt.o, and all other memory is static: this program is its own server, with nothing to install
 * beside it. The tokenizer is a text file with the pieces of the vocabulary. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpt.h"

enum { PIECES = GPT_NEXT_NEXT_COUNT, MOST = 4096 };
#ifndef CONTEXT
#define CONTEXT 64                       /* const context of the model: what its states have room for */
#endif

static _Alignas(GPT_ALIGNMENT) unsigned char state[GPT_STATE_BYTES], work[GPT_WORK_BYTES];
static char piece[PIECES][64];

/* Behind a few lines of properties come, for each piece, its length and its bytes. */
static void read_pieces(const char *path)
{
    char line[64];
    int count = 0, size;
    FILE *file = fopen(path, "rb");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "pieces %d", &count) != 1) continue;
    for (int k = 0; k < count && k < PIECES; k++)
        if (fscanf(file, "%d", &size) != 1 || fgetc(file) != '\n' || size < 0 || size > 63 ||
            fread(piece[k], 1, (size_t)size, file) != (size_t)size)
            count = 0;
    if (count != PIECES) {
        fprintf(stderr, "%s: not the tokenizer of this model\n", path);
        exit(1);
    }
    fclose(file);
}

/* The longest piece that `text` begins with, or -1. */
static int find_piece(const char *text)
{
    int best = -1;
    for (int k = 0; k < PIECES; k++)
        if (*piece[k] && !strncmp(text, piece[k], strlen(piece[k])) &&
            (best < 0 || strlen(piece[k]) > strlen(piece[best])))
            best = k;
    return best;
}

static void check(int code)
{
    if (code == GPT_OK) return;
    fprintf(stderr, "%s\n", gpt_error(code));
    exit(1);
}

/* What comes behind `id`, given all that was read since the states began. */
static void read_one(int32_t id, float *logits)
{
    check(gpt_next(GPT_ABI, state, work, &id, logits, NULL));
}

/* Reads all tokens. When the states are full, they begin anew with the newest half of what they knew. */
static void read_all(const int32_t *tokens, int count, int *known, float *logits)
{
    if (*known == CONTEXT || *known == 0) {
        check(gpt_begin(GPT_ABI, state));
        *known = count < CONTEXT / 2 ? count : CONTEXT / 2;
        for (int k = count - *known; k < count; k++) read_one(tokens[k], logits);
    } else {
        read_one(tokens[count - 1], logits);
        ++*known;
    }
}

/* Draws from softmax(logits / 0.8). */
static int32_t draw(const float *logits)
{
    static unsigned random = 1;
    double weight[PIECES], sum = 0;
    for (int k = 0; k < PIECES; k++) sum += weight[k] = exp(logits[k] / 0.8);
    random = random * 1664525u + 1013904223u;
    double at = (random >> 8) * 0x1p-24 * sum;
    for (int k = 0; k < PIECES; k++)
        if ((at -= weight[k]) < 0) return k;
    return PIECES - 1;
}

int main(int argc, char **argv)
{
    static int32_t tokens[MOST];
    float logits[PIECES];
    int count = 0, known = 0;
    if (argc != 4) return fprintf(stderr, "usage: generate TOKENIZER PROMPT LENGTH\n"), 2;
    read_pieces(argv[1]);
    for (const char *at = argv[2]; *at && count < MOST; at += strlen(piece[tokens[count - 1]]))
        if ((tokens[count++] = find_piece(at)) < 0) return fprintf(stderr, "no piece for \"%s\"\n", at), 1;
    fputs(argv[2], stdout);
    for (int left = atoi(argv[3]); left > 0 && count > 0 && count < MOST; left--) {
        read_all(tokens, count, &known, logits);
        tokens[count++] = draw(logits);
        fputs(piece[tokens[count - 1]], stdout);
    }
    putchar('\n');
    return 0;
}
