/* Finding the nest: walk the kernel with symbolic indices, split dimensions that divisions ask for until none does,
 * then merge neighbours that every access treats as one. */
#include "codegen/nest.h"

#include <assert.h>
#include <string.h>

typedef struct Seen {
    const Node *node;
    Affine      index[MAX_RANK];
} Seen;

/* One walk over everything a kernel computes. */
typedef struct Walk {
    Arena *arena;
    const Signature *s;
    const Nest *nest;
    Indexer indexer;
    Var    *part[MAX_PARTS];
    Vec(Seen *)  seen;
    Vec(Affine)  leaves;                 /* every form that turns into an address, a comparison or a number */
    int     split_part;                  /* a part to cut, or -1 */
    int64_t split_size;
} Walk;

static void leaf(Walk *w, const Affine *a) { vec_push(w->arena, &w->leaves, *a); }

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    if (a < 0) a = -a;
    while (b) {
        int64_t next = a % b;
        a = b;
        b = next;
    }
    return a;
}

/* A division that does not come out: perhaps it would if one dimension were two. */
static void note_division(void *context, const Affine *of, int64_t by, Var *quotient, Var *rest)
{
    (void)quotient, (void)rest;
    Walk *w = context;
    leaf(w, of);
    for (int k = 0; k < of->count && w->split_part < 0; k++) {
        int part = of->term[k].var->axis;
        if (part < 0) continue;
        int64_t size = by / greatest_common_divisor(of->term[k].by, by), extent = w->nest->part[part].extent;
        if (size > 1 && size < extent && extent % size == 0) {
            w->split_part = part;
            w->split_size = size;
        }
    }
}

static bool seen_before(Walk *w, const Node *node, const Affine *index)
{
    for (int k = 0; k < w->seen.count; k++) {
        if (w->seen.at[k]->node != node) continue;
        bool same = true;
        for (int j = 0; j < node->type.rank && same; j++) same = affine_equal(&w->seen.at[k]->index[j], &index[j]);
        if (same) return true;
    }
    Seen *seen = arena_new_of(w->arena, Seen);
    seen->node = node;
    for (int j = 0; j < node->type.rank; j++) seen->index[j] = index[j];
    vec_push(w->arena, &w->seen, seen);
    return false;
}

static void visit(Walk *w, const Node *node, const Affine *index);

static void visit_movement(Walk *w, const Node *node, const Affine *index)
{
    for (int k = 0; k < node->arg_count; k++) {
        Affine argument[MAX_RANK];
        Conditions conditions;
        index_argument(&w->indexer, node, k, index, argument, &conditions);
        for (int j = 0; j < conditions.count; j++) leaf(w, &conditions.at[j].value);
        if (!conditions.never) visit(w, node->args[k], argument);
    }
}

static void visit_gather(Walk *w, const Node *node, const Affine *index)
{
    Affine ids[MAX_RANK], row[MAX_RANK], argument[MAX_RANK];
    index_ids(node, index, ids);
    for (int k = 1; k < node->arg_count; k++) {
        visit(w, node->args[k], ids);
        Var *id = index_var(&w->indexer, 0, dim_value(node->args[0]->type.dim[node->attr.axis + k - 1]) - 1, 0);
        row[k - 1] = affine_var(id);
    }
    index_rows(node, index, row, argument);
    visit(w, node->args[0], argument);
}

/* Reshapes of a stored value are read at the same position, whatever the shapes. */
static const Node *behind_reshapes(const Signature *s, const Node *node)
{
    while (node->op == OP_reshape && !signature_is_stored(s, node)) node = node->args[0];
    return node;
}

static void visit(Walk *w, const Node *node, const Affine *index)
{
    if (seen_before(w, node, index)) return;
    Affine flat = index_flat_of(&node->type, index);
    if (signature_is_stored(w->s, behind_reshapes(w->s, node))) {
        leaf(w, &flat);
    } else if (node_is_reduction(node)) {
        return;                          /* known at the row that is being computed */
    } else if (op_is_movement(node->op)) {
        visit_movement(w, node, index);
    } else if (node->op == OP_gather) {
        visit_gather(w, node, index);
    } else if (node->op == OP_iota) {
        leaf(w, &index[node->attr.axis]);
    } else {
        if (node->op == OP_uniform || node->op == OP_integers) leaf(w, &flat);
        for (int k = 0; k < node->arg_count; k++) visit(w, node->args[k], index);
    }
}

/* The groups along which a reduction's result and an element of the last pass lie. */
static unsigned nest_result_groups(const Kernel *kernel)
{
    return kernel->c_rank > 0 ? 1u << GROUP_a | 1u << GROUP_c : 1u << GROUP_a;
}

static Affine dim_index(const Nest *nest, Var *const *part, int dim)
{
    Affine sum = affine_constant(0);
    for (int k = 0; k < nest->part_count; k++) {
        if (nest->part[k].dim != dim) continue;
        Affine term = affine_var(part[k]);
        term = affine_scale(&term, nest->part[k].in_dim);
        sum = affine_add(&sum, &term);
    }
    return sum;
}

Affine nest_flat(const Nest *nest, Var *const *part, unsigned groups)
{
    Affine flat = affine_constant(0);
    for (int k = 0; k < nest->dim_count; k++) {
        if (!(groups >> nest->group[k] & 1)) continue;
        Affine here = dim_index(nest, part, k);
        flat = affine_scale(&flat, nest->dim[k]);
        flat = affine_add(&flat, &here);
    }
    return flat;
}

/* Direct when the extents agree one by one; else through the row-major position. */
static void spread_index(Indexer *x, const Nest *nest, Var *const *part, unsigned groups, const int64_t *extent,
                         int rank, Affine *index)
{
    int at = 0;
    bool equal = true;
    for (int k = 0; k < nest->dim_count; k++) {
        if (!(groups >> nest->group[k] & 1)) continue;
        equal = equal && at < rank && extent[at] == nest->dim[k];
        if (equal) index[at] = dim_index(nest, part, k);
        at++;
    }
    if (equal && at == rank) return;
    Affine flat = nest_flat(nest, part, groups);
    index_unflat(x, &flat, extent, rank, index);
}

void nest_index(Indexer *x, const Nest *nest, Var *const *part, unsigned groups, const Type *type, Affine *index)
{
    int64_t extent[MAX_RANK];
    for (int k = 0; k < type->rank; k++) extent[k] = dim_value(type->dim[k]);
    spread_index(x, nest, part, groups, extent, type->rank, index);
}

Piece nest_piece(Indexer *x, const Nest *nest, Var *const *part, unsigned groups, const Kernel *kernel,
                 const Node *output, int number)
{
    bool whole = kernel_parts(kernel, output) == 1;
    Piece piece = {.node = whole ? output : output->args[number]};
    nest_index(x, nest, part, groups, &piece.node->type, piece.index);
    if (whole) {
        piece.position = nest_flat(nest, part, groups);
        return piece;
    }
    Affine index[MAX_RANK];
    memcpy(index, piece.index, sizeof index);
    int axis = output->attr.axis;
    for (int k = 0; k < number; k++) index[axis].constant += dim_value(output->args[k]->type.dim[axis]);
    piece.position = index_flat_of(&output->type, index);
    return piece;
}

void nest_operand(Indexer *x, const Nest *nest, Var *const *part, const Node *reduction, const Affine *index,
                  Affine *operand)
{
    const Type *type = &reduction->args[0]->type;
    int64_t extent[MAX_RANK];
    Affine reduced[MAX_RANK];
    int gone = 0, stay = 0;
    for (int k = 0; k < type->rank; k++)
        if (reduction->attr.axes >> k & 1) extent[gone++] = dim_value(type->dim[k]);
    spread_index(x, nest, part, 1u << GROUP_r, extent, gone, reduced);
    gone = 0;
    for (int k = 0; k < type->rank; k++) operand[k] = reduction->attr.axes >> k & 1 ? reduced[gone++] : index[stay++];
}

static void visit_loop(Walk *w)
{
    const Kernel *kernel = w->s->kernel;
    Affine index[MAX_RANK], operand[MAX_RANK];
    unsigned result = nest_result_groups(kernel);
    for (int k = 0; k < w->s->members.count; k++) {
        const Node *node = w->s->members.at[k]->node;
        if (!w->s->members.at[k]->inside || !node_is_reduction(node)) continue;
        nest_index(&w->indexer, w->nest, w->part, result, &node->type, index);
        nest_operand(&w->indexer, w->nest, w->part, node, index, operand);
        visit(w, node->args[0], operand);
    }
    unsigned whole = kernel->c_rank > 0 ? result : 1u << GROUP_a | 1u << GROUP_r;
    for (int k = 0; k < kernel->outputs.count; k++) {
        const Node *node = kernel->outputs.at[k];
        unsigned groups = nest_spans(w->s, node) ? whole : result;
        for (int j = 0; j < kernel_parts(kernel, node); j++) {
            Piece piece = nest_piece(&w->indexer, w->nest, w->part, groups, kernel, node, j);
            leaf(w, &piece.position);
            visit(w, piece.node, piece.index);
        }
    }
    for (int k = 0; k < kernel->keep.count; k++) {
        Affine flat = nest_flat(w->nest, w->part, 1u << GROUP_r);
        leaf(w, &flat);
        nest_index(&w->indexer, w->nest, w->part, 1u << GROUP_a | 1u << GROUP_r, &kernel->keep.at[k]->type, index);
        visit(w, kernel->keep.at[k], index);
    }
}

static void visit_scatter(Walk *w)
{
    const Node *scatter = w->s->kernel->outputs.at[0], *x = scatter->args[0];
    Affine index[MAX_RANK], flat;
    unsigned base = 1u << GROUP_a | 1u << GROUP_rows | 1u << GROUP_c;
    flat = nest_flat(w->nest, w->part, base);
    leaf(w, &flat);
    nest_index(&w->indexer, w->nest, w->part, base, &x->type, index);
    if (!w->s->in_place) visit(w, x, index);
    nest_index(&w->indexer, w->nest, w->part, 1u << GROUP_a | 1u << GROUP_r | 1u << GROUP_c, &scatter->args[1]->type,
               index);
    visit(w, scatter->args[1], index);
    for (int k = 2; k < scatter->arg_count; k++) {
        nest_index(&w->indexer, w->nest, w->part, 1u << GROUP_r, &scatter->args[k]->type, index);
        visit(w, scatter->args[k], index);
    }
}

static void add_dim(Nest *nest, const Dim *dim, Group group)
{
    nest->dim[nest->dim_count] = dim_value(dim);
    nest->group[nest->dim_count++] = group;
}

static void find_dims(const Kernel *kernel, Nest *nest)
{
    if (kernel->kind == KERNEL_scatter) {
        const Node *scatter = kernel->outputs.at[0];
        const Type *x = &scatter->args[0]->type, *ids = &scatter->args[2]->type;
        int axis = scatter->attr.axis, indexed = scatter->arg_count - 2;
        for (int k = 0; k < axis; k++) add_dim(nest, x->dim[k], GROUP_a);
        for (int k = 0; k < ids->rank; k++) add_dim(nest, ids->dim[k], GROUP_r);
        for (int k = 0; k < indexed; k++) add_dim(nest, x->dim[axis + k], GROUP_rows);
        for (int k = axis + indexed; k < x->rank; k++) add_dim(nest, x->dim[k], GROUP_c);
        return;
    }
    for (int k = 0; k < kernel->a_rank + kernel->r_rank + kernel->c_rank; k++) {
        Group group = k < kernel->a_rank ? GROUP_a : k < kernel->a_rank + kernel->r_rank ? GROUP_r : GROUP_c;
        add_dim(nest, kernel->space[k], group);
    }
}

static void split(Nest *nest, int part, int64_t size)
{
    assert(nest->part_count < MAX_PARTS);
    for (int k = nest->part_count++; k > part; k--) nest->part[k] = nest->part[k - 1];
    Part *high = &nest->part[part], *low = high + 1;
    high->extent /= size;
    high->in_dim *= size;
    low->extent = size;
}

/* Whether the parts behind this one are the columns that the tiles of a product cut. */
static bool ends_rows(const Walk *w, int part)
{
    int64_t behind = 1;
    for (int k = part + 1; k < w->nest->part_count; k++) behind *= w->nest->part[k].extent;
    return behind == w->s->tiles.columns;
}

static bool mergeable(const Walk *w, int part)
{
    const Part *here = &w->nest->part[part], *next = here + 1;
    if (w->nest->group[here->dim] != w->nest->group[next->dim] || ends_rows(w, part)) return false;
    for (int k = 0; k < w->leaves.count; k++) {
        int64_t outer = affine_factor(&w->leaves.at[k], w->part[part]),
                inner = affine_factor(&w->leaves.at[k], w->part[part + 1]);
        if (outer != inner * next->extent) return false;
    }
    return true;
}

static void merge(const Walk *w, Nest *nest)
{
    for (int k = 0; k < nest->part_count; k++) {
        Part *part = &nest->part[k];
        if (k == 0 || !mergeable(w, k - 1))
            nest->axis[nest->axis_count++] = (Axis){part->extent, nest->group[part->dim]};
        else
            nest->axis[nest->axis_count - 1].extent *= part->extent;
        part->axis = nest->axis_count - 1;
    }
    int64_t within = 1;
    for (int k = nest->part_count - 1; k >= 0; k--) {
        if (k + 1 == nest->part_count || nest->part[k + 1].axis != nest->part[k].axis) within = 1;
        nest->part[k].in_axis = within;
        within *= nest->part[k].extent;
    }
}

/* A copy's nest: one axis. */
static Nest line(int64_t elements)
{
    Nest nest = {.dim_count = 1, .dim = {elements}, .group = {GROUP_a}};
    if (elements == 1) return nest;
    nest.part_count = nest.axis_count = 1;
    nest.part[0] = (Part){.extent = elements, .in_dim = 1, .in_axis = 1};
    nest.axis[0] = (Axis){elements, GROUP_a};
    return nest;
}

Nest nest_find(Arena *arena, const Signature *s)
{
    Nest nest = {0};
    if (s->kernel->kind == KERNEL_copy) return line(type_value_elements(&s->kernel->outputs.at[0]->type));
    find_dims(s->kernel, &nest);
    for (int k = 0; k < nest.dim_count; k++)
        if (nest.dim[k] != 1) nest.part[nest.part_count++] = (Part){.dim = k, .extent = nest.dim[k], .in_dim = 1};
    for (;;) {
        Walk w = {.arena = arena, .s = s, .nest = &nest, .split_part = -1};
        w.indexer = (Indexer){.arena = arena, .divide = note_division, .context = &w};
        for (int k = 0; k < nest.part_count; k++) {
            w.part[k] = index_var(&w.indexer, 0, nest.part[k].extent - 1, 0);
            w.part[k]->axis = k;
        }
        if (s->kernel->kind == KERNEL_scatter)
            visit_scatter(&w);
        else
            visit_loop(&w);
        if (w.split_part < 0 || nest.part_count == MAX_PARTS) {
            merge(&w, &nest);
            return nest;
        }
        split(&nest, w.split_part, w.split_size);
    }
}
