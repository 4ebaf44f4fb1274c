/* One run: passes, code, a work block that holds inputs and results, a pool. Everything but the results is gone
 * afterwards. */
#include "frontend/cli/compute.h"
#include "passes/passes.h"
#include "runtime/core/memory.h"
#include "runtime/core/pool.h"

#include <string.h>
#include <unistd.h>

static const RtValue *find_value(const RtValue *values, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(values[i].name, name)) return &values[i];
    return NULL;
}

static char *place_of(char *work, const RtValue *v) { return work + rt_offset(v->place); }

/* The system promises more memory than there is; this asks before believing it. */
static bool enough_memory(int64_t bytes, Place place, Diagnostics *d)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages < 0 || page < 0 || bytes / page < pages) return true;
    diag_error(d, place, "not enough memory: this needs %lld bytes", (long long)bytes);
    return false;
}

bool compute_fits(const Graph *graph, Place place, Diagnostics *d)
{
    int64_t bytes = 0;
    for (int i = 0; i < graph->outputs.count; i++) bytes += type_value_bytes(&graph->outputs.at[i].node->type);
    return enough_memory(bytes, place, d);
}

static bool run(const Program *p, Pool *pool, char *work, Place place, Diagnostics *d)
{
    char *block[BLOCK_COUNT] = { [BLOCK_work] = work };
    RtFault fault = { 0 };
    if (!rt_program_run(p, pool, block, &fault)) return true;
    const char *where = fault.place > 0 && fault.place < p->place_count ? p->places[fault.place] : p->entry;
    diag_error(d, place, "%s: index %lld is outside its axis of %lld", where, (long long)fault.value,
               (long long)fault.bound);
    return false;
}

static bool run_program(const Program *p, const Graph *graph, int threads, const void *const *inputs,
                        void *const *results, Place place, Diagnostics *d)
{
    int64_t bytes = p->block_bytes[BLOCK_work];
    if (!enough_memory(bytes, place, d)) return false;
    char *work = rt_memory_new(bytes);
    Pool *pool = work ? rt_pool_new(threads, p->scratch_bytes) : NULL;
    bool good = pool != NULL;
    if (!good) diag_error(d, place, "the system has no %lld bytes of memory left", (long long)bytes);
    for (int i = 0; good && i < graph->inputs.count; i++) {
        const RtValue *v = find_value(p->inputs, p->input_count, graph->inputs.at[i]->attr.text);
        if (v && v->bytes) memcpy(place_of(work, v), inputs[i], (size_t)v->bytes);
    }
    good = good && run(p, pool, work, place, d);
    for (int i = 0; good && i < graph->outputs.count; i++) {
        const RtValue *v = find_value(p->outputs, p->output_count, graph->outputs.at[i].name);
        if (v->bytes) memcpy(results[i], place_of(work, v), (size_t)v->bytes);
    }
    if (pool) rt_pool_free(pool);
    rt_memory_free(work, bytes);
    return good;
}

bool compute_graph(Arena *arena, Graph *graph, const CodeOptions *how, const void *const *inputs, void *const *results,
                   Place place, Diagnostics *d)
{
    PassOptions passes = { .layout = layout_new(arena, (const Graph *const *)&graph, 1) };
    CodeOptions code = *how;
    code.debug_lines = true;
    code.cache = code_cache_directory(arena);
    Plan *plan = passes_run(arena, graph, &passes, d);
    Code *compiled = plan ? code_compile(plan, graph->name, &code, d) : NULL;
    if (!compiled) return false;
    bool good = run_program(code_program(compiled), graph, code.threads, inputs, results, place, d);
    code_free(compiled);
    return good;
}
