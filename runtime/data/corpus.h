/* The built-in corpus: three sources of text, generated from small stochastic grammars, so that every model runs
 * without a file and a loss can be compared with the best possible. The grammars are tables in corpus.c.
 *
 * Entropy. A text of a source is a sequence of independent draws from its grammar, and the grammar is unambiguous: a
 * text has one derivation. So the probability of a text is the product of the probabilities of the choices made, and no
 * model can predict it with fewer nats on average than the sum of their -log p. Lines are independent: nats per byte
 * tend to the mean nats of a line over its mean bytes. A model that begins in the middle of a line knows less: with 64
 * characters of context at a time, the best possible mean loss on running text is about 1.7 % higher. */
#ifndef PTM_RUNTIME_CORPUS_H
#define PTM_RUNTIME_CORPUS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum CorpusKind {
    CORPUS_text,                         /* running text, one sentence a line */
    CORPUS_labelled,                     /* lines "label<TAB>words" */
    CORPUS_pairs,                        /* lines "source<TAB>target" */
    CORPUS_KIND_COUNT
} CorpusKind;

typedef struct CorpusText {
    char   *bytes;                       /* freed by the caller */
    int64_t size;
    double  nats;                        /* sum of -log p over the choices that made these bytes */
} CorpusText;

/* At least `size` bytes, up to the end of a line. Equal names give equal bytes; different names give independent
 * draws. */
CorpusText rt_corpus(CorpusKind kind, const char *name, int64_t size);

/* Exact, from the grammar: nats per byte in the long run. All bytes are ASCII, so this is per character too. */
double rt_corpus_entropy(CorpusKind kind);

/* Labelled lines: the least mean loss that any classifier can have, H(label | words) in nats, and the most accuracy. */
double rt_corpus_label_entropy(void);
double rt_corpus_label_accuracy(void);

/* Sentence pairs: nats of a target line when its source is known. */
double rt_corpus_target_entropy(void);

/* What the least loss of each kind is counted over: "character", "label", "target line". */
const char *rt_corpus_unit(CorpusKind kind);

/* How long the text is that stands in for a missing file. */
int64_t rt_corpus_size(CorpusKind kind);

#endif
