/* Reading tensor files. Everything a header says is checked when the file is opened, in the order in which it is
 * used: the length against the file, the JSON, each tensor's type, shape and bytes, and that the tensors fill the
 * data without gap or overlap. */
#include "runtime/train/tensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "runtime/train/tensors_form.h"

enum { VERIFY_PIECE = 1 << 20, SHOWN_NAME = 100 };

struct RtTensors {
    int       fd;
    char     *path;
    char     *header;                    /* the JSON text */
    int64_t   header_bytes, file_bytes;
    json_t   *root;                      /* owns names and metadata */
    RtTensor *tensors;                   /* by offset */
    int       count;
};

static int64_t data_start(const RtTensors *t) { return TENSOR_LENGTH_BYTES + t->header_bytes; }

/* A name from the file as a message may show it: cut, and without what a terminal would obey. */
typedef struct Shown {
    char text[SHOWN_NAME + 4];
} Shown;

static Shown show(const char *name)
{
    Shown s = {{0}};
    size_t size = strlen(name), i = 0;
    for (; i < size && i < SHOWN_NAME; i++) {
        unsigned char c = (unsigned char)name[i];
        s.text[i] = c < 0x20 || c == 0x7F ? '?' : (char)c;
    }
    if (size > SHOWN_NAME) strcpy(s.text + i, "...");
    return s;
}

static bool fail_tensor(const RtTensors *t, const char *name, RtError *e, const char *what)
{
    return rt_fail(e, "%s: tensor %s: %s", t->path, show(name).text, what);
}

/* Exactly `size` bytes at `offset`. */
static bool read_at(const RtTensors *t, int64_t offset, char *out, int64_t size, RtError *e)
{
    while (size > 0) {
        ssize_t done = pread(t->fd, out, size < INT32_MAX ? (size_t)size : (size_t)INT32_MAX, offset);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return rt_fail(e, "%s: %s at byte %" PRId64, t->path, strerror(errno), offset);
        if (done == 0) return rt_fail(e, "%s: the file ends at byte %" PRId64, t->path, offset);
        out += done;
        offset += done;
        size -= done;
    }
    return true;
}

static bool read_header(RtTensors *t, RtError *e)
{
    unsigned char length[TENSOR_LENGTH_BYTES];
    if (t->file_bytes < TENSOR_LENGTH_BYTES) {
        return rt_fail(e, "%s: not a safetensors file: it has only %" PRId64 " bytes", t->path, t->file_bytes);
    }
    if (!read_at(t, 0, (char *)length, sizeof length, e)) return false;
    uint64_t size = 0;
    for (int i = 0; i < TENSOR_LENGTH_BYTES; i++) size |= (uint64_t)length[i] << (8 * i);
    if (size > TENSOR_HEADER_LIMIT || size > (uint64_t)(t->file_bytes - TENSOR_LENGTH_BYTES)) {
        return rt_fail(e, "%s: not a safetensors file, or cut off: it says at byte 0 that its header has %" PRIu64
                       " bytes, but after that %" PRId64 " are left (and a header has at most %d)",
                       t->path, size, t->file_bytes - TENSOR_LENGTH_BYTES, TENSOR_HEADER_LIMIT);
    }
    t->header_bytes = (int64_t)size;
    t->header = malloc((size_t)size + 1);
    if (!t->header) return rt_fail(e, "%s: out of memory for the header", t->path);
    t->header[size] = '\0';
    return read_at(t, TENSOR_LENGTH_BYTES, t->header, t->header_bytes, e);
}

static bool parse_header(RtTensors *t, RtError *e)
{
    json_error_t error;
    t->root = json_loadb(t->header, (size_t)t->header_bytes, JSON_REJECT_DUPLICATES, &error);
    if (!t->root) {
        return rt_fail(e, "%s: the header is not valid JSON: %s at byte %d", t->path, show(error.text).text,
                       error.position + TENSOR_LENGTH_BYTES);
    }
    if (!json_is_object(t->root)) return rt_fail(e, "%s: the header is not a JSON object", t->path);
    json_t *metadata = json_object_get(t->root, "__metadata__");
    if (!metadata) return true;
    if (!json_is_object(metadata)) return rt_fail(e, "%s: __metadata__ is not a JSON object", t->path);
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value)) return rt_fail(e, "%s: __metadata__: %s is not a text", t->path, show(key).text);
    }
    return true;
}

static bool parse_dtype(const RtTensors *t, RtTensor *tensor, const json_t *entry, RtError *e)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype) return fail_tensor(t, tensor->name, e, "dtype is missing or not a text");
    for (int32_t i = 0; i < RT_DTYPE_COUNT; i++) {
        if (strcmp(dtype, tensor_dtype_names[i]) != 0) continue;
        tensor->dtype = i;
        return true;
    }
    return rt_fail(e, "%s: tensor %s: dtype %s is not supported", t->path, show(tensor->name).text, show(dtype).text);
}

/* Sets bytes too. */
static bool parse_shape(const RtTensors *t, RtTensor *tensor, const json_t *entry, RtError *e)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape)) return fail_tensor(t, tensor->name, e, "shape is missing or not a list");
    if (json_array_size(shape) > RT_MAX_RANK) {
        return rt_fail(e, "%s: tensor %s: shape has %zu dimensions, supported are %d", t->path, show(tensor->name).text,
                       json_array_size(shape), RT_MAX_RANK);
    }
    tensor->rank = (int32_t)json_array_size(shape);
    tensor->bytes = rt_dtype_bytes(tensor->dtype);
    for (int32_t i = 0; i < tensor->rank; i++) {
        const json_t *extent = json_array_get(shape, (size_t)i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0) {
            return fail_tensor(t, tensor->name, e, "shape holds something other than a whole number from 0 on");
        }
        tensor->shape[i] = json_integer_value(extent);
        if (__builtin_mul_overflow(tensor->bytes, tensor->shape[i], &tensor->bytes)) {
            return fail_tensor(t, tensor->name, e, "shape says more bytes than there can be");
        }
    }
    return true;
}

static bool parse_offsets(const RtTensors *t, RtTensor *tensor, const json_t *entry, RtError *e)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end)) {
        return fail_tensor(t, tensor->name, e, "data_offsets is missing or not two whole numbers");
    }
    int64_t from = json_integer_value(begin), to = json_integer_value(end), room = t->file_bytes - data_start(t);
    const char *name = tensor->name;
    if (from < 0 || to < from) {
        return rt_fail(e, "%s: tensor %s: data_offsets %" PRId64 " to %" PRId64 " are no range", t->path,
                       show(name).text, from, to);
    }
    if (to > room) {
        return rt_fail(e,
                       "%s: tensor %s: its bytes end at %" PRId64 " but the file holds %" PRId64
                       " bytes of data: it is cut off",
                       t->path, show(name).text, to, room);
    }
    if (to - from != tensor->bytes) {
        return rt_fail(e, "%s: tensor %s: %" PRId64 " bytes at offset %" PRId64 ", but its type and shape say %" PRId64,
                       t->path, show(name).text, to - from, from, tensor->bytes);
    }
    tensor->offset = data_start(t) + from;
    return true;
}

static bool parse_tensor(const RtTensors *t, const char *name, const json_t *entry, RtTensor *tensor, RtError *e)
{
    *tensor = (RtTensor){.name = name};
    if (!json_is_object(entry)) return fail_tensor(t, name, e, "its entry is not a JSON object");
    return parse_dtype(t, tensor, entry, e) && parse_shape(t, tensor, entry, e) && parse_offsets(t, tensor, entry, e);
}

/* Empty tensors come before what begins at the same byte. */
static int compare_offsets(const void *a, const void *b)
{
    const RtTensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The tensors, sorted, follow one another from the first byte of the data to the last. */
static bool check_cover(const RtTensors *t, RtError *e)
{
    int64_t at = data_start(t);
    for (int i = 0; i < t->count; i++) {
        const RtTensor *tensor = &t->tensors[i];
        if (tensor->offset < at) {
            return rt_fail(e, "%s: tensor %s: shares bytes with tensor %s at offset %" PRId64, t->path,
                           show(tensor->name).text, show(tensor[-1].name).text, tensor->offset - data_start(t));
        }
        if (tensor->offset > at) {
            return rt_fail(e, "%s: tensor %s: the bytes before it, from offset %" PRId64 " on, belong to no tensor",
                           t->path, show(tensor->name).text, at - data_start(t));
        }
        at += tensor->bytes;
    }
    if (at == t->file_bytes) return true;
    return rt_fail(e, "%s: %" PRId64 " bytes after the last tensor belong to none", t->path, t->file_bytes - at);
}

static bool parse_tensors(RtTensors *t, RtError *e)
{
    t->tensors = calloc(json_object_size(t->root) + 1, sizeof *t->tensors);
    if (!t->tensors) return rt_fail(e, "%s: out of memory for the list of tensors", t->path);
    const char *name;
    json_t *entry;
    json_object_foreach(t->root, name, entry) {
        if (strcmp(name, "__metadata__") == 0) continue;
        if (!parse_tensor(t, name, entry, &t->tensors[t->count], e)) return false;
        t->count++;
    }
    qsort(t->tensors, (size_t)t->count, sizeof *t->tensors, compare_offsets);
    return check_cover(t, e);
}

static bool open_file(RtTensors *t, const char *path, RtError *e)
{
    t->path = strdup(path);
    if (!t->path) return rt_fail(e, "%s: out of memory", path);
    t->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (t->fd < 0) return rt_fail(e, "%s: %s", path, strerror(errno));
    struct stat status;
    if (fstat(t->fd, &status) != 0) return rt_fail(e, "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode)) return rt_fail(e, "%s: not a file", path);
    t->file_bytes = status.st_size;
    return true;
}

RtTensors *rt_tensors_open(const char *path, RtError *e)
{
    RtTensors *t = calloc(1, sizeof *t);
    if (!t) {
        rt_fail(e, "%s: out of memory", path);
        return NULL;
    }
    t->fd = -1;
    if (open_file(t, path, e) && read_header(t, e) && parse_header(t, e) && parse_tensors(t, e)) return t;
    rt_tensors_close(t);
    return NULL;
}

void rt_tensors_close(RtTensors *t)
{
    if (!t) return;
    if (t->fd >= 0) close(t->fd);
    json_decref(t->root);
    free(t->tensors);
    free(t->header);
    free(t->path);
    free(t);
}

int rt_tensors_count(const RtTensors *t) { return t->count; }
const RtTensor *rt_tensors_at(const RtTensors *t, int i) { return &t->tensors[i]; }

const RtTensor *rt_tensors_find(const RtTensors *t, const char *name)
{
    for (int i = 0; i < t->count; i++) {
        if (strcmp(t->tensors[i].name, name) == 0) return &t->tensors[i];
    }
    return NULL;
}

const char *rt_tensors_metadata(const RtTensors *t, const char *key)
{
    return json_string_value(json_object_get(json_object_get(t->root, "__metadata__"), key));
}

bool rt_tensors_read(const RtTensors *t, const RtTensor *tensor, char *out, RtError *e)
{
    return read_at(t, tensor->offset, out, tensor->bytes, e);
}

static bool add_tensor(const RtTensors *t, const RtTensor *tensor, Checksum *sum, char *piece, RtError *e)
{
    for (int64_t at = 0; at < tensor->bytes; at += VERIFY_PIECE) {
        int64_t size = tensor->bytes - at < VERIFY_PIECE ? tensor->bytes - at : VERIFY_PIECE;
        if (!read_at(t, tensor->offset + at, piece, size, e)) return false;
        checksum_add(sum, piece, size);
    }
    return true;
}

static bool add_tensors(const RtTensors *t, Checksum *sum, RtError *e)
{
    char *piece = malloc(VERIFY_PIECE);
    if (!piece) return rt_fail(e, "%s: out of memory", t->path);
    bool good = true;
    for (int i = 0; i < t->count && good; i++) good = add_tensor(t, &t->tensors[i], sum, piece, e);
    free(piece);
    return good;
}

bool rt_tensors_verify(const RtTensors *t, RtChecksum checksum, RtError *e)
{
    const size_t start = sizeof TENSOR_CHECKSUM_START - 1;
    if ((size_t)t->header_bytes < start + CHECKSUM_DIGITS || memcmp(t->header, TENSOR_CHECKSUM_START, start) != 0) {
        if (checksum == RT_CHECKSUM_IF_ANY) return true;
        return rt_fail(e, "%s: damaged, or not written by ptm: its header does not begin with a checksum", t->path);
    }
    char found[CHECKSUM_DIGITS + 1] = {0}, wanted[CHECKSUM_DIGITS + 1];
    memcpy(found, t->header + start, CHECKSUM_DIGITS);
    memcpy(t->header + start, TENSOR_CHECKSUM_ZEROS, CHECKSUM_DIGITS);
    Checksum sum = checksum_begin();
    checksum_add(&sum, t->header, t->header_bytes);
    memcpy(t->header + start, found, CHECKSUM_DIGITS);
    if (!add_tensors(t, &sum, e)) return false;
    snprintf(wanted, sizeof wanted, "%016" PRIx64, checksum_end(&sum));
    if (memcmp(found, wanted, CHECKSUM_DIGITS) == 0) return true;
    return rt_fail(e, "%s: the file is damaged: its checksum is %s, it should be %s", t->path, wanted,
                   show(found).text);
}

typedef struct ShapeText {
    char text[RT_MAX_RANK * 22 + 16];
} ShapeText;

static ShapeText shape_text(int32_t dtype, int32_t rank, const int64_t *shape)
{
    ShapeText s;
    int at = snprintf(s.text, sizeof s.text, "%s[", rt_dtype_name(dtype));
    for (int32_t i = 0; i < rank; i++) {
        at += snprintf(s.text + at, sizeof s.text - (size_t)at, "%s%" PRId64, i > 0 ? ", " : "", shape[i]);
    }
    snprintf(s.text + at, sizeof s.text - (size_t)at, "]");
    return s;
}

bool rt_tensors_load(const RtTensors *t, const RtValue *wanted, char *out, RtError *e)
{
    const RtTensor *found = rt_tensors_find(t, wanted->name);
    if (!found) return rt_fail(e, "%s: there is no tensor %s", t->path, wanted->name);
    bool same = found->dtype == wanted->dtype && found->rank == wanted->rank;
    for (int32_t i = 0; same && i < found->rank; i++) same = found->shape[i] == wanted->shape[i];
    if (same) return rt_tensors_read(t, found, out, e);
    return rt_fail(e, "%s: tensor %s is %s, the model wants %s", t->path, wanted->name,
                   shape_text(found->dtype, found->rank, found->shape).text,
                   shape_text(wanted->dtype, wanted->rank, wanted->shape).text);
}
