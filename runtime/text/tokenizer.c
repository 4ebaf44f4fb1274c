/* Tokenizers: how each rule cuts a text, and the way from pieces to ids and back. */
#include "runtime/text/tokenizer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text/distance.h"
#include "runtime/text/utf8.h"
#include "runtime/text/vocabulary.h"

struct RtTokenizer {
    TokenizerRule rule;
    Vocabulary    vocabulary;
    int32_t       unknown;               /* id, or -1 */
    bool          lower;
};

bool rt_fail(RtError *e, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->text, sizeof e->text, format, arguments);
    va_end(arguments);
    return false;
}

/* Cutting. */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A walk over the pieces of a text. */
typedef struct Walk {
    TokenizerRule rule;
    bool          lower;
    RtText        text;
    int64_t       next;                  /* offset of what is not read yet */
    int64_t       start;                 /* offset of the last piece */
    char         *small;                 /* the last piece with small letters; owned */
    int64_t       small_room;
} Walk;

static RtText lowered(Walk *w, RtText piece)
{
    w->small = rt_grow(w->small, &w->small_room, piece.size, 1);
    for (int64_t i = 0; i < piece.size; i++) {
        char c = piece.bytes[i];
        w->small[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    return (RtText){ w->small, piece.size };
}

/* Length of the piece at w->next; 0 at the end of the text, -1 where the bytes are not UTF-8. */
static int64_t piece_length(Walk *w)
{
    int64_t left = w->text.size - w->next, length = 0;
    const char *at = w->text.bytes + w->next;
    switch (w->rule) {
    case TOKENIZER_chars:
        length = left ? utf8_length(at, left) : 0;
        return left && !length ? -1 : length;
    case TOKENIZER_bytes:
        return left > 0;
    case TOKENIZER_words:
        while (left > 0 && is_space(*at)) at++, left--, w->next++;
        while (length < left && !is_space(at[length])) length++;
        return length;
    case TOKENIZER_labels:
        return left;
    case TOKENIZER_RULE_COUNT:
        break;
    }
    return 0;
}

/* The next piece: 1, 0 at the end, -1 after an error. */
static int walk_next(Walk *w, RtText *piece, RtError *e)
{
    int64_t length = piece_length(w);
    if (length < 0) {
        rt_fail(e, "byte 0x%02X at offset %lld is not UTF-8", (unsigned char)w->text.bytes[w->next],
                (long long)w->next);
        return -1;
    }
    if (length == 0) return 0;
    *piece = (RtText){ w->text.bytes + w->next, length };
    w->start = w->next;
    w->next += length;
    if (w->lower) *piece = lowered(w, *piece);
    return 1;
}

/* Making. */

static RtTokenizer *tokenizer_new(TokenizerRule rule)
{
    RtTokenizer *t = calloc(1, sizeof *t);
    if (!t) {
        fprintf(stderr, "ptm: out of memory\n");
        exit(1);
    }
    t->rule = rule;
    t->unknown = -1;
    vocabulary_init(&t->vocabulary);
    return t;
}

void rt_tokenizer_free(RtTokenizer *t)
{
    if (!t) return;
    vocabulary_free(&t->vocabulary);
    free(t);
}

/* Counts every piece of the texts. */
static bool count_pieces(Vocabulary *v, TokenizerRule rule, bool lower, const RtText *texts, int64_t count, RtError *e)
{
    Walk w = { .rule = rule, .lower = lower };
    int more = 0;
    for (int64_t i = 0; i < count && more >= 0; i++) {
        RtText piece;
        w.text = texts[i];
        w.next = 0;
        while ((more = walk_next(&w, &piece, e)) > 0) vocabulary_add(v, piece, 1);
        if (more < 0 && count > 1) {
            RtError inner = *e;
            rt_fail(e, "text %lld: %.500s", (long long)i + 1, inner.text);
        }
    }
    free(w.small);
    return more >= 0;
}

/* Orders of ids. Vocabularies to sort are passed by pointer in each item, since qsort has no context. */
typedef struct Ranked {
    const Vocabulary *vocabulary;
    int32_t           id;
} Ranked;

static int by_text(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    return text_compare(vocabulary_piece(x->vocabulary, x->id), vocabulary_piece(y->vocabulary, y->id));
}

static int by_arrival(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int by_falling_count(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    int64_t m = x->vocabulary->counts[x->id], n = y->vocabulary->counts[y->id];
    return m != n ? (m < n) - (m > n) : by_arrival(a, b);
}

/* Moves the pieces seen at least min_count times into the vocabulary of `t` until it has at_most (0: no limit). */
static void take_in_order(RtTokenizer *t, const Vocabulary *seen, int (*order)(const void *, const void *),
                          int64_t min_count, int64_t at_most)
{
    int64_t room = 0;
    Ranked *ranks = rt_grow(NULL, &room, seen->size, sizeof *ranks);
    for (int32_t i = 0; i < seen->size; i++) ranks[i] = (Ranked){ seen, i };
    qsort(ranks, (size_t)seen->size, sizeof *ranks, order);
    for (int32_t i = 0; i < seen->size && (!at_most || t->vocabulary.size < at_most); i++) {
        if (seen->counts[ranks[i].id] < min_count) continue;
        vocabulary_add(&t->vocabulary, vocabulary_piece(seen, ranks[i].id), seen->counts[ranks[i].id]);
    }
    free(ranks);
}

static RtTokenizer *distinct_pieces(TokenizerRule rule, const char *what, int (*order)(const void *, const void *),
                                    const RtText *texts, int64_t count, RtError *e)
{
    Vocabulary seen;
    vocabulary_init(&seen);
    RtTokenizer *t = NULL;
    if (count_pieces(&seen, rule, false, texts, count, e)) {
        t = tokenizer_new(rule);
        take_in_order(t, &seen, order, 1, 0);
    }
    vocabulary_free(&seen);
    if (t && t->vocabulary.size == 0) {
        rt_fail(e, "there is no %s in an empty text", what);
        rt_tokenizer_free(t);
        return NULL;
    }
    return t;
}

RtTokenizer *rt_tokenizer_chars(const RtText *texts, int64_t count, RtError *e)
{
    return distinct_pieces(TOKENIZER_chars, "character", by_text, texts, count, e);
}

RtTokenizer *rt_tokenizer_alphabet(const RtText *texts, int64_t count, RtError *e)
{
    return distinct_pieces(TOKENIZER_chars, "character", by_arrival, texts, count, e);
}

RtTokenizer *rt_tokenizer_labels(const RtText *texts, int64_t count, RtError *e)
{
    return distinct_pieces(TOKENIZER_labels, "label", by_text, texts, count, e);
}

RtTokenizer *rt_tokenizer_bytes(void)
{
    RtTokenizer *t = tokenizer_new(TOKENIZER_bytes);
    for (int i = 0; i < 256; i++) vocabulary_add(&t->vocabulary, (RtText){ &(char){ (char)i }, 1 }, 0);
    return t;
}

/* A mark must be one word, or no text could ever hold it. */
static bool is_word(RtText piece)
{
    for (int64_t i = 0; i < piece.size; i++) {
        if (is_space(piece.bytes[i])) return false;
    }
    return piece.size > 0;
}

static bool add_marks(RtTokenizer *t, const WordOptions *options, RtError *e)
{
    for (int i = 0; i < options->mark_count; i++) {
        RtText mark = options->marks[i];
        if (!is_word(mark)) return rt_fail(e, "mark \"%.*s\" is not one word", (int)mark.size, mark.bytes);
        vocabulary_add(&t->vocabulary, mark, 0);
    }
    if (options->unknown) {
        RtText unknown = *options->unknown;
        if (!is_word(unknown))
            return rt_fail(e, "unknown = \"%.*s\" is not one word", (int)unknown.size, unknown.bytes);
        t->unknown = vocabulary_add(&t->vocabulary, unknown, 0);
    }
    if (options->at_most && options->at_most <= t->vocabulary.size) {
        return rt_fail(e, "at_most = %lld leaves no word besides the %d marks", (long long)options->at_most,
                       t->vocabulary.size);
    }
    return true;
}

RtTokenizer *rt_tokenizer_words(const RtText *texts, int64_t count, const WordOptions *options, RtError *e)
{
    Vocabulary seen;
    vocabulary_init(&seen);
    RtTokenizer *t = tokenizer_new(TOKENIZER_words);
    t->lower = options->lower;
    bool good = add_marks(t, options, e) && count_pieces(&seen, TOKENIZER_words, options->lower, texts, count, e);
    int32_t marks = t->vocabulary.size;
    if (good) take_in_order(t, &seen, by_falling_count, options->min_count, options->at_most);
    if (good && t->vocabulary.size == marks) {
        good = rt_fail(e, seen.size ? "no word occurs %lld times" : "there is no word in the text",
                       (long long)options->min_count);
    }
    vocabulary_free(&seen);
    if (good) return t;
    rt_tokenizer_free(t);
    return NULL;
}

/* Asking. */

TokenizerRule rt_tokenizer_rule(const RtTokenizer *t)
{
    return t->rule;
}

const char *rt_tokenizer_rule_name(TokenizerRule rule)
{
#define RULE(name, help) [TOKENIZER_##name] = #name,
    static const char *const names[] = { TOKENIZER_RULES(RULE) };
#undef RULE
    return names[rule];
}

int32_t rt_tokenizer_size(const RtTokenizer *t)
{
    return t->vocabulary.size;
}

RtText rt_tokenizer_piece(const RtTokenizer *t, int32_t id)
{
    assert(id >= 0 && id < t->vocabulary.size);
    return vocabulary_piece(&t->vocabulary, id);
}

int32_t rt_tokenizer_find(const RtTokenizer *t, RtText piece)
{
    return vocabulary_find(&t->vocabulary, piece);
}

int32_t rt_tokenizer_nearest(const RtTokenizer *t, RtText piece)
{
    int64_t best = piece.size / 3 + 2;   /* a suggestion with more edits than this helps nobody */
    int32_t nearest = -1;
    for (int32_t id = 0; id < t->vocabulary.size && piece.size <= 64; id++) {
        int64_t distance = rt_text_distance(vocabulary_piece(&t->vocabulary, id), piece, best);
        if (distance >= best) continue;
        best = distance;
        nearest = id;
    }
    return nearest;
}

/* Encoding and decoding. */

void rt_ids_free(RtIds *ids)
{
    free(ids->ids);
    *ids = (RtIds){ 0 };
}

static bool outside(const RtTokenizer *t, RtText piece, int64_t offset, RtError *e)
{
    int shown = piece.size < 60 ? (int)piece.size : 60;
    if (t->rule == TOKENIZER_chars) {
        return rt_fail(e, "character '%.*s' at offset %lld is not in the vocabulary of %d characters", shown,
                       piece.bytes, (long long)offset, t->vocabulary.size);
    }
    int32_t nearest = rt_tokenizer_nearest(t, piece);
    if (nearest < 0) return rt_fail(e, "'%.*s' is not one of the %d labels", shown, piece.bytes, t->vocabulary.size);
    RtText like = rt_tokenizer_piece(t, nearest);
    return rt_fail(e, "'%.*s' is not one of the %d labels; did you mean '%.*s'?", shown, piece.bytes,
                   t->vocabulary.size, (int)(like.size < 60 ? like.size : 60), like.bytes);
}

bool rt_tokenizer_encode(const RtTokenizer *t, RtText text, RtIds *out, RtError *e)
{
    Walk w = { .rule = t->rule, .lower = t->lower, .text = text };
    RtText piece;
    int more;
    while ((more = walk_next(&w, &piece, e)) > 0) {
        int32_t id = vocabulary_find(&t->vocabulary, piece);
        if (id < 0 && t->rule == TOKENIZER_words) {
            if (t->unknown < 0) continue;
            id = t->unknown;
        }
        if (id < 0) {
            outside(t, piece, w.start, e);
            more = -1;
            break;
        }
        out->ids = rt_grow(out->ids, &out->room, out->count + 1, sizeof *out->ids);
        out->ids[out->count++] = id;
    }
    free(w.small);
    return more >= 0;
}

static const char *joint(TokenizerRule rule)
{
    switch (rule) {
    case TOKENIZER_words:
        return " ";
    case TOKENIZER_labels:
        return "\n";
    case TOKENIZER_chars:
    case TOKENIZER_bytes:
    case TOKENIZER_RULE_COUNT:
        break;
    }
    return "";
}

char *rt_tokenizer_decode(const RtTokenizer *t, const int32_t *ids, int64_t count, int64_t *size)
{
    const char *between = joint(t->rule);
    int64_t length = 0, room = 0, gap = (int64_t)strlen(between);
    char *text = rt_grow(NULL, &room, 1, 1);
    bool first = true;
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= t->vocabulary.size) continue;
        RtText piece = vocabulary_piece(&t->vocabulary, ids[i]);
        text = rt_grow(text, &room, length + gap + piece.size + 1, 1);
        if (!first) memcpy(text + length, between, (size_t)gap);
        length += first ? 0 : gap;
        if (piece.size) memcpy(text + length, piece.bytes, (size_t)piece.size);
        length += piece.size;
        first = false;
    }
    text[length] = '\0';
    *size = length;
    return text;
}

/* Saving: five lines of head, then for each piece a line with its length and its bytes, closed by a newline. */

static const char HEAD[] = "ptm-tokenizer 1\nrule %s\nunknown %d\nlower %d\npieces %d\n";

char *rt_tokenizer_save(const RtTokenizer *t, size_t *size)
{
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, size);
    if (out) {
        fprintf(out, HEAD, rt_tokenizer_rule_name(t->rule), t->unknown, t->lower, t->vocabulary.size);
        for (int32_t id = 0; id < t->vocabulary.size; id++) {
            RtText piece = rt_tokenizer_piece(t, id);
            fprintf(out, "%lld\n", (long long)piece.size);
            fwrite(piece.bytes, 1, (size_t)piece.size, out);
            fputc('\n', out);
        }
    }
    if (!out || fclose(out) != 0) {
        fprintf(stderr, "ptm: out of memory\n");
        exit(1);
    }
    return bytes;
}

/* What is left to read of a saved tokenizer. */
typedef struct Saved {
    const char *bytes;
    size_t      size, at;
} Saved;

/* Reads a line "KEY NUMBER", or "NUMBER" when the key is "". */
static bool read_number(Saved *s, const char *key, long long *number)
{
    size_t length = strlen(key);
    if (s->size - s->at < length || memcmp(s->bytes + s->at, key, length) != 0) return false;
    size_t at = s->at + length;
    bool negative = at < s->size && s->bytes[at] == '-';
    at += negative;
    long long n = 0;
    int digits = 0;
    for (; at < s->size && s->bytes[at] >= '0' && s->bytes[at] <= '9' && digits < 12; at++, digits++)
        n = n * 10 + s->bytes[at] - '0';
    if (digits == 0 || at == s->size || s->bytes[at] != '\n') return false;
    s->at = at + 1;
    *number = negative ? -n : n;
    return true;
}

static bool read_rule(Saved *s, TokenizerRule *rule)
{
    for (*rule = 0; *rule < TOKENIZER_RULE_COUNT; (*rule)++) {
        char line[64];
        size_t length = (size_t)snprintf(line, sizeof line, "ptm-tokenizer 1\nrule %s\n",
                                         rt_tokenizer_rule_name(*rule));
        if (s->size < length || memcmp(s->bytes, line, length) != 0) continue;
        s->at = length;
        return true;
    }
    return false;
}

static bool read_piece(Saved *s, RtTokenizer *t)
{
    long long length;
    if (!read_number(s, "", &length) || length < 0 || (size_t)length >= s->size - s->at) return false;
    RtText piece = { s->bytes + s->at, length };
    s->at += (size_t)length;
    if (s->bytes[s->at++] != '\n') return false;
    int32_t before = t->vocabulary.size;
    return vocabulary_add(&t->vocabulary, piece, 0) == before;
}

static bool read_saved(Saved *s, RtTokenizer *t)
{
    long long unknown, lower, pieces;
    if (!read_rule(s, &t->rule) || !read_number(s, "unknown ", &unknown) || !read_number(s, "lower ", &lower))
        return false;
    if (!read_number(s, "pieces ", &pieces) || pieces < 1 || pieces > INT32_MAX - 1) return false;
    if (unknown < -1 || unknown >= pieces || lower < 0 || lower > 1) return false;
    t->unknown = (int32_t)unknown;
    t->lower = lower;
    for (long long i = 0; i < pieces; i++) {
        if (!read_piece(s, t)) return false;
    }
    return s->at == s->size && (t->rule != TOKENIZER_bytes || pieces == 256);
}

RtTokenizer *rt_tokenizer_load(const char *bytes, size_t size, RtError *e)
{
    Saved saved = { bytes, size, 0 };
    RtTokenizer *t = tokenizer_new(TOKENIZER_bytes);
    if (read_saved(&saved, t)) return t;
    rt_fail(e, "not a saved tokenizer: it goes wrong at byte %llu", (unsigned long long)saved.at);
    rt_tokenizer_free(t);
    return NULL;
}
