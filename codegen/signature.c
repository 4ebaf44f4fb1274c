/* Canonical text of kernels. */
#include "codegen/signature.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static Member **find_slot(const Signature *s, const Node *node)
{
    unsigned at = (unsigned)((uintptr_t)node >> 4) * 2654435761u;
    for (;; at++) {
        Member **slot = &s->slots[at & (unsigned)(s->slot_count - 1)];
        if (!*slot || (*slot)->node == node) return slot;
    }
}

static Member *add_member(Arena *arena, Signature *s, const Node *node)
{
    Member **slot = find_slot(s, node);
    if (!*slot) {
        *slot = arena_new_of(arena, Member);
        **slot = (Member){.node = node, .number = -1, .place = -1, .key = -1, .site = -1};
    }
    return *slot;
}

const Member *signature_member(const Signature *s, const Node *node) { return *find_slot(s, node); }

bool signature_is_stored(const Signature *s, const Node *node)
{
    const Member *member = signature_member(s, node);
    return member && !member->inside;
}

bool signature_contracts(const Signature *s, const Node *node) { return s->plan->contracted[node->id]; }

/* Text that grows in the arena. */
typedef struct Text {
    Arena *arena;
    Vec(char) bytes;
} Text;

static void __attribute__((format(printf, 2, 3))) put(Text *text, const char *format, ...)
{
    char piece[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    assert(length >= 0 && length < (int)sizeof piece);
    for (int k = 0; k < length; k++) vec_push(text->arena, &text->bytes, piece[k]);
}

static void put_shape(Text *text, const Type *type)
{
    put(text, "[");
    for (int k = 0; k < type->rank; k++) put(text, "%" PRId64 ",", dim_value(type->dim[k]));
    put(text, "]");
}

static void put_attributes(Text *text, const Node *node)
{
    const Attr *attr = &node->attr;
    put(text, " x%d a%x s%d", attr->axis, attr->axes, attr->storage);
    put(text, " i%" PRId64 " f%a m", attr->i, attr->f);
    for (int k = 0; k < MAX_RANK; k++) put(text, "%d,", attr->map[k]);
    put(text, " b");
    for (int k = 0; k < MAX_RANK; k++)
        put(text, "%" PRId64 ":%" PRId64 ",", attr->start[k] ? dim_value(attr->start[k]) : 0, attr->step[k]);
}

static int add_word(Arena *arena, Signature *s, WordKind kind, const Node *node)
{
    vec_push(arena, &s->words, ((Word){kind, node}));
    return s->words.count - 1;
}

static bool is_draw(const Node *node) { return node->op == OP_uniform || node->op == OP_integers; }
static bool is_indexing(const Node *node) { return node->op == OP_gather || node->op == OP_scatter; }

/* Numbers the arguments, then the node. */
static void put_node(Text *text, Signature *s, const Node *node)
{
    Member *member = add_member(text->arena, s, node);
    if (member->number >= 0) return;
    assert(member->inside || s->plan->buffer_of[node->id]);
    for (int k = 0; member->inside && k < node->arg_count; k++) put_node(text, s, node->args[k]);
    member->number = s->members.count;
    vec_push(text->arena, &s->members, member);
    put(text, "%d %s %s", member->number, member->inside ? op_name(node->op) : "stored", dtype_name(node->type.dtype));
    bool scalar = type_value_elements(&node->type) == 1;
    if (!s->flat || scalar) put_shape(text, &node->type);
    if (!member->inside || member->output) member->place = add_word(text->arena, s, WORD_place, node);
    if (member->inside) {
        if (is_draw(node)) member->key = add_word(text->arena, s, WORD_key, node);
        if (is_indexing(node)) member->site = add_word(text->arena, s, WORD_site, node);
        if (!s->flat || node->arg_count == 0) put_attributes(text, node);
        for (int k = 0; k < node->arg_count; k++) put(text, " %%%d", signature_member(s, node->args[k])->number);
        if (member->keep) put(text, " keep");
        if (signature_contracts(s, node)) put(text, " contracted");
    }
    put(text, "\n");
}

static int64_t space_elements(const Kernel *kernel)
{
    int64_t count = 1;
    for (int k = 0; k < kernel->a_rank; k++) count *= dim_value(kernel->space[k]);
    return count;
}

/* One element made of single elements: whatever its attributes say, it reads element 0 of each. */
static bool is_flat_scalar(const Node *node)
{
    for (int k = 0; k < node->arg_count; k++)
        if (type_value_elements(&node->args[k]->type) != 1) return false;
    return op_is_element(node->op) || op_is_movement(node->op) || node->arg_count == 0 || node->op == OP_cast;
}

/* Whether a node inside a map reads and computes element i for element i of the map, or one value for all of them. */
static bool is_flat_node(const Signature *s, const Node *node, int64_t elements, const Type *shape)
{
    int64_t own = type_value_elements(&node->type);
    if (own == 1) return is_flat_scalar(node);
    /* a result of another shape has its own order of axes, which the nest keeps apart */
    if (own != elements || !type_same_shape(&node->type, shape)) return false;
    if (node->op == OP_reshape) return signature_is_stored(s, node->args[0]);
    if (node->op == OP_expand) return type_value_elements(&node->args[0]->type) == 1;
    /* draws with an index count the elements */
    if (node->op == OP_uniform) return node->arg_count == 2;
    return op_is_element(node->op) || node->op == OP_cast || node->op == OP_stop;
}

static bool is_flat(const Signature *s)
{
    const Kernel *kernel = s->kernel;
    if (kernel->kind != KERNEL_loop || kernel->r_rank > 0 || kernel->c_rank > 0) return false;
    int64_t elements = space_elements(kernel);
    const Type *shape = &kernel->outputs.at[0]->type;
    if (elements < 2) return false;
    for (int k = 0; k < kernel->nodes.count; k++)
        if (!is_flat_node(s, kernel->nodes.at[k], elements, shape)) return false;
    for (int k = 0; k < kernel->inputs.count; k++) {
        int64_t own = type_value_elements(&kernel->inputs.at[k]->type);
        if (own != 1 && own != elements) return false;
    }
    return true;
}

/* What the code of a flat kernel knows of its extent. */
static const char *flat_extent(int64_t elements)
{
    return elements == 1 ? "one" : elements % 16 == 0 ? "whole" : elements < 16 ? "small" : "any";
}

static void put_space(Text *text, const Signature *s)
{
    const Kernel *kernel = s->kernel;
    if (s->flat) {
        put(text, "flat %s\n", flat_extent(space_elements(kernel)));
        return;
    }
    put(text, "kind %d ranks %d %d %d", (int)kernel->kind, kernel->a_rank, kernel->r_rank, kernel->c_rank);
    for (int k = 0; k < kernel->a_rank + kernel->r_rank + kernel->c_rank; k++)
        put(text, " %" PRId64, dim_value(kernel->space[k]));
    if (s->tiles.columns) put(text, " tiles %" PRId64 " of %" PRId64, s->tiles.wide, s->tiles.columns);
    put(text, s->in_place ? " in place\n" : "\n");
}

static bool same_memory(const Signature *s, const Node *a, const Node *b)
{
    const Buffer *x = kernel_buffer(s->plan, s->kernel, a), *y = kernel_buffer(s->plan, s->kernel, b);
    if (!x || !y || x->block != y->block) return false;
    return x->block == MEMORY_bound ? buffer_home(x) == buffer_home(y) : x->offset == y->offset;
}

/* A copy moves bytes, whatever they mean: its text has their width only. */
static Signature *copy_signature(Arena *arena, Signature *s)
{
    const Node *from = s->kernel->inputs.at[0], *to = s->kernel->outputs.at[0];
    s->flat = true;
    add_member(arena, s, from)->place = add_word(arena, s, WORD_place, from);
    add_member(arena, s, to)->place = add_word(arena, s, WORD_place, to);
    s->text =
        arena_print(arena, "copy %d %s", dtype_bytes(to->type.dtype), flat_extent(type_value_elements(&to->type)));
    return s;
}

Signature *signature_new(Arena *arena, const Plan *plan, const Kernel *kernel)
{
    return signature_tiled(arena, plan, kernel, (Tiles){0});
}

Signature *signature_tiled(Arena *arena, const Plan *plan, const Kernel *kernel, Tiles tiles)
{
    Signature *s = arena_new_of(arena, Signature);
    *s = (Signature){.plan = plan, .kernel = kernel, .slot_count = 64};
    if (kernel->r_rank == 0) s->tiles = tiles;
    while (s->slot_count < 8 * (kernel->nodes.count + kernel->inputs.count)) s->slot_count *= 2;
    s->slots = arena_array(arena, Member *, s->slot_count);
    if (kernel->kind == KERNEL_copy) return copy_signature(arena, s);
    for (int k = 0; k < kernel->inputs.count; k++) add_member(arena, s, kernel->inputs.at[k]);
    for (int k = 0; k < kernel->nodes.count; k++) {
        Member *member = add_member(arena, s, kernel->nodes.at[k]);
        member->inside = true;
        member->pass = kernel->pass[k];
    }
    for (int k = 0; k < kernel->keep.count; k++) add_member(arena, s, kernel->keep.at[k])->keep = true;
    for (int k = 0; k < kernel->outputs.count; k++) add_member(arena, s, kernel->outputs.at[k])->output = true;
    s->flat = !s->tiles.columns && is_flat(s);
    if (kernel->kind == KERNEL_scatter) {
        const Node *scatter = kernel->outputs.at[0];
        s->in_place = signature_is_stored(s, scatter->args[0]) && same_memory(s, scatter, scatter->args[0]);
    }
    Text text = {.arena = arena};
    put_space(&text, s);
    for (int k = 0; k < kernel->outputs.count; k++) put_node(&text, s, kernel->outputs.at[k]);
    put(&text, "out");
    for (int k = 0; k < kernel->outputs.count; k++)
        put(&text, " %d", signature_member(s, kernel->outputs.at[k])->number);
    vec_push(arena, &text.bytes, '\0');
    s->text = text.bytes.at;
    return s;
}
