/* metrics.jsonl: lines as they are written, and what a resumed run finds of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/train/metrics.h"

static char path[64];

static int make_path(void **state)
{
    (void)state;
    strcpy(path, "/tmp/ptm-metrics-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static void check_file(const char *wanted)
{
    char text[1000] = {0};
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_true(fread(text, 1, sizeof text - 1, in) < sizeof text);
    fclose(in);
    assert_string_equal(text, wanted);
}

static void open_on(const char *text, int64_t keep_step, const char *wanted)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    Metrics m;
    RtError e = {{0}};
    if (!metrics_open(&m, path, keep_step, 200, &e)) fail_msg("%s", e.text);
    metrics_close(&m);
    check_file(wanted);
}

static void lines(void **state)
{
    (void)state;
    RtError e = {{0}};
    Metrics m;
    assert_true(metrics_open(&m, path, -1, 200, &e));
    metrics_begin(&m, 10);
    metrics_number(&m, "", "loss", 0.1f, 9);
    metrics_number(&m, "valid_", "loss", NAN, 17);
    assert_true(metrics_end(&m, &e));
    metrics_begin(&m, 20);
    metrics_number(&m, "", "lr", 1e-3, 9);
    assert_true(metrics_end(&m, &e));
    metrics_close(&m);
    check_file("{\"step\": 10, \"loss\": 0.100000001, \"valid_loss\": null}\n{\"step\": 20, \"lr\": 0.001}\n");
}

static void resumed_files(void **state)
{
    (void)state;
    open_on("{\"step\": 1}\n{\"step\": 2}\n{\"step\": 3}\n", 2, "{\"step\": 1}\n{\"step\": 2}\n");
    open_on("{\"step\": 1}\n{\"step\": 2}\n", 9, "{\"step\": 1}\n{\"step\": 2}\n");
    open_on("{\"step\": 1}\n{\"step\": 2}\n", -1, "");
    open_on("{\"step\": 1}\n{\"step\": 2}\n", 0, "");
    open_on("{\"step\": 1}\n{\"step\": 2, \"lo", 5, "{\"step\": 1}\n");          /* killed while writing */
    open_on("{\"step\": 1}\nnonsense\n{\"step\": 2}\n", 5, "{\"step\": 1}\n");
    open_on("{\"step\": 1}\n{\"step\": \"2\"}\n", 5, "{\"step\": 1}\n");
    open_on("", 5, "");
    open_on("\n\n", 5, "");
}

static void silent_without_a_file(void **state)
{
    (void)state;
    Metrics m = {.fd = -1};
    RtError e;
    metrics_begin(&m, 1);
    metrics_number(&m, "", "loss", 1, 9);
    assert_true(metrics_end(&m, &e));
    metrics_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines, make_path, remove_path),
        cmocka_unit_test_setup_teardown(resumed_files, make_path, remove_path),
        cmocka_unit_test(silent_without_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
