/* Weights from either kind of file. */
#include "runtime/train/weightfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/npy.h"
#include "runtime/train/transfer.h"

enum { PIECE_BYTES = 1 << 20 };

struct RtWeights {
    RtTensors *tensors;                  /* one of the two */
    RtArrays  *arrays;
};

/* A zip archive, or a .npy file; what cannot be read is left to the reader of tensor files, to complain about. */
static bool is_arrays(const char *path)
{
    unsigned char mark[NPY_MARK_BYTES] = { 0 };
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(mark, 1, sizeof mark, file) : 0;
    if (file) fclose(file);
    return size >= 4 && (memcmp(mark, "PK\3\4", 4) == 0 || memcmp(mark, "PK\5\6", 4) == 0
                         || npy_begins(mark, (int64_t)size));
}

static RtTensors *open_tensors(const char *path, RtError *e)
{
    RtTensors *t = rt_tensors_open(path, e);
    bool ours = t && rt_tensors_metadata(t, "best_step");
    if (!t || rt_tensors_verify(t, ours ? RT_CHECKSUM_REQUIRED : RT_CHECKSUM_IF_ANY, e)) return t;
    rt_tensors_close(t);
    return NULL;
}

RtWeights *rt_weights_open(const char *path, RtError *e)
{
    RtWeights *w = calloc(1, sizeof *w);
    if (!w) {
        rt_fail(e, "%.300s: out of memory", path);
        return NULL;
    }
    if (is_arrays(path)) w->arrays = rt_arrays_open(path, e);
    else w->tensors = open_tensors(path, e);
    if (w->arrays || w->tensors) return w;
    free(w);
    return NULL;
}

void rt_weights_close(RtWeights *w)
{
    if (!w) return;
    rt_tensors_close(w->tensors);
    rt_arrays_close(w->arrays);
    free(w);
}

int rt_weights_count(const RtWeights *w)
{
    return w->tensors ? rt_tensors_count(w->tensors) : rt_arrays_count(w->arrays);
}

const RtTensor *rt_weights_at(const RtWeights *w, int i)
{
    return w->tensors ? rt_tensors_at(w->tensors, i) : rt_arrays_at(w->arrays, i);
}

const RtTensor *rt_weights_find(const RtWeights *w, const char *name)
{
    return w->tensors ? rt_tensors_find(w->tensors, name) : rt_arrays_find(w->arrays, name);
}

const RtTensors *rt_weights_tensors(const RtWeights *w) { return w->tensors; }

bool rt_weights_ours(const RtWeights *w) { return w->tensors && rt_tensors_metadata(w->tensors, "best_step"); }

static bool read_array(const RtWeights *w, const RtTensor *tensor, int32_t dtype, char *out, RtError *e)
{
    if (tensor->dtype == dtype) return rt_arrays_read(w->arrays, tensor, out, e);
    char *all = malloc((size_t)tensor->bytes + 1);
    bool good = all || rt_fail(e, "out of memory for reading array %.100s", tensor->name);
    good = good && rt_arrays_read(w->arrays, tensor, all, e);
    if (good) rt_convert(tensor->dtype, all, dtype, out, tensor->bytes / rt_dtype_bytes(tensor->dtype));
    free(all);
    return good;
}

/* Piece by piece, so that the unconverted elements take no memory. */
static bool read_tensor(const RtWeights *w, const RtTensor *tensor, int32_t dtype, char *out, RtError *e)
{
    if (tensor->dtype == dtype) return rt_tensors_read(w->tensors, tensor, out, e);
    int64_t size = rt_dtype_bytes(tensor->dtype), wanted = rt_dtype_bytes(dtype), step = PIECE_BYTES / size;
    int64_t count = tensor->bytes / size;
    char *piece = malloc(PIECE_BYTES);
    bool good = piece || rt_fail(e, "out of memory for reading tensor %.100s", tensor->name);
    for (int64_t at = 0; good && at < count; at += step) {
        int64_t n = count - at < step ? count - at : step;
        RtTensor part = *tensor;
        part.offset += at * size;
        part.bytes = n * size;
        good = rt_tensors_read(w->tensors, &part, piece, e);
        if (good) rt_convert(tensor->dtype, piece, dtype, out + at * wanted, n);
    }
    free(piece);
    return good;
}

bool rt_weights_read(const RtWeights *w, const RtTensor *tensor, int32_t dtype, char *out, RtError *e)
{
    return w->tensors ? read_tensor(w, tensor, dtype, out, e) : read_array(w, tensor, dtype, out, e);
}
