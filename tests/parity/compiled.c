/* Passes, code, memory, one run. */
#include "tests/parity/compiled.h"

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

const char *compiled_open(Compiled *c, Arena *arena, Graph *graph, PassOptions passes, int threads)
{
    *c = (Compiled){.arena = arena, .graph = graph};
    Diagnostics *d = diag_new(arena);
    const Graph *graphs[] = {graph};
    passes.layout = layout_new(arena, graphs, 1);
    passes.verify = true;
    const Plan *plan = passes_run(arena, graph, &passes, d);
    CodeOptions options = {.threads = 1};
    return plan && trial_open(&c->trial, plan, threads, &options, d) ? NULL : compiled_messages(arena, d);
}

void compiled_close(Compiled *c)
{
    trial_close(&c->trial);
    *c = (Compiled){0};
}

const Type *compiled_input(const Compiled *c, const char *name)
{
    const Node *n = graph_find_input(c->graph, name);
    return n && graph_find_input(c->trial.plan->graph, name) ? &n->type : NULL;
}

void compiled_set(Compiled *c, const char *name, const void *bytes)
{
    const Node *n = graph_find_input(c->trial.plan->graph, name);
    if (n) trial_set(&c->trial, name, tensor_from_bytes(c->arena, n->type, bytes));
}

const char *compiled_run(Compiled *c)
{
    const RtFault *fault = &c->trial.fault;
    if (trial_run(&c->trial)) return NULL;
    return arena_print(c->arena, "%s: index %lld, but there are only %lld", c->trial.program->places[fault->place],
                       (long long)fault->value, (long long)fault->bound);
}

Tensor *compiled_value(const Compiled *c, const char *name)
{
    const Graph *lowered = c->trial.plan->graph;
    for (int k = 0; k < lowered->outputs.count; k++)
        if (!strcmp(lowered->outputs.at[k].name, name)) return trial_get(&c->trial, c->arena, &lowered->outputs.at[k]);
    return NULL;
}
