/* Expressions to values. */
#include "frontend/elab.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* A GPT of 48 layers takes a twentieth of this; a program that doubles its calls at every level would never end. */
enum { MOST_WORK = 1000000, MOST_IN_ALL = 4 * MOST_WORK, DEEPEST_NESTING = 2500 };

bool elab_spend(Elab *e, int64_t amount, Place place)
{
    Model *m = e->model;
    e->work += amount;
    m->work += amount;
    if (e->stopped) return false;
    bool endless = e->work > MOST_WORK || m->work > MOST_IN_ALL;
    if (!endless && e->nesting <= DEEPEST_NESTING) return true;
    elab_error(e, place, endless ? "this program does not come to an end in %d steps of elaboration"
                                 : "expressions and calls are nested more than %d deep",
               !endless ? DEEPEST_NESTING : e->work > MOST_WORK ? MOST_WORK : MOST_IN_ALL);
    e->stopped = true;
    m->endless = m->endless || endless;
    return false;
}

bool elab_truth(Elab *e, const Expr *x, bool *out)
{
    Value v = elab_settle(e, elab_expr(e, x), x->place);
    *out = v.kind == VALUE_bool && v.truth;
    if (v.kind == VALUE_bool) return true;
    if (v.kind == VALUE_error) return false;
    if (v.kind == VALUE_string || v.kind == VALUE_none)
        return elab_error(e, x->place, "a condition is true or false, found %s", value_text(e->arena, &v)).truth;
    const char *hint = v.kind == VALUE_tensor ? "; for a choice element by element write where(…)" : "";
    elab_error(e, x->place, "a condition must be known while the program is elaborated, found %s%s",
               value_text(e->arena, &v), hint);
    return false;
}

bool elab_whole(Elab *e, const Value *given, Place place, const char *what, int64_t *out)
{
    Value v = elab_settle(e, *given, place);
    if (value_is_whole(&v, out)) return true;
    int64_t known;
    if (v.kind == VALUE_number && v.dim && elab_known(v.dim, &known)) {
        *out = known;
        return true;
    }
    if (v.kind != VALUE_error)
        elab_error(e, place, "%s: expected a whole number, found %s", what, value_text(e->arena, &v));
    return false;
}

const Dim *elab_dim(Elab *e, const Value *given, Place place)
{
    int64_t whole;
    Value v = elab_settle(e, *given, place);
    if (v.kind == VALUE_number && v.dim) return v.dim;
    if (value_is_whole(&v, &whole)) return dim_int(e->dims, whole);
    if (v.kind == VALUE_unknown) return entry_symbol(e->model, v.text, -1);
    if (v.kind == VALUE_error) return NULL;
    elab_error(e, place, "expected a dimension, a whole number, found %s", value_text(e->arena, &v));
    return NULL;
}

bool elab_values(Elab *e, const Expr *list, Value **out, int *count)
{
    Vec(Value) values = {0};
    bool good = true;
    for (const Expr *x = list; x; x = x->next) {
        Value v = elab_expr(e, x->kind == EXPR_spread ? x->left : x);
        if (x->kind == EXPR_scan && v.kind == VALUE_none) {
            elab_error(e, x->place, "this scan emits nothing, so it has no value");
            good = false;
        } else if (x->kind != EXPR_spread) {
            vec_push(e->arena, &values, v);
        } else if (v.kind == VALUE_list) {
            if (!elab_spend(e, v.list.count, x->place)) return false;
            for (int i = 0; i < v.list.count; i++) vec_push(e->arena, &values, v.list.at[i]);
        } else {
            if (v.kind != VALUE_error)
                elab_error(e, x->place, "only a list can be spread, found %s", value_text(e->arena, &v));
            good = false;
        }
    }
    *out = values.at;
    *count = values.count;
    return good;
}

static Value eval_list(Elab *e, const Expr *x)
{
    Value *values;
    int count;
    return elab_values(e, x->first, &values, &count) ? value_list(values, count) : value_error();
}

/* a .. b: the whole numbers from a to before b. */
static Value eval_range(Elab *e, const Expr *x)
{
    enum { LONGEST_RANGE = 100000 };
    int64_t from, to;
    Value a = elab_expr(e, x->left), b = elab_expr(e, x->right);
    if (!elab_whole(e, &a, x->left->place, "the start of a range", &from)) return value_error();
    if (!elab_whole(e, &b, x->right->place, "the end of a range", &to)) return value_error();
    if (to - from > LONGEST_RANGE) return elab_error(e, x->place, "a range of more than %d numbers", LONGEST_RANGE);
    int count = to > from ? (int)(to - from) : 0;
    if (!elab_spend(e, count, x->place)) return value_error();
    Value *values = arena_array(e->arena, Value, count);
    for (int i = 0; i < count; i++) values[i] = value_number((double)(from + i));
    return value_list(values, count);
}

/* The letters of a product: rows and columns last, leading axes aligned at the end. */
static Value eval_matmul(Elab *e, const Expr *x)
{
    Value left = elab_expr(e, x->left), right = elab_expr(e, x->right);
    if (left.kind == VALUE_error || right.kind == VALUE_error) return value_error();
    Node *a = elab_tensor(e, &left, x->left->place, "`@`"), *b = elab_tensor(e, &right, x->right->place, "`@`");
    if (!a || !b) return value_error();
    const Type *p = &a->type, *q = &b->type;
    const Dim *inner_a = p->rank ? p->dim[p->rank - 1] : NULL;
    const Dim *inner_b = q->rank ? q->dim[q->rank >= 2 ? q->rank - 2 : 0] : NULL;
    if (inner_a && inner_b && elab_same_dim(e, inner_a, inner_b)) {
        Type wanted = *q;
        wanted.dim[q->rank >= 2 ? q->rank - 2 : 0] = inner_b = inner_a;
        if (!(b = elab_renamed(e, b, &wanted, x->right->place))) return value_error();
        q = &b->type;
    }
    if (!inner_a || !inner_b || inner_a != inner_b || p->dtype != q->dtype) {
        return elab_error(e, x->place, "`@` on %s and %s: the last axis of the left must be the %s of the right",
                          type_text(e->arena, p), type_text(e->arena, q), q->rank >= 2 ? "last but one" : "only axis");
    }
    static const char BATCH[] = "abcdefgh";
    int lead_a = p->rank > 1 ? p->rank - 2 : 0, lead_b = q->rank > 1 ? q->rank - 2 : 0;
    int lead = lead_a > lead_b ? lead_a : lead_b;
    for (int k = 1; k <= lead_a && k <= lead_b; k++) {
        if (p->dim[lead_a - k] != q->dim[lead_b - k])
            return elab_error(e, x->place, "`@` on %s and %s: the leading axes differ", type_text(e->arena, p),
                              type_text(e->arena, q));
    }
    const char *row = p->rank > 1 ? "m" : "", *column = q->rank > 1 ? "n" : "";
    const char *equation = arena_print(e->arena, "%.*s%sk,%.*sk%s->%.*s%s%s", lead_a, BATCH + lead - lead_a, row,
                                       lead_b, BATCH + lead - lead_b, column, lead, BATCH, row, column);
    Attr attr = { .text = equation };
    Node *n = elab_node(e, OP_einsum, (Node *[]){ a, b }, 2, &attr, NULL, x->place);
    return n ? value_tensor(n) : value_error();
}

static Value eval_binary(Elab *e, const Expr *x)
{
    if (x->operator == OPERATOR_range) return eval_range(e, x);
    if (x->operator == OPERATOR_matmul) return eval_matmul(e, x);
    Value a = elab_expr(e, x->left);
    bool decides = a.kind == VALUE_bool
                && ((x->operator == OPERATOR_and && !a.truth) || (x->operator == OPERATOR_or && a.truth));
    if (decides) return a;
    Value b = elab_expr(e, x->right);
    if (a.kind == VALUE_bool && (x->operator== OPERATOR_and || x->operator== OPERATOR_or) && b.kind != VALUE_number)
        return b;
    return elab_binary(e, x->operator, a, b, x->place);
}

static Value eval_unary(Elab *e, const Expr *x)
{
    Value v = elab_expr(e, x->left);
    if (v.kind == VALUE_error) return v;
    if (x->operator == OPERATOR_not) return elab_not(e, v, x->place);
    return elab_negate(e, v, x->place);
}

/* x.T: the last two axes change places. */
static Value transposed(Elab *e, Node *x, Place place)
{
    int rank = x->type.rank;
    if (rank < 2) return value_tensor(x);
    Attr attr = {0};
    for (int k = 0; k < rank; k++) attr.map[k] = (int8_t)k;
    attr.map[rank - 2] = (int8_t)(rank - 1);
    attr.map[rank - 1] = (int8_t)(rank - 2);
    Node *n = elab_node(e, OP_permute, &x, 1, &attr, NULL, place);
    return n ? value_tensor(n) : value_error();
}

static Value eval_member(Elab *e, const Expr *x)
{
    Value base = elab_lift(e, elab_expr(e, x->left), x->left->place);
    switch (base.kind) {
    case VALUE_error:
    case VALUE_unknown: return base;
    case VALUE_instance: return elab_instance_member(e, base.text, x->text, x->place);
    case VALUE_tensor:
        if (!strcmp(x->text, "T")) return transposed(e, base.node, x->place);
        return elab_error(e, x->place, "a tensor has no member %s; only .T and [ ]", x->text);
    default: return elab_error(e, x->place, "%s has no member %s", value_text(e->arena, &base), x->text);
    }
}

static Value eval_int(Elab *e, const Expr *x)
{
    if (x->number <= 0x1p53) return value_number(x->number);
    return elab_error(e, x->place, "whole numbers are exact up to 2^53; as an approximation write %.17g", x->number);
}

static Value evaluate(Elab *e, const Expr *x)
{
    switch (x->kind) {
    case EXPR_name: return elab_name(e, x->text, x->place);
    case EXPR_int: return eval_int(e, x);
    case EXPR_float: return (Value){ .kind = VALUE_number, .number = x->number, .real = true };
    case EXPR_string: return value_string(x->text);
    case EXPR_true: return value_bool(true);
    case EXPR_false: return value_bool(false);
    case EXPR_none: return value_none();
    case EXPR_list: return eval_list(e, x);
    case EXPR_call: return elab_call(e, x, NULL, false);
    case EXPR_index: return elab_index(e, x);
    case EXPR_member: return eval_member(e, x);
    case EXPR_unary: return eval_unary(e, x);
    case EXPR_binary: return eval_binary(e, x);
    case EXPR_label:
        if (x->right->kind == EXPR_call) return elab_call(e, x->right, x->left, x->share);
        return elab_error(e, x->place, "a label stands before the call of a module: `name: linear(x, 10)`");
    case EXPR_scan: return elab_scan(e, x);
    case EXPR_spread:
    case EXPR_slice:
    case EXPR_ellipsis: break;
    }
    assert(!"the grammar has these inside of [ ] only");
    return value_error();
}

Value elab_expr(Elab *e, const Expr *x)
{
    for (int i = 0; i < e->term_count; i++)
        if (e->terms[i] == x) return value_tensor(e->term_nodes[i]);
    if (!elab_spend(e, 1 + e->depth / 4, x->place))
        return value_error(); /* the chain of calls is kept for every node */
    e->nesting++;
    Value v = evaluate(e, x);
    e->nesting--;
    return v;
}
