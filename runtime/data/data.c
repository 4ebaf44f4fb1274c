/* The owner of the data phase: names of files, memory, and calls through the table of readers. */
#include "runtime/data/data.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/random.h"
#include "runtime/data/arrays.h"
#include "runtime/data/idx.h"
#include "runtime/data/parts.h"
#include "runtime/text/vocabulary.h"

typedef struct Binding {
    char *name, *file;
} Binding;

struct RtData {
    Binding      *bindings;
    int64_t       binding_count, binding_room;
    DataSource   *loaded;                /* each read once and kept */
    int64_t       loaded_count, loaded_room;
    void        **blocks;                /* from malloc */
    int64_t       block_count, block_room;
    RtTokenizer **tokenizers;
    int64_t       tokenizer_count, tokenizer_room;
    uint64_t      stream_calls;
};

RtData *rt_data_new(void)
{
    int64_t room = 0;
    RtData *d = rt_grow(NULL, &room, 1, sizeof *d);
    *d = (RtData){ 0 };
    return d;
}

void rt_data_free(RtData *d)
{
    if (!d) return;
    for (int64_t i = 0; i < d->tokenizer_count; i++) rt_tokenizer_free(d->tokenizers[i]);
    for (int64_t i = 0; i < d->block_count; i++) free(d->blocks[i]);
    free(d->tokenizers);
    free(d->blocks);
    free(d->loaded);
    free(d->bindings);
    free(d);
}

/* Memory. */

void *rt_data_adopt(RtData *d, void *block)
{
    d->blocks = rt_grow(d->blocks, &d->block_room, d->block_count + 1, sizeof *d->blocks);
    d->blocks[d->block_count++] = block;
    return block;
}

int64_t rt_data_bytes(const RtData *d)
{
    int64_t bytes = 0;
    for (int64_t i = 0; i < d->block_count; i++) bytes += (int64_t)malloc_usable_size(d->blocks[i]);
    return bytes;
}

void *rt_data_alloc(RtData *d, int64_t count, int64_t item)
{
    int64_t room = 0;
    return rt_data_adopt(d, rt_grow(NULL, &room, count, item));
}

const RtTokenizer *rt_data_keep(RtData *d, RtTokenizer *t)
{
    d->tokenizers = rt_grow(d->tokenizers, &d->tokenizer_room, d->tokenizer_count + 1, sizeof(RtTokenizer *));
    d->tokenizers[d->tokenizer_count++] = t;
    return t;
}

static char *keep_string(RtData *d, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(rt_data_alloc(d, (int64_t)size, 1), text, size);
}

/* Sources. */

const char *source_file(const RtData *d, const char *name)
{
    for (int64_t i = 0; i < d->binding_count; i++) {
        if (strcmp(d->bindings[i].name, name) == 0) return d->bindings[i].file;
    }
    return NULL;
}

bool rt_data_bind(RtData *d, const char *name, const char *file)
{
    if (source_file(d, name)) return false;
    d->bindings = rt_grow(d->bindings, &d->binding_room, d->binding_count + 1, sizeof *d->bindings);
    d->bindings[d->binding_count++] = (Binding){ keep_string(d, name), keep_string(d, file) };
    return true;
}

static bool is_read(const RtData *d, const char *name)
{
    for (int64_t i = 0; i < d->loaded_count; i++) {
        if (strcmp(d->loaded[i].name, name) == 0) return true;
    }
    return false;
}

const char *rt_data_unused(const RtData *d)
{
    for (int64_t i = 0; i < d->binding_count; i++) {
        if (!is_read(d, d->bindings[i].name)) return d->bindings[i].name;
    }
    return NULL;
}

int rt_data_source_count(const RtData *d)
{
    return (int)d->loaded_count;
}

const DataSource *rt_data_source(const RtData *d, int i)
{
    return &d->loaded[i];
}

/* Fills the source's text and what it knows about itself. */
static bool load(RtData *d, DataSource *s, RtError *e)
{
    char *bytes;
    if (s->file) {
        if (!file_read(s->file, &bytes, &s->text, e)) return false;
        rt_data_adopt(d, bytes);
    } else {
        CorpusText made = rt_corpus(s->kind, s->name, rt_corpus_size(s->kind));
        s->text = (RtText){ rt_data_adopt(d, made.bytes), made.size };
        if (s->kind == CORPUS_text) s->best_loss = rt_corpus_entropy(CORPUS_text);
        if (s->kind == CORPUS_pairs) s->best_loss = rt_corpus_target_entropy();
        if (s->kind == CORPUS_labelled) s->best_loss = rt_corpus_label_entropy();
        if (s->kind == CORPUS_labelled) s->best_accuracy = rt_corpus_label_accuracy();
    }
    return true;
}

static void add_source(RtData *d, DataSource s)
{
    d->loaded = rt_grow(d->loaded, &d->loaded_room, d->loaded_count + 1, sizeof *d->loaded);
    d->loaded[d->loaded_count++] = s;
}

bool source_text(RtData *d, const char *name, CorpusKind kind, RtText *text, RtError *e)
{
    const char *file = source_file(d, name);
    for (int64_t i = 0; i < d->loaded_count; i++) {
        const DataSource *known = &d->loaded[i];
        if (strcmp(known->name, name) != 0 || (!file && known->kind != kind)) continue;
        if (known->kind == CORPUS_KIND_COUNT) continue;      /* an array */
        *text = known->text;
        return true;
    }
    DataSource s = { .name = keep_string(d, name), .file = file, .kind = kind };
    if (!load(d, &s, e)) return false;
    add_source(d, s);
    *text = s.text;
    return true;
}

/* The one that is meant among those of a file. */
static const RtTensor *choose_array(const RtArrays *arrays, const DataSource *s, RtError *e)
{
    const char *name = s->member ? s->member : s->name, *why = rt_arrays_refused(arrays, name);
    const RtTensor *found = rt_arrays_archive(arrays) ? rt_arrays_find(arrays, name) : NULL;
    int count = rt_arrays_count(arrays);
    if (!found && !s->member && count == 1) found = rt_arrays_at(arrays, 0);
    if (found) return found;
    if (why) rt_fail(e, "%.300s: array %.100s: %s", s->file, name, why);
    else if (!rt_arrays_archive(arrays)) rt_fail(e, "%.300s is a .npy file: its array has no name", s->file);
    else rt_fail(e, "%.300s has no array %.100s among its %d", s->file, name, count);
    return NULL;
}

/* Room for the elements; NULL when there are none. */
static char *hold_array(RtData *d, const RtTensor *t, DataSource *s, RtError *e)
{
    if (t->bytes == 0) {
        rt_fail(e, "%.300s has no elements", s->file);
        return NULL;
    }
    char *bytes = rt_data_alloc(d, t->bytes, 1);
    s->array = (DataArray){ .data = bytes, .dtype = t->dtype, .rank = t->rank };
    memcpy(s->array.shape, t->shape, sizeof t->shape);
    s->text = (RtText){ bytes, t->bytes };
    return bytes;
}

static bool load_array(RtData *d, DataSource *s, RtError *e)
{
    RtArrays *arrays = rt_arrays_open(s->file, e);
    const RtTensor *t = arrays ? choose_array(arrays, s, e) : NULL;
    char *bytes = t ? hold_array(d, t, s, e) : NULL;
    bool good = bytes && rt_arrays_read(arrays, t, bytes, e);
    rt_arrays_close(arrays);
    return good;
}

static bool load_idx(RtData *d, DataSource *s, RtError *e)
{
    FileBytes file;
    RtTensor t;
    if (!bytes_open(&file, s->file, e)) return false;
    char *bytes = idx_open(&file, &t, e) ? hold_array(d, &t, s, e) : NULL;
    bool good = bytes && idx_read(&file, &t, bytes, e);
    bytes_close(&file);
    return good;
}

static bool same_member(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool load_once(RtData *d, const char *name, const char *member, const char *ending,
                      bool (*load_file)(RtData *d, DataSource *s, RtError *e), DataArray *array, RtError *e)
{
    for (int64_t i = 0; i < d->loaded_count; i++) {
        const DataSource *known = &d->loaded[i];
        if (known->kind != CORPUS_KIND_COUNT || strcmp(known->name, name) != 0) continue;
        if (!same_member(known->member, member)) continue;
        *array = known->array;
        return true;
    }
    DataSource s = { .name = keep_string(d, name), .file = source_file(d, name), .kind = CORPUS_KIND_COUNT };
    if (member) s.member = keep_string(d, member);
    if (!s.file) return rt_fail(e, "which array? --data %.100s=FILE%s is missing: none is built in", name, ending);
    if (!load_file(d, &s, e)) return false;
    add_source(d, s);
    *array = s.array;
    return true;
}

bool source_array(RtData *d, const char *name, const char *member, DataArray *array, RtError *e)
{
    return load_once(d, name, member, ".npy", load_array, array, e);
}

bool source_idx(RtData *d, const char *name, DataArray *array, RtError *e)
{
    return load_once(d, name, NULL, "", load_idx, array, e);
}

const DataSource *rt_data_mixed(const RtData *d, const DataSource **given)
{
    for (int64_t i = 0; i < d->loaded_count; i++)
        for (int64_t k = 0; k < d->loaded_count; k++) {
            *given = &d->loaded[k];
            if (!d->loaded[i].file && d->loaded[k].file && d->loaded[i].kind == d->loaded[k].kind) return &d->loaded[i];
        }
    return NULL;
}

uint64_t data_stream_key(RtData *d)
{
    return rt_random_key(rt_random_hash("stream"), d->stream_calls++);
}

/* Calls. */

static const DataReader readers[] = {
#define READER(name, signature, help, function) { name, signature, help, function },
#include "runtime/data/readers.def"
#undef READER
};

const DataReader *rt_data_readers(int *count)
{
    *count = sizeof readers / sizeof *readers;
    return readers;
}

const DataReader *rt_data_reader(const char *name)
{
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (strcmp(readers[i].name, name) == 0) return &readers[i];
    }
    return NULL;
}

void data_result(DataResults *results, DataValue value)
{
    assert(results->count < DATA_MAX_RESULTS);
    results->values[results->count++] = value;
}

bool rt_data_call(RtData *d, const char *name, const DataValue *args, int arg_count, DataValue *results,
                  int *result_count, RtError *e)
{
    const DataReader *reader = rt_data_reader(name);
    DataValue bound[SIGNATURE_MAX];
    DataResults out = { results, 0 };
    *result_count = 0;
    if (!reader) return rt_fail(e, "there is no host function '%s'", name);
    if (!signature_bind(d, reader, args, arg_count, bound, e)) return false;
    if (!reader->function(d, bound, &out, e)) return false;
    *result_count = out.count;
    return true;
}
