/* The gradient of scans against finite differences in f64, for the shapes that recurrent cells have; and what is saved
 * for it. */
#include "passes/build.h"
#include "tests/passes/differences.h"

enum { T = 4, B = 2, I = 3, H = 2 };

static Graph *new_body(Graph *g) { return graph_new(g->arena, g->dims, "cell"); }
static Node *each(Graph *g, const char *name, Type type) { return make_input(g, STORE_each, name, type); }
static Node *carry(Graph *g, const char *name, Type type) { return make_input(g, STORE_carry, name, type); }
static Node *outer(Graph *g, const char *name, Type type) { return make_input(g, STORE_outer, name, type); }

static Node *add(Node *a, Node *b, Graph *g) { return make_binary(g, OP_add, a, b); }
static Node *mul(Node *a, Node *b, Graph *g) { return make_binary(g, OP_mul, a, b); }
static Node *scaled(Graph *g, Node *a, double by) { return mul(a, make_full(g, a->type, by), g); }

static Node *loop(Graph *g, const Graph *body, Node *const *args, int arg_count, bool backwards)
{
    return make_scan(g, args, arg_count, &(Attr){.i = backwards, .count = dim_int(g->dims, T)}, body);
}
#define LOOP(g, body, backwards, ...) \
    loop(g, body, (Node *[]){__VA_ARGS__}, (int)(sizeof((Node *[]){__VA_ARGS__}) / sizeof(Node *)), backwards)

/* loss = the sum of the values, each times weights of its own. */
static void weigh_all(Graph *g, Node *const *values, int count)
{
    Node *loss = make_float(g, F, 0);
    for (int k = 0; k < count; k++) {
        Node *weights = data(g, arena_print(g->arena, "weights.%d", k), values[k]->type);
        Node *part = mul(values[k], weights, g);
        if (part->type.rank) part = make_reduce(g, OP_sum, part, (1u << part->type.rank) - 1);
        loss = add(loss, part, g);
    }
    graph_output(g, OUTPUT_result, "loss", loss);
}
#define WEIGH(g, ...) \
    weigh_all(g, (Node *[]){__VA_ARGS__}, (int)(sizeof((Node *[]){__VA_ARGS__}) / sizeof(Node *)))

static Node *sigmoid(Graph *g, Node *x)
{
    Node *one = make_full(g, x->type, 1);
    return make_binary(g, OP_div, one, add(one, make_unary(g, OP_exp, scaled(g, x, -1)), g));
}

/* x_t w + h u + b for n columns. */
static Node *affine(Graph *body, Node *h, int n)
{
    Node *x = each(body, "x_t", SHAPE(body, F, B, I));
    Node *w = outer(body, "w", SHAPE(body, F, I, n)), *u = outer(body, "u", SHAPE(body, F, H, n));
    Node *b = outer(body, "b", SHAPE(body, F, n));
    Node *z = add(make_einsum(body, "bi,ih->bh", x, w), make_einsum(body, "bh,hk->bk", h, u), body);
    return add(z, make_broadcast(body, b, z->type), body);
}

/* Arguments for a body whose inputs are the carries and then those of `affine`. */
typedef struct Args { Node *h, *x, *w, *u, *b; } Args;
static Args arguments(Graph *g, int n)
{
    return (Args){param(g, "h0", SHAPE(g, F, B, H)), param(g, "x", SHAPE(g, F, T, B, I)),
                  param(g, "w", SHAPE(g, F, I, n)), param(g, "u", SHAPE(g, F, H, n)), param(g, "b", SHAPE(g, F, n))};
}

static Graph *elman_body(Graph *g)
{
    Graph *body = new_body(g);
    Node *h = carry(body, "h", SHAPE(g, F, B, H));
    Node *y = make_unary(body, OP_tanh, affine(body, h, H));
    graph_output(body, OUTPUT_update, "h", y);
    graph_output(body, OUTPUT_result, "0", y);
    return body;
}

static void elman(Graph *g)
{
    Args a = arguments(g, H);
    Node *scan = LOOP(g, elman_body(g), false, a.h, a.x, a.w, a.u, a.b);
    weigh(g, make_pick(g, scan, 1));
}

static void elman_final(Graph *g)
{
    Args a = arguments(g, H);
    weigh(g, make_pick(g, LOOP(g, elman_body(g), false, a.h, a.x, a.w, a.u, a.b), 0));
}

static void elman_both(Graph *g)
{
    Args a = arguments(g, H);
    Node *scan = LOOP(g, elman_body(g), false, a.h, a.x, a.w, a.u, a.b);
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 1));
}

static void elman_backwards(Graph *g)
{
    Args a = arguments(g, H);
    Node *scan = LOOP(g, elman_body(g), true, a.h, a.x, a.w, a.u, a.b);
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 1));
}

static Node *gate(Graph *g, Node *z, int k)
{
    return build_part(g, z, 1, dim_int(g->dims, k * H), dim_int(g->dims, H));
}

/* f, i, o = sigmoid; g = tanh; c' = f c + i g; h' = o tanh(c') */
static Graph *lstm_body(Graph *g)
{
    Graph *body = new_body(g);
    Node *h = carry(body, "h", SHAPE(g, F, B, H)), *c = carry(body, "c", SHAPE(g, F, B, H));
    Node *z = affine(body, h, 4 * H);
    Node *f = sigmoid(body, gate(body, z, 0)), *i = sigmoid(body, gate(body, z, 1));
    Node *o = sigmoid(body, gate(body, z, 2)), *n = make_unary(body, OP_tanh, gate(body, z, 3));
    Node *cell = add(mul(f, c, body), mul(i, n, body), body);
    Node *y = mul(o, make_unary(body, OP_tanh, cell), body);
    graph_output(body, OUTPUT_update, "h", y);
    graph_output(body, OUTPUT_update, "c", cell);
    graph_output(body, OUTPUT_result, "0", y);
    return body;
}

static void lstm(Graph *g)
{
    Args a = arguments(g, 4 * H);
    Node *c = param(g, "c0", SHAPE(g, F, B, H));
    Node *scan = LOOP(g, lstm_body(g), false, a.h, c, a.x, a.w, a.u, a.b);
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 1), make_pick(g, scan, 2));
}

static void two_layers(Graph *g)
{
    Args a = arguments(g, H);
    Node *first = make_pick(g, LOOP(g, elman_body(g), false, a.h, a.x, a.w, a.u, a.b), 1);
    Node *v = param(g, "v", SHAPE(g, F, H, I));
    Node *middle = make_einsum(g, "tbh,hi->tbi", first, v);
    Node *scan = LOOP(g, elman_body(g), true, a.h, middle, a.w, a.u, a.b);
    WEIGH(g, make_pick(g, scan, 1), first);
}

/* h' = h + table[ids_t] */
static void table(Graph *g)
{
    Graph *body = new_body(g);
    Node *h = carry(body, "h", SHAPE(g, F, B, H)), *rows = outer(body, "table", SHAPE(g, F, 3, H));
    Node *ids = each(body, "ids", SHAPE(g, DT_i32, B));
    Node *row = make_gather(body, rows, &ids, 1, 0);
    Node *y = make_unary(body, OP_sin, add(h, mul(row, row, body), body));
    graph_output(body, OUTPUT_update, "h", y);
    graph_output(body, OUTPUT_result, "0", mul(y, row, body));
    Node *scan = LOOP(g, body, false, param(g, "h0", SHAPE(g, F, B, H)), param(g, "x", SHAPE(g, F, 3, H)),
                      data(g, "i", SHAPE(g, DT_i32, T, B)));
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 1));
}

/* Rows past the end of their sentence keep their state. */
static void masked(Graph *g)
{
    Graph *body = new_body(g);
    Node *h = carry(body, "h", SHAPE(g, F, B, H));
    Node *y = make_unary(body, OP_tanh, affine(body, h, H));
    Node *mask = each(body, "mask", SHAPE(g, DT_bool, B));
    Node *wide = make_expand(body, mask, FIXED(0), SHAPE(g, DT_bool, B, H));
    Node *kept = make_where(body, wide, y, h);
    graph_output(body, OUTPUT_update, "h", kept);
    graph_output(body, OUTPUT_result, "0", make_where(body, wide, kept, make_full(body, y->type, 0)));
    Args a = arguments(g, H);
    Node *scan = LOOP(g, body, false, a.h, a.x, a.w, a.u, a.b, data(g, "mask", SHAPE(g, DT_bool, T, B)));
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 1));
}

/* In each step h goes through a loop of its own: h = tanh(h u_n + x_t), with u_n and v of that loop. */
static Graph *nested_body(Graph *g)
{
    Graph *inner = new_body(g), *body = new_body(g);
    Type row = SHAPE(g, F, B, H);
    Node *h = carry(inner, "h", row), *u = each(inner, "u_n", SHAPE(g, F, H, H)), *x = outer(inner, "x", row);
    Node *y = make_unary(inner, OP_tanh, add(make_einsum(inner, "bh,hk->bk", h, u), x, inner));
    graph_output(inner, OUTPUT_result, "0", mul(y, x, inner));
    graph_output(inner, OUTPUT_update, "h", y);
    Node *state = carry(body, "h", row), *all = outer(body, "u", SHAPE(g, F, T, H, H)), *own = each(body, "x", row);
    Node *scan = LOOP(body, inner, true, state, all, mul(own, own, body));
    Node *last = make_pick(body, scan, 0), *sum = make_reduce(body, OP_sum, make_pick(body, scan, 1), 1);
    graph_output(body, OUTPUT_update, "h", last);
    graph_output(body, OUTPUT_result, "0", mul(sum, last, body));
    return body;
}

static void nested(Graph *g)
{
    Node *scan = LOOP(g, nested_body(g), false, param(g, "h0", SHAPE(g, F, B, H)),
                      param(g, "u", SHAPE(g, F, T, H, H)), param(g, "x", SHAPE(g, F, T, B, H)));
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 1));
}

/* Dropout inside the loop: the same draw in the gradient. */
static void dropout(Graph *g)
{
    Graph *body = new_body(g);
    Type count = type_scalar(DT_i64), row = SHAPE(g, F, B, H);
    Node *h = carry(body, "h", row), *y = make_unary(body, OP_tanh, affine(body, h, H));
    Node *draw_args[] = {outer(body, "seed", count), outer(body, "step", count),
                         make_input(body, STORE_ambient, "index", count)};
    const char *why = NULL;
    Node *u = graph_node(body, OP_uniform, draw_args, 3, &(Attr){.text = "key"}, &row, &why);
    assert_non_null(u);
    Node *keep = make_binary(body, OP_lt, u, make_full(body, row, 0.5));
    Node *kept = make_where(body, keep, scaled(body, y, 2), make_full(body, row, 0));
    graph_output(body, OUTPUT_update, "h", kept);
    graph_output(body, OUTPUT_result, "0", kept);
    Args a = arguments(g, H);
    Node *seed = make_input(g, STORE_ambient, "seed", count), *step = make_input(g, STORE_ambient, "step", count);
    weigh(g, make_pick(g, LOOP(g, body, false, a.h, a.x, a.w, a.u, a.b, seed, step), 1));
}

/* The place t enters the value; no carry. */
static void indexed(Graph *g)
{
    Graph *body = new_body(g);
    Node *x = each(body, "x", SHAPE(g, F, B)), *w = outer(body, "w", SHAPE(g, F, B));
    Node *t = make_cast(body, make_input(body, STORE_ambient, "index", type_scalar(DT_i64)), F);
    Node *y = mul(mul(x, make_broadcast(body, t, x->type), body), make_unary(body, OP_exp, w), body);
    graph_output(body, OUTPUT_result, "0", y);
    weigh(g, make_pick(g, LOOP(g, body, true, param(g, "x", SHAPE(g, F, T, B)), param(g, "w", SHAPE(g, F, B))), 0));
}

/* A value that leaves in two results and a carry; a carry that does not depend on what it was; a result that the loss
 * does not read. */
static void shared_results(Graph *g)
{
    Graph *body = new_body(g);
    Type row = SHAPE(g, F, B);
    Node *x = each(body, "x", row), *last = carry(body, "last", row), *total = carry(body, "total", row);
    Node *y = make_unary(body, OP_sin, mul(x, last, body));
    graph_output(body, OUTPUT_result, "0", y);
    graph_output(body, OUTPUT_result, "1", y);
    graph_output(body, OUTPUT_result, "2", make_unary(body, OP_exp, y));
    graph_output(body, OUTPUT_update, "total", add(total, y, body));
    graph_output(body, OUTPUT_update, "last", x);
    Node *scan = LOOP(g, body, false, param(g, "x", SHAPE(g, F, T, B)), param(g, "last", row),
                      make_full(g, row, 0));
    WEIGH(g, make_pick(g, scan, 1), make_pick(g, scan, 2), make_pick(g, scan, 3));
}

/* One node as two arguments; a softmax, whose reductions are saved; a state that counts. */
static void attention(Graph *g)
{
    Graph *body = new_body(g);
    Type row = SHAPE(g, F, B, H), keys = SHAPE(g, F, 3, H), count = type_scalar(DT_i64);
    Node *h = carry(body, "h", row), *k = outer(body, "k", keys), *v = outer(body, "v", keys);
    Node *n = carry(body, "n", count);
    Node *score = make_einsum(body, "bh,nh->bn", h, k);
    Node *most = make_expand(body, make_reduce(body, OP_reduce_max, score, 2), FIXED(0), score->type);
    Node *e = make_unary(body, OP_exp, add(score, scaled(body, most, -1), body));
    Node *p = make_binary(body, OP_div, e, make_expand(body, make_reduce(body, OP_sum, e, 2), FIXED(0), e->type));
    Node *read = make_einsum(body, "bn,nh->bh", p, v);
    Node *y = mul(read, make_broadcast(body, make_cast(body, n, F), row), body);
    graph_output(body, OUTPUT_update, "h", y);
    graph_output(body, OUTPUT_update, "n", add(n, make_whole(body, DT_i64, 1), body));
    graph_output(body, OUTPUT_result, "0", p);
    Node *memory = param(g, "x", keys);
    Node *scan = LOOP(g, body, false, param(g, "h0", row), memory, memory, make_whole(g, DT_i64, 1));
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 2));
}

static void rectified(Graph *g)
{
    Graph *body = new_body(g);
    Node *h = carry(body, "h", SHAPE(g, F, B, H)), *z = affine(body, h, H);
    graph_output(body, OUTPUT_update, "h", make_binary(body, OP_max, z, make_full(body, z->type, 0)));
    Args a = arguments(g, H);
    weigh(g, make_pick(g, LOOP(g, body, false, a.h, a.x, a.w, a.u, a.b), 0));
}

/* floor is a float through which nothing flows. */
static void floored(Graph *g)
{
    Graph *body = new_body(g);
    Type row = SHAPE(g, F, B);
    Node *h = carry(body, "h", row), *x = each(body, "x", row);
    graph_output(body, OUTPUT_update, "h", make_unary(body, OP_floor, add(h, x, body)));
    graph_output(body, OUTPUT_result, "0", mul(h, x, body));
    graph_output(body, OUTPUT_result, "1", x);
    Node *scan = LOOP(g, body, false, param(g, "h0", row), param(g, "x", SHAPE(g, F, T, B)));
    WEIGH(g, make_pick(g, scan, 1), make_unary(g, OP_floor, make_pick(g, scan, 2)));
}

typedef struct Case { const char *name; void (*make)(Graph *g); } Case;
static const Case cases[] = {
    {"elman", elman}, {"elman_final", elman_final}, {"elman_both", elman_both}, {"elman_backwards", elman_backwards},
    {"lstm", lstm}, {"two_layers", two_layers}, {"table", table}, {"masked", masked}, {"nested", nested},
    {"dropout", dropout}, {"indexed", indexed}, {"shared_results", shared_results}, {"attention", attention},
    {"rectified", rectified}, {"floored", floored},
};

static void test_differences(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Arena *arena = arena_new();
        Graph *g = new_graph(arena);
        cases[k].make(g);
        check_graph(arena, g, -1, cases[k].name);
        arena_free(arena);
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
