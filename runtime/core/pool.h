/* The thread pool: workers spin a little and then sleep; work is given out in whole tiles, so which thread computes
 * what never changes a result. Each thread begins with a chunk of its own and goes on with what others have left. */
#ifndef PTM_RUNTIME_POOL_H
#define PTM_RUNTIME_POOL_H

#include "runtime/core/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* threads: 0 means one per processor this process may use. scratch_bytes: per thread. NULL when memory is short. Pins
 * OpenBLAS to one thread in every worker, whichever of its builds is loaded. */
Pool *rt_pool_new(int threads, int64_t scratch_bytes);
void  rt_pool_free(Pool *pool);
int   rt_pool_count(int threads);        /* how many a pool has for this argument */
int   rt_pool_threads(const Pool *pool);
int64_t rt_pool_scratch(const Pool *pool);                   /* bytes of all threads */
int64_t rt_pool_room(int threads, int64_t scratch_bytes);    /* what that will be, for the arguments of rt_pool_new */

/* Runs `count` steps that do not depend on each other: the tiles of each spread over the threads; returns when all are
 * done. */
void rt_pool_run(Pool *pool, const RtStep *steps, int32_t count, char *const *block, RtFault *fault);

#ifdef __cplusplus
}
#endif

#endif
