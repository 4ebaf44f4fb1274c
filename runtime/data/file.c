/* Reading a text file whole. A pipe will do as well as a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/data/parts.h"
#include "runtime/text/vocabulary.h"

enum { CHUNK = 1 << 20 };

/* What packed these bytes, or NULL. */
static const char *packed_by(const char *bytes, int64_t size)
{
    if (size > 2 && memcmp(bytes, "\x1f\x8b", 2) == 0) return "gzip";
    if (size > 3 && memcmp(bytes, "PK\3\4", 4) == 0) return "a zip archive";
    return NULL;
}

/* A file that changes while it is read is none that a run could be repeated with. expected: its size when it was
 * opened; 0: not known, as of pipes. */
static bool check_size(const char *path, int64_t size, int64_t expected, RtError *e)
{
    if (size == expected || !expected) return true;
    return rt_fail(e, "%.300s %s while it was read: it had %lld bytes when it was opened, then %s", path,
                   size < expected ? "shrank" : "grew", (long long)expected, size < expected ? "fewer" : "more");
}

/* Reads to the end, or to the first NUL byte, which no text has (and which /dev/zero has no end of). */
static bool read_all(int file, const char *path, int64_t expected, char **bytes, int64_t *size, RtError *e)
{
    int64_t room = 0, got;
    *bytes = rt_grow(NULL, &room, CHUNK, 1);
    *size = 0;
    while ((got = read(file, *bytes + *size, (size_t)(room - *size))) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return rt_fail(e, "cannot read %.300s: %s", path, strerror(errno));
        const char *nul = memchr(*bytes + *size, '\0', (size_t)got), *packer = packed_by(*bytes, *size + got);
        *size += got;
        if (packer) return rt_fail(e, "%.300s is %s; unpack it first", path, packer);
        if (nul) return rt_fail(e, "%.300s is not a text: NUL byte at offset %lld", path, (long long)(nul - *bytes));
        if (expected && *size > expected) break;
        *bytes = rt_grow(*bytes, &room, *size + CHUNK, 1);
    }
    if (*size == 0 && !expected) return rt_fail(e, "%.300s is empty", path);
    return check_size(path, *size, expected, e);
}

static bool read_open(int file, const char *path, char **bytes, RtText *text, RtError *e)
{
    struct stat status;
    if (fstat(file, &status) != 0) return rt_fail(e, "cannot read %.300s: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode)) return rt_fail(e, "%.300s is a directory, not a text file", path);
    int64_t size, expected = S_ISREG(status.st_mode) ? (int64_t)status.st_size : 0;
    bool good = read_all(file, path, expected, bytes, &size, e);
    int mark = good && size >= 3 && memcmp(*bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    if (good && size == mark) good = rt_fail(e, "%.300s is empty but for a byte order mark", path);
    if (!good) {
        free(*bytes);
        return false;
    }
    *text = (RtText){ *bytes + mark, size - mark };
    return true;
}

bool file_read(const char *path, char **bytes, RtText *text, RtError *e)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return rt_fail(e, "cannot open %.300s: %s", path, strerror(errno));
    *bytes = NULL;
    bool good = read_open(file, path, bytes, text, e);
    close(file);
    return good;
}
