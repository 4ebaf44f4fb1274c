/* Values of a loop's body computed outside: once, for every place at once, or added up over all iterations. A lifted
 * value has the places as its first axis; arguments that are the same in every iteration stay as they are where the
 * operator allows it (a contraction), else they are spread. */
#include "passes/simplify_scan.h"

#include <assert.h>
#include <string.h>

static Type stacked_type(const Loop *l, const Type *type)
{
    Type wide = {.dtype = type->dtype, .rank = type->rank + 1, .dim = {l->attr->count}};
    for (int k = 0; k < type->rank; k++) wide.dim[k + 1] = type->dim[k];
    return wide;
}

/* Of a node that stands for one of the body: made at the same places. */
static Node *with_origins(Loop *l, Node *made, const Node *node)
{
    if (!splat_of(made)) graph_add_origins(l->g, made, node);
    return made;
}

/* x in every iteration: the places are a new first axis. */
static Node *spread_over_places(Loop *l, Node *x)
{
    int8_t map[MAX_RANK];
    for (int k = 0; k < x->type.rank; k++) map[k] = (int8_t)(k + 1);
    return make_expand(l->g, x, map, stacked_type(l, &x->type));
}

/* ---- once ---- */

/* An `each` argument that has the same element at all places, without the axis of the places. */
static Node *without_places(Loop *l, const Node *expand, Type type)
{
    Node *x = expand->args[0];
    int8_t map[MAX_RANK] = {0};
    int first = x->type.rank > 0 && expand->attr.map[0] == 0;
    Type rest = {.dtype = x->type.dtype};
    for (int k = first; k < x->type.rank; k++) {
        map[rest.rank] = (int8_t)(expand->attr.map[k] - 1);
        rest.dim[rest.rank++] = x->type.dim[k];
    }
    Node *element = make_reshape(l->g, x, rest);
    return type_equal(&element->type, &type) ? element : make_expand(l->g, element, map, type);
}

static Node *whole_input(Loop *l, const Node *input)
{
    Node *arg = l->args[input->id];
    if (input->attr.storage != STORE_each) return arg;
    if (arg->op == OP_iota) return make_iota(l->g, input->type, arg->attr.axis - 1);
    return without_places(l, arg, input->type);
}

Node *loop_make_whole(Loop *l, const Node *node)
{
    assert(!loop_varies(l, node));
    if (node->op == OP_input) return whole_input(l, node);
    Node **args = arena_array(l->g->arena, Node *, node->arg_count + 1);
    for (int k = 0; k < node->arg_count; k++) args[k] = loop_whole(l, node->args[k]);
    return graph_rebuild(l->g, node, args);
}

/* ---- for every place ---- */

/* The attributes of the same operator with one more axis before the others. */
static Attr shifted_attr(const Loop *l, const Node *node)
{
    Attr attr = node->attr;
    int rank = node->arg_count ? node->args[0]->type.rank : 0;
    attr.axis++;
    attr.axes <<= 1;
    attr.map[0] = 0;
    attr.start[0] = dim_int(l->g->dims, 0);
    if (node->op == OP_slice) attr.step[0] = 1;
    for (int k = 0; k < rank; k++) {
        attr.map[k + 1] = (int8_t)(node->attr.map[k] + 1);
        attr.start[k + 1] = node->attr.start[k];
        if (node->op == OP_slice) attr.step[k + 1] = node->attr.step[k];
    }
    return attr;
}

static Node *lift_shifted(Loop *l, const Node *node)
{
    Node **args = arena_array(l->g->arena, Node *, node->arg_count + 1);
    for (int k = 0; k < node->arg_count; k++) args[k] = loop_every(l, node->args[k]);
    Attr attr = shifted_attr(l, node);
    Type type = stacked_type(l, &node->type);
    return build(l->g, node->op, args, node->arg_count, &attr, &type);
}

static Node *lift_element(Loop *l, const Node *node)
{
    Node *args[3];
    for (int k = 0; k < node->arg_count; k++) args[k] = loop_every(l, node->args[k]);
    return build(l->g, node->op, args, node->arg_count, &node->attr, &node->type);
}

static char free_letter(const char *text)
{
    for (const char *letter = "tabcdefghijklmnopqrsuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"; *letter; letter++)
        if (!strchr(text, *letter)) return *letter;
    return 0;
}

/* The contraction with a letter for the places in each argument that has them; `result`: in the result too, else it is
 * summed over them as well. */
static Node *lift_einsum(Loop *l, const Node *node, bool in_result)
{
    const char *text = node->attr.text, *comma = strchr(text, ','), *arrow = strchr(text, '-');
    const char places[2] = {free_letter(text), 0}, *term[2];
    Node *args[2];
    for (int k = 0; k < 2; k++) {
        bool lifted = loop_varies(l, node->args[k]);
        args[k] = lifted ? loop_every(l, node->args[k]) : loop_whole(l, node->args[k]);
        term[k] = lifted ? places : "";
    }
    const char *equation = arena_print(l->g->arena, "%s%.*s,%s%.*s->%s%s", term[0], (int)(comma - text), text, term[1],
                                       (int)(arrow - comma - 1), comma + 1, in_result ? places : "", arrow + 2);
    return make_einsum(l->g, equation, args[0], args[1]);
}

/* Index tensors for every place; `first` is that of the places themselves, when the table has them too. */
static int lift_indices(Loop *l, const Node *node, int from, bool with_places, Node **indices)
{
    int count = 0;
    Type type = type_with(stacked_type(l, &node->args[from]->type), DT_i32);
    if (with_places) indices[count++] = make_iota(l->g, type, 0);
    for (int k = from; k < node->arg_count; k++) indices[count++] = loop_every(l, node->args[k]);
    return count;
}

static bool rows_vary(const Loop *l, const Node *node, int from)
{
    for (int k = from; k < node->arg_count; k++)
        if (loop_varies(l, node->args[k])) return true;
    return false;
}

static int whole_indices(Loop *l, const Node *node, int from, Node **indices)
{
    for (int k = from; k < node->arg_count; k++) indices[k - from] = loop_whole(l, node->args[k]);
    return node->arg_count - from;
}

/* x with its axis `axis` moved to the front. */
static Node *axis_to_front(Loop *l, Node *x, int axis)
{
    int8_t map[MAX_RANK];
    for (int k = 0; k < x->type.rank; k++) map[k] = (int8_t)(k == 0 ? axis : k <= axis ? k - 1 : k);
    return make_permute(l->g, x, map);
}

/* x with its first axis moved behind `axis` others. */
static Node *front_to_axis(Loop *l, Node *x, int axis)
{
    int8_t map[MAX_RANK];
    for (int k = 0; k < x->type.rank; k++) map[k] = (int8_t)(k < axis ? k + 1 : k == axis ? 0 : k);
    return make_permute(l->g, x, map);
}

static Node *lift_gather(Loop *l, const Node *node)
{
    Node *indices[MAX_RANK + 1];
    int axis = node->attr.axis;
    if (!rows_vary(l, node, 1)) {
        int count = whole_indices(l, node, 1, indices);
        return make_gather(l->g, loop_every(l, node->args[0]), indices, count, axis + 1);
    }
    bool table_varies = loop_varies(l, node->args[0]);
    int count = lift_indices(l, node, 1, table_varies, indices);
    if (table_varies) return make_gather(l->g, loop_every(l, node->args[0]), indices, count, 0);
    return axis_to_front(l, make_gather(l->g, loop_whole(l, node->args[0]), indices, count, axis), axis);
}

static Node *lift_scatter(Loop *l, const Node *node)
{
    Node *indices[MAX_RANK + 1], *x = loop_every(l, node->args[0]), *v = loop_every(l, node->args[1]);
    bool moved = rows_vary(l, node, 2);
    int count = moved ? lift_indices(l, node, 2, true, indices) : whole_indices(l, node, 2, indices);
    return make_scatter(l->g, x, v, indices, count, moved ? 0 : node->attr.axis + 1, node->attr.i);
}

/* The index that a draw goes on with is that of this loop, or outer * count + that of this loop: the stream of a loop
 * in a loop, whose lifted form goes on with `outer`. */
bool loop_draw_index(const Loop *l, const Node *draw, const Node **outer)
{
    const Node *index = draw->args[draw->arg_count - 1];
    *outer = NULL;
    if (index->op == OP_input && index->attr.storage == STORE_ambient) return true;
    if (index->op != OP_add) return false;
    for (int k = 0; k < 2; k++) {
        const Node *own = index->args[k], *product = index->args[1 - k];
        if (own->op != OP_input || own->attr.storage != STORE_ambient || product->op != OP_mul) continue;
        *outer = product->args[0];
        return is_splat_whole(product->args[1], dim_value(l->attr->count)) && !loop_varies(l, *outer);
    }
    return false;
}

static Node *lift_draw(Loop *l, const Node *node)
{
    Node *args[5];
    const Node *outer;
    int count = node->arg_count - 1;
    bool good = loop_draw_index(l, node, &outer);
    assert(good);
    for (int k = 0; k < count; k++) args[k] = loop_whole(l, node->args[k]);
    if (good && outer) args[count++] = loop_whole(l, outer);
    Type type = stacked_type(l, &node->type);
    return build(l->g, node->op, args, count, &node->attr, &type);
}

static Node *lift(Loop *l, const Node *node)
{
    switch ((int)node->op) {
    case OP_einsum: return lift_einsum(l, node, true);
    case OP_gather: return lift_gather(l, node);
    case OP_scatter: return lift_scatter(l, node);
    case OP_uniform:
    case OP_integers: return lift_draw(l, node);
    case OP_sum:
    case OP_reduce_max:
    case OP_cumsum: return lift_shifted(l, node);
    default: return op_is_movement(node->op) ? lift_shifted(l, node) : lift_element(l, node);
    }
}

/* What a carry that delays finds at every place: its start, and the new values but the last. */
static Node *every_delayed(Loop *l, const Carry *c)
{
    const Dim *zero = dim_int(l->g->dims, 0), *one = dim_int(l->g->dims, 1);
    const Dim *rest = dim_sub(l->g->dims, l->attr->count, one);
    Node *first = l->args[c->input->id], *next = loop_every(l, c->next);
    build_at(l->g, c->next);
    Type type = stacked_type(l, &first->type);
    if (dim_value(rest) == 0) return make_reshape(l->g, first, type);
    type.dim[0] = one;
    first = make_reshape(l->g, first, type);
    next = build_part(l->g, next, 0, l->attr->i ? one : zero, rest);
    return make_concat(l->g, l->attr->i ? (Node *[]){next, first} : (Node *[]){first, next}, 2, 0);
}

Node *loop_last(Loop *l, const Node *node)
{
    const Dim *zero = dim_int(l->g->dims, 0), *one = dim_int(l->g->dims, 1);
    const Dim *place = l->attr->i ? zero : dim_sub(l->g->dims, l->attr->count, one);
    Node *every = loop_every(l, node);
    build_at(l->g, node);
    return make_reshape(l->g, build_part(l->g, every, 0, place, one), node->type);
}

const Carry *loop_delay(const Loop *l, const Node *input)
{
    for (int k = 0; input->attr.storage == STORE_carry && k < l->carry_count; k++)
        if (l->carries[k].input == input && l->carries[k].delays) return &l->carries[k];
    return NULL;
}

static Node *every_input(Loop *l, const Node *input)
{
    Type index = type_of(DT_i64, 1, &l->attr->count);
    const Carry *late = loop_delay(l, input);
    if (input->attr.storage == STORE_ambient) return make_iota(l->g, index, 0);
    return late ? every_delayed(l, late) : l->args[input->id];
}

static Node *stacked_pick(Loop *l, const Node *node)
{
    build_at(l->g, node);
    return with_origins(l, make_pick(l->g, l->scan, l->kept_carries + l->result[node->id]), node);
}

/* Arguments first, so that what is built then can stand where the node does. */
static void build_arguments(Loop *l, const Node *node)
{
    for (int k = 0; k < node->arg_count; k++)
        loop_made(l, node->args[k], loop_varies(l, node->args[k]) ? WAY_every : WAY_whole);
    build_at(l->g, node);
}

Node *loop_make_every(Loop *l, const Node *node)
{
    if (!loop_varies(l, node)) return spread_over_places(l, loop_whole(l, node));
    if (l->stacked[node->id] && l->pace[node->id] == PACE_carried) return stacked_pick(l, node);
    if (node->op == OP_input) return every_input(l, node);
    build_arguments(l, node);
    return with_origins(l, lift(l, node), node);
}

/* ---- added up ---- */

static bool is_zero(const Node *node) { return is_splat_float(node, 0.0) || is_splat_whole(node, 0); }

/* To another float type: a sum is rounded once rather than its parts. */
static bool is_rounding(const Node *cast)
{
    return dtype_is_float(cast->type.dtype) && dtype_is_float(cast->args[0]->type.dtype);
}

/* The kind, were there no end to what a total may be made of. */
static TotalKind kind_of(const Loop *l, const Node *part)
{
    if (!loop_varies(l, part)) return TOTAL_plain;
    switch ((int)part->op) {
    case OP_einsum: return TOTAL_product;
    case OP_sum: return TOTAL_sum;
    case OP_scatter: return part->attr.i == 1 && is_zero(part->args[0]) ? TOTAL_scatter : TOTAL_plain;
    case OP_add: return TOTAL_linear;
    case OP_cast: return is_rounding(part) ? TOTAL_linear : TOTAL_plain;
    case OP_mul: return loop_varies(l, part->args[0]) && loop_varies(l, part->args[1]) ? TOTAL_plain : TOTAL_linear;
    default: return op_is_movement(part->op) ? TOTAL_linear : TOTAL_plain;
    }
}

/* Linear operators are walked once for each way to them: an end to that. */
enum { MOST_TERMS = 10000 };

void loop_count_terms(Loop *l)
{
    for (int k = 0; k < l->body->nodes.count; k++) {
        const Node *node = l->body->nodes.at[k];
        l->terms[k] = 1;
        for (int j = 0; kind_of(l, node) == TOTAL_linear && j < node->arg_count && l->terms[k] <= MOST_TERMS; j++)
            l->terms[k] += l->terms[node->args[j]->id];
    }
}

TotalKind loop_total_kind(const Loop *l, const Node *part)
{
    return l->terms[part->id] > MOST_TERMS ? TOTAL_plain : kind_of(l, part);
}

/* All rows in the order in which the loop adds them. */
static Node *total_scatter(Loop *l, const Node *part)
{
    int axis = part->attr.axis, count = part->arg_count - 2;
    Node *indices[MAX_RANK], *v = loop_every(l, part->args[1]);
    for (int k = 0; k < count; k++) indices[k] = loop_every(l, part->args[2 + k]);
    if (l->attr->i) {
        v = build_flip(l->g, v, 0);
        for (int k = 0; k < count; k++) indices[k] = build_flip(l->g, indices[k], 0);
    }
    v = front_to_axis(l, v, axis);
    return make_scatter(l->g, loop_whole(l, part->args[0]), v, indices, count, axis, true);
}

static Node *total_linear(Loop *l, const Node *part)
{
    Node **args = arena_array(l->g->arena, Node *, part->arg_count + 1);
    for (int k = 0; k < part->arg_count; k++) {
        bool factor = part->op == OP_mul && !loop_varies(l, part->args[k]);
        args[k] = factor ? loop_whole(l, part->args[k]) : loop_total(l, part->args[k]);
    }
    build_at(l->g, part);
    return build(l->g, part->op, args, part->arg_count, &part->attr, &part->type);
}

Node *loop_total(Loop *l, const Node *part)
{
    Node *total = NULL;
    TotalKind kind = loop_total_kind(l, part);
    if (kind != TOTAL_linear && kind != TOTAL_plain) build_arguments(l, part);
    switch (kind) {
    case TOTAL_product: total = lift_einsum(l, part, false); break;
    case TOTAL_sum:
        total = make_reduce(l->g, OP_sum, loop_every(l, part->args[0]), part->attr.axes << 1 | 1);
        break;
    case TOTAL_scatter: total = total_scatter(l, part); break;
    case TOTAL_linear: total = total_linear(l, part); break;
    case TOTAL_plain: total = make_reduce(l->g, OP_sum, loop_every(l, part), 1); break;
    }
    return with_origins(l, make_cast(l->g, total, part->type.dtype), part);
}
