/* Measuring the host: multiply-adds in registers, of f32 and of pairs of bf16, a sweep over memory, OpenBLAS.
 * Each is the best of many short runs, since other programs can only take time away. */
#include "frontend/cli/limits.h"
#include "runtime/core/memory.h"
#include "runtime/train/progress.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    SUMS = 12,                           /* of multiply-adds at work: more than latency times units, fewer than
                                            registers */
    TURNS = 20000,                       /* of their loop, in a unit */
    UNITS_EACH = 64,                     /* such units for each thread: some milliseconds, so that all have begun */
    PIECE = 1 << 20,                     /* bytes of memory in a unit */
    PIECES = 256,                        /* more than caches hold */
    REPEATS = 25, SWEEPS = 5,
    ROWS = 256, WIDTH = 768, COLUMNS = 3072
};

/* A kernel (RtKernel) of vectors of `bytes`. Every unit is TURNS times SUMS multiply-adds; scratch: x, y, the sums. */
#define MULTIPLY_ADD(name, target, bytes)                                                                           \
    target static void name(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,     \
                            RtFault *fault)                                                                         \
    {                                                                                                               \
        typedef float Vector __attribute__((vector_size(bytes)));                                                   \
        Vector sum[SUMS], x, y;                                                                                     \
        (void)block, (void)args, (void)fault;                                                                       \
        memcpy(&x, scratch, sizeof x);                                                                              \
        memcpy(&y, scratch + sizeof x, sizeof y);                                                                   \
        memcpy(sum, scratch + 2 * sizeof x, sizeof sum);                                                            \
        for (int64_t turn = (end - begin) * TURNS; turn > 0; turn--) {                                              \
            _Pragma("GCC unroll 12") for (int k = 0; k < SUMS; k++) sum[k] = x * sum[k] + y;                        \
        }                                                                                                           \
        memcpy(scratch + 2 * sizeof x, sum, sizeof sum);                                                            \
    }

/* Reads PIECE bytes of the work block in every unit: another piece in each, or args[0] of them again and again. */
#define READ(name, target, bytes)                                                                                   \
    target static void name(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,     \
                            RtFault *fault)                                                                         \
    {                                                                                                               \
        typedef long long Vector __attribute__((vector_size(bytes)));                                               \
        Vector sum[4] = {{0}};                                                                                      \
        (void)fault;                                                                                                \
        for (int64_t unit = begin; unit < end; unit++) {                                                            \
            const Vector *at = (const Vector *)(block[BLOCK_work] + unit % args[0] * PIECE);                        \
            for (int64_t left = PIECE / (4 * bytes); left > 0; left--, at += 4) {                                   \
                _Pragma("GCC unroll 4") for (int k = 0; k < 4; k++) sum[k] += at[k];                                \
            }                                                                                                       \
        }                                                                                                           \
        memcpy(scratch, sum, sizeof sum);                                                                           \
    }

#if defined(__x86_64__)
/* As MULTIPLY_ADD: each multiplies and adds a pair of bf16 in every lane. */
__attribute__((target("avx512f,avx512bf16"))) static void dots_avx512(char *const *block, const int64_t *args,
                                                                      int64_t begin, int64_t end, char *scratch,
                                                                      RtFault *fault)
{
    __m512 sum[SUMS];
    __m512bh x, y;
    (void)block, (void)args, (void)fault;
    memcpy(&x, scratch, sizeof x);
    memcpy(&y, scratch + sizeof x, sizeof y);
    memcpy(sum, scratch + 2 * sizeof x, sizeof sum);
    for (int64_t turn = (end - begin) * TURNS; turn > 0; turn--) {
        _Pragma("GCC unroll 12") for (int k = 0; k < SUMS; k++) sum[k] = _mm512_dpbf16_ps(sum[k], x, y);
    }
    memcpy(scratch + 2 * sizeof x, sum, sizeof sum);
}
#endif

/* As READ of all pieces, and writes what it has read with a number added. */
#define UPDATE(name, target, bytes)                                                                                 \
    target static void name(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,     \
                            RtFault *fault)                                                                         \
    {                                                                                                               \
        typedef long long Vector __attribute__((vector_size(bytes)));                                               \
        (void)args, (void)scratch, (void)fault;                                                                     \
        Vector *at = (Vector *)(block[BLOCK_work] + begin * PIECE);                                                 \
        for (int64_t left = (end - begin) * (PIECE / (4 * bytes)); left > 0; left--, at += 4) {                     \
            _Pragma("GCC unroll 4") for (int k = 0; k < 4; k++) at[k] += 1;                                         \
        }                                                                                                           \
    }

#define PLAIN
MULTIPLY_ADD(multiply_add_plain, PLAIN, 16)
READ(read_plain, PLAIN, 16)
UPDATE(update_plain, PLAIN, 16)
#if defined(__x86_64__)
MULTIPLY_ADD(multiply_add_avx2, __attribute__((target("avx2,fma"))), 32)
MULTIPLY_ADD(multiply_add_avx512, __attribute__((target("avx512f"))), 64)
READ(read_avx2, __attribute__((target("avx2"))), 32)
UPDATE(update_avx2, __attribute__((target("avx2"))), 32)
READ(read_avx512, __attribute__((target("avx512f"))), 64)
UPDATE(update_avx512, __attribute__((target("avx512f"))), 64)
#endif

typedef struct Kernels {
    RtKernel *multiply_add, *read, *update, *dots;   /* dots: or NULL */
    int lanes;                           /* of f32 */
} Kernels;

static Kernels kernels_of_host(void)
{
#if defined(__x86_64__)
    RtKernel *dots = __builtin_cpu_supports("avx512bf16") ? dots_avx512 : NULL;
    if (__builtin_cpu_supports("avx512f"))
        return (Kernels){ multiply_add_avx512, read_avx512, update_avx512, dots, 16 };
    if (__builtin_cpu_supports("fma")) return (Kernels){ multiply_add_avx2, read_avx2, update_avx2, NULL, 8 };
#endif
    return (Kernels){ multiply_add_plain, read_plain, update_plain, NULL, 4 };
}

/* The best of several runs, in seconds. */
static double best_time(Pool *pool, const RtStep *step, char *const *block, int repeats)
{
    double best = 1e30;
    for (int k = 0; k < repeats; k++) {
        RtFault fault = { 0 };
        double start = clock_s();
        rt_pool_run(pool, step, 1, block, &fault);
        double seconds = clock_s() - start;
        if (seconds < best) best = seconds;
    }
    return best;
}

typedef struct Ground {
    Pool *one, *all;
    char *block[BLOCK_COUNT];
} Ground;

static Rate rate_of(const Ground *g, RtStep one, RtStep all, int repeats, double one_work, double all_work)
{
    return (Rate){ one_work / best_time(g->one, &one, g->block, repeats),
                   all_work / best_time(g->all, &all, g->block, repeats) };
}

/* each: operations of one instruction */
static Rate measure_arithmetic(const Ground *g, RtKernel *run, int each, int threads)
{
    double unit = (double)TURNS * SUMS * each, units = (double)UNITS_EACH * threads;
    RtStep one = { .run = run, .extent = UNITS_EACH, .tile = 1 }, all = one;
    all.extent = (int64_t)units;
    return rate_of(g, one, all, REPEATS, unit * UNITS_EACH, unit * units);
}

/* passes: how often each byte moves. pieces: of how many the sweep goes over. */
static Rate measure_sweep(const Ground *g, RtKernel *run, int passes, int64_t pieces)
{
    RtStep step = { .run = run, .args = &pieces, .extent = PIECES, .tile = 1 };
    double bytes = (double)passes * PIECES * PIECE;
    return rate_of(g, step, step, SWEEPS, bytes, bytes);
}

static void measure_product(const Ground *g, Limits *out)
{
    RtProduct p = { .a = RT_PLACE(BLOCK_work, 0), .b = RT_PLACE(BLOCK_work, 16 * PIECE),
                    .c = RT_PLACE(BLOCK_work, 64 * PIECE), .m = ROWS, .n = COLUMNS, .k = WIDTH, .a_row = WIDTH,
                    .a_column = 1, .b_row = COLUMNS, .b_column = 1, .c_row = COLUMNS, .tile_m = ROWS,
                    .tile_n = COLUMNS / 8, .parts = 1 };
    RtStep step = { .run = rt_product_f32, .args = (const int64_t *)&p, .extent = 8, .tile = 1 };
    double work = 2.0 * ROWS * COLUMNS * WIDTH;
    out->product = rate_of(g, step, step, REPEATS, work, work);
}

static const char *narrower(Session *s, const Kernels *k, const char *kernels)
{
    static const char *const wide[] = { "SkylakeX", "Cooperlake", "SapphireRapids", "Zen4", "Zen5" };
    bool known = k->lanes < 16;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) known = known || !strcasecmp(kernels, wide[i]);
    if (known) return NULL;
    const char *pinned = getenv("OPENBLAS_CORETYPE");
    return arena_print(s->arena, "OpenBLAS uses kernels for %s, narrower than the vectors of this processor%s%s",
                       kernels, pinned ? ": OPENBLAS_CORETYPE is set to " : "", pinned ? pinned : "");
}

bool limits_measure(Session *s, Limits *out)
{
    const int64_t scratch = 4096, bytes = (int64_t)PIECES * PIECE;
    Kernels kernels = kernels_of_host();
    int threads = s->options->threads > 0 ? (int)s->options->threads : 0;
    Ground g = { .one = rt_pool_new(1, scratch), .all = rt_pool_new(threads, scratch) };
    g.block[BLOCK_work] = rt_memory_new(bytes);
    bool good = g.one && g.all && g.block[BLOCK_work];
    if (good) {
        *out = (Limits){ .threads = rt_pool_threads(g.all) };
        memset(g.block[BLOCK_work], 0, (size_t)bytes);
        out->multiply_add = measure_arithmetic(&g, kernels.multiply_add, 2 * kernels.lanes, out->threads);
        if (kernels.dots) out->dots = measure_arithmetic(&g, kernels.dots, 4 * kernels.lanes, out->threads);
        out->read = measure_sweep(&g, kernels.read, 1, PIECES);
        out->update = measure_sweep(&g, kernels.update, 2, PIECES);
        out->cache = measure_sweep(&g, kernels.read, 1, 1);
        measure_product(&g, out);
        out->kernels = rt_product_kernels();
        out->warning = narrower(s, &kernels, out->kernels);
    }
    if (g.one) rt_pool_free(g.one);
    if (g.all) rt_pool_free(g.all);
    rt_memory_free(g.block[BLOCK_work], bytes);
    return good || (session_fail(s, "not enough memory to measure the host") && false);
}

double limits_products(const Limits *l, DType precision)
{
    return precision == DT_bf16 && l->dots.all > 0 ? l->dots.all : l->multiply_add.all;
}

void limits_print(FILE *out, const Limits *l)
{
    fprintf(out, "limits of this host, measured      1 thread  %2d threads\n", l->threads);
    fprintf(out, "  f32 multiply-adds, GFLOP/s       %8.1f   %8.1f\n", 1e-9 * l->multiply_add.one,
            1e-9 * l->multiply_add.all);
    if (l->dots.one > 0)
        fprintf(out, "  bf16 multiply-adds, GFLOP/s      %8.1f   %8.1f\n", 1e-9 * l->dots.one, 1e-9 * l->dots.all);
    fprintf(out, "  reading memory, GB/s             %8.1f   %8.1f\n", 1e-9 * l->read.one, 1e-9 * l->read.all);
    fprintf(out, "  reading and writing it, GB/s     %8.1f   %8.1f\n", 1e-9 * l->update.one, 1e-9 * l->update.all);
    fprintf(out, "  reading a cache, GB/s            %8.1f   %8.1f\n", 1e-9 * l->cache.one, 1e-9 * l->cache.all);
    fprintf(out, "  product %d x %d x %d, GFLOP/s %8.1f   %8.1f  (OpenBLAS, %s kernels)\n", ROWS, WIDTH, COLUMNS,
            1e-9 * l->product.one, 1e-9 * l->product.all, l->kernels);
    if (l->warning) fprintf(out, "warning: %s\n", l->warning);
}
