/* The program of a case: values by name, lines in order, and the templates of the table. */
#include "tests/parity/onnx_write.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const OnnxRow ROWS[] = {
#define TEXT(op, how) {#op, how, ONNX_text, NULL},
#define CODE(op, function, how) {#op, how, ONNX_code, function},
#define NONE(op, why) {#op, why, ONNX_none, NULL},
#include "tests/parity/onnx.def"
#undef TEXT
#undef CODE
#undef NONE
};

int onnx_row_count(void)
{
    return (int)(sizeof ROWS / sizeof *ROWS);
}

const OnnxRow *onnx_row(int i)
{
    return &ROWS[i];
}

const OnnxRow *onnx_find_row(const char *op)
{
    for (int i = 0; i < onnx_row_count(); i++)
        if (!strcmp(ROWS[i].op, op)) return &ROWS[i];
    return NULL;
}

/* values */

static OnnxValue *find_value(const OnnxWriter *w, const char *name)
{
    for (int i = 0; i < w->out->values.count; i++)
        if (!strcmp(w->out->values.at[i].name, name)) return &w->out->values.at[i];
    return NULL;
}

static void add_value(OnnxWriter *w, const char *name, OnnxType type, const OnnxTensor *known)
{
    const char *text = arena_print(w->arena, "%s%d", known ? "x" : "y", w->out->values.count);
    OnnxValue v = {name, text, type, known, false};
    vec_push(w->arena, &w->out->values, v);
}

static OnnxValue *input(OnnxWriter *w, int k)
{
    OnnxValue *v = onnx_has(w, k) ? find_value(w, w->node->inputs.at[k]) : NULL;
    if (!v) onnx_refuse(w, "an input is missing");
    return v;
}

bool onnx_has(const OnnxWriter *w, int k)
{
    return k < w->node->inputs.count && *w->node->inputs.at[k];
}

const char *onnx_in(OnnxWriter *w, int k)
{
    OnnxValue *v = input(w, k);
    if (!v) return "";
    if (v->known) v->read = true;
    return v->text;
}

const OnnxType *onnx_type(OnnxWriter *w, int k)
{
    static const OnnxType NOTHING = {0};
    const OnnxValue *v = input(w, k);
    return v ? &v->type : &NOTHING;
}

const OnnxTensor *onnx_known(OnnxWriter *w, int k)
{
    const OnnxValue *v = input(w, k);
    if (v && !v->known) onnx_refuse(w, "a computed value where the language wants a static one");
    return v ? v->known : NULL;
}

/* attributes */

const OnnxAttribute *onnx_attribute(const OnnxWriter *w, const char *name)
{
    for (int i = 0; i < w->node->attributes.count; i++)
        if (!strcmp(w->node->attributes.at[i].name, name)) return &w->node->attributes.at[i];
    return NULL;
}

int64_t onnx_int(const OnnxWriter *w, const char *name, int64_t otherwise)
{
    const OnnxAttribute *a = onnx_attribute(w, name);
    return a ? a->i : otherwise;
}

double onnx_float(const OnnxWriter *w, const char *name, double otherwise)
{
    const OnnxAttribute *a = onnx_attribute(w, name);
    return a ? a->f : otherwise;
}

const char *onnx_string(const OnnxWriter *w, const char *name, const char *otherwise)
{
    const OnnxAttribute *a = onnx_attribute(w, name);
    return a ? a->s : otherwise;
}

int onnx_axis(const OnnxWriter *w, int rank, int64_t otherwise)
{
    int64_t axis = onnx_int(w, "axis", otherwise);
    return (int)(axis < 0 ? axis + rank : axis);
}

int onnx_axes(OnnxWriter *w, int from_input, int rank)
{
    const OnnxAttribute *a = onnx_attribute(w, "axes");
    const OnnxTensor *t = onnx_has(w, from_input) ? onnx_known(w, from_input) : NULL;
    int count = t ? (int)t->count : a ? a->ints.count : 0, bits = 0;
    for (int k = 0; k < count; k++) {
        int64_t axis = t ? onnx_whole(t, k) : a->ints.at[k];
        if (axis < 0) axis += rank;
        if (axis >= 0 && axis < rank) bits |= 1 << axis;
        else onnx_refuse(w, "no such axis");
    }
    return count ? bits : -1;
}

/* writing */

void onnx_line(OnnxWriter *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    w->body = arena_print(w->arena, "%s  %s\n", w->body, arena_vprint(w->arena, format, args));
    va_end(args);
}

void onnx_out(OnnxWriter *w, int k, OnnxType type, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprint(w->arena, format, args);
    va_end(args);
    if (k >= w->node->outputs.count || !*w->node->outputs.at[k]) return;
    add_value(w, w->node->outputs.at[k], type, NULL);
    onnx_line(w, "%s = %s", w->out->values.at[w->out->values.count - 1].text, text);
}

void onnx_refuse(OnnxWriter *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!w->out->refused) w->out->refused = arena_vprint(w->arena, format, args);
    va_end(args);
}

void onnx_head(OnnxWriter *w, const char *text)
{
    if (!strstr(w->head, text)) w->head = arena_print(w->arena, "%s%s", w->head, text);
}

const char *onnx_label(OnnxWriter *w)
{
    return arena_print(w->arena, "m%d", w->labels++);
}

void onnx_bind(OnnxWriter *w, const char *path, OnnxType type, const char *bytes)
{
    OnnxBinding b = {path, type, bytes};
    vec_push(w->arena, &w->out->bindings, b);
}

/* texts and types */

const char *onnx_number(OnnxWriter *w, double x)
{
    if (!isfinite(x)) return isnan(x) ? "nan" : x < 0 ? "-inf" : "inf";
    return arena_print(w->arena, "%.17g", x);
}

const char *onnx_list(OnnxWriter *w, const int64_t *at, int count)
{
    const char *text = "";
    for (int k = 0; k < count; k++) text = arena_print(w->arena, "%s%s%lld", text, k ? ", " : "", (long long)at[k]);
    return arena_print(w->arena, "[%s]", text);
}

const char *onnx_shape(OnnxWriter *w, const OnnxType *type)
{
    return onnx_list(w, type->shape, type->rank);
}

OnnxType onnx_of(DType dtype, int rank, const int64_t *shape)
{
    OnnxType t = {.dtype = dtype, .rank = rank < MAX_RANK ? rank : MAX_RANK};
    for (int k = 0; k < t.rank; k++) t.shape[k] = shape[k];
    return t;
}

OnnxType onnx_broadcast(const OnnxType *a, const OnnxType *b)
{
    OnnxType t = {.dtype = a->dtype, .rank = a->rank > b->rank ? a->rank : b->rank};
    for (int k = 1; k <= t.rank; k++) {
        int64_t n = k <= a->rank ? a->shape[a->rank - k] : 1, m = k <= b->rank ? b->shape[b->rank - k] : 1;
        t.shape[t.rank - k] = n == 1 ? m : n;
    }
    return t;
}

OnnxType onnx_reduced(const OnnxType *type, uint32_t axes, bool keep)
{
    OnnxType t = {.dtype = type->dtype};
    for (int k = 0; k < type->rank; k++) {
        bool gone = axes >> k & 1;
        if (!gone || keep) t.shape[t.rank++] = gone ? 1 : type->shape[k];
    }
    return t;
}

/* templates */

/* The axes of a reduction as `axis =` takes them; without any, all or, if the node says so, none at all. */
static const char *axes_text(OnnxWriter *w)
{
    int64_t list[MAX_RANK];
    int rank = onnx_type(w, 0)->rank, bits = onnx_axes(w, 1, rank), count = 0;
    if (bits < 0) return onnx_int(w, "noop_with_empty_axes", 0) ? "[]" : "none";
    for (int k = 0; k < rank; k++)
        if (bits >> k & 1) list[count++] = k;
    return onnx_list(w, list, count);
}

/* "axes", "keep", or "alpha=0.01": an attribute and what it is when absent. */
static const char *placeholder(OnnxWriter *w, const char *text, size_t length)
{
    const char *name = arena_copy_text(w->arena, text, strcspn(text, "=}"));
    if (!strcmp(name, "axes")) return axes_text(w);
    if (!strcmp(name, "keep")) return onnx_int(w, "keepdims", 1) ? "true" : "false";
    const char *equals = memchr(text, '=', length);
    const OnnxAttribute *a = onnx_attribute(w, name);
    if (!a) return arena_copy_text(w->arena, equals + 1, (size_t)(text + length - equals - 1));
    return a->f != 0 ? onnx_number(w, a->f) : arena_print(w->arena, "%lld", (long long)a->i);
}

/* $0 is the first input, {…} a placeholder. */
static const char *expand(OnnxWriter *w, const char *template)
{
    const char *text = "";
    for (const char *c = template; *c; c++) {
        if (*c == '$' && isdigit((unsigned char)c[1])) {
            text = arena_print(w->arena, "%s%s", text, onnx_in(w, *++c - '0'));
        } else if (*c == '{') {
            size_t length = strcspn(c + 1, "}");
            text = arena_print(w->arena, "%s%s", text, placeholder(w, c + 1, length));
            c += length + 1;
        } else {
            text = arena_print(w->arena, "%s%c", text, *c);
        }
    }
    return text;
}

static void write_template(OnnxWriter *w, const char *template)
{
    OnnxType type = *onnx_type(w, 0);
    for (int k = 1; k < w->node->inputs.count; k++) type = onnx_broadcast(&type, onnx_type(w, k));
    onnx_out(w, 0, type, "%s", expand(w, template));
}

/* the whole */

static void add_known(OnnxWriter *w, const OnnxTensor *t)
{
    add_value(w, t->name, t->type, t);
}

static void write_node(OnnxWriter *w, const OnnxNode *node)
{
    const OnnxRow *row = onnx_find_row(node->op);
    w->node = node;
    if (!strcmp(node->op, "Constant") && node->attributes.count == 1 && node->attributes.at[0].t) {
        OnnxTensor *t = node->attributes.at[0].t;
        t->name = node->outputs.at[0];
        add_known(w, t);
        return;
    }
    if (!row)
        onnx_refuse(w, "the operator %s is unknown to this test", node->op);
    else if (row->kind == ONNX_none)
        onnx_refuse(w, "%s", row->how);
    else if (row->kind == ONNX_code)
        row->code(w);
    else
        write_template(w, row->how);
}

static const char *type_text_of(OnnxWriter *w, const OnnxType *type)
{
    return arena_print(w->arena, "%s%s", dtype_name(type->dtype), type->rank ? onnx_shape(w, type) : "");
}

static const char *signature(OnnxWriter *w)
{
    const char *text = "";
    for (int i = 0; i < w->out->values.count; i++) {
        const OnnxValue *v = &w->out->values.at[i];
        if (!v->read) continue;
        if (v->type.dtype == DT_COUNT)
            onnx_refuse(w, "an element type that the language lacks");
        else
            text = arena_print(w->arena, "%s%s%s: %s", text, *text ? ", " : "", v->text, type_text_of(w, &v->type));
    }
    return text;
}

/* What f returns: every output of the case, an input passed through included. */
static const char *returned(OnnxWriter *w)
{
    const char *text = "";
    for (int i = 0; i < w->c->output_names.count; i++) {
        OnnxValue *v = find_value(w, w->c->output_names.at[i]);
        vec_push(w->arena, &w->out->results, v ? v->text : NULL);
        if (!v) continue;
        v->read = v->read || v->known;
        text = arena_print(w->arena, "%s%s%s", text, *text ? ", " : "", v->text);
    }
    return text;
}

OnnxProgram onnx_write(Arena *arena, const OnnxCase *c)
{
    OnnxProgram out = {0};
    OnnxWriter w = {.arena = arena, .c = c, .out = &out, .body = "", .head = ""};
    for (int i = 0; i < c->initializers.count; i++) add_known(&w, &c->initializers.at[i]);
    for (int i = 0; i < c->inputs.count; i++) add_known(&w, &c->inputs.at[i]);
    for (int i = 0; i < c->nodes.count && !out.refused; i++) write_node(&w, &c->nodes.at[i]);
    if (out.refused || out.optimizer) {
        if (!out.refused) out.text = w.head;
        return out;
    }
    const char *results = returned(&w);
    out.text = arena_print(arena, "%sfn f(%s) {\n%s  return %s\n}\n", w.head, signature(&w), w.body, results);
    return out;
}
