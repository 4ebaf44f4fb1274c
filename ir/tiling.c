/* The grid of a product: tiles of the result and parts of the summed axis, from the shape alone.
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
 * elements packed, calls, and how evenly the tiles fall on 2 and on 8 threads. Where m and n leave too few
 * tiles, k is split too. Kernel sets without the direct way lose 5 to 20 % on such
 * tiles. */
#include "ir/contraction.h"

#include <assert.h>
#include <limits.h>

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
    SUM_ELEMENTS = 4096,                 /* of the result in one unit of the second step */
    /* few rows take as long as reading B: k stays whole, so that sums do not depend on how many rows there are, where
     * that leaves enough tiles of so many columns */
    FEW_ROWS = 16, FEW_COLUMNS = 64, ENOUGH_TILES = 8,
    /* nor is it split where the result has enough pieces of this size */
    PIECE_ROWS = 12, PIECE_COLUMNS = 32, ENOUGH_PIECES = 32
};

/* Costs in multiply-adds of one core (132 a nanosecond). */
static const double COST_CALL = 20000, COST_PACK = 24, COST_DIRECT = 1.5, COST_SUM = 40, COST_STEP = 200000;

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

static int64_t batch_count(const Contraction *c)
{
    int64_t count = 1;
    for (int axis = 0; axis < c->batch_rank; axis++) count *= c->batch[axis];
    return count;
}

static bool keeps_k_whole(const Contraction *c)
{
    int64_t pieces = batch_count(c) * divide_up(c->m, PIECE_ROWS) * divide_up(c->n, PIECE_COLUMNS);
    if (pieces >= ENOUGH_PIECES) return true;
    return c->m <= FEW_ROWS && batch_count(c) * divide_up(c->n, FEW_COLUMNS) >= ENOUGH_TILES;
}

static int64_t unit_count(const Contraction *c, const Tiling *t)
{
    return t->parts * batch_count(c) * divide_up(c->m, t->tile_m) * divide_up(c->n, t->tile_n);
}

/* Whether OpenBLAS takes such a tile without packing. k: of one part. */
static bool is_direct(const Contraction *c, const Tiling *t, int64_t k)
{
    int64_t area = t->tile_m * t->tile_n;
    bool only_b_in_columns = c->b_column != 1 && c->a_column == 1;
    if (area * k > DIRECT_VOLUME) return false;
    return !only_b_in_columns || (area <= DIRECT_AREA_NT && k >= 32);
}

/* The direct way has each side of the tile cost its vectors again instead of packing it. */
static double tile_cost(const Contraction *c, const Tiling *t)
{
    int64_t k = divide_up(c->k, t->parts);
    bool cached = (c->k * c->n <= DIRECT_B || t->tile_m == c->m) && c->k * c->m <= DIRECT_A;
    bool direct = cached && is_direct(c, t, k);
    double rows = (double)round_up(t->tile_m, ROWS);
    double columns = (double)round_up(t->tile_n, direct ? DIRECT_VECTOR : VECTOR);
    return COST_CALL + (double)k * (rows * columns + (direct ? COST_DIRECT : COST_PACK) * (rows + columns));
}

/* Multiply-adds in all, as seen by 2 and by 8 threads that take whole tiles. */
static double grid_cost(const Contraction *c, const Tiling *t)
{
    double tile = tile_cost(c, t), units = (double)unit_count(c, t);
    double of_two = (double)divide_up((int64_t)units, 2) * 2, of_eight = (double)divide_up((int64_t)units, 8) * 8;
    double cost = (of_two + of_eight) / 2 * tile;
    if (t->parts == 1) return cost;
    return cost + COST_STEP + COST_SUM * (double)((t->parts + 1) * batch_count(c) * c->m * c->n);
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

Tiling contraction_tiling(const Contraction *c)
{
    assert(c->m >= 0 && c->n >= 0 && c->k >= 0 && c->k <= INT_MAX && c->batch_rank <= 4);
    Tiling best = {0}, candidate = {0};
    double best_cost = -1;
    int64_t area = batch_count(c) * c->m * c->n;
    if (!area || !c->k) return (Tiling){.tile_m = c->m, .tile_n = c->n, .parts = 1, .units = area ? batch_count(c) : 0};
    for (int64_t parts = 1; parts <= MAX_PARTS && (parts == 1 || parts * area <= PARTIAL_LIMIT); parts *= 2) {
        candidate.parts = parts;
        if (parts > 1 && (c->k / parts < 64 || keeps_k_whole(c))) break;
        for (int i = 0; (candidate.tile_m = candidate_side(i, c->m, 1)) != 0; i++) {
            for (int j = 0; (candidate.tile_n = candidate_side(j, c->n, VECTOR)) != 0; j++) {
                double cost = grid_cost(c, &candidate);
                if (best_cost >= 0 && cost >= best_cost) continue;
                best_cost = cost;
                best = candidate;
            }
        }
    }
    best.units = unit_count(c, &best);
    if (best.parts == 1) return best;
    best.partial_elements = best.parts * area;
    best.sum_rows = divide_up(SUM_ELEMENTS, c->n);
    best.sum_units = batch_count(c) * divide_up(c->m, best.sum_rows);
    return best;
}
