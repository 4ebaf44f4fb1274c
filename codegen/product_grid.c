/* The grid of an own product. The parts of k are those that the plan has room for; tiles are the cheapest under a model
 * of what a core does in a cycle: the register tile takes a cycle for each row and k, however few rows there are at
 * least FEW of them; copying an operand costs some cycles a vector. The bits of the result do not depend on tiles. */
#include "codegen/product.h"

#include <stdlib.h>

enum {
    LARGEST_A = 200000,                  /* words of a block of A, which stays in the second cache */
    LARGEST_COLUMNS = 768,
    PANEL = PRODUCT_MAX_VECTORS * LANES,
    WIDE_PANEL = 128,                    /* columns that few rows go over at a time, */
    MANY_COLUMNS = 4 * WIDE_PANEL,       /* when there are so many */
    FEW = 4                              /* cycles of a register tile for a k: sums wait for each other */
};

/* In cycles; of B, that read by the first rows from afar is as dear as copying. */
static const double COPY = 2.0 / LANES, TRANSPOSE = 5.0 / LANES, COST_CALL = 80, COST_TILE = 1500;

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int64_t unit_count(const Contraction *c, const Tiling *t)
{
    int64_t count = t->parts * divide_up(c->m, t->tile_m) * divide_up(c->n, t->tile_n);
    for (int axis = 0; axis < c->batch_rank; axis++) count *= c->batch[axis];
    return count;
}

/* As ProductCode.pair. */
static int64_t pair_of(const ProductTypes *t) { return t->in == DT_bf16 ? 2 : 1; }

static double tile_cost(const Contraction *c, const Tiling *t)
{
    double k = (double)divide_up(divide_up(c->k, t->parts), pair_of(&c->types));
    double blocks = (double)divide_up((int64_t)k, product_depth(&c->types));
    int64_t row_panels = divide_up(t->tile_m, PRODUCT_MAX_ROWS), panels = divide_up(t->tile_n, PANEL);
    double rows = (double)(t->tile_m > FEW * row_panels ? t->tile_m : FEW * row_panels);
    double a = (c->a_column == 1 || product_takes_a(&c->types) ? COPY : TRANSPOSE) * (double)t->tile_m;
    double b = (c->b_column == 1 ? COPY : TRANSPOSE) * (double)(panels * PANEL);
    return COST_TILE + blocks * COST_CALL * (double)(row_panels * panels) + k * (rows * (double)panels + a + b);
}

/* As seen by 2 and by 8 threads that take whole tiles. */
static double grid_cost(const Contraction *c, const Tiling *t)
{
    int64_t units = unit_count(c, t);
    return (double)(divide_up(units, 2) * 2 + divide_up(units, 8) * 8) * tile_cost(c, t);
}

/* `count` nearly equal sides of whole grains; 0: there are no such. */
static int64_t side(int64_t extent, int64_t count, int64_t grain, int64_t largest)
{
    int64_t s = divide_up(divide_up(extent, count), grain) * grain;
    if (s > largest) return 0;
    return s < extent ? s : extent;
}

static int64_t largest_rows(const Contraction *c, int64_t parts)
{
    int64_t k = divide_up(divide_up(c->k, parts), pair_of(&c->types)), depth = product_depth(&c->types);
    return LARGEST_A / (k < depth ? k : depth);
}

Tiling product_tiling(const Contraction *c)
{
    enum { MOST = 64 };                  /* tiles along an axis that are worth a look beyond the fewest */
    Tiling best = contraction_tiling(c), t = best;
    if (!c->k || !best.units) return best;
    double best_cost = -1;
    int64_t grain = c->m <= PRODUCT_FEW && c->n >= MANY_COLUMNS ? WIDE_PANEL : PANEL;
    int64_t most_rows = largest_rows(c, t.parts), fewest_m = divide_up(c->m, most_rows);
    int64_t fewest_n = divide_up(c->n, LARGEST_COLUMNS);
    for (int64_t i = fewest_m; i < fewest_m + MOST && i <= c->m; i++) {
        t.tile_m = side(c->m, i, 1, most_rows);
        for (int64_t j = fewest_n; j < fewest_n + MOST && (j - 1) * PANEL < c->n; j++) {
            t.tile_n = side(c->n, j, grain, LARGEST_COLUMNS);
            if (!t.tile_n || !t.tile_m) continue;
            double cost = grid_cost(c, &t);
            if (best_cost >= 0 && cost >= best_cost) continue;
            best_cost = cost;
            best = t;
        }
    }
    best.units = unit_count(c, &best);
    return best;
}

Blas product_server(const ProductTypes *t, Blas blas) { return product_is_plain(t) ? blas : BLAS_none; }

Tiling tiling_of(const Contraction *c, Blas blas)
{
    switch (product_server(&c->types, blas)) {
    case BLAS_openblas: return contraction_tiling(c);
    case BLAS_none: return product_tiling(c);
    }
    abort();
}

int64_t product_scratch(const Tiling *t, const ProductTypes *types)
{
    int64_t rows = product_takes_a(types) ? 0 : divide_up(t->tile_m, LANES) * LANES;
    return (product_depth(types) * PANEL + rows * PRODUCT_ROW) * dtype_bytes(types->out);
}
