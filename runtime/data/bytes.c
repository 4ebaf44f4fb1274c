/* Reading binary files. */
#include "runtime/data/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_FIRST = 1 << 16 };

static bool hold(FileBytes *b, RtError *e)
{
    size_t room = 0;
    for (ssize_t got = 1; got != 0;) {
        if ((size_t)b->size == room) {
            room = room ? room * 2 : PIPE_FIRST;
            char *more = realloc(b->held, room);
            if (!more) return rt_fail(e, "%.300s: out of memory behind byte %" PRId64, b->path, b->size);
            b->held = more;
        }
        got = read(b->fd, b->held + b->size, room - (size_t)b->size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return rt_fail(e, "cannot read %.300s: %s at byte %" PRId64, b->path, strerror(errno), b->size);
        b->size += got;
    }
    return true;
}

static bool measure(FileBytes *b, RtError *e)
{
    struct stat status;
    if (fstat(b->fd, &status) != 0) return rt_fail(e, "cannot read %.300s: %s", b->path, strerror(errno));
    if (S_ISDIR(status.st_mode)) return rt_fail(e, "%.300s is a directory", b->path);
    if (!S_ISREG(status.st_mode) || lseek(b->fd, 0, SEEK_CUR) != 0) return hold(b, e);
    b->size = status.st_size;
    return true;
}

bool bytes_open(FileBytes *b, const char *path, RtError *e)
{
    bool input = strcmp(path, "-") == 0;
    *b = (FileBytes){.path = input ? "standard input" : path};
    b->fd = input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (b->fd < 0) return rt_fail(e, "cannot open %.300s: %s", b->path, strerror(errno));
    if (measure(b, e)) return true;
    bytes_close(b);
    return false;
}

void bytes_close(FileBytes *b)
{
    if (b->fd >= 0) close(b->fd);
    free(b->held);
    b->fd = -1;
    b->held = NULL;
}

bool bytes_read(const FileBytes *b, int64_t offset, void *out, int64_t size, RtError *e)
{
    if (offset < 0 || size < 0 || offset > b->size || size > b->size - offset)
        return rt_fail(e, "%.300s: cut off: %" PRId64 " bytes wanted at byte %" PRId64 ", but it has %" PRId64,
                       b->path, size, offset, b->size);
    if (b->held && size > 0) memcpy(out, b->held + offset, (size_t)size);
    for (char *at = out; !b->held && size > 0;) {
        ssize_t done = pread(b->fd, at, size < INT32_MAX ? (size_t)size : (size_t)INT32_MAX, offset);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return rt_fail(e, "cannot read %.300s: %s at byte %" PRId64, b->path, strerror(errno), offset);
        if (done == 0) return rt_fail(e, "%.300s: the file ends at byte %" PRId64, b->path, offset);
        at += done;
        offset += done;
        size -= done;
    }
    return true;
}
