/* Run directories below one of a test's own, and what is in them. */
#ifndef PTM_TESTS_RUNS_H
#define PTM_TESTS_RUNS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];

static inline void path_of(char *path, size_t size, const char *run, const char *name)
{
    snprintf(path, size, "%s/%s%s%s", directory, run, *name ? "/" : "", name);
}

static inline int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/ptm-runs-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static inline void remove_run(const char *run)
{
    static const char *const names[] = {"model.ptm", "metrics.jsonl", "last.safetensors", "best.safetensors"};
    char path[200];
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        path_of(path, sizeof path, run, names[n]);
        unlink(path);
    }
    path_of(path, sizeof path, run, "");
    rmdir(path);
}

static inline int remove_directory(void **state)
{
    (void)state;
    static const char *const runs[] = {"a", "b", "deep/er", "deep"};
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) remove_run(runs[r]);
    return rmdir(directory);
}

static inline size_t slurp(const char *run, const char *name, char *text, size_t room)
{
    char path[200];
    path_of(path, sizeof path, run, name);
    FILE *in = fopen(path, "rb");
    if (!in) fail_msg("%s is missing", path);
    size_t size = fread(text, 1, room - 1, in);
    text[size] = '\0';
    fclose(in);
    return size;
}

/* Cuts off what depends on the clock: fields from the first that ends in _s on. */
static inline void strip_times(char *text)
{
    char *to = text;
    for (char *line = text; *line; ) {
        char *end = strchr(line, '\n'), *time = strstr(line, ", \"step_s\"");
        assert_non_null(end);
        assert_non_null(time);
        assert_true(time < end);
        memmove(to, line, (size_t)(time - line));
        to += time - line;
        *to++ = '\n';
        line = end + 1;
    }
    *to = '\0';
}

static inline void check_equal_runs(const char *one, const char *other)
{
    static const char *const names[] = {"last.safetensors", "best.safetensors", "metrics.jsonl"};
    static char x[20000], y[20000];
    for (int i = 0; i < 3; i++) {
        size_t x_size = slurp(one, names[i], x, sizeof x), y_size = slurp(other, names[i], y, sizeof y);
        if (i == 2) {
            strip_times(x);
            strip_times(y);
            assert_string_equal(x, y);
            continue;
        }
        assert_int_equal(x_size, y_size);
        assert_memory_equal(x, y, x_size);
    }
}

#endif
