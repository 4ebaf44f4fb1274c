/* The canonical form of a file. Its author decides where lines break inside brackets and which blocks stand in one
 * line; everything else follows from the tokens:
 *
 *   - one statement a line, two columns for each block; `;` only in a block of one line
 *   - a line that continues stands behind the bracket that is open, or two columns in when nothing follows that bracket
 *     in its line; outside brackets it stands four columns in
 *   - the arguments of the settings of a block begin in one column
 *   - at most one blank line, none at the edges of a block
 *   - comments behind code of neighbouring lines begin in one column: 42, or further right behind wider code
 *   - lines end at column 120: a block of one line is opened, or the line is broken behind a comma or an operator */
#include "frontend/pieces.h"

#include <stdlib.h>
#include <string.h>

enum {
    LINE_WIDTH = 120,
    LINE_LEAST = 60,                     /* a line that is broken should be this wide */
    COMMENT_COLUMN = 41,
    WIDE_CODE = 60,                      /* the comment of a line whose code is wider stands alone */
    BLOCK_INDENT = 2, CONTINUATION_INDENT = 4
};

typedef struct Format {
    Piece *at;
    int    count;
} Format;

static bool opens(const Piece *t)
{
    return t->role != ROLE_none;
}

static bool closes(const Piece *t)
{
    return t->partner >= 0 && !opens(t);
}

/* lines */

static bool in_brackets(const Format *f, const Piece *t)
{
    return t->parent >= 0 && f->at[t->parent].kind != '{';
}

static bool begins_line(const Format *f, int i)
{
    const Piece *t = &f->at[i], *before = i > 0 ? t - 1 : NULL;
    if (!before || before->kind == PIECE_comment) return true;
    bool moved = t->line != before->line;
    if (t->kind == PIECE_comment) return moved;
    if (t->first) return t->parent < 0 || !f->at[t->parent].flat;
    if (t->kind == '}') return !f->at[t->partner].flat;
    return moved && !(t->kind == '{' && before->kind == T_ELSE);
}

static bool below_blank(const Format *f, int i)
{
    const Piece *t = &f->at[i];
    if (!t->breaks || i == 0 || t->line - t[-1].line < 2) return false;
    return !closes(t) && !opens(&t[-1]) && (t->first || in_brackets(f, t));
}

static bool empty(const Format *f, int open)
{
    return f->at[open].partner == open + 1;
}

/* The { behind the `else` of this block, or -1. */
static int next_branch(const Format *f, int open)
{
    int i = f->at[open].partner + 1;
    if (i >= f->count || f->at[i].kind != T_ELSE) return -1;
    while (f->at[i].kind != '{') i++;
    return i;
}

/* Which blocks stand in one line: as their author wrote them, but none behind the `else` of one that does not. */
static void find_flat(Format *f)
{
    for (int i = 0; i < f->count; i++)
        if (f->at[i].kind == '{') f->at[i].flat = empty(f, i) || f->at[f->at[i].partner].line == f->at[i].line;
    for (int i = 0; i < f->count; i++) {
        if (f->at[i].kind != '{' || f->at[i].flat) continue;
        int next = next_branch(f, i);
        if (next >= 0) f->at[next].flat = empty(f, next);
    }
}

static void find_lines(Format *f)
{
    find_flat(f);
    for (int i = 0; i < f->count; i++) {
        Piece *t = &f->at[i];
        t->breaks = begins_line(f, i);
        t->blank = below_blank(f, i);
    }
}

static int line_end(const Format *f, int i)
{
    do i++;
    while (i < f->count && !f->at[i].breaks);
    return i;
}

static bool behind_code(const Piece *t)
{
    return t->kind == PIECE_comment && !t->breaks;
}

/* columns */

static int indent_of(const Format *f, int i)
{
    const Piece *t = &f->at[i];
    if (t->kind == ')' || t->kind == ']') return f->at[t->partner].close;
    int block = t->parent >= 0 ? f->at[t->parent].content : 0;
    return t->first || t->kind == '}' || in_brackets(f, t) ? block : block + CONTINUATION_INDENT;
}

/* Columns between the piece before t and t, in one line. `; ` takes two. */
static int gap_before(const Format *f, const Piece *t)
{
    const Piece *before = t - 1;
    if (t->first && before->kind != '{') return 2;
    if (before->setting && before->parent >= 0 && !f->at[before->parent].flat)
        return f->at[before->parent].longest - before->width + 1;
    if (before->kind == ',' || before->kind == ';') return 1;
    return !before->hugs_right && !t->hugs_left;
}

static void place_bracket(Format *f, int i, int line_indent)
{
    Piece *t = &f->at[i];
    if (!opens(t)) return;
    const Piece *next = t + 1;                               /* at least its partner */
    bool hanging = next->breaks || next->kind == PIECE_comment;
    t->content = hanging ? line_indent + BLOCK_INDENT : t->at + 1;
    t->close = hanging ? line_indent : t->at;
    if (t->kind == '{') t->content = (t->parent >= 0 ? f->at[t->parent].content : 0) + BLOCK_INDENT;
}

/* How well a line ends behind t, best first; -1: not at all. */
static int end_cost(const Piece *t)
{
    switch (t->kind) {
    case ';': return 0;
    case ',': return 1;
    case T_OR: case T_AND: return 2;
    case '<': case '>': case T_LE: case T_GE: case T_EQ: case T_NE: return 3;
    case '+': case '-': return t->binary && !t->hugs_right ? 4 : -1;
    case '*': case '/': case T_FLOOR_DIV: case '%': case '@': return t->binary && !t->hugs_right ? 5 : -1;
    }
    return -1;
}

/* What breaking the line in front of piece i costs; -1 where it cannot be broken. */
static int break_cost(const Format *f, int i)
{
    const Piece *t = &f->at[i], *before = t - 1;
    int cost = end_cost(before);
    if (cost < 0 || t->first || t->kind == PIECE_comment) return -1;
    bool early = cost > 0 && before->at + before->width < LINE_LEAST;
    return cost + 8 * t->nesting + (early ? 10000 : 0);
}

static void open_block(Format *f, int open)
{
    for (; open >= 0 && f->at[open].flat && !empty(f, open); open = next_branch(f, open)) {
        f->at[open].flat = false;
        for (int i = open + 1; i < f->at[open].partner; i++)
            if (f->at[i].first && f->at[i].parent == open) f->at[i].breaks = true;
        f->at[f->at[open].partner].breaks = true;
    }
}

/* Gives the pieces of the line at i their columns. False when the line is too wide and was cut: then it is to be placed
 * again. */
static bool place_line(Format *f, int i)
{
    int indent = indent_of(f, i), column = indent, block = -1, best = -1, least = 0;
    for (int k = i; k < f->count && (k == i || !f->at[k].breaks) && !behind_code(&f->at[k]); k++) {
        Piece *t = &f->at[k];
        if (k > i) column += gap_before(f, t);
        t->at = column;
        column += t->width;
        place_bracket(f, k, indent);
        if (t->kind == '{' && t->flat && !empty(f, k) && block < 0) block = k;
        int cost = k > i ? break_cost(f, k) : -1;
        bool fits = k > i && t[-1].at + t[-1].width <= LINE_WIDTH;
        if (cost >= 0 && (best < 0 || (fits && cost <= least))) {
            best = k;
            least = cost;
        }
        if (column <= LINE_WIDTH || (block < 0 && best < 0)) continue;
        if (block >= 0) open_block(f, block);
        else f->at[best].breaks = true;
        return false;
    }
    return true;
}

/* comments behind code */

/* The comment behind the code of the line at i, or the line itself when it goes on with that of the line above; or
 * -1. */
static int remark(const Format *f, int i)
{
    const Piece *t = &f->at[i];
    int last = line_end(f, i) - 1;
    if (behind_code(&f->at[last])) return last;
    bool goes_on = t->kind == PIECE_comment && i > 0 && t[-1].kind == PIECE_comment && t->line == t[-1].line + 1 &&
                   t->column == t[-1].column;
    return goes_on ? i : -1;
}

static int code_width(const Format *f, int comment)
{
    return f->at[comment].breaks ? 0 : f->at[comment - 1].at + f->at[comment - 1].width;
}

static void align_comments(Format *f)
{
    for (int i = 0; i < f->count;) {
        int stop = i, column = COMMENT_COLUMN;
        while (stop < f->count && (stop == i ? behind_code(&f->at[line_end(f, i) - 1]) : !f->at[stop].blank)) {
            int comment = remark(f, stop);
            if (comment < 0) break;
            int width = code_width(f, comment);
            if (width <= WIDE_CODE && width + 2 > column) column = width + 2;
            stop = line_end(f, stop);
        }
        for (int k = i; k < stop; k = line_end(f, k)) {
            int comment = remark(f, k), width = code_width(f, comment);
            Piece *t = &f->at[comment];
            t->at = t->breaks ? t[-1].at : width > WIDE_CODE ? width + 2 : column;
        }
        i = stop > i ? stop : line_end(f, i);
    }
}

/* printing */

static void print_piece(const Piece *t, FILE *out)
{
    bool close = t->kind == PIECE_comment && t->length > 1 && ((t->text[1] | 32) >= 'a' && (t->text[1] | 32) <= 'z');
    if (close) fprintf(out, "# %.*s", t->length - 1, t->text + 1);
    else fwrite(t->text, 1, (size_t)t->length, out);
}

static void print_pieces(const Format *f, FILE *out)
{
    int column = 0;
    for (int i = 0; i < f->count; i++) {
        const Piece *t = &f->at[i];
        if (t->breaks && i > 0) fputs(t->blank ? "\n\n" : "\n", out);
        if (t->breaks) column = 0;
        bool separated = t->first && !t->breaks && t->kind != PIECE_comment && t[-1].kind != '{';
        fprintf(out, "%s%*s", separated ? ";" : "", t->at - column - separated, "");
        print_piece(t, out);
        column = t->at + t->width;
    }
    if (f->count) fputc('\n', out);
}

/* What is printed to `out`, as a text in the arena. */
typedef struct Printed {
    FILE  *out;
    char  *text;
    size_t size;
} Printed;

static void begin_printing(Printed *p)
{
    p->out = open_memstream(&p->text, &p->size);
    if (p->out) return;
    fprintf(stderr, "ptm: out of memory\n");
    exit(1);
}

static const Source *end_printing(Printed *p, Arena *arena, const char *path)
{
    if (fclose(p->out) != 0) {
        fprintf(stderr, "ptm: out of memory\n");
        exit(1);
    }
    Source *result = arena_new_of(arena, Source);
    *result = (Source){ .path = path, .text = arena_copy_text(arena, p->text, p->size), .size = p->size };
    free(p->text);
    return result;
}

/* The tree of a text, printed; NULL after reporting. */
static const Source *tree_of(Arena *arena, const Source *source, Diagnostics *d)
{
    const Ast *ast = ast_parse_alone(arena, source, d);
    if (!ast) return NULL;
    Printed p;
    begin_printing(&p);
    ast_print(ast, p.out);
    return end_printing(&p, arena, source->path);
}

static const Source *formatted(Arena *arena, const Source *source)
{
    Pieces pieces = pieces_read(arena, source);
    Format f = { pieces.at, pieces.count };
    find_lines(&f);
    for (int i = 0; i < f.count;)
        if (place_line(&f, i)) i = line_end(&f, i);
    align_comments(&f);
    Printed p;
    begin_printing(&p);
    print_pieces(&f, p.out);
    return end_printing(&p, arena, source->path);
}

const Source *source_format(Arena *arena, const Source *source, Diagnostics *d)
{
    const Source *before = tree_of(arena, source, d);
    if (!before) return NULL;
    const Source *result = formatted(arena, source), *after = tree_of(arena, result, diag_new(arena));
    if (after && !strcmp(before->text, after->text)) return result;
    diag_error(d, (Place){ 0 }, "%s: formatting would change what it means, a fault of the formatter: it is left alone",
               source->path);
    return NULL;
}
