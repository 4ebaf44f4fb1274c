/* Fuzzer of everything that reads a corpus: whatever the bytes of a file, the readers, tokenizers and streams give
 * values or one message. Checked besides: what is encoded decodes again, and a tokenizer survives being saved. */
#define _GNU_SOURCE
#include "runtime/data/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool call(RtData *d, const char *name, const DataValue *args, int count, DataValue *results)
{
    RtError e = { "" };
    int result_count;
    if (rt_data_call(d, name, args, count, results, &result_count, &e)) return true;
    if (!e.text[0]) abort();
    return false;
}

static DataValue text_value(const char *s)
{
    return data_text((RtText){ s, (int64_t)strlen(s) });
}

static void check_saved(const RtTokenizer *t)
{
    size_t size;
    RtError e;
    char *saved = rt_tokenizer_save(t, &size);
    RtTokenizer *back = rt_tokenizer_load(saved, size, &e);
    if (!back || rt_tokenizer_size(back) != rt_tokenizer_size(t)) abort();
    rt_tokenizer_free(back);
    free(saved);
}

/* Goes through some batches of a stream of i32. */
static void walk(const RtStream *s)
{
    int32_t *out = malloc((size_t)rt_stream_bytes(s) + 1);
    if (!out) abort();
    for (int64_t i = 0; i < 3 && i < rt_stream_pass_batches(s); i++)
        if (rt_stream_pass_batch(s, i, out) != s->variants[rt_stream_pass_variant(s, i)].rows) abort();
    for (int64_t i = 0; i < 3 && rt_stream_steps(s) > 0; i++) rt_stream_batch(s, 1, i, out);
    free(out);
}

static void check_streams(RtData *d, DataValue ids)
{
    DataValue stream[DATA_MAX_RESULTS];
    const DataValue args[] = { ids, data_number(3), data_number(2), { .kind = DATA_bool, .truth = true } };
    if (call(d, "windows", args, 4, stream)) walk(stream[0].stream);
    DataValue more[] = { ids, data_number(2), data_number(4), data_number(1) };
    more[1].name = "batch", more[2].name = "length", more[3].name = "overlap";
    if (call(d, "streams", more, 4, stream)) walk(stream[0].stream);
}

/* Rows of any lengths, padded and flat. */
static void check_rows(RtData *d, DataValue rows)
{
    DataValue padded[DATA_MAX_RESULTS], flat[DATA_MAX_RESULTS], stream[DATA_MAX_RESULTS];
    if (!call(d, "flat", &rows, 1, flat) || !call(d, "pad", &rows, 1, padded)) abort();
    DataValue args[] = { padded[0], data_number(2), { .kind = DATA_bool, .truth = true } };
    args[1].name = "size", args[2].name = "shuffle";
    if (call(d, "batches", args, 3, stream)) walk(stream[0].stream);
}

static void check_tokenizer(RtData *d, const char *maker, DataValue texts, DataValue text, bool exact)
{
    DataValue tok[DATA_MAX_RESULTS], ids[DATA_MAX_RESULTS], again[DATA_MAX_RESULTS];
    if (!call(d, maker, &texts, texts.kind != DATA_none, tok)) return;
    check_saved(tok[0].tokenizer);
    if (!call(d, "()", (DataValue[]){ tok[0], text }, 2, ids)) abort();
    if (ids[0].kind == DATA_ragged) {
        check_rows(d, ids[0]);
        return;
    }
    check_streams(d, ids[0]);
    if (!call(d, "decode", (DataValue[]){ tok[0], ids[0] }, 2, again)) abort();
    if (!exact) return;
    if (again[0].text.size != text.text.size
        || memcmp(again[0].text.bytes, text.text.bytes, (size_t)text.text.size) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[40];
    int file = memfd_create("corpus", 0);
    if (file < 0 || write(file, bytes, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    RtData *d = rt_data_new();
    RtError e;
    DataValue text[DATA_MAX_RESULTS], columns[DATA_MAX_RESULTS], name = text_value("f");
    rt_data_bind(d, "f", path);
    if (call(d, "read", &name, 1, text)) {
        check_tokenizer(d, "chars", text[0], text[0], true);
        check_tokenizer(d, "bytes", (DataValue){ .kind = DATA_none }, text[0], true);
        check_tokenizer(d, "words", text[0], text[0], false);
        if (!call(d, "lines", text, 1, columns)) abort();
        check_tokenizer(d, "words", columns[0], columns[0], false);
    }
    if (call(d, "tsv", &name, 1, columns)) check_tokenizer(d, "labels", columns[0], columns[0], false);
    rt_tokenizer_free(rt_tokenizer_load((const char *)bytes, size, &e));
    rt_data_free(d);
    close(file);
    return 0;
}
