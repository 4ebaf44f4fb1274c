/* Reading a graph's text: words, texts, numbers, dimensions, types and origins. */
#include "ir/reader.h"

#include "ir/text.h"

#include <ctype.h>
#include <string.h>

bool reader_fail(Reader *r, const char *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Place place = {r->source, r->line, (uint32_t)(at - r->line_start) + 1, 1};
    diag_error(r->diagnostics, place, "%s", arena_vprint(r->arena, format, args));
    va_end(args);
    return false;
}

void reader_skip(Reader *r)
{
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\r') r->at++;
}

bool reader_at_end(Reader *r)
{
    reader_skip(r);
    return *r->at == '\n' || r->at == r->source->text + r->source->size;
}

bool reader_accept(Reader *r, const char *token)
{
    reader_skip(r);
    if (strncmp(r->at, token, strlen(token))) return false;
    r->at += strlen(token);
    return true;
}

/* What stands at the cursor, for a message: up to a blank, at most a few characters. */
static const char *found_text(Reader *r)
{
    enum { SHOWN = 20 };
    if (reader_at_end(r)) return "the end of the line";
    int length = 0;
    while (length < SHOWN && isgraph((unsigned char)r->at[length])) length++;
    return length ? arena_print(r->arena, "%.*s", length, r->at) : "an unprintable character";
}

bool reader_expect(Reader *r, const char *token)
{
    return reader_accept(r, token) || reader_fail(r, r->at, "found %s, expected %s", found_text(r), token);
}

const char *reader_word(Reader *r, const char *what)
{
    reader_skip(r);
    size_t length = 0;
    while (text_is_word_char(r->at[length])) length++;
    if (!length) {
        reader_fail(r, r->at, "found %s, expected %s", found_text(r), what);
        return NULL;
    }
    const char *word = arena_copy_text(r->arena, r->at, length);
    r->at += length;
    return word;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One character after a backslash; -1 when it is no escape. */
static int read_escape(Reader *r)
{
    char c = *r->at++;
    if (c == '"' || c == '\\') return c;
    if (c != 'x' || hex_digit(r->at[0]) < 0 || hex_digit(r->at[1]) < 0) return -1;
    int value = hex_digit(r->at[0]) * 16 + hex_digit(r->at[1]);
    r->at += 2;
    return value ? value : -1;
}

const char *reader_string(Reader *r)
{
    reader_skip(r);
    const char *start = r->at;
    if (!reader_expect(r, "\"")) return NULL;
    const char *end = r->at;
    while (*end && *end != '\n' && *end != '"') end += *end == '\\' && end[1] && end[1] != '\n' ? 2 : 1;
    char *text = arena_alloc(r->arena, (size_t)(end - start) + 1);
    for (int count = 0; r->at < end; count++) {
        const char *at = r->at;
        int c = *r->at == '\\' ? (r->at++, read_escape(r)) : *r->at++;
        if (c == -1 && *at == '\\') {
            reader_fail(r, at, "found an escape that is none of \\\" \\\\ \\xHH");
            return NULL;
        }
        text[count] = (char)c;
    }
    if (*r->at == '"') {
        r->at++;
        return text;
    }
    reader_fail(r, start, "the text has no closing quote on its line");
    return NULL;
}

const char *reader_name(Reader *r, const char *what)
{
    reader_skip(r);
    return *r->at == '"' ? reader_string(r) : reader_word(r, what);
}

bool reader_integer(Reader *r, int64_t *value)
{
    reader_skip(r);
    const char *at = r->at;
    int64_t sign = *at == '-' ? -1 : 1;
    if (*at == '-') at++;
    if (!isdigit((unsigned char)*at)) return reader_fail(r, r->at, "found %s, expected an integer", found_text(r));
    *value = 0;
    for (; isdigit((unsigned char)*at); at++)
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, sign * (*at - '0'), value))
            return reader_fail(r, r->at, "the integer does not fit in 64 bits");
    r->at = at;
    return true;
}

const Dim *reader_dim(Reader *r)
{
    reader_skip(r);
    const char *start = r->at;
    const Dim *d = dim_read(r->graph->dims, &r->at);
    if (!d) reader_fail(r, start, "found %s, expected a dimension", found_text(r));
    return d;
}

bool reader_type(Reader *r, Type *type)
{
    reader_skip(r);
    const char *start = r->at;
    const char *name = reader_word(r, "an element type");
    if (!name) return false;
    *type = (Type){0};
    if (!dtype_find(name, &type->dtype)) return reader_fail(r, start, "found %s, expected an element type", name);
    if (!reader_accept(r, "[")) return true;
    do {
        if (type->rank == MAX_RANK) return reader_fail(r, start, "found a type of more than %d axes", MAX_RANK);
        if (!(type->dim[type->rank] = reader_dim(r))) return false;
        type->rank++;
    } while (reader_accept(r, ","));
    return reader_expect(r, "]");
}

static const Source *source_of(Reader *r, const char *path)
{
    Source *source = map_get(r->sources, path);
    if (source) return source;
    source = arena_new_of(r->arena, Source);
    source->path = path;
    source->text = "";
    map_set(r->sources, path, source);
    return source;
}

static bool read_number32(Reader *r, uint32_t *value)
{
    int64_t number = 0;
    const char *start = r->at;
    if (!reader_integer(r, &number)) return false;
    if (number < 0 || number > UINT32_MAX) return reader_fail(r, start, "the number is out of range");
    *value = (uint32_t)number;
    return true;
}

static bool read_place(Reader *r, Place *place)
{
    *place = (Place){.length = 1};
    reader_skip(r);
    if (*r->at == '-' && r->at[1] != ':' && !text_is_word_char(r->at[1])) {
        r->at++;
        return true;
    }
    const char *path = reader_name(r, "a file name");
    if (!path || !reader_expect(r, ":")) return false;
    place->source = source_of(r, path);
    return read_number32(r, &place->line) && reader_expect(r, ":") && read_number32(r, &place->column);
}

static Origin *read_origin(Reader *r)
{
    Origin *origin = arena_new_of(r->arena, Origin), *last = origin;
    origin->path = "";
    if (!read_place(r, &origin->place)) return NULL;
    reader_skip(r);
    bool named = *r->at == '"' || text_is_word_char(*r->at);
    if (named && !(origin->path = reader_name(r, "a label path"))) return NULL;
    while (reader_accept(r, "<")) {
        Origin *caller = arena_new_of(r->arena, Origin);
        caller->path = "";
        if (!read_place(r, &caller->place)) return NULL;
        last->caller = caller;
        last = caller;
    }
    return origin;
}

bool reader_origins(Reader *r, Node *holder)
{
    Vec(const Origin *) origins = {0};
    if (!reader_accept(r, "@")) return true;
    do {
        const Origin *origin = read_origin(r);
        if (!origin) return false;
        vec_push(r->arena, &origins, origin);
    } while (reader_accept(r, ";"));
    holder->origins = origins.at;
    holder->origin_count = origins.count;
    return true;
}
