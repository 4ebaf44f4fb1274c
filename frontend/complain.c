/* Syntax errors in the user's words: what was found, what could have stood there, and, for the usual slips, what to
 * write. */
#include "frontend/layout.h"

#include <stdarg.h>
#include <string.h>

static void report(Parser *p, Place place, const char *format, va_list args)
{
    if (p->stopped)
        return;
    if (++p->errors > SYNTAX_ERROR_LIMIT) {
        diag_error(p->d, place, "more than %d syntax errors: the rest of the file was not read", SYNTAX_ERROR_LIMIT);
        p->stopped = true;
        return;
    }
    diag_error(p->d, place, "%s", arena_vprint(p->arena, format, args));
}

void complain(Parser *p, Place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(p, place, format, args);
    va_end(args);
}

void complain_token(Parser *p, Place place, const char *format, ...)
{
    va_list args;
    p->scan_error_line = place.line;
    va_start(args, format);
    report(p, place, format, args);
    va_end(args);
}

static bool reserved(int kind)
{
    return kind >= T_IMPORT && kind <= T_NONE;
}

static bool literal_word(int kind)
{
    return kind == T_TRUE || kind == T_FALSE || kind == T_NONE;
}

/* The characters of the source at a place. */
static const char *text_at(const Parser *p, Place place)
{
    const char *line = p->source->text;
    for (uint32_t n = 1; n < place.line; n++)
        line = strchr(line, '\n') + 1;
    return line + place.column - 1;
}

/* A token as the message shows it: its own characters, or what it stands for. */
static const char *shown(Parser *p, const Token *t)
{
    enum { MOST = 40 };
    if (t->kind == 0)
        return "the end of the file";
    const char *text = text_at(p, t->place);
    if (t->kind == T_NL && text[0] != ';')
        return "the end of the line";
    int length = t->place.length > MOST ? MOST : (int)t->place.length;
    while (length < (int)t->place.length && length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return arena_print(p->arena, "`%.*s%s`", length, text, length < (int)t->place.length ? "…" : "");
}

static bool among(const char *const *expected, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(expected[i], name) == 0)
            return true;
    return false;
}

/* Tokens that any expression may go on with, or begin with: too many to list, and no help. */
static bool continues_expression(const char *name)
{
    static const char *const names[] = {
        "..", "or", "and", "<", ">", "<=", ">=", "==", "!=", "+", "-", "*", "/", "//", "%", "@", "^", "(", "[", ".",
    };
    return among(names, sizeof names / sizeof *names, name);
}

static bool begins_expression(const char *name)
{
    static const char *const names[] = {
        "a name", "a string", "a whole number", "a number", "true", "false", "none", "not", "-", "(", "[",
        "share", "scan", "..",
    };
    return among(names, sizeof names / sizeof *names, name);
}

/* Is this expected token left out, because a word for many stands for it, or because it is seldom what was meant? */
static bool unsaid(const char *name, const char *const *expected, int count)
{
    if (among(expected, count, "return"))
        return strcmp(name, "}") != 0;
    if (among(expected, count, "fn"))
        return true;
    if (among(expected, count, "a whole number"))
        return begins_expression(name);
    if (strcmp(name, "}") == 0 || strcmp(name, "the end of the file") == 0)
        return among(expected, count, "the end of the line");
    if (!among(expected, count, "=="))
        return false;
    return continues_expression(name) || (count > 21 && (strcmp(name, ":") == 0 || strcmp(name, "=") == 0));
}

/* The expected tokens in a few words: "`)` or `,`". NULL when there is nothing to say. */
static const char *choices(Parser *p, const char *const *expected, int count)
{
    enum { MOST = 5 };
    const char *words[MOST + 1];
    int n = 0;
    if (among(expected, count, "return"))
        words[n++] = "a statement";
    else if (among(expected, count, "fn"))
        words[n++] = "a declaration (fn, module, param, const, data, train …)";
    else if (among(expected, count, "a whole number"))
        words[n++] = "a value";
    for (int i = 0; i < count && n < MOST; i++)
        if (!unsaid(expected[i], expected, count))
            words[n++] = strchr(expected[i], ' ') ? expected[i] : arena_print(p->arena, "`%s`", expected[i]);
    if (n == 0)
        return NULL;
    const char *text = words[0];
    for (int i = 1; i < n; i++)
        text = arena_print(p->arena, "%s%s%s", text, i + 1 < n ? ", " : " or ", words[i]);
    return text;
}

/* The advice for words of other languages at the start of a statement, or NULL. */
static const char *foreign(const char *word)
{
    static const struct { const char *word, *advice; } words[] = {
        { "def", "a function begins with `fn`" },
        { "func", "a function begins with `fn`" },
        { "function", "a function begins with `fn`" },
        { "class", "what owns parameters is a `module`" },
        { "let", "a value is given by `name = …` alone" },
        { "var", "a value is given by `name = …` alone" },
        { "elif", "write `} else if … {`" },
        { "while", "a loop is `for i in 0..n { … }`" },
        { "from", "a file is taken in by `import \"file.ptm\"`" },
        { "use", "a file is taken in by `import \"file.ptm\"`" },
        { "include", "a file is taken in by `import \"file.ptm\"`" },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].advice;
    return NULL;
}

/* The word a statement begins with that `word` may have been meant as, or NULL. */
static const char *near_keyword(const char *word)
{
    static const char *const words[] = {
        "import", "fn", "module", "param", "const", "data", "train",
        "return", "for", "if", "update", "state", "scan", "emit",
    };
    return suggest(word, words, sizeof words / sizeof *words);
}

static bool block_word(const Token *t)
{
    static const char *const words[] = {
#define BLOCK(name) #name,
#define CONSTANT(name, value)
#define AMBIENT(name)
#include "frontend/words.def"
#undef BLOCK
#undef CONSTANT
#undef AMBIENT
    };
    return t->kind == T_NAME && among(words, (int)(sizeof words / sizeof *words), t->value.text);
}

static bool compares(int kind)
{
    return kind == '<' || kind == '>' || kind == T_LE || kind == T_GE || kind == T_EQ || kind == T_NE;
}

static bool same_token(const Token *a, const Token *b)
{
    return a->kind == b->kind && a->place.line == b->place.line && a->place.column == b->place.column;
}

static bool names_follow(int kind)
{
    return kind == T_CONST || kind == T_PARAM || kind == T_IMPORT || kind == T_UPDATE;
}

/* Tokens that want a value behind them. */
static bool wants_value(int kind)
{
    return kind == '=' || kind == T_ADD_TO || kind == '+' || kind == '-' || kind == '*' || kind == '/' || kind == '@' ||
           kind == '^' || kind == T_AND || kind == T_OR || kind == T_NOT || kind == T_FLOOR_DIV || kind == '%' ||
           compares(kind);
}

/* A value is missing at the end of a line: what stands in the next one cannot be it, or was read as it. */
static bool missing_value(Parser *p, const char *const *expected, int count)
{
    const Token *t = &p->current, *before = &p->previous;
    bool closes = t->kind == ')' || t->kind == ']';
    bool none = t->first_on_line && !closes && wants_value(before->kind) && among(expected, count, "a whole number");
    bool taken = before->first_on_line && before->kind == T_NAME && wants_value(p->earlier.kind) &&
                 p->earlier.place.line < before->place.line &&
                 (t->kind == '=' || t->kind == '{' || t->kind == ':' || t->kind == T_NAME);
    if (none)
        complain(p, before->place, "a value is missing after %s", shown(p, before));
    else if (taken)
        complain(p, p->earlier.place, "a value is missing after %s; the next line was read as it",
                 shown(p, &p->earlier));
    return none || taken;
}

/* The slips that have their own words. True when one was reported. */
static bool usual_slip(Parser *p, const char *const *expected, int count)
{
    const Token *found = &p->current, *before = &p->previous;
    const char *advice = p->statement.kind == T_NAME ? foreign(p->statement.value.text) : NULL;
    bool in_target = p->statement.kind == T_NAME && among(expected, count, "=") && among(expected, count, "+=") &&
                     !among(expected, count, "==");
    bool second = p->statement.kind == T_NAME && same_token(before, &p->statement) && found->kind != '=';
    const char *near = second && !block_word(&p->statement) ? near_keyword(p->statement.value.text) : NULL;
    bool chained = !among(expected, count, "==") && among(expected, count, "and");

    if (found->kind == T_CARRYING && !among(expected, count, "carrying"))
        complain(p, found->place, "`carrying` stands before `until`: scan a in x carrying s until s > 1 { … }");
    else if (found->kind == T_ELSE && before->kind == T_NL)
        complain(p, found->place, "`else` stands on the line of the `}` before it");
    else if (found->kind == '=' && names_follow(before->kind))
        complain(p, found->place, "a name is missing after %s", shown(p, before));
    else if (found->kind == '=' && reserved(before->kind) && !literal_word(before->kind))
        complain(p, before->place, "%s is a reserved word and cannot be a name", shown(p, before));
    else if (reserved(found->kind) && among(expected, count, "a name") && !among(expected, count, "("))
        complain(p, found->place, "%s is a reserved word and cannot be a name", shown(p, found));
    else if (advice)
        complain(p, p->statement.place, "there is no `%s`: %s", p->statement.value.text, advice);
    else if (near)
        complain(p, p->statement.place, "unknown word `%s`; did you mean `%s`?", p->statement.value.text, near);
    else if (chained && compares(found->kind))
        complain(p, found->place, "comparisons do not chain: write `a < b and b < c`");
    else if (found->kind == '=' && among(expected, count, "=="))
        complain(p, found->place, "`=` gives a name its value; to compare, write `==`");
    else if (in_target && found->kind == '{' && block_word(before)) {
        complain(p, before->place, "a `%s` block stands at file level: is a `}` missing above?", before->value.text);
        p->brace_missed = true;
    } else if (in_target && found->kind != T_NAME && found->kind != T_ADD_TO)
        complain(p, p->statement.place, "an expression alone is no statement: write `name = …` or `return …`");
    else if (found->kind == '=' && among(expected, count, ":") && count <= 2)
        complain(p, found->place, "a `%s` says its type before `=`: `name: f32[…] = …`",
                 p->statement.kind == T_STATE ? "state" : "param");
    else if (found->kind == '}' && !layout_open_bracket(p) && among(expected, count, "fn"))
        complain(p, found->place, "this `}` closes nothing");
    else
        return false;
    return true;
}

void complain_syntax(Parser *p, const char *const *expected, int count)
{
    const Token *t = &p->current, *before = &p->previous;
    const Bracket *open = layout_open_bracket(p);
    p->head_broken = p->in_header && t->kind != '{';
    bool known = p->scan_error_line == t->place.line;        /* the scanner has said what is wrong here */
    if (p->stopped || t->invented || known || missing_value(p, expected, count) || usual_slip(p, expected, count))
        return;
    const char *wanted = choices(p, expected, count);
    bool first = before->kind == 0 || before->kind == T_NL;
    const char *after = first ? "" : arena_print(p->arena, " after %s", shown(p, before));
    if (wanted)
        complain(p, t->place, "expected %s%s, found %s", wanted, after, shown(p, t));
    else
        complain(p, t->place, "%s cannot stand here%s", shown(p, t), after);
    if (t->kind == '}' && p->passed_over.line)
        diag_note(p->d, p->passed_over, "the `%c` opened here", *text_at(p, p->passed_over));
    else if (open && open->open != '{' && (t->first_on_line || t->kind == ')' || t->kind == ']') &&
             (open->place.line != t->place.line || open->place.column != t->place.column))
        diag_note(p->d, open->place, "the `%c` opened here", open->open);
}
