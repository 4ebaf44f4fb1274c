/* Elements on their way between a tensor of a file and a parameter: to another element type, and to other places. */
#ifndef PTM_RUNTIME_TRANSFER_H
#define PTM_RUNTIME_TRANSFER_H

#include "runtime/data/value.h"

/* Whether elements of one type can be had as another: of the same type, or both floats. A wider float takes every value
 * as it is; a narrower one the nearest, ties to even, infinity beyond its largest; NaN stays NaN. */
bool rt_converts(int32_t from, int32_t to);
void rt_convert(int32_t from_dtype, const void *from, int32_t to_dtype, void *to, int64_t count);

/* Row-major w as q * scale: a scale is max |w| / 127 of the elements that have it, q = floor(w / scale + 1/2), 0 for a
 * NaN. scales: the shape of `scale`, 1 in place of the axes along which one serves all. Where w is not finite the
 * scale is not either. */
void rt_quantize(const float *w, int32_t rank, const int64_t *shape, const int64_t *scales, int8_t *q, float *scale);

/* A block of elements that goes from one row-major tensor to another: element (i0, i1, ...), i_k < extent[k], is at
 * start + sum of i_k * stride[k] in each, counted in elements. */
typedef struct RtMove {
    int32_t rank;
    int64_t extent[RT_MAX_RANK];
    int64_t from_start, from_stride[RT_MAX_RANK];
    int64_t to_start, to_stride[RT_MAX_RANK];
} RtMove;

void    rt_move(const RtMove *move, int64_t element_bytes, const void *from, void *to);
RtMove  rt_move_back(const RtMove *m);   /* the way back */
int64_t rt_move_count(const RtMove *m);  /* elements */

#endif
