/* Cutting batches. */
#include "frontend/cli/small.h"
#include "frontend/cli/host.h"
#include "runtime/core/random.h"

#include <math.h>
#include <string.h>

enum { FEW_ROWS = 2, FEW_COLUMNS = 6 };

/* The first step's batch of a stream, whole. */
static Tensor *first_batch(Session *s, const StepSource *step, uint64_t seed, int k)
{
    const StreamUse *use = &step->stage->streams[k];
    const RtStream *stream = host_stream(&use->stream);
    int leader = step->variants.leader;
    int variant = rt_stream_variant(host_stream(&step->stage->streams[leader].stream), seed, 0);
    char *bytes = arena_alloc(s->arena, (size_t)rt_stream_bytes(stream) + 1);
    rt_stream_batch(stream, seed, 0, bytes);
    return tensor_from_bytes(s->arena, variants_type(&step->variants, model_dims(s->model), k, variant), bytes);
}

/* The extent that this axis has in every batch with so many axes, or -1. */
static int64_t common_extent(const Small *full, int axis)
{
    int64_t extent = -1;
    for (int k = 0; k < full->count; k++) {
        const Type *type = &full->batch[k]->type;
        if (type->rank <= axis) continue;
        int64_t own = dim_value(type->dim[axis]);
        if (extent >= 0 && own != extent) return -1;
        extent = own;
    }
    return extent;
}

/* The first elements along one of the two leading axes. */
static Tensor *cut(Arena *arena, Dims *dims, const Tensor *from, int axis, int64_t most)
{
    Type type = from->type;
    if (type.rank <= axis || dim_value(type.dim[axis]) <= most) return (Tensor *)from;
    type.dim[axis] = dim_int(dims, most);
    Tensor *to = tensor_new(arena, type);
    int64_t outer = axis ? dim_value(type.dim[0]) : 1, length = to->count / outer, apart = from->count / outer;
    for (int64_t k = 0; k < to->count; k++) {
        int64_t at = k / length * apart + k % length;
        if (to->f) to->f[k] = from->f[at];
        else to->i[k] = from->i[at];
    }
    return to;
}

/* The entry for batches of so many rows and columns; false when it does not take them. */
static bool elaborate(Session *s, const StepSource *step, const Small *full, int64_t rows, int64_t columns, Small *out)
{
    EntryArg *args = arena_array(s->arena, EntryArg, full->count + 1);
    Dims *dims = model_dims(s->model);
    *out = *full;
    out->batch = arena_array(s->arena, Tensor *, full->count + 1);
    for (int k = 0; k < full->count; k++) {
        out->batch[k] = cut(s->arena, dims, cut(s->arena, dims, full->batch[k], 1, columns), 0, rows);
        args[k] = (EntryArg){ out->batch[k]->type, full->names[k] };
    }
    Diagnostics *refusals = diag_new(s->arena);
    out->graph = model_entry(s->model, step->stage->minimize, args, full->count, true, refusals);
    return out->graph && !diag_error_count(refusals);
}

bool small_open(Session *s, StepSource *step, Small *out)
{
    Small full = { .count = step->stage->stream_count,
                   .seed = s->options->seed > 0 ? (uint64_t)s->options->seed : 0 };
    full.batch = arena_array(s->arena, Tensor *, full.count + 1);
    full.names = arena_array(s->arena, const char *, full.count + 1);
    for (int k = 0; k < full.count; k++) {
        full.batch[k] = first_batch(s, step, full.seed, k);
        full.names[k] = model_entry_parameter(s->model, step->stage->minimize, k);
    }
    int64_t rows = common_extent(&full, 0), columns = common_extent(&full, 1);
    int64_t few = rows > FEW_ROWS ? FEW_ROWS : INT64_MAX, narrow = columns > FEW_COLUMNS ? FEW_COLUMNS : INT64_MAX;
    bool made = elaborate(s, step, &full, few, narrow, out) || elaborate(s, step, &full, few, INT64_MAX, out)
             || elaborate(s, step, &full, INT64_MAX, narrow, out)
             || elaborate(s, step, &full, INT64_MAX, INT64_MAX, out);
    if (!made) return session_fail(s, "%s takes no batch", step->stage->minimize) && false;
    step->graphs[0] = out->graph;
    for (int v = 1; v < step->variants.count; v++) step->graphs[v] = NULL;
    return true;
}

/* values */

static Tensor *whole(Arena *arena, int64_t value)
{
    Tensor *t = tensor_new(arena, type_scalar(DT_i64));
    t->i[0] = value;
    return t;
}

static Tensor *table(Session *s, const char *name)
{
    for (int i = 0; i < model_table_count(s->model); i++) {
        const HostValue *v = model_table(s->model, i);
        if (!strcmp(v->name, name)) return tensor_from_bytes(s->arena, v->type, host_array(v)->data);
    }
    return NULL;
}

static Tensor *ambient_or_table(Session *s, const Small *small, const Node *input)
{
    bool seed = !strcmp(input->attr.text, "seed");
    if (input->attr.storage == STORE_const) return table(s, input->attr.text);
    if (seed || !strcmp(input->attr.text, "step")) return whole(s->arena, seed ? (int64_t)small->seed : 0);
    Tensor *history = tensor_new(s->arena, input->type);     /* of evaluations: there are none yet */
    for (int64_t k = 0; k < history->count; k++) history->f[k] = NAN;
    return history;
}

/* What the code of an initial value comes to. */
static Tensor *initial(Session *s, const Small *small, const Graph *code)
{
    Tensor **inputs = arena_array(s->arena, Tensor *, code->inputs.count + 1), *result = NULL;
    for (int k = 0; k < code->inputs.count; k++) inputs[k] = ambient_or_table(s, small, code->inputs.at[k]);
    const char *why = graph_eval(code, inputs, &result, s->arena);
    if (why) session_fail(s, "%s", why);
    return why ? NULL : result;
}

static Tensor *parameter(Session *s, const Small *small, const char *path, double noise)
{
    Tensor *t = initial(s, small, model_find_param(s->model, path)->initial);
    uint64_t key = rt_random_key(small->seed, rt_random_hash(path));
    for (int64_t k = 0; t && t->f && k < t->count; k++)
        t->f[k] += noise * (2 * (double)rt_random_unit(rt_random_word(key, 1, (uint64_t)k)) - 1);
    return t;
}

static Tensor *value_of(Session *s, const Small *small, const Node *input, double noise)
{
    const char *name = input->attr.text;
    const Graph *code = input->attr.storage == STORE_state ? model_state_initial(s->model, input) : NULL;
    if (code) return initial(s, small, code);
    if (input->attr.storage == STORE_param) return parameter(s, small, name, noise);
    for (int k = 0; k < small->count; k++)
        if (!strcmp(small->names[k], name)) return small->batch[k];
    return ambient_or_table(s, small, input);
}

Tensor **small_inputs(Session *s, const Small *small, const Graph *graph, double noise)
{
    Tensor **values = arena_array(s->arena, Tensor *, graph->inputs.count + 1);
    for (int k = 0; k < graph->inputs.count; k++) {
        values[k] = value_of(s, small, graph->inputs.at[k], noise);
        if (!values[k]) return NULL;
    }
    return values;
}
