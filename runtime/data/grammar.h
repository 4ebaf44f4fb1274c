/* Stochastic grammars: text as a sequence of independent choices with known probabilities, so that -log p of a text and
 * its mean are known exactly.
 *
 * A rule has numbered choices with weights, or letters, which are its choices with equal weights. A choice is a row of
 * symbols:
 *   'text'     these characters
 *   rule       a choice of this rule, drawn anew
 *   rule>k     the same, and its number is kept under the letter k
 *   rule<k     the choice with the number kept under k; nothing is drawn. Of the rule that was kept it says the same
 *              again, which is agreement; of another rule with as many choices it is what goes with it: a translation,
 *              a topic's words
 * What is kept holds until the end of the line (one derivation of the first rule). A letter is kept from one rule
 * only. */
#ifndef PTM_RUNTIME_GRAMMAR_H
#define PTM_RUNTIME_GRAMMAR_H

#include <stdint.h>

enum { GRAMMAR_CHOICES = 24 };

typedef struct Choice {
    double      weight;
    const char *symbols;
} Choice;

typedef struct Rule {
    const char *name;
    const char *letters;                 /* or NULL */
    Choice      choices[GRAMMAR_CHOICES];    /* up to the first with weight 0 */
} Rule;

/* A grammar read from such rules; the first is where a line begins. Rules are borrowed. */
typedef struct Grammar Grammar;
Grammar *grammar_new(const Rule *rules, int count);
void     grammar_free(Grammar *g);

/* A growing text. */
typedef struct Buffer {
    char   *bytes;
    int64_t size, room;
} Buffer;

/* Appends one line, drawn with (key, number); returns the sum of -log p over its choices. */
double grammar_line(const Grammar *g, uint64_t key, uint64_t number, Buffer *out);

/* Means over all derivations of a rule: nats of its choices, and bytes. */
typedef struct GrammarMean {
    double nats, bytes;
} GrammarMean;
GrammarMean grammar_mean(const Grammar *g, const char *rule);

#endif
