/* Primitives by name: the rows of builtin.def, the binding of their arguments, and those that reduce, move or make. */
#include "frontend/builtin.h"

#include <math.h>
#include <string.h>

typedef Value (*BuiltinCode)(Elab *e, const Value *args, Place place);

struct Builtin {
    const char *name;
    int         required;
    const char *parameters;              /* "x, axis, keep" */
    BuiltinCode code;                    /* NULL: elementwise, or reserved */
    Op          op;                      /* of an elementwise one */
    bool        reserved;
};

static const Builtin TABLE[] = {
#define BUILTIN(name, required, parameters, doc) { #name, required, parameters, builtin_##name, OP_COUNT, false },
#define ELEMENTWISE(name) { #name, 0, "", NULL, OP_##name, false },
#define RESERVED(name) { #name, 0, "", NULL, OP_COUNT, true },
#include "frontend/builtin.def"
#undef BUILTIN
#undef ELEMENTWISE
#undef RESERVED
};

int builtin_count(void) { return (int)(sizeof TABLE / sizeof *TABLE); }

const Builtin *builtin_at(int i) { return &TABLE[i]; }

const char *builtin_name(const Builtin *b) { return b->name; }

const Builtin *builtin_find(const char *name)
{
    for (int i = 0; i < builtin_count(); i++)
        if (!strcmp(TABLE[i].name, name)) return &TABLE[i];
    return NULL;
}

bool builtin_constant(const char *name, double *out)
{
    static const struct { const char *name; double value; } CONSTANTS[] = {
#define BLOCK(name)
#define CONSTANT(name, value) { #name, value },
#define AMBIENT(name)
#include "frontend/words.def"
#undef BLOCK
#undef CONSTANT
#undef AMBIENT
    };
    for (size_t i = 0; i < sizeof CONSTANTS / sizeof *CONSTANTS; i++) {
        if (strcmp(CONSTANTS[i].name, name)) continue;
        *out = CONSTANTS[i].value;
        return true;
    }
    return false;
}

/* arguments */

/* Position of `name` among "x, axis, keep", -1 when absent; *count gets their number. */
static int parameter_index(const char *parameters, const char *name, int *count)
{
    int found = -1;
    *count = 0;
    for (const char *p = parameters; *p;) {
        size_t n = strcspn(p, ",");
        if (name && strlen(name) == n && !strncmp(p, name, n)) found = *count;
        ++*count;
        p += n;
        while (*p == ',' || *p == ' ') p++;
    }
    return found;
}

static bool place_arguments(Elab *e, const Builtin *b, const Argument *args, int count, Value *slots, Place place)
{
    int total, next = 0;
    bool given[MAX_BUILTIN_PARAMETERS] = {0};
    parameter_index(b->parameters, NULL, &total);
    for (int i = 0; i < total; i++) slots[i] = value_none();
    for (int i = 0; i < count; i++) {
        int at = args[i].keyword ? parameter_index(b->parameters, args[i].keyword, &total) : next++;
        if (at < 0 || at >= total) {
            const char *ours = args[i].keyword ? elab_own_keyword(args[i].keyword) : NULL;
            if (ours && parameter_index(b->parameters, ours, &total) >= 0)
                elab_error(e, args[i].place, "%s has no parameter %s; write %s", b->name, args[i].keyword, ours);
            else if (args[i].keyword)
                elab_error(e, args[i].place, "%s has no parameter %s; it takes (%s)", b->name, args[i].keyword,
                           b->parameters);
            else elab_error(e, args[i].place, "%s takes at most %d arguments (%s)", b->name, total, b->parameters);
            return false;
        }
        if (given[at]) {
            elab_error(e, args[i].place, "%s is given twice", args[i].keyword);
            return false;
        }
        given[at] = true;
        slots[at] = args[i].value;
    }
    for (int i = 0; i < b->required; i++) {
        if (given[i]) continue;
        elab_error(e, place, "%s lacks an argument; it takes (%s)", b->name, b->parameters);
        return false;
    }
    return true;
}

static Value elementwise(Elab *e, const Builtin *b, const Argument *args, int count, Place place)
{
    Value values[3];
    int arity = op_arity(b->op);
    if (count != arity)
        return elab_error(e, place, "%s takes %d argument%s, found %d", b->name, arity, arity == 1 ? "" : "s", count);
    for (int i = 0; i < count; i++) {
        if (args[i].keyword) return elab_error(e, args[i].place, "the arguments of %s have no names", b->name);
        values[i] = args[i].value;
    }
    return elab_element(e, b->op, values, count, b->name, place);
}

Value builtin_call(Elab *e, const Builtin *b, const Argument *args, int count, Place place)
{
    Value slots[MAX_BUILTIN_PARAMETERS];
    if (b->reserved) return elab_error(e, place, "%s is reserved: not built yet", b->name);
    for (int i = 0; i < count; i++)
        if (args[i].value.kind == VALUE_error) return value_error();
    if (b->op != OP_COUNT) return elementwise(e, b, args, count, place);
    if (!place_arguments(e, b, args, count, slots, place)) return value_error();
    return b->code(e, slots, place);
}

/* helpers */

static Value tensor_or_error(Node *n) { return n ? value_tensor(n) : value_error(); }

/* An axis by number, negative ones from the end, among `rank` axes. */
static bool read_axis(Elab *e, const Value *v, const Type *type, int added, Place place, int *out)
{
    int64_t axis;
    int rank = type->rank + added;
    if (!elab_whole(e, v, place, "an axis", &axis)) return false;
    int64_t counted = axis < 0 ? axis + rank : axis;
    if (counted < 0 || counted >= rank) {
        const char *axes = arena_print(e->arena, "axes 0 %s %d", rank == 2 ? "and" : "to", rank - 1);
        if (rank == 1) axes = "axis 0";
        elab_error(e, place, "there is no axis %lld: %s %s%s", (long long)axis, type_text(e->arena, type),
                   added ? "with one more has " : "has ", rank ? axes : "none");
        return false;
    }
    *out = (int)counted;
    return true;
}

/* An axis by number, or `otherwise`; a scalar has none. */
static bool read_axis_or(Elab *e, const Value *v, const Type *type, int otherwise, Place place, int *out)
{
    *out = otherwise;
    if (type->rank && v->kind == VALUE_none) return true;
    if (type->rank) return read_axis(e, v, type, 0, place, out);
    elab_error(e, place, "a scalar has no axis");
    return false;
}

/* One axis, a list of axes, or none for all: bits. */
static bool read_axes(Elab *e, const Value *v, const Type *type, Place place, uint32_t *out)
{
    int axis;
    *out = 0;
    if (v->kind == VALUE_none) {
        *out = type->rank ? (1u << type->rank) - 1 : 0;
        return true;
    }
    const Value *at = v->kind == VALUE_list ? v->list.at : v;
    int count = v->kind == VALUE_list ? v->list.count : 1;
    for (int i = 0; i < count; i++) {
        if (!read_axis(e, &at[i], type, 0, place, &axis)) return false;
        *out |= 1u << axis;
    }
    return true;
}

static bool read_keep(Elab *e, const Value *v, Place place, bool *out)
{
    *out = v->kind == VALUE_bool && v->truth;
    if (v->kind == VALUE_bool || v->kind == VALUE_none) return true;
    elab_error(e, place, "keep is true or false, found %s", value_text(e->arena, v));
    return false;
}

bool builtin_read_shape(Elab *e, const Value *v, DType dtype, Place place, Type *out)
{
    *out = type_scalar(dtype);
    const Value *at = v->kind == VALUE_list ? v->list.at : v;
    int count = v->kind == VALUE_list ? v->list.count : 1;
    if (count > MAX_RANK) {
        elab_error(e, place, "a tensor has at most %d axes", MAX_RANK);
        return false;
    }
    for (int i = 0; i < count; i++) {
        const Dim *d = elab_dim(e, &at[i], place);
        if (!d) return false;
        out->dim[out->rank++] = d;
    }
    return true;
}

/* reductions */

/* Puts reduced axes back with length 1. */
static Node *keep_axes(Elab *e, Node *n, const Type *from, uint32_t axes, Place place)
{
    Type type = { .dtype = n->type.dtype, .rank = from->rank };
    Attr attr = {0};
    int k = 0;
    for (int i = 0; i < from->rank; i++) {
        bool reduced = axes >> i & 1;
        type.dim[i] = reduced ? dim_int(e->dims, 1) : from->dim[i];
        if (!reduced) attr.map[k++] = (int8_t)i;
    }
    return elab_node(e, OP_expand, &n, 1, &attr, &type, place);
}

static Value reduce(Elab *e, Op op, const Value *x, const Value *axis, const Value *keep, const char *what, Place place)
{
    uint32_t axes;
    bool kept;
    Node *n = elab_tensor(e, x, place, what);
    if (!n || !read_axes(e, axis, &n->type, place, &axes) || !read_keep(e, keep, place, &kept))
        return value_error();
    if (n->type.dtype == DT_bool)
        return elab_error(e, place, "%s of %s: count with i32(…), or use any and all", what,
                          type_text(e->arena, &n->type));
    if (!axes) {
        bool widens = op == OP_sum && dtype_is_whole(n->type.dtype);
        return value_tensor(widens ? make_cast(e->graph, n, DT_i64) : n);
    }
    Attr attr = { .axes = axes };
    Node *y = elab_node(e, op, &n, 1, &attr, NULL, place);
    if (y && kept) y = keep_axes(e, y, &n->type, axes, place);
    return tensor_or_error(y);
}

Value builtin_sum(Elab *e, const Value *a, Place place) { return reduce(e, OP_sum, &a[0], &a[1], &a[2], "sum", place); }

Value builtin_max(Elab *e, const Value *a, Place place)
{
    if (a[1].kind != VALUE_none) return elab_element(e, OP_max, a, 2, "max", place);
    return reduce(e, OP_reduce_max, &a[0], &a[2], &a[3], "max", place);
}

Value builtin_cumsum(Elab *e, const Value *a, Place place)
{
    int axis;
    Node *n = elab_tensor(e, &a[0], place, "cumsum");
    if (!n || !read_axis_or(e, &a[1], &n->type, n->type.rank - 1, place, &axis)) return value_error();
    Attr attr = { .axis = axis };
    return tensor_or_error(elab_node(e, OP_cumsum, &n, 1, &attr, NULL, place));
}

/* movement */

Value builtin_reshape(Elab *e, const Value *a, Place place)
{
    Type type;
    Node *n = elab_tensor(e, &a[0], place, "reshape");
    if (!n || !builtin_read_shape(e, &a[1], n->type.dtype, place, &type)) return value_error();
    return type_equal(&type, &n->type) ? value_tensor(n)
                                       : tensor_or_error(elab_node(e, OP_reshape, &n, 1, NULL, &type, place));
}

Value builtin_permute(Elab *e, const Value *a, Place place)
{
    Attr attr = {0};
    Node *n = elab_tensor(e, &a[0], place, "permute");
    if (!n) return value_error();
    if (a[1].kind != VALUE_list || a[1].list.count != n->type.rank)
        return elab_error(e, place, "permute: expected a list of the %d axes of %s", n->type.rank,
                          type_text(e->arena, &n->type));
    for (int k = 0; k < n->type.rank; k++) {
        int axis;
        if (!read_axis(e, &a[1].list.at[k], &n->type, 0, place, &axis)) return value_error();
        attr.map[k] = (int8_t)axis;
    }
    return tensor_or_error(elab_node(e, OP_permute, &n, 1, &attr, NULL, place));
}

Value builtin_expand(Elab *e, const Value *a, Place place)
{
    Type type, joined;
    Node *n = elab_tensor(e, &a[0], place, "expand");
    if (!n || !builtin_read_shape(e, &a[1], n->type.dtype, place, &type)) return value_error();
    const Type *types[2] = { &n->type, &type };
    if (!elab_broadcast(e, types, 2, &joined) || !elab_same_shape(e, &joined, &type)) {
        return elab_error(e, place, "expand: %s does not stretch to %s; only a literal 1 and absent leading axes do",
                          type_text(e->arena, &n->type), type_text(e->arena, &type));
    }
    return tensor_or_error(elab_expand_to(e, n, &type, place));
}

Value builtin_new_axis(Elab *e, const Value *a, Place place)
{
    int axis;
    Node *n = elab_tensor(e, &a[0], place, "new_axis");
    if (!n || !read_axis(e, &a[1], &n->type, 1, place, &axis)) return value_error();
    if (n->type.rank == MAX_RANK) return elab_error(e, place, "a tensor has at most %d axes", MAX_RANK);
    Type type = n->type;
    Attr attr = {0};
    for (int k = 0; k < n->type.rank; k++) {
        attr.map[k] = (int8_t)(k < axis ? k : k + 1);
        type.dim[attr.map[k]] = n->type.dim[k];
    }
    type.dim[axis] = dim_int(e->dims, 1);
    type.rank++;
    return tensor_or_error(elab_node(e, OP_expand, &n, 1, &attr, &type, place));
}

static const Dim *position(Elab *e, const Value *v, const Dim *length, const Dim *otherwise, Place place)
{
    int64_t literal;
    if (v->kind == VALUE_none) return otherwise;
    const Dim *d = elab_dim(e, v, place);
    return d && dim_is_int(d, &literal) && literal < 0 ? dim_add(e->dims, length, d) : d;
}

Value builtin_slice(Elab *e, const Value *a, Place place)
{
    int axis;
    int64_t step = 1;
    Node *n = elab_tensor(e, &a[0], place, "slice");
    if (!n || !read_axis(e, &a[1], &n->type, 0, place, &axis)) return value_error();
    if (a[4].kind != VALUE_none && !elab_whole(e, &a[4], place, "the step of a slice", &step)) return value_error();
    if (!step) return elab_error(e, place, "the step of a slice cannot be 0");
    const Dim *length = n->type.dim[axis], *one = dim_int(e->dims, 1);
    const Dim *first = step > 0 ? dim_int(e->dims, 0) : dim_sub(e->dims, length, one);
    const Dim *last = step > 0 ? length : dim_int(e->dims, -1);
    const Dim *start = position(e, &a[2], length, first, place), *stop = position(e, &a[3], length, last, place);
    if (!start || !stop) return value_error();
    int64_t stride = step > 0 ? step : -step;
    const Dim *span = step > 0 ? dim_sub(e->dims, stop, start) : dim_sub(e->dims, start, stop);
    const Dim *count = dim_floordiv(e->dims, dim_add(e->dims, span, dim_int(e->dims, stride - 1)), stride);
    return tensor_or_error(elab_slice_axis(e, n, axis, start, count, step, place));
}

Value builtin_pad(Elab *e, const Value *a, Place place)
{
    Type before, after;
    Attr attr = {0};
    Node *n = elab_tensor(e, &a[0], place, "pad");
    if (!n || !builtin_read_shape(e, &a[1], DT_i64, place, &before)) return value_error();
    if (!builtin_read_shape(e, &a[2], DT_i64, place, &after)) return value_error();
    Type type = n->type;
    if (before.rank != type.rank || after.rank != type.rank)
        return elab_error(e, place, "pad: expected a number for each of the %d axes of %s", type.rank,
                          type_text(e->arena, &type));
    for (int k = 0; k < type.rank; k++) {
        attr.start[k] = before.dim[k];
        type.dim[k] = dim_add(e->dims, type.dim[k], dim_add(e->dims, before.dim[k], after.dim[k]));
    }
    return tensor_or_error(elab_node(e, OP_pad, &n, 1, &attr, &type, place));
}

Value builtin_concat(Elab *e, const Value *a, Place place)
{
    int axis = 0;
    if (a[0].kind != VALUE_list || !a[0].list.count) return elab_error(e, place, "concat: expected a list of tensors");
    int count = a[0].list.count;
    Node **parts = arena_array(e->arena, Node *, count);
    for (int i = 0; i < count; i++)
        if (!(parts[i] = elab_tensor(e, &a[0].list.at[i], place, "concat"))) return value_error();
    if (!read_axis_or(e, &a[1], &parts[0]->type, 0, place, &axis)) return value_error();
    Attr attr = { .axis = axis };
    return tensor_or_error(count == 1 ? parts[0] : elab_node(e, OP_concat, parts, count, &attr, NULL, place));
}

Value builtin_window(Elab *e, const Value *a, Place place)
{
    int axis;
    int64_t step = 1;
    Node *n = elab_tensor(e, &a[0], place, "window");
    if (!n) return value_error();
    const Dim *size = elab_dim(e, &a[1], place);
    if (!size || !read_axis_or(e, &a[2], &n->type, n->type.rank - 1, place, &axis)) return value_error();
    if (a[3].kind != VALUE_none && !elab_whole(e, &a[3], place, "the step of a window", &step)) return value_error();
    if (n->type.rank == MAX_RANK || step < 1)
        return elab_error(e, place, "window: the step is at least 1, the axes at most %d", MAX_RANK);
    Type type = n->type;
    const Dim *span = dim_sub(e->dims, type.dim[axis], size);
    for (int k = type.rank++; k > axis + 1; k--) type.dim[k] = type.dim[k - 1];
    type.dim[axis] = dim_add(e->dims, dim_floordiv(e->dims, span, step), dim_int(e->dims, 1));
    type.dim[axis + 1] = size;
    Attr attr = { .axis = axis, .step = { step } };
    return tensor_or_error(elab_node(e, OP_window, &n, 1, &attr, &type, place));
}

Value builtin_stop(Elab *e, const Value *a, Place place)
{
    if (a[0].kind == VALUE_number || a[0].kind == VALUE_bool) return a[0];
    Node *n = elab_tensor(e, &a[0], place, "stop");
    return n ? tensor_or_error(elab_node(e, OP_stop, &n, 1, NULL, NULL, place)) : value_error();
}

/* makers */

Value builtin_iota(Elab *e, const Value *a, Place place)
{
    const Dim *n = elab_dim(e, &a[0], place);
    Attr attr = {0};
    if (!n) return value_error();
    Type type = type_of(DT_i32, 1, &n);
    return tensor_or_error(elab_node(e, OP_iota, NULL, 0, &attr, &type, place));
}

Value builtin_full(Elab *e, const Value *a, Place place)
{
    Type type;
    Node *n = elab_tensor(e, &a[1], place, "full");
    if (!n || !builtin_read_shape(e, &a[0], n->type.dtype, place, &type)) return value_error();
    if (n->type.rank) return elab_error(e, place, "full: expected one value, found %s", type_text(e->arena, &n->type));
    return tensor_or_error(elab_expand_to(e, n, &type, place));
}

/* shapes */

Value builtin_size(Elab *e, const Value *a, Place place)
{
    if (a[0].kind == VALUE_list) return value_number(a[0].list.count);
    if (a[0].kind == VALUE_host && (!e->graph || !elab_is_array(&a[0]))) {
        Argument args[2] = { { NULL, a[0], place }, { NULL, a[1], place } };
        return elab_host_call(e, "size", args, a[1].kind == VALUE_none ? 1 : 2, place);
    }
    if (a[0].kind == VALUE_unknown) return a[0];
    if (a[0].kind == VALUE_number) return value_number(1);
    uint32_t axes;
    Node *n = elab_tensor(e, &a[0], place, "size");
    if (!n || !read_axes(e, &a[1], &n->type, place, &axes)) return value_error();
    const Dim *d = dim_int(e->dims, 1);
    for (int k = 0; k < n->type.rank; k++)
        if (axes >> k & 1) d = dim_mul(e->dims, d, n->type.dim[k]);
    return value_dim(d);
}

Value builtin_rank(Elab *e, const Value *a, Place place)
{
    if (a[0].kind == VALUE_number || a[0].kind == VALUE_bool) return value_number(0);
    Node *n = elab_tensor(e, &a[0], place, "rank");
    return n ? value_number(n->type.rank) : value_error();
}

Value builtin_shape(Elab *e, const Value *a, Place place)
{
    Node *n = elab_tensor(e, &a[0], place, "shape");
    if (!n) return value_error();
    Value *dims = arena_array(e->arena, Value, n->type.rank);
    for (int k = 0; k < n->type.rank; k++) dims[k] = value_dim(n->type.dim[k]);
    return value_list(dims, n->type.rank);
}
