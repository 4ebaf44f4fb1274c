/* The metrics file. */
#include "runtime/train/metrics.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

/* The line's step, or -1 when it is none of ours (cut off by a kill, or damaged). */
static int64_t line_step(const char *line, size_t size)
{
    json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *step = json_object_get(object, "step");
    int64_t number = json_is_integer(step) ? json_integer_value(step) : -1;
    json_decref(object);
    return number;
}

/* Bytes of the leading whole lines with steps up to keep_step. */
static size_t kept_bytes(const char *text, size_t size, int64_t keep_step)
{
    size_t kept = 0;
    while (kept < size) {
        const char *end = memchr(text + kept, '\n', size - kept);
        if (!end) break;
        int64_t step = line_step(text + kept, (size_t)(end - (text + kept)));
        if (step < 0 || step > keep_step) break;
        kept = (size_t)(end - text) + 1;
    }
    return kept;
}

static bool read_text(int fd, char *text, size_t size)
{
    for (size_t at = 0; at < size; ) {
        ssize_t done = pread(fd, text + at, size - at, (off_t)at);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        at += (size_t)done;
    }
    return true;
}

static bool cut_off(int fd, int64_t keep_step)
{
    struct stat status;
    if (fstat(fd, &status) != 0) return false;
    size_t size = (size_t)status.st_size;
    char *text = malloc(size + 1);
    if (!text) return false;
    bool good = read_text(fd, text, size) && ftruncate(fd, (off_t)kept_bytes(text, size, keep_step)) == 0;
    free(text);
    return good;
}

bool metrics_open(Metrics *m, const char *path, int64_t keep_step, int room, RtError *e)
{
    *m = (Metrics){.fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666), .room = room};
    if (m->fd < 0) return rt_fail(e, "%s: %s", path, strerror(errno));
    m->line = malloc((size_t)room);
    if (!m->line) return rt_fail(e, "%s: out of memory", path);
    if (!cut_off(m->fd, keep_step))
        return rt_fail(e, "%s: cannot cut off what comes after step %" PRId64, path, keep_step);
    return true;
}

void metrics_close(Metrics *m)
{
    if (m->fd >= 0) close(m->fd);
    free(m->line);
    *m = (Metrics){.fd = -1};
}

void metrics_begin(Metrics *m, int64_t step)
{
    if (m->fd < 0) return;
    m->size = snprintf(m->line, (size_t)m->room, "{\"step\": %" PRId64, step);
}

void metrics_number(Metrics *m, const char *prefix, const char *name, double value, int digits)
{
    if (m->fd < 0) return;
    char *at = m->line + m->size;
    size_t room = (size_t)(m->room - m->size);
    if (isfinite(value)) m->size += snprintf(at, room, ", \"%s%s\": %.*g", prefix, name, digits, value);
    else m->size += snprintf(at, room, ", \"%s%s\": null", prefix, name);
    assert(m->size < m->room - 2);
}

/* text: without control characters. */
void metrics_text(Metrics *m, const char *name, const char *text)
{
    if (m->fd < 0) return;
    m->size += snprintf(m->line + m->size, (size_t)(m->room - m->size), ", \"%s\": \"", name);
    for (; *text; text++) {
        assert(m->size < m->room - 5);
        if (*text == '"' || *text == '\\') m->line[m->size++] = '\\';
        m->line[m->size++] = *text;
    }
    m->line[m->size++] = '"';
}

bool metrics_end(Metrics *m, RtError *e)
{
    if (m->fd < 0) return true;
    m->line[m->size++] = '}';
    m->line[m->size++] = '\n';
    for (int at = 0; at < m->size; ) {
        ssize_t done = write(m->fd, m->line + at, (size_t)(m->size - at));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return rt_fail(e, "metrics.jsonl: cannot write: %s", strerror(errno));
        at += (int)done;
    }
    return true;
}

bool metrics_flush(Metrics *m, RtError *e)
{
    if (m->fd < 0 || fdatasync(m->fd) == 0 || errno == EINVAL) return true; /* EINVAL: no file that can be flushed */
    return rt_fail(e, "metrics.jsonl: cannot write: %s", strerror(errno));
}
