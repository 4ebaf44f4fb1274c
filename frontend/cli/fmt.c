/* ptm fmt: model files in their canonical form. */
#include "frontend/cli/options.h"
#include "frontend/frontend.h"
#include "runtime/train/replace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *standard_input(Arena *arena, size_t *size)
{
    Vec(char) text = { 0 };
    for (int c; (c = getchar()) != EOF;) vec_push(arena, &text, (char)c);
    *size = (size_t)text.count;
    vec_push(arena, &text, 0);
    return text.at;
}

static const Source *read_source(Arena *arena, const char *name, Diagnostics *d)
{
    if (strcmp(name, "-")) return source_read(arena, name, d);
    Source *source = arena_new_of(arena, Source);
    source->path = "standard input";
    source->text = standard_input(arena, &source->size);
    if (!ferror(stdin)) return source;
    diag_error(d, (Place){ 0 }, "cannot read standard input: %s", strerror(errno));
    return NULL;
}

/* The file behind `path`, links followed, gets another text and keeps its mode. */
static bool rewrite(const char *path, const Source *text)
{
    Replacement r;
    RtError error;
    struct stat status;
    char *file = realpath(path, NULL);
    bool good = file ? stat(file, &status) == 0 : false;
    if (!good) fprintf(stderr, "ptm fmt: %s: %s\n", path, strerror(errno));
    if (good) {
        good = replace_begin(&r, file, &error);
        if (good && fchmod(r.fd, status.st_mode & 07777) != 0) r.error = errno;
        if (good) replace_write(&r, text->text, (int64_t)text->size);
        good = good && replace_end(&r, &error);
        if (!good) fprintf(stderr, "ptm fmt: %s\n", error.text);
    }
    free(file);
    return good;
}

static bool format_file(Arena *arena, const char *name, bool check)
{
    Diagnostics *d = diag_new(arena);
    const Source *source = read_source(arena, name, d), *result = source ? source_format(arena, source, d) : NULL;
    diag_print(d, stderr);
    if (!result) return false;
    bool same = source->size == result->size && !memcmp(source->text, result->text, source->size);
    if (check && !same) puts(source->path);
    if (check) return same;
    if (strcmp(name, "-")) return same || rewrite(name, result);
    fwrite(result->text, 1, result->size, stdout);
    return true;
}

int command_fmt(const Options *options)
{
    int status = EXIT_GOOD;
    for (int i = 0; i < options->arguments.count; i++) {
        Arena *arena = arena_new();
        if (!format_file(arena, options->arguments.at[i], options->check)) status = EXIT_BAD_INPUT;
        arena_free(arena);
    }
    return status;
}
