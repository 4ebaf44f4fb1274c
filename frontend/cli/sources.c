/* Paths of imports are put together as text: what an import found in the gallery lands beside the file that imports it,
 * where a later reading of the copy looks first. */
#include "frontend/cli/sources.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "model/"

/* A path without "." and without ".." behind a name: only leading ".." stay. */
static const char *plain_path(Arena *arena, const char *path)
{
    char *out = arena_alloc(arena, strlen(path) + 2);
    size_t length = 0, climbed = 0;      /* climbed: bytes of leading "../" */
    for (const char *at = path; *at; ) {
        size_t size = strcspn(at, "/");
        bool up = size == 2 && !strncmp(at, "..", 2);
        if (up && length > climbed) {
            length--;
            while (length > climbed && out[length - 1] != '/') length--;
        } else if (up || (size > 0 && !(size == 1 && *at == '.'))) {
            memcpy(out + length, at, size);
            length += size;
            out[length++] = '/';
            if (up) climbed = length;
        }
        at += size;
        at += strspn(at, "/");
    }
    out[length ? length - 1 : 0] = 0;
    return out;
}

/* Where `path`, imported by the file `importer`, belongs relative to the root file. */
static const char *import_path(Arena *arena, const char *importer, const char *path)
{
    const char *slash = path[0] == '/' ? NULL : strrchr(importer, '/');
    int folder = slash ? (int)(slash - importer) + 1 : 0;
    return plain_path(arena, arena_print(arena, "%.*s%s", folder, importer, path));
}

static void collect(Arena *arena, const Ast *ast, const char *name, ModelFiles *out)
{
    for (int i = 0; i < out->count; i++)
        if (!strcmp(out->at[i].name, name)) return;
    ModelFile file = { name, ast->source };
    vec_push(arena, out, file);
    for (const Import *i = ast->imports; i; i = i->next)
        collect(arena, i->file, import_path(arena, name, i->path), out);
}

static int climbs(const char *name)
{
    int count = 0;
    for (; !strncmp(name, "../", 3); name += 3) count++;
    return count;
}

/* The last `count` folders of the one the root file is in, "a/b/": there, "../" stays inside. */
static const char *last_folders(Arena *arena, const char *root, int count)
{
    char *real = realpath(root, NULL);
    char *folder = arena_print(arena, "%s", real ? real : root);
    free(real);
    const char *all = dirname(folder), *at = all + strlen(all);
    for (int i = 0; i < count && at > all; i++) {
        while (at > all && at[-1] != '/') at--;
        if (i + 1 < count && at > all) at--;
    }
    return arena_print(arena, *at ? "%s/" : "%s", at);
}

ModelFiles model_files(Arena *arena, const Ast *ast)
{
    ModelFiles files = { 0 };
    const char *slash = strrchr(ast->source->path, '/');
    collect(arena, ast, slash ? slash + 1 : ast->source->path, &files);
    int most = 0;
    for (int i = 0; i < files.count; i++)
        if (climbs(files.at[i].name) > most) most = climbs(files.at[i].name);
    const char *folders = most ? last_folders(arena, ast->source->path, most) : "";
    for (int i = 0; i < files.count; i++) {
        const char *name = plain_path(arena, arena_print(arena, "%s%s", folders, files.at[i].name));
        files.at[i].name = arena_print(arena, FOLDER "%s", name + 3 * climbs(name));
    }
    return files;
}
