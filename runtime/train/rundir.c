/* Run directories. */
#include "runtime/train/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool holds(FILE *in, const RtFile *file)
{
    char *text = malloc((size_t)file->size + 1);
    bool same = text && fread(text, 1, (size_t)file->size + 1, in) == (size_t)file->size &&
                memcmp(text, file->text, (size_t)file->size) == 0;
    free(text);
    return same;
}

/* What a run wrote when it began and is not there any more when it goes on. */
static void warn_lost(const Recipe *r, const RtFile *file)
{
    char path[RUN_PATH_BYTES];
    RtError e;
    if (!r->warn || !path_in(path, r->out, file->name, &e)) return;
    FILE *in = fopen(path, "rb");
    const char *what = !in ? "is missing" : file->fixed && !holds(in, file) ? "is damaged" : NULL;
    if (in) fclose(in);
    if (!what) return;
    rt_fail(&e, "%s %s: it is written again from the model and the data", path, what);
    r->warn(e.text);
}

bool rundir_describe(const Recipe *r, const RunDirectory *d, RtError *e)
{
    for (int i = 0; i < r->file_count; i++) {
        if (d->has_checkpoint) warn_lost(r, &r->files[i]);
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

/* Two runs in one directory would each undo what the other writes. The lock ends with the process, however that ends;
 * a file system that knows no locks has none. */
static bool lock(const Recipe *r, RunDirectory *d, RtError *e)
{
    d->lock = open(r->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->lock < 0 && r->resume) return rt_fail(e, "%s holds no run to resume: %s", r->out, strerror(errno));
    if (d->lock < 0) return rt_fail(e, "%s: %s", r->out, strerror(errno));
    if (flock(d->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return true;
    return rt_fail(e, "%s: another run is writing there", r->out);
}

/* A run that was killed before its first checkpoint begins again from its initial values. */
bool rundir_open(const Recipe *r, RunDirectory *d, RtError *e)
{
    d->lock = -1;
    if (!name_files(r->out, d, e) || (!r->resume && !make_directories(r->out, e)) || !lock(r, d, e)) return false;
    if (!r->resume && !rundir_is_free(r->out, e)) return false;
    if (!kept_open(&d->kept, r->out, r->keep, e)) return false;
    d->has_checkpoint = r->resume && (exists(d->last) || d->kept.count > 0);
    return true;
}

void rundir_close(RunDirectory *d)
{
    kept_close(&d->kept);
    if (d->lock >= 0) close(d->lock);
    d->lock = -1;
}

bool rundir_promote(RunDirectory *d, int64_t step, RtError *e)
{
    char path[RUN_PATH_BYTES], aside[RUN_PATH_BYTES];
    if (!kept_path(&d->kept, step, path, sizeof path, e)) return false;
    if (snprintf(aside, sizeof aside, "%s.damaged", d->last) >= (int)sizeof aside)
        return rt_fail(e, "%.80s...: the path is too long", d->last);
    if (rename(d->last, aside) != 0 && errno != ENOENT) return rt_fail(e, "%s: %s", d->last, strerror(errno));
    if (rename(path, d->last) != 0) return rt_fail(e, "%s: %s", path, strerror(errno));
    return true;
}
