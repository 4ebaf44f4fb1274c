/* Checkpoints: which tensors and texts a tensor file holds for a recipe. */
#include "runtime/train/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_NAME_BYTES = 300, NUMBER_BYTES = 40, OWN_METADATA = 4 };

#define TABLE_PREFIX "const."

typedef struct TableName {
    char text[TABLE_NAME_BYTES];
} TableName;

struct Saver {
    RtTensor  *tensors;                  /* params, tables, states: weights alone are a beginning of it */
    int        weight_count, count;
    TableName *table_names;
    RtMeta    *metadata;                 /* step, seed, best, best_step, then the recipe's */
    int        metadata_count;
    char       step[NUMBER_BYTES], seed[NUMBER_BYTES], best[NUMBER_BYTES], best_step[NUMBER_BYTES];
    char      *buffer;                   /* for the header */
};

static const char *value_bytes(const Recipe *r, const RtValue *v)
{
    char *const block[BLOCK_COUNT] = {[BLOCK_param] = r->param, [BLOCK_state] = r->state, [BLOCK_const] = r->constants};
    return rt_at(block, v->place);
}

static RtTensor tensor_of(const Recipe *r, const RtValue *v, const char *name)
{
    RtTensor t = {.name = name, .dtype = v->dtype, .rank = v->rank, .bytes = v->bytes, .data = value_bytes(r, v)};
    memcpy(t.shape, v->shape, sizeof t.shape);
    return t;
}

static TableName table_name(const RtValue *table)
{
    TableName name;
    snprintf(name.text, sizeof name.text, TABLE_PREFIX "%s", table->name);
    return name;
}

static void collect_tensors(Saver *s, const Recipe *r)
{
    RtTensor *next = s->tensors;
    for (int i = 0; i < r->param_count; i++) *next++ = tensor_of(r, &r->params[i], r->params[i].name);
    for (int i = 0; i < r->table_count; i++) {
        s->table_names[i] = table_name(&r->tables[i]);
        *next++ = tensor_of(r, &r->tables[i], s->table_names[i].text);
    }
    s->weight_count = (int)(next - s->tensors);
    for (int i = 0; i < r->state_count; i++) *next++ = tensor_of(r, &r->states[i], r->states[i].name);
    s->count = (int)(next - s->tensors);
}

static void collect_metadata(Saver *s, const Recipe *r)
{
    const RtMeta own[OWN_METADATA] = {
        {"step", s->step}, {"seed", s->seed}, {"best", s->best}, {"best_step", s->best_step}};
    memcpy(s->metadata, own, sizeof own);
    if (r->metadata_count > 0)
        memcpy(s->metadata + OWN_METADATA, r->metadata, (size_t)r->metadata_count * sizeof *r->metadata);
    s->metadata_count = OWN_METADATA + r->metadata_count;
}

static void set_position(Saver *s, const Position *p)
{
    snprintf(s->step, sizeof s->step, "%" PRId64, p->step);
    snprintf(s->best, sizeof s->best, "%.17g", p->best);
    if (isnan(p->best)) strcpy(s->best, "none");             /* the sign of a NaN means nothing and is printed */
    snprintf(s->best_step, sizeof s->best_step, "%" PRId64, p->best_step);
}

Saver *saver_new(const Recipe *r, RtError *e)
{
    Saver *s = calloc(1, sizeof *s);
    size_t count = (size_t)(r->param_count + r->table_count + r->state_count);
    bool good = s != NULL;
    good = good && (s->tensors = calloc(count + 1, sizeof *s->tensors));
    good = good && (s->table_names = calloc((size_t)r->table_count + 1, sizeof *s->table_names));
    good = good && (s->metadata = calloc((size_t)r->metadata_count + OWN_METADATA, sizeof *s->metadata));
    if (good) {
        collect_tensors(s, r);
        collect_metadata(s, r);
        snprintf(s->seed, sizeof s->seed, "%" PRIu64, r->seed);
        /* The numbers that change are at most NUMBER_BYTES each. */
        int64_t bytes = rt_tensors_header_bytes(s->tensors, s->count, s->metadata, s->metadata_count) +
                        6 * OWN_METADATA * NUMBER_BYTES;
        good = (s->buffer = malloc((size_t)bytes)) != NULL;
    }
    if (good) return s;
    rt_fail(e, "out of memory for writing checkpoints");
    saver_free(s);
    return NULL;
}

void saver_free(Saver *s)
{
    if (!s) return;
    free(s->tensors);
    free(s->table_names);
    free(s->metadata);
    free(s->buffer);
    free(s);
}

bool saver_write_all(Saver *s, const char *path, const Position *position, RtError *e)
{
    set_position(s, position);
    return rt_tensors_write(path, s->tensors, s->count, s->metadata, s->metadata_count, s->buffer, e);
}

bool saver_write_weights(Saver *s, const char *path, const Position *position, RtError *e)
{
    set_position(s, position);
    return rt_tensors_write(path, s->tensors, s->weight_count, s->metadata, s->metadata_count, s->buffer, e);
}

static bool load_number(const RtTensors *t, const char *path, const char *key, int64_t *number, RtError *e)
{
    const char *text = rt_tensors_metadata(t, key);
    if (!text) return rt_fail(e, "%s: not a checkpoint: its metadata has no %s", path, key);
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *number >= 0) return true;
    return rt_fail(e, "%s: metadata: %s is not a number: %.40s", path, key, text);
}

static bool load_position(const Recipe *r, const RtTensors *t, const char *path, Position *position, RtError *e)
{
    if (!load_number(t, path, "step", &position->step, e) ||
        !load_number(t, path, "best_step", &position->best_step, e)) {
        return false;
    }
    const char *best = rt_tensors_metadata(t, "best"), *seed = rt_tensors_metadata(t, "seed");
    position->best = best && strcmp(best, "none") != 0 ? strtod(best, NULL) : NAN;
    char wanted[NUMBER_BYTES];
    snprintf(wanted, sizeof wanted, "%" PRIu64, r->seed);
    if (seed && strcmp(seed, wanted) == 0) return true;
    return rt_fail(e, "%s: this run was started with seed %.40s, it cannot go on with seed %s", path,
                   seed ? seed : "(none)", wanted);
}

/* A table made again from the data must be the one the run began with, or the parameters belong to other ids. */
static bool check_table(const Recipe *r, const RtTensors *t, const char *path, const RtValue *table, RtError *e)
{
    TableName name = table_name(table);
    RtValue wanted = *table;
    wanted.name = name.text;
    char *saved = malloc((size_t)table->bytes + 1);
    if (!saved) return rt_fail(e, "%s: out of memory", path);
    bool good = rt_tensors_load(t, &wanted, saved, e);
    if (good && memcmp(saved, value_bytes(r, table), (size_t)table->bytes) != 0) {
        good = rt_fail(e, "%s: %s differs from what the data gives now: this run was started with other data", path,
                       table->name);
    }
    free(saved);
    return good;
}

static bool check_metadata(const Recipe *r, const RtTensors *t, const char *path, RtError *e)
{
    for (int i = 0; i < r->metadata_count; i++) {
        const char *now = r->metadata[i].value, *then = rt_tensors_metadata(t, r->metadata[i].key);
        if (then && strcmp(then, now) == 0) continue;
        return rt_fail(e, "%s: %s is %.80s there and %.80s now: this run was started with other data", path,
                       r->metadata[i].key, then ? then : "missing", now);
    }
    return true;
}

static bool load_tensors(const Recipe *r, const RtTensors *t, const char *path, RtError *e)
{
    int wanted = r->param_count + r->table_count + r->state_count;
    for (int i = 0; i < r->table_count; i++) {
        if (!check_table(r, t, path, &r->tables[i], e)) return false;
    }
    for (int i = 0; i < r->param_count; i++) {
        if (!rt_tensors_load(t, &r->params[i], (char *)value_bytes(r, &r->params[i]), e)) return false;
    }
    for (int i = 0; i < r->state_count; i++) {
        if (!rt_tensors_load(t, &r->states[i], (char *)value_bytes(r, &r->states[i]), e)) return false;
    }
    if (rt_tensors_count(t) == wanted) return true;
    return rt_fail(e, "%s: holds %d tensors, the model and its optimizer have %d: the model has changed", path,
                   rt_tensors_count(t), wanted);
}

bool checkpoint_load(const Recipe *r, const char *path, Position *position, RtError *e)
{
    RtTensors *t = rt_tensors_open(path, e);
    if (!t) return false;
    bool good = rt_tensors_verify(t, RT_CHECKSUM_REQUIRED, e) && load_position(r, t, path, position, e)
        && check_metadata(r, t, path, e)
                && load_tensors(r, t, path, e);
    rt_tensors_close(t);
    return good;
}
