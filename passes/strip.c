/* Attention, and what is like it, by strips of rows: a large value made by short sums of products (the scores of
 * attention, [B, H, T, S]) and all that is made of it element by element and row by row (masks, softmax, their
 * gradient) never stand in memory as a whole. Some rows are made at a time, reduced to what is asked for outside (what
 * the scores are multiplied with), and gone. Columns that a mask hides from every row of a strip are not made. In the
 * gradient the strips of the forward pass are made again.
 *
 * Needs: a graph whose dimensions have values. Guarantees: the same outputs; the same values but for sums over rows,
 * which are those of the strips, added in their order; infinite numbers behind a mask stay without effect on them.
 * Notes what it cuts, and why it does not. Gives up: that equal values are one node (`stop` sets them apart). */
#include "passes/strip.h"

#include "ir/contraction.h"

#include <string.h>

/* A function of the shape alone: what is smaller stays in the caches as a whole. */
enum {
    LEAST_ELEMENTS = 1 << 21,
    SEEN_LEAST = 4,                      /* so many times more where no column is hidden: memory alone is saved */
    STRIP_SHARE = 4,                     /* a strip has so much less than the least value that is cut */
    LONGEST_SUM = 256,                   /* of the products that are made twice */
    ROWS_GRAIN = 16
};

typedef struct Pass {
    StripGraph s;
    const PassOptions *options;
    int64_t least;                       /* elements of what is cut */
    bool *seen;                          /* by id: in a region already looked at */
    Vec(Region *) regions;
} Pass;

static StripGraph look_at(Arena *arena, const Graph *graph)
{
    int count = graph->nodes.count;
    StripGraph s = {.arena = arena, .graph = graph, .live = arena_array(arena, bool, count + 1)};
    s.is_output = arena_array(arena, bool, count + 1);
    s.users = arena_array(arena, Node **, count + 1);
    s.user_count = arena_array(arena, int, count + 1);
    int *room = arena_array(arena, int, count + 1);
    for (int k = 0; k < graph->outputs.count; k++)
        s.live[graph->outputs.at[k].node->id] = s.is_output[graph->outputs.at[k].node->id] = true;
    for (int id = count - 1; id >= 0; id--) {
        const Node *n = graph->nodes.at[id];
        for (int k = 0; s.live[id] && k < n->arg_count; k++) s.live[n->args[k]->id] = true, room[n->args[k]->id]++;
    }
    for (int id = 0; id < count; id++) s.users[id] = arena_array(arena, Node *, room[id] + 1);
    for (int id = 0; id < count; id++) {
        Node *n = graph->nodes.at[id];
        for (int k = 0; s.live[id] && k < n->arg_count; k++) {
            uint32_t a = n->args[k]->id;
            int have = s.user_count[a];
            if (have == 0 || s.users[a][have - 1] != n) s.users[a][s.user_count[a]++] = n;
        }
    }
    return s;
}

/* ---- choosing ---- */

/* A large product of rows and columns over few. */
static bool is_seed(const Node *node, int64_t least)
{
    char term[3][MAX_RANK + 1];
    int64_t sum = 1;
    int lines[2] = {0};
    if (node->op != OP_einsum || type_value_elements(&node->type) < least) return false;
    if (!einsum_terms(node->attr.text, term)) return false;
    for (int k = 0; term[0][k]; k++)
        if (!strchr(term[2], term[0][k])) sum *= dim_value(node->args[0]->type.dim[k]);
    for (int k = 0; term[2][k]; k++) {
        bool in_a = strchr(term[0], term[2][k]) != NULL, in_b = strchr(term[1], term[2][k]) != NULL;
        if (in_a != in_b) lines[in_b]++;
    }
    int64_t elements = type_value_elements(&node->type);
    bool spread = elements > 2 * type_value_elements(&node->args[0]->type) &&
                  elements > 2 * type_value_elements(&node->args[1]->type);
    return dtype_is_float(node->type.dtype) && lines[0] && lines[1] && sum <= LONGEST_SUM && spread;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static void choose_rows(Region *r, int64_t least)
{
    int64_t strips = STRIP_SHARE * type_value_elements(&r->seed->type) / least, rows = dim_value(r->all_rows);
    if (strips > STRIPS_AT_MOST) strips = STRIPS_AT_MOST;
    r->rows = divide_up(rows, strips);
    if (r->rows > ROWS_GRAIN) r->rows = divide_up(r->rows, ROWS_GRAIN) * ROWS_GRAIN;
    r->strips = (int)divide_up(rows, r->rows);
}

/* What keeps a region whole that could be cut, or NULL. */
static const char *find_obstacle(const Pass *p, const Region *r)
{
    int64_t large = type_value_elements(&r->seed->type);
    int ends = 0;
    if (r->strips < 2) return "has too few rows";
    for (int id = 0; id < p->s.graph->nodes.count; id++) {
        const Node *n = p->s.graph->nodes.at[id];
        StripRole role = r->role[id];
        ends += role == STRIP_end;
        if (role == STRIP_end && r->axes[id].row < 0 && type_value_elements(&n->type) * r->strips > large)
            return "is summed over rows to something large";
        if (role == STRIP_outside || role == STRIP_side) continue;
        for (int k = 0; k < p->regions.count; k++)
            if (p->regions.at[k]->role[id] != STRIP_outside) return "is made of another such value";
    }
    return ends ? NULL : "is multiplied with nothing";
}

/* With the line of the model that asks for it: the same for every layer. */
static const char *node_text(Arena *arena, const Node *n)
{
    const Origin *o = n->origin_count ? n->origins[0] : NULL;
    while (o && o->caller && o->place.source && o->place.source->builtin) o = o->caller;
    const char *text = arena_print(arena, "%s %s", op_name(n->op), type_text(arena, &n->type));
    if (!o || !o->place.source || !o->place.line) return text;
    return arena_print(arena, "%s @ %s:%u:%u", text, o->place.source->path, o->place.line, o->place.column);
}

/* In percent of all elements. */
static int made_elements(const Region *r)
{
    int64_t made = 0, all = dim_value(r->all_rows) * dim_value(r->all_columns);
    for (int k = 0; k < r->strips; k++) made += strip_row_count(r, k) * r->columns[k];
    return (int)(100 * made / all);
}

static void note_cut(const Pass *p, const Region *r)
{
    const char *text = arena_print(p->s.arena, "%s: by %d strips of %d rows, %d %% of all elements",
                                   node_text(p->s.arena, r->seed), r->strips, (int)r->rows, made_elements(r));
    pass_note(p->s.arena, p->options, text);
}

static void note_whole(const Pass *p, const Region *r, const char *why)
{
    const char *at = r->broken ? arena_print(p->s.arena, "%s ", node_text(p->s.arena, r->broken)) : "it ";
    const char *text = arena_print(p->s.arena, "%s: not by strips: %s%s", node_text(p->s.arena, r->seed), at, why);
    pass_note(p->s.arena, p->options, text);
}

/* With the rows of the first operand, else with those of the second. */
static void try_seed(Pass *p, const Node *seed)
{
    Region *r = strip_grow(&p->s, seed, 0), *turned = r->broken ? strip_grow(&p->s, seed, 1) : NULL;
    if (turned && !turned->broken) r = turned;
    for (int id = 0; id < p->s.graph->nodes.count; id++) p->seen[id] = p->seen[id] || r->role[id] == STRIP_full;
    choose_rows(r, p->least);
    const char *why = r->broken ? r->why : find_obstacle(p, r);
    if (!why) {
        strip_find_columns(&p->s, r);
        bool small = type_value_elements(&seed->type) < SEEN_LEAST * p->least;
        if (small && made_elements(r) == 100) why = "hides no column, and stays in the caches";
    }
    if (why) {
        note_whole(p, r, why);
        return;
    }
    note_cut(p, r);
    vec_push(p->s.arena, &p->regions, r);
}

Graph *pass_strip(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d)
{
    (void)d;
    Pass p = {.s = look_at(arena, graph), .options = options, .least = LEAST_ELEMENTS};
    p.seen = arena_array(arena, bool, graph->nodes.count + 1);
    if (options && options->strip_elements) p.least = options->strip_elements;
    for (int id = 0; id < graph->nodes.count; id++) {
        const Node *n = graph->nodes.at[id];
        if (p.s.live[id] && !p.seen[id] && is_seed(n, p.least)) try_seed(&p, n);
    }
    return p.regions.count ? strip_make(&p.s, p.regions.at, p.regions.count) : (Graph *)graph;
}
