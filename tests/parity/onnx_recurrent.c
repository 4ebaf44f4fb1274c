/* RNN, GRU and LSTM: one call of the gallery's module, whose parameters are W and R turned round, and B. Its states are
 * bound to where the case begins. An LSTM with peepholes, which the module has not, is a scan written out. */
#include "tests/parity/onnx_write.h"

#include <string.h>

/* One layer: x is (B, T, I) with `rows_first`, else (T, B, I). */
typedef struct Layer {
    int64_t B, T, I, H, gates;
    bool rows_first;
} Layer;

enum { IN_x, IN_w, IN_r, IN_b, IN_lengths, IN_h, IN_c, IN_peepholes };

static Layer read_layer(OnnxWriter *w)
{
    OnnxType x = *onnx_type(w, IN_x), r = *onnx_type(w, IN_r);
    Layer l = {.rows_first = onnx_int(w, "layout", 0), .I = x.shape[2], .H = r.shape[2]};
    l.B = x.shape[l.rows_first ? 0 : 1];
    l.T = x.shape[l.rows_first ? 1 : 0];
    l.gates = r.shape[1] / l.H;
    if (x.dtype != DT_f32 || x.rank != 3 || r.rank != 3) onnx_refuse(w, "an element type or a rank it does not have");
    if (r.shape[0] != 1) onnx_refuse(w, "more than one direction");
    if (onnx_attribute(w, "activations")) onnx_refuse(w, "activations of its own");
    if (onnx_attribute(w, "clip")) onnx_refuse(w, "clipped sums");
    if (onnx_int(w, "input_forget", 0)) onnx_refuse(w, "one gate for input and forgetting");
    return l;
}

/* parameters */

/* Input k, (1, rows, columns), as a parameter (columns, rows). */
static void bind_turned(OnnxWriter *w, int k, const char *path)
{
    const OnnxTensor *t = onnx_known(w, k);
    if (!t) return;
    int64_t rows = t->type.shape[1], columns = t->type.shape[2];
    float *at = arena_array(w->arena, float, rows *columns);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) at[j * rows + i] = (float)onnx_real(t, i * columns + j);
    onnx_bind(w, path, onnx_of(DT_f32, 2, (const int64_t[]){columns, rows}), (const char *)at);
}

/* B, (1, 2 * count), holds a bias beside W and one beside R: the first, the second, or their sum. Absent: zeros. */
static void bind_bias(OnnxWriter *w, const char *path, int64_t count, bool first, bool second)
{
    const OnnxTensor *t = onnx_has(w, IN_b) ? onnx_known(w, IN_b) : NULL;
    float *at = arena_array(w->arena, float, count);
    for (int64_t i = 0; t && i < count; i++)
        at[i] = (float)((first ? onnx_real(t, i) : 0) + (second ? onnx_real(t, count + i) : 0));
    onnx_bind(w, path, onnx_of(DT_f32, 1, &count), (const char *)at);
}

/* A state begins with input k, or with zeros. */
static void bind_state(OnnxWriter *w, const Layer *l, int k, const char *path)
{
    const OnnxTensor *t = onnx_has(w, k) ? onnx_known(w, k) : NULL;
    const char *bytes = t ? t->bytes : (const char *)arena_array(w->arena, float, l->B *l->H);
    onnx_bind(w, path, onnx_of(DT_f32, 2, (const int64_t[]){l->B, l->H}), bytes);
}

/* what comes out */

/* A final state, (B, H), as output k. */
static void write_last(OnnxWriter *w, const Layer *l, int k, const char *state)
{
    const int64_t by_row[] = {l->B, 1, l->H}, by_direction[] = {1, l->B, l->H};
    onnx_out(w, k, onnx_of(DT_f32, 3, l->rows_first ? by_row : by_direction), l->rows_first ? "%s[:, _]" : "%s[_]",
             state);
}

/* The outputs of all steps, (B, T, H). */
static void write_steps(OnnxWriter *w, const Layer *l, const char *y)
{
    const int64_t by_row[] = {l->B, l->T, 1, l->H}, by_step[] = {l->T, 1, l->B, l->H};
    onnx_out(w, 0, onnx_of(DT_f32, 4, l->rows_first ? by_row : by_step),
             l->rows_first ? "%s[:, :, _]" : "swap(%s)[:, _]", y);
}

/* Writes `x`, (B, T, I), and, where rows have lengths, `m`, (B, T): the steps that there are. */
static void write_inputs(OnnxWriter *w, const Layer *l)
{
    onnx_line(w, l->rows_first ? "x = %s" : "x = swap(%s)", onnx_in(w, IN_x));
    if (onnx_has(w, IN_lengths)) onnx_line(w, "m = iota(%lld) < %s[:, _]", (long long)l->T, onnx_in(w, IN_lengths));
}

/* Calls the module with `statics` behind H; binds what all three have. The label of the call. */
static const char *write_call(OnnxWriter *w, const Layer *l, const char *module, const char *statics)
{
    const char *label = onnx_label(w);
    bool masked = onnx_has(w, IN_lengths);
    onnx_head(w, arena_print(w->arena, "import \"lib/%s.ptm\"\n", module));
    bind_turned(w, IN_w, arena_print(w->arena, "%s.w_x", label));
    bind_turned(w, IN_r, arena_print(w->arena, "%s.w_h", label));
    bind_state(w, l, IN_h, arena_print(w->arena, "%s.h", label));
    write_inputs(w, l);
    onnx_line(w, "y = %s: %s(x%s, H = %lld%s)", label, module, masked ? ", m" : "", (long long)l->H, statics);
    write_steps(w, l, masked ? "where(m[:, :, _], y, 0)" : "y");
    write_last(w, l, 1, arena_print(w->arena, "%s.h", label));
    return label;
}

void write_rnn(OnnxWriter *w)
{
    Layer l = read_layer(w);
    if (w->out->refused) return;
    const char *label = write_call(w, &l, "rnn", "");
    bind_bias(w, arena_print(w->arena, "%s.b_x", label), l.H, true, false);
    bind_bias(w, arena_print(w->arena, "%s.b_h", label), l.H, false, true);
}

void write_gru(OnnxWriter *w)
{
    Layer l = read_layer(w);
    if (w->out->refused) return;
    bool after = onnx_int(w, "linear_before_reset", 0);
    const char *statics = arena_print(w->arena, ", order = \"zrn\", reset_after = %s", after ? "true" : "false");
    const char *label = write_call(w, &l, "gru", statics);
    bind_bias(w, arena_print(w->arena, "%s.b_x", label), l.gates * l.H, true, false);
    bind_bias(w, arena_print(w->arena, "%s.b_h", label), l.gates * l.H, false, true);
}

/* Where the scan written out begins. */
static void write_start(OnnxWriter *w, const Layer *l, int k, const char *name)
{
    if (onnx_has(w, k))
        onnx_line(w, l->rows_first ? "%s = %s[:, 0]" : "%s = %s[0]", name, onnx_in(w, k));
    else
        onnx_line(w, "%s = full([%lld, %lld], 0.0)", name, (long long)l->B, (long long)l->H);
}

/* The gates see the cell: input and forget gate the old one, the output gate the new one. */
static void write_peepholes(OnnxWriter *w, const Layer *l)
{
    long long sums = (long long)(l->gates * l->H);
    bool masked = onnx_has(w, IN_lengths);
    write_inputs(w, l);
    write_start(w, l, IN_h, "h");
    write_start(w, l, IN_c, "c");
    if (onnx_has(w, IN_b))
        onnx_line(w, "b = %s[0, :%lld] + %s[0, %lld:]", onnx_in(w, IN_b), sums, onnx_in(w, IN_b), sums);
    else
        onnx_line(w, "b = full([%lld], 0.0)", sums);
    onnx_line(w, "p_i, p_o, p_f = split(%s[0], 3)", onnx_in(w, IN_peepholes));
    onnx_line(w, "y = scan x_t%s in swap(x)%s carrying h, c {", masked ? ", m_t" : "", masked ? ", swap(m)" : "");
    onnx_line(w, "  i, o, f, g = split(x_t @ %s[0].T + h @ %s[0].T + b, 4)", onnx_in(w, IN_w), onnx_in(w, IN_r));
    onnx_line(w, "  c_t = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(g)");
    onnx_line(w, "  y_t = sigmoid(o + p_o * c_t) * tanh(c_t)");
    onnx_line(w, masked ? "  h = where(m_t[:, _], y_t, h)" : "  h = y_t");
    onnx_line(w, masked ? "  c = where(m_t[:, _], c_t, c)" : "  c = c_t");
    onnx_line(w, masked ? "  emit where(m_t[:, _], y_t, 0)" : "  emit y_t");
    onnx_line(w, "}");
    write_steps(w, l, "swap(y)");
    write_last(w, l, 1, "h");
    write_last(w, l, 2, "c");
}

void write_lstm(OnnxWriter *w)
{
    Layer l = read_layer(w);
    if (w->out->refused) return;
    if (onnx_has(w, IN_peepholes)) {
        write_peepholes(w, &l);
        return;
    }
    const char *label = write_call(w, &l, "lstm", ", order = \"iofg\"");
    bind_bias(w, arena_print(w->arena, "%s.b", label), l.gates * l.H, true, true);
    bind_state(w, &l, IN_c, arena_print(w->arena, "%s.c", label));
    write_last(w, &l, 2, arena_print(w->arena, "%s.c", label));
}
