/* Shape rules of indexing and of random draws. */
#include "ir/shape.h"

#include <assert.h>

/* The index tensors args[first ..] stand for as many axes of x, from attr.axis. */
static bool check_indices(ShapeCase *c, int first)
{
    const Type *x = &c->args[0]->type;
    int count = c->arg_count - first, axis = c->attr->axis;
    assert(count >= 1);
    if (axis < 0 || axis + count > x->rank)
        return shape_refuse(c, "found %d indices at axis %d of %s, expected axes of it", count, axis, shape_text(c, x));
    const Type *index = &c->args[first]->type;
    for (int i = first; i < c->arg_count; i++) {
        const Type *next = &c->args[i]->type;
        if (!dtype_is_whole(next->dtype))
            return shape_refuse(c, "found %s as an index, expected integers", shape_text(c, next));
        if (!type_same_shape(next, index))
            return shape_refuse(c, "found indices %s and %s, expected one shape", shape_text(c, index),
                                shape_text(c, next));
    }
    return true;
}

/* The axes of x before those indexed, the axes of the index, the axes of x behind: into c->result. */
static bool indexed_type(ShapeCase *c, int first)
{
    const Type *x = &c->args[0]->type, *index = &c->args[first]->type;
    int count = c->arg_count - first, behind = c->attr->axis + count;
    Type *result = &c->result;
    *result = (Type){.dtype = x->dtype};
    if (x->rank - count + index->rank > MAX_RANK)
        return shape_refuse(c, "found %s indexed by %s, expected at most %d axes in the result", shape_text(c, x),
                            shape_text(c, index), MAX_RANK);
    for (int i = 0; i < c->attr->axis; i++) result->dim[result->rank++] = x->dim[i];
    for (int i = 0; i < index->rank; i++) result->dim[result->rank++] = index->dim[i];
    for (int i = behind; i < x->rank; i++) result->dim[result->rank++] = x->dim[i];
    return true;
}

bool shape_gather(ShapeCase *c)
{
    if (c->arg_count < 2) return shape_refuse(c, "expected a table and at least one index");
    return check_indices(c, 1) && indexed_type(c, 1);
}

bool shape_scatter(ShapeCase *c)
{
    if (c->arg_count < 3) return shape_refuse(c, "expected a table, values and at least one index");
    if (!check_indices(c, 2) || !indexed_type(c, 2)) return false;
    const Type *x = &c->args[0]->type, *v = &c->args[1]->type;
    if (!type_equal(v, &c->result))
        return shape_refuse(c, "found values %s for %s at %s, expected %s", shape_text(c, v), shape_text(c, x),
                            shape_text(c, &c->args[2]->type), shape_text(c, &c->result));
    if (c->attr->i != 0 && c->attr->i != 1)
        return shape_refuse(c, "found mode %lld, expected 0 to set or 1 to add", (long long)c->attr->i);
    if (c->attr->i && x->dtype == DT_bool)
        return shape_refuse(c, "found %s, expected numbers to add to", shape_text(c, x));
    c->result = *x;
    return true;
}

/* uniform: seed, step; integers: seed, step, low, high. Both may have the index of a scan behind. */
bool shape_draw(ShapeCase *c)
{
    if (!c->given) return shape_refuse(c, "expected a type");
    if (!c->attr->text) return shape_refuse(c, "expected a key");
    bool whole = c->op == OP_integers;
    if (whole ? !dtype_is_whole(c->given->dtype) : !dtype_is_float(c->given->dtype))
        return shape_refuse(c, "found %s, expected %s", shape_text(c, c->given),
                            whole ? "an integer type" : "a float type");
    int least = whole ? 4 : 2;
    if (c->arg_count < least || c->arg_count > least + 1)
        return shape_refuse(c, "found %d arguments, expected %d, or %d with an index", c->arg_count, least, least + 1);
    for (int i = 0; i < c->arg_count; i++) {
        const Type *type = &c->args[i]->type;
        bool bound = i >= 2 && i < least;
        Type wanted = type_scalar(bound ? c->given->dtype : DT_i64);
        if (type_equal(type, &wanted)) continue;
        static const char *const NAMES[] = {"seed", "step", "low", "high"};
        return shape_refuse(c, "found %s as %s, expected %s", shape_text(c, type), i < least ? NAMES[i] : "index",
                            shape_text(c, &wanted));
    }
    c->result = *c->given;
    return true;
}
