/* Proves a plan right, from the kernels alone: values are written before they are read and by one kernel, every
 * output is covered, whatever a kernel needs it computes or reads, and no two values that are alive at one time
 * share bytes unless one legally takes the other's place. The body of a scan is a plan that is proved the same way; its
 * inputs and outputs lie where the loop says. What `schedule` and `plan` fill in is checked once it is there. */
#include "ir/contraction.h"
#include "ir/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct Proof {
    const Plan *p;
    const Kernel *loop;                  /* the scan whose body this is, or NULL */
    Arena *arena;
    int *writer; /* kernel that writes a buffer, by its id; -1: filled before the step; -2: nobody */
    int   *last_read;                    /* last kernel that reads it; -1: none */
    int   *copied;                       /* kernel that copies into it; -1: none */
    int   *inside;                       /* by node id: 1 + the kernel that has the node at hand */
} Proof;

static const char *say_node(const Proof *v, const Kernel *k, const Node *n, const char *what)
{
    return arena_print(v->arena, "kernel %d (%s): %%%u %s %s", k->id, kernel_kind_name(k), n->id, op_name(n->op), what);
}

static const char *say_buffer(const Proof *v, const Buffer *b, const char *what)
{
    return arena_print(v->arena, "buffer b%d (%%%u %s): %s", b->id, b->node->id, op_name(b->node->op), what);
}

static Buffer *buffer_at(const Proof *v, const Node *n) { return v->p->buffer_of[n->id]; }

/* ---- kernels ---- */

static const char *check_inputs(Proof *v, const Kernel *k, int position)
{
    for (int i = 0; i < k->inputs.count; i++) {
        const Node *n = k->inputs.at[i];
        const Buffer *b = kernel_buffer(v->p, k, n);
        if (!b) return say_node(v, k, n, "is read but not stored");
        if (v->writer[b->id] == -2 || v->writer[b->id] == position)
            return say_node(v, k, n, "is read before it is written");
        v->last_read[b->id] = position;
        v->inside[n->id] = position + 1;
    }
    return NULL;
}

static const char *check_nodes(Proof *v, const Kernel *k, int position)
{
    for (int i = 0; i < k->nodes.count; i++) {
        const Node *n = k->nodes.at[i];
        for (int j = 0; j < n->arg_count; j++)
            if (v->inside[n->args[j]->id] != position + 1)
                return say_node(v, k, n, "has an argument that is neither read nor computed");
        v->inside[n->id] = position + 1;
    }
    return NULL;
}

static const char *check_copy(Proof *v, const Kernel *k, int position)
{
    if (v->loop) return "the body of a scan has no copies: the loop moves its carries";
    if (k->inputs.count != 1 || k->outputs.count != 1 || k->nodes.count)
        return "a copy has one input, one output and no nodes";
    const Node *from = k->inputs.at[0], *to = k->outputs.at[0];
    if (to->op != OP_input || !buffer_at(v, to)) return say_node(v, k, to, "is copied to but is no input");
    if (type_value_bytes(&from->type) != type_value_bytes(&to->type))
        return say_node(v, k, to, "gets a copy of another size");
    if (v->copied[buffer_at(v, to)->id] >= 0) return say_node(v, k, to, "is copied to twice");
    v->copied[buffer_at(v, to)->id] = position;
    return NULL;
}

/* Every part of an output that a map writes in parts has one element for each of the map's. */
static bool are_parts(const Kernel *k, const Node *output)
{
    if (kernel_parts(k, output) == 1) return true;
    bool parts = output->op == OP_concat;
    for (int i = 0; i < output->arg_count; i++)
        parts = parts && type_value_elements(&output->args[i]->type) == kernel_extent(k, 0, k->a_rank);
    return parts;
}

static const char *check_outputs(Proof *v, const Kernel *k, int position)
{
    if (k->kind == KERNEL_copy) return check_copy(v, k, position);
    for (int i = 0; i < k->outputs.count; i++) {
        const Node *n = k->outputs.at[i];
        const Buffer *b = kernel_buffer(v->p, k, n);
        bool computed = false;
        for (int j = 0; j < k->nodes.count; j++) computed = computed || k->nodes.at[j] == n;
        if (!computed) return say_node(v, k, n, "is written but not computed");
        if (!b || b->node != n) return say_node(v, k, n, "is written without a buffer of its own");
        if (!are_parts(k, n)) return say_node(v, k, n, "has another number of elements than its kernel");
        if (v->writer[b->id] != -2) return say_node(v, k, n, "is written twice");
        v->writer[b->id] = position;
    }
    return k->outputs.count ? NULL : arena_print(v->arena, "kernel %d writes nothing", k->id);
}

static bool holds(Node *const *at, int count, const Node *node)
{
    for (int i = 0; i < count; i++)
        if (at[i] == node) return true;
    return false;
}

/* The room for the parts of a product, from `schedule` on. */
static const char *check_parts(Proof *v, const Kernel *k, int position, const Contraction *c)
{
    const Node *e = k->nodes.at[k->nodes.count - 1];
    int64_t bytes = contraction_tiling(c).partial_elements * dtype_bytes(e->type.dtype);
    if (k->parts < 0) return bytes ? say_node(v, k, e, "has no room for its parts") : NULL;
    if (k->parts >= v->p->buffers.count || v->writer[k->parts] != -2 || v->p->buffers.at[k->parts]->node != e)
        return say_node(v, k, e, "has its parts where another value lies");
    v->writer[k->parts] = v->last_read[k->parts] = position;
    return v->p->buffers.at[k->parts]->bytes == bytes ? NULL : say_node(v, k, e, "has room for other parts");
}

static const char *check_product(Proof *v, const Kernel *k, int position)
{
    View a, b;
    Contraction c;
    if (k->kind != KERNEL_contract) return NULL;
    if (!kernel_product(k, &a, &b, &c))
        return say_node(v, k, k->nodes.at[k->nodes.count - 1], "is no product of what its kernel reads");
    return v->p->order ? check_parts(v, k, position, &c) : NULL;
}

/* A product that is rounded with its sum has no value that could be stored or kept. */
static const char *check_contracted(const Proof *v, const Kernel *k)
{
    for (int i = 0; v->p->contracted && i < k->nodes.count; i++) {
        const Node *n = k->nodes.at[i];
        if (!v->p->contracted[n->id]) continue;
        bool own = n->op != OP_mul || buffer_at(v, n) || holds(k->keep.at, k->keep.count, n);
        if (own) return say_node(v, k, n, "is contracted, but has a value of its own");
    }
    return NULL;
}

/* ---- loops ---- */

static const char *check_loop_memory(const Proof *v, const Kernel *k, const Node *scan)
{
    int64_t end = k->body->block_bytes[MEMORY_work], bytes = kernel_buffer(v->p, k, scan)->bytes;
    for (int i = 0; i < scan_result_count(scan); i++) {
        bool turns = i < scan_carry_count(scan) && !kernel_carry_in_place(k, i);
        const int64_t places[] = {k->home[i], k->spare[i]};
        bool wanted[] = {!kernel_pick(k, i), turns};
        for (int j = 0; j < 2; j++) {
            if (!wanted[j] && places[j] != -1) return say_node(v, k, scan, "has room for a result that needs none");
            if (!wanted[j]) continue;
            if (places[j] < end || places[j] % 64)
                return say_node(v, k, scan, "has results that overlap in its memory");
            end = places[j] + type_value_bytes(&scan_output(scan, i)->node->type);
        }
    }
    return end > bytes ? say_node(v, k, scan, "has less memory than its loop needs") : NULL;
}

static const char *verify(const Plan *p, const Kernel *loop, Arena *arena);

static const char *check_loop(const Proof *v, const Kernel *k)
{
    if (k->kind != KERNEL_scan) return NULL;
    const Node *scan = k->outputs.at[k->outputs.count - 1];
    if (scan->op != OP_scan) return say_node(v, k, scan, "is the last output of a loop, but no scan");
    for (int i = 0; i < k->nodes.count; i++) {
        const Node *n = k->nodes.at[i];
        if (n != scan && (n->op != OP_pick || n->args[0] != scan)) return say_node(v, k, n, "is no part of the loop");
    }
    if (!k->body || k->body->graph != scan->region) return say_node(v, k, scan, "has no plan of its body");
    const char *wrong = verify(k->body, k, v->arena);
    if (wrong) return arena_print(v->arena, "in the body of kernel %d: %s", k->id, wrong);
    return v->p->order ? check_loop_memory(v, k, scan) : NULL;
}

static const char *check_kernels(Proof *v)
{
    for (int position = 0; position < v->p->kernels.count; position++) {
        const Kernel *k = v->p->kernels.at[position];
        const char *wrong = check_inputs(v, k, position);
        if (!wrong) wrong = check_nodes(v, k, position);
        if (!wrong) wrong = check_outputs(v, k, position);
        if (!wrong) wrong = check_product(v, k, position);
        if (!wrong) wrong = check_loop(v, k);
        if (!wrong) wrong = check_contracted(v, k);
        if (wrong) return wrong;
    }
    return NULL;
}

/* ---- outputs ---- */

static const char *check_update(const Proof *v, const Output *o, const Buffer *b)
{
    const Node *input = graph_find_input(v->p->graph, o->name);
    if (!input || !buffer_at(v, input)) return arena_print(v->arena, "update \"%s\": there is no such input", o->name);
    const Buffer *place = buffer_at(v, input);
    if (!v->p->order || buffer_home(b) == place) return NULL;
    int copy = v->copied[place->id];
    bool copied = copy >= 0 && buffer_at(v, v->p->kernels.at[copy]->inputs.at[0]) == b;
    return copied ? NULL : arena_print(v->arena, "update \"%s\": the new value never reaches its place", o->name);
}

/* The loop places the outputs of its body one by one; a new value may lie in the place of the old one only. */
static const char *check_body_output(const Proof *v, const Output *o, const Buffer *b)
{
    const Plan *p = v->p;
    if (b->node != o->node || o->node->op == OP_input) return say_buffer(v, b, "an output of a body shares its place");
    for (int k = 0; k < p->graph->outputs.count; k++)
        if (&p->graph->outputs.at[k] != o && p->graph->outputs.at[k].node == o->node)
            return say_buffer(v, b, "an output of a body shares its place");
    const Node *carry = o->kind == OUTPUT_update ? graph_find_input(p->graph, o->name) : NULL;
    bool astray = b->takes_over && (!carry || buffer_home(b) != buffer_at(v, carry));
    if (astray) return say_buffer(v, b, "an output of a body takes another value's place");
    return b->offset >= 0 && b->last < p->kernels.count ? say_buffer(v, b, "an output does not live to the end") : NULL;
}

static const char *check_results(const Proof *v)
{
    const Graph *g = v->p->graph;
    for (int k = 0; k < g->outputs.count; k++) {
        const Output *o = &g->outputs.at[k];
        const Buffer *b = buffer_at(v, o->node);
        if (!b || v->writer[b->id] == -2) return arena_print(v->arena, "output \"%s\" is not computed", o->name);
        const char *wrong = v->loop                     ? check_body_output(v, o, b)
                            : o->kind == OUTPUT_update ? check_update(v, o, b)
                                                       : NULL;
        if (wrong) return wrong;
        bool ends = o->kind == OUTPUT_result && b->offset >= 0 && b->last < v->p->kernels.count;
        if (ends) return say_buffer(v, b, "a result does not live to the end");
        if (o->kind == OUTPUT_result && v->copied[b->id] >= 0) return say_buffer(v, b, "a result is copied over");
    }
    return NULL;
}

/* ---- places ---- */

/* Whoever loses its bytes has been read for the last time, by this kernel at the element it writes, or earlier. */
static const char *check_take_over(const Proof *v, const Buffer *b)
{
    const Buffer *old = b->takes_over;
    int at = v->writer[b->id];
    if (at < 0) return say_buffer(v, b, "takes over but is not written");
    if (v->last_read[old->id] > at) return say_buffer(v, b, "takes over a value that is still read");
    if (v->copied[old->id] >= 0) return say_buffer(v, b, "takes over a value that is copied to");
    if (!kernel_may_take_over(v->p, v->p->kernels.at[at], b->node, old))
        return say_buffer(v, b, "takes over a value that its kernel reads at other elements");
    return NULL;
}

static const char *check_copies(const Proof *v)
{
    bool *taken = arena_array(v->arena, bool, v->p->buffers.count + 1);
    for (int k = 0; k < v->p->buffers.count; k++) {
        const Buffer *b = v->p->buffers.at[k];
        if (b->takes_over && taken[b->takes_over->id]) return say_buffer(v, b, "takes a place that another one took");
        if (b->takes_over) taken[b->takes_over->id] = true;
        if (v->copied[k] >= 0 && v->last_read[k] > v->copied[k])
            return say_buffer(v, b, "is read after it was copied over");
        const char *wrong = b->takes_over ? check_take_over(v, b) : NULL;
        if (wrong) return wrong;
    }
    return NULL;
}

/* Room that a kernel has for itself, beside the value of its node. */
static bool is_room(const Proof *v, const Buffer *b)
{
    int writer = v->writer[b->id];
    return b->node->op == OP_scan || (writer >= 0 && v->p->kernels.at[writer]->parts == b->id);
}

/* An input or output of a body, which the loop places, or on the way from one to the other. */
static bool is_bound(const Proof *v, const Buffer *b)
{
    const Graph *g = v->p->graph;
    if (b->takes_over && b->takes_over->block == MEMORY_bound) return true;
    if (buffer_at(v, b->node) != b) return false;
    bool bound = v->loop && b->node->op == OP_input && b->node->attr.storage != STORE_ambient;
    for (int k = 0; v->loop && k < g->outputs.count; k++) bound = bound || g->outputs.at[k].node == b->node;
    return bound;
}

static const char *check_block(const Proof *v, const Buffer *b)
{
    if (b->offset < 0 || b->offset % 64) return say_buffer(v, b, "has no place, or one that is not aligned");
    if (is_bound(v, b) != (b->block == MEMORY_bound))
        return say_buffer(v, b, "lies where a loop would place it, or not");
    if (b->block == MEMORY_bound) return b->offset ? say_buffer(v, b, "does not begin where the loop says") : NULL;
    if ((unsigned)b->block >= MEMORY_COUNT || b->offset + b->bytes > v->p->block_bytes[b->block])
        return say_buffer(v, b, "reaches past its block");
    return NULL;
}

static const char *check_place(const Proof *v, const Buffer *b)
{
    const char *wrong = check_block(v, b);
    if (wrong) return wrong;
    bool sized = is_room(v, b) || b->bytes == type_value_bytes(&b->node->type);
    if (!sized) return say_buffer(v, b, "has not the size of its value");
    int writer = v->writer[b->id], end = v->p->kernels.count;
    if (b->first > writer || b->last < writer || b->last < v->last_read[b->id])
        return say_buffer(v, b, "is used outside of its lifetime");
    int storage = b->node->attr.storage;
    bool stays = b->node->op == OP_input &&
                 (storage == STORE_ambient || storage == STORE_const || v->copied[b->id] >= 0);
    if (stays && b->last < end) return say_buffer(v, b, "an input that stays does not live to the end");
    return NULL;
}

static int by_place(const void *x, const void *y)
{
    const Buffer *a = *(Buffer *const *)x, *b = *(Buffer *const *)y;
    if (a->block != b->block) return a->block - b->block;
    if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
    return a->id - b->id;
}

static bool hands_over(const Buffer *a, const Buffer *b)
{
    return b->takes_over == a && a->offset == b->offset && a->bytes == b->bytes && a->last <= b->first;
}

static const char *check_overlap(const Proof *v)
{
    int count = v->p->buffers.count;
    Buffer **at = arena_array(v->arena, Buffer *, count + 1);
    if (count) memcpy(at, v->p->buffers.at, sizeof *at * (size_t)count);
    if (count > 1) qsort(at, (size_t)count, sizeof *at, by_place);
    for (int i = 0; i < count; i++)
        for (int j = i + 1; j < count; j++) {
            const Buffer *a = at[i], *b = at[j];
            if (a->block != b->block || a->block == MEMORY_bound || b->offset >= a->offset + a->bytes) break;
            if (b->bytes == 0 || a->last < b->first || b->last < a->first || hands_over(a, b) || hands_over(b, a))
                continue;
            return arena_print(v->arena,
                               "buffers b%d and b%d overlap at %s + %" PRId64 " and are both alive at kernel %d", a->id,
                               b->id, block_name(a->block), b->offset, a->first > b->first ? a->first : b->first);
        }
    return NULL;
}

static const char *check_places(const Proof *v)
{
    for (int k = 0; k < v->p->buffers.count; k++) {
        const char *wrong = check_place(v, v->p->buffers.at[k]);
        if (wrong) return wrong;
    }
    return check_overlap(v);
}

static const char *verify(const Plan *p, const Kernel *loop, Arena *arena)
{
    int count = p->buffers.count;
    Proof v = {p, loop, arena, arena_array(arena, int, count + 1), arena_array(arena, int, count + 1),
               arena_array(arena, int, count + 1), arena_array(arena, int, p->graph->nodes.count + 1)};
    for (int k = 0; k < count; k++) {
        v.writer[k] = p->buffers.at[k]->node->op == OP_input ? -1 : -2;
        v.last_read[k] = v.copied[k] = -1;
        if (p->buffers.at[k]->id != k) return "buffers are not numbered in order";
    }
    const char *wrong = check_kernels(&v);
    if (!wrong) wrong = check_results(&v);
    if (!wrong) wrong = check_copies(&v);
    bool planned = count > 0 && p->buffers.at[0]->offset >= 0;
    if (!wrong && planned) wrong = check_places(&v);
    return wrong;
}

const char *plan_verify(const Plan *p, Arena *arena) { return verify(p, NULL, arena); }
