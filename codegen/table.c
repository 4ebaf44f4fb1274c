/* The Program: steps with their argument words, names, places, and where inputs and outputs lie. */
#include "codegen/table.h"

#include "runtime/core/random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)BLOCK_COUNT == (int)MEMORY_COUNT, "both are the rows of block.def");
_Static_assert((int)RT_MAX_RANK == (int)MAX_RANK, "values of any rank have a row in the table");
_Static_assert(sizeof(RtProduct) % sizeof(int64_t) == 0, "a product's arguments are words");

static int32_t text_number(Arena *arena, Texts *texts, const char *text)
{
    if (!texts->number) texts->number = map_new(arena);
    int *known = map_get(texts->number, text);
    if (known) return *known;
    int *number = arena_new_of(arena, int);
    *number = texts->at.count;
    map_set(texts->number, text, number);
    vec_push(arena, &texts->at, arena_print(arena, "%s", text));
    return *number;
}

const char *table_place(Arena *arena, const Node *node)
{
    const Origin *origin = node->origin_count ? node->origins[0] : NULL, *user = origin;
    if (!origin || !origin->place.source) return op_name(node->op);
    while (user && (!user->place.source || user->place.source->builtin)) user = user->caller;
    if (!user) user = origin;
    const char *path = origin->path ? origin->path : "";
    return arena_print(arena, "%s:%u:%u%s%s", user->place.source->path, user->place.line, user->place.column,
                       *path ? " " : "", path);
}

static bool mentions(const Op *ops, int count, Op op)
{
    for (int k = 0; k < count; k++)
        if (ops[k] == op) return true;
    return false;
}

/* The kind and the operators that do the work: "rows reduce_max exp sum div". */
static const char *kernel_name(Arena *arena, const Kernel *kernel)
{
    enum { SHOWN = 6 };
    Op ops[SHOWN];
    int count = 0;
    const char *name = kernel_kind_name(kernel);
    for (int k = 0; k < kernel->nodes.count && count < SHOWN; k++) {
        Op op = kernel->nodes.at[k]->op;
        bool dull = op_is_movement(op) || op == OP_const || op == OP_cast || op == OP_stop;
        if (dull || mentions(ops, count, op)) continue;
        ops[count++] = op;
        name = arena_print(arena, "%s %s", name, op_name(op));
    }
    return name;
}

static const Node *chief(const Kernel *kernel) { return kernel->outputs.at[kernel->outputs.count - 1]; }

static bool has_place(const Node *node)
{
    const Origin *origin = node->origin_count ? node->origins[0] : NULL;
    return origin && origin->place.source;
}

static int32_t place_number(Table *t, const Node *node)
{
    if (!has_place(node) && t->around) node = t->around;
    return text_number(t->arena, &t->places, table_place(t->arena, node));
}

/* A value written in place of one that the loop places has that one's place. */
static int64_t bound_word(const Frame *f, const Buffer *buffer)
{
    while (f->bound[buffer->id] < 0 && buffer->takes_over) buffer = buffer->takes_over;
    assert(f->bound[buffer->id] >= 0);
    return f->bound[buffer->id];
}

int64_t frame_place(const Frame *f, const Buffer *buffer)
{
    if (buffer->block == MEMORY_bound) return bound_word(f, buffer);
    assert(buffer->offset >= 0);
    return buffer->block == MEMORY_work ? f->work + buffer->offset : RT_PLACE(buffer->block, buffer->offset);
}

int64_t frame_word(const Frame *f, const Node *node)
{
    const Buffer *buffer = f->kernel ? kernel_buffer(f->plan, f->kernel, node) : f->plan->buffer_of[node->id];
    assert(buffer);
    return frame_place(f, buffer);
}

static int64_t word_value(Table *t, const Frame *f, const Word *word)
{
    switch (word->kind) {
    case WORD_place: return frame_word(f, word->node);
    case WORD_key: return (int64_t)rt_random_hash(word->node->attr.text);
    case WORD_site: return place_number(t, word->node);
    }
    abort();
}

void table_step(Table *t, const char *name, const Node *node, RtStep step, int words)
{
    if (!step.loop && step.extent == 0) return;
    step.name = text_number(t->arena, &t->names, name);
    step.place = place_number(t, node);
    vec_push(t->arena, &t->steps, step);
    vec_push(t->arena, &t->rows, (CodeRow){.words = words});
}

static int64_t *place_words(Table *t, const Frame *f, Node *const *at, int count)
{
    int64_t *words = arena_array(t->arena, int64_t, count + 1);
    for (int k = 0; k < count; k++) words[k] = frame_word(f, at[k]);
    return words;
}

/* The step made last ends a kernel. */
static void describe(Table *t, const Frame *f, const Kernel *kernel)
{
    CodeRow *row = &t->rows.at[t->rows.count - 1];
    row->kernel = kernel;
    row->inputs = place_words(t, f, kernel->inputs.at, kernel->inputs.count);
    row->outputs = place_words(t, f, kernel->outputs.at, kernel->outputs.count);
}

static int64_t *argument_words(Table *t, const Frame *f, const Signature *s)
{
    int64_t *args = arena_array(t->arena, int64_t, s->words.count + 1);
    for (int k = 0; k < s->words.count; k++) args[k] = word_value(t, f, &s->words.at[k]);
    return args;
}

/* A flat function serves any number of elements: its units are this kernel's own. */
static int64_t step_extent(const Function *f, const Signature *s)
{
    if (!s->flat) return f->grid.units;
    int64_t elements = type_value_elements(&s->kernel->outputs.at[0]->type);
    assert(f->grid.flat || elements < 2);
    return f->grid.flat && f->grid.whole ? elements / LANES : elements;
}

static void need_scratch(Table *t, int64_t bytes)
{
    if (bytes > t->out->scratch_bytes) t->out->scratch_bytes = bytes;
}

static void add_product(Table *t, const Frame *f, const Kernel *kernel, Blas blas, const ProductCalls *own)
{
    Product p = product_of(f, kernel, blas, own);
    need_scratch(t, p.scratch);
    RtProduct *args = arena_new_of(t->arena, RtProduct);
    *args = p.args;
    const char *name = kernel_name(t->arena, kernel);
    int words = offsetof(RtProduct, run) / sizeof(int64_t);  /* what follows is for products with tiles alone */
    RtStep step = {.run = p.run, .args = (const int64_t *)args, .extent = p.units, .tile = 1};
    table_step(t, name, chief(kernel), step, words);
    step.run = p.sum, step.extent = p.sum_units;
    if (p.sum) table_step(t, name, chief(kernel), step, words);
    if (p.units > 0) describe(t, f, kernel);
}

static void add_call(Table *t, const Frame *f, const Function *function, const Signature *s)
{
    need_scratch(t, kernel_scratch(s, NULL));
    RtStep step = {.run = function->address, .args = argument_words(t, f, s), .tile = function->grid.tile};
    step.extent = step_extent(function, s);
    table_step(t, kernel_name(t->arena, s->kernel), chief(s->kernel), step, s->words.count);
    if (step.extent > 0) describe(t, f, s->kernel);
}

/* The row made last runs on what the product in the row before has made: of whole rows, those of a row of tiles. */
static void run_on_tiles(Table *t, Tiles tiles, const ProductCalls *own)
{
    RtStep *follower = &t->steps.at[t->steps.count - 1], *product = follower - 1;
    RtProduct *args = (RtProduct *)(uintptr_t)product->args;
    args->run = product->run;
    args->then = follower->run;
    args->then_args = follower->args;
    args->then_columns = tiles.wide;
    if (tiles.wide > args->tile_n) product->tile = (args->n + args->tile_n - 1) / args->tile_n;
    product->tiled = own->tiled ? own->tiled->address : rt_product_tiled;
    product->beside = 1;
}

void table_rows(Table *t, const Frame *f, const Calls *calls)
{
    for (int k = 0; k < f->plan->kernels.count; k++) {
        const Kernel *kernel = f->plan->kernels.at[k];
        Frame at = *f;
        at.kernel = kernel;
        if (kernel->kind == KERNEL_contract)
            add_product(t, &at, kernel, calls->blas, &calls->product[k]);
        else if (kernel->kind == KERNEL_scan)
            table_scan(t, &at, kernel, calls->body[k]);
        else if (calls->function[k])
            add_call(t, &at, calls->function[k], calls->signature[k]);
        if (calls->tiles[k].columns) run_on_tiles(t, calls->tiles[k], &calls->product[k - 1]);
    }
}

static RtValue value_of(const Table *t, const Frame *f, const char *name, const Node *node)
{
    RtValue v = {
        .name = arena_print(t->arena, "%s", name), .dtype = (int32_t)node->type.dtype, .rank = node->type.rank};
    for (int k = 0; k < node->type.rank; k++) v.shape[k] = dim_value(node->type.dim[k]);
    v.place = frame_word(f, node);
    v.bytes = type_value_bytes(&node->type);
    return v;
}

static void add_values(Table *t, const Frame *f)
{
    const Graph *g = f->plan->graph;
    RtValue *inputs = arena_array(t->arena, RtValue, g->inputs.count + 1),
            *outputs = arena_array(t->arena, RtValue, g->outputs.count + 1);
    for (int k = 0; k < g->inputs.count; k++) inputs[k] = value_of(t, f, g->inputs.at[k]->attr.text, g->inputs.at[k]);
    int count = 0;
    for (int k = 0; k < g->outputs.count; k++) {
        const Output *output = &g->outputs.at[k];
        if (output->kind == OUTPUT_result) outputs[count++] = value_of(t, f, output->name, output->node);
    }
    t->out->inputs = inputs;
    t->out->input_count = g->inputs.count;
    t->out->outputs = outputs;
    t->out->output_count = count;
}

const char *table_build(Arena *arena, const Plan *plan, const char *entry, const Calls *calls, Program *out,
                        const CodeRow **rows)
{
    *out = (Program){.entry = arena_print(arena, "%s", entry)};
    Table t = {.arena = arena, .out = out};
    Frame frame = {.plan = plan, .work = RT_PLACE(BLOCK_work, 0), .cursors = BLOCK_COUNT};
    for (int k = 0; k < BLOCK_COUNT; k++) out->block_bytes[k] = plan->block_bytes[k];
    text_number(arena, &t.places, "");
    table_rows(&t, &frame, calls);
    table_group(&t, &frame);
    add_values(&t, &frame);
    out->steps = t.steps.at;
    out->step_count = t.steps.count;
    out->names = t.names.at.at;
    out->name_count = t.names.at.count;
    out->places = t.places.at.at;
    out->place_count = t.places.at.count;
    *rows = t.rows.at;
    return t.why;
}
