/* Signatures: reading them, and binding the arguments of a call to their parameters. */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/parts.h"
#include "runtime/text/distance.h"
#include "runtime/text/vocabulary.h"

typedef struct Parameter {
    RtText   name;
    unsigned kinds;                      /* set of 1 << DataKind */
    bool     count;                      /* a number must be whole and at least 1 */
    bool     rest;                       /* takes all positional arguments that later ones do not need */
    bool     optional;
    DataValue absent;                    /* its value when left out */
} Parameter;

typedef struct Signature {
    Parameter parameters[SIGNATURE_MAX];
    int       count;
} Signature;

/* Reading. Signatures are rows of our own table: a wrong one is a bug. */

static void skip(const char **at)
{
    while (**at == ' ') (*at)++;
}

static RtText read_name(const char **at)
{
    skip(at);
    RtText name = { *at, 0 };
    while (isalnum((unsigned char)**at) || **at == '_') (*at)++;
    name.size = *at - name.bytes;
    return name;
}

static bool take(const char **at, const char *token)
{
    skip(at);
    if (strncmp(*at, token, strlen(token)) != 0) return false;
    *at += strlen(token);
    return true;
}

static bool is(RtText name, const char *word)
{
    return name.size == (int64_t)strlen(word) && memcmp(name.bytes, word, (size_t)name.size) == 0;
}

static void add_kind(Parameter *p, RtText kind)
{
#define KIND(name, words) #name,
    static const char *const kinds[] = { DATA_KINDS(KIND) };
#undef KIND
    if (is(kind, "count")) {
        p->kinds |= 1u << DATA_number;
        p->count = true;
        return;
    }
    int k = 0;
    while (k < DATA_KIND_COUNT && !is(kind, kinds[k])) k++;
    assert(k < DATA_KIND_COUNT);
    p->kinds |= 1u << k;
}

static DataValue read_default(const char **at)
{
    skip(at);
    if (isdigit((unsigned char)**at)) {
        char *end;
        double number = strtod(*at, &end);
        *at = end;
        return data_number(number);
    }
    RtText word = read_name(at);
    if (is(word, "none")) return (DataValue){ .kind = DATA_none };
    assert(is(word, "true") || is(word, "false"));
    return (DataValue){ .kind = DATA_bool, .truth = is(word, "true") };
}

/* signature = "(" [ parameter { "," parameter } ] ")" "->" results .
 * parameter = [ ".." ] NAME ":" kind { "|" kind } [ "=" value ] . */
static Signature read_signature(const char *text)
{
    Signature s = { .count = 0 };
    const char *at = text;
    bool open = take(&at, "(");
    assert(open);
    while (!take(&at, ")")) {
        assert(s.count < SIGNATURE_MAX);
        Parameter *p = &s.parameters[s.count++];
        p->rest = take(&at, "..");
        p->name = read_name(&at);
        open = take(&at, ":");
        assert(open);
        do add_kind(p, read_name(&at));
        while (take(&at, "|"));
        p->optional = take(&at, "=");
        if (p->optional) p->absent = read_default(&at);
        take(&at, ",");
    }
    return s;
}

/* Binding. */

static int find_parameter(const Signature *s, RtText name)
{
    for (int i = 0; i < s->count; i++) {
        if (text_equal(s->parameters[i].name, name)) return i;
    }
    return -1;
}

static bool unknown_keyword(const Signature *s, RtText name, RtError *e)
{
    int nearest = -1;
    int64_t best = name.size / 3 + 2;
    for (int i = 0; i < s->count; i++) {
        int64_t distance = rt_text_distance(s->parameters[i].name, name, best);
        if (distance >= best) continue;
        best = distance;
        nearest = i;
    }
    if (nearest < 0) return rt_fail(e, "there is no argument '%.*s'", (int)name.size, name.bytes);
    RtText like = s->parameters[nearest].name;
    return rt_fail(e, "there is no argument '%.*s'; did you mean '%.*s'?", (int)name.size, name.bytes, (int)like.size,
                   like.bytes);
}

/* "a text, a column of texts or a list" */
static void kinds_words(unsigned kinds, char *out, size_t size)
{
    out[0] = '\0';
    for (int k = 0; k < DATA_KIND_COUNT; k++) {
        if (!(kinds >> k & 1)) continue;
        kinds &= ~(1u << k);
        bool first = out[0] == '\0';
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s", first ? "" : kinds ? ", " : " or ", data_kind_words((DataKind)k));
    }
}

static bool check_kind(const Parameter *p, const DataValue *v, RtError *e)
{
    RtText name = p->name;
    bool absent = v->kind == DATA_none && p->optional && p->absent.kind == DATA_none;
    if (!absent && !(p->kinds >> v->kind & 1)) {
        char wanted[200];
        kinds_words(p->kinds, wanted, sizeof wanted);
        bool rows = v->kind == DATA_ragged && (p->kinds >> DATA_array & 1);
        return rt_fail(e, "'%.*s' is %s; it must be %s%s", (int)name.size, name.bytes, data_kind_words(v->kind), wanted,
                       rows ? ": pad(…) makes one of rows" : "");
    }
    bool whole = v->kind == DATA_number && v->number >= 1 && v->number <= 0x1p53
        && v->number == (double)(int64_t)v->number;
    if (p->count && v->kind == DATA_number && !whole) {
        return rt_fail(e, "'%.*s' is %g; it must be a whole number from 1", (int)name.size, name.bytes, v->number);
    }
    return true;
}

/* Positional arguments that parameters after `at` need. */
static int needed_after(const Signature *s, int at, const bool *given)
{
    int needed = 0;
    for (int i = at + 1; i < s->count; i++) needed += !s->parameters[i].optional && !given[i];
    return needed;
}

static bool bind_keywords(const Signature *s, const DataValue *args, int count, DataValue *bound, bool *given,
                          RtError *e)
{
    for (int i = 0; i < count; i++) {
        if (!args[i].name) continue;
        RtText name = { args[i].name, (int64_t)strlen(args[i].name) };
        int at = find_parameter(s, name);
        if (at < 0) return unknown_keyword(s, name, e);
        if (s->parameters[at].rest) return rt_fail(e, "'%s' takes arguments by position only", args[i].name);
        if (given[at]) return rt_fail(e, "'%s' is given twice", args[i].name);
        bound[at] = args[i];
        given[at] = true;
    }
    return true;
}

static bool bind_rest(RtData *d, const Parameter *p, const DataValue *first, int count, DataValue *bound, RtError *e)
{
    DataValue *items = rt_data_alloc(d, count, sizeof *items);
    for (int i = 0; i < count; i++) {
        if (!check_kind(p, &first[i], e)) return false;
        items[i] = first[i];
    }
    *bound = (DataValue){ .kind = DATA_list, .list = { items, count } };
    return true;
}

static bool bind_positions(RtData *d, const Signature *s, const DataValue *args, int count, DataValue *bound,
                           bool *given, RtError *e)
{
    int next = 0;
    while (next < count && !args[next].name) next++;
    int positions = next;
    next = 0;
    for (int i = 0; i < s->count && next < positions; i++) {
        if (given[i]) {
            RtText name = s->parameters[i].name;
            return rt_fail(e, "'%.*s' is given by position and by name", (int)name.size, name.bytes);
        }
        int taken = s->parameters[i].rest ? positions - next - needed_after(s, i, given) : 1;
        if (taken < 1) taken = 1;        /* so what is missing is one of those behind it */
        if (!s->parameters[i].rest) bound[i] = args[next];
        else if (!bind_rest(d, &s->parameters[i], args + next, taken, &bound[i], e)) return false;
        given[i] = true;
        next += taken;
    }
    if (next == positions) return true;
    return rt_fail(e, "%d argument%s too many", positions - next, positions - next > 1 ? "s" : "");
}

bool signature_bind(RtData *d, const DataReader *reader, const DataValue *args, int count, DataValue *bound, RtError *e)
{
    Signature s = read_signature(reader->signature);
    bool given[SIGNATURE_MAX] = { false };
    for (int i = 1; i < count; i++) {
        if (args[i - 1].name && !args[i].name) return rt_fail(e, "an argument by position comes after one by name");
    }
    if (!bind_keywords(&s, args, count, bound, given, e)) return false;
    if (!bind_positions(d, &s, args, count, bound, given, e)) return false;
    for (int i = 0; i < s.count; i++) {
        const Parameter *p = &s.parameters[i];
        if (!given[i] && !p->optional) {
            return rt_fail(e, "argument '%.*s' is missing: %s%s", (int)p->name.size, p->name.bytes, reader->name,
                           reader->signature);
        }
        if (!given[i]) bound[i] = p->absent;
        else if (!p->rest && !check_kind(p, &bound[i], e)) return false;
    }
    return true;
}
