/* The built-in corpus: the three grammars and what can be known about them. */
#include "runtime/data/corpus.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/core/random.h"
#include "runtime/data/grammar.h"

/* Running text, in an invented language. Its letters are free, so that most of the entropy can not be learnt away and
 * what is left to learn needs a memory of more than three letters: where in its word a letter stands (a word is long,
 * and begins with a vowel or not), the ending, in which all words of a line agree, and the agreement of an aside in
 * brackets, which has an ending of its own and gives way to that of the line when it closes.
 *
 * Unambiguous: the next character decides every choice. ' ', '(' and a newline after a word; ' ' or a newline after an
 * aside; ' ' or ')' in it; a consonant or a vowel where a stem begins; and letters are themselves. Agreement is no
 * choice. */
static const Rule text_rules[] = {
    { .name = "line", .choices = { { 1, "stem vowel>k rest" } } },
    { .name = "rest", .choices = { { 0.84, "' ' stem vowel<k rest" }, { 0.02, "'(' aside ')' after" },
                                   { 0.14, "'\n'" } } },
    { .name = "after", .choices = { { 0.80, "' ' stem vowel<k rest" }, { 0.20, "'\n'" } } },
    { .name = "aside", .choices = { { 1, "stem vowel>i more" } } },
    { .name = "more", .choices = { { 0.6, "' ' stem vowel<i more" }, { 0.4, "" } } },
    { .name = "stem", .choices =
      { { 0.7, "consonant vowel consonant consonant" }, { 0.3, "vowel consonant consonant" } } },
    { .name = "consonant", .letters = "bcdfghjklmnpqrstvwxz" },
    { .name = "vowel", .letters = "aeiou" },
};

/* Labelled lines: a topic, then sentences about it. A noun is of the line's topic with probability OWN and of each
 * other topic with probability OTHER; nothing else in a line depends on its label. */
#define OWN 0.6
#define OTHER 0.2
enum { TOPICS = 3, LEAST_NOUNS = 3, MOST_NOUNS = 6 };

static const Rule label_rules[] = {
    { .name = "line", .choices = { { 1, "topic>t '\t' body '\n'" } } },
    { .name = "topic", .choices = { { 1, "'food'" }, { 1, "'travel'" }, { 1, "'weather'" } } },
    { .name = "body", .choices = { { 1, "pair ' ' verb ' ' one" },
                                   { 1, "pair ' ' verb ' ' pair" },
                                   { 1, "pair ' ' place ' ' one ' ' verb ' ' pair" },
                                   { 1, "pair ' ' verb ' ' pair ' and ' verb ' ' pair" } } },
    { .name = "pair", .choices = { { 1, "one ' ' joint ' ' one" } } },
    { .name = "one", .choices = { { 2, "'the ' noun<t" }, { 1, "'the ' adjective ' ' noun<t" } } },
    { .name = "noun", .choices = { { 1, "of_food" }, { 1, "of_travel" }, { 1, "of_weather" } } },
    { .name = "of_food", .choices = { { OWN, "food" }, { OTHER, "travel" }, { OTHER, "weather" } } },
    { .name = "of_travel", .choices = { { OTHER, "food" }, { OWN, "travel" }, { OTHER, "weather" } } },
    { .name = "of_weather", .choices = { { OTHER, "food" }, { OTHER, "travel" }, { OWN, "weather" } } },
    { .name = "food", .choices = { { 4, "'bread'" }, { 4, "'soup'" }, { 3, "'cheese'" }, { 3, "'apple'" },
                                   { 2, "'kitchen'" }, { 2, "'oven'" }, { 2, "'onion'" }, { 1, "'honey'" },
                                   { 1, "'pepper'" }, { 1, "'ladle'" } } },
    { .name = "travel", .choices = { { 4, "'train'" }, { 4, "'road'" }, { 3, "'harbour'" }, { 3, "'ticket'" },
                                     { 2, "'suitcase'" }, { 2, "'bridge'" }, { 2, "'map'" }, { 1, "'ferry'" },
                                     { 1, "'tunnel'" }, { 1, "'compass'" } } },
    { .name = "weather", .choices = { { 4, "'rain'" }, { 4, "'wind'" }, { 3, "'storm'" }, { 3, "'cloud'" },
                                      { 2, "'thunder'" }, { 2, "'frost'" }, { 2, "'snow'" }, { 1, "'hail'" },
                                      { 1, "'mist'" }, { 1, "'breeze'" } } },
    { .name = "adjective", .choices = { { 3, "'old'" }, { 3, "'small'" }, { 2, "'strange'" }, { 2, "'early'" },
                                        { 1, "'last'" } } },
    { .name = "joint", .choices = { { 2, "'and'" }, { 1, "'with'" } } },
    { .name = "place", .choices = { { 1, "'near'" }, { 1, "'before'" }, { 1, "'behind'" } } },
    { .name = "verb", .choices = { { 2, "'is not like'" }, { 2, "'comes after'" }, { 1, "'reminds us of'" },
                                   { 1, "'hides'" } } },
};

/* Sentence pairs: English and an invented language that puts the verb last and the adjective after its noun, whose
 * articles agree with the noun's gender, which has no article in the plural, and which has two words for some
 * things. */
static const Rule pair_rules[] = {
    { .name = "line", .choices = { { 1, "form>f '\t' meaning<f '\n'" } } },
    { .name = "form", .choices = { { 3, "'the ' animal>a ' ' sees>v ' the ' thing>t" },
                                   { 3, "'the ' adjective>j ' ' animal>a ' ' sees>v ' the ' thing>t" },
                                   { 2, "'the ' animal>a ' ' sees>v ' the ' adjective>j ' ' thing>t" },
                                   { 2, "'the ' animal>a 's ' see>w ' the ' thing>t" },
                                   { 1, "'does the ' animal>a ' ' see>w ' the ' thing>t ' ?'" } } },
    { .name = "meaning", .choices = { { 1, "article<a animal_word<a ' ' thing_article<t thing_word<t ' ' sees_word<v" },
                                      { 1, "article<a animal_word<a ' ' adjective_word<j ' ' thing_article<t "
                                           "thing_word<t ' ' sees_word<v" },
                                      { 1, "article<a animal_word<a ' ' thing_article<t thing_word<t ' ' "
                                           "adjective_word<j ' ' sees_word<v" },
                                      { 1, "animal_word<a 'ri ' thing_article<t thing_word<t ' ' see_word<w 'n'" },
                                      { 1, "'ka ' article<a animal_word<a ' ' thing_article<t thing_word<t ' ' "
                                           "see_word<w ' ?'" } } },
    { .name = "animal", .choices = { { 3, "'dog'" }, { 3, "'cat'" }, { 2, "'horse'" }, { 2, "'owl'" }, { 1, "'hare'" },
                                     { 1, "'crow'" } } },
    { .name = "article", .choices = { { 1, "'do '" }, { 1, "'da '" }, { 1, "'do '" }, { 1, "'da '" }, { 1, "'do '" },
                                      { 1, "'da '" } } },
    { .name = "animal_word", .choices = { { 1, "'palto'" }, { 1, "'mirna'" }, { 1, "'korvo'" }, { 1, "'huela'" },
                                          { 1, "'levro'" }, { 1, "'graka'" } } },
    { .name = "thing", .choices = { { 3, "'house'" }, { 3, "'tree'" }, { 2, "'river'" }, { 2, "'bridge'" },
                                    { 1, "'lamp'" }, { 1, "'boat'" } } },
    { .name = "thing_article", .choices = { { 1, "'da '" }, { 1, "'do '" }, { 1, "'da '" }, { 1, "'do '" },
                                            { 1, "'da '" }, { 1, "'do '" } } },
    { .name = "thing_word", .choices = { { 1, "house_word" }, { 1, "'arbo'" }, { 1, "river_word" }, { 1, "'pondo'" },
                                         { 1, "'luma'" }, { 1, "boat_word" } } },
    { .name = "house_word", .choices = { { 3, "'domora'" }, { 1, "'kasa'" } } },
    { .name = "river_word", .choices = { { 1, "'fluva'" }, { 1, "'rigola'" } } },
    { .name = "boat_word", .choices = { { 2, "'barko'" }, { 1, "'navo'" } } },
    { .name = "adjective", .choices = { { 2, "'old'" }, { 2, "'white'" }, { 1, "'quiet'" }, { 1, "'small'" } } },
    { .name = "adjective_word", .choices = { { 1, "'velka'" }, { 1, "'bela'" }, { 1, "'tista'" }, { 1, "'minu'" } } },
    { .name = "sees", .choices = { { 3, "'sees'" }, { 2, "'finds'" }, { 2, "'likes'" }, { 1, "'leaves'" } } },
    { .name = "sees_word", .choices = { { 1, "'vidas'" }, { 1, "'trovas'" }, { 1, "'amas'" }, { 1, "'lasas'" } } },
    { .name = "see", .choices = { { 3, "'see'" }, { 2, "'find'" }, { 2, "'like'" }, { 1, "'leave'" } } },
    { .name = "see_word", .choices = { { 1, "'vida'" }, { 1, "'trova'" }, { 1, "'ama'" }, { 1, "'lasa'" } } },
};

typedef struct Source {
    const char *name;
    const Rule *rules;
    int         count;
    int64_t     size;                    /* of the text that stands in for a missing file */
} Source;

#define SOURCE(name, rules, size) { name, rules, sizeof rules / sizeof *rules, size }
static const Source sources[] = {
    [CORPUS_text] = SOURCE("text", text_rules, 1 << 20),
    [CORPUS_labelled] = SOURCE("labelled", label_rules, 400000),
    [CORPUS_pairs] = SOURCE("pairs", pair_rules, 600000),
};

int64_t rt_corpus_size(CorpusKind kind)
{
    return sources[kind].size;
}

CorpusText rt_corpus(CorpusKind kind, const char *name, int64_t size)
{
    Grammar *g = grammar_new(sources[kind].rules, sources[kind].count);
    uint64_t key = rt_random_key(rt_random_hash(sources[kind].name), rt_random_hash(name));
    Buffer out = { 0 };
    double nats = 0;
    for (uint64_t line = 0; out.size < size || line == 0; line++) nats += grammar_line(g, key, line, &out);
    grammar_free(g);
    return (CorpusText){ out.bytes, out.size, nats };
}

static GrammarMean mean_of(CorpusKind kind, const char *rule)
{
    Grammar *g = grammar_new(sources[kind].rules, sources[kind].count);
    GrammarMean mean = grammar_mean(g, rule);
    grammar_free(g);
    return mean;
}

/* Lines are independent, so the nats of a long text over its bytes tend to the ratio of the means. */
double rt_corpus_entropy(CorpusKind kind)
{
    GrammarMean line = mean_of(kind, "line");
    return line.nats / line.bytes;
}

const char *rt_corpus_unit(CorpusKind kind)
{
    return kind == CORPUS_text ? "character" : kind == CORPUS_pairs ? "target line" : "label";
}

/* What the source side leaves open about the target side of a pair is what is drawn after it. */
double rt_corpus_target_entropy(void)
{
    return mean_of(CORPUS_pairs, "line").nats - mean_of(CORPUS_pairs, "form").nats;
}

/* Labels. Let a line have n nouns, k[i] of them of topic i. Given topic i its probability is a factor that no label
 * changes times OWN^k[i] * OTHER^(n - k[i]), so the counts are all that a classifier can use, and label i has the
 * posterior (OWN / OTHER)^k[i] / sum over j of (OWN / OTHER)^k[j]. Below, counts are enumerated with their probability
 * given label 0; by symmetry every label contributes the same. */

static double factorial(int n)
{
    return n < 2 ? 1 : n * factorial(n - 1);
}

typedef struct LabelBounds {
    double entropy, accuracy;
} LabelBounds;

static void add_counts(LabelBounds *sum, const int *k, int n, double weight)
{
    double odds[TOPICS], total = 0, best = 0;
    for (int i = 0; i < TOPICS; i++) {
        odds[i] = pow(OWN / OTHER, k[i]);
        total += odds[i];
        if (odds[i] > best) best = odds[i];
    }
    double p = factorial(n) * pow(OWN, k[0]) * pow(OTHER, n - k[0]);
    int ties = 0;
    for (int i = 0; i < TOPICS; i++) {
        p /= factorial(k[i]);
        ties += odds[i] == best;
    }
    sum->entropy -= weight * p * log(odds[0] / total);
    sum->accuracy += odds[0] == best ? weight * p / ties : 0;
}

static LabelBounds label_bounds(void)
{
    LabelBounds sum = { 0, 0 };
    for (int n = LEAST_NOUNS; n <= MOST_NOUNS; n++) {
        for (int a = 0; a <= n; a++) {
            for (int b = 0; a + b <= n; b++) {
                add_counts(&sum, (int[TOPICS]){ a, b, n - a - b }, n, 1.0 / (MOST_NOUNS - LEAST_NOUNS + 1));
            }
        }
    }
    return sum;
}

double rt_corpus_label_entropy(void)
{
    return label_bounds().entropy;
}

double rt_corpus_label_accuracy(void)
{
    return label_bounds().accuracy;
}
