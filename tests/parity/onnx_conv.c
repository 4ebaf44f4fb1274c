/* Convolution and pooling by windows: each spatial axis becomes two, places and elements of a window. */
#include "tests/parity/onnx_write.h"

#include <string.h>

/* Along one spatial axis. */
typedef struct Reach {
    int64_t size, step, dilation, before, after, length; /* length: of the result */
} Reach;

enum { MOST_SPATIAL = MAX_RANK - 2 };

static int64_t listed(OnnxWriter *w, const char *name, int k, int64_t otherwise)
{
    const OnnxAttribute *a = onnx_attribute(w, name);
    return a && k < a->ints.count ? a->ints.at[k] : otherwise;
}

/* ceil_mode: a last window that begins inside, or in the padding before the end, counts too. */
static Reach read_reach(OnnxWriter *w, int k, int spatial, int64_t n, int64_t size)
{
    Reach r = {.size = size,
               .step = listed(w, "strides", k, 1),
               .dilation = listed(w, "dilations", k, 1),
               .before = listed(w, "pads", k, 0),
               .after = listed(w, "pads", spatial + k, 0)};
    int64_t span = (size - 1) * r.dilation + 1;
    const char *mode = onnx_string(w, "auto_pad", "NOTSET");
    if (!strncmp(mode, "SAME", 4)) {
        int64_t all = ((n + r.step - 1) / r.step - 1) * r.step + span - n;
        if (all < 0) all = 0;
        r.before = !strcmp(mode, "SAME_LOWER") ? (all + 1) / 2 : all / 2;
        r.after = all - r.before;
    }
    int64_t room = n + r.before + r.after - span;
    r.length = room / r.step + 1;
    if (onnx_int(w, "ceil_mode", 0) && room % r.step && r.length * r.step < n + r.before) {
        r.after += r.step - room % r.step;
        r.length++;
    }
    return r;
}

/* Writes `name` as x under windows: (N, C, ..) becomes (N, C, places, elements, places, elements ..). */
static void write_windows(OnnxWriter *w, const char *name, const char *x, const Reach *reach, int spatial)
{
    int64_t before[MAX_RANK] = {0}, after[MAX_RANK] = {0}, some = 0;
    for (int k = 0; k < spatial; k++) {
        before[2 + k] = reach[k].before;
        after[2 + k] = reach[k].after;
        some += reach[k].before + reach[k].after;
    }
    onnx_line(w, "%s = %s", name, x);
    if (some)
        onnx_line(w, "%s = pad(%s, %s, %s)", name, name, onnx_list(w, before, 2 + spatial),
                  onnx_list(w, after, 2 + spatial));
    for (int k = 0; k < spatial; k++) {
        int axis = 2 + 2 * k;
        onnx_line(w, "%s = window(%s, %lld, axis = %d, step = %lld)", name, name,
                  (long long)((reach[k].size - 1) * reach[k].dilation + 1), axis, (long long)reach[k].step);
        if (reach[k].dilation > 1)
            onnx_line(w, "%s = slice(%s, %d, step = %lld)", name, name, axis + 1, (long long)reach[k].dilation);
    }
}

/* (N, C, places, elements ..) with the channels in groups: (N, groups, C/groups, ..). */
static void group_channels(OnnxWriter *w, const char *name, const OnnxType *x, const Reach *reach, int spatial,
                           int64_t groups)
{
    int64_t shape[2 * MAX_RANK] = {x->shape[0], groups, x->shape[1] / groups};
    for (int k = 0; k < spatial; k++) {
        shape[3 + 2 * k] = reach[k].length;
        shape[4 + 2 * k] = reach[k].size;
    }
    onnx_line(w, "%s = reshape(%s, %s)", name, name, onnx_list(w, shape, 3 + 2 * spatial));
}

void write_conv(OnnxWriter *w)
{
    static const char *const WINDOWS[] = {"", "xi", "xiyj", "xiyjzk"}, *const ELEMENTS[] = {"", "i", "ij", "ijk"},
                             *const PLACES[] = {"", "x", "xy", "xyz"};
    OnnxType x = *onnx_type(w, 0), weight = *onnx_type(w, 1), type = x;
    int spatial = x.rank - 2;
    int64_t groups = onnx_int(w, "group", 1), shape[2 * MAX_RANK];
    Reach reach[MOST_SPATIAL] = {0};
    if (3 + 2 * spatial > MAX_RANK && groups > 1) onnx_refuse(w, "grouped windows along three axes: more than 8 axes");
    if (spatial > 3) onnx_refuse(w, "windows along more than three axes");
    if (w->out->refused) return;
    for (int k = 0; k < spatial; k++) {
        reach[k] = read_reach(w, k, spatial, x.shape[2 + k], weight.shape[2 + k]);
        type.shape[2 + k] = reach[k].length;
    }
    type.shape[1] = weight.shape[0];
    const char *name = onnx_label(w), *filter = onnx_in(w, 1), *g = groups > 1 ? "g" : "";
    write_windows(w, name, onnx_in(w, 0), reach, spatial);
    if (groups > 1) {
        group_channels(w, name, &x, reach, spatial, groups);
        shape[0] = groups;
        shape[1] = weight.shape[0] / groups;
        for (int k = 1; k < weight.rank; k++) shape[k + 1] = weight.shape[k];
        filter = arena_print(w->arena, "reshape(%s, %s)", filter, onnx_list(w, shape, weight.rank + 1));
    }
    onnx_line(w, "%s = einsum(\"n%sc%s,%soc%s->n%so%s\", %s, %s)", name, g, WINDOWS[spatial], g, ELEMENTS[spatial], g,
              PLACES[spatial], name, filter);
    for (int k = 0; k < spatial; k++) shape[k + 1] = 1;
    shape[0] = weight.shape[0];
    const char *bias =
        onnx_has(w, 2) ? arena_print(w->arena, " + reshape(%s, %s)", onnx_in(w, 2), onnx_list(w, shape, 1 + spatial))
                       : "";
    onnx_out(w, 0, type, "reshape(%s, %s)%s", name, onnx_shape(w, &type), bias);
}

/* Writes `name` as ones under the same windows as x: zeros where they reach beyond it. An average may count the padding
 * that the node names as inside, not what ceil_mode adds. */
static void write_inside(OnnxWriter *w, const char *name, const Reach *reach, int spatial)
{
    OnnxType inside = *onnx_type(w, 0);
    Reach beyond[MOST_SPATIAL];
    for (int k = 0; k < spatial; k++) {
        beyond[k] = reach[k];
        if (!onnx_int(w, "count_include_pad", 0)) continue;
        int64_t after = listed(w, "pads", spatial + k, 0);
        inside.shape[2 + k] += reach[k].before + after;
        beyond[k].before = 0;
        beyond[k].after -= after;
    }
    write_windows(w, name, arena_print(w->arena, "full(%s, 1.0)", onnx_shape(w, &inside)), beyond, spatial);
}

void write_pool(OnnxWriter *w)
{
    OnnxType x = *onnx_type(w, 0), type = x;
    int spatial = x.rank - 2;
    bool most = !strcmp(w->node->op, "MaxPool"), padded = false;
    int64_t axes[MAX_RANK];
    Reach reach[MOST_SPATIAL];
    if (2 + 2 * spatial > MAX_RANK) {
        onnx_refuse(w, "windows along more than three axes");
        return;
    }
    for (int k = 0; k < spatial; k++) {
        reach[k] = read_reach(w, k, spatial, x.shape[2 + k], listed(w, "kernel_shape", k, 1));
        type.shape[2 + k] = reach[k].length;
        axes[k] = 3 + 2 * k;
        padded = padded || reach[k].before || reach[k].after;
    }
    const char *name = onnx_label(w), *ones = onnx_label(w), *over = onnx_list(w, axes, spatial);
    if (padded) write_inside(w, ones, reach, spatial);
    write_windows(w, name, onnx_in(w, 0), reach, spatial);
    if (most && padded) onnx_line(w, "%s = where(%s > 0, %s, -inf)", name, ones, name);
    if (most)
        onnx_out(w, 0, type, "max(%s, axis = %s)", name, over);
    else if (padded)
        onnx_out(w, 0, type, "sum(%s, axis = %s) / sum(%s, axis = %s)", name, over, ones, over);
    else
        onnx_out(w, 0, type, "mean(%s, axis = %s)", name, over);
}

void write_global_pool(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    int64_t axes[MAX_RANK];
    for (int k = 2; k < type.rank; k++) axes[k - 2] = k;
    const char *name = !strcmp(w->node->op, "GlobalMaxPool") ? "max" : "mean",
               *list = onnx_list(w, axes, type.rank - 2);
    for (int k = 2; k < type.rank; k++) type.shape[k] = 1;
    onnx_out(w, 0, type, "%s(%s, axis = %s, keep = true)", name, onnx_in(w, 0), list);
}
