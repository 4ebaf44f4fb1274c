/* Headers of .npy files, read and written. */
#include "runtime/data/npy.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NATIVE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '<' : '>')

const NpyKind npy_kinds[] = {
    {"f4", RT_f32, 4}, {"f8", RT_f64, 8}, {"V2", RT_bf16, 2}, {"f2", RT_f16, 2}, {"i8", RT_i64, 8},
    {"i4", RT_i32, 4}, {"i1", RT_i8, 1},  {"u1", RT_u8, 1},   {"b1", RT_bool, 1},
    {"i2", RT_i32, 2}, {"u2", RT_i32, 2}, {"u4", RT_i64, 4},  {"u8", RT_i64, 8},
    {NULL, RT_DTYPE_COUNT, 0},
};

/* the prefix */

bool npy_begins(const unsigned char *bytes, int64_t size)
{
    return size >= NPY_MARK_BYTES && memcmp(bytes, NPY_MARK, NPY_MARK_BYTES) == 0;
}

int64_t npy_prefix_bytes(const unsigned char *prefix)
{
    int version = prefix[NPY_MARK_BYTES];
    return version == 1 ? 10 : version == 2 || version == 3 ? 12 : 0;
}

int64_t npy_literal_bytes(const unsigned char *prefix)
{
    int64_t size = 0;
    for (int64_t i = 8; i < npy_prefix_bytes(prefix); i++) size |= (int64_t)prefix[i] << (8 * (i - 8));
    return size;
}

/* the literal: `{ key : value , ... }`, with white space anywhere */

typedef struct Literal {
    const char *at, *end;
    RtError    *error;
} Literal;

static bool fail(Literal *l, const char *wanted)
{
    return rt_fail(l->error, "its header is not what numpy writes: %s is missing", wanted);
}

static void skip_space(Literal *l)
{
    while (l->at < l->end && isspace((unsigned char)*l->at)) l->at++;
}

static bool take(Literal *l, char c)
{
    skip_space(l);
    if (l->at == l->end || *l->at != c) return false;
    l->at++;
    return true;
}

static bool take_word(Literal *l, const char *word)
{
    size_t size = strlen(word);
    skip_space(l);
    if ((size_t)(l->end - l->at) < size || memcmp(l->at, word, size) != 0) return false;
    l->at += size;
    return true;
}

/* A text in quotes, without escapes. */
static bool take_text(Literal *l, RtText *out)
{
    skip_space(l);
    if (l->at == l->end || (*l->at != '\'' && *l->at != '"')) return false;
    const char *close = memchr(l->at + 1, *l->at, (size_t)(l->end - l->at - 1));
    if (!close) return false;
    *out = (RtText){l->at + 1, close - l->at - 1};
    l->at = close + 1;
    return true;
}

static bool text_is(RtText text, const char *is)
{
    return text.size == (int64_t)strlen(is) && memcmp(text.bytes, is, (size_t)text.size) == 0;
}

static bool refuse_type(Literal *l, RtText descr)
{
    static const struct { char code; const char *what; } others[] = {
        {'O', "Python objects (pickled), which could do anything"}, {'U', "texts"}, {'S', "texts"},
        {'c', "complex numbers"},
    };
    const char *what = "elements of another type";
    for (int i = 0; i < 4; i++)
        if (memchr(descr.bytes, others[i].code, (size_t)descr.size)) what = others[i].what;
    return rt_fail(l->error, "it holds %s ('%.*s'); bool, whole numbers and floats of 16 to 64 bits are read", what,
                   (int)(descr.size < 20 ? descr.size : 20), descr.bytes);
}

/* '<f4': byte order, then the kind. */
static bool read_type(Literal *l, NpyHeader *out)
{
    RtText descr;
    skip_space(l);
    if (l->at < l->end && *l->at == '[')
        return rt_fail(l->error, "it holds records of several fields; save each field as an array of its own");
    if (!take_text(l, &descr)) return fail(l, "'descr'");
    RtText kind = descr;
    bool ordered = descr.size > 0 && strchr("<>|=", descr.bytes[0]);
    if (ordered) kind = (RtText){descr.bytes + 1, descr.size - 1};
    for (const NpyKind *k = npy_kinds; k->name; k++) {
        if (!text_is(kind, k->name)) continue;
        char order = ordered ? descr.bytes[0] : '=';
        out->kind = k;
        out->swapped = k->bytes > 1 && (order == '<' || order == '>') && order != NATIVE;
        return true;
    }
    return refuse_type(l, descr);
}

static bool read_order(Literal *l, NpyHeader *out)
{
    out->fortran = take_word(l, "True");
    return out->fortran || take_word(l, "False") || fail(l, "True or False of 'fortran_order'");
}

static bool read_extent(Literal *l, int64_t *out)
{
    skip_space(l);
    const char *first = l->at;
    for (*out = 0; l->at < l->end && isdigit((unsigned char)*l->at); l->at++) {
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *l->at - '0', out))
            return rt_fail(l->error, "its shape says more elements than there can be");
    }
    if (l->at == first) return fail(l, "a whole number from 0 on in 'shape'");
    if (l->at < l->end && *l->at == 'L') l->at++;            /* Python 2 wrote 3L */
    return true;
}

/* (), (3,), (3, 4) */
static bool read_shape(Literal *l, NpyHeader *out)
{
    if (!take(l, '(')) return fail(l, "( of 'shape'");
    while (!take(l, ')')) {
        if (out->rank == RT_MAX_RANK)
            return rt_fail(l->error, "its shape has more than %d dimensions", RT_MAX_RANK);
        if (!read_extent(l, &out->shape[out->rank++])) return false;
        skip_space(l);
        if (!take(l, ',') && (l->at == l->end || *l->at != ')')) return fail(l, ") of 'shape'");
    }
    return true;
}

static bool read_field(Literal *l, RtText key, NpyHeader *out, unsigned *seen)
{
    static const char *const keys[3] = {"descr", "fortran_order", "shape"};
    static bool (*const readers[3])(Literal *, NpyHeader *) = {read_type, read_order, read_shape};
    for (unsigned i = 0; i < 3; i++) {
        if (!text_is(key, keys[i]) || *seen & 1u << i) continue;
        *seen |= 1u << i;
        return readers[i](l, out);
    }
    return rt_fail(l->error, "its header is not what numpy writes: a key other than descr, fortran_order and shape, "
                   "once each");
}

static bool count_elements(NpyHeader *h, RtError *e)
{
    h->count = 1;
    int64_t wide;                        /* 8 bytes each are the most that reading makes of an element */
    bool none = false;
    for (int32_t i = 0; i < h->rank; i++) none = none || h->shape[i] == 0;
    for (int32_t i = 0; i < h->rank; i++)
        if (__builtin_mul_overflow(h->count, none ? 0 : h->shape[i], &h->count)
            || __builtin_mul_overflow(h->count, 8, &wide))
            return rt_fail(e, "its shape says more elements than there can be");
    h->file_bytes = h->count * h->kind->bytes;
    return true;
}

bool npy_parse(const char *literal, int64_t size, NpyHeader *out, RtError *e)
{
    Literal l = {literal, literal + size, e};
    unsigned seen = 0;
    *out = (NpyHeader){0};
    if (!take(&l, '{')) return fail(&l, "{");
    while (!take(&l, '}')) {
        RtText key;
        if (!take_text(&l, &key)) return fail(&l, "a key in quotes");
        if (!take(&l, ':')) return fail(&l, ":");
        if (!read_field(&l, key, out, &seen)) return false;
        skip_space(&l);
        if (!take(&l, ',') && (l.at == l.end || *l.at != '}')) return fail(&l, "}");
    }
    skip_space(&l);
    if (l.at != l.end) return fail(&l, "the end behind }");
    if (seen != 7) return fail(&l, "one of descr, fortran_order and shape");
    return count_elements(out, e);
}

/* writing */

int64_t npy_header(char *out, int32_t dtype, int32_t rank, const int64_t *shape)
{
    const NpyKind *kind = npy_kinds;
    while (kind->dtype != (RtDtype)dtype) kind++;
    char *literal = out + 10;
    int at = snprintf(literal, NPY_WRITTEN_MOST, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                      kind->bytes > 1 && dtype != RT_bf16 ? NATIVE : '|', kind->name);
    for (int32_t i = 0; i < rank; i++)
        at += snprintf(literal + at, 32, "%s%" PRId64 "%s", i > 0 ? " " : "", shape[i],
                       i + 1 < rank || rank == 1 ? "," : "");
    at += snprintf(literal + at, 8, "), }");
    while ((10 + at + 1) % NPY_ALIGN != 0) literal[at++] = ' ';
    literal[at++] = '\n';
    memcpy(out, NPY_MARK "\x01", 8);     /* version 1.0: the text's own zero is its second byte */
    out[8] = (char)(at & 255);
    out[9] = (char)(at >> 8);
    return 10 + at;
}

/* elements */

/* A bool must become 0 or 1; the largest of 64 bits without a sign do not fit. */
bool npy_is_plain(const NpyKind *kind)
{
    bool same = rt_dtype_bytes((int32_t)kind->dtype) == kind->bytes;
    return same && kind->dtype != RT_bool && strcmp(kind->name, "u8") != 0;
}

bool npy_widen(const NpyKind *kind, const char *from, char *to)
{
    int64_t bytes = rt_dtype_bytes((int32_t)kind->dtype);
    uint64_t bits = 0;
    if (npy_is_plain(kind)) {
        memcpy(to, from, (size_t)bytes);
        return true;
    }
    for (int i = 0; i < kind->bytes; i++) {
        int place = NATIVE == '<' ? i : kind->bytes - 1 - i;
        bits |= (uint64_t)(unsigned char)from[i] << (8 * place);
    }
    if (kind->dtype == RT_bool) bits = bits != 0;
    if (kind->name[0] == 'i' && kind->bytes == 2) bits = (uint64_t)(int64_t)(int16_t)(uint16_t)bits;
    int32_t word = (int32_t)bits;
    int64_t wide = (int64_t)bits;
    char byte = (char)bits;
    memcpy(to, bytes == 8 ? (void *)&wide : bytes == 4 ? (void *)&word : &byte, (size_t)bytes);
    return bytes < 8 || bits <= INT64_MAX;
}
