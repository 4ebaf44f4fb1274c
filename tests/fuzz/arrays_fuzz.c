/* Fuzzes the readers of .npy, .npz and idx files: an array that opened has no more bytes than its file can hold, and
 * what can be read can be written. */
#define _GNU_SOURCE                      /* memfd_create */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/data/arrays.h"
#include "runtime/data/idx.h"
#include "runtime/train/arrays_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Widened elements have up to 4 times the bytes; deflated ones 1032 times, and 1031 more. */
static void read_one(const RtArrays *a, const RtTensor *t, size_t size)
{
    assert(t->bytes >= 0 && (size_t)t->bytes <= 4 * 1032 * (size + 1));
    assert(rt_arrays_find(a, t->name) == t);
    RtError e = {{0}};
    RtTensor copy = *t;
    char *out = malloc((size_t)t->bytes + 1);
    if (!out) abort();
    copy.data = out;
    if (!rt_arrays_read(a, t, out, &e)) assert(e.text[0]);
    else if (!rt_npz_write("/dev/null", &copy, 1, &e) || !rt_npy_write("/dev/null", &copy, &e)) abort();
    free(out);
}

static void read_idx(const char *path)
{
    FileBytes file;
    RtTensor t;
    RtError e = {{0}};
    if (!bytes_open(&file, path, &e)) abort();
    if (!idx_open(&file, &t, &e)) {
        assert(strstr(e.text, path));
    } else {
        assert(t.bytes >= 0 && t.bytes <= 2 * file.size);    /* 16-bit numbers are widened */
        char *out = malloc((size_t)t.bytes + 1);
        if (!out || !idx_read(&file, &t, out, &e)) abort();
        free(out);
    }
    bytes_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, bytes, size) != (ssize_t)size) abort();
    RtError e = {{0}};
    RtArrays *a = rt_arrays_open(path, &e);
    for (int i = 0; a && i < rt_arrays_count(a); i++) read_one(a, rt_arrays_at(a, i), size);
    if (!a) assert(strstr(e.text, path));                    /* an error says which file */
    rt_arrays_close(a);
    read_idx(path);
    close(fd);
    return 0;
}
