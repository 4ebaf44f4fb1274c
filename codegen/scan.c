/* The rows of a scan: what is copied and zeroed before it, the loop's head, the rows of its body. The body's buffers
 * that lie in no block get their places here (Kernel.home and spare in ir/plan.h): what the loop walks along and what
 * changes roles with every iteration are cursors, everything else stands still. */
#include "codegen/table.h"

#include <assert.h>

enum { MOVE_TILE = 16 };                 /* units of RT_MOVE_BYTES that are worth a second thread */

typedef struct Scan {
    Table *t;
    const Frame  *around;
    const Kernel *kernel;
    const Node   *node;
    int64_t  count;
    bool     by_turns;                   /* carries that are not in place change roles; else they are copied home */
    Frame    body;
    Vec(RtCursor) cursors;
} Scan;

/* ---- places ---- */

static int64_t argument_word(const Scan *s, const Node *input)
{
    return frame_word(s->around, s->node->args[scan_argument(s->node, input)]);
}

/* Where result k is when the loop is over. */
static int64_t home_word(const Scan *s, int k)
{
    const Node *pick = kernel_pick(s->kernel, k);
    return pick ? frame_word(s->around, pick) : frame_word(s->around, s->node) + s->kernel->home[k];
}

static int64_t spare_word(const Scan *s, int k) { return frame_word(s->around, s->node) + s->kernel->spare[k]; }

static const Node *result_node(const Scan *s, int k) { return scan_output(s->node, k)->node; }

/* What the body never reads has no buffer. */
static void bind(Scan *s, const Node *node, int64_t word)
{
    const Buffer *buffer = s->body.plan->buffer_of[node->id];
    if (buffer) s->body.bound[buffer->id] = word;
}

/* ---- cursors ---- */

static int64_t add_cursor(Scan *s, RtCursor cursor)
{
    vec_push(s->t->arena, &s->cursors, cursor);
    return RT_PLACE(s->body.cursors++, 0);
}

/* A value that the body sees one element of at a time. */
typedef struct Walk {
    const Node *node;
    int64_t start, stride;               /* place of element 0; bytes */
} Walk;

typedef struct Walks {
    Walk *at;
    int   count;
} Walks;

static bool together(const Walk *a, const Walk *b)
{
    return a->stride == b->stride && rt_block(a->start) == rt_block(b->start);
}

static int64_t walking_cursor(Scan *s, int64_t start, int64_t stride)
{
    for (int k = 0; k < s->cursors.count; k++)
        if (s->cursors.at[k].base[0] == start && s->cursors.at[k].stride == stride)
            return RT_PLACE(s->around->cursors + k, 0);
    return add_cursor(s, (RtCursor){.first = -1, .base = {start, start}, .stride = stride});
}

/* Values of one block that go on by the same number of bytes have one cursor, at the lowest of them. */
static void bind_walks(Scan *s, const Walks *walks)
{
    for (int k = 0; k < walks->count; k++) {
        const Walk *walk = &walks->at[k];
        int64_t lowest = walk->start;
        for (int j = 0; j < walks->count; j++)
            if (together(walk, &walks->at[j]) && walks->at[j].start < lowest) lowest = walks->at[j].start;
        bind(s, walk->node, walking_cursor(s, lowest, walk->stride) + (walk->start - lowest));
    }
}

static Walks find_walks(const Scan *s)
{
    const Graph *g = s->body.plan->graph;
    Walks walks = {arena_array(s->t->arena, Walk, g->inputs.count + g->outputs.count + 1), 0};
    for (int k = 0; k < g->inputs.count; k++) {
        const Node *input = g->inputs.at[k];
        if (input->attr.storage != STORE_each) continue;
        walks.at[walks.count++] = (Walk){input, argument_word(s, input), type_value_bytes(&input->type)};
    }
    for (int k = scan_carry_count(s->node); k < scan_result_count(s->node); k++) {
        const Node *result = result_node(s, k);
        if (!kernel_pick(s->kernel, k)) continue;
        walks.at[walks.count++] = (Walk){result, home_word(s, k), type_value_bytes(&result->type)};
    }
    return walks;
}

static int count_spares(const Scan *s)
{
    int count = 0;
    for (int k = 0; k < scan_carry_count(s->node); k++) count += s->kernel->spare[k] >= 0;
    return count;
}

/* A carry that two places hold by turns, so that the last iteration writes home. */
static void bind_by_turns(Scan *s, int k)
{
    int last = (int)((s->count - 1) & 1);
    RtCursor old = {.first = argument_word(s, scan_carry(s->node, k))}, new = {.first = -1};
    new.base[last] = old.base[1 - last] = home_word(s, k);
    new.base[1 - last] = old.base[last] = spare_word(s, k);
    bind(s, scan_carry(s->node, k), add_cursor(s, old));
    bind(s, result_node(s, k), add_cursor(s, new));
}

static void bind_carry(Scan *s, int k)
{
    bool has_spare = s->kernel->spare[k] >= 0;
    if (has_spare && s->by_turns) {
        bind_by_turns(s, k);
        return;
    }
    bind(s, scan_carry(s->node, k), home_word(s, k));
    bind(s, result_node(s, k), has_spare ? spare_word(s, k) : home_word(s, k));
}

static void bind_buffers(Scan *s)
{
    const Graph *g = s->body.plan->graph;
    Walks walks = find_walks(s);
    bind_walks(s, &walks);
    s->by_turns = s->node->attr.axis == 0 && s->body.cursors + 2 * count_spares(s) <= BLOCK_COUNT + RT_MAX_CURSORS;
    for (int k = 0; k < scan_carry_count(s->node); k++) bind_carry(s, k);
    for (int k = scan_carry_count(s->node); k < scan_result_count(s->node); k++)
        if (!kernel_pick(s->kernel, k)) bind(s, result_node(s, k), home_word(s, k));
    for (int k = 0; k < g->inputs.count; k++)
        if (g->inputs.at[k]->attr.storage == STORE_outer) bind(s, g->inputs.at[k], argument_word(s, g->inputs.at[k]));
}

/* ---- rows ---- */

static void add_move(Scan *s, const Node *node, int64_t from, int64_t to)
{
    int64_t *args = arena_array(s->t->arena, int64_t, 3), bytes = type_value_bytes(&node->type);
    args[0] = from, args[1] = to, args[2] = bytes;
    RtStep step = {.run = rt_copy, .args = args, .extent = (bytes + RT_MOVE_BYTES - 1) / RT_MOVE_BYTES,
                   .tile = MOVE_TILE};
    if (from != to) table_step(s->t, "scan carry", node, step, 3);
}

static void add_zeros(Scan *s, const Node *pick)
{
    int64_t *args = arena_array(s->t->arena, int64_t, 2), bytes = type_value_bytes(&pick->type);
    args[0] = frame_word(s->around, pick), args[1] = bytes;
    RtStep step = {.run = rt_zero, .args = args, .extent = (bytes + RT_MOVE_BYTES - 1) / RT_MOVE_BYTES,
                   .tile = MOVE_TILE};
    table_step(s->t, "scan zero", pick, step, 2);
}

/* Carries start in their homes, except those that the first iteration reads where the argument lies. */
static void add_start(Scan *s)
{
    int carries = scan_carry_count(s->node);
    for (int k = 0; k < carries; k++) {
        if (s->count > 0 && s->by_turns && s->kernel->spare[k] >= 0) continue;
        add_move(s, scan_carry(s->node, k), argument_word(s, scan_carry(s->node, k)), home_word(s, k));
    }
    for (int k = carries; s->node->attr.axis > 0 && k < scan_result_count(s->node); k++)
        if (kernel_pick(s->kernel, k)) add_zeros(s, kernel_pick(s->kernel, k));
}

/* Carries that are not in place are back in their homes before the next iteration. */
static void add_end_of_iteration(Scan *s)
{
    for (int k = 0; !s->by_turns && k < scan_carry_count(s->node); k++)
        if (s->kernel->spare[k] >= 0) add_move(s, result_node(s, k), spare_word(s, k), home_word(s, k));
}

static int64_t index_word(const Scan *s)
{
    const Node *index = graph_find_input(s->body.plan->graph, "index");
    bool asked = index && index->attr.storage == STORE_ambient && s->body.plan->buffer_of[index->id];
    return asked ? frame_word(&s->body, index) : -1;
}

static RtLoop *add_head(Scan *s)
{
    RtLoop *loop = arena_new_of(s->t->arena, RtLoop);
    *loop = (RtLoop){.count = s->count, .backwards = s->node->attr.i == 1};
    loop->first_cursor = s->around->cursors;
    loop->cursor_count = s->cursors.count;
    loop->cursors = s->cursors.at;
    loop->index = index_word(s);
    loop->until = s->node->attr.axis > 0 ? home_word(s, s->node->attr.axis - 1) : -1;
    table_step(s->t, "scan", s->node, (RtStep){.loop = loop}, 0);
    return loop;
}

static void open_body(Scan *s)
{
    const Plan *plan = s->kernel->body;
    s->body = (Frame){.plan = plan, .work = frame_word(s->around, s->node), .cursors = s->around->cursors};
    s->body.bound = arena_array(s->t->arena, int64_t, plan->buffers.count + 1);
    for (int k = 0; k < plan->buffers.count; k++) s->body.bound[k] = -1;
}

static bool fits(Scan *s)
{
    int used = s->body.cursors - BLOCK_COUNT;
    if (used > RT_MAX_CURSORS) {
        s->t->why = arena_print(s->t->arena, "%s: a loop walks along values of too many different sizes",
                                table_place(s->t->arena, s->node));
        return false;
    }
    if (used > s->t->out->cursor_count) s->t->out->cursor_count = used;
    return true;
}

void table_scan(Table *t, const Frame *around, const Kernel *kernel, const Calls *calls)
{
    const Node *node = kernel->outputs.at[kernel->outputs.count - 1];
    Scan s = {.t = t, .around = around, .kernel = kernel, .node = node, .count = dim_value(node->attr.count)};
    open_body(&s);
    bind_buffers(&s);
    if (!fits(&s)) return;
    const Node *outer = t->around;
    t->around = node;
    add_start(&s);
    if (s.count > 0) {
        RtLoop *loop = add_head(&s);
        int head = t->steps.count;
        table_rows(t, &s.body, calls);
        add_end_of_iteration(&s);
        loop->steps = t->steps.count - head;
    }
    t->around = outer;
}
