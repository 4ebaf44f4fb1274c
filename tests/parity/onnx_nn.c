/* Norms, losses, rotary positions, optimizers, gradients. */
#include "tests/parity/onnx_write.h"

#include <string.h>

static int64_t elements(const OnnxType *type, int from, int to)
{
    int64_t n = 1;
    for (int k = from; k < to; k++) n *= type->shape[k];
    return n;
}

/* norms */

static void bind_row(OnnxWriter *w, const char *label, const char *name, int k, int64_t n)
{
    const OnnxTensor *t = onnx_known(w, k);
    if (!t) return;
    onnx_bind(w, arena_print(w->arena, "%s.%s", label, name), onnx_of(t->type.dtype, 1, &n), t->bytes);
}

/* All axes from `axis` on are one row. LayerNormalization has the mean and the inverse deviation as further results. */
void write_layer_norm(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0), rows = {.dtype = type.dtype}, kept = type;
    int axis = onnx_axis(w, type.rank, -1);
    bool rms = !strcmp(w->node->op, "RMSNormalization");
    const char *label = onnx_label(w), *x = onnx_in(w, 0), *eps = onnx_number(w, onnx_float(w, "epsilon", 1e-5));
    for (int k = 0; k < axis; k++) rows.shape[rows.rank++] = type.shape[k];
    rows.shape[rows.rank++] = elements(&type, axis, type.rank);
    for (int k = axis; k < type.rank; k++) kept.shape[k] = 1;
    bind_row(w, label, "weight", 1, rows.shape[rows.rank - 1]);
    if (!rms) bind_row(w, label, "bias", 2, rows.shape[rows.rank - 1]);
    onnx_line(w, "row%s = reshape(%s, %s)", label, x, onnx_shape(w, &rows));
    onnx_line(w, "normed%s = %s: %s(row%s, eps = %s)", label, label, rms ? "rms_norm" : "layer_norm", label, eps);
    onnx_out(w, 0, type, "reshape(normed%s, %s)", label, onnx_shape(w, &type));
    onnx_out(w, 1, kept, "reshape(mean(row%s, axis = -1), %s)", label, onnx_shape(w, &kept));
    onnx_out(w, 2, kept, "reshape(rsqrt(var(row%s, axis = -1) + %s), %s)", label, eps, onnx_shape(w, &kept));
}

/* A vector of one number a channel, as it stands beside x: (C) as (C, 1, 1). */
static const char *by_channel(OnnxWriter *w, int k)
{
    int64_t shape[MAX_RANK] = {onnx_type(w, k)->shape[0]};
    int rank = onnx_type(w, 0)->rank - 1;
    for (int i = 1; i < rank; i++) shape[i] = 1;
    return arena_print(w->arena, "reshape(%s, %s)", onnx_in(w, k), onnx_list(w, shape, rank));
}

/* With the running mean and variance given or, while training, those of the batch; the running ones are then moved
 * toward them. */
void write_batch_norm(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0), channels = *onnx_type(w, 3);
    const char *x = onnx_in(w, 0), *mean = by_channel(w, 3), *var = by_channel(w, 4);
    int64_t axes[MAX_RANK] = {0};
    for (int k = 2; k < type.rank; k++) axes[k - 1] = k;
    if (onnx_int(w, "training_mode", 0)) {
        const char *list = onnx_list(w, axes, type.rank - 1),
                   *momentum = onnx_number(w, onnx_float(w, "momentum", 0.9));
        const char *rest = onnx_number(w, 1 - onnx_float(w, "momentum", 0.9));
        mean = arena_print(w->arena, "mean(%s, axis = %s, keep = true)", x, list);
        var = arena_print(w->arena, "var(%s, axis = %s, keep = true)", x, list);
        onnx_out(w, 1, channels, "%s * %s + %s * flatten(%s)", momentum, onnx_in(w, 3), rest, mean);
        onnx_out(w, 2, channels, "%s * %s + %s * flatten(%s)", momentum, onnx_in(w, 4), rest, var);
    }
    onnx_out(w, 0, type, "(%s - %s) * rsqrt(%s + %s) * %s + %s", x, mean, var,
             onnx_number(w, onnx_float(w, "epsilon", 1e-5)), by_channel(w, 1), by_channel(w, 2));
}

/* (N, C, ..) as (N, groups, C / groups * ..): a row is a group. */
void write_group_norm(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0), rows = {.dtype = type.dtype, .rank = 3};
    int64_t groups = onnx_int(w, "num_groups", type.shape[1]);
    const char *label = onnx_label(w), *eps = onnx_number(w, onnx_float(w, "epsilon", 1e-5));
    rows.shape[0] = type.shape[0];
    rows.shape[1] = groups;
    rows.shape[2] = elements(&type, 1, type.rank) / groups;
    onnx_line(w, "%s = reshape(%s, %s)", label, onnx_in(w, 0), onnx_shape(w, &rows));
    onnx_line(w, "%s = (%s - mean(%s, axis = 2, keep = true)) * rsqrt(var(%s, axis = 2, keep = true) + %s)", label,
              label, label, label, eps);
    onnx_out(w, 0, type, "reshape(%s, %s) * %s + %s", label, onnx_shape(w, &type), by_channel(w, 1), by_channel(w, 2));
}

void write_dequantize(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0), scale = *onnx_type(w, 1);
    const char *factor = onnx_in(w, 1), *zero = onnx_has(w, 2) ? onnx_in(w, 2) : "";
    if (onnx_attribute(w, "block_size") || type.dtype == DT_COUNT || !*zero) {
        onnx_refuse(w, "an element type or layout that the language lacks");
        return;
    }
    if (scale.rank == 1) {
        factor = by_channel(w, 1);
        zero = by_channel(w, 2);
    }
    type.dtype = DT_f32;
    onnx_out(w, 0, type, "(f32(%s) - f32(%s)) * %s", onnx_in(w, 0), zero, factor);
}

/* losses */

/* (N, C, d1 ..): the classes come last. */
static const char *classes_last(OnnxWriter *w)
{
    const OnnxType *x = onnx_type(w, 0);
    int64_t map[MAX_RANK] = {0};
    for (int k = 2; k < x->rank; k++) map[k - 1] = k;
    map[x->rank - 1] = 1;
    if (x->rank == 2) return onnx_in(w, 0);
    return arena_print(w->arena, "permute(%s, %s)", onnx_in(w, 0), onnx_list(w, map, x->rank));
}

/* Targets as the language has them: i32, -1 for what is ignored. */
static const char *targets(OnnxWriter *w)
{
    const char *t = onnx_label(w);
    const OnnxAttribute *ignored = onnx_attribute(w, "ignore_index");
    onnx_line(w, "%s = i32(%s)", t, onnx_in(w, 1));
    if (ignored) onnx_line(w, "%s = where(%s == %lld, -1, %s)", t, t, (long long)ignored->i, t);
    return t;
}

/* `loss` has one number a target: weighs it by class, then reduces it over those that count. */
static void reduce_loss(OnnxWriter *w, const char *loss, const char *target)
{
    const char *how = onnx_string(w, "reduction", "mean");
    OnnxType type = *onnx_type(w, 1), scalar = {.dtype = DT_f32};
    type.dtype = DT_f32;
    if (onnx_has(w, 2)) onnx_line(w, "%s = %s * %s[%s]", loss, loss, onnx_in(w, 2), target);
    if (!strcmp(how, "none"))
        onnx_out(w, 0, type, "%s", loss);
    else if (!strcmp(how, "sum"))
        onnx_out(w, 0, scalar, "sum(%s)", loss);
    else if (onnx_has(w, 2))
        onnx_out(w, 0, scalar, "sum(%s) / sum(%s[%s])", loss, onnx_in(w, 2), target);
    else if (onnx_attribute(w, "ignore_index"))
        onnx_out(w, 0, scalar, "mean_over(%s, %s >= 0)", loss, target);
    else
        onnx_out(w, 0, scalar, "mean(%s)", loss);
}

void write_cross_entropy(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    const char *target = targets(w), *loss = onnx_label(w);
    onnx_line(w, "%s = cross_entropy(%s, %s)", loss, classes_last(w), target);
    reduce_loss(w, loss, target);
    onnx_out(w, 1, type, "log_softmax(%s, axis = 1)", onnx_in(w, 0));
}

/* The input holds logarithms of probabilities already, or whatever stands in their place. */
void write_nll(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    const char *target = targets(w), *loss = onnx_label(w), *x = classes_last(w);
    if (type.rank == 2)
        onnx_line(w, "%s = -take(%s, %s[:, _])[:, 0]", loss, x, target);
    else
        onnx_line(w, "%s = -sum(where(iota(%lld) == %s[.., _], %s, 0), axis = -1)", loss, (long long)type.shape[1],
                  target, x);
    reduce_loss(w, loss, target);
}

/* rotary positions */

/* x: (B, H, T, D), or (B, T, H*D) with num_heads. */
typedef struct Rotary {
    long long B, H, T, D, turned; /* turned: how many of the D numbers of a row turn; the others stay */
    bool flat, pairs;             /* pairs: neighbours turn together, else halves */
} Rotary;

static Rotary read_rotary(OnnxWriter *w)
{
    const OnnxType *type = onnx_type(w, 0);
    Rotary r = {.B = type->shape[0], .flat = type->rank == 3, .pairs = onnx_int(w, "interleaved", 0)};
    r.H = r.flat ? onnx_int(w, "num_heads", 1) : type->shape[1];
    r.T = type->shape[r.flat ? 1 : 2];
    r.D = r.flat ? type->shape[2] / r.H : type->shape[3];
    r.turned = onnx_int(w, "rotary_embedding_dim", 0);
    if (!r.turned) r.turned = r.D;
    return r;
}

void write_rotary(OnnxWriter *w)
{
    OnnxType type = *onnx_type(w, 0);
    Rotary r = read_rotary(w);
    const char *x = onnx_in(w, 0), *rows = onnx_has(w, 3) ? arena_print(w->arena, "[%s]", onnx_in(w, 3)) : "";
    if (r.flat)
        x = arena_print(w->arena, "permute(reshape(%s, [%lld, %lld, %lld, %lld]), [0, 2, 1, 3])", x, r.B, r.T, r.H,
                        r.D);
    onnx_line(w, "x = %s", x);
    onnx_line(w, "c = (%s%s)[:, _]", onnx_in(w, 1), rows);
    onnx_line(w, "s = (%s%s)[:, _]", onnx_in(w, 2), rows);
    if (r.pairs)
        onnx_line(w, "a, b = [x[.., 0:%lld:2], x[.., 1:%lld:2]]", r.turned, r.turned);
    else
        onnx_line(w, "a, b = [x[.., :%lld], x[.., %lld:%lld]]", r.turned / 2, r.turned / 2, r.turned);
    onnx_line(w, "turned = [a * c - b * s, a * s + b * c]");
    if (!r.pairs)
        onnx_line(w, "y = concat(turned, axis = 3)");
    else
        onnx_line(w, "y = reshape(stack(turned, axis = 4), [%lld, %lld, %lld, %lld])", r.B, r.H, r.T, r.turned);
    if (r.turned < r.D) onnx_line(w, "y = concat([y, x[.., %lld:]], axis = 3)", r.turned);
    if (r.flat) onnx_line(w, "y = reshape(permute(y, [0, 2, 1, 3]), %s)", onnx_shape(w, &type));
    onnx_out(w, 0, type, "y");
}

/* training */

#define REGULARISED                                                                                                    \
    "module regularised(w: f32[..S], g: f32[..S]; lr, c, eps) -> f32[..S] {\n"                                         \
    "  return rule: adagrad(w, g + c * w, lr = lr, eps = eps)\n}\n"

/* R, T, X1 .., G1 .., and states: ONNX passes all as inputs; here the weights are parameters of a model whose loss is
 * any. T is 0 in all cases, which for ONNX means no correction of the first steps. */
void write_optimizer(OnnxWriter *w)
{
    const char *op = w->node->op, *loss = "", *c = onnx_number(w, onnx_float(w, "norm_coefficient", 0));
    const OnnxTensor *rate = onnx_known(w, 0), *time = onnx_known(w, 1);
    int states = !strcmp(op, "Adam") ? 2 : 1, count = (w->node->inputs.count - 2) / (2 + states);
    if (!strcmp(onnx_string(w, "mode", "standard"), "nesterov")) onnx_refuse(w, "momentum(…) has no Nesterov form");
    if (!rate || !time || onnx_whole(time, 0) != 0)
        onnx_refuse(w, "the language corrects the first steps in another way");
    if (w->out->refused) return;
    for (int k = 0; k < count; k++) {
        const OnnxTensor *x = onnx_known(w, 2 + k);
        const char *name = arena_print(w->arena, "p%d", k);
        onnx_bind(w, name, x->type, x->bytes);
        onnx_head(w, arena_print(w->arena, "param %s: f32%s = 0\n", name, onnx_shape(w, &x->type)));
        loss = arena_print(w->arena, "%s%ssum(%s)", loss, *loss ? " + " : "", name);
    }
    const char *lr = onnx_number(w, onnx_real(rate, 0)), *eps = onnx_number(w, onnx_float(w, "epsilon", 0)), *rule;
    double a = onnx_float(w, "alpha", 0.9), b = onnx_float(w, "beta", 0.999);
    if (!strcmp(op, "Adam"))
        rule = arena_print(w->arena, "adam(lr = %s, betas = [%s, %s], eps = %s, decay = %s, unbiased = false)", lr,
                           onnx_number(w, a), onnx_number(w, b), eps, c);
    else if (!strcmp(op, "Momentum"))
        rule = arena_print(w->arena, "momentum(lr = %s, mass = %s, decay = %s)", lr, onnx_number(w, a), c);
    else
        rule = arena_print(w->arena, "regularised(lr = %s, c = %s, eps = %s)", lr, c, eps);
    if (!strcmp(op, "Adagrad")) onnx_head(w, REGULARISED);
    onnx_head(w,
              arena_print(w->arena, "fn f() -> f32 { return %s }\ntrain {\n  minimize f()\n  using %s\n  steps 1\n}\n",
                          loss, rule));
    w->out->optimizer = true;
}

/* The nodes before it are f; what its result is differentiated by are the inputs, as parameters. */
void write_gradient(OnnxWriter *w)
{
    for (int k = 0; k < w->node->inputs.count; k++) {
        const OnnxTensor *t = onnx_known(w, k);
        if (!t) return;
        const char *name = onnx_in(w, k);
        onnx_bind(w, name, t->type, t->bytes);
        onnx_head(w, arena_print(w->arena, "param %s: f32%s = 0\n", name, t->type.rank ? onnx_shape(w, &t->type) : ""));
        for (int i = 0; i < w->out->values.count; i++)
            if (w->out->values.at[i].known == t) w->out->values.at[i].read = false;
    }
    w->out->gradient = true;
}
