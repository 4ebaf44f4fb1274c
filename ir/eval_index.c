/* Reference values of gather and scatter. Axes before the indexed ones are called outer, those behind inner. */
#include "ir/eval_rules.h"

/* Indexed rows: element (o, p, n) of the picked tensor is element (o, row(p), n) of the whole one. */
typedef struct Rows {
    int            axis, index_count;
    Tensor *const *index;
    int64_t        outer, places, inner;      /* places: elements of an index tensor */
    Shape          whole;
} Rows;

static Rows rows_of(const Node *node, const Type *whole, Tensor *const *index, int index_count)
{
    Rows rows = {.axis = node->attr.axis, .index_count = index_count, .index = index, .outer = 1, .inner = 1};
    rows.whole = shape_of(whole);
    rows.places = index[0]->count;
    for (int k = 0; k < rows.axis; k++) rows.outer *= rows.whole.extent[k];
    for (int k = rows.axis + index_count; k < rows.whole.rank; k++) rows.inner *= rows.whole.extent[k];
    return rows;
}

static const char *range_message(const Node *node, int64_t value, int64_t bound, Arena *arena)
{
    const char *text = arena_print(arena, "index %lld is out of range: %s reads an axis of %lld", (long long)value,
                                   op_name(node->op), (long long)bound);
    if (node->origin_count == 0 || !node->origins[0] || !node->origins[0]->place.source) return text;
    Place place = node->origins[0]->place;
    return arena_print(arena, "%s:%u:%u: %s", place.source->path, place.line, place.column, text);
}

/* The offset of the row named at place p within one outer block, in elements; -1 when absent. */
static int64_t row_find(const Node *node, const Rows *rows, int64_t p, Arena *arena, const char **why)
{
    int64_t offset = 0;
    bool absent = false;
    for (int k = 0; k < rows->index_count; k++) {
        int64_t value = rows->index[k]->i[p], bound = rows->whole.extent[rows->axis + k];
        if (value < -1 || value >= bound) {
            *why = range_message(node, value, bound, arena);
            return -1;
        }
        if (value == -1) absent = true;
        offset += value * rows->whole.stride[rows->axis + k];
    }
    return absent ? -1 : offset;
}

/* Elements of the indexed axes together with the inner ones: the distance between outer blocks. */
static int64_t outer_stride(const Rows *rows)
{
    int64_t stride = rows->inner;
    for (int k = 0; k < rows->index_count; k++) stride *= rows->whole.extent[rows->axis + k];
    return stride;
}

const char *eval_gather(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    Rows rows = rows_of(node, &args[0]->type, args + 1, node->arg_count - 1);
    const char *why = NULL;
    for (int64_t o = 0; o < rows.outer; o++) {
        for (int64_t p = 0; p < rows.places; p++) {
            int64_t row = row_find(node, &rows, p, arena, &why);
            if (why) return why;
            if (row < 0) continue;
            for (int64_t n = 0; n < rows.inner; n++)
                tensor_copy_element(out, (o * rows.places + p) * rows.inner + n, args[0],
                                    o * outer_stride(&rows) + row + n);
        }
    }
    return NULL;
}

static void write_element(const Node *node, Tensor *out, int64_t to, const Tensor *values, int64_t from)
{
    DType dtype = node->type.dtype;
    if (node->attr.i == 0)
        tensor_copy_element(out, to, values, from);
    else if (out->f)
        out->f[to] = round_to_dtype(dtype, out->f[to] + values->f[from]);
    else
        out->i[to] = wrap_to_dtype(dtype, (int64_t)((uint64_t)out->i[to] + (uint64_t)values->i[from]));
}

const char *eval_scatter(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    Rows rows = rows_of(node, &args[0]->type, args + 2, node->arg_count - 2);
    const char *why = NULL;
    eval_copy(node, args, out, arena);
    for (int64_t o = 0; o < rows.outer; o++) {
        for (int64_t p = 0; p < rows.places; p++) {
            int64_t row = row_find(node, &rows, p, arena, &why);
            if (why) return why;
            if (row < 0) continue;
            for (int64_t n = 0; n < rows.inner; n++)
                write_element(node, out, o * outer_stride(&rows) + row + n, args[1],
                              (o * rows.places + p) * rows.inner + n);
        }
    }
    return NULL;
}
