/* Regions: bodies of scans while they are elaborated. A body is a graph of its own; a tensor from outside that is used
 * in it becomes an input of the body, through all regions in between. Parameters and states get inputs of their own,
 * since what an update changes goes on from one iteration to the next. */
#include "frontend/elab.h"

#include <string.h>

Graph *elab_root(const Elab *e)
{
    const Region *r = e->region;
    while (r && r->around) r = r->around;
    return r ? r->outside : e->graph;
}

static bool holds(const Graph *g, const Node *n)
{
    return n->id < (uint32_t)g->nodes.count && g->nodes.at[n->id] == n;
}

Node *elab_root_input(Elab *e, Storage storage, const char *name, Type type)
{
    Graph *root = elab_root(e);
    root->origin = e->graph->origin;
    return make_input(root, storage, name, type);
}

const char *region_name(Elab *e, const Graph *body, const char *base)
{
    const char *name = base;
    for (int n = 2; graph_find_input(body, name) || !strcmp(name, "index"); n++)
        name = arena_print(e->arena, "%s#%d", base, n);
    return name;
}

/* tensors from outside */

/* Constants, indices and what only repeats them are made anew where they are used. */
static bool is_made_anew(const Node *n)
{
    bool repeats = n->op == OP_expand || n->op == OP_reshape || n->op == OP_cast;
    return n->op == OP_const || n->op == OP_iota || (repeats && is_made_anew(n->args[0]));
}

Node *region_made_anew(Graph *g, const Node *n)
{
    if (!is_made_anew(n)) return NULL;
    Node *arg = n->arg_count ? region_made_anew(g, n->args[0]) : NULL;
    return graph_rebuild(g, n, &arg);
}

/* The input of the body that stands for a tensor of the graph around it. */
static Node *captured(Elab *e, Region *r, Node *outer)
{
    Node *anew = region_made_anew(r->graph, outer);
    if (anew) return anew;
    for (int i = 0; i < r->captures.count; i++)
        if (r->captures.at[i].outer == outer) return r->captures.at[i].input;
    const char *base = outer->op == OP_input ? outer->attr.text : op_name(outer->op);
    Capture c = { outer, make_input(r->graph, STORE_outer, region_name(e, r->graph, base), outer->type) };
    vec_push(e->arena, &r->captures, c);
    return c.input;
}

static Node *adopted(Elab *e, Region *r, const Graph *g, Node *n)
{
    if (holds(g, n)) return n;
    if (!r) return NULL;
    Node *outer = adopted(e, r->around, r->outside, n);
    return outer ? captured(e, r, outer) : NULL;
}

Node *elab_adopt(Elab *e, Node *n, Place place)
{
    Node *own = adopted(e, e->region, e->graph, n);
    if (!own)
        elab_error(e, place, "a tensor of the call has no value here: initial values are made of statics and draws");
    return own;
}

Node *region_origin(const Elab *e, Node *n)
{
    Graph *root = elab_root(e);
    for (const Region *r = e->region; r && !holds(root, n); r = r->around)
        for (int i = 0; i < r->captures.count; i++)
            if (r->captures.at[i].input == n) n = r->captures.at[i].outer;
    return holds(root, n) ? n : NULL;
}

/* parameters and states */

static void enter(Elab *e, Region *r, Site *site)
{
    if (site->region == r) return;
    enter(e, r->around, site);
    Crossing c = { .site = site, .before = site->node };
    c.input = make_input(r->graph, STORE_carry, region_name(e, r->graph, site->path), site->type);
    vec_push(e->arena, &r->crossings, c);
    site->node = c.input;
    site->region = r;
}

static bool is_inside(const Region *r, const Region *around)
{
    while (r && r != around) r = r->around;
    return r == around;
}

/* What it was before the scan that is being left: for a default of the fn around that scan. */
static Node *value_before(const Region *until, const Site *site)
{
    Node *n = site->node;
    for (const Region *r = site->region; r != until; r = r->around)
        for (int i = 0; i < r->crossings.count; i++)
            if (r->crossings.at[i].site == site) n = r->crossings.at[i].before;
    return n;
}

Node *region_read(Elab *e, Site *site)
{
    if (!site->node) {                   /* a state: it comes from where it is declared */
        Graph *root = elab_root(e);
        const Origin *here = root->origin;
        root->origin = site->origin;
        site->node = site->input = make_input(root, site->storage, site->path, site->type);
        root->origin = here;
    }
    if (!is_inside(e->region, site->region)) return value_before(e->region, site);
    enter(e, e->region, site);
    return site->node;
}

void region_write(Elab *e, Site *site, Node *value)
{
    if (e->region) region_read(e, site);
    site->node = value;
    site->updated = true;
}

/* the index of an iteration */

static Node *count_node(Graph *g, const Dim *count)
{
    int64_t known;
    if (elab_known(count, &known)) return make_whole(g, DT_i64, known);
    return make_reduce(g, OP_sum, make_full(g, type_of(DT_i64, 1, &count), 1), 1);
}

static Node *iteration(Elab *e, Region *r)
{
    Node *index = make_input(r->graph, STORE_ambient, "index", type_scalar(DT_i64));
    if (!r->around) return index;
    Node *outer = captured(e, r, iteration(e, r->around));
    Node *before = make_binary(r->graph, OP_mul, outer, count_node(r->graph, r->count));
    return make_binary(r->graph, OP_add, before, index);
}

Node *elab_iteration(Elab *e) { return e->region ? iteration(e, e->region) : NULL; }

/* entering and leaving */

void region_enter(Elab *e, Region *r)
{
    r->around = e->region;
    r->outside = e->graph;
    r->graph = graph_new(e->arena, e->dims, "body");
    r->graph->origin = e->graph->origin;
    r->frame = e->frame;
    r->first = e->frame->names.count;
    e->region = r;
    e->graph = r->graph;
}

void region_leave(Elab *e)
{
    Region *r = e->region;
    r->frame->names.count = r->first;
    for (int i = 0; i < r->crossings.count; i++) {
        Crossing *c = &r->crossings.at[i];
        c->after = c->site->node;
        c->site->node = c->before;
        c->site->region = r->around;
    }
    for (int i = 0; i < e->ahead.count; i++)
        if (e->ahead.at[i].region == r) e->ahead.at[i].region = r->around;
    e->region = r->around;
    e->graph = r->outside;
}

/* names */

/* The scan that a name of the present fn stands outside of, or NULL. */
static const Region *region_before(const Elab *e, int index)
{
    const Region *r = e->region;
    return r && r->frame == e->frame && index < r->first ? r : NULL;
}

static bool is_carried(const Region *r, const char *name)
{
    for (const Name *n = r->scan->carrying; n; n = n->next)
        if (!strcmp(n->text, name)) return true;
    return false;
}

bool region_keeps(const Elab *e, int index, const char *name)
{
    const Region *r = region_before(e, index);
    return r && !is_carried(r, name);
}

bool region_hides(const Elab *e, int index) { return region_before(e, index) != NULL; }

Outside region_step_out(Elab *e, int index)
{
    Outside inside = { e->region, e->graph };
    while (region_before(e, index)) {
        e->graph = e->region->outside;
        e->region = e->region->around;
    }
    return inside;
}

void region_step_back(Elab *e, Outside inside)
{
    e->region = inside.region;
    e->graph = inside.graph;
}
