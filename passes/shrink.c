/* The smallest graph that still shows something. Each step copies the graph with one thing left out or replaced, and is
 * kept when the copy still shows it. A copy holds live nodes only; of a scan it leaves out the results that nobody
 * picks and the arguments that the body does not read. Extents are changed in the graph's text, whose reader checks
 * every shape. */
#include "passes/bisect.h"
#include "passes/build.h"
#include "passes/simplify.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef enum EditKind {
    EDIT_input, EDIT_constant, EDIT_argument, EDIT_cut, EDIT_top, EDIT_output, EDIT_down, EDIT_carries
} EditKind;

/* One change. */
typedef struct Edit {
    EditKind     kind;
    const Graph *in;                     /* the graph or body that it changes; carries: those that nobody asks for go */
    int          at;                     /* the node; cut: nodes below it become inputs; top: it and what is above goes,
                                            and what that read becomes results; output, down: the output */
    int          count;                  /* argument: which one; output: how many are left out */
} Edit;

typedef struct Shrink {
    Arena       *arena;
    const Graph *graph;                  /* the smallest so far */
    Shows       *shows;
    void        *context;
    int          left;                   /* graphs that may still be tried */
    int          serial;                 /* of names for new inputs */
} Shrink;

/* ---- copying ---- */

static const Graph *copy_graph(Shrink *s, const Graph *from, const Edit *edit);

/* The node that a node gives way to, of the same graph; itself. */
static Node *stand_in(const Graph *g, const Edit *edit, Node *node)
{
    bool gives = edit->kind == EDIT_argument && edit->in == g && (int)node->id == edit->at;
    return gives ? node->args[edit->count] : node;
}

static bool is_replaced(const Graph *g, const Edit *edit, const Node *node)
{
    if (edit->in != g) return false;
    if (edit->kind == EDIT_input || edit->kind == EDIT_constant) return (int)node->id == edit->at;
    bool value = node->op != OP_scan && node->op != OP_input && node->op != OP_const;
    return edit->kind == EDIT_cut && (int)node->id < edit->at && value;
}

/* Whether output k of a graph is left out; of a body only results that are not picked. */
static bool is_left_out(const Graph *g, const Edit *edit, int k)
{
    if (edit->in != g) return false;
    if (edit->kind == EDIT_down) return k == edit->at;
    return edit->kind == EDIT_output && k >= edit->at && k < edit->at + edit->count;
}

static bool *find_live(Arena *arena, const Graph *g, const Edit *edit, const bool *outputs)
{
    bool *live = arena_array(arena, bool, g->nodes.count + 1);
    for (int k = 0; k < g->outputs.count; k++)
        if (outputs[k]) live[stand_in(g, edit, g->outputs.at[k].node)->id] = true;
    for (int j = 0; edit->kind == EDIT_down && edit->in == g && j < g->outputs.at[edit->at].node->arg_count; j++)
        live[g->outputs.at[edit->at].node->args[j]->id] = true;
    for (int k = g->nodes.count - 1; k >= 0; k--) {
        const Node *node = g->nodes.at[k];
        if (!live[k] || is_replaced(g, edit, node)) continue;
        for (int j = 0; j < node->arg_count; j++) live[stand_in(g, edit, node->args[j])->id] = true;
    }
    return live;
}

/* A scan's parts that its copy keeps. */
typedef struct Kept {
    bool *result, *argument;
    int  *number;                        /* of a result: in the copy */
    const Graph *body;
} Kept;

static bool *live_inside(Shrink *s, const Node *scan, const Edit *edit, const bool *result)
{
    const Graph *from = scan->region;
    bool *outputs = arena_array(s->arena, bool, from->outputs.count + 1);
    for (int k = 0; k < scan_result_count(scan); k++) outputs[scan_output(scan, k) - from->outputs.at] = result[k];
    return find_live(s->arena, from, edit, outputs);
}

/* Adds the carries that what is kept is made of, in whatever iteration; and the one that ends the loop. */
static void keep_carries(Shrink *s, const Node *scan, const Edit *edit, bool *result)
{
    bool all = edit->kind != EDIT_carries || edit->in != scan->region, more = true;
    for (int k = 0; k < scan_carry_count(scan); k++) result[k] = result[k] || all || scan->attr.axis == k + 1;
    while (more) {
        bool *live = live_inside(s, scan, edit, result);
        more = false;
        for (int k = 0; k < scan_carry_count(scan); k++)
            if (!result[k] && live[scan_carry(scan, k)->id]) result[k] = more = true;
    }
}

static bool copied_output(const Node *scan, const Kept *kept, const Output *o)
{
    for (int k = 0; k < scan_result_count(scan); k++)
        if (scan_output(scan, k) == o) return kept->result[k];
    return false;
}

static const Graph *copy_body(Shrink *s, const Node *scan, const Edit *edit, Kept *kept)
{
    const Graph *from = scan->region;
    bool *live = live_inside(s, scan, edit, kept->result);
    Graph *to = graph_like(s->arena, from);
    Node **copy = arena_array(s->arena, Node *, from->nodes.count + 1);
    for (int k = 0; k < scan_carry_count(scan); k++) live[scan_carry(scan, k)->id] = kept->result[k];
    for (int k = 0; k < from->inputs.count; k++) {
        const Node *input = from->inputs.at[k];
        int argument = scan_argument(scan, input);
        bool keep = live[input->id];
        if (argument >= 0) kept->argument[argument] = keep;
        if (keep) copy[input->id] = graph_rebuild(to, input, NULL);
    }
    for (int k = 0; k < from->nodes.count; k++) {
        Node *node = from->nodes.at[k], *other = stand_in(from, edit, node);
        if (other != node) copy[k] = copy[other->id];
        if (copy[k] || !live[k]) continue;
        copy[k] = is_replaced(from, edit, node) ? make_full(to, node->type, 1) : graph_copy_node(to, node, copy);
    }
    for (int k = 0; k < from->outputs.count; k++) {
        const Output *o = &from->outputs.at[k];
        if (copied_output(scan, kept, o)) graph_output(to, o->kind, o->name, copy[stand_in(from, edit, o->node)->id]);
    }
    return to;
}

/* Carries, and results that somebody picks. */
static Kept keep_of(Shrink *s, const Graph *g, const bool *live, const Node *scan, const Edit *edit)
{
    int results = scan_result_count(scan), next = 0;
    Kept kept = {.result = arena_array(s->arena, bool, results + 1), .number = arena_array(s->arena, int, results + 1),
                 .argument = arena_array(s->arena, bool, scan->arg_count + 1)};
    for (int k = 0; k < g->nodes.count; k++) {
        const Node *pick = g->nodes.at[k];
        if (pick->op == OP_pick && pick->args[0] == scan && live[k] && !is_replaced(g, edit, pick))
            kept.result[pick->attr.i] = true;
    }
    keep_carries(s, scan, edit, kept.result);
    for (int k = 0; k < results; k++) kept.number[k] = kept.result[k] ? next++ : -1;
    kept.body = copy_body(s, scan, edit, &kept);
    return kept;
}

static Node *copy_scan(Shrink *s, Graph *to, const Node *scan, const Kept *kept, Node *const *copy)
{
    Node **args = arena_array(s->arena, Node *, scan->arg_count + 1);
    int count = 0;
    for (int j = 0; j < scan->arg_count; j++)
        if (kept->argument[j]) args[count++] = copy[scan->args[j]->id];
    Attr attr = scan->attr;
    if (attr.axis) attr.axis = kept->number[attr.axis - 1] + 1;
    build_at(to, scan);
    return make_scan(to, args, count, &attr, kept->body);
}

static Node *new_input(Shrink *s, Graph *to, const Graph *from, const Node *node)
{
    const char *name;
    do name = arena_print(s->arena, "cut.%d", ++s->serial);
    while (graph_find_input(from, name));
    build_at(to, node);
    return make_input(to, STORE_data, name, node->type);
}

static void add_part(Shrink *s, Graph *to, Node *node)
{
    graph_output(to, OUTPUT_result, arena_print(s->arena, "part.%d", ++s->serial), node);
}

/* What is below a node, with results for all that nodes from there on read. */
static const Graph *copy_below(Shrink *s, const Graph *from, int end)
{
    bool *live = arena_array(s->arena, bool, from->nodes.count + 1), any = false;
    Node **copy = arena_array(s->arena, Node *, from->nodes.count + 1);
    for (int k = 0; k < from->outputs.count; k++) live[from->outputs.at[k].node->id] = true;
    for (int k = from->nodes.count - 1; k >= 0; k--)
        for (int j = 0; live[k] && j < from->nodes.at[k]->arg_count; j++) live[from->nodes.at[k]->args[j]->id] = true;
    bool *read = arena_array(s->arena, bool, from->nodes.count + 1);
    for (int k = 0; k < from->outputs.count; k++) read[from->outputs.at[k].node->id] = true;
    for (int k = end; k < from->nodes.count; k++)
        for (int j = 0; live[k] && j < from->nodes.at[k]->arg_count; j++) read[from->nodes.at[k]->args[j]->id] = true;
    Graph *to = graph_like(s->arena, from);
    for (int k = 0; k < end; k++) {
        const Node *node = from->nodes.at[k];
        if (live[k]) copy[k] = graph_copy_node(to, node, copy);
        if (!live[k] || !read[k] || node->op == OP_input || node->op == OP_const || node->op == OP_scan) continue;
        add_part(s, to, copy[k]);
        any = true;
    }
    return any ? simplify_drop_dead(s->arena, to) : NULL;
}

/* NULL: nothing would be left. */
static const Graph *copy_graph(Shrink *s, const Graph *from, const Edit *edit)
{
    if (edit->kind == EDIT_top) return copy_below(s, from, edit->at);
    bool *outputs = arena_array(s->arena, bool, from->outputs.count + 1), any = false;
    for (int k = 0; k < from->outputs.count; k++) outputs[k] = !is_left_out(from, edit, k);
    bool *live = find_live(s->arena, from, edit, outputs);
    Graph *to = graph_like(s->arena, from);
    Node **copy = arena_array(s->arena, Node *, from->nodes.count + 1);
    Kept *kept = arena_array(s->arena, Kept, from->nodes.count + 1);
    for (int k = 0; k < from->nodes.count; k++) {
        Node *node = from->nodes.at[k], *other = stand_in(from, edit, node);
        if (other != node) copy[k] = copy[other->id];
        if (copy[k] || !live[k]) continue;
        if (node->op == OP_scan) {
            kept[k] = keep_of(s, from, live, node, edit);
            copy[k] = copy_scan(s, to, node, &kept[k], copy);
        } else if (is_replaced(from, edit, node)) {
            copy[k] = edit->kind == EDIT_constant ? make_full(to, node->type, 1) : new_input(s, to, from, node);
        } else if (node->op == OP_pick) {
            build_at(to, node);
            copy[k] = make_pick(to, copy[node->args[0]->id], kept[node->args[0]->id].number[node->attr.i]);
        } else {
            copy[k] = graph_copy_node(to, node, copy);
        }
    }
    for (int k = 0; k < from->outputs.count; k++) {
        const Output *o = &from->outputs.at[k];
        Node *node = o->node;
        any = any || outputs[k];
        if (outputs[k]) graph_output(to, o->kind, o->name, copy[stand_in(from, edit, node)->id]);
        for (int j = 0; edit->kind == EDIT_down && edit->in == from && k == edit->at && j < node->arg_count; j++) {
            any = true;
            add_part(s, to, copy[node->args[j]->id]);
        }
    }
    return any ? to : NULL;
}

/* ---- trying ---- */

/* What a graph weighs: an operator 2; an input, a spread constant and an output 1. */
static int weight_of(const Graph *g)
{
    int weight = g->outputs.count;
    for (int k = 0; k < g->nodes.count; k++) {
        const Node *node = g->nodes.at[k];
        bool light = node->op == OP_input || (node->op == OP_expand && node->args[0]->op == OP_const);
        weight += node->op == OP_const ? 0 : light ? 1 : 2;
        if (node->region) weight += weight_of(node->region);
    }
    return weight;
}

static int64_t elements_of(const Graph *g)
{
    int64_t elements = 0;
    for (int k = 0; k < g->nodes.count; k++) {
        const Node *node = g->nodes.at[k];
        elements += type_value_elements(&node->type);
        if (node->region) elements += elements_of(node->region);
    }
    return elements;
}

static bool is_smaller(const Graph *g, const Graph *than)
{
    int weight = weight_of(g), other = weight_of(than);
    return weight < other || (weight == other && elements_of(g) < elements_of(than));
}

static bool try_graph(Shrink *s, const Graph *g)
{
    if (!g || s->left <= 0 || !is_smaller(g, s->graph) || graph_verify(g, s->arena)) return false;
    s->left--;
    if (!s->shows(s->context, g)) return false;
    s->graph = g;
    return true;
}

static bool try_edit(Shrink *s, Edit edit) { return try_graph(s, copy_graph(s, s->graph, &edit)); }

/* The output that is known to show it, alone. */
static void keep_output(Shrink *s, const char *name)
{
    const Graph *g = s->graph;
    for (int k = 0; name && k < g->outputs.count; k++) {
        if (strcmp(g->outputs.at[k].name, name)) continue;
        try_edit(s, (Edit){EDIT_output, s->graph, k + 1, s->graph->outputs.count - k - 1});
        try_edit(s, (Edit){EDIT_output, s->graph, 0, k});
        return;
    }
}

/* Leaves out outputs, half of them first. */
static bool drop_outputs(Shrink *s)
{
    bool any = false;
    for (int count = s->graph->outputs.count / 2; count > 0; count /= 2) {
        for (int k = s->graph->outputs.count - count; k >= 0 && s->graph->outputs.count > 1; k -= count) {
            if (k + count > s->graph->outputs.count) continue;
            any = try_edit(s, (Edit){EDIT_output, s->graph, k, count}) || any;
        }
    }
    return any;
}

/* Makes inputs of everything below a node, as high as it goes. */
static bool cut_below(Shrink *s)
{
    bool any = false;
    for (int step = s->graph->nodes.count / 2; step > 0; step /= 2) {
        int at = s->graph->inputs.count + step;
        while (at < s->graph->nodes.count && try_edit(s, (Edit){EDIT_cut, s->graph, at, 0})) any = true;
    }
    return any;
}

/* Leaves out everything from a node on, as low as it goes. */
static bool cut_above(Shrink *s)
{
    bool any = false;
    for (int step = s->graph->nodes.count / 2; step > 0; step /= 2)
        while (step < s->graph->nodes.count && try_edit(s, (Edit){EDIT_top, s->graph, s->graph->nodes.count - step, 0}))
            any = true;
    return any;
}

/* Puts the arguments of a result in its place. */
static bool go_down(Shrink *s)
{
    bool any = false;
    for (int k = 0; k < s->graph->outputs.count; k++) {
        const Output *o = &s->graph->outputs.at[k];
        bool looks_through = o->node->arg_count > 0 && o->node->op != OP_pick && o->node->op != OP_scan;
        if (looks_through && try_edit(s, (Edit){EDIT_down, s->graph, k, 0})) any = true, k = -1;
    }
    return any;
}

/* Tries everything on a node of the graph or of a body. */
static bool replace_node(Shrink *s, const Graph *in, int at)
{
    const Node *node = in->nodes.at[at];
    bool outside = in == s->graph;
    if (node->op == OP_input || node->op == OP_const || node->op == OP_scan) return false;
    if (outside && try_edit(s, (Edit){EDIT_input, in, at, 0})) return true;
    for (int j = 0; j < node->arg_count; j++)
        if (type_equal(&node->args[j]->type, &node->type) && try_edit(s, (Edit){EDIT_argument, in, at, j})) return true;
    bool constant = node->op == OP_expand && node->args[0]->op == OP_const;
    return !constant && try_edit(s, (Edit){EDIT_constant, in, at, 0});
}

static bool replace_nodes(Shrink *s)
{
    bool any = false;
    for (int back = 1; back <= s->graph->nodes.count; back++) {
        int at = s->graph->nodes.count - back;
        while (s->graph->nodes.count >= back && replace_node(s, s->graph, at)) {
            any = true;
            if ((at = s->graph->nodes.count - back) < 0) return any;
        }
        for (int k = 0; at >= 0 && s->graph->nodes.at[at]->region; k++) {
            const Graph *body = s->graph->nodes.at[at]->region;
            if (k >= body->nodes.count) break;
            if (replace_node(s, body, body->nodes.count - 1 - k)) any = true, k = -1;
            if ((at = s->graph->nodes.count - back) < 0) return any;
        }
    }
    return any;
}

static bool drop_carries(Shrink *s)
{
    bool any = false;
    for (int k = 0; k < s->graph->nodes.count; k++) {
        const Node *scan = s->graph->nodes.at[k];
        if (scan->region && try_edit(s, (Edit){EDIT_carries, scan->region, 0, 0})) any = true;
    }
    return any;
}

/* ---- extents ---- */

/* Whether the list that begins at `at` holds dimensions: that of a type, or the starts of a slice or pad. */
static bool holds_dimensions(const char *text, const char *at)
{
    const char *word = at;
    while (word > text && isalnum((unsigned char)word[-1])) word--;
    DType dtype;
    char name[8] = "";
    if (at - word > 0 && at - word < (int)sizeof name) memcpy(name, word, (size_t)(at - word));
    return dtype_find(name, &dtype) || (at - text >= 6 && !strncmp(at - 6, "start=", 6));
}

/* The text with another extent wherever the old one stands, or with `multiples` a multiple of it. */
static char *other_extent(Arena *arena, const char *text, int64_t from, int64_t to, bool multiples)
{
    char *out = arena_alloc(arena, 2 * strlen(text) + 64), *end = out;
    bool inside = false, line = true, header = false;
    for (const char *at = text; *at;) {
        bool word = at > text && (isalnum((unsigned char)at[-1]) || at[-1] == '_' || at[-1] == '.' || at[-1] == '%');
        bool count = at - text >= 6 && !strncmp(at - 6, "count=", 6);
        if (line) header = !strncmp(at, "dim ", 4);
        line = *at == '\n';
        if (*at == '[') inside = holds_dimensions(text, at);
        if (*at == ']' || *at == '\n') inside = false;
        if (!isdigit((unsigned char)*at) || (word && !count) || !(inside || header || count)) {
            *end++ = *at++;
            continue;
        }
        char *after;
        long long value = strtoll(at, &after, 10);
        bool hit = value == from || (multiples && value > from && value % from == 0);
        end += snprintf(end, 24, "%lld", hit ? (long long)(value / from * to) : value);
        at = after;
    }
    return out;
}

static const char *text_of(Arena *arena, const Graph *g)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    graph_print(g, out);
    fclose(out);
    const char *copy = arena_copy_text(arena, text, size);
    free(text);
    return copy;
}

static const Graph *read_graph(Arena *arena, const char *text)
{
    Source *source = arena_new_of(arena, Source);
    *source = (Source){.path = "shrunk", .text = text, .size = strlen(text)};
    return graph_read(arena, source, diag_new(arena));
}

/* Extents above 1 of the graph's types, each once; at most `room`. */
static int list_extents(const Graph *g, int64_t *extents, int room, int count)
{
    for (int k = 0; k < g->nodes.count; k++) {
        const Node *node = g->nodes.at[k];
        if (node->region) count = list_extents(node->region, extents, room, count);
        for (int j = 0; j < node->type.rank; j++) {
            int64_t extent = dim_value(node->type.dim[j]);
            bool known = extent <= 1 || count == room;
            for (int i = 0; i < count; i++) known = known || extents[i] == extent;
            if (!known) extents[count++] = extent;
        }
    }
    return count;
}

static bool shrink_extent(Shrink *s, int64_t extent)
{
    const int64_t smaller[] = {1, 2, 3, extent / 2};
    const char *text = text_of(s->arena, s->graph);
    for (int k = 0; k < 8; k++) {
        int64_t to = smaller[k / 2];
        if (to < 1 || to >= extent) continue;
        if (try_graph(s, read_graph(s->arena, other_extent(s->arena, text, extent, to, k % 2)))) return true;
    }
    return false;
}

static bool shrink_extents(Shrink *s)
{
    enum { ROOM = 64 };
    int64_t extents[ROOM];
    bool any = false;
    int count = list_extents(s->graph, extents, ROOM, 0);
    for (int k = 0; k < count; k++) any = shrink_extent(s, extents[k]) || any;
    return any;
}

const Graph *graph_shrink(Arena *arena, const Graph *graph, const char *output, Shows *shows, void *context, int most)
{
    Shrink s = {.arena = arena, .graph = graph, .shows = shows, .context = context, .left = most};
    bool more = true;
    keep_output(&s, output);
    while (more && s.left > 0) {                             /* what makes the next tries cheap comes first */
        more = shrink_extents(&s);
        more = drop_outputs(&s) || more;
        more = cut_above(&s) || more;
        more = cut_below(&s) || more;
        more = go_down(&s) || more;
        more = drop_carries(&s) || more;
        more = replace_nodes(&s) || more;
    }
    return read_graph(arena, text_of(arena, s.graph)) ? s.graph : graph;
}
