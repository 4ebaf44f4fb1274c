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
    Node *dear = make_unary(body, OP_tanh, make_unary(body, OP_tanh, w));
    Node *y = mul(mul(x, make_broadcast(body, t, x->type), body), dear, body);
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

/* The logistic function by an exponential that never overflows, times its argument. */
static void gated(Graph *g)
{
    Graph *body = new_body(g);
    Node *h = carry(body, "h", SHAPE(g, F, B, H)), *z = affine(body, h, H), *one = make_full(body, z->type, 1);
    Node *size = make_binary(body, OP_max, z, scaled(body, z, -1));
    Node *e = make_unary(body, OP_exp, scaled(body, size, -1));
    Node *over = make_where(body, make_binary(body, OP_lt, z, make_full(body, z->type, 0)), e, one);
    graph_output(body, OUTPUT_update, "h", mul(z, make_binary(body, OP_div, over, add(e, one, body)), body));
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

/* What goes in comes out two iterations later, through carries that begin as constants. */
static void delayed(Graph *g)
{
    Graph *body = new_body(g);
    Type row = SHAPE(g, F, B);
    Node *x = each(body, "x", row), *first = carry(body, "first", row), *second = carry(body, "second", row);
    graph_output(body, OUTPUT_result, "0", make_unary(body, OP_exp, second));
    graph_output(body, OUTPUT_update, "second", first);
    graph_output(body, OUTPUT_update, "first", mul(x, x, body));
    Node *zero = make_full(g, row, 0);
    weigh(g, make_pick(g, LOOP(g, body, false, param(g, "x", SHAPE(g, F, T, B)), zero, zero), 2));
}

/* Results that are arguments. */
static void passed_on(Graph *g)
{
    Graph *body = new_body(g);
    Type row = SHAPE(g, F, B);
    Node *x = each(body, "x", row), *w = outer(body, "w", row);
    graph_output(body, OUTPUT_result, "0", x);
    graph_output(body, OUTPUT_result, "1", w);
    graph_output(body, OUTPUT_result, "2", mul(x, w, body));
    Node *scan = LOOP(g, body, false, param(g, "x", SHAPE(g, F, T, B)), param(g, "w", row));
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 1), make_pick(g, scan, 2));
}

typedef struct Case { const char *name; void (*make)(Graph *g); } Case;
static const Case cases[] = {
    {"elman", elman}, {"elman_final", elman_final}, {"elman_both", elman_both}, {"elman_backwards", elman_backwards},
    {"lstm", lstm}, {"two_layers", two_layers}, {"table", table}, {"masked", masked}, {"nested", nested},
    {"dropout", dropout}, {"indexed", indexed}, {"shared_results", shared_results}, {"attention", attention},
    {"rectified", rectified}, {"gated", gated}, {"floored", floored}, {"delayed", delayed}, {"passed_on", passed_on},
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
/* ---- every operator in a loop ---- */

static Type stacked(Graph *g, const Type *type)
{
    Type stack = {.dtype = type->dtype, .rank = type->rank + 1, .dim = {dim_int(g->dims, T)}};
    for (int k = 0; k < type->rank; k++) stack.dim[k + 1] = type->dim[k];
    return stack;
}

/* A loop around the value y of `sample`, whose inputs are in turn another in each iteration and the same in all: it
 * emits y times a sum that it carries, to which it adds y. */
static Node *in_a_loop(Graph *g, const Graph *sample, const Node *y)
{
    Graph *body = new_body(g);
    Node **copy = arena_array(g->arena, Node *, sample->nodes.count), *args[8];
    int inputs = 0;
    for (int k = 0; k < sample->nodes.count; k++) {
        const Node *node = sample->nodes.at[k];
        if (node->op != OP_input) {
            copy[k] = graph_copy_node(body, node, copy);
            continue;
        }
        bool varies = inputs % 2 == 0;
        copy[k] = make_input(body, varies ? STORE_each : STORE_outer, node->attr.text, node->type);
        args[inputs++] = make_input(g, (Storage)node->attr.storage, node->attr.text,
                                    varies ? stacked(g, &node->type) : node->type);
    }
    Node *value = copy[y->id], *sum = carry(body, "sum", value->type);
    graph_output(body, OUTPUT_update, "sum", add(sum, value, body));
    graph_output(body, OUTPUT_result, "0", mul(sum, value, body));
    args[inputs++] = param(g, "sum", value->type);
    return loop(g, body, args, inputs, true);
}

static void check_in_a_loop(Graph *sample, const Node *y, double low, const char *name)
{
    Graph *g = graph_new(sample->arena, sample->dims, "loop");
    Node *scan = in_a_loop(g, sample, y);
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 1));
    check_graph(g->arena, g, low, name);
}

static void test_structural(void **state)
{
    (void)state;
    for (int k = 0; k < SAMPLE_COUNT; k++) {
        if (samples[k].op == OP_cast) continue;
        Arena *arena = arena_new();
        Graph *sample = new_graph(arena);
        check_in_a_loop(sample, samples[k].make(sample), -2, samples[k].name);
        arena_free(arena);
    }
}

static bool needs_positive(Op op) { return op == OP_sqrt || op == OP_log || op == OP_pow; }

static void test_elements(void **state)
{
    (void)state;
#define STRUCTURAL(...)
#define ELEMENT(name, arity, types, result, ...) \
    if (OP_##name != OP_floordiv) { \
        Arena *arena = arena_new(); \
        Graph *sample = new_graph(arena); \
        Node *y = sample_element(sample, OP_##name, #types, #result, SHAPE(sample, F, 3)); \
        if (y) check_in_a_loop(sample, y, needs_positive(OP_##name) ? 0 : -2, #name); \
        arena_free(arena); \
    }
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
}

/* ---- what is built ---- */

typedef struct Built {
    Arena *arena;
    Graph *g;
    const Node *forward, *backward;      /* NULL: none */
} Built;

static Built build_gradient(void (*make)(Graph *g))
{
    Built b = {.arena = arena_new()};
    Graph *g = new_graph(b.arena);
    make(g);
    PassOptions options = options_for(b.arena, g);
    b.g = pass_grad(b.arena, g, &options, diag_new(b.arena));
    assert_non_null(b.g);
    assert_null(graph_verify(b.g, b.arena));
    for (int k = 0; k < b.g->nodes.count; k++) {
        const Node *node = b.g->nodes.at[k];
        if (node->op != OP_scan) continue;
        assert_null(graph_verify(node->region, b.arena));
        if (!b.forward)
            b.forward = node;
        else
            b.backward = node;
    }
    return b;
}

static int count_results(const Node *scan) { return scan_result_count(scan) - scan_carry_count(scan); }

/* Bytes an iteration of what the forward scan returns behind `own` results. */
static int64_t saved_bytes(const Built *b, int own)
{
    int64_t bytes = 0;
    for (int k = scan_carry_count(b->forward) + own; k < scan_result_count(b->forward); k++)
        bytes += type_value_bytes(&scan_output(b->forward, k)->node->type);
    return bytes;
}

static void expect_saved(void (*make)(Graph *g), int own, int count, int64_t bytes)
{
    Built b = build_gradient(make);
    assert_int_equal(count_results(b.forward), own + count);
    assert_int_equal(saved_bytes(&b, own), bytes);
    arena_free(b.arena);
}

static void powered(Graph *g)
{
    Graph *body = new_body(g);
    Node *x = each(body, "x", SHAPE(g, F, B));
    graph_output(body, OUTPUT_result, "0", make_binary(body, OP_pow, x, make_full(body, x->type, 2.5)));
    weigh(g, make_pick(g, LOOP(g, body, false, param(g, "x", SHAPE(g, F, T, B))), 0));
}

static void test_saved(void **state)
{
    (void)state;
    int row = B * H * 8;
    /* h; the result of tanh is emitted anyway */
    expect_saved(elman, 1, 1, row);
    /* h, c, three exponentials, two results of tanh */
    expect_saved(lstm, 1, 7, 7 * row);
    /* h and which sums were cut off, rather than the sums or the two products that they are made of */
    expect_saved(rectified, 0, 2, row + B * H);
    /* h and the sum, of which the exponential is made again */
    expect_saved(gated, 0, 2, 2 * row);
    /* h, the result of tanh and the mask, rather than its numbers */
    expect_saved(dropout, 1, 3, 2 * row + B * H);
    /* what is made of w is the same in every iteration, x comes in as it is */
    expect_saved(indexed, 1, 0, 0);
    /* x to a power that only the gradient asks for is made there */
    expect_saved(powered, 1, 0, 0);
}

/* Arguments of the forward scan are read as they are, though it also returns them. */
static void test_arguments(void **state)
{
    (void)state;
    Built b = build_gradient(passed_on);
    for (int k = 0; k < b.backward->arg_count; k++) assert_true(b.backward->args[k]->op != OP_pick);
    arena_free(b.arena);
}

static void test_direction(void **state)
{
    (void)state;
    Built b = build_gradient(elman);
    assert_int_equal(b.forward->attr.i, 0);
    assert_int_equal(b.backward->attr.i, 1);
    arena_free(b.arena);
    b = build_gradient(elman_backwards);
    assert_int_equal(b.forward->attr.i, 1);
    assert_int_equal(b.backward->attr.i, 0);
    arena_free(b.arena);
}

/* The value of a state at entry, its final value for the next batch, and a carry that no gradient reaches. */
static void truncated(Graph *g)
{
    Graph *body = elman_body(g);
    Node *n = carry(body, "n", type_scalar(F));
    graph_output(body, OUTPUT_update, "n", add(n, make_float(body, F, 1), body));
    Args a = arguments(g, H);
    Node *h = make_input(g, STORE_state, "h", a.h->type), *steps = make_input(g, STORE_state, "n", type_scalar(F));
    Node *scan = LOOP(g, body, false, h, a.x, a.w, a.u, a.b, steps);
    graph_output(g, OUTPUT_update, "h", make_pick(g, scan, 0));
    graph_output(g, OUTPUT_update, "n", make_pick(g, scan, 1));
    weigh(g, make_pick(g, scan, 2));
}

static void test_states_are_constants(void **state)
{
    (void)state;
    Built b = build_gradient(truncated);
    assert_int_equal(scan_carry_count(b.backward), 4);               /* h, w, u, b */
    assert_string_equal(scan_carry(b.backward, 0)->attr.text, "d.h");
    for (int k = 0; k < b.g->nodes.count; k++) {
        const Node *node = b.g->nodes.at[k];
        assert_false(node->op == OP_pick && node->args[0] == b.backward && node->attr.i == 0);
    }
    arena_free(b.arena);
}

/* A scan that the loss does not need has no gradient and saves nothing. */
static void unneeded(Graph *g)
{
    Args a = arguments(g, H);
    Node *scan = LOOP(g, elman_body(g), false, a.h, a.x, a.w, a.u, a.b);
    graph_output(g, OUTPUT_result, "states", make_pick(g, scan, 1));
    weigh(g, a.w);
}

static void test_unneeded(void **state)
{
    (void)state;
    Built b = build_gradient(unneeded);
    assert_int_equal(count_results(b.forward), 1);
    assert_null(b.backward);
    arena_free(b.arena);
}

/* Parts of the gradient of a narrow float are added up in f32. */
static void narrow(Graph *g)
{
    Graph *body = new_body(g);
    Type row = SHAPE(g, DT_bf16, B);
    Node *x = each(body, "x", row), *w = outer(body, "w", row);
    graph_output(body, OUTPUT_result, "0", mul(x, w, body));
    weigh(g, make_pick(g, LOOP(g, body, false, data(g, "x", SHAPE(g, DT_bf16, T, B)), param(g, "w", row)), 0));
}

static void test_narrow(void **state)
{
    (void)state;
    Built b = build_gradient(narrow);
    assert_int_equal(scan_carry(b.backward, 0)->type.dtype, DT_f32);
    Tensor **inputs = random_inputs(b.arena, b.g, 0, 1, 1);
    assert_int_equal(output_value(b.arena, b.g, inputs, "d w")->type.dtype, DT_bf16);
    arena_free(b.arena);
}

/* Values of the highest rank can not be stacked as they are. */
static void deep(Graph *g)
{
    Graph *body = new_body(g);
    Node *x = each(body, "x", SHAPE(g, F, 6));
    Node *y = make_unary(body, OP_exp, make_reshape(body, x, SHAPE(g, F, 1, 2, 1, 3, 1, 1, 1, 1)));
    graph_output(body, OUTPUT_result, "0", make_reduce(body, OP_sum, mul(y, y, body), 2));
    weigh(g, make_pick(g, LOOP(g, body, false, param(g, "x", SHAPE(g, F, T, 6))), 0));
}

/* Without an iteration a carry is what it was. */
static void empty(Graph *g)
{
    Graph *body = new_body(g);
    Type row = SHAPE(g, F, B);
    Node *x = each(body, "x", row), *h = carry(body, "h", row), *w = outer(body, "w", row);
    graph_output(body, OUTPUT_update, "h", mul(w, x, body));
    Node *args[] = {param(g, "x", SHAPE(g, F, 0, B)), param(g, "h0", row), param(g, "w", row)};
    (void)h;
    weigh(g, make_pick(g, make_scan(g, args, 3, &(Attr){.count = dim_int(g->dims, 0)}, body), 0));
}

/* Names that the gradient would give are taken. */
static void named(Graph *g)
{
    Graph *body = new_body(g);
    Type row = SHAPE(g, F, B);
    Node *h = carry(body, "h", row), *x = each(body, "d.h", row), *w = outer(body, "d.0", row);
    Node *v = outer(body, "value.2", row);
    Node *y = make_unary(body, OP_tanh, mul(mul(h, x, body), add(w, v, body), body));
    graph_output(body, OUTPUT_update, "h", y);
    graph_output(body, OUTPUT_result, "0", make_unary(body, OP_exp, mul(y, v, body)));
    graph_output(body, OUTPUT_result, "saved.0", y);
    Node *scan = LOOP(g, body, false, param(g, "h0", row), param(g, "x", SHAPE(g, F, T, B)), param(g, "w", row),
                      param(g, "v", row));
    WEIGH(g, make_pick(g, scan, 0), make_pick(g, scan, 1), make_pick(g, scan, 2));
}

static void test_edges(void **state)
{
    (void)state;
    static const Case edges[] = {{"deep", deep}, {"empty", empty}, {"unneeded", unneeded}, {"truncated", truncated},
                                 {"named", named}};
    for (size_t k = 0; k < sizeof edges / sizeof *edges; k++) {
        Arena *arena = arena_new();
        Graph *g = new_graph(arena);
        edges[k].make(g);
        check_graph(arena, g, -1, edges[k].name);
        arena_free(arena);
    }
}

/* A loop that may end early has no gradient: said at its place, if a gradient would go through it. */
static void ending(Graph *g, bool trained)
{
    Graph *body = new_body(g);
    Type row = SHAPE(g, F, B), truth = type_scalar(DT_bool);
    Node *h = carry(body, "h", row), *x = outer(body, "x", row);
    carry(body, "until", truth);
    graph_output(body, OUTPUT_update, "h", mul(h, x, body));
    graph_output(body, OUTPUT_update, "until", make_whole(body, DT_bool, 1));
    Node *p = param(g, "x", row), *fixed = data(g, "y", row);
    Node *args[] = {data(g, "h0", row), trained ? p : fixed, make_whole(g, DT_bool, 0)};
    Attr attr = {.axis = 2, .count = dim_int(g->dims, T)};
    weigh(g, mul(make_pick(g, make_scan(g, args, 3, &attr, body), 0), p, g));
}

static void test_until(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Source source = {.path = "a.ptm", .text = "", .size = 0};
    Origin origin = {.place = {&source, 7, 3, 1}, .path = ""};
    Graph *g = new_graph(arena);
    g->origin = &origin;
    ending(g, true);
    PassOptions options = options_for(arena, g);
    Diagnostics *d = diag_new(arena);
    assert_null(pass_grad(arena, g, &options, d));
    assert_int_equal(diag_error_count(d), 1);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    diag_print(d, out);
    fclose(out);
    assert_non_null(strstr(text, "a.ptm:7:3: error: no gradient goes through a scan with `until`"));
    free(text);
    g = new_graph(arena);
    ending(g, false);
    check_graph(arena, g, -1, "ending");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences), cmocka_unit_test(test_structural), cmocka_unit_test(test_elements),
        cmocka_unit_test(test_arguments), cmocka_unit_test(test_saved),  cmocka_unit_test(test_direction),
        cmocka_unit_test(test_states_are_constants), cmocka_unit_test(test_unneeded), cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_edges), cmocka_unit_test(test_until),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
