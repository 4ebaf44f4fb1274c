/* The thread pool. Steps that do not depend on each other are published together, as a region. Each thread, the caller
 * included, has its own chunk of the tiles of each step, the same one whenever the step runs, and takes them one by
 * one; then it takes what others have left. Workers join a region while it is open, and the caller waits for those who
 * did and not for the others: one that is asleep, or that the system runs somebody else in place of, costs no more than
 * the tile that it holds. Waiting is spinning for about as long as a neighbouring kernel takes, then sleeping; no more
 * workers are kept awake than there are processors.
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
    /* Of waiting: alone, then letting others run, then asleep; chosen by steps of gpt.ptm on two processors, idle and
     * with other programs. */
    SPIN_NS = 40000, YIELD_NS = 200000,
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

/* Tiles of a thread's own that have been asked for, by whomever; in a line of its own. */
typedef struct Queue {
    _Alignas(CACHE_LINE) atomic_llong taken;
} Queue;

/* The words of Pool.state: workers inside the region, whether it is open, whether workers are to leave for good, and a
 * count of regions in what is left. */
enum { INSIDE = 0xff, OPEN = 0x100, LEAVE = 0x200, REGION = 0x400 };

struct Pool {
    int     threads, started;            /* with the caller; started: those that run, who are to be waited for */
    int     most_awake;                  /* workers that have a processor beside the caller's */
    int64_t scratch_stride;              /* bytes from one thread's scratch to the next one's */
    int64_t scratch_bytes;               /* of all threads */
    char   *scratch;
    char   *warm;                        /* of all threads, while the pool is being made */
    Worker  worker[RT_MAX_THREADS];

    /* The region, in the one line that waiting workers look at; written by the caller only while nobody is inside. */
    _Alignas(CACHE_LINE) atomic_uint state;
    int32_t       count;
    const RtStep *steps;
    char *const  *block;
    RtFault      *fault;
    Queue queue[RT_MAX_THREADS];
    _Alignas(CACHE_LINE) atomic_int sleepers;        /* workers asleep on `work` or about to be, not yet told to wake */
    int             woken;               /* workers told to wake that still sleep; under the lock */
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

static int64_t tile_count(const RtStep *step) { return (step->extent + step->tile - 1) / step->tile; }
static const RtStep *next_step(const RtStep *step) { return step + (step->tiled ? 2 : 1); }

/* A way through the tiles of one thread, which are numbered through all steps. Thread t of n has tiles [(t * tiles +
 * before) / n, ((t + 1) * tiles + before) / n) of a step, where `before` counts the tiles of the steps before it: those
 * that do not share out fall to the threads in turn. */
typedef struct Walk {
    const RtStep *step, *end;
    int64_t thread, threads, before;
    int64_t first, last;                 /* tiles of the step */
    int64_t from;                        /* number of the first one */
} Walk;

static void find_chunk(Walk *w)
{
    int64_t tiles = w->step < w->end ? tile_count(w->step) : 0;
    w->first = (w->thread * tiles + w->before) / w->threads;
    w->last = ((w->thread + 1) * tiles + w->before) / w->threads;
}

static Walk walk_of(const RtStep *steps, int32_t count, int64_t thread, int64_t threads)
{
    Walk w = {.step = steps, .end = steps + count, .thread = thread, .threads = threads};
    find_chunk(&w);
    return w;
}

/* Goes on to the step with the tile of this number; false: there is none. Numbers asked for never fall. */
static bool walk_to(Walk *w, int64_t number)
{
    for (; w->step < w->end; find_chunk(w)) {
        if (number - w->from < w->last - w->first) return true;
        w->from += w->last - w->first;
        w->before = (w->before + tile_count(w->step)) % w->threads;
        w->step = next_step(w->step);
    }
    return false;
}

static void run_tile(const RtStep *step, int64_t tile, char *const *block, RtFault *fault, char *scratch)
{
    RtKernel *run = step->tiled ? step->tiled : step->run;
    int64_t begin = tile * step->tile, end = begin + step->tile;
    run(block, step->args, begin, end < step->extent ? end : step->extent, scratch, fault);
}

static void run_alone(const Pool *pool, const RtStep *steps, int32_t count, char *const *block, RtFault *fault)
{
    for (const RtStep *step = steps; step < steps + count; step = next_step(step))
        for (int64_t tile = 0; tile * step->tile < step->extent; tile++)
            run_tile(step, tile, block, fault, scratch_of(pool, 0));
}

/* What thread `owner` has left, on thread `thread`. */
static void run_queue(Pool *pool, int owner, int thread)
{
    Walk w = walk_of(pool->steps, pool->count, owner, pool->threads);
    atomic_llong *taken = &pool->queue[owner].taken;
    char *scratch = scratch_of(pool, thread);
    while (walk_to(&w, atomic_load_explicit(taken, memory_order_relaxed))) {
        int64_t number = atomic_fetch_add_explicit(taken, 1, memory_order_relaxed);
        if (!walk_to(&w, number)) return;
        run_tile(w.step, w.first + number - w.from, pool->block, pool->fault, scratch);
    }
}

static void run_region(Pool *pool, int thread)
{
    for (int k = 0; k < pool->threads; k++) run_queue(pool, (thread + k) % pool->threads, thread);
}

/* Tiles that are worth a thread: as many as there are, none if all of it is less than one full tile. */
static int64_t tiles_to_share(const RtStep *steps, int32_t count)
{
    int64_t tiles = 0;
    double full = 0;
    for (const RtStep *step = steps; step < steps + count; step = next_step(step)) {
        tiles += tile_count(step);
        full += (double)step->extent / (double)step->tile;
    }
    return full > 1 ? tiles : 0;
}

/* ---- workers ---- */

/* Whether a worker that has seen `last` has something to do. */
static bool is_news(unsigned state, unsigned last)
{
    return (state & LEAVE) || ((state & OPEN) && (state ^ last) >= REGION);
}

/* Between two looks at what a thread waits for since `start`; false: it should sleep. */
static bool waits_on(int64_t start)
{
    int64_t waited = now_ns() - start;
    if (waited > SPIN_NS) sched_yield();
    return waited <= YIELD_NS;
}

static bool spin_for_work(Pool *pool, unsigned last)
{
    int64_t start = now_ns();
    do {
        for (int i = 0; i < SPIN_ROUNDS; i++) {
            if (is_news(atomic_load_explicit(&pool->state, memory_order_relaxed), last)) return true;
            relax();
        }
    } while (waits_on(start));
    return false;
}

static int64_t awake(Pool *pool) { return pool->threads - 1 - atomic_load(&pool->sleepers); }

/* Sleeping never misses a wake-up: the sleeper announces itself and then looks at the state once more, the caller
 * changes the state and then looks for sleepers, all in one sequentially consistent order. */
static void wait_for_work(Pool *pool, unsigned last)
{
    if (awake(pool) <= pool->most_awake && spin_for_work(pool, last)) return;
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    for (;;) {
        unsigned state = atomic_load(&pool->state);
        bool wanted = awake(pool) < pool->most_awake && is_news(state, last);
        if (pool->woken > 0 || wanted || (state & LEAVE)) break;
        pthread_cond_wait(&pool->work, &pool->lock);
    }
    if (pool->woken > 0) pool->woken--;
    else atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

/* Until so many workers are awake. */
static void wake(Pool *pool, int64_t wanted)
{
    if (awake(pool) >= wanted) return;
    pthread_mutex_lock(&pool->lock);
    for (; awake(pool) < wanted; pool->woken++) {
        atomic_fetch_sub(&pool->sleepers, 1);
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
}

/* Inside, what the region is made of stands still. Whoever comes too late has only counted itself in and out. */
static unsigned enter(Pool *pool)
{
    return atomic_fetch_add_explicit(&pool->state, 1, memory_order_acquire);
}

static void leave(Pool *pool)
{
    unsigned before = atomic_fetch_sub(&pool->state, 1);
    if ((before & OPEN) || (before & INSIDE) != 1 || !atomic_load(&pool->caller_sleeps)) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- the caller ---- */

static void publish(Pool *pool, const RtStep *steps, int32_t count, char *const *block, RtFault *fault)
{
    pool->steps = steps;
    pool->count = count;
    pool->block = block;
    pool->fault = fault;
    for (int t = 0; t < pool->threads; t++) atomic_store_explicit(&pool->queue[t].taken, 0, memory_order_relaxed);
    atomic_fetch_add(&pool->state, REGION | OPEN);
}

static bool nobody_inside(Pool *pool) { return (atomic_load(&pool->state) & INSIDE) == 0; }

static bool spin_for_workers(Pool *pool)
{
    int64_t start = now_ns();
    do {
        for (int i = 0; i < SPIN_ROUNDS; i++) {
            if (nobody_inside(pool)) return true;
            relax();
        }
    } while (waits_on(start));
    return false;
}

/* Behind this every tile is finished, and nobody looks at the region any more. */
static void close_region(Pool *pool)
{
    unsigned before = atomic_fetch_and(&pool->state, ~(unsigned)OPEN);
    if ((before & INSIDE) == 0 || spin_for_workers(pool)) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->caller_sleeps, true);
    while (!nobody_inside(pool)) pthread_cond_wait(&pool->done, &pool->lock);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- OpenBLAS ---- */

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

/* Products large enough to use a packing buffer. */
static void warm_up(const Pool *pool, int thread)
{
    enum { SIDE = WARM_UP_SIDE, AREA = SIDE * SIDE };
    float *a = (float *)pool->warm + (int64_t)thread * 3 * AREA;
    pin_openblas();
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

static int processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count;
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    Pool *pool = worker->pool;
    warm_up(pool, worker->index);
    leave(pool);
    for (unsigned state = 0; ; ) {
        wait_for_work(pool, state);
        state = enter(pool);
        if (state & OPEN) run_region(pool, worker->index);
        leave(pool);
        if (state & LEAVE) return NULL;
    }
}

static void stop_workers(Pool *pool)
{
    atomic_fetch_or(&pool->state, LEAVE);
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i < pool->started; i++) pthread_join(pool->worker[i].thread, NULL);
}

/* Those that run warm up inside a region that is closed. */
static bool start_workers(Pool *pool)
{
    bool going = true;
    while (going && pool->started < pool->threads) {
        Worker *worker = &pool->worker[pool->started];
        *worker = (Worker){.pool = pool, .index = pool->started};
        enter(pool);
        going = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
        if (going) pool->started++;
        else leave(pool);
    }
    warm_up(pool, 0);
    close_region(pool);
    return going;
}

int rt_pool_count(int wanted)
{
    int threads = wanted > 0 ? wanted : processors();
    return threads > RT_MAX_THREADS ? RT_MAX_THREADS : threads;
}

/* Of one thread, a cache line apart from the next one's. */
static int64_t scratch_stride(int64_t bytes) { return (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE + CACHE_LINE; }

int64_t rt_pool_room(int threads, int64_t scratch_bytes)
{
    return rt_pool_count(threads) * scratch_stride(scratch_bytes);
}

static bool start(Pool *pool)
{
    int64_t bytes = (int64_t)pool->threads * 3 * WARM_UP_SIDE * WARM_UP_SIDE * (int64_t)sizeof(float);
    pool->warm = rt_memory_new(bytes);
    bool started = pool->scratch && pool->warm && reserve_buffers(pool->threads) && start_workers(pool);
    rt_memory_free(pool->warm, bytes);
    return started;
}

Pool *rt_pool_new(int threads, int64_t scratch_bytes)
{
    int available = processors();
    threads = rt_pool_count(threads);
    Pool *pool = aligned_alloc(CACHE_LINE, (sizeof *pool + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (!pool) return NULL;
    *pool = (Pool){.threads = threads, .started = 1, .most_awake = (threads < available ? threads : available) - 1};
    pool->scratch_stride = scratch_stride(scratch_bytes);
    pool->scratch_bytes = pool->scratch_stride * threads;
    pool->scratch = rt_memory_new(pool->scratch_bytes);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    if (start(pool)) return pool;
    rt_pool_free(pool);
    return NULL;
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
    int64_t tiles = pool->most_awake > 0 ? tiles_to_share(steps, count) : 0;
    if (tiles < 2) {
        run_alone(pool, steps, count, block, fault);
        return;
    }
    publish(pool, steps, count, block, fault);
    wake(pool, tiles - 1 < pool->most_awake ? tiles - 1 : pool->most_awake);
    run_region(pool, 0);
    close_region(pool);
}
