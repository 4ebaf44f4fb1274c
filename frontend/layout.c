/* From the scanner's tokens to the grammar's. A newline ends a statement only outside ( and [ and after a token that
 * can end one; `;` outside brackets is such a newline. A file that leaves brackets open gets them closed here, after
 * one message, so that the functions below it are still read. */
#include "frontend/layout.h"

#include <string.h>

const Bracket *layout_open_bracket(const Parser *p)
{
    return p->depth > 0 ? &p->brackets[p->depth - 1] : NULL;
}

static bool in_parentheses(const Parser *p)
{
    const Bracket *open = layout_open_bracket(p);
    return open && open->open != '{';
}

static char closer_of(char open)
{
    return open == '(' ? ')' : open == '[' ? ']' : '}';
}

static void drop_parentheses(Parser *p)
{
    while (in_parentheses(p))
        p->depth--;
}

static void push_bracket(Parser *p, const Token *t)
{
    if (p->depth == BRACKET_LIMIT) {
        complain(p, t->place, "brackets nest more than %d deep", BRACKET_LIMIT);
        p->stopped = true;
        return;
    }
    if (t->kind == '{') {
        drop_parentheses(p);                                 /* no expression holds a brace */
        p->in_header = false;
    }
    p->brackets[p->depth++] = (Bracket){ (char)t->kind, t->place, p->indent };
}

/* Closes the nearest bracket of this kind. One of ( [ does not reach over an open {. */
static void pop_bracket(Parser *p, char open, const Token *t)
{
    if (t->kind == '}')
        p->passed_over = in_parentheses(p) ? layout_open_bracket(p)->place : (Place){ 0 };
    for (int i = p->depth - 1; i >= 0; i--) {
        if (p->brackets[i].open == open) {
            if (t->kind == '}' && t->first_on_line && t->place.column < p->brackets[i].indent && p->doubtful.line == 0)
                p->doubtful = p->brackets[i].place;
            p->depth = i;
            return;
        }
        if (open != '{' && p->brackets[i].open == '{')
            return;
    }
}

bool layout_ends_statement(int kind)
{
    switch (kind) {
    case T_NAME: case T_INT: case T_FLOAT: case T_STRING: case T_TRUE: case T_FALSE: case T_NONE:
    case ')': case ']': case '}':
        return true;
    }
    return false;
}

/* Words that stand only at the start of a statement. */
static bool begins_statement(int kind)
{
    switch (kind) {
    case T_IMPORT: case T_FN: case T_MODULE: case T_PARAM: case T_STATE: case T_CONST:
    case T_UPDATE: case T_RESET: case T_EMIT: case T_RETURN: case T_FOR: case T_IF:
        return true;
    }
    return false;
}

static void enqueue(Parser *p, Token t)
{
    if (p->pending_count == 0)
        p->pending_first = 0;
    p->pending[p->pending_first + p->pending_count++] = t;
}

static Token behind(const Parser *p, int kind, bool invented)
{
    Place place = p->last_place;
    place.column += place.length;
    place.length = 1;
    return (Token){ .kind = kind, .place = place, .invented = invented };
}

/* All open brackets get their closing one, then a new line, then t. */
static void close_everything(Parser *p, Token t)
{
    while (p->depth > 0)
        enqueue(p, behind(p, closer_of(p->brackets[--p->depth].open), true));
    enqueue(p, behind(p, T_NL, true));
    enqueue(p, t);
}

/* The file ends, or a fn begins, inside brackets. */
static void report_unclosed(Parser *p, const Token *t)
{
    const Bracket *open = layout_open_bracket(p);
    Place place = open->open == '{' && p->doubtful.line ? p->doubtful : open->place;
    p->doubtful.line = 0;
    if (p->skipping || p->brace_missed)
        return;
    if (t->kind == 0)
        complain(p, place, "this `%c` is never closed", open->open);
    else
        complain(p, place, "this `%c` is not closed before the next `%s`, in line %u", open->open,
                 t->kind == T_FN ? "fn" : t->kind == T_MODULE ? "module" : "import", t->place.line);
}

/* One token of the scanner, with newlines sorted out; kind 0 at the end. */
static Token filtered(Parser *p)
{
    for (;;) {
        Token t;
        int kind = p->stopped ? 0 : scan_token(&t, p);
        if (p->stopped)
            return behind(p, 0, true);
        if (kind == T_NL) {
            p->line_begun = false;
            if (in_parentheses(p) || !(p->skipping || layout_ends_statement(p->last_kind)))
                continue;
            t = behind(p, T_NL, false);
        } else if (kind == ';' && !in_parentheses(p)) {
            if (p->last_kind == T_NL || p->last_kind == '{' || p->last_kind == 0)
                continue;
            t.kind = T_NL;
        } else {
            t.first_on_line = !p->line_begun;
            p->line_begun = true;
            if (t.first_on_line)
                p->indent = t.place.column;
        }
        bool top = kind == 0 || (t.first_on_line && (kind == T_FN || kind == T_MODULE || kind == T_IMPORT));
        if (top && p->depth > 0) {
            report_unclosed(p, &t);
            close_everything(p, t);
            t = p->pending[p->pending_first++];
            p->pending_count--;
        } else if (kind == T_FN || kind == T_MODULE) {
            p->in_header = true;
        } else if (kind == '(' || kind == '[' || kind == '{') {
            push_bracket(p, &t);
        } else if (kind == ')' || kind == ']' || kind == '}') {
            pop_bracket(p, kind == ')' ? '(' : kind == ']' ? '[' : '{', &t);
        }
        p->last_kind = t.kind;
        if (t.kind != T_NL)
            p->last_place = t.place;
        return t;
    }
}

static Token pulled(Parser *p)
{
    if (p->pending_count == 0)
        return filtered(p);
    p->pending_count--;
    return p->pending[p->pending_first++];
}

static int open_braces(const Parser *p)
{
    int count = 0;
    for (int i = 0; i < p->depth; i++)
        count += p->brackets[i].open == '{';
    return count;
}

/* The next token at which a statement ends or a new one surely begins; blocks on the way are left out whole. */
static Token boundary(Parser *p)
{
    int braces = p->current.kind == '{';
    bool in_file = open_braces(p) == braces;
    for (;;) {
        Token t = pulled(p);
        if (t.kind == 0 || (t.kind == T_NL && braces == 0))
            return t;
        if (t.kind == '{')
            braces++;
        if (t.kind == '}' && braces == 0 && !in_file)
            return t;
        if (t.kind == '}' && braces > 0)
            braces--;
        if (braces == 0 && t.first_on_line && begins_statement(t.kind) && in_parentheses(p)) {
            drop_parentheses(p);
            enqueue(p, t);
            return behind(p, T_NL, true);
        }
    }
}

/* After an error in the head of a fn: its body, or an empty one where the head ends without. */
static Token body_of_broken_head(Parser *p)
{
    for (;;) {
        Token t = p->current.kind == T_NL ? p->current : pulled(p);
        if (t.kind == '{')
            return t;
        if (t.kind != T_NL && t.kind != 0)
            continue;
        memmove(p->pending + 2, p->pending + p->pending_first, (size_t)p->pending_count * sizeof *p->pending);
        p->pending_first = 0;
        p->pending_count += 2;
        p->pending[0] = behind(p, '}', true);
        p->pending[1] = t;
        return behind(p, '{', true);
    }
}

void layout_swallowed(Parser *p, const char *text, size_t length)
{
    if (memchr(text, ')', length) || memchr(text, ']', length)) drop_parentheses(p);
    if (memchr(text, '}', length)) p->brace_missed = true;
}

int layout_next(YYSTYPE *value, Place *place, Parser *p)
{
    Token t = p->head_broken ? body_of_broken_head(p) : p->skipping ? boundary(p) : pulled(p);
    p->skipping = p->head_broken = false;
    if (p->current.kind == T_NL || p->current.kind == '{' || p->current.kind == 0)
        p->statement = t;
    p->earlier = p->previous;
    p->previous = p->current;
    p->current = t;
    *value = t.value;
    *place = t.place;
    return t.kind;
}

bool layout_recover(Parser *p, int lookahead, bool inside_braces)
{
    if (lookahead == 0 || lookahead == T_NL || (lookahead == '}' && inside_braces))
        return false;
    Place here = p->current.place, start = p->statement.place;
    bool begun = here.line == start.line && here.column == start.column;
    bool next = begins_statement(lookahead) || (lookahead == T_NAME && in_parentheses(p));
    if (p->current.first_on_line && next && !begun) {        /* a new statement, or so it seems */
        drop_parentheses(p);
        enqueue(p, behind(p, T_NL, true));
        enqueue(p, p->current);
        return true;
    }
    p->skipping = true;
    return true;
}
