/* Loops over the axes of a grid: whole vectors in the loop, one masked vector at the end. */
#include "codegen/emit.h"

static Mask first_lanes(const Emit *e, int64_t count)
{
    LLVMValueRef lanes[LANES];
    for (int k = 0; k < LANES; k++) lanes[k] = LLVMConstInt(e->unit->i1, k < count, false);
    return (Mask){.tail = LLVMConstVector(lanes, LANES)};
}

static Mask lane_zero_only(const Emit *e) { return first_lanes(e, 1); }

/* The lanes of a vector at `base` that lie below `limit`. */
static Mask lanes_below(Emit *e, LLVMValueRef base, LLVMValueRef limit)
{
    const Unit *u = e->unit;
    LLVMBuilderRef b = at(e, e->depth);
    LLVMValueRef left = splat(u, LLVMBuildTrunc(b, LLVMBuildSub(b, limit, base, ""), u->i32, ""));
    LLVMValueRef below = LLVMBuildICmp(b, LLVMIntSLT, lane_numbers(u, u->i32, 1), left, "");
    return (Mask){.tail = below, .tail_depth = e->depth};
}

static void span_lanes(Emit *e, SpanBody *body, void *context, LLVMValueRef *carried, int count)
{
    const Unit *u = e->unit;
    const Grid *grid = e->grid;
    if (grid->lane < 0) {
        body(e, context, lane_zero_only(e), carried);
        return;
    }
    for (int k = 0; k < e->row.count; k++) {
        block_use(e, &e->row, k);
        body(e, context, e->row.mask[k], carried);
    }
    if (e->row.count > 0) return;
    int64_t vectors = grid->lane_extent / LANES, rest = grid->lane_extent % LANES;
    if (vectors == 1) {
        bind_axis(e, grid->lane, whole(u, 0), 1);
        body(e, context, (Mask){0}, carried);
    } else if (vectors > 1) {
        Loop loop;
        loop_open(e, &loop, whole(u, 0), whole(u, vectors * LANES), LANES, false, carried, count);
        bind_axis(e, grid->lane, loop.index, 1);
        body(e, context, (Mask){0}, carried);
        loop_close(e, &loop, carried);
    }
    if (rest > 0) {
        bind_axis(e, grid->lane, whole(u, vectors * LANES), 1);
        body(e, context, first_lanes(e, rest), carried);
    }
}

static void span_loops(Emit *e, int from, SpanBody *body, void *context, LLVMValueRef *carried, int count)
{
    if (from == e->grid->inner_count) {
        span_lanes(e, body, context, carried, count);
        return;
    }
    int axis = e->grid->inner[from];
    Loop loop;
    loop_open(e, &loop, whole(e->unit, 0), whole(e->unit, e->nest->axis[axis].extent), 1, false, carried, count);
    bind_axis(e, axis, loop.index, 0);
    span_loops(e, from + 1, body, context, carried, count);
    loop_close(e, &loop, carried);
}

void span_inner(Emit *e, SpanBody *body, void *context, LLVMValueRef *carried, int count)
{
    span_loops(e, 0, body, context, carried, count);
}

/* Whole vectors of [first, limit), then one masked vector; both may be absent when the program runs. */
static void span_range(Emit *e, LLVMValueRef first, LLVMValueRef limit, bool vectors, bool rest, SpanBody *body,
                       void *context)
{
    const Unit *u = e->unit;
    LLVMBuilderRef b = at(e, e->depth);
    LLVMValueRef length = LLVMBuildSub(b, limit, first, "");
    LLVMValueRef middle = LLVMBuildAdd(b, first, LLVMBuildAnd(b, length, whole(u, -LANES), ""), "");
    Loop loop;
    if (vectors) {
        loop_open(e, &loop, first, middle, LANES, rest, NULL, 0);
        bind_axis(e, e->grid->lane, loop.index, 1);
        body(e, context, (Mask){0}, NULL);
        loop_close(e, &loop, NULL);
    }
    if (rest) {
        loop_open(e, &loop, middle, limit, LANES, vectors, NULL, 0);
        bind_axis(e, e->grid->lane, loop.index, 1);
        Mask mask = lanes_below(e, loop.index, limit);
        body(e, context, mask, NULL);
        loop_close(e, &loop, NULL);
    }
}

void span_flat(Emit *e, SpanBody *body, void *context)
{
    LLVMBuilderRef b = at(e, e->depth);
    if (!e->grid->whole) {
        span_range(e, e->begin, e->end, e->grid->lane_extent >= LANES, true, body, context);
        return;
    }
    LLVMValueRef width = whole(e->unit, LANES);
    LLVMValueRef first = LLVMBuildMul(b, e->begin, width, ""), limit = LLVMBuildMul(b, e->end, width, "");
    span_range(e, first, limit, true, false, body, context);
}

static LLVMValueRef smaller(LLVMBuilderRef b, LLVMValueRef x, LLVMValueRef y)
{
    return LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, x, y, ""), x, y, "");
}

void span_chunk(Emit *e, LLVMValueRef chunk, SpanBody *body, void *context)
{
    const Unit *u = e->unit;
    const Grid *grid = e->grid;
    LLVMBuilderRef b = at(e, e->depth);
    LLVMValueRef first = LLVMBuildMul(b, chunk, whole(u, grid->chunk), "");
    LLVMValueRef end = LLVMBuildAdd(b, first, whole(u, grid->chunk), "");
    LLVMValueRef limit = smaller(b, end, whole(u, grid->lane_extent));
    span_range(e, first, limit, true, grid->lane_extent % LANES != 0, body, context);
}

LLVMValueRef span_units(Emit *e, Loop *loop)
{
    const Unit *u = e->unit;
    const Grid *grid = e->grid;
    loop_open(e, loop, e->begin, e->end, 1, false, NULL, 0);
    LLVMBuilderRef b = at(e, e->depth);
    LLVMValueRef number = loop->index, chunk = whole(u, 0);
    if (grid->tiled) {
        LLVMValueRef rows = whole(u, grid->units / grid->chunks);
        chunk = LLVMBuildUDiv(b, number, rows, "");
        number = LLVMBuildURem(b, number, rows, "");
    } else if (grid->chunks > 1) {
        chunk = LLVMBuildURem(b, number, whole(u, grid->chunks), "");
        number = LLVMBuildUDiv(b, number, whole(u, grid->chunks), "");
    }
    for (int k = grid->outer_count - 1; k >= 0; k--) {
        LLVMValueRef extent = whole(u, e->nest->axis[grid->outer[k]].extent);
        bind_axis(e, grid->outer[k], k == 0 ? number : LLVMBuildURem(b, number, extent, ""), 0);
        if (k > 0) number = LLVMBuildUDiv(b, number, extent, "");
    }
    return chunk;
}

void block_bind(Emit *e, LLVMValueRef chunk, Block *block)
{
    const Unit *u = e->unit;
    const Grid *grid = e->grid;
    *block = (Block){.count = 1};
    if (grid->lane < 0) {
        block->mask[0] = lane_zero_only(e);
        return;
    }
    block->count = (int)(grid->chunk / LANES);
    LLVMBuilderRef b = at(e, e->depth);
    LLVMValueRef first = LLVMBuildMul(b, chunk, whole(u, grid->chunk), "");
    for (int k = 0; k < block->count; k++) {
        LLVMValueRef base = LLVMBuildAdd(b, first, whole(u, k * LANES), "");
        bind_axis(e, grid->lane, base, 1);
        for (int j = 0; j < e->nest->part_count; j++) block->part[k][j] = e->part[j];
        if (grid->lane_extent % grid->chunk != 0) block->mask[k] = lanes_below(e, base, whole(u, grid->lane_extent));
    }
}

void block_bind_row(Emit *e)
{
    const Grid *grid = e->grid;
    if (!grid->resident) return;
    e->row.count = (int)((grid->lane_extent + LANES - 1) / LANES);
    for (int k = 0; k < e->row.count; k++) {
        int64_t left = grid->lane_extent - k * LANES;
        bind_axis(e, grid->lane, whole(e->unit, k * LANES), 1);
        for (int j = 0; j < e->nest->part_count; j++) e->row.part[k][j] = e->part[j];
        if (left < LANES) e->row.mask[k] = first_lanes(e, left);
    }
}

void block_use(Emit *e, const Block *block, int vector)
{
    for (int k = 0; k < e->nest->part_count; k++)
        if (e->nest->part[k].axis == e->grid->lane) e->part[k] = block->part[vector][k];
}
