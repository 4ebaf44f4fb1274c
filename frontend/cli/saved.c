/* Reading and writing what is saved beside parameters. */
#include "frontend/cli/saved.h"
#include "runtime/core/checksum.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

const char *saved_file(Arena *arena, const char *weights)
{
    struct stat st;
    if (stat(weights, &st) || !S_ISDIR(st.st_mode)) return weights;
    const char *best = arena_print(arena, "%s/best.safetensors", weights);
    return access(best, R_OK) ? arena_print(arena, "%s/last.safetensors", weights) : best;
}

RtWeights *saved_weights(Arena *arena, const char *weights, RtError *e)
{
    return rt_weights_open(saved_file(arena, weights), e);
}

struct Saved {
    Arena      *arena;
    const char *path;                    /* of the tensors */
    RtWeights  *weights;                 /* NULL before the first question, and when they cannot be read */
    bool        asked;
    RtError     error;                   /* why they cannot */
    bool        run;                     /* weights of a run directory, where all that belongs to them lies */
};

Saved *saved_open(Arena *arena, const char *weights)
{
    Saved *s = arena_new_of(arena, Saved);
    *s = (Saved){ .arena = arena, .path = saved_file(arena, weights) };
    s->run = s->path != weights;
    return s;
}

void saved_close(Saved *s)
{
    rt_weights_close(s->weights);
}

RtWeights *saved_file_open(Saved *s, RtError *e)
{
    if (!s->asked) s->weights = rt_weights_open(s->path, &s->error);
    s->asked = true;
    if (!s->weights) *e = s->error;
    return s->weights;
}

/* A file that cannot be read is reported where its parameters are loaded; arrays have no constants beside them. */
static const RtTensors *tensors_of(Saved *s)
{
    RtError error;
    const RtWeights *weights = saved_file_open(s, &error);
    return weights ? rt_weights_tensors(weights) : NULL;
}

/* ---- reading ---- */

typedef struct Reading {
    Saved      *saved;
    HostData   *data;
    Dims       *dims;
    const char *why;
} Reading;

static bool read_value(Reading *r, const char *name, const json_t *value, HostArg *out);

static const char *hash_of(Arena *arena, const char *bytes, size_t size)
{
    return arena_print(arena, "%016" PRIx64, checksum_of(bytes, (int64_t)size));
}

static bool read_tokenizer(Reading *r, const char *name, const char *hash, HostArg *out)
{
    Arena *arena = r->saved->arena;
    const char *slash = strrchr(r->saved->path, '/');
    int length = slash ? (int)(slash - r->saved->path) + 1 : 0;
    const char *path = arena_print(arena, "%.*s%s.tokenizer", length, r->saved->path, name);
    size_t size;
    char *bytes = read_file(path, &size);
    if (!bytes) {
        if (r->saved->run) r->why = arena_print(arena, "%s is missing", path);
        else fprintf(stderr, "warning: %s is missing: %s is made from the data again\n", path, name);
        return false;
    }
    RtError error;
    RtTokenizer *tokenizer = rt_tokenizer_load(bytes, size, &error);
    if (!tokenizer)
        r->why = arena_print(arena, "%s: %s", path, error.text);
    else if (hash && strcmp(hash, hash_of(arena, bytes, size)))
        r->why = arena_print(arena, "%s is not the one that was saved with the weights", path);
    free(bytes);
    if (r->why) {
        rt_tokenizer_free(tokenizer);
        return false;
    }
    DataValue value = data_tokenizer(rt_data_keep(host_data_runtime(r->data), tokenizer));
    *out = host_arg(r->data, r->dims, &value);
    return true;
}

static bool read_array(Reading *r, const char *name, HostArg *out)
{
    const RtTensors *tensors = tensors_of(r->saved);
    const RtTensor *t = rt_tensors_find(tensors, arena_print(r->saved->arena, "const.%s", name));
    if (!t) {
        r->why = arena_print(r->saved->arena, "%s has no tensor const.%s", r->saved->path, name);
        return false;
    }
    RtError error;
    char *bytes = rt_data_alloc(host_data_runtime(r->data), t->bytes, 1);
    if (!rt_tensors_read(tensors, t, bytes, &error)) {
        r->why = arena_print(r->saved->arena, "%s", error.text);
        return false;
    }
    DataValue value = { .kind = DATA_array, .array = { .data = bytes, .dtype = t->dtype, .rank = t->rank } };
    memcpy(value.array.shape, t->shape, sizeof t->shape);
    *out = host_arg(r->data, r->dims, &value);
    return true;
}

static bool read_list(Reading *r, const char *name, const json_t *list, HostArg *out)
{
    int count = (int)json_array_size(list);
    *out = (HostArg){ .kind = ARG_list, .count = count, .items = arena_array(r->saved->arena, HostArg, count) };
    for (int i = 0; i < count; i++) {
        const char *item = arena_print(r->saved->arena, "%s.%d", name, i);
        if (!read_value(r, item, json_array_get(list, (size_t)i), &out->items[i])) return false;
    }
    return true;
}

static bool read_value(Reading *r, const char *name, const json_t *value, HostArg *out)
{
    *out = (HostArg){ .kind = ARG_none };
    switch (json_typeof(value)) {
    case JSON_NULL: return true;
    case JSON_TRUE:
    case JSON_FALSE: *out = (HostArg){ .kind = ARG_bool, .number = json_is_true(value) }; return true;
    case JSON_INTEGER:
    case JSON_REAL: *out = (HostArg){ .kind = ARG_number, .number = json_number_value(value) }; return true;
    case JSON_STRING: return read_array(r, name, out);
    case JSON_ARRAY: return read_list(r, name, value, out);
    case JSON_OBJECT: break;
    }
    const char *text = json_string_value(json_object_get(value, "text"));
    if (!text) return read_tokenizer(r, name, json_string_value(json_object_get(value, "hash")), out);
    *out = (HostArg){ .kind = ARG_text, .text = arena_copy_text(r->saved->arena, text, strlen(text)) };
    return true;
}

bool saved_constant(Saved *s, HostData *data, const char *name, Dims *dims, HostArg *out, const char **why)
{
    const RtTensors *tensors = tensors_of(s);
    const char *text = tensors ? rt_tensors_metadata(tensors, arena_print(s->arena, "const.%s", name)) : NULL;
    if (!text) return false;
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);
    Reading r = { s, data, dims, NULL };
    bool good = value && read_value(&r, name, value, out);
    if (!value) r.why = arena_print(s->arena, "%s: const.%s: %s", s->path, name, error.text);
    json_decref(value);
    *why = r.why;
    return good;
}

/* ---- writing ---- */

static json_t *json_tokenizer(Arena *arena, const RtTokenizer *tokenizer)
{
    size_t size;
    char *bytes = rt_tokenizer_save(tokenizer, &size);
    json_t *json = json_pack("{s:i, s:s}", "tokenizer", (int)rt_tokenizer_size(tokenizer), "hash",
                             hash_of(arena, bytes, size));
    free(bytes);
    return json;
}

/* NULL for what is not saved, and for a list with something of that kind in it. */
static json_t *json_of(Arena *arena, const HostArg *v)
{
    switch (v->kind) {
    case ARG_none: return json_null();
    case ARG_bool: return json_boolean(v->number != 0);
    case ARG_number:
        if (v->number == floor(v->number) && fabs(v->number) < 0x1p53) return json_integer((json_int_t)v->number);
        return json_real(v->number);     /* NULL for infinities, which JSON lacks */
    case ARG_text: return json_pack("{s:s}", "text", v->text);
    case ARG_list: {
        json_t *list = json_array();
        for (int i = 0; i < v->count; i++) {
            json_t *item = json_of(arena, &v->items[i]);
            if (item && !json_array_append_new(list, item)) continue;
            json_decref(list);
            return NULL;
        }
        return list;
    }
    case ARG_host: break;
    }
    if (v->value.kind == HOST_tokenizer) return json_tokenizer(arena, host_tokenizer(&v->value));
    bool array = v->value.kind == HOST_array || v->value.kind == HOST_ids;
    return array ? json_string(type_text(arena, &v->value.type)) : NULL;
}

const char *saved_text(Arena *arena, const HostArg *value)
{
    json_t *json = json_of(arena, value);
    char *text = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
    const char *copy = text ? arena_copy_text(arena, text, strlen(text)) : NULL;
    free(text);
    json_decref(json);
    return copy;
}
