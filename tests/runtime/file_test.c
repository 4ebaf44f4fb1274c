/* Data files that change while they are read: the first read of a file is followed by a change of it, made here in
 * place of the C library's call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/data/parts.h"

enum { SIZE = 3 << 20 };

static char path[] = "/tmp/ptm-file-XXXXXX";
static int  change;                      /* bytes the file has after its first read; -1: it is removed; 0: it stays */

static void append(void)
{
    FILE *out = fopen(path, "a");
    assert_non_null(out);
    assert_true(fputs("and more", out) >= 0);
    assert_int_equal(fclose(out), 0);
}

ssize_t read(int fd, void *bytes, size_t size)
{
    ssize_t got = syscall(SYS_read, fd, bytes, size);
    if (change > SIZE) append();
    else if (change > 0) assert_int_equal(truncate(path, change), 0);
    if (change < 0) assert_int_equal(unlink(path), 0);
    change = 0;
    return got;
}

static int write_file(void **state)
{
    (void)state;
    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    bool good = fd >= 0 && write(fd, text, SIZE) == SIZE;
    free(text);
    close(fd);
    return good ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static bool read_changing(int to, RtError *e)
{
    char *bytes = NULL;
    RtText text;
    change = to;
    bool good = file_read(path, &bytes, &text, e);
    if (good) assert_int_equal(text.size, SIZE);
    if (good) free(bytes);
    return good;
}

static void a_file_that_grows_is_refused(void **state)
{
    (void)state;
    RtError e;
    assert_true(read_changing(0, &e));
    assert_false(read_changing(SIZE + 8, &e));
    assert_non_null(strstr(e.text, "grew while it was read: it had 3145728 bytes"));
}

static void a_file_that_shrinks_is_refused(void **state)
{
    (void)state;
    RtError e;
    assert_false(read_changing(2 << 20, &e));
    assert_non_null(strstr(e.text, "shrank while it was read: it had 3145728 bytes"));
}

/* What is open stays. */
static void a_file_that_vanishes_is_read(void **state)
{
    (void)state;
    RtError e;
    assert_true(read_changing(-1, &e));
    assert_false(read_changing(0, &e));
    assert_non_null(strstr(e.text, "No such file"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, write_file, remove_file)
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_grows_is_refused),
        TEST(a_file_that_shrinks_is_refused),
        TEST(a_file_that_vanishes_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
