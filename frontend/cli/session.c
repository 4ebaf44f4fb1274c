/* Opening a model file for a command. */
#include "frontend/cli/session.h"
#include "codegen/codegen.h"
#include "frontend/cli/build.h"
#include "frontend/cli/host.h"
#include "frontend/cli/record.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A folder below the current one without the path to that, as messages and profiles show it. */
static const char *from_here(Arena *arena, const char *folder)
{
    char here[PATH_MAX];
    size_t length = getcwd(here, sizeof here) ? strlen(here) : 0;
    bool below = length > 1 && !strncmp(folder, here, length) && folder[length] == '/';
    return arena_print(arena, "%s", below ? folder + length + 1 : folder);
}

/* Where shared modules are found when they do not stand beside the file: models/ beside the directory of the
 * command. */
static const char *const *gallery(Arena *arena)
{
    const char **search = arena_array(arena, const char *, 3);
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return search;
    path[length] = 0;
    const char *home = dirname(dirname(path)), *root = strcmp(home, "/") ? home : "";
    search[0] = from_here(arena, arena_print(arena, "%s/models", root));
    search[1] = from_here(arena, arena_print(arena, "%s/share/ptm/models", root));
    return search;
}

bool session_parse(Session *s, const Options *options)
{
    *s = (Session){ .arena = arena_new(), .options = options, .codes = code_table_new() };
    s->diagnostics = diag_new(s->arena);
    s->ast = ast_load(s->arena, options->argument, gallery(s->arena), s->diagnostics);
    if (s->ast && diag_error_count(s->diagnostics) == 0) return true;
    session_report(s);
    return false;
}

static const Setting *settings(Session *s, const Pairs *set)
{
    Setting *out = arena_array(s->arena, Setting, set->count + 1);
    for (int i = 0; i < set->count; i++) out[i] = (Setting){ set->at[i].name, set->at[i].value };
    return out;
}

static Pairs copy_pairs(Arena *arena, const Pairs *pairs)
{
    Pairs out = { 0 };
    for (int i = 0; i < pairs->count; i++) vec_push(arena, &out, pairs->at[i]);
    return out;
}

/* The value that a dimension has already, or -1. */
static int64_t value_of(const Dims *dims, const char *name)
{
    for (int i = 0; i < dims_symbol_count(dims); i++)
        if (!strcmp(dims_symbol_name(dims, i), name)) return dims_symbol_value(dims, i);
    return -1;
}

static bool bind_dimension(const Session *s, Dims *dims, const Pair *pair)
{
    char *end;
    errno = 0;
    long long value = strtoll(pair->value, &end, 10);
    if (*end || end == pair->value || errno || value < 1) {
        session_fail(s, "--dim %s=%s: a dimension is a whole number, 1 or more", pair->name, pair->value);
        return false;
    }
    int64_t bound = value_of(dims, pair->name);
    if (bound >= 0 && bound != value) {
        session_fail(s, "--dim %s=%lld: %s comes from %s (%lld)", pair->name, value, pair->name,
                     s->model ? "data" : s->options->argument, (long long)bound);
        return false;
    }
    if (bound < 0 && s->model && !model_has_dimension(s->model, pair->name)) {
        session_fail(s, "no signature in %s has a dimension %s (--dim %s=...)", s->options->argument, pair->name,
                     pair->name);
        return false;
    }
    dim_symbol(dims, pair->name, value);
    return true;
}

bool session_bind_dimensions(const Session *s, Dims *dims)
{
    for (int i = 0; i < s->options->dim.count; i++)
        if (!bind_dimension(s, dims, &s->options->dim.at[i])) return false;
    return true;
}

/* The options with what a record adds to them: the run's own to resume it, the one beside `saved` weights. */
static bool complete_options(Session *s, const char *saved)
{
    const char *why = NULL;
    Options *o = arena_new_of(s->arena, Options);
    *o = *s->options;
    o->set = copy_pairs(s->arena, &s->options->set);
    o->data = copy_pairs(s->arena, &s->options->data);
    o->dim = copy_pairs(s->arena, &s->options->dim);
    s->options = o;
    if (o->resume) s->record = record_read(s->arena, o->out, &why);
    if (s->record) return record_complete(s->arena, s->record, o);
    if (!why && (!saved || record_add(s->arena, saved, o, &why))) return true;
    session_fail(s, "%s", why);
    return false;
}

static bool has_layout(const Session *s, const char *name)
{
    for (const Stmt *i = s->ast->items; i; i = i->next)
        if (i->kind == STMT_block && !strcmp(i->text, "weights") && i->label && !strcmp(i->label, name)) return true;
    return false;
}

static const char *nearest_layout(const Session *s, const char *name)
{
    Vec(const char *) names = { 0 };
    for (const Stmt *i = s->ast->items; i; i = i->next)
        if (i->kind == STMT_block && !strcmp(i->text, "weights") && i->label) vec_push(s->arena, &names, i->label);
    return suggest(name, names.at, names.count);
}

/* --weights NAME:FILE names a weights block; a file whose name has a colon stays one. */
static bool split_layout(Session *s, Options *o)
{
    const char *colon = o->weights ? strchr(o->weights, ':') : NULL;
    if (!colon || !access(o->weights, F_OK)) return true;
    const char *name = arena_copy_text(s->arena, o->weights, (size_t)(colon - o->weights));
    if (has_layout(s, name)) {
        s->layout = name;
        o->weights = colon + 1;
        return true;
    }
    if (access(colon + 1, F_OK)) return true;
    const char *near = nearest_layout(s, name);
    session_fail(s, "--weights %s: %s has no block `weights %s`%s%s%s", o->weights, o->argument, name,
                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return false;
}

/* Whether only what entries need of the data is to be evaluated: none of them is a training step. */
static bool compiles_fns(const Options *o)
{
    if (strcmp(o->command, "compile") || !o->entries) return false;
    for (const char *at = o->entries; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, "train", 5) && strchr(",.", at[5])) return false;
    return true;
}

bool session_open(Session *s, const Options *options)
{
    if (!session_parse(s, options)) return false;
    Options *own = arena_new_of(s->arena, Options);
    *own = *options;
    s->options = options = own;
    if (!split_layout(s, own)) return false;
    const char *saved = strcmp(options->command, "train") ? options->weights : NULL;  /* train only begins with them */
    if (!complete_options(s, saved)) return false;
    options = s->options;
    s->data = host_data_new(s->arena, &options->data, saved, build_options(s));
    s->host = host_make(s->data);
    ModelOptions model = {
        .settings = settings(s, &options->set), .setting_count = options->set.count, .host = &s->host,
        .real = strcmp(options->command, "gradcheck") ? DT_f32 : DT_f64,
        .on_demand = !strcmp(options->command, "generate") || !strcmp(options->command, "run")
                  || !strcmp(options->command, "weights") || !strcmp(options->command, "libptm")
                  || compiles_fns(options)
    };
    s->model = model_new(s->arena, s->ast, &model, s->diagnostics);
    bool goes_on = !strcmp(options->command, "check");       /* it reports the errors of every part at once */
    if (!s->model || (diag_error_count(s->diagnostics) && !goes_on)) {
        session_report(s);
        return false;
    }
    const DataSource *given, *built_in = rt_data_mixed(host_data_runtime(s->data), &given);
    if (built_in)
        fprintf(messages_of(options),
                "warning: \"%s\" is %s, but \"%s\" the built-in corpus: --data %s=FILE is missing\n", given->name,
                given->file, built_in->name, built_in->name);
    return session_bind_dimensions(s, model_dims(s->model));
}

void session_close(Session *s)
{
    if (s->data) host_data_free(s->data);
    code_table_free(s->codes);
    arena_free(s->arena);
    *s = (Session){ 0 };
}

bool session_report(Session *s)
{
    diag_print(s->diagnostics, messages_of(s->options));
    return diag_error_count(s->diagnostics) == 0;
}

bool session_data_is_used(const Session *s)
{
    const char *model = s->options->argument, *unused = host_data_unused(s->data);
    if (!unused) return true;
    return session_fail(s, "nothing in %s reads \"%s\" (--data %s=...)", model, unused, unused) == EXIT_GOOD;
}

bool session_has_weights(const Session *s)
{
    if (s->options->weights) return true;
    return session_fail(s, "which weights? --weights DIR or FILE is missing") == EXIT_GOOD;
}

int session_fail(const Session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(messages_of(s->options), "ptm %s: ", s->options->command);
    vfprintf(messages_of(s->options), format, args);
    fputc('\n', messages_of(s->options));
    va_end(args);
    return EXIT_BAD_INPUT;
}
