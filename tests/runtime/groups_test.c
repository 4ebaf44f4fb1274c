/* Padded rows in a few widths: every row once a pass, in a batch that holds it, whatever the order. */
#include "call.h"

#include "runtime/core/random.h"
#include "runtime/data/groups.h"

enum { MOST_ROWS = 400, LONGEST = 60 };

/* Row r holds r, r + 1, .. so that it says what it is; its label is r. */
typedef struct Rows {
    RtData   *data;
    int64_t   count, at[MOST_ROWS + 1];
    int32_t   ids[MOST_ROWS * LONGEST];
    DataValue padded, labels;
} Rows;

typedef int64_t Length(int64_t row);

static int64_t length_of_row(const Rows *r, int64_t row) { return r->at[row + 1] - r->at[row]; }

static Rows *rows_new(int64_t count, Length *length)
{
    Rows *r = calloc(1, sizeof *r);
    r->data = rt_data_new();
    r->count = count;
    for (int64_t row = 0; row < count; row++) {
        int64_t size = length(row);
        for (int64_t i = 0; i < size; i++) r->ids[r->at[row] + i] = (int32_t)(row + i);
        r->at[row + 1] = r->at[row] + size;
    }
    DataValue ragged = { .kind = DATA_ragged, .ragged = { r->ids, r->at, count, NULL } };
    r->padded = one(CALL(r->data, "pad", ragged));
    r->labels = range(r->data, (int32_t)count);
    return r;
}

static void rows_free(Rows *r)
{
    rt_data_free(r->data);
    free(r);
}

static int64_t mixed(int64_t row) { return 1 + rt_random_word(3, 0, (uint64_t)row) % (LONGEST - 1); }
static int64_t skewed(int64_t row) { return row % 97 == 5 ? LONGEST : 3 + row % 5; }
static int64_t equal(int64_t row) { return (void)row, 7; }
static int64_t empty(int64_t row) { return row % 2 * 9; }

typedef struct Pair {
    const RtStream *x, *y;
} Pair;

static Pair batches(Rows *r, int size, bool shuffle, DataValue widths)
{
    Reply made = CALL(r->data, "batches", r->padded, r->labels, named("size", number(size)),
                      named("shuffle", truth(shuffle)), named("widths", widths));
    if (!made.good) print_message("%s\n", made.error.text);
    assert_true(made.good);
    return (Pair){ made.values[0].stream, made.values[1].stream };
}

/* A batch and its labels fit together and hold their rows whole. Counts the rows seen. */
static void check_batch(const Rows *r, Pair p, int32_t variant, const int32_t *x, const int32_t *y, int *seen)
{
    int64_t shape[RT_MAX_RANK];
    rt_stream_shape(p.x, variant, shape);
    for (int64_t row = 0; row < shape[0]; row++) {
        int64_t from = y[row], size = length_of_row(r, from);
        assert_in_range(from, 0, r->count - 1);
        assert_true(size <= shape[1]);
        for (int64_t i = 0; i < shape[1]; i++) {
            assert_int_equal(x[row * shape[1] + i], i < size ? from + i : -1);
        }
        seen[from]++;
    }
}

static void check_variants(const Rows *r, Pair p, int size)
{
    assert_int_equal(p.x->variant_count, p.y->variant_count);
    assert_in_range(p.x->variant_count, 1, RT_MAX_VARIANTS);
    for (int v = 0; v < p.x->variant_count; v++) {
        const RtVariant *x = &p.x->variants[v], *y = &p.y->variants[v];
        bool is_short = x->rows != size;
        assert_true(x->rows == y->rows && x->trains == y->trains && x->passes == y->passes && y->width == 0);
        assert_true(x->weight == x->rows && y->weight == y->rows);
        assert_true(!is_short || (v == p.x->variant_count - 1 && x->rows == r->count % size && !x->trains));
        assert_true(x->width % 4 == 0 || x->width == r->padded.array.shape[1]);
        assert_true(v == 0 || is_short || x->width < p.x->variants[v - 1].width);
    }
}

static void check_pass(const Rows *r, Pair p, int size)
{
    int32_t *x = malloc((size_t)rt_stream_bytes(p.x)), *y = malloc((size_t)rt_stream_bytes(p.y));
    int seen[MOST_ROWS] = { 0 };
    assert_int_equal(rt_stream_pass_batches(p.x), (r->count + size - 1) / size);
    for (int64_t i = 0; i < rt_stream_pass_batches(p.x); i++) {
        int32_t variant = rt_stream_pass_variant(p.x, i);
        assert_int_equal(rt_stream_pass_variant(p.y, i), variant);
        assert_true(p.x->variants[variant].passes);
        assert_int_equal(rt_stream_pass_batch(p.x, i, x), p.x->variants[variant].rows);
        rt_stream_pass_batch(p.y, i, y);
        check_batch(r, p, variant, x, y, seen);
    }
    for (int64_t row = 0; row < r->count; row++) assert_int_equal(seen[row], 1);
    free(x);
    free(y);
}

/* Steps asked for in any order, as a run that goes on does; those of an epoch hold every row once but for the rest. */
static void check_training(const Rows *r, Pair p, int size)
{
    int32_t *x = malloc((size_t)rt_stream_bytes(p.x)), *y = malloc((size_t)rt_stream_bytes(p.y));
    int64_t steps = rt_stream_steps(p.x);
    assert_int_equal(steps, r->count / size);
    for (int64_t epoch = 3; epoch >= 0; epoch--) {
        int seen[MOST_ROWS] = { 0 };
        int64_t left_out = 0;
        for (int64_t step = epoch * steps + steps - 1; step >= epoch * steps; step--) {
            int32_t variant = rt_stream_variant(p.x, 9, step);
            assert_int_equal(rt_stream_variant(p.y, 9, step), variant);
            assert_true(p.x->variants[variant].trains);
            rt_stream_batch(p.x, 9, step, x);
            rt_stream_batch(p.y, 9, step, y);
            check_batch(r, p, variant, x, y, seen);
        }
        for (int64_t row = 0; row < r->count; row++) {
            assert_in_range(seen[row], 0, 1);
            left_out += !seen[row];
        }
        assert_int_equal(left_out, r->count % size);
    }
    free(x);
    free(y);
}

static void check_all(Length *length)
{
    static const int counts[] = { 1, 7, 30, 203, MOST_ROWS }, sizes[] = { 1, 3, 16, 50 }, widths[] = { 0, 1, 2, 7, 15 };
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        Rows *r = rows_new(counts[c], length);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
                Pair p = batches(r, sizes[s], s % 2, widths[w] ? number(widths[w]) : none());
                check_variants(r, p, sizes[s]);
                assert_true(p.x->variant_count <= (widths[w] ? widths[w] : 4) + 1);
                check_pass(r, p, sizes[s]);
                check_training(r, p, sizes[s]);
            }
        }
        rows_free(r);
    }
}

static void test_mixed_lengths(void **state) { (void)state, check_all(mixed); }
static void test_skewed_lengths(void **state) { (void)state, check_all(skewed); }
static void test_equal_lengths(void **state) { (void)state, check_all(equal); }
static void test_empty_rows(void **state) { (void)state, check_all(empty); }

/* How many elements the batches of an epoch have. */
static int64_t area(const RtStream *s)
{
    int64_t sum = 0;
    for (int64_t step = 0; step < rt_stream_steps(s); step++)
        sum += rt_stream_variant_bytes(s, rt_stream_variant(s, 1, step)) / 4;
    return sum;
}

static void test_groups_save_padding(void **state)
{
    (void)state;
    Rows *r = rows_new(MOST_ROWS, mixed);
    double one_width = (double)area(batches(r, 10, true, number(1)).x);
    assert_true((double)area(batches(r, 10, true, none()).x) < 0.7 * one_width);
    rows_free(r);
    /* Four long rows among many short ones, and fewer than a batch has left: they take others with them. */
    r = rows_new(380, skewed);
    Pair p = batches(r, 50, true, none());
    assert_int_equal(area(batches(r, 50, true, number(1)).x), 350 * LONGEST);
    assert_int_equal(area(p.x), 150 * 4 + 150 * 8 + 50 * LONGEST);
    int wide = 0;
    for (int64_t step = 0; step < 14; step++) wide += rt_stream_variant(p.x, 1, step) == 0;
    assert_int_equal(wide, 2);
    rows_free(r);
}

/* Orders differ between epochs and seeds, and neither widths nor rows come in a row. */
static void test_shuffling(void **state)
{
    (void)state;
    Rows *r = rows_new(MOST_ROWS, mixed);
    Pair p = batches(r, 5, true, none());
    int32_t a[5], b[5], other[5], x[5 * LONGEST];
    int changes = 0, left_out[MOST_ROWS] = { 0 };
    int64_t steps = rt_stream_steps(p.x);
    rt_stream_batch(p.y, 1, 0, a);
    rt_stream_batch(p.y, 1, steps, b);
    rt_stream_batch(p.y, 2, 0, other);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, other, sizeof a);
    for (int64_t step = 1; step < steps; step++)
        changes += rt_stream_variant(p.x, 1, step) != rt_stream_variant(p.x, 1, step - 1);
    assert_in_range(changes, 40, 79);    /* of 79 neighbours three in four differ */
    rows_free(r);
    /* Which rows are left out changes: none of 30 in 40 epochs always, although each has 2 left. */
    r = rows_new(30, mixed);
    p = batches(r, 4, true, none());
    for (int64_t step = 0; step < 40 * 7; step++) {
        rt_stream_batch(p.y, 1, step, a);
        rt_stream_batch(p.x, 1, step, x);
        for (int row = 0; row < 4; row++) left_out[a[row]]++;
    }
    for (int row = 0; row < 30; row++) assert_true(left_out[row] > 0);
    rows_free(r);
}

/* A second padded column has widths of its own, and a table of vectors comes along whole. */
static void test_further_columns(void **state)
{
    (void)state;
    Rows *r = rows_new(100, mixed), *other = rows_new(100, skewed);
    static float table[100 * 3];
    for (int i = 0; i < 300; i++) table[i] = (float)(i / 3);
    DataValue vectors = { .kind = DATA_array,
                          .array = { .data = table, .dtype = RT_f32, .rank = 2, .shape = { 100, 3 } } };
    Reply made = CALL(r->data, "batches", vectors, r->padded, other->padded, r->labels, named("size", number(7)),
                      named("shuffle", truth(true)));
    assert_true(made.good);
    float v[21];
    int32_t x[7 * LONGEST], z[7 * LONGEST], y[7];
    for (int64_t step = 0; step < 28; step++) {
        int32_t variant = rt_stream_variant(made.values[0].stream, 4, step);
        int seen[MOST_ROWS] = { 0 };
        rt_stream_batch(made.values[0].stream, 4, step, v);
        rt_stream_batch(made.values[1].stream, 4, step, x);
        rt_stream_batch(made.values[2].stream, 4, step, z);
        rt_stream_batch(made.values[3].stream, 4, step, y);
        check_batch(r, (Pair){ made.values[1].stream, made.values[3].stream }, variant, x, y, seen);
        check_batch(other, (Pair){ made.values[2].stream, made.values[3].stream }, variant, z, y, seen);
        for (int row = 0; row < 7; row++) assert_true(v[3 * row] == (float)y[row] && v[3 * row + 2] == (float)y[row]);
    }
    rows_free(r);
    rows_free(other);
}

/* Held-out rows are padded rows too, trimmed to their own lengths. */
static void test_held_out_rows(void **state)
{
    (void)state;
    Rows *r = rows_new(100, skewed);
    Reply parts = CALL(r->data, "holdout", r->padded, r->labels, number(0.5));
    assert_true(parts.good);
    Reply made = CALL(r->data, "batches", parts.values[0], parts.values[2], named("size", number(10)));
    assert_int_equal(made.values[0].stream->shape[1], LONGEST);
    made = CALL(r->data, "batches", parts.values[1], parts.values[3], named("size", number(10)));
    const RtStream *x = made.values[0].stream, *y = made.values[1].stream;
    assert_int_equal(x->shape[1], 8);
    assert_int_equal(rt_stream_bytes(x), 10 * 8 * 4);
    int32_t a[80], b[10];
    int seen[MOST_ROWS] = { 0 };
    for (int64_t i = 0; i < 5; i++) {
        rt_stream_pass_batch(x, i, a);
        rt_stream_pass_batch(y, i, b);
        check_batch(r, (Pair){ x, y }, rt_stream_pass_variant(x, i), a, b, seen);
    }
    for (int row = 0; row < 100; row++) assert_int_equal(seen[row], row >= 50);
    rows_free(r);
}

static void test_misuse_is_named(void **state)
{
    (void)state;
    Rows *r = rows_new(20, mixed);
    assert_error(CALL(r->data, "batches", r->labels, named("size", number(2)), named("widths", number(3))),
                 "'widths' is for rows that pad made");
    assert_error(CALL(r->data, "batches", r->padded, named("size", number(2)), named("widths", number(16))),
                 "'widths' is 16; it must be at most 15");
    rows_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed_lengths),   cmocka_unit_test(test_skewed_lengths),
        cmocka_unit_test(test_equal_lengths),   cmocka_unit_test(test_empty_rows),
        cmocka_unit_test(test_groups_save_padding), cmocka_unit_test(test_shuffling),
        cmocka_unit_test(test_further_columns), cmocka_unit_test(test_held_out_rows),
        cmocka_unit_test(test_misuse_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
