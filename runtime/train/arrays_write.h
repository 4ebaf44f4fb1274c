/* Writing arrays to .npy and .npz files, with replace.h: the file is there whole or not at all; "-" is standard output.
 * Equal tensors give equal bytes. */
#ifndef PTM_RUNTIME_ARRAYS_WRITE_H
#define PTM_RUNTIME_ARRAYS_WRITE_H

#include "runtime/data/tensor.h"
#include "runtime/text/tokenizer.h"

bool rt_npy_write(const char *path, const RtTensor *tensor, RtError *e);     /* its name is not written */
bool rt_npz_write(const char *path, const RtTensor *tensors, int count, RtError *e);

#endif
