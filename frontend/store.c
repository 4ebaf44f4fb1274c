/* Parameters and states: inputs of the graph named by their path. Entries of a model share parameters by their path;
 * the states of a path may have another type in every entry. */
#include "frontend/elab.h"

#include <string.h>

Node *elab_ambient(Elab *e, const char *name)
{
    if (e->mode == MODE_data) return make_whole(e->graph, DT_i64, 0);    /* draws of data are the same in every run */
    Node *n = graph_find_input(elab_root(e), name);
    if (!n) n = elab_root_input(e, STORE_ambient, name, type_scalar(DT_i64));
    return elab_adopt(e, n, (Place){0});
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
    bool tensor = v.kind == VALUE_tensor;
    Node *n = fill ? elab_number_node(e, &v, type->dtype, place) : tensor ? elab_adopt(e, v.node, place) : NULL;
    if ((fill || tensor) && !n) return NULL;
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
    inner.region = NULL;
    inner.mode = MODE_initial;
    inner.draws = map_new(e->arena);
    inner.draw_prefix = path;
    inner.shape = &shape;
    inner.owner = e->frame;
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
        *site = (Site){ .place = place, .frame = e->frame, .path = path };
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

/* NULL after reporting. */
static Site *declare_param(Elab *e, const Stmt *s, const char *name, Place place)
{
    bool fresh;
    const char *path = elab_join_path(e, e->frame->path, name);
    Site *site = enter_store(e, path, place, &fresh);
    if (!site || !fresh) return site && site->stored ? site : NULL;
    Type type;
    if (!elab_type(e, s->type, &type) || !elab_positive(e, s->type, &type, path)) return NULL;
    if (!record_param(e, path, &type, s->values, place)) return NULL;
    elab_at(e, place);
    site->storage = STORE_param;
    site->type = type;
    site->input = site->node = elab_root_input(e, STORE_param, path, type);
    site->stored = true;
    return site;
}

/* The state as the model knows it at this type: entries may use one path with batches of several sizes. */
static const Param *record_state(Elab *e, const Stmt *s, const char *path, const Type *type, Place place)
{
    Model *m = e->model;
    States *known = map_get(m->states, path);
    for (int i = 0; known && i < known->count; i++)
        if (type_equal(&known->at[i]->type, type)) return known->at[i];
    Param *p = new_param(e, path, type, s->values, place);
    if (!p->initial) return NULL;
    if (!known) {
        known = arena_new_of(m->arena, States);
        map_set(m->states, path, known);
    }
    vec_push(m->arena, known, p);
    return p;
}

/* Read when something first asks for its value: what is reset before needs none from the run before. */
static Site *declare_state(Elab *e, const Stmt *s, const char *name, Place place)
{
    bool fresh;
    const char *path = elab_join_path(e, e->frame->path, name);
    Site *site = enter_store(e, path, place, &fresh);
    if (!site || !fresh) return site && site->stored ? site : NULL;
    site->storage = STORE_state;
    if (!elab_type(e, s->type, &site->type)) return NULL;
    const Param *p = record_state(e, s, path, &site->type, place);
    if (!p) return NULL;
    elab_at(e, place);
    site->origin = elab_origin(e, place);
    site->initial = p->initial;
    site->stored = true;
    elab_meet(e, site);
    return site;
}

const Graph *model_state_initial(const Model *m, const Node *input)
{
    const States *known = map_get(m->states, input->attr.text);
    for (int i = 0; known && i < known->count; i++)
        if (type_equal(&known->at[i]->type, &input->type)) return known->at[i]->initial;
    return NULL;
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

static Site *declare(Elab *e, const Stmt *s, const char *name, Place place)
{
    return s->kind == STMT_param ? declare_param(e, s, name, place) : declare_state(e, s, name, place);
}

void elab_declare(Elab *e, const Stmt *s)
{
    if (!may_declare(e, s)) return;
    for (const Name *n = s->names; n; n = n->next) {
        Site *site = declare(e, s, n->text, n->place);
        if (!site && elab_find(e->frame, n->text)) continue;
        elab_bind(e, n->text, site ? value_none() : value_error(), n->place);
        Binding *b = elab_find(e->frame, n->text);
        if (b) b->site = site;
    }
}

/* values */

Value elab_site_value(Elab *e, Site *site, Place place)
{
    if (!e->graph || e->mode == MODE_initial)
        return elab_error(e, place, "%s has no value here: initial values are made of statics and draws", site->path);
    elab_at(e, place);
    return value_tensor(region_read(e, site));
}

Site *elab_file_site(Elab *e, const Stmt *s, const char *name, Place place)
{
    if (!e->graph || e->mode == MODE_initial || e->mode == MODE_data) {
        elab_error(e, place, "the %s %s has no value here", s->kind == STMT_param ? "parameter" : "state", name);
        return NULL;
    }
    Site *site = map_get(e->sites, name);
    if (site && site->stored) return site;
    const Name *n = s->names;
    while (strcmp(n->text, name)) n = n->next;
    if (site && !elab_same_place(&site->place, &n->place)) {
        elab_error(e, n->place, "%s is a %s of the file and a label", name,
                   s->kind == STMT_param ? "parameter" : "state");
        diag_note(e->d, site->place, "the label");
        return NULL;
    }
    if (site || !elab_push(e, NULL, e->frame->file, "", (Place){0})) return NULL;
    site = declare(e, s, name, n->place);
    elab_pop(e);
    return site;
}
