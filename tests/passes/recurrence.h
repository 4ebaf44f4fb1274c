/* Small recurrences for the tests of lowering: a body is a lab of its own over the same dimensions. */
#ifndef PTM_TESTS_RECURRENCE_H
#define PTM_TESTS_RECURRENCE_H

#include "lower.h"

static inline Lab body_new(Lab *l) { return (Lab){l->arena, graph_new(l->arena, l->g->dims, "body"), NULL}; }

static inline Node *body_input(Lab *body, Storage storage, const char *name, Type type)
{
    return make_input(body->g, storage, name, type);
}
#define EACH(l, name, ...) body_input(l, STORE_each, name, lab_type(l, DT_f32, SHAPE(__VA_ARGS__)))
#define CARRY(l, name, ...) body_input(l, STORE_carry, name, lab_type(l, DT_f32, SHAPE(__VA_ARGS__)))
#define OUTER(l, name, ...) body_input(l, STORE_outer, name, lab_type(l, DT_f32, SHAPE(__VA_ARGS__)))
#define INDEX(l) body_input(l, STORE_ambient, "index", type_scalar(DT_i64))

/* The arguments are given in the order of the body's inputs. */
static inline Node *loop_over(Lab *l, const Lab *body, const Dim *count, bool backwards, Node *const *args,
                              int arg_count)
{
    return make_scan(l->g, args, arg_count, &(Attr){.count = count, .i = backwards}, body->g);
}
#define LOOP(l, body, count, ...) \
    loop_over(l, body, count, false, (Node *[]){__VA_ARGS__}, (int)(sizeof((Node *[]){__VA_ARGS__}) / sizeof(Node *)))
#define LOOP_BACK(l, body, count, ...) \
    loop_over(l, body, count, true, (Node *[]){__VA_ARGS__}, (int)(sizeof((Node *[]){__VA_ARGS__}) / sizeof(Node *)))

/* [B, 4*D] */
static inline Type four(Lab *l)
{
    Type t = lab_type(l, DT_f32, SHAPE("B", "D"));
    t.dim[1] = dim_mul(l->g->dims, dim_int(l->g->dims, 4), t.dim[1]);
    return t;
}

/* Columns k*D to (k + 1)*D of [B, 4*D]. */
static inline Node *quarter(Lab *l, Node *x, int k)
{
    Type t = lab_type(l, DT_f32, SHAPE("B", "D"));
    const Dim *start[MAX_RANK] = {dim_int(l->g->dims, 0), dim_mul(l->g->dims, dim_int(l->g->dims, k), t.dim[1])};
    return make_slice(l->g, x, start, (const int64_t[MAX_RANK]){1, 1}, t);
}

static inline Node *sigmoid(Lab *l, Node *x)
{
    return divide(l, num(l, x, 1), add(l, num(l, x, 1), un(l, OP_exp, neg(l, x))));
}

/* One step of an LSTM whose input part of the gates, x: [B, 4*D], is given; emits h, and the gates and c if `saves`. */
static inline Lab lstm_body(Lab *l, bool saves)
{
    Lab body = body_new(l), *b = &body;
    Type wide = lab_type(b, DT_f32, SHAPE("D", "D"));
    wide.dim[1] = four(b).dim[1];
    Node *x = body_input(b, STORE_each, "x", four(b)), *h = CARRY(b, "h", "B", "D"), *c = CARRY(b, "c", "B", "D");
    Node *w = body_input(b, STORE_outer, "w", wide);
    Node *z = add(b, x, make_einsum(b->g, "bd,de->be", h, w));
    Node *i = sigmoid(b, quarter(b, z, 0)), *f = sigmoid(b, quarter(b, z, 1)), *o = sigmoid(b, quarter(b, z, 3)),
         *g = un(b, OP_tanh, quarter(b, z, 2));
    Node *next = add(b, mul(b, f, c), mul(b, i, g)), *y = mul(b, o, un(b, OP_tanh, next));
    update(b, "h", y);
    update(b, "c", next);
    result(b, "0", y);
    Node *const saved[] = {i, f, g, o, c};
    for (int k = 0; saves && k < 5; k++) result(b, arena_print(b->arena, "%d", k + 1), saved[k]);
    return body;
}

static inline Node *lstm_loop(Lab *l, bool saves)
{
    Lab body = lstm_body(l, saves);
    Type x = four(l), w = lab_type(l, DT_f32, SHAPE("D", "D")), time = lab_type(l, DT_f32, SHAPE("T"));
    w.dim[1] = x.dim[1];
    x = (Type){DT_f32, 3, {time.dim[0], x.dim[0], x.dim[1]}};
    Node *in = make_input(l->g, STORE_data, "x", x), *h = STATE(l, "h", "B", "D"), *c = STATE(l, "c", "B", "D");
    return LOOP(l, &body, time.dim[0], in, h, c, make_input(l->g, STORE_param, "w", w));
}

#endif
