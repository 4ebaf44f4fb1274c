/* Values go over as handles: a HostValue's handle is a DataValue in the session's arena. */
#include "frontend/cli/host.h"
#include "frontend/cli/compute.h"
#include "frontend/cli/saved.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct HostData {
    Arena  *arena;
    RtData *runtime;
    Saved  *saved;                       /* or NULL */
    CodeOptions code;                    /* of what data computes */
};

HostData *host_data_new(Arena *arena, const Pairs *data, const char *saved, CodeOptions code)
{
    HostData *h = arena_new_of(arena, HostData);
    h->arena = arena;
    h->code = code;
    h->saved = saved ? saved_open(arena, saved) : NULL;
    h->runtime = rt_data_new();
    for (int i = 0; i < data->count; i++) {
        bool bound = rt_data_bind(h->runtime, data->at[i].name, data->at[i].value);
        assert(bound && "the command line has every name once");
        (void)bound;
    }
    return h;
}

void host_data_free(HostData *data)
{
    if (data->saved) saved_close(data->saved);
    rt_data_free(data->runtime);
}

RtData *host_data_runtime(HostData *data) { return data->runtime; }
const char *host_data_unused(const HostData *data) { return rt_data_unused(data->runtime); }

const RtStream *host_stream(const HostValue *value) { return ((const DataValue *)value->handle)->stream; }
const RtTokenizer *host_tokenizer(const HostValue *value) { return ((const DataValue *)value->handle)->tokenizer; }
int64_t host_stream_batches(const HostValue *value) { return rt_stream_steps(host_stream(value)); }

static bool knows(void *context, const char *name)
{
    (void)context;
    return rt_data_reader(name) != NULL;
}

static const char *const *names(void *context, int *count)
{
    HostData *h = context;
    const DataReader *readers = rt_data_readers(count);
    const char **out = arena_array(h->arena, const char *, *count + 1);
    for (int i = 0; i < *count; i++) out[i] = readers[i].name;
    return out;
}

static DataValue to_data(HostData *h, const HostArg *arg)
{
    DataValue v = { .name = arg->name, .kind = DATA_none };
    switch (arg->kind) {
    case ARG_none: break;
    case ARG_number: v.kind = DATA_number; v.number = arg->number; break;
    case ARG_bool: v.kind = DATA_bool; v.truth = arg->number != 0; break;
    case ARG_text:
        v.kind = DATA_text;
        v.text = (RtText){ arg->text, (int64_t)strlen(arg->text) };
        break;
    case ARG_host:
        v = *(const DataValue *)arg->value.handle;
        v.name = arg->name;
        break;
    case ARG_list: {
        DataValue *items = arena_array(h->arena, DataValue, arg->count + 1);
        for (int i = 0; i < arg->count; i++) items[i] = to_data(h, &arg->items[i]);
        v.kind = DATA_list;
        v.list.items = items;
        v.list.count = arg->count;
        break;
    }
    }
    return v;
}

static Type shaped(Dims *dims, int32_t dtype, int32_t rank, const int64_t *shape)
{
    Type type = { .dtype = (DType)dtype, .rank = rank };
    for (int i = 0; i < rank; i++) type.dim[i] = dim_int(dims, shape[i]);
    return type;
}

static HostArg from_data(HostData *h, Dims *dims, const DataValue *v)
{
    HostArg arg = { .kind = ARG_host };
    DataValue *handle = arena_new_of(h->arena, DataValue);
    *handle = *v;
    arg.value.handle = handle;
    switch (v->kind) {
    case DATA_none: arg.kind = ARG_none; break;
    case DATA_number: arg.kind = ARG_number; arg.number = v->number; break;
    case DATA_bool: arg.kind = ARG_bool; arg.number = v->truth; break;
    case DATA_text: arg.value.kind = HOST_text; break;
    case DATA_column:
        arg.value.kind = HOST_column;
        arg.value.type = shaped(dims, RT_i32, 1, &v->column.count);
        break;
    case DATA_array:
        arg.value.kind = v->array.rank == 1 && v->array.dtype == RT_i32 ? HOST_ids : HOST_array;
        arg.value.type = shaped(dims, v->array.dtype, v->array.rank, v->array.shape);
        break;
    case DATA_ragged:
        arg.value.kind = HOST_ragged;
        arg.value.type = shaped(dims, RT_i32, 1, &v->ragged.rows);
        break;
    case DATA_tokenizer: arg.value.kind = HOST_tokenizer; break;
    case DATA_stream:
        arg.value.kind = HOST_stream;
        arg.value.type = shaped(dims, v->stream->dtype, v->stream->rank, v->stream->shape);
        break;
    case DATA_list:
        arg.kind = ARG_list;
        arg.count = v->list.count;
        arg.items = arena_array(h->arena, HostArg, v->list.count + 1);
        for (int i = 0; i < v->list.count; i++) arg.items[i] = from_data(h, dims, &v->list.items[i]);
        break;
    case DATA_KIND_COUNT: abort();
    }
    return arg;
}

static bool call(void *context, const char *name, const HostArg *args, int arg_count, Place place, Arena *arena,
                 Dims *dims, Diagnostics *d, HostArg *results, int *result_count)
{
    HostData *h = context;
    (void)arena;
    DataValue *values = arena_array(h->arena, DataValue, arg_count + 1), out[DATA_MAX_RESULTS];
    for (int i = 0; i < arg_count; i++) values[i] = to_data(h, &args[i]);
    RtError error;
    if (!rt_data_call(h->runtime, name, values, arg_count, out, result_count, &error)) {
        diag_error(d, place, "%s", error.text);
        return false;
    }
    for (int i = 0; i < *result_count; i++) results[i] = from_data(h, dims, &out[i]);
    return true;
}

HostArg host_arg(HostData *data, Dims *dims, const DataValue *value) { return from_data(data, dims, value); }
const DataArray *host_array(const HostValue *value) { return &((const DataValue *)value->handle)->array; }

Saved *host_data_saved(const HostData *data) { return data->saved; }

static bool saved(void *context, const char *name, Place place, Diagnostics *d, Dims *dims, HostArg *out)
{
    HostData *h = context;
    const char *why = NULL;
    if (!h->saved) return false;
    bool found = saved_constant(h->saved, h, name, dims, out, &why);
    if (why)
        diag_error(d, place, "%s; the weights belong to the %s saved with them (`ptm train ... --out DIR --resume` "
                   "writes what is missing in DIR again, from the data of the run)", why, name);
    return found;
}

/* Room for a value of this type, in the memory of the data phase. */
static DataValue new_array(HostData *h, const Type *type)
{
    DataValue v = { .kind = DATA_array, .array = { .dtype = (int32_t)type->dtype, .rank = type->rank } };
    for (int k = 0; k < type->rank; k++) v.array.shape[k] = dim_value(type->dim[k]);
    v.array.data = rt_data_alloc(h->runtime, data_array_count(&v.array), rt_dtype_bytes(v.array.dtype));
    return v;
}

/* A result without axes is a number, unless it is a whole one that numbers do not reach. */
static HostArg result_arg(HostData *h, Dims *dims, const DataValue *v)
{
    double x = v->array.rank ? 0 : rt_element(v->array.data, v->array.dtype, 0);
    bool inexact = v->array.dtype == RT_i64 && (x > 0x1p53 || x < -0x1p53);
    if (v->array.rank || inexact) return from_data(h, dims, v);
    return (HostArg){ .kind = v->array.dtype == RT_bool ? ARG_bool : ARG_number, .number = x };
}

/* Whose ids a node holds that is nothing but moved inputs: those of the first of them, if all agree. */
static const RtTokenizer *ids_of(const Graph *graph, const Node *n, const HostArg *inputs)
{
    for (int i = 0; i < graph->inputs.count; i++)
        if (graph->inputs.at[i] == n) return host_array(&inputs[i].value)->tokenizer;
    const RtTokenizer *first = n->arg_count && op_is_movement(n->op) ? ids_of(graph, n->args[0], inputs) : NULL;
    for (int k = 1; first && k < n->arg_count; k++)
        if (ids_of(graph, n->args[k], inputs) != first) return NULL;
    return first;
}

static bool run(void *context, Graph *graph, const HostArg *inputs, Place place, Diagnostics *d, HostArg *results)
{
    HostData *h = context;
    const void **given = arena_array(h->arena, const void *, graph->inputs.count + 1);
    void **bytes = arena_array(h->arena, void *, graph->outputs.count);
    DataValue *values = arena_array(h->arena, DataValue, graph->outputs.count);
    if (!compute_fits(graph, place, d)) return false;
    for (int i = 0; i < graph->inputs.count; i++) given[i] = host_array(&inputs[i].value)->data;
    for (int i = 0; i < graph->outputs.count; i++) {
        values[i] = new_array(h, &graph->outputs.at[i].node->type);
        values[i].array.tokenizer = ids_of(graph, graph->outputs.at[i].node, inputs);
        bytes[i] = (void *)values[i].array.data;
    }
    if (!compute_graph(h->arena, graph, &h->code, given, bytes, place, d)) return false;
    for (int i = 0; i < graph->outputs.count; i++) results[i] = result_arg(h, graph->dims, &values[i]);
    return true;
}

Host host_make(HostData *data)
{
    return (Host){ .context = data, .knows = knows, .names = names, .call = call, .saved = saved, .run = run };
}
