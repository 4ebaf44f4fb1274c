/* Arrays in files: .npy (one, without a name) and .npz (several: a zip archive of .npy), told apart by their first
 * bytes. Any version, byte order and axis order is read; elements that no row of dtype.def has are widened: int16 and
 * uint16 to i32, uint32 and uint64 to i64. Files are untrusted: what opened has been checked as far as its headers go;
 * reading an array of an archive compares its CRC. */
#ifndef PTM_RUNTIME_ARRAYS_H
#define PTM_RUNTIME_ARRAYS_H

#include <stdbool.h>

#include "runtime/data/tensor.h"
#include "runtime/text/tokenizer.h"

typedef struct RtArrays RtArrays;
RtArrays *rt_arrays_open(const char *path, RtError *e);      /* "-" is standard input. NULL after an error */
void      rt_arrays_close(RtArrays *a);

bool            rt_arrays_archive(const RtArrays *a);        /* .npz; else .npy, whose array has the name "" */
int             rt_arrays_count(const RtArrays *a);
/* In the order of the file's bytes. `bytes` and `dtype` are those that rt_arrays_read gives; `offset` is that of the
 * first of its bytes in the file, which may be packed. */
const RtTensor *rt_arrays_at(const RtArrays *a, int i);
const RtTensor *rt_arrays_find(const RtArrays *a, const char *name);         /* NULL: no such array */

/* Members of an archive that are no arrays of numbers are not among the arrays: why, or NULL when there is none of
 * this name. */
const char     *rt_arrays_refused(const RtArrays *a, const char *name);

/* The elements, packed with the first axis outermost, in this machine's byte order: tensor->bytes of them. tensor: one
 * of these arrays. */
bool rt_arrays_read(const RtArrays *a, const RtTensor *tensor, char *out, RtError *e);

#endif
