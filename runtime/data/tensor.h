/* A named tensor in a file: of safetensors (train/tensors.h) or of .npy and .npz (arrays.h). */
#ifndef PTM_RUNTIME_TENSOR_H
#define PTM_RUNTIME_TENSOR_H

#include <stdint.h>

#include "runtime/core/program.h"

typedef struct RtTensor {
    const char *name;
    int32_t     dtype, rank;             /* row of dtype.def */
    int64_t     shape[RT_MAX_RANK];
    int64_t     bytes;
    int64_t     offset;                  /* in the file, of its first byte; not read when writing */
    const char *data;                    /* in memory, for writing; NULL when read */
} RtTensor;

#endif
