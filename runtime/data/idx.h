/* The idx format of the MNIST files (LeCun, yann.lecun.com/exdb/mnist, "The IDX file format"): two zero bytes, the
 * element type, the number of axes, their extents as big-endian 32-bit numbers, then the elements, big-endian. Files
 * are untrusted: what is said is compared with the size of the file before anything is allocated. */
#ifndef PTM_RUNTIME_IDX_H
#define PTM_RUNTIME_IDX_H

#include "runtime/data/bytes.h"
#include "runtime/data/tensor.h"

/* What the file holds: type, shape, bytes (16-bit numbers come as i32) and where its elements begin. False with a
 * message that names file and offset. */
bool idx_open(const FileBytes *file, RtTensor *out, RtError *e);
/* tensor->bytes of elements, in this machine's byte order. */
bool idx_read(const FileBytes *file, const RtTensor *tensor, char *out, RtError *e);

#endif
