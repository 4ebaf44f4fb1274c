/* einsum: written with `...` and letters that only one operand has; the operator wants neither. */
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

/* Sums away the letters that neither the result nor the other operand has. */
static Node *sum_lonely(Elab *e, Node *n, Term *term, const char *other, const char *result, Place place)
{
    Attr attr = {0};
    Term kept = { .count = 0 };
    for (int k = 0; k < term->count; k++) {
        bool used = strchr(other, term->text[k]) || strchr(result, term->text[k]);
        if (used) kept.text[kept.count++] = term->text[k];
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
    if (term->count != result->count) {
        elab_error(e, place, "einsum: the result %s has letters that the operand lacks", result->text);
        return NULL;
    }
    for (int k = 0; k < result->count; k++) {
        const char *found = strchr(term->text, result->text[k]);
        attr.map[k] = (int8_t)(found ? found - term->text : -1);
        moves = moves || attr.map[k] != k;
    }
    return moves ? elab_node(e, OP_permute, &n, 1, &attr, NULL, place) : n;
}

static Value malformed(Elab *e, const char *equation, Place place)
{
    return elab_error(e, place, "einsum: \"%s\" should read like \"ij,jk->ik\", with at most one ... in a term",
                      equation);
}

/* The operands' terms and the result's. */
static bool read_equation(const char *equation, Node *const *nodes, int count, Term *terms, Term *result)
{
    char spare[MAX_RANK + 1];
    int widest = 0;
    spare_letters(equation, spare);
    const char *at = equation;
    for (int i = 0; i < count; i++) {
        const char *end = at + strcspn(at, ",-");
        int extra = has_dots(at, end) ? nodes[i]->type.rank - letter_count(at, end) : 0;
        if (extra < 0 || !(at = read_term(at, spare, extra, &terms[i]))) return false;
        if (extra > widest) widest = extra;
        if (terms[i].count != nodes[i]->type.rank || at != end || *at != (i + 1 < count ? ',' : '-')) return false;
        at++;
    }
    if (*at++ != '>') return false;
    at = read_term(at, spare, widest, result);
    return at && !*at;
}

Value builtin_einsum(Elab *e, const Value *a, Place place)
{
    int count = a[2].kind == VALUE_none ? 1 : 2;
    Node *nodes[2];
    Term terms[2], result;
    if (a[0].kind != VALUE_string)
        return elab_error(e, place, "einsum: the first argument is an equation such as \"ij,jk->ik\"");
    for (int i = 0; i < count; i++)
        if (!(nodes[i] = elab_tensor(e, &a[1 + i], place, "einsum"))) return value_error();
    if (!read_equation(a[0].text, nodes, count, terms, &result)) return malformed(e, a[0].text, place);
    nodes[0] = sum_lonely(e, nodes[0], &terms[0], count == 2 ? terms[1].text : "", result.text, place);
    if (nodes[0] && count == 2) nodes[1] = sum_lonely(e, nodes[1], &terms[1], terms[0].text, result.text, place);
    if (!nodes[0] || !nodes[count - 1]) return value_error();
    Node *n;
    if (count == 1) {
        n = reorder(e, nodes[0], &terms[0], &result, place);
    } else {
        Attr attr = { .text = arena_print(e->arena, "%s,%s->%s", terms[0].text, terms[1].text, result.text) };
        n = elab_node(e, OP_einsum, nodes, 2, &attr, NULL, place);
    }
    return n ? value_tensor(n) : value_error();
}
