/* Constants and the data block. Lines are evaluated when something first asks for them, so a command reads only the
 * data it needs; a const of `data` that is a whole number becomes a dimension symbol of its name, with its value, an
 * array a table. */
#include "frontend/elab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINES = 10000, DEEPEST_LINE = 500 };

/* file scopes */

/* A line inside a `for` of data may bind anew what the pipeline knows already. */
static void add_name(Model *m, File *file, Map *map, Item *item, int index, const Name *name, Diagnostics *d)
{
    ItemName *constant = map_get(file->consts, name->text), *line = map_get(file->pipeline, name->text);
    ItemName *old = constant ? constant : line;
    const Stmt *store = map_get(file->stores, name->text);
    if (!strcmp(name->text, "_")) return;
    bool again = !item->constant && !constant && line && item->scope.count;
    if ((old && !again) || store) {
        diag_error(d, name->place, "%s is bound twice at file level", name->text);
        diag_note(d, old ? old->name->place : store->place, "it is bound first here");
        return;
    }
    ItemName *n = arena_new_of(m->arena, ItemName);
    *n = (ItemName){ .item = item, .index = index, .name = name, .older = line };
    map_set(map, name->text, n);
    vec_push(m->arena, &file->names, n);
}

static void add_item(Model *m, File *file, Item line, Diagnostics *d)
{
    Item *item = arena_new_of(m->arena, Item);
    *item = line;
    item->file = file;
    item->constant = line.stmt->kind == STMT_const;
    for (const Name *n = line.names; n; n = n->next)
        add_name(m, file, item->constant ? file->consts : file->pipeline, item, item->count++, n, d);
    item->values = arena_array(m->arena, Value, item->count);
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

/* The names of a `for` of data, with the values of this round. */
static bool bind_round(Elab *e, const File *file, const Stmt *s, const Value *value)
{
    for (const Name *n = s->names; n; n = n->next) {
        const ItemName *item = map_get(file->consts, n->text);
        if (!item) item = map_get(file->pipeline, n->text);
        const Stmt *store = map_get(file->stores, n->text);
        if (!item && !store) continue;
        elab_error(e, n->place, "%s is a name of the file; nothing may shadow it", n->text);
        diag_note(e->d, item ? item->name->place : store->place, "%s is bound here", n->text);
        return false;
    }
    return elab_loop_names(e, s->names, value, s->place);
}

static void add_data(Elab *e, File *file, const Stmt *body);

static void add_for(Elab *e, File *file, const Stmt *s)
{
    List list;
    if (!elab_loop_range(e, s->values, s->place, &list)) return;
    Value rounds = elab_settle(e, value_list(list.at, list.count), s->values->place);
    if (rounds.kind != VALUE_list) return;
    Bindings outer = elab_scope(e);
    for (int i = 0; i < list.count && !e->stopped && bind_round(e, file, s, &rounds.list.at[i]); i++)
        add_data(e, file, s->body);
    e->frame->names = outer;
}

static void add_line(Elab *e, File *file, const Stmt *s, const Name *names)
{
    Model *m = e->model;
    Item line = { .stmt = s, .names = names, .in_data = true, .order = m->line_count, .scope = elab_scope(e) };
    if (++m->line_count == MOST_LINES)
        elab_error(e, s->place, "data has more than %d lines when its loops are written out", MOST_LINES);
    if (m->line_count < MOST_LINES) add_item(m, file, line, e->d);
    else e->stopped = true;
}

/* The lines of a data block: an `if` splices one side, a `for` its lines once in every round. */
static void add_data(Elab *e, File *file, const Stmt *body)
{
    for (const Stmt *s = body; s && !e->stopped; s = s->next) {
        bool truth;
        switch (s->kind) {
        case STMT_const: add_line(e, file, s, s->names); break;
        case STMT_assign: add_line(e, file, s, target_names(e->arena, s->targets)); break;
        case STMT_for: add_for(e, file, s); break;
        case STMT_if:
            if (elab_truth(e, s->values, &truth)) add_data(e, file, truth ? s->body : s->otherwise);
            break;
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
        if (s->kind == STMT_const) add_item(m, file, (Item){ .stmt = s, .names = s->names }, d);
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
    Elab *e = elab_new_data(m, "", d);
    elab_push(e, NULL, file, "", (Place){0});
    for (const Stmt *s = file->ast->items; s; s = s->next) {
        if (s->kind != STMT_block) continue;
        if (!strcmp(s->text, "data")) {
            add_data(e, file, s->body);
        } else if (strcmp(s->text, "train") && strcmp(s->text, "weights")) {
            static const char *const names[] = { "data", "train", "weights" };
            const char *near = suggest(s->text, names, 3);
            diag_error(d, s->place, "unknown block %s; at file level there are data, train and weights%s%s%s", s->text,
                       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
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

/* The arrays of a constant are tables under its name; those in lists have the way to them in theirs: "levels.0.1". */
static Value named_tables(Elab *e, const char *name, Value v, Place place)
{
    if (elab_is_array(&v)) {
        if (!strcmp(name, "seed") || !strcmp(name, "step"))
            return elab_error(e, place, "%s is a number that every program is given; give this table another name",
                              name);
        HostValue *table = arena_new_of(e->arena, HostValue);
        *table = *v.host;
        table->name = name;
        vec_push(e->model->arena, &e->model->tables, table);
        return value_host(table);
    }
    if (v.kind != VALUE_list) return v;
    Value *items = arena_array(e->arena, Value, v.list.count);
    for (int i = 0; i < v.list.count; i++)
        items[i] = named_tables(e, arena_print(e->arena, "%s.%d", name, i), v.list.at[i], place);
    return value_list(items, v.list.count);
}

/* A whole number of `data` as the symbol of its name; unknown values take the name. */
static Value named_constant(Elab *e, const Item *item, const Name *name, Value v)
{
    int64_t whole;
    if (v.kind == VALUE_unknown) v.text = name->text;
    if (!item->constant || !item->in_data) return v;
    bool symbol = v.kind == VALUE_unknown || (value_is_whole(&v, &whole) && whole >= 0);
    if (symbol) map_set(e->model->constant_symbols, name->text, (void *)name);
    if (!symbol) return named_tables(e, name->text, v, name->place);
    return v.kind == VALUE_unknown ? v : value_dim(dim_symbol(e->dims, name->text, whole));
}

/* The values saved with the weights in use, when all names of the line are there. */
static bool saved_values(Elab *e, Item *item)
{
    const Host *host = e->model->options.host;
    if (!host || !host->saved || !item->constant || !item->in_data) return false;
    int i = 0, errors = diag_error_count(e->d);
    for (const Name *n = item->names; n; n = n->next, i++) {
        HostArg arg;
        bool saved = host->saved(host->context, n->text, n->place, e->d, e->dims, &arg);
        bool wrong = diag_error_count(e->d) > errors;
        if (!saved && !wrong) return false;
        item->values[i] = wrong ? value_error() : elab_from_host(e, &arg);
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
    elab_at(e, x->place);
    if (!elab_values(e, x, &values, &count)) {
        spread_values(e, item, value_error());
    } else {
        Value v = count == 1 ? values[0] : value_list(values, count);
        spread_values(e, item, elab_settle(e, v, x->place));
    }
}

/* "ids", and "ids#17" in a `for`: what its random draws are keyed by. */
static const char *line_key(const Model *m, const Item *item)
{
    const Name *n = item->names;
    while (n->next && !strcmp(n->text, "_")) n = n->next;
    return item->scope.count ? arena_print(m->arena, "%s#%d", n->text, item->order) : n->text;
}

static void evaluate_item(Elab *outer, ItemName *name)
{
    Item *item = name->item;
    Model *m = outer->model;
    Elab *e = item->in_data ? elab_new_data(m, line_key(m, item), outer->d) : elab_new(m, MODE_entry, NULL, outer->d);
    elab_push(e, NULL, item->file, "", (Place){0});
    elab_bind_scope(e, &item->scope);
    e->item = item->in_data ? item : NULL;
    item->state = ITEM_running;
    m->line_depth++;
    if (name->setting && item->count == 1) item->values[0] = setting_value(name->setting);
    else evaluate(e, item);
    m->line_depth--;
    int i = 0;
    for (const Name *n = item->names; n; n = n->next, i++)
        item->values[i] = named_constant(e, item, n, item->values[i]);
    item->state = ITEM_done;
}

/* Rounds of a `for` one after the other, not each inside the next. */
static void evaluate_older(Elab *e, ItemName *name)
{
    Vec(ItemName *) waiting = {0};
    for (ItemName *n = name->older; n && n->item->state == ITEM_waiting; n = n->older) vec_push(e->arena, &waiting, n);
    for (int i = waiting.count - 1; i >= 0; i--)
        if (waiting.at[i]->item->state == ITEM_waiting) evaluate_item(e, waiting.at[i]);
}

Value elab_item(Elab *e, ItemName *name, Place place)
{
    Item *item = name->item;
    if (item->state == ITEM_waiting) evaluate_older(e, name);
    if (item->state == ITEM_running)
        return elab_error(e, place, "%s depends on its own value", name->name->text);
    if (item->state == ITEM_waiting && e->model->line_depth > DEEPEST_LINE)
        return elab_error(e, place, "more than %d constants and lines of data wait for each other here", DEEPEST_LINE);
    if (item->state == ITEM_waiting) evaluate_item(e, name);
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
