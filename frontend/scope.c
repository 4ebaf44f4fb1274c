/* Names: frames of calls, file scopes, and errors that show the calls that led to a place. */
#include "frontend/elab.h"

#include <ctype.h>
#include <string.h>

enum { DEEPEST = 200 };                  /* calls inside calls */

Elab *elab_new(Model *m, ElabMode mode, Graph *graph, Diagnostics *d)
{
    Elab *e = arena_new_of(m->arena, Elab);
    *e = (Elab){ .model = m, .arena = m->arena, .dims = m->dims, .d = d, .graph = graph, .mode = mode };
    e->sites = map_new(m->arena);
    e->draws = map_new(m->arena);
    e->heads = map_new(m->arena);
    e->draw_prefix = "";
    e->steps = e->epoch = -1;
    e->stopped = m->endless;
    return e;
}

Elab *elab_new_data(Model *m, const char *line, Diagnostics *d)
{
    Elab *e = elab_new(m, MODE_data, graph_new(m->arena, m->dims, "data"), d);
    e->draw_prefix = line;
    return e;
}

/* places */

Origin *elab_origin(Elab *e, Place place)
{
    const Frame *f = e->frame;
    Origin *o = arena_new_of(e->arena, Origin);
    *o = (Origin){ .place = place, .path = "" };
    if (!f) return o;
    o->callee = f->fn ? f->fn->name : NULL;
    o->path = f->path;
    o->caller = f->call;
    return o;
}

bool elab_same_place(const Place *a, const Place *b)
{
    return a->source == b->source && a->line == b->line && a->column == b->column;
}

void elab_at(Elab *e, Place place)
{
    if (!e->graph) return;
    Frame *f = e->frame;
    if (!f->here || !elab_same_place(&f->here->place, &place)) f->here = elab_origin(e, place);
    e->graph->origin = f->here;
}

/* The innermost call outside the prelude that led to `origin`. */
static const Origin *visible_origin(const Origin *origin)
{
    const Origin *o = origin;
    while (o->caller && o->place.source && o->place.source->builtin) o = o->caller;
    return o;
}

Value elab_error(Elab *e, Place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprint(e->arena, format, args);
    va_end(args);
    const Origin *origin = elab_origin(e, place), *shown = visible_origin(origin);
    if (e->stopped) return value_error();
    if (shown == origin) {
        diag_error(e->d, place, "%s", text);
    } else {
        if (elab_same_place(&shown->place, &e->blamed)) return value_error();  /* one mistake, felt at several places */
        e->blamed = shown->place;
        diag_error(e->d, shown->place, "in %s: %s", origin->callee ? origin->callee : "the prelude", text);
        diag_note(e->d, place, "here");
    }
    if (!shown->caller || shown->caller != e->chained) diag_chain(e->d, shown);
    e->chained = shown->caller;
    return value_error();
}

/* frames */

/* Whether the calls from `first` on have been reported as a circle; from now on they have, whichever begins it. */
static bool known_cycle(Elab *e, const Frame *first)
{
    bool known = false;
    for (const Frame *f = e->frame;; f = f->caller) {
        const char *key = arena_print(e->arena, "%s %s", f->file->ast->source->path, f->fn ? f->fn->name : "");
        known = known || map_get(e->model->circles, key);
        map_set(e->model->circles, key, (void *)f);
        if (f == first) return known;
    }
}

Frame *elab_push(Elab *e, const FnDecl *fn, File *file, const char *path, Place call)
{
    Frame *caller = e->frame;
    if (fn) {
        for (const Frame *f = caller; f; f = f->caller) {
            if (f->fn != fn) continue;
            if (known_cycle(e, f)) return NULL;
            elab_error(e, call, "%s %s calls itself: recursion never ends here, since every call is written out",
                       fn->module ? "module" : "fn", fn->name);
            diag_note(e->d, fn->place, "%s is defined here", fn->name);
            return NULL;
        }
    }
    if (e->depth >= DEEPEST) {
        elab_error(e, call, "calls are nested more than %d deep", DEEPEST);
        return NULL;
    }
    Frame *f = arena_new_of(e->arena, Frame);
    f->caller = caller;
    f->fn = fn;
    f->file = file;
    f->path = path;
    f->call = caller && call.line ? elab_origin(e, call) : NULL;
    f->training = caller && caller->training;
    f->result = value_none();
    e->frame = f;
    e->depth++;
    return f;
}

void elab_pop(Elab *e)
{
    e->frame = e->frame->caller;
    e->depth--;
    if (e->graph && e->frame) e->graph->origin = e->frame->here;
}

Binding *elab_find(const Frame *frame, const char *name)
{
    for (int i = frame->names.count - 1; i >= 0; i--)
        if (!strcmp(frame->names.at[i].name, name)) return &frame->names.at[i];
    return NULL;
}

/* Where the file of `frame` binds the name at file level; false when it does not. */
static bool file_level(const File *file, const char *name, Place *place)
{
    const ItemName *item = map_get(file->consts, name);
    const Stmt *store = map_get(file->stores, name);
    if (item) *place = item->name->place;
    if (store) *place = store->place;
    return item || store;
}

/* What a name of the present frame cannot be bound anew to, or NULL. */
static void check_rebinding(Elab *e, const Binding *old, Place place)
{
    if (old->site && old->site->storage == STORE_state) {
        elab_error(e, place, "%s is a state: `update %s = …` gives it a new value", old->name, old->name);
        diag_note(e->d, old->site->place, "%s is declared here", old->name);
    } else if (region_keeps(e, (int)(old - e->frame->names.at), old->name)) {
        elab_error(e, place,
                   "%s stands outside this scan, which only reads it; a name that goes on from one step to the next is "
                   "listed: `carrying %s`",
                   old->name, old->name);
        diag_note(e->d, old->place, "%s is bound here", old->name);
    }
}

static void check_shadowing(Elab *e, const char *name, Place place)
{
    Place above;
    const Frame *f = e->frame;
    bool optimizer = e->mode == MODE_optimizer && (!strcmp(name, "w") || !strcmp(name, "g"));  /* it has to have them */
    if (!f->fn || !file_level(f->file, name, &above) || optimizer) return;
    const Stmt *store = map_get(f->file->stores, name);
    if (store && store->kind == STMT_state)
        elab_error(e, place, "%s is a state: `update %s = …` gives it a new value", name, name);
    else elab_error(e, place, "%s is a name of the file; nothing may shadow it", name);
    diag_note(e->d, above, "%s is bound here", name);
}

void elab_bind(Elab *e, const char *name, Value value, Place place)
{
    if (!strcmp(name, "_")) return;
    Frame *f = e->frame;
    Binding *old = elab_find(f, name);
    bool kept = old && region_keeps(e, (int)(old - f->names.at), name);
    if (old) check_rebinding(e, old, place);
    else check_shadowing(e, name, place);
    if (old && !kept) {
        old->value = value;
        old->place = place;
        old->pending = NULL;
        old->site = NULL;
        return;
    }
    vec_push(e->arena, &f->names, ((Binding){ .name = name, .value = value, .place = place }));
}

void elab_bind_own(Elab *e, const char *name, Value value, Place place)
{
    Frame *f = e->frame;
    const Binding *old = elab_find(f, name);
    bool hides = old && region_hides(e, (int)(old - f->names.at));
    if (!hides || !region_keeps(e, (int)(old - f->names.at), name)) elab_bind(e, name, value, place);
    else vec_push(e->arena, &f->names, ((Binding){ .name = name, .value = value, .place = place }));
}

void elab_bind_scope(Elab *e, const Bindings *scope)
{
    for (int i = 0; i < scope->count; i++) elab_bind(e, scope->at[i].name, scope->at[i].value, scope->at[i].place);
}

Bindings elab_scope(Elab *e)
{
    Bindings copy = {0};
    for (int i = 0; i < e->frame->names.count; i++) vec_push(e->arena, &copy, e->frame->names.at[i]);
    return copy;
}

/* looking up */

static Value pending_default(Elab *e, Binding *b)
{
    const Expr *x = b->pending;
    const char *name = b->name;
    const ParamDecl *param = b->param;
    Outside inside = region_step_out(e, (int)(b - e->frame->names.at));
    const Value *shape = e->shape;
    b->pending = NULL;
    b->value = value_error();
    if (e->frame == e->owner) e->shape = NULL;               /* a default is no initial value, though one asks first */
    Value v = elab_expr(e, x);
    e->shape = shape;
    if (param->type && v.kind != VALUE_error) v = elab_fit(e, v, param->type, x->place, name);
    region_step_back(e, inside);
    elab_find(e->frame, name)->value = v;  /* the bindings may have moved */
    return v;
}

static bool sees_pipeline(const Elab *e)
{
    bool block = e->mode == MODE_data || e->mode == MODE_settings || e->mode == MODE_optimizer || e->mode == MODE_term;
    return block && !e->frame->fn;
}

/* Values that every program has: `training` and its like. False when the name is none of them. */
static bool ambient_value(Elab *e, const char *name, Place place, Value *out)
{
    if (!strcmp(name, "training")) {
        *out = value_bool(e->frame->training);
    } else if (!strcmp(name, "shape") && e->shape) {
        *out = *e->shape;
    } else if (!strcmp(name, "step") && e->mode == MODE_data) {
        *out = elab_error(e, place, "step counts while a model is trained; data is evaluated before");
    } else if (!strcmp(name, "step") && e->graph && e->mode != MODE_initial) {
        elab_at(e, place);
        *out = value_tensor(make_cast(e->graph, elab_ambient(e, "step"), elab_real(e)));
    } else if (!strcmp(name, "steps") && e->steps >= 0) {
        *out = value_number(e->steps);
    } else if (!strcmp(name, "epoch") && e->epoch >= 0) {
        *out = value_number(e->epoch);
    } else {
        double number;
        if (!builtin_constant(name, &number)) return false;
        *out = value_number(number);
    }
    return true;
}

static const char *label_head(const Expr *label)
{
    while (label->kind == EXPR_index || label->kind == EXPR_member) label = label->left;
    return label->kind == EXPR_name ? label->text : "";
}

static bool writes_label(void *context, const Expr *x)
{
    return x->kind == EXPR_label && !strcmp(label_head(x->left), context);
}

const FnDecl *elab_labelling_fn(const File *file, const char *name)
{
    for (const FnDecl *fn = file->ast->fns; fn; fn = fn->next)
        if (walk_body(fn->body, writes_label, (void *)name)) return fn;
    return NULL;
}

static Value unknown_name(Elab *e, const char *name, Place place)
{
    const Frame *f = e->frame;
    if (f->broken) return value_error();
    ItemName *pipeline = map_get(f->file->pipeline, name);
    if (pipeline) {
        elab_error(e, place,
                   "%s belongs to the pipeline of data, which only data and train see; pass it as an argument", name);
        diag_note(e->d, pipeline->name->place, "%s is bound here; a const would be visible everywhere", name);
        return value_error();
    }
    const FnDecl *fn = elab_labelling_fn(f->file, name);
    if (fn) {
        return elab_error(e, place,
                          "the label %s has not been reached yet in this entry: it is made in %s %s; call that "
                          "first, or declare at file level what both need",
                          name, fn->module ? "module" : "fn", fn->name);
    }
    Vec(const char *) names = {0};
    for (int i = 0; i < f->names.count; i++) vec_push(e->arena, &names, f->names.at[i].name);
    for (int i = 0; i < map_count(f->file->consts); i++) vec_push(e->arena, &names, map_key(f->file->consts, i));
    for (int i = 0; i < map_count(f->file->stores); i++) vec_push(e->arena, &names, map_key(f->file->stores, i));
    if (sees_pipeline(e)) {
        for (int i = 0; i < map_count(f->file->pipeline); i++)
            vec_push(e->arena, &names, map_key(f->file->pipeline, i));
    }
    for (int i = 0; e->stage && !f->fn && i < e->stage->evaluation_count; i++)
        vec_push(e->arena, &names, e->stage->evaluations[i].name);
    const char *near = suggest(name, names.at, names.count);
    if (!near) near = elab_suggest_fn(e, name);
    if (near) return elab_error(e, place, "unknown name %s; did you mean %s?", name, near);
    bool symbol = !f->fn && e->mode == MODE_entry && isupper((unsigned char)*name);
    return elab_error(e, place, "unknown name %s%s", name,
                      symbol ? ": what the file declares belongs to no call, so its shape is made of constants" : "");
}

/* What the name means in the line being evaluated: a line sees what stands before it where a `for` binds names anew.
 * NULL: nothing yet. */
static ItemName *version_at(const Elab *e, ItemName *latest)
{
    if (!latest->older || !e->item) return latest;
    ItemName *n = latest;
    while (n && n->item->order >= e->item->order) n = n->older;
    return n;
}

/* False: none of the file's names. */
static bool file_value(Elab *e, const char *name, Place place, Value *out)
{
    File *file = e->frame->file;
    ItemName *item = map_get(file->consts, name);
    if (!item && sees_pipeline(e)) item = map_get(file->pipeline, name);
    if (item) {
        Node *stream = e->stream_nodes && !item->item->constant ? map_get(e->stream_nodes, name) : NULL;
        ItemName *version = version_at(e, item);
        item->used = true;
        *out = stream   ? value_tensor(stream)
             : version  ? elab_item(e, version, place)
                        : elab_error(e, place, "%s has no value yet: the `for` below binds it", name);
        return true;
    }
    const Stmt *store = map_get(file->stores, name);
    if (store) {
        Site *site = elab_file_site(e, store, name, place);
        *out = site ? elab_site_value(e, site, place) : value_error();
    }
    return store != NULL;
}

Value elab_name(Elab *e, const char *name, Place place)
{
    Binding *b = elab_find(e->frame, name);
    if (b && b->site) return elab_site_value(e, b->site, place);
    if (b) return b->pending ? pending_default(e, b) : b->value;
    Value v = elab_label_value(e, name);
    if (v.kind != VALUE_none) return v;
    v = evaluate_history(e, name, place);
    if (v.kind != VALUE_none) return v;
    if (file_value(e, name, place, &v) || ambient_value(e, name, place, &v)) return v;
    const Callable *c = elab_callable(e, name);
    if (c) {
        Function *f = arena_new_of(e->arena, Function);
        *f = (Function){ .fn = c->fn, .file = c->file };
        return (Value){ .kind = VALUE_function, .function = f };
    }
    const Builtin *builtin = builtin_find(name);
    if (builtin) {
        Function *f = arena_new_of(e->arena, Function);
        *f = (Function){ .builtin = builtin };
        return (Value){ .kind = VALUE_function, .function = f };
    }
    return unknown_name(e, name, place);
}

bool elab_known_name(Elab *e, const char *name)
{
    const Frame *f = e->frame;
    return elab_find(f, name) || map_get(f->file->consts, name) || map_get(f->file->stores, name);
}

/* The fn that a call of `name` means: of the file, of a plain import, of the prelude. */
const Callable *elab_callable(Elab *e, const char *name)
{
    Callable *c = map_get(e->frame->file->fns, name);
    bool setting = e->mode == MODE_settings || e->mode == MODE_optimizer;
    if (!c && setting && !e->frame->fn) c = map_get(e->model->schedules, name);
    if (!c) c = map_get(e->model->prelude, name);
    if (!c) c = map_get(e->model->schedules, name);
    return c;
}

static void add_names(Arena *arena, const Map *map, const char ***names, int *count)
{
    const char **all = arena_array(arena, const char *, *count + map_count(map));
    memcpy(all, *names, sizeof *all * (size_t)*count);
    for (int i = 0; i < map_count(map); i++) all[(*count)++] = map_key(map, i);
    *names = all;
}

const char *elab_suggest_fn(Elab *e, const char *name)
{
    const char **names = arena_array(e->arena, const char *, builtin_count());
    int count = 0;
    for (int i = 0; i < builtin_count(); i++) names[count++] = builtin_name(builtin_at(i));
    add_names(e->arena, e->frame->file->fns, &names, &count);
    add_names(e->arena, e->model->prelude, &names, &count);
    add_names(e->arena, e->model->schedules, &names, &count);
    const Host *host = e->model->options.host;
    if (host && sees_pipeline(e)) {
        int rows;
        const char *const *readers = host->names(host->context, &rows);
        const char **all = arena_array(e->arena, const char *, count + rows);
        memcpy(all, names, sizeof *all * (size_t)count);
        memcpy(all + count, readers, sizeof *all * (size_t)rows);
        names = all;
        count += rows;
    }
    return suggest(name, names, count);
}
