/* Tokenizers: texts to ids and back. A tokenizer is a rule that cuts a text into pieces and a vocabulary that numbers
 * the pieces from 0. It is made once, by rt_tokenizer_chars/bytes/words/labels or rt_tokenizer_load, and does not
 * change afterwards. */
#ifndef PTM_RUNTIME_TOKENIZER_H
#define PTM_RUNTIME_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RtText {
    const char *bytes;                   /* not zero-terminated; may hold any byte */
    int64_t     size;
} RtText;

/* What went wrong, for the user. The caller adds where. */
typedef struct RtError {
    char text[600];
} RtError;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool rt_fail(RtError *e, const char *format, ...);           /* writes the message, cut to the room there is; returns
                                                                false */

typedef struct RtTokenizer RtTokenizer;

/* RULE(name, how a text becomes pieces) */
#define TOKENIZER_RULES(RULE)                                                                                          \
    RULE(chars, "one piece for each Unicode code point of UTF-8 text; any other is an error")                          \
    RULE(bytes, "one piece for each byte")                                                                             \
    RULE(words, "what stands between ASCII white space; words outside the vocabulary become `unknown` or are left out")\
    RULE(labels, "the whole text is one piece; any other is an error")

#define RULE(name, help) TOKENIZER_##name,
typedef enum TokenizerRule { TOKENIZER_RULES(RULE) TOKENIZER_RULE_COUNT } TokenizerRule;
#undef RULE

typedef struct WordOptions {
    int64_t at_most;                     /* size of the vocabulary, marks and unknown word included; 0: no limit */
    int64_t min_count;                   /* words seen less often are outside */
    const RtText *unknown;               /* the word that stands for those outside; NULL: they are left out */
    const RtText *marks;                 /* words that always are in the vocabulary, first of all */
    int     mark_count;
    bool    lower;                       /* ASCII capitals are made small before anything else */
} WordOptions;

/* From texts to tokenizers; NULL after an error. Ids:
 * chars: by code point. bytes: the byte. words: marks, the unknown word, then words by falling count (ties: whichever
 * occurs first).
 * labels: distinct texts in byte order. */
RtTokenizer *rt_tokenizer_chars(const RtText *texts, int64_t count, RtError *e);
RtTokenizer *rt_tokenizer_alphabet(const RtText *texts, int64_t count, RtError *e);  /* chars, as they first occur */
RtTokenizer *rt_tokenizer_bytes(void);
RtTokenizer *rt_tokenizer_words(const RtText *texts, int64_t count, const WordOptions *options, RtError *e);
RtTokenizer *rt_tokenizer_labels(const RtText *texts, int64_t count, RtError *e);
void         rt_tokenizer_free(RtTokenizer *t);

TokenizerRule rt_tokenizer_rule(const RtTokenizer *t);
const char   *rt_tokenizer_rule_name(TokenizerRule rule);
int32_t       rt_tokenizer_size(const RtTokenizer *t);
RtText        rt_tokenizer_piece(const RtTokenizer *t, int32_t id);          /* id in 0 .. size-1 */
int32_t       rt_tokenizer_find(const RtTokenizer *t, RtText piece);         /* id of exactly this piece, or -1 */
/* The piece most like it, or -1: for suggestions. */
int32_t       rt_tokenizer_nearest(const RtTokenizer *t, RtText piece);

/* A growing list of ids. Begins as zeros; rt_ids_free releases it. */
typedef struct RtIds {
    int32_t *ids;
    int64_t  count, room;
} RtIds;
void rt_ids_free(RtIds *ids);

/* Appends the ids of a text. False after an error: a piece outside the vocabulary or bytes that are not UTF-8, with the
 * offset. */
bool rt_tokenizer_encode(const RtTokenizer *t, RtText text, RtIds *out, RtError *e);

/* The text of ids, as a zero-terminated string that the caller frees; *size without the zero. Words are joined by a
 * space, labels by a newline. Ids outside the vocabulary (-1 is padding) give nothing. */
char *rt_tokenizer_decode(const RtTokenizer *t, const int32_t *ids, int64_t count, int64_t *size);

/* What a checkpoint keeps. The bytes are freed by the caller; equal tokenizers give equal bytes. Loading checks
 * everything: the bytes may come from anywhere. */
char        *rt_tokenizer_save(const RtTokenizer *t, size_t *size);
RtTokenizer *rt_tokenizer_load(const char *bytes, size_t size, RtError *e);

#endif
