/* Writing tensor files. The header is put together in the caller's buffer; the tensors go to the file from where
 * they lie. */
#include "runtime/train/tensors.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/train/replace.h"
#include "runtime/train/tensors_form.h"

enum {
    ESCAPED = 6,                         /* bytes of "\u0001", the longest form of one byte */
    NUMBER_BYTES = 21,
    ENTRY_BYTES = 80 + 2 * NUMBER_BYTES  /* of a tensor's entry beside its name and shape */
};

static char *put(char *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

static char *put_number(char *at, int64_t number) { return at + snprintf(at, NUMBER_BYTES, "%" PRId64, number); }

static char *put_string(char *at, const char *text)
{
    *at++ = '"';
    for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
        if (*s < 0x20) {
            at += snprintf(at, ESCAPED + 1, "\\u%04x", *s);
            continue;
        }
        if (*s == '"' || *s == '\\') *at++ = '\\';
        *at++ = (char)*s;
    }
    *at++ = '"';
    return at;
}

static char *put_tensor(char *at, const RtTensor *t, int64_t offset)
{
    *at++ = ',';
    at = put_string(at, t->name);
    at = put(at, ":{\"dtype\":\"");
    at = put(at, tensor_dtype_names[t->dtype]);
    at = put(at, "\",\"shape\":[");
    for (int32_t i = 0; i < t->rank; i++) {
        if (i > 0) *at++ = ',';
        at = put_number(at, t->shape[i]);
    }
    at = put(at, "],\"data_offsets\":[");
    at = put_number(at, offset);
    *at++ = ',';
    at = put_number(at, offset + t->bytes);
    return put(at, "]}");
}

/* Tensors stand in the file by falling element size, so that each lies at a multiple of its own; ties in the order
 * given. Calls visit(context, tensor, offset in the data) in that order. */
typedef void Visit(void *context, const RtTensor *tensor, int64_t offset);

static void each_tensor(const RtTensor *tensors, int count, Visit *visit, void *context)
{
    int64_t offset = 0;
    for (int64_t element = 8; element > 0; element /= 2) {
        for (int i = 0; i < count; i++) {
            if (rt_dtype_bytes(tensors[i].dtype) != element) continue;
            visit(context, &tensors[i], offset);
            offset += tensors[i].bytes;
        }
    }
}

static void visit_entry(void *context, const RtTensor *tensor, int64_t offset)
{
    char **at = context;
    *at = put_tensor(*at, tensor, offset);
}

static void visit_checksum(void *context, const RtTensor *tensor, int64_t offset)
{
    (void)offset;
    checksum_add(context, tensor->data, tensor->bytes);
}

int64_t rt_tensors_header_bytes(const RtTensor *tensors, int count, const RtMeta *metadata, int metadata_count)
{
    size_t bytes = TENSOR_LENGTH_BYTES + sizeof TENSOR_CHECKSUM_START + CHECKSUM_DIGITS + TENSOR_ALIGN + 8;
    for (int i = 0; i < metadata_count; i++) {
        bytes += ESCAPED * (strlen(metadata[i].key) + strlen(metadata[i].value)) + 8;
    }
    for (int i = 0; i < count; i++) {
        bytes += ESCAPED * strlen(tensors[i].name) + ENTRY_BYTES + NUMBER_BYTES * (size_t)tensors[i].rank;
    }
    return (int64_t)bytes;
}

/* Writes length and header to `buffer`; returns their bytes. */
static int64_t make_header(const RtTensor *tensors, int count, const RtMeta *metadata, int metadata_count, char *buffer)
{
    char *start = buffer + TENSOR_LENGTH_BYTES;
    char *digits = put(start, TENSOR_CHECKSUM_START), *at = put(digits, TENSOR_CHECKSUM_ZEROS "\"");
    for (int i = 0; i < metadata_count; i++) {
        *at++ = ',';
        at = put_string(at, metadata[i].key);
        *at++ = ':';
        at = put_string(at, metadata[i].value);
    }
    *at++ = '}';
    each_tensor(tensors, count, visit_entry, &at);
    *at++ = '}';
    while ((at - buffer) % TENSOR_ALIGN != 0) *at++ = ' ';

    uint64_t length = (uint64_t)(at - start);
    for (int i = 0; i < TENSOR_LENGTH_BYTES; i++) buffer[i] = (char)(length >> (8 * i));
    Checksum sum = checksum_begin();
    checksum_add(&sum, start, (int64_t)length);
    each_tensor(tensors, count, visit_checksum, &sum);
    char text[CHECKSUM_DIGITS + 1];
    snprintf(text, sizeof text, "%016" PRIx64, checksum_end(&sum));
    memcpy(digits, text, CHECKSUM_DIGITS);
    return at - buffer;
}

static void visit_bytes(void *context, const RtTensor *tensor, int64_t offset)
{
    (void)offset;
    replace_write(context, tensor->data, tensor->bytes);
}

bool rt_tensors_write(const char *path, const RtTensor *tensors, int count, const RtMeta *metadata, int metadata_count,
                      char *buffer, RtError *e)
{
    Replacement file;
    if (!replace_begin(&file, path, e)) return false;
    int64_t header = make_header(tensors, count, metadata, metadata_count, buffer);
    assert(header <= rt_tensors_header_bytes(tensors, count, metadata, metadata_count));
    replace_write(&file, buffer, header);
    each_tensor(tensors, count, visit_bytes, &file);
    return replace_end(&file, e);
}
