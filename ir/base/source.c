/* Diagnostics: collected in any order, printed in the order of the places they point to, each with its source line and
 * a caret line below it. */
#include "ir/base/source.h"
#include "ir/base/utf8.h"

#include <stdlib.h>
#include <string.h>

typedef enum Severity { SEVERITY_error, SEVERITY_warning, SEVERITY_note } Severity;

typedef struct Message Message;
struct Message {
    Severity    severity;
    Place       place;
    const char *text;
    int         order;                   /* of being added */
    Vec(Message) notes;                  /* of an error or warning, in the order of being added */
};

struct Diagnostics {
    Arena *arena;
    Vec(Message) messages;               /* errors and warnings */
    int    errors, warnings;
    int    dropped;                      /* messages past MESSAGES_AT_MOST; their notes go with them */
};

Diagnostics *diag_new(Arena *arena)
{
    Diagnostics *d = arena_new_of(arena, Diagnostics);
    d->arena = arena;
    return d;
}

int diag_error_count(const Diagnostics *d) { return d->errors; }

int diag_warning_count(const Diagnostics *d) { return d->warnings; }

/* What is kept and printed: a reader of more has stopped reading, and a hostile file could make millions. */
enum { MESSAGES_AT_MOST = 200 };

/* Words longer than any name a person writes end after their beginning. */
static char *cut_words(char *text)
{
    static const char more[] = "…";
    enum { LONGEST_WORD = 300, KEPT = 60 };
    char *out = text;
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, " "), kept = length > LONGEST_WORD ? KEPT : length;
        while (kept < length && kept > 0 && ((unsigned char)word[kept] & 0xC0) == 0x80) kept--;
        memmove(out, word, kept);
        out += kept;
        if (kept < length) {
            memcpy(out, more, sizeof more - 1);
            out += sizeof more - 1;
        }
        word += length;
        while (*word == ' ') *out++ = *word++;
    }
    *out = 0;
    return text;
}

static void add(Diagnostics *d, Severity severity, Place place, const char *format, va_list args)
{
    if (d->dropped || (severity != SEVERITY_note && d->messages.count == MESSAGES_AT_MOST)) {
        d->dropped += severity != SEVERITY_note;
        return;
    }
    Message message = {severity, place, cut_words(arena_vprint(d->arena, format, args)), d->messages.count, {0}};
    if (severity == SEVERITY_note && d->messages.count) {
        Message *latest = &d->messages.at[d->messages.count - 1];
        vec_push(d->arena, &latest->notes, message);
        return;
    }
    vec_push(d->arena, &d->messages, message);
}

void diag_error(Diagnostics *d, Place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(d, SEVERITY_error, place, format, args);
    va_end(args);
    d->errors++;
}

void diag_warning(Diagnostics *d, Place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(d, SEVERITY_warning, place, format, args);
    va_end(args);
    d->warnings++;
}

void diag_note(Diagnostics *d, Place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(d, SEVERITY_note, place, format, args);
    va_end(args);
}

static bool is_hidden(const Origin *call) { return call->place.source && call->place.source->builtin; }

void diag_chain(Diagnostics *d, const Origin *origin)
{
    enum { FIRST = 4, LAST = 3 };        /* calls shown of a long chain */
    int calls = 0, at = 0;
    for (const Origin *o = origin; o && o->caller; o = o->caller) calls += !is_hidden(o->caller);
    for (; origin && origin->caller; origin = origin->caller) {
        const Origin *call = origin->caller;
        if (is_hidden(call)) continue;
        bool middle = calls > FIRST + LAST + 1 && at >= FIRST && at < calls - LAST;
        if (middle && at == FIRST) diag_note(d, (Place){0}, "… %d more calls …", calls - FIRST - LAST);
        at++;
        if (middle) continue;
        const char *callee = origin->callee ? origin->callee : "this";
        bool labelled = origin->path && *origin->path && (!call->path || strcmp(origin->path, call->path));
        if (labelled) {
            diag_note(d, call->place, "in call of %s, labelled %s", callee, origin->path);
        } else {
            diag_note(d, call->place, "in call of %s", callee);
        }
    }
}

static int compare_places(const Place *a, const Place *b)
{
    const char *path_a = a->source ? a->source->path : "", *path_b = b->source ? b->source->path : "";
    int paths = strcmp(path_a, path_b);
    if (paths) return paths;
    if (a->line != b->line) return a->line < b->line ? -1 : 1;
    if (a->column != b->column) return a->column < b->column ? -1 : 1;
    return 0;
}

static int compare_messages(const void *left, const void *right)
{
    const Message *a = left, *b = right;
    int places = compare_places(&a->place, &b->place);
    return places ? places : a->order - b->order;
}

/* The line's text, without its end; empty when the source has no such line. */
static const char *find_line(const Source *source, uint32_t line, size_t *length)
{
    const char *at = source->text ? source->text : "", *end = source->text ? at + source->size : at;
    for (uint32_t i = 1; i < line && at < end; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline ? newline + 1 : end;
    }
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    *length = (size_t)((newline ? newline : end) - at);
    if (*length && at[*length - 1] == '\r') --*length;
    return at;
}

/* Prints the part of a line from byte `from` to byte `to`; what a terminal could take for a command shows as '?'. */
static void print_text(const char *line, size_t from, size_t to, FILE *out)
{
    for (size_t i = from, bytes; i < to; i += bytes ? bytes : 1) {
        bytes = utf8_character(line + i, to - i);
        bool control = bytes == 1 && ((unsigned char)line[i] < ' ' || line[i] == 0x7F) && line[i] != '\t';
        if (!bytes || control) {
            fputc('?', out);
        } else {
            fwrite(line + i, 1, bytes, out);
        }
    }
}

/* One `fill` for each character; tabs stay tabs, so that the caret stands below its character. */
static void print_blank(const char *line, size_t from, size_t to, char fill, FILE *out)
{
    for (size_t i = from, bytes; i < to; i += bytes ? bytes : 1) {
        bytes = utf8_character(line + i, to - i);
        fputc(line[i] == '\t' && fill == ' ' ? '\t' : fill, out);
    }
}

/* The source line and the caret line. Of a very long line only the surroundings of the place are shown. */
static void print_excerpt(const Place *place, FILE *out)
{
    enum { SHOWN_BEFORE = 100, SHOWN = 200 };
    size_t length;
    const char *line = find_line(place->source, place->line, &length);
    size_t caret = place->column ? place->column - 1 : 0;
    if (!length || caret > length) return;
    size_t from = length > SHOWN && caret > SHOWN_BEFORE ? caret - SHOWN_BEFORE : 0;
    size_t to = length - from > SHOWN ? from + SHOWN : length;
    while (from > 0 && ((unsigned char)line[from] & 0xC0) == 0x80) from--;
    const char *lead = from ? "    ..." : "    ", *tail = to < length ? "..." : "";
    fputs(lead, out);
    print_text(line, from, to, out);
    fprintf(out, "%s\n%*s", tail, (int)strlen(lead), "");
    print_blank(line, from, caret, ' ', out);
    fputc('^', out);
    size_t width = place->length ? place->length : 1;
    size_t end = width > to - caret ? to : caret + width;
    size_t first = caret < length ? utf8_character(line + caret, length - caret) : 0;
    print_blank(line, caret + (first ? first : 1), end, '~', out);
    fputc('\n', out);
}

static void print_message(const Message *message, FILE *out)
{
    static const char *const NAMES[] = {"error", "warning", "note"};
    const Place *place = &message->place;
    if (place->source) fprintf(out, "%s:", place->source->path);
    if (place->source && place->line) fprintf(out, "%u:%u:", place->line, place->column);
    fprintf(out, "%s%s: %s\n", place->source ? " " : "", NAMES[message->severity], message->text);
    if (place->source && place->line) print_excerpt(place, out);
}

static bool same_message(const Message *a, const Message *b)
{
    return a->severity == b->severity && !compare_places(&a->place, &b->place) && !strcmp(a->text, b->text);
}

/* Whether an earlier message of the same place says the same. `messages` is sorted. */
static bool said_before(const Message *messages, int i)
{
    for (int k = i - 1; k >= 0 && !compare_places(&messages[k].place, &messages[i].place); k--)
        if (same_message(&messages[k], &messages[i])) return true;
    return false;
}

void diag_print(const Diagnostics *d, FILE *out)
{
    int count = d->messages.count;
    if (!count) return;
    Message *sorted = arena_array(d->arena, Message, count);
    memcpy(sorted, d->messages.at, sizeof(Message) * (size_t)count);
    qsort(sorted, (size_t)count, sizeof(Message), compare_messages);
    for (int i = 0; i < count; i++) {
        if (said_before(sorted, i)) continue;
        print_message(&sorted[i], out);
        for (int k = 0; k < sorted[i].notes.count; k++) print_message(&sorted[i].notes.at[k], out);
    }
    if (d->dropped) fprintf(out, "%d more messages are not shown\n", d->dropped);
}
