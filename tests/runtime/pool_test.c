/* The pool gives out every tile exactly once, whole, to any number of threads, of which none waits for one that does
 * not come; and threads that sleep wake up. */
#define _GNU_SOURCE                      /* sched_getaffinity */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/core/memory.h"
#include "runtime/core/pool.h"

enum { MOST_UNITS = 1000 };

typedef struct Log {
    atomic_int units[MOST_UNITS];        /* how often each unit was given out */
    atomic_int calls, torn;              /* calls; calls that were not one whole tile */
} Log;

/* args: tile, extent, which log. */
static void count_units(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                        RtFault *fault)
{
    (void)fault;
    Log *log = (Log *)block[BLOCK_work] + args[2];
    int64_t tile = args[0], extent = args[1];
    int64_t wanted_end = begin + tile < extent ? begin + tile : extent;
    if (begin % tile != 0 || end != wanted_end || (uintptr_t)scratch % 64 != 0) atomic_fetch_add(&log->torn, 1);
    memset(scratch, (int)begin, 256);                /* a neighbour's scratch must not be ours */
    for (int64_t i = begin; i < end; i++) atomic_fetch_add(&log->units[i], 1);
    for (int i = 0; i < 256; i++) {
        if (scratch[i] != (char)begin) atomic_fetch_add(&log->torn, 1);
    }
    atomic_fetch_add(&log->calls, 1);
}

static void check_step(Pool *pool, int64_t extent, int64_t tile)
{
    static Log log;
    memset(&log, 0, sizeof log);
    char *block[BLOCK_COUNT] = {[BLOCK_work] = (char *)&log};
    int64_t args[] = {tile, extent, 0};
    RtStep step = {.run = count_units, .args = args, .extent = extent, .tile = tile};
    RtFault fault = {0};
    rt_pool_run(pool, &step, 1, block, &fault);
    for (int64_t i = 0; i < MOST_UNITS; i++) assert_int_equal(log.units[i], i < extent);
    assert_int_equal(log.torn, 0);
    assert_int_equal(log.calls, (extent + tile - 1) / tile);
}

static void every_tile_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        Pool *pool = rt_pool_new(threads, 256);
        assert_int_equal(rt_pool_threads(pool), threads);
        for (int64_t extent = 0; extent <= 40; extent++) {
            for (int64_t tile = 1; tile <= 9; tile++) check_step(pool, extent, tile);
        }
        check_step(pool, MOST_UNITS, 7);
        rt_pool_free(pool);
    }
}

/* Steps of any sizes that run together; each has units of its own. */
static void check_group(Pool *pool, const int64_t *extents, const int64_t *tiles, int32_t count)
{
    enum { MOST = 8 };
    static Log logs[MOST];
    int64_t args[MOST][3];
    RtStep steps[MOST] = {0};
    memset(logs, 0, sizeof logs);
    char *block[BLOCK_COUNT] = {[BLOCK_work] = (char *)logs};
    for (int32_t k = 0; k < count; k++) {
        args[k][0] = tiles[k], args[k][1] = extents[k], args[k][2] = k;
        steps[k] = (RtStep){.run = count_units, .args = args[k], .extent = extents[k], .tile = tiles[k]};
    }
    RtFault fault = {0};
    rt_pool_run(pool, steps, count, block, &fault);
    for (int32_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < MOST_UNITS; i++) assert_int_equal(logs[k].units[i], i < extents[k]);
        assert_int_equal(logs[k].torn, 0);
    }
}

static void every_tile_of_a_group_once(void **state)
{
    (void)state;
    static const int64_t extents[] = {1, 2, 7, 0, 30, 1, 13, 3}, tiles[] = {1, 4, 2, 3, 7, 8, 13, 1};
    for (int threads = 1; threads <= 5; threads++) {
        Pool *pool = rt_pool_new(threads, 256);
        for (int first = 0; first < 8; first++)
            for (int count = 1; count <= 8 - first; count++)
                check_group(pool, extents + first, tiles + first, (int32_t)count);
        rt_pool_free(pool);
    }
}

/* Threads are told apart by their scratch. args: which step. */
static void note_thread(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                        RtFault *fault)
{
    (void)begin, (void)end, (void)fault;
    ((char **)block[BLOCK_work])[args[0]] = scratch;
}

static bool has_two_processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 1;
}

typedef struct Meeting {
    atomic_int begun, ended;
    atomic_bool late;                    /* somebody waited for too long */
} Meeting;

static void wait_until(Meeting *m, atomic_int *count, int wanted)
{
    enum { SECONDS = 20 };
    time_t start = time(NULL);
    while (atomic_load(count) < wanted && !m->late) m->late = time(NULL) > start + SECONDS;
}

/* args[0]: tiles that begin before one of them ends. */
static void meet(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)begin, (void)end, (void)scratch, (void)fault;
    Meeting *m = (Meeting *)block[BLOCK_work];
    atomic_fetch_add(&m->begun, 1);
    wait_until(m, &m->begun, (int)args[0]);
}

static void single_tiles_run_side_by_side(void **state)
{
    (void)state;
    if (!has_two_processors()) skip();
    Meeting m = {0};
    char *ran[4] = {0}, *block[BLOCK_COUNT] = {[BLOCK_work] = (char *)&m};
    int64_t two = 2, args[] = {0, 1, 2, 3};
    RtStep steps[4];
    for (int k = 0; k < 2; k++) steps[k] = (RtStep){.run = meet, .args = &two, .extent = 1, .tile = 1};
    Pool *pool = rt_pool_new(2, 256);
    RtFault fault = {0};
    rt_pool_run(pool, steps, 2, block, &fault);
    assert_false(m.late);
    block[BLOCK_work] = (char *)ran;                             /* too little to tell another thread about */
    for (int k = 0; k < 4; k++) steps[k] = (RtStep){.run = note_thread, .args = args + k, .extent = 1, .tile = 8};
    rt_pool_run(pool, steps, 4, block, &fault);
    assert_non_null(ran[0]);
    for (int k = 1; k < 4; k++) assert_ptr_equal(ran[k], ran[0]);
    rt_pool_free(pool);
}

/* args[0]: the tile that ends after all others; args[1]: how many those are. */
static void hold_up(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)end, (void)scratch, (void)fault;
    Meeting *m = (Meeting *)block[BLOCK_work];
    if (begin == args[0]) wait_until(m, &m->ended, (int)args[1]);
    atomic_fetch_add(&m->ended, 1);
}

static void tiles_behind_a_slow_one_are_taken(void **state)
{
    (void)state;
    enum { TILES = 12 };
    if (!has_two_processors()) skip();
    for (int threads = 2; threads <= 8; threads += 3) {
        Pool *pool = rt_pool_new(threads, 256);
        for (int64_t slow = 0; slow < TILES; slow++) {
            Meeting m = {0};
            char *block[BLOCK_COUNT] = {[BLOCK_work] = (char *)&m};
            int64_t args[] = {slow, TILES - 1};
            RtStep step = {.run = hold_up, .args = args, .extent = TILES, .tile = 1};
            RtFault fault = {0};
            rt_pool_run(pool, &step, 1, block, &fault);
            assert_false(m.late);
        }
        rt_pool_free(pool);
    }
}

static void sleepers_wake(void **state)
{
    (void)state;
    Pool *pool = rt_pool_new(3, 256);
    for (int i = 0; i < 5; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        check_step(pool, 100, 3);
    }
    rt_pool_free(pool);
}

static void add_one(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)args, (void)scratch, (void)fault;
    for (int64_t i = begin; i < end; i++) ((int64_t *)block[BLOCK_work])[i]++;
}

/* args[0]: the unit that fails. */
static void fail_at(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)block, (void)scratch;
    if (begin <= args[0] && args[0] < end) *fault = (RtFault){.place = 1, .value = 70, .bound = 65};
}

static void many_steps_in_order(void **state)
{
    (void)state;
    enum { STEPS = 3000, UNITS = 64 };
    static RtStep steps[STEPS];
    static int64_t work[UNITS];
    memset(work, 0, sizeof work);
    for (int i = 0; i < STEPS; i++) steps[i] = (RtStep){.run = add_one, .extent = UNITS, .tile = i % 3 ? 4 : UNITS};
    Program program = {.steps = steps, .step_count = STEPS};
    char *block[BLOCK_COUNT] = {[BLOCK_work] = (char *)work};
    Pool *pool = rt_pool_new(4, 0);
    RtFault fault;
    assert_int_equal(rt_program_run(&program, pool, block, &fault), 0);
    for (int i = 0; i < UNITS; i++) assert_int_equal(work[i], STEPS);
    rt_pool_free(pool);
}

static void fault_ends_the_run(void **state)
{
    (void)state;
    int64_t work[8] = {0}, bad = 5;
    RtStep steps[] = {
        {.run = add_one, .extent = 8, .tile = 1},
        {.run = fail_at, .args = &bad, .extent = 8, .tile = 1},
        {.run = add_one, .extent = 8, .tile = 1},
    };
    Program program = {.steps = steps, .step_count = 3};
    char *block[BLOCK_COUNT] = {[BLOCK_work] = (char *)work};
    Pool *pool = rt_pool_new(2, 0);
    RtFault fault = {.place = 9};
    assert_int_equal(rt_program_run(&program, pool, block, &fault), 1);
    assert_int_equal(fault.place, 1);
    assert_int_equal(fault.value, 70);
    assert_int_equal(fault.bound, 65);
    assert_int_equal(work[0], 1);
    program.step_count = 1;
    assert_int_equal(rt_program_run(&program, pool, block, &fault), 0);
    assert_int_equal(fault.place, 0);
    rt_pool_free(pool);
}

/* Writes one byte at `at` in a child; its exit by a signal is wanted. */
static void check_guarded(char *at)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        *(volatile char *)at = 1;
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void memory_is_guarded(void **state)
{
    (void)state;
    int64_t page = (int64_t)sysconf(_SC_PAGESIZE), bytes = 3 * page;
    char *memory = rt_memory_new(bytes);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % (uintptr_t)page, 0);
    for (int64_t i = 0; i < bytes; i++) assert_int_equal(memory[i], 0);
    memset(memory, 0xA5, (size_t)bytes);
    check_guarded(memory - 1);
    check_guarded(memory + bytes);
    rt_memory_free(memory, bytes);
    char *empty = rt_memory_new(0);
    assert_non_null(empty);
    rt_memory_free(empty, 0);
    assert_null(rt_memory_new(INT64_MAX));
    assert_null(rt_memory_new(-1));
}

static void memory_is_cleared(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 5000, (2 << 20) - 1, (4 << 20) + 12345};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        char *memory = rt_memory_new(sizes[k]);
        assert_non_null(memory);
        for (int round = 0; round < 2; round++) {
            memset(memory, 0xA5, (size_t)sizes[k]);
            rt_memory_clear(memory, sizes[k]);
            for (int64_t i = 0; i < sizes[k]; i++)
                if (memory[i]) fail_msg("byte %lld of %lld", (long long)i, (long long)sizes[k]);
        }
        rt_memory_free(memory, sizes[k]);
    }
}

/* More scratch than there are addresses: no pool, and no thread to wait for. */
static void a_pool_without_memory_is_none(void **state)
{
    (void)state;
    assert_null(rt_pool_new(4, (int64_t)1 << 46));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tile_once),     cmocka_unit_test(sleepers_wake),
        cmocka_unit_test(every_tile_of_a_group_once),
        cmocka_unit_test(single_tiles_run_side_by_side),
        cmocka_unit_test(tiles_behind_a_slow_one_are_taken),
        cmocka_unit_test(many_steps_in_order), cmocka_unit_test(fault_ends_the_run),
        cmocka_unit_test(memory_is_guarded),   cmocka_unit_test(a_pool_without_memory_is_none),
        cmocka_unit_test(memory_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
