/* Products served by OpenBLAS: one single-threaded call per tile of a grid that follows from the shape alone, so
 * that the same numbers come out however many threads share the tiles.
 *
 * Two ways through the library were measured on a 2-core AVX-512 host (OpenBLAS 0.3.21, f32, two threads, GFLOP/s;
 * peak 530):
 *
 *                         packed, 2 tiles   packed, 8 tiles   direct
 *   768 x 128 x 128  NN         407               423          475-480   tiles 96x64, 64x64
 *   768 x 512 x 128  NN         460               440          480       64x64
 *   768 x 128 x 512  NN         456               419          503       48x32
 *   128 x 128 x 768  TN         382               286          507       32x32
 *   128 x 512 x 768  TN         373               349          476       32x32
 *    65 x 128 x 768  TN         262               310          450       33x32
 *   768 x 128 x 512  NT         430               385          435-470   32x32, 16x64
 *   768 x 512 x 128  NT         460               430          397       16x64
 *   256 x 768 x 768  NN         426               371          450       32x32
 *   256 x 3072 x 768 NN         379               416          262-314   32x32, 16x64
 *   256 x 768 x 3072 NN         431               374          396       32x32, k in 4 parts
 *   768 x 3072 x 256 TN         -                 427          469       48x64
 *
 * (N and T say whether A and B lie in rows or in columns.) A call packs its operands, whole panels of them, unless
 * tile_m * tile_n * k is at most a million: then OpenBLAS reads them where they lie ("direct"), which is faster as
 * long as the right operand stays in a core's cache. The direct way ends earlier, at 1200 elements of the result,
 * when B alone lies in columns. The grid is the cheapest of some candidates under a model of that: multiply-adds,
 * elements packed, calls, and how evenly the tiles fall on 2 and on 8 threads. Where neither m nor n leaves enough
 * tiles, or tiles would be too thin, k is split too. Kernel sets without the direct way lose 5 to 20 % on such
 * tiles. */
#include "runtime/core/program.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <cblas.h>

enum {
    DIRECT_VOLUME = 1000000,             /* tile_m * tile_n * k of the direct way */
    DIRECT_AREA_NT = 1200,               /* and tile_m * tile_n when only B lies in columns */
    DIRECT_B = 700000,                   /* elements of B that stay in a core's cache from tile to tile, */
    DIRECT_A = 2000000,                  /* and of A in the shared one; beyond, reading in place waits for memory */
    DIRECT_VECTOR = 32,                  /* columns the direct kernels are quick with; 16 more cost as much as 32 */
    LARGEST_SIDE = 768,                  /* of a packed tile: beyond, panels leave the cache */
    VECTOR = 16,                         /* columns of the kernels' register tiles */
    ROWS = 4,                            /* their rows come in fours */
    MAX_PARTS = 16,
    PARTIAL_LIMIT = 2 << 20,             /* elements of partial results worth their memory */
    SUM_ELEMENTS = 4096                  /* of the result in one unit of the second step */
};

/* Costs in multiply-adds of one core (132 a nanosecond). */
static const double COST_CALL = 20000, COST_PACK = 24, COST_DIRECT = 1.5, COST_SUM = 40, COST_STEP = 200000;

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t batch_count(const RtProduct *p)
{
    int64_t count = 1;
    for (int64_t axis = 0; axis < p->batch_rank; axis++) count *= p->batch[axis];
    return count;
}

static int64_t unit_count(const RtProduct *p)
{
    return p->parts * batch_count(p) * divide_up(p->m, p->tile_m) * divide_up(p->n, p->tile_n);
}

/* Rows of C in one unit of the second step. */
static int64_t sum_rows(const RtProduct *p) { return divide_up(SUM_ELEMENTS, p->n); }

/* Whether OpenBLAS takes such a tile without packing. k: of one part. */
static bool is_direct(const RtProduct *p, int64_t k)
{
    int64_t area = p->tile_m * p->tile_n;
    bool only_b_in_columns = p->b_column != 1 && p->a_column == 1;
    if (area * k > DIRECT_VOLUME) return false;
    return !only_b_in_columns || (area <= DIRECT_AREA_NT && k >= 32);
}

/* The direct way has each side of the tile cost its vectors again instead of packing it. */
static double tile_cost(const RtProduct *p)
{
    int64_t k = divide_up(p->k, p->parts);
    bool cached = (p->k * p->n <= DIRECT_B || p->tile_m == p->m) && p->k * p->m <= DIRECT_A;
    bool direct = cached && is_direct(p, k);
    double rows = (double)round_up(p->tile_m, ROWS);
    double columns = (double)round_up(p->tile_n, direct ? DIRECT_VECTOR : VECTOR);
    return COST_CALL + (double)k * (rows * columns + (direct ? COST_DIRECT : COST_PACK) * (rows + columns));
}

/* Multiply-adds in all, as seen by 2 and by 8 threads that take whole tiles. */
static double grid_cost(const RtProduct *p)
{
    double tile = tile_cost(p), units = (double)unit_count(p);
    double of_two = (double)divide_up((int64_t)units, 2) * 2, of_eight = (double)divide_up((int64_t)units, 8) * 8;
    double cost = (of_two + of_eight) / 2 * tile;
    if (p->parts == 1) return cost;
    return cost + COST_STEP + COST_SUM * (double)((p->parts + 1) * batch_count(p) * p->m * p->n);
}

/* Candidate i for the side of a tile along an axis of `extent`, balanced so that tiles are nearly equal; 0 after
 * the last one. grain: sides are multiples of it unless the axis is one tile. */
static int64_t candidate_side(int i, int64_t extent, int64_t grain)
{
    static const int64_t sides[] = {768, 512, 384, 256, 192, 160, 128, 96, 80, 64, 48, 40, 32, 24, 16};
    enum { SIDES = sizeof sides / sizeof *sides };
    if (i > SIDES) return 0;
    int64_t tiles = i == 0 ? divide_up(extent, LARGEST_SIDE) : divide_up(extent, sides[i - 1]);
    if (tiles == 1) return extent;
    return round_up(divide_up(extent, tiles), grain);
}

int64_t rt_product_grid(RtProduct *p, int64_t *partial_elements, int64_t *sum_units)
{
    assert(p->m > 0 && p->n > 0 && p->k > 0 && p->k <= INT_MAX && p->batch_rank <= 4);
    RtProduct best = *p;
    double best_cost = -1;
    RtProduct candidate = *p;
    int64_t area = batch_count(p) * p->m * p->n;
    for (int64_t parts = 1; parts <= MAX_PARTS && (parts == 1 || parts * area <= PARTIAL_LIMIT); parts *= 2) {
        candidate.parts = parts;
        if (parts > 1 && p->k / parts < 64) break;
        for (int i = 0; (candidate.tile_m = candidate_side(i, p->m, 1)) != 0; i++) {
            for (int j = 0; (candidate.tile_n = candidate_side(j, p->n, VECTOR)) != 0; j++) {
                double cost = grid_cost(&candidate);
                if (best_cost >= 0 && cost >= best_cost) continue;
                best_cost = cost;
                best = candidate;
            }
        }
    }
    *p = best;
    *partial_elements = p->parts > 1 ? p->parts * area : 0;
    *sum_units = p->parts > 1 ? batch_count(p) * divide_up(p->m, sum_rows(p)) : 0;
    return unit_count(p);
}

/* One tile: where it lies and what it covers. */
typedef struct Tile {
    int64_t a, b, c;                     /* element offsets; c counts in the partial results when there are parts */
    int64_t m, n, k, c_row;
} Tile;

/* Element offsets of batch element `index` in the three operands. */
typedef struct BatchOffset {
    int64_t a, b, c;
} BatchOffset;

static BatchOffset batch_offset(const RtProduct *p, int64_t index)
{
    BatchOffset offset = {0};
    for (int64_t axis = p->batch_rank - 1; axis >= 0; axis--) {
        int64_t i = index % p->batch[axis];
        index /= p->batch[axis];
        offset.a += i * p->a_batch[axis];
        offset.b += i * p->b_batch[axis];
        offset.c += i * p->c_batch[axis];
    }
    return offset;
}

/* Units count columns of tiles fastest, then rows of tiles, then batch elements, then parts, so that neighbours
 * share A. */
static Tile find_tile(const RtProduct *p, int64_t unit)
{
    int64_t tiles_m = divide_up(p->m, p->tile_m), tiles_n = divide_up(p->n, p->tile_n), batch = batch_count(p);
    int64_t column = unit % tiles_n * p->tile_n;
    int64_t row = unit / tiles_n % tiles_m * p->tile_m;
    int64_t element = unit / (tiles_n * tiles_m) % batch;
    int64_t part = unit / (tiles_n * tiles_m * batch);
    int64_t k_begin = part * p->k / p->parts, k_end = (part + 1) * p->k / p->parts;
    BatchOffset offset = batch_offset(p, element);
    Tile tile = {
        .a = offset.a + row * p->a_row + k_begin * p->a_column,
        .b = offset.b + k_begin * p->b_row + column * p->b_column,
        .c = offset.c + row * p->c_row + column,
        .m = least(p->tile_m, p->m - row),
        .n = least(p->tile_n, p->n - column),
        .k = k_end - k_begin,
        .c_row = p->c_row,
    };
    if (p->parts > 1) {
        tile.c = ((part * batch + element) * p->m + row) * p->n + column;
        tile.c_row = p->n;
    }
    return tile;
}

/* An operand as BLAS wants it: in rows or in columns, and the stride between them. */
typedef struct Operand {
    CBLAS_TRANSPOSE transpose;
    int             stride;
    bool            served;              /* false: BLAS refuses strides smaller than what they step over */
} Operand;

/* A rows x columns operand. A stride along an axis of extent 1 means nothing and is replaced. */
static Operand find_operand(int64_t rows, int64_t columns, int64_t row, int64_t column)
{
    if (rows == 1) row = columns;
    if ((column == 1 || columns == 1) && row >= columns && row <= INT_MAX) {
        return (Operand){CblasNoTrans, (int)row, true};
    }
    if (columns == 1) column = rows;
    if ((row == 1 || rows == 1) && column >= rows && column <= INT_MAX) {
        return (Operand){CblasTrans, (int)column, true};
    }
    return (Operand){CblasNoTrans, 0, false};
}

/* The elements of C that one unit of the second step adds up: `count` adjacent ones of each part's result, from
 * `first` on. */
typedef struct SumRange {
    int64_t first, count;
    int64_t c;                           /* element offset of the first row of C */
    int64_t rows;
} SumRange;

static SumRange find_sum_range(const RtProduct *p, int64_t unit)
{
    int64_t chunks = divide_up(p->m, sum_rows(p));
    int64_t element = unit / chunks, row = unit % chunks * sum_rows(p);
    int64_t rows = least(sum_rows(p), p->m - row);
    return (SumRange){
        .first = (element * p->m + row) * p->n,
        .count = rows * p->n,
        .c = batch_offset(p, element).c + row * p->c_row,
        .rows = rows,
    };
}

/* The same code for f32 and f64.
 * multiply_plain: any strides, sums over k in order.
 * add_parts: every second part takes the next one, every fourth the one two further, and so on: a binary tree over
 * the numbers of the parts. The partial results are lost. */
#define PRODUCT(real, suffix, gemm)                                                                                    \
    static void multiply_plain_##suffix(const RtProduct *p, const Tile *t, const real *a, const real *b, real *c)      \
    {                                                                                                                  \
        for (int64_t i = 0; i < t->m; i++) {                                                                           \
            for (int64_t j = 0; j < t->n; j++) {                                                                       \
                real sum = 0;                                                                                          \
                for (int64_t k = 0; k < t->k; k++) {                                                                   \
                    sum += a[i * p->a_row + k * p->a_column] * b[k * p->b_row + j * p->b_column];                      \
                }                                                                                                      \
                c[i * t->c_row + j] = sum;                                                                             \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static void multiply_##suffix(const RtProduct *p, const Tile *t, const real *a, const real *b, real *c)            \
    {                                                                                                                  \
        Operand left = find_operand(t->m, t->k, p->a_row, p->a_column);                                                \
        Operand right = find_operand(t->k, t->n, p->b_row, p->b_column);                                               \
        int64_t c_row = t->m == 1 ? t->n : t->c_row;                                                                   \
        if (!left.served || !right.served || t->k == 0 || c_row > INT_MAX) {                                           \
            multiply_plain_##suffix(p, t, a, b, c);                                                                    \
            return;                                                                                                    \
        }                                                                                                              \
        gemm(CblasRowMajor, left.transpose, right.transpose, (int)t->m, (int)t->n, (int)t->k, 1, a, left.stride, b,    \
             right.stride, 0, c, (int)c_row);                                                                          \
    }                                                                                                                  \
                                                                                                                       \
    void rt_product_##suffix(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,       \
                             RtFault *fault)                                                                           \
    {                                                                                                                  \
        (void)scratch, (void)fault;                                                                                    \
        const RtProduct *p = (const RtProduct *)args;                                                                  \
        const real *a = (const real *)rt_at(block, p->a), *b = (const real *)rt_at(block, p->b);                       \
        real *c = (real *)rt_at(block, p->parts > 1 ? p->partial : p->c);                                              \
        for (int64_t unit = begin; unit < end; unit++) {                                                               \
            Tile tile = find_tile(p, unit);                                                                            \
            multiply_##suffix(p, &tile, a + tile.a, b + tile.b, c + tile.c);                                           \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static void add_##suffix(real *restrict out, const real *restrict in, int64_t count)                               \
    {                                                                                                                  \
        for (int64_t i = 0; i < count; i++) out[i] += in[i];                                                           \
    }                                                                                                                  \
                                                                                                                       \
    static void add_parts_##suffix(const RtProduct *p, const SumRange *range, real *partial, real *c)                  \
    {                                                                                                                  \
        int64_t size = batch_count(p) * p->m * p->n;                                                                   \
        for (int64_t step = 1; step < p->parts; step *= 2) {                                                           \
            for (int64_t part = 0; part + step < p->parts; part += 2 * step) {                                         \
                add_##suffix(partial + part * size, partial + (part + step) * size, range->count);                     \
            }                                                                                                          \
        }                                                                                                              \
        for (int64_t i = 0; i < range->rows; i++) {                                                                    \
            memcpy(c + i * p->c_row, partial + i * p->n, (size_t)p->n * sizeof(real));                                 \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    void rt_product_sum_##suffix(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,   \
                                 RtFault *fault)                                                                       \
    {                                                                                                                  \
        (void)scratch, (void)fault;                                                                                    \
        const RtProduct *p = (const RtProduct *)args;                                                                  \
        real *partial = (real *)rt_at(block, p->partial), *c = (real *)rt_at(block, p->c);                             \
        for (int64_t unit = begin; unit < end; unit++) {                                                               \
            SumRange range = find_sum_range(p, unit);                                                                  \
            add_parts_##suffix(p, &range, partial + range.first, c + range.c);                                         \
        }                                                                                                              \
    }

PRODUCT(float, f32, cblas_sgemm)
PRODUCT(double, f64, cblas_dgemm)
