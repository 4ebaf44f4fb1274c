/* Einsums as products: operands as strided views, letters sorted into batch, m, n and k, letters merged where their
 * strides allow it. One Axis per letter of extent above 1; the result is dense, so its strides follow from the order
 * of its letters. */
#include "ir/contraction.h"

#include <string.h>

/* ---- views ---- */

static void dense_strides(const Type *type, int64_t *stride)
{
    int64_t s = 1;
    for (int k = type->rank - 1; k >= 0; k--) {
        stride[k] = s;
        s *= dim_value(type->dim[k]);
    }
}

/* Strides of the same elements under another shape. Walks both shapes from the end: a run of argument axes that lie one
 * inside the other serves result axes until their product is used up. Axes of extent 1 take no part. */
static bool reshape_strides(const Type *from, const int64_t *from_stride, const Type *to, int64_t *to_stride)
{
    int i = from->rank - 1;
    int64_t run = 1, step = 0;           /* elements left in the current run, and the stride of its next axis */
    for (int k = to->rank - 1; k >= 0; k--) {
        int64_t want = dim_value(to->dim[k]);
        to_stride[k] = 0;
        if (want == 1) continue;
        if (run == 1) {
            while (i >= 0 && dim_value(from->dim[i]) == 1) i--;
            if (i < 0) return false;
            step = from_stride[i];
            run = dim_value(from->dim[i]);
            for (i--; i >= 0; i--) {
                int64_t d = dim_value(from->dim[i]);
                if (d != 1 && from_stride[i] != step * run) break;
                run *= d;
            }
        }
        if (want == 0 || run % want != 0) return false;
        to_stride[k] = step;
        step *= want;
        run /= want;
    }
    return run == 1;
}

bool product_reads(DType stored, DType in)
{
    if (in == DT_f64) return stored == DT_f64;
    return stored == DT_f32 || stored == DT_bf16 || stored == DT_i8;
}

bool product_is_plain(const ProductTypes *t)
{
    return t->a == t->in && t->b == t->in && t->in == t->out && (t->in == DT_f32 || t->in == DT_f64);
}

/* Between base and node stands no other cast. */
static bool is_cast_of(const Node *node, const View *under)
{
    DType from = node->args[0]->type.dtype;
    return from == under->base->type.dtype && product_reads(from, node->type.dtype);
}

static bool view_through(const Node *node, const View *under, View *view)
{
    const Node *arg = node->args[0];
    View v = {.base = under->base, .offset = under->offset, .rank = node->type.rank};
    switch (node->op) {
    case OP_permute:
        for (int k = 0; k < v.rank; k++) v.stride[k] = under->stride[node->attr.map[k]];
        break;
    case OP_slice:
        for (int k = 0; k < v.rank; k++) {
            v.offset += dim_value(node->attr.start[k]) * under->stride[k];
            v.stride[k] = under->stride[k] * node->attr.step[k];
        }
        break;
    case OP_expand:
        for (int k = 0; k < arg->type.rank; k++) {
            int to = node->attr.map[k];
            bool stretched = dim_value(arg->type.dim[k]) == 1 && dim_value(node->type.dim[to]) != 1;
            v.stride[to] = stretched ? 0 : under->stride[k];
        }
        break;
    case OP_reshape:
        if (!reshape_strides(&arg->type, under->stride, &node->type, v.stride)) return false;
        break;
    case OP_stop: memcpy(v.stride, under->stride, sizeof v.stride); break;
    case OP_cast:
        if (!is_cast_of(node, under)) return false;
        memcpy(v.stride, under->stride, sizeof v.stride);
        break;
    default: return false;
    }
    *view = v;
    return true;
}

bool view_is_through(const Node *node)
{
    return node->op == OP_permute || node->op == OP_slice || node->op == OP_expand || node->op == OP_reshape ||
           node->op == OP_stop;
}

bool view_find(const Node *node, bool (*stored)(void *context, const Node *node), void *context, View *view)
{
    if (stored(context, node)) {
        *view = (View){.base = node, .rank = node->type.rank};
        dense_strides(&node->type, view->stride);
        return true;
    }
    View under;
    if (!view_is_through(node) && node->op != OP_cast) return false;
    return view_find(node->args[0], stored, context, &under) && view_through(node, &under, view);
}

/* ---- letters ---- */

typedef enum Group { GROUP_batch, GROUP_m, GROUP_n, GROUP_k } Group;

typedef struct Axis {
    char    letter;
    Group   group;
    int64_t extent, a, b, c;             /* strides in the three tensors; 0 where the letter is absent */
} Axis;

typedef struct Letters {
    int  count, out_count;               /* axes of the result come first, in its order */
    Axis axis[2 * MAX_RANK];
} Letters;

bool einsum_terms(const char *text, char term[3][MAX_RANK + 1])
{
    int t = 0, n = 0;
    for (const char *p = text; *p; p++) {
        if (*p == ' ') continue;
        if (*p == ',' || (*p == '-' && p[1] == '>')) {
            term[t][n] = 0;
            if (++t > 2) return false;
            n = 0;
            if (*p == '-') p++;
        } else {
            if (n == MAX_RANK) return false;
            term[t][n++] = *p;
        }
    }
    term[t][n] = 0;
    return t == 2;
}

static int64_t stride_of(const char *term, const View *v, char letter)
{
    const char *at = strchr(term, letter);
    return at ? v->stride[at - term] : 0;
}

/* Adds one letter; false when it stands in one operand only and not in the result. */
static bool add_letter(Letters *l, char term[3][MAX_RANK + 1], char c, const View *a, const View *b, const Node *e)
{
    const char *in_a = strchr(term[0], c), *in_b = strchr(term[1], c), *in_c = strchr(term[2], c);
    const Dim *dim = in_a ? e->args[0]->type.dim[in_a - term[0]] : e->args[1]->type.dim[in_b - term[1]];
    int64_t extent = dim_value(dim);
    if (!in_c && !(in_a && in_b)) return extent == 1;
    if (extent == 1) return true;
    Group g = !in_c ? GROUP_k : in_a && in_b ? GROUP_batch : in_a ? GROUP_m : GROUP_n;
    l->axis[l->count++] = (Axis){.letter = c, .group = g, .extent = extent,
                                 .a = stride_of(term[0], a, c), .b = stride_of(term[1], b, c)};
    return true;
}

static bool letters_find(const Node *e, const View *a, const View *b, Letters *l)
{
    char term[3][MAX_RANK + 1];
    *l = (Letters){0};
    if (!einsum_terms(e->attr.text, term)) return false;
    for (const char *p = term[2]; *p; p++)
        if (!add_letter(l, term, *p, a, b, e)) return false;
    l->out_count = l->count;
    int64_t stride = 1;
    for (int i = l->out_count - 1; i >= 0; i--) {
        l->axis[i].c = stride;
        stride *= l->axis[i].extent;
    }
    for (int t = 0; t < 2; t++)
        for (const char *p = term[t]; *p; p++)
            if (!strchr(term[2], *p) && !(t == 1 && strchr(term[0], *p)) && !add_letter(l, term, *p, a, b, e))
                return false;
    return true;
}

static void swap_operands(Letters *l)
{
    for (int i = 0; i < l->count; i++) {
        Axis *x = &l->axis[i];
        int64_t a = x->a;
        x->a = x->b;
        x->b = a;
        if (x->group == GROUP_m) x->group = GROUP_n;
        else if (x->group == GROUP_n) x->group = GROUP_m;
    }
}

/* ---- groups ---- */

static bool merges(const Axis *outer, const Axis *inner)
{
    return outer->a == inner->a * inner->extent && outer->b == inner->b * inner->extent &&
           outer->c == inner->c * inner->extent;
}

static void merge_into(Axis *outer, const Axis *inner)
{
    outer->extent *= inner->extent;
    outer->a = inner->a;
    outer->b = inner->b;
    outer->c = inner->c;
}

/* Merges neighbours of one group; afterwards `axis` holds fewer, larger letters. Batch letters merge like the
 * others. */
static void merge_neighbours(Letters *l)
{
    int n = 0;
    for (int i = 0; i < l->count; i++) {
        Axis *last = n ? &l->axis[n - 1] : NULL;
        if (last && last->group == l->axis[i].group && merges(last, &l->axis[i]))
            merge_into(last, &l->axis[i]);
        else
            l->axis[n++] = l->axis[i];
    }
    l->count = n;
}

/* All k letters as one: sorted by falling stride they must lie one inside the other in both operands. */
static bool merge_inner(Letters *l, Axis *k)
{
    Axis inner[2 * MAX_RANK];
    int n = 0;
    for (int i = 0; i < l->count; i++) {
        if (l->axis[i].group != GROUP_k) continue;
        int at = n++;
        for (; at > 0 && inner[at - 1].a < l->axis[i].a; at--) inner[at] = inner[at - 1];
        inner[at] = l->axis[i];
    }
    *k = (Axis){.group = GROUP_k, .extent = 1};
    if (n == 0) return true;
    *k = inner[0];
    for (int i = 1; i < n; i++) {
        if (!merges(k, &inner[i])) return false;
        merge_into(k, &inner[i]);
    }
    return true;
}

static const Axis *largest(const Letters *l, Group g)
{
    const Axis *best = NULL;
    for (int i = 0; i < l->count; i++)
        if (l->axis[i].group == g && (!best || l->axis[i].extent > best->extent)) best = &l->axis[i];
    return best;
}

/* A matrix that a product can read: one stride is 1, the other reaches over a whole line. Strides along an extent of
 * 1 are free and set to what fits. */
static bool matrix_strides(int64_t rows, int64_t columns, int64_t *row, int64_t *column)
{
    if (rows == 1 && columns == 1) {
        *row = *column = 1;
        return true;
    }
    if (columns == 1) {
        *column = 1;
        return *row >= 1;
    }
    if (rows == 1) {
        *row = *column == 1 ? columns : 1;
        return *column >= 1;
    }
    return (*column == 1 && *row >= columns) || (*row == 1 && *column >= rows);
}

static bool add_batch(Contraction *o, const Axis *x)
{
    if (o->batch_rank == 4) return false;
    o->batch[o->batch_rank] = x->extent;
    o->a_batch[o->batch_rank] = x->a;
    o->b_batch[o->batch_rank] = x->b;
    o->c_batch[o->batch_rank++] = x->c;
    return true;
}

bool contraction_find(const Node *einsum, const View *a, const View *b, Contraction *out)
{
    Letters l;
    DType in = einsum->args[0]->type.dtype;
    if (in != DT_f32 && in != DT_f64 && in != DT_bf16) return false;
    if (!letters_find(einsum, a, b, &l)) return false;
    Contraction o = {.types = {a->base->type.dtype, b->base->type.dtype, in, einsum->type.dtype}};
    const Axis *last = l.out_count ? &l.axis[l.out_count - 1] : NULL;
    bool has_m = largest(&l, GROUP_m) != NULL, has_n = largest(&l, GROUP_n) != NULL;
    bool ends_in_batch = last && last->group == GROUP_batch;    /* right only where columns of C are single elements */
    if (ends_in_batch && has_m && has_n) return false;
    o.swapped = ends_in_batch ? has_n : last && last->group == GROUP_m;
    if (o.swapped) {
        swap_operands(&l);
        o.types.a = b->base->type.dtype, o.types.b = a->base->type.dtype;
    }
    Axis k;
    if (!merge_inner(&l, &k)) return false;
    merge_neighbours(&l);
    const Axis *n = NULL;                /* the columns of the result: its last letter, which has stride 1 */
    for (int i = 0; i < l.count; i++)
        if (l.axis[i].group == GROUP_n && l.axis[i].c == 1) n = &l.axis[i];
    const Axis *m = largest(&l, GROUP_m);
    o.m = m ? m->extent : 1;
    o.n = n ? n->extent : 1;
    o.k = k.extent;
    o.a_row = m ? m->a : 0;
    o.a_column = k.a;
    o.b_row = k.b;
    o.b_column = n ? n->b : 0;
    o.c_row = m ? m->c : o.n;
    o.cuts = 1;
    if (!matrix_strides(o.m, o.k, &o.a_row, &o.a_column)) return false;
    if (!matrix_strides(o.k, o.n, &o.b_row, &o.b_column)) return false;
    if (o.c_row < o.n) return false;
    for (int i = 0; i < l.count; i++) {
        const Axis *x = &l.axis[i];
        if (x != m && x != n && x->group != GROUP_k && !add_batch(&o, x)) return false;
        if (x != m && x != n && (x->group == GROUP_m || x->group == GROUP_n)) o.cuts *= x->extent;
    }
    *out = o;
    return true;
}
