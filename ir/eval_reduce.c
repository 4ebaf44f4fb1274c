/* Reference values of reductions and contractions. Floats accumulate in double, integers wrap; one rounding at the
 * end. */
#include "ir/eval_rules.h"

#include <math.h>
#include <string.h>

/* Strides into the result for each axis of the argument: 0 along the reduced ones. */
static void result_strides(const Node *node, const Type *from, int64_t *stride)
{
    Shape to = shape_of(&node->type);
    int kept = 0;
    for (int k = 0; k < from->rank; k++) stride[k] = node->attr.axes >> k & 1 ? 0 : to.stride[kept++];
}

static void finish(Tensor *out)
{
    for (int64_t k = 0; k < out->count; k++) {
        if (out->f)
            out->f[k] = round_to_dtype(out->type.dtype, out->f[k]);
        else
            out->i[k] = wrap_to_dtype(out->type.dtype, out->i[k]);
    }
}

static int64_t add_wrapping(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

const char *eval_sum(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    const Tensor *x = args[0];
    Shape from = shape_of(&x->type);
    int64_t stride[MAX_RANK], index[MAX_RANK] = {0};
    result_strides(node, &x->type, stride);
    for (int64_t k = 0; k < x->count; k++) {
        int64_t to = 0;
        for (int j = 0; j < from.rank; j++) to += index[j] * stride[j];
        if (out->f)
            out->f[to] += x->f[k];
        else
            out->i[to] = add_wrapping(out->i[to], x->i[k]);
        shape_next(&from, index);
    }
    finish(out);
    return NULL;
}

const char *eval_reduce_max(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    const Tensor *x = args[0];
    Shape from = shape_of(&x->type);
    int64_t stride[MAX_RANK], index[MAX_RANK] = {0};
    result_strides(node, &x->type, stride);
    for (int64_t k = 0; k < out->count; k++) {
        if (out->f)
            out->f[k] = -INFINITY;
        else
            out->i[k] = dtype_least(out->type.dtype);
    }
    for (int64_t k = 0; k < x->count; k++) {
        int64_t to = 0;
        for (int j = 0; j < from.rank; j++) to += index[j] * stride[j];
        if (out->f && (x->f[k] > out->f[to] || isnan(x->f[k]))) out->f[to] = x->f[k];
        if (out->i && x->i[k] > out->i[to]) out->i[to] = x->i[k];
        shape_next(&from, index);
    }
    return NULL;
}

const char *eval_cumsum(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    const Tensor *x = args[0];
    Shape shape = shape_of(&x->type);
    int64_t stride = shape.stride[node->attr.axis], extent = shape.extent[node->attr.axis];
    for (int64_t k = 0; k < x->count; k++) {
        bool first = k / stride % extent == 0;
        if (out->f)
            out->f[k] = x->f[k] + (first ? 0 : out->f[k - stride]);
        else
            out->i[k] = add_wrapping(x->i[k], first ? 0 : out->i[k - stride]);
    }
    finish(out);
    return NULL;
}

/* The letters of an einsum: those of the result first, then the summed ones; with each operand's stride along them. */
typedef struct Letters {
    Shape   all;
    int     kept;
    char    name[2 * MAX_RANK];
    int64_t a[2 * MAX_RANK], b[2 * MAX_RANK];
} Letters;

static int letter_find(Letters *letters, char name)
{
    const char *at = memchr(letters->name, name, (size_t)letters->all.rank);
    if (at) return (int)(at - letters->name);
    letters->name[letters->all.rank] = name;
    return letters->all.rank++;
}

static const char *read_term(Letters *letters, const char *text, const Shape *shape, int64_t *stride)
{
    for (int k = 0; k < shape->rank; k++) {
        int letter = letter_find(letters, text[k]);
        letters->all.extent[letter] = shape->extent[k];
        if (stride) stride[letter] = shape->stride[k];
    }
    return text + shape->rank;
}

static Letters read_letters(const Node *node)
{
    Letters letters = {0};
    Shape a = shape_of(&node->args[0]->type), b = shape_of(&node->args[1]->type), result = shape_of(&node->type);
    const char *second = node->attr.text + a.rank + 1;
    read_term(&letters, second + b.rank + 2, &result, NULL);
    letters.kept = letters.all.rank;
    read_term(&letters, node->attr.text, &a, letters.a);
    read_term(&letters, second, &b, letters.b);
    return letters;
}

const char *eval_einsum(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    (void)arena;
    Letters letters = read_letters(node);
    const Tensor *a = args[0], *b = args[1];
    int64_t total = shape_count(&letters.all), inner = out->count ? total / out->count : 0;
    int64_t index[2 * MAX_RANK] = {0};
    for (int64_t k = 0; k < total; k++) {
        int64_t at_a = 0, at_b = 0;
        for (int j = 0; j < letters.all.rank; j++) {
            at_a += index[j] * letters.a[j];
            at_b += index[j] * letters.b[j];
        }
        if (out->f)
            out->f[k / inner] += a->f[at_a] * b->f[at_b];
        else
            out->i[k / inner] = add_wrapping(out->i[k / inner], (int64_t)((uint64_t)a->i[at_a] * (uint64_t)b->i[at_b]));
        shape_next(&letters.all, index);
    }
    finish(out);
    return NULL;
}
