/* What a run leaves on the disk, in which order: every file of the run directory is written beside, flushed and
 * renamed, and the lines of metrics that a checkpoint covers are flushed before it. The calls that say so are counted
 * here, in place of the C library's. */
#include "line.h"

#include <fcntl.h>
#include <sys/syscall.h>

enum { EVENTS = 1000 };

typedef enum Kind { FLUSH, RENAME } Kind;
typedef struct Call {
    Kind kind;
    char path[200];                      /* of the file that was flushed, or of the new name */
} Call;

static char directory[64];
static Call calls[EVENTS];
static int  call_count;

static void note(Kind kind, const char *path)
{
    assert_true(call_count < EVENTS);
    Call *call = &calls[call_count++];
    call->kind = kind;
    snprintf(call->path, sizeof call->path, "%s", path);
}

static void note_file(int fd)
{
    char link[64], path[200] = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    assert_true(readlink(link, path, sizeof path - 1) > 0);
    note(FLUSH, path);
}

int fsync(int fd)
{
    note_file(fd);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    note_file(fd);
    return (int)syscall(SYS_fdatasync, fd);
}

int rename(const char *old, const char *new)
{
    note(RENAME, new);
    return (int)syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0);
}

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/ptm-durable-XXXXXX");
    call_count = 0;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static bool is_call(const Call *call, Kind kind, const char *end)
{
    size_t length = strlen(call->path), tail = strlen(end);
    return call->kind == kind && length >= tail && !strcmp(call->path + length - tail, end);
}

/* The last such call before call `before`, or -1. */
static int find_before(int before, Kind kind, const char *end)
{
    for (int i = before - 1; i >= 0; i--)
        if (is_call(&calls[i], kind, end)) return i;
    return -1;
}

static void train_here(bool resume)
{
    Bench *b = bench_new(1, directory);
    RtFile files[] = {{"model/line.ptm", "a model", 7, true}, {"run.json", "{}", 2, false}};
    b->recipe.files = files;
    b->recipe.file_count = 2;
    b->recipe.resume = resume;
    RtError e;
    if (rt_train(&b->recipe, &e) != RT_DONE) fail_msg("%s", e.text);
    bench_free(b);
}

static void files_are_replaced_whole(void **state)
{
    (void)state;
    train_here(false);
    static const char *const names[] = {"model/line.ptm", "run.json", "last.safetensors", "best.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char part[100], path[200];
        snprintf(part, sizeof part, "%s.part", names[i]);
        int renamed = find_before(call_count, RENAME, names[i]);
        if (renamed < 0 || find_before(renamed, FLUSH, part) < 0) fail_msg("%s is not flushed and renamed", names[i]);
        snprintf(path, sizeof path, "%s/%s", directory, part);
        assert_int_equal(access(path, F_OK), -1);
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        assert_int_equal(access(path, F_OK), 0);
    }
}

/* Between two checkpoints the metrics are flushed; a resumed run would otherwise miss lines that it does not repeat. */
static int check_flushes(void)
{
    int checkpoints = 0, last = -1;
    for (int i = 0; i < call_count; i++) {
        if (!is_call(&calls[i], RENAME, "last.safetensors")) continue;
        assert_true(find_before(i, FLUSH, "metrics.jsonl") > last);
        checkpoints++;
        last = i;
    }
    return checkpoints;
}

static void metrics_are_flushed_before_the_checkpoint(void **state)
{
    (void)state;
    train_here(false);
    assert_true(check_flushes() > 2);
}

/* Stopped by the user: after a step, and in an evaluation, whose line is then still to be written. */
static void metrics_are_flushed_before_stopping(void **state)
{
    (void)state;
    for (int64_t at = 16; at < 20; at += 3) {
        call_count = 0;
        Bench *b = bench_new(1, directory);
        RtError e;
        event = (Event){INTERRUPT, at};
        b->recipe.resume = at > 16;
        assert_int_equal(rt_train(&b->recipe, &e), RT_INTERRUPTED);
        bench_free(b);
        assert_int_equal(check_flushes(), at > 16 ? 1 : 2);
    }
    event = (Event){0};
}

/* A run directory that lost its description gets it back. */
static void resuming_describes_again(void **state)
{
    (void)state;
    train_here(false);
    char path[200];
    snprintf(path, sizeof path, "%s/run.json", directory);
    assert_int_equal(unlink(path), 0);
    train_here(true);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(files_are_replaced_whole),
        TEST(metrics_are_flushed_before_the_checkpoint),
        TEST(metrics_are_flushed_before_stopping),
        TEST(resuming_describes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
