/* Sharing out a nest: units of work, tiles of units, loops inside a unit, and the axis along the lanes. */
#include "codegen/nest.h"

enum {
    TILE_OPERATIONS = 65536,             /* a tile's work: some microseconds, well above the cost of handing it out */
    TILE_LEAST = 1024, TILE_MOST = 16384,    /* its elements */
    /* inner loops grow a unit up to here, so that finding its place costs little */
    UNIT_ELEMENTS = 1024,
    MANY_UNITS = 32,
    ENOUGH_UNITS = 8,
    CHUNK = 2048,
    CHUNK_VECTORS = 4,                   /* columns: independent accumulators */
    ROW_VECTORS = 8,                     /* a row of at most so many vectors stays in registers .. */
    ROW_OPERATIONS = 400                 /* .. unless that is too much code */
};

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t clamp(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

static int operation_cost(Op op)
{
    switch (op) {
#define ELEMENT(name, arity, types, result, value, code, gradient, cost, doc) case OP_##name: return cost;
#define STRUCTURAL(name, arity, kind, ...)                                                                             \
    case OP_##name:                                                                                                    \
        return OP_##name == OP_uniform || OP_##name == OP_integers ? 60 : 1;
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    case OP_COUNT: break;
    }
    return 1;
}

static int64_t element_cost(const Signature *s)
{
    int64_t cost = 1;
    for (int k = 0; k < s->members.count; k++) {
        const Member *member = s->members.at[k];
        bool scalar = type_value_elements(&member->node->type) == 1;
        if (!scalar) cost += member->inside ? operation_cost(member->node->op) : 2;
    }
    return cost;
}

static int64_t outer_units(const Nest *nest, const Grid *grid)
{
    int64_t units = grid->chunks;
    for (int k = 0; k < grid->outer_count; k++) units *= nest->axis[grid->outer[k]].extent;
    return units;
}

static int64_t inner_extent(const Nest *nest, const Grid *grid)
{
    int64_t extent = 1;
    for (int k = 0; k < grid->inner_count; k++) extent *= nest->axis[grid->inner[k]].extent;
    return extent;
}

bool nest_spans(const Signature *s, const Node *output)
{
    const Kernel *kernel = s->kernel;
    int64_t rows = 1;
    for (int k = 0; k < kernel->a_rank; k++) rows *= dim_value(kernel->space[k]);
    return kernel->r_rank > 0 && kernel->c_rank == 0 && type_value_elements(&output->type) != rows;
}

static void take_lane(const Nest *nest, Grid *grid, int axis)
{
    grid->lane = axis;
    grid->lane_extent = grid->chunk = axis < 0 ? 1 : nest->axis[axis].extent;
}

static void share_flat(Grid *grid)
{
    grid->flat = true;
    grid->whole = grid->lane_extent % LANES == 0;
    grid->units = grid->whole ? grid->lane_extent / LANES : grid->lane_extent;
}

/* Moves loops from the unit's number into the unit while units are small and many; cuts a long lane axis when they are
 * few. */
static void share_map(const Nest *nest, Grid *grid)
{
    for (int k = 0; k + 1 < nest->axis_count; k++) grid->outer[grid->outer_count++] = k;
    while (grid->outer_count > 0) {
        int64_t extent = nest->axis[grid->outer[grid->outer_count - 1]].extent;
        if (grid->lane_extent * inner_extent(nest, grid) * extent > UNIT_ELEMENTS) break;
        if (outer_units(nest, grid) / extent < MANY_UNITS) break;
        for (int k = grid->inner_count++; k > 0; k--) grid->inner[k] = grid->inner[k - 1];
        grid->inner[0] = grid->outer[--grid->outer_count];
    }
    if (grid->lane_extent >= 2 * CHUNK && outer_units(nest, grid) < ENOUGH_UNITS) {
        grid->chunk = CHUNK;
        grid->chunks = divide_up(grid->lane_extent, CHUNK);
    }
    grid->units = outer_units(nest, grid);
}

bool nest_fits_tiles(const Signature *s, const Nest *nest)
{
    int last = nest->axis_count - 1;
    return last >= 0 && nest->axis[last].extent == s->tiles.columns;
}

static void share_tiles(const Signature *s, const Nest *nest, Grid *grid)
{
    for (int k = 0; k + 1 < nest->axis_count; k++) grid->outer[grid->outer_count++] = k;
    grid->tiled = true;
    grid->chunk = s->tiles.wide;
    grid->chunks = divide_up(grid->lane_extent, grid->chunk);
    grid->units = outer_units(nest, grid);
}

static void share_rows(const Signature *s, const Nest *nest, Grid *grid)
{
    for (int k = 0; k < nest->axis_count; k++) {
        if (nest->axis[k].group == GROUP_a)
            grid->outer[grid->outer_count++] = k;
        else if (k != grid->lane)
            grid->inner[grid->inner_count++] = k;
    }
    grid->units = outer_units(nest, grid);
    int64_t vectors = divide_up(grid->lane_extent, LANES);
    grid->resident = grid->lane >= 0 && grid->inner_count == 0 && vectors <= ROW_VECTORS &&
                     vectors * element_cost(s) <= ROW_OPERATIONS;
}

/* Blocks of columns: as wide as the extent divides by, unless that leaves too few. */
static void share_columns(const Nest *nest, Grid *grid)
{
    for (int k = 0; k < nest->axis_count; k++) {
        Group group = nest->axis[k].group;
        if (k != grid->lane && (group == GROUP_a || group == GROUP_c))
            grid->outer[grid->outer_count++] = k;
        else if (group == GROUP_r)
            grid->inner[grid->inner_count++] = k;
    }
    int64_t vectors = clamp(divide_up(grid->lane_extent, LANES), 1, CHUNK_VECTORS);
    for (; vectors > 1; vectors--) {
        grid->chunks = divide_up(grid->lane_extent, vectors * LANES);
        if (outer_units(nest, grid) < ENOUGH_UNITS) continue;
        if (grid->lane_extent % (vectors * LANES) == 0 || grid->lane_extent > 4 * vectors * LANES) break;
    }
    grid->chunk = vectors * LANES;
    grid->chunks = divide_up(grid->lane_extent, grid->chunk);
    grid->units = outer_units(nest, grid);
}

static int64_t unit_elements(const Signature *s, const Nest *nest, const Grid *grid)
{
    if (grid->flat) return grid->whole ? LANES : 1;
    int64_t elements = grid->chunk * inner_extent(nest, grid);
    if (s->kernel->kind != KERNEL_scatter || s->in_place) return elements;
    for (int k = 0; k < nest->axis_count; k++)
        if (nest->axis[k].group == GROUP_rows) elements += grid->chunk * nest->axis[k].extent;
    return elements;
}

Grid nest_grid(const Signature *s, const Nest *nest)
{
    const Kernel *kernel = s->kernel;
    Grid grid = {.chunks = 1};
    int last = nest->axis_count - 1;
    bool columns = kernel->c_rank > 0 || kernel->kind == KERNEL_scatter;
    Group lane_group = columns ? GROUP_c : kernel->r_rank > 0 ? GROUP_r : GROUP_a;
    int lane = -1;
    for (int k = 0; k <= last; k++)
        if (nest->axis[k].group == lane_group) lane = k;
    take_lane(nest, &grid, lane);
    if (columns)
        share_columns(nest, &grid);
    else if (kernel->r_rank > 0)
        share_rows(s, nest, &grid);
    else if (s->tiles.columns)
        share_tiles(s, nest, &grid);
    else if (nest->axis_count == 1)
        share_flat(&grid);
    else
        share_map(nest, &grid);
    int64_t per_unit = unit_elements(s, nest, &grid);
    int64_t elements = clamp(TILE_OPERATIONS / element_cost(s), TILE_LEAST, TILE_MOST);
    grid.tile = clamp(elements / (per_unit > 0 ? per_unit : 1), 1, elements);
    if (grid.flat && !grid.whole) grid.tile = divide_up(grid.tile, LANES) * LANES;
    return grid;
}
