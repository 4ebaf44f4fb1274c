/* The values of an entry's dimensions. */
#include "frontend/cli/cases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void add_symbol(Session *s, Cases *c, const char *name)
{
    for (int i = 0; i < c->symbols.count; i++)
        if (!strcmp(c->symbols.at[i], name)) return;
    vec_push(s->arena, &c->symbols, name);
}

static void find_symbols(Session *s, Cases *c)
{
    const Dims *dims = model_dims(s->model);
    for (int k = 0; k < c->inputs; k++)
        for (int axis = 0; axis < c->types[k].rank; axis++)
            for (int i = 0; i < dims_symbol_count(dims); i++) {
                const char *name = dims_symbol_name(dims, i);
                if (dims_symbol_value(dims, i) < 0 && dim_mentions(c->types[k].dim[axis], name)) add_symbol(s, c, name);
            }
}

/* What a set says of a name, or the last one before it that says anything; NULL: none. */
static const Pair *find_pair(const PairSets *sets, int set, const char *name)
{
    for (; set >= 0; set--)
        for (int i = 0; set < sets->count && i < sets->at[set].count; i++)
            if (!strcmp(sets->at[set].at[i].name, name)) return &sets->at[set].at[i];
    return NULL;
}

/* The value, or -1 after saying what it is not. */
static int64_t read_value(const Session *s, const Pair *pair)
{
    char *end;
    errno = 0;
    long long value = strtoll(pair->value, &end, 10);
    if (!*end && end != pair->value && !errno && value >= 1) return value;
    session_fail(s, "--dim %s=%s: a dimension is a whole number, 1 or more", pair->name, pair->value);
    return -1;
}

static bool same_values(const Cases *c, int a, int b)
{
    return !memcmp(c->values[a], c->values[b], (size_t)c->symbols.count * sizeof **c->values);
}

/* Sets that differ in dimensions of other entries only are one case. */
static bool read_values(Session *s, Cases *c)
{
    const PairSets *sets = &s->options->dims;
    int most = sets->count ? sets->count : 1;
    c->values = arena_array(s->arena, int64_t *, most);
    for (int set = 0; set < most; set++) {
        int64_t *values = c->values[c->count] = arena_array(s->arena, int64_t, c->symbols.count + 1);
        for (int i = 0; i < c->symbols.count; i++)
            if ((values[i] = read_value(s, find_pair(sets, set, c->symbols.at[i]))) < 0) return false;
        bool known = false;
        for (int k = 0; k < c->count; k++) known = known || same_values(c, k, c->count);
        c->count += !known;
    }
    return true;
}

/* All that is missing, at once. */
static bool check_given(Session *s, const Cases *cases, int count)
{
    const char *missing = "", *named = "";
    Map *seen = map_new(s->arena);
    for (int e = 0; e < count; e++) {
        bool lacks = false;
        for (int i = 0; i < cases[e].symbols.count; i++) {
            const char *name = cases[e].symbols.at[i];
            if (find_pair(&s->options->dims, 0, name)) continue;
            lacks = true;
            if (map_get(seen, name)) continue;
            map_set(seen, name, seen);
            missing = arena_print(s->arena, "%s%s%s=N", missing, *missing ? "," : "", name);
        }
        if (lacks) named = arena_print(s->arena, "%s%s%s", named, *named ? ", " : "", cases[e].entry);
    }
    return !*missing || (session_fail(s, "%s: dimensions need values: give --dim %s", named, missing) && false);
}

static bool check_used(Session *s, const Cases *cases, int count)
{
    const PairSets *sets = &s->options->dims;
    const char *names[64];
    int known = 0;
    for (int e = 0; e < count; e++)
        for (int i = 0; i < cases[e].symbols.count && known < 64; i++) names[known++] = cases[e].symbols.at[i];
    for (int set = 0; set < sets->count; set++)
        for (int i = 0; i < sets->at[set].count; i++) {
            const char *name = sets->at[set].at[i].name;
            bool used = false;
            for (int k = 0; k < known; k++) used = used || !strcmp(names[k], name);
            if (used) continue;
            const char *near = suggest(name, names, known);
            return session_fail(s, "--dim %s: no entry that is compiled has an open dimension %s%s%s%s", name, name,
                                near ? "; did you mean " : "", near ? near : "", near ? "?" : "") && false;
        }
    return true;
}

bool cases_open(Session *s, const char *const *entries, int count, Cases *out)
{
    for (int e = 0; e < count; e++) {
        Cases *c = &out[e];
        *c = (Cases){ .entry = entries[e], .inputs = model_entry_parameters(s->model, entries[e]) };
        c->types = arena_array(s->arena, Type, c->inputs > 0 ? c->inputs : 1);
        if (!model_entry_types(s->model, entries[e], s->diagnostics, c->types)) return session_report(s) && false;
        find_symbols(s, c);
    }
    if (!check_used(s, out, count) || !check_given(s, out, count)) return false;
    for (int e = 0; e < count; e++)
        if (!read_values(s, &out[e])) return false;
    return true;
}

static Graph *elaborate(Session *s, const Cases *c, const int64_t *values)
{
    Dims *dims = model_dims(s->model);
    EntryArg *args = arena_array(s->arena, EntryArg, c->inputs + 1);
    for (int k = 0; k < c->inputs; k++) {
        args[k] = (EntryArg){ c->types[k], model_entry_parameter(s->model, c->entry, k) };
        for (int axis = 0; axis < c->types[k].rank; axis++)
            for (int i = 0; i < c->symbols.count; i++)
                args[k].type.dim[axis] = dim_substitute(dims, args[k].type.dim[axis], c->symbols.at[i],
                                                        dim_int(dims, values[i]));
    }
    return model_entry(s->model, c->entry, args, c->inputs, false, s->diagnostics);
}

bool cases_elaborate(Session *s, Cases *cases, int count)
{
    for (int e = 0; e < count; e++) {
        Cases *c = &cases[e];
        c->graphs = arena_array(s->arena, Graph *, c->count);
        for (int k = 0; k < c->count; k++)
            if (!(c->graphs[k] = elaborate(s, c, c->values[k]))) return session_report(s) && false;
    }
    return session_report(s);
}
