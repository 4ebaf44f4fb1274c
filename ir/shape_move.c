/* Shape rules of movement: the result holds elements of the arguments (and zeros) in other places. Bounds are checked
 * as far as they are known: literals, differences that are literals, and symbols that have values. */
#include "ir/shape.h"

bool shape_reshape(ShapeCase *c)
{
    const Type *from = &c->args[0]->type;
    if (!c->given) return shape_refuse(c, "expected the shape to give");
    Dims *dims = c->g->dims;
    c->result = *c->given;
    c->result.dtype = from->dtype;
    const Dim *found = type_elements(dims, from), *wanted = type_elements(dims, c->given);
    if (found == wanted) return true;
    int64_t found_value, wanted_value;
    bool valued = dim_evaluate(found, &found_value) && dim_evaluate(wanted, &wanted_value);
    if (valued && found_value == wanted_value) return true;
    return shape_refuse(c, "found %s with %s elements, expected as many as in %s, which has %s", shape_text(c, from),
                        shape_dim_text(c, found), shape_text(c, &c->result), shape_dim_text(c, wanted));
}

bool shape_permute(ShapeCase *c)
{
    const Type *from = &c->args[0]->type;
    uint32_t seen = 0;
    c->result = (Type){.dtype = from->dtype, .rank = from->rank};
    for (int i = 0; i < from->rank; i++) {
        int axis = c->attr->map[i];
        if (axis < 0 || axis >= from->rank || seen >> axis & 1)
            return shape_refuse(c, "found axis %d at place %d of the order, expected every axis of %s once", axis, i,
                                shape_text(c, from));
        seen |= 1u << axis;
        c->result.dim[i] = from->dim[axis];
    }
    return true;
}

bool shape_expand(ShapeCase *c)
{
    const Type *from = &c->args[0]->type;
    if (!c->given) return shape_refuse(c, "expected the shape to give");
    c->result = *c->given;
    c->result.dtype = from->dtype;
    int before = -1;
    for (int i = 0; i < from->rank; i++) {
        int axis = c->attr->map[i];
        if (axis <= before || axis >= c->given->rank)
            return shape_refuse(c, "found axis %d of %s at axis %d of %s, expected rising axes of the result", i,
                                shape_text(c, from), axis, shape_text(c, &c->result));
        if (from->dim[i] != c->given->dim[axis] && !dim_is(from->dim[i], 1))
            return shape_refuse(c, "found %s for %s, expected %s or 1 as its axis %d", shape_text(c, from),
                                shape_text(c, &c->result), shape_dim_text(c, c->given->dim[axis]), i);
        before = axis;
    }
    return true;
}

/* A rule whose given type has the argument's rank. */
static bool same_rank(ShapeCase *c)
{
    const Type *from = &c->args[0]->type;
    if (!c->given || c->given->rank != from->rank)
        return shape_refuse(c, "found %s for %s, expected a shape of equal rank",
                            c->given ? shape_text(c, c->given) : "no type", shape_text(c, from));
    c->result = *c->given;
    c->result.dtype = from->dtype;
    return true;
}

/* Element start + i*step for i below `length` must exist among the first `available`. */
static bool within(ShapeCase *c, int axis, const Dim *start, int64_t step, const Dim *length, const Dim *available)
{
    Dims *t = c->g->dims;
    if (dim_value(length) == 0) return true;
    const Dim *one = dim_int(t, 1);
    const Dim *last = dim_add(t, start, dim_mul(t, dim_sub(t, length, one), dim_int(t, step)));
    const Dim *low = step > 0 ? start : last, *high = step > 0 ? last : start;
    if (!shape_known_negative(low) && !shape_known_negative(dim_sub(t, dim_sub(t, available, one), high))) return true;
    return shape_refuse(c, "found the elements %s to %s along axis %d, expected them below its length %s",
                        shape_dim_text(c, low), shape_dim_text(c, high), axis, shape_dim_text(c, available));
}

bool shape_slice(ShapeCase *c)
{
    if (!same_rank(c)) return false;
    const Type *from = &c->args[0]->type;
    for (int i = 0; i < from->rank; i++) {
        if (!c->attr->step[i]) return shape_refuse(c, "found step 0 along axis %d, expected another", i);
        if (!within(c, i, c->attr->start[i], c->attr->step[i], c->result.dim[i], from->dim[i])) return false;
    }
    return true;
}

bool shape_pad(ShapeCase *c)
{
    if (!same_rank(c)) return false;
    Dims *t = c->g->dims;
    const Type *from = &c->args[0]->type;
    for (int i = 0; i < from->rank; i++) {
        const Dim *before = c->attr->start[i];
        const Dim *after = dim_sub(t, dim_sub(t, c->result.dim[i], from->dim[i]), before);
        if (shape_known_negative(before) || shape_known_negative(after))
            return shape_refuse(c, "found %s zeros before and %s after along axis %d, expected no negative number",
                                shape_dim_text(c, before), shape_dim_text(c, after), i);
    }
    return true;
}

bool shape_concat(ShapeCase *c)
{
    if (!c->arg_count) return shape_refuse(c, "expected at least one argument");
    int axis = c->attr->axis;
    c->result = c->args[0]->type;
    if (axis < 0 || axis >= c->result.rank)
        return shape_refuse(c, "found axis %d, expected an axis of %s", axis, shape_text(c, &c->result));
    for (int i = 1; i < c->arg_count; i++) {
        const Type *next = &c->args[i]->type;
        Type aligned = *next;
        if (next->rank == c->result.rank) aligned.dim[axis] = c->result.dim[axis];
        if (!type_equal(&aligned, &c->result))
            return shape_refuse(c, "found %s and %s, expected types that differ along axis %d only",
                                shape_text(c, &c->args[0]->type), shape_text(c, next), axis);
        c->result.dim[axis] = dim_add(c->g->dims, c->result.dim[axis], next->dim[axis]);
    }
    return true;
}

/* [.., L, ..] to [.., n, w, ..]: window i holds elements i*step to i*step + w - 1. */
bool shape_window(ShapeCase *c)
{
    const Type *from = &c->args[0]->type;
    int axis = c->attr->axis;
    int64_t step = c->attr->step[0];
    if (axis < 0 || axis >= from->rank || !c->given || c->given->rank != from->rank + 1)
        return shape_refuse(c, "found axis %d of %s and %s, expected one of its axes and one axis more", axis,
                            shape_text(c, from), c->given ? shape_text(c, c->given) : "no type");
    if (step < 1) return shape_refuse(c, "found step %lld, expected at least 1", (long long)step);
    c->result = *c->given;
    c->result.dtype = from->dtype;
    for (int i = 0; i < from->rank; i++)
        if (i != axis && from->dim[i] != c->given->dim[i < axis ? i : i + 1])
            return shape_refuse(c, "found %s for %s, expected equal lengths beside axis %d", shape_text(c, &c->result),
                                shape_text(c, from), axis);
    Dims *t = c->g->dims;
    const Dim *count = c->given->dim[axis], *width = c->given->dim[axis + 1];
    if (dim_value(count) == 0) return true;
    const Dim *last = dim_mul(t, dim_sub(t, count, dim_int(t, 1)), dim_int(t, step));
    if (!shape_known_negative(dim_sub(t, from->dim[axis], dim_add(t, last, width)))) return true;
    return shape_refuse(c, "found %s windows of %s with step %lld, expected them within the length %s",
                        shape_dim_text(c, count), shape_dim_text(c, width), (long long)step,
                        shape_dim_text(c, from->dim[axis]));
}
