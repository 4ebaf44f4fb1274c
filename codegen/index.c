/* Index expressions: arithmetic on affine forms with exact ranges, and the movement operators as maps of indices. */
#include "codegen/index.h"

#include <assert.h>

struct Quotient {
    Affine     of;
    int64_t    by;
    const Var *quotient, *rest;
};

Affine affine_constant(int64_t value) { return (Affine){.constant = value}; }

Affine affine_var(const Var *var)
{
    if (var->low == var->high) return affine_constant(var->low);
    return (Affine){.count = 1, .term = {{var, 1}}};
}

Affine affine_add(const Affine *a, const Affine *b)
{
    Affine sum = {.constant = a->constant + b->constant};
    int i = 0, j = 0;
    while (i < a->count || j < b->count) {
        Term next;
        if (j == b->count || (i < a->count && a->term[i].var->number < b->term[j].var->number)) {
            next = a->term[i++];
        } else if (i == a->count || b->term[j].var->number < a->term[i].var->number) {
            next = b->term[j++];
        } else {
            next = (Term){a->term[i].var, a->term[i].by + b->term[j].by};
            i++, j++;
        }
        if (next.by == 0) continue;
        assert(sum.count < MAX_TERMS);
        sum.term[sum.count++] = next;
    }
    return sum;
}

Affine affine_scale(const Affine *a, int64_t by)
{
    if (by == 0) return affine_constant(0);
    Affine out = *a;
    out.constant *= by;
    for (int k = 0; k < out.count; k++) out.term[k].by *= by;
    return out;
}

bool affine_equal(const Affine *a, const Affine *b)
{
    if (a->constant != b->constant || a->count != b->count) return false;
    for (int k = 0; k < a->count; k++)
        if (a->term[k].var != b->term[k].var || a->term[k].by != b->term[k].by) return false;
    return true;
}

int64_t affine_low(const Affine *a)
{
    int64_t sum = a->constant;
    for (int k = 0; k < a->count; k++) {
        const Var *var = a->term[k].var;
        sum += a->term[k].by * (a->term[k].by > 0 ? var->low : var->high);
    }
    return sum;
}

int64_t affine_high(const Affine *a)
{
    Affine negative = affine_scale(a, -1);
    return -affine_low(&negative);
}

int affine_depth(const Affine *a)
{
    int depth = 0;
    for (int k = 0; k < a->count; k++)
        if (a->term[k].var->depth > depth) depth = a->term[k].var->depth;
    return depth;
}

bool affine_regular(const Affine *a)
{
    for (int k = 0; k < a->count; k++)
        if (!a->term[k].var->regular) return false;
    return true;
}

int64_t affine_stride(const Affine *a)
{
    int64_t stride = 0;
    for (int k = 0; k < a->count; k++) stride += a->term[k].by * a->term[k].var->stride;
    return stride;
}

bool affine_uniform(const Affine *a) { return affine_regular(a) && affine_stride(a) == 0; }

int64_t affine_factor(const Affine *a, const Var *var)
{
    for (int k = 0; k < a->count; k++)
        if (a->term[k].var == var) return a->term[k].by;
    return 0;
}

Var *index_var(Indexer *x, int64_t low, int64_t high, int depth)
{
    Var *var = arena_new_of(x->arena, Var);
    *var = (Var){.number = x->next++, .axis = -1, .depth = depth, .low = low, .high = high, .regular = true};
    return var;
}

static int64_t floor_quotient(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static const Quotient *find_quotient(const Indexer *x, const Affine *of, int64_t by)
{
    for (int k = 0; k < x->quotients.count; k++) {
        const Quotient *q = x->quotients.at[k];
        if (q->by == by && affine_equal(&q->of, of)) return q;
    }
    return NULL;
}

static const Quotient *make_quotient(Indexer *x, const Affine *of, int64_t by)
{
    const Quotient *known = find_quotient(x, of, by);
    if (known) return known;
    int depth = affine_depth(of);
    Var *quotient = index_var(x, 0, affine_high(of) / by, depth), *rest = index_var(x, 0, by - 1, depth);
    quotient->regular = rest->regular = affine_uniform(of);
    x->divide(x->context, of, by, quotient, rest);
    Quotient *q = arena_new_of(x->arena, Quotient);
    *q = (Quotient){*of, by, quotient, rest};
    vec_push(x->arena, &x->quotients, q);
    return q;
}

/* value = by * quotient + rest, 0 <= rest < by. Terms that the divisor divides go to the quotient; the others stay, and
 * if their range lies between two multiples of the divisor nothing is left to compute. */
static void index_divide(Indexer *x, const Affine *value, int64_t by, Affine *quotient, Affine *rest)
{
    Affine whole = {0}, part = {.constant = value->constant};
    for (int k = 0; k < value->count; k++) {
        Term term = value->term[k];
        if (term.by % by == 0)
            whole.term[whole.count++] = (Term){term.var, term.by / by};
        else
            part.term[part.count++] = term;
    }
    int64_t low = floor_quotient(affine_low(&part), by), high = floor_quotient(affine_high(&part), by);
    whole.constant += low;
    part.constant -= low * by;
    if (low == high) {
        *quotient = whole;
        *rest = part;
        return;
    }
    const Quotient *q = make_quotient(x, &part, by);
    Affine derived = affine_var(q->quotient);
    *quotient = affine_add(&whole, &derived);
    *rest = affine_var(q->rest);
}

/* The row-major position. */
static Affine index_flat(const int64_t *extent, int rank, const Affine *index)
{
    Affine flat = affine_constant(0);
    for (int k = 0; k < rank; k++) {
        flat = affine_scale(&flat, extent[k]);
        flat = affine_add(&flat, &index[k]);
    }
    return flat;
}

void index_unflat(Indexer *x, const Affine *flat, const int64_t *extent, int rank, Affine *index)
{
    Affine left = *flat;
    for (int k = rank - 1; k > 0; k--) {
        Affine quotient = {0};
        index_divide(x, &left, extent[k] > 0 ? extent[k] : 1, &quotient, &index[k]);
        left = quotient;
    }
    if (rank > 0) index[0] = left;
}

static void extents_of(const Type *type, int64_t *extent)
{
    for (int k = 0; k < type->rank; k++) extent[k] = dim_value(type->dim[k]);
}

Affine index_flat_of(const Type *type, const Affine *index)
{
    int64_t extent[MAX_RANK];
    extents_of(type, extent);
    return index_flat(extent, type->rank, index);
}

static void require(Conditions *conditions, const Affine *value, int64_t bound)
{
    int64_t low = affine_low(value), high = affine_high(value);
    if (low >= 0 && high < bound) return;
    if (high < 0 || low >= bound) conditions->never = true;
    conditions->at[conditions->count++] = (Condition){*value, bound};
}

static void argument_of_reshape(Indexer *x, const Node *node, const Affine *index, Affine *out)
{
    int64_t extent[MAX_RANK];
    Affine flat = index_flat_of(&node->type, index);
    extents_of(&node->args[0]->type, extent);
    index_unflat(x, &flat, extent, node->args[0]->type.rank, out);
}

static void argument_of_expand(const Node *node, const Affine *index, Affine *out)
{
    const Type *from = &node->args[0]->type;
    for (int k = 0; k < from->rank; k++) {
        int to = node->attr.map[k];
        bool stretched = dim_value(from->dim[k]) == 1;
        out[k] = stretched ? affine_constant(0) : index[to];
    }
}

static void argument_of_concat(const Node *node, int piece, const Affine *index, Affine *out, Conditions *conditions)
{
    int axis = node->attr.axis;
    int64_t before = 0;
    for (int k = 0; k < piece; k++) before += dim_value(node->args[k]->type.dim[axis]);
    for (int k = 0; k < node->type.rank; k++) out[k] = index[k];
    out[axis].constant -= before;
    require(conditions, &out[axis], dim_value(node->args[piece]->type.dim[axis]));
}

static void argument_of_window(const Node *node, const Affine *index, Affine *out)
{
    int axis = node->attr.axis;
    for (int k = 0; k < axis; k++) out[k] = index[k];
    Affine first = affine_scale(&index[axis], node->attr.step[0]);
    out[axis] = affine_add(&first, &index[axis + 1]);
    for (int k = axis + 1; k < node->args[0]->type.rank; k++) out[k] = index[k + 1];
}

void index_argument(Indexer *x, const Node *node, int k, const Affine *index, Affine *out, Conditions *conditions)
{
    const Attr *attr = &node->attr;
    int rank = node->type.rank;
    *conditions = (Conditions){0};
    switch ((int)node->op) {
    case OP_reshape: argument_of_reshape(x, node, index, out); return;
    case OP_expand: argument_of_expand(node, index, out); return;
    case OP_concat: argument_of_concat(node, k, index, out, conditions); return;
    case OP_window: argument_of_window(node, index, out); return;
    case OP_permute:
        for (int j = 0; j < rank; j++) out[attr->map[j]] = index[j];
        return;
    case OP_slice:
        for (int j = 0; j < rank; j++) {
            out[j] = affine_scale(&index[j], attr->step[j]);
            out[j].constant += dim_value(attr->start[j]);
        }
        return;
    case OP_pad:
        for (int j = 0; j < rank; j++) {
            out[j] = index[j];
            out[j].constant -= dim_value(attr->start[j]);
            require(conditions, &out[j], dim_value(node->args[0]->type.dim[j]));
        }
        return;
    }
    assert(!"a movement operator");
}

/* gather: axes before the indexed ones, then those of the index tensors, then the rest. */
void index_ids(const Node *gather, const Affine *index, Affine *out)
{
    for (int k = 0; k < gather->args[1]->type.rank; k++) out[k] = index[gather->attr.axis + k];
}

void index_rows(const Node *gather, const Affine *index, const Affine *row, Affine *out)
{
    int axis = gather->attr.axis, indexed = gather->arg_count - 1, ids_rank = gather->args[1]->type.rank;
    for (int k = 0; k < axis; k++) out[k] = index[k];
    for (int k = 0; k < indexed; k++) out[axis + k] = row[k];
    for (int k = axis + indexed; k < gather->args[0]->type.rank; k++) out[k] = index[k - indexed + ids_rank];
}
