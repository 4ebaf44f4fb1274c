/* Fuzzes the language: any bytes end in a tree or in errors, a tree that was printed reads back, a text that was
 * formatted has the same tree and the same characters and is formatted, checking a model ends in messages only, and the
 * verifier has nothing against the graph of an entry. Imports are cut off, so that no other file is opened; there is no
 * host, so that no data is read. */
#include "frontend/ast.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A tree, or at least one error: never both, never neither. */
static Ast *parsed(Arena *arena, const char *text, size_t size)
{
    Diagnostics *d = diag_new(arena);
    Source *source = arena_new_of(arena, Source);
    *source = (Source){ .path = "/nowhere/fuzz.ptm", .text = text, .size = size };
    Ast *ast = ast_parse(arena, source, NULL, d);
    if ((ast != NULL) == (diag_error_count(d) > 0))
        abort();
    return ast;
}

/* The printed form of a tree, in the arena. */
static const char *printed(Arena *arena, const Ast *ast)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ast_print(ast, out);
    fclose(out);
    const char *copy = arena_copy_text(arena, text, size);
    free(text);
    return copy;
}

/* The next character that formatting keeps, or 0. */
static char kept(const char **text)
{
    *text += strspn(*text, " \t\r\n\f;");
    return **text ? *(*text)++ : 0;
}

static void format(Arena *arena, const char *text, size_t size)
{
    Diagnostics *d = diag_new(arena);
    Source source = { .path = "/nowhere/fuzz.ptm", .text = text, .size = size };
    const Source *once = source_format(arena, &source, d), *twice = once ? source_format(arena, once, d) : NULL;
    if (!twice || strcmp(once->text, twice->text)) abort();
    const char *before = text + (strncmp(text, "\xef\xbb\xbf", 3) ? 0 : 3), *after = once->text;
    char c;
    while ((c = kept(&before)) != 0)
        if (c != kept(&after)) abort();
    if (kept(&after)) abort();
}

static void verify_entries(Model *m, const Ast *ast, Arena *arena, Diagnostics *d)
{
    for (const FnDecl *fn = ast->fns; fn; fn = fn->next) {
        const Graph *g = fn->module ? NULL : model_entry(m, fn->name, NULL, -1, true, d);
        const char *why = g ? graph_verify(g, arena) : NULL;
        if (why) fprintf(stderr, "%s: %s\n", fn->name, why);
        if (why) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new();
    char *text = arena_copy_text(arena, (const char *)data, size);
    for (char *word = text; (word = strstr(word, "import")) != NULL;)
        *word = '#';
    Ast *ast = parsed(arena, text, size);
    if (ast) {
        ModelOptions options = { .real = DT_f32 };
        Diagnostics *d = diag_new(arena);
        Model *m = model_new(arena, ast, &options, d);
        model_check(m, d);
        verify_entries(m, ast, arena, d);
        const char *once = printed(arena, ast);
        Ast *again = parsed(arena, once, strlen(once));
        if (!again || strcmp(once, printed(arena, again)) != 0)
            abort();
        format(arena, text, size);
    }
    arena_free(arena);
    return 0;
}
