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
#include "runtime/train/weightfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* As weights of the widest float, where they are floats. */
static void read_wide(const char *path)
{
    RtError e;
    RtWeights *w = rt_weights_open(path, &e);
    for (int i = 0; w && i < rt_weights_count(w); i++) {
        const RtTensor *t = rt_weights_at(w, i);
        if (!rt_converts(t->dtype, RT_f64)) continue;
        double *out = malloc((size_t)(t->bytes / rt_dtype_bytes(t->dtype)) * sizeof *out + 1);
        if (!out || !rt_weights_read(w, t, RT_f64, (char *)out, &e)) abort();
        free(out);
    }
    rt_weights_close(w);
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
    if (t) read_wide(path);
    rt_tensors_close(t);
    close(fd);
    return 0;
}
