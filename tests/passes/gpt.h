/* A GPT's training step, built by hand: the largest program the passes see. */
#ifndef PTM_TESTS_GPT_H
#define PTM_TESTS_GPT_H

#include "lower.h"

typedef struct Gpt {
    Lab lab;
    Vec(const char *) names;
    Vec(ParamUpdate)  updates;
} Gpt;

static inline Node *gpt_param(Gpt *m, const char *path, const char *name, Type type)
{
    name = arena_print(m->lab.arena, "%s%s", path, name);
    if (!graph_find_input(m->lab.g, name)) vec_push(m->lab.arena, &m->names, graph_text(m->lab.g, name));
    return make_input(m->lab.g, STORE_param, name, type);
}

static inline Node *gpt_gelu(Lab *l, Node *x)
{
    Node *cube = mul(l, mul(l, x, x), mul(l, x, num(l, x, 0.044715)));
    Node *t = un(l, OP_tanh, mul(l, add(l, x, cube), num(l, x, 0.7978845608)));
    return mul(l, mul(l, x, num(l, x, 0.5)), add(l, t, num(l, x, 1)));
}

static inline Node *gpt_block(Gpt *m, int i, Node *x)
{
    Lab *l = &m->lab;
    const char *path = arena_print(l->arena, "h.%d.", i);
    static const int8_t swap[] = {0, 2, 1, 3};
    Type heads = lab_type(l, DT_f32, SHAPE("B", "T", "H", "K")), vector = lab_type(l, DT_f32, SHAPE("D"));
    Type square = lab_type(l, DT_f32, SHAPE("D", "D"));
    Node *a = layer_norm(l, x, gpt_param(m, path, "ln_1.gain", vector));
    Node *q = make_einsum(l->g, "btd,de->bte", a, gpt_param(m, path, "query.weight", square));
    Node *k = make_einsum(l->g, "btd,de->bte", a, gpt_param(m, path, "key.weight", square));
    Node *v = make_einsum(l->g, "btd,de->bte", a, gpt_param(m, path, "value.weight", square));
    q = make_permute(l->g, make_reshape(l->g, q, heads), swap);
    k = make_permute(l->g, make_reshape(l->g, k, heads), swap);
    v = make_permute(l->g, make_reshape(l->g, v, heads), swap);
    Node *s = make_einsum(l->g, "bhtd,bhsd->bhts", q, k);
    Type index = s->type;
    index.dtype = DT_i32;
    Node *ahead = make_binary(l->g, OP_lt, make_iota(l->g, index, 2), make_iota(l->g, index, 3));
    s = make_where(l->g, ahead, num(l, s, -1e30), mul(l, s, num(l, s, 0.17)));
    Node *o = make_reshape(l->g, make_einsum(l->g, "bhts,bhsd->bthd", softmax(l, s), v), x->type);
    x = add(l, x, make_einsum(l->g, "btd,de->bte", o, gpt_param(m, path, "out.weight", square)));
    a = layer_norm(l, x, gpt_param(m, path, "ln_2.gain", vector));
    Node *h =
        make_einsum(l->g, "btd,df->btf", a, gpt_param(m, path, "up.weight", lab_type(l, DT_f32, SHAPE("D", "F"))));
    return add(l, x, make_einsum(l->g, "btf,fd->btd", gpt_gelu(l, h),
                                 gpt_param(m, path, "down.weight", lab_type(l, DT_f32, SHAPE("F", "D")))));
}

static inline Node *gpt_loss(Lab *l, Node *z, Node *y)
{
    Node *m = un(l, OP_stop, make_reduce(l->g, OP_reduce_max, z, 4));
    Node *s = sum(l, un(l, OP_exp, sub(l, z, over_last(l, m, z))), 4);
    Node *index[3] = {make_iota(l->g, y->type, 0), make_iota(l->g, y->type, 1), y};
    Node *each = sub(l, add(l, un(l, OP_log, s), m), make_gather(l->g, z, index, 3, 0));
    Node *total = sum(l, each, 3);
    return mul(l, total, num(l, total, 1.0 / 768));
}

/* adamw, as the prelude writes it */
static inline const Graph *gpt_optimizer(Gpt *m, const char *name)
{
    Lab code = {m->lab.arena, graph_new(m->lab.arena, m->lab.g->dims, "update"), NULL}, *l = &code;
    Type type = graph_find_input(m->lab.g, name)->type;
    Node *w = make_input(l->g, STORE_data, "w", type), *g = make_input(l->g, STORE_data, "g", type);
    Node *a = make_input(l->g, STORE_state, arena_print(l->arena, "optimizer.%s.m", name), type);
    Node *b = make_input(l->g, STORE_state, arena_print(l->arena, "optimizer.%s.v", name), type);
    Node *step = make_cast(l->g, make_input(l->g, STORE_ambient, "step", type_scalar(DT_i64)), DT_f32);
    Node *rate = mul(l, make_float(l->g, DT_f32, 1e-3), un(l, OP_cos, mul(l, step, make_float(l->g, DT_f32, 1e-3))));
    Node *power = make_binary(l->g, OP_pow, make_float(l->g, DT_f32, 0.9), step);
    Node *a1 = add(l, mul(l, a, num(l, a, 0.9)), mul(l, g, num(l, g, 0.1)));
    Node *b1 = add(l, mul(l, b, num(l, b, 0.99)), mul(l, mul(l, g, g), num(l, g, 0.01)));
    Node *unbias = make_broadcast(l->g, sub(l, make_float(l->g, DT_f32, 1), power), type);
    Node *d = divide(l, divide(l, a1, unbias), add(l, un(l, OP_sqrt, b1), num(l, b1, 1e-8)));
    result(l, "w", sub(l, w, mul(l, make_broadcast(l->g, rate, type), add(l, d, mul(l, w, num(l, w, 0.1))))));
    result(l, "lr", rate);
    update(l, arena_print(l->arena, "optimizer.%s.m", name), a1);
    update(l, arena_print(l->arena, "optimizer.%s.v", name), b1);
    return l->g;
}

/* The graph before any pass; `updates` has the optimizer of every parameter. */
static inline Gpt gpt_new(int layers)
{
    Gpt m = {.lab = lab_new()};
    Lab *l = &m.lab;
    Node *ids = IDS(l, "ids", "B", "T"), *y = IDS(l, "y", "B", "T");
    Node *wte = gpt_param(&m, "", "wte", lab_type(l, DT_f32, SHAPE("V", "D")));
    Node *wpe = gpt_param(&m, "", "wpe", lab_type(l, DT_f32, SHAPE("T", "D")));
    Node *x = make_gather(l->g, wte, &ids, 1, 0);
    x = add(l, x, over_first(l, wpe, x));
    for (int i = 0; i < layers; i++) x = gpt_block(&m, i, x);
    x = layer_norm(l, x, gpt_param(&m, "", "ln_f.gain", lab_type(l, DT_f32, SHAPE("D"))));
    result(l, "loss", gpt_loss(l, make_einsum(l->g, "btd,vd->btv", x, wte), y));
    for (int k = 0; k < m.names.count; k++)
        vec_push(l->arena, &m.updates, ((ParamUpdate){m.names.at[k], gpt_optimizer(&m, m.names.at[k])}));
    return m;
}

static inline PassOptions gpt_options(const Gpt *m, double clip)
{
    return (PassOptions){.loss = "loss",
                         .trained = m->names.at,
                         .trained_count = m->names.count,
                         .updates = m->updates.at,
                         .clip = clip};
}

#endif
