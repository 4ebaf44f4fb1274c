/* Reading .npy and .npz files. A .npy file is treated as an archive of one stored member that has no CRC. */
#include "runtime/data/arrays.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/npy.h"
#include "runtime/data/zip.h"

typedef struct Entry {
    const ZipMember *member;
    int64_t   header_bytes;              /* of the member: before the elements */
    NpyHeader header;
} Entry;

typedef struct Refused {
    const char *name;
    char       *why;                     /* owned */
} Refused;

struct RtArrays {
    char     *path;
    FileBytes file;
    bool      archive;
    Zip       zip;
    RtTensor *tensors;
    Entry    *entries;                   /* as tensors */
    int       count;
    Refused  *refused;
    int       refused_count;
};

static bool fail_array(const RtArrays *a, const ZipMember *m, int64_t at, const char *what, RtError *e)
{
    if (!m->name) return rt_fail(e, "%.300s: %s, at byte %" PRId64, a->file.path, what, at);
    return rt_fail(e, "%.300s: array %.100s: %s, at byte %" PRId64, a->file.path, m->name, what, at);
}

/* opening */

/* The header of a member, from its first byte. A message of npy_parse alone is in *why: the rest of the archive may be
 * good. */
static bool read_header(const RtArrays *a, ZipReader *r, Entry *entry, RtError *why, RtError *e)
{
    const ZipMember *m = r->member;
    unsigned char prefix[NPY_PREFIX_MOST] = {0};
    if (m->size < NPY_MARK_BYTES + 4) return rt_fail(why, "it is too short for a .npy file");
    if (!zip_read(r, (char *)prefix, NPY_MARK_BYTES + 4, e)) return false;
    if (!npy_begins(prefix, NPY_MARK_BYTES)) return rt_fail(why, "it does not begin as a .npy file");
    int64_t bytes = npy_prefix_bytes(prefix);
    if (!bytes) return rt_fail(why, "it is a .npy file of version %d, known are 1 to 3", prefix[NPY_MARK_BYTES]);
    if (bytes > NPY_MARK_BYTES + 4 && !zip_read(r, (char *)prefix + NPY_MARK_BYTES + 4, 2, e)) return false;
    int64_t size = npy_literal_bytes(prefix);
    if (size > NPY_HEADER_MOST || size > m->size - bytes)
        return rt_fail(why, "it says that its header has %" PRId64 " bytes, but %" PRId64
                       " are left (and a header has at most %d): cut off or damaged", size, m->size - bytes,
                       NPY_HEADER_MOST);
    char *literal = malloc((size_t)size + 1);
    if (!literal) return rt_fail(e, "%.300s: out of memory", a->file.path);
    bool good = zip_read(r, literal, size, e) && npy_parse(literal, size, &entry->header, why);
    free(literal);
    entry->header_bytes = bytes + size;
    return good;
}

static bool check_size(const RtArrays *a, const Entry *entry, RtError *e)
{
    const ZipMember *m = entry->member;
    int64_t found = m->size - entry->header_bytes, wanted = entry->header.file_bytes;
    if (found == wanted) return true;
    char what[120];
    snprintf(what, sizeof what, "its type and shape say %" PRId64 " bytes of elements, but there are %" PRId64 "%s",
             wanted, found, found < wanted ? ": cut off" : "");
    return fail_array(a, m, m->offset + (m->method == ZIP_stored ? entry->header_bytes : 0), what, e);
}

static void add_entry(RtArrays *a, const Entry *entry)
{
    const NpyHeader *h = &entry->header;
    const ZipMember *m = entry->member;
    RtTensor *t = &a->tensors[a->count];
    *t = (RtTensor){.name = m->name ? m->name : "", .dtype = (int32_t)h->kind->dtype, .rank = h->rank};
    memcpy(t->shape, h->shape, sizeof t->shape);
    t->bytes = h->count * rt_dtype_bytes(t->dtype);
    t->offset = m->offset + (m->method == ZIP_stored ? entry->header_bytes : 0);
    a->entries[a->count++] = *entry;
}

/* Opens a member as an array, or notes why it is none. */
static bool open_member(RtArrays *a, ZipReader *r, const ZipMember *m, RtError *e)
{
    Entry entry = {.member = m};
    RtError why = {{0}};
    if (!zip_begin(r, &a->file, m, e)) return false;
    e->text[0] = '\0';
    bool good = read_header(a, r, &entry, &why, e);
    zip_end(r);
    if (!good && e->text[0]) return false;
    if (!good && !a->archive) return fail_array(a, m, 0, why.text, e);
    if (good && !check_size(a, &entry, e)) return false;
    if (good) {
        add_entry(a, &entry);
        return true;
    }
    Refused *refused = &a->refused[a->refused_count++];
    *refused = (Refused){m->name, strdup(why.text)};
    return refused->why || rt_fail(e, "%.300s: out of memory", a->file.path);
}

static void cut_ending(char *name)
{
    size_t size = name ? strlen(name) : 0;
    if (size > 4 && strcmp(name + size - 4, ".npy") == 0) name[size - 4] = '\0';
}

static bool is_folder(const ZipMember *m) { return m->name && m->name[0] && m->name[strlen(m->name) - 1] == '/'; }

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const RtTensor *const *)a)->name, (*(const RtTensor *const *)b)->name);
}

static bool check_names(const RtArrays *a, RtError *e)
{
    const RtTensor **sorted = malloc(((size_t)a->count + 1) * sizeof *sorted);
    if (!sorted) return rt_fail(e, "%.300s: out of memory", a->file.path);
    for (int i = 0; i < a->count; i++) sorted[i] = &a->tensors[i];
    qsort(sorted, (size_t)a->count, sizeof *sorted, by_name);
    const RtTensor *twice = NULL;
    for (int i = 1; i < a->count && !twice; i++)
        if (strcmp(sorted[i]->name, sorted[i - 1]->name) == 0) twice = sorted[i];
    free(sorted);
    return !twice || rt_fail(e, "%.300s: there are two arrays %.100s, the second at byte %" PRId64, a->file.path,
                             twice->name, twice->offset);
}

static bool open_members(RtArrays *a, RtError *e)
{
    size_t room = (size_t)a->zip.count + 1;
    ZipReader *r = malloc(sizeof *r);
    a->tensors = calloc(room, sizeof *a->tensors);
    a->entries = calloc(room, sizeof *a->entries);
    a->refused = calloc(room, sizeof *a->refused);
    bool good = (r && a->tensors && a->entries && a->refused) || rt_fail(e, "%.300s: out of memory", a->file.path);
    for (int64_t i = 0; good && i < a->zip.count; i++) {
        ZipMember *m = &a->zip.members[i];
        cut_ending(m->name);
        if (!is_folder(m)) good = open_member(a, r, m, e);
    }
    free(r);
    return good && check_names(a, e);
}

/* A .npy file as an archive of one. */
static bool pretend_archive(RtArrays *a, RtError *e)
{
    a->zip = (Zip){calloc(1, sizeof *a->zip.members), 1};
    if (!a->zip.members) {
        a->zip.count = 0;
        return rt_fail(e, "%.300s: out of memory", a->file.path);
    }
    a->zip.members[0] = (ZipMember){.packed = a->file.size, .size = a->file.size, .method = ZIP_stored};
    return true;
}

static bool open_file(RtArrays *a, RtError *e)
{
    unsigned char first[NPY_MARK_BYTES] = {0};
    if (!bytes_open(&a->file, a->path, e)) return false;
    int64_t size = a->file.size < NPY_MARK_BYTES ? a->file.size : NPY_MARK_BYTES;
    if (!bytes_read(&a->file, 0, first, size, e)) return false;
    a->archive = memcmp(first, "PK", 2) == 0;
    if (!a->archive && !npy_begins(first, size))
        return rt_fail(e, "%.300s: neither a .npy nor a .npz file: it does not begin as one", a->file.path);
    return (a->archive ? zip_open(&a->file, &a->zip, e) : pretend_archive(a, e)) && open_members(a, e);
}

RtArrays *rt_arrays_open(const char *path, RtError *e)
{
    RtArrays *a = calloc(1, sizeof *a);
    if (a && (a->path = strdup(path))) {
        a->file.fd = -1;
        if (open_file(a, e)) return a;
    } else {
        rt_fail(e, "%.300s: out of memory", path);
    }
    rt_arrays_close(a);
    return NULL;
}

void rt_arrays_close(RtArrays *a)
{
    if (!a) return;
    for (int i = 0; i < a->refused_count; i++) free(a->refused[i].why);
    if (a->path) bytes_close(&a->file);
    zip_close(&a->zip);
    free(a->refused);
    free(a->entries);
    free(a->tensors);
    free(a->path);
    free(a);
}

bool rt_arrays_archive(const RtArrays *a) { return a->archive; }
int  rt_arrays_count(const RtArrays *a) { return a->count; }
const RtTensor *rt_arrays_at(const RtArrays *a, int i) { return &a->tensors[i]; }

const RtTensor *rt_arrays_find(const RtArrays *a, const char *name)
{
    for (int i = 0; i < a->count; i++)
        if (strcmp(a->tensors[i].name, name) == 0) return &a->tensors[i];
    return NULL;
}

const char *rt_arrays_refused(const RtArrays *a, const char *name)
{
    for (int i = 0; i < a->refused_count; i++)
        if (strcmp(a->refused[i].name, name) == 0) return a->refused[i].why;
    return NULL;
}

/* reading */

static void swap_bytes(char *bytes, int64_t count, int size)
{
    for (char *at = bytes; count > 0; count--, at += size) {
        for (int i = 0; i < size / 2; i++) {
            char other = at[i];
            at[i] = at[size - 1 - i];
            at[size - 1 - i] = other;
        }
    }
}

/* Elements as the file has them to elements as they are read: `raw` first axis innermost, where the header says so. */
static bool arrange(const NpyHeader *h, const char *raw, char *out)
{
    int64_t index[RT_MAX_RANK] = {0}, stride[RT_MAX_RANK], step = 1, from = 0;
    for (int32_t i = 0; i < h->rank; i++) {
        int32_t axis = h->fortran ? i : h->rank - 1 - i;
        stride[axis] = step;
        step *= h->shape[axis];
    }
    int64_t bytes = rt_dtype_bytes((int32_t)h->kind->dtype);
    bool fits = true;
    for (int64_t n = 0; n < h->count; n++) {
        fits = npy_widen(h->kind, raw + from * h->kind->bytes, out + n * bytes) && fits;
        for (int32_t axis = h->rank - 1; axis >= 0; axis--) {
            from += stride[axis];
            if (++index[axis] < h->shape[axis]) break;
            from -= stride[axis] * h->shape[axis];
            index[axis] = 0;
        }
    }
    return fits;
}

static bool read_elements(const RtArrays *a, const Entry *entry, ZipReader *r, char *raw, RtError *e)
{
    const NpyHeader *h = &entry->header;
    if (!zip_begin(r, &a->file, entry->member, e)) return false;
    bool good = zip_read(r, NULL, entry->header_bytes, e) && zip_read(r, raw, h->file_bytes, e) && zip_finish(r, e);
    zip_end(r);
    if (good && h->swapped) swap_bytes(raw, h->count, h->kind->bytes);
    return good;
}

bool rt_arrays_read(const RtArrays *a, const RtTensor *tensor, char *out, RtError *e)
{
    const Entry *entry = &a->entries[tensor - a->tensors];
    const NpyHeader *h = &entry->header;
    bool as_is = npy_is_plain(h->kind) && (!h->fortran || h->rank < 2);
    ZipReader *r = malloc(sizeof *r);
    char *raw = as_is ? out : malloc((size_t)h->file_bytes + 1);
    bool good = (r && raw) || fail_array(a, entry->member, tensor->offset, "out of memory", e);
    good = good && read_elements(a, entry, r, raw, e);
    if (good && !as_is && !arrange(h, raw, out))
        good = fail_array(a, entry->member, tensor->offset, "it holds a number beyond 64 bits with a sign", e);
    if (!as_is) free(raw);
    free(r);
    return good;
}
