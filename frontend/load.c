/* Reading model files: from a path to a checked text, from the text to its tree, and so for every import. An import's
 * path is taken relative to the importing file first, then in the search directories. A file that is imported twice
 * is read once. */
#include "frontend/layout.h"
#include "ir/base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The files on the way from the root to the one being read, for recursive imports. */
typedef struct Chain Chain;
struct Chain {
    const char  *identity;               /* canonical path, or the name of a text that is no file */
    const Chain *importer;
    int          length;
};

typedef struct Loader {
    Arena             *arena;
    const char *const *search;
    Diagnostics       *d;
    Map               *loaded;           /* canonical path -> Ast */
    Map               *failed;           /* canonical paths already reported */
} Loader;

enum { IMPORT_LIMIT = 32 };

static const char *canonical(Arena *arena, const char *path)
{
    char *real = realpath(path, NULL);
    const char *copy = arena_print(arena, "%s", real ? real : path);
    free(real);
    return copy;
}

/* The bytes of a regular file of a sensible size, or NULL after an error at `place`. */
static char *file_bytes(Loader *l, const char *path, Place place, size_t *size)
{
    struct stat status;
    char *bytes = NULL;
    size_t have = 0;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        diag_error(l->d, place, "cannot read %s: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        diag_error(l->d, place, "cannot read %s: it is %s", path,
                   S_ISDIR(status.st_mode) ? "a directory" : "no regular file");
    } else if (status.st_size > FILE_LIMIT) {
        diag_error(l->d, place, "%s is too large for a model: %lld bytes, at most %d", path,
                   (long long)status.st_size, FILE_LIMIT);
    } else {
        bytes = arena_alloc(l->arena, (size_t)status.st_size + 1);
        while (have < (size_t)status.st_size) {
            ssize_t n = read(file, bytes + have, (size_t)status.st_size - have);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0) {
                diag_error(l->d, place, "cannot read %s: %s", path, strerror(errno));
                bytes = NULL;
            }
            if (n <= 0)
                break;
            have += (size_t)n;
        }
    }
    if (file >= 0)
        close(file);
    *size = have;
    return bytes;
}

static const Source *file_source(Loader *l, const char *path, Place place)
{
    size_t size;
    char *bytes = file_bytes(l, path, place, &size);
    if (!bytes)
        return NULL;
    Source *source = arena_new_of(l->arena, Source);
    *source = (Source){ .path = arena_print(l->arena, "%s", path), .text = bytes, .size = size };
    return source;
}

/* The offset of the first byte that is not UTF-8, or size. */
static size_t valid_utf8(const char *text, size_t size)
{
    size_t i = 0;
    while (i < size) {
        size_t bytes = utf8_character(text + i, size - i);
        if (!bytes) return i;
        i += bytes;
    }
    return size;
}

/* Is this a text that the scanner can read? If not, one error says why. */
static bool readable(Loader *l, const Source *source, Place place)
{
    if (source->size > FILE_LIMIT) {
        diag_error(l->d, place, "%s is too large for a model: %zu bytes, at most %d", source->path, source->size,
                   FILE_LIMIT);
        return false;
    }
    const char *zero = memchr(source->text, 0, source->size);
    if (zero) {
        diag_error(l->d, place, "%s is no text: byte %td is zero", source->path, zero - source->text);
        return false;
    }
    size_t wrong = valid_utf8(source->text, source->size);
    if (wrong < source->size) {
        diag_error(l->d, place, "%s is no UTF-8 text: byte %zu is 0x%02x", source->path, wrong,
                   (unsigned char)source->text[wrong]);
        return false;
    }
    return true;
}

/* The tree of one file, its imports not yet read. */
static Ast *parse_text(Loader *l, const Source *source, Place place)
{
    if (!readable(l, source, place))
        return NULL;
    Parser *p = arena_new_of(l->arena, Parser);
    p->arena = l->arena;
    p->source = source;
    p->d = l->d;
    p->ast = arena_new_of(l->arena, Ast);
    p->ast->source = source;
    scan_begin(p);
    yyparse(p);
    scan_end(p);
    if (p->errors > 0)
        return NULL;
    if (!p->any && !source->builtin) {
        diag_error(l->d, place, "%s is empty: a model has at least one fn", source->path);
        return NULL;
    }
    return p->ast;
}

static Ast *load_file(Loader *l, const char *path, Place place, const Chain *importer);

typedef Vec(const char *) Paths;

/* Where an imported file may be, the first place first: beside the file that imports it, then in the gallery. */
static Paths possible_paths(Loader *l, const char *importer, const char *path)
{
    Paths paths = { 0 };
    const char *slash = path[0] == '/' ? NULL : strrchr(importer, '/');
    vec_push(l->arena, &paths,
             slash ? arena_print(l->arena, "%.*s/%s", (int)(slash - importer), importer, path) : path);
    for (const char *const *s = l->search; path[0] != '/' && s && *s; s++)
        vec_push(l->arena, &paths, arena_print(l->arena, "%s/%s", *s, path));
    return paths;
}

/* The path of an imported file that exists, or NULL after reporting. */
static const char *found_path(Loader *l, const char *importer, const Import *import)
{
    Paths paths = possible_paths(l, importer, import->path);
    for (int i = 0; i < paths.count; i++)
        if (access(paths.at[i], F_OK) == 0) return paths.at[i];
    diag_error(l->d, import->place, "there is no file %s", import->path);
    for (int i = 0; i < paths.count; i++) diag_note(l->d, (Place){ 0 }, "looked for %s", paths.at[i]);
    return NULL;
}

static bool load_import(Loader *l, const Ast *ast, Import *import, const Chain *chain)
{
    size_t length = strlen(import->path);
    if (length < 4 || strcmp(import->path + length - 4, ".ptm") != 0) {
        diag_error(l->d, import->place, "an import names a file that ends in .ptm");
        return false;
    }
    const char *path = found_path(l, ast->source->path, import);
    if (!path) return false;
    import->file = load_file(l, path, import->place, chain);
    return import->file != NULL;
}

static bool load_imports(Loader *l, Ast *ast, const Chain *chain)
{
    bool complete = true;
    for (Import *import = ast->imports; import; import = import->next)
        complete &= load_import(l, ast, import, chain);
    return complete;
}

/* Reports a file that imports itself, on the way of `chain`. */
static bool recursive(Loader *l, const char *identity, const char *path, Place place, const Chain *chain)
{
    for (const Chain *c = chain; c; c = c->importer)
        if (strcmp(c->identity, identity) == 0) {
            diag_error(l->d, place, "%s imports itself%s", path, c == chain ? "" : " by way of other files");
            return true;
        }
    if (chain && chain->length >= IMPORT_LIMIT) {
        diag_error(l->d, place, "imports nest more than %d deep", IMPORT_LIMIT);
        return true;
    }
    return false;
}

static Ast *load_file(Loader *l, const char *path, Place place, const Chain *importer)
{
    const char *identity = canonical(l->arena, path);
    if (recursive(l, identity, path, place, importer))
        return NULL;
    Ast *known = map_get(l->loaded, identity);
    if (known || map_get(l->failed, identity))
        return known;
    map_set(l->failed, identity, l);
    const Source *source = file_source(l, path, place);
    if (!source)
        return NULL;
    Ast *ast = parse_text(l, source, place);
    Chain chain = { identity, importer, importer ? importer->length + 1 : 1 };
    if (!ast || !load_imports(l, ast, &chain))
        return NULL;
    map_set(l->loaded, identity, ast);
    return ast;
}

Ast *ast_load(Arena *arena, const char *path, const char *const *search, Diagnostics *d)
{
    Loader loader = { arena, search, d, map_new(arena), map_new(arena) };
    return load_file(&loader, path, (Place){ 0 }, NULL);
}

const Source *source_read(Arena *arena, const char *path, Diagnostics *d)
{
    Loader loader = { .arena = arena, .d = d };
    return file_source(&loader, path, (Place){ 0 });
}

Ast *ast_parse_alone(Arena *arena, const Source *source, Diagnostics *d)
{
    Loader loader = { .arena = arena, .d = d };
    return parse_text(&loader, source, (Place){ 0 });
}

Ast *ast_parse(Arena *arena, const Source *source, const char *const *search, Diagnostics *d)
{
    Loader loader = { arena, search, d, map_new(arena), map_new(arena) };
    Chain chain = { canonical(arena, source->path), NULL, 1 };
    Ast *ast = parse_text(&loader, source, (Place){ 0 });
    return ast && load_imports(&loader, ast, &chain) ? ast : NULL;
}
