/* Random graphs over a few small dimensions, one of them 1. Values stay near 1, so that f32 sums in another order
 * agree. */
#ifndef PTM_TESTS_SAMPLES_RANDOM_H
#define PTM_TESTS_SAMPLES_RANDOM_H

#include "recurrence.h"

typedef struct Random {
    Lab     *lab;
    uint64_t state;
    int      states;                     /* the first inputs are states */
    int      count;
    Node    *at[128];
} Random;

static inline int random_number(Random *r, int bound)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (int)((r->state >> 33) % (uint64_t)bound);
}

static inline void random_keep(Random *r, Node *n)
{
    if (r->count < 128 && type_value_elements(&n->type) <= 4000) r->at[r->count++] = n;
}

/* Rather a late node than an early one: graphs grow deep. */
static inline Node *random_pick(Random *r)
{
    int from = random_number(r, 3) ? r->count / 2 : 0;
    return r->at[from + random_number(r, r->count - from)];
}

static inline const Dim *random_dim(Random *r)
{
    static const int64_t extents[] = {1, 2, 3, 3, 5, 17};
    return dim_int(r->lab->g->dims, extents[random_number(r, 6)]);
}

static inline Node *random_float(Random *r)
{
    for (;;) {
        Node *n = random_pick(r);
        if (n->type.dtype == DT_f32) return n;
    }
}

/* Squashed, so that products of products stay bounded. */
static inline Node *random_small(Random *r, Node *n)
{
    return un(r->lab, OP_tanh, mul(r->lab, n, num(r->lab, n, 1.0 / (1 + random_number(r, 4)))));
}

static inline Node *random_element(Random *r)
{
    Lab *l = r->lab;
    Node *x = random_float(r), *y = x;
    for (int k = 0; k < r->count; k++)
        if (type_equal(&r->at[k]->type, &x->type) && random_number(r, 3) == 0) y = r->at[k];
    switch (random_number(r, 6)) {
    case 0: return add(l, x, y);
    case 1: return mul(l, random_small(r, x), y);
    case 2: return un(l, OP_exp, random_small(r, x));
    case 3: return make_where(l->g, make_binary(l->g, OP_lt, x, y), x, mul(l, y, num(l, y, 0.5)));
    case 4: return divide(l, x, add(l, mul(l, y, y), num(l, y, 1)));
    default: return make_binary(l->g, OP_max, x, y);
    }
}

static inline Node *random_spread(Random *r)
{
    Node *x = random_float(r);
    Type type = type_scalar(x->type.dtype);
    int8_t map[MAX_RANK] = {0};
    int room = 4 - x->type.rank;
    for (int k = 0; k <= x->type.rank; k++) {
        if (room > 0 && random_number(r, 2)) {
            type.dim[type.rank++] = random_dim(r);
            room--;
        }
        if (k == x->type.rank) break;
        map[k] = (int8_t)type.rank;
        type.dim[type.rank++] = dim_is(x->type.dim[k], 1) && random_number(r, 2) ? random_dim(r) : x->type.dim[k];
    }
    return make_expand(r->lab->g, x, map, type);
}

static inline Node *random_movement(Random *r)
{
    Node *x = random_float(r);
    Graph *g = r->lab->g;
    int rank = x->type.rank;
    if (rank == 0) return random_spread(r);
    if (random_number(r, 3) == 0) {
        Type flat = {.dtype = x->type.dtype, .rank = 1, .dim = {dim_int(g->dims, type_value_elements(&x->type))}};
        if (random_number(r, 2) && rank > 1) {
            flat = x->type;
            flat.dim[0] = dim_mul(g->dims, x->type.dim[0], x->type.dim[1]);
            for (int k = 1; k < rank - 1; k++) flat.dim[k] = x->type.dim[k + 1];
            flat.dim[--flat.rank] = NULL;
        }
        return make_reshape(g, x, flat);
    }
    if (random_number(r, 2)) {
        int8_t map[MAX_RANK];
        for (int k = 0; k < rank; k++) map[k] = (int8_t)k;
        for (int k = rank - 1; k > 0; k--) {
            int j = random_number(r, k + 1);
            int8_t t = map[k];
            map[k] = map[j];
            map[j] = t;
        }
        return make_permute(g, x, map);
    }
    const Dim *start[MAX_RANK];
    int64_t step[MAX_RANK];
    Type type = x->type;
    for (int k = 0; k < rank; k++) {
        int64_t n = dim_value(x->type.dim[k]), length = 1 + random_number(r, (int)n);
        bool back = random_number(r, 4) == 0;
        start[k] = dim_int(g->dims, back ? n - 1 : n - length);
        step[k] = back ? -1 : 1;
        type.dim[k] = dim_int(g->dims, length);
    }
    return make_slice(g, x, start, step, type);
}

/* Parts of one value's size side by side; or slices of one value, worked on and put back, as the gradient of a split
 * does it. */
static inline Node *random_parts(Random *r)
{
    Lab *l = r->lab;
    Node *x = random_float(r), *part[3] = {0}, *sum = NULL;
    int count = 2 + random_number(r, 2), axis = x->type.rank ? random_number(r, x->type.rank) : 0;
    if (x->type.rank == 0) return random_spread(r);
    for (int k = 0; k < count; k++) part[k] = random_number(r, 3) ? random_small(r, x) : mul(l, x, num(l, x, 0.5 * k));
    Node *joined = make_concat(l->g, part, count, axis);
    if (random_number(r, 2)) return joined;
    const Dim *length = x->type.dim[axis], *start[MAX_RANK];
    int64_t step[MAX_RANK];
    for (int k = 0; k < x->type.rank; k++) start[k] = dim_int(l->g->dims, 0), step[k] = 1;
    for (int k = 0; k < count; k++) {
        start[axis] = dim_mul(l->g->dims, dim_int(l->g->dims, k), length);
        Node *piece = random_small(r, make_slice(l->g, joined, start, step, x->type));
        Node *placed = make_pad(l->g, piece, start, joined->type);
        sum = sum ? add(l, sum, placed) : placed;
    }
    return sum;
}

static inline Node *random_reduction(Random *r)
{
    Node *x = random_float(r);
    if (x->type.rank == 0) return random_element(r);
    uint32_t axes = 1 + (uint32_t)random_number(r, (1 << x->type.rank) - 1);
    if (random_number(r, 3) == 0) return make_reduce(r->lab->g, OP_reduce_max, x, axes);
    Node *s = sum(r->lab, x, axes);
    return mul(r->lab, s, num(r->lab, s, 0.25));
}

static inline Node *random_softmax(Random *r)
{
    for (int k = 0; k < 20; k++) {
        Node *x = random_float(r);
        if (x->type.rank > 0) return softmax(r->lab, x);
    }
    return random_element(r);
}

/* A product of two values that share some letters. */
static inline Node *random_product(Random *r)
{
    Node *x = random_float(r), *y = random_float(r);
    char a[MAX_RANK + 1] = {0}, b[MAX_RANK + 1] = {0}, out[2 * MAX_RANK + 1] = {0};
    int letters = 0, count = 0;
    if (x->type.rank > 3 || y->type.rank > 3) return random_element(r);
    for (int k = 0; k < x->type.rank; k++) a[k] = (char)('a' + letters++);
    for (int k = 0; k < y->type.rank; k++) {
        for (int j = 0; j < x->type.rank && !b[k]; j++)
            if (x->type.dim[j] == y->type.dim[k] && !strchr(b, a[j]) && random_number(r, 4)) b[k] = a[j];
        if (!b[k]) b[k] = (char)('a' + letters++);
    }
    int first = letters ? random_number(r, letters) : 0;
    for (int k = 0; k < letters && count < 4; k++)
        if (random_number(r, 3)) out[count++] = (char)('a' + (first + k) % letters);
    Node *product = make_einsum(r->lab->g, arena_print(r->lab->arena, "%s,%s->%s", a, b, out), x, y);
    return mul(r->lab, product, num(r->lab, product, 0.2));
}

/* Row numbers of a value's first axis: some of them -1. */
static inline Node *random_rows(Random *r, const Node *x, int count)
{
    Graph *g = r->lab->g;
    Type type = {.dtype = DT_i32, .rank = 1, .dim = {dim_int(g->dims, count)}};
    Node *i = make_iota(g, type, 0);
    Type one = type_scalar(DT_i32);
    Node *n = make_broadcast(g, make_whole(g, one.dtype, dim_value(x->type.dim[0]) + 1), type);
    Node *turned = make_binary(g, OP_add, make_binary(g, OP_mul, i, make_broadcast(g, make_whole(g, DT_i32, 7), type)),
                               make_broadcast(g, make_whole(g, DT_i32, random_number(r, 5)), type));
    Node *times = make_binary(g, OP_mul, make_binary(g, OP_floordiv, turned, n), n);
    Node *rest = make_binary(g, OP_add, turned,
                             make_binary(g, OP_mul, times, make_broadcast(g, make_whole(g, DT_i32, -1), type)));
    return make_binary(g, OP_add, rest, make_broadcast(g, make_whole(g, DT_i32, -1), type));
}

static inline Node *random_index(Random *r)
{
    Graph *g = r->lab->g;
    Node *x = random_float(r);
    if (x->type.rank == 0) return random_element(r);
    Node *rows = random_rows(r, x, 1 + random_number(r, 6));
    Node *taken = make_gather(g, x, &rows, 1, 0);
    if (random_number(r, 2)) return taken;
    bool onto_zero = random_number(r, 2);
    return make_scatter(g, onto_zero ? num(r->lab, x, 0) : x, random_small(r, taken), &rows, 1, 0, random_number(r, 2));
}

/* ---- loops ---- */

static inline void random_node(Random *r);

/* Some value with a first axis, one of its elements in every iteration. */
static inline Node *random_each(Random *r)
{
    for (int k = 0; k < 20; k++) {
        Node *x = random_float(r);
        bool short_enough = x->type.rank > 0 && x->type.rank < 5 && dim_value(x->type.dim[0]) <= 3;
        if (short_enough) return x;
    }
    return NULL;
}

static inline Node *random_body_input(Random *in, Storage storage, const char *kind, Type type)
{
    Node *input = make_input(in->lab->g, storage, arena_print(in->lab->arena, "%s%d", kind, in->count), type);
    random_keep(in, input);
    return input;
}

/* Something of the carry's type, squashed more often than not: else differences in rounding would grow with the
 * iterations. */
static inline Node *random_new_value(Random *in, Node *carry)
{
    Node *n = carry;
    for (int tries = 0; tries < 30; tries++) {
        n = random_pick(in);
        if (type_equal(&n->type, &carry->type)) break;
        n = carry;
    }
    bool plain = n->op == OP_input || n->op == OP_scatter || random_number(in, 4) == 0;
    return plain ? n : mul(in->lab, random_small(in, n), num(in->lab, n, 0.5));
}

/* A carry that ends the loop after a few iterations. */
static inline void random_until(Random *in)
{
    Graph *g = in->lab->g;
    Node *index = INDEX(in->lab);
    graph_output(g, OUTPUT_update, "until", make_binary(g, OP_lt, make_whole(g, DT_i64, random_number(in, 3)), index));
}

enum { LOOP_ARGUMENTS = 6 };

/* A loop over an axis of one value (or over a few places, or none), which may carry two, with loops inside. */
static inline void random_loop(Random *r)
{
    Lab *l = r->lab, body = body_new(l);
    Random in = {.lab = &body, .state = r->state ^ 0x5DEECE66Du};
    Node *args[LOOP_ARGUMENTS], *carries[2], *each = random_each(r);
    int count = 0, carry_count = 1 + random_number(r, 2), until = random_number(r, 4) == 0;
    const Dim *n = each ? each->type.dim[0] : dim_int(l->g->dims, random_number(r, 3));
    if (each) {
        Type type = {.dtype = each->type.dtype, .rank = each->type.rank - 1};
        for (int k = 0; k < type.rank; k++) type.dim[k] = each->type.dim[k + 1];
        random_body_input(&in, STORE_each, "each", type);
        args[count++] = each;
    }
    for (int k = 0; k < carry_count; k++) {
        args[count] = random_float(r);
        carries[k] = random_body_input(&in, STORE_carry, "carry", args[count++]->type);
    }
    for (int k = random_number(r, 2); k > 0; k--) {
        args[count] = random_float(r);
        random_body_input(&in, STORE_outer, "outer", args[count++]->type);
    }
    if (in.count == 0) return;
    for (int k = 3 + random_number(r, 6); k > 0; k--) random_node(&in);
    for (int k = 0; k < carry_count; k++) update(&body, carries[k]->attr.text, random_new_value(&in, carries[k]));
    for (int k = random_number(r, 3); k > 0; k--) result(&body, arena_print(l->arena, "%d", k), random_pick(&in));
    if (until) {
        make_input(body.g, STORE_carry, "until", type_scalar(DT_bool));
        random_until(&in);
        args[count++] = make_whole(l->g, DT_bool, 0);
    }
    Attr attr = {.count = n, .i = random_number(r, 2), .axis = until ? 1 + carry_count : 0};
    Node *scan = make_scan(l->g, args, count, &attr, body.g);
    for (int k = 0; k < scan_result_count(scan); k++) {
        bool stacks_nothing = k >= scan_carry_count(scan) && dim_value(n) == 0;
        Node *pick = random_number(r, 5) && !stacks_nothing ? make_pick(l->g, scan, k) : NULL;
        if (pick && pick->type.dtype == DT_f32) random_keep(r, pick);
    }
}

static inline void random_node(Random *r)
{
    int kind = random_number(r, 19);
    if (kind == 18) {
        random_loop(r);
        return;
    }
    Node *n = kind < 6    ? random_element(r)
              : kind < 8  ? random_spread(r)
              : kind < 10 ? random_movement(r)
              : kind < 12 ? random_reduction(r)
              : kind < 13 ? random_softmax(r)
              : kind < 15 ? random_product(r)
              : kind < 16 ? random_parts(r)
                          : random_index(r);
    random_keep(r, n);
}

static inline Random random_new(Lab *l, uint64_t seed)
{
    Random r = {.lab = l, .state = seed * 0x9E3779B97F4A7C15u, .states = 2};
    for (int k = 0; k < 5; k++) {
        Type type = type_scalar(DT_f32);
        type.rank = k == 0 ? 2 : random_number(&r, 4);
        for (int j = 0; j < type.rank; j++) type.dim[j] = random_dim(&r);
        random_keep(&r, make_input(l->g,
                                   k < r.states ? STORE_state
                                   : k == 2     ? STORE_param
                                                : STORE_data,
                                   arena_print(l->arena, "x%d", k), type));
    }
    return r;
}

/* Some states of the lab get new values among what was made. */
static inline void random_update_states(Random *r)
{
    for (int k = 0; k < r->states; k++) {
        Node *place = r->lab->g->inputs.at[k];
        for (int tries = 0; tries < 30; tries++) {
            Node *n = random_pick(r);
            if (!type_equal(&n->type, &place->type)) continue;
            update(r->lab, place->attr.text, n);
            break;
        }
    }
}

#endif
