/* Attention: by the prelude's function on operands with heads, by the gallery's module where the heads lie side by side
 * in a row, in full where the scores are a result or are capped. Through the module go identity matrices as its four
 * linear maps; keys and values stand side by side in `memory`, and the maps for key and value take one half each. */
#include "tests/parity/onnx_write.h"

#include <string.h>

typedef struct Heads {
    int64_t B, T, S, past, query, keys, width, values; /* keys: heads of keys and values; width, values: of one head */
    bool flat, causal, ragged;                         /* flat: (B, T, H*D); ragged: each row has its own length */
} Heads;

static Heads read_heads(OnnxWriter *w)
{
    OnnxType q = *onnx_type(w, 0), k = *onnx_type(w, 1), v = *onnx_type(w, 2);
    Heads h = {.B = q.shape[0], .flat = q.rank == 3, .causal = onnx_int(w, "is_causal", 0), .ragged = onnx_has(w, 6)};
    int seq = h.flat ? 1 : 2;
    h.query = h.flat ? onnx_int(w, "q_num_heads", 1) : q.shape[1];
    h.keys = h.flat ? onnx_int(w, "kv_num_heads", 1) : k.shape[1];
    h.width = h.flat ? q.shape[2] / h.query : q.shape[3];
    h.values = h.flat ? v.shape[2] / h.keys : v.shape[3];
    h.past = onnx_has(w, 4) ? onnx_type(w, 4)->shape[2] : 0;
    h.T = q.shape[seq];
    h.S = k.shape[seq] + h.past;
    return h;
}

/* Input k as (B, heads, places, width), in `name`. */
static void write_by_head(OnnxWriter *w, const Heads *h, int k, const char *name, int64_t heads, int64_t places,
                          int64_t width)
{
    if (h->flat)
        onnx_line(w, "%s = permute(reshape(%s, [%lld, %lld, %lld, %lld]), [0, 2, 1, 3])", name, onnx_in(w, k),
                  (long long)h->B, (long long)places, (long long)heads, (long long)width);
    else
        onnx_line(w, "%s = %s", name, onnx_in(w, k));
}

static OnnxType by_head(const Heads *h, int64_t heads, int64_t places, int64_t width)
{
    return onnx_of(DT_f32, 4, (const int64_t[]){h->B, heads, places, width});
}

/* q, k and v by head; what came before is joined on, and is a result. */
static void write_operands(OnnxWriter *w, const Heads *h)
{
    int64_t now = h->S - h->past;
    write_by_head(w, h, 0, "q", h->query, h->T, h->width);
    write_by_head(w, h, 1, "k", h->keys, now, h->width);
    write_by_head(w, h, 2, "v", h->keys, now, h->values);
    if (!h->past) return;
    onnx_line(w, "k = concat([%s, k], axis = 2)", onnx_in(w, 4));
    onnx_line(w, "v = concat([%s, v], axis = 2)", onnx_in(w, 5));
    onnx_out(w, 1, by_head(h, h->keys, h->S, h->width), "k");
    onnx_out(w, 2, by_head(h, h->keys, h->S, h->values), "v");
}

/* What is seen, as one expression, or NULL for everything. Without lengths of its own a row's queries come after the
 * past; with them they are its last ones. */
static const char *seen(OnnxWriter *w, const Heads *h, bool with_causal)
{
    const char *text = NULL, *length = h->ragged ? arena_print(w->arena, "i32(%s)[:, _, _, _]", onnx_in(w, 6)) : "";
    long long S = (long long)h->S, T = (long long)h->T;
    if (onnx_has(w, 3) && onnx_type(w, 3)->dtype == DT_bool) text = onnx_in(w, 3);
    if (h->ragged)
        text = arena_print(w->arena, "%s%siota(%lld) < %s", text ? text : "", text ? " and " : "", S, length);
    if (!with_causal) return text;
    const char *offset =
        h->ragged ? arena_print(w->arena, "%s - %lld", length, T) : arena_print(w->arena, "%lld", (long long)h->past);
    return arena_print(w->arena, "%s%siota(%lld) <= iota(%lld)[:, _] + %s", text ? text : "", text ? " and " : "", S, T,
                       offset);
}

/* What is added to the scores, or NULL. A mask may end before the keys do: the rest is not seen. */
static const char *added(OnnxWriter *w, const Heads *h)
{
    if (!onnx_has(w, 3) || onnx_type(w, 3)->dtype == DT_bool) return NULL;
    OnnxType type = *onnx_type(w, 3);
    int64_t lacks = h->S - type.shape[type.rank - 1];
    if (lacks <= 0) return onnx_in(w, 3);
    type.shape[type.rank - 1] = lacks;
    return arena_print(w->arena, "concat([%s, full(%s, -inf)], axis = %d)", onnx_in(w, 3), onnx_shape(w, &type),
                       type.rank - 1);
}

/* rows x columns with ones where row - first = column */
static void bind_identity(OnnxWriter *w, const char *path, int64_t rows, int64_t columns, int64_t first)
{
    float *at = arena_array(w->arena, float, rows *columns);
    for (int64_t i = 0; i < columns; i++) at[(first + i) * columns + i] = 1;
    onnx_bind(w, path, onnx_of(DT_f32, 2, (const int64_t[]){rows, columns}), (const char *)at);
}

/* Whether `causal` alone says what ONNX means: the first query stands beside the first key. */
static bool plainly_causal(const Heads *h)
{
    return h->causal && !h->past && !h->ragged;
}

/* The arguments that the module and the function share. */
static const char *arguments(OnnxWriter *w, const Heads *h)
{
    double scale = onnx_float(w, "scale", 0);
    const char *mask = seen(w, h, h->causal && !plainly_causal(h)), *bias = added(w, h);
    return arena_print(w->arena, "mask = %s, bias = %s, causal = %s%s%s", mask ? mask : "none", bias ? bias : "none",
                       plainly_causal(h) ? "true" : "false", scale != 0 ? ", scale = " : "",
                       scale != 0 ? onnx_number(w, scale) : "");
}

/* (B, T, H*D) with as many heads of keys, all of one width: the gallery's module, with identity matrices for its linear
 * maps. */
static void write_by_module(OnnxWriter *w, const Heads *h)
{
    const char *label = onnx_label(w), *keys = onnx_in(w, 1), *values = onnx_in(w, 2);
    int64_t D = h->query * h->width;
    onnx_head(w, "import \"lib/transformer.ptm\"\n");
    bind_identity(w, arena_print(w->arena, "%s.query.weight", label), D, D, 0);
    bind_identity(w, arena_print(w->arena, "%s.key.weight", label), 2 * D, D, 0);
    bind_identity(w, arena_print(w->arena, "%s.value.weight", label), 2 * D, D, D);
    bind_identity(w, arena_print(w->arena, "%s.out.weight", label), D, D, 0);
    onnx_line(w, "memory = concat([%s, %s], axis = 2)", keys, values);
    onnx_out(w, 0, *onnx_type(w, 0), "%s: attention(%s, memory, heads = %lld, plain = true, %s)", label, onnx_in(w, 0),
             (long long)h->query, arguments(w, h));
}

/* One head of keys serves several of queries. */
static void write_repeated(OnnxWriter *w, const Heads *h)
{
    if (h->query == h->keys) return;
    onnx_line(w, "k = k[:, iota(%lld) // %lld]", (long long)h->query, (long long)(h->query / h->keys));
    onnx_line(w, "v = v[:, iota(%lld) // %lld]", (long long)h->query, (long long)(h->query / h->keys));
}

/* softmax(q k^T * scale, capped, masked) v; after each part of it the scores may be a result. */
static void write_in_full(OnnxWriter *w, const Heads *h)
{
    double softcap = onnx_float(w, "softcap", 0), scale = onnx_float(w, "scale", 0);
    const char *mask = seen(w, h, h->causal), *bias = added(w, h);
    int64_t mode = onnx_int(w, "qk_matmul_output_mode", 0);
    OnnxType scores = by_head(h, h->query, h->T, h->S);
    onnx_line(w, "s = einsum(\"bhtd,bhsd->bhts\", q, k) * %s",
              scale != 0 ? onnx_number(w, scale) : arena_print(w->arena, "%lld ^ -0.5", (long long)h->width));
    if (mode == 0) onnx_out(w, 3, scores, "s");
    if (softcap != 0) onnx_line(w, "s = %s * tanh(s / %s)", onnx_number(w, softcap), onnx_number(w, softcap));
    if (mode == 1) onnx_out(w, 3, scores, "s");
    if (bias) onnx_line(w, "s = s + %s", bias);
    if (mask) onnx_line(w, "s = where(%s, s, -inf)", mask);
    if (mode == 2) onnx_out(w, 3, scores, "s");
    onnx_line(w, "p = softmax(s)");
    if (mode == 3) onnx_out(w, 3, scores, "p");
    onnx_line(w, "y = einsum(\"bhts,bhsd->bhtd\", p, v)");
}

static void write_by_heads(OnnxWriter *w, const Heads *h)
{
    bool wants_scores = w->node->outputs.count > 3 && *w->node->outputs.at[3];
    write_operands(w, h);
    write_repeated(w, h);
    if (wants_scores || onnx_float(w, "softcap", 0) != 0)
        write_in_full(w, h);
    else
        onnx_line(w, "y = attend(q, k, v, %s)", arguments(w, h));
    OnnxType flat = onnx_of(DT_f32, 3, (const int64_t[]){h->B, h->T, h->query * h->values});
    if (h->flat)
        onnx_out(w, 0, flat, "reshape(permute(y, [0, 2, 1, 3]), %s)", onnx_shape(w, &flat));
    else
        onnx_out(w, 0, by_head(h, h->query, h->T, h->values), "y");
}

void write_attention(OnnxWriter *w)
{
    if (onnx_type(w, 0)->dtype != DT_f32) onnx_refuse(w, "f16 is for storage, not for products");
    if (w->out->refused) return;
    Heads h = read_heads(w);
    bool wants_scores = w->node->outputs.count > 3 && *w->node->outputs.at[3];
    bool module = h.flat && !h.past && h.query == h.keys && h.width == h.values && onnx_float(w, "softcap", 0) == 0 &&
                  !wants_scores;
    if (module)
        write_by_module(w, &h);
    else
        write_by_heads(w, &h);
}
