/* Statements: assignments rebind names, `for` and `if` are static and splice into their surroundings. */
#include "frontend/elab.h"

#include <assert.h>
#include <string.h>

/* assignment */

static int list_length(const Expr *list)
{
    int count = 0;
    for (; list; list = list->next) count++;
    return count;
}

/* The subscripts and the name of a target such as x[i]; nested ones are not targets. */
static const Expr *indexed_name(Elab *e, const Expr *target)
{
    const Expr *base = target->left;
    if (target->kind == EXPR_index && base->kind == EXPR_name) return base;
    elab_error(e, target->place, "only a name or a subscript of a name can be assigned");
    return NULL;
}

static void assign_indexed(Elab *e, const Expr *target, Value value, bool add)
{
    const Expr *name = indexed_name(e, target);
    if (!name || value.kind == VALUE_error) return;
    Value base = elab_name(e, name->text, name->place);
    if (base.kind == VALUE_error) return;
    if (!elab_find(e->frame, name->text)) {
        elab_error(e, name->place, "%s is not a local of this fn; only locals are assigned by subscript", name->text);
        return;
    }
    Node *node = elab_tensor(e, &base, name->place, "an assignment by subscript");
    if (node) elab_bind(e, name->text, elab_assigned(e, node, target->first, value, add, target->place), name->place);
}

static void check_label_clash(Elab *e, const Expr *target)
{
    Value label = elab_label_value(e, target->text);
    if (label.kind == VALUE_instance && !elab_find(e->frame, target->text))
        elab_error(e, target->place, "%s is a label here; values and labels share their names", target->text);
}

static void assign_one(Elab *e, const Expr *target, Value value, bool add)
{
    if (target->kind != EXPR_name) {
        assign_indexed(e, target, value, add);
        return;
    }
    if (add) {
        Value old = elab_name(e, target->text, target->place);
        value = elab_binary(e, OPERATOR_add, old, value, target->place);
    }
    check_label_clash(e, target);
    elab_bind(e, target->text, value, target->place);
}

static void fail_targets(Elab *e, const Expr *targets)
{
    for (const Expr *t = targets; t; t = t->next)
        if (t->kind == EXPR_name) elab_bind(e, t->text, value_error(), t->place);
}

/* a, b = x, y   or   a, b = one list of two   or   a = x, y. */
static void assign(Elab *e, const Stmt *s)
{
    int targets = list_length(s->targets), count;
    Value *given;
    if (!elab_values(e, s->values, &given, &count)) {
        fail_targets(e, s->targets);
        return;
    }
    const Value *values = given;
    Value whole;
    if (targets > 1 && count == 1 && given[0].kind == VALUE_list) {
        values = given[0].list.at;
        count = given[0].list.count;
    } else if (targets == 1 && count > 1) {
        whole = value_list(given, count);
        values = &whole;
        count = 1;
    }
    if (targets != count) {
        bool silent = count == 1 && values[0].kind == VALUE_error;
        if (!silent) elab_error(e, s->place, "%d names, but %d value%s", targets, count, count == 1 ? "" : "s");
        fail_targets(e, s->targets);
        return;
    }
    int i = 0;
    for (const Expr *t = s->targets; t; t = t->next, i++) assign_one(e, t, values[i], s->kind == STMT_add);
}

static void typed_local(Elab *e, const Stmt *s)
{
    Value v = elab_expr(e, s->values);
    const Expr *target = s->targets;
    assert(target->kind == EXPR_name);
    if (e->graph && elab_is_host_type(s->type)) {
        elab_error(e, s->type->place, "texts and ragged rows are values of data only");
        return;
    }
    if (v.kind != VALUE_error) v = elab_fit(e, v, s->type, s->values->place, target->text);
    elab_bind(e, target->text, v, target->place);
}

/* control */

bool elab_loop_names(Elab *e, const Name *names, const Value *value, Place place)
{
    int count = 0, i = 0;
    for (const Name *n = names; n; n = n->next) count++;
    if (count == 1) {
        elab_bind_own(e, names->text, *value, names->place);
        return true;
    }
    if (value->kind != VALUE_list || value->list.count != count) {
        if (value->kind != VALUE_error)
            elab_error(e, place, "%d names, but each element is %s", count, value_text(e->arena, value));
        return false;
    }
    for (const Name *n = names; n; n = n->next, i++) elab_bind_own(e, n->text, value->list.at[i], n->place);
    return true;
}

bool elab_loop_range(Elab *e, const Expr *range, Place place, List *out)
{
    Value v = elab_expr(e, range);
    if (v.kind == VALUE_list) {
        *out = v.list;
        return true;
    }
    if (v.kind != VALUE_error) {
        elab_error(e, place, "`for` runs through a list or a range such as 0..4, found %s%s", value_text(e->arena, &v),
                   v.kind == VALUE_tensor ? "; a loop over an axis of a tensor is a scan" : "");
    }
    return false;
}

static void run_for(Elab *e, const Stmt *s)
{
    List list;
    if (!elab_loop_range(e, s->values, s->place, &list)) {
        e->frame->broken = true;
        return;
    }
    for (int i = 0; i < list.count && !e->frame->returned && !e->stopped; i++) {
        if (!elab_loop_names(e, s->names, &list.at[i], s->place)) return;
        elab_block(e, s->body);
    }
}

static void run_if(Elab *e, const Stmt *s)
{
    bool truth;
    if (!elab_truth(e, s->values, &truth)) {
        e->frame->broken = true;
    } else {
        elab_block(e, truth ? s->body : s->otherwise);
    }
}

static void run_return(Elab *e, const Stmt *s)
{
    Frame *f = e->frame;
    Value *values;
    int count;
    if (e->region && e->region->frame == f) {
        elab_error(e, s->place, "a scan runs to its end: no return stands in it; `emit` gives a value for each step");
        e->region->failed = true;
        return;
    }
    bool good = elab_values(e, s->values, &values, &count);
    f->returned = true;
    f->result = !good ? value_error() : count == 1 ? values[0] : value_list(values, count);
}

/* check(condition, "what is wrong, found", value …) and fail("why"): reported at the call of the fn they stand in. */
static void run_check(Elab *e, const Stmt *s)
{
    Value *values;
    int count, first = !strcmp(s->text, "check");
    bool holds = false;
    if (first && s->values && (!elab_truth(e, s->values, &holds) || holds)) return;
    if (!elab_values(e, s->values, &values, &count)) return;
    if (count <= first || values[first].kind != VALUE_string) {
        if (count <= first || values[first].kind != VALUE_error)
            elab_error(e, s->place,
                       first ? "check takes a condition and what to say where it does not hold: check(n > 0, \"…\")"
                             : "fail takes what to say: fail(\"…\")");
        return;
    }
    const char *text = values[first].text;
    for (int i = first + 1; i < count; i++)
        text = arena_print(e->arena, "%s %s", text, value_text(e->arena, &values[i]));
    Frame *f = e->frame;
    f->broken = true;
    if (!f->call || !f->caller) {
        elab_error(e, s->place, "%s", text);
        return;
    }
    e->frame = f->caller;
    elab_error(e, f->call->place, "%s: %s", f->fn->name, text);
    e->frame = f;
    diag_note(e->d, s->place, "checked here");
}

static void run(Elab *e, const Stmt *s)
{
    switch (s->kind) {
    case STMT_assign:
    case STMT_add: assign(e, s); break;
    case STMT_local: typed_local(e, s); break;
    case STMT_update: elab_update(e, s); break;
    case STMT_param:
    case STMT_state: elab_declare(e, s); break;
    case STMT_return: run_return(e, s); break;
    case STMT_for: run_for(e, s); break;
    case STMT_if: run_if(e, s); break;
    case STMT_check: run_check(e, s); break;
    case STMT_reset: elab_reset(e, s); break;
    case STMT_scan: elab_expr(e, s->values); break;
    case STMT_emit: elab_emit(e, s); break;
    case STMT_const:
    case STMT_setting:
    case STMT_block:
    case STMT_map: assert(!"the grammar has these at file level and in blocks only"); break;
    }
}

void elab_block(Elab *e, const Stmt *body)
{
    for (; body && !e->frame->returned && !e->stopped; body = body->next) {
        elab_at(e, body->place);
        run(e, body);
    }
}
