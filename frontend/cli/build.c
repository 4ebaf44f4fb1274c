/* From graphs to running code: the training step, evaluations, initial values, and the layout they share. */
#include "frontend/cli/session.h"
#include "frontend/cli/host.h"
#include "passes/build.h"

#include <string.h>

bool build_graph(Session *s, const Graph *graph, PassOptions *passes, Build *out)
{
    *out = (Build){ .graph = graph };
    out->plan = passes_run(s->arena, graph, passes, s->diagnostics);
    if (!out->plan) return session_report(s) && false;
    CodeOptions code = { .threads = s->options->threads > 0 ? (int)s->options->threads : 0, .debug_lines = true };
    out->code = code_compile(out->plan, graph->name, &code, s->diagnostics);
    if (!out->code) return session_report(s) && false;
    out->program = code_program(out->code);
    return true;
}

void build_free(Build *b)
{
    if (b->code) code_free(b->code);
    *b = (Build){ 0 };
}

/* The steps of a pass over the streams, and of the whole stage as `steps` or `epochs` says; --steps wins. */
static bool count_steps(Session *s, const TrainSpec *train, StepSource *out)
{
    out->epoch_steps = host_stream_batches(&train->streams[0].stream);
    out->steps = s->options->steps >= 0 ? s->options->steps
               : train->steps           ? train->steps
                                        : train->epochs * out->epoch_steps;
    if (out->epoch_steps > 0) return true;
    session_fail(s, "%s is too short for one batch of %s", train->streams[0].name,
                 type_text(s->arena, &train->streams[0].stream.type));
    return false;
}

static bool minimized_graph(Session *s, const TrainSpec *train, StepSource *out)
{
    EntryArg *args = arena_array(s->arena, EntryArg, train->stream_count);
    for (int i = 0; i < train->stream_count; i++)
        args[i] = (EntryArg){ train->streams[i].stream.type, model_entry_parameter(s->model, train->minimize, i) };
    out->graph = model_entry(s->model, train->minimize, args, train->stream_count, true, s->diagnostics);
    return out->graph != NULL;
}

/* The parameters the step's graph reads and may train, with the optimizer's code for each. */
static bool trained_parameters(Session *s, StepSource *out)
{
    int count = model_param_count(s->model), n = 0;
    const char **names = arena_array(s->arena, const char *, count + 1);
    ParamUpdate *updates = arena_array(s->arena, ParamUpdate, count + 1);
    for (int i = 0; i < count; i++) {
        const Param *param = model_param(s->model, i);
        if (!param->trained || !graph_find_input(out->graph, param->path)) continue;
        Graph *code = model_update(s->model, param, out->steps, out->epoch_steps, s->diagnostics);
        if (!code) return false;
        names[n] = param->path;
        updates[n++] = (ParamUpdate){ param->path, code };
    }
    out->passes.trained = names;
    out->passes.trained_count = n;
    out->passes.updates = updates;
    return true;
}

bool step_source(Session *s, StepSource *out)
{
    *out = (StepSource){ 0 };
    const TrainSpec *train = model_train(s->model);
    if (!train->present || !train->minimize) {
        session_fail(s, "%s has no `train` block with a `minimize` line", s->options->argument);
        return false;
    }
    if (!count_steps(s, train, out)) return false;
    if (!minimized_graph(s, train, out) || !trained_parameters(s, out)) return session_report(s) && false;
    out->passes.loss = out->graph->outputs.at[0].name;
    out->passes.clip = train->clip;
    return true;
}

/* Tables have their place whether or not a graph reads them: a checkpoint holds them all. */
static const Graph *all_tables(Session *s)
{
    Graph *graph = graph_new(s->arena, model_dims(s->model), "tables");
    for (int i = 0; i < model_table_count(s->model); i++) {
        const HostValue *table = model_table(s->model, i);
        make_input(graph, STORE_const, table->name, table->type);
    }
    return graph;
}

Layout *session_layout(Session *s, const StepSource *step, Graph *const *others, int other_count)
{
    int updates = step ? step->passes.trained_count : 0, n = 0;
    const Graph **graphs = arena_array(s->arena, const Graph *, updates + other_count + 2);
    graphs[n++] = all_tables(s);
    if (step) graphs[n++] = step->graph;
    for (int i = 0; i < other_count; i++) graphs[n++] = others[i];
    for (int i = 0; i < updates; i++) graphs[n++] = step->passes.updates[i].code;
    return layout_new(s->arena, graphs, n);
}

static bool add_initial(Session *s, Graph *into, Storage storage, const char *name, Type type, const Graph *code)
{
    if (!code) {
        session_fail(s, "no initial value for %s", name);
        return false;
    }
    make_input(into, storage, name, type);
    graph_output(into, OUTPUT_update, name, graph_copy_nodes(into, code)[code->outputs.at[0].node->id]);
    return true;
}

/* The states that the graph reads, at their types there. */
static bool add_states(Session *s, Graph *into, const Graph *graph)
{
    for (int i = 0; i < graph->inputs.count; i++) {
        const Node *input = graph->inputs.at[i];
        if (input->attr.storage != STORE_state) continue;
        const Graph *code = model_state_initial(s->model, input);
        if (!add_initial(s, into, STORE_state, input->attr.text, input->type, code)) return false;
    }
    return true;
}

bool build_initial(Session *s, const StepSource *step, const Layout *layout, Build *out)
{
    Graph *graph = graph_new(s->arena, model_dims(s->model), "initial");
    for (int i = 0; i < model_param_count(s->model); i++) {
        const Param *param = model_param(s->model, i);
        if (!map_get(layout->offset, param->path)) continue;
        graph->origin = param->origin;
        if (!add_initial(s, graph, STORE_param, param->path, param->type, param->initial)) return false;
    }
    if (step && !add_states(s, graph, step->graph)) return false;
    for (int u = 0; step && u < step->passes.trained_count; u++)
        if (!add_states(s, graph, step->passes.updates[u].code)) return false;
    PassOptions passes = { .layout = layout };
    return build_graph(s, graph, &passes, out);
}
