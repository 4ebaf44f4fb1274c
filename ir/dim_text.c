/* Dimensions as text in the language's syntax, and back. */
#include "ir/polynomial.h"

#include <ctype.h>
#include <string.h>

/* Writing: positive terms, then negative ones, then the constant: "B*T - S + 1". */

static bool is_plain_symbol(const Dim *d)
{
    return d->count == 1 && d->term[0].coefficient == 1 && d->term[0].monomial->degree == 1 &&
           d->term[0].monomial->factor[0].atom->name;
}

/* "T", "T//2", "(T + 1)//2". */
static const char *atom_text(Arena *arena, const Atom *atom)
{
    if (atom->name) return atom->name;
    const char *inner = dim_text(arena, atom->inner);
    return arena_print(arena, is_plain_symbol(atom->inner) ? "%s//%lld" : "(%s)//%lld", inner,
                       (long long)atom->divisor);
}

static const char *factor_text(Arena *arena, const Factor *factor)
{
    const char *text = atom_text(arena, factor->atom);
    if (!factor->atom->name) text = arena_print(arena, "(%s)", text);
    return factor->power > 1 ? arena_print(arena, "%s^%lld", text, (long long)factor->power) : text;
}

/* The term without its sign. `bare`: a floor that stands alone needs no parentheses here. */
static const char *term_text(Arena *arena, const Term *term, bool bare)
{
    uint64_t size = term->coefficient < 0 ? -(uint64_t)term->coefficient : (uint64_t)term->coefficient;
    const Monomial *m = term->monomial;
    if (!m->count) return arena_print(arena, "%llu", (unsigned long long)size);
    if (m->degree == 1 && size == 1 && bare) return atom_text(arena, m->factor[0].atom);
    const char *text = size == 1 ? "" : arena_print(arena, "%llu", (unsigned long long)size);
    for (int i = 0; i < m->count; i++)
        text = arena_print(arena, "%s%s%s", text, *text ? "*" : "", factor_text(arena, &m->factor[i]));
    return text;
}

static const char *append_term(Arena *arena, const char *text, const Term *term)
{
    bool first = !*text, negative = term->coefficient < 0;
    const char *sign = first ? (negative ? "-" : "") : negative ? " - " : " + ";
    return arena_print(arena, "%s%s%s", text, sign, term_text(arena, term, !(first && negative)));
}

const char *dim_text(Arena *arena, const Dim *d)
{
    if (d->overflow) return "(too large)";
    if (!d->count) return "0";
    const char *text = "";
    const Term *last = &d->term[d->count - 1], *constant = last->monomial->count ? NULL : last;
    for (int i = 0; i < d->count; i++)
        if (d->term[i].coefficient > 0 && &d->term[i] != constant) text = append_term(arena, text, &d->term[i]);
    bool constant_first = !*text && constant && constant->coefficient > 0;
    if (constant_first) text = append_term(arena, text, constant);
    for (int i = 0; i < d->count; i++)
        if (d->term[i].coefficient < 0 && &d->term[i] != constant) text = append_term(arena, text, &d->term[i]);
    if (constant && !constant_first) text = append_term(arena, text, constant);
    return text;
}

/* Reading. Every function returns NULL on an error and leaves the cursor where it stands. */

enum { MAX_DEPTH = 64 };

typedef struct Reader {
    Dims       *dims;
    const char *at;
    int         depth;
} Reader;

static const Dim *read_sum(Reader *r);

static void skip_blanks(Reader *r)
{
    while (*r->at == ' ' || *r->at == '\t') r->at++;
}

static bool accept(Reader *r, const char *token)
{
    skip_blanks(r);
    if (strncmp(r->at, token, strlen(token))) return false;
    r->at += strlen(token);
    return true;
}

static bool read_whole(Reader *r, int64_t *value)
{
    skip_blanks(r);
    if (!isdigit((unsigned char)*r->at)) return false;
    *value = 0;
    for (; isdigit((unsigned char)*r->at); r->at++)
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, *r->at - '0', value))
            return false;
    return true;
}

/* name = letter { letter | digit | "." letter } . */
static const Dim *read_symbol(Reader *r)
{
    enum { LONGEST = 200 };
    char name[LONGEST + 1];
    size_t length = 0;
    const char *at = r->at;
    if (!isalpha((unsigned char)*at) && *at != '_') return NULL;
    while (isalnum((unsigned char)*at) || *at == '_' || (*at == '.' && isalpha((unsigned char)at[1]))) {
        if (length == LONGEST) return NULL;
        name[length++] = *at++;
    }
    name[length] = 0;
    r->at = at;
    return dim_symbol(r->dims, name, -1);
}

/* atom = INT | name | "(" sum ")" . */
static const Dim *read_atom(Reader *r)
{
    int64_t value;
    skip_blanks(r);
    if (isdigit((unsigned char)*r->at)) return read_whole(r, &value) ? dim_int(r->dims, value) : NULL;
    if (!accept(r, "(")) return read_symbol(r);
    if (r->depth == MAX_DEPTH) return NULL;
    r->depth++;
    const Dim *inner = read_sum(r);
    r->depth--;
    return inner && accept(r, ")") ? inner : NULL;
}

/* power = atom [ "^" INT ] . */
static const Dim *read_power(Reader *r)
{
    const Dim *base = read_atom(r), *product = base;
    int64_t power;
    if (!base || !accept(r, "^")) return base;
    if (!read_whole(r, &power) || power < 1 || power > 64) return NULL;
    while (--power) product = dim_mul(r->dims, product, base);
    return product;
}

/* factor = [ "-" ] power . */
static const Dim *read_factor(Reader *r)
{
    if (!accept(r, "-")) return read_power(r);
    const Dim *power = read_power(r);
    return power ? dim_sub(r->dims, dim_int(r->dims, 0), power) : NULL;
}

/* product = factor { "*" factor | "//" factor } . */
static const Dim *read_product(Reader *r)
{
    const Dim *left = read_factor(r);
    while (left) {
        bool divide = accept(r, "//");
        if (!divide && !accept(r, "*")) return left;
        const Dim *right = read_factor(r);
        int64_t divisor;
        if (!right || (divide && (!dim_is_int(right, &divisor) || divisor < 1))) return NULL;
        left = divide ? dim_floordiv(r->dims, left, divisor) : dim_mul(r->dims, left, right);
    }
    return NULL;
}

/* sum = product { ( "+" | "-" ) product } . */
static const Dim *read_sum(Reader *r)
{
    const Dim *left = read_product(r);
    while (left) {
        bool minus = accept(r, "-");
        if (!minus && !accept(r, "+")) return left;
        const Dim *right = read_product(r);
        if (!right) return NULL;
        left = minus ? dim_sub(r->dims, left, right) : dim_add(r->dims, left, right);
    }
    return NULL;
}

const Dim *dim_read(Dims *t, const char **cursor)
{
    Reader r = {t, *cursor, 0};
    const Dim *d = read_sum(&r);
    *cursor = r.at;
    return d && !dim_is_overflow(d) ? d : NULL;
}
