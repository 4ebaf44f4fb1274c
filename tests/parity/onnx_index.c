/* Products, and rows by index. */
#include "tests/parity/onnx_write.h"

#include <ctype.h>
#include <string.h>

/* products */

/* An operand with the leading axes of the product: `@` wants them the same. */
static const char *spread(OnnxWriter *w, const char *x, const OnnxType *type, const OnnxType *product)
{
    OnnxType whole = *product;
    bool same = type->rank == product->rank;
    for (int k = 1; k <= 2; k++) whole.shape[whole.rank - k] = type->shape[type->rank - k];
    for (int k = 0; k < whole.rank && same; k++) same = type->shape[k] == whole.shape[k];
    return same ? x : arena_print(w->arena, "expand(%s, %s)", x, onnx_shape(w, &whole));
}

/* Each operand is a matrix or more under leading axes, or a vector. */
void write_matmul(OnnxWriter *w)
{
    OnnxType a = *onnx_type(w, 0), b = *onnx_type(w, 1), type = {.dtype = a.dtype};
    const char *x = onnx_in(w, 0), *y = onnx_in(w, 1);
    if (a.rank > 1 && b.rank > 1) {
        OnnxType rows = a, columns = b;
        rows.shape[a.rank - 1] = 1;
        columns.shape[b.rank - 2] = 1;
        OnnxType product = onnx_broadcast(&rows, &columns);
        onnx_out(w, 0, product, "%s @ %s", spread(w, x, &a, &product), spread(w, y, &b, &product));
    } else if (a.rank == 1 && b.rank == 1) {
        onnx_out(w, 0, type, "einsum(\"k,k->\", %s, %s)", x, y);
    } else if (b.rank == 1) {
        onnx_out(w, 0, onnx_reduced(&a, 1u << (a.rank - 1), false), "einsum(\"...k,k->...\", %s, %s)", x, y);
    } else {
        onnx_out(w, 0, onnx_reduced(&b, 1u << (b.rank - 2), false), "einsum(\"k,...kn->...n\", %s, %s)", x, y);
    }
}

static bool is_weight(OnnxWriter *w, int k)
{
    for (int i = 0; onnx_has(w, k) && i < w->c->initializers.count; i++)
        if (!strcmp(w->c->initializers.at[i].name, w->node->inputs.at[k])) return true;
    return false;
}

/* The matrix with its axes swapped. */
static char *transposed(OnnxWriter *w, const OnnxTensor *t)
{
    int64_t rows = t->type.shape[0], columns = t->type.shape[1];
    size_t size = (size_t)dtype_bytes(t->type.dtype);
    char *out = arena_alloc(w->arena, (size_t)t->count * size);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            memcpy(out + (size_t)(j * rows + i) * size, t->bytes + (size_t)(i * columns + j) * size, size);
    return out;
}

/* A layer of a model: weight and bias are its own. */
static void write_linear(OnnxWriter *w, OnnxType type)
{
    const OnnxTensor *weight = onnx_known(w, 1), *bias = onnx_known(w, 2);
    bool turned = onnx_int(w, "transB", 0);
    const char *label = onnx_label(w);
    OnnxType shape = weight->type;
    shape.shape[0] = weight->type.shape[turned];
    shape.shape[1] = weight->type.shape[!turned];
    onnx_bind(w, arena_print(w->arena, "%s.weight", label), shape, turned ? transposed(w, weight) : weight->bytes);
    onnx_bind(w, arena_print(w->arena, "%s.bias", label), bias->type, bias->bytes);
    onnx_out(w, 0, type, "%s: linear(%s, %lld)", label, onnx_in(w, 0), (long long)shape.shape[1]);
}

void write_gemm(OnnxWriter *w)
{
    bool turn_a = onnx_int(w, "transA", 0), turn_b = onnx_int(w, "transB", 0);
    double alpha = onnx_float(w, "alpha", 1), beta = onnx_float(w, "beta", 1);
    OnnxType a = *onnx_type(w, 0), b = *onnx_type(w, 1);
    OnnxType type = {.dtype = a.dtype, .rank = 2, .shape = {a.shape[turn_a], b.shape[!turn_b]}};
    if (is_weight(w, 1) && is_weight(w, 2) && !turn_a && alpha == 1 && beta == 1) {
        write_linear(w, type);
        return;
    }
    const char *text =
        arena_print(w->arena, "%s%s @ %s%s", onnx_in(w, 0), turn_a ? ".T" : "", onnx_in(w, 1), turn_b ? ".T" : "");
    if (alpha != 1) text = arena_print(w->arena, "%s * (%s)", onnx_number(w, alpha), text);
    if (onnx_has(w, 2)) text = arena_print(w->arena, "%s + %s * %s", text, onnx_number(w, beta), onnx_in(w, 2));
    onnx_out(w, 0, type, "%s", text);
}

/* The language wants the arrow, and every letter of a term once. */
void write_einsum(OnnxWriter *w)
{
    const char *from = onnx_string(w, "equation", "");
    char *equation = arena_alloc(w->arena, strlen(from) + 3), *next = equation;
    for (const char *c = from; *c; c++)
        if (*c != ' ') *next++ = *c;
    if (!strstr(equation, "->")) strcpy(next, "->");
    for (const char *c = equation; *c && *c != '-'; c++) {
        const char *end = c + strcspn(c, ",-");
        if (isalpha((unsigned char)*c) && memchr(c + 1, *c, (size_t)(end - c - 1)))
            onnx_refuse(w, "a letter twice in a term");
    }
    OnnxType type = {.dtype = onnx_type(w, 0)->dtype};
    if (onnx_has(w, 1))
        onnx_out(w, 0, type, "einsum(\"%s\", %s, %s)", equation, onnx_in(w, 0), onnx_in(w, 1));
    else
        onnx_out(w, 0, type, "einsum(\"%s\", %s)", equation, onnx_in(w, 0));
}

/* rows by index */

/* Indices into an axis of n: ONNX counts negative ones from the end, in the language -1 is no row. */
static const char *indices(OnnxWriter *w, int k, int64_t n)
{
    const OnnxTensor *t = onnx_known(w, k);
    const char *text = onnx_in(w, k);
    for (int64_t i = 0; t && i < t->count; i++)
        if (onnx_real(t, i) < 0)
            return arena_print(w->arena, "where(%s < 0, %s + %lld, %s)", text, text, (long long)n, text);
    return text;
}

static const char *colons(OnnxWriter *w, int count)
{
    const char *text = "";
    for (int k = 0; k < count; k++) text = arena_print(w->arena, "%s:, ", text);
    return text;
}

static bool is_table(OnnxWriter *w, int axis)
{
    const OnnxType *x = onnx_type(w, 0);
    return is_weight(w, 0) && axis == 0 && x->rank == 2 && x->dtype == DT_f32;
}

void write_gather(OnnxWriter *w)
{
    OnnxType x = *onnx_type(w, 0), ids = *onnx_type(w, 1), type = {.dtype = x.dtype};
    int axis = onnx_axis(w, x.rank, 0);
    for (int k = 0; k < axis; k++) type.shape[type.rank++] = x.shape[k];
    for (int k = 0; k < ids.rank; k++) type.shape[type.rank++] = ids.shape[k];
    for (int k = axis + 1; k < x.rank; k++) type.shape[type.rank++] = x.shape[k];
    const char *i = indices(w, 1, x.shape[axis]);
    if (!is_table(w, axis)) {
        onnx_out(w, 0, type, "%s[%s%s]", onnx_in(w, 0), colons(w, axis), i);
        return;
    }
    const char *label = onnx_label(w);
    onnx_bind(w, arena_print(w->arena, "%s.weight", label), x, onnx_known(w, 0)->bytes);
    onnx_out(w, 0, type, "%s: embedding(i32(%s), %lld, %lld)", label, i, (long long)x.shape[0], (long long)x.shape[1]);
}

/* Subscripts of every axis: the indices along `axis`, the place itself along the others. */
static const char *element_subscripts(OnnxWriter *w, int axis, const char *along, const OnnxType *ids)
{
    const char *text = "";
    for (int k = 0; k < ids->rank; k++) {
        int64_t shape[MAX_RANK];
        for (int j = 0; j < ids->rank; j++) shape[j] = j == k ? ids->shape[k] : 1;
        const char *place = k == axis ? along
                                      : arena_print(w->arena, "reshape(iota(%lld), %s)", (long long)ids->shape[k],
                                                    onnx_list(w, shape, ids->rank));
        text = arena_print(w->arena, "%s%s%s", text, k ? ", " : "", place);
    }
    return text;
}

void write_gather_elements(OnnxWriter *w)
{
    OnnxType x = *onnx_type(w, 0), ids = *onnx_type(w, 1);
    int axis = onnx_axis(w, x.rank, 0);
    const char *i = indices(w, 1, x.shape[axis]);
    ids.dtype = x.dtype;
    onnx_out(w, 0, ids, "%s[%s]", onnx_in(w, 0), element_subscripts(w, axis, i, &ids));
}

/* Writes or adds, when the language knows how: no largest, smallest or product of several writes. */
static const char *reduction(OnnxWriter *w)
{
    const char *name = onnx_string(w, "reduction", "none");
    if (!strcmp(name, "none")) return "=";
    if (strcmp(name, "add")) onnx_refuse(w, "writes are set or added, not combined in other ways");
    return "+=";
}

static void write_into(OnnxWriter *w, const char *subscripts)
{
    OnnxType type = *onnx_type(w, 0);
    const char *name = onnx_label(w), *how = reduction(w);
    onnx_line(w, "%s = %s", name, onnx_in(w, 0));
    onnx_line(w, "%s[%s] %s %s", name, subscripts, how, onnx_in(w, 2));
    onnx_out(w, 0, type, "%s", name);
}

void write_scatter_elements(OnnxWriter *w)
{
    OnnxType x = *onnx_type(w, 0), ids = *onnx_type(w, 1);
    int axis = onnx_axis(w, x.rank, 0);
    write_into(w, element_subscripts(w, axis, indices(w, 1, x.shape[axis]), &ids));
}

/* The last axis of the indices holds one number for each of the first axes of x. */
static const char *point_subscripts(OnnxWriter *w, int first)
{
    const OnnxType *ids = onnx_type(w, 1);
    const char *text = "", *i = indices(w, 1, onnx_type(w, 0)->shape[first]);
    for (int64_t k = 0; k < ids->shape[ids->rank - 1]; k++)
        text = arena_print(w->arena, "%s%s%s[.., %lld]", text, *text ? ", " : "", i, (long long)k);
    return text;
}

void write_scatter_nd(OnnxWriter *w)
{
    write_into(w, point_subscripts(w, 0));
}

void write_gather_nd(OnnxWriter *w)
{
    OnnxType x = *onnx_type(w, 0), ids = *onnx_type(w, 1), type = {.dtype = x.dtype};
    int64_t batch = onnx_int(w, "batch_dims", 0);
    const char *points = point_subscripts(w, (int)batch);
    if (batch > 1 || (batch == 1 && ids.rank != 2)) onnx_refuse(w, "more than one batch axis");
    if (batch == 1) points = arena_print(w->arena, "iota(%lld), %s", (long long)x.shape[0], points);
    for (int k = 0; k < ids.rank - 1; k++) type.shape[type.rank++] = ids.shape[k];
    for (int k = (int)(batch + ids.shape[ids.rank - 1]); k < x.rank; k++) type.shape[type.rank++] = x.shape[k];
    onnx_out(w, 0, type, "%s[%s]", onnx_in(w, 0), points);
}

/* values holds what stands elsewhere, then what stands at the index. */
void write_one_hot(OnnxWriter *w)
{
    OnnxType ids = *onnx_type(w, 0), type = ids;
    const OnnxTensor *depth = onnx_known(w, 1), *values = onnx_known(w, 2);
    if (!depth || !values) return;
    int64_t n = onnx_whole(depth, 0), map[MAX_RANK];
    int axis = (int)onnx_int(w, "axis", -1);
    if (axis < 0) axis += ids.rank + 1;
    const char *i = indices(w, 0, n), *name = dtype_name(values->type.dtype);
    double off = onnx_real(values, 0), on = onnx_real(values, 1);
    type.rank++;
    for (int k = 0; k < type.rank; k++) {
        map[k] = k < axis ? k : k == axis ? ids.rank : k - 1;
        type.shape[k] = k < axis ? ids.shape[k] : k == axis ? n : ids.shape[k - 1];
    }
    onnx_out(w, 0, type, "%s(permute(one_hot(i32(%s), %lld), %s) * %s + %s)", name, i, (long long)n,
             onnx_list(w, map, type.rank), onnx_number(w, on - off), onnx_number(w, off));
}
