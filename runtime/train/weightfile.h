/* A file of weights: safetensors, or arrays (.npz, .npy), told apart by its first bytes. */
#ifndef PTM_RUNTIME_WEIGHTFILE_H
#define PTM_RUNTIME_WEIGHTFILE_H

#include "runtime/data/arrays.h"
#include "runtime/train/tensors.h"

typedef struct RtWeights RtWeights;
/* Tensor files have their checksum proved: one that ptm wrote as a checkpoint must have it. NULL after an error. */
RtWeights *rt_weights_open(const char *path, RtError *e);
void       rt_weights_close(RtWeights *w);

int             rt_weights_count(const RtWeights *w);
const RtTensor *rt_weights_at(const RtWeights *w, int i);                /* in the order of the file's bytes */
const RtTensor *rt_weights_find(const RtWeights *w, const char *name);   /* NULL: no such tensor */
const RtTensors *rt_weights_tensors(const RtWeights *w);     /* the safetensors file; NULL: it is one of arrays */
bool            rt_weights_ours(const RtWeights *w);         /* a checkpoint of ptm */

/* The elements as those of another type (rt_converts): `out` has room for them. What needs no conversion goes straight
 * from the file to `out`. Files are read, not mapped: reading to where the elements are wanted is the one copy that a
 * mapping would need too, without a page fault for every 4 KB, and of a file that shrinks meanwhile it says so, where a
 * mapping ends the process. */
bool rt_weights_read(const RtWeights *w, const RtTensor *tensor, int32_t dtype, char *out, RtError *e);

#endif
