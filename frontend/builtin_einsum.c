/* einsum: of any number of operands, written with `...` and letters that only one of them has; the operator takes two
 * and wants neither. */
#include "frontend/builtin.h"

#include <ctype.h>
#include <string.h>

enum { LONGEST_TERM = MAX_RANK + 1 };

/* One operand or the result: its letters, `...` already spelt out. */
typedef struct Term {
    char text[LONGEST_TERM];
    int  count;
} Term;

/* Reads letters and at most one `...`, which stands for `extra` axes named by the last letters of `spare`. */
static const char *read_term(const char *at, const char *spare, int extra, Term *out)
{
    bool dots = false;
    out->count = 0;
    for (;; at++) {
        int add = 0;
        const char *from = at;
        if (*at == ' ') continue;
        if (isalpha((unsigned char)*at)) {
            add = 1;
        } else if (!strncmp(at, "...", 3) && !dots && extra >= 0) {
            dots = true;
            from = spare + strlen(spare) - extra;
            add = extra;
            at += 2;
        } else {
            break;
        }
        if (out->count + add > MAX_RANK) return NULL;
        memcpy(out->text + out->count, from, (size_t)add);
        out->count += add;
    }
    out->text[out->count] = 0;
    return at;
}

static int letter_count(const char *at, const char *end)
{
    int n = 0;
    for (; at < end && *at; at++) n += isalpha((unsigned char)*at) != 0;
    return n;
}

static bool has_dots(const char *at, const char *end)
{
    const char *dots = strstr(at, "...");
    return dots && dots < end;
}

/* As many letters that the equation does not use as a tensor can have axes. */
static void spare_letters(const char *equation, char *out)
{
    int n = 0;
    for (const char *c = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"; *c && n < MAX_RANK; c++)
        if (!strchr(equation, *c)) out[n++] = *c;
    out[n] = 0;
}

/* Sums away the letters that no one else needs. */
static Node *sum_lonely(Elab *e, Node *n, Term *term, const char *needed, Place place)
{
    Attr attr = {0};
    Term kept = { .count = 0 };
    for (int k = 0; k < term->count; k++) {
        if (strchr(needed, term->text[k])) kept.text[kept.count++] = term->text[k];
        else attr.axes |= 1u << k;
    }
    kept.text[kept.count] = 0;
    *term = kept;
    return attr.axes ? elab_node(e, OP_sum, &n, 1, &attr, NULL, place) : n;
}

/* One operand: what is left after the sums, in the order of the result. */
static Node *reorder(Elab *e, Node *n, const Term *term, const Term *result, Place place)
{
    Attr attr = {0};
    bool moves = false;
    for (int k = 0; k < result->count; k++) {
        const char *found = strchr(term->text, result->text[k]);
        attr.map[k] = (int8_t)(found ? found - term->text : -1);
        moves = moves || attr.map[k] != k;
    }
    return moves ? elab_node(e, OP_permute, &n, 1, &attr, NULL, place) : n;
}

/* Why the equation cannot be read, or NULL. */
static const char *wrong_term(Elab *e, const Term *term)
{
    for (int k = 0; k < term->count; k++)
        if (strchr(term->text + k + 1, term->text[k]))
            return arena_print(e->arena, "%c stands twice in the term %s", term->text[k], term->text);
    return NULL;
}

static const char *wrong_operand(Elab *e, const char *from, const char *at, const Term *term, const Node *n)
{
    int length = (int)strcspn(from, ",-");
    if (!at || *at != from[length])
        return arena_print(e->arena, "the term %.*s is not letters with at most one ...", length, from);
    if (term->count == n->type.rank) return wrong_term(e, term);
    return arena_print(e->arena, "the term %.*s has %d letters, and %s has %d axes", length, from,
                       letter_count(from, at), type_text(e->arena, &n->type), n->type.rank);
}

static int comma_count(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == ',';
    return n;
}

/* The operands' terms and the result's; why not, or NULL. */
static const char *read_equation(Elab *e, const char *equation, Node *const *nodes, int count, Term *terms,
                                 Term *result)
{
    char spare[MAX_RANK + 1];
    int widest = 0, given = comma_count(equation) + 1;
    const char *arrow = strstr(equation, "->");
    spare_letters(equation, spare);
    if (!arrow) return "the -> before the letters of the result is missing";
    if (given != count)
        return arena_print(e->arena, "it has %d term%s for %d tensor%s", given, given == 1 ? "" : "s", count,
                           count == 1 ? "" : "s");
    const char *from = equation;
    for (int i = 0; i < count; i++) {
        const char *end = from + strcspn(from, ",-");
        int extra = has_dots(from, end) ? nodes[i]->type.rank - letter_count(from, end) : 0;
        const char *at = extra < 0 ? end : read_term(from, spare, extra, &terms[i]);
        const char *wrong = wrong_operand(e, from, at, &terms[i], nodes[i]);
        if (wrong) return wrong;
        if (extra > widest) widest = extra;
        from = end + 1;
    }
    const char *at = read_term(arrow + 2, spare, widest, result);
    if (!at || *at) return "the result is not letters with at most one ...";
    for (int k = 0; k < result->count; k++) {
        bool found = false;
        for (int i = 0; i < count; i++) found = found || strchr(terms[i].text, result->text[k]);
        if (!found)
            return arena_print(e->arena, "the letter %c of the result is in no term before the ->", result->text[k]);
    }
    return wrong_term(e, result);
}

/* The letters that the terms from `first` on and the result have. */
static const char *needed_from(Elab *e, const Term *terms, int first, int count, const Term *result)
{
    const char *text = result->text;
    for (int i = first; i < count; i++) text = arena_print(e->arena, "%s%s", text, terms[i].text);
    return text;
}

/* What a product of the two must keep. */
static Term joined_letters(const Term *a, const Term *b, const char *needed)
{
    Term out = { .count = 0 };
    for (const Term *t = a; t; t = t == a ? b : NULL)
        for (int k = 0; k < t->count && out.count < MAX_RANK; k++) {
            char c = t->text[k];
            if (strchr(needed, c) && !memchr(out.text, c, (size_t)out.count)) out.text[out.count++] = c;
        }
    out.text[out.count] = 0;
    return out;
}

/* (a b) c …: two at a time from the left, each product without the letters that nothing after it needs. */
static Node *fold_products(Elab *e, Node **nodes, Term *terms, int count, const Term *result, Place place)
{
    Node *left = nodes[0];
    Term term = terms[0];
    for (int i = 1; i < count && left; i++) {
        const char *later = needed_from(e, terms, i + 1, count, result);
        Node *right = sum_lonely(e, nodes[i], &terms[i], arena_print(e->arena, "%s%s", term.text, later), place);
        left = sum_lonely(e, left, &term, arena_print(e->arena, "%s%s", terms[i].text, later), place);
        if (!left || !right) return NULL;
        Term product = i + 1 == count ? *result : joined_letters(&term, &terms[i], later);
        Attr attr = { .text = arena_print(e->arena, "%s,%s->%s", term.text, terms[i].text, product.text) };
        left = elab_node(e, OP_einsum, (Node *[]){ left, right }, 2, &attr, NULL, place);
        term = product;
    }
    return left;
}

Value builtin_einsum(Elab *e, const Value *a, Place place)
{
    enum { MOST_TENSORS = MAX_BUILTIN_PARAMETERS - 1 };
    int count = 0;
    Node *nodes[MOST_TENSORS] = {0};
    Term terms[MOST_TENSORS] = {0}, result = {0};
    if (a[0].kind != VALUE_string)
        return elab_error(e, place, "einsum: the first argument is an equation such as \"ij,jk->ik\"");
    while (count < MOST_TENSORS && a[1 + count].kind != VALUE_none) {
        if (!(nodes[count] = elab_tensor(e, &a[1 + count], place, "einsum"))) return value_error();
        count++;
    }
    const char *wrong = read_equation(e, a[0].text, nodes, count, terms, &result);
    if (wrong) return elab_error(e, place, "einsum \"%s\": %s", a[0].text, wrong);
    Node *n;
    if (count == 1) {
        n = sum_lonely(e, nodes[0], &terms[0], result.text, place);
        if (n) n = reorder(e, n, &terms[0], &result, place);
    } else {
        n = fold_products(e, nodes, terms, count, &result, place);
    }
    return n ? value_tensor(n) : value_error();
}
