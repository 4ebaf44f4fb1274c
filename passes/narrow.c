/* Weights in memory in a narrower type than products are computed in: fewer bytes for each use of them.
 *   bf16: w is the nearest, ties to even, and x @ f32(w) is what is computed.
 *   i8: w = q * scale with one scale for each index along the axes that the product keeps (the columns of x @ w, the
 *   rows of a table): scale = max |w| / 127, q = floor(w / scale + 1/2), so that x @ w = (x @ f32(q)) * scale. The
 *   symmetric quantizer with a scale for each channel of Krishnamoorthi 2018 (arXiv 1806.08342, sections 2.2 and 3.1).
 * Needs: a layout that says which parameters (narrow_choose), and normal form: `simplify` has run, so that a product
 * reads its weight without a permute, and will not run again, so that scales stay behind sums. Guarantees: those
 * parameters are inputs of the narrower type, with one for the scales; results have the types that they had. Gives up:
 * the values of f32 weights. */
#include "passes/build.h"
#include "passes/passes.h"

#include <string.h>

/* ---- which parameters ---- */

/* How graphs use a parameter. */
typedef struct Use {
    const Node *input;
    bool        refused;
    uint32_t    axes;                    /* those that every use keeps */
} Use;

static bool is_candidate(const Node *n)
{
    return n->op == OP_input && n->attr.storage == STORE_param && n->type.dtype == DT_f32 && n->type.rank >= 2;
}

static const char *term_of(const Node *einsum, int k)
{
    return einsum->attr.text + (k ? einsum->args[0]->type.rank + 1 : 0);
}

static const char *result_of(const Node *einsum)
{
    return einsum->attr.text + einsum->args[0]->type.rank + einsum->args[1]->type.rank + 3;
}

/* Axes of argument k that the result has. */
static uint32_t kept_axes(const Node *einsum, int k)
{
    uint32_t axes = 0;
    for (int j = 0; j < einsum->args[k]->type.rank; j++)
        if (strchr(result_of(einsum), term_of(einsum, k)[j])) axes |= 1u << j;
    return axes;
}

static bool reads_rows(const Node *gather, int k) { return k == 0 && gather->attr.axis == 0 && gather->arg_count == 2; }

static uint32_t through_permutes(const Node *x, uint32_t axes)
{
    for (; x->op == OP_permute; x = x->args[0]) {
        uint32_t under = 0;
        for (int j = 0; j < x->type.rank; j++)
            if (axes >> j & 1) under |= 1u << x->attr.map[j];
        axes = under;
    }
    return axes;
}

static Use *use_of(Arena *arena, Map *uses, const Node *input)
{
    Use *use = map_get(uses, input->attr.text);
    if (use) return use;
    use = arena_new_of(arena, Use);
    *use = (Use){.input = input, .axes = UINT32_MAX};
    map_set(uses, input->attr.text, use);
    return use;
}

static void note_uses(Arena *arena, Map *uses, const Node *n)
{
    for (int k = 0; k < n->arg_count && n->op != OP_permute; k++) {
        const Node *x = n->args[k];
        while (x->op == OP_permute) x = x->args[0];
        if (!is_candidate(x)) continue;
        Use *use = use_of(arena, uses, x);
        if (n->op == OP_einsum) use->axes &= through_permutes(n->args[k], kept_axes(n, k));
        else if (n->op == OP_gather && x == n->args[k] && reads_rows(n, k)) use->axes &= 1;
        else use->refused = true;
    }
}

static void note_graph(Arena *arena, Map *uses, const Graph *graph)
{
    for (int k = 0; k < graph->nodes.count; k++) note_uses(arena, uses, graph->nodes.at[k]);
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *o = &graph->outputs.at[k];
        const Node *input = graph_find_input(graph, o->name), *x = o->node;
        while (x->op == OP_permute) x = x->args[0];
        if (is_candidate(x)) use_of(arena, uses, x)->refused = true;
        if (o->kind == OUTPUT_update && input && is_candidate(input)) use_of(arena, uses, input)->refused = true;
    }
}

Map *narrow_choose(Arena *arena, const Graph *const *graphs, int count, DType dtype)
{
    Map *uses = map_new(arena), *chosen = map_new(arena);
    for (int g = 0; g < count; g++) note_graph(arena, uses, graphs[g]);
    for (int i = 0; i < map_count(uses); i++) {
        const Use *use = map_value(uses, i);
        if (use->refused || (dtype == DT_i8 && !use->axes)) continue;
        Narrow *n = arena_new_of(arena, Narrow);
        *n = (Narrow){dtype, dtype == DT_i8 ? use->axes : 0};
        map_set(chosen, map_key(uses, i), n);
    }
    return chosen;
}

const char *narrow_scale_name(Arena *arena, const char *name) { return arena_print(arena, "%s.scale", name); }

Type narrow_scale_type(Dims *dims, const Narrow *n, Type type)
{
    type.dtype = DT_f32;
    for (int k = 0; k < type.rank; k++)
        if (!(n->axes >> k & 1)) type.dim[k] = dim_int(dims, 1);
    return type;
}

/* ---- values ---- */

static Node *spread(Graph *g, Node *scale, Type type)
{
    static const int8_t same[MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    return make_expand(g, scale, same, type);
}

/* |w| at its largest is 127 scales; where all of a row is 0, 0 / 0 becomes 0. */
static void quantize(Graph *g, Node *w, const Narrow *n, Node **scale, Node **q)
{
    Node *size = make_binary(g, OP_max, w, make_binary(g, OP_mul, w, make_full(g, w->type, -1)));
    Node *most = make_reduce(g, OP_reduce_max, size, ((1u << w->type.rank) - 1) & ~n->axes);
    *scale = make_reshape(g, make_binary(g, OP_div, most, make_full(g, most->type, 127)),
                          narrow_scale_type(g->dims, n, w->type));
    Node *exact = make_binary(g, OP_div, w, spread(g, *scale, w->type));
    Node *whole = make_unary(g, OP_floor, make_binary(g, OP_add, exact, make_full(g, w->type, 0.5)));
    *q = make_cast(g, whole, DT_i8);
}

void narrow_update(Graph *g, const char *name, Node *value, const Narrow *n)
{
    Node *scale = NULL, *stored = NULL;
    if (n->dtype == DT_i8) quantize(g, value, n, &scale, &stored);
    else stored = make_cast(g, value, n->dtype);
    make_input(g, STORE_param, name, stored->type);
    graph_output(g, OUTPUT_update, name, stored);
    if (!scale) return;
    const char *scales = narrow_scale_name(g->arena, name);
    make_input(g, STORE_param, scales, scale->type);
    graph_output(g, OUTPUT_update, scales, scale);
}

/* ---- the pass ---- */

/* A parameter of the new graph in place of one of the old. */
typedef struct Stored {
    const Narrow *how;
    Node *value, *scale;                 /* scale: of i8, else NULL */
    Node *wide;                          /* as f32, once somebody asks */
} Stored;

typedef struct Narrowing {
    Graph   *g;
    Node   **copy;                       /* by id of the old graph; NULL of what is stored */
    Stored **stored;
} Narrowing;

static Stored *store(Narrowing *w, const Node *input, const Narrow *how)
{
    Graph *g = w->g;
    Stored *s = arena_new_of(g->arena, Stored);
    s->how = how;
    s->value = make_input(g, STORE_param, input->attr.text, type_with(input->type, how->dtype));
    if (how->dtype == DT_i8)
        s->scale = make_input(g, STORE_param, narrow_scale_name(g->arena, input->attr.text),
                              narrow_scale_type(g->dims, how, input->type));
    return s;
}

/* The whole parameter as f32, for what is neither a product nor rows. */
static Node *widened(Narrowing *w, Stored *s)
{
    if (s->wide) return s->wide;
    s->wide = make_cast(w->g, s->value, DT_f32);
    if (s->scale) s->wide = make_binary(w->g, OP_mul, s->wide, spread(w->g, s->scale, s->wide->type));
    return s->wide;
}

static Node *argument(Narrowing *w, const Node *x)
{
    return w->stored[x->id] ? widened(w, w->stored[x->id]) : w->copy[x->id];
}

/* The scales of argument k in the places that its letters have in the result. */
static Node *scales_of(Graph *g, const Node *einsum, int k, const Stored *s)
{
    const char *term = term_of(einsum, k), *result = result_of(einsum);
    Type type = einsum->type;
    int8_t order[MAX_RANK], place[MAX_RANK];
    int count = 0, axis[MAX_RANK];
    Type bare = {.dtype = DT_f32};
    for (int j = 0; j < s->value->type.rank; j++) {
        axis[j] = bare.rank;
        if (s->how->axes >> j & 1) bare.dim[bare.rank++] = s->value->type.dim[j];
    }
    for (int j = 0; j < type.rank; j++) {
        const char *at = memchr(term, result[j], (size_t)s->value->type.rank);
        if (!at || !(s->how->axes >> (at - term) & 1)) continue;
        order[count] = (int8_t)axis[at - term];
        place[count++] = (int8_t)j;
    }
    Node *scale = make_reshape(g, s->scale, bare);
    return make_expand(g, count > 1 ? make_permute(g, scale, order) : scale, place, type);
}

static bool scales_follow(const Node *einsum, int k, const Stored *s)
{
    return s->scale && !(s->how->axes & ~kept_axes(einsum, k));
}

static Node *narrow_einsum(Narrowing *w, const Node *node)
{
    Stored *s[2];
    Node *args[2];
    for (int k = 0; k < 2; k++) {
        s[k] = w->stored[node->args[k]->id];
        bool apart = s[k] && scales_follow(node, k, s[k]);
        args[k] = apart ? make_cast(w->g, s[k]->value, DT_f32) : argument(w, node->args[k]);
        if (!apart) s[k] = NULL;
    }
    Node *out = graph_rebuild(w->g, node, args);
    for (int k = 0; k < 2; k++)
        if (s[k]) out = make_binary(w->g, OP_mul, out, scales_of(w->g, node, k, s[k]));
    return out;
}

/* Rows, and the scale of each. */
static Node *narrow_gather(Narrowing *w, const Node *node)
{
    Graph *g = w->g;
    const Stored *s = w->stored[node->args[0]->id];
    Node *index = argument(w, node->args[1]);
    Node *rows = make_cast(g, make_gather(g, s->value, &index, 1, 0), DT_f32);
    if (!s->scale) return rows;
    Node *scale = make_gather(g, s->scale, &index, 1, 0);
    return make_binary(g, OP_mul, rows, spread(g, scale, rows->type));
}

static Node *rebuild(Narrowing *w, const Node *node)
{
    build_at(w->g, node);
    if (node->op == OP_einsum) return narrow_einsum(w, node);
    if (node->op == OP_gather && w->stored[node->args[0]->id] && reads_rows(node, 0)) return narrow_gather(w, node);
    Node **args = arena_array(w->g->arena, Node *, node->arg_count + 1);
    for (int k = 0; k < node->arg_count; k++) args[k] = argument(w, node->args[k]);
    return graph_rebuild(w->g, node, args);
}

Graph *pass_narrow(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d)
{
    (void)d;
    int count = graph->nodes.count + 1;
    Narrowing w = {.g = graph_like(arena, graph), .copy = arena_array(arena, Node *, count),
                   .stored = arena_array(arena, Stored *, count)};
    for (int k = 0; k < graph->nodes.count; k++) {
        const Node *node = graph->nodes.at[k];
        const Narrow *how = is_candidate(node) ? map_get(options->layout->narrow, node->attr.text) : NULL;
        build_at(w.g, node);
        if (how) w.stored[k] = store(&w, node, how);
        else w.copy[k] = rebuild(&w, node);
    }
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *o = &graph->outputs.at[k];
        graph_output(w.g, o->kind, o->name, argument(&w, o->node));
    }
    return w.g;
}
