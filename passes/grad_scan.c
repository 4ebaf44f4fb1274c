/* The gradient of a scan is a scan in the other direction. Its body is the gradient of the body: the gradient of a
 * carry's new value comes in as a carry and leaves as the gradient of the carry that the iteration found; that of a
 * result comes in with each element, that of an `each` input leaves as a result; that of an `outer` input is added up
 * in a carry. Forward values that it needs come from the forward scan, which returns them behind its own results
 * (grad_save.c).
 *
 * Everything is built in one working graph first: the forward body, then its gradient. From it are taken the forward
 * body with what is saved, and the backward body with what it needs. */
#include "passes/grad.h"

#include <string.h>

/* Where an argument of the backward scan comes from: the gradient of pick `number` of the forward scan (zeros if it has
 * none); zeros; argument `number` or pick `number` of the forward scan. */
typedef enum From { FROM_gradient, FROM_zero, FROM_argument, FROM_pick } From;
typedef struct BackArg {
    From from;
    int  number;
    Type type;                           /* of zeros */
} BackArg;

/* An input of the working graph that the forward body does not have. */
typedef struct Seed {
    const Node *input;
    BackArg     arg;
} Seed;

/* What the backward scan returns for an argument of the forward scan. */
typedef struct Part {
    Node       *node;                    /* in the working graph; NULL: nothing */
    OutputKind  kind;                    /* update: the final value of a carry; result: stacked */
    const char *name;
} Part;

typedef struct Backward {
    const Node *source;
    Grad  *inner;                        /* of the body */
    Graph *work;
    Vec(Seed) seeds;
    Part  *part;                         /* by argument */
    Saving saving;
    Graph *body;
    Vec(BackArg) args;                   /* in the order of the body's inputs */
} Backward;

/* A name of no input and of no result of the forward body. */
static const char *fresh_name(const Backward *b, const char *name)
{
    const Graph *region = b->source->region;
    bool taken = graph_find_input(b->work, name) != NULL;
    for (int k = 0; k < region->outputs.count; k++) taken = taken || !strcmp(region->outputs.at[k].name, name);
    return taken ? fresh_name(b, arena_print(b->work->arena, "%s'", name)) : name;
}

static Node *add_seed(Backward *b, Storage storage, const char *of, Type type, BackArg arg)
{
    Arena *arena = b->work->arena;
    Node *input = make_input(b->work, storage, fresh_name(b, arena_print(arena, "d.%s", of)), type);
    vec_push(arena, &b->seeds, ((Seed){input, arg}));
    return input;
}

/* ---- the working graph ---- */

/* The gradients that come in. Those of carries are parts that go out again. */
static void add_seeds(Backward *b)
{
    const Node *scan = b->source;
    int carries = scan_carry_count(scan);
    for (int k = 0; k < scan_result_count(scan); k++) {
        const Output *output = scan_output(scan, k);
        if (!b->inner->flow->pick[k]) continue;
        Storage storage = k < carries ? STORE_carry : STORE_each;
        Node *d = add_seed(b, storage, output->name, output->node->type, (BackArg){.from = FROM_gradient, .number = k});
        grad_add(b->inner, output->node, d);
        if (k < carries) b->part[scan_argument(scan, scan_carry(scan, k))] = (Part){NULL, OUTPUT_update, d->attr.text};
    }
}

/* Narrow floats are added up in f32. */
static Type sum_type(Type type)
{
    bool narrow = type.dtype == DT_bf16 || type.dtype == DT_f16;
    return narrow ? type_with(type, DT_f32) : type;
}

static void add_part(Backward *b, int argument)
{
    const Node *input = scan_input(b->source, argument);
    Part *part = &b->part[argument];
    Node *d = b->inner->gradient[input->id];
    build_at(b->work, input);
    if (part->name) part->node = d ? d : make_full(b->work, input->type, 0.0);
    if (part->name || !d) return;
    if (input->attr.storage == STORE_each) {
        *part = (Part){d, OUTPUT_result, arena_print(b->work->arena, "d.%s", input->attr.text)};
        return;
    }
    Type type = sum_type(input->type);
    Node *sum = add_seed(b, STORE_carry, input->attr.text, type, (BackArg){.from = FROM_zero, .type = type});
    Node *more = make_binary(b->work, OP_add, sum, make_cast(b->work, d, sum->type.dtype));
    *part = (Part){more, OUTPUT_update, sum->attr.text};
}

/* ---- what the backward body needs ---- */

/* Carries stay in the body even if nothing in it asks for them. */
static void mark_needed(Backward *b)
{
    Saving *s = &b->saving;
    for (int k = 0; k < b->source->arg_count; k++)
        if (b->part[k].node) s->needed[b->part[k].node->id] = true;
    for (int k = 0; k < b->seeds.count; k++)
        if (b->seeds.at[k].input->attr.storage == STORE_carry) s->needed[b->seeds.at[k].input->id] = true;
}

/* What the forward scan returns already is not saved again. */
static void find_saved(Backward *b)
{
    Saving *s = &b->saving;
    const Node *scan = b->source;
    s->work = b->work;
    s->needed = arena_array(b->work->arena, bool, b->work->nodes.count + 1);
    s->pick = arena_array(b->work->arena, int, b->work->nodes.count + 1);
    s->pick_count = scan_result_count(scan);
    for (int k = 0; k < b->work->nodes.count; k++) s->pick[k] = -1;
    for (int k = scan_carry_count(scan); k < s->pick_count; k++)
        s->pick[b->inner->copy[scan_output(scan, k)->node->id]->id] = k;
    mark_needed(b);
    saving_find(s);
}

/* ---- the two bodies ---- */

/* Stacking takes an axis: a value of the highest rank is saved flat. */
static Type saved_type(Graph *g, const Type *type)
{
    return type->rank < MAX_RANK ? *type : type_of(type->dtype, 1, (const Dim *[]){type_elements(g->dims, type)});
}

/* The forward nodes, and those that are only saved. */
static bool *find_forward(const Backward *b)
{
    const Saving *s = &b->saving;
    bool *forward = arena_array(b->work->arena, bool, b->work->nodes.count + 1);
    for (int k = 0; k < s->saved.count; k++) forward[s->saved.at[k]->id] = true;
    for (int k = b->work->nodes.count - 1; k >= 0; k--) {
        const Node *node = b->work->nodes.at[k];
        forward[k] = forward[k] || k < s->forward_count;
        for (int j = 0; forward[k] && j < node->arg_count; j++) forward[node->args[j]->id] = true;
    }
    return forward;
}

static Graph *forward_body(const Backward *b)
{
    const Graph *region = b->source->region;
    Graph *g = graph_like(b->work->arena, region);
    const bool *forward = find_forward(b);
    Node **copy = arena_array(g->arena, Node *, b->work->nodes.count + 1);
    for (int k = 0; k < b->work->nodes.count; k++)
        if (forward[k]) copy[k] = graph_copy_node(g, b->work->nodes.at[k], copy);
    for (int k = 0; k < region->outputs.count; k++) {
        const Output *output = &region->outputs.at[k];
        graph_output(g, output->kind, output->name, copy[b->inner->copy[output->node->id]->id]);
    }
    for (int k = 0; k < b->saving.saved.count; k++) {
        Node *value = copy[b->saving.saved.at[k]->id];
        build_at(g, value);
        graph_output(g, OUTPUT_result, fresh_name(b, arena_print(g->arena, "saved.%d", k)),
                     make_reshape(g, value, saved_type(g, &value->type)));
    }
    return g;
}

static Node *read_saved(Backward *b, const Node *value)
{
    int pick = b->saving.pick[value->id];
    const char *name = fresh_name(b, arena_print(b->work->arena, "value.%d", pick));
    vec_push(b->work->arena, &b->args, ((BackArg){.from = FROM_pick, .number = pick}));
    build_at(b->body, value);
    return make_reshape(b->body, make_input(b->body, STORE_each, name, saved_type(b->body, &value->type)), value->type);
}

static Node *copy_input(Backward *b, const Node *input)
{
    Node *copy = graph_rebuild(b->body, input, NULL);
    if (input->attr.storage == STORE_ambient) return copy;
    for (int k = 0; k < b->seeds.count; k++) {
        if (b->seeds.at[k].input != input) continue;
        vec_push(b->work->arena, &b->args, b->seeds.at[k].arg);
        return copy;
    }
    int argument = scan_argument(b->source, graph_find_input(b->source->region, input->attr.text));
    vec_push(b->work->arena, &b->args, ((BackArg){.from = FROM_argument, .number = argument}));
    return copy;
}

static void build_body(Backward *b)
{
    b->body = graph_like(b->work->arena, b->work);
    Node **copy = arena_array(b->work->arena, Node *, b->work->nodes.count + 1);
    for (int k = 0; k < b->work->nodes.count; k++) {
        const Node *node = b->work->nodes.at[k];
        if (!b->saving.needed[k]) continue;
        if (b->saving.pick[k] >= 0)
            copy[k] = read_saved(b, node);
        else
            copy[k] = node->op == OP_input ? copy_input(b, node) : graph_copy_node(b->body, node, copy);
    }
    for (int k = 0; k < b->source->arg_count; k++) {
        const Part *part = &b->part[k];
        if (part->node) graph_output(b->body, part->kind, part->name, copy[part->node->id]);
    }
}

/* ---- the two scans ---- */

static bool may_end_early(const Node *scan, Diagnostics *d)
{
    if (!scan->attr.axis) return false;
    const Origin *origin = scan->origin_count ? scan->origins[0] : NULL;
    diag_error(d, origin ? origin->place : (Place){0}, "no gradient goes through a scan with `until`, but the loss "
               "depends on a parameter through this one");
    if (origin) diag_chain(d, origin);
    return true;
}

ScanGrad *scan_grad_begin(Grad *grad, const Node *scan)
{
    if (may_end_early(scan, grad->d)) return NULL;
    Graph *g = grad->g;
    Backward *b = arena_new_of(g->arena, Backward);
    b->source = scan;
    b->part = arena_array(g->arena, Part, scan->arg_count + 1);
    b->work = graph_like(g->arena, scan->region);
    b->inner = grad_begin(b->work, grad->flow->body[scan->id], grad->d);
    b->saving.forward_count = b->work->nodes.count;
    build_at(b->work, scan);
    add_seeds(b);
    grad_finish(b->inner);
    for (int k = 0; k < scan->arg_count; k++) add_part(b, k);
    find_saved(b);
    build_body(b);
    ScanGrad *s = arena_new_of(g->arena, ScanGrad);
    s->source = scan;
    s->backward = b;
    s->gradient = arena_array(g->arena, Node *, scan_result_count(scan) + 1);
    Node **args = arena_array(g->arena, Node *, scan->arg_count + 1);
    for (int k = 0; k < scan->arg_count; k++) args[k] = grad->copy[scan->args[k]->id];
    build_at(g, scan);
    s->forward = make_scan(g, args, scan->arg_count, &scan->attr, forward_body(b));
    graph_add_origins(g, s->forward, scan);
    for (int k = 0; k < b->args.count; k++)            /* forward nodes, also to the gradient of a scan around */
        if (b->args.at[k].from == FROM_pick) make_pick(g, s->forward, b->args.at[k].number);
    return s;
}

static Node *find_argument(Graph *g, const ScanGrad *s, int k)
{
    BackArg arg = s->backward->args.at[k];
    switch (arg.from) {
    case FROM_argument: return s->forward->args[arg.number];
    case FROM_pick: return make_pick(g, s->forward, arg.number);
    case FROM_zero: return make_full(g, arg.type, 0.0);
    case FROM_gradient:
        if (s->gradient[arg.number]) return s->gradient[arg.number];
        return make_full(g, make_pick(g, s->forward, arg.number)->type, 0.0);
    }
    return NULL;
}

/* By argument the pick of its part, -1 for none: those of carries as these stand among the inputs, then the results as
 * they were put out, in the order of the arguments. */
static int *number_picks(const Backward *b)
{
    Arena *arena = b->work->arena;
    Map *carries = map_new(arena);
    int *pick = arena_array(arena, int, b->source->arg_count + 1);
    int *carry = arena_array(arena, int, b->body->inputs.count + 1), count = 0;
    for (int k = 0; k < b->body->inputs.count; k++) {
        if (b->body->inputs.at[k]->attr.storage != STORE_carry) continue;
        carry[count] = count;
        map_set(carries, b->body->inputs.at[k]->attr.text, &carry[count++]);
    }
    for (int k = 0; k < b->source->arg_count; k++) {
        const Part *part = &b->part[k];
        pick[k] = !part->node ? -1 : part->kind == OUTPUT_result ? count++ : *(int *)map_get(carries, part->name);
    }
    return pick;
}

static bool has_gradient(const ScanGrad *s)
{
    for (int k = 0; k < scan_result_count(s->source); k++)
        if (s->gradient[k]) return true;
    return false;
}

void scan_grad_finish(Grad *grad, const ScanGrad *s)
{
    const Backward *b = s->backward;
    Graph *g = grad->g;
    if (!has_gradient(s) || b->body->outputs.count == 0) return;
    Node **args = arena_array(g->arena, Node *, b->args.count + 1);
    for (int k = 0; k < b->args.count; k++) args[k] = find_argument(g, s, k);
    Attr attr = {.i = !s->source->attr.i, .count = s->source->attr.count};
    Node *scan = make_scan(g, args, b->args.count, &attr, b->body);
    const int *pick = number_picks(b);
    for (int k = 0; k < s->source->arg_count; k++) {
        const Part *part = &b->part[k];
        if (!part->node || !grad->flow->active[s->source->args[k]->id]) continue;
        Node *d = make_pick(g, scan, pick[k]);
        grad_add(grad, s->source->args[k], make_cast(g, d, s->source->args[k]->type.dtype));
    }
}
