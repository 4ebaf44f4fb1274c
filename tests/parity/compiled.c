/* Passes, code, memory, one run. */
#include "tests/parity/compiled.h"

#include "runtime/core/memory.h"
#include "tests/paint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *compiled_messages(Arena *arena, const Diagnostics *d)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    diag_print(d, out);
    fclose(out);
    const char *copy = arena_copy_text(arena, text, size);
    free(text);
    return copy;
}

static void keep_last(void *context, const char *pass, bool after, const Graph *graph, const Plan *plan)
{
    (void)pass;
    (void)after;
    Compiled *c = context;
    if (graph) c->lowered = graph;
    if (plan) c->lowered = plan->graph;
}

const char *compiled_open(Compiled *c, Arena *arena, Graph *graph, PassOptions passes, int threads)
{
    *c = (Compiled){.arena = arena, .graph = graph, .lowered = graph};
    Diagnostics *d = diag_new(arena);
    const Graph *graphs[] = {graph};
    passes.layout = layout_new(arena, graphs, 1);
    passes.verify = true;
    passes.observe = keep_last;
    passes.context = c;
    const Plan *plan = passes_run(arena, graph, &passes, d);
    if (!plan) return compiled_messages(arena, d);
    CodeOptions options = {.threads = 1};
    c->code = code_compile(plan, graph->name, &options, d);
    if (!c->code) return compiled_messages(arena, d);
    c->program = code_program(c->code);
    c->pool = rt_pool_new(threads, c->program->scratch_bytes);
    for (int b = 0; b < BLOCK_COUNT; b++) {
        c->block[b] = rt_memory_new(c->program->block_bytes[b]);
        if (!c->block[b]) return "no memory";
        paint(c->block[b], c->program->block_bytes[b]);
    }
    return c->pool ? NULL : "no memory";
}

void compiled_close(Compiled *c)
{
    for (int b = 0; b < BLOCK_COUNT; b++)
        if (c->block[b]) rt_memory_free(c->block[b], c->program->block_bytes[b]);
    if (c->pool) rt_pool_free(c->pool);
    if (c->code) code_free(c->code);
    *c = (Compiled){0};
}

static char *bytes_at(const Compiled *c, int64_t place)
{
    return rt_at(c->block, place);
}

static const RtValue *find(const RtValue *at, int count, const char *name)
{
    for (int k = 0; k < count; k++)
        if (!strcmp(at[k].name, name)) return &at[k];
    return NULL;
}

const Type *compiled_input(const Compiled *c, const char *name)
{
    const Node *n = graph_find_input(c->graph, name);
    return n && find(c->program->inputs, c->program->input_count, name) ? &n->type : NULL;
}

void compiled_set(Compiled *c, const char *name, const void *bytes)
{
    const RtValue *v = find(c->program->inputs, c->program->input_count, name);
    if (v && v->bytes) memcpy(bytes_at(c, v->place), bytes, (size_t)v->bytes);
}

const char *compiled_run(Compiled *c)
{
    RtFault fault;
    if (rt_program_run(c->program, c->pool, c->block, &fault) == 0) return NULL;
    return arena_print(c->arena, "%s: index %lld, but there are only %lld", c->program->places[fault.place],
                       (long long)fault.value, (long long)fault.bound);
}

Tensor *compiled_value(const Compiled *c, const char *name)
{
    for (int k = 0; k < c->lowered->outputs.count; k++) {
        const Output *o = &c->lowered->outputs.at[k];
        if (strcmp(o->name, name)) continue;
        const RtValue *v = o->kind == OUTPUT_update ? find(c->program->inputs, c->program->input_count, name)
                                                    : find(c->program->outputs, c->program->output_count, name);
        return v ? tensor_from_bytes(c->arena, o->node->type, bytes_at(c, v->place)) : NULL;
    }
    return NULL;
}
