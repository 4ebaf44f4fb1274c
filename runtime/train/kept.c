/* Earlier checkpoints. A second name is a hard link; where the file system has none, the file is renamed, and until the
 * new last one is there a run that is killed goes on from it by its number. */
#include "runtime/train/kept.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT_PATH_BYTES = 4096, STEP_DIGITS = 18 };

#define KEPT_START "step-"
#define KEPT_END ".safetensors"

/* The step in "step-000180.safetensors", or -1: a name that kept_path would not write. */
static int64_t step_of(const char *name)
{
    size_t start = strlen(KEPT_START), digits = 0;
    if (strncmp(name, KEPT_START, start) != 0) return -1;
    digits = strspn(name + start, "0123456789");
    bool ours = digits >= 6 && digits <= STEP_DIGITS && strcmp(name + start + digits, KEPT_END) == 0;
    return ours && (digits == 6 || name[start] != '0') ? strtoll(name + start, NULL, 10) : -1;
}

bool kept_path(const Kept *k, int64_t step, char *path, size_t room, RtError *e)
{
    int size = snprintf(path, room, "%s/" KEPT_START "%06" PRId64 KEPT_END, k->directory, step);
    return size < (int)room || rt_fail(e, "%.80s...: the path is too long", k->directory);
}

static bool push(Kept *k, int64_t step)
{
    if (k->count == k->room) {
        int64_t room = 2 * k->room + 16;
        int64_t *steps = realloc(k->steps, (size_t)room * sizeof *steps);
        if (!steps) return false;
        k->steps = steps;
        k->room = room;
    }
    k->steps[k->count++] = step;
    return true;
}

static int rising(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* With room for as many as there may be during the run: those there are now, or one more than are kept. */
bool kept_open(Kept *k, const char *directory, int64_t most, RtError *e)
{
    *k = (Kept){.directory = directory, .most = most};
    DIR *folder = opendir(directory);
    if (!folder) return rt_fail(e, "%s: %s", directory, strerror(errno));
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(folder)); ) {
        int64_t step = step_of(entry->d_name);
        if (step >= 0) good = push(k, step);
    }
    closedir(folder);
    if (k->count > 0) qsort(k->steps, (size_t)k->count, sizeof *k->steps, rising);
    int64_t *steps = NULL;
    int64_t room = (k->count > most ? k->count : most) + 1;
    if (good) steps = realloc(k->steps, (size_t)room * sizeof *steps);
    if (!steps) return rt_fail(e, "%s: out of memory", directory);
    k->steps = steps;
    k->room = room;
    return true;
}

void kept_close(Kept *k)
{
    free(k->steps);
    *k = (Kept){0};
}

/* One that cannot be removed stays: it is not in the way. */
static void remove_step(const Kept *k, int64_t step)
{
    char path[KEPT_PATH_BYTES];
    RtError e;
    if (kept_path(k, step, path, sizeof path, &e)) unlink(path);
}

void kept_cut(Kept *k, int64_t step)
{
    while (k->count > 0 && k->steps[k->count - 1] >= step) remove_step(k, k->steps[--k->count]);
}

bool kept_add(Kept *k, const char *last, int64_t step, RtError *e)
{
    char path[KEPT_PATH_BYTES];
    if (k->most == 0) return true;
    if (!kept_path(k, step, path, sizeof path, e)) return false;
    kept_cut(k, step);
    unlink(path);
    if (link(last, path) != 0 && (errno == ENOENT || rename(last, path) != 0))
        return rt_fail(e, "%s: cannot keep it as %s: %s", last, path, strerror(errno));
    k->steps[k->count++] = step;
    return true;
}

void kept_prune(Kept *k)
{
    while (k->count > k->most) {
        remove_step(k, k->steps[0]);
        k->count--;
        memmove(k->steps, k->steps + 1, (size_t)k->count * sizeof *k->steps);
    }
}
