/* A model: the file with its imports, the prelude, constants, data and what `train` says; and the commands' view of it.
 */
#include "frontend/elab.h"
#include "frontend/prelude.h"

#include <string.h>

/* the prelude */

/* Rates over time have names of their own, so that `linear` is a layer in a fn and a schedule in `using`. */
static bool is_schedule_file(const char *name) { return !strcmp(name, "prelude/schedule.ptm"); }

static void add_prelude_file(Model *m, const PreludeFile *p, Diagnostics *d)
{
    Source *source = arena_new_of(m->arena, Source);
    *source = (Source){ .path = p->name, .text = p->text, .size = strlen(p->text), .builtin = true };
    const Ast *ast = ast_parse(m->arena, source, NULL, d);
    if (!ast) return;
    File *file = file_new(m, ast, false, d);
    Map *names = is_schedule_file(p->name) ? m->schedules : m->prelude;
    for (int i = 0; i < map_count(file->fns); i++) map_set(names, map_key(file->fns, i), map_value(file->fns, i));
}

/* --set */

static void unknown_setting(Model *m, const Setting *s, Diagnostics *d)
{
    const char **names = arena_array(m->arena, const char *, m->root->names.count);
    int count = 0;
    for (int i = 0; i < m->root->names.count; i++) {
        const ItemName *n = m->root->names.at[i];
        if (n->item->constant && !n->item->in_data) names[count++] = n->name->text;
    }
    const char *near = suggest(s->name, names, count);
    Place place = { .source = m->ast->source };
    diag_error(d, place, "--set %s=%s: there is no constant %s%s%s%s", s->name, s->value, s->name,
               near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Constants of the file take their setting before `data` is read, since an `if` there may ask for them. */
static void apply_settings(Model *m)
{
    for (int i = 0; i < m->options.setting_count; i++) {
        ItemName *n = map_get(m->root->consts, m->options.settings[i].name);
        if (n) n->setting = m->options.settings[i].value;
    }
}

static void check_settings(Model *m, Diagnostics *d)
{
    for (int i = 0; i < m->options.setting_count; i++) {
        const Setting *s = &m->options.settings[i];
        const ItemName *n = map_get(m->root->consts, s->name);
        if (!n) {
            unknown_setting(m, s, d);
        } else if (n->item->in_data) {
            diag_error(d, n->name->place, "--set %s: this constant comes from data", s->name);
        } else if (n->item->count > 1) {
            diag_error(d, n->name->place, "--set %s: this constant is one of several of a list", s->name);
        }
    }
}

/* making it */

Model *model_new(Arena *arena, const Ast *ast, const ModelOptions *options, Diagnostics *d)
{
    Model *m = arena_new_of(arena, Model);
    *m = (Model){ .arena = arena, .ast = ast, .options = *options, .dims = dims_new(arena) };
    m->files = map_new(arena);
    m->prelude = map_new(arena);
    m->schedules = map_new(arena);
    m->uses = map_new(arena);
    m->constant_symbols = map_new(arena);
    m->param_index = map_new(arena);
    m->checked = map_new(arena);
    m->circles = map_new(arena);
    m->unread = map_new(arena);
    m->states = map_new(arena);
    for (const PreludeFile *p = prelude_files; p->name; p++) add_prelude_file(m, p, d);
    m->root = file_new(m, ast, false, d);
    apply_settings(m);
    file_add_data(m, m->root, d);
    check_settings(m, d);
    weights_read(m, d);
    if (!options->on_demand) model_complete(m, d);
    return m;
}

bool model_complete(Model *m, Diagnostics *d)
{
    data_constants(m, d);
    train_read(m, d);
    return diag_error_count(d) == 0;
}

Dims *model_dims(const Model *m) { return m->dims; }

const TrainSpec *model_train(const Model *m) { return &m->train; }

/* constants and parameters */

/* The elaborator of a value that is only translated: reports go nowhere, since nothing can fail here. */
static HostArg to_host(const Model *m, const Value *v)
{
    HostArg out = {0};
    Elab *e = elab_new((Model *)m, MODE_data, NULL, diag_new(m->arena));
    elab_push(e, NULL, m->root, "", (Place){0});
    bool simple = v->kind != VALUE_function && v->kind != VALUE_unknown && v->kind != VALUE_error;
    if (simple) elab_to_host(e, v, (Place){0}, &out);
    return out;
}

bool model_constant(Model *m, const char *name, HostArg *out, Diagnostics *d)
{
    ItemName *n = map_get(m->root->consts, name);
    if (!n) return false;
    Elab *e = elab_new(m, MODE_data, NULL, d);
    elab_push(e, NULL, m->root, "", (Place){0});
    Value v = elab_item(e, n, n->name->place);
    if (v.kind != VALUE_error) *out = to_host(m, &v);
    return v.kind != VALUE_error;
}

int model_constant_count(const Model *m) { return m->host_constants.count; }

const char *model_constant_name(const Model *m, int i) { return m->host_constants.at[i]->name->text; }

HostArg model_constant_value(const Model *m, int i)
{
    const ItemName *n = m->host_constants.at[i];
    return to_host(m, &n->item->values[n->index]);
}

int model_table_count(const Model *m) { return m->tables.count; }

const HostValue *model_table(const Model *m, int i) { return m->tables.at[i]; }

int model_param_count(const Model *m) { return m->params.count; }

const Param *model_param(const Model *m, int i) { return m->params.at[i]; }

const Param *model_find_param(const Model *m, const char *path) { return map_get(m->param_index, path); }
