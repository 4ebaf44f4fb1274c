/* Tokens and comments of a file, and which of them want no space between them. The scanner drops comments; they are
 * found again in the gaps between its tokens. */
#include "frontend/pieces.h"
#include "ir/base/utf8.h"
#include "ir/graph.h"

#include <string.h>

/* reading */

typedef struct Reading {
    Arena  *arena;
    Parser *parser;
    Pieces  pieces;
    const char *line, *end;              /* the current line; behind the latest token */
    int     open;                        /* ( and [ */
    int     last;                        /* the kind of the latest token */
    bool    boundary;                    /* what comes next begins a statement */
} Reading;

static int columns(const char *text, int length)
{
    int width = 0;
    for (int i = 0; i < length; width++) {
        size_t bytes = utf8_character(text + i, (size_t)(length - i));
        i += bytes ? (int)bytes : 1;
    }
    return width;
}

static void add(Reading *r, int kind, const char *text, int length)
{
    Piece piece = { .kind = kind, .text = text, .length = length, .width = columns(text, length), .parent = -1,
                    .partner = -1, .line = r->parser->line, .column = (uint32_t)(text - r->line) + 1,
                    .first = r->boundary && kind != '}' };
    vec_push(r->arena, &r->pieces, piece);
}

/* The comment in front of a line's end, if there is one. */
static void add_comment(Reading *r, uint32_t line, const char *stop)
{
    const char *from = r->end + strspn(r->end, " \t\r\f");
    if (from >= stop || *from != '#') return;
    while (strchr(" \t\r\f", stop[-1])) stop--;
    add(r, PIECE_comment, from, (int)(stop - from));
    r->pieces.at[r->pieces.count - 1].line = line;
}

static void add_token(Reading *r, const Token *t)
{
    const char *text = r->line + t->place.column - 1;
    r->end = text + t->place.length;
    if (t->kind == ';' && !r->open) {
        r->boundary = true;
        return;
    }
    add(r, t->kind, text, (int)t->place.length);
    r->boundary = t->kind == '{';
    r->open += (t->kind == '(' || t->kind == '[') - (t->kind == ')' || t->kind == ']');
    r->last = t->kind;
}

static Pieces read_tokens(Arena *arena, const Source *source)
{
    Parser *p = arena_new_of(arena, Parser);
    p->arena = arena;
    p->source = source;
    p->d = diag_new(arena);
    scan_begin(p);
    Reading r = { .arena = arena, .parser = p, .line = source->text, .end = source->text + p->column - 1,
                  .boundary = true };
    for (;;) {
        Token t;
        int kind = scan_token(&t, p);
        if (kind != 0 && kind != T_NL) {
            add_token(&r, &t);
            continue;
        }
        const char *stop = r.line + t.place.column - 1;
        add_comment(&r, t.place.line, stop);
        if (kind == 0) break;
        r.line = r.end = stop + 1;
        if (!r.open && layout_ends_statement(r.last)) r.boundary = true;
    }
    scan_end(p);
    return r.pieces;
}

/* roles */

static bool names_type(const Piece *name)
{
    for (int i = 0; i <= DT_COUNT; i++) {
        const char *type = i < DT_COUNT ? dtype_name((DType)i) : "text";
        if (name->kind == T_NAME && strlen(type) == (size_t)name->length &&
            !memcmp(type, name->text, (size_t)name->length))
            return true;
    }
    return false;
}

/* The token before or behind i, comments left out; NULL at the end. step: -1 or 1. */
static const Piece *neighbour(const Pieces *p, int i, int step)
{
    for (i += step; i >= 0 && i < p->count; i += step)
        if (p->at[i].kind != PIECE_comment) return &p->at[i];
    return NULL;
}

static bool operand_before(const Pieces *p, int i)
{
    const Piece *left = neighbour(p, i, -1);
    return left && !p->at[i].first && layout_ends_statement(left->kind) && left->kind != '}' && !left->setting;
}

/* A name in front of arguments, at the start of a line of a block. */
static bool begins_setting(const Pieces *p, int i)
{
    const Piece *name = &p->at[i], *next = neighbour(p, i, 1);
    if (name->kind != T_NAME || !name->first || !next || next->first) return false;
    if (name->parent >= 0 && p->at[name->parent].role == ROLE_body) return false;
    const Piece *behind = neighbour(p, (int)(next - p->at), 1);
    if (next->kind == T_NAME && behind && behind->kind == '{') return false;
    return next->kind != '=' && next->kind != ',' && next->kind != '{';
}

static Role role_of(const Pieces *p, int i, bool in_fn)
{
    const Piece *t = &p->at[i];
    bool operand = operand_before(p, i);
    if (t->kind == '(') return operand ? ROLE_call : ROLE_group;
    if (t->kind == '[') return !operand ? ROLE_list : names_type(neighbour(p, i, -1)) ? ROLE_type : ROLE_index;
    return in_fn || (t->parent >= 0 && p->at[t->parent].role == ROLE_body) ? ROLE_body : ROLE_block;
}

/* Lines are best broken outside of subscripts and types. */
static int nesting_inside(const Piece *open)
{
    return open->nesting + (open->role == ROLE_index || open->role == ROLE_type ? 5 : 1);
}

static void note_setting(Pieces *p, int i)
{
    Piece *word = &p->at[i];
    word->setting = true;
    if (word->parent >= 0 && word->width > p->at[word->parent].longest) p->at[word->parent].longest = word->width;
}

static void find_roles(Pieces *p)
{
    int stack[BRACKET_LIMIT + 1], depth = 0;
    bool in_fn = false;
    for (int i = 0; i < p->count; i++) {
        Piece *t = &p->at[i];
        if (t->kind == ')' || t->kind == ']' || t->kind == '}') {
            t->partner = stack[--depth];
            p->at[t->partner].partner = i;
        }
        t->parent = depth ? stack[depth - 1] : -1;
        t->nesting = depth ? nesting_inside(&p->at[t->parent]) : 0;
        if (t->first && t->kind != PIECE_comment) in_fn = t->kind == T_FN || t->kind == T_MODULE;
        if (begins_setting(p, i)) note_setting(p, i);
        if (t->kind != '(' && t->kind != '[' && t->kind != '{') continue;
        t->role = role_of(p, i, in_fn);
        stack[depth++] = i;
    }
}

/* spaces */

static bool product(int kind)
{
    return kind == '*' || kind == '/' || kind == '%' || kind == T_FLOOR_DIV;
}

static bool arithmetic(int kind)
{
    return product(kind) || kind == '+' || kind == '-';
}

static bool single(const Piece *t)
{
    return t->kind == T_NAME || t->kind == T_INT || t->kind == T_FLOAT;
}

/* In subscripts and types, sums and products are tight. */
static bool cramped(const Pieces *p, int i)
{
    int around = p->at[i].parent;
    while (around >= 0 && p->at[around].role == ROLE_group) around = p->at[around].parent;
    return around >= 0 && (p->at[around].role == ROLE_index || p->at[around].role == ROLE_type);
}

/* Is this a product of two words or numbers that its author wrote without spaces, as in `0.02 / (2*layers)^0.5`? Not
 * where that would look as if it bound more strongly than what is on its left: `a / b*c`. */
static bool tight_product(const Pieces *p, int i)
{
    const Piece *t = &p->at[i], *left = t - 1, *right = t + 1;
    if (!product(t->kind) || i == 0 || i + 1 == p->count || !single(left) || !single(right)) return false;
    const Piece *before = i > 1 ? left - 1 : NULL;
    if (before && before->binary && (product(before->kind) || before->kind == '@') && !before->hugs_left) return false;
    return left->text + left->length == t->text && t->text + t->length == right->text;
}

/* Operands of a range are tight, since it binds most weakly: `0..n-1`. step: -1 or 1. */
static void tighten_operand(Pieces *p, int i, int step)
{
    for (int k = i + step; k >= 0 && k < p->count; k += step) {
        Piece *t = &p->at[k];
        bool far = step < 0 ? t->kind == ')' || t->kind == ']' : t->kind == '(' || t->kind == '[';
        bool part = far || arithmetic(t->kind) || t->kind == '^' || t->kind == '.' || t->kind == '@' ||
                    (layout_ends_statement(t->kind) && t->kind != ')' && t->kind != ']' && t->kind != '}');
        if (!part || (step > 0 && t->first)) return;
        if (t->binary && arithmetic(t->kind)) t->hugs_left = t->hugs_right = true;
        if (step < 0 && t->first) return;
        if (far) k = t->partner;
    }
}

static void find_binary(Pieces *p)
{
    for (int i = 0; i < p->count; i++) {
        Piece *t = &p->at[i];
        switch (t->kind) {
        case T_DOTS: case T_OR: case T_AND: case '<': case '>': case T_LE: case T_GE: case T_EQ: case T_NE: case '+':
        case '-': case '*': case '/': case T_FLOOR_DIV: case '%': case '@': case '^':
            t->binary = operand_before(p, i);
        }
    }
}

static void hug(Piece *t, bool left, bool right)
{
    t->hugs_left |= left;
    t->hugs_right |= right;
}

static void find_spaces(Pieces *p)
{
    for (int i = 0; i < p->count; i++) {
        Piece *t = &p->at[i];
        bool slice = t->kind == ':' && t->parent >= 0 && p->at[t->parent].role == ROLE_index;
        switch (t->kind) {
        case '(': case '[': hug(t, t->role == ROLE_call || t->role == ROLE_index || t->role == ROLE_type, true); break;
        case ')': case ']': case ',': case ';': hug(t, true, false); break;
        case ':': hug(t, true, slice); break;
        case '.': case '^': hug(t, true, true); break;
        case T_DOTS: hug(t, t->binary, true); break;
        case '-': hug(t, false, !t->binary); break;
        }
        if (t->binary && arithmetic(t->kind) && (cramped(p, i) || tight_product(p, i))) hug(t, true, true);
        if (t->binary && t->kind == T_DOTS) tighten_operand(p, i, -1);
        if (t->binary && t->kind == T_DOTS) tighten_operand(p, i, 1);
    }
}

Pieces pieces_read(Arena *arena, const Source *source)
{
    Pieces pieces = read_tokens(arena, source);
    find_roles(&pieces);
    find_binary(&pieces);
    find_spaces(&pieces);
    return pieces;
}
