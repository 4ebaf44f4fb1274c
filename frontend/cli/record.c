/* Records of runs. */
#include "frontend/cli/record.h"
#include "frontend/cli/build.h"
#include "frontend/cli/host.h"
#include "runtime/core/checksum.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ---- */

static const char *copy(Arena *arena, const json_t *text)
{
    return json_is_string(text) ? arena_copy_text(arena, json_string_value(text), json_string_length(text)) : NULL;
}

static bool read_pairs(Arena *arena, json_t *object, Pairs *out)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object)) return false;
    json_object_foreach(object, name, value) {
        Pair pair = { arena_copy_text(arena, name, strlen(name)), copy(arena, value) };
        if (!pair.value) return false;
        vec_push(arena, out, pair);
    }
    return true;
}

static bool read_texts(Arena *arena, const json_t *list, RecordedTexts *out)
{
    size_t i;
    json_t *item;
    if (!json_is_array(list)) return false;
    json_array_foreach(list, i, item) {
        RecordedText text = { copy(arena, json_object_get(item, "name")), copy(arena, json_object_get(item, "file")),
                              copy(arena, json_object_get(item, "hash")) };
        if (!text.name || !text.hash) return false;
        vec_push(arena, out, text);
    }
    return true;
}

static bool read_number(const json_t *number, int64_t *out)
{
    *out = json_is_integer(number) ? json_integer_value(number) : -1;
    return *out >= 0;
}

static bool read_flag(const json_t *number, int64_t *out)
{
    *out = -1;
    return !number || read_number(number, out);
}

/* The name of the first field that is missing or of another kind, or NULL. */
static const char *read_fields(Arena *arena, const json_t *root, Record *out)
{
    out->version = copy(arena, json_object_get(root, "ptm"));
    out->model = copy(arena, json_object_get(root, "model"));
    out->folder = copy(arena, json_object_get(root, "folder"));
    out->blas = copy(arena, json_object_get(root, "blas"));
    out->precision = copy(arena, json_object_get(root, "precision"));
    return !out->version                                                  ? "ptm"
         : !out->model                                                    ? "model"
         : out->blas && strcmp(out->blas, "none") && strcmp(out->blas, "openblas") ? "blas"
         : out->precision && strcmp(out->precision, "bf16")               ? "precision"
         : !read_pairs(arena, json_object_get(root, "set"), &out->set)    ? "set"
         : !read_pairs(arena, json_object_get(root, "data"), &out->data)  ? "data"
         : !read_pairs(arena, json_object_get(root, "dim"), &out->dim)    ? "dim"
         : !read_number(json_object_get(root, "seed"), &out->seed)        ? "seed"
         : !read_number(json_object_get(root, "steps"), &out->steps)      ? "steps"
         : !read_flag(json_object_get(root, "save_every"), &out->save_every)       ? "save_every"
         : !read_flag(json_object_get(root, "keep"), &out->keep)                   ? "keep"
         : !read_texts(arena, json_object_get(root, "files"), &out->files)         ? "files"
         : !read_texts(arena, json_object_get(root, "sources"), &out->sources)     ? "sources"
                                                                                   : NULL;
}

const Record *record_read(Arena *arena, const char *directory, const char **why)
{
    const char *path = arena_print(arena, "%s/run.json", directory);
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        *why = error.line > 0 ? arena_print(arena, "%s:%d:%d: %s", path, error.line, error.column, error.text)
                              : arena_print(arena, "%s holds no run to resume: there is no run.json", directory);
        return NULL;
    }
    Record *record = arena_new_of(arena, Record);
    const char *wrong = read_fields(arena, root, record);
    json_decref(root);
    if (!wrong) return record;
    *why = arena_print(arena, "%s does not say how the run was begun: \"%s\" is missing or malformed", path, wrong);
    return NULL;
}

/* ---- flags ---- */

static const char *find(const Pairs *pairs, const char *name)
{
    for (int i = 0; i < pairs->count; i++)
        if (!strcmp(pairs->at[i].name, name)) return pairs->at[i].value;
    return NULL;
}

/* Every pair that is given now must be in the record, with this value; then they are those of the record. */
static bool complete_pairs(const char *flag, const Pairs *begun, Pairs *now)
{
    bool good = true;
    for (int i = 0; i < now->count; i++) {
        const char *name = now->at[i].name, *value = now->at[i].value, *then = find(begun, name);
        if (then && !strcmp(then, value)) continue;
        if (then)
            fprintf(stderr, "ptm train: --%s %s=%s, but this run was begun with %s=%s\n", flag, name, value, name,
                    then);
        else
            fprintf(stderr, "ptm train: --%s %s=%s, but this run was begun without --%s %s\n", flag, name, value, flag,
                    name);
        good = false;
    }
    *now = *begun;
    return good;
}

static void add_missing(Arena *arena, const Pairs *begun, Pairs *now)
{
    for (int i = 0; i < begun->count; i++)
        if (!find(now, begun->at[i].name)) vec_push(arena, now, begun->at[i]);
}

/* The file that a record in `directory` names: seen from where it was begun; as it is written when that is the same, or
 * is not there any more. */
static const char *begun_file(Arena *arena, const char *directory, const Record *begun, const char *file)
{
    struct stat there, here;
    if (*file == '/' || !begun->folder) return file;
    const char *path = *begun->folder == '/' ? arena_print(arena, "%s/%s", begun->folder, file)
                                             : arena_print(arena, "%s/%s/%s", directory, begun->folder, file);
    if (stat(path, &there) != 0) return file;
    bool same = stat(file, &here) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
    return same ? file : path;
}

static void add_files(Arena *arena, const char *directory, const Record *begun, Pairs *now)
{
    for (int i = 0; i < begun->data.count; i++) {
        Pair pair = begun->data.at[i];
        if (find(now, pair.name)) continue;
        pair.value = begun_file(arena, directory, begun, pair.value);
        vec_push(arena, now, pair);
    }
}

bool record_add(Arena *arena, const char *weights, Options *options, const char **why)
{
    if (access(arena_print(arena, "%s/run.json", weights), F_OK)) return true;
    const Record *record = record_read(arena, weights, why);
    if (!record) return false;
    add_missing(arena, &record->set, &options->set);
    add_missing(arena, &record->dim, &options->dim);
    add_files(arena, weights, record, &options->data);
    return true;
}

/* Files may have moved: what is in them is compared later. */
static bool find_files(Arena *arena, const Record *begun, Options *options)
{
    bool good = true;
    int given = options->data.count;
    add_files(arena, options->out, begun, &options->data);
    for (int i = given; i < options->data.count; i++) {
        const Pair *pair = &options->data.at[i];
        if (access(pair->value, F_OK) == 0) continue;
        good = false;
        fprintf(stderr, "ptm train: this run was begun with --data %s=%s%s%s, which is not there: say where the file "
                        "is with --data %s=FILE\n",
                pair->name, pair->value, begun->folder && *begun->folder == '/' ? " in " : "",
                begun->folder && *begun->folder == '/' ? begun->folder : "", pair->name);
    }
    return good;
}

bool record_complete(Arena *arena, const Record *begun, Options *options)
{
    bool good = complete_pairs("set", &begun->set, &options->set);
    good = complete_pairs("dim", &begun->dim, &options->dim) && good;
    if (options->seed >= 0 && options->seed != begun->seed) {
        fprintf(stderr, "ptm train: --seed %" PRId64 ", but this run was begun with seed %" PRId64 "\n", options->seed,
                begun->seed);
        good = false;
    }
    const char *blas = begun->blas ? begun->blas : "openblas";           /* older records leave out what was usual */
    if (options->blas && strcmp(options->blas, blas)) {
        fprintf(stderr, "ptm train: --blas %s, but this run was begun with --blas %s\n", options->blas, blas);
        good = false;
    }
    options->blas = blas;
    if (options->precision && strcmp(options->precision, begun->precision ? begun->precision : "f32")) {
        fprintf(stderr, "ptm train: --precision %s, but this run was begun %s --precision bf16\n", options->precision,
                begun->precision ? "with" : "without");
        good = false;
    }
    options->precision = begun->precision;
    good = find_files(arena, begun, options) && good;
    options->seed = begun->seed;
    if (options->steps < 0) options->steps = begun->steps;
    if (options->save_every < 0) options->save_every = begun->save_every;
    if (options->keep < 0) options->keep = begun->keep;
    return good;
}

/* ---- what is now ---- */

static const char *hash_text(Arena *arena, const char *bytes, int64_t size)
{
    return arena_print(arena, "%016" PRIx64, checksum_of(bytes, size));
}

/* Where this command runs, from the run directory `out`. A path that climbs may lead elsewhere on its way back. */
static const char *folder_of(Arena *arena, const char *out)
{
    const char *back = "";
    if (*out == '/' || strstr(out, "..")) {
        char *here = getcwd(NULL, 0);
        const char *folder = here ? arena_print(arena, "%s", here) : NULL;
        free(here);
        return folder;
    }
    for (const char *at = out; *at; at += strcspn(at, "/"), at += strspn(at, "/")) {
        bool stays = at[0] == '.' && (!at[1] || at[1] == '/');
        if (!stays) back = arena_print(arena, *back ? "%s/.." : "%s..", back);
    }
    return *back ? back : ".";
}

/* Whether a run that goes on reads what its record names, so that the record may stay as it is. */
static bool reads_begun(const Session *s, const Record *begun)
{
    const Options *o = s->options;
    bool same = o->data.count == begun->data.count;
    for (int i = 0; same && i < begun->data.count; i++) {
        const char *now = find(&o->data, begun->data.at[i].name);
        same = now && !strcmp(now, begun_file(s->arena, o->out, begun, begun->data.at[i].value));
    }
    return same;
}

Record *record_of(Session *s, uint64_t seed, int64_t steps)
{
    Record *record = arena_new_of(s->arena, Record);
    const Options *o = s->options;
    *record = (Record){ .version = PTM_VERSION, .model = o->argument, .set = o->set, .data = o->data, .dim = o->dim,
                        .seed = (int64_t)seed, .steps = steps,
                        .blas = build_blas(o) == BLAS_openblas ? "openblas" : "none",
                        .precision = o->precision && strcmp(o->precision, "f32") ? o->precision : NULL,
                        .save_every = o->save_every, .keep = o->keep,
                        .folder = o->out && o->data.count ? folder_of(s->arena, o->out) : NULL };
    if (s->record && reads_begun(s, s->record)) record->data = s->record->data, record->folder = s->record->folder;
    ModelFiles files = model_files(s->arena, s->ast);
    for (int i = 0; i < files.count; i++) {
        const Source *source = files.at[i].source;
        RecordedText text =
            { files.at[i].name, source->path, hash_text(s->arena, source->text, (int64_t)source->size) };
        vec_push(s->arena, &record->files, text);
    }
    RtData *data = host_data_runtime(s->data);
    for (int i = 0; i < rt_data_source_count(data); i++) {
        const DataSource *source = rt_data_source(data, i);
        const char *file = source->file ? find(&record->data, source->name) : NULL;
        RecordedText text = { source->name, file, hash_text(s->arena, source->text.bytes, source->text.size) };
        vec_push(s->arena, &record->sources, text);
    }
    return record;
}

static const char *file_name(const RecordedText *t) { return t->file ? t->file : "the built-in corpus"; }

static bool same_sources(const Session *s, const RecordedTexts *begun, const RecordedTexts *now)
{
    bool good = begun->count == now->count;
    if (!good)
        session_fail(s, "the model reads %d sources of data, this run was begun with %d", now->count, begun->count);
    for (int i = 0; i < now->count && i < begun->count; i++) {
        const RecordedText *a = &begun->at[i], *b = &now->at[i];
        if (!strcmp(a->name, b->name) && !strcmp(a->hash, b->hash)) continue;
        good = false;
        session_fail(s, "the data differs: this run was begun with \"%s\" from %s (hash %s), now \"%s\" is %s "
                     "(hash %s)", a->name, file_name(a), a->hash, b->name, file_name(b), b->hash);
    }
    return good;
}

static bool same_files(const Session *s, const RecordedTexts *begun, const RecordedTexts *now)
{
    bool good = begun->count == now->count;
    if (!good) session_fail(s, "the model has %d files, it had %d when this run was begun", now->count, begun->count);
    for (int i = 0; i < now->count && i < begun->count; i++) {
        if (!strcmp(begun->at[i].hash, now->at[i].hash)) continue;
        good = false;
        session_fail(s, "%s has changed since this run was begun: compare it with %s/%s", now->at[i].file,
                     s->options->out, begun->at[i].name);
    }
    return good;
}

bool record_agrees(const Session *s, const Record *begun, const Record *now)
{
    bool good = same_files(s, &begun->files, &now->files);
    good = same_sources(s, &begun->sources, &now->sources) && good;
    if (!good) return false;
    if (begun->steps != now->steps)
        fprintf(stderr, "warning: this run was begun for %" PRId64 " steps, now it is %" PRId64
                ": schedules that depend on the length change from here on\n", begun->steps, now->steps);
    if (strcmp(begun->version, now->version))
        fprintf(stderr, "warning: this run was begun with ptm %s, this is ptm %s: results may differ in their last "
                        "bits\n",
                begun->version, now->version);
    return true;
}

/* ---- writing ---- */

/* File names need not be UTF-8, as JSON is. */
static json_t *json_words(const char *text)
{
    json_t *words = json_string(text);
    return words ? words : json_string("(not UTF-8)");
}

static json_t *pairs_object(const Pairs *pairs)
{
    json_t *object = json_object();
    for (int i = 0; i < pairs->count; i++)
        json_object_set_new(object, pairs->at[i].name, json_words(pairs->at[i].value));
    return object;
}

static json_t *texts_list(const RecordedTexts *texts)
{
    json_t *list = json_array();
    for (int i = 0; i < texts->count; i++) {
        const RecordedText *t = &texts->at[i];
        json_t *file = t->file ? json_words(t->file) : json_null();
        json_array_append_new(list, json_pack("{s:o, s:o, s:s}", "name", json_words(t->name), "file", file, "hash",
                                              t->hash));
    }
    return list;
}

static json_t *stages_list(const Record *record)
{
    json_t *list = json_array();
    for (int i = 0; i < record->stages.count; i++) {
        const RecordedStage *stage = &record->stages.at[i];
        json_array_append_new(list, json_pack("{s:o, s:I}", "name", json_words(stage->name), "steps",
                                              (json_int_t)stage->steps));
    }
    return list;
}

const char *record_text(Arena *arena, const Record *record)
{
    json_t *root = json_object();
    json_object_set_new(root, "ptm", json_string(record->version));
    json_object_set_new(root, "model", json_words(record->model));
    json_object_set_new(root, "set", pairs_object(&record->set));
    json_object_set_new(root, "data", pairs_object(&record->data));
    if (record->folder) json_object_set_new(root, "folder", json_words(record->folder));
    json_object_set_new(root, "dim", pairs_object(&record->dim));
    if (record->blas) json_object_set_new(root, "blas", json_words(record->blas));
    if (record->precision) json_object_set_new(root, "precision", json_words(record->precision));
    json_object_set_new(root, "seed", json_integer((json_int_t)record->seed));
    json_object_set_new(root, "steps", json_integer((json_int_t)record->steps));
    if (record->save_every >= 0) json_object_set_new(root, "save_every", json_integer((json_int_t)record->save_every));
    if (record->keep >= 0) json_object_set_new(root, "keep", json_integer((json_int_t)record->keep));
    if (record->stages.count && *record->stages.at[0].name) json_object_set_new(root, "stages", stages_list(record));
    json_object_set_new(root, "files", texts_list(&record->files));
    json_object_set_new(root, "sources", texts_list(&record->sources));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(root);
    char *copied = arena_print(arena, "%s\n", text ? text : "{}");
    free(text);
    return copied;
}
