/* Values: constructors and how they read in messages. */
#include "frontend/value.h"

#include <math.h>

Value value_error(void) { return (Value){ .kind = VALUE_error }; }

Value value_none(void) { return (Value){ .kind = VALUE_none }; }

Value value_bool(bool truth) { return (Value){ .kind = VALUE_bool, .truth = truth }; }

Value value_number(double number) { return (Value){ .kind = VALUE_number, .number = number }; }

Value value_dim(const Dim *dim)
{
    int64_t literal;
    if (dim_is_int(dim, &literal)) return value_number((double)literal);
    return (Value){ .kind = VALUE_number, .dim = dim };
}

Value value_string(const char *text) { return (Value){ .kind = VALUE_string, .text = text }; }

Value value_list(const Value *at, int count) { return (Value){ .kind = VALUE_list, .list = { at, count } }; }

Value value_tensor(Node *node) { return (Value){ .kind = VALUE_tensor, .node = node }; }

Value value_host(const HostValue *host) { return (Value){ .kind = VALUE_host, .host = host }; }

bool value_is_whole(const Value *v, int64_t *out)
{
    if (v->kind != VALUE_number || v->dim || v->number != floor(v->number) || fabs(v->number) > 0x1p53) return false;
    *out = (int64_t)v->number;
    return true;
}

static const char *function_text(Arena *arena, const Function *f)
{
    if (!f->fn) return "a function";
    const char *what = f->fn->module ? "module" : "fn";
    if (!f->fn->params || f->fn->params->after_semicolon) return arena_print(arena, "the %s %s", what, f->fn->name);
    return arena_print(arena, "the %s %s, still without its argument %s", what, f->fn->name, f->fn->params->name);
}

static const char *host_text(Arena *arena, const HostValue *host)
{
    switch (host->kind) {
    case HOST_text: return "text";
    case HOST_column: return "a column of texts";
    case HOST_ids: return arena_print(arena, "ids, %s", type_text(arena, &host->type));
    case HOST_ragged: return "ragged rows";
    case HOST_tokenizer: return "a tokenizer";
    case HOST_array: return arena_print(arena, "an array %s", type_text(arena, &host->type));
    case HOST_stream: return arena_print(arena, "a stream of %s", type_text(arena, &host->type));
    }
    return "";
}

const char *value_text(Arena *arena, const Value *v)
{
    switch (v->kind) {
    case VALUE_bool: return v->truth ? "true" : "false";
    case VALUE_number: return v->dim ? arena_print(arena, "the number %s", dim_text(arena, v->dim))
                                     : arena_print(arena, "the number %.10g", v->number);
    case VALUE_string: return arena_print(arena, "the string \"%s\"", v->text);
    case VALUE_list: return arena_print(arena, "a list of %d", v->list.count);
    case VALUE_function: return function_text(arena, v->function);
    case VALUE_tensor: return type_text(arena, &v->node->type);
    case VALUE_instance: return arena_print(arena, "the label %s", v->text);
    case VALUE_host: return host_text(arena, v->host);
    case VALUE_unknown: return arena_print(arena, "the constant %s of data, which is not evaluated here", v->text);
    case VALUE_error:
    case VALUE_none: break;
    }
    return "none";
}
