/* The graph as text. ir/read.c reads exactly what is written here; the two change together. */
#include "ir/text.h"

#include "ir/op_field.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ORIGIN_COLUMN = 64,                  /* where origins begin, when the line is shorter */
    INDENT = 2                           /* of a scan's body */
};

bool text_is_word_char(char c) { return isalnum((unsigned char)c) || (c && strchr("_./+-", c)); }

/* Escapes: \" \\ and, for control characters, \xHH. */
const char *text_quoted(Arena *arena, const char *text)
{
    char *quoted = arena_alloc(arena, 4 * strlen(text) + 3), *at = quoted;
    *at++ = '"';
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7F) {
            at += sprintf(at, "\\x%02X", (unsigned)(unsigned char)*text);
            continue;
        }
        if (*text == '"' || *text == '\\') *at++ = '\\';
        *at++ = *text;
    }
    *at++ = '"';
    return quoted;
}

const char *text_word(Arena *arena, const char *text)
{
    for (const char *at = text; *at; at++)
        if (!text_is_word_char(*at)) return text_quoted(arena, text);
    return *text ? text : "\"\"";
}

static bool reads_back(DType dtype, const char *text, double value)
{
    return dtype == DT_f32 ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
}

/* The number with the fewest digits that reads back as the same value of the type: "0.1", "1.0", "-inf". */
static const char *text_float(Arena *arena, DType dtype, double value)
{
    if (isnan(value)) return "nan";
    if (isinf(value)) return value < 0 ? "-inf" : "inf";
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (reads_back(dtype, text, value)) break;
    }
    return arena_print(arena, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

/* "[0, T - 1]" */
static const char *dim_list(Arena *arena, const Dim *const *dims, int count)
{
    const char *text = "[";
    for (int i = 0; i < count; i++) text = arena_print(arena, "%s%s%s", text, i ? ", " : "", dim_text(arena, dims[i]));
    return arena_print(arena, "%s]", text);
}

static const char *step_list(Arena *arena, const int64_t *steps, int count)
{
    const char *text = "[";
    for (int i = 0; i < count; i++) text = arena_print(arena, "%s%s%lld", text, i ? ", " : "", (long long)steps[i]);
    return arena_print(arena, "%s]", text);
}

static const char *map_list(Arena *arena, const int8_t *map, int count)
{
    const char *text = "[";
    for (int i = 0; i < count; i++) text = arena_print(arena, "%s%s%d", text, i ? ", " : "", map[i]);
    return arena_print(arena, "%s]", text);
}

/* "[0, 2]": the axes whose bits are set. */
static const char *axes_list(Arena *arena, uint32_t axes)
{
    const char *text = "";
    for (int i = 0; i < 32; i++)
        if (axes >> i & 1) text = arena_print(arena, "%s%s%d", text, *text ? ", " : "", i);
    return arena_print(arena, "[%s]", text);
}

/* Texts, storage and the value of a const stand alone; other fields have their name before them. */
static const char *field_text(Arena *arena, const Node *node, AttrField field)
{
    const Attr *a = &node->attr;
    int length = op_list_length(node->op, node->args, node->arg_count);
    bool is_const = node->op == OP_const, is_float = dtype_is_float(node->type.dtype);
    switch (field) {
    case FIELD_axis: return arena_print(arena, " axis=%d", a->axis);
    case FIELD_axes: return arena_print(arena, " axes=%s", axes_list(arena, a->axes));
    case FIELD_map: return arena_print(arena, " map=%s", map_list(arena, a->map, length));
    case FIELD_start: return arena_print(arena, " start=%s", dim_list(arena, a->start, length));
    case FIELD_step: return arena_print(arena, " step=%s", step_list(arena, a->step, length));
    case FIELD_text: return arena_print(arena, " %s", text_quoted(arena, a->text));
    case FIELD_f: return is_float ? arena_print(arena, " %s", text_float(arena, node->type.dtype, a->f)) : "";
    case FIELD_i:
        if (is_const) return is_float ? "" : arena_print(arena, " %lld", (long long)a->i);
        return arena_print(arena, " i=%lld", (long long)a->i);
    case FIELD_storage: return arena_print(arena, " %s", storage_name((Storage)a->storage));
    case FIELD_count: return arena_print(arena, " count=%s", dim_text(arena, a->count));
    case FIELD_COUNT: break;
    }
    return "";
}

const char *text_attrs(Arena *arena, const Node *node)
{
    AttrField fields[FIELD_COUNT];
    int count = op_fields(node->op, fields);
    const char *text = "";
    for (int i = 0; i < count; i++) text = arena_print(arena, "%s%s", text, field_text(arena, node, fields[i]));
    return text;
}

/* `dim B = 12, T, K <= T`: every symbol, its value if it has one, its bound if it is counted. */
static void print_dims(Arena *arena, const Dims *dims, FILE *out)
{
    int count = dims_symbol_count(dims);
    for (int i = 0; i < count; i++) {
        int64_t value = dims_symbol_value(dims, i);
        const Dim *bound = dims_symbol_bound(dims, i);
        fprintf(out, "%s%s", i ? ", " : "dim ", dims_symbol_name(dims, i));
        if (bound) {
            fprintf(out, " <= %s", dim_text(arena, bound));
        } else if (value >= 0) {
            fprintf(out, " = %lld", (long long)value);
        }
    }
    if (count) fputc('\n', out);
}

static void print_lines(Arena *arena, const Graph *g, int indent, FILE *out);

static void print_node(Arena *arena, const Node *node, int indent, FILE *out)
{
    int width = fprintf(out, "%*s%%%u = %s", indent, "", node->id, op_name(node->op));
    for (int i = 0; i < node->arg_count; i++) width += fprintf(out, " %%%u", node->args[i]->id);
    width += fprintf(out, "%s : %s%s", text_attrs(arena, node), type_text(arena, &node->type),
                     node->region ? " {" : "");
    for (int i = 0; i < node->origin_count; i++) {
        int blanks = i ? 0 : width < ORIGIN_COLUMN - 2 ? ORIGIN_COLUMN - width : 2;
        fprintf(out, "%*s%s%s", blanks, "", i ? " ; " : "@ ", origin_text(arena, node->origins[i]));
    }
    fputc('\n', out);
    if (!node->region) return;
    print_lines(arena, node->region, indent + INDENT, out);
    fprintf(out, "%*s}\n", indent, "");
}

/* The nodes and outputs of a graph or of a scan's body. */
static void print_lines(Arena *arena, const Graph *g, int indent, FILE *out)
{
    for (int i = 0; i < g->nodes.count; i++) print_node(arena, g->nodes.at[i], indent, out);
    for (int i = 0; i < g->outputs.count; i++) {
        const Output *output = &g->outputs.at[i];
        fprintf(out, "%*s%s %s %%%u\n", indent, "", output->kind == OUTPUT_update ? "update" : "result",
                text_quoted(arena, output->name), output->node->id);
    }
}

void graph_print(const Graph *g, FILE *out)
{
    Arena *arena = arena_new();
    fprintf(out, "graph %s\n", text_word(arena, g->name));
    print_dims(arena, g->dims, out);
    print_lines(arena, g, 0, out);
    arena_free(arena);
}
