/* Readers that reshape what is already ids: sizes, marks around rows, padding, the part held out. */
#include <math.h>
#include <string.h>

#include "runtime/data/parts.h"

/* Sizes. */

static bool axis_size(const DataValue *v, int64_t axis, int64_t *size, RtError *e)
{
    int64_t rank = v->kind == DATA_array ? v->array.rank : 1;
    if (axis < -rank || axis >= rank) {
        return rt_fail(e, "there is no axis %lld in %s of rank %lld", (long long)axis, data_kind_words(v->kind),
                       (long long)rank);
    }
    if (v->kind == DATA_array) *size = v->array.shape[axis < 0 ? axis + rank : axis];
    else if (v->kind == DATA_ragged) *size = v->ragged.rows;
    else if (v->kind == DATA_column) *size = v->column.count;
    else if (v->kind == DATA_text) *size = v->text.size;
    else *size = rt_tokenizer_size(v->tokenizer);
    return true;
}

bool size_of(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    (void)d;
    const DataValue *v = &args[0];
    int64_t size = 0;
    if (args[1].kind == DATA_number && args[1].number != floor(args[1].number))
        return rt_fail(e, "'axis' must be a whole number");
    if (args[1].kind == DATA_number || (v->kind != DATA_array && v->kind != DATA_ragged)) {
        double axis = args[1].kind == DATA_number ? fmax(fmin(args[1].number, 99), -99) : 0;
        if (!axis_size(v, (int64_t)axis, &size, e)) return false;
    } else {
        size = v->kind == DATA_array ? data_array_count(&v->array) : v->ragged.at[v->ragged.rows];
    }
    data_result(results, data_number((double)size));
    return true;
}

/* Rows of ids. */

static bool id_of(const DataValue *v, const char *what, int32_t *id, RtError *e)
{
    if (v->number != floor(v->number) || v->number < -1 || v->number > INT32_MAX) {
        return rt_fail(e, "'%s' is %g, which is no id", what, v->number);
    }
    *id = (int32_t)v->number;
    return true;
}

bool wrap_rows(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    DataRagged in = args[0].ragged, out = in;
    bool has_first = args[1].kind == DATA_number, has_last = args[2].kind == DATA_number;
    int32_t first = 0, last = 0;
    if (has_first && !id_of(&args[1], "first", &first, e)) return false;
    if (has_last && !id_of(&args[2], "last", &last, e)) return false;
    int64_t more = has_first + has_last;
    int32_t *ids = rt_data_alloc(d, in.at[in.rows] + more * in.rows, sizeof *ids), *next = ids;
    int64_t *at = rt_data_alloc(d, in.rows + 1, sizeof *at);
    for (int64_t row = 0; row < in.rows; row++) {
        int64_t size = in.at[row + 1] - in.at[row];
        at[row] = next - ids;
        if (has_first) *next++ = first;
        if (size) memcpy(next, in.ids + in.at[row], (size_t)size * sizeof *ids);
        next += size;
        if (has_last) *next++ = last;
    }
    at[in.rows] = next - ids;
    out.ids = ids;
    out.at = at;
    data_result(results, (DataValue){ .kind = DATA_ragged, .ragged = out });
    return true;
}

static int64_t longest_row(const DataRagged *r)
{
    int64_t longest = 1;                 /* rows without any id still need a shape that is not empty */
    for (int64_t row = 0; row < r->rows; row++) {
        if (r->at[row + 1] - r->at[row] > longest) longest = r->at[row + 1] - r->at[row];
    }
    return longest;
}

bool pad_rows(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    DataRagged in = args[0].ragged;
    int64_t width = longest_row(&in);
    if (args[1].kind == DATA_number && (int64_t)args[1].number < width) width = (int64_t)args[1].number;
    if (in.rows > INT64_MAX / 4 / width)
        return rt_fail(e, "%lld rows of %lld are too many", (long long)in.rows, (long long)width);
    int32_t *out = rt_data_alloc(d, in.rows * width, sizeof *out);
    for (int64_t row = 0; row < in.rows; row++) {
        int64_t size = in.at[row + 1] - in.at[row];
        for (int64_t i = 0; i < width; i++) out[row * width + i] = i < size ? in.ids[in.at[row] + i] : -1;
    }
    data_result(results, (DataValue){ .kind = DATA_array, .array = { .data = out, .dtype = RT_i32, .rank = 2,
                                                                     .shape = { in.rows, width },
                                                                     .tokenizer = in.tokenizer } });
    return true;
}

/* Holding out. */

static int64_t rows_of(const DataValue *v)
{
    if (v->kind == DATA_array) return v->array.shape[0];
    return v->kind == DATA_column ? v->column.count : v->ragged.rows;
}

/* Rows [from, to) of an array, a column or ragged rows, without copying more than offsets. */
static DataValue part_of(RtData *d, const DataValue *v, int64_t from, int64_t to)
{
    DataValue part = *v;
    part.name = NULL;
    if (v->kind == DATA_array) {
        int64_t row = data_array_count(&v->array) / v->array.shape[0] * rt_dtype_bytes(v->array.dtype);
        part.array.data = (const char *)v->array.data + from * row;
        part.array.shape[0] = to - from;
    } else if (v->kind == DATA_column) {
        part.column = (DataColumn){ v->column.rows + from, to - from };
    } else {
        int64_t *at = rt_data_alloc(d, to - from + 1, sizeof *at);
        for (int64_t row = from; row <= to; row++) at[row - from] = v->ragged.at[row] - v->ragged.at[from];
        part.ragged.ids = v->ragged.ids + v->ragged.at[from];
        part.ragged.at = at;
        part.ragged.rows = to - from;
    }
    return part;
}

bool hold_out(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const DataValue *values = args[0].list.items;
    double fraction = args[1].number;
    if (args[0].kind == DATA_none || args[0].list.count == 0) return rt_fail(e, "there is nothing to split");
    if (args[0].list.count * 2 > DATA_MAX_RESULTS) {
        return rt_fail(e, "%d values are too many: at most %d", args[0].list.count, DATA_MAX_RESULTS / 2);
    }
    if (!(fraction > 0 && fraction < 1)) return rt_fail(e, "'fraction' is %g; it must lie between 0 and 1", fraction);
    for (int i = 0; i < args[0].list.count; i++) {
        int64_t rows = values[i].kind == DATA_array && values[i].array.rank == 0 ? 0 : rows_of(&values[i]);
        int64_t fit = (int64_t)floor((double)rows * (1 - fraction));
        if (fit < 1 || fit >= rows) {
            return rt_fail(e, "%lld rows can not be split into two parts that are not empty", (long long)rows);
        }
        data_result(results, part_of(d, &values[i], 0, fit));
        data_result(results, part_of(d, &values[i], fit, rows));
    }
    return true;
}

/* Streams. */

static void give_stream(RtData *d, RtStream stream, DataResults *results)
{
    RtStream *kept = rt_data_alloc(d, 1, sizeof *kept);
    *kept = stream;
    data_result(results, (DataValue){ .kind = DATA_stream, .stream = kept });
}

bool cut_windows(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const DataArray *ids = &args[0].array;
    int64_t length = (int64_t)args[1].number, batch = (int64_t)args[2].number, item = rt_dtype_bytes(ids->dtype);
    int64_t step = args[4].kind == DATA_number ? (int64_t)args[4].number : length > 1 ? length - 1 : 1;
    if (ids->rank != 1) return rt_fail(e, "windows are cut from an array of rank 1; this one has rank %d", ids->rank);
    if (ids->shape[0] < length) {
        return rt_fail(e, "%lld ids are fewer than one window of %lld", (long long)ids->shape[0], (long long)length);
    }
    if (batch > INT64_MAX / 16 / length)
        return rt_fail(e, "a batch of %lld windows of %lld is too large", (long long)batch, (long long)length);
    int64_t rows = (ids->shape[0] - length) / step + 1;
    RtStream s = { .dtype = ids->dtype, .rank = 2, .shape = { batch, length }, .base = ids->data,
                   .row_bytes = length * item, .rows = rows, .row_stride = step * item, .places = rows,
                   .place_stride = step * item, .shuffle = args[3].truth, .key = data_stream_key(d),
                   .tokenizer = ids->tokenizer };
    if (s.shuffle) {
        s.places = ids->shape[0] - length + 1;
        s.place_stride = item;
    }
    give_stream(d, s, results);
    return true;
}

static bool check_columns(const DataValue *columns, int count, RtError *e)
{
    for (int i = 0; i < count; i++) {
        if (columns[i].array.rank < 1 || columns[i].array.shape[0] < 1)
            return rt_fail(e, "argument %d has no rows", i + 1);
        if (columns[i].array.shape[0] == columns[0].array.shape[0]) continue;
        return rt_fail(e, "argument %d has %lld rows, the first has %lld", i + 1, (long long)columns[i].array.shape[0],
                       (long long)columns[0].array.shape[0]);
    }
    return true;
}

bool cut_batches(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const DataValue *columns = args[0].list.items;
    int count = args[0].list.count;
    int64_t size = (int64_t)args[1].number;
    if (args[0].kind == DATA_none || count == 0) return rt_fail(e, "there is nothing to make batches of");
    if (count > DATA_MAX_RESULTS) return rt_fail(e, "%d arrays are too many: at most %d", count, DATA_MAX_RESULTS);
    if (!check_columns(columns, count, e)) return false;
    uint64_t key = data_stream_key(d);
    for (int i = 0; i < count; i++) {
        const DataArray *a = &columns[i].array;
        int64_t row = data_array_count(a) / a->shape[0] * rt_dtype_bytes(a->dtype);
        if (row && size > INT64_MAX / 16 / row) return rt_fail(e, "a batch of %lld rows is too large", (long long)size);
        RtStream s = { .dtype = a->dtype, .rank = a->rank, .base = a->data, .row_bytes = row, .rows = a->shape[0],
                       .row_stride = row, .places = a->shape[0], .place_stride = row, .shuffle = args[2].truth,
                       .key = key, .tokenizer = a->tokenizer };
        memcpy(s.shape, a->shape, sizeof s.shape);
        s.shape[0] = size;
        give_stream(d, s, results);
    }
    return true;
}
