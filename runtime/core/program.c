/* Running a Program: its table, row by row, and the loops in it. */
#include "runtime/core/pool.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* A run has an array of blocks of its own: the caller's, then the cursors, which loops move. */
typedef struct Run {
    const RtStep *steps;
    Pool    *pool;
    RtFault *fault;
    const RtWatch *watch;                /* or NULL */
    char    *block[BLOCK_COUNT + RT_MAX_CURSORS];
} Run;

static bool run_loop(Run *run, const RtLoop *loop, int32_t body, const RtIteration *around);

/* Rows [from, to). False when one met a bad index: what follows would only spread numbers that mean nothing. What loops
 * carry in the place of a parameter or a state has changed by then in earlier iterations. */
static bool run_rows(Run *run, int32_t from, int32_t to, const RtIteration *in)
{
    for (int32_t row = from; row < to; row++) {
        const RtStep *step = &run->steps[row];
        if (step->loop) {
            if (!run_loop(run, step->loop, row + 1, in)) return false;
            row += step->loop->steps;
            continue;
        }
        RtStep alone = *step;
        alone.tiled = NULL;
        int32_t count = run->watch ? 1 : step->beside + 1;
        if (run->watch) run->watch->before(run->watch->context, row, run->block, in);
        rt_pool_run(run->pool, run->watch ? &alone : step, count, run->block, run->fault);
        if (run->fault->place != 0) return false;        /* plain read: every thread has finished */
        if (run->watch) run->watch->after(run->watch->context, row, run->block, in);
        row += count - 1;
    }
    return true;
}

static bool has_ended(const Run *run, const RtLoop *loop)
{
    return loop->until >= 0 && *(const bool *)rt_at(run->block, loop->until);
}

/* Iteration i, at place t. */
static void set_cursors(Run *run, const RtLoop *loop, int64_t i, int64_t t)
{
    char **block = run->block + loop->first_cursor;
    for (int32_t c = 0; c < loop->cursor_count; c++) {
        const RtCursor *cursor = &loop->cursors[c];
        block[c] = i == 0 && cursor->first >= 0 ? rt_at(run->block, cursor->first)
                                                : rt_at(run->block, cursor->base[i & 1]) + t * cursor->stride;
    }
}

static bool run_loop(Run *run, const RtLoop *loop, int32_t body, const RtIteration *around)
{
    for (int64_t i = 0; i < loop->count && !has_ended(run, loop); i++) {
        int64_t t = loop->backwards ? loop->count - 1 - i : i;
        set_cursors(run, loop, i, t);
        if (loop->index >= 0) memcpy(rt_at(run->block, loop->index), &t, sizeof t);
        RtIteration in = {t, around};
        if (!run_rows(run, body, body + loop->steps, &in)) return false;
    }
    return true;
}

int rt_program_watch(const Program *program, Pool *pool, char *const *block, const RtWatch *watch, RtFault *fault)
{
    Run run = {.steps = program->steps, .pool = pool, .fault = fault, .watch = watch};
    assert(program->cursor_count <= RT_MAX_CURSORS);
    memcpy(run.block, block, BLOCK_COUNT * sizeof *block);
    *fault = (RtFault){0};
    if (watch) watch->begin(watch->context, program, run.block);
    if (!run_rows(&run, 0, program->step_count, NULL)) return 1;
    if (watch) watch->end(watch->context, run.block);
    return 0;
}

int rt_program_run(const Program *program, Pool *pool, char *const *block, RtFault *fault)
{
    return rt_program_watch(program, pool, block, NULL, fault);
}

const RtValue *rt_program_input(const Program *program, const char *name)
{
    for (int32_t k = 0; k < program->input_count; k++)
        if (!strcmp(program->inputs[k].name, name)) return &program->inputs[k];
    return NULL;
}
