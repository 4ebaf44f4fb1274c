/* Readers that reshape what is already ids: sizes, marks around rows, padding, flat rows, the part held out. */
#include <assert.h>
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
    int64_t *lengths = rt_data_alloc(d, in.rows, sizeof *lengths);
    for (int64_t row = 0; row < in.rows; row++) {
        int64_t size = in.at[row + 1] - in.at[row];
        lengths[row] = size < width ? size : width;
        for (int64_t i = 0; i < width; i++) out[row * width + i] = i < size ? in.ids[in.at[row] + i] : -1;
    }
    DataArray padded = { .data = out, .dtype = RT_i32, .rank = 2, .shape = { in.rows, width },
                         .tokenizer = in.tokenizer, .lengths = lengths };
    data_result(results, (DataValue){ .kind = DATA_array, .array = padded });
    return true;
}

/* Offsets are i32 like ids: what they number can then be gathered and summed by segment without a conversion. */
bool flat_rows(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const DataRagged *in = &args[0].ragged;
    int64_t count = in->at[in->rows];
    if (count > INT32_MAX) return rt_fail(e, "%lld ids are too many: offsets are i32", (long long)count);
    int32_t *at = rt_data_alloc(d, in->rows + 1, sizeof *at);
    for (int64_t row = 0; row <= in->rows; row++) at[row] = (int32_t)in->at[row];
    data_result(results, data_ids(in->ids, count, in->tokenizer));
    data_result(results, data_ids(at, in->rows + 1, NULL));
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
        if (part.array.lengths) part.array.lengths += from;
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
    assert(args[0].list.count > 0);
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
