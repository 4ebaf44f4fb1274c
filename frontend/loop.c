/* scan: a loop over first axes as one node. Its body is elaborated in a graph of its own (region.c); what goes on from
 * one iteration to the next is what `carrying` lists, and the states and parameters that the body updates. */
#include "frontend/elab.h"

#include <string.h>

typedef Vec(Node *) Nodes;

/* One of the scan's sources or carries: a tensor around the scan, and the input of the body for it. */
typedef struct Part {
    const Name *name;                    /* as `carrying` has it; NULL: a source, or the condition of `until` */
    Node       *given, *input;
    Node       *after;                   /* carry: the new value */
    Binding     before;                  /* carry: the name outside */
} Part;
typedef Vec(Part) Parts;

typedef struct Loop {
    Elab       *e;
    const Expr *x;
    Region      region;
    Vec(Value)  sources;                 /* one for each name; lists of tensors are taken apart */
    Parts       each, carries;
    Node       *done;                    /* `until` on the start values, or NULL */
} Loop;

/* sources */

static int name_count(const Name *names)
{
    int n = 0;
    for (; names; names = names->next) n++;
    return n;
}

/* The sources, as many as names: one list may stand for all of them. */
static bool read_sources(Loop *l)
{
    const ScanExpr *scan = l->x->scan;
    Value *values;
    int count, names = name_count(scan->names);
    if (!elab_values(l->e, scan->sources, &values, &count)) return false;
    List list = { values, count };
    if (names > 1 && count == 1 && values[0].kind == VALUE_list) list = values[0].list;
    for (int i = 0; i < list.count; i++)
        if (list.at[i].kind == VALUE_error) return false;
    if (list.count != names) {
        elab_error(l->e, l->x->place, "%d names, but %d source%s to go along", names, list.count,
                   list.count == 1 ? "" : "s");
        return false;
    }
    for (int i = 0; i < names; i++) vec_push(l->e->arena, &l->sources, list.at[i]);
    return true;
}

/* A tensor of the sources, its first axis named as that of the first one; false after reporting. */
static bool add_source(Loop *l, const Value *v, Place place)
{
    Elab *e = l->e;
    bool number = v->kind == VALUE_number;
    Node *n = number ? NULL : elab_tensor(e, v, place, "scan");
    if (number)
        elab_error(e, place, "scan goes along the first axis of a tensor, found %s; for a count write iota(…)",
                   value_text(e->arena, v));
    if (!n) return false;
    if (!n->type.rank) {
        elab_error(e, place, "scan goes along the first axis of a tensor, found %s", type_text(e->arena, &n->type));
        return false;
    }
    if (!l->region.count) l->region.count = n->type.dim[0];
    Type shape = n->type;
    shape.dim[0] = l->region.count;
    Node *named = elab_renamed(e, n, &shape, place);
    if (!named) {
        elab_error(e, place, "scan goes along the first axes together: found %s and %s",
                   type_text(e->arena, &l->each.at[0].given->type), type_text(e->arena, &n->type));
        return false;
    }
    vec_push(e->arena, &l->each, ((Part){ .given = named }));
    return true;
}

/* The tensors of a source, one after the other. */
static bool add_sources(Loop *l, Value v, Place place)
{
    v = elab_lift(l->e, v, place);
    if (v.kind != VALUE_list) return add_source(l, &v, place);
    if (v.list.count && v.list.at[0].kind == VALUE_number) {
        elab_error(l->e, place, "scan goes along the first axis of a tensor, found a list of numbers; for a count "
                   "write iota(…)");
        return false;
    }
    for (int i = 0; i < v.list.count; i++)
        if (!add_sources(l, v.list.at[i], place)) return false;
    return true;
}

static Place source_place(const ScanExpr *scan, int i)
{
    const Expr *x = scan->sources;
    while (i-- && x->next) x = x->next;
    return x->place;
}

static bool check_names(Loop *l)
{
    for (const Name *n = l->x->scan->names; n; n = n->next) {
        for (const Name *other = l->x->scan->names; other != n; other = other->next) {
            if (strcmp(other->text, n->text) || !strcmp(n->text, "_")) continue;
            elab_error(l->e, n->place, "%s is listed twice", n->text);
            return false;
        }
    }
    return true;
}

static bool open_sources(Loop *l)
{
    if (!check_names(l) || !read_sources(l)) return false;
    for (int i = 0; i < l->sources.count; i++)
        if (!add_sources(l, l->sources.at[i], source_place(l->x->scan, i))) return false;
    if (!l->each.count) elab_error(l->e, l->x->place, "scan goes along no tensor at all");
    return l->each.count > 0;
}

/* Element t of a source; *next counts the tensors that have got their input. */
static Value element_value(Loop *l, const Value *source, const char *name, int *next)
{
    Elab *e = l->e;
    if (source->kind == VALUE_list) {
        Value *items = arena_array(e->arena, Value, source->list.count);
        for (int i = 0; i < source->list.count; i++)
            items[i] = element_value(l, &source->list.at[i], arena_print(e->arena, "%s.%d", name, i), next);
        return value_list(items, source->list.count);
    }
    Part *part = &l->each.at[(*next)++];
    Type type = part->given->type;
    memmove(type.dim, type.dim + 1, sizeof type.dim - sizeof *type.dim);
    type.dim[--type.rank] = NULL;
    part->input = make_input(e->graph, STORE_each, region_name(e, e->graph, name), type);
    return value_tensor(part->input);
}

static void bind_elements(Loop *l)
{
    int i = 0, next = 0;
    for (const Name *n = l->x->scan->names; n; n = n->next, i++) {
        elab_at(l->e, n->place);
        Value v = element_value(l, &l->sources.at[i], n->text, &next);
        for (const Name *c = l->x->scan->carrying; c; c = c->next)
            if (!strcmp(c->text, n->text))
                elab_error(l->e, n->place, "%s is carried; the elements need a name of their own", n->text);
        elab_bind_own(l->e, n->text, v, n->place);
    }
}

/* carries */

static bool read_carry(Loop *l, const Name *name)
{
    Elab *e = l->e;
    Value v = elab_name(e, name->text, name->place);
    const Binding *b = elab_find(e->frame, name->text);
    if (v.kind == VALUE_error) return false;
    if (!b || b->site) {
        elab_error(e, name->place,
                   b ? "%s is no local: a state that the body updates is carried without being listed"
                     : "%s is no local of this fn; only locals are carried", name->text);
        return false;
    }
    if (v.kind == VALUE_list || v.kind == VALUE_none || v.kind == VALUE_string || v.kind == VALUE_function) {
        elab_error(e, name->place, "carrying %s: expected a tensor, found %s", name->text, value_text(e->arena, &v));
        return false;
    }
    Node *n = elab_tensor(e, &v, name->place, name->text);
    if (n) vec_push(e->arena, &l->carries, ((Part){ .name = name, .given = n }));
    return n != NULL;
}

/* The element that `until` mentions, or NULL. */
static const char *element_in(const ScanExpr *scan)
{
    for (const Name *n = scan->names; n; n = n->next)
        if (expr_mentions(scan->until, n->text)) return n->text;
    return NULL;
}

static Node *condition(Loop *l)
{
    Elab *e = l->e;
    const Expr *x = l->x->scan->until;
    Value v = elab_expr(e, x);
    Node *n = v.kind == VALUE_error ? NULL : elab_tensor(e, &v, x->place, "until");
    if (n && (n->type.rank || n->type.dtype != DT_bool)) {
        elab_error(e, x->place, "until takes one truth value, found %s; all(…) and any(…) make one of many",
                   type_text(e->arena, &n->type));
        return NULL;
    }
    return n;
}

/* What is carried, and `until` on it before the first iteration. */
static bool open_carries(Loop *l)
{
    const ScanExpr *scan = l->x->scan;
    for (const Name *n = scan->carrying; n; n = n->next) {
        for (const Name *other = scan->carrying; other != n; other = other->next) {
            if (strcmp(other->text, n->text)) continue;
            elab_error(l->e, n->place, "%s is listed twice", n->text);
            return false;
        }
        if (!read_carry(l, n)) return false;
    }
    if (!scan->until) return true;
    const char *element = element_in(scan);
    if (element) {
        elab_error(l->e, scan->until->place, "until is read before each step, when there is no %s yet: it sees what is "
                   "carried", element);
        return false;
    }
    Node *done = condition(l);
    if (done) vec_push(l->e->arena, &l->carries, ((Part){ .given = done }));
    return done != NULL;
}

static void bind_carries(Loop *l)
{
    Elab *e = l->e;
    for (int i = 0; i < l->carries.count; i++) {
        Part *part = &l->carries.at[i];
        elab_at(e, part->name ? part->name->place : l->x->scan->until->place);
        const char *name = region_name(e, e->graph, part->name ? part->name->text : "until");
        part->input = make_input(e->graph, STORE_carry, name, part->given->type);
        if (!part->name) continue;
        part->before = *elab_find(e->frame, part->name->text);
        elab_bind(e, part->name->text, value_tensor(part->input), part->name->place);
    }
}

/* Outside, the names are what they were. */
static void restore_names(Loop *l)
{
    for (int i = 0; i < l->carries.count; i++) {
        const Part *part = &l->carries.at[i];
        if (part->name) *elab_find(l->e->frame, part->name->text) = part->before;
    }
}

/* The value of a carried name at the end of an iteration, of the type that it began with. */
static Node *carried_value(Loop *l, const Part *part)
{
    Elab *e = l->e;
    const Type *type = &part->given->type;
    const Binding b = *elab_find(e->frame, part->name->text);
    if (b.value.kind == VALUE_error) return NULL;
    bool literal = !type->rank && (b.value.kind == VALUE_number || b.value.kind == VALUE_bool);
    Node *n = literal ? elab_number_node(e, &b.value, type->dtype, b.place)
                      : elab_tensor(e, &b.value, b.place, part->name->text);
    if (!n) return NULL;
    Node *same = n->type.dtype == type->dtype ? elab_renamed(e, n, type, b.place) : NULL;
    if (same) return elab_adopt(e, same, b.place);
    elab_error(e, b.place, "%s is carried: expected %s as before the scan, found %s after a step", part->name->text,
               type_text(e->arena, type), type_text(e->arena, &n->type));
    diag_note(e->d, part->name->place, "it is carried here");
    return NULL;
}

static bool close_carries(Loop *l)
{
    bool good = true;
    for (int i = 0; i < l->carries.count; i++) {
        Part *part = &l->carries.at[i];
        part->after = part->name ? carried_value(l, part) : NULL;
        good = good && (part->after || !part->name);
    }
    if (good && l->x->scan->until) {
        Part *last = &l->carries.at[l->carries.count - 1];
        last->after = condition(l);
        good = last->after != NULL;
    }
    return good;
}

/* emit */

static bool add_result(Elab *e, const Value *v, Place place)
{
    Region *r = e->region;
    if (v->kind == VALUE_error) return false;
    Node *n = elab_tensor(e, v, place, "emit");
    if (n) vec_push(e->arena, &r->results, n);
    return n != NULL;
}

void elab_emit(Elab *e, const Stmt *s)
{
    Region *r = e->region;
    Value *values;
    int count;
    if (!r || r->frame != e->frame) {
        elab_error(e, s->place, "emit stands in the body of a scan, in the fn that the scan is written in");
        return;
    }
    if (r->emits) {
        elab_error(e, s->place, "this step of the scan emits a second time; `emit a, b` gives several values");
        diag_note(e->d, r->emitted, "it emits first here");
        r->failed = true;
        return;
    }
    r->emits = true;
    r->emitted = s->place;
    if (!elab_values(e, s->values, &values, &count)) {
        r->failed = true;
        return;
    }
    List list = { values, count };
    if (count == 1 && values[0].kind == VALUE_list) list = values[0].list;
    for (int i = 0; i < list.count; i++)
        if (!add_result(e, &list.at[i], s->values->place)) r->failed = true;
}

/* the finished body */

/* The body again, of what its outputs need, its inputs in order: elements, carries, tensors from outside. */
typedef struct Finish {
    Loop  *loop;
    Graph *to;
    Node **copy;                         /* by id in the body as it was elaborated */
    bool  *needed;
    Nodes  args;                         /* of the scan, one for each input */
} Finish;

static bool is_updated(const Crossing *c) { return c->after != c->input; }

static void mark_needed(Finish *f)
{
    const Graph *from = f->loop->region.graph;
    for (int i = 0; i < from->outputs.count; i++) f->needed[from->outputs.at[i].node->id] = true;
    for (int i = from->nodes.count - 1; i >= 0; i--) {
        const Node *n = from->nodes.at[i];
        for (int k = 0; f->needed[i] && k < n->arg_count; k++) f->needed[n->args[k]->id] = true;
    }
}

static void add_input(Finish *f, Storage storage, const Node *input, Node *given)
{
    f->to->origin = input->origin_count ? input->origins[0] : NULL;
    f->copy[input->id] = make_input(f->to, storage, input->attr.text, input->type);
    vec_push(f->loop->e->arena, &f->args, given);
}

/* A parameter or state that is only read is a tensor from outside like any other. */
static void add_outer(Finish *f, Node *input, Node *given)
{
    if (!f->needed[input->id]) return;
    f->copy[input->id] = region_made_anew(f->to, given);
    if (f->copy[input->id]) return;
    for (int i = 0; i < f->args.count; i++) {
        Node *other = f->to->inputs.at[i];
        if (other->attr.storage != STORE_outer || f->args.at[i] != given) continue;
        f->copy[input->id] = other;
        return;
    }
    add_input(f, STORE_outer, input, given);
}

static void add_inputs(Finish *f)
{
    const Loop *l = f->loop;
    const Region *r = &l->region;
    for (int i = 0; i < l->each.count; i++)
        if (f->needed[l->each.at[i].input->id]) add_input(f, STORE_each, l->each.at[i].input, l->each.at[i].given);
    for (int i = 0; i < l->carries.count; i++)
        add_input(f, STORE_carry, l->carries.at[i].input, l->carries.at[i].given);
    for (int i = 0; i < r->crossings.count; i++)
        if (is_updated(&r->crossings.at[i]))
            add_input(f, STORE_carry, r->crossings.at[i].input, r->crossings.at[i].before);
    for (int i = 0; i < r->captures.count; i++) add_outer(f, r->captures.at[i].input, r->captures.at[i].outer);
    for (int i = 0; i < r->crossings.count; i++)
        if (!is_updated(&r->crossings.at[i])) add_outer(f, r->crossings.at[i].input, r->crossings.at[i].before);
}

static void add_outputs(Loop *l)
{
    Region *r = &l->region;
    for (int i = 0; i < l->carries.count; i++)
        graph_output(r->graph, OUTPUT_update, l->carries.at[i].input->attr.text, l->carries.at[i].after);
    for (int i = 0; i < r->crossings.count; i++) {
        const Crossing *c = &r->crossings.at[i];
        if (is_updated(c)) graph_output(r->graph, OUTPUT_update, c->input->attr.text, c->after);
    }
    for (int i = 0; i < r->results.count; i++)
        graph_output(r->graph, OUTPUT_result, arena_print(l->e->arena, "%d", i), r->results.at[i]);
}

static Finish finish_body(Loop *l)
{
    Elab *e = l->e;
    const Graph *from = l->region.graph;
    add_outputs(l);
    Finish f = { .loop = l, .to = graph_new(e->arena, e->dims, "body") };
    f.copy = arena_array(e->arena, Node *, from->nodes.count);
    f.needed = arena_array(e->arena, bool, from->nodes.count);
    mark_needed(&f);
    add_inputs(&f);
    f.to->origin = NULL;
    for (int i = 0; i < from->nodes.count; i++) {
        const Node *n = from->nodes.at[i];
        if (!f.needed[i] || f.copy[i]) continue;
        Node **args = arena_array(e->arena, Node *, n->arg_count + 1);
        for (int k = 0; k < n->arg_count; k++) args[k] = f.copy[n->args[k]->id];
        f.copy[i] = graph_rebuild(f.to, n, args);
    }
    for (int i = 0; i < from->outputs.count; i++) {
        const Output *o = &from->outputs.at[i];
        graph_output(f.to, o->kind, o->name, f.copy[o->node->id]);
    }
    return f;
}

/* the scan */

/* Puts the results of the scan where the names and sites expect them; its value is what it emits. */
static Value spread_picks(Loop *l, Node *scan)
{
    Elab *e = l->e;
    Region *r = &l->region;
    int next = 0;
    for (int i = 0; i < l->carries.count; i++) {
        const Name *name = l->carries.at[i].name;
        if (name) elab_bind(e, name->text, value_tensor(make_pick(e->graph, scan, next)), name->place);
        next++;
    }
    for (int i = 0; i < r->crossings.count; i++) {
        const Crossing *c = &r->crossings.at[i];
        if (is_updated(c)) c->site->node = make_pick(e->graph, scan, next++);
    }
    Value *values = arena_array(e->arena, Value, r->results.count);
    for (int i = 0; i < r->results.count; i++) values[i] = value_tensor(make_pick(e->graph, scan, next++));
    if (!r->emits) return value_none();
    return r->results.count == 1 ? values[0] : value_list(values, r->results.count);
}

static Value make_loop(Loop *l)
{
    Elab *e = l->e;
    const char *why = NULL;
    Finish f = finish_body(l);
    int until = l->x->scan->until ? l->carries.count : 0;    /* 1 + the number of the last carry */
    Attr attr = { .axis = until, .count = l->region.count };
    elab_at(e, l->x->place);
    Node *scan = graph_scan(e->graph, f.args.at, f.args.count, &attr, f.to, &why);
    return scan ? spread_picks(l, scan) : elab_error(e, l->x->place, "%s", why);
}

static Value failed(Loop *l)
{
    for (const Name *n = l->x->scan->carrying; n; n = n->next) {
        const Binding *b = elab_find(l->e->frame, n->text);
        bool fails = b ? !b->site : !elab_known_name(l->e, n->text);
        if (fails) elab_bind(l->e, n->text, value_error(), n->place);
    }
    return value_error();
}

Value elab_scan(Elab *e, const Expr *x)
{
    Loop *l = arena_new_of(e->arena, Loop);
    *l = (Loop){ .e = e, .x = x };
    l->region.scan = x->scan;
    if (!e->graph) return elab_error(e, x->place, "no scan here: it stands in a fn");
    if (!open_sources(l) || !open_carries(l)) return failed(l);
    int errors = diag_error_count(e->d);
    region_enter(e, &l->region);
    bind_elements(l);
    bind_carries(l);
    elab_block(e, x->scan->body);
    bool good = close_carries(l) && !l->region.failed && !e->stopped && diag_error_count(e->d) == errors;
    region_leave(e);
    restore_names(l);
    elab_at(e, x->place);
    return good ? make_loop(l) : failed(l);
}
