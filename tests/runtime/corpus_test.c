/* The built-in corpus: its entropy is what the code says, and only a model with a memory comes near it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/corpus.h"

/* An independent reading of running text: parses it and adds up -log p of every choice, as the grammar's description
 * says. */
typedef struct Parse {
    const char *at;
    double      nats;
} Parse;

static void one_of(Parse *p, const char *letters)
{
    assert_non_null(strchr(letters, *p->at));
    p->nats += log((double)strlen(letters));
    p->at++;
}

static void parse_stem(Parse *p)
{
    static const char consonants[] = "bcdfghjklmnpqrstvwxz", vowels[] = "aeiou";
    int with_consonant = strchr(consonants, *p->at) != NULL;
    p->nats -= log(with_consonant ? 0.7 : 0.3);
    if (with_consonant) one_of(p, consonants);
    one_of(p, vowels);
    one_of(p, consonants);
    one_of(p, consonants);
}

/* A word whose ending is drawn (agree_with 0) or must agree; returns the ending. */
static char parse_word(Parse *p, char agree_with)
{
    parse_stem(p);
    char ending = *p->at;
    if (agree_with) {
        assert_int_equal(ending, agree_with);
        p->at++;
    } else {
        one_of(p, "aeiou");
    }
    return ending;
}

static void parse_aside(Parse *p)
{
    char ending = parse_word(p, 0);
    while (*p->at == ' ') {
        p->nats -= log(0.6);
        p->at++;
        parse_word(p, ending);
    }
    p->nats -= log(0.4);
    assert_int_equal(*p->at++, ')');
}

static void parse_line(Parse *p)
{
    char ending = parse_word(p, 0);
    while (*p->at != '\n') {
        if (*p->at++ == ' ') {
            p->nats -= log(0.84);
            parse_word(p, ending);
            continue;
        }
        assert_int_equal(p->at[-1], '(');
        p->nats -= log(0.02);
        parse_aside(p);
        p->nats -= log(*p->at == ' ' ? 0.80 : 0.20);
        if (*p->at++ == '\n') return;
        parse_word(p, ending);
    }
    p->nats -= log(0.14);
    p->at++;
}

static void test_text_has_the_probability_it_claims(void **state)
{
    (void)state;
    CorpusText t = rt_corpus(CORPUS_text, "text", 200000);
    char *text = strndup(t.bytes, (size_t)t.size);
    Parse p = { text, 0 };
    while (*p.at) parse_line(&p);
    assert_int_equal(p.at - text, t.size);
    assert_float_equal(p.nats / t.nats, 1, 1e-9);
    free(text);
    free(t.bytes);
}

/* Running text from the rules: a line has 1 + E words, and so on; the closed form of the mean, by hand. */
static void test_entropy_follows_from_the_rules(void **state)
{
    (void)state;
    double stem = -0.7 * log(0.7) - 0.3 * log(0.3) + 0.7 * log(20) + log(5) + 2 * log(20), letters = 3.7,
        ending = log(5);
    /* more = 0.6 (word, more) + 0.4 (): 1.5 further words; it chooses 2.5 times */
    double more_choice = -0.6 * log(0.6) - 0.4 * log(0.4);
    double aside = 2.5 * stem + ending + 2.5 * more_choice, aside_bytes = 2.5 * (letters + 1) + 1.5 + 2;
    double rest_choice = -0.84 * log(0.84) - 0.02 * log(0.02) - 0.14 * log(0.14),
        after_choice = -0.8 * log(0.8) - 0.2 * log(0.2);
    /* rest is chosen R times in a line: R = 1 + (0.84 + 0.02 * 0.80) * R */
    double times = 1 / (1 - 0.84 - 0.02 * 0.80);
    double words = 1 + times * (0.84 + 0.016);
    double nats = words * stem + ending + times * (rest_choice + 0.02 * (aside + after_choice));
    double bytes = words * (letters + 1) + times * (0.84 + 0.016 + 0.02 * aside_bytes) + 1;
    assert_float_equal(rt_corpus_entropy(CORPUS_text), nats / bytes, 1e-12);
}

static void test_texts_tend_to_the_entropy(void **state)
{
    (void)state;
    for (CorpusKind kind = 0; kind < CORPUS_KIND_COUNT; kind++) {
        CorpusText t = rt_corpus(kind, "long", 1 << 20);
        /* some 30,000 independent lines whose nats per byte vary by about a tenth: 0.003 is five standard errors */
        assert_float_equal(t.nats / (double)t.size / rt_corpus_entropy(kind), 1, 0.003);
        assert_int_equal(t.bytes[t.size - 1], '\n');
        free(t.bytes);
    }
}

/* A count model over the last order-1 bytes with add-k smoothing, k chosen in its favour; cross entropy on the last
 * tenth. */
enum { LETTERS = 32 };

static int letter_index(char c, char *letters, int *count)
{
    char *found = memchr(letters, c, (size_t)*count);
    if (found) return (int)(found - letters);
    assert_in_range(*count, 0, LETTERS - 1);
    letters[*count] = c;
    return (*count)++;
}

static double cross_entropy(const int32_t *counts, const unsigned char *ids, int64_t from, int64_t to, int order,
                            int letters, double k)
{
    double sum = 0;
    for (int64_t i = from; i < to; i++) {
        size_t context = 0, total = 0;
        for (int j = order - 1; j > 0; j--) context = context * LETTERS + ids[i - j];
        for (int c = 0; c < letters; c++) total += (size_t)counts[context * LETTERS + (size_t)c];
        sum -= log((counts[context * LETTERS + ids[i]] + k) / ((double)total + k * letters));
    }
    return sum / (double)(to - from);
}

static double count_model(const CorpusText *t, int order)
{
    char letters[LETTERS];
    int letter_count = 0;
    size_t cells = 1;
    for (int i = 0; i < order; i++) cells *= LETTERS;
    unsigned char *ids = malloc((size_t)t->size);
    int32_t *counts = calloc(cells, sizeof *counts);
    for (int64_t i = 0; i < t->size; i++) ids[i] = (unsigned char)letter_index(t->bytes[i], letters, &letter_count);
    int64_t fit = t->size / 10 * 9;
    for (int64_t i = order - 1; i < fit; i++) {
        size_t cell = 0;
        for (int j = order - 1; j >= 0; j--) cell = cell * LETTERS + ids[i - j];
        counts[cell]++;
    }
    double best = INFINITY;
    static const double ks[] = { 0.01, 0.03, 0.1, 0.3, 1 };
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        best = fmin(best, cross_entropy(counts, ids, fit, t->size, order, letter_count, ks[i]));
    }
    free(counts);
    free(ids);
    return best;
}

static void test_short_memories_stay_above_the_entropy(void **state)
{
    (void)state;
    CorpusText t = rt_corpus(CORPUS_text, "text", rt_corpus_size(CORPUS_text));
    double entropy = rt_corpus_entropy(CORPUS_text), bigram = count_model(&t, 2), fourgram = count_model(&t, 4);
    print_message("entropy %.4f, bigram %.4f (%+.1f %%), 4-gram %.4f (%+.1f %%)\n", entropy, bigram,
                  100 * (bigram / entropy - 1), fourgram, 100 * (fourgram / entropy - 1));
    assert_true(bigram >= 1.40 * entropy);
    assert_true(fourgram >= 1.15 * entropy);
    free(t.bytes);
}

static void test_names_give_independent_draws(void **state)
{
    (void)state;
    for (CorpusKind kind = 0; kind < CORPUS_KIND_COUNT; kind++) {
        CorpusText a = rt_corpus(kind, "train", 5000), b = rt_corpus(kind, "train", 5000),
            c = rt_corpus(kind, "test", 5000);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.bytes, b.bytes, (size_t)a.size);
        assert_memory_not_equal(a.bytes, c.bytes, 5000);
        free(a.bytes);
        free(b.bytes);
        free(c.bytes);
    }
}

/* The best classifier counts the nouns of each topic. It is run over the text, and must do as well as is claimed, and
 * no better. */
static int topic_of(const char *word, size_t size)
{
    static const char *const topics[] = {
        " bread soup cheese apple kitchen oven onion honey pepper ladle ",
        " train road harbour ticket suitcase bridge map ferry tunnel compass ",
        " rain wind storm cloud thunder frost snow hail mist breeze ",
    };
    char padded[64];
    snprintf(padded, sizeof padded, " %.*s ", (int)size, word);
    for (int i = 0; i < 3; i++) {
        if (strstr(topics[i], padded)) return i;
    }
    return -1;
}

static void judge_line(const char *line, double *accuracy, double *loss)
{
    static const char *const names[] = { "food\t", "travel\t", "weather\t" };
    int counts[3] = { 0 }, label = 0, best = 0;
    while (strncmp(line, names[label], strlen(names[label])) != 0) label++;
    const char *at = strchr(line, '\t') + 1;
    while (*at) {
        size_t size = strcspn(at, " ");
        int topic = topic_of(at, size);
        if (topic >= 0) counts[topic]++;
        at += size + (at[size] == ' ');
    }
    double total = 0;
    for (int i = 0; i < 3; i++) {
        total += pow(3, counts[i]);
        if (counts[i] > counts[best]) best = i;
    }
    *loss -= log(pow(3, counts[label]) / total);
    *accuracy += best == label;
}

static void test_label_bounds_hold(void **state)
{
    (void)state;
    CorpusText t = rt_corpus(CORPUS_labelled, "train", 2000000);
    t.bytes[t.size - 1] = '\0';
    double accuracy = 0, loss = 0, lines = 0;
    for (char *rest = NULL, *line = strtok_r(t.bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++) {
        judge_line(line, &accuracy, &loss);
    }
    /* some 28,000 lines: the standard error of the accuracy is 0.0026, of the loss 0.004 */
    assert_float_equal(accuracy / lines, rt_corpus_label_accuracy(), 0.01);
    assert_float_equal(loss / lines, rt_corpus_label_entropy(), 0.016);
    free(t.bytes);
}

/* Of a target line only the choice between two words for one thing is open. */
static double synonym_nats(const char *target)
{
    static const struct { const char *word; double p; } synonyms[] = {
        { " domora ", 0.75 }, { " kasa ", 0.25 }, { " fluva ", 0.5 }, { " rigola ", 0.5 }, { " barko ", 2.0 / 3 },
        { " navo ", 1.0 / 3 },
    };
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++) {
        if (strstr(target, synonyms[i].word)) return -log(synonyms[i].p);
    }
    return 0;
}

static void test_target_entropy_is_that_of_the_synonyms(void **state)
{
    (void)state;
    CorpusText t = rt_corpus(CORPUS_pairs, "train", 1000000);
    t.bytes[t.size - 1] = '\0';
    double nats = 0, lines = 0;
    for (char *rest = NULL, *line = strtok_r(t.bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++) {
        char *tab = strchr(line, '\t');
        assert_non_null(tab);
        assert_null(strchr(tab + 1, '\t'));
        nats += synonym_nats(tab);
    }
    /* some 17,000 lines of 0 to 1.4 nats: the standard error is 0.003 */
    assert_float_equal(nats / lines, rt_corpus_target_entropy(), 0.012);
    free(t.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_has_the_probability_it_claims),
        cmocka_unit_test(test_entropy_follows_from_the_rules),
        cmocka_unit_test(test_texts_tend_to_the_entropy),
        cmocka_unit_test(test_short_memories_stay_above_the_entropy),
        cmocka_unit_test(test_names_give_independent_draws),
        cmocka_unit_test(test_label_bounds_hold),
        cmocka_unit_test(test_target_entropy_is_that_of_the_synonyms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
