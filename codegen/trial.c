/* Code, memory, one run. */
#include "codegen/trial.h"
#include "runtime/core/memory.h"

#include <assert.h>
#include <string.h>

/* A word that is NaN as f32 and f64 and outside every table as i32. */
static void paint(char *memory, int64_t bytes)
{
    static const uint32_t word = 0x7FF5A5A5u;
    for (int64_t at = 0; at < bytes; at += (int64_t)sizeof word)
        memcpy(memory + at, &word, (size_t)(bytes - at < (int64_t)sizeof word ? bytes - at : (int64_t)sizeof word));
}

bool trial_open(Trial *t, const Plan *plan, int threads, const CodeOptions *options, Diagnostics *d)
{
    *t = (Trial){.plan = plan, .code = code_compile(plan, plan->graph->name, options, d)};
    if (!t->code) return false;
    t->program = code_program(t->code);
    t->pool = rt_pool_new(threads, t->program->scratch_bytes);
    bool good = t->pool != NULL;
    for (int b = 0; b < BLOCK_COUNT && good; b++) {
        int64_t bytes = t->program->block_bytes[b];
        good = (t->block[b] = rt_memory_new(bytes)) != NULL;
        if (good) paint(t->block[b], bytes);
    }
    if (!good) diag_error(d, (Place){0}, "not enough memory for %s", plan->graph->name);
    return good;
}

void trial_close(Trial *t)
{
    for (int b = 0; b < BLOCK_COUNT; b++)
        if (t->block[b]) rt_memory_free(t->block[b], t->program->block_bytes[b]);
    if (t->pool) rt_pool_free(t->pool);
    code_free(t->code);
    *t = (Trial){0};
}

static const RtValue *find(const RtValue *at, int count, const char *name)
{
    for (int k = 0; k < count; k++)
        if (!strcmp(at[k].name, name)) return &at[k];
    return NULL;
}

bool trial_set(Trial *t, const char *name, const Tensor *value)
{
    const RtValue *v = find(t->program->inputs, t->program->input_count, name);
    if (!v) return false;
    assert(v->bytes == type_value_bytes(&value->type));
    if (v->bytes) tensor_to_bytes(value, rt_at(t->block, v->place));
    return true;
}

bool trial_run(Trial *t) { return rt_program_run(t->program, t->pool, t->block, &t->fault) == 0; }

Tensor *trial_get(const Trial *t, Arena *arena, const Output *o)
{
    const RtValue *v = o->kind == OUTPUT_update ? find(t->program->inputs, t->program->input_count, o->name)
                                                : find(t->program->outputs, t->program->output_count, o->name);
    assert(v);
    return tensor_from_bytes(arena, o->node->type, rt_at(t->block, v->place));
}
