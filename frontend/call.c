/* Calls: which function a call means, which argument goes to which parameter, and inlining. */
#include "frontend/elab.h"

#include <string.h>

/* arguments */

static bool eval_arguments(Elab *e, const Expr *call, Argument **out, int *count)
{
    int n = 0;
    bool good = true;
    for (const Expr *x = call->first; x; x = x->next) n++;
    Argument *args = arena_array(e->arena, Argument, n);
    n = 0;
    for (const Expr *x = call->first; x; x = x->next, n++) {
        args[n] = (Argument){ x->keyword, elab_expr(e, x), x->keyword ? x->keyword_place : x->place };
        if (args[n].value.kind == VALUE_error) good = false;
        if (!x->keyword && n && args[n - 1].keyword) {
            elab_error(e, x->place, "an argument without name stands after one with a name");
            good = false;
        }
    }
    *out = args;
    *count = n;
    return good;
}

/* Those given so far and the new ones; a new keyword replaces an old one. */
static const Argument *join_arguments(Elab *e, const Function *f, const Argument *args, int *count)
{
    if (!f->arg_count) return args;
    Argument *all = arena_array(e->arena, Argument, f->arg_count + *count);
    int n = 0;
    for (int i = 0; i < *count; i++) all[n++] = args[i];
    for (int i = 0; i < f->arg_count; i++) {
        bool replaced = false;
        for (int k = 0; k < *count; k++)
            replaced =
                replaced || (args[k].keyword && f->args[i].keyword && !strcmp(args[k].keyword, f->args[i].keyword));
        if (!replaced) all[n++] = f->args[i];
    }
    *count = n;
    return all;
}

static int param_index(const FnDecl *fn, const char *name)
{
    int i = 0;
    for (const ParamDecl *p = fn->params; p; p = p->next, i++)
        if (!strcmp(p->name, name)) return i;
    return -1;
}

static int param_count(const FnDecl *fn)
{
    int n = 0;
    for (const ParamDecl *p = fn->params; p; p = p->next) n++;
    return n;
}

const char *elab_own_keyword(const char *word)
{
    static const char *const words[][2] = {
        { "dim", "axis" }, { "dims", "axes" }, { "keepdim", "keep" }, { "keepdims", "keep" }, { "size", "shape" },
        { "label_smoothing", "smooth" }, { "weight_decay", "decay" }, { "learning_rate", "lr" }, { "bias", "plain" },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i][0], word)) return words[i][1];
    return NULL;
}

static void unknown_keyword(Elab *e, const FnDecl *fn, const Argument *arg)
{
    const char *ours = elab_own_keyword(arg->keyword);
    const char **names = arena_array(e->arena, const char *, param_count(fn));
    int n = 0;
    for (const ParamDecl *p = fn->params; p; p = p->next) names[n++] = p->name;
    const char *near = ours && param_index(fn, ours) >= 0 ? ours : suggest(arg->keyword, names, n);
    elab_error(e, arg->place, "%s has no parameter %s%s%s%s", fn->name, arg->keyword, near ? "; did you mean " : "",
               near ? near : "", near ? "?" : "");
    diag_note(e->d, fn->place, "%s is defined here", fn->name);
}

/* slots[i] is the argument of parameter i or NULL. `training` sets the flag unless fn has a parameter of that name. */
static bool place_arguments(Elab *e, const FnDecl *fn, const Argument *args, int count, const Argument **slots,
                            bool *training)
{
    int next = 0, total = param_count(fn);
    bool good = true;
    for (int i = 0; i < count; i++) {
        const Argument *a = &args[i];
        int at = a->keyword ? param_index(fn, a->keyword) : next++;
        if (a->keyword && at < 0 && !strcmp(a->keyword, "training")) {
            if (a->value.kind == VALUE_bool) {
                *training = a->value.truth;
            } else {
                elab_error(e, a->place, "training is true or false, found %s", value_text(e->arena, &a->value));
                good = false;
            }
        } else if (a->keyword && at < 0) {
            unknown_keyword(e, fn, a);
            good = false;
        } else if (at >= total) {
            elab_error(e, a->place, "%s takes %d argument%s; this is one more", fn->name, total, total == 1 ? "" : "s");
            diag_note(e->d, fn->place, "%s is defined here", fn->name);
            return false;
        } else if (slots[at]) {
            elab_error(e, a->place, "the parameter %s of %s is given twice", a->keyword ? a->keyword : "", fn->name);
            good = false;
        } else {
            slots[at] = a;
        }
    }
    return good;
}

static bool ambient_shape(const Elab *e, const ParamDecl *p)
{
    return e->shape && !p->value && !strcmp(p->name, "shape");
}

/* Whether the call lacks its leading arguments, or the shape that an initialiser supplies, and so is a function that
 * awaits them. */
static bool awaits(const Elab *e, const FnDecl *fn, const Argument *const *slots)
{
    const ParamDecl *p = fn->params;
    if (p && !p->after_semicolon && !p->value && !slots[0] && !ambient_shape(e, p)) return true;
    for (int i = 0; p; p = p->next, i++)
        if (!strcmp(p->name, "shape") && !slots[i] && !p->value && !e->shape) return true;
    return false;
}

static bool check_missing(Elab *e, const FnDecl *fn, const Argument *const *slots, Place place)
{
    int i = 0;
    bool good = true;
    for (const ParamDecl *p = fn->params; p; p = p->next, i++) {
        if (slots[i] || p->value || ambient_shape(e, p)) continue;
        elab_error(e, place, "the call of %s lacks its argument %s", fn->name, p->name);
        diag_note(e->d, p->place, "%s is declared here", p->name);
        good = false;
    }
    return good;
}

/* inlining */

static void bind_parameters(Elab *e, const FnDecl *fn, const Argument *const *slots)
{
    int i = 0;
    for (const ParamDecl *p = fn->params; p; p = p->next, i++) {
        Value v = slots[i] ? slots[i]->value : ambient_shape(e, p) ? *e->shape : value_none();
        elab_bind(e, p->name, v, slots[i] ? slots[i]->place : p->place);
        Binding *b = elab_find(e->frame, p->name);
        if (!b) continue;  /* named _ */
        b->param = p;
        if (!slots[i] && p->value) b->pending = p->value;
    }
}

static Value check_results(Elab *e, const FnDecl *fn, Value v, Place place)
{
    int declared = 0, i = 0;
    for (const TypeExpr *t = fn->results; t; t = t->next) declared++;
    if (!declared || v.kind == VALUE_error) return v;
    int given = declared == 1 ? 1 : v.kind == VALUE_list ? v.list.count : v.kind == VALUE_none ? 0 : 1;
    if (given != declared)
        return elab_error(e, fn->place, "%s declares %d results and returns %d", fn->name, declared, given);
    if (v.kind == VALUE_none && !elab_is_host_type(fn->results))
        return elab_error(e, fn->place, "%s ends without return", fn->name);
    Value *values = arena_array(e->arena, Value, declared);
    for (; i < declared; i++) values[i] = declared == 1 ? v : v.list.at[i];
    if (elab_is_host_fn(fn)) {
        if (!elab_unify_results(e, fn->results, values, declared, place)) return value_error();
        return declared == 1 ? values[0] : value_list(values, declared);
    }
    if (declared == 1) return elab_fit(e, v, fn->results, place, "the result");
    i = 0;
    for (const TypeExpr *t = fn->results; t; t = t->next, i++)
        values[i] = elab_fit(e, values[i], t, place, arena_print(e->arena, "result %d", i + 1));
    return value_list(values, declared);
}

static Place return_place(const FnDecl *fn)
{
    for (const Stmt *s = fn->body; s; s = s->next)
        if (s->kind == STMT_return && s->values) return s->values->place;
    return fn->place;
}

static Value inline_fn(Elab *e, const Function *f, const Argument *const *slots, const char *path, bool training,
                       Place place)
{
    const FnDecl *fn = f->fn;
    if (e->symbolic && e->model->faulty && map_get(e->model->faulty, fn->name) == fn) return value_error();
    if (!elab_push(e, fn, f->file, fn->module ? path : e->frame->path, place)) return value_error();
    e->frame->training = training;
    bind_parameters(e, fn, slots);
    Value v = value_error();
    if (elab_unify(e)) {
        elab_block(e, fn->body);
        v = check_results(e, fn, e->frame->result, return_place(fn));
    }
    elab_pop(e);
    return v;
}

static Value await_rest(Elab *e, const Function *f, const Argument *args, int count)
{
    Function *rest = arena_new_of(e->arena, Function);
    *rest = *f;
    rest->args = args;
    rest->arg_count = count;
    return (Value){ .kind = VALUE_function, .function = rest };
}

Value elab_apply(Elab *e, const Function *f, const Argument *given, int count, const char *path, Place place)
{
    const Argument *args = join_arguments(e, f, given, &count);
    if (!f->fn) return builtin_call(e, f->builtin, args, count, place);
    const FnDecl *fn = f->fn;
    const Argument **slots = arena_array(e->arena, const Argument *, param_count(fn));
    bool training = e->frame->training;
    if (!place_arguments(e, fn, args, count, slots, &training)) return value_error();
    if (awaits(e, fn, slots)) return await_rest(e, f, args, count);
    if (!check_missing(e, fn, slots, place)) return value_error();
    if (fn->module && !path) {
        return elab_error(e, place, "a call of the module %s needs a label, which names its parameters: `name: %s(…)`",
                          fn->name, fn->name);
    }
    return inline_fn(e, f, slots, path, training, place);
}

/* which function a call means */

/* Functions have a namespace of their own: a local or constant of that name counts only when it can be called. */
static Value callable_value(Elab *e, const char *name, Place place)
{
    bool sees = elab_find(e->frame, name) || map_get(e->frame->file->consts, name)
             || (e->mode == MODE_data && !e->frame->fn && map_get(e->frame->file->pipeline, name));
    if (!sees) return value_none();
    Value v = elab_name(e, name, place);
    bool tokenizer = v.kind == VALUE_host && v.host->kind == HOST_tokenizer;
    if (v.kind == VALUE_function || tokenizer || v.kind == VALUE_unknown || v.kind == VALUE_error) return v;
    return value_none();
}

static Value cast(Elab *e, DType dtype, const Argument *args, int count, const char *name, Place place)
{
    if (count != 1 || args[0].keyword) return elab_error(e, place, "%s(…) converts one value", name);
    Value v = args[0].value;
    if (!e->graph && v.kind == VALUE_number) return v;
    if (v.kind == VALUE_number || v.kind == VALUE_unknown) {
        Node *n = elab_tensor(e, &v, place, name);
        if (n && v.kind == VALUE_number && !v.dim) n = elab_number_node(e, &v, dtype, place);
        return n ? value_tensor(n->type.dtype == dtype ? n : make_cast(e->graph, n, dtype)) : value_error();
    }
    Node *n = elab_tensor(e, &v, place, name);
    if (!n) return value_error();
    elab_at(e, place);
    return value_tensor(n->type.dtype == dtype ? n : make_cast(e->graph, n, dtype));
}

static Value unknown_function(Elab *e, const char *name, Place place)
{
    if (elab_host_knows(e, name))
        return elab_error(e, place, "%s is a function of the data phase; only data can call it", name);
    const char *near = elab_suggest_fn(e, name);
    if (near) return elab_error(e, place, "unknown function %s; did you mean %s?", name, near);
    Binding *b = elab_find(e->frame, name);
    if (b && !b->pending)
        return elab_error(e, place, "%s is %s, which cannot be called", name, value_text(e->arena, &b->value));
    return elab_error(e, place, "unknown function %s", name);
}

/* In data, readers of the host come before primitives and prelude fns of their name when they are given something that
 * only the host understands. */
static bool is_host_call(Elab *e, const char *name, const Callable *c, const Argument *args, int count)
{
    if (e->mode != MODE_data || (c && !c->file->builtin)) return false;
    bool known = !e->model->options.host || elab_host_knows(e, name);
    for (int i = 0; known && i < count; i++)
        if (args[i].value.kind == VALUE_host && !elab_is_array(&args[i].value)) return true;
    return known && !c && !builtin_find(name);
}

/* While data is not evaluated, what is computed from its values is unknown, and so are its dimensions. */
static bool is_unknown_call(const Elab *e, const Argument *args, int count)
{
    if (e->mode != MODE_data || e->model->options.host) return false;
    for (int i = 0; i < count; i++) {
        const Value *v = &args[i].value;
        if (v->kind == VALUE_unknown) return true;
        for (int k = 0; v->kind == VALUE_list && k < v->list.count; k++)
            if (v->list.at[k].kind == VALUE_unknown) return true;
    }
    return false;
}

static Value call_named(Elab *e, const Expr *call, const char *path)
{
    const char *name = call->left->text;
    Place place = call->left->place;
    Value callee = callable_value(e, name, place);
    Argument *args;
    int count;
    bool good = eval_arguments(e, call, &args, &count);
    if (callee.kind == VALUE_error || !good) return value_error();
    if (callee.kind == VALUE_unknown) return callee;
    if (is_unknown_call(e, args, count)) return (Value){ .kind = VALUE_unknown, .text = "_" };
    if (callee.kind == VALUE_function) return elab_apply(e, callee.function, args, count, path, place);
    if (callee.kind == VALUE_host) {
        Argument *all = arena_array(e->arena, Argument, count + 1);
        all[0] = (Argument){ NULL, callee, place };
        memcpy(all + 1, args, sizeof *args * (size_t)count);
        return elab_host_call(e, "()", all, count + 1, place);
    }
    const Callable *c = elab_callable(e, name);
    if (is_host_call(e, name, c, args, count)) return elab_host_call(e, name, args, count, place);
    if (c) {
        Function f = { .fn = c->fn, .file = c->file };
        return elab_apply(e, &f, args, count, path, place);
    }
    DType dtype;
    if (dtype_find(name, &dtype)) return cast(e, dtype == DT_f32 ? elab_real(e) : dtype, args, count, name, place);
    const Builtin *b = builtin_find(name);
    if (b) return builtin_call(e, b, args, count, place);
    return unknown_function(e, name, place);
}

static Value call_value(Elab *e, const Expr *call, const char *path)
{
    Value callee = elab_expr(e, call->left);
    Argument *args;
    int count;
    bool good = eval_arguments(e, call, &args, &count);
    if (callee.kind == VALUE_error || !good) return value_error();
    if (callee.kind == VALUE_function) return elab_apply(e, callee.function, args, count, path, call->place);
    return elab_error(e, call->place, "%s cannot be called", value_text(e->arena, &callee));
}

static const FnDecl *called_module(Elab *e, const Expr *call)
{
    if (call->left->kind != EXPR_name) return NULL;
    const char *name = call->left->text;
    Binding *b = elab_find(e->frame, name);
    if (b && b->pending) elab_name(e, name, call->left->place);
    b = elab_find(e->frame, name);
    if (b && b->value.kind == VALUE_function) return b->value.function->fn;
    const Callable *c = elab_callable(e, name);
    return c ? c->fn : NULL;
}

Value elab_call(Elab *e, const Expr *call, const Expr *label, bool share)
{
    const char *path = NULL;
    if (label) {
        const FnDecl *module = called_module(e, call);
        if (module && !module->module)
            return elab_error(e, label->place, "a label names the parameters of a module, and %s is a fn",
                              module->name);
        if (!module && call->left->kind == EXPR_name && builtin_find(call->left->text))
            return elab_error(e, label->place, "a label names the parameters of a module, and %s is a primitive",
                              call->left->text);
        path = elab_label_path(e, label);
        if (!path || !elab_enter_label(e, path, label->place, share, module)) return value_error();
    }
    int errors = diag_error_count(e->d);
    Value v = call->left->kind == EXPR_name ? call_named(e, call, path) : call_value(e, call, path);
    if (label && (v.kind == VALUE_error || diag_error_count(e->d) > errors)) {
        Site *site = map_get(e->sites, path);
        site->failed = true;
    }
    if (label && v.kind == VALUE_function && v.function->fn && v.function->fn->module)
        return elab_error(e, label->place, "this call still awaits its argument %s, so there is nothing to label",
                          v.function->fn->params->name);
    return v;
}
