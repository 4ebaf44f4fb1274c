/* Subscripts. Whole numbers and slices become one slice, new axes an expand, index tensors a gather, and so do slices
 * that begin where the run says. Static negative numbers count from the end; in an index tensor -1 is the absent
 * row. */
#include "frontend/elab.h"

#include <string.h>

/* reading */

static int64_t literal_or(const Dim *d, int64_t otherwise)
{
    int64_t v;
    return dim_is_int(d, &v) ? v : otherwise;
}

/* A bound of a slice: negative literals count from the end. NULL after reporting. */
static const Dim *read_position(Elab *e, const Expr *x, const Value *v, const Dim *length)
{
    const Dim *d = elab_dim(e, v, x->place);
    return d && literal_or(d, 0) < 0 ? dim_add(e->dims, length, d) : d;
}

/* Reports positions that are certainly outside 0 .. length. */
static bool inside(Elab *e, const Dim *at, const Dim *length, int64_t least_after, Place place)
{
    const Dim *left = dim_sub(e->dims, length, at);
    int64_t before, after;
    bool low = elab_known(at, &before) && before < 0, high = elab_known(left, &after) && after < least_after;
    if (!low && !high) return true;
    bool literal = low && dim_is_int(at, &before);           /* it was negative, and the length has been added */
    const Dim *written = literal ? dim_sub(e->dims, at, length) : at;
    elab_error(e, place, "%s is outside this axis of %s", dim_text(e->arena, written), dim_text(e->arena, length));
    return false;
}

/* A bound that the run knows, or a static beside one, as a whole scalar. NULL after reporting. */
static Node *read_moving_bound(Elab *e, const Expr *x, const Value *v, DType dtype)
{
    Node *n = v->kind == VALUE_tensor ? v->node : elab_number_node(e, v, dtype, x->place);
    if (!n || (!n->type.rank && dtype_is_whole(n->type.dtype))) return n;
    elab_error(e, x->place, "a bound of a slice is a whole number: a scalar of an integer type; found %s",
               type_text(e->arena, &n->type));
    return NULL;
}

/* start : stop, where the run knows one of them: their distance must be a dimension. */
static bool read_moving_slice(Elab *e, const Expr *x, const Value *from, const Value *to, const Dim *length,
                              AxisSub *out)
{
    DType dtype = from->kind == VALUE_tensor ? from->node->type.dtype : to->node->type.dtype;
    Node *start = x->left ? read_moving_bound(e, x->left, from, dtype) : NULL;
    if (x->left && !start) return false;
    Node *stop = x->right ? read_moving_bound(e, x->right, to, dtype) : NULL;
    if (x->right && !stop) return false;
    int64_t size, room;
    *out = (AxisSub){ .kind = AXIS_moving, .index = start, .step = 1, .place = out->place };
    out->length = start && stop ? elab_distance(e, start, stop) : NULL;
    if (!out->length || x->third) {
        elab_error(e, x->place, "a slice up to a value known at run time is reserved: not built yet");
        diag_note(e->d, x->place, "its length, stop - start, must be known: x[a:a+4], without a step");
        return false;
    }
    if (elab_known(out->length, &size) && (size < 0 || (elab_known(length, &room) && size > room))) {
        elab_error(e, x->place, "a slice of %s elements on this axis of %s", dim_text(e->arena, out->length),
                   dim_text(e->arena, length));
        return false;
    }
    return true;
}

/* start : stop : step; the length is ceil((stop - start) / step). */
static bool read_slice(Elab *e, const Expr *x, const Dim *length, AxisSub *out)
{
    Value from = value_none(), to = value_none();
    if (x->left) from = elab_settle(e, elab_expr(e, x->left), x->left->place);
    if (x->right) to = elab_settle(e, elab_expr(e, x->right), x->right->place);
    if (from.kind == VALUE_error || to.kind == VALUE_error) return false;
    if (from.kind == VALUE_tensor || to.kind == VALUE_tensor) return read_moving_slice(e, x, &from, &to, length, out);
    out->kind = AXIS_slice;
    out->step = 1;
    if (x->third) {
        Value v = elab_expr(e, x->third);
        if (!elab_whole(e, &v, x->third->place, "the step of a slice", &out->step)) return false;
        if (!out->step) {
            elab_error(e, x->third->place, "the step of a slice cannot be 0");
            return false;
        }
    }
    bool forward = out->step > 0;
    const Dim *one = dim_int(e->dims, 1);
    const Dim *start = forward ? dim_int(e->dims, 0) : dim_sub(e->dims, length, one);
    const Dim *stop = forward ? length : dim_int(e->dims, -1);
    if (x->left && !(start = read_position(e, x->left, &from, length))) return false;
    if (x->right && !(stop = read_position(e, x->right, &to, length))) return false;
    if (forward && !(inside(e, start, length, 0, x->place) && inside(e, stop, length, 0, x->place))) return false;
    const Dim *span = forward ? dim_sub(e->dims, stop, start) : dim_sub(e->dims, start, stop);
    int64_t stride = forward ? out->step : -out->step, known;
    if (elab_known(span, &known) && known < 0) {
        elab_error(e, x->place, "this slice would have %s elements", dim_text(e->arena, span));
        return false;
    }
    out->start = start;
    out->length = dim_floordiv(e->dims, dim_add(e->dims, span, dim_int(e->dims, stride - 1)), stride);
    return true;
}

static bool read_single(Elab *e, const Expr *x, const Dim *length, AxisSub *out)
{
    Value v = elab_lift(e, elab_expr(e, x), x->place);
    if (v.kind == VALUE_tensor) {
        if (!dtype_is_whole(v.node->type.dtype)) {
            elab_error(e, x->place, "an index must be of an integer type, found %s", value_text(e->arena, &v));
            return false;
        }
        out->kind = AXIS_tensor;
        out->index = v.node;
        return true;
    }
    const Dim *d = elab_dim(e, &v, x->place);
    if (!d) return false;
    out->kind = AXIS_drop;
    out->start = literal_or(d, 0) < 0 ? dim_add(e->dims, length, d) : d;
    out->length = dim_int(e->dims, 1);
    out->step = 1;
    return inside(e, out->start, length, 1, x->place);
}

static bool is_new_axis(const Expr *x) { return x->kind == EXPR_name && !strcmp(x->text, "_"); }

static AxisSub whole_axis(Elab *e, const Dim *length, Place place)
{
    return (AxisSub){ .kind = AXIS_slice, .start = dim_int(e->dims, 0), .length = length, .step = 1, .place = place };
}

int elab_read_subscripts(Elab *e, const Type *type, const Expr *subs, AxisSub *out, Place place)
{
    int given = 0, entries = 0;
    bool ellipsis = false;
    for (const Expr *x = subs; x; x = x->next) {
        entries++;
        given += x->kind != EXPR_ellipsis && !is_new_axis(x);
        if (x->kind == EXPR_ellipsis && ellipsis) {
            elab_error(e, x->place, "`..` stands once in a subscript");
            return -1;
        }
        ellipsis = ellipsis || x->kind == EXPR_ellipsis;
    }
    if (given > type->rank || entries > 2 * MAX_RANK - type->rank) {
        elab_error(e, place, "%d subscripts on %s", given, type_text(e->arena, type));
        return -1;
    }
    int axis = 0, count = 0, missing = type->rank - given;
    for (const Expr *x = subs; x; x = x->next) {
        if (x->kind == EXPR_ellipsis) {
            for (; missing; missing--) out[count++] = whole_axis(e, type->dim[axis++], x->place);
            continue;
        }
        AxisSub *sub = &out[count++];
        *sub = (AxisSub){ .kind = AXIS_new, .place = x->place };
        if (is_new_axis(x)) continue;
        const Dim *length = type->dim[axis++];
        if (!(x->kind == EXPR_slice ? read_slice(e, x, length, sub) : read_single(e, x, length, sub))) return -1;
    }
    for (; missing; missing--) out[count++] = whole_axis(e, type->dim[axis++], place);
    return count;
}

/* slices and new axes */

static Node *slice_all(Elab *e, Node *x, const AxisSub *subs, int count, Place place)
{
    Attr attr = {0};
    Type type = x->type;
    bool moves = false;
    int axis = 0;
    for (int i = 0; i < count; i++) {
        if (subs[i].kind == AXIS_new) continue;
        AxisSub whole = whole_axis(e, x->type.dim[axis], place);
        const AxisSub *sub = subs[i].kind == AXIS_tensor ? &whole : &subs[i];
        attr.start[axis] = sub->start;
        attr.step[axis] = sub->step;
        type.dim[axis] = sub->length;
        moves = moves || sub->step != 1 || !dim_is(sub->start, 0) || sub->length != x->type.dim[axis];
        axis++;
    }
    return moves ? elab_node(e, OP_slice, &x, 1, &attr, &type, place) : x;
}

/* Drops the axes that a single number picked, of length 1 by now. */
static Node *drop_axes(Elab *e, Node *x, const AxisSub *subs, int count, Place place)
{
    Type type = { .dtype = x->type.dtype };
    int axis = 0;
    for (int i = 0; i < count; i++) {
        if (subs[i].kind == AXIS_new) continue;
        if (subs[i].kind != AXIS_drop) type.dim[type.rank++] = x->type.dim[axis];
        axis++;
    }
    return type.rank == x->type.rank ? x : elab_node(e, OP_reshape, &x, 1, NULL, &type, place);
}

static Node *add_axes(Elab *e, Node *x, const AxisSub *subs, int count, Place place)
{
    Type type = { .dtype = x->type.dtype };
    Attr attr = {0};
    int axis = 0;
    for (int i = 0; i < count; i++) {
        if (subs[i].kind == AXIS_drop) continue;
        if (type.rank == MAX_RANK) {
            elab_error(e, place, "a tensor has at most %d axes", MAX_RANK);
            return NULL;
        }
        if (subs[i].kind == AXIS_new) {
            type.dim[type.rank++] = dim_int(e->dims, 1);
            continue;
        }
        attr.map[axis] = (int8_t)type.rank;
        type.dim[type.rank++] = x->type.dim[axis++];
    }
    return type.rank == x->type.rank ? x : elab_node(e, OP_expand, &x, 1, &attr, &type, place);
}

Node *elab_apply_slices(Elab *e, Node *x, const AxisSub *subs, int count, Place place)
{
    x = slice_all(e, x, subs, count, place);
    if (x) x = drop_axes(e, x, subs, count, place);
    return x ? add_axes(e, x, subs, count, place) : NULL;
}

Node *elab_slice_axis(Elab *e, Node *x, int axis, const Dim *start, const Dim *length, int64_t step, Place place)
{
    AxisSub subs[MAX_RANK];
    for (int k = 0; k < x->type.rank; k++) subs[k] = whole_axis(e, x->type.dim[k], place);
    subs[axis].start = start;
    subs[axis].length = length;
    subs[axis].step = step;
    return slice_all(e, x, subs, x->type.rank, place);
}

/* index tensors */

int elab_index_tensors(Elab *e, const AxisSub *subs, int count, Node **out, int *axis, Place place)
{
    const Type *types[MAX_RANK];
    int n = 0, at = 0, last = -1;
    for (int i = 0; i < count; i++) {
        if (subs[i].kind == AXIS_tensor) {
            if (n && last != at - 1) {
                elab_error(e, subs[i].place, "index tensors of one subscript must stand side by side");
                return -1;
            }
            if (!n) *axis = at;
            last = at;
            out[n] = subs[i].index;
            types[n] = &out[n]->type;
            n++;
        }
        at += subs[i].kind != AXIS_drop;
    }
    Type shape;
    if (!n) return 0;
    if (!elab_broadcast(e, types, n, &shape)) {
        elab_error(e, place, "the shapes of the index tensors do not fit: %s and %s", type_text(e->arena, types[0]),
                   type_text(e->arena, types[n - 1]));
        return -1;
    }
    elab_at(e, place);
    for (int i = 0; i < n; i++)
        if (!(out[i] = elab_expand_to(e, out[i], &shape, place))) return -1;
    return n;
}

/* A start below 0 must end the run, and -1 as an index would mean no row. */
Node *elab_moving_places(Elab *e, const AxisSub *sub)
{
    Type type = type_of(DT_i64, 1, &sub->length);
    elab_at(e, sub->place);
    Node *start = elab_adopt(e, sub->index, sub->place);
    if (!start) return NULL;
    start = make_cast(e->graph, start, DT_i64);
    Node *absent = make_binary(e->graph, OP_eq, start, make_whole(e->graph, DT_i64, -1));
    start = make_where(e->graph, absent, make_whole(e->graph, DT_i64, -2), start);
    Node *steps = make_iota(e->graph, type, 0);
    return make_binary(e->graph, OP_add, make_broadcast(e->graph, start, type), steps);
}

/* Reads the slices that begin where the run says; of what is left they are whole axes. */
static Node *apply_moving(Elab *e, Node *x, AxisSub *subs, int count)
{
    int axis = 0;
    for (int i = 0; i < count && x; i++) {
        AxisSub *s = &subs[i];
        if (s->kind == AXIS_moving) {
            Node *places = elab_moving_places(e, s);
            Attr attr = { .axis = axis };
            x = places ? elab_node(e, OP_gather, (Node *[]){ x, places }, 2, &attr, NULL, s->place) : NULL;
            *s = whole_axis(e, s->length, s->place);
        }
        axis += s->kind != AXIS_new;
    }
    return x;
}

static Value subscript_tensor(Elab *e, Node *x, const Expr *subs, Place place)
{
    AxisSub read[2 * MAX_RANK];
    Node *args[1 + MAX_RANK];
    int axis = 0;
    int count = elab_read_subscripts(e, &x->type, subs, read, place);
    if (count < 0 || !(x = apply_moving(e, x, read, count))) return value_error();
    args[0] = elab_apply_slices(e, x, read, count, place);
    int tensors = elab_index_tensors(e, read, count, args + 1, &axis, place);
    if (!args[0] || tensors < 0) return value_error();
    if (!tensors) return value_tensor(args[0]);
    Attr attr = { .axis = axis };
    Node *n = elab_node(e, OP_gather, args, 1 + tensors, &attr, NULL, place);
    return n ? value_tensor(n) : value_error();
}

/* lists, labels, tokenizers */

static Value subscript_list(Elab *e, const List *list, const Expr *subs, Place place)
{
    int64_t i;
    if (subs->next || subs->kind == EXPR_slice) return elab_error(e, place, "a list has one subscript, a whole number");
    Value v = elab_settle(e, elab_expr(e, subs), subs->place);
    if (v.kind == VALUE_tensor)
        return elab_error(e, subs->place, "a list is indexed by a static number; stack(…) makes a tensor of it");
    if (!elab_whole(e, &v, subs->place, "the subscript of a list", &i)) return value_error();
    if (i < 0) i += list->count;
    if (i < 0 || i >= list->count) return elab_error(e, subs->place, "this list has %d elements", list->count);
    return list->at[i];
}

static Value subscript_host(Elab *e, Value base, const Expr *subs, Place place)
{
    if (subs->next || subs->kind == EXPR_slice || subs->kind == EXPR_ellipsis)
        return elab_error(e, place, "%s takes one subscript, a name or a number",
                          value_text(e->arena, &base));
    Argument args[2] = { { NULL, base, place }, { NULL, elab_expr(e, subs), subs->place } };
    return args[1].value.kind == VALUE_error ? value_error() : elab_host_call(e, "[]", args, 2, place);
}

static Value subscript(Elab *e, Value base, const Expr *subs, Place place)
{
    switch (base.kind) {
    case VALUE_error:
    case VALUE_unknown: return base;
    case VALUE_tensor: return subscript_tensor(e, base.node, subs, place);
    case VALUE_list: return subscript_list(e, &base.list, subs, place);
    case VALUE_host: return subscript_host(e, base, subs, place);
    case VALUE_instance: {
        int64_t i;
        Value v = elab_expr(e, subs);
        if (subs->next || !elab_whole(e, &v, subs->place, "the index of a label", &i)) return value_error();
        return (Value){ .kind = VALUE_instance,
                        .text = elab_join_path(e, base.text, arena_print(e->arena, "%lld", (long long)i)) };
    }
    default: return elab_error(e, place, "%s has no subscripts", value_text(e->arena, &base));
    }
}

Value elab_index(Elab *e, const Expr *x)
{
    Value base = elab_lift(e, elab_expr(e, x->left), x->left->place);
    return subscript(e, base, x->first, x->place);
}
