/* Reading inputs. What one file can be wrong in does not hide what is wrong with another: everything is reported. */
#include "frontend/cli/feed.h"
#include "frontend/cli/lines.h"
#include "frontend/cli/tokens.h"
#include "runtime/data/arrays.h"
#include "runtime/data/value.h"

#include <inttypes.h>
#include <string.h>

typedef struct Feeding {
    Session    *s;
    const char *entry;
    Feeds      *feeds;
    bool        good;                    /* nothing was wrong so far */
} Feeding;

#define REPORT(f, ...) ((f)->good = session_fail((f)->s, __VA_ARGS__) == EXIT_GOOD)

/* ---- which input ---- */

/* "f32[B, N]", with "..S" for any leading axes */
static const char *wanted_text(Feeding *f, const Feed *feed)
{
    const char *text = type_text(f->s->arena, &feed->wanted), *bracket = strchr(text, '[');
    if (!feed->any_rank || !bracket) return text;
    return arena_print(f->s->arena, "%.*s[..%s", (int)(bracket - text), text, bracket + 1);
}

static const char *input_list(Feeding *f)
{
    const char *list = "";
    for (int i = 0; i < f->feeds->count; i++) {
        const Feed *feed = &f->feeds->at[i];
        list = arena_print(f->s->arena, "%s%s%s: %s", list, i ? ", " : "", feed->name, wanted_text(f, feed));
    }
    return *list ? list : "none";
}

/* The input of this name, which has nothing yet; or NULL after a report. */
static Feed *find_feed(Feeding *f, const char *name, const char *from)
{
    const char **names = arena_array(f->s->arena, const char *, f->feeds->count + 1);
    for (int i = 0; i < f->feeds->count; i++) {
        Feed *feed = &f->feeds->at[i];
        names[i] = feed->name;
        if (strcmp(feed->name, name)) continue;
        if (!feed->from) return feed;
        REPORT(f, "the input %s is given twice: by %s and by %s", name, feed->from, from);
        return NULL;
    }
    const char *near = suggest(name, names, f->feeds->count);
    if (near) REPORT(f, "%s: %s has no input %s; did you mean %s?", from, f->entry, name, near);
    else REPORT(f, "%s: %s has no input %s; its inputs are: %s", from, f->entry, name, input_list(f));
    return NULL;
}

/* ---- element types ---- */

static int64_t whole_at(const char *bytes, int32_t dtype, int64_t i)
{
    switch ((RtDtype)dtype) {
    case RT_i64: return ((const int64_t *)bytes)[i];
    case RT_i32: return ((const int32_t *)bytes)[i];
    case RT_i8: return ((const int8_t *)bytes)[i];
    case RT_u8: return ((const uint8_t *)bytes)[i];
    case RT_f32:
    case RT_f64:
    case RT_bf16:
    case RT_f16:
    case RT_bool:
    case RT_DTYPE_COUNT: break;
    }
    return 0;
}

/* False: the value does not fit. */
static bool set_whole(char *bytes, int32_t dtype, int64_t i, int64_t value)
{
    if (dtype == RT_i64) ((int64_t *)bytes)[i] = value;
    if (dtype == RT_i32) ((int32_t *)bytes)[i] = (int32_t)value;
    if (dtype == RT_i8) ((int8_t *)bytes)[i] = (int8_t)value;
    if (dtype == RT_u8) ((uint8_t *)bytes)[i] = (uint8_t)value;
    return whole_at(bytes, dtype, i) == value;
}

static int64_t element_count(const RtTensor *t)
{
    int64_t count = 1;
    for (int32_t i = 0; i < t->rank; i++) count *= t->shape[i];
    return count;
}

/* "f32[2, 3]" */
static const char *shape_text(Session *s, const RtTensor *t)
{
    Type type = { .dtype = (DType)t->dtype, .rank = t->rank };
    for (int32_t i = 0; i < t->rank; i++) type.dim[i] = dim_int(model_dims(s->model), t->shape[i]);
    return type_text(s->arena, &type);
}

/* Gives the array the element type that the input has: whole numbers where they fit, floats rounded to the nearest. */
static void convert(Feeding *f, Feed *feed)
{
    RtTensor *t = &feed->array;
    int32_t to = (int32_t)feed->wanted.dtype;
    if (t->dtype == to) return;
    bool whole = dtype_is_whole((DType)t->dtype) && dtype_is_whole(feed->wanted.dtype);
    bool real = dtype_is_float((DType)t->dtype) && (to == RT_f32 || to == RT_f64);
    if (!whole && !real) {
        REPORT(f, "%s is %s, but the input %s of %s is %s: %s", feed->from, shape_text(f->s, t), feed->name, f->entry,
               wanted_text(f, feed), dtype_is_whole(feed->wanted.dtype) ? "save it as whole numbers"
               : dtype_is_float(feed->wanted.dtype) ? "save it as floating-point numbers" : "save it as bool");
        return;
    }
    int64_t count = element_count(t);
    char *out = arena_alloc(f->s->arena, (size_t)(count * rt_dtype_bytes(to)));
    for (int64_t i = 0; i < count; i++) {
        if (to == RT_f32) ((float *)out)[i] = (float)rt_element(t->data, t->dtype, i);
        if (to == RT_f64) ((double *)out)[i] = rt_element(t->data, t->dtype, i);
        if (real || set_whole(out, to, i, whole_at(t->data, t->dtype, i))) continue;
        REPORT(f, "%s: its element %" PRId64 " is %" PRId64 ", which %s of the input %s cannot hold", feed->from, i,
               whole_at(t->data, t->dtype, i), dtype_name(feed->wanted.dtype), feed->name);
        return;
    }
    t->data = out;
    t->dtype = to;
    t->bytes = count * rt_dtype_bytes(to);
}

/* Rank and the dimensions that are known whatever the arrays are. */
static bool check_shape(Feeding *f, const Feed *feed)
{
    const RtTensor *t = &feed->array;
    bool same = feed->any_rank ? t->rank + 1 >= feed->wanted.rank : t->rank == feed->wanted.rank;
    for (int i = 0; same && !feed->any_rank && i < t->rank; i++) {
        int64_t value = dim_value(feed->wanted.dim[i]);
        same = value < 0 || value == t->shape[i];
    }
    if (!same)
        REPORT(f, "%s is %s, but the input %s of %s is %s", feed->from, shape_text(f->s, t), feed->name, f->entry,
               wanted_text(f, feed));
    bool empty = same && element_count(t) == 0;
    if (empty) REPORT(f, "%s is %s: an input has at least one element", feed->from, shape_text(f->s, t));
    return same && !empty;
}

static void give(Feeding *f, Feed *feed, const char *from, RtTensor array)
{
    feed->from = from;
    feed->array = array;
    if (check_shape(f, feed)) convert(f, feed);
}

/* ---- files ---- */

static void give_array(Feeding *f, const RtArrays *arrays, const RtTensor *t, const char *name, const char *from)
{
    RtError error;
    Feed *feed = find_feed(f, name, from);
    if (!feed) return;
    RtTensor copy = *t;
    char *bytes = arena_alloc(f->s->arena, (size_t)t->bytes);
    copy.data = bytes;
    if (rt_arrays_read(arrays, t, bytes, &error)) give(f, feed, from, copy);
    else REPORT(f, "%s", error.text);
    feed->from = from;                   /* given, though it may be wrong */
}

/* All arrays of an archive, by name. */
static void give_all(Feeding *f, const RtArrays *arrays, const char *file)
{
    for (int i = 0; i < f->feeds->count; i++) {
        const char *name = f->feeds->at[i].name, *why = rt_arrays_refused(arrays, name);
        if (why && !rt_arrays_find(arrays, name)) REPORT(f, "%s: array %s: %s", file, name, why);
    }
    for (int i = 0; i < rt_arrays_count(arrays); i++) {
        const RtTensor *t = rt_arrays_at(arrays, i);
        give_array(f, arrays, t, t->name, arena_print(f->s->arena, "%s in %s", t->name, file));
    }
}

/* --input FILE.npz: every array by its name. --input NAME=FILE.npz: the array NAME of it, or its only one. A .npy has
 * one array, which needs no name where there is one input. */
static void give_file(Feeding *f, const RtArrays *arrays, const char *name, const char *file)
{
    bool archive = rt_arrays_archive(arrays);
    if (!*name && archive) {
        give_all(f, arrays, file);
        return;
    }
    if (!*name && model_entry_parameters(f->s->model, f->entry) != 1) {
        REPORT(f, "%s: for which input? --input NAME=%s; the inputs of %s are: %s", file, file, f->entry,
               input_list(f));
        return;
    }
    if (!*name) name = f->feeds->at[0].name;
    const RtTensor *t = archive ? rt_arrays_find(arrays, name) : rt_arrays_at(arrays, 0);
    if (!t && rt_arrays_count(arrays) == 1) t = rt_arrays_at(arrays, 0);
    if (t) give_array(f, arrays, t, name, file);
    else REPORT(f, "%s has no array %s", file, name);
}

static void read_input(Feeding *f, const Pair *input)
{
    RtError error;
    const char *file = strcmp(input->value, "-") ? input->value : "standard input";
    RtArrays *arrays = rt_arrays_open(input->value, &error);
    if (arrays) give_file(f, arrays, input->name, file);
    else REPORT(f, "%s", error.text);
    rt_arrays_close(arrays);
}

/* Standard input can be read once. */
static bool check_inputs_apart(Feeding *f)
{
    const Options *o = f->s->options;
    int count = o->text && !strcmp(o->text, "-");
    for (int i = 0; i < o->input.count; i++) count += !strcmp(o->input.at[i].value, "-");
    if (count > 1) REPORT(f, "standard input (-) is wanted twice, but can be read once");
    return count <= 1;
}

/* ---- text ---- */

/* The one input that --text is for: the only one without an array. */
static Feed *find_text_input(Feeding *f)
{
    Feed *found = NULL;
    int open = 0;
    for (int i = 0; i < f->feeds->count; i++) {
        if (f->feeds->at[i].from || f->feeds->at[i].optional) continue;
        found = &f->feeds->at[i];
        open++;
    }
    bool whole = open == 1 && dtype_is_whole(found->wanted.dtype);
    if (whole && (found->wanted.rank == 1 || found->wanted.rank == 2)) return found;
    if (open == 1)
        REPORT(f, "--text gives ids, i32[T] or i32[B, T], but the input %s of %s is %s", found->name, f->entry,
               wanted_text(f, found));
    else if (open) REPORT(f, "--text is for one input, and %d of %s have no array; its inputs are: %s", open, f->entry,
                          input_list(f));
    else REPORT(f, "--text: every input of %s has an array already", f->entry);
    return NULL;
}

static bool read_lines(Feeding *f, Texts *out)
{
    RtText text;
    RtError error;
    if (!text_read(f->s->arena, "-", &text, &error)) return REPORT(f, "--text: %s", error.text);
    *out = text_lines(f->s->arena, text);
    return out->count || REPORT(f, "--text: standard input is empty");
}

/* Texts as rows of ids, shorter ones filled with -1, which is no id. */
static void give_rows(Feeding *f, Feed *feed, const Texts *texts, const RtIds *rows)
{
    int64_t most = 0, least = INT64_MAX;
    for (int i = 0; i < texts->count; i++) {
        if (rows[i].count > most) most = rows[i].count;
        if (rows[i].count < least) least = rows[i].count;
    }
    if (!most) {
        REPORT(f, "--text: the tokenizer makes no ids of it");
        return;
    }
    if (least < most)
        fprintf(messages_of(f->s->options),
                "note: --text: lines of %lld to %lld ids: the shorter ones are filled with -1\n", (long long)least,
                (long long)most);
    int32_t *ids = arena_array(f->s->arena, int32_t, texts->count * most);
    for (int i = 0; i < texts->count; i++)
        for (int64_t k = 0; k < most; k++) ids[i * most + k] = k < rows[i].count ? rows[i].ids[k] : -1;
    RtTensor t = { .name = feed->name, .dtype = RT_i32, .rank = feed->wanted.rank, .data = (const char *)ids,
                   .bytes = texts->count * most * (int64_t)sizeof *ids };
    t.shape[0] = t.rank == 2 ? texts->count : most;
    if (t.rank == 2) t.shape[1] = most;
    give(f, feed, "--text", t);
}

static void encode(Feeding *f, Feed *feed, const RtTokenizer *tokenizer, const Texts *texts)
{
    RtError error;
    RtIds *rows = arena_array(f->s->arena, RtIds, texts->count);
    bool good = true;
    for (int i = 0; i < texts->count; i++) {
        tokens_name_unknown(f->s, tokenizer, texts->at[i], "--text");
        if (rt_tokenizer_encode(tokenizer, texts->at[i], &rows[i], &error)) continue;
        good = false;
        if (texts->count == 1) REPORT(f, "--text: %s", error.text);
        else REPORT(f, "--text: line %d: %s", i + 1, error.text);
    }
    if (good) give_rows(f, feed, texts, rows);
    for (int i = 0; i < texts->count; i++) rt_ids_free(&rows[i]);
}

static void read_text(Feeding *f)
{
    const char *text = f->s->options->text;
    Texts texts = { 0 };
    Feed *feed = find_text_input(f);
    const RtTokenizer *tokenizer = feed ? tokens_tokenizer(f->s) : NULL;
    f->good = f->good && tokenizer;
    if (!tokenizer) return;
    if (!strcmp(text, "-") && !read_lines(f, &texts)) return;
    if (strcmp(text, "-")) vec_push(f->s->arena, &texts, ((RtText){ text, (int64_t)strlen(text) }));
    if (feed->wanted.rank == 1 && texts.count > 1)
        REPORT(f, "--text: standard input has %d lines, but the input %s of %s is one: %s", texts.count, feed->name,
               f->entry, wanted_text(f, feed));
    else encode(f, feed, tokenizer, &texts);
    feed->from = "--text";
}

/* ---- all of them ---- */

static void check_all_given(Feeding *f)
{
    const char *missing = "";
    for (int i = 0; i < f->feeds->count; i++) {
        const Feed *feed = &f->feeds->at[i];
        if (!feed->from && !feed->optional)
            missing = arena_print(f->s->arena, "%s --input %s=FILE.npy (%s)", missing, feed->name,
                                  wanted_text(f, feed));
    }
    if (*missing) REPORT(f, "%s wants more inputs:%s", f->entry, missing);
}

static void leave_out_absent(Feeds *feeds)
{
    int count = 0;
    for (int i = 0; i < feeds->count; i++)
        if (feeds->at[i].from) feeds->at[count++] = feeds->at[i];
    feeds->count = count;
}

bool feeds_open(Session *s, const char *entry, Feeds *out)
{
    Feeding f = { s, entry, out, true };
    int count = model_entry_tensors(s->model, entry), wanted = model_entry_parameters(s->model, entry);
    Type *types = arena_array(s->arena, Type, (count > 0 ? count : 0) + 1);
    if (!model_entry_types(s->model, entry, s->diagnostics, types)) return session_report(s) && false;
    *out = (Feeds){ arena_array(s->arena, Feed, count + 1), count };
    for (int i = 0; i < count; i++)
        out->at[i] = (Feed){ .name = model_entry_parameter(s->model, entry, i), .wanted = types[i],
                             .any_rank = model_entry_any_rank(s->model, entry, i), .optional = i >= wanted };
    if (!check_inputs_apart(&f)) return false;
    for (int i = 0; i < s->options->input.count; i++) read_input(&f, &s->options->input.at[i]);
    if (s->options->text) read_text(&f);
    if (f.good) check_all_given(&f);
    leave_out_absent(out);
    return f.good;
}
