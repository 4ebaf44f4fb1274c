/* Run directories. */
#include "runtime/train/rundir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/train/replace.h"

static bool path_in(char *path, const char *directory, const char *name, RtError *e)
{
    if (snprintf(path, RUN_PATH_BYTES, "%s/%s", directory, name) < RUN_PATH_BYTES) return true;
    return rt_fail(e, "%.80s...: the path is too long", directory);
}

static bool exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

/* mkdir -p */
static bool make_directories(const char *path, RtError *e)
{
    char part[RUN_PATH_BYTES];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return rt_fail(e, "%.80s...: the path is too long", path);
    for (char *at = part; *at; ) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char end = *at;
        *at = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) return rt_fail(e, "%s: %s", part, strerror(errno));
        *at = end;
    }
    struct stat status;
    if (stat(path, &status) != 0) return rt_fail(e, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(status.st_mode)) return rt_fail(e, "%s: not a directory", path);
    return true;
}

/* name: relative, with folders of its own perhaps. */
static bool write_file(const char *directory, const RtFile *file, RtError *e)
{
    char path[RUN_PATH_BYTES];
    if (!path_in(path, directory, file->name, e)) return false;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (!make_directories(path, e)) return false;
    *slash = '/';
    Replacement out;
    if (!replace_begin(&out, path, e)) return false;
    replace_write(&out, file->text, file->size);
    return replace_end(&out, e);
}

bool rundir_describe(const Recipe *r, RtError *e)
{
    for (int i = 0; i < r->file_count; i++) {
        if (!write_file(r->out, &r->files[i], e)) return false;
    }
    return true;
}

static bool name_files(const char *out, RunDirectory *d, RtError *e)
{
    return path_in(d->metrics, out, "metrics.jsonl", e) && path_in(d->last, out, "last.safetensors", e) &&
           path_in(d->best, out, "best.safetensors", e);
}

bool rundir_is_free(const char *out, RtError *e)
{
    RunDirectory d;
    if (!name_files(out, &d, e)) return false;
    if (!exists(d.metrics) && !exists(d.last)) return true;
    return rt_fail(e, "%s holds a run already: go on with --resume, or choose another directory", out);
}

/* A run that was killed before its first checkpoint has metrics alone; it begins again from its initial values. */
static bool go_on(const Recipe *r, const RunDirectory *d, RtError *e)
{
    if (d->has_checkpoint || exists(d->metrics)) return true;
    return rt_fail(e, "%s holds no run to resume", r->out);
}

bool rundir_open(const Recipe *r, RunDirectory *d, RtError *e)
{
    if (!name_files(r->out, d, e)) return false;
    d->has_checkpoint = r->resume && exists(d->last);
    if (r->resume) return go_on(r, d, e);
    return make_directories(r->out, e) && rundir_is_free(r->out, e);
}
