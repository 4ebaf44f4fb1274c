/* Reading zip archives: from the record at the end to the directory, from there to the members. Sizes and offsets come
 * from the directory; a member's own header only says where its bytes begin. */
#include "runtime/data/zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    END_BYTES = 22, COMMENT_MOST = 65535,                /* of the record at the end, and of the comment behind it */
    LOCATOR_BYTES = 20, END64_BYTES = 56,                /* of zip64: where its record is, and that record */
    ENTRY_BYTES = 46, LOCAL_BYTES = 30,                  /* of a directory entry and a member's header, before names */
    INFLATE_MOST = 1032,                                 /* deflate makes at most so many bytes of one */
    INFLATE_PIECE = 1 << 30
};
#define END_MARK     UINT32_C(0x06054b50)
#define LOCATOR_MARK UINT32_C(0x07064b50)
#define END64_MARK   UINT32_C(0x06064b50)
#define ENTRY_MARK   UINT32_C(0x02014b50)
#define LOCAL_MARK   UINT32_C(0x04034b50)
#define IN_ZIP64     UINT32_C(0xFFFFFFFF)                    /* a size or offset that the zip64 part has */

static uint64_t number(const unsigned char *at, int bytes)
{
    uint64_t n = 0;
    for (int i = 0; i < bytes; i++) n |= (uint64_t)at[i] << (8 * i);
    return n;
}

/* the directory */

typedef struct Directory {
    uint64_t offset, size, count;
    int64_t  limit;                      /* where the records behind it begin */
} Directory;

/* The record at the end: the last one whose comment reaches the end of the file. NULL: there is none. */
static const unsigned char *find_end(const unsigned char *tail, int64_t size)
{
    for (int64_t at = size - END_BYTES; at >= 0; at--)
        if (number(tail + at, 4) == END_MARK && number(tail + at + 20, 2) == (uint64_t)(size - END_BYTES - at))
            return tail + at;
    return NULL;
}

/* The sizes of zip64, where the record at the end leaves them to it. */
static bool read_end64(const FileBytes *f, Directory *d, RtError *e)
{
    unsigned char locator[LOCATOR_BYTES], end[END64_BYTES];
    if (!bytes_read(f, d->limit - LOCATOR_BYTES, locator, LOCATOR_BYTES, e)) return false;
    uint64_t at = number(locator + 8, 8);
    if (number(locator, 4) != LOCATOR_MARK || at > (uint64_t)(d->limit - LOCATOR_BYTES))
        return rt_fail(e, "%.300s: damaged: no zip64 record before byte %" PRId64, f->path, d->limit);
    if (!bytes_read(f, (int64_t)at, end, END64_BYTES, e)) return false;
    if (number(end, 4) != END64_MARK)
        return rt_fail(e, "%.300s: damaged: no zip64 record at byte %" PRIu64, f->path, at);
    *d = (Directory){number(end + 48, 8), number(end + 40, 8), number(end + 32, 8), (int64_t)at};
    return true;
}

static bool find_directory(const FileBytes *f, Directory *d, RtError *e)
{
    int64_t size = f->size < END_BYTES + COMMENT_MOST ? f->size : END_BYTES + COMMENT_MOST;
    unsigned char *tail = malloc((size_t)size + 1);
    if (!tail) return rt_fail(e, "%.300s: out of memory", f->path);
    bool good = bytes_read(f, f->size - size, tail, size, e);
    const unsigned char *end = good ? find_end(tail, size) : NULL;
    if (good && !end) good = rt_fail(e, "%.300s: not a zip archive, or cut off: no directory at its end", f->path);
    if (good && (number(end + 4, 2) != 0 || number(end + 6, 2) != 0))
        good = rt_fail(e, "%.300s: a zip archive in several parts is not supported", f->path);
    if (good) {
        *d = (Directory){number(end + 16, 4), number(end + 12, 4), number(end + 10, 2), f->size - size + (end - tail)};
        if (d->offset == IN_ZIP64 || d->size == IN_ZIP64 || d->count == 0xFFFF) good = read_end64(f, d, e);
    }
    free(tail);
    if (!good) return false;
    uint64_t limit = (uint64_t)d->limit;
    if (d->offset <= limit && d->size <= limit - d->offset && d->count <= d->size / ENTRY_BYTES) return true;
    return rt_fail(e, "%.300s: damaged: a zip directory of %" PRIu64 " members and %" PRIu64 " bytes at byte %" PRIu64
                   " does not fit into the file", f->path, d->count, d->size, d->offset);
}

/* its entries */

static bool fail_member(const FileBytes *f, const ZipMember *m, int64_t at, const char *what, RtError *e)
{
    if (!m->name) return rt_fail(e, "%.300s: %s, at byte %" PRId64, f->path, what, at);
    return rt_fail(e, "%.300s: member %.100s: %s, at byte %" PRId64, f->path, m->name, what, at);
}

/* Sizes that are all ones stand in the extra part of zip64, in this order. */
static bool read_extra64(const unsigned char *extra, uint64_t bytes, uint64_t *const *values)
{
    for (uint64_t at = 0; bytes - at >= 4;) {
        uint64_t size = number(extra + at + 2, 2), used = 0;
        if (size > bytes - at - 4) return false;
        for (int i = 0; number(extra + at, 2) == 1 && i < 3; i++) {
            if (*values[i] != IN_ZIP64) continue;
            if (used + 8 > size) return false;
            *values[i] = number(extra + at + 4 + used, 8);
            used += 8;
        }
        at += 4 + size;
    }
    return true;
}

static bool set_name(const FileBytes *f, ZipMember *m, const unsigned char *name, size_t size, int64_t at, RtError *e)
{
    if (!(m->name = malloc(size + 1))) return rt_fail(e, "%.300s: out of memory", f->path);
    memcpy(m->name, name, size);
    m->name[size] = '\0';
    for (size_t i = 0; i < size; i++)
        if (name[i] < 0x20 || name[i] == 0x7F)
            return rt_fail(e, "%.300s: a member's name holds control bytes, at byte %" PRId64, f->path, at);
    return true;
}

/* An entry that begins at byte `at` of the file; `left` bytes of the directory are left. Gives the bytes of the entry,
 * or 0 after an error. */
static int64_t read_entry(const FileBytes *f, const unsigned char *entry, int64_t left, int64_t at, ZipMember *m,
                          RtError *e)
{
    bool good = left >= ENTRY_BYTES && number(entry, 4) == ENTRY_MARK;
    uint64_t name = good ? number(entry + 28, 2) : 0, extra = good ? number(entry + 30, 2) : 0;
    int64_t bytes = good ? (int64_t)(ENTRY_BYTES + name + extra + number(entry + 32, 2)) : 0;
    if (!good || bytes > left)
        return rt_fail(e, "%.300s: damaged: no zip directory entry at byte %" PRId64, f->path, at);
    if (!set_name(f, m, entry + ENTRY_BYTES, (size_t)name, at, e)) return 0;
    uint64_t size = number(entry + 24, 4), packed = number(entry + 20, 4), header = number(entry + 42, 4);
    uint64_t *const values[3] = {&size, &packed, &header};
    if (!read_extra64(entry + ENTRY_BYTES + name, extra, values))
        return fail_member(f, m, at, "its zip64 sizes are damaged", e);
    m->method = (uint32_t)number(entry + 10, 2);
    m->crc = (uint32_t)number(entry + 16, 4);
    m->checked = true;
    if (number(entry + 8, 2) & 1) return fail_member(f, m, at, "it is encrypted", e);
    if (m->method != ZIP_stored && m->method != ZIP_deflated)
        return fail_member(f, m, at, "it is neither stored nor deflated", e);
    if (header > (uint64_t)f->size || packed > (uint64_t)f->size - header)
        return fail_member(f, m, at, "its bytes reach beyond the file: cut off or damaged", e);
    if (m->method == ZIP_stored ? size != packed : size / INFLATE_MOST > packed)
        return fail_member(f, m, at, "its packed bytes cannot hold as many as it says", e);
    m->header = (int64_t)header;
    m->packed = (int64_t)packed;
    m->size = (int64_t)size;
    return bytes;
}

static bool find_bytes(const FileBytes *f, ZipMember *m, RtError *e)
{
    unsigned char local[LOCAL_BYTES];
    if (!bytes_read(f, m->header, local, LOCAL_BYTES, e)) return false;
    if (number(local, 4) != LOCAL_MARK) return fail_member(f, m, m->header, "its header is damaged", e);
    m->offset = m->header + LOCAL_BYTES + (int64_t)(number(local + 26, 2) + number(local + 28, 2));
    return true;
}

static bool read_directory(const FileBytes *f, const Directory *d, const unsigned char *bytes, Zip *z, RtError *e)
{
    int64_t at = 0, size = (int64_t)d->size;
    for (uint64_t i = 0; i < d->count; i++) {
        ZipMember *m = &z->members[z->count++];
        int64_t entry = read_entry(f, bytes + at, size - at, (int64_t)d->offset + at, m, e);
        if (!entry || !find_bytes(f, m, e)) return false;
        at += entry;
    }
    if (at == size) return true;
    return rt_fail(e, "%.300s: damaged: the zip directory goes on at byte %" PRId64, f->path, (int64_t)d->offset + at);
}

static int by_header(const void *a, const void *b)
{
    const ZipMember *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

static bool check_apart(const FileBytes *f, const Zip *z, const Directory *d, RtError *e)
{
    for (int64_t i = 0; i < z->count; i++) {
        const ZipMember *m = &z->members[i];
        int64_t end = i + 1 < z->count ? m[1].header : (int64_t)d->offset;
        if (m->offset > end || m->packed > end - m->offset)
            return fail_member(f, m, m->offset, "it shares bytes with what follows it", e);
    }
    return true;
}

bool zip_open(const FileBytes *file, Zip *out, RtError *e)
{
    *out = (Zip){0};
    Directory d = {0};
    if (!find_directory(file, &d, e)) return false;
    unsigned char *bytes = malloc((size_t)d.size + 1);
    out->members = calloc((size_t)d.count + 1, sizeof *out->members);
    bool good = (bytes && out->members) || rt_fail(e, "%.300s: out of memory for the directory", file->path);
    good = good && bytes_read(file, (int64_t)d.offset, bytes, (int64_t)d.size, e)
        && read_directory(file, &d, bytes, out, e);
    free(bytes);
    if (!good) return false;
    qsort(out->members, (size_t)out->count, sizeof *out->members, by_header);
    return check_apart(file, out, &d, e);
}

void zip_close(Zip *z)
{
    for (int64_t i = 0; i < z->count; i++) free(z->members[i].name);
    free(z->members);
    *z = (Zip){0};
}

/* a member's bytes */

bool zip_begin(ZipReader *r, const FileBytes *file, const ZipMember *member, RtError *e)
{
    r->file = file;
    r->member = member;
    r->taken = r->given = 0;
    r->crc = 0;
    r->inflation = (z_stream){0};
    if (member->method == ZIP_stored || inflateInit2(&r->inflation, -MAX_WBITS) == Z_OK) return true;
    return rt_fail(e, "%.300s: out of memory", file->path);
}

static bool refill(ZipReader *r, RtError *e)
{
    int64_t left = r->member->packed - r->taken, size = left < ZIP_PIECE ? left : ZIP_PIECE;
    if (!bytes_read(r->file, r->member->offset + r->taken, r->piece, size, e)) return false;
    r->taken += size;
    r->inflation.next_in = r->piece;
    r->inflation.avail_in = (uInt)size;
    return true;
}

/* Also without packed bytes left, since inflation may hold some back. */
static bool read_deflated(ZipReader *r, char *out, int64_t size, RtError *e)
{
    z_stream *z = &r->inflation;
    while (size > 0) {
        if (z->avail_in == 0 && !refill(r, e)) return false;
        uInt room = size < INFLATE_PIECE ? (uInt)size : INFLATE_PIECE;
        z->next_out = (unsigned char *)out;
        z->avail_out = room;
        int status = inflate(z, Z_NO_FLUSH);
        int64_t got = room - z->avail_out;
        out += got;
        size -= got;
        if (status == Z_OK || (status == Z_STREAM_END && size == 0)) continue;
        int64_t at = r->member->offset + r->taken - z->avail_in;
        return fail_member(r->file, r->member, at, status == Z_DATA_ERROR ? "its packed bytes are damaged"
                           : "its packed bytes hold less than it says", e);
    }
    return true;
}

static bool read_stored(ZipReader *r, char *out, int64_t size, RtError *e)
{
    if (!bytes_read(r->file, r->member->offset + r->taken, out, size, e)) return false;
    r->taken += size;
    return true;
}

static bool read_some(ZipReader *r, char *out, int64_t size, RtError *e)
{
    bool good = r->member->method == ZIP_stored ? read_stored(r, out, size, e) : read_deflated(r, out, size, e);
    if (!good) return false;
    r->given += size;
    if (r->member->checked) r->crc = (uint32_t)crc32_z(r->crc, (const unsigned char *)out, (size_t)size);
    return true;
}

bool zip_read(ZipReader *r, char *out, int64_t size, RtError *e)
{
    if (size > r->member->size - r->given)
        return fail_member(r->file, r->member, r->member->offset, "it ends too early", e);
    if (out) return size == 0 || read_some(r, out, size, e);
    char left_out[4096];
    for (int64_t piece; size > 0; size -= piece) {
        piece = size < (int64_t)sizeof left_out ? size : (int64_t)sizeof left_out;
        if (!read_some(r, left_out, piece, e)) return false;
    }
    return true;
}

bool zip_finish(ZipReader *r, RtError *e)
{
    const ZipMember *m = r->member;
    if (!m->checked || (r->given == m->size && r->crc == m->crc)) return true;
    return fail_member(r->file, m, m->offset, "it is damaged: its CRC is not what its bytes give", e);
}

void zip_end(ZipReader *r)
{
    if (r->member->method != ZIP_stored) inflateEnd(&r->inflation);
}
