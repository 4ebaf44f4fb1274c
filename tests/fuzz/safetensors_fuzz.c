/* Fuzzes the reader of tensor files: whatever opens must be readable to the last byte, verifiable and writable
 * again. */
#define _GNU_SOURCE                      /* memfd_create */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/train/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* As the widest float, where it is one. */
static void read_wide(const RtTensors *t, const RtTensor *tensor)
{
    RtError e;
    int64_t count = tensor->bytes / rt_dtype_bytes(tensor->dtype);
    if (!rt_converts(tensor->dtype, RT_f64)) return;
    double *out = malloc((size_t)count * sizeof *out + 1);
    if (!out || !rt_tensors_read_as(t, tensor, RT_f64, (char *)out, &e)) abort();
    free(out);
}

static void read_all(const RtTensors *t, size_t size)
{
    RtError e;
    for (int i = 0; i < rt_tensors_count(t); i++) {
        const RtTensor *tensor = rt_tensors_at(t, i);
        assert(tensor->bytes >= 0 && (size_t)tensor->bytes <= size);
        assert(rt_tensors_find(t, tensor->name) == tensor);
        char *out = malloc((size_t)tensor->bytes + 1);
        if (!out) abort();
        if (!rt_tensors_read(t, tensor, out, &e)) abort();
        free(out);
        read_wide(t, tensor);
    }
    rt_tensors_metadata(t, "step");
    rt_tensors_verify(t, RT_CHECKSUM_IF_ANY, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0) abort();
    if (write(fd, bytes, size) != (ssize_t)size) abort();
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    RtError e = {{0}};
    RtTensors *t = rt_tensors_open(path, &e);
    if (t) read_all(t, size);
    else assert(strstr(e.text, path));                       /* an error says which file */
    rt_tensors_close(t);
    close(fd);
    return 0;
}
