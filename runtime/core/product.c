/* Products served by OpenBLAS: one single-threaded call per tile of a grid that the compiler fixed from the shape
 * (ir/tiling.c), so that the same numbers come out however many threads share the tiles. */
#include "runtime/core/program.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <cblas.h>

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t batch_count(const RtProduct *p)
{
    int64_t count = 1;
    for (int64_t axis = 0; axis < p->batch_rank; axis++) count *= p->batch[axis];
    return count;
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

/* After the last tile of what it takes. */
static void run_then(const RtProduct *p, const Tile *t, char *const *block, char *scratch, RtFault *fault)
{
    int64_t rows = batch_count(p) * p->m, apart = t->c_row / p->n, column = t->c % p->n;
    if (p->then_columns == p->n && column + t->n < p->n) return;
    int64_t first = column / p->then_columns * rows + t->c / p->n;
    int64_t runs = apart == 1 ? 1 : t->m, length = apart == 1 ? t->m : 1;
    for (int64_t i = 0; i < runs; i++, first += apart)
        p->then(block, p->then_args, first, first + length, scratch, fault);
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
    int64_t chunks = divide_up(p->m, p->sum_rows);
    int64_t element = unit / chunks, row = unit % chunks * p->sum_rows;
    int64_t rows = least(p->sum_rows, p->m - row);
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

const char *rt_product_kernels(void) { return openblas_get_corename(); }

void rt_product_tiled(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                      RtFault *fault)
{
    const RtProduct *p = (const RtProduct *)args;
    for (int64_t unit = begin; unit < end; unit++) {
        Tile tile = find_tile(p, unit);
        p->run(block, args, unit, unit + 1, scratch, fault);
        run_then(p, &tile, block, scratch, fault);
    }
}
