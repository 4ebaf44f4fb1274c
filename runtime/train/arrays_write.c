/* Writing .npy and .npz files. An archive (PKWARE, APPNOTE.TXT 6.3.10) stores its members as they are: header and
 * elements of each, then the directory. Sizes and offsets that 32 bits cannot hold go to the parts of zip64. */
#include "runtime/train/arrays_write.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "runtime/data/npy.h"
#include "runtime/train/replace.h"

enum {
    RECORD_MOST = 128,                   /* bytes of any record but for its name */
    PLAIN_VERSION = 20, ZIP64_VERSION = 45,
    FIRST_DAY = 1 << 5 | 1               /* of what zip knows: 1980-01-01. A clock would make equal arrays differ */
};
#define MOST32 INT64_C(0xFFFFFFFE)       /* all ones mean zip64 */
#define MOST16 INT64_C(0xFFFE)

bool rt_npy_write(const char *path, const RtTensor *tensor, RtError *e)
{
    Replacement file;
    char header[NPY_WRITTEN_MOST];
    if (!replace_begin(&file, path, e)) return false;
    replace_write(&file, header, npy_header(header, tensor->dtype, tensor->rank, tensor->shape));
    replace_write(&file, tensor->data, tensor->bytes);
    return replace_end(&file, e);
}

/* Numbers of a record, lowest byte first. */
typedef struct Record {
    char    bytes[RECORD_MOST];
    int64_t size;
} Record;

static void put(Record *r, int bytes, int64_t number)
{
    for (int i = 0; i < bytes; i++) r->bytes[r->size++] = (char)((uint64_t)number >> (8 * i));
}

static void put_size(Record *r, int64_t number) { put(r, 4, number > MOST32 ? 0xFFFFFFFF : number); }

typedef struct Archived {
    int64_t  offset, size;               /* in the archive, of its header; of the member */
    uint32_t crc;
} Archived;

/* A writer of one archive. */
typedef struct Archive {
    Replacement file;
    int64_t     at;                      /* bytes written */
} Archive;

static void write_bytes(Archive *a, const char *bytes, int64_t size)
{
    replace_write(&a->file, bytes, size);
    a->at += size;
}

/* What a member's header and its directory entry share: version to name length. */
static void put_common(Record *r, const RtTensor *t, const Archived *m, bool zip64, int64_t extra)
{
    bool ascii = true;
    for (const char *c = t->name; *c; c++) ascii = ascii && !(*c & 0x80);
    put(r, 2, zip64 ? ZIP64_VERSION : PLAIN_VERSION);
    put(r, 2, ascii ? 0 : 1 << 11);      /* else the name is UTF-8 */
    put(r, 2, 0);                        /* stored */
    put(r, 2, 0);
    put(r, 2, FIRST_DAY);
    put(r, 4, m->crc);
    put_size(r, m->size);
    put_size(r, m->size);
    put(r, 2, (int64_t)strlen(t->name) + 4);
    put(r, 2, extra);
}

static void write_named(Archive *a, const Record *r, const char *name, const Record *extra)
{
    write_bytes(a, r->bytes, r->size);
    write_bytes(a, name, (int64_t)strlen(name));
    write_bytes(a, ".npy", 4);
    write_bytes(a, extra->bytes, extra->size);
}

static Archived write_member(Archive *a, const RtTensor *t)
{
    char header[NPY_WRITTEN_MOST];
    int64_t size = npy_header(header, t->dtype, t->rank, t->shape);
    uLong crc = crc32_z(0, (const unsigned char *)header, (size_t)size);
    if (t->bytes) crc = crc32_z(crc, (const unsigned char *)t->data, (size_t)t->bytes);
    Archived m = {a->at, size + t->bytes, (uint32_t)crc};
    Record local = {{0}, 0}, extra = {{0}, 0};
    bool zip64 = m.size > MOST32;
    if (zip64) {
        put(&extra, 2, 1);
        put(&extra, 2, 16);
        put(&extra, 8, m.size);
        put(&extra, 8, m.size);
    }
    put(&local, 4, 0x04034b50);
    put_common(&local, t, &m, zip64, extra.size);
    write_named(a, &local, t->name, &extra);
    write_bytes(a, header, size);
    write_bytes(a, t->data, t->bytes);
    return m;
}

static void write_entry(Archive *a, const RtTensor *t, const Archived *m)
{
    Record entry = {{0}, 0}, sizes = {{0}, 0}, extra = {{0}, 0};
    if (m->size > MOST32) put(&sizes, 8, m->size), put(&sizes, 8, m->size);
    if (m->offset > MOST32) put(&sizes, 8, m->offset);
    if (sizes.size) {
        put(&extra, 2, 1);
        put(&extra, 2, sizes.size);
        memcpy(extra.bytes + extra.size, sizes.bytes, (size_t)sizes.size);
        extra.size += sizes.size;
    }
    put(&entry, 4, 0x02014b50);
    put(&entry, 2, extra.size ? ZIP64_VERSION : PLAIN_VERSION);
    put_common(&entry, t, m, extra.size > 0, extra.size);
    put(&entry, 2, 0);                   /* comment */
    put(&entry, 2, 0);                   /* part */
    put(&entry, 2, 0);
    put(&entry, 4, 0);
    put_size(&entry, m->offset);
    write_named(a, &entry, t->name, &extra);
}

static void write_end64(Archive *a, int64_t count, int64_t from, int64_t size)
{
    int64_t at = a->at;
    Record end = {{0}, 0};
    put(&end, 4, 0x06064b50);
    put(&end, 8, 44);                    /* bytes behind this number, without the locator */
    put(&end, 2, ZIP64_VERSION);
    put(&end, 2, ZIP64_VERSION);
    put(&end, 4, 0);
    put(&end, 4, 0);
    put(&end, 8, count);
    put(&end, 8, count);
    put(&end, 8, size);
    put(&end, 8, from);
    put(&end, 4, 0x07064b50);            /* the locator */
    put(&end, 4, 0);
    put(&end, 8, at);
    put(&end, 4, 1);
    write_bytes(a, end.bytes, end.size);
}

static void write_end(Archive *a, int64_t count, int64_t from)
{
    int64_t size = a->at - from, short_count = count > MOST16 ? 0xFFFF : count;
    if (count > MOST16 || from > MOST32 || size > MOST32) write_end64(a, count, from, size);
    Record end = {{0}, 0};
    put(&end, 4, 0x06054b50);
    put(&end, 4, 0);
    put(&end, 2, short_count);
    put(&end, 2, short_count);
    put_size(&end, size);
    put_size(&end, from);
    put(&end, 2, 0);
    write_bytes(a, end.bytes, end.size);
}

bool rt_npz_write(const char *path, const RtTensor *tensors, int count, RtError *e)
{
    Archive a = {.at = 0};
    Archived *members = malloc(((size_t)count + 1) * sizeof *members);
    if (!members) return rt_fail(e, "%.300s: out of memory", path);
    bool good = replace_begin(&a.file, path, e);
    for (int i = 0; good && i < count; i++) members[i] = write_member(&a, &tensors[i]);
    int64_t from = a.at;
    for (int i = 0; good && i < count; i++) write_entry(&a, &tensors[i], &members[i]);
    if (good) write_end(&a, count, from);
    free(members);
    return good && replace_end(&a.file, e);
}
