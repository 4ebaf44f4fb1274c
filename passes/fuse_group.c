/* Anchors join units, in the order of the graph: the latest unit that makes one of the values an anchor reads, else
 * one that reads the same large value, in a loop's body else any other over the same space, if both fit one space,
 * every value the unit makes is asked where it stands, and no cycle closes. Units carry the length of the longest path
 * before them, so that most questions about cycles need no search. */
#include "passes/fuse.h"

enum {
    REDUCTIONS_AT_MOST = 6,
    VALUES_AT_MOST = 16, /* sources and outputs of a loop .. */
    BODY_VALUES = 32,    /* .. that is run again and again: one kernel less is worth more than some registers */
    FEW_ROWS = 16,       /* rows that do not share out over threads .. */
    LONG_ROW = 4096,     /* .. when each is this long and would be written by one of them */
    LEVELS_APART = 40,   /* what is further apart in the graph stays apart, for lifetimes and for time */
    SEARCH_AT_MOST = 96, /* units visited by a search for a cycle */
    MUCH_LARGER = 4,
    SIBLINGS_AT_MOST = 8, /* latest readers of a value that are tried */
    NODES_AT_MOST = 320  /* of a kernel: walks over it and its code are as deep as its longest chain */
};

/* What an anchor reads, seen from a unit that it might join. */
typedef struct Join {
    Fusion *f;
    Unit   *unit;
    Space   space;
    Vec(Node *) sources;                 /* from outside the unit, bases, possibly more than once */
    int     nodes;                       /* of the anchor's own expression */
    const char *refusal;
} Join;

static bool join_leaf(void *context, Node *leaf, Stand stand)
{
    Join *j = context;
    Node *base = fuse_base(leaf);
    if (j->unit && j->f->unit[base->id] == j->unit) {
        if (fuse_anchor_stand(j->f, &j->space, base) == stand) return true;
        j->refusal = "asks for a value of this kernel at other elements than it has at hand";
        return false;
    }
    vec_push(j->f->arena, &j->sources, base);
    return true;
}

static void join_inner(void *context, Node *node, Stand stand)
{
    (void)node, (void)stand;
    ((Join *)context)->nodes++;
}

static bool find_sources(Join *j, const Node *anchor)
{
    Walk w = {j->f, j->unit, j->space, j, join_leaf, join_inner, false};
    j->sources.count = 0;
    j->nodes = 1;
    return fuse_walk(&w, anchor);
}

/* ---- spaces ---- */

static bool same_space(const Space *x, const Space *y)
{
    return x->form == y->form && x->a == y->a && x->r == y->r && x->c == y->c;
}

static bool writes_parts(const Fusion *f, const Unit *u)
{
    for (int k = 0; k < u->anchors.count; k++)
        if (f->in_parts[u->anchors.at[k]->id]) return true;
    return false;
}

/* The space of the unit once the anchor has joined; form alone: none. */
static Space joint_space(const Fusion *f, const Unit *u, const Node *anchor)
{
    static const Space none = {FORM_alone, 1, 1, 1};
    Space own = fuse_natural_space(f, anchor), has = u->space;
    if (own.form == FORM_alone || has.form == FORM_alone) return none;
    if (same_space(&own, &has)) return own;
    if (own.form == FORM_map) return fuse_anchor_stand(f, &has, anchor) != STAND_other ? has : none;
    if (has.form != FORM_map || own.form != FORM_rows || writes_parts(f, u)) return none;
    return has.a == own.a * own.r || has.a == own.a ? own : none;    /* a map becomes the front of the rows */
}

/* Rows that one thread works through alone must not carry work that many could share. */
static bool starves_threads(const Fusion *f, const Unit *u, const Space *space, const Node *anchor)
{
    if (space->form != FORM_rows || space->a >= FEW_ROWS || space->r < LONG_ROW) return false;
    bool full = fuse_anchor_stand(f, space, anchor) == STAND_full;
    for (int k = 0; k < u->anchors.count && !full; k++)
        full = fuse_anchor_stand(f, space, u->anchors.at[k]) == STAND_full;
    return full;
}

/* ---- cycles ---- */

typedef struct Search {
    const Unit *goal;
    int stamp, budget;
} Search;

/* Whether a path leads from the goal to u; true also when that was not settled within the budget. */
static bool may_descend(Search *s, Unit *u)
{
    if (u == s->goal) return true;
    if (u->mark == s->stamp || u->level <= s->goal->level) return false;
    if (s->budget-- == 0) return true;
    u->mark = s->stamp;
    for (int k = 0; k < u->from.count; k++)
        if (may_descend(s, u->from.at[k])) return true;
    return false;
}

static bool may_close_cycle(const Join *j)
{
    Search s = {j->unit, ++j->f->stamp, SEARCH_AT_MOST};
    for (int k = 0; k < j->sources.count; k++) {
        Unit *u = j->f->unit[j->sources.at[k]->id];
        if (!u) continue;
        if (u->level > j->unit->level + LEVELS_APART || may_descend(&s, u)) return true;
    }
    return false;
}

/* ---- joining ---- */

static bool has_source(const Unit *u, const Node *node)
{
    for (int k = 0; k < u->sources.count; k++)
        if (u->sources.at[k] == node) return true;
    return false;
}

static bool exceeds_values(const Join *j)
{
    const Unit *u = j->unit;
    int values = u->sources.count, written = 1;
    for (int k = 0; k < j->sources.count; k++) values += !has_source(u, j->sources.at[k]);
    for (int k = 0; k < u->anchors.count; k++) written += j->f->role[u->anchors.at[k]->id] == ROLE_store;
    int most = j->f->is_body ? BODY_VALUES : VALUES_AT_MOST;
    return values + written > most || u->anchors.count >= most;
}

/* Whether the unit, which reads something much larger than its space, would wait for what the anchor reads, and that
 * large value with it. */
static bool holds_up(const Join *j)
{
    const Fusion *f = j->f;
    const Unit *u = j->unit;
    bool waits = false, large = false;
    for (int k = 0; k < j->sources.count; k++) {
        const Unit *from = f->unit[j->sources.at[k]->id];
        waits = waits || (from && from->level >= u->level);
    }
    for (int k = 0; k < u->sources.count; k++) {
        const Node *x = u->sources.at[k];
        large = large || (f->unit[x->id] && f->elements[x->id] >= MUCH_LARGER * j->space.a * j->space.r * j->space.c);
    }
    return waits && large;
}

static const char *space_text(Arena *arena, const Space *s)
{
    long long a = s->a, r = s->r, c = s->c;
    switch (s->form) {
    case FORM_map: return arena_print(arena, "%lld elements", a);
    case FORM_rows: return arena_print(arena, "%lld rows of %lld", a, r);
    case FORM_columns: return arena_print(arena, "%lld columns of %lld", a * c, r);
    case FORM_alone: break;
    }
    return "its own";
}

static const char *refuse_join(Join *j, const Node *anchor)
{
    const Unit *u = j->unit;
    Arena *arena = j->f->arena;
    j->space = joint_space(j->f, u, anchor);
    if (u->space.form == FORM_alone) return "a product, a scatter or a loop is a kernel of its own";
    if (anchor->op == OP_einsum) return "a product reads its operands from memory";
    if (anchor->op == OP_scatter) return "a scatter is a kernel of its own";
    if (anchor->op == OP_scan) return "a loop reads its arguments from memory";
    if (j->space.form == FORM_alone) {
        Space own = fuse_natural_space(j->f, anchor);
        return arena_print(arena, "goes over %s, and this kernel over %s", space_text(arena, &own),
                           space_text(arena, &u->space));
    }
    if (node_is_reduction(anchor) && u->reductions >= REDUCTIONS_AT_MOST) return "as many reductions as a kernel takes";
    if (starves_threads(j->f, u, &j->space, anchor)) return "too few rows to share among threads";
    if (!find_sources(j, anchor)) return j->refusal;
    if (u->nodes + j->nodes > NODES_AT_MOST) return "as many operators as a kernel takes";
    if (exceeds_values(j)) return "as many inputs and outputs as a kernel takes";
    if (holds_up(j)) return "would keep a large value for longer";
    if (may_close_cycle(j)) return "needs what other kernels make of this one";
    return NULL;
}

/* Puts whatever comes after `from`, directly or not, above it. */
static void raise_levels(Fusion *f, Unit *from)
{
    vec_push(f->arena, &f->stack, from);
    while (f->stack.count) {
        const Unit *u = f->stack.at[--f->stack.count];
        for (int k = 0; k < u->to.count; k++) {
            if (u->to.at[k]->level > u->level) continue;
            u->to.at[k]->level = u->level + 1;
            vec_push(f->arena, &f->stack, u->to.at[k]);
        }
    }
}

static void link_units(Fusion *f, Unit *from, Unit *to)
{
    for (int k = to->from.count - 1; k >= 0; k--)
        if (to->from.at[k] == from) return;
    vec_push(f->arena, &to->from, from);
    vec_push(f->arena, &from->to, to);
    if (to->level <= from->level) raise_levels(f, from);
}

static void add_anchor(Join *j, Node *anchor)
{
    Fusion *f = j->f;
    Unit *u = j->unit;
    u->space = j->space;
    u->reductions += node_is_reduction(anchor);
    u->nodes += j->nodes;
    vec_push(f->arena, &u->anchors, anchor);
    f->unit[anchor->id] = u;
    for (int k = 0; k < j->sources.count; k++) {
        Node *source = j->sources.at[k];
        if (has_source(u, source)) continue;
        vec_push(f->arena, &u->sources, source);
        vec_push(f->arena, &f->readers[source->id], u);
        if (f->unit[source->id]) link_units(f, f->unit[source->id], u);
    }
}

static bool try_join(Join *j, Unit *u, Node *anchor)
{
    j->unit = u;
    const char *refusal = refuse_join(j, anchor);
    if (!refusal) {
        add_anchor(j, anchor);
        return true;
    }
    int last = u->refusals.count - 1;
    bool again = last >= 0 && u->refusals.at[last].node == anchor;
    if (!again) vec_push(j->f->arena, &u->refusals, ((Refusal){anchor, refusal}));
    return false;
}

static void add_candidate(Fusion *f, UnitList *list, Unit *u)
{
    if (!u || u->mark == f->stamp) return;
    u->mark = f->stamp;
    vec_push(f->arena, list, u);
    for (int k = list->count - 1; k > 0 && list->at[k - 1]->level < u->level; k--) {
        list->at[k] = list->at[k - 1];
        list->at[k - 1] = u;
    }
}

/* Units that make what the anchor reads, latest first. */
static UnitList find_producers(Fusion *f, const Join *alone)
{
    UnitList list = {0};
    f->stamp++;
    for (int k = 0; k < alone->sources.count; k++) add_candidate(f, &list, f->unit[alone->sources.at[k]->id]);
    return list;
}

/* Units over exactly the same space, or of which the anchor is a full value, that read one of the same large values. */
static UnitList find_siblings(Fusion *f, const Join *alone, const Node *anchor)
{
    UnitList list = {0};
    int64_t large = alone->space.a * alone->space.r * alone->space.c / 4;
    f->stamp++;
    for (int k = 0; k < alone->sources.count; k++) {
        const Node *source = alone->sources.at[k];
        const UnitList *readers = &f->readers[source->id];
        if (f->elements[source->id] < large) continue;
        for (int i = readers->count - 1; i >= 0 && i >= readers->count - SIBLINGS_AT_MOST; i--) {
            Unit *u = readers->at[i];
            bool fits = same_space(&u->space, &alone->space) || fuse_anchor_stand(f, &u->space, anchor) == STAND_full;
            if (u->space.form != FORM_alone && fits) add_candidate(f, &list, u);
        }
    }
    return list;
}

/* All that share the anchor's space. */
static UnitList find_alike(Fusion *f, const Join *alone)
{
    UnitList list = {0};
    f->stamp++;
    for (int k = 0; k < f->units.count; k++)
        if (same_space(&f->units.at[k]->space, &alone->space)) add_candidate(f, &list, f->units.at[k]);
    return list;
}

static bool join_any(Join *j, const UnitList *list, Node *anchor)
{
    for (int k = 0; k < list->count; k++)
        if (try_join(j, list->at[k], anchor)) return true;
    return false;
}

static void place_pick(Fusion *f, Node *pick)
{
    Join j = {.f = f, .unit = f->unit[pick->args[0]->id], .nodes = 1};
    j.space = j.unit->space;
    add_anchor(&j, pick);
}

static void place_anchor(Fusion *f, Node *anchor)
{
    if (anchor->op == OP_pick) {
        place_pick(f, anchor);
        return;
    }
    Join alone = {.f = f, .space = fuse_natural_space(f, anchor)};
    find_sources(&alone, anchor);
    Join j = {.f = f};
    UnitList producers = find_producers(f, &alone);
    if (join_any(&j, &producers, anchor)) return;
    if (alone.space.form != FORM_alone) {
        UnitList siblings = find_siblings(f, &alone, anchor);
        if (join_any(&j, &siblings, anchor)) return;
        UnitList alike = f->is_body ? find_alike(f, &alone) : (UnitList){0};
        if (join_any(&j, &alike, anchor)) return;
    }
    alone.unit = arena_new_of(f->arena, Unit);
    alone.unit->id = f->units.count;
    vec_push(f->arena, &f->units, alone.unit);
    add_anchor(&alone, anchor);
}

void fuse_group(Fusion *f)
{
    for (int k = 0; k < f->count; k++)
        if (fuse_is_anchor(f, f->graph->nodes.at[k])) place_anchor(f, f->graph->nodes.at[k]);
}
