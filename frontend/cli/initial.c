/* Whoever is free takes the next tile of the table. A value is a function of its place, so it does not matter who. */
#include "frontend/cli/initial.h"
#include "frontend/cli/job.h"
#include "runtime/core/memory.h"
#include "runtime/core/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DRAWERS = 64 };

struct Initial {
    const Program *program;
    char    *block[BLOCK_COUNT];
    int64_t *first;                      /* by step: the tiles of those before it; and of all, at the end */
    char    *scratch;                    /* for each thread */
    int64_t  scratch_stride, scratch_bytes;
    RtFault  fault;
    _Atomic int64_t next;                /* the tile that nobody has taken yet */
    _Atomic int threads;                 /* that have begun, for their scratch */
    int      count;
    pthread_t thread[MAX_DRAWERS];
};

static int64_t tiles_of(const RtStep *step) { return (step->extent + step->tile - 1) / step->tile; }

/* Kernels that may all run at the same time. Products are the pool's, which keeps libraries to one thread. */
static bool has_no_order(const Build *build)
{
    const Program *p = build->program;
    const CodeRow *rows = code_rows(build->code);
    for (int32_t k = 0; k < p->step_count; k++)
        if (p->steps[k].loop || p->steps[k].tiled || !rows[k].kernel || rows[k].kernel->kind == KERNEL_contract)
            return false;
    return p->step_count > 0 && p->steps[0].beside == p->step_count - 1;
}

static void draw(Initial *w)
{
    char *scratch = w->scratch + atomic_fetch_add(&w->threads, 1) * w->scratch_stride;
    const RtStep *step = w->program->steps;
    const int64_t *first = w->first;
    for (int64_t tile; (tile = atomic_fetch_add(&w->next, 1)) < w->first[w->program->step_count];) {
        while (tile >= first[1]) first++, step++;
        int64_t begin = (tile - *first) * step->tile, end = begin + step->tile;
        step->run(w->block, step->args, begin, end < step->extent ? end : step->extent, scratch, &w->fault);
    }
}

static void *drawer_main(void *initial)
{
    draw(initial);
    return NULL;
}

static void initial_free(Initial *w)
{
    rt_memory_free(w->block[BLOCK_work], w->program->block_bytes[BLOCK_work]);
    rt_memory_free(w->scratch, w->scratch_bytes);
    free(w->first);
    free(w);
}

Initial *initial_begin(const Build *build, char *const *block, uint64_t seed, int threads)
{
    enum { LINE = 64 };
    const Program *p = build->program;
    if (threads < 2 || !has_no_order(build)) return NULL;
    Initial *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    if (threads > MAX_DRAWERS + 1) threads = MAX_DRAWERS + 1;
    w->program = p;
    memcpy(w->block, block, sizeof w->block);
    w->block[BLOCK_work] = job_draw_work(p, seed);
    w->scratch_stride = (p->scratch_bytes + LINE - 1) / LINE * LINE + LINE;
    w->scratch_bytes = threads * w->scratch_stride;
    w->scratch = rt_memory_new(w->scratch_bytes);
    w->first = calloc((size_t)p->step_count + 1, sizeof *w->first);
    for (int32_t k = 0; w->first && k < p->step_count; k++) w->first[k + 1] = w->first[k] + tiles_of(&p->steps[k]);
    if (w->block[BLOCK_work] && w->scratch && w->first)
        for (; w->count < threads - 1; w->count++)
            if (pthread_create(&w->thread[w->count], NULL, drawer_main, w)) break;
    if (w->count) return w;
    initial_free(w);
    return NULL;
}

static void wait_for_drawers(const Initial *w)
{
    for (int k = 0; k < w->count; k++) pthread_join(w->thread[k], NULL);
}

int64_t initial_finish(Initial *w, RtFault *fault)
{
    draw(w);
    wait_for_drawers(w);
    *fault = w->fault;
    initial_free(w);
    return fault->place;
}

void initial_stop(Initial *w)
{
    if (!w) return;
    atomic_store(&w->next, w->first[w->program->step_count]);
    wait_for_drawers(w);
    initial_free(w);
}
