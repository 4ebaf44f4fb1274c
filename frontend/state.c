/* New values of parameters and states: `update` rebinds, so that later reads see the new value and earlier ones the
 * old; `reset` goes back to the initial one. The graph reads a state at its entry and writes it at its exit. */
#include "frontend/elab.h"

#include <string.h>

/* targets */

static Site *named_site(Elab *e, const Expr *target, const char *verb)
{
    const char *name = target->text;
    Binding *b = elab_find(e->frame, name);
    const Stmt *store = b ? NULL : map_get(e->frame->file->stores, name);
    if (b && b->site) return b->site;
    if (store) return elab_file_site(e, store, name, target->place);
    if (b && b->value.kind != VALUE_error) {
        elab_error(e, target->place, "%s is a local, which %s does not take: it names a state or a parameter", name,
                   verb);
        diag_note(e->d, b->place, "%s is bound here", name);
    } else if (!b && elab_name(e, name, target->place).kind != VALUE_error) {
        elab_error(e, target->place, "%s names a state or a parameter, and %s is neither", verb, name);
    }
    return NULL;
}

/* label.k, label[i].k */
static Site *member_site(Elab *e, const Expr *target, const char *verb)
{
    Value base = elab_expr(e, target->left);
    if (base.kind == VALUE_error) return NULL;
    if (base.kind != VALUE_instance) {
        elab_error(e, target->place, "%s names a state or a parameter, such as h or label.h; found %s", verb,
                   value_text(e->arena, &base));
        return NULL;
    }
    Site *site = map_get(e->sites, elab_join_path(e, base.text, target->text));
    if (site && site->stored) return site;
    if (elab_instance_member(e, base.text, target->text, target->place).kind != VALUE_error)
        elab_error(e, target->place, "%s names a state or a parameter, and %s is a label", verb, target->text);
    return NULL;
}

/* NULL after reporting. */
static Site *target_site(Elab *e, const Expr *target, const char *verb)
{
    if (target->kind == EXPR_name) return named_site(e, target, verb);
    if (target->kind == EXPR_member) return member_site(e, target, verb);
    elab_error(e, target->place, "%s names a state or a parameter, such as h, h[:, i] or label.h", verb);
    return NULL;
}

/* labels */

/* Whether `path` is the label or below it. */
static bool is_below(const char *path, const char *label)
{
    size_t n = strlen(label);
    return !strncmp(path, label, n) && (!path[n] || path[n] == '.');
}

static const Expr *head_of(const Expr *target)
{
    while (target->kind == EXPR_index || target->kind == EXPR_member) target = target->left;
    return target;
}

/* Whether it is a label, reached or written somewhere in this file. */
static bool is_label(Elab *e, const Expr *target)
{
    const Expr *head = head_of(target);
    if (head->kind != EXPR_name || elab_find(e->frame, head->text)) return false;
    return elab_label_value(e, head->text).kind == VALUE_instance || elab_labelling_fn(e->frame->file, head->text);
}

/* update */

/* The value at the type of the site; numbers take its element type, scalars fill it. */
static Node *fitting_value(Elab *e, const Site *site, Value v, const char *name, Place place)
{
    bool literal = v.kind == VALUE_number || v.kind == VALUE_bool;
    Node *n = literal ? elab_number_node(e, &v, site->type.dtype, place) : elab_tensor(e, &v, place, name);
    if (!n) return NULL;
    bool same = n->type.dtype == site->type.dtype;
    Node *fitting = NULL;
    if (same && !n->type.rank) fitting = elab_expand_to(e, n, &site->type, place);
    else if (same) fitting = elab_renamed(e, n, &site->type, place);
    if (!fitting)
        elab_error(e, place, "update of %s: expected %s, found %s", name, type_text(e->arena, &site->type),
                   type_text(e->arena, &n->type));
    return fitting;
}

/* What an update changes is no matter of gradients. */
static void exempt(Elab *e, const Site *site)
{
    Param *p = site->storage == STORE_param ? map_get(e->model->param_index, site->path) : NULL;
    if (p) p->trained = false;
}

/* A state of a label that this entry has not reached yet: true when the target is one, or after reporting. */
static bool update_ahead(Elab *e, const Expr *target, Value value, bool part)
{
    if (target->kind != EXPR_member || !is_label(e, target)) return false;
    const char *label = elab_label_path(e, target->left);
    if (label && map_get(e->heads, label)) return false;
    if (!label || value.kind == VALUE_error) return true;
    const char *path = elab_join_path(e, label, target->text);
    if (part || e->region)
        elab_error(e, target->place, "the label %s has not been reached yet in this entry: before that, %s is set as a "
                   "whole%s", label, path, e->region ? " and outside of scans" : "");
    else vec_push(e->arena, &e->ahead, ((Ahead){ .path = path, .value = value, .place = target->place }));
    return true;
}

static void update_one(Elab *e, const Expr *target, Value value, bool add)
{
    const Expr *subs = target->kind == EXPR_index ? target->first : NULL;
    const Expr *whole = subs ? target->left : target;
    if (update_ahead(e, whole, value, subs || add)) return;
    Site *site = target_site(e, whole, "update");
    if (!site || value.kind == VALUE_error) return;
    if (subs || add) {
        Value old = elab_site_value(e, site, target->place);
        if (old.kind != VALUE_tensor) return;
        value = subs ? elab_assigned(e, old.node, subs, value, add, target->place)
                     : elab_binary(e, OPERATOR_add, old, value, target->place);
        if (value.kind == VALUE_error) return;
    }
    const char *name = whole->kind == EXPR_name ? whole->text : site->path;
    Node *n = fitting_value(e, site, value, name, target->place);
    n = n ? elab_adopt(e, n, target->place) : NULL;
    if (!n) return;
    region_write(e, site, n);
    exempt(e, site);
}

void elab_update(Elab *e, const Stmt *s)
{
    Value *given;
    int count, i = 0, targets = 0;
    for (const Expr *t = s->targets; t; t = t->next) targets++;
    if (!elab_values(e, s->values, &given, &count)) return;
    const Value *values = given;
    if (targets > 1 && count == 1 && given[0].kind == VALUE_list) {
        values = given[0].list.at;
        count = given[0].list.count;
    }
    if (count != targets) {
        if (count != 1 || values[0].kind != VALUE_error)
            elab_error(e, s->place, "%d names, but %d value%s", targets, count, count == 1 ? "" : "s");
        return;
    }
    for (const Expr *t = s->targets; t; t = t->next, i++) update_one(e, t, values[i], s->add);
}

/* reset */

Node *elab_initial_value(Elab *e, Site *site)
{
    if (site->start) return site->start;
    Graph *root = elab_root(e);
    const Graph *from = site->initial;
    Node **copy = arena_array(e->arena, Node *, from->nodes.count);
    root->origin = e->graph->origin;
    for (int i = 0; i < from->nodes.count; i++) {
        const Node *n = from->nodes.at[i];
        Node **args = arena_array(e->arena, Node *, n->arg_count + 1);
        for (int k = 0; k < n->arg_count; k++) args[k] = copy[n->args[k]->id];
        copy[i] = graph_rebuild(root, n, args);
    }
    return site->start = copy[from->outputs.at[0].node->id];
}

/* A state that nothing has read needs no value from before. */
static void reset_site(Elab *e, Site *site, Place place)
{
    if (!site->node) site->node = elab_initial_value(e, site);
    Node *start = elab_adopt(e, elab_initial_value(e, site), place);
    if (start) region_write(e, site, start);
}

/* A state declared in a scan has its value before the scan from what stands there; what is reset in the scan is so in
 * every iteration. */
void elab_meet(Elab *e, Site *site)
{
    Outside inside = { e->region, e->graph };
    Graph *root = elab_root(e);
    for (int i = 0; i < e->ahead.count; i++) {
        Ahead *a = &e->ahead.at[i];
        bool reset = a->value.kind == VALUE_none;
        if (reset ? !is_below(site->path, a->path) : strcmp(site->path, a->path) != 0) continue;
        a->met = true;
        e->region = a->region;
        e->graph = a->region ? a->region->graph : root;
        if (reset) {
            reset_site(e, site, a->place);
            continue;
        }
        Node *n = fitting_value(e, site, a->value, site->path, a->place);
        if (n) region_write(e, site, n);
    }
    region_step_back(e, inside);
}

/* A label with an index that nothing reached beside others of its name, or an update of no state, is a mistake; a label
 * that this entry does not use at all may be another's. */
void elab_check_ahead(Elab *e)
{
    for (int i = 0; i < e->ahead.count; i++) {
        const Ahead *a = &e->ahead.at[i];
        const char *dot = strrchr(a->path, '.');
        const char *label = arena_copy_text(e->arena, a->path, dot ? (size_t)(dot - a->path) : 0);
        bool reset = a->value.kind == VALUE_none;
        if (a->met) continue;
        if (!reset) elab_error(e, a->place, "this entry reaches no state %s", a->path);
        else if (dot && map_get(e->heads, label) && !map_get(e->heads, a->path))
            elab_error(e, a->place, "this entry reaches no label %s", a->path);
    }
}

static void reset_label(Elab *e, const char *label, Place place)
{
    for (int i = 0; i < map_count(e->sites); i++) {
        Site *site = map_value(e->sites, i);
        if (site->stored && site->storage == STORE_state && is_below(map_key(e->sites, i), label))
            reset_site(e, site, place);
    }
    Ahead a = { .path = label, .value = value_none(), .place = place, .region = e->region };
    vec_push(e->arena, &e->ahead, a);
}

static void reset_one(Elab *e, const Expr *target)
{
    if (is_label(e, target)) {
        const char *label = elab_label_path(e, target);
        const Site *site = label ? map_get(e->sites, label) : NULL;
        if (site && site->stored && site->storage != STORE_state)
            elab_error(e, target->place, "%s is a parameter; reset is for states", label);
        else if (label) reset_label(e, label, target->place);
        return;
    }
    Site *site = target_site(e, target, "reset");
    if (!site) return;
    if (site->storage == STORE_state) reset_site(e, site, target->place);
    else elab_error(e, target->place, "%s is a parameter; reset is for states", site->path);
}

void elab_reset(Elab *e, const Stmt *s)
{
    for (const Expr *t = s->targets; t; t = t->next) reset_one(e, t);
}

/* at the exit */

/* A state whose incoming value nothing reads needs no place from one run to the next; but what an optimizer keeps is
 * kept. */
void elab_output_updates(Elab *e, bool params)
{
    for (int i = 0; i < map_count(e->sites); i++) {
        Site *site = map_value(e->sites, i);
        if (e->mode == MODE_optimizer && site->updated && !site->input)
            site->input = make_input(e->graph, site->storage, site->path, site->type);
        bool wanted = site->updated && site->input && site->node != site->input;
        if (wanted && (params || site->storage == STORE_state))
            graph_output(e->graph, OUTPUT_update, site->path, site->node);
    }
}
