/* Graphs that move elements, as blocks. A value is made of blocks of its inputs, each a box in the value whose elements
 * lie at strides in the input; every operator cuts, turns and shifts boxes. */
#include "frontend/cli/moves.h"

#include <string.h>

enum { MOST_BOXES = 1 << 20 };

typedef struct Box {
    const char *source;
    int64_t at[MAX_RANK], extent[MAX_RANK];      /* where it is in the value */
    int64_t start, stride[MAX_RANK];             /* where its elements are in the source */
} Box;

typedef struct View {
    int     rank;
    int64_t shape[MAX_RANK];
    Vec(Box) boxes;
} View;

static View view_of_type(const Type *type)
{
    View v = { .rank = type->rank };
    for (int k = 0; k < type->rank; k++) v.shape[k] = dim_value(type->dim[k]);
    return v;
}

/* Elements of a row-major tensor behind one step along the axis. */
static int64_t inner(const View *v, int axis)
{
    int64_t count = 1;
    for (int k = axis + 1; k < v->rank; k++) count *= v->shape[k];
    return count;
}

static View view_of_input(Arena *arena, const Node *n)
{
    View v = view_of_type(&n->type);
    Box box = { .source = n->attr.text };
    for (int k = 0; k < v.rank; k++) {
        box.extent[k] = v.shape[k];
        box.stride[k] = inner(&v, k);
    }
    vec_push(arena, &v.boxes, box);
    return v;
}

static View permuted(Arena *arena, const Node *n, const View *from)
{
    View v = view_of_type(&n->type);
    for (int i = 0; i < from->boxes.count; i++) {
        const Box *b = &from->boxes.at[i];
        Box box = *b;
        for (int k = 0; k < v.rank; k++) {
            int axis = n->attr.map[k];
            box.at[k] = b->at[axis];
            box.extent[k] = b->extent[axis];
            box.stride[k] = b->stride[axis];
        }
        vec_push(arena, &v.boxes, box);
    }
    return v;
}

static int64_t floor_quotient(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

/* The box where it meets the places start, start + step, … along an axis; false when it meets none. */
static bool cut(Box *b, int axis, int64_t start, int64_t step, int64_t length)
{
    int64_t low = b->at[axis] - start, high = low + b->extent[axis] - 1;     /* low <= i * step <= high */
    int64_t first = step > 0 ? -floor_quotient(-low, step) : -floor_quotient(-high, step);
    int64_t last = step > 0 ? floor_quotient(high, step) : floor_quotient(low, step);
    if (first < 0) first = 0;
    if (last > length - 1) last = length - 1;
    if (first > last) return false;
    b->start += (first * step - low) * b->stride[axis];
    b->stride[axis] *= step;
    b->at[axis] = first;
    b->extent[axis] = last - first + 1;
    return true;
}

static View sliced(Arena *arena, const Node *n, const View *from)
{
    View v = view_of_type(&n->type);
    for (int i = 0; i < from->boxes.count; i++) {
        Box box = from->boxes.at[i];
        bool meets = true;
        for (int k = 0; meets && k < v.rank; k++) {
            int64_t start = 0;
            dim_evaluate(n->attr.start[k], &start);
            meets = cut(&box, k, start, n->attr.step[k], v.shape[k]);
        }
        if (meets) vec_push(arena, &v.boxes, box);
    }
    return v;
}

static View joined(Arena *arena, const Node *n, View *const *parts)
{
    View v = view_of_type(&n->type);
    int axis = n->attr.axis;
    int64_t at = 0;
    for (int a = 0; a < n->arg_count; a++) {
        for (int i = 0; i < parts[a]->boxes.count; i++) {
            Box box = parts[a]->boxes.at[i];
            box.at[axis] += at;
            vec_push(arena, &v.boxes, box);
        }
        at += parts[a]->shape[axis];
    }
    return v;
}

/* A row of elements in a row-major value: `count` from `first` on, with `stride` between them in the source. `b` says
 * where it is along the axes before `axis`, behind which `first` counts. */
static void add_row(Arena *arena, View *v, Box b, int axis, int64_t first, int64_t count, int64_t stride)
{
    int64_t behind = axis < v->rank ? inner(v, axis) : 1, head = first % behind;
    if (v->rank && head) {               /* up to where the next step along the axis begins */
        int64_t n = behind - head < count ? behind - head : count;
        b.at[axis] = first / behind;
        b.extent[axis] = 1;
        add_row(arena, v, b, axis + 1, head, n, stride);
        first += n;
        count -= n;
        b.start += n * stride;
    }
    int64_t steps = count / behind, tail = count % behind;
    if (steps) {
        Box whole = b;
        for (int k = axis; k < v->rank; k++) {
            whole.at[k] = k == axis ? first / behind : 0;
            whole.extent[k] = k == axis ? steps : v->shape[k];
            whole.stride[k] = inner(v, k) * stride;
        }
        vec_push(arena, &v->boxes, whole);
        first += steps * behind;
        b.start += steps * behind * stride;
    }
    if (!tail) return;
    b.at[axis] = first / behind;
    b.extent[axis] = 1;
    add_row(arena, v, b, axis + 1, 0, tail, stride);
}

/* The box as rows of the row-major value `from`: the last axes in which it is whole make one row. */
static void add_rows(Arena *arena, View *v, const View *from, const Box *b)
{
    int axis = from->rank - 1;
    while (axis > 0 && b->extent[axis] == from->shape[axis]
           && (b->extent[axis - 1] == 1 || b->stride[axis - 1] == b->stride[axis] * b->extent[axis])) axis--;
    int64_t rows = 1, length = 1, stride = from->rank ? b->stride[from->rank - 1] : 1;
    for (int k = 0; k < axis; k++) rows *= b->extent[k];
    for (int k = axis < 0 ? 0 : axis; k < from->rank; k++) length *= b->extent[k];
    for (int64_t row = 0; row < rows && v->boxes.count <= MOST_BOXES; row++) {
        Box part = { .source = b->source, .start = b->start };
        int64_t first = axis < 0 ? 0 : b->at[axis] * inner(from, axis), left = row;
        for (int k = axis - 1; k >= 0; k--) {
            int64_t i = left % b->extent[k];
            left /= b->extent[k];
            first += (b->at[k] + i) * inner(from, k);
            part.start += i * b->stride[k];
        }
        for (int k = axis + 1; k < from->rank; k++) first += b->at[k] * inner(from, k);
        add_row(arena, v, part, 0, first, length, stride);
    }
}

static View reshaped(Arena *arena, const Node *n, const View *from)
{
    View v = view_of_type(&n->type);
    for (int i = 0; i < from->boxes.count; i++) add_rows(arena, &v, from, &from->boxes.at[i]);
    return v;
}

static View view_of(Arena *arena, const Node *n, View *const *args)
{
    switch (n->op) {
    case OP_permute: return permuted(arena, n, args[0]);
    case OP_slice: return sliced(arena, n, args[0]);
    case OP_concat: return joined(arena, n, args);
    case OP_reshape: return reshaped(arena, n, args[0]);
    default: return view_of_input(arena, n);
    }
}

/* Arguments come before what reads them, so one view for each node in their order will do. */
bool moves_of(Arena *arena, const Node *result, Moves *out)
{
    Map *views = map_new(arena);
    Vec(const Node *) waiting = { 0 };
    vec_push(arena, &waiting, result);
    *out = (Moves){ 0 };
    while (waiting.count) {
        const Node *n = waiting.at[waiting.count - 1];
        View **args = arena_array(arena, View *, n->arg_count + 1);
        bool ready = true;
        for (int i = 0; i < n->arg_count; i++) {
            args[i] = map_get_bytes(views, &n->args[i], sizeof n->args[i]);
            if (args[i]) continue;
            vec_push(arena, &waiting, n->args[i]);
            ready = false;
        }
        if (!ready) continue;
        View *view = arena_new_of(arena, View);
        *view = view_of(arena, n, args);
        if (view->boxes.count > MOST_BOXES) return false;
        map_set_bytes(views, &n, sizeof n, view);
        waiting.count--;
    }
    const View *v = map_get_bytes(views, &result, sizeof result);
    for (int i = 0; i < v->boxes.count; i++) {
        const Box *b = &v->boxes.at[i];
        struct Moved moved = { .source = b->source, .move = { .rank = v->rank, .from_start = b->start } };
        for (int k = 0; k < v->rank; k++) {
            moved.move.extent[k] = b->extent[k];
            moved.move.from_stride[k] = b->stride[k];
            moved.move.to_stride[k] = inner(v, k);
            moved.move.to_start += b->at[k] * inner(v, k);
        }
        vec_push(arena, out, moved);
    }
    return true;
}
