/* Arrays of the data phase in expressions. Everywhere but in data a const array is a table: an input of the graph that
 * uses it. In data itself arrays become inputs of a graph that belongs to the line, and what is made of them is run,
 * compiled, as soon as its value is wanted: at the end of the line, by a function of the host, in a condition or a
 * shape. */
#include "frontend/elab.h"

#include <string.h>

/* No machine holds more; far below this the host says what it lacks. */
static const int64_t MOST_BYTES = (int64_t)1 << 44;

typedef Vec(Node *) Nodes;

bool elab_is_array(const Value *v)
{
    return v->kind == VALUE_host && (v->host->kind == HOST_array || v->host->kind == HOST_ids);
}

/* arrays to tensors */

static Node *array_input(Elab *e, const HostValue *array)
{
    for (int i = 0; i < e->arrays.count; i++) {
        const HostValue *known = e->arrays.at[i].value;
        if (known->handle == array->handle && type_equal(&known->type, &array->type)) return e->arrays.at[i].node;
    }
    const char *name = arena_print(e->arena, "%d", e->arrays.count);
    ArrayInput input = { array, elab_root_input(e, STORE_data, name, array->type) };
    vec_push(e->arena, &e->arrays, input);
    return input.node;
}

static Value table_input(Elab *e, const HostValue *table, Place place)
{
    bool taken = e->mode == MODE_optimizer && (!strcmp(table->name, "w") || !strcmp(table->name, "g"));
    if (taken)
        return elab_error(e, place,
                          "in an optimizer w and g are the parameter and its gradient; give the table %s another name",
                          table->name);
    return value_tensor(elab_root_input(e, STORE_const, table->name, table->type));
}

Value elab_lift(Elab *e, Value v, Place place)
{
    if (!elab_is_array(&v) || !e->graph) return v;
    elab_at(e, place);
    if (e->mode == MODE_data) return value_tensor(array_input(e, v.host));
    return v.host->name ? table_input(e, v.host, place) : v;
}

/* tensors to arrays */

static void collect(Elab *e, const Value *v, Place place, Nodes *out)
{
    if (v->kind == VALUE_tensor) {
        for (int i = 0; i < out->count; i++)
            if (out->at[i] == v->node) return;
        vec_push(e->arena, out, v->node);
    }
    int items = v->kind == VALUE_list ? v->list.count : 0;
    if (items && !elab_spend(e, items, place)) return;       /* a list may hold one list many times */
    for (int i = 0; i < items; i++) collect(e, &v->list.at[i], place, out);
    if (v->kind == VALUE_function)
        for (int i = 0; i < v->function->arg_count; i++) collect(e, &v->function->args[i].value, place, out);
}

/* v with the values of its tensors. */
static Value replaced(Elab *e, Value v, const Nodes *nodes, const Value *values)
{
    if (v.kind == VALUE_tensor) {
        for (int i = 0; i < nodes->count; i++)
            if (nodes->at[i] == v.node) return values[i];
    }
    if (v.kind == VALUE_list) {
        Value *items = arena_array(e->arena, Value, v.list.count);
        for (int i = 0; i < v.list.count; i++) items[i] = replaced(e, v.list.at[i], nodes, values);
        return value_list(items, v.list.count);
    }
    if (v.kind == VALUE_function) {
        Function *f = arena_new_of(e->arena, Function);
        *f = *v.function;
        Argument *args = arena_array(e->arena, Argument, f->arg_count);
        for (int i = 0; i < f->arg_count; i++) {
            args[i] = f->args[i];
            args[i].value = replaced(e, args[i].value, nodes, values);
        }
        f->args = args;
        v.function = f;
    }
    return v;
}

/* The part of the line's graph that these nodes need, with them as results "0", "1" … */
static Graph *needed_part(Elab *e, const Nodes *nodes)
{
    const Graph *all = elab_root(e);
    Graph *part = graph_new(e->arena, e->dims, arena_print(e->arena, "data %s", e->draw_prefix));
    Node **copy = arena_array(e->arena, Node *, all->nodes.count);
    bool *needed = arena_array(e->arena, bool, all->nodes.count);
    for (int i = 0; i < nodes->count; i++) needed[nodes->at[i]->id] = true;
    for (int i = all->nodes.count - 1; i >= 0; i--) {
        const Node *n = all->nodes.at[i];
        for (int k = 0; needed[i] && k < n->arg_count; k++) needed[n->args[k]->id] = true;
    }
    for (int i = 0; i < all->nodes.count; i++) {
        const Node *n = all->nodes.at[i];
        if (!needed[i]) continue;
        Node **args = arena_array(e->arena, Node *, n->arg_count);
        for (int k = 0; k < n->arg_count; k++) args[k] = copy[n->args[k]->id];
        copy[i] = graph_rebuild(part, n, args);
    }
    for (int i = 0; i < nodes->count; i++)
        graph_output(part, OUTPUT_result, arena_print(e->arena, "%d", i), copy[nodes->at[i]->id]);
    return part;
}

static bool fits_memory(Elab *e, const Graph *g, Place place)
{
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *n = g->nodes.at[i];
        int64_t bytes = type_value_bytes(&n->type);
        if (bytes >= 0 && bytes <= MOST_BYTES) continue;
        Place at = n->origin_count ? n->origins[0]->place : place;
        elab_error(e, at, "an array of type %s is too large", type_text(e->arena, &n->type));
        return false;
    }
    return true;
}

static const HostValue *array_of(const Elab *e, const char *input)
{
    for (int i = 0; i < e->arrays.count; i++)
        if (!strcmp(e->arrays.at[i].node->attr.text, input)) return e->arrays.at[i].value;
    return NULL;
}

/* Values of the nodes, one run for all of them; false after reporting. */
static bool run(Elab *e, const Nodes *nodes, Place place, Value *values)
{
    const Host *host = e->model->options.host;
    if (!host->run) {
        elab_error(e, place, "arrays cannot be computed here");
        return false;
    }
    Graph *graph = needed_part(e, nodes);
    HostArg *inputs = arena_array(e->arena, HostArg, graph->inputs.count);
    HostArg *results = arena_array(e->arena, HostArg, nodes->count);
    for (int i = 0; i < graph->inputs.count; i++)
        inputs[i] = (HostArg){ .kind = ARG_host, .value = *array_of(e, graph->inputs.at[i]->attr.text) };
    if (!fits_memory(e, graph, place)) return false;
    if (!host->run(host->context, graph, inputs, place, e->d, results)) {
        diag_chain(e->d, elab_origin(e, place));
        return false;
    }
    for (int i = 0; i < nodes->count; i++) {
        if (results[i].kind == ARG_host) results[i].value.type = nodes->at[i]->type;  /* with the names of dimensions */
        values[i] = elab_from_host(e, &results[i]);
    }
    return true;
}

/* In a scan only what was computed before it has a value. False after reporting. */
static bool outside_scans(Elab *e, Nodes *nodes, Place place)
{
    for (int i = 0; i < nodes->count; i++) {
        nodes->at[i] = region_origin(e, nodes->at[i]);
        if (nodes->at[i]) continue;
        elab_error(e, place, "this is computed in a scan; what is wanted here must be known before it runs");
        return false;
    }
    return true;
}

Value elab_settle(Elab *e, Value v, Place place)
{
    Nodes nodes = {0};
    if (e->mode != MODE_data || !e->graph) return v;
    collect(e, &v, place, &nodes);
    if (e->stopped) return value_error();
    if (!nodes.count) return v;
    Nodes wanted = {0};
    for (int i = 0; i < nodes.count; i++) vec_push(e->arena, &wanted, nodes.at[i]);
    if (!outside_scans(e, &wanted, place)) return value_error();
    Value *values = arena_array(e->arena, Value, nodes.count);
    if (!e->model->options.host) {
        for (int i = 0; i < nodes.count; i++) values[i] = (Value){ .kind = VALUE_unknown, .text = "_" };
    } else if (wanted.count == 1 && wanted.at[0]->op == OP_input) {
        values[0] = value_host(array_of(e, wanted.at[0]->attr.text));    /* an array as it was */
    } else if (!run(e, &wanted, place, values)) {
        return value_error();
    }
    return replaced(e, v, &nodes, values);
}
