/* Named tensors in a file: safetensors (huggingface.co/docs/safetensors, "Format"): 8 bytes with the length of a
 * JSON header, the header, the bytes of all tensors. Files are untrusted: a file that opened has been checked as a
 * whole, so every tensor lies inside it, has the size its shape says, and shares no byte with another. */
#ifndef PTM_RUNTIME_TENSORS_H
#define PTM_RUNTIME_TENSORS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/core/program.h"
#include "runtime/data/tensor.h"
#include "runtime/text/tokenizer.h"

typedef struct RtMeta {
    const char *key, *value;
} RtMeta;

/* Reading. */
typedef struct RtTensors RtTensors;
RtTensors      *rt_tensors_open(const char *path, RtError *e);       /* NULL after an error */
void            rt_tensors_close(RtTensors *t);
int             rt_tensors_count(const RtTensors *t);
const RtTensor *rt_tensors_at(const RtTensors *t, int i);            /* in the order of the file's bytes */
const RtTensor *rt_tensors_find(const RtTensors *t, const char *name);       /* NULL: no such tensor */
const char     *rt_tensors_metadata(const RtTensors *t, const char *key);    /* NULL: no such text */
bool            rt_tensors_read(const RtTensors *t, const RtTensor *tensor, char *out, RtError *e);

/* Reads the whole file and compares it with the checksum that rt_tensors_write left in it. A file without one is right
 * when it may be a foreign one: what this program wrote has one. */
typedef enum RtChecksum { RT_CHECKSUM_REQUIRED, RT_CHECKSUM_IF_ANY } RtChecksum;
bool rt_tensors_verify(const RtTensors *t, RtChecksum checksum, RtError *e);

/* Finds the tensor of this name, dtype and shape and reads it to `out`; the error names what differs. */
bool rt_tensors_load(const RtTensors *t, const RtValue *wanted, char *out, RtError *e);

/* Writing: beside `path`, then flushed to the disk and renamed over it, so that there is the old file or the new
 * one, whole. Allocates nothing: `buffer` holds rt_tensors_header_bytes. Metadata must not have the key "checksum",
 * which is added. Equal tensors and metadata give equal bytes. */
int64_t rt_tensors_header_bytes(const RtTensor *tensors, int count, const RtMeta *metadata, int metadata_count);
bool    rt_tensors_write(const char *path, const RtTensor *tensors, int count, const RtMeta *metadata,
                         int metadata_count, char *buffer, RtError *e);

#endif
