/* Host functions of the data phase, called by name as a model's data block does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/data/data.h"

/* One call: its results, or the message. */
typedef struct Reply {
    bool      good;
    DataValue values[DATA_MAX_RESULTS];
    int       count;
    RtError   error;
} Reply;

#define CALL(d, name, ...)                                                                                             \
    call(d, name, (DataValue[]){ __VA_ARGS__ }, sizeof((DataValue[]){ __VA_ARGS__ }) / sizeof(DataValue))

static Reply call(RtData *d, const char *name, const DataValue *args, size_t count)
{
    Reply r = { .error = { "" } };
    r.good = rt_data_call(d, name, args, (int)count, r.values, &r.count, &r.error);
    if (r.good) assert_string_equal(r.error.text, "");
    return r;
}

static DataValue one(Reply r)
{
    if (!r.good) print_message("%s\n", r.error.text);
    assert_true(r.good);
    assert_int_equal(r.count, 1);
    return r.values[0];
}

static void assert_error(Reply r, const char *wanted)
{
    assert_false(r.good);
    if (!strstr(r.error.text, wanted)) print_message("got: %s\n", r.error.text);
    assert_non_null(strstr(r.error.text, wanted));
}

static DataValue text(const char *s) { return data_text((RtText){ s, (int64_t)strlen(s) }); }
static DataValue number(double x) { return data_number(x); }
static DataValue truth(bool b) { return (DataValue){ .kind = DATA_bool, .truth = b }; }
static DataValue none(void) { return (DataValue){ .kind = DATA_none }; }

static DataValue named(const char *name, DataValue v)
{
    v.name = name;
    return v;
}

static DataValue list(const DataValue *items, int count)
{
    return (DataValue){ .kind = DATA_list, .list = { items, count } };
}

static void assert_text(RtText t, const char *wanted)
{
    assert_int_equal(t.size, strlen(wanted));
    assert_memory_equal(t.bytes, wanted, (size_t)t.size);
}

static void assert_ids(const int32_t *ids, int64_t count, const char *wanted)
{
    char out[500] = "";
    for (int64_t i = 0; i < count; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%d", i ? " " : "", ids[i]);
    assert_string_equal(out, wanted);
}

static void assert_array(DataValue v, const char *wanted)
{
    assert_int_equal(v.kind, DATA_array);
    assert_int_equal(v.array.dtype, RT_i32);
    assert_ids(v.array.data, data_array_count(&v.array), wanted);
}

/* A data set with a file behind each name. */
static RtData *data_with(const char *name, const void *bytes, size_t size)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/ptm-data-test-%d-%s", (int)getpid(), name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(bytes, 1, size, f);
    fclose(f);
    RtData *d = rt_data_new();
    assert_true(rt_data_bind(d, name, path));
    return d;
}

static void drop(RtData *d, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/ptm-data-test-%d-%s", (int)getpid(), name);
    unlink(path);
    rt_data_free(d);
}

static RtData *with_text(const char *s)
{
    return data_with("text", s, strlen(s));
}

static DataValue column_of(RtData *d, const char *lines)
{
    return one(CALL(d, "lines", text(lines)));
}

/* Texts. */

static void test_read_gives_the_file_or_the_corpus(void **state)
{
    (void)state;
    RtData *d = with_text("\xEF\xBB\xBFhello\n");
    assert_text(one(CALL(d, "read", text("text"))).text, "hello\n");
    DataValue built_in = one(CALL(d, "read", text("other"))), again = one(CALL(d, "read", text("other")));
    assert_true(built_in.text.size >= 1 << 20);
    assert_ptr_equal(built_in.text.bytes, again.text.bytes);
    assert_int_equal(rt_data_source_count(d), 2);
    assert_non_null(rt_data_source(d, 0)->file);
    assert_true(rt_data_source(d, 0)->best_loss == 0);
    assert_null(rt_data_source(d, 1)->file);
    assert_true(rt_data_source(d, 1)->best_loss > 1);
    drop(d, "text");
}

static void test_unused_names_are_known(void **state)
{
    (void)state;
    RtData *d = with_text("x");
    assert_string_equal(rt_data_unused(d), "text");
    assert_false(rt_data_bind(d, "text", "elsewhere"));
    one(CALL(d, "read", text("text")));
    assert_null(rt_data_unused(d));
    drop(d, "text");
}

static void test_wrong_files_end_in_a_clear_error(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t size; const char *message; } wrong[] = {
        { "", 0, "is empty" },
        { "\xEF\xBB\xBF", 3, "is empty but for a byte order mark" },
        { "\x1F\x8B\x08\x00more", 8, "is gzip; unpack it first" },
        { "PK\x03\x04\x00", 5, "is a zip archive; unpack it first" },
        { "abc\0def", 7, "is not a text: NUL byte at offset 3" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        RtData *d = data_with("text", wrong[i].bytes, wrong[i].size);
        assert_error(CALL(d, "read", text("text")), wrong[i].message);
        drop(d, "text");
    }
    RtData *d = with_text("x");
    drop(d, "text");
    d = rt_data_new();
    rt_data_bind(d, "gone", "/tmp/no/such/file");
    rt_data_bind(d, "folder", "/tmp");
    rt_data_bind(d, "endless", "/dev/zero");
    assert_error(CALL(d, "read", text("gone")), "cannot open /tmp/no/such/file: No such file");
    assert_error(CALL(d, "read", text("folder")), "/tmp is a directory, not a text file");
    assert_error(CALL(d, "tsv", text("endless")), "NUL byte at offset 0");
    rt_data_free(d);
}

static void test_lines_of_every_kind(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    DataColumn c = column_of(d, "one\r\n\ntwo words\nlast").column;
    assert_int_equal(c.count, 4);
    assert_text(c.rows[0], "one");
    assert_text(c.rows[1], "");
    assert_text(c.rows[2], "two words");
    assert_text(c.rows[3], "last");
    assert_int_equal(column_of(d, "a\n").column.count, 1);
    assert_int_equal(column_of(d, "\n\n").column.count, 2);
    rt_data_free(d);
}

static void test_tsv_columns(void **state)
{
    (void)state;
    const char *table = "label\tcontent\npos\tgood film\r\nneg\t\n";
    RtData *d = data_with("train", table, strlen(table));
    Reply r = CALL(d, "tsv", text("train"), named("header", truth(true)));
    assert_true(r.good);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.values[0].column.count, 2);
    assert_text(r.values[0].column.rows[1], "neg");
    assert_text(r.values[1].column.rows[0], "good film");
    assert_text(r.values[1].column.rows[1], "");
    assert_int_equal(CALL(d, "tsv", text("train")).values[0].column.count, 3);
    drop(d, "train");
    table = "a\tb\nc\td\te\n";
    d = data_with("train", table, strlen(table));
    assert_error(CALL(d, "tsv", text("train")), "-train:2: 3 tab-separated columns; the first line has 2");
    drop(d, "train");
    table = "only\theader\n";
    d = data_with("train", table, strlen(table));
    assert_error(CALL(d, "tsv", text("train"), named("header", truth(true))), "has no line besides its header");
    drop(d, "train");
    table = "1\t2\t3\t4\t5\t6\t7\t8\t9\n";
    d = data_with("train", table, strlen(table));
    assert_error(CALL(d, "tsv", text("train")), "has 9 columns; at most 8 can be read");
    drop(d, "train");
}

static void test_built_in_tables(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    Reply train = CALL(d, "tsv", text("train"), named("header", truth(true))), test = CALL(d, "tsv", text("test"));
    assert_int_equal(train.count, 2);
    assert_int_equal(one(CALL(d, "size", one(CALL(d, "labels", train.values[0])))).number, 3);
    assert_int_not_equal(train.values[1].column.count, test.values[1].column.count);
    Reply pairs = CALL(d, "tsv", text("train"), named("pairs", truth(true)));
    assert_int_equal(pairs.count, 2);
    assert_int_equal(rt_data_source_count(d), 3);
    assert_true(rt_data_source(d, 0)->best_accuracy > 0.7 && rt_data_source(d, 2)->best_accuracy == 0);
    rt_data_free(d);
}

/* Tokenizers. */

static void test_tokenizer_applied(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    DataValue chars = one(CALL(d, "chars", text("cab\n")));
    assert_array(one(CALL(d, "()", chars, text("abc"))), "1 2 3");
    assert_int_equal(one(CALL(d, "[]", chars, text("b"))).number, 2);
    assert_error(CALL(d, "[]", chars, text("B")), "has no piece \"B\"");
    assert_error(CALL(d, "()", chars, text("dab")), "character 'd' at offset 0");
    assert_error(CALL(d, "chars", text("x\xFF")), "offset 1 is not UTF-8");

    DataValue column = column_of(d, "the cat\n\nthe dog the"), mark = text("<s>");
    DataValue words = one(CALL(d, "words", column, named("unknown", text("<unk>")), named("marks", list(&mark, 1))));
    DataValue ragged = one(CALL(d, "()", words, column));
    assert_int_equal(ragged.kind, DATA_ragged);
    assert_int_equal(ragged.ragged.rows, 3);
    assert_ids(ragged.ragged.ids, ragged.ragged.at[3], "2 3 2 4 2");
    assert_int_equal(ragged.ragged.at[1], 2);
    assert_int_equal(ragged.ragged.at[2], 2);
    assert_array(one(CALL(d, "()", words, text("a dog"))), "1 4");
    assert_error(CALL(d, "[]", words, text("<S>")), "did you mean \"<s>\"?");
    assert_text(one(CALL(d, "decode", words, one(CALL(d, "()", words, text("the dog"))))).text, "the dog");

    DataValue both[] = { column, text("bird") };
    assert_int_equal(one(CALL(d, "size", one(CALL(d, "words", list(both, 2))))).number, 4);
    assert_error(CALL(d, "words", list((DataValue[]){ number(1) }, 1)), "the list must hold texts");
    assert_int_equal(one(CALL(d, "size", one(call(d, "bytes", NULL, 0)))).number, 256);
    rt_data_free(d);
}

static void test_labels_give_one_id_a_row(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    DataValue column = column_of(d, "pos\nneg\npos"), kinds = one(CALL(d, "labels", column));
    assert_array(one(CALL(d, "()", kinds, column)), "1 0 1");
    assert_error(CALL(d, "()", kinds, column_of(d, "pos\npoz")),
                 "row 2: 'poz' is not one of the 2 labels; did you mean 'pos'?");
    assert_error(CALL(d, "()", kinds, column_of(d, "pos\n\nneg")), "row 2: the label is empty");
    assert_error(CALL(d, "labels", column_of(d, "pos\n\nneg")), "the label of row 2 is empty");
    rt_data_free(d);
}

/* Rows. */

static void test_wrap_and_pad(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    DataValue column = column_of(d, "a b\n\nc a b"), tok = one(CALL(d, "words", text("a b c")));
    DataValue ragged = one(CALL(d, "()", tok, column));
    DataValue wrapped = one(CALL(d, "wrap", ragged, number(7), number(8)));
    assert_ids(wrapped.ragged.ids, wrapped.ragged.at[3], "7 0 1 8 7 8 7 2 0 1 8");
    DataValue last = one(CALL(d, "wrap", ragged, none(), number(9)));
    assert_ids(last.ragged.ids, last.ragged.at[3], "0 1 9 9 2 0 1 9");
    assert_error(CALL(d, "wrap", ragged, number(0.5), none()), "'first' is 0.5, which is no id");
    DataValue padded = one(CALL(d, "pad", ragged));
    assert_int_equal(padded.array.rank, 2);
    assert_int_equal(padded.array.shape[1], 3);
    assert_array(padded, "0 1 -1 -1 -1 -1 2 0 1");
    assert_array(one(CALL(d, "pad", ragged, named("at_most", number(2)))), "0 1 -1 -1 2 0");
    assert_array(one(CALL(d, "pad", ragged, named("at_most", number(9)))), "0 1 -1 -1 -1 -1 2 0 1");
    assert_int_equal(one(CALL(d, "size", ragged)).number, 5);
    assert_int_equal(one(CALL(d, "size", ragged, number(0))).number, 3);
    assert_int_equal(one(CALL(d, "size", padded)).number, 9);
    assert_int_equal(one(CALL(d, "size", padded, number(-1))).number, 3);
    assert_error(CALL(d, "size", padded, number(2)), "there is no axis 2 in an array of rank 2");
    rt_data_free(d);
}

static DataValue range(RtData *d, int32_t count)
{
    int32_t *ids = rt_data_alloc(d, count, sizeof *ids);
    for (int32_t i = 0; i < count; i++) ids[i] = i;
    return data_ids(ids, count, NULL);
}

static void test_holdout_takes_the_tail(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    Reply r = CALL(d, "holdout", range(d, 15), number(0.1));
    assert_int_equal(r.count, 2);
    assert_array(r.values[0], "0 1 2 3 4 5 6 7 8 9 10 11 12");
    assert_array(r.values[1], "13 14");
    DataValue column = column_of(d, "a b\nc\na\nb"), tok = one(CALL(d, "words", text("a b c")));
    r = CALL(d, "holdout", column, one(CALL(d, "()", tok, column)), named("fraction", number(0.5)));
    assert_int_equal(r.count, 4);
    assert_text(r.values[1].column.rows[0], "a");
    assert_int_equal(r.values[3].ragged.rows, 2);
    assert_ids(r.values[3].ragged.ids, r.values[3].ragged.at[2], "0 1");
    assert_int_equal(r.values[2].ragged.at[2], 3);
    assert_error(CALL(d, "holdout", range(d, 5), number(1.5)), "'fraction' is 1.5; it must lie between 0 and 1");
    assert_error(CALL(d, "holdout", range(d, 1), number(0.5)), "1 rows can not be split");
    rt_data_free(d);
}

/* Streams. */

static void test_windows(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    DataValue s = one(CALL(d, "windows", range(d, 15), named("length", number(4)), named("batch", number(2))));
    int32_t out[8];
    assert_int_equal(s.stream->rank, 2);
    assert_int_equal(s.stream->shape[0], 2);
    assert_int_equal(s.stream->shape[1], 4);
    assert_int_equal(rt_stream_pass_batches(s.stream), 2);
    assert_int_equal(rt_stream_pass_batch(s.stream, 0, out), 2);
    assert_ids(out, 8, "0 1 2 3 3 4 5 6");
    assert_int_equal(rt_stream_pass_batch(s.stream, 1, out), 2);
    assert_ids(out, 8, "6 7 8 9 9 10 11 12");
    assert_int_equal(rt_stream_steps(s.stream), 2);

    s = one(CALL(d, "windows", range(d, 15), number(4), number(2), truth(true)));
    assert_int_equal(rt_stream_steps(s.stream), 6);          /* 12 positions */
    int seen[12] = { 0 };
    for (int64_t step = 0; step < 6; step++) {
        rt_stream_batch(s.stream, 1, step, out);
        for (int row = 0; row < 2; row++) {
            assert_int_equal(out[4 * row] + 3, out[4 * row + 3]);
            assert_int_equal(seen[out[4 * row]]++, 0);
        }
    }
    s = one(CALL(d, "windows", range(d, 15), number(4), number(2), named("step", number(1))));
    assert_int_equal(s.stream->rows, 12);
    assert_error(CALL(d, "windows", range(d, 3), number(4), number(2)), "3 ids are fewer than one window of 4");
    assert_error(CALL(d, "windows", range(d, 9), number(2.5), number(2)),
                 "'length' is 2.5; it must be a whole number from 1");
    assert_error(CALL(d, "windows", range(d, 9), number(0), number(2)), "'length' is 0");
    assert_error(CALL(d, "windows", range(d, 9), number(2), number(0x1p62)), "'batch' is");
    rt_data_free(d);
}

static void test_batches_advance_together(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    DataValue column = column_of(d, "a\na b\nb c\nc\na c"), tok = one(CALL(d, "words", text("a b c")));
    DataValue rows = one(CALL(d, "pad", one(CALL(d, "()", tok, column))));
    Reply r = CALL(d, "batches", rows, range(d, 5), named("size", number(2)), named("shuffle", truth(true)));
    assert_true(r.good);
    assert_int_equal(r.count, 2);
    const RtStream *x = r.values[0].stream, *y = r.values[1].stream;
    assert_int_equal(y->rank, 1);
    int32_t a[4], b[2];
    for (int64_t step = 0; step < 10; step++) {
        rt_stream_batch(x, 3, step, a);
        rt_stream_batch(y, 3, step, b);
        for (int row = 0; row < 2; row++)
            assert_memory_equal(a + 2 * row, (const int32_t *)rows.array.data + 2 * b[row], 8);
    }
    assert_int_equal(rt_stream_pass_batches(y), 3);
    assert_int_equal(rt_stream_pass_batch(y, 2, b), 1);
    assert_int_equal(b[0], 4);
    Reply other = CALL(d, "batches", range(d, 5), named("size", number(2)), named("shuffle", truth(true)));
    assert_true(other.values[0].stream->key != y->key);
    Reply wide = CALL(d, "batches", range(d, 3), named("size", number(9)));
    assert_int_equal(rt_stream_steps(wide.values[0].stream), 0);
    assert_int_equal(rt_stream_pass_batches(wide.values[0].stream), 1);
    assert_error(CALL(d, "batches", range(d, 5), range(d, 4), named("size", number(2))),
                 "argument 2 has 4 rows, the first has 5");
    rt_data_free(d);
}

/* Arguments. */

static void test_arguments_are_checked_against_the_signature(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    assert_error(CALL(d, "windoze", number(1)), "there is no host function 'windoze'");
    assert_error(CALL(d, "windows", number(1), number(2), number(3)), "'ids' is a number; it must be an array");
    assert_error(CALL(d, "windows", range(d, 5), named("lenght", number(2)), named("batch", number(2))),
                 "there is no argument 'lenght'; did you mean 'length'?");
    assert_error(CALL(d, "windows", range(d, 5), named("length", number(2))),
                 "argument 'batch' is missing: windows(ids: array");
    assert_error(CALL(d, "windows", range(d, 5), number(2), named("length", number(2)), named("batch", number(2))),
                 "'length' is given by position and by name");
    assert_error(CALL(d, "read", text("a"), text("b")), "1 argument too many");
    assert_error(CALL(d, "read", named("name", text("a")), named("name", text("a"))), "'name' is given twice");
    assert_error(CALL(d, "windows", named("batch", number(2)), range(d, 5)), "by position comes after one by name");
    assert_error(CALL(d, "batches", named("size", number(2))), "argument 'columns' is missing");
    assert_error(CALL(d, "batches", text("a"), named("size", number(2))), "'columns' is a text; it must be an array");
    assert_error(CALL(d, "words", number(1)), "'text' is a number; it must be a text, a column of texts or a list");
    rt_data_free(d);
}

static void test_elements_of_every_type(void **state)
{
    (void)state;
    float f32[] = {0, -1.5f};
    double f64[] = {0, 1e300};
    uint16_t bf16[] = {0x3F80, 0xC040}, f16[] = {0x0001, 0xFBFF, 0x7C00, 0x3C00};
    int64_t i64[] = {0, -(INT64_C(1) << 52)};
    int32_t i32[] = {0, INT32_MIN};
    int8_t i8[] = {0, -128};
    uint8_t u8[] = {0, 255}, truth[] = {0, 2};
    assert_true(rt_element(f32, RT_f32, 1) == -1.5 && rt_element(f64, RT_f64, 1) == 1e300);
    assert_true(rt_element(bf16, RT_bf16, 0) == 1 && rt_element(bf16, RT_bf16, 1) == -3);
    assert_true(rt_element(f16, RT_f16, 0) == 0x1p-24 && rt_element(f16, RT_f16, 1) == -65504);
    assert_true(isinf(rt_element(f16, RT_f16, 2)) && rt_element(f16, RT_f16, 3) == 1);
    assert_true(rt_element(i64, RT_i64, 1) == -0x1p52 && rt_element(i32, RT_i32, 1) == -0x1p31);
    assert_true(rt_element(i8, RT_i8, 1) == -128 && rt_element(u8, RT_u8, 1) == 255);
    assert_true(rt_element(truth, RT_bool, 0) == 0 && rt_element(truth, RT_bool, 1) == 1);
}

static void test_every_reader_is_documented(void **state)
{
    (void)state;
    int count;
    const DataReader *readers = rt_data_readers(&count);
    assert_true(count > 10);
    for (int i = 0; i < count; i++) {
        assert_ptr_equal(rt_data_reader(readers[i].name), &readers[i]);
        assert_non_null(strstr(readers[i].signature, "->"));
        assert_true(strlen(readers[i].help) > 10);
    }
    assert_null(rt_data_reader("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_gives_the_file_or_the_corpus),
        cmocka_unit_test(test_unused_names_are_known),
        cmocka_unit_test(test_wrong_files_end_in_a_clear_error),
        cmocka_unit_test(test_lines_of_every_kind),
        cmocka_unit_test(test_tsv_columns),
        cmocka_unit_test(test_built_in_tables),
        cmocka_unit_test(test_tokenizer_applied),
        cmocka_unit_test(test_labels_give_one_id_a_row),
        cmocka_unit_test(test_wrap_and_pad),
        cmocka_unit_test(test_holdout_takes_the_tail),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_batches_advance_together),
        cmocka_unit_test(test_arguments_are_checked_against_the_signature),
        cmocka_unit_test(test_elements_of_every_type),
        cmocka_unit_test(test_every_reader_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
