/* A stream: batches of rows as a pure function of (seed, step). There is no cursor and no stored order: to resume is to
 * ask for the next step. Rows are runs of bytes at equal distances in an array that the stream borrows, which serves
 *   rows of a table      row = place = one row
 *   windows over ids     a row starts `step` ids after the last, a shuffled one anywhere
 *   parallel streams     the array is cut into as many equal parts as a batch has rows; every step goes on in all
 *   padded rows          rows of like length come together, so that batches are no wider than needed (groups.h)
 */
#ifndef PTM_RUNTIME_STREAM_H
#define PTM_RUNTIME_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/core/program.h"

struct RtTokenizer;

/* The shapes that the batches of a stream may have: few, so that a program is compiled for each. Streams of one call
 * have equally many, and at every step all of them have the same one. */
enum { RT_MAX_VARIANTS = 16 };
typedef struct RtVariant {
    int64_t rows;                        /* shape[0] */
    int64_t width;                       /* shape[1]; 0: that of all batches, or there is no second axis */
    bool    trains, passes;              /* whether training steps, finite passes have such batches */
    int64_t weight;                      /* what a mean over such a batch counts for in a mean over a pass, and what a
                                            step works through: its rows; of windows and parallel streams, rows times
                                            the elements of a row that are predicted from those before */
} RtVariant;

typedef struct RtStream {
    int32_t     dtype, rank;             /* of one batch; row of dtype.def */
    int64_t     shape[RT_MAX_RANK];      /* of variant 0: a full batch, in its widest form; shape[0] is the number of
                                            rows */
    int32_t     variant_count;           /* at least 1. The last may be the short one that ends a finite pass */
    RtVariant   variants[RT_MAX_VARIANTS];
    bool        carries;                 /* parallel streams: row r of a batch goes on where row r of the batch before
                                            ended */
    const char *base;                    /* the first row. The stream borrows it from the RtData that made it */
    int64_t     row_bytes;               /* of a row of variant 0 */
    int64_t     rows, row_stride;        /* of a finite pass, in data order: how many, and bytes from one to the next */
    int64_t     places, place_stride;    /* what a training pass draws from: as above, unless windows are shuffled.
                                            Parallel streams: rows are those of a batch, places the full steps of a
                                            pass */
    const struct RtGroups *groups;       /* which rows come together, when padded rows are batched by width; else
                                            NULL */
    bool        shuffle;                 /* a training pass visits its places in an order of its own */
    uint64_t    key;                     /* equal for streams of one call, which therefore draw the same rows at every
                                            step */
    const struct RtTokenizer *tokenizer; /* whose ids these are, for printing; NULL when that is not known */
} RtStream;

/* The variants of rows or windows, from the other fields: full batches, and the short one that may end a finite
 * pass. */
void rt_stream_set_variants(RtStream *s);

/* Bytes of a batch of variant 0: what `out` of both functions below must hold. */
int64_t rt_stream_bytes(const RtStream *s);

/* Training: full batches in one pass over the places (an epoch). 0 when there are fewer rows than one batch needs: such
 * a stream can be evaluated but not trained on, and the caller has to say so. */
int64_t rt_stream_steps(const RtStream *s);

/* The batch of training step `step` (0 is the first). Step / rt_stream_steps is the epoch; within an epoch no row comes
 * twice, and what does not fill a batch is left out (with shuffle, other rows in every epoch). Needs rt_stream_steps >
 * 0. */
void rt_stream_batch(const RtStream *s, uint64_t seed, int64_t step, void *out);

/* Which variant that batch has. */
int32_t rt_stream_variant(const RtStream *s, uint64_t seed, int64_t step);

/* The shape of batches of a variant, and their bytes: rt_stream_bytes at most. */
void    rt_stream_shape(const RtStream *s, int32_t variant, int64_t shape[RT_MAX_RANK]);
int64_t rt_stream_variant_bytes(const RtStream *s, int32_t variant);

/* A finite pass: the number of batches, the last of which may be short, and batch `index` in an order that follows from
 * the data. Returns the rows written (shape[0], or fewer in a short last batch; the bytes after them are left
 * alone). */
int64_t rt_stream_pass_batches(const RtStream *s);
int32_t rt_stream_pass_variant(const RtStream *s, int64_t index);
int64_t rt_stream_pass_batch(const RtStream *s, int64_t index, void *out);

/* Place of item i in the order of an epoch: a permutation of 0 .. count-1 for each (key, epoch). */
int64_t rt_stream_permute(uint64_t key, uint64_t epoch, int64_t i, int64_t count);

#endif
