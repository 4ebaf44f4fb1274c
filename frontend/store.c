/* Parameters and states: inputs of the graph named by their path, shared by path over the entries of a model. */
#include "frontend/elab.h"

#include <string.h>

Node *elab_ambient(Elab *e, const char *name)
{
    if (e->mode == MODE_data) return make_whole(e->graph, DT_i64, 0);    /* draws of data are the same in every run */
    Node *n = graph_find_input(e->graph, name);
    return n ? n : make_input(e->graph, STORE_ambient, name, type_scalar(DT_i64));
}

/* initial values */

static Value type_shape(Elab *e, const Type *type)
{
    Value *dims = arena_array(e->arena, Value, type->rank);
    for (int k = 0; k < type->rank; k++) dims[k] = value_dim(type->dim[k]);
    return value_list(dims, type->rank);
}

static Node *initial_node(Elab *e, const Expr *x, const Type *type, const char *path, Place place)
{
    Value v = x ? elab_expr(e, x) : value_number(0);
    if (v.kind == VALUE_function) v = elab_apply(e, v.function, NULL, 0, NULL, x->place);
    if (v.kind == VALUE_error) return NULL;
    v = elab_lift(e, v, place);
    bool fill = v.kind == VALUE_number || v.kind == VALUE_bool;
    Node *n = fill ? elab_number_node(e, &v, type->dtype, place) : v.kind == VALUE_tensor ? v.node : NULL;
    if (fill && !n) return NULL;
    if (n && !n->type.rank && n->type.dtype == type->dtype) n = elab_expand_to(e, n, type, place);
    Node *fitting = n && n->type.dtype == type->dtype ? elab_renamed(e, n, type, place) : NULL;
    if (fitting) return fitting;
    elab_error(e, place, "the initial value of %s: expected %s, found %s", path, type_text(e->arena, type),
               n ? type_text(e->arena, &n->type) : value_text(e->arena, &v));
    return NULL;
}

/* A graph of its own with the draws of (seed, path); statics of the frame are in sight, its tensors are not. */
static const Graph *initial_graph(Elab *e, const Expr *x, const Type *type, const char *path, Place place)
{
    Elab inner = *e;
    Value shape = type_shape(e, type);
    const Origin *here = e->graph->origin;
    Origin *frame_here = e->frame->here;
    inner.graph = graph_new(e->arena, e->dims, path);
    inner.mode = MODE_initial;
    inner.draws = map_new(e->arena);
    inner.draw_prefix = path;
    inner.shape = &shape;
    e->frame->here = NULL;
    elab_at(&inner, place);
    Node *n = initial_node(&inner, x, type, path, x ? x->place : place);
    e->frame->here = frame_here;
    e->graph->origin = here;
    if (!n) return NULL;
    graph_output(inner.graph, OUTPUT_result, "0", n);
    return inner.graph;
}

static Param *new_param(Elab *e, const char *path, const Type *type, const Expr *initial, Place place)
{
    Param *p = arena_new_of(e->arena, Param);
    *p = (Param){ .path = path, .type = *type, .trained = dtype_is_float(type->dtype) };
    p->origin = elab_origin(e, place);
    p->initial = initial_graph(e, initial, type, path, place);
    return p;
}

/* declarations */

/* The site of a path declared at `place`; NULL after reporting a second declaration. *fresh: first time in this entry.
 */
static Site *enter_store(Elab *e, const char *path, Place place, bool *fresh)
{
    Site *site = map_get(e->sites, path);
    *fresh = !site;
    if (!site) {
        site = arena_new_of(e->arena, Site);
        *site = (Site){ .place = place, .frame = e->frame };
        map_set(e->sites, path, site);
        return site;
    }
    if (elab_same_place(&site->place, &place) && site->frame != e->frame) return site;
    elab_error(e, place, "%s is declared twice in this entry", path);
    diag_note(e->d, site->place, "it is declared first here");
    return NULL;
}

/* The parameter as the model knows it; entries that share a path must agree. */
static bool record_param(Elab *e, const char *path, const Type *type, const Expr *initial, Place place)
{
    Model *m = e->model;
    Param *p = map_get(m->param_index, path);
    if (p && !type_equal(&p->type, type)) {
        elab_error(e, place, "%s is %s here and %s in another entry", path, type_text(e->arena, type),
                   type_text(e->arena, &p->type));
        diag_note(e->d, p->origin->place, "the other one");
        return false;
    }
    if (p || (e->symbolic && map_get(e->model->checked, path))) return true;
    p = new_param(e, path, type, initial, place);
    if (!p->initial) return false;
    map_set(e->symbolic ? m->checked : m->param_index, path, p);
    if (!e->symbolic) vec_push(m->arena, &m->params, p);
    return true;
}

static Value declare_param(Elab *e, const Stmt *s, const char *name, Place place)
{
    bool fresh;
    const char *path = elab_join_path(e, e->frame->path, name);
    Site *site = enter_store(e, path, place, &fresh);
    if (!site) return value_error();
    if (!fresh) return site->node ? value_tensor(site->node) : value_error();
    Type type;
    if (!elab_type(e, s->type, &type) || !elab_positive(e, s->type, &type, path)) return value_error();
    if (!record_param(e, path, &type, s->values, place)) return value_error();
    elab_at(e, place);
    site->node = make_input(e->graph, STORE_param, path, type);
    return value_tensor(site->node);
}

static Value declare_state(Elab *e, const Stmt *s, const char *name, Place place)
{
    if (e->mode != MODE_optimizer)
        return elab_error(e, s->place, "state outside optimizers is reserved: not built yet");
    bool fresh;
    const char *path = elab_join_path(e, e->frame->path, name);
    Site *site = enter_store(e, path, place, &fresh);
    Type type;
    if (!site || !elab_type(e, s->type, &type)) return value_error();
    if (!map_get(e->model->states, path)) {
        Param *p = new_param(e, path, &type, s->values, place);
        if (!p->initial) return value_error();
        map_set(e->model->states, path, p);
    }
    elab_at(e, place);
    site->node = make_input(e->graph, STORE_state, path, type);
    return value_tensor(site->node);
}

static bool may_declare(Elab *e, const Stmt *s)
{
    const FnDecl *fn = e->frame->fn;
    if (e->mode == MODE_data) {
        elab_error(e, s->place, "data is evaluated before there are parameters; this module cannot be called there");
    } else if (!fn || fn->module) {
        return true;
    } else {
        elab_error(e, s->place, "a fn owns nothing: declare this at file level, or make %s a module", fn->name);
    }
    for (const Name *n = s->names; n; n = n->next) elab_bind(e, n->text, value_error(), n->place);
    return false;
}

void elab_declare(Elab *e, const Stmt *s)
{
    if (!may_declare(e, s)) return;
    for (const Name *n = s->names; n; n = n->next) {
        Value v =
            s->kind == STMT_param ? declare_param(e, s, n->text, n->place) : declare_state(e, s, n->text, n->place);
        elab_bind(e, n->text, v, n->place);
    }
}

Value elab_file_store(Elab *e, const Stmt *s, const char *name, Place place)
{
    if (!e->graph || e->mode == MODE_initial || e->mode == MODE_data)
        return elab_error(e, place, "the parameter %s has no value here", name);
    const Site *site = map_get(e->sites, name);
    if (site && site->node) return value_tensor(site->node);
    if (s->kind == STMT_state) return elab_error(e, s->place, "state outside optimizers is reserved: not built yet");
    const Name *n = s->names;
    while (strcmp(n->text, name)) n = n->next;
    if (site && !elab_same_place(&site->place, &n->place)) {
        elab_error(e, n->place, "%s is a parameter of the file and a label", name);
        diag_note(e->d, site->place, "the label");
        return value_error();
    }
    if (site || !elab_push(e, NULL, e->frame->file, "", (Place){0})) return value_error();
    Value v = declare_param(e, s, name, n->place);
    elab_pop(e);
    return v;
}

/* update */

static const char *target_name(const Expr *target)
{
    while (target->kind == EXPR_index) target = target->left;
    return target->kind == EXPR_name ? target->text : NULL;
}

static void update_one(Elab *e, const Expr *target, Value value, bool add)
{
    const char *name = target_name(target);
    const char *path = name ? elab_join_path(e, e->frame->path, name) : NULL;
    Site *site = path ? map_get(e->sites, path) : NULL;
    Binding *b = name ? elab_find(e->frame, name) : NULL;
    if (!site || !site->node || !b) {
        elab_error(e, target->place, "update names a state declared in this module");
        return;
    }
    if (value.kind == VALUE_error || b->value.kind == VALUE_error) return;
    Type type = b->value.node->type;
    if (target->kind == EXPR_index) {
        value = elab_assigned(e, b->value.node, target->first, value, add, target->place);
    } else if (add) {
        value = elab_binary(e, OPERATOR_add, b->value, value, target->place);
    }
    Node *n = elab_tensor(e, &value, target->place, name);
    if (n && !n->type.rank && n->type.dtype == type.dtype) n = elab_expand_to(e, n, &type, target->place);
    if (!n) return;
    if (!type_equal(&n->type, &type)) {
        elab_error(e, target->place, "update of %s: expected %s, found %s", name, type_text(e->arena, &type),
                   type_text(e->arena, &n->type));
        return;
    }
    site->node = n;
    site->updated = true;
    elab_bind(e, name, value_tensor(n), target->place);
}

void elab_update(Elab *e, const Stmt *s)
{
    if (e->mode != MODE_optimizer) {
        elab_error(e, s->place, "update outside optimizers is reserved: not built yet");
        return;
    }
    Value *values;
    int count, i = 0, targets = 0;
    for (const Expr *t = s->targets; t; t = t->next) targets++;
    if (!elab_values(e, s->values, &values, &count)) return;
    if (count != targets) {
        elab_error(e, s->place, "%d names, but %d values", targets, count);
        return;
    }
    for (const Expr *t = s->targets; t; t = t->next, i++) update_one(e, t, values[i], s->add);
}

void elab_output_states(Elab *e)
{
    for (int i = 0; i < map_count(e->sites); i++) {
        const Site *site = map_value(e->sites, i);
        if (site->updated) graph_output(e->graph, OUTPUT_update, map_key(e->sites, i), site->node);
    }
}
