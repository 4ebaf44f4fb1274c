/* Element by element: operators on numbers, which vanish, and on tensors, which become nodes. A number beside a tensor
 * takes its type; tensors are never promoted; shapes are aligned at the end and only a literal 1 or an absent axis
 * stretches. */
#include "frontend/elab.h"

#include <math.h>
#include <string.h>

DType elab_real(const Elab *e) { return e->model->options.real; }

bool elab_known(const Dim *dim, int64_t *value) { return !dim_is_overflow(dim) && dim_evaluate(dim, value); }

static Node *no_tensor(Elab *e, Place place)
{
    elab_error(e, place, "no tensor can be made here: tables are made in data, tensors in a fn");
    return NULL;
}

Node *elab_node(Elab *e, Op op, Node *const *args, int count, const Attr *attr, const Type *type, Place place)
{
    static const Attr NO_ATTR = {0};
    const char *why = NULL;
    elab_at(e, place);
    if (!e->graph) return no_tensor(e, place);
    Node **own = arena_array(e->arena, Node *, count);
    for (int i = 0; i < count; i++)
        if (!(own[i] = elab_adopt(e, args[i], place))) return NULL;
    Node *n = graph_node(e->graph, op, own, count, attr ? attr : &NO_ATTR, type, &why);
    if (!n) elab_error(e, place, "%s", why);
    return n;
}

/* numbers as nodes */

static Node *constant(Elab *e, DType dtype, double f, int64_t i, Place place)
{
    Type type = type_scalar(dtype);
    Attr attr = { .f = f, .i = i };
    return elab_node(e, OP_const, NULL, 0, &attr, &type, place);
}

/* A dimension whose value is not known yet, as a scalar: ones of that many elements, added. */
static Node *symbol_node(Elab *e, const Dim *dim, DType dtype, Place place)
{
    Type ones = type_of(DT_i64, 1, &dim);
    Node *one = elab_expand_to(e, constant(e, DT_i64, 0, 1, place), &ones, place);
    return one ? make_cast(e->graph, make_reduce(e->graph, OP_sum, one, 1), dtype) : NULL;
}

/* The same for one that has a value: elab_distance wants to see the dimension. */
static Node *valued_node(Elab *e, const Dim *dim, DType dtype, Place place)
{
    if (dim_value(dim) >= 0) return symbol_node(e, dim, dtype, place);
    Node *opposite = symbol_node(e, dim_sub(e->dims, dim_int(e->dims, 0), dim), dtype, place);
    return opposite ? make_binary(e->graph, OP_mul, opposite, make_whole(e->graph, dtype, -1)) : NULL;
}

Node *elab_number_node(Elab *e, const Value *v, DType dtype, Place place)
{
    elab_at(e, place);
    if (v->kind == VALUE_bool) {
        if (dtype == DT_bool) return constant(e, DT_bool, 0, v->truth, place);
        elab_error(e, place, "%s beside %s: write where(…) or a cast", value_text(e->arena, v), dtype_name(dtype));
        return NULL;
    }
    int64_t known;
    if (v->dim && !elab_known(v->dim, &known)) return symbol_node(e, v->dim, dtype, place);
    if (v->dim && dtype_is_whole(dtype) && elab_call_symbol(e, v->dim)) return valued_node(e, v->dim, dtype, place);
    double number = v->dim ? (double)known : v->number;
    if (dtype_is_float(dtype)) return constant(e, dtype, number, 0, place);
    if (dtype == DT_bool) {
        elab_error(e, place, "a number beside bool: compare, or write f32(…)");
        return NULL;
    }
    if (number != floor(number) || isinf(number)) {
        elab_error(e, place,
                   "the number %.10g beside %s, which holds whole numbers only: write f32(…) around the tensor", number,
                   dtype_name(dtype));
        return NULL;
    }
    return constant(e, dtype, 0, number >= 0x1p63 ? INT64_MAX : number < -0x1p63 ? INT64_MIN : (int64_t)number, place);
}

/* A constant of data as a number or tensor. */
static Value operand(Elab *e, const Value *v, Place place)
{
    if (v->kind == VALUE_unknown) return value_dim(entry_symbol(e->model, v->text, -1));
    return elab_lift(e, *v, place);
}

static bool is_static(const Value *v) { return v->kind == VALUE_number || v->kind == VALUE_bool; }

Node *elab_tensor(Elab *e, const Value *given, Place place, const char *what)
{
    Value v = operand(e, given, place);
    if (v.kind == VALUE_tensor) return e->graph ? elab_adopt(e, v.node, place) : v.node;
    if (v.kind == VALUE_error) return NULL;
    if (is_static(&v) && !e->graph) return no_tensor(e, place);
    if (is_static(&v)) return elab_number_node(e, &v, v.kind == VALUE_bool ? DT_bool : elab_real(e), place);
    elab_error(e, place, "%s: expected a tensor, found %s", what, value_text(e->arena, given));
    return NULL;
}

/* broadcasting */

bool elab_broadcast(const Elab *e, const Type *const *types, int count, Type *out)
{
    *out = type_scalar(types[0]->dtype);
    for (int i = 0; i < count; i++)
        if (types[i]->rank > out->rank) out->rank = types[i]->rank;
    for (int k = 0; k < out->rank; k++) {
        const Dim *found = NULL;
        for (int i = 0; i < count; i++) {
            int axis = types[i]->rank - out->rank + k;
            int64_t literal;
            if (axis < 0) continue;
            const Dim *d = types[i]->dim[axis];
            if (!found || dim_is(found, 1) || (dim_is_int(found, &literal) && elab_same_dim(e, d, found))) {
                found = d;
            } else if (!dim_is(d, 1) && !elab_same_dim(e, d, found)) {
                return false;
            }
        }
        out->dim[k] = found;
    }
    return true;
}

Node *elab_expand_to(Elab *e, Node *a, const Type *shape, Place place)
{
    Type type = *shape, own = a->type;
    type.dtype = a->type.dtype;
    Attr attr = {0};
    for (int k = 0; k < own.rank; k++) {
        attr.map[k] = (int8_t)(type.rank - own.rank + k);
        const Dim *wanted = type.dim[attr.map[k]];
        if (!dim_is(own.dim[k], 1) && elab_same_dim(e, own.dim[k], wanted)) own.dim[k] = wanted;
    }
    a = elab_renamed(e, a, &own, place);
    if (!a || type_equal(&type, &a->type)) return a;
    return elab_node(e, OP_expand, &a, 1, &attr, &type, place);
}

static void shape_mismatch(Elab *e, const char *what, Node *const *nodes, int count, Place place)
{
    const char *text = "";
    for (int i = 0; i < count; i++)
        text = arena_print(e->arena, "%s%s%s", text, i ? (i == count - 1 ? " and " : ", ") : "",
                           type_text(e->arena, &nodes[i]->type));
    elab_error(e, place, "%s: the shapes of %s do not fit; aligned at the end, axes must be equal or a literal 1", what,
               text);
}

/* static values */

static double floor_divide(double a, double b) { return floor(a / b); }

#define FLOOR_DIVIDE(a, b) floor_divide(a, b)
static double fold(Op op, double a, double b, double c)
{
    switch (op) {
#define ELEMENT(name, arity, types, result, value, ...) case OP_##name: return (double)(value);
#define STRUCTURAL(name, ...) case OP_##name: break;
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    case OP_COUNT: break;
    }
    (void)a, (void)b, (void)c;
    return NAN;
}
#undef FLOOR_DIVIDE

static bool gives_truth(Op op) { return op == OP_lt || op == OP_eq || op == OP_not || op == OP_and; }

static const Dim *as_dim(Elab *e, const Value *v)
{
    int64_t whole;
    if (v->dim) return v->dim;
    return value_is_whole(v, &whole) ? dim_int(e->dims, whole) : NULL;
}

/* Sums, products and quotients that stay polynomials in the symbols; NULL when there is none. */
static const Dim *dim_fold(Elab *e, Op op, const Value *a, const Value *b)
{
    const Dim *p = as_dim(e, a), *q = as_dim(e, b);
    int64_t k;
    if (!p || !q) return NULL;
    if (op == OP_add) return dim_add(e->dims, p, q);
    if (op == OP_mul) return dim_mul(e->dims, p, q);
    if (op == OP_floordiv && dim_is_int(q, &k) && k > 0) return dim_floordiv(e->dims, p, k);
    if (op == OP_div && !dim_is(q, 0)) return dim_divide(e->dims, p, q);
    return NULL;
}

/* a < b or a == b where a symbol is involved: decided by the difference, or by the values of constants of data. */
static Value dim_compare(Elab *e, Op op, const Value *a, const Value *b, const char *what, Place place)
{
    const Dim *p = as_dim(e, a), *q = as_dim(e, b);
    int64_t difference;
    if (p && q) {
        const Dim *d = dim_sub(e->dims, p, q);
        if (dim_is_int(d, &difference) || (!elab_call_symbol(e, d) && elab_known(d, &difference)))
            return value_bool(op == OP_lt ? difference < 0 : difference == 0);
    }
    bool turned = what[0] == '>';                            /* a > b is elaborated as b < a */
    return elab_error(e, place,
                      "`%s` on %s and %s: the value of a dimension is not known while the program is elaborated", what,
                      value_text(e->arena, turned ? b : a), value_text(e->arena, turned ? a : b));
}

static Value number_element(Elab *e, Op op, Value *args, int count, const char *what, Place place)
{
    bool symbolic = false;
    for (int i = 0; i < count; i++) symbolic = symbolic || (args[i].kind == VALUE_number && args[i].dim);
    if (symbolic && count == 2) {
        const Dim *d = dim_fold(e, op, &args[0], &args[1]);
        if (d) return value_dim(d);
        if (op == OP_lt || op == OP_eq) return dim_compare(e, op, &args[0], &args[1], what, place);
    }
    double x[3] = {0};
    for (int i = 0; i < count; i++) {
        int64_t known;
        if (args[i].kind == VALUE_bool) {
            x[i] = args[i].truth;
        } else if (!args[i].dim) {
            x[i] = args[i].number;
        } else if (elab_known(args[i].dim, &known)) {
            x[i] = (double)known;
        } else if (e->graph) {  /* a real number that depends on an open dimension is a scalar of the graph */
            Node *node = elab_number_node(e, &args[i], elab_real(e), place);
            args[i] = value_tensor(node);
            return elab_element(e, op, args, count, what, place);
        } else {
            return elab_error(e, place, "`%s`: %s has no value yet", what, value_text(e->arena, &args[i]));
        }
    }
    if (op == OP_floordiv && x[1] == 0) return elab_error(e, place, "`%s` by zero", what);
    double y = fold(op, x[0], x[1], x[2]);
    if (gives_truth(op)) return value_bool(y != 0);
    bool whole = true, real = false;
    for (int i = 0; i < count; i++) {
        whole = whole && x[i] == floor(x[i]) && fabs(x[i]) <= 0x1p53;
        real = real || args[i].real;
    }
    if (whole && !real && fabs(y) >= 0x1p53 && (op == OP_add || op == OP_mul || op == OP_pow))
        return elab_error(e, place,
                          "`%s` gives a whole number that is not below 2^53, where they are exact; write 1.0 for 1 to "
                          "calculate with approximations",
                          what);
    return (Value){ .kind = VALUE_number, .number = y, .real = real };
}

/* tensors */

static const char *types_of(Op op)
{
    switch (op) {
#define ELEMENT(name, arity, types, ...) case OP_##name: return #types;
#define STRUCTURAL(name, ...) case OP_##name: break;
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    case OP_COUNT: break;
    }
    return "ANY";
}

/* The type that numbers beside tensors take; DT_COUNT after reporting tensors of different types. */
static DType common_dtype(Elab *e, const Value *args, int count, const char *what, Place place)
{
    const Node *first = NULL;
    bool truth = false;
    for (int i = 0; i < count; i++) {
        truth = truth || args[i].kind == VALUE_bool;
        if (args[i].kind != VALUE_tensor) continue;
        const Node *n = args[i].node;
        if (first && n->type.dtype != first->type.dtype) {
            elab_error(e, place,
                       "`%s` on %s and %s: element types differ and are never converted silently; write %s(…)", what,
                       type_text(e->arena, &first->type), type_text(e->arena, &n->type),
                       dtype_name(dtype_is_float(n->type.dtype) ? n->type.dtype : first->type.dtype));
            return DT_COUNT;
        }
        if (!first) first = n;
    }
    if (first) return first->type.dtype;
    return truth ? DT_bool : elab_real(e);
}

static bool check_class(Elab *e, Op op, DType dtype, const char *what, Place place)
{
    const char *types = types_of(op), *wanted = NULL;
    if (!strcmp(types, "FLOAT") && !dtype_is_float(dtype)) wanted = "f32 or another float";
    if (!strcmp(types, "NUMBER") && dtype == DT_bool) wanted = "a number type";
    if (!strcmp(types, "TRUTH") && dtype != DT_bool) wanted = "bool";
    if (!wanted) return true;
    if (op == OP_div) {
        elab_error(e, place, "`/` on %s: integers divide with //, or convert with f32(…)", dtype_name(dtype));
    } else {
        elab_error(e, place, "`%s` needs %s, found %s", what, wanted, dtype_name(dtype));
    }
    return false;
}

Value elab_element(Elab *e, Op op, const Value *given, int count, const char *what, Place place)
{
    Value args[3] = {0};
    bool tensors = false;
    for (int i = 0; i < count; i++) {
        bool unknown = given[i].kind == VALUE_unknown && e->mode == MODE_data && !e->model->options.host;
        if (unknown) return (Value){ .kind = VALUE_unknown, .text = "_" };
        args[i] = operand(e, &given[i], place);
        if (args[i].kind == VALUE_error) return value_error();
        if (args[i].kind != VALUE_tensor && !is_static(&args[i]))
            return elab_error(e, place, "`%s` needs numbers or tensors, found %s", what,
                              value_text(e->arena, &args[i]));
        tensors = tensors || args[i].kind == VALUE_tensor;
    }
    if (op == OP_where && args[0].kind == VALUE_bool) return args[0].truth ? args[1] : args[2];
    if (!tensors) return number_element(e, op, args, count, what, place);

    int first = op == OP_where;  /* its condition has a type of its own */
    if (first && args[0].kind == VALUE_tensor && args[0].node->type.dtype != DT_bool)
        return elab_error(e, place, "where: the condition must be bool, found %s", value_text(e->arena, &args[0]));
    DType dtype = common_dtype(e, args + first, count - first, what, place);
    if (dtype == DT_COUNT || !check_class(e, op, dtype, what, place)) return value_error();
    Node *nodes[3];
    const Type *types[3];
    for (int i = 0; i < count; i++) {
        bool tensor = args[i].kind == VALUE_tensor;
        nodes[i] = tensor ? args[i].node : elab_number_node(e, &args[i], i < first ? DT_bool : dtype, place);
        if (!nodes[i]) return value_error();
        types[i] = &nodes[i]->type;
    }
    Type shape;
    if (!elab_broadcast(e, types, count, &shape)) {
        shape_mismatch(e, arena_print(e->arena, "`%s`", what), nodes, count, place);
        return value_error();
    }
    elab_at(e, place);
    for (int i = 0; i < count; i++)
        if (!(nodes[i] = elab_expand_to(e, nodes[i], &shape, place))) return value_error();
    Node *n = elab_node(e, op, nodes, count, NULL, NULL, place);
    return n ? value_tensor(n) : value_error();
}

/* operators */

static Value two(Elab *e, Op op, Value a, Value b, const char *what, Place place)
{
    return elab_element(e, op, (Value[]){ a, b }, 2, what, place);
}

Value elab_negate(Elab *e, Value v, Place place) { return two(e, OP_mul, v, value_number(-1), "-", place); }

Value elab_not(Elab *e, Value v, Place place) { return elab_element(e, OP_not, &v, 1, "not", place); }

static bool tensor_is(const Value *v, bool (*test)(DType))
{
    return v->kind == VALUE_tensor && test(v->node->type.dtype);
}

/* a % b = a - floor(a / b) * b: the sign of b. */
static Value modulo(Elab *e, Value a, Value b, Place place)
{
    Value q = two(e, OP_floordiv, a, b, "%", place);
    Value p = two(e, OP_mul, q, b, "%", place);
    return two(e, OP_add, a, elab_negate(e, p, place), "%", place);
}

/* Whole powers and roots that have an operator of their own. */
static Value power(Elab *e, Value a, Value b, Place place)
{
    if (a.kind == VALUE_tensor && b.kind == VALUE_number && !b.dim) {
        if (b.number == 1) return a;
        if (b.number == 2) return two(e, OP_mul, a, a, "^", place);
        if (b.number == 0.5) return elab_element(e, OP_sqrt, &a, 1, "^", place);
        if (b.number == -1) return two(e, OP_div, value_number(1), a, "^", place);
        if (b.number == -0.5)
            return two(e, OP_div, value_number(1), elab_element(e, OP_sqrt, &a, 1, "^", place), "^", place);
        if (tensor_is(&a, dtype_is_whole) && b.number >= 2 && b.number == floor(b.number) && b.number <= 64) {
            Value y = a;
            for (int i = 1; i < (int)b.number; i++) y = two(e, OP_mul, y, a, "^", place);
            return y;
        }
    }
    return two(e, OP_pow, a, b, "^", place);
}

/* a <= b: under NaN neither order holds, so for floats it is a < b or a == b. */
static Value at_most(Elab *e, Value a, Value b, const char *what, Place place)
{
    bool floats = tensor_is(&a, dtype_is_float) || tensor_is(&b, dtype_is_float)
               || (a.kind == VALUE_number && b.kind == VALUE_number && (isnan(a.number) || isnan(b.number)));
    if (!floats) return elab_not(e, two(e, OP_lt, b, a, what, place), place);
    Value less = elab_not(e, two(e, OP_lt, a, b, what, place), place);
    Value same = elab_not(e, two(e, OP_eq, a, b, what, place), place);
    return elab_not(e, two(e, OP_and, less, same, what, place), place);
}

/* Identity of values that are not numbers: none, strings, functions. */
static bool plain_equal(const Value *a, const Value *b, bool *out)
{
    bool numeric = is_static(a) || a->kind == VALUE_tensor || a->kind == VALUE_unknown;
    bool numeric_b = is_static(b) || b->kind == VALUE_tensor || b->kind == VALUE_unknown;
    if (numeric && numeric_b && !(a->kind != b->kind && is_static(a) && is_static(b))) return false;
    *out = a->kind == b->kind && (a->kind == VALUE_none || (a->kind == VALUE_string && !strcmp(a->text, b->text)) ||
                                  (a->kind == VALUE_function && a->function->fn == b->function->fn &&
                                   a->function->builtin == b->function->builtin));
    return true;
}

static Value equal(Elab *e, Value a, Value b, const char *what, Place place)
{
    bool same;
    if (a.kind == VALUE_error || b.kind == VALUE_error) return value_error();
    if (plain_equal(&a, &b, &same)) return value_bool(same);
    return two(e, OP_eq, a, b, what, place);
}

Value elab_binary(Elab *e, Operator op, Value a, Value b, Place place)
{
    const char *what = operator_text(op);
    a = elab_lift(e, a, place);
    b = elab_lift(e, b, place);
    switch (op) {
    case OPERATOR_add: return two(e, OP_add, a, b, what, place);
    case OPERATOR_mul: return two(e, OP_mul, a, b, what, place);
    case OPERATOR_div: return two(e, OP_div, a, b, what, place);
    case OPERATOR_floordiv: return two(e, OP_floordiv, a, b, what, place);
    case OPERATOR_and: return two(e, OP_and, a, b, what, place);
    case OPERATOR_lt: return two(e, OP_lt, a, b, what, place);
    case OPERATOR_gt: return two(e, OP_lt, b, a, what, place);
    case OPERATOR_eq: return equal(e, a, b, what, place);
    case OPERATOR_ne: return elab_not(e, equal(e, a, b, what, place), place);
    case OPERATOR_le: return at_most(e, a, b, what, place);
    case OPERATOR_ge: return at_most(e, b, a, what, place);
    case OPERATOR_mod: return modulo(e, a, b, place);
    case OPERATOR_pow: return power(e, a, b, place);
    case OPERATOR_sub:
        if (b.kind == VALUE_tensor || b.kind == VALUE_number || b.kind == VALUE_unknown) {
            if (a.kind == VALUE_tensor && b.kind == VALUE_tensor && a.node->type.dtype != b.node->type.dtype)
                return two(e, OP_add, a, b, what, place);  /* reports the types as written */
            return two(e, OP_add, a, elab_negate(e, b, place), what, place);
        }
        return two(e, OP_add, a, b, what, place);
    case OPERATOR_or: {
        b = elab_not(e, b, place);
        return elab_not(e, two(e, OP_and, elab_not(e, a, place), b, what, place), place);
    }
    case OPERATOR_range:
    case OPERATOR_not:
    case OPERATOR_negate:
    case OPERATOR_matmul: break;
    }
    return value_error();
}
