/* Readers of files: whole texts, their lines, their tab-separated columns; arrays. */
#include <string.h>

#include "runtime/data/parts.h"

/* A zero-terminated copy of a string argument: names of sources. */
static const char *string_of(RtData *d, RtText text)
{
    char *copy = rt_data_alloc(d, text.size + 1, 1);
    if (text.size) memcpy(copy, text.bytes, (size_t)text.size);
    copy[text.size] = '\0';
    return copy;
}

bool read_text(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    RtText text;
    if (!source_text(d, string_of(d, args[0].text), CORPUS_text, &text, e)) return false;
    data_result(results, data_text(text));
    return true;
}

/* Number of lines; a last newline ends a line and begins none. */
static int64_t count_lines(RtText text)
{
    int64_t count = 0;
    for (int64_t i = 0; i < text.size; i++) count += text.bytes[i] == '\n';
    return count + (text.size > 0 && text.bytes[text.size - 1] != '\n');
}

/* Cuts the next line off the text: without its newline and a carriage return before that. */
static RtText take_line(RtText *text)
{
    const char *end = memchr(text->bytes, '\n', (size_t)text->size);
    int64_t size = end ? end - text->bytes : text->size, step = end ? size + 1 : size;
    RtText line = { text->bytes, size };
    if (size > 0 && line.bytes[size - 1] == '\r') line.size--;
    text->bytes += step;
    text->size -= step;
    return line;
}

bool split_lines(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    RtText text = args[0].text;
    int64_t count = count_lines(text);
    if (count == 0) return rt_fail(e, "an empty text has no lines");
    RtText *rows = rt_data_alloc(d, count, sizeof *rows);
    for (int64_t i = 0; i < count; i++) rows[i] = take_line(&text);
    data_result(results, data_column(rows, count));
    return true;
}

static int64_t count_fields(RtText line)
{
    int64_t count = 1;
    for (int64_t i = 0; i < line.size; i++) count += line.bytes[i] == '\t';
    return count;
}

/* Puts the fields of a line into row `row` of the columns. */
static void take_fields(RtText line, RtText *const *columns, int64_t count, int64_t row)
{
    for (int64_t column = 0; column < count; column++) {
        const char *tab = line.size ? memchr(line.bytes, '\t', (size_t)line.size) : NULL;
        int64_t size = tab ? tab - line.bytes : line.size;
        columns[column][row] = (RtText){ line.bytes, size };
        line.bytes += size + (tab != NULL);
        line.size -= size + (tab != NULL);
    }
}

/* All rows have as many fields as the first line. Only a file has a header. */
static bool split_table(RtData *d, const char *file, RtText text, bool header, DataResults *results, RtError *e)
{
    int64_t rows = count_lines(text) - header, fields = 0;
    RtText *columns[DATA_MAX_RESULTS];
    if (rows < 1) return rt_fail(e, "%.300s has no line besides its header", file);
    for (int64_t i = -(int64_t)header; i < rows; i++) {
        RtText line = take_line(&text);
        int64_t line_number = i + header + 1, here = count_fields(line);
        if (fields == 0) {
            fields = here;
            if (fields > DATA_MAX_RESULTS) {
                return rt_fail(e, "%.300s has %lld columns; at most %d can be read", file, (long long)fields,
                               DATA_MAX_RESULTS);
            }
            for (int64_t c = 0; c < fields; c++) columns[c] = rt_data_alloc(d, rows, sizeof(RtText));
        }
        if (here != fields) {
            return rt_fail(e, "%.300s:%lld: %lld tab-separated columns; the first line has %lld", file,
                           (long long)line_number, (long long)here, (long long)fields);
        }
        if (i >= 0) take_fields(line, columns, fields, i);
    }
    for (int64_t c = 0; c < fields; c++) data_result(results, data_column(columns[c], rows));
    return true;
}

bool read_tsv(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const char *name = string_of(d, args[0].text);
    bool header = args[1].truth, pairs = args[2].truth;
    RtText text;
    if (!source_text(d, name, pairs ? CORPUS_pairs : CORPUS_labelled, &text, e)) return false;
    const char *file = source_file(d, name);
    return split_table(d, file ? file : name, text, header && file, results, e);
}

bool read_idx(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    DataValue out = { .kind = DATA_array };
    if (!source_idx(d, string_of(d, args[0].text), &out.array, e)) return false;
    data_result(results, out);
    return true;
}

bool read_npy(RtData *d, const DataValue *args, DataResults *results, RtError *e)
{
    const char *member = args[1].kind == DATA_text ? string_of(d, args[1].text) : NULL;
    DataValue out = { .kind = DATA_array };
    if (!source_array(d, string_of(d, args[0].text), member, &out.array, e)) return false;
    data_result(results, out);
    return true;
}
