/* The thread pool. Steps that do not depend on each other are published together; each thread, the caller included,
 * runs its static chunk of the tiles of each and reports; the caller returns when all have. Waiting is spinning for
 * about as long as a neighbouring kernel takes, then sleeping.
 *
 * A kernel is called once per tile, never over a run of tiles, so what it computes cannot depend on how tiles are
 * shared out. */
#define _GNU_SOURCE                      /* sched_getaffinity, RTLD_DEFAULT */
#include "runtime/core/pool.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <cblas.h>

#include "runtime/core/memory.h"

enum {
    SPIN_NS = 40000,                     /* before a waiting thread sleeps; waking it costs about as much */
    SPIN_CROWDED_NS = 1000,              /* with more threads than processors spinning takes time from those who work */
    SPIN_ROUNDS = 32,                    /* pauses between two looks at the clock */
    CACHE_LINE = 64,
    BUFFER_ROOM = 129 << 20,             /* of a packing buffer of OpenBLAS, and what allocating it takes */
    WARM_UP_SIDE = 192                   /* of the products that make OpenBLAS map its buffers: too large for its small
                                            path */
};

typedef struct Worker {
    Pool     *pool;
    pthread_t thread;
    int       index;                     /* 1 .. threads - 1; the caller is 0 */
} Worker;

struct Pool {
    int     threads, spin_ns;
    int64_t scratch_stride;              /* bytes from one thread's scratch to the next one's */
    int64_t scratch_bytes;               /* of all threads */
    char   *scratch;
    Worker  worker[RT_MAX_THREADS];

    /* The published work, in the one line that waiting workers look at; written by the caller only while no worker is
     * busy. steps NULL: leave. */
    _Alignas(CACHE_LINE) atomic_uint generation;     /* counts published steps */
    const RtStep *steps;
    int32_t       count;
    char *const  *block;
    RtFault      *fault;
    _Alignas(CACHE_LINE) atomic_int busy;            /* workers that have not reported */
    _Alignas(CACHE_LINE) atomic_int sleepers;        /* workers asleep on `work`, or about to be */
    atomic_bool     caller_sleeps;
    pthread_mutex_t lock;
    pthread_cond_t  work, done;
};

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static char *scratch_of(const Pool *pool, int thread) { return pool->scratch + thread * pool->scratch_stride; }

/* Thread t of n runs tiles [(t * tiles + before) / n, ((t + 1) * tiles + before) / n) of a step, where `before` counts
 * the tiles of the steps before it: those that do not share out fall to the threads in turn. */
static void run_chunks(const Pool *pool, const RtStep *steps, int32_t count, char *const *block, RtFault *fault,
                       int64_t thread, int64_t threads)
{
    char *scratch = scratch_of(pool, (int)thread);
    int64_t before = 0;
    for (const RtStep *step = steps; step < steps + count; step += step->tiled ? 2 : 1) {
        RtKernel *run = step->tiled ? step->tiled : step->run;
        int64_t tiles = (step->extent + step->tile - 1) / step->tile;
        int64_t last = ((thread + 1) * tiles + before) / threads;
        for (int64_t tile = (thread * tiles + before) / threads; tile < last; tile++) {
            int64_t begin = tile * step->tile, end = begin + step->tile;
            run(block, step->args, begin, end < step->extent ? end : step->extent, scratch, fault);
        }
        before = (before + tiles) % threads;
    }
}

/* Whether there is more to do than one thread does while it would tell the others. */
static bool shares_out(const RtStep *steps, int32_t count)
{
    double tiles = 0;
    for (const RtStep *step = steps; step < steps + count; step += step->tiled ? 2 : 1) {
        if (step->extent > step->tile) return true;
        tiles += (double)step->extent / (double)step->tile;
    }
    return tiles > 1;
}

/* Spins until *word differs from `old` or the time is over; true when it differs. */
static bool spin_for_generation(Pool *pool, unsigned old)
{
    for (int64_t start = now_ns(); ; ) {
        for (int i = 0; i < SPIN_ROUNDS; i++) {
            if (atomic_load_explicit(&pool->generation, memory_order_acquire) != old) return true;
            relax();
        }
        if (now_ns() - start > pool->spin_ns) return false;
    }
}

static bool spin_for_workers(Pool *pool)
{
    for (int64_t start = now_ns(); ; ) {
        for (int i = 0; i < SPIN_ROUNDS; i++) {
            if (atomic_load_explicit(&pool->busy, memory_order_acquire) == 0) return true;
            relax();
        }
        if (now_ns() - start > pool->spin_ns) return false;
    }
}

/* Sleeping never misses a wake-up: the sleeper announces itself and then looks at the word once more, the waker
 * changes the word and then looks for sleepers, all in one sequentially consistent order. */
static void wait_for_work(Pool *pool, unsigned old)
{
    if (spin_for_generation(pool, old)) return;
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->generation) == old) pthread_cond_wait(&pool->work, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

static void publish(Pool *pool, const RtStep *steps, int32_t count, char *const *block, RtFault *fault)
{
    atomic_store_explicit(&pool->busy, pool->threads - 1, memory_order_relaxed);
    pool->steps = steps;
    pool->count = count;
    pool->block = block;
    pool->fault = fault;
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) == 0) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

static void report(Pool *pool)
{
    if (atomic_fetch_sub(&pool->busy, 1) != 1 || !atomic_load(&pool->caller_sleeps)) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->lock);
}

static void wait_for_workers(Pool *pool)
{
    if (spin_for_workers(pool)) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->caller_sleeps, true);
    while (atomic_load(&pool->busy) != 0) pthread_cond_wait(&pool->done, &pool->lock);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->lock);
}

/* OpenBLAS must not start threads inside ours. Its OpenMP build ignores openblas_set_num_threads in a foreign
 * thread and asks OpenMP, whose setting is per thread; the function is looked up because other builds do not bring
 * OpenMP. */
static void pin_openblas(void)
{
    openblas_set_num_threads(1);
    void *symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    if (!symbol) return;
    void (*set_threads)(int);
    *(void **)&set_threads = symbol;
    set_threads(1);
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    Pool *pool = worker->pool;
    pin_openblas();
    for (unsigned seen = 0; ; ) {
        wait_for_work(pool, seen);
        seen = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (!pool->steps) return NULL;
        run_chunks(pool, pool->steps, pool->count, pool->block, pool->fault, worker->index, pool->threads);
        report(pool);
    }
}

/* A product large enough to use a packing buffer. scratch holds three matrices. */
static void warm_up(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)args, (void)end, (void)scratch, (void)fault;
    enum { SIDE = WARM_UP_SIDE, AREA = SIDE * SIDE };
    float *a = (float *)block[BLOCK_work] + begin * 3 * AREA;
    for (int i = 0; i < 4; i++) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1.0f, a, SIDE, a + AREA, SIDE, 0.0f,
                    a + 2 * AREA, SIDE);
    }
}

/* Whether so many addresses are to be had: OpenBLAS asks for them again and again when they are not. */
static bool has_room(int64_t bytes)
{
    char *room = rt_memory_new(bytes);
    rt_memory_free(room, bytes);
    return room != NULL;
}

/* OpenBLAS maps a packing buffer (128 MiB of address space) for each product under way at the same time, when it first
 * needs one; that must happen now and not in a training step. Buffers that are given back stay mapped, so as many as
 * there are threads are taken at once. The two functions are no part of its interface, but every build exports them;
 * should one not, products in all threads at once most likely have the same effect. */
static bool reserve_buffers(int threads)
{
    void *alloc_symbol = dlsym(RTLD_DEFAULT, "blas_memory_alloc"),
        *free_symbol = dlsym(RTLD_DEFAULT, "blas_memory_free");
    void *(*take)(int), (*give_back)(void *), *buffers[RT_MAX_THREADS];
    if (!alloc_symbol || !free_symbol) return has_room((int64_t)threads * BUFFER_ROOM);
    *(void **)&take = alloc_symbol;
    *(void **)&give_back = free_symbol;
    int taken = 0;
    for (; taken < threads && has_room(BUFFER_ROOM); taken++) buffers[taken] = take(0);
    for (int i = 0; i < taken; i++)
        if (buffers[i]) give_back(buffers[i]);
    return taken == threads;
}

static bool warm_up_openblas(Pool *pool)
{
    if (!reserve_buffers(pool->threads)) return false;
    int64_t bytes = (int64_t)pool->threads * 3 * WARM_UP_SIDE * WARM_UP_SIDE * (int64_t)sizeof(float);
    char *block[BLOCK_COUNT] = {0};
    block[BLOCK_work] = rt_memory_new(bytes);
    if (!block[BLOCK_work]) return false;
    RtFault fault = {0};
    RtStep step = {.run = warm_up, .extent = pool->threads, .tile = 1};
    rt_pool_run(pool, &step, 1, block, &fault);
    rt_memory_free(block[BLOCK_work], bytes);
    return true;
}

static int processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count;
}

static void stop_workers(Pool *pool)
{
    if (pool->threads < 2) return;
    publish(pool, NULL, 0, NULL, NULL);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->worker[i].thread, NULL);
}

/* pool->threads counts those that run, so that a pool can be freed at any point. */
static bool start_workers(Pool *pool, int wanted)
{
    for (; pool->threads < wanted; pool->threads++) {
        Worker *worker = &pool->worker[pool->threads];
        *worker = (Worker){.pool = pool, .index = pool->threads};
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) return false;
    }
    return true;
}

static int thread_count(int wanted)
{
    int threads = wanted > 0 ? wanted : processors();
    return threads > RT_MAX_THREADS ? RT_MAX_THREADS : threads;
}

/* Of one thread, a cache line apart from the next one's. */
static int64_t scratch_stride(int64_t bytes) { return (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE + CACHE_LINE; }

int64_t rt_pool_room(int threads, int64_t scratch_bytes)
{
    return thread_count(threads) * scratch_stride(scratch_bytes);
}

Pool *rt_pool_new(int threads, int64_t scratch_bytes)
{
    int available = processors();
    threads = thread_count(threads);
    Pool *pool = aligned_alloc(CACHE_LINE, (sizeof *pool + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (!pool) return NULL;
    *pool = (Pool){.threads = 1, .spin_ns = threads > available ? SPIN_CROWDED_NS : SPIN_NS};
    pool->scratch_stride = scratch_stride(scratch_bytes);
    pool->scratch_bytes = pool->scratch_stride * threads;
    pool->scratch = rt_memory_new(pool->scratch_bytes);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    pin_openblas();
    if (!pool->scratch || !start_workers(pool, threads) || !warm_up_openblas(pool)) {
        rt_pool_free(pool);
        return NULL;
    }
    return pool;
}

int64_t rt_pool_scratch(const Pool *pool) { return pool->scratch_bytes; }

void rt_pool_free(Pool *pool)
{
    if (!pool) return;
    stop_workers(pool);
    rt_memory_free(pool->scratch, pool->scratch_bytes);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->done);
    free(pool);
}

int rt_pool_threads(const Pool *pool) { return pool->threads; }

void rt_pool_run(Pool *pool, const RtStep *steps, int32_t count, char *const *block, RtFault *fault)
{
    if (pool->threads == 1 || !shares_out(steps, count)) {
        run_chunks(pool, steps, count, block, fault, 0, 1);
        return;
    }
    publish(pool, steps, count, block, fault);
    run_chunks(pool, steps, count, block, fault, 0, pool->threads);
    wait_for_workers(pool);
}
