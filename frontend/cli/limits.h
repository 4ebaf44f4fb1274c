/* What this host can do at most, measured: the roofline that kernels are held against (Williams, Waterman, Patterson,
 * "Roofline: an insightful visual performance model for multicore architectures", CACM 2009). */
#ifndef PTM_CLI_LIMITS_H
#define PTM_CLI_LIMITS_H

#include "frontend/cli/session.h"
#include "runtime/core/pool.h"

/* Per second, with one thread and with those of the pool. */
typedef struct Rate {
    double one, all;
} Rate;

typedef struct Limits {
    int  threads;
    Rate multiply_add;                   /* f32 operations: sums in registers, two operations a multiply-add */
    Rate dots;                           /* bf16 operations in dot products of pairs; 0: the host has none */
    Rate read;                           /* bytes of memory much larger than the caches */
    Rate update;                         /* bytes read there, changed and written back: both count */
    Rate cache;                          /* bytes of one megabyte, read over and over */
    Rate product;                        /* f32 operations of OpenBLAS on one of GPT-2's products, 256 x 768 x 3072 */
    const char *kernels;                 /* the set that OpenBLAS has chosen: "SkylakeX" */
    const char *warning;                 /* when they are narrower than the host's vectors, or NULL */
} Limits;

/* Takes about a second. False after printing what is wrong. */
bool limits_measure(Session *s, Limits *out);
double limits_products(const Limits *l, DType precision);    /* operations of products a second, with all threads */
void limits_print(FILE *out, const Limits *l);

#endif
