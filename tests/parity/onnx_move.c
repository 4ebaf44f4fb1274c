/* Operators that move elements to other places, and those that make tensors. */
#include "tests/parity/onnx_write.h"

#include <math.h>
#include <string.h>

static const OnnxAttribute NO_ATTRIBUTE = {0};

/* An input or, in older versions, an attribute that lists whole numbers. */
static int wholes(OnnxWriter *w, int from_input, const char *name, int64_t *out)
{
    const OnnxTensor *t = onnx_has(w, from_input) ? onnx_known(w, from_input) : NULL;
    const OnnxAttribute *a = onnx_attribute(w, name) ? onnx_attribute(w, name) : &NO_ATTRIBUTE;
    int count = t ? (int)t->count : a->ints.count;
    if (count > 2 * MAX_RANK) {
        onnx_refuse(w, "more axes than a tensor has");
        return 0;
    }
    for (int k = 0; k < count; k++) out[k] = t ? onnx_whole(t, k) : a->ints.at[k];
    return count;
}

void write_concat(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    int axis = onnx_axis(w, type.rank, 0);
    const char *parts = onnx_in(w, 0);
    for (int k = 1; k < w->node->inputs.count; k++) {
        parts = arena_print(w->arena, "%s, %s", parts, onnx_in(w, k));
        type.shape[axis] += onnx_type(w, k)->shape[axis];
    }
    onnx_out(w, 0, type, "concat([%s], axis = %d)", parts, (int)onnx_int(w, "axis", 0));
}

void write_constant_of_shape(OnnxWriter *w)
{
    OnnxType type = {.dtype = DT_f32};
    const OnnxAttribute *value = onnx_attribute(w, "value");
    int64_t shape[2 * MAX_RANK];
    int rank = wholes(w, 0, "", shape);
    if (value && value->t) type.dtype = value->t->type.dtype;
    type = onnx_of(type.dtype, rank, shape);
    double x = value && value->t ? onnx_real(value->t, 0) : 0;
    onnx_out(w, 0, type, "full(%s, %s(%s))", onnx_shape(w, &type), dtype_name(type.dtype), onnx_number(w, x));
}

void write_expand(OnnxWriter *w)
{
    int64_t shape[2 * MAX_RANK];
    int rank = wholes(w, 1, "", shape);
    OnnxType wanted = onnx_of(onnx_type(w, 0)->dtype, rank, shape), type = onnx_broadcast(onnx_type(w, 0), &wanted);
    onnx_out(w, 0, type, "expand(%s, %s)", onnx_in(w, 0), onnx_shape(w, &type));
}

void write_eye(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    long long rows = (long long)type.shape[0], columns = (long long)type.shape[1], k = (long long)onnx_int(w, "k", 0);
    int64_t code = onnx_int(w, "dtype", 0);
    const char *name = code == 1 ? "f32" : code == 11 ? "f64" : code == 0 ? dtype_name(type.dtype) : NULL;
    if (!name)
        onnx_refuse(w, "an element type that the language lacks");
    else if (rows == columns && k == 0)
        onnx_out(w, 0, type, "%s(eye(%lld))", name, rows);
    else
        onnx_out(w, 0, type, "%s(iota(%lld) == iota(%lld)[:, _] + %lld)", name, columns, rows, k);
}

/* shapes */

static void reshaped(OnnxWriter *w, OnnxType type)
{
    onnx_out(w, 0, type, "reshape(%s, %s)", onnx_in(w, 0), onnx_shape(w, &type));
}

void write_flatten(OnnxWriter *w)
{
    OnnxType from = *onnx_type(w, 0), type = {.dtype = from.dtype, .rank = 2, .shape = {1, 1}};
    int axis = onnx_axis(w, from.rank, 1);
    for (int k = 0; k < from.rank; k++) type.shape[k >= axis] *= from.shape[k];
    reshaped(w, type);
}

/* 0 keeps the dimension at its place, unless allowzero; -1 is what is left. */
void write_reshape(OnnxWriter *w)
{
    OnnxType from = *onnx_type(w, 0);
    int64_t shape[2 * MAX_RANK], all = 1, known = 1;
    int rank = wholes(w, 1, "shape", shape), open = -1;
    for (int k = 0; k < from.rank; k++) all *= from.shape[k];
    for (int k = 0; k < rank; k++) {
        if (shape[k] == 0 && !onnx_int(w, "allowzero", 0)) shape[k] = from.shape[k];
        if (shape[k] < 0)
            open = k;
        else
            known *= shape[k];
    }
    if (open >= 0 && known > 0) shape[open] = all / known;
    reshaped(w, onnx_of(from.dtype, rank, shape));
}

void write_squeeze(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    int bits = onnx_axes(w, 1, type.rank);
    const char *subscripts = "";
    for (int k = 0; k < type.rank; k++) {
        bool gone = bits < 0 ? type.shape[k] == 1 : bits >> k & 1;
        subscripts = arena_print(w->arena, "%s%s%s", subscripts, k ? ", " : "", gone ? "0" : ":");
    }
    if (bits < 0)
        onnx_refuse(w, "axes to drop that are found by their length");
    else
        onnx_out(w, 0, onnx_reduced(&type, (uint32_t)bits, false), "%s[%s]", onnx_in(w, 0), subscripts);
}

void write_unsqueeze(OnnxWriter *w)
{
    OnnxType from = *onnx_type(w, 0), type = {.dtype = from.dtype};
    int64_t axes[2 * MAX_RANK];
    int count = wholes(w, 1, "axes", axes), bits = 0, next = 0;
    const char *text = onnx_in(w, 0);
    type.rank = from.rank + count;
    for (int k = 0; k < count; k++) bits |= 1 << (axes[k] < 0 ? axes[k] + type.rank : axes[k]);
    for (int k = 0; k < type.rank; k++) {
        type.shape[k] = bits >> k & 1 ? 1 : from.shape[next++];
        if (bits >> k & 1) text = arena_print(w->arena, "new_axis(%s, %d)", text, k);
    }
    onnx_out(w, 0, type, "%s", text);
}

void write_shape(OnnxWriter *w)
{
    OnnxType from = *onnx_type(w, 0), type = {.dtype = DT_i64, .rank = 1};
    int64_t start = onnx_int(w, "start", 0), end = onnx_int(w, "end", from.rank);
    const char *text = "", *x = onnx_in(w, 0);
    if (start < 0) start = start + from.rank < 0 ? 0 : start + from.rank;
    if (end < 0) end += from.rank;
    if (end > from.rank) end = from.rank;
    for (int64_t k = start; k < end; k++) {
        text = arena_print(w->arena, "%s%si64(size(%s, %lld))", text, *text ? ", " : "", x, (long long)k);
        type.shape[0]++;
    }
    if (start >= end)
        onnx_refuse(w, "a list without elements has no element type");
    else
        onnx_out(w, 0, type, "stack([%s])", text);
}

void write_size(OnnxWriter *w)
{
    onnx_out(w, 0, (OnnxType){.dtype = DT_i64}, "i64(size(%s))", onnx_in(w, 0));
}

void write_transpose(OnnxWriter *w)
{
    OnnxType from = *onnx_type(w, 0), type = from;
    int64_t perm[2 * MAX_RANK];
    if (!wholes(w, 99, "perm", perm))
        for (int k = 0; k < from.rank; k++) perm[k] = from.rank - 1 - k;
    for (int k = 0; k < from.rank; k++) type.shape[k] = from.shape[perm[k]];
    onnx_out(w, 0, type, "permute(%s, %s)", onnx_in(w, 0), onnx_list(w, perm, from.rank));
}

/* parts */

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* One axis: ONNX moves bounds into the axis, the language wants them there. */
static const char *slice_text(OnnxWriter *w, int64_t start, int64_t end, int64_t step, int64_t *length)
{
    int64_t n = *length, least = step > 0 ? 0 : -1, most = step > 0 ? n : n - 1;
    start = clamp(start < 0 ? start + n : start, 0, most);
    end = clamp(end < 0 ? end + n : end, least, most);
    int64_t span = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
    if (span < 0) span = 0;
    *length = (span + stride - 1) / stride;
    if (step > 0 && end < start) end = start;
    const char *stop = end < 0 ? "" : arena_print(w->arena, "%lld", (long long)end);
    return arena_print(w->arena, "%lld:%s:%lld", (long long)start, stop, (long long)step);
}

void write_slice(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    int64_t starts[2 * MAX_RANK], ends[2 * MAX_RANK], axes[2 * MAX_RANK], steps[2 * MAX_RANK];
    int count = wholes(w, 1, "starts", starts), axis_count;
    wholes(w, 2, "ends", ends);
    axis_count = wholes(w, 3, "axes", axes);
    if (!wholes(w, 4, "steps", steps))
        for (int k = 0; k < count; k++) steps[k] = 1;
    const char *each[MAX_RANK], *text = "";
    for (int k = 0; k < type.rank; k++) each[k] = ":";
    for (int k = 0; k < count; k++) {
        int64_t axis = axis_count ? axes[k] : k;
        if (axis < 0) axis += type.rank;
        each[axis] = slice_text(w, starts[k], ends[k], steps[k], &type.shape[axis]);
    }
    for (int k = 0; k < type.rank; k++) text = arena_print(w->arena, "%s%s%s", text, k ? ", " : "", each[k]);
    onnx_out(w, 0, type, "%s[%s]", onnx_in(w, 0), text);
}

/* Lengths of the parts: given, or equal with a shorter last one. */
static bool split_lengths(OnnxWriter *w, int64_t n, int64_t *out)
{
    int count = w->node->outputs.count;
    int64_t given[2 * MAX_RANK], each = (n + count - 1) / count;
    bool said = wholes(w, 1, "split", given) > 0;
    for (int k = 0; k < count; k++) {
        out[k] = said ? given[k] : each < n ? each : n;
        n -= out[k];
    }
    for (int k = 1; k < count; k++)
        if (out[k] != out[0]) return false;
    return true;
}

void write_split(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    int axis = onnx_axis(w, type.rank, 0), count = w->node->outputs.count;
    int64_t lengths[2 * MAX_RANK], at = 0;
    if (count > 2 * MAX_RANK) {
        onnx_refuse(w, "too many parts");
        return;
    }
    bool equal = split_lengths(w, type.shape[axis], lengths) && type.shape[axis] > 0;
    const char *x = onnx_in(w, 0), *parts = onnx_label(w);
    if (equal) onnx_line(w, "%s = split(%s, %d, axis = %d)", parts, x, count, axis);
    for (int k = 0; k < count; k++) {
        type.shape[axis] = lengths[k];
        if (equal)
            onnx_out(w, k, type, "%s[%d]", parts, k);
        else
            onnx_out(w, k, type, "slice(%s, %d, %lld, %lld)", x, axis, (long long)at, (long long)(at + lengths[k]));
        at += lengths[k];
    }
}

/* larger ones */

/* What is before and after each axis; `pads` lists all befores, then all afters, of the axes given or of all. */
static bool read_pads(OnnxWriter *w, const OnnxType *type, int64_t *before, int64_t *after)
{
    int64_t pads[2 * MAX_RANK], axes[2 * MAX_RANK];
    int count = wholes(w, 1, "pads", pads) / 2, axis_count = wholes(w, 3, "axes", axes);
    bool good = true;
    for (int k = 0; k < type->rank; k++) before[k] = after[k] = 0;
    for (int k = 0; k < count; k++) {
        int64_t axis = axis_count ? axes[k] : k;
        if (axis < 0) axis += type->rank;
        before[axis] = pads[k];
        after[axis] = pads[count + k];
        good = good && pads[k] >= 0 && pads[count + k] >= 0;
    }
    return good;
}

void write_pad(OnnxWriter *w)
{
    OnnxType from = *onnx_type(w, 0), type = from;
    int64_t before[MAX_RANK], after[MAX_RANK];
    double value = onnx_has(w, 2) ? onnx_real(onnx_known(w, 2), 0) : onnx_float(w, "value", 0);
    if (strcmp(onnx_string(w, "mode", "constant"), "constant"))
        onnx_refuse(w, "pad writes one value, no copies of the border");
    if (!read_pads(w, &from, before, after)) onnx_refuse(w, "a negative number of places to add");
    for (int k = 0; k < type.rank; k++) type.shape[k] += before[k] + after[k];
    const char *a = onnx_list(w, before, type.rank), *b = onnx_list(w, after, type.rank), *x = onnx_in(w, 0);
    if (value == 0) {
        onnx_out(w, 0, type, "pad(%s, %s, %s)", x, a, b);
        return;
    }
    onnx_out(w, 0, type, "where(pad(full(%s, 1.0), %s, %s) > 0, pad(%s, %s, %s), %s)", onnx_shape(w, &from), a, b, x, a,
             b, onnx_number(w, value));
}

/* start, limit, delta; the number of elements must be static, the others are read when it runs. */
void write_range(OnnxWriter *w)
{
    const OnnxTensor *start = onnx_known(w, 0), *limit = onnx_known(w, 1), *delta = onnx_known(w, 2);
    if (!start || !limit || !delta) return;
    double n = ceil((onnx_real(limit, 0) - onnx_real(start, 0)) / onnx_real(delta, 0));
    OnnxType type = {.dtype = start->type.dtype, .rank = 1, .shape = {n > 0 ? (int64_t)n : 0}};
    const char *name = dtype_name(type.dtype), *wide = type.dtype == DT_f16 ? "f32" : "";
    onnx_out(w, 0, type, "%s(%s(iota(%lld)) * %s(%s) + %s(%s))", name, *wide ? wide : name, (long long)type.shape[0],
             wide, onnx_in(w, 2), wide, onnx_in(w, 0));
}

void write_tile(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    int64_t repeats[2 * MAX_RANK];
    int count = wholes(w, 1, "", repeats);
    const char *x = onnx_in(w, 0);
    for (int k = 0; k < count; k++) {
        if (repeats[k] == 1) continue;
        const char *parts = x, *name = onnx_label(w);
        for (int64_t i = 1; i < repeats[k]; i++) parts = arena_print(w->arena, "%s, %s", parts, x);
        onnx_line(w, "%s = concat([%s], axis = %d)", name, parts, k);
        type.shape[k] *= repeats[k];
        x = name;
    }
    onnx_out(w, 0, type, "%s", x);
}

/* k: how many diagonals above the main one are kept (below: dropped). */
void write_trilu(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    const OnnxTensor *diagonal = onnx_has(w, 1) ? onnx_known(w, 1) : NULL;
    long long k = diagonal ? (long long)onnx_whole(diagonal, 0) : 0;
    bool upper = onnx_int(w, "upper", 1);
    const char *x = onnx_in(w, 0);
    if (!upper && k == 0) {
        onnx_out(w, 0, type, "tril(%s)", x);
        return;
    }
    onnx_out(w, 0, type, "where(iota(%lld) %s iota(%lld)[:, _] + %lld, %s, 0)", (long long)type.shape[type.rank - 1],
             upper ? ">=" : "<=", (long long)type.shape[type.rank - 2], k, x);
}
