/* Operators that work element by element, and reductions, where a template is not enough. */
#include "tests/parity/onnx_write.h"

#include <string.h>

void write_cast(OnnxWriter *w)
{
    static const struct {
        int64_t code;
        DType dtype;
    } TYPES[] = {
        {1, DT_f32}, {6, DT_i32}, {7, DT_i64}, {9, DT_bool}, {10, DT_f16}, {11, DT_f64}, {16, DT_bf16},
    };
    OnnxType type = *onnx_type(w, 0);
    int64_t to = onnx_int(w, "to", 0);
    for (size_t k = 0; k < sizeof TYPES / sizeof *TYPES; k++) {
        if (TYPES[k].code != to) continue;
        type.dtype = TYPES[k].dtype;
        onnx_out(w, 0, type, "%s(%s)", dtype_name(type.dtype), onnx_in(w, 0));
        return;
    }
    onnx_refuse(w, "an element type that the language lacks");
}

void write_clip(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    const char *x = onnx_in(w, 0);
    bool low = onnx_has(w, 1), high = onnx_has(w, 2);
    if (low && high)
        onnx_out(w, 0, type, "clamp(%s, %s, %s)", x, onnx_in(w, 1), onnx_in(w, 2));
    else if (low)
        onnx_out(w, 0, type, "max(%s, %s)", x, onnx_in(w, 1));
    else if (high)
        onnx_out(w, 0, type, "min(%s, %s)", x, onnx_in(w, 2));
    else
        onnx_out(w, 0, type, "%s", x);
}

/* The third input says whether to train; random draws differ from ONNX's by design. */
void write_dropout(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0), mask = type;
    double ratio = onnx_has(w, 1) ? onnx_real(onnx_known(w, 1), 0) : onnx_float(w, "ratio", 0.5);
    bool training = onnx_has(w, 2) && onnx_real(onnx_known(w, 2), 0) != 0;
    if (training && ratio != 0) {
        onnx_refuse(w, "its draws are NumPy's; the language has counter-based ones");
        return;
    }
    mask.dtype = DT_bool;
    onnx_out(w, 0, type, "dropout(%s, %s, training = %s)", onnx_in(w, 0), onnx_number(w, ratio),
             training ? "true" : "false");
    onnx_out(w, 1, mask, "full(%s, true)", onnx_shape(w, &type));
}

void write_gelu(OnnxWriter *w)
{
    bool by_tanh = !strcmp(onnx_string(w, "approximate", "none"), "tanh");
    onnx_out(w, 0, *onnx_type(w, 0), "%s(%s)", by_tanh ? "gelu_tanh" : "gelu", onnx_in(w, 0));
}

void write_identity(OnnxWriter *w)
{
    onnx_out(w, 0, *onnx_type(w, 0), "%s", onnx_in(w, 0));
}

/* Any number of inputs. */
void write_many(OnnxWriter *w)
{
    const char *text = onnx_in(w, 0), *op = w->node->op;
    bool by_name = !strcmp(op, "Max") || !strcmp(op, "Min");
    OnnxType type = *onnx_type(w, 0);
    for (int k = 1; k < w->node->inputs.count; k++) {
        const char *next = onnx_in(w, k);
        type = onnx_broadcast(&type, onnx_type(w, k));
        if (by_name)
            text = arena_print(w->arena, "%s(%s, %s)", strcmp(op, "Max") ? "min" : "max", text, next);
        else
            text = arena_print(w->arena, "%s + %s", text, next);
    }
    if (!strcmp(op, "Mean")) text = arena_print(w->arena, "(%s) / %d", text, w->node->inputs.count);
    onnx_out(w, 0, type, "%s", text);
}

/* A slope with one number a channel stands along axis 1, whatever the rank (as the converter wrote it). */
void write_prelu(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0), slope = *onnx_type(w, 1);
    const char *x = onnx_in(w, 0), *a = onnx_in(w, 1);
    if (slope.rank == 1 && slope.shape[0] > 1 && type.rank > 2) {
        int64_t shape[MAX_RANK];
        for (int k = 1; k < type.rank; k++) shape[k - 1] = k == 1 ? slope.shape[0] : 1;
        a = arena_print(w->arena, "reshape(%s, %s)", a, onnx_list(w, shape, type.rank - 1));
    }
    onnx_out(w, 0, type, "where(%s < 0, %s * %s, %s)", x, a, x, x);
}

void write_pow(OnnxWriter *w)
{
    OnnxType type = onnx_broadcast(onnx_type(w, 0), onnx_type(w, 1));
    const char *x = onnx_in(w, 0), *y = onnx_in(w, 1), *name = dtype_name(type.dtype);
    if (!dtype_is_float(type.dtype))
        onnx_out(w, 0, type, "%s(round(f64(%s) ^ f64(%s)))", name, x, y);
    else if (onnx_type(w, 1)->dtype != type.dtype)
        onnx_out(w, 0, type, "%s ^ %s(%s)", x, name, y);
    else
        onnx_out(w, 0, type, "%s ^ %s", x, y);
}

void write_swish(OnnxWriter *w)
{
    double alpha = onnx_float(w, "alpha", 1);
    const char *x = onnx_in(w, 0);
    if (alpha == 1)
        onnx_out(w, 0, *onnx_type(w, 0), "silu(%s)", x);
    else
        onnx_out(w, 0, *onnx_type(w, 0), "%s * sigmoid(%s * %s)", x, onnx_number(w, alpha), x);
}

/* over axes */

static uint32_t reduced_axes(OnnxWriter *w)
{
    int rank = onnx_type(w, 0)->rank, bits = onnx_axes(w, 1, rank);
    return bits < 0 ? (1u << rank) - 1 : (uint32_t)bits;
}

static const char *axes_list(OnnxWriter *w, uint32_t axes)
{
    int64_t list[MAX_RANK];
    int count = 0;
    for (int k = 0; k < MAX_RANK; k++)
        if (axes >> k & 1) list[count++] = k;
    return onnx_list(w, list, count);
}

void write_extreme(OnnxWriter *w)
{
    bool most = !strcmp(w->node->op, "ReduceMax"), truth = onnx_type(w, 0)->dtype == DT_bool;
    bool keep = onnx_int(w, "keepdims", 1);
    uint32_t axes = reduced_axes(w);
    const char *name = truth ? (most ? "any" : "all") : most ? "max" : "min";
    onnx_out(w, 0, onnx_reduced(onnx_type(w, 0), axes, keep), "%s(%s, axis = %s, keep = %s)", name, onnx_in(w, 0),
             axes_list(w, axes), keep ? "true" : "false");
}

/* logsumexp takes one axis: over all of them, that of the flattened tensor. */
void write_log_sum_exp(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    uint32_t axes = reduced_axes(w), all = (1u << type.rank) - 1;
    bool single = axes && !(axes & (axes - 1));
    OnnxType result = onnx_reduced(&type, axes, onnx_int(w, "keepdims", 1));
    const char *x = onnx_in(w, 0);
    if (single) {
        int axis = 0;
        while (!(axes >> axis & 1)) axis++;
        onnx_out(w, 0, result, "reshape(logsumexp(%s, axis = %d), %s)", x, axis, onnx_shape(w, &result));
    } else if (axes == all) {
        onnx_out(w, 0, result, "reshape(logsumexp(flatten(%s)), %s)", x, onnx_shape(w, &result));
    } else {
        onnx_refuse(w, "logsumexp takes one axis");
    }
}

void write_arg(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    int axis = onnx_axis(w, type.rank, 0);
    bool most = !strcmp(w->node->op, "ArgMax");
    OnnxType result = onnx_reduced(&type, 1u << axis, onnx_int(w, "keepdims", 1));
    const char *name = most ? "argmax" : "argmin", *x = onnx_in(w, 0), *text;
    result.dtype = DT_i64;
    if (onnx_int(w, "select_last_index", 0))
        text = arena_print(w->arena, "%lld - %s(flip(%s, axis = %d), axis = %d)", (long long)type.shape[axis] - 1, name,
                           x, axis, axis);
    else
        text = arena_print(w->arena, "%s(%s, axis = %d)", name, x, axis);
    onnx_out(w, 0, result, "i64(reshape(%s, %s))", text, onnx_shape(w, &result));
}

void write_cumsum(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    const OnnxTensor *at = onnx_known(w, 1);
    if (!at) return;
    int axis = (int)onnx_whole(at, 0);
    if (axis < 0) axis += type.rank;
    const char *x = onnx_in(w, 0), *y = x;
    bool reverse = onnx_int(w, "reverse", 0);
    if (reverse) y = arena_print(w->arena, "flip(%s, axis = %d)", y, axis);
    y = arena_print(w->arena, "cumsum(%s, axis = %d)", y, axis);
    if (reverse) y = arena_print(w->arena, "flip(%s, axis = %d)", y, axis);
    onnx_out(w, 0, type, "%s%s%s", y, onnx_int(w, "exclusive", 0) ? " - " : "", onnx_int(w, "exclusive", 0) ? x : "");
}

void write_hardmax(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    int axis = onnx_axis(w, type.rank, -1);
    int64_t map[MAX_RANK], n = type.shape[axis];
    const char *best = arena_print(w->arena, "one_hot(argmax(%s, axis = %d), %lld)", onnx_in(w, 0), axis, (long long)n);
    for (int k = 0; k < type.rank; k++) map[k] = k < axis ? k : k == axis ? type.rank - 1 : k - 1;
    onnx_out(w, 0, type, "permute(%s, %s)", best, onnx_list(w, map, type.rank));
}

void write_lp_normalization(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    int axis = onnx_axis(w, type.rank, -1);
    const char *x = onnx_in(w, 0);
    if (onnx_int(w, "p", 2) == 2)
        onnx_out(w, 0, type, "unit(%s, axis = %d)", x, axis);
    else
        onnx_out(w, 0, type, "%s / sum(abs(%s), axis = %d, keep = true)", x, x, axis);
}
