/* Training steps from the train block. */
#include "frontend/cli/step.h"
#include "frontend/cli/host.h"
#include "frontend/cli/sizes.h"

#include <string.h>

int step_programs(const StepSource *step) { return step->shards > 1 ? 2 : 0; }

/* "4 streams of 25 elements", "60 rows" */
static const char *amount_text(Arena *arena, const RtStream *stream)
{
    long long rows = stream->rows, of_row = stream->carries ? stream->row_bytes / stream->shape[1] : 1;
    if (!stream->carries) return arena_print(arena, "%lld rows", rows);
    return arena_print(arena, "%lld streams of %lld elements", rows, stream->row_stride / of_row);
}

static bool count_steps(Session *s, StepSource *out)
{
    const StageSpec *stage = out->stage;
    const StreamUse *first = stage->stream_count ? &stage->streams[0] : NULL;
    out->shards = stage->accumulate ? stage->accumulate : 1;
    out->epoch_steps = first ? host_stream_batches(&first->stream) / out->shards : 0;
    out->steps = stage->steps ? stage->steps : stage->epochs * out->epoch_steps;
    if (first && out->epoch_steps < 1) {
        const char *batches = "one batch";
        if (out->shards > 1) batches = arena_print(s->arena, "%lld batches", (long long)out->shards);
        diag_error(s->diagnostics, first->place, "%s is too short for %s of %s: it has %s; make batches smaller, "
                   "or give more data", first->name, batches, type_text(s->arena, &first->stream.type),
                   amount_text(s->arena, host_stream(&first->stream)));
        return session_report(s) && false;
    }
    if (!first && stage->epochs)
        return session_fail(s, "%s takes no stream, so there are no epochs: give steps", stage->minimize) && false;
    return true;
}

static Graph *variant_graph(Session *s, const StepSource *step, int variant)
{
    const StageSpec *stage = step->stage;
    EntryArg *args = arena_array(s->arena, EntryArg, stage->stream_count + 1);
    for (int i = 0; i < stage->stream_count; i++)
        args[i] = (EntryArg){ variants_type(&step->variants, model_dims(s->model), i, variant),
                              model_entry_parameter(s->model, stage->minimize, i) };
    return model_entry(s->model, stage->minimize, args, stage->stream_count, true, s->diagnostics);
}

bool step_graphs(Session *s, const StageSpec *stage, StepSource *out)
{
    *out = (StepSource){ .stage = stage };
    if (!count_steps(s, out)) return false;
    if (!variants_open(s, stage->streams, stage->stream_count, true, &out->variants)) return false;
    out->graphs = arena_array(s->arena, Graph *, out->variants.count + step_programs(out));
    out->passes = arena_array(s->arena, PassOptions, out->variants.count + step_programs(out));
    for (int v = 0; v < out->variants.count; v++) {
        if (!variants_has(&out->variants, v)) continue;
        out->graphs[v] = variant_graph(s, out, v);
        if (!out->graphs[v] || !sizes_check(s, out->graphs[v])) return session_report(s) && false;
    }
    return true;
}

static bool reads(const StepSource *step, const char *param)
{
    for (int v = 0; v < step->variants.count; v++)
        if (step->graphs[v] && graph_find_input(step->graphs[v], param)) return true;
    return false;
}

/* The optimizer's code for each parameter that the stage reaches and may train. */
static bool read_updates(Session *s, StepSource *out)
{
    int count = model_param_count(s->model), frozen = 0, updated = 0;
    ParamUpdate *updates = arena_array(s->arena, ParamUpdate, count + 1);
    for (int i = 0; i < count; i++) {
        const Param *param = model_param(s->model, i);
        if (!reads(out, param->path)) continue;
        if (!param->trained) {
            updated++;
            continue;
        }
        if (model_frozen(s->model, out->stage, param)) {
            frozen++;
            continue;
        }
        Graph *code = model_update(s->model, out->stage, param, out->steps, out->epoch_steps, s->diagnostics);
        if (!code) return false;
        updates[out->update_count++] = (ParamUpdate){ param->path, code };
    }
    out->updates = updates;
    if (frozen && !out->update_count)
        diag_error(s->diagnostics, out->stage->place, "every parameter that this stage reaches is frozen");
    if (updated && !frozen && !out->update_count)
        diag_warning(s->diagnostics, out->stage->place,
                     "the program itself updates every parameter that this stage reaches: the optimizer "
                     "trains nothing");
    return diag_error_count(s->diagnostics) == 0;
}

/* graph: whose parameters to train; NULL: all of the stage. */
static PassOptions pass_options(Session *s, const StepSource *step, const Graph *graph)
{
    const char **names = arena_array(s->arena, const char *, step->update_count + 1);
    ParamUpdate *updates = arena_array(s->arena, ParamUpdate, step->update_count + 1);
    int count = 0;
    for (int i = 0; i < step->update_count; i++) {
        if (graph && !graph_find_input(graph, step->updates[i].param)) continue;
        names[count] = step->updates[i].param;
        updates[count++] = step->updates[i];
    }
    return (PassOptions){ .loss = graph ? graph->outputs.at[0].name : NULL, .clip = step->stage->clip, .trained = names,
                          .trained_count = count, .updates = updates };
}

/* Every shard makes all gradients, whatever its shape reads; clip and the optimizer come once. */
static void add_shards(Session *s, StepSource *out)
{
    Dims *dims = model_dims(s->model);
    int v = 0, count = out->variants.count;
    while (!out->graphs[v]) v++;
    Type loss = out->graphs[v]->outputs.at[0].node->type;
    PassOptions all = pass_options(s, out, NULL), shard = all;
    all.loss = shard.loss = out->graphs[v]->outputs.at[0].name;
    shard.sums = true;
    shard.clip = 0;
    for (int i = 0; i < count; i++) out->passes[i] = shard;
    out->graphs[count] = shard_merge(s->arena, dims, &all, loss);
    out->graphs[count + 1] = shard_update(s->arena, dims, &all, loss, out->shards);
    out->passes[count + 1] = all;
}

bool step_optimizer(Session *s, StepSource *out)
{
    bool matched = model_check_patterns(s->model, s->diagnostics);
    if (!read_updates(s, out) || !matched) return session_report(s) && false;
    if (step_programs(out)) add_shards(s, out);
    for (int v = 0; !step_programs(out) && v < out->variants.count; v++)
        if (out->graphs[v]) out->passes[v] = pass_options(s, out, out->graphs[v]);
    return true;
}
