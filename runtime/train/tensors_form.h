/* The facts about tensor files that reading and writing share. */
#ifndef PTM_RUNTIME_TENSORS_FORM_H
#define PTM_RUNTIME_TENSORS_FORM_H

#include "runtime/data/value.h"
#include "runtime/core/checksum.h"

/* Names of element types in the header. */
static const char *const tensor_dtype_names[RT_DTYPE_COUNT] = {
    [RT_f32] = "F32", [RT_f64] = "F64", [RT_bf16] = "BF16", [RT_f16] = "F16", [RT_i64] = "I64",
    [RT_i32] = "I32", [RT_i8] = "I8",   [RT_u8] = "U8",     [RT_bool] = "BOOL",
};

enum {
    TENSOR_LENGTH_BYTES = 8,             /* of the length that stands before the header */
    TENSOR_ALIGN = 64,                   /* the data of a file that we write begins at a multiple of this */
    TENSOR_HEADER_LIMIT = 100000000,     /* the format's own limit */
    CHECKSUM_DIGITS = 16
};

/* A file with a checksum begins with this text, the digits, and a quotation mark. The checksum is that of the
 * header with zeros for the digits, followed by the tensors one by one. */
#define TENSOR_CHECKSUM_START "{\"__metadata__\":{\"checksum\":\""
#define TENSOR_CHECKSUM_ZEROS "0000000000000000"

#endif
