/* Replacing files. */
#include "runtime/train/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_PIECE = 1 << 30 };

bool replace_begin(Replacement *r, const char *path, RtError *e)
{
    if (snprintf(r->part, sizeof r->part, "%s.part", path) >= (int)sizeof r->part)
        return rt_fail(e, "%.80s...: the path is too long", path);
    strcpy(r->path, path);
    r->error = 0;
    struct stat status;
    bool output = strcmp(path, "-") == 0, special = !output && stat(path, &status) == 0 && !S_ISREG(status.st_mode);
    if (output || special) r->part[0] = '\0';
    if (output) {
        strcpy(r->path, "standard output");
        r->fd = dup(STDOUT_FILENO);
    } else if (special) {
        r->fd = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        r->fd = open(r->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    return r->fd >= 0 || rt_fail(e, "%s: cannot write: %s", special || output ? r->path : r->part, strerror(errno));
}

void replace_write(Replacement *r, const char *bytes, int64_t size)
{
    while (size > 0 && r->error == 0) {
        ssize_t done = write(r->fd, bytes, size < WRITE_PIECE ? (size_t)size : WRITE_PIECE);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            r->error = errno;
            return;
        }
        bytes += done;
        size -= done;
    }
}

/* A rename is on the disk when its directory is. File systems that cannot flush directories are left to themselves. */
static void flush_directory(const char *path)
{
    char directory[REPLACE_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    if (!slash) strcpy(directory, ".");
    else if (slash == path) strcpy(directory, "/");
    else snprintf(directory, sizeof directory, "%.*s", (int)(slash - path), path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

bool replace_end(Replacement *r, RtError *e)
{
    bool whole = r->part[0] != '\0';
    if (r->error == 0 && whole && fsync(r->fd) != 0) r->error = errno;
    if (close(r->fd) != 0 && r->error == 0) r->error = errno;
    if (r->error == 0 && whole && rename(r->part, r->path) != 0) r->error = errno;
    if (r->error != 0) {
        if (whole) unlink(r->part);
        return rt_fail(e, "%s: cannot write: %s", r->path, strerror(r->error));
    }
    if (whole) flush_directory(r->path);
    return true;
}
