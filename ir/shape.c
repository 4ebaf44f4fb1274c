/* Shape rules of elementwise operators, reductions, contractions and makers; and the common frame of all rules. */
#include "ir/shape.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

bool shape_refuse(ShapeCase *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    c->why = arena_print(c->g->arena, "%s: %s", op_name(c->op), arena_vprint(c->g->arena, format, args));
    va_end(args);
    return false;
}

const char *shape_text(const ShapeCase *c, const Type *type) { return type_text(c->g->arena, type); }

const char *shape_dim_text(const ShapeCase *c, const Dim *d) { return dim_text(c->g->arena, d); }

bool shape_known_negative(const Dim *d)
{
    int64_t value;
    return dim_kind(d) == DIM_fixed && dim_evaluate(d, &value) && value < 0;
}

/* elementwise */

typedef enum Takes { TAKES_FLOAT, TAKES_NUMBER, TAKES_TRUTH, TAKES_ANY } Takes;
typedef enum Gives { GIVES_same, GIVES_truth } Gives;

typedef struct ElementRow {
    Takes takes;
    Gives gives;
} ElementRow;

static const ElementRow ELEMENTS[OP_COUNT] = {
#define ELEMENT(name, arity, types, result, ...) [OP_##name] = {TAKES_##types, GIVES_##result},
#define STRUCTURAL(...)
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
};

static bool takes(Takes takes, DType t)
{
    switch (takes) {
    case TAKES_FLOAT: return dtype_is_float(t);
    case TAKES_NUMBER: return dtype_is_float(t) || dtype_is_whole(t);
    case TAKES_TRUTH: return t == DT_bool;
    case TAKES_ANY: return true;
    }
    return false;
}

static const char *takes_text(Takes takes)
{
    switch (takes) {
    case TAKES_FLOAT: return "a float type";
    case TAKES_NUMBER: return "numbers";
    case TAKES_TRUTH: return "bool";
    case TAKES_ANY: break;
    }
    return "";
}

static bool shape_element(ShapeCase *c)
{
    ElementRow row = ELEMENTS[c->op];
    bool where = c->op == OP_where;
    const Type *first = &c->args[where ? 1 : 0]->type;
    if (where && c->args[0]->type.dtype != DT_bool)
        return shape_refuse(c, "found %s as the condition, expected bool", shape_text(c, &c->args[0]->type));
    if (!takes(row.takes, first->dtype))
        return shape_refuse(c, "found %s, expected %s", shape_text(c, first), takes_text(row.takes));
    for (int i = 0; i < c->arg_count; i++) {
        const Type *type = &c->args[i]->type;
        bool condition = where && i == 0;
        if (type_same_shape(type, first) && (condition || type->dtype == first->dtype)) continue;
        if (condition)
            return shape_refuse(c, "found %s as the condition of %s, expected equal shapes", shape_text(c, type),
                                shape_text(c, first));
        return shape_refuse(c, "found %s and %s, expected equal types", shape_text(c, first), shape_text(c, type));
    }
    c->result = *first;
    if (row.gives == GIVES_truth) c->result.dtype = DT_bool;
    return true;
}

/* meta */

bool shape_cast(ShapeCase *c)
{
    if (!c->given) return shape_refuse(c, "expected the type to cast to");
    c->result = c->args[0]->type;
    c->result.dtype = c->given->dtype;
    return true;
}

static bool has_axis(ShapeCase *c, const Type *type)
{
    if (c->attr->axis >= 0 && c->attr->axis < type->rank) return true;
    return shape_refuse(c, "found axis %d, expected an axis of %s", c->attr->axis, shape_text(c, type));
}

/* stop, cumsum */
bool shape_same(ShapeCase *c)
{
    const Type *type = &c->args[0]->type;
    c->result = *type;
    if (c->op != OP_cumsum) return true;
    if (type->dtype == DT_bool) return shape_refuse(c, "found %s, expected numbers; cast first", shape_text(c, type));
    return has_axis(c, type);
}

/* reductions */

static DType sum_type(DType t)
{
    if (dtype_is_whole(t)) return DT_i64;
    return t == DT_bf16 || t == DT_f16 ? DT_f32 : t;
}

bool shape_reduce(ShapeCase *c)
{
    const Type *type = &c->args[0]->type;
    if (type->dtype == DT_bool) return shape_refuse(c, "found %s, expected numbers; cast first", shape_text(c, type));
    if (!c->attr->axes || c->attr->axes >> type->rank)
        return shape_refuse(c, "found axes %#x of %s, expected one or more of its axes", c->attr->axes,
                            shape_text(c, type));
    c->result.dtype = c->op == OP_sum ? sum_type(type->dtype) : type->dtype;
    for (int i = 0; i < type->rank; i++)
        if (!(c->attr->axes >> i & 1)) c->result.dim[c->result.rank++] = type->dim[i];
    return true;
}

/* contraction */

typedef struct Letters {
    const Dim *dim[128];                 /* by letter; NULL: not seen */
} Letters;

/* One argument's term of the equation: binds its letters, and returns the end of the term; NULL after refusing. */
static const char *bind_term(ShapeCase *c, const char *at, const Type *type, Letters *letters)
{
    bool seen[128] = {false};
    int rank = 0;
    const char *term = at;
    for (; isalpha((unsigned char)*at); at++, rank++) {
        int letter = *at;
        if (seen[letter]) {
            shape_refuse(c, "found %c twice in one term of \"%s\", expected it once", letter, c->attr->text);
            return NULL;
        }
        seen[letter] = true;
        if (rank >= type->rank) continue;
        const Dim *dim = type->dim[rank], *bound = letters->dim[letter];
        if (bound && bound != dim) {
            shape_refuse(c, "in \"%s\" %c is %s in the first argument and %s in the second, expected one length",
                         c->attr->text, letter, shape_dim_text(c, bound), shape_dim_text(c, dim));
            return NULL;
        }
        letters->dim[letter] = dim;
    }
    if (rank == type->rank) return at;
    shape_refuse(c, "found %s for the term \"%.*s\", expected %d axes", shape_text(c, type), (int)(at - term), term,
                 rank);
    return NULL;
}

static bool bind_result(ShapeCase *c, const char *at, const Letters *letters)
{
    bool seen[128] = {false};
    for (; isalpha((unsigned char)*at); at++) {
        int letter = *at;
        if (!letters->dim[letter] || seen[letter])
            return shape_refuse(c, "found %c in the result of \"%s\", expected letters of the arguments, each once",
                                letter, c->attr->text);
        if (c->result.rank == MAX_RANK) return shape_refuse(c, "found a result of more than %d axes", MAX_RANK);
        seen[letter] = true;
        c->result.dim[c->result.rank++] = letters->dim[letter];
    }
    return !*at || shape_refuse(c, "found \"%s\", expected an equation such as \"ij,jk->ik\"", c->attr->text);
}

bool shape_einsum(ShapeCase *c)
{
    const Type *a = &c->args[0]->type, *b = &c->args[1]->type;
    const char *at = c->attr->text;
    if (!at) return shape_refuse(c, "expected an equation");
    if (a->dtype != b->dtype || a->dtype == DT_bool)
        return shape_refuse(c, "found %s and %s, expected numbers of one type", shape_text(c, a), shape_text(c, b));
    Letters letters = {{0}};
    at = bind_term(c, at, a, &letters);
    if (!at) return false;
    if (*at != ',') return shape_refuse(c, "found \"%s\", expected an equation such as \"ij,jk->ik\"", c->attr->text);
    at = bind_term(c, at + 1, b, &letters);
    if (!at) return false;
    if (strncmp(at, "->", 2))
        return shape_refuse(c, "found \"%s\", expected an equation such as \"ij,jk->ik\"", c->attr->text);
    c->result.dtype = dtype_is_float(a->dtype) ? sum_type(a->dtype) : a->dtype;
    return bind_result(c, at + 2, &letters);
}

/* makers */

static bool fits(DType t, int64_t value)
{
    if (t == DT_bool) return value == 0 || value == 1;
    if (t == DT_u8) return value >= 0 && value <= UINT8_MAX;
    if (t == DT_i8) return value >= INT8_MIN && value <= INT8_MAX;
    if (t == DT_i32) return value >= INT32_MIN && value <= INT32_MAX;
    return true;
}

bool shape_const(ShapeCase *c)
{
    if (!c->given || c->given->rank) return shape_refuse(c, "expected the type of a scalar");
    c->result = *c->given;
    if (fits(c->given->dtype, c->attr->i)) return true;
    return shape_refuse(c, "found %lld, expected a value of %s", (long long)c->attr->i, dtype_name(c->given->dtype));
}

bool shape_iota(ShapeCase *c)
{
    if (!c->given) return shape_refuse(c, "expected a type");
    c->result = *c->given;
    if (c->given->dtype == DT_bool) return shape_refuse(c, "found %s, expected numbers", shape_text(c, c->given));
    return has_axis(c, c->given);
}

bool shape_input(ShapeCase *c)
{
    if (!c->given) return shape_refuse(c, "expected a type");
    if (!c->attr->text || !*c->attr->text) return shape_refuse(c, "expected a name");
    if (c->attr->storage < STORE_data || c->attr->storage > STORE_outer)
        return shape_refuse(c, "found storage %d, expected one of those that there are", c->attr->storage);
    c->result = *c->given;
    const Node *same = graph_find_input(c->g, c->attr->text);
    if (!same || (type_equal(&same->type, c->given) && same->attr.storage == c->attr->storage)) return true;
    return shape_refuse(c, "found \"%s\" as %s %s, but it is already %s %s", c->attr->text,
                        storage_name((Storage)c->attr->storage), shape_text(c, c->given),
                        storage_name((Storage)same->attr.storage), shape_text(c, &same->type));
}

/* the frame */

static bool valid_dims(ShapeCase *c, const Type *type)
{
    for (int i = 0; i < type->rank; i++) {
        if (dim_is_overflow(type->dim[i])) return shape_refuse(c, "axis %d of the result is too large", i);
        if (shape_known_negative(type->dim[i]))
            return shape_refuse(c, "axis %d of the result would have the length %s (%lld)", i,
                                shape_dim_text(c, type->dim[i]), (long long)dim_value(type->dim[i]));
    }
    return !dim_is_overflow(type_elements(c->g->dims, type)) || shape_refuse(c, "the result is too large");
}

bool shape_check(ShapeCase *c)
{
    c->result = (Type){0};
    c->why = NULL;
    int arity = op_arity(c->op);
    if (arity >= 0 && c->arg_count != arity)
        return shape_refuse(c, "found %d arguments, expected %d", c->arg_count, arity);
    for (int i = 0; i < c->arg_count; i++)
        if (c->args[i]->op == OP_scan && c->op != OP_pick)
            return shape_refuse(c, "found a scan as argument %d, expected one of its picks", i);
    bool good = false;
    switch (c->op) {
#define ELEMENT(name, ...) case OP_##name: good = shape_element(c); break;
#define STRUCTURAL(name, arity, kind, attrs, shape, ...) case OP_##name: good = shape_##shape(c); break;
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    case OP_COUNT: break;
    }
    return good && valid_dims(c, &c->result);
}
