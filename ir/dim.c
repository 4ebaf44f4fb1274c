/* The arithmetic of dimensions. A result is collected as sorted terms in a Poly on the stack and then looked up, so
 * every distinct polynomial, monomial and floor exists once. */
#include "ir/polynomial.h"

#include <assert.h>
#include <string.h>

enum { MAX_TERMS = 128, MAX_DEGREE = 32 };

struct Dims {
    Arena *arena;
    Map   *symbols;                      /* name -> Atom, in order of first mention */
    Map   *floors;                       /* {inner, divisor} -> Atom */
    Map   *monomials;                    /* factors -> Monomial */
    Map   *dims;                         /* terms -> Dim */
    const Monomial *one;
    const Dim *overflow;
};

typedef struct Poly {
    bool overflow;
    int  count;
    Term term[MAX_TERMS];
} Poly;

static const Monomial *monomial_of(Dims *t, const Factor *factors, int count)
{
    size_t size = sizeof(Factor) * (size_t)count;
    Monomial *found = map_get_bytes(t->monomials, factors, size);
    if (found) return found;
    found = arena_alloc(t->arena, sizeof(Monomial) + size);
    found->count = count;
    for (int i = 0; i < count; i++) found->degree += (int)factors[i].power;
    if (count) memcpy(found->factor, factors, size);
    map_set_bytes(t->monomials, factors, size, found);
    return found;
}

static const Dim *dim_of(Dims *t, const Poly *p)
{
    if (p->overflow) return t->overflow;
    size_t size = sizeof(Term) * (size_t)p->count;
    Dim *found = map_get_bytes(t->dims, p->term, size);
    if (found) return found;
    found = arena_alloc(t->arena, sizeof(Dim) + size);
    found->count = p->count;
    memcpy(found->term, p->term, size);
    map_set_bytes(t->dims, p->term, size, found);
    return found;
}

Dims *dims_new(Arena *arena)
{
    Dims *t = arena_new_of(arena, Dims);
    t->arena = arena;
    t->symbols = map_new(arena);
    t->floors = map_new(arena);
    t->monomials = map_new(arena);
    t->dims = map_new(arena);
    Factor none[1] = {{0}};
    t->one = monomial_of(t, none, 0);
    Dim *overflow = arena_new_of(arena, Dim);
    overflow->overflow = true;
    t->overflow = overflow;
    return t;
}

/* The order of atoms, monomials and dimensions depends on their text alone, so it is the same in every table. */

static int compare_dims(const Dim *a, const Dim *b);

static int compare_atoms(const Atom *a, const Atom *b)
{
    if (a == b) return 0;
    if (!a->name != !b->name) return a->name ? -1 : 1;
    if (a->name) return strcmp(a->name, b->name);
    if (a->divisor != b->divisor) return a->divisor < b->divisor ? -1 : 1;
    return compare_dims(a->inner, b->inner);
}

/* Negative when a stands before b: a higher degree, or more of the first atom in which they differ. */
static int compare_monomials(const Monomial *a, const Monomial *b)
{
    if (a == b) return 0;
    if (a->degree != b->degree) return b->degree - a->degree;
    for (int i = 0; i < a->count && i < b->count; i++) {
        int atoms = compare_atoms(a->factor[i].atom, b->factor[i].atom);
        if (atoms) return atoms;
        if (a->factor[i].power != b->factor[i].power) return a->factor[i].power > b->factor[i].power ? -1 : 1;
    }
    return b->count - a->count;
}

static int compare_dims(const Dim *a, const Dim *b)
{
    for (int i = 0; i < a->count && i < b->count; i++) {
        int monomials = compare_monomials(a->term[i].monomial, b->term[i].monomial);
        if (monomials) return monomials;
        if (a->term[i].coefficient != b->term[i].coefficient)
            return a->term[i].coefficient < b->term[i].coefficient ? -1 : 1;
    }
    return a->count - b->count;
}

static void poly_remove(Poly *p, int at)
{
    memmove(&p->term[at], &p->term[at + 1], sizeof(Term) * (size_t)(p->count - at - 1));
    p->count--;
}

static void poly_add(Poly *p, int64_t coefficient, const Monomial *monomial)
{
    if (!coefficient || p->overflow) return;
    int at = 0;
    while (at < p->count && compare_monomials(p->term[at].monomial, monomial) < 0) at++;
    if (at < p->count && p->term[at].monomial == monomial) {
        int64_t *sum = &p->term[at].coefficient;
        if (__builtin_add_overflow(*sum, coefficient, sum)) {
            p->overflow = true;
        } else if (!*sum) {
            poly_remove(p, at);
        }
        return;
    }
    if (p->count == MAX_TERMS) {
        p->overflow = true;
        return;
    }
    memmove(&p->term[at + 1], &p->term[at], sizeof(Term) * (size_t)(p->count - at));
    p->term[at] = (Term){coefficient, monomial};
    p->count++;
}

static void poly_add_dim(Poly *p, const Dim *d)
{
    if (d->overflow) p->overflow = true;
    for (int i = 0; i < d->count; i++) poly_add(p, d->term[i].coefficient, d->term[i].monomial);
}

static void poly_add_product(Poly *p, int64_t a, int64_t b, const Monomial *monomial)
{
    int64_t product;
    if (!monomial || __builtin_mul_overflow(a, b, &product)) {
        p->overflow = true;
        return;
    }
    poly_add(p, product, monomial);
}

/* NULL when the degree grows too large. */
static const Monomial *multiply_monomials(Dims *t, const Monomial *a, const Monomial *b)
{
    if (a == t->one) return b;
    if (b == t->one) return a;
    if (a->degree + b->degree > MAX_DEGREE) return NULL;
    Factor product[MAX_DEGREE];
    int count = 0, i = 0, k = 0;
    while (i < a->count || k < b->count) {
        int order = i == a->count ? 1 : k == b->count ? -1 : compare_atoms(a->factor[i].atom, b->factor[k].atom);
        Factor next = order <= 0 ? a->factor[i++] : b->factor[k++];
        if (!order) next.power += b->factor[k++].power;
        product[count++] = next;
    }
    return monomial_of(t, product, count);
}

/* a / b, or NULL when b is no divisor of a. */
static const Monomial *divide_monomials(Dims *t, const Monomial *a, const Monomial *b)
{
    Factor quotient[MAX_DEGREE];
    int count = 0, k = 0;
    for (int i = 0; i < a->count; i++) {
        Factor left = a->factor[i];
        if (k < b->count && b->factor[k].atom == left.atom) left.power -= b->factor[k++].power;
        if (left.power < 0) return NULL;
        if (left.power) quotient[count++] = left;
    }
    return k < b->count ? NULL : monomial_of(t, quotient, count);
}

static const Dim *dim_of_atom(Dims *t, const Atom *atom)
{
    Factor factor = {atom, 1};
    Poly p = {.count = 1};
    p.term[0] = (Term){1, monomial_of(t, &factor, 1)};
    return dim_of(t, &p);
}

const Dim *dim_int(Dims *t, int64_t value)
{
    Poly p = {.count = value != 0};
    p.term[0] = (Term){value, t->one};
    return dim_of(t, &p);
}

static Atom *symbol_of(Dims *t, const char *name)
{
    Atom *atom = map_get(t->symbols, name);
    if (atom) return atom;
    atom = arena_new_of(t->arena, Atom);
    atom->name = arena_copy_text(t->arena, name, strlen(name));
    atom->value = -1;
    map_set(t->symbols, name, atom);
    return atom;
}

const Dim *dim_symbol(Dims *t, const char *name, int64_t value)
{
    Atom *atom = symbol_of(t, name);
    assert(value < 0 || atom->value < 0 || atom->value == value);
    if (value >= 0) atom->value = value;
    return dim_of_atom(t, atom);
}

const Dim *dim_counted(Dims *t, const char *name, const Dim *bound)
{
    Atom *atom = symbol_of(t, name);
    assert(!atom->bound || atom->bound == bound);
    atom->bound = bound;
    return dim_of_atom(t, atom);
}

void dim_set_value(Dims *t, const char *symbol, int64_t value) { symbol_of(t, symbol)->value = value; }

const Dim *dim_add(Dims *t, const Dim *a, const Dim *b)
{
    Poly p = {0};
    poly_add_dim(&p, a);
    poly_add_dim(&p, b);
    return dim_of(t, &p);
}

const Dim *dim_mul(Dims *t, const Dim *a, const Dim *b)
{
    Poly p = {.overflow = a->overflow || b->overflow};
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < b->count && !p.overflow; k++)
            poly_add_product(&p, a->term[i].coefficient, b->term[k].coefficient,
                             multiply_monomials(t, a->term[i].monomial, b->term[k].monomial));
    return dim_of(t, &p);
}

const Dim *dim_sub(Dims *t, const Dim *a, const Dim *b) { return dim_add(t, a, dim_mul(t, b, dim_int(t, -1))); }

static const Atom *floor_of(Dims *t, const Dim *inner, int64_t divisor)
{
    struct { const Dim *inner; int64_t divisor; } key = {inner, divisor};
    Atom *atom = map_get_bytes(t->floors, &key, sizeof key);
    if (atom) return atom;
    atom = arena_new_of(t->arena, Atom);
    atom->value = -1;
    atom->inner = inner;
    atom->divisor = divisor;
    map_set_bytes(t->floors, &key, sizeof key, atom);
    return atom;
}

static int64_t floor_divide(int64_t a, int64_t k) { return a / k - (a % k < 0); }

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* floor(rest / k) where every coefficient of `rest` lies in 1 .. k-1. With g the common divisor of k and the
 * coefficients but the constant c, floor((g*p + c) / (g*k)) = floor((p + floor(c/g)) / k); and
 * floor((floor(p/j) + c) / k) = floor((p + j*c) / (j*k)). */
static const Dim *floor_of_rest(Dims *t, const Poly *rest, int64_t k)
{
    int64_t common = k, constant = 0;
    for (int i = 0; i < rest->count; i++) {
        if (rest->term[i].monomial == t->one) {
            constant = rest->term[i].coefficient;
        } else {
            common = common_divisor(common, rest->term[i].coefficient);
        }
    }
    Poly reduced = {0};
    for (int i = 0; i < rest->count; i++)
        poly_add(&reduced, rest->term[i].coefficient / common, rest->term[i].monomial);
    k /= common;
    constant /= common;
    if (k == 1 || !reduced.count) return dim_of(t, &reduced);
    const Term *first = &reduced.term[0];
    const Atom *only = first->monomial->degree == 1 ? first->monomial->factor[0].atom : NULL;
    bool alone = reduced.count == 1 || (reduced.count == 2 && constant);
    int64_t product;
    if (only && !only->name && alone && first->coefficient == 1 &&
        !__builtin_mul_overflow(only->divisor, k, &product)) {
        const Dim *shift = dim_mul(t, dim_int(t, only->divisor), dim_int(t, constant));
        return dim_floordiv(t, dim_add(t, only->inner, shift), product);
    }
    return dim_of_atom(t, floor_of(t, dim_of(t, &reduced), k));
}

const Dim *dim_floordiv(Dims *t, const Dim *a, int64_t k)
{
    assert(k > 0);
    if (a->overflow || k == 1) return a;
    Poly whole = {0}, rest = {0};
    for (int i = 0; i < a->count; i++) {
        int64_t left = a->term[i].coefficient % k;           /* quotient * k may lie below all integers */
        poly_add(&whole, floor_divide(a->term[i].coefficient, k), a->term[i].monomial);
        poly_add(&rest, left < 0 ? left + k : left, a->term[i].monomial);
    }
    const Dim *quotient = dim_of(t, &whole);
    return rest.count ? dim_add(t, quotient, floor_of_rest(t, &rest, k)) : quotient;
}

/* Long division by the leading terms: exact over the integers whenever b divides a. */
const Dim *dim_divide(Dims *t, const Dim *a, const Dim *b)
{
    enum { MAX_STEPS = 4 * MAX_TERMS };
    if (a->overflow || b->overflow || !b->count) return NULL;
    Poly quotient = {0}, rest = {0};
    poly_add_dim(&rest, a);
    for (int step = 0; rest.count && step < MAX_STEPS; step++) {
        Term lead = rest.term[0], by = b->term[0];
        if (by.coefficient == -1 && lead.coefficient == INT64_MIN) return NULL;
        if (lead.coefficient % by.coefficient) return NULL;
        int64_t coefficient = lead.coefficient / by.coefficient;
        const Monomial *monomial = divide_monomials(t, lead.monomial, by.monomial);
        if (!monomial || coefficient == INT64_MIN) return NULL;
        poly_add(&quotient, coefficient, monomial);
        for (int i = 0; i < b->count; i++)
            poly_add_product(&rest, b->term[i].coefficient, -coefficient,
                             multiply_monomials(t, b->term[i].monomial, monomial));
        if (rest.overflow || quotient.overflow) return NULL;
    }
    return rest.count ? NULL : dim_of(t, &quotient);
}

static bool monomial_mentions(const Monomial *m, const char *symbol)
{
    for (int i = 0; i < m->count; i++) {
        const Atom *atom = m->factor[i].atom;
        if (atom->name ? !strcmp(atom->name, symbol) : dim_mentions(atom->inner, symbol)) return true;
    }
    return false;
}

bool dim_mentions(const Dim *d, const char *symbol)
{
    for (int i = 0; i < d->count; i++)
        if (monomial_mentions(d->term[i].monomial, symbol)) return true;
    return false;
}

const Dim *dim_solve(Dims *t, const Dim *form, const char *symbol, const Dim *actual)
{
    const Dim *unknown = dim_of_atom(t, symbol_of(t, symbol));
    Poly slope = {.overflow = form->overflow}, rest = {0};
    for (int i = 0; i < form->count; i++) {
        const Term *term = &form->term[i];
        if (!monomial_mentions(term->monomial, symbol)) {
            poly_add(&rest, term->coefficient, term->monomial);
            continue;
        }
        const Monomial *others = divide_monomials(t, term->monomial, unknown->term[0].monomial);
        if (!others || monomial_mentions(others, symbol)) return NULL;
        poly_add(&slope, term->coefficient, others);
    }
    return dim_divide(t, dim_sub(t, actual, dim_of(t, &rest)), dim_of(t, &slope));
}

static const Dim *substitute_atom(Dims *t, const Atom *atom, const char *symbol, const Dim *by)
{
    if (atom->name) return strcmp(atom->name, symbol) ? dim_of_atom(t, atom) : by;
    return dim_floordiv(t, dim_substitute(t, atom->inner, symbol, by), atom->divisor);
}

const Dim *dim_substitute(Dims *t, const Dim *d, const char *symbol, const Dim *by)
{
    if (!dim_mentions(d, symbol)) return d;
    const Dim *sum = dim_int(t, 0);
    for (int i = 0; i < d->count; i++) {
        const Dim *product = dim_int(t, d->term[i].coefficient);
        const Monomial *m = d->term[i].monomial;
        for (int k = 0; k < m->count; k++) {
            const Dim *atom = substitute_atom(t, m->factor[k].atom, symbol, by);
            for (int64_t power = 0; power < m->factor[k].power; power++) product = dim_mul(t, product, atom);
        }
        sum = dim_add(t, sum, product);
    }
    return sum;
}

bool dim_is_int(const Dim *d, int64_t *value)
{
    if (d->overflow || d->count > 1 || (d->count && d->term[0].monomial->count)) return false;
    *value = d->count ? d->term[0].coefficient : 0;
    return true;
}

bool dim_is(const Dim *d, int64_t value)
{
    int64_t found;
    return dim_is_int(d, &found) && found == value;
}

bool dim_is_overflow(const Dim *d) { return d->overflow; }

DimKind dim_kind(const Dim *d)
{
    for (int i = 0; i < d->count; i++) {
        const Monomial *m = d->term[i].monomial;
        for (int k = 0; k < m->count; k++) {
            const Atom *atom = m->factor[k].atom;
            if (atom->bound || (atom->inner && dim_kind(atom->inner) == DIM_counted)) return DIM_counted;
        }
    }
    return DIM_fixed;
}

static bool evaluate_atom(const Atom *atom, int64_t *value)
{
    if (atom->bound) return dim_evaluate(atom->bound, value);
    if (atom->name) return (*value = atom->value) >= 0;
    if (!dim_evaluate(atom->inner, value)) return false;
    *value = floor_divide(*value, atom->divisor);
    return true;
}

bool dim_evaluate(const Dim *d, int64_t *value)
{
    int64_t sum = 0;
    if (d->overflow) return false;
    for (int i = 0; i < d->count; i++) {
        int64_t product = d->term[i].coefficient, atom;
        const Monomial *m = d->term[i].monomial;
        for (int k = 0; k < m->count; k++) {
            if (!evaluate_atom(m->factor[k].atom, &atom)) return false;
            for (int64_t power = 0; power < m->factor[k].power; power++)
                if (__builtin_mul_overflow(product, atom, &product)) return false;
        }
        if (__builtin_add_overflow(sum, product, &sum)) return false;
    }
    *value = sum;
    return true;
}

int64_t dim_value(const Dim *d)
{
    int64_t value;
    return dim_evaluate(d, &value) ? value : -1;
}

int dims_symbol_count(const Dims *t) { return map_count(t->symbols); }

const char *dims_symbol_name(const Dims *t, int i) { return map_key(t->symbols, i); }

int64_t dims_symbol_value(const Dims *t, int i) { return ((const Atom *)map_value(t->symbols, i))->value; }

const Dim *dims_symbol_bound(const Dims *t, int i) { return ((const Atom *)map_value(t->symbols, i))->bound; }
