/* Entries: a file-level fn with tensor parameters becomes a graph, its arguments inputs named after the parameters. */
#include "frontend/elab.h"

#include <string.h>

/* which fn */

static const Callable *find_fn(const Model *m, const char *name)
{
    const Use *use = map_get(m->uses, name);
    if (use) return use->callable;
    const Callable *c = map_get(m->root->fns, name);
    return c && c->file == m->root && !c->fn->module ? c : NULL;
}

/* Tensors that a caller must give: typed, before the statics, without default. */
static bool is_input(const ParamDecl *p) { return p->type && !p->value && !p->after_semicolon; }

/* Tensors that a caller may leave out: the same with a default. */
static bool is_optional(const ParamDecl *p)
{
    return p->type && p->value && !p->after_semicolon && !elab_is_host_type(p->type);
}

int entry_input_count(const FnDecl *fn)
{
    int n = 0;
    for (const ParamDecl *p = fn->params; p; p = p->next) n += is_input(p);
    return n;
}

/* Whether it can be elaborated from its signature alone. */
bool entry_is_complete(const FnDecl *fn)
{
    for (const ParamDecl *p = fn->params; p; p = p->next)
        if ((!is_input(p) && !p->value) || (p->type && elab_is_host_type(p->type))) return false;
    return true;
}

/* Those that must be given come first. */
static const ParamDecl *input_at(const FnDecl *fn, int i)
{
    for (const ParamDecl *p = fn->params; p; p = p->next)
        if (is_input(p) && !i--) return p;
    for (const ParamDecl *p = fn->params; p; p = p->next)
        if (is_optional(p) && !i--) return p;
    return NULL;
}

static int tensor_count(const FnDecl *fn)
{
    int n = 0;
    while (input_at(fn, n)) n++;
    return n;
}

/* The parameter that argument i is for: in order, then by name. args NULL: in order. */
static const ParamDecl *param_of(const FnDecl *fn, const EntryArg *args, int i)
{
    int inputs = entry_input_count(fn);
    const ParamDecl *p = input_at(fn, i);
    for (int k = inputs; args && i >= inputs && (p = input_at(fn, k)) && strcmp(p->name, args[i].name); k++) continue;
    return p;
}

static bool is_given(const FnDecl *fn, const EntryArg *args, int count, const ParamDecl *p)
{
    for (int i = 0; i < count; i++)
        if (param_of(fn, args, i) == p) return true;
    return false;
}

int model_entry_parameters(const Model *m, const char *name)
{
    const Callable *c = find_fn(m, name);
    return c ? entry_input_count(c->fn) : -1;
}

const char *model_entry_parameter(const Model *m, const char *name, int i)
{
    const Callable *c = find_fn(m, name);
    const ParamDecl *p = c ? input_at(c->fn, i) : NULL;
    return p ? p->name : NULL;
}

int model_entry_tensors(const Model *m, const char *name)
{
    const Callable *c = find_fn(m, name);
    return c ? tensor_count(c->fn) : -1;
}

bool model_entry_any_rank(const Model *m, const char *name, int i)
{
    const Callable *c = find_fn(m, name);
    const ParamDecl *p = c ? input_at(c->fn, i) : NULL;
    for (const DimExpr *d = p ? p->type->dims : NULL; d; d = d->next)
        if (d->kind == DIMEXPR_rank) return true;
    return false;
}

/* symbols */

/* The symbol of an entry's dimension. Two entries may give one name different values: the later one gets a number
 * behind it. */
const Dim *entry_symbol(Model *m, const char *name, int64_t value)
{
    const char *spelling = name;
    for (int n = 2; value >= 0; n++) {
        int64_t known = -1;
        for (int i = 0; i < dims_symbol_count(m->dims); i++)
            if (!strcmp(dims_symbol_name(m->dims, i), spelling)) known = dims_symbol_value(m->dims, i);
        if (known < 0 || known == value) break;
        spelling = arena_print(m->arena, "%s_%d", name, n);
    }
    return dim_symbol(m->dims, spelling, value);
}

static bool bind_symbol(void *context, const Expr *x)
{
    Elab *e = context;
    if (x->kind == EXPR_name && elab_binds(e, x->text))
        elab_bind(e, x->text, value_dim(entry_symbol(e->model, x->text, -1)), x->place);
    return false;
}

/* Every name that would bind becomes a symbol without value; a rank variable one axis. */
static void bind_symbols(Elab *e, const FnDecl *fn)
{
    for (const ParamDecl *p = fn->params; p; p = p->next) {
        if (!is_input(p)) continue;
        for (const DimExpr *d = p->type->dims; d; d = d->next) {
            if (d->kind == DIMEXPR_value) walk_expr(d->value, bind_symbol, e);
            if (d->kind != DIMEXPR_rank || elab_find(e->frame, d->rank)) continue;
            Value *axis = arena_new_of(e->arena, Value);
            *axis = value_dim(entry_symbol(e->model, d->rank, -1));
            elab_bind(e, d->rank, value_list(axis, 1), d->place);
        }
    }
}

/* The values that unification found become symbols with those values. */
static void name_values(Elab *e)
{
    Frame *f = e->frame;
    for (int i = 0; i < f->names.count; i++) {
        Binding *b = &f->names.at[i];
        int64_t whole;
        if (!b->param && value_is_whole(&b->value, &whole) && whole >= 0)
            b->value = value_dim(entry_symbol(e->model, b->name, whole));
    }
}

static bool is_named(void *context, const Expr *x) { return x->kind == EXPR_name && !strcmp(x->text, context); }

/* " (the constant rows is 0)" when a line of data mentions a constant that is no size, else "". */
static const char *small_constant(const Model *m)
{
    for (int i = 0; i < m->root->names.count; i++) {
        const ItemName *n = m->root->names.at[i];
        const Item *item = n->item;
        int64_t value;
        if (!item->constant || item->in_data || item->state != ITEM_done) continue;
        if (!value_is_whole(&item->values[n->index], &value) || value >= 1) continue;
        for (int k = 0; k < m->root->names.count; k++) {
            const Item *line = m->root->names.at[k]->item;
            if (line->in_data && walk_exprs(line->stmt->values, is_named, (void *)n->name->text))
                return arena_print(m->arena, " (the constant %s is %lld)", n->name->text, (long long)value);
        }
    }
    return "";
}

/* A step over no elements teaches nothing: every dimension of a batch is at least 1. */
static bool check_batch(Elab *e, const FnDecl *fn)
{
    const Frame *f = e->frame;
    for (int i = 0; i < f->names.count; i++) {
        const Binding *b = &f->names.at[i];
        int64_t value;
        bool dimension = !b->param && b->value.kind == VALUE_number && b->value.dim && elab_known(b->value.dim, &value);
        if (!dimension || value >= 1) continue;
        const char *types = "";
        for (int k = 0; k < f->names.count; k++)
            if (f->names.at[k].param && f->names.at[k].value.kind == VALUE_tensor)
                types = arena_print(e->arena, "%s%s%s", types, *types ? ", " : "",
                                    value_text(e->arena, &f->names.at[k].value));
        diag_error(e->d, fn->place, "%s is %lld in %s, whose batch is %s%s: there is nothing to learn from", b->name,
                   (long long)value, fn->name, types, small_constant(e->model));
        return false;
    }
    return true;
}

/* Binds the dimension names of the signature in the present frame, from argument types or as open symbols. */
static bool bind_dimensions(Elab *e, const FnDecl *fn, const EntryArg *args, int count)
{
    for (const ParamDecl *p = fn->params; p; p = p->next) {  /* statics may stand in types */
        if (is_input(p) || is_given(fn, args, count, p)) continue;
        elab_bind(e, p->name, value_none(), p->place);
        Binding *b = elab_find(e->frame, p->name);
        b->param = p;
        b->pending = p->value;
    }
    if (count < 0) {
        bind_symbols(e, fn);
        return true;
    }
    for (int i = 0; i < count; i++) {
        const ParamDecl *p = param_of(fn, args, i);
        elab_bind(e, p->name, value_tensor(make_input(e->graph, STORE_data, p->name, args[i].type)), p->place);
        elab_find(e->frame, p->name)->param = p;
    }
    if (!elab_unify(e)) return false;
    name_values(e);
    return true;
}

/* The types of `types` inputs, written with the signature's names. */
static bool input_types(Model *m, const Callable *c, const EntryArg *args, int count, int types, bool training,
                        Diagnostics *d, Type *out)
{
    Elab *e = elab_new(m, MODE_entry, graph_new(m->arena, m->dims, c->fn->name), d);
    elab_push(e, NULL, c->file, "", (Place){0});
    elab_push(e, c->fn, c->file, "", c->fn->place);
    if (!bind_dimensions(e, c->fn, args, count) || (training && !check_batch(e, c->fn))) return false;
    for (int i = 0; i < types; i++)
        if (!elab_type(e, param_of(c->fn, args, i)->type, &out[i])) return false;
    return true;
}

/* elaboration */

/* Static arguments that `train` gives the entry. */
static int use_statics(Elab *e, const Use *use, Argument *out)
{
    int n = 0;
    if (!use) return 0;
    elab_bind_scope(e, &use->scope);
    for (const Expr *x = use->call->first; x; x = x->next)
        if (x->keyword) out[n++] = (Argument){ x->keyword, elab_expr(e, x), x->keyword_place };
    return n;
}

/* A fn may return lists of lists to its callers; as an entry it may not. */
static bool output_value(Elab *e, const char *name, const Value *v, Place place)
{
    if (e->symbolic && v->kind == VALUE_list) return true;
    Node *n = elab_tensor(e, v, place, "a result");
    if (n) graph_output(e->graph, OUTPUT_result, name, n);
    return n != NULL;
}

/* What the fn's last line returns as its result number i, of `count`, when that is a name and the only one so. */
static const char *returned_name(const FnDecl *fn, int i, int count)
{
    const Stmt *last = fn->body;
    while (last && last->next) last = last->next;
    if (!last || last->kind != STMT_return) return NULL;
    const Expr *found = NULL;
    int n = 0;
    for (const Expr *x = last->values; x; x = x->next)
        if (n++ == i && x->kind == EXPR_name) found = x;
    for (const Expr *x = last->values; found && x; x = x->next)
        if (x != found && x->kind == EXPR_name && !strcmp(x->text, found->text)) return NULL;
    return found && n == count ? found->text : NULL;
}

/* One result is named after the fn; several after the names that are returned, or numbered. False when a value is an
 * error, perhaps one reported long before. */
static bool output_values(Elab *e, const FnDecl *fn, Value v)
{
    if (v.kind != VALUE_list) return output_value(e, fn->name, &v, fn->place);
    int count = v.list.count;
    if (!count) elab_error(e, fn->place, "%s returns an empty list, so there is nothing to compute", fn->name);
    bool good = count > 0;
    for (int i = 0; i < count; i++) {
        const char *name = returned_name(fn, i, count);
        if (!name) name = arena_print(e->arena, "%d", i);
        good = output_value(e, name, &v.list.at[i], fn->place) && good;
    }
    return good;
}

/* Such an entry needs no result. */
static bool updates(const Elab *e)
{
    for (int i = 0; i < map_count(e->sites); i++)
        if (((const Site *)map_value(e->sites, i))->updated) return true;
    return false;
}

/* given: arguments, of these types; NULL: just those that must be given. */
static Graph *elaborate(Elab *e, const Callable *c, const Use *use, const EntryArg *given, int inputs,
                        const Type *types, const char *path)
{
    const FnDecl *fn = c->fn;
    int errors = diag_error_count(e->d), count = 0;
    int statics = 0;
    for (const Expr *x = use ? use->call->first : NULL; x; x = x->next) statics += x->keyword != NULL;
    Argument *args = arena_array(e->arena, Argument, inputs + statics);
    elab_at(e, fn->place);
    for (; count < inputs; count++) {
        const ParamDecl *p = param_of(fn, given, count);
        elab_at(e, p->place);
        Node *n = make_input(e->graph, STORE_data, p->name, types[count]);
        args[count] = (Argument){ p->name, value_tensor(n), p->place };
    }
    count += use_statics(e, use, args + inputs);
    Function f = { .fn = fn, .file = c->file };
    Value v = elab_apply(e, &f, args, count, path, (Place){0});
    bool effect = v.kind == VALUE_none && updates(e);
    bool good = effect || output_values(e, fn, v);
    if (diag_error_count(e->d) == errors) elab_check_ahead(e);
    elab_output_updates(e, true);
    return good && diag_error_count(e->d) == errors ? e->graph : NULL;
}

Graph *entry_symbolic(Model *m, const Callable *c, Diagnostics *d)
{
    int inputs = entry_input_count(c->fn);
    Type *types = arena_array(m->arena, Type, inputs + 1);
    if (!input_types(m, c, NULL, -1, inputs, false, d, types)) return NULL;
    Elab *e = elab_new(m, MODE_entry, graph_new(m->arena, m->dims, c->fn->name), d);
    e->symbolic = true;
    elab_push(e, NULL, c->file, "", (Place){0});
    return elaborate(e, c, NULL, NULL, inputs, types, c->fn->name);
}

static bool check_arguments(Model *m, const char *name, const Callable *c, int count, Diagnostics *d)
{
    const Callable *other = map_get(m->root->fns, name);
    if (!c && other && other->fn->module) {
        diag_error(d, other->fn->place, "%s is a module, not a fn: an entry is a fn that calls it with a label", name);
        return false;
    }
    if (!c) {
        const char **names = arena_array(m->arena, const char *, map_count(m->root->fns));
        for (int i = 0; i < map_count(m->root->fns); i++) names[i] = map_key(m->root->fns, i);
        const char *near = suggest(name, names, map_count(m->root->fns));
        Place place = { .source = m->ast->source };
        diag_error(d, place, "there is no fn %s to run%s%s%s", name, near ? "; did you mean " : "", near ? near : "",
                   near ? "?" : "");
        return false;
    }
    int inputs = entry_input_count(c->fn);
    if (elab_is_host_fn(c->fn)) {
        diag_error(d, c->fn->place, "%s cannot be an entry: it takes or gives texts, which only data can do", name);
        return false;
    }
    if (!entry_is_complete(c->fn)) {
        diag_error(d, c->fn->place, "%s cannot be an entry: a parameter lacks its type or its default", name);
        return false;
    }
    if (count >= 0 && (count < inputs || count > tensor_count(c->fn))) {
        diag_error(d, c->fn->place, "%s takes %d tensors, found %d", name, inputs, count);
        return false;
    }
    return true;
}

bool model_entry_types(Model *m, const char *name, Diagnostics *d, Type *out)
{
    const Callable *c = find_fn(m, name);
    m->work = 0;
    return check_arguments(m, name, c, -1, d) && input_types(m, c, NULL, -1, tensor_count(c->fn), false, d, out);
}

Graph *model_entry(Model *m, const char *name, const EntryArg *args, int arg_count, bool training, Diagnostics *d)
{
    const Callable *c = find_fn(m, name);
    m->work = 0;
    if (!check_arguments(m, name, c, arg_count, d)) return NULL;
    int inputs = arg_count < 0 ? entry_input_count(c->fn) : arg_count;
    Type *types = arena_array(m->arena, Type, inputs + 1);
    if (!input_types(m, c, args, arg_count, inputs, training, d, types)) return NULL;
    Elab *e = elab_new(m, MODE_entry, graph_new(m->arena, m->dims, c->fn->name), d);
    elab_push(e, NULL, c->file, "", (Place){0});
    e->frame->training = training;
    return elaborate(e, c, map_get(m->uses, name), args, inputs, types, NULL);
}
