/* Types against values. Dimensions of parameter types bind unknown capitalised names: bare names first, then forms
 * linear in one unbound name are solved, and the rest are checks of equal normal forms. */
#include "frontend/elab.h"

#include <ctype.h>
#include <string.h>

/* A dimension of a declared type and the one that the argument has there. */
typedef struct Equation {
    const DimExpr *declared;
    const Dim     *actual;
    int            axis;                 /* of the argument */
    int            index;                /* of the binding of the parameter: bindings may move */
    bool           done;
} Equation;

typedef Vec(Equation) Equations;

bool elab_is_host_fn(const FnDecl *fn)
{
    for (const ParamDecl *p = fn->params; p; p = p->next)
        if (p->type && elab_is_host_type(p->type)) return true;
    for (const TypeExpr *t = fn->results; t; t = t->next)
        if (elab_is_host_type(t)) return true;
    return false;
}

bool elab_is_host_type(const TypeExpr *type)
{
    if (!strcmp(type->name, "text")) return true;
    for (const DimExpr *d = type->dims; d; d = d->next)
        if (d->kind == DIMEXPR_ragged) return true;
    return false;
}

/* What other languages call so, or NULL. */
static const char *own_type(const char *word)
{
    static const char *const words[][2] = {
        { "float", "f32" }, { "float32", "f32" }, { "double", "f64" }, { "float64", "f64" }, { "half", "f16" },
        { "float16", "f16" }, { "bfloat16", "bf16" }, { "int", "i32" }, { "int32", "i32" }, { "long", "i64" },
        { "int64", "i64" }, { "int8", "i8" }, { "uint8", "u8" }, { "byte", "u8" }, { "boolean", "bool" },
        { "str", "text" }, { "string", "text" }, { "Tensor", "f32" }, { "tensor", "f32" },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i][0], word)) return words[i][1];
    return NULL;
}

static bool read_dtype(Elab *e, const TypeExpr *type, DType *out)
{
    if (!dtype_find(type->name, out)) {
        const char *names[DT_COUNT + 1];
        for (int i = 0; i < DT_COUNT; i++) names[i] = dtype_name((DType)i);
        names[DT_COUNT] = "text";
        const char *near = own_type(type->name);
        if (!near) near = suggest(type->name, names, DT_COUNT + 1);
        elab_error(e, type->place, "unknown type %s%s%s%s", type->name, near ? "; did you mean " : "", near ? near : "",
                   near ? "?" : "");
        return false;
    }
    if (*out == DT_f32) *out = elab_real(e);
    return true;
}

static bool too_long(Elab *e, const TypeExpr *type)
{
    elab_error(e, type->place, "a tensor has at most %d axes", MAX_RANK);
    return false;
}

/* The dimensions that ..S stands for. */
static bool add_rank(Elab *e, const TypeExpr *type, const DimExpr *d, Type *out)
{
    Value v = elab_name(e, d->rank, d->place);
    if (v.kind != VALUE_list) {
        if (v.kind != VALUE_error)
            elab_error(e, d->place, "..%s: expected axes, found %s", d->rank, value_text(e->arena, &v));
        return false;
    }
    for (int i = 0; i < v.list.count; i++) {
        const Dim *dim = elab_dim(e, &v.list.at[i], d->place);
        if (!dim) return false;
        if (out->rank == MAX_RANK) return too_long(e, type);
        out->dim[out->rank++] = dim;
    }
    return true;
}

static const char *place_text(Elab *e, Place place)
{
    const char *line = place.source->text;
    for (uint32_t n = 1; n < place.line; n++) line = strchr(line, '\n') + 1;
    return arena_copy_text(e->arena, line + place.column - 1, place.length);
}

/* " (the constant width)" when the dimension is the name of a constant, or of a parameter that was given one; else
 * "". */
static const char *constant_behind(Elab *e, const Expr *x)
{
    const char *name = x->kind == EXPR_name ? x->text : NULL;
    for (const Frame *f = e->frame; name && f; f = f->caller) {
        const Binding *b = elab_find(f, name);
        if (!b && map_get(f->file->consts, name)) return arena_print(e->arena, " (the constant %s)", name);
        name = b && b->param && b->place.line ? place_text(e, b->place) : NULL;
    }
    return "";
}

bool elab_positive(Elab *e, const TypeExpr *type, const Type *found, const char *path)
{
    int named = 0, axis = 0;
    for (const DimExpr *d = type->dims; d; d = d->next) named += d->kind == DIMEXPR_value;
    for (const DimExpr *d = type->dims; d; d = d->next) {
        int64_t value;
        if (d->kind == DIMEXPR_rank) axis += found->rank - named;
        if (d->kind != DIMEXPR_value) continue;
        const Dim *dim = found->dim[axis++];
        if (!elab_known(dim, &value) || value >= 1) continue;
        elab_error(e, d->place, "the parameter %s would be %s%s; a parameter has at least 1 element along each axis",
                   path, type_text(e->arena, found), constant_behind(e, d->value));
        return false;
    }
    return true;
}

/* Returns false. */
static bool too_large(Elab *e, const TypeExpr *type, const Type *found)
{
    elab_error(e, type->place, "%s has more elements than can be counted", type_text(e->arena, found));
    return false;
}

bool elab_type(Elab *e, const TypeExpr *type, Type *out)
{
    *out = (Type){0};
    if (!read_dtype(e, type, &out->dtype)) return false;
    for (const DimExpr *d = type->dims; d; d = d->next) {
        if (d->kind == DIMEXPR_ragged) {
            elab_error(e, d->place, "a ragged axis stands in the types of data only");
            return false;
        }
        if (d->kind == DIMEXPR_rank) {
            if (!add_rank(e, type, d, out)) return false;
            continue;
        }
        Value v = elab_expr(e, d->value);
        const Dim *dim = elab_dim(e, &v, d->place);
        int64_t literal;
        if (!dim) return false;
        if (dim_is_overflow(dim) || (dim_is_int(dim, &literal) && literal < 0)) {
            elab_error(e, d->place, "this dimension would be %s%s", dim_text(e->arena, dim),
                       constant_behind(e, d->value));
            return false;
        }
        if (out->rank == MAX_RANK) return too_long(e, type);
        out->dim[out->rank++] = dim;
    }
    return !dim_is_overflow(type_elements(e->dims, out)) || too_large(e, type, out);
}

/* unification */

bool elab_binds(Elab *e, const char *name) { return isupper((unsigned char)*name) && !elab_known_name(e, name); }

/* Arguments are written in the caller's text: errors about them show there. */
static void argument_error(Elab *e, Place place, const char *text)
{
    Frame *f = e->frame;
    if (f->caller) e->frame = f->caller;
    elab_error(e, place, "%s", text);
    e->frame = f;
    if (f->fn) diag_note(e->d, f->fn->place, "%s is declared here", f->fn->name);
}

static int count_axes(const TypeExpr *type, const DimExpr **rank_variable, bool *good)
{
    int n = 0;
    *rank_variable = NULL;
    for (const DimExpr *d = type->dims; d; d = d->next) {
        if (d->kind != DIMEXPR_rank) {
            n++;
            continue;
        }
        if (*rank_variable) *good = false;
        *rank_variable = d;
    }
    return n;
}

static const char *declared_text(Elab *e, const Binding *b)
{
    const TypeExpr *t = b->param->type;
    const char *text = arena_print(e->arena, "%s%s", t->name, t->dims ? "[" : "");
    for (const DimExpr *d = t->dims; d; d = d->next) {
        const char *axis = "…";
        if (d->kind == DIMEXPR_rank) axis = arena_print(e->arena, "..%s", d->rank);
        if (d->kind == DIMEXPR_value && d->value->kind == EXPR_name) axis = d->value->text;
        if (d->kind == DIMEXPR_ragged) axis = "*";
        if (d->kind == DIMEXPR_value && d->value->kind == EXPR_int)
            axis = arena_print(e->arena, "%lld", (long long)d->value->integer);
        text = arena_print(e->arena, "%s%s%s", text, axis, d->next ? ", " : "]");
    }
    return text;
}

static void type_mismatch(Elab *e, const Binding *b, const char *expected)
{
    if (b->result) {
        elab_error(e, b->place, "%s: expected %s, found %s", b->name, expected, value_text(e->arena, &b->value));
        return;
    }
    argument_error(e, b->place,
                   arena_print(e->arena, "argument %s of %s: expected %s, found %s", b->name, e->frame->fn->name,
                               expected, value_text(e->arena, &b->value)));
}

static bool bind_rank(Elab *e, const DimExpr *d, const Type *type, int first, int count, const Binding *b)
{
    Value *axes = arena_array(e->arena, Value, count);
    for (int i = 0; i < count; i++) axes[i] = value_dim(type->dim[first + i]);
    Binding *old = elab_find(e->frame, d->rank);
    if (!old) {
        elab_bind(e, d->rank, value_list(axes, count), d->place);
        return true;
    }
    bool same = old->value.kind == VALUE_list && old->value.list.count == count;
    for (int i = 0; same && i < count; i++) {
        const Dim *p = elab_dim(e, &old->value.list.at[i], d->place);
        same = p == type->dim[first + i];
    }
    if (!same) {
        type_mismatch(e, b,
                      arena_print(e->arena, "%s, where ..%s has other axes already", declared_text(e, b), d->rank));
    }
    return same;
}

/* Adds the equations of one argument; false when its type cannot fit. */
static bool equations_of(Elab *e, int index, Equations *out)
{
    const Binding *b = &e->frame->names.at[index];
    const TypeExpr *type = b->param->type;
    const Type *actual = &b->value.node->type;
    const DimExpr *rank_variable;
    bool good = true;
    DType dtype;
    int axes = count_axes(type, &rank_variable, &good), before = 0;
    if (!good) {
        elab_error(e, type->place, "a type has at most one rank variable");
        return false;
    }
    if (!read_dtype(e, type, &dtype)) return false;
    bool rank_fits = rank_variable ? actual->rank >= axes : actual->rank == axes;
    if (dtype != actual->dtype || !rank_fits) {
        type_mismatch(e, b, declared_text(e, b));
        return false;
    }
    int stretch = actual->rank - axes, k = 0;
    for (const DimExpr *d = type->dims; d; d = d->next) {
        if (d->kind == DIMEXPR_rank) {
            before = k;
            k += stretch;
        } else {
            Equation equation = { .declared = d, .actual = actual->dim[k], .axis = k, .index = index };
            vec_push(e->arena, out, equation);
            k++;
        }
    }
    return !rank_variable || bind_rank(e, rank_variable, actual, before, stretch, b);
}

/* text, text[N] and i32[N, *] against values of the host. */
static bool host_equations_of(Elab *e, int index, Equations *out)
{
    const Binding *b = &e->frame->names.at[index];
    const TypeExpr *type = b->param->type;
    const DimExpr *rows = type->dims;
    const Value *v = &b->value;
    bool text = !strcmp(type->name, "text"), ragged = rows && rows->next && rows->next->kind == DIMEXPR_ragged;
    bool fits = false;
    if (v->kind == VALUE_unknown) return true;
    if (!rows) fits = text && (v->kind == VALUE_string || (v->kind == VALUE_host && v->host->kind == HOST_text));
    else if (v->kind == VALUE_host && rows->kind == DIMEXPR_value && !rows->next)
        fits = text && v->host->kind == HOST_column;
    else if (v->kind == VALUE_host && rows->kind == DIMEXPR_value && ragged && !rows->next->next)
        fits = !strcmp(type->name, "i32") && v->host->kind == HOST_ragged;
    if (!fits) {
        type_mismatch(e, b, declared_text(e, b));
        return false;
    }
    Equation equation = { .declared = rows, .index = index };
    if (rows && v->host->type.rank) {
        equation.actual = v->host->type.dim[0];
        vec_push(e->arena, out, equation);
    }
    return true;
}

static void bind_bare_names(Elab *e, Equations *all)
{
    for (int i = 0; i < all->count; i++) {
        const Expr *x = all->at[i].declared->value;
        if (x->kind != EXPR_name || !elab_binds(e, x->text)) continue;
        elab_bind(e, x->text, value_dim(all->at[i].actual), x->place);
        all->at[i].done = true;
    }
}

typedef struct Unbound {
    Elab       *e;
    const char *name, *other;            /* other: a second one, or NULL */
} Unbound;

static bool find_unbound(void *context, const Expr *x)
{
    Unbound *u = context;
    if (x->kind != EXPR_name || !elab_binds(u->e, x->text)) return false;
    if (!u->name) u->name = x->text;
    else if (strcmp(u->name, x->text)) u->other = x->text;
    return false;
}

static const Dim *form_at(Elab *e, const Expr *x, const char *name, Value value)
{
    elab_bind(e, name, value, x->place);
    Value v = elab_expr(e, x);
    return elab_dim(e, &v, x->place);
}

/* form = a * name + rest: rest is the form at 0, a the difference to the form at 1. */
static bool solve(Elab *e, Equation *equation, const char *name)
{
    const Expr *x = equation->declared->value;
    const Dim *rest = form_at(e, x, name, value_number(0));
    const Dim *one = rest ? form_at(e, x, name, value_number(1)) : NULL;
    if (!one) return false;
    const Dim *slope = dim_sub(e->dims, one, rest);
    const Dim *difference = dim_sub(e->dims, equation->actual, rest);
    const Dim *solution = dim_is(slope, 0) ? NULL : dim_divide(e->dims, difference, slope);
    if (!solution || form_at(e, x, name, value_dim(solution)) != equation->actual) {
        argument_error(
            e, e->frame->names.at[equation->index].place,
            arena_print(e->arena, "no %s makes this dimension %s", name, dim_text(e->arena, equation->actual)));
        elab_bind(e, name, value_error(), x->place);
        return false;
    }
    return true;
}

/* Rounds over the forms until none with exactly one unbound name is left. */
static bool solve_forms(Elab *e, Equations *all)
{
    bool progress = true;
    while (progress) {
        progress = false;
        for (int i = 0; i < all->count; i++) {
            Unbound u = { .e = e };
            if (all->at[i].done) continue;
            walk_expr(all->at[i].declared->value, find_unbound, &u);
            if (!u.name || u.other) continue;
            if (!solve(e, &all->at[i], u.name)) return false;
            all->at[i].done = progress = true;
        }
    }
    return true;
}

/* What is left with two unknown names cannot be solved. */
static bool check_solved(Elab *e, const Equations *all)
{
    for (int i = 0; i < all->count; i++) {
        Unbound u = { .e = e };
        const Equation *q = &all->at[i];
        if (q->done) continue;
        walk_expr(q->declared->value, find_unbound, &u);
        if (!u.other) continue;
        elab_error(e, q->declared->place,
                   "cannot solve this dimension for %s and %s: give one of them an axis of its own", u.name, u.other);
        return false;
    }
    return true;
}

/* The argument takes over the declared dimension where both are the same number. */
static bool rename_axis(Elab *e, const Equation *q, const Dim *declared)
{
    const Binding b = e->frame->names.at[q->index];
    if (b.value.kind != VALUE_tensor) return true;
    Type type = b.value.node->type;
    type.dim[q->axis] = declared;
    Node *n = elab_renamed(e, b.value.node, &type, b.place);
    if (n) e->frame->names.at[q->index].value = value_tensor(n);
    return n != NULL;
}

static bool check_forms(Elab *e, const Equations *all)
{
    bool good = true;
    for (int i = 0; i < all->count; i++) {
        const Equation *q = &all->at[i];
        if (q->done) continue;
        Value v = elab_expr(e, q->declared->value);
        const Dim *declared = elab_dim(e, &v, q->declared->place);
        if (declared == q->actual) continue;
        if (declared && elab_same_dim(e, declared, q->actual)) {
            good = rename_axis(e, q, declared) && good;
            continue;
        }
        if (declared) {
            const Binding *b = &e->frame->names.at[q->index];
            type_mismatch(e, b, arena_print(e->arena, "%s with %s where %s stands", declared_text(e, b),
                                            dim_text(e->arena, declared), dim_text(e->arena, q->actual)));
        }
        good = false;
    }
    return good;
}

/* Whether a dimension of the type has no value, since no tensor was given that has it. */
static bool has_open_axis(Elab *e, const TypeExpr *type)
{
    for (const DimExpr *d = type->dims; d; d = d->next) {
        bool name = d->kind == DIMEXPR_value && d->value->kind == EXPR_name && elab_binds(e, d->value->text);
        if (name || (d->kind == DIMEXPR_rank && !elab_find(e->frame, d->rank))) return true;
    }
    return false;
}

/* Statics given for typed parameters become tensors of the type, whose names are all bound by now. */
static bool fill_statics(Elab *e, int first)
{
    for (int i = first; i < e->frame->names.count; i++) {
        const Binding b = e->frame->names.at[i];
        bool given = b.param && b.param->type && !b.pending && b.value.kind != VALUE_tensor;
        if (!given || elab_is_host_type(b.param->type)) continue;
        if (b.value.kind != VALUE_error && has_open_axis(e, b.param->type)) {
            type_mismatch(e, &b, declared_text(e, &b));
            return false;
        }
        Value v = elab_fit(e, b.value, b.param->type, b.place, b.name);
        if (v.kind == VALUE_error) return false;
        e->frame->names.at[i].value = v;
    }
    return true;
}

/* The bindings from `first` on against their types. */
static bool unify(Elab *e, int first)
{
    Equations all = {0};
    bool good = true;
    int count = e->frame->names.count;
    for (int i = first; i < count; i++) {
        Binding *b = &e->frame->names.at[i];
        if (!b->param || !b->param->type || b->pending) continue;
        if (elab_is_host_type(b->param->type)) {
            good = host_equations_of(e, i, &all) && good;
            continue;
        }
        b->value = elab_lift(e, b->value, b->place);
        if (b->value.kind == VALUE_tensor) {
            good = equations_of(e, i, &all) && good;
        } else if (b->value.kind == VALUE_host || b->value.kind == VALUE_string || b->value.kind == VALUE_function) {
            type_mismatch(e, b, declared_text(e, b));
            good = false;
        }
    }
    if (!good) return false;
    bind_bare_names(e, &all);
    return solve_forms(e, &all) && check_solved(e, &all) && check_forms(e, &all) && fill_statics(e, first);
}

bool elab_unify(Elab *e) { return unify(e, 0); }

bool elab_unify_results(Elab *e, const TypeExpr *types, Value *values, int count, Place place)
{
    int first = e->frame->names.count, i = 0;
    for (const TypeExpr *t = types; t; t = t->next, i++) {
        ParamDecl *param = arena_new_of(e->arena, ParamDecl);
        const char *name = count == 1 ? "the result" : arena_print(e->arena, "result %d", i + 1);
        *param = (ParamDecl){ .name = name, .type = (TypeExpr *)t };
        Binding b = { .name = name, .value = values[i], .place = place, .param = param, .result = true };
        vec_push(e->arena, &e->frame->names, b);
    }
    bool good = unify(e, first);
    for (i = 0; i < count; i++) values[i] = e->frame->names.at[first + i].value;
    return good;
}

/* assertions */

Value elab_fit(Elab *e, Value v, const TypeExpr *type, Place place, const char *what)
{
    if (v.kind == VALUE_error || elab_is_host_type(type) || !e->graph) return v;
    v = elab_lift(e, v, place);
    Type declared;
    if (!elab_type(e, type, &declared)) return value_error();
    bool fillable = v.kind == VALUE_number || v.kind == VALUE_bool || v.kind == VALUE_unknown;
    if (fillable) {
        Node *n =
            v.kind == VALUE_unknown ? elab_tensor(e, &v, place, what) : elab_number_node(e, &v, declared.dtype, place);
        if (!n) return value_error();
        if (n->type.dtype != declared.dtype) n = make_cast(e->graph, n, declared.dtype);
        n = elab_expand_to(e, n, &declared, place);
        return n ? value_tensor(n) : value_error();
    }
    bool tensor = v.kind == VALUE_tensor && v.node->type.dtype == declared.dtype;
    Node *n = tensor ? elab_renamed(e, v.node, &declared, place) : NULL;
    if (n) return value_tensor(n);
    return elab_error(e, place, "%s: expected %s, found %s", what, type_text(e->arena, &declared),
                      value_text(e->arena, &v));
}
