/* What a parallel region of the pool costs, with the processors idle and with other programs on them. usage:
 * barriers [THREADS ..] (default 1 2 3 8). Prints a table in Markdown, for every number of threads beside 0, 1 and 2
 * busy programs: an empty region, which is the barrier alone, and regions that share out work, tile by tile, of which
 * one thread takes WORK_US microseconds; the mean, since a rare long wait counts, and the median. */
#include "runtime/core/pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BUSY = 2, MOST_RUNS = 200000, TILES = 16, WORK_US = 100 };

static const double SECONDS = 0.5;                           /* of each measurement */

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void nothing(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)block, (void)args, (void)begin, (void)end, (void)scratch, (void)fault;
}

/* args[0]: additions, each waiting for the one before. */
static void count_up(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)block, (void)begin, (void)end, (void)scratch, (void)fault;
    for (volatile int64_t i = 0; i < args[0]; i++) continue;
}

static int by_size(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

typedef struct Times {
    double mean, median;
} Times;

static Times time_regions(Pool *pool, const RtStep *step)
{
    static double ns[MOST_RUNS];
    RtFault fault = {0};
    char *block[BLOCK_COUNT] = {0};
    int runs = 0;
    for (int i = 0; i < 100; i++) rt_pool_run(pool, step, 1, block, &fault);
    double start = now_ns(), last = start;
    while (runs < MOST_RUNS && last - start < 1e9 * SECONDS) {
        rt_pool_run(pool, step, 1, block, &fault);
        double time = now_ns();
        ns[runs++] = time - last;
        last = time;
    }
    qsort(ns, (size_t)runs, sizeof *ns, by_size);
    return (Times){(last - start) / runs, ns[runs / 2]};
}

/* Additions that one thread makes in a microsecond. */
static double speed(void)
{
    int64_t count = 20000000;
    double start = now_ns();
    count_up(NULL, &count, 0, 0, NULL, NULL);
    return 1e3 * (double)count / (now_ns() - start);
}

static void measure(int threads, int busy, double additions)
{
    pid_t child[MOST_BUSY];
    for (int k = 0; k < busy; k++)
        if ((child[k] = fork()) == 0)
            for (volatile int64_t i = 0; ; i++) continue;
    Pool *pool = rt_pool_new(threads, 0);
    if (!pool) exit(1);
    int64_t each = (int64_t)(additions * WORK_US / TILES);
    RtStep empty = {.run = nothing, .extent = threads > 1 ? threads : 2, .tile = 1},
           work = {.run = count_up, .args = &each, .extent = TILES, .tile = 1};
    Times barrier = time_regions(pool, &empty), shared = time_regions(pool, &work);
    printf("| %d | %d | %.0f | %.0f | %.1f | %.1f |\n", threads, busy, barrier.median, barrier.mean,
           1e-3 * shared.median, 1e-3 * shared.mean);
    fflush(stdout);
    rt_pool_free(pool);
    for (int k = 0; k < busy; k++) {
        kill(child[k], SIGKILL);
        waitpid(child[k], NULL, 0);
    }
}

int main(int argc, char **argv)
{
    static char *const usual[] = {"1", "2", "3", "8"};
    double additions = speed();
    int count = argc > 1 ? argc - 1 : (int)(sizeof usual / sizeof *usual);
    printf("| threads | busy programs | barrier, ns: median | mean | %d us of work: median us | mean |\n"
           "|---|---|---|---|---|---|\n", WORK_US);
    for (int k = 0; k < count; k++)
        for (int busy = 0; busy <= MOST_BUSY; busy++) measure(atoi(argc > 1 ? argv[k + 1] : usual[k]), busy, additions);
    return 0;
}
