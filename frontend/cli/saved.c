#include "frontend/cli/saved.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool names(const Pairs *pairs, const char *name)
{
    for (int i = 0; i < pairs->count; i++)
        if (!strcmp(pairs->at[i].name, name)) return true;
    return false;
}

static void add_missing(Arena *arena, Pairs *pairs, json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        if (!json_is_string(value) || names(pairs, name)) continue;
        const char *text = json_string_value(value);
        Pair pair = { arena_copy_text(arena, name, strlen(name)), arena_copy_text(arena, text, strlen(text)) };
        vec_push(arena, pairs, pair);
    }
}

bool saved_settings(Arena *arena, const char *directory, Pairs *set, Pairs *data, const char **why)
{
    const char *path = arena_print(arena, "%s/run.json", directory);
    struct stat st;
    if (stat(path, &st)) return true;
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root) {
        *why = arena_print(arena, "%s:%d:%d: %s", path, error.line, error.column, error.text);
        return false;
    }
    add_missing(arena, set, json_object_get(root, "set"));
    add_missing(arena, data, json_object_get(root, "data"));
    json_decref(root);
    return true;
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *bytes = NULL;
    struct stat st;
    if (!fstat(fileno(file), &st) && S_ISREG(st.st_mode) && (bytes = malloc((size_t)st.st_size + 1))) {
        *size = fread(bytes, 1, (size_t)st.st_size, file);
        bytes[*size] = 0;
    }
    fclose(file);
    return bytes;
}

bool saved_constant(HostData *data, const char *directory, const char *name, HostArg *out, const char **why)
{
    Arena *arena = host_data_arena(data);
    const char *path = arena_print(arena, "%s/%s.tokenizer", directory, name);
    size_t size;
    char *bytes = read_file(path, &size);
    if (!bytes) return false;
    RtError error;
    RtTokenizer *tokenizer = rt_tokenizer_load(bytes, size, &error);
    free(bytes);
    if (!tokenizer) {
        *why = arena_print(arena, "%s: %s", path, error.text);
        return false;
    }
    DataValue value = data_tokenizer(rt_data_keep(host_data_runtime(data), tokenizer));
    *out = host_arg(data, &value);
    return true;
}
