/* Constants and the data block. Lines are evaluated when something first asks for them, so a command reads only the
 * data it needs; a const of `data` that is a whole number becomes a dimension symbol of its name, with its value. */
#include "frontend/elab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* file scopes */

static void add_name(Model *m, File *file, Map *map, Item *item, int index, const Name *name, Diagnostics *d)
{
    ItemName *old = map_get(file->consts, name->text);
    if (!old) old = map_get(file->pipeline, name->text);
    const Stmt *store = map_get(file->stores, name->text);
    if (!strcmp(name->text, "_")) return;
    if (old || store) {
        diag_error(d, name->place, "%s is bound twice at file level", name->text);
        diag_note(d, old ? old->name->place : store->place, "it is bound first here");
        return;
    }
    ItemName *n = arena_new_of(m->arena, ItemName);
    *n = (ItemName){ .item = item, .index = index, .name = name };
    map_set(map, name->text, n);
    vec_push(m->arena, &file->names, n);
}

static Item *add_item(Model *m, File *file, const Stmt *s, const Name *names, bool in_data, Diagnostics *d)
{
    Item *item = arena_new_of(m->arena, Item);
    int count = 0;
    bool constant = s->kind == STMT_const;
    *item = (Item){ .stmt = s, .file = file, .in_data = in_data, .constant = constant };
    for (const Name *n = names; n; n = n->next)
        add_name(m, file, constant ? file->consts : file->pipeline, item, count++, n, d);
    item->values = arena_array(m->arena, Value, count);
    item->count = count;
    return item;
}

static const Name *target_names(Arena *arena, const Expr *targets)
{
    Name *first = NULL, **end = &first;
    for (const Expr *t = targets; t; t = t->next) {
        Name *n = arena_new_of(arena, Name);
        *n = (Name){ .text = t->text, .place = t->place };
        *end = n;
        end = &n->next;
    }
    return first;
}

/* The lines of a data block; an `if` on constants splices one side. */
static void add_data(Elab *e, File *file, const Stmt *body)
{
    for (const Stmt *s = body; s; s = s->next) {
        bool truth;
        switch (s->kind) {
        case STMT_const: add_item(e->model, file, s, s->names, true, e->d); break;
        case STMT_assign: add_item(e->model, file, s, target_names(e->arena, s->targets), true, e->d); break;
        case STMT_if:
            if (elab_truth(e, s->values, &truth)) add_data(e, file, truth ? s->body : s->otherwise);
            break;
        case STMT_for: diag_error(e->d, s->place, "`for` in data is reserved: not built yet"); break;
        case STMT_setting:
            diag_error(e->d, s->place, "data holds lines such as `ids = tok(read(\"text\"))`, and no setting %s",
                       s->text);
            break;
        default: diag_error(e->d, s->place, "this does not stand in data"); break;
        }
    }
}

static void add_store(File *file, const Stmt *s, Diagnostics *d)
{
    if (s->kind == STMT_state) {
        diag_error(d, s->place, "state outside optimizers is reserved: not built yet");
        return;
    }
    for (const Name *n = s->names; n; n = n->next) {
        const Stmt *old = map_get(file->stores, n->text);
        const ItemName *item = map_get(file->consts, n->text);
        if (old || item) {
            diag_error(d, n->place, "%s is bound twice at file level", n->text);
            diag_note(d, old ? old->place : item->name->place, "it is bound first here");
            continue;
        }
        map_set(file->stores, n->text, (void *)s);
    }
}

static void add_fns(Model *m, File *file, const Ast *ast, File *owner, Diagnostics *d)
{
    for (const FnDecl *fn = ast->fns; fn; fn = fn->next) {
        const Callable *old = map_get(file->fns, fn->name);
        if (old) {
            diag_error(d, fn->place, "%s is defined twice", fn->name);
            diag_note(d, old->fn->place, "it is defined first here");
            continue;
        }
        Callable *c = arena_new_of(m->arena, Callable);
        *c = (Callable){ .fn = fn, .file = owner };
        map_set(file->fns, fn->name, c);
    }
}

/* The file's own fns, then those of plain imports. */
static void add_imports(Model *m, File *file, Diagnostics *d)
{
    for (const Import *i = file->ast->imports; i; i = i->next) {
        if (i->alias || i->args) {
            diag_error(d, i->place, "import … as is reserved: not built yet");
            continue;
        }
        if (!i->file) continue;
        File *imported = file_new(m, i->file, true, d);
        for (int k = 0; k < map_count(imported->fns); k++) {
            Callable *c = map_value(imported->fns, k), *old = map_get(file->fns, map_key(imported->fns, k));
            if (!old) {
                map_set(file->fns, map_key(imported->fns, k), c);
            } else if (old->fn != c->fn && old->file != file) {
                diag_error(d, i->place, "both this import and another define %s", c->fn->name);
                diag_note(d, old->fn->place, "the other one");
            }
        }
    }
}

static void check_version(const Stmt *s, Diagnostics *d)
{
    if (strcmp(s->text, "ptm")) {
        diag_error(d, s->place,
                   "%s stands in a train block; at file level there are const, param, fn, module, data and train",
                   s->text);
    } else if (!s->values || s->values->kind != EXPR_int || s->values->integer != 1) {
        diag_error(d, s->place, "this is version 1 of the language: `ptm 1`");
    }
}

File *file_new(Model *m, const Ast *ast, bool plain_import, Diagnostics *d)
{
    File *known = plain_import ? map_get(m->files, ast->source->path) : NULL;
    if (known) return known;
    File *file = arena_new_of(m->arena, File);
    *file = (File){ .ast = ast, .builtin = ast->source->builtin, .plain_import = plain_import };
    file->fns = map_new(m->arena);
    file->consts = map_new(m->arena);
    file->pipeline = map_new(m->arena);
    file->stores = map_new(m->arena);
    map_set(m->files, ast->source->path, file);
    add_fns(m, file, ast, file, d);
    add_imports(m, file, d);
    for (const Stmt *s = ast->items; s; s = s->next) {
        if (s->kind == STMT_const) add_item(m, file, s, s->names, false, d);
        if (s->kind == STMT_param || s->kind == STMT_state) add_store(file, s, d);
        if (s->kind == STMT_setting) check_version(s, d);
        if (s->kind == STMT_assign)
            diag_error(d, s->targets->place, "a value of the file is a const: `const %s = …`", s->targets->text);
        if (s->kind == STMT_for || s->kind == STMT_if || s->kind == STMT_map)
            diag_error(d, s->place, "at file level there are const, param, fn, module, data and train");
    }
    return file;
}

void file_add_data(Model *m, File *file, Diagnostics *d)
{
    Elab *e = elab_new(m, MODE_entry, NULL, d);
    elab_push(e, NULL, file, "", (Place){0});
    for (const Stmt *s = file->ast->items; s; s = s->next) {
        if (s->kind != STMT_block) continue;
        if (!strcmp(s->text, "data")) {
            add_data(e, file, s->body);
        } else if (strcmp(s->text, "train")) {
            diag_error(d, s->place, "the block %s is reserved: not built yet", s->text);
        }
    }
}

/* values */

/* The text of --set as a value: a number, true, false, none, else a string. */
static Value setting_value(const char *text)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (*text && !*end && !errno) return value_number(number);
    if (!strcmp(text, "true") || !strcmp(text, "false")) return value_bool(*text == 't');
    return strcmp(text, "none") ? value_string(text) : value_none();
}

/* A whole number of `data` as the symbol of its name; unknown values take the name. */
static Value named_constant(Elab *e, const ItemName *name, Value v)
{
    int64_t whole;
    if (v.kind == VALUE_unknown) v.text = name->name->text;
    if (!name->item->constant || !name->item->in_data) return v;
    bool symbol = v.kind == VALUE_unknown || (value_is_whole(&v, &whole) && whole >= 0);
    if (symbol) map_set(e->model->constant_symbols, name->name->text, (void *)name);
    if (!symbol || v.kind == VALUE_unknown) return v;
    return value_dim(dim_symbol(e->dims, name->name->text, whole));
}

/* The values saved with the weights in use, when all names of the line are there. */
static bool saved_values(Elab *e, Item *item)
{
    const Host *host = e->model->options.host;
    if (!host || !host->saved || !item->constant || !item->in_data) return false;
    int i = 0;
    for (const Name *n = item->stmt->names; n; n = n->next, i++) {
        HostArg arg;
        if (!host->saved(host->context, n->text, &arg)) return false;
        item->values[i] = elab_from_host(e, &arg);
    }
    return true;
}

/* Several values of one line go to its names in order. */
static void spread_values(Elab *e, Item *item, Value v)
{
    bool list = v.kind == VALUE_list && v.list.count == item->count;
    if (item->count > 1 && !list && v.kind != VALUE_error && v.kind != VALUE_unknown) {
        elab_error(e, item->stmt->place, "%d names, but the value is %s", item->count, value_text(e->arena, &v));
        v = value_error();
    }
    for (int i = 0; i < item->count; i++) item->values[i] = item->count > 1 && list ? v.list.at[i] : v;
}

static void evaluate(Elab *e, Item *item)
{
    if (saved_values(e, item)) return;
    const Expr *x = item->stmt->values;
    Value *values;
    int count;
    if (!elab_values(e, x, &values, &count)) {
        spread_values(e, item, value_error());
    } else {
        spread_values(e, item, count == 1 ? values[0] : value_list(values, count));
    }
}

static void name_constants(Elab *e, Item *item)
{
    File *file = item->file;
    for (int i = 0; i < file->names.count; i++) {
        const ItemName *n = file->names.at[i];
        if (n->item == item) item->values[n->index] = named_constant(e, n, item->values[n->index]);
    }
}

Value elab_item(Elab *outer, ItemName *name, Place place)
{
    Item *item = name->item;
    if (item->state == ITEM_running)
        return elab_error(outer, place, "%s depends on its own value", name->name->text);
    if (item->state == ITEM_waiting) {
        Elab *e = elab_new(outer->model, item->in_data ? MODE_data : MODE_entry, NULL, outer->d);
        elab_push(e, NULL, item->file, "", (Place){0});
        item->state = ITEM_running;
        if (name->setting && item->count == 1) item->values[0] = setting_value(name->setting);
        else evaluate(e, item);
        name_constants(e, item);
        item->state = ITEM_done;
    }
    return item->values[name->index];
}

void data_constants(Model *m, Diagnostics *d)
{
    Elab *e = elab_new(m, MODE_data, NULL, d);
    elab_push(e, NULL, m->root, "", (Place){0});
    for (int i = 0; i < m->root->names.count; i++) {
        ItemName *n = m->root->names.at[i];
        if (!n->item->constant) continue;
        Value v = elab_item(e, n, n->name->place);
        if (n->item->in_data && v.kind != VALUE_error && v.kind != VALUE_unknown)
            vec_push(m->arena, &m->host_constants, n);
    }
}
