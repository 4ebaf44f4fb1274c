/* The border to the host: values of the language out, results of readers and tokenizers in. */
#include "frontend/elab.h"

enum { MOST_RESULTS = 8 };

bool elab_host_knows(const Elab *e, const char *name)
{
    const Host *host = e->model->options.host;
    return host && host->knows(host->context, name);
}

static bool list_to_host(Elab *e, const List *list, Place place, HostArg *out)
{
    out->kind = ARG_list;
    out->count = list->count;
    out->items = arena_array(e->arena, HostArg, list->count);
    for (int i = 0; i < list->count; i++)
        if (!elab_to_host(e, &list->at[i], place, &out->items[i])) return false;
    return true;
}

bool elab_to_host(Elab *e, const Value *v, Place place, HostArg *out)
{
    int64_t known;
    *out = (HostArg){ .place = place };
    switch (v->kind) {
    case VALUE_none: return true;
    case VALUE_bool: out->kind = ARG_bool; out->number = v->truth; return true;
    case VALUE_string: out->kind = ARG_text; out->text = v->text; return true;
    case VALUE_host: out->kind = ARG_host; out->value = *v->host; return true;
    case VALUE_list: return list_to_host(e, &v->list, place, out);
    case VALUE_number:
        out->kind = ARG_number;
        out->number = v->number;
        if (!v->dim) return true;
        out->number = elab_known(v->dim, &known) ? (double)known : 0;
        return true;
    case VALUE_error: return false;
    case VALUE_function:
    case VALUE_tensor:
    case VALUE_instance:
    case VALUE_unknown: break;
    }
    elab_error(e, place, "%s cannot be given to a function of the data phase", value_text(e->arena, v));
    return false;
}

Value elab_from_host(Elab *e, const HostArg *arg)
{
    switch (arg->kind) {
    case ARG_none: return value_none();
    case ARG_number: return value_number(arg->number);
    case ARG_bool: return value_bool(arg->number != 0);
    case ARG_text: return value_string(arg->text);
    case ARG_host: {
        HostValue *host = arena_new_of(e->arena, HostValue);
        *host = arg->value;
        return value_host(host);
    }
    case ARG_list: {
        Value *values = arena_array(e->arena, Value, arg->count);
        for (int i = 0; i < arg->count; i++) values[i] = elab_from_host(e, &arg->items[i]);
        return value_list(values, arg->count);
    }
    }
    return value_error();
}

/* While data is not evaluated, whatever a reader would give is unknown. */
static Value unknown_result(void) { return (Value){ .kind = VALUE_unknown, .text = "_" }; }

Value elab_host_call(Elab *e, const char *name, const Argument *args, int count, Place place)
{
    const Host *host = e->model->options.host;
    if (!host) return unknown_result();
    HostArg *given = arena_array(e->arena, HostArg, count), results[MOST_RESULTS];
    Value *values = arena_array(e->arena, Value, count);
    int result_count = 0;
    for (int i = 0; i < count; i++) {
        if (args[i].value.kind == VALUE_unknown) return unknown_result();
        values[i] = args[i].value;
    }
    Value settled = elab_settle(e, value_list(values, count), place);
    if (settled.kind == VALUE_error) return settled;
    for (int i = 0; i < count; i++) {
        if (!elab_to_host(e, &settled.list.at[i], args[i].place, &given[i])) return value_error();
        given[i].name = args[i].keyword;
    }
    bool reads = count == 1 && given[0].kind == ARG_text;
    const char *file = reads ? arena_print(e->arena, "%s %s", name, given[0].text) : NULL;
    if (file && map_get(e->model->unread, file)) return value_error();
    if (!host->call(host->context, name, given, count, place, e->arena, e->dims, e->d, results, &result_count)) {
        const Origin *origin = elab_origin(e, place);
        diag_chain(e->d, origin);
        if (file) map_set(e->model->unread, file, (void *)file);
        return value_error();
    }
    if (result_count == 1) return elab_from_host(e, &results[0]);
    values = arena_array(e->arena, Value, result_count);
    for (int i = 0; i < result_count; i++) values[i] = elab_from_host(e, &results[i]);
    return value_list(values, result_count);
}
