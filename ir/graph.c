/* Making nodes: attributes are brought to one form, the shape rule runs, and an equal node made before is returned. */
#include "ir/op_field.h"
#include "ir/shape.h"
#include "ir/text.h"
#include "ir/verify.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { FEW_ORIGINS = 12 };               /* of a node: so many are compared one by one, more through the maps */

/* Everything but the arguments that makes nodes equal, as bytes. */
typedef struct NodeKey {
    int64_t    op, dtype, rank;
    const Dim *dim[MAX_RANK];
    Attr       attr;
    const Graph *region;
} NodeKey;

struct GraphTables {
    Map *texts;                          /* pool of attribute texts */
    Map *nodes;                          /* packed NodeKey and arguments -> Node */
    Map *inputs;                         /* name -> Node */
    Map *origin_of;                      /* Origin pointer -> the first origin of the same places and path */
    Map *origins_first;                  /* OriginKey -> that first origin */
    Map *origins_seen;                   /* {Node, first origin} -> Node, of nodes with more than FEW_ORIGINS */
    Vec(char) key;                       /* scratch of graph_node */
};

Graph *graph_new(Arena *arena, Dims *dims, const char *name)
{
    Graph *g = arena_new_of(arena, Graph);
    g->arena = arena;
    g->dims = dims;
    g->tables = arena_new_of(arena, struct GraphTables);
    g->tables->texts = map_new(arena);
    g->tables->nodes = map_new(arena);
    g->tables->inputs = map_new(arena);
    g->tables->origin_of = map_new(arena);
    g->tables->origins_first = map_new(arena);
    g->tables->origins_seen = map_new(arena);
    g->name = graph_text(g, name);
    return g;
}

const char *graph_text(Graph *g, const char *text) { return arena_intern(g->tables->texts, text); }

void graph_output(Graph *g, OutputKind kind, const char *name, Node *node)
{
    Output output = {kind, graph_text(g, name), node};
    for (int i = 0; i < g->outputs.count; i++) {
        if (g->outputs.at[i].kind != kind || strcmp(g->outputs.at[i].name, name)) continue;
        g->outputs.at[i] = output;
        return;
    }
    vec_push(g->arena, &g->outputs, output);
}

bool graph_input_stays(const Node *node) { return node->op == OP_input && node->attr.storage != STORE_data; }

Node *graph_find_input(const Graph *g, const char *name) { return map_get(g->tables->inputs, name); }

/* origins */

static const char *append_call(Arena *arena, const char *text, const Origin *origin)
{
    const Place *place = &origin->place;
    if (!place->source) return arena_print(arena, "%s-", text);
    return arena_print(arena, "%s%s:%u:%u", text, text_word(arena, place->source->path), place->line, place->column);
}

const char *origin_text(Arena *arena, const Origin *origin)
{
    const char *text = append_call(arena, "", origin);
    if (origin->path && *origin->path) text = arena_print(arena, "%s %s", text, text_word(arena, origin->path));
    for (const Origin *call = origin->caller; call; call = call->caller)
        text = append_call(arena, arena_print(arena, "%s < ", text), call);
    return text;
}

/* What makes two origins alike: the same place and label path, called from alike origins. */
typedef struct OriginKey {
    const Source *source;
    const char   *path;
    const Origin *caller;
    uint32_t      line, column;
} OriginKey;

static const Origin *first_alike(Graph *g, const Origin *origin)
{
    if (!origin) return NULL;
    struct GraphTables *t = g->tables;
    const Origin *first = map_get_bytes(t->origin_of, &origin, sizeof origin);
    if (first) return first;
    OriginKey key = {.source = origin->place.source,
                     .path = origin->path ? graph_text(g, origin->path) : NULL,
                     .caller = first_alike(g, origin->caller),
                     .line = origin->place.line,
                     .column = origin->place.column};
    first = map_get_bytes(t->origins_first, &key, sizeof key);
    if (!first) map_set_bytes(t->origins_first, &key, sizeof key, (void *)(first = origin));
    map_set_bytes(t->origin_of, &origin, sizeof origin, (void *)first);
    return first;
}

/* What first_alike tells apart, found without its maps. */
static bool are_alike(const Origin *a, const Origin *b)
{
    for (; a != b; a = a->caller, b = b->caller) {
        if (!a || !b || a->place.line != b->place.line || a->place.column != b->place.column ||
            a->place.source != b->place.source) return false;
        if (a->path != b->path && (!a->path || !b->path || strcmp(a->path, b->path))) return false;
    }
    return true;
}

static bool is_among_few(const Node *node, const Origin *origin)
{
    for (int i = 0; i < node->origin_count; i++)
        if (are_alike(node->origins[i], origin)) return true;
    return false;
}

/* Whether a node has an origin like this. The map holds what its first origins_noted origins are like. */
static bool is_among_many(Graph *g, Node *node, const Origin *origin)
{
    Map *seen = g->tables->origins_seen;
    for (; node->origins_noted < node->origin_count; node->origins_noted++) {
        const void *known[2] = {node, first_alike(g, node->origins[node->origins_noted])};
        map_set_bytes(seen, known, sizeof known, node);
    }
    const void *key[2] = {node, first_alike(g, origin)};
    return map_get_bytes(seen, key, sizeof key) != NULL;
}

/* A constant or an index is the same wherever it is written: it keeps the place that made it first. */
static bool has_one_origin(const Node *node) { return node->op == OP_const || node->op == OP_iota; }

static int origins_room(int count)       /* a power of two */
{
    int room = 1;
    while (room < count) room *= 2;
    return room;
}

void graph_add_origin(Graph *g, Node *node, const Origin *origin)
{
    int count = node->origin_count;
    if (!origin || (count && has_one_origin(node))) return;
    if (count <= FEW_ORIGINS ? is_among_few(node, origin) : is_among_many(g, node, origin)) return;
    if (!count || count == origins_room(count)) {
        const Origin **larger = arena_array(g->arena, const Origin *, count ? 2 * count : 1);
        if (count) memcpy(larger, node->origins, sizeof(Origin *) * (size_t)count);
        node->origins = larger;
    }
    node->origins[node->origin_count++] = origin;
}

/* No two of a node's origins are alike, so a node that has none, or the first, takes all without a look. */
void graph_add_origins(Graph *g, Node *node, const Node *from)
{
    int count = from->origin_count;
    bool none = node->origin_count == 0, one = node->origin_count == 1;
    if (count < 2 || has_one_origin(node) || !(none || (one && are_alike(node->origins[0], from->origins[0])))) {
        for (int i = 0; i < count; i++) graph_add_origin(g, node, from->origins[i]);
        return;
    }
    node->origins = arena_array(g->arena, const Origin *, origins_room(count));
    memcpy(node->origins, from->origins, sizeof(Origin *) * (size_t)count);
    node->origin_count = count;
}

/* attributes */

/* As the type holds it; there is one NaN. */
static double float_value(DType t, double value) { return isnan(value) ? NAN : round_to_dtype(t, value); }

static void copy_field(ShapeCase *c, AttrField field, const Attr *from, Attr *to)
{
    int length = op_list_length(c->op, c->args, c->arg_count);
    bool float_const = c->op == OP_const && c->given && dtype_is_float(c->given->dtype);
    switch (field) {
    case FIELD_axis: to->axis = from->axis; break;
    case FIELD_axes: to->axes = from->axes; break;
    case FIELD_map: memcpy(to->map, from->map, (size_t)length); break;
    case FIELD_start:
        for (int i = 0; i < length; i++) to->start[i] = from->start[i] ? from->start[i] : dim_int(c->g->dims, 0);
        break;
    case FIELD_step: memcpy(to->step, from->step, sizeof *from->step * (size_t)length); break;
    case FIELD_text: to->text = from->text ? graph_text(c->g, from->text) : NULL; break;
    case FIELD_f: to->f = float_const ? float_value(c->given->dtype, from->f) : 0; break;
    case FIELD_i: to->i = float_const ? 0 : from->i; break;
    case FIELD_storage: to->storage = from->storage; break;
    case FIELD_count: to->count = from->count; break;
    case FIELD_COUNT: break;
    }
}

/* Copies the fields that the operator uses into zeroed memory, so that equal attributes are equal bytes. */
static void normalise(ShapeCase *c, const Attr *from, Attr *to)
{
    AttrField fields[FIELD_COUNT];
    int count = op_fields(c->op, fields);
    for (int i = 0; from && i < count; i++) copy_field(c, fields[i], from, to);
}

/* nodes */

static bool check_given(ShapeCase *c)
{
    const Type *given = c->given;
    if (!given) return true;
    if (given->rank < 0 || given->rank > MAX_RANK)
        return shape_refuse(c, "found a type of %d axes, expected at most %d", given->rank, MAX_RANK);
    for (int i = 0; i < given->rank; i++) {
        assert(given->dim[i]);
        if (dim_is_overflow(given->dim[i])) return shape_refuse(c, "axis %d of the result is too large", i);
    }
    return true;
}

/* Writes a key without its zeros, which are most of it: a mask of the words that are not zero, then those. Returns the
 * size in bytes. */
static int pack_words(const NodeKey *key, char *out)
{
    enum { WORDS = sizeof *key / sizeof(uint64_t) };
    static_assert(sizeof *key % sizeof(uint64_t) == 0 && WORDS <= 64, "one bit of the mask for each word");
    uint64_t words[WORDS], mask = 0;
    memcpy(words, key, sizeof words);
    char *end = out + sizeof mask;
    for (int i = 0; i < WORDS; i++) {
        if (!words[i]) continue;
        mask |= UINT64_C(1) << i;
        memcpy(end, &words[i], sizeof words[i]);
        end += sizeof words[i];
    }
    memcpy(out, &mask, sizeof mask);
    return (int)(end - out);
}

/* Writes the key of the node that `c` describes to g->tables->key, the result's type included. */
static void write_key(const ShapeCase *c, NodeKey *key)
{
    key->op = c->op;
    key->dtype = c->result.dtype;
    key->rank = c->result.rank;
    key->region = c->region;
    for (int i = 0; i < c->result.rank; i++) key->dim[i] = c->result.dim[i];
    struct GraphTables *t = c->g->tables;
    int most = (int)(sizeof(uint64_t) + sizeof *key + sizeof(Node *) * (size_t)c->arg_count);
    if (t->key.capacity < most) {
        t->key.capacity = 2 * most;
        t->key.at = arena_alloc(c->g->arena, (size_t)t->key.capacity);
    }
    t->key.count = pack_words(key, t->key.at);
    size_t size = sizeof(Node *) * (size_t)c->arg_count;
    if (size) memcpy(t->key.at + t->key.count, c->args, size);
    t->key.count += (int)size;
}

static Node *add_node(const ShapeCase *c)
{
    Graph *g = c->g;
    Node *node = arena_new_of(g->arena, Node);
    node->op = c->op;
    node->id = (uint32_t)g->nodes.count;
    node->type = c->result;
    node->attr = *c->attr;
    node->region = c->region;
    node->arg_count = c->arg_count;
    node->args = arena_array(g->arena, Node *, c->arg_count);
    for (int i = 0; i < c->arg_count; i++) node->args[i] = c->args[i];
    vec_push(g->arena, &g->nodes, node);
    if (c->region && c->region->scan_depth >= g->scan_depth) g->scan_depth = c->region->scan_depth + 1;
    if (c->op == OP_input) {
        vec_push(g->arena, &g->inputs, node);
        map_set(g->tables->inputs, node->attr.text, node);
    }
    return node;
}

/* The node that `c` describes, with these attributes. */
static Node *node_of(ShapeCase c, const Attr *attr, const char **why)
{
    Graph *g = c.g;
    NodeKey key;
    memset(&key, 0, sizeof key);
    c.attr = &key.attr;
    for (int i = 0; i < c.arg_count; i++) assert(c.args[i] && c.args[i]->id < (uint32_t)g->nodes.count);
    bool good = check_given(&c);
    if (good) {
        normalise(&c, attr, &key.attr);
        good = shape_check(&c);
    }
    if (!good) {
        if (why) *why = c.why;
        return NULL;
    }
    for (int i = c.result.rank; i < MAX_RANK; i++) c.result.dim[i] = NULL;
    write_key(&c, &key);
    struct GraphTables *t = g->tables;
    Node *node = map_get_bytes(t->nodes, t->key.at, (size_t)t->key.count);
    if (!node) {
        node = add_node(&c);
        map_set_bytes(t->nodes, t->key.at, (size_t)t->key.count, node);
    }
    graph_add_origin(g, node, g->origin);
    return node;
}

Node *graph_node(Graph *g, Op op, Node *const *args, int arg_count, const Attr *attr, const Type *type,
                 const char **why)
{
    ShapeCase c = {.g = g, .op = op, .args = args, .arg_count = arg_count, .given = type};
    return node_of(c, attr, why);
}

Node *graph_scan(Graph *g, Node *const *args, int arg_count, const Attr *attr, const Graph *region, const char **why)
{
    ShapeCase c = {.g = g, .op = OP_scan, .args = args, .arg_count = arg_count, .region = region};
    return node_of(c, attr, why);
}

const Node *graph_find_equal(Graph *g, const Node *node)
{
    NodeKey key;
    memset(&key, 0, sizeof key);
    ShapeCase c = {.g = g, .op = node->op, .args = node->args, .arg_count = node->arg_count, .attr = &key.attr,
                   .given = &node->type, .region = node->region, .result = node->type};
    normalise(&c, &node->attr, &key.attr);
    write_key(&c, &key);
    return map_get_bytes(g->tables->nodes, g->tables->key.at, (size_t)g->tables->key.count);
}
