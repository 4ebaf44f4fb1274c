/* Proves that every message of the sources is provoked by a test: lists each text in them that no test of a build of
 * type Coverage made the program reach.
 *
 *   messages COVERAGE.json SOURCES EXCEPTIONS
 *
 * COVERAGE.json is what `llvm-cov export` prints (messages.sh beside this file). A text is a string literal of prose,
 * two words at least, adjacent literals being one; what counts is the region of code that it stands in, so that both
 * arms of `c ? "one text" : "another"` are asked for. `assert(!"text")` says what no program reaches. EXCEPTIONS holds
 * what cannot be provoked: a line `# reason`, then lines `FILE: beginning of a text`, or `*: part of a text` for
 * every file; a line that excuses nothing is a fault too. Exit status 1 when anything is left. */
#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Literal {
    int  line, column;                 /* where its first quote is, from 1 */
    bool denied;                       /* !"text" */
    char text[4000];                   /* as written, escapes and all */
} Literal;

/* A file of the sources while it is read. */
typedef struct Scan {
    const char *at;
    int line, column;
} Scan;

typedef struct Exception {
    char *file, *beginning;
    bool  used;
} Exception;

typedef struct Report {
    Exception *exceptions;
    int exception_count, text_count, missing;
} Report;

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static char *read_file(const char *path)
{
    FILE *in = fopen(path, "r");
    if (!in) die(path);
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, '\0', in) < 0 && ferror(in)) die(path);
    fclose(in);
    return text;
}

static void step(Scan *s)
{
    if (*s->at == '\n') s->line++, s->column = 0;
    s->at++;
    s->column++;
}

static void skip_to(Scan *s, const char *end)
{
    while (*s->at && strncmp(s->at, end, strlen(end)) != 0) step(s);
    for (size_t i = 0; i < strlen(end) && *s->at; i++) step(s);
}

static void skip_character(Scan *s)
{
    step(s);
    while (*s->at && *s->at != '\'' && *s->at != '\n') {
        if (*s->at == '\\') step(s);
        step(s);
    }
    if (*s->at == '\'') step(s);
}

/* A directive, with the lines that a backslash joins to it. */
static void skip_directive(Scan *s)
{
    while (*s->at && *s->at != '\n') {
        if (*s->at == '\\') step(s);
        step(s);
    }
}

/* Appends one literal to a text; the scan stands on its opening quote. */
static void join(Scan *s, Literal *literal)
{
    size_t size = strlen(literal->text);
    for (step(s); *s->at && *s->at != '"' && *s->at != '\n'; step(s)) {
        if (*s->at == '\\' && size < sizeof literal->text - 2) literal->text[size++] = *s->at, step(s);
        if (size < sizeof literal->text - 2) literal->text[size++] = *s->at;
    }
    literal->text[size] = '\0';
    if (*s->at == '"') step(s);
}

/* A format macro between two literals, such as PRId64, joins them too. */
static bool at_joining_macro(const Scan *s)
{
    return !strncmp(s->at, "PRI", 3) || !strncmp(s->at, "PTM_VERSION", 11);
}

static void skip_between(Scan *s)
{
    while (isspace((unsigned char)*s->at)) step(s);
    if (at_joining_macro(s))
        while (isalnum((unsigned char)*s->at) || *s->at == '_') step(s);
    while (isspace((unsigned char)*s->at)) step(s);
}

/* The next text of a C file, adjacent literals joined. */
static bool next_literal(Scan *s, Literal *literal)
{
    bool line_begins = s->column == 1;
    for (;;) {
        if (!*s->at) return false;
        if (!strncmp(s->at, "/*", 2)) skip_to(s, "*/");
        else if (!strncmp(s->at, "//", 2)) skip_to(s, "\n");
        else if (*s->at == '\'') skip_character(s);
        else if (*s->at == '#' && line_begins) skip_directive(s);
        else if (*s->at == '"') break;
        else step(s);
        line_begins = s->column == 1 || (line_begins && isspace((unsigned char)s->at[-1]));
    }
    *literal = (Literal){ .line = s->line, .column = s->column, .denied = s->at[-1] == '!' };
    for (; *s->at == '"'; skip_between(s)) join(s, literal);
    return true;
}

/* Two words of letters with a space between them. */
static bool is_prose(const char *text)
{
    int words = 0, letters = 0;
    for (const char *c = text;; c++) {
        if (*c == '%' && c[1]) {
            c++;
            letters = 0;
        } else if (isalpha((unsigned char)*c)) letters++;
        else if (*c == '\'' && letters) continue;
        else {
            words += letters > 1 && (*c == ' ' || *c == '\0' || ispunct((unsigned char)*c));
            letters = 0;
        }
        if (!*c) return words > 1 && strchr(text, ' ');
    }
}

/* How often the region around a place ran; -1: no code. Segments are [line, column, count, has count, …] in order. */
static long long times_reached(const json_t *segments, const Literal *literal)
{
    long long count = -1;
    size_t i;
    json_t *segment;
    json_array_foreach(segments, i, segment) {
        long long line = json_integer_value(json_array_get(segment, 0));
        long long column = json_integer_value(json_array_get(segment, 1));
        if (line > literal->line || (line == literal->line && column > literal->column)) break;
        bool counted = json_is_true(json_array_get(segment, 3));
        count = counted ? json_integer_value(json_array_get(segment, 2)) : -1;
    }
    return count;
}

static bool excused(Report *r, const char *file, const char *text)
{
    for (int i = 0; i < r->exception_count; i++) {
        Exception *e = &r->exceptions[i];
        const char *found = strstr(text, e->beginning);
        bool here = !strcmp(e->file, "*") ? found != NULL : !strcmp(e->file, file) && found == text;
        if (!here) continue;
        return e->used = true;
    }
    return false;
}

static void check_file(Report *r, const char *path, const char *name, const json_t *segments)
{
    char *text = read_file(path);
    Scan scan = { text, 1, 1 };
    Literal literal;
    while (next_literal(&scan, &literal)) {
        long long count = !literal.denied && is_prose(literal.text) ? times_reached(segments, &literal) : -1;
        r->text_count += count >= 0;
        if (count != 0 || excused(r, name, literal.text)) continue;
        printf("%s:%d:%d: no test provokes \"%s\"\n", name, literal.line, literal.column, literal.text);
        r->missing++;
    }
    free(text);
}

static void read_exceptions(Report *r, const char *path)
{
    char *text = read_file(path), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *colon = strstr(line, ": ");
        if (*line == '#' || !colon) continue;
        *colon = '\0';
        r->exceptions = realloc(r->exceptions, (size_t)(r->exception_count + 1) * sizeof *r->exceptions);
        if (!r->exceptions) die("messages");
        r->exceptions[r->exception_count++] = (Exception){ .file = line, .beginning = colon + 2 };
    }
}

/* The path below the sources. NULL for what prints no message of the program: tests, tables (`ptm help` prints them
 * whole) and what was made in a build directory, but the scanner that flex made of scan.l. */
static const char *name_below(const char *path, const char *sources)
{
    size_t size = strlen(sources), length = strlen(path);
    if (strncmp(path, sources, size) != 0 || path[size] != '/') return NULL;
    const char *name = path + size + 1;
    if (!strncmp(name, "tests/", 6) || (length > 4 && !strcmp(path + length - 4, ".def"))) return NULL;
    if (strncmp(name, "build", 5) != 0) return name;
    return strstr(name, "/scan.c") ? "frontend/scan.l" : NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: messages COVERAGE.json SOURCES EXCEPTIONS\n", stderr);
        return 2;
    }
    Report report = { 0 };
    json_error_t error;
    json_t *coverage = json_load_file(argv[1], 0, &error), *file;
    if (!coverage) {
        fprintf(stderr, "%s:%d: %s\n", argv[1], error.line, error.text);
        return 2;
    }
    read_exceptions(&report, argv[3]);
    size_t i;
    json_array_foreach(json_object_get(json_array_get(json_object_get(coverage, "data"), 0), "files"), i, file) {
        const char *path = json_string_value(json_object_get(file, "filename"));
        const char *name = name_below(path, argv[2]);
        if (name) check_file(&report, path, name, json_object_get(file, "segments"));
    }
    for (int k = 0; k < report.exception_count; k++) {
        const Exception *e = &report.exceptions[k];
        if (e->used) continue;
        printf("%s: needs no exception: \"%s\"\n", e->file, e->beginning);
        report.missing++;
    }
    printf("messages: %d texts, %d excused, %d left\n", report.text_count, report.exception_count, report.missing);
    return report.missing > 0;
}
