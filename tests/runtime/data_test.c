/* Host functions of the data phase, called by name as a model's data block does. */
#include "call.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Whole rows lie one behind the other, so the tail of a pass is what it should be when its ids are. */
static void check_parallel(const RtStream *s, int64_t batch, int64_t length, int64_t overlap, int64_t count)
{
    int64_t part = count / batch, advance = length - overlap, steps = 0, batches = 0;
    int32_t *out = malloc((size_t)rt_stream_bytes(s));
    for (int64_t at = 0; at + overlap < part; at += advance) {
        int64_t width = part - at < length ? part - at : length, shape[RT_MAX_RANK];
        int32_t variant = rt_stream_pass_variant(s, batches);
        rt_stream_shape(s, variant, shape);
        assert_int_equal(shape[0], batch);
        assert_int_equal(shape[1], width);
        assert_int_equal(rt_stream_variant_bytes(s, variant), batch * width * 4);
        assert_int_equal(s->variants[variant].weight, batch * (width - overlap));
        assert_true(s->variants[variant].passes && s->variants[variant].trains == (width == length));
        assert_int_equal(rt_stream_pass_batch(s, batches, out), batch);
        for (int64_t row = 0; row < batch; row++) {
            for (int64_t i = 0; i < width; i++) assert_int_equal(out[row * width + i], row * part + at + i);
        }
        steps += width == length;
        batches++;
    }
    assert_int_equal(rt_stream_pass_batches(s), batches);
    assert_int_equal(rt_stream_steps(s), steps);
    free(out);
}

static void test_parallel_streams(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    for (int count = 5; count < 60; count += 3) {
        for (int batch = 1; batch < 5; batch++) {
            for (int length = 2; length < 9; length++) {
                for (int overlap = 0; overlap < 2; overlap++) {
                    if (count / batch <= overlap) continue;
                    DataValue s = one(CALL(d, "streams", range(d, count), named("batch", number(batch)),
                                           named("length", number(length)), named("overlap", number(overlap))));
                    assert_true(s.stream->carries);
                    check_parallel(s.stream, batch, length, overlap, count);
                }
            }
        }
    }
    rt_data_free(d);
}

/* Each row goes on where it ended, the overlap said again; a new pass begins at the front. */
static void test_parallel_streams_go_on(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    DataValue s = one(CALL(d, "streams", range(d, 47), named("batch", number(2)), named("length", number(6)),
                           named("overlap", number(1))));
    int32_t out[12], before[12];
    assert_int_equal(rt_stream_steps(s.stream), 4);
    for (int64_t step = 0; step < 9; step++) {
        rt_stream_batch(s.stream, 5, step, out);
        assert_int_equal(rt_stream_variant(s.stream, 5, step), 0);
        for (int row = 0; row < 2; row++) {
            assert_int_equal(out[6 * row], step % 4 ? before[6 * row + 5] : 23 * row);
        }
        memcpy(before, out, sizeof out);
    }
    /* Alone, one stream covers everything: all but the first element are predicted. */
    s = one(CALL(d, "streams", range(d, 47), named("batch", number(1)), named("length", number(6)),
                     named("overlap", number(1))));
    int64_t predicted = 0;
    for (int64_t i = 0; i < rt_stream_pass_batches(s.stream); i++)
        predicted += s.stream->variants[rt_stream_pass_variant(s.stream, i)].weight;
    assert_int_equal(predicted, 46);
    rt_data_free(d);
}

static void test_parallel_columns(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    static float pairs[26];
    for (int i = 0; i < 26; i++) pairs[i] = (float)i;
    DataValue vectors = { .kind = DATA_array,
                          .array = { .data = pairs, .dtype = RT_f32, .rank = 2, .shape = { 13, 2 } } };
    Reply r = CALL(d, "streams", range(d, 13), vectors, named("batch", number(2)), named("length", number(4)));
    assert_int_equal(r.count, 2);
    const RtStream *x = r.values[0].stream, *y = r.values[1].stream;
    assert_true(x->key == y->key && x->variant_count == y->variant_count);
    assert_int_equal(y->rank, 3);
    assert_int_equal(y->shape[2], 2);
    int32_t ids[8];
    float rows[16];
    int64_t shape[RT_MAX_RANK];
    assert_int_equal(rt_stream_pass_batches(y), 2);
    rt_stream_pass_batch(x, 1, ids);
    rt_stream_pass_batch(y, 1, rows);
    rt_stream_shape(y, rt_stream_pass_variant(y, 1), shape);
    assert_true(shape[0] == 2 && shape[1] == 2 && shape[2] == 2);
    for (int i = 0; i < 4; i++) assert_true(rows[2 * i] == (float)(2 * ids[i]));
    assert_ids(ids, 4, "4 5 10 11");
#define STREAMS(n, batch, length, overlap)                                                                             \
    CALL(d, "streams", range(d, n), named("batch", number(batch)), named("length", number(length)),                    \
         named("overlap", number(overlap)))
    assert_error(STREAMS(9, 2, 4, 4), "'overlap' is 4; it must be a whole number from 0, below 'length', which is 4");
    assert_error(STREAMS(9, 2, 4, 0.5), "'overlap' is 0.5");
    assert_error(STREAMS(9, 2, 4, -1), "'overlap' is -1");
    assert_error(STREAMS(9, 2, 4, NAN), "'overlap' is ");
    assert_error(STREAMS(9, 9, 4, 1), "9 elements are too few for 9 streams that overlap");
    assert_error(STREAMS(9, 10, 4, 0), "9 elements are too few for 10 streams");
    assert_error(STREAMS(9, 2, 0x1p60, 0), "'length' is");
    static float wide[9 * 100];
    vectors.array = (DataArray){ .data = wide, .dtype = RT_f32, .rank = 2, .shape = { 9, 100 } };
    assert_error(CALL(d, "streams", vectors, named("batch", number(9)), named("length", number(0x1p53))),
                 "a batch of 9 streams of 9007199254740992 is too large");
    assert_error(CALL(d, "streams", range(d, 9), range(d, 8), named("batch", number(2)), named("length", number(2))),
                 "argument 2 has 8 rows, the first has 9");
    rt_data_free(d);
}

/* Lines of text as running ids with a mark after each, as language models of sentences are trained. */
static void test_flat(void **state)
{
    (void)state;
    RtData *d = rt_data_new();
    DataValue mark = text("</s>"), all = text(" a b \n\n c a\n");
    DataValue tok = one(CALL(d, "words", all, named("marks", list(&mark, 1))));
    DataValue end = one(CALL(d, "[]", tok, mark)), rows = one(CALL(d, "()", tok, one(CALL(d, "lines", all))));
    Reply r = CALL(d, "flat", one(CALL(d, "wrap", rows, none(), end)));
    assert_true(r.good);
    assert_int_equal(r.count, 2);
    assert_array(r.values[0], "1 2 0 0 3 1 0");
    assert_array(r.values[1], "0 3 4 7");
    assert_ptr_equal(r.values[0].array.tokenizer, tok.tokenizer);
    assert_text(one(CALL(d, "decode", tok, r.values[0])).text, "a b </s> </s> c a </s>");
    assert_array(CALL(d, "flat", rows).values[0], "1 2 3 1");
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
        cmocka_unit_test(test_parallel_streams),
        cmocka_unit_test(test_parallel_streams_go_on),
        cmocka_unit_test(test_parallel_columns),
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_arguments_are_checked_against_the_signature),
        cmocka_unit_test(test_elements_of_every_type),
        cmocka_unit_test(test_every_reader_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
