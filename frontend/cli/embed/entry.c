/* Entries: an fn for one set of dimensions, called on arrays. */
#include "frontend/cli/embed/embed.h"
#include "runtime/core/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- asking for one ---- */

/* "B=1" put into the types of the parameters. */
static bool bind(PtmModel *model, const char *text, Type *types, int count, PtmError *error)
{
    Dims *dims = model_dims(model->session.model);
    const char *equals = strchr(text, '=');
    char *end = NULL;
    errno = 0;
    long long value = equals ? strtoll(equals + 1, &end, 10) : 0;
    if (!equals || equals == text || !equals[1] || *end || value < 1 || errno)
        return embed_fail(error, "\"%s\": a dimension is NAME=N, a whole number from 1 on", text);
    const char *symbol = arena_copy_text(model->session.arena, text, (size_t)(equals - text));
    bool used = false;
    for (int k = 0; k < count; k++) {
        for (int axis = 0; axis < types[k].rank; axis++) {
            used = used || dim_mentions(types[k].dim[axis], symbol);
            types[k].dim[axis] = dim_substitute(dims, types[k].dim[axis], symbol, dim_int(dims, value));
        }
    }
    return used || embed_fail(error, "%s: no input has a dimension %s", text, symbol);
}

static bool all_bound(PtmModel *model, const char *name, const EntryArg *args, int count, PtmError *error)
{
    Arena *arena = model->session.arena;
    for (int k = 0; k < count; k++)
        for (int axis = 0; axis < args[k].type.rank; axis++)
            if (dim_value(args[k].type.dim[axis]) < 0)
                return embed_fail(error, "%s: its input %s is %s: what is %s?", name, args[k].name,
                                  type_text(arena, &args[k].type), dim_text(arena, args[k].type.dim[axis]));
    return true;
}

static Graph *elaborate(PtmModel *model, const char *name, const char *const *dims, PtmError *error)
{
    Session *s = &model->session;
    int count = model_entry_parameters(s->model, name);
    EntryArg *args = arena_array(s->arena, EntryArg, count + 1);
    Type *types = arena_array(s->arena, Type, count + 1);
    Graph *graph = NULL;
    if (model_entry_types(s->model, name, s->diagnostics, types)) {
        for (int k = 0; dims && dims[k]; k++)
            if (!bind(model, dims[k], types, count, error)) return NULL;
        for (int k = 0; k < count; k++) args[k] = (EntryArg){ types[k], model_entry_parameter(s->model, name, k) };
        if (!all_bound(model, name, args, count, error)) return NULL;
        graph = model_entry(s->model, name, args, count, false, s->diagnostics);
    }
    if (session_report(s) && graph) return graph;
    embed_failed(model, error);
    return NULL;
}

PtmEntry *ptm_entry(PtmModel *model, const char *name, const char *const *dims, PtmError *error)
{
    if (model->built) {
        embed_fail(error, "the model is built already: ask for entries before");
        return NULL;
    }
    Graph *graph = elaborate(model, name, dims, error);
    if (!graph) return NULL;
    PtmEntry *entry = arena_new_of(model->session.arena, PtmEntry);
    *entry = (PtmEntry){ .model = model, .name = arena_print(model->session.arena, "%s", name), .graph = graph };
    vec_push(model->session.arena, &model->entries, entry);
    return entry;
}

/* ---- building ---- */

bool entry_compile(PtmEntry *entry)
{
    Session *s = &entry->model->session;
    Graph **graphs = arena_new_of(s->arena, Graph *);
    *graphs = entry->graph;
    return job_open(s, entry->name, graphs, 1, 0, NULL, entry->model->run.layout, &entry->job)
        && job_build(s, NULL, &entry->job);
}

bool entry_allocate(PtmEntry *entry)
{
    PtmModel *model = entry->model;
    const Program *p = entry->job.run[0].program;
    entry->states = rt_memory_new(entry->job.states.bytes);
    if (!entry->states) return session_fail(&model->session, "not enough memory") && false;
    entry->block[BLOCK_param] = model->run.param;
    entry->block[BLOCK_const] = model->run.constants;
    entry->block[BLOCK_state] = entry->states;
    entry->block[BLOCK_work] = model->work;
    entry->inputs = arena_array(model->session.arena, PtmArray, p->input_count + 1);
    entry->outputs = arena_array(model->session.arena, PtmArray, p->output_count + 1);
    for (int k = 0; k < p->input_count; k++) entry->inputs[k] = embed_array(&p->inputs[k], entry->block);
    for (int k = 0; k < p->output_count; k++) entry->outputs[k] = embed_array(&p->outputs[k], entry->block);
    ptm_entry_reset(entry);
    return true;
}

void entry_close(PtmEntry *entry)
{
    rt_memory_free(entry->states, entry->job.states.bytes);
    job_close(&entry->job);
}

/* ---- running ---- */

const PtmArray *ptm_entry_input(const PtmEntry *entry, const char *name)
{
    const Model *m = entry->model->session.model;
    const Program *p = entry->job.run ? entry->job.run[0].program : NULL;
    for (int k = 0; entry->inputs && k < model_entry_parameters(m, entry->name); k++)
        if (!strcmp(name, model_entry_parameter(m, entry->name, k)))
            return &entry->inputs[rt_program_input(p, name) - p->inputs];
    return NULL;
}

const PtmArray *ptm_entry_output(const PtmEntry *entry, int k)
{
    return entry->outputs && k >= 0 && k < entry->job.run[0].program->output_count ? &entry->outputs[k] : NULL;
}

void ptm_entry_reset(PtmEntry *entry)
{
    if (entry->states) states_begin(&entry->job.states, entry->states);
}

bool ptm_entry_run(PtmEntry *entry, PtmError *error)
{
    RtFault fault;
    RtError e;
    if (!entry->states) return embed_fail(error, "the model is not built yet");
    const RtRun *run = &entry->job.run[0];
    run_fill_ambient(run, entry->block, entry->model->run.seed, 0);
    if (!rt_program_run(run->program, entry->model->run.pool, entry->block, &fault)) return true;
    rt_fault_text(run->program, &fault, &e);
    return embed_fail(error, "%s", e.text);
}
