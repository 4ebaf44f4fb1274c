/* Finding the graph that a command is about. */
#include "frontend/cli/subject.h"

StepSource *subject_step(Session *s)
{
    const TrainSpec *train = model_train(s->model);
    StepSource *steps = arena_array(s->arena, StepSource, train->stage_count + 1), *first = NULL;
    for (int i = 0; i < train->stage_count; i++) {
        if (!train->stages[i].minimize) continue;
        if (!step_graphs(s, &train->stages[i], &steps[i])) return NULL;
        if (!first) first = &steps[i];
    }
    if (!first) session_fail(s, "%s has no `minimize` line; name an entry with --entry NAME", s->options->argument);
    return first;
}

static bool step_subject(Session *s, Subject *out)
{
    StepSource *step = subject_step(s);
    if (!step || !step_optimizer(s, step)) return false;
    int variant = 0;
    while (!step->graphs[variant]) variant++;
    *out = (Subject){ step->graphs[variant], step->passes[variant] };
    return true;
}

bool subject_open(Session *s, Subject *out)
{
    const Options *o = s->options;
    if (!o->entry) return step_subject(s, out);
    *out = (Subject){ 0 };
    out->graph = model_entry(s->model, o->entry, NULL, -1, o->training, s->diagnostics);
    return out->graph != NULL || session_report(s);
}

bool subject_is_valued(Session *s, const Graph *graph)
{
    const char *flags = "";
    for (int i = 0; i < dims_symbol_count(graph->dims); i++)
        if (dims_symbol_value(graph->dims, i) < 0)
            flags = arena_print(s->arena, "%s --dim %s=N", flags, dims_symbol_name(graph->dims, i));
    return !*flags || (session_fail(s, "this needs values: give%s", flags) && false);
}

Layout *subject_layout(Session *s, const Subject *subject)
{
    const ParamUpdate *updates = subject->passes.updates;
    int count = updates ? subject->passes.trained_count : 0, n = 0;
    const Graph **graphs = arena_array(s->arena, const Graph *, count + 4);
    Graphs own = { 0 };
    Map *narrow = NULL;
    if (s->model) graphs[n++] = build_tables(s);
    vec_push(s->arena, &own, subject->graph);
    if (s->options->weight_type) graphs[n++] = build_params(s, &own, &narrow);
    graphs[n++] = subject->graph;
    if (subject->passes.sums)
        graphs[n++] = shard_merge(s->arena, subject->graph->dims, &subject->passes,
                                  subject->graph->outputs.at[0].node->type);
    for (int i = 0; i < count; i++) graphs[n++] = updates[i].code;
    Layout *layout = layout_new(s->arena, graphs, n);
    layout->narrow = narrow;
    return layout;
}
