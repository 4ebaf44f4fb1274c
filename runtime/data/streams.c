/* Readers that make streams: windows, parallel streams, batches of rows. */
#include <assert.h>
#include <string.h>

#include "runtime/data/groups.h"
#include "runtime/data/parts.h"

enum { WIDTHS = 4 };                     /* of padded rows, when nothing is said */

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
    rt_stream_set_variants(&s);
    give_stream(d, s, results);
    return true;
}

/* The arguments of `..columns`, all with equally many rows. */
static bool take_columns(const DataValue *arg, DataValue const **columns, int *count, RtError *e)
{
    assert(arg->list.count > 0);
    *columns = arg->list.items;
    *count = arg->list.count;
    if (*count > DATA_MAX_RESULTS) return rt_fail(e, "%d arrays are too many: at most %d", *count, DATA_MAX_RESULTS);
    for (int i = 0; i < *count; i++) {
        const DataArray *a = &arg->list.items[i].array, *first = &arg->list.items[0].array;
        if (a->rank < 1 || a->shape[0] < 1) return rt_fail(e, "argument %d has no rows", i + 1);
        if (a->shape[0] == first->shape[0]) continue;
        return rt_fail(e, "argument %d has %lld rows, the first has %lld", i + 1, (long long)a->shape[0],
                       (long long)first->shape[0]);
    }
    return true;
}

static int64_t bytes_of_row(const DataArray *a)
{
    return data_array_count(a) / a->shape[0] * rt_dtype_bytes(a->dtype);
}

/* Parallel streams. */

typedef struct Parallel {
    int64_t batch, length, overlap;
    int64_t part;                        /* elements of each stream */
} Parallel;

static bool check_parallel(const Parallel *p, double overlap, int64_t elements, RtError *e)
{
    if (overlap != (double)p->overlap || overlap < 0 || p->overlap >= p->length) {
        return rt_fail(e, "'overlap' is %g; it must be a whole number from 0, below 'length', which is %lld", overlap,
                       (long long)p->length);
    }
    if (p->part > p->overlap) return true;
    return rt_fail(e, "%lld elements are too few for %lld streams%s", (long long)elements, (long long)p->batch,
                   p->overlap > 0 ? " that overlap" : "");
}

static bool cut_parallel(const DataArray *a, const Parallel *p, uint64_t key, RtStream *s, RtError *e)
{
    int64_t item = bytes_of_row(a), advance = p->length - p->overlap;
    if (a->rank >= RT_MAX_RANK) return rt_fail(e, "an array of rank %d has too many axes", a->rank);
    if (p->length > INT64_MAX / 16 / p->batch / (item > 0 ? item : 1)) {
        return rt_fail(e, "a batch of %lld streams of %lld is too large", (long long)p->batch, (long long)p->length);
    }
    int64_t steps = p->part >= p->length ? (p->part - p->length) / advance + 1 : 0;
    int64_t rest = p->part - steps * advance;
    *s = (RtStream){ .dtype = a->dtype, .rank = a->rank + 1, .shape = { p->batch, p->length }, .variant_count = 1,
                     .carries = true, .base = a->data, .row_bytes = p->length * item, .rows = p->batch,
                     .row_stride = p->part * item, .places = steps, .place_stride = advance * item, .key = key,
                     .tokenizer = a->tokenizer };
    for (int i = 1; i < a->rank; i++) s->shape[i + 1] = a->shape[i];
    s->variants[0] = (RtVariant){ .rows = p->batch, .width = p->length, .trains = steps > 0, .passes = steps > 0,
                                  .weight = p->batch * advance };
    if (rest <= p->overlap) return true;
    s->variants[s->variant_count++] =
        (RtVariant){ .rows = p->batch, .width = rest, .passes = true, .weight = p->batch * (rest - p->overlap) };
    return true;
}

bool cut_streams(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const DataValue *columns;
    int count;
    if (!take_columns(&args[0], &columns, &count, e)) return false;
    int64_t elements = columns[0].array.shape[0];
    Parallel p = { .batch = (int64_t)args[1].number, .length = (int64_t)args[2].number };
    double overlap = args[3].number;
    p.overlap = overlap >= 0 && overlap < (double)p.length ? (int64_t)overlap : -1;
    p.part = elements / p.batch;
    if (!check_parallel(&p, overlap, elements, e)) return false;
    uint64_t key = data_stream_key(d);
    for (int i = 0; i < count; i++) {
        RtStream s;
        if (!cut_parallel(&columns[i].array, &p, key, &s, e)) return false;
        give_stream(d, s, results);
    }
    return true;
}

/* Batches of rows. */

static RtStream rows_stream(const DataArray *a, int64_t size, bool shuffle, uint64_t key)
{
    int64_t row = bytes_of_row(a);
    RtStream s = { .dtype = a->dtype, .rank = a->rank, .base = a->data, .row_bytes = row, .rows = a->shape[0],
                   .row_stride = row, .places = a->shape[0], .place_stride = row, .shuffle = shuffle, .key = key,
                   .tokenizer = a->tokenizer };
    memcpy(s.shape, a->shape, sizeof s.shape);
    s.shape[0] = size;
    return s;
}

/* One variant for each group, from the widest, and one for the short batch. */
static void set_groups(RtStream *s, const DataArray *a, const RtGroups *g)
{
    int64_t widths[RT_MAX_WIDTHS] = { 0 }, rest = groups_rest(g);
    int widest = g->count - 1;
    s->groups = g;
    if (a->lengths) {
        groups_widths(g, a->lengths, a->shape[1], widths);
        s->row_bytes = s->row_bytes / s->shape[1] * widths[widest];
        s->shape[1] = widths[widest];
    }
    for (int i = widest; i >= 0; i--) {
        bool any = g->group[i].batches > 0;
        s->variants[s->variant_count++] =
            (RtVariant){ .rows = g->size, .width = widths[i], .trains = any, .passes = any, .weight = g->size };
    }
    if (rest == 0) return;
    s->variants[s->variant_count++] =
        (RtVariant){ .rows = rest, .width = widths[widest], .passes = true, .weight = rest };
}

/* The groups of the first column that `pad` made; NULL when there is none. */
static bool group_columns(RtData *d, const DataValue *columns, int count, int64_t size, const DataValue *widths,
                          const RtGroups **groups, RtError *e)
{
    int padded = 0;
    *groups = NULL;
    while (padded < count && !columns[padded].array.lengths) padded++;
    if (padded == count && widths->kind == DATA_number) return rt_fail(e, "'widths' is for rows that pad made");
    if (padded == count) return true;
    if (widths->kind == DATA_number && widths->number > RT_MAX_WIDTHS) {
        return rt_fail(e, "'widths' is %g; it must be at most %d", widths->number, RT_MAX_WIDTHS);
    }
    int64_t rows = columns[0].array.shape[0];
    RtGroups *made = rt_data_alloc(d, 1, sizeof *made);
    int most = widths->kind == DATA_number ? (int)widths->number : WIDTHS;
    *made = groups_of(columns[padded].array.lengths, rows, size, most, rt_data_alloc(d, rows, sizeof(int64_t)));
    *groups = made;
    return true;
}

bool cut_batches(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const DataValue *columns = NULL;
    const RtGroups *groups = NULL;
    int count = 0;
    int64_t size = (int64_t)args[1].number;
    if (!take_columns(&args[0], &columns, &count, e)) return false;
    if (!group_columns(d, columns, count, size, &args[3], &groups, e)) return false;
    uint64_t key = data_stream_key(d);
    for (int i = 0; i < count; i++) {
        RtStream s = rows_stream(&columns[i].array, size, args[2].truth, key);
        if (s.row_bytes && size > INT64_MAX / 16 / s.row_bytes)
            return rt_fail(e, "a batch of %lld rows is too large", (long long)size);
        if (groups) set_groups(&s, &columns[i].array, groups);
        else rt_stream_set_variants(&s);
        give_stream(d, s, results);
    }
    return true;
}
