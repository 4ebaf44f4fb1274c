/* Readers that make tokenizers and use them. */
#include <stdlib.h>
#include <string.h>

#include "runtime/data/parts.h"
#include "runtime/text/vocabulary.h"

/* The texts of an argument: one text, a column, or a list of those, as one column. */
static int64_t count_texts(const DataValue *v)
{
    int64_t count = 0;
    if (v->kind == DATA_text) return 1;
    if (v->kind == DATA_column) return v->column.count;
    for (int i = 0; i < v->list.count; i++) {
        if (v->list.items[i].kind != DATA_text && v->list.items[i].kind != DATA_column) return -1;
        count += count_texts(&v->list.items[i]);
    }
    return count;
}

static RtText *copy_texts(const DataValue *v, RtText *out)
{
    if (v->kind == DATA_text) *out++ = v->text;
    if (v->kind == DATA_column) {
        memcpy(out, v->column.rows, (size_t)v->column.count * sizeof *out);
        out += v->column.count;
    }
    for (int i = 0; v->kind == DATA_list && i < v->list.count; i++) out = copy_texts(&v->list.items[i], out);
    return out;
}

static bool texts_of(RtData *d, const DataValue *v, DataColumn *texts, RtError *e)
{
    int64_t count = count_texts(v);
    if (count < 0) return rt_fail(e, "the list must hold texts and columns of texts only");
    RtText *rows = rt_data_alloc(d, count, sizeof *rows);
    copy_texts(v, rows);
    *texts = (DataColumn){ rows, count };
    return true;
}

static bool give_tokenizer(RtData *d, RtTokenizer *t, DataResults *results)
{
    if (!t) return false;
    data_result(results, data_tokenizer(rt_data_keep(d, t)));
    return true;
}

bool make_chars(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    DataColumn texts = { NULL, 0 };
    if (!texts_of(d, &args[0], &texts, e)) return false;
    RtTokenizer *t = args[1].truth ? rt_tokenizer_chars(texts.rows, texts.count, e)
                                   : rt_tokenizer_alphabet(texts.rows, texts.count, e);
    return give_tokenizer(d, t, results);
}

bool make_labels(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    DataColumn texts = { NULL, 0 };
    if (!texts_of(d, &args[0], &texts, e)) return false;
    for (int64_t i = 0; i < texts.count; i++) {
        if (texts.rows[i].size == 0) return rt_fail(e, "the label of row %lld is empty", (long long)i + 1);
    }
    return give_tokenizer(d, rt_tokenizer_labels(texts.rows, texts.count, e), results);
}

bool make_bytes(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    (void)args, (void)e;
    return give_tokenizer(d, rt_tokenizer_bytes(), results);
}

static bool marks_of(RtData *d, const DataValue *list, WordOptions *options, RtError *e)
{
    if (list->kind == DATA_none) return true;
    RtText *marks = rt_data_alloc(d, list->list.count, sizeof *marks);
    for (int i = 0; i < list->list.count; i++) {
        if (list->list.items[i].kind != DATA_text) return rt_fail(e, "'marks' must be a list of strings");
        marks[i] = list->list.items[i].text;
    }
    options->marks = marks;
    options->mark_count = list->list.count;
    return true;
}

bool make_words(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    DataColumn texts = { NULL, 0 };
    WordOptions options = { .at_most = args[1].kind == DATA_none ? 0 : (int64_t)args[1].number,
                            .min_count = (int64_t)args[2].number, .lower = args[5].truth };
    if (args[3].kind == DATA_text) options.unknown = &args[3].text;
    return texts_of(d, &args[0], &texts, e) && marks_of(d, &args[4], &options, e)
           && give_tokenizer(d, rt_tokenizer_words(texts.rows, texts.count, &options, e), results);
}

/* Applying. */

static bool encode_rows(const RtTokenizer *t, const DataColumn *column, RtIds *ids, int64_t *at, RtError *e)
{
    at[0] = 0;
    for (int64_t row = 0; row < column->count; row++) {
        RtError inner;
        if (!rt_tokenizer_encode(t, column->rows[row], ids, &inner)) {
            return rt_fail(e, "row %lld: %.500s", (long long)row + 1, inner.text);
        }
        at[row + 1] = ids->count;
        if (rt_tokenizer_rule(t) == TOKENIZER_labels && ids->count != row + 1) {
            return rt_fail(e, "row %lld: the label is empty", (long long)row + 1);
        }
    }
    return true;
}

static bool apply_to_column(RtData *d, const RtTokenizer *t, const DataColumn *column, DataResults *results, RtError *e)
{
    RtIds ids = { 0 };
    int64_t *at = rt_data_alloc(d, column->count + 1, sizeof *at);
    bool good = encode_rows(t, column, &ids, at, e);
    rt_data_adopt(d, ids.ids);
    if (!good) return false;
    if (rt_tokenizer_rule(t) == TOKENIZER_labels) {
        data_result(results, data_ids(ids.ids, ids.count, t));
        return true;
    }
    DataValue ragged = { .kind = DATA_ragged, .ragged = { ids.ids, at, column->count, t } };
    data_result(results, ragged);
    return true;
}

bool apply_tokenizer(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const RtTokenizer *t = args[0].tokenizer;
    if (args[1].kind == DATA_column) return apply_to_column(d, t, &args[1].column, results, e);
    RtIds ids = { 0 };
    bool good = rt_tokenizer_encode(t, args[1].text, &ids, e);
    rt_data_adopt(d, ids.ids);
    if (good) data_result(results, data_ids(ids.ids, ids.count, t));
    return good;
}

bool piece_id(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    (void)d;
    const RtTokenizer *t = args[0].tokenizer;
    RtText piece = args[1].text;
    int32_t id = rt_tokenizer_find(t, piece);
    if (id >= 0) {
        data_result(results, data_number(id));
        return true;
    }
    int shown = piece.size < 60 ? (int)piece.size : 60;
    int32_t nearest = rt_tokenizer_nearest(t, piece);
    if (nearest < 0) return rt_fail(e, "the tokenizer has no piece \"%.*s\"", shown, piece.bytes);
    RtText like = rt_tokenizer_piece(t, nearest);
    return rt_fail(e, "the tokenizer has no piece \"%.*s\"; did you mean \"%.*s\"?", shown, piece.bytes,
                   (int)(like.size < 60 ? like.size : 60), like.bytes);
}

bool decode_ids(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const DataArray *ids = &args[1].array;
    if (ids->dtype != RT_i32) return rt_fail(e, "ids are i32; these are %s", rt_dtype_name(ids->dtype));
    RtText text;
    text.bytes = rt_data_adopt(d, rt_tokenizer_decode(args[0].tokenizer, ids->data, data_array_count(ids), &text.size));
    data_result(results, data_text(text));
    return true;
}
