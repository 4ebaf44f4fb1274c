/* Stochastic grammars: reading their tables, drawing from them, and their means. */
#include "runtime/data/grammar.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/random.h"
#include "runtime/text/vocabulary.h"

typedef struct Symbol {
    enum { SYMBOL_text, SYMBOL_draw, SYMBOL_keep, SYMBOL_again } kind;
    int         rule;
    int         letter;                  /* kept under: 0 for a, 25 for z */
    const char *text;
    int         size;
} Symbol;

typedef struct Branch {
    double  probability, nats;           /* nats = -log probability */
    Symbol *symbols;
    int     count;
} Branch;

typedef struct Production {
    Branch  *branches;
    int      count;
    uint32_t least[GRAMMAR_CHOICES];     /* the least random word that draws each branch; the first is 0 */
    uint8_t  guess[256];                 /* by the high byte of a word: the branch that the least such word draws */
} Production;

struct Grammar {
    const Rule *rules;
    Production *productions;             /* one for each rule */
    int         count;
    int         kept_from[26];           /* rule whose choices a letter keeps; -1: none */
};

/* Reading. Tables are ours, so a wrong one is a bug. */

static void *new_zeros(int64_t count, size_t size)
{
    int64_t room = 0;
    void *block = rt_grow(NULL, &room, count, (int64_t)size);
    return memset(block, 0, (size_t)count * size);
}

static int rule_index(const Grammar *g, const char *name, size_t size)
{
    for (int i = 0; i < g->count; i++) {
        if (strlen(g->rules[i].name) == size && memcmp(g->rules[i].name, name, size) == 0) return i;
    }
    assert(!"every rule that a choice names is in the table");
    return -1;
}

static Symbol read_symbol(Grammar *g, const char **at)
{
    Symbol s = { .kind = SYMBOL_text };
    const char *start = *at;
    if (*start == '\'') {
        const char *end = strchr(start + 1, '\'');
        assert(end);
        s.text = start + 1;
        s.size = (int)(end - s.text);
        *at = end + 1;
        return s;
    }
    while (isalnum((unsigned char)**at) || **at == '_') (*at)++;
    s.rule = rule_index(g, start, (size_t)(*at - start));
    s.kind = **at == '>' ? SYMBOL_keep : **at == '<' ? SYMBOL_again : SYMBOL_draw;
    if (s.kind == SYMBOL_draw) return s;
    s.letter = (*at)[1] - 'a';
    assert(s.letter >= 0 && s.letter < 26);
    *at += 2;
    if (s.kind == SYMBOL_keep) {
        assert(g->kept_from[s.letter] < 0 || g->kept_from[s.letter] == s.rule);
        g->kept_from[s.letter] = s.rule;
    }
    return s;
}

static void read_symbols(Grammar *g, const char *text, Branch *b)
{
    b->symbols = new_zeros((int64_t)strlen(text) / 2 + 1, sizeof *b->symbols);
    while (*text) {
        if (*text == ' ') text++;
        else b->symbols[b->count++] = read_symbol(g, &text);
    }
}

static void read_letters(const char *letters, Production *p)
{
    p->count = (int)strlen(letters);
    p->branches = new_zeros(p->count, sizeof *p->branches);
    for (int i = 0; i < p->count; i++) {
        Branch *b = &p->branches[i];
        b->probability = 1.0 / p->count;
        b->symbols = new_zeros(1, sizeof *b->symbols);
        b->symbols[b->count++] = (Symbol){ .kind = SYMBOL_text, .text = letters + i, .size = 1 };
    }
}

static void read_choices(Grammar *g, const Choice *choices, Production *p)
{
    double total = 0;
    while (p->count < GRAMMAR_CHOICES && choices[p->count].weight > 0) total += choices[p->count++].weight;
    p->branches = new_zeros(p->count, sizeof *p->branches);
    for (int i = 0; i < p->count; i++) {
        p->branches[i].probability = choices[i].weight / total;
        read_symbols(g, choices[i].symbols, &p->branches[i]);
    }
}

/* The branch of a word: its 32 bits are a number in [0, 1), from which probabilities are taken until one is larger. */
static int branch_of_word(const Production *p, uint32_t word)
{
    double u = word * 0x1p-32;
    int chosen = 0;
    while (chosen < p->count - 1 && u >= p->branches[chosen].probability) u -= p->branches[chosen++].probability;
    return chosen;
}

/* A larger word never draws an earlier branch, so each branch has a least word, found by halving. */
static void tabulate(Production *p)
{
    assert(p->count <= GRAMMAR_CHOICES);
    for (int c = 1; c < p->count; c++) {
        uint64_t low = 0, high = UINT64_C(1) << 32;
        while (low < high) {
            uint64_t middle = (low + high) / 2;
            if (branch_of_word(p, (uint32_t)middle) < c) low = middle + 1;
            else high = middle;
        }
        assert(low <= UINT32_MAX);
        p->least[c] = (uint32_t)low;
    }
    for (uint32_t i = 0; i < 256; i++) p->guess[i] = (uint8_t)branch_of_word(p, i << 24);
}

static void check_agreement(const Grammar *g)
{
    for (int r = 0; r < g->count; r++) {
        for (int c = 0; c < g->productions[r].count; c++) {
            const Branch *b = &g->productions[r].branches[c];
            for (int i = 0; i < b->count; i++) {
                const Symbol *s = &b->symbols[i];
                if (s->kind != SYMBOL_again) continue;
                assert(g->kept_from[s->letter] >= 0);
                assert(g->productions[g->kept_from[s->letter]].count == g->productions[s->rule].count);
            }
        }
    }
}

Grammar *grammar_new(const Rule *rules, int count)
{
    Grammar *g = new_zeros(1, sizeof *g);
    *g = (Grammar){ .rules = rules, .count = count, .productions = new_zeros(count, sizeof(Production)) };
    for (int i = 0; i < 26; i++) g->kept_from[i] = -1;
    for (int i = 0; i < count; i++) {
        Production *p = &g->productions[i];
        if (rules[i].letters) read_letters(rules[i].letters, p);
        else read_choices(g, rules[i].choices, p);
        for (int c = 0; c < p->count; c++) p->branches[c].nats = -log(p->branches[c].probability);
        tabulate(p);
    }
    check_agreement(g);
    return g;
}

void grammar_free(Grammar *g)
{
    if (!g) return;
    for (int i = 0; i < g->count; i++) {
        for (int c = 0; c < g->productions[i].count; c++) free(g->productions[i].branches[c].symbols);
        free(g->productions[i].branches);
    }
    free(g->productions);
    free(g);
}

/* Drawing. */

typedef struct Drawing {
    const Grammar *grammar;
    Buffer        *out;
    uint64_t       key, line, draws;
    double         nats;
    int            kept[26];
    uint32_t       words[RT_RANDOM_LANES];   /* of the draws from the last multiple of RT_RANDOM_LANES on */
} Drawing;

static uint32_t next_word(Drawing *d)
{
    uint64_t place = d->draws % RT_RANDOM_LANES;
    if (place == 0) rt_random_words(d->key, d->line, d->draws, d->words);
    d->draws++;
    return d->words[place];
}

static int draw_branch(Drawing *d, const Production *p)
{
    if (p->count == 1) return 0;
    uint32_t word = next_word(d);
    int chosen = p->guess[word >> 24];
    while (chosen + 1 < p->count && word >= p->least[chosen + 1]) chosen++;
    d->nats += p->branches[chosen].nats;
    return chosen;
}

static void say_text(Buffer *out, const char *text, int size)
{
    if (out->room < out->size + size) out->bytes = rt_grow(out->bytes, &out->room, out->size + size, 1);
    if (size == 1) {
        out->bytes[out->size++] = *text;
        return;
    }
    memcpy(out->bytes + out->size, text, (size_t)size);
    out->size += size;
}

static void say(Drawing *d, const Branch *b)
{
    for (int i = 0; i < b->count; i++) {
        const Symbol *s = &b->symbols[i];
        const Production *p = &d->grammar->productions[s->rule];
        if (s->kind == SYMBOL_text) {
            say_text(d->out, s->text, s->size);
            continue;
        }
        int branch = s->kind == SYMBOL_again ? d->kept[s->letter] : draw_branch(d, p);
        if (s->kind == SYMBOL_keep) d->kept[s->letter] = branch;
        say(d, &p->branches[branch]);
    }
}

double grammar_line(const Grammar *g, uint64_t key, uint64_t number, Buffer *out)
{
    Drawing d = { .grammar = g, .out = out, .key = key, .line = number };
    say(&d, &g->productions[0].branches[draw_branch(&d, &g->productions[0])]);
    return d.nats;
}

/* Means. For a rule r with choices c of probability p: nats(r) = sum p * (-log p + sum of nats(symbol)), bytes(r) = sum
 * p * sum of bytes(symbol). rule<k has the probabilities of the rule that was kept and draws nothing itself; since no
 * later choice depends on what was kept, its mean is that over all kept numbers. The equations are linear with one
 * solution, and repeated substitution from zero climbs to it; a tenth of what is left disappears at every step at the
 * latest, as lines end with such probability. */

static GrammarMean mean_of_symbols(const Grammar *g, const GrammarMean *means, const Branch *b)
{
    GrammarMean sum = { 0, 0 };
    for (int i = 0; i < b->count; i++) {
        const Symbol *s = &b->symbols[i];
        if (s->kind == SYMBOL_text) sum.bytes += s->size;
        if (s->kind == SYMBOL_draw || s->kind == SYMBOL_keep) {
            sum.nats += means[s->rule].nats;
            sum.bytes += means[s->rule].bytes;
        }
        if (s->kind != SYMBOL_again) continue;
        const Production *kept = &g->productions[g->kept_from[s->letter]], *said = &g->productions[s->rule];
        for (int c = 0; c < kept->count; c++) {
            GrammarMean one = mean_of_symbols(g, means, &said->branches[c]);
            sum.nats += kept->branches[c].probability * one.nats;
            sum.bytes += kept->branches[c].probability * one.bytes;
        }
    }
    return sum;
}

static bool substitute(const Grammar *g, GrammarMean *means)
{
    bool changed = false;
    for (int r = g->count - 1; r >= 0; r--) {
        GrammarMean mean = { 0, 0 };
        for (int c = 0; c < g->productions[r].count; c++) {
            const Branch *b = &g->productions[r].branches[c];
            GrammarMean one = mean_of_symbols(g, means, b);
            mean.nats += b->probability * (b->nats + one.nats);
            mean.bytes += b->probability * one.bytes;
        }
        if (mean.nats > means[r].nats || mean.bytes > means[r].bytes) changed = true;
        means[r] = mean;
    }
    return changed;
}

GrammarMean grammar_mean(const Grammar *g, const char *rule)
{
    enum { STEPS = 2000 };               /* 0.9^2000 is far below the last bit; rounding may keep the last bit moving */
    GrammarMean *means = new_zeros(g->count, sizeof *means);
    for (int step = 0; step < STEPS && substitute(g, means); step++) continue;
    GrammarMean mean = means[rule_index(g, rule, strlen(rule))];
    free(means);
    return mean;
}
