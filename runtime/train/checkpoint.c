/* Checkpoints: which tensors and texts a tensor file holds for a recipe. */
#include "runtime/train/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/value.h"
#include "runtime/train/due.h"

enum { TABLE_NAME_BYTES = 300, NUMBER_BYTES = 40 };

#define TABLE_PREFIX "const."

/* The metadata that says how far the run has come. Files of runs without stages may lack what stands behind
 * `best_step`. */
enum { KEY_step, KEY_seed, KEY_best, KEY_best_step, KEY_stage, KEY_begin, KEY_loss, KEY_lr, KEY_grad_norm, KEY_pending,
       KEY_COUNT };
static const char *const keys[KEY_COUNT] = {"step", "seed", "best", "best_step", "stage", "stage_begin", "loss", "lr",
                                            "grad_norm", "pending"};

typedef struct TableName {
    char text[TABLE_NAME_BYTES];
} TableName;

struct Saver {
    const Recipe *recipe;
    Held       held;
    RtTensor  *tensors;                  /* params, tables, then the stage's states and histories: weights alone are a
                                            beginning of it */
    int        weight_count;
    TableName *table_names;
    RtMeta    *metadata;                 /* those of `keys`, then the recipe's */
    int        metadata_count;
    char       own[KEY_COUNT][NUMBER_BYTES];
    char      *buffer;                   /* for the header */
};

static RtTensor tensor_of(const RtValue *v, const char *name, const void *data)
{
    RtTensor t = {.name = name, .dtype = v->dtype, .rank = v->rank, .bytes = v->bytes, .data = data};
    memcpy(t.shape, v->shape, sizeof t.shape);
    return t;
}

static char *param_bytes(const Recipe *r, const RtValue *param) { return r->param + rt_offset(param->place); }

static char *state_bytes(Held held, const RtValue *state) { return held.state + rt_offset(state->place); }

static const char *table_bytes(const Recipe *r, const RtValue *table) { return r->constants + rt_offset(table->place); }

static TableName table_name(const RtValue *table)
{
    TableName name;
    snprintf(name.text, sizeof name.text, TABLE_PREFIX "%s", table->name);
    return name;
}

static void collect_weights(Saver *s)
{
    const Recipe *r = s->recipe;
    RtTensor *next = s->tensors;
    for (int i = 0; i < r->param_count; i++) {
        *next++ = tensor_of(&r->params[i], r->params[i].name, param_bytes(r, &r->params[i]));
    }
    for (int i = 0; i < r->table_count; i++) {
        s->table_names[i] = table_name(&r->tables[i]);
        *next++ = tensor_of(&r->tables[i], s->table_names[i].text, table_bytes(r, &r->tables[i]));
    }
    s->weight_count = (int)(next - s->tensors);
}

/* Puts the states and histories of a stage behind the weights; returns the number of tensors in all. */
static int collect_stage(Saver *s, int64_t stage)
{
    const RtStates *states = &s->recipe->stages[stage].states;
    const History *history = &s->held.histories[stage];
    RtTensor *next = s->tensors + s->weight_count;
    for (int i = 0; i < states->count; i++) {
        *next++ = tensor_of(&states->values[i], states->values[i].name, state_bytes(s->held, &states->values[i]));
    }
    for (int i = 0; i < history->count; i++) {
        const HistoryRow *row = &history->rows[i];
        *next++ = tensor_of(row->input, row->input->name, row->numbers);
    }
    return (int)(next - s->tensors);
}

static void collect_metadata(Saver *s)
{
    const Recipe *r = s->recipe;
    for (int i = 0; i < KEY_COUNT; i++) s->metadata[i] = (RtMeta){keys[i], s->own[i]};
    if (r->metadata_count > 0)
        memcpy(s->metadata + KEY_COUNT, r->metadata, (size_t)r->metadata_count * sizeof *r->metadata);
    s->metadata_count = KEY_COUNT + r->metadata_count;
}

static void set_count(Saver *s, int key, int64_t number)
{
    snprintf(s->own[key], NUMBER_BYTES, "%" PRId64, number);
}

/* The sign of a NaN means nothing and would be printed. */
static void set_number(Saver *s, int key, double number)
{
    if (isnan(number)) strcpy(s->own[key], "none");
    else snprintf(s->own[key], NUMBER_BYTES, "%.17g", number);
}

static void set_position(Saver *s, const Position *p)
{
    set_count(s, KEY_step, p->step);
    set_number(s, KEY_best, p->best);
    set_count(s, KEY_best_step, p->best_step);
    set_count(s, KEY_stage, p->stage);
    set_count(s, KEY_begin, p->begin);
    set_number(s, KEY_loss, p->loss);
    set_number(s, KEY_lr, p->lr);
    set_number(s, KEY_grad_norm, p->grad_norm);
    set_count(s, KEY_pending, p->pending);
}

static int most_tensors(const Recipe *r, Held held)
{
    int most = 0;
    for (int i = 0; i < r->stage_count; i++) {
        int count = r->stages[i].states.count + held.histories[i].count;
        if (count > most) most = count;
    }
    return r->param_count + r->table_count + most;
}

/* The longest header that a stage or the weights alone need; the numbers that change are at most NUMBER_BYTES each. */
static int64_t header_bytes(Saver *s)
{
    int64_t most = rt_tensors_header_bytes(s->tensors, s->weight_count, s->metadata, s->metadata_count);
    for (int i = 0; i < s->recipe->stage_count; i++) {
        int count = collect_stage(s, i);
        int64_t bytes = rt_tensors_header_bytes(s->tensors, count, s->metadata, s->metadata_count);
        if (bytes > most) most = bytes;
    }
    return most + KEY_COUNT * NUMBER_BYTES;
}

Saver *saver_new(const Recipe *r, Held held, RtError *e)
{
    Saver *s = calloc(1, sizeof *s);
    bool good = s != NULL;
    good = good && (s->tensors = calloc((size_t)most_tensors(r, held) + 1, sizeof *s->tensors));
    good = good && (s->table_names = calloc((size_t)r->table_count + 1, sizeof *s->table_names));
    good = good && (s->metadata = calloc((size_t)r->metadata_count + KEY_COUNT, sizeof *s->metadata));
    if (good) {
        s->recipe = r;
        s->held = held;
        collect_weights(s);
        collect_metadata(s);
        snprintf(s->own[KEY_seed], NUMBER_BYTES, "%" PRIu64, r->seed);
        good = (s->buffer = malloc((size_t)header_bytes(s))) != NULL;
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

static bool write_tensors(Saver *s, const char *path, int count, RtError *e)
{
    return rt_tensors_write(path, s->tensors, count, s->metadata, s->metadata_count, s->buffer, e);
}

bool saver_write_all(Saver *s, const char *path, const Position *position, RtError *e)
{
    set_position(s, position);
    return write_tensors(s, path, collect_stage(s, position->stage), e);
}

bool saver_write_weights(Saver *s, const char *path, const Position *position, RtError *e)
{
    set_position(s, position);
    set_count(s, KEY_pending, 0);        /* nobody goes on from here */
    return write_tensors(s, path, s->weight_count, e);
}

/* Reading. */

static bool load_count(const RtTensors *t, const char *path, int key, int64_t *number, RtError *e)
{
    const char *text = rt_tensors_metadata(t, keys[key]);
    if (!text) return rt_fail(e, "%s: not a checkpoint: its metadata has no %s", path, keys[key]);
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *number >= 0) return true;
    return rt_fail(e, "%s: metadata: %s is not a number: %.40s", path, keys[key], text);
}

static double load_number(const RtTensors *t, int key)
{
    const char *text = rt_tensors_metadata(t, keys[key]);
    return text && strcmp(text, "none") != 0 ? strtod(text, NULL) : NAN;
}

static bool check_seed(const Recipe *r, const RtTensors *t, const char *path, RtError *e)
{
    const char *seed = rt_tensors_metadata(t, keys[KEY_seed]);
    char wanted[NUMBER_BYTES];
    snprintf(wanted, sizeof wanted, "%" PRIu64, r->seed);
    if (seed && strcmp(seed, wanted) == 0) return true;
    return rt_fail(e, "%s: this run was started with seed %.40s, it cannot go on with seed %s", path,
                   seed ? seed : "(none)", wanted);
}

/* A stage that has begun must have begun where it begins now; its own length may change while it is the last. */
static bool check_stage(const Recipe *r, const Position *p, const char *path, RtError *e)
{
    int64_t begin = 0;
    for (int i = 0; i < r->stage_count && i < p->stage; i++) begin += r->stages[i].steps;
    bool fits = p->stage < r->stage_count && p->begin == begin && p->step >= begin;
    if (fits && p->stage < r->stage_count - 1) fits = p->step <= begin + r->stages[p->stage].steps;
    if (fits) return true;
    return rt_fail(e, "%s: step %" PRId64 " of stage %" PRId64 ", which began at step %" PRId64
                   ", does not fit the stages as they are now", path, p->step, p->stage + 1, p->begin);
}

static bool load_stage(const Recipe *r, const RtTensors *t, const char *path, Position *p, RtError *e)
{
    p->stage = p->begin = 0;
    p->pending = false;
    bool any = rt_tensors_metadata(t, keys[KEY_stage]) != NULL;
    int64_t pending = 0;
    if (any || r->stage_count > 1) {
        if (!load_count(t, path, KEY_stage, &p->stage, e) || !load_count(t, path, KEY_begin, &p->begin, e) ||
            !load_count(t, path, KEY_pending, &pending, e)) {
            return false;
        }
        p->pending = pending != 0;
    }
    return check_stage(r, p, path, e);
}

static bool load_position(const Recipe *r, const RtTensors *t, const char *path, Position *p, RtError *e)
{
    if (!load_count(t, path, KEY_step, &p->step, e) || !load_count(t, path, KEY_best_step, &p->best_step, e)) {
        return false;
    }
    p->best = load_number(t, KEY_best);
    p->loss = load_number(t, KEY_loss);
    p->lr = load_number(t, KEY_lr);
    p->grad_norm = load_number(t, KEY_grad_norm);
    return check_seed(r, t, path, e) && load_stage(r, t, path, p, e);
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
    if (good && memcmp(saved, table_bytes(r, table), (size_t)table->bytes) != 0) {
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

/* The numbers of a history that the run has had by then. The length of a history follows from that of its stage, which
 * may have changed; so may then what was evaluated at its end alone, which is forgotten. */
static bool load_history(const RtStage *stage, const RtTensors *t, const char *path, const HistoryRow *row,
                         const Position *p, RtError *e)
{
    const RtEvaluation *evaluation = &stage->evaluations[row->evaluation];
    const RtTensor *saved = rt_tensors_find(t, row->input->name);
    if (!saved) return rt_fail(e, "%s: there is no tensor %s", path, row->input->name);
    if (saved->dtype != RT_f32 || saved->rank != 1)
        return rt_fail(e, "%s: tensor %s is no history", path, row->input->name);
    char *numbers = malloc((size_t)saved->bytes + 1);
    if (!numbers) return rt_fail(e, "%s: out of memory", path);
    bool good = rt_tensors_read(t, saved, numbers, e);
    int64_t bytes = saved->bytes < row->input->bytes ? saved->bytes : row->input->bytes;
    if (good) memcpy(row->numbers, numbers, (size_t)bytes);
    free(numbers);
    history_cut(row, due_evaluations(stage, evaluation, p->step - p->begin));
    return good;
}

static bool load_tensors(const Recipe *r, Held held, const RtTensors *t, const char *path, const Position *p,
                         RtError *e)
{
    const RtStage *stage = &r->stages[p->stage];
    const RtStates *states = &stage->states;
    const History *history = &held.histories[p->stage];
    int wanted = r->param_count + r->table_count + states->count + history->count;
    for (int i = 0; i < r->table_count; i++) {
        if (!check_table(r, t, path, &r->tables[i], e)) return false;
    }
    for (int i = 0; i < r->param_count; i++) {
        if (!rt_tensors_load(t, &r->params[i], param_bytes(r, &r->params[i]), e)) return false;
    }
    for (int i = 0; i < states->count; i++) {
        if (!rt_tensors_load(t, &states->values[i], state_bytes(held, &states->values[i]), e)) return false;
    }
    for (int i = 0; i < history->count; i++) {
        if (!load_history(stage, t, path, &history->rows[i], p, e)) return false;
    }
    if (rt_tensors_count(t) == wanted) return true;
    return rt_fail(e, "%s: holds %d tensors, the model and its optimizer have %d: the model has changed", path,
                   rt_tensors_count(t), wanted);
}

Loaded checkpoint_load(const Recipe *r, Held held, const char *path, Position *position, RtError *e)
{
    RtTensors *t = rt_tensors_open(path, e);
    if (!t) return LOADED_NOTHING;
    Loaded loaded = LOADED_NOTHING;
    if (rt_tensors_verify(t, RT_CHECKSUM_REQUIRED, e)) {
        bool good = load_position(r, t, path, position, e) && check_metadata(r, t, path, e)
            && load_tensors(r, held, t, path, position, e);
        loaded = good ? LOADED : LOADED_OTHER;
    }
    rt_tensors_close(t);
    return loaded;
}
