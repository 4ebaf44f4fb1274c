/* x[subscript] = v and x[subscript] += v on a local: the new value of x. Static subscripts cut x and join it again;
 * index tensors become a scatter, in which -1 writes nothing, and so do slices that begin where the run says. */
#include "frontend/elab.h"

/* v at the shape of x[subs]; statics take x's type. */
static Node *fitting_value(Elab *e, Node *x, const Type *shape, Value v, Place place)
{
    bool literal = v.kind == VALUE_number || v.kind == VALUE_bool;
    Node *n = literal ? elab_number_node(e, &v, x->type.dtype, place) : elab_tensor(e, &v, place, "the assigned value");
    if (!n) return NULL;
    const Type *types[2] = { &n->type, shape };
    Type joined;
    bool fits = n->type.dtype == x->type.dtype && elab_broadcast(e, types, 2, &joined)
             && elab_same_shape(e, &joined, shape);
    if (!fits) {
        Type wanted = *shape;
        wanted.dtype = x->type.dtype;
        elab_error(e, place, "the assigned value: expected %s, found %s", type_text(e->arena, &wanted),
                   type_text(e->arena, &n->type));
        return NULL;
    }
    elab_at(e, place);
    return elab_expand_to(e, n, shape, place);
}

/* x with the part from start on along `axis` replaced. */
static Node *replace_part(Elab *e, Node *x, Node *part, int axis, const Dim *start, Place place)
{
    const Dim *length = part->type.dim[axis], *end = dim_add(e->dims, start, length);
    const Dim *rest = dim_sub(e->dims, x->type.dim[axis], end);
    Node *parts[3];
    int count = 0;
    if (!dim_is(start, 0)) parts[count++] = elab_slice_axis(e, x, axis, dim_int(e->dims, 0), start, 1, place);
    parts[count++] = part;
    if (!dim_is(rest, 0)) parts[count++] = elab_slice_axis(e, x, axis, end, rest, 1, place);
    Attr attr = { .axis = axis };
    return count == 1 ? part : elab_node(e, OP_concat, parts, count, &attr, NULL, place);
}

/* Replaces axis by axis, innermost region first: at level k, x is restricted to the subscripts before k. */
static Node *assign_static(Elab *e, Node *x, const AxisSub *subs, int axis, Node *v, Place place)
{
    if (axis == x->type.rank) return v;
    const AxisSub *s = &subs[axis];
    Node *inner = elab_slice_axis(e, x, axis, s->start, s->length, 1, place);
    Node *part = inner ? assign_static(e, inner, subs, axis + 1, v, place) : NULL;
    return part ? replace_part(e, x, part, axis, s->start, place) : NULL;
}

static Value assign_slices(Elab *e, Node *x, const AxisSub *subs, int count, Value value, bool add, Place place)
{
    for (int i = 0; i < count; i++) {
        if (subs[i].kind == AXIS_new) return elab_error(e, subs[i].place, "a new axis cannot be assigned");
        if (subs[i].step != 1) return elab_error(e, subs[i].place, "an assigned slice has step 1");
    }
    Node *old = elab_apply_slices(e, x, subs, count, place);
    if (!old) return value_error();
    if (add) value = elab_binary(e, OPERATOR_add, value_tensor(old), value, place);
    if (value.kind == VALUE_error) return value;
    Node *v = fitting_value(e, x, &old->type, value, place);
    Type region = x->type;
    for (int k = 0; k < count; k++) region.dim[k] = subs[k].length;
    if (v && region.rank != v->type.rank) v = elab_node(e, OP_reshape, &v, 1, NULL, &region, place);
    Node *n = v ? assign_static(e, x, subs, 0, v, place) : NULL;
    return n ? value_tensor(n) : value_error();
}

/* A slice that begins where the run says as an index tensor: several stand across each other. */
static bool moving_index(Elab *e, AxisSub *subs, int at, int count)
{
    AxisSub *s = &subs[at];
    Node *places = elab_moving_places(e, s);
    Type across = type_of(DT_i64, 1, &s->length);
    for (int i = at + 1; i < count; i++)
        if (subs[i].kind == AXIS_moving) across.dim[across.rank++] = dim_int(e->dims, 1);
    s->kind = AXIS_tensor;
    s->index = places ? make_reshape(e->graph, places, across) : NULL;
    return s->index;
}

/* Numbers beside index tensors are index tensors too; slices must be whole axes. */
static bool only_indices(Elab *e, const Type *type, AxisSub *subs, int count, Place place)
{
    int axis = 0;
    bool tensors = false;
    for (int i = 0; i < count; i++) tensors = tensors || subs[i].kind == AXIS_tensor;
    for (int i = 0; i < count; i++) {
        AxisSub *s = &subs[i];
        bool whole = s->kind == AXIS_slice && dim_is(s->start, 0) && s->length == type->dim[axis] && s->step == 1;
        if (s->kind == AXIS_drop) {
            Value at = value_dim(s->start);
            s->index = elab_number_node(e, &at, DT_i32, place);
            s->kind = AXIS_tensor;
            if (!s->index) return false;
        } else if (s->kind == AXIS_moving && !tensors) {
            if (!moving_index(e, subs, i, count)) return false;
        } else if (s->kind != AXIS_tensor && !whole) {
            elab_error(e, s->place, tensors ? "beside an index tensor an assigned subscript is another index or `:`"
                       : "beside a slice with bounds known at run time an assigned subscript is a number, another such "
                         "slice or `:`");
            return false;
        }
        axis++;
    }
    return true;
}

static Value assign_tensors(Elab *e, Node *x, AxisSub *subs, int count, Value value, bool add, Place place)
{
    Node *args[2 + MAX_RANK];
    int axis = 0;
    if (!only_indices(e, &x->type, subs, count, place)) return value_error();
    int tensors = elab_index_tensors(e, subs, count, args + 2, &axis, place);
    if (tensors < 0) return value_error();
    const Type *index = &args[2]->type;
    Type shape = { .dtype = x->type.dtype };
    for (int k = 0; k < axis; k++) shape.dim[shape.rank++] = x->type.dim[k];
    if (x->type.rank - tensors + index->rank > MAX_RANK)
        return elab_error(e, place, "a tensor has at most %d axes", MAX_RANK);
    for (int k = 0; k < index->rank; k++) shape.dim[shape.rank++] = index->dim[k];
    for (int k = axis + tensors; k < x->type.rank; k++) shape.dim[shape.rank++] = x->type.dim[k];
    args[0] = x;
    args[1] = fitting_value(e, x, &shape, value, place);
    if (!args[1]) return value_error();
    Attr attr = { .axis = axis, .i = add };
    Node *n = elab_node(e, OP_scatter, args, 2 + tensors, &attr, NULL, place);
    return n ? value_tensor(n) : value_error();
}

Value elab_assigned(Elab *e, Node *base, const Expr *subscript, Value value, bool add, Place place)
{
    AxisSub subs[2 * MAX_RANK];
    int count = elab_read_subscripts(e, &base->type, subscript, subs, place);
    if (count < 0) return value_error();
    for (int i = 0; i < count; i++)
        if (subs[i].kind == AXIS_tensor || subs[i].kind == AXIS_moving)
            return assign_tensors(e, base, subs, count, value, add, place);
    return assign_slices(e, base, subs, count, value, add, place);
}
