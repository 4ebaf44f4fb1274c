/* Reading and printing: what is printed reads back as the same tree, and wrong files end in one clear message. */
#include "frontend/ast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct Reading {
    Arena       *arena;
    Diagnostics *d;
    Ast         *ast;
    char        *messages;               /* as printed */
} Reading;

static char *messages_of(const Diagnostics *d)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    diag_print(d, out);
    fclose(out);
    return text;
}

static Reading read_text(const char *text, size_t size)
{
    Reading r = { .arena = arena_new() };
    Source *source = arena_new_of(r.arena, Source);
    r.d = diag_new(r.arena);
    *source = (Source){ .path = "x.ptm", .text = text, .size = size };
    r.ast = ast_parse(r.arena, source, NULL, r.d);
    r.messages = messages_of(r.d);
    return r;
}

static Reading read_file(const char *path)
{
    Reading r = { .arena = arena_new() };
    r.d = diag_new(r.arena);
    r.ast = ast_load(r.arena, path, NULL, r.d);
    r.messages = messages_of(r.d);
    return r;
}

static void end(Reading r)
{
    free(r.messages);
    arena_free(r.arena);
}

static char *printed(const Ast *ast)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ast_print(ast, out);
    fclose(out);
    return text;
}

/* Exactly one error, with this in it. */
static void expect_error(Reading r, const char *message)
{
    assert_null(r.ast);
    if (diag_error_count(r.d) != 1 || !strstr(r.messages, message))
        fail_msg("wanted one error with \"%s\", got %d:\n%s", message, diag_error_count(r.d), r.messages);
    end(r);
}

static void expect_text_error(const char *text, const char *message)
{
    expect_error(read_text(text, strlen(text)), message);
}

static void printing_is_stable(void **state)
{
    static const char *const files[] = { "declarations", "statements", "scan", "expressions", "newlines", "blocks" };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/golden/ast/%s.ptm", TESTS, files[i]);
        Reading first = read_file(path);
        if (!first.ast)
            fail_msg("%s", first.messages);
        char *once = printed(first.ast);
        Arena *arena = arena_new();
        Diagnostics *d = diag_new(arena);
        Source source = { .path = path, .text = once, .size = strlen(once) };
        Ast *again = ast_parse(arena, &source, NULL, d);
        assert_non_null(again);
        char *twice = printed(again);
        assert_string_equal(once, twice);
        free(once);
        free(twice);
        arena_free(arena);
        end(first);
    }
}

/* Printing drops no parentheses that matter and keeps none that do not. */
static void parentheses(void **state)
{
    static const char *const same[] = {
        "-x^2", "(-x)^2", "2^-x", "a^b^c", "(a^b)^c", "a - (b - c)", "a - b - c", "not a and b", "not (a and b)",
        "(a < b) == c", "a @ b.T", "(a @ b).T", "a / (b * c)", "(a: f(x)) + b", "[a: f(x)]", "f(k = (a: f(x)))",
        "x[i + 1:]", "-x.y", "(-x).y",
    };
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char text[128];
        snprintf(text, sizeof text, "fn f() {\n  return %s\n}\n", same[i]);
        Reading r = read_text(text, strlen(text));
        assert_non_null(r.ast);
        char *out = printed(r.ast);
        assert_string_equal(out, text);
        free(out);
        end(r);
    }
}

static void places(void **state)
{
    const char *text = "\xef\xbb\xbf# é\nfn f(x) {\n\n  y = g(x,\r\n    x @ zz)\n}\n";
    (void)state;
    Reading r = read_text(text, strlen(text));
    assert_non_null(r.ast);
    const Stmt *s = r.ast->fns->body;
    const Expr *call = s->values, *product = call->first->next;
    assert_int_equal(call->place.line, 4);
    assert_int_equal(call->place.column, 7);
    assert_int_equal(call->place.length, 1);
    assert_int_equal(product->place.line, 5);
    assert_int_equal(product->place.column, 7);
    assert_int_equal(product->right->place.column, 9);
    assert_int_equal(product->right->place.length, 2);
    assert_int_equal(s->targets->place.column, 3);
    end(r);
}

static char *repeated(const char *before, const char *text, int count, const char *after)
{
    char *all = malloc(strlen(before) + strlen(text) * (size_t)count + strlen(after) + 1), *end = all;
    end = stpcpy(end, before);
    for (int i = 0; i < count; i++)
        end = stpcpy(end, text);
    strcpy(end, after);
    return all;
}

static void expect_deep(const char *before, const char *text, int count, const char *after, const char *message)
{
    char *all = repeated(before, text, count, after);
    expect_text_error(all, message);
    free(all);
}

static void nesting(void **state)
{
    (void)state;
    expect_deep("fn f(x) { return ", "(", 50000, "x }", "brackets nest more than");
    expect_deep("fn f(x) { ", "if x { ", 50000, "", "brackets nest more than");
    expect_deep("fn f(x) { return ", "x + ", 50000, "x }", "nests more than");
    expect_deep("fn f(x) { return x", ".y", 50000, " }", "nests more than");
    expect_deep("fn f(x) { return ", "-", 50000, "x }", "too deeply");
    expect_deep("fn f(x) { return ", "x ^ ", 50000, "x }", "too deeply");
    expect_deep("fn f(x) { if x { }", " else if x { }", 50000, " }", "`else if`");
    char *all = repeated("fn f(x) { return ", "x + ", 900, "x }");
    Reading r = read_text(all, strlen(all));
    assert_non_null(r.ast);
    end(r);
    free(all);
}

static void many_errors_end(void **state)
{
    (void)state;
    char *all = repeated("", "fn f() { x = ) }\n", 500, "");
    Reading r = read_text(all, strlen(all));
    assert_null(r.ast);
    assert_int_equal(diag_error_count(r.d), 31);
    assert_non_null(strstr(r.messages, "the rest of the file was not read"));
    end(r);
    free(all);
}

static void wrong_files(void **state)
{
    (void)state;
    expect_text_error("", "x.ptm is empty");
    expect_text_error("# only a comment\n\n", "x.ptm is empty");
    expect_error(read_text("fn\0f", 4), "byte 2 is zero");
    expect_text_error("fn f\xff", "byte 4 is 0xff");
    expect_text_error("fn f \xc3", "byte 5 is 0xc3");
    expect_error(read_file("/nowhere/x.ptm"), "cannot read /nowhere/x.ptm: No such file or directory");
    expect_error(read_file("/"), "cannot read /: it is a directory");
    expect_error(read_file("/dev/zero"), "cannot read /dev/zero: it is no regular file");
    size_t size = (16 << 20) + 1;
    char *huge = malloc(size + 1);
    memset(huge, ' ', size);
    huge[size] = 0;
    expect_error(read_text(huge, size), "too large");
    free(huge);
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* Imports are found beside the importing file first, then in the search directories; each file is read once. */
static void imports(void **state)
{
    char directory[] = "/tmp/ptm-imports-XXXXXX", path[512];
    (void)state;
    assert_non_null(mkdtemp(directory));
    write_file(directory, "root.ptm", "import \"leaf.ptm\"\nimport \"leaf.ptm\" as again\nfn f() { }\n");
    write_file(directory, "leaf.ptm", "fn leaf() { }\n");
    write_file(directory, "self.ptm", "import \"self.ptm\"\n");
    write_file(directory, "one.ptm", "import \"two.ptm\"\n");
    write_file(directory, "two.ptm", "import \"one.ptm\"\n");
    write_file(directory, "lost.ptm", "import \"missing.ptm\"\n");
    write_file(directory, "other.ptm", "import \"/etc/hostname\"\n");

    snprintf(path, sizeof path, "%s/root.ptm", directory);
    Reading r = read_file(path);
    assert_non_null(r.ast);
    assert_ptr_equal(r.ast->imports->file, r.ast->imports->next->file);
    assert_string_equal(r.ast->imports->file->fns->name, "leaf");
    end(r);

    Arena *arena = arena_new();
    const char *search[] = { directory, NULL };
    Source source = { .path = "far/away.ptm", .text = "import \"leaf.ptm\"\n", .size = 18 };
    Ast *ast = ast_parse(arena, &source, search, diag_new(arena));
    assert_non_null(ast);
    arena_free(arena);

    snprintf(path, sizeof path, "%s/self.ptm", directory);
    expect_error(read_file(path), "imports itself");
    snprintf(path, sizeof path, "%s/one.ptm", directory);
    expect_error(read_file(path), "imports itself by way of other files");
    snprintf(path, sizeof path, "%s/lost.ptm", directory);
    expect_error(read_file(path), "there is no file missing.ptm");
    snprintf(path, sizeof path, "%s/other.ptm", directory);
    expect_error(read_file(path), "ends in .ptm");
    static const char *const names[] = { "root", "leaf", "self", "one", "two", "lost", "other" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s.ptm", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printing_is_stable), cmocka_unit_test(parentheses), cmocka_unit_test(places),
        cmocka_unit_test(nesting), cmocka_unit_test(many_errors_end),
        cmocka_unit_test(wrong_files), cmocka_unit_test(imports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
