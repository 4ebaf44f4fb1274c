/* What simplification takes out of loops: values stay, forward and in the gradient; and what is left in the bodies. */
#include "passes/build.h"
#include "tests/passes/samples.h"

enum { T = 5, B = 3, I = 2, H = 4 };

static Graph *simplified(Arena *arena, const Graph *g)
{
    PassOptions options = {0};
    Graph *simple = pass_simplify(arena, g, &options, diag_new(arena));
    const char *reason = graph_verify(simple, arena);
    if (reason) {
        graph_print(simple, stderr);
        fail_msg("%s", reason);
    }
    return simple;
}

/* The order of additions over the iterations changes: a few units in the last place of sums of some tens of terms. */
static bool close_enough(DType dtype, double a, double b)
{
    double unit = dtype == DT_f64 ? 1e-12 : dtype == DT_f32 ? 2e-5 : 2e-2;
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= unit * fmax(1, fmax(fabs(a), fabs(b)));
}

static void compare(Arena *arena, const Graph *g, const Graph *simple, uint64_t seed, const char *what)
{
    Tensor **inputs = random_inputs(arena, g, -1, 1, seed);
    Tensor **before = evaluate(arena, g, inputs);
    Tensor **after = evaluate(arena, simple, same_inputs(arena, simple, g, inputs));
    assert_int_equal(g->outputs.count, simple->outputs.count);
    for (int k = 0; k < g->outputs.count; k++) {
        assert_string_equal(g->outputs.at[k].name, simple->outputs.at[k].name);
        assert_true(type_equal(&before[k]->type, &after[k]->type));
        for (int64_t j = 0; j < before[k]->count; j++) {
            bool good = before[k]->f ? close_enough(before[k]->type.dtype, before[k]->f[j], after[k]->f[j])
                                     : before[k]->i[j] == after[k]->i[j];
            if (good) continue;
            graph_print(g, stderr);
            graph_print(simple, stderr);
            fail_msg("%s: output %s [%lld] differs: %.17g %.17g", what, g->outputs.at[k].name, (long long)j,
                     before[k]->f ? before[k]->f[j] : (double)before[k]->i[j],
                     after[k]->f ? after[k]->f[j] : (double)after[k]->i[j]);
        }
    }
}

/* ---- building ---- */

static Graph *new_body(Graph *g) { return graph_new(g->arena, g->dims, "body"); }
static Node *each(Graph *g, const char *name, Type type) { return make_input(g, STORE_each, name, type); }
static Node *carry(Graph *g, const char *name, Type type) { return make_input(g, STORE_carry, name, type); }
static Node *outer(Graph *g, const char *name, Type type) { return make_input(g, STORE_outer, name, type); }
static Node *place(Graph *g) { return make_input(g, STORE_ambient, "index", type_scalar(DT_i64)); }
static Node *add(Graph *g, Node *a, Node *b) { return make_binary(g, OP_add, a, b); }
static Node *mul(Graph *g, Node *a, Node *b) { return make_binary(g, OP_mul, a, b); }
static Node *scaled(Graph *g, Node *a, double by) { return mul(g, a, make_full(g, a->type, by)); }
static void emit_value(Graph *g, const char *name, Node *n) { graph_output(g, OUTPUT_result, name, n); }
static void next(Graph *g, const char *name, Node *n) { graph_output(g, OUTPUT_update, name, n); }

static Node *sigmoid(Graph *g, Node *x)
{
    Node *one = make_full(g, x->type, 1);
    return make_binary(g, OP_div, one, add(g, one, make_unary(g, OP_exp, scaled(g, x, -1))));
}

/* The arguments by the names of the body's inputs: inputs of g of the same names, unless `given` has them. */
typedef struct Given { const char *name; Node *node; } Given;

static Node *loop(Graph *g, const Graph *body, int count, Attr attr, const Given *given, int given_count)
{
    Node *args[32];
    int n = 0;
    if (!attr.count) attr.count = dim_int(g->dims, count);
    for (int k = 0; k < body->inputs.count; k++) {
        const Node *input = body->inputs.at[k];
        Type type = input->type;
        if (input->attr.storage == STORE_ambient) continue;
        if (input->attr.storage == STORE_each) {
            for (int j = type.rank++; j > 0; j--) type.dim[j] = type.dim[j - 1];
            type.dim[0] = attr.count;
        }
        args[n] = NULL;
        for (int j = 0; j < given_count; j++)
            if (!strcmp(given[j].name, input->attr.text)) args[n] = given[j].node;
        bool trained = dtype_is_float(type.dtype) && input->attr.text[0] != '_';
        if (!args[n]) args[n] = trained ? param(g, input->attr.text, type) : data(g, input->attr.text, type);
        n++;
    }
    return make_scan(g, args, n, &attr, body);
}
#define LOOP(g, body, ...) loop(g, body, T, (Attr){__VA_ARGS__}, NULL, 0)
#define LOOP_WITH(g, body, direction, ...) \
    loop(g, body, T, (Attr){.i = direction}, (Given[]){__VA_ARGS__}, \
         (int)(sizeof((Given[]){__VA_ARGS__}) / sizeof(Given)))

/* Every pick is a result, and the sum of all, weighed, the loss. */
static void ask_all(Graph *g, Node *scan)
{
    Node *loss = NULL;
    for (int k = 0; k < scan_result_count(scan); k++) {
        Node *pick = make_pick(g, scan, k);
        graph_output(g, OUTPUT_result, arena_print(g->arena, "%d", k), pick);
        if (!dtype_is_float(pick->type.dtype)) continue;
        Node *part = mul(g, pick, data(g, arena_print(g->arena, "weights.%d", k), pick->type));
        if (part->type.rank) part = make_reduce(g, OP_sum, part, (1u << part->type.rank) - 1);
        part = make_cast(g, part, DT_f64);
        loss = loss ? add(g, loss, part) : part;
    }
    if (loss) graph_output(g, OUTPUT_result, "loss", loss);
}

static const Node *scan_at(const Graph *g, int number)
{
    for (int k = 0; k < g->nodes.count; k++)
        if (g->nodes.at[k]->op == OP_scan && number-- == 0) return g->nodes.at[k];
    return NULL;
}

/* Simplified, the gradient too if there is a loss; and both the same as before. */
static Graph *check(Arena *arena, const Graph *g, const char *what)
{
    Graph *simple = simplified(arena, g);
    for (uint64_t seed = 1; seed < 4; seed++) compare(arena, g, simple, seed, what);
    Graph *again = simplified(arena, simple);
    compare(arena, simple, again, 7, what);
    assert_int_equal(again->nodes.count, simple->nodes.count);
    return simple;
}

static Graph *check_gradient(Arena *arena, const Graph *g, const char *what)
{
    PassOptions options = options_for(arena, g);
    Graph *gradient = pass_grad(arena, g, &options, diag_new(arena));
    assert_non_null(gradient);
    return check(arena, gradient, what);
}

static int body_count(const Graph *g, int scan, Op op) { return count_op(scan_at(g, scan)->region, op); }

/* ---- cells ---- */

/* x w + h u + b for n columns. */
static Node *affine(Graph *g, DType t, Node *h, int n)
{
    Node *x = each(g, "x", SHAPE(g, t, B, I)), *w = outer(g, "w", SHAPE(g, t, I, n));
    Node *u = outer(g, "u", SHAPE(g, t, H, n)), *b = outer(g, "b", SHAPE(g, t, n));
    Node *z = add(g, make_einsum(g, "bi,ij->bj", x, w), make_einsum(g, "bh,hj->bj", h, u));
    return add(g, z, make_broadcast(g, b, z->type));
}

static Node *gate(Graph *g, Node *z, int k)
{
    return build_part(g, z, 1, dim_int(g->dims, k * H), dim_int(g->dims, H));
}

static Graph *lstm_body(Graph *g, DType t)
{
    Graph *body = new_body(g);
    Node *h = carry(body, "h", SHAPE(g, t, B, H)), *c = carry(body, "c", SHAPE(g, t, B, H));
    Node *z = affine(body, t, h, 4 * H);
    Node *f = sigmoid(body, gate(body, z, 0)), *i = sigmoid(body, gate(body, z, 1));
    Node *o = sigmoid(body, gate(body, z, 2)), *n = make_unary(body, OP_tanh, gate(body, z, 3));
    Node *cell = add(body, mul(body, f, c), mul(body, i, n)), *y = mul(body, o, make_unary(body, OP_tanh, cell));
    next(body, "h", y);
    next(body, "c", cell);
    emit_value(body, "0", y);
    return body;
}

static Graph *rnn_body(Graph *g, DType t)
{
    Graph *body = new_body(g);
    Node *h = carry(body, "h", SHAPE(g, t, B, H)), *y = make_unary(body, OP_tanh, affine(body, t, h, H));
    next(body, "h", y);
    emit_value(body, "0", y);
    return body;
}

static Graph *open_graph(void)
{
    return new_graph(arena_new());
}

static void close_graph(Graph *g) { arena_free(g->arena); }

/* ---- products ---- */

/* All steps' x w are one product of T*B rows; h u alone stays. */
static void test_lstm_forward(void **state)
{
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        Graph *g = open_graph();
        ask_all(g, LOOP(g, lstm_body(g, DT_f64), .i = backwards));
        Graph *simple = check(g->arena, g, "lstm");
        assert_int_equal(body_count(simple, 0, OP_einsum), 1);
        assert_int_equal(count_op(simple, OP_einsum), 1);
        assert_int_equal(scan_at(simple, 0)->attr.i, backwards);
        close_graph(g);
    }
}

/* Backwards, dz u^T alone stays; dx, dw, du and db come after the loop, which carries the gradients of h and c only. */
static void check_lstm_gradient(DType dtype, bool backwards)
{
    Graph *g = open_graph();
    ask_all(g, LOOP(g, lstm_body(g, dtype), .i = backwards));
    Graph *simple = check_gradient(g->arena, g, "lstm gradient");
    assert_int_equal(count_op(simple, OP_scan), 2);
    assert_int_equal(body_count(simple, 0, OP_einsum), 1);
    assert_int_equal(body_count(simple, 1, OP_einsum), 1);
    assert_int_equal(body_count(simple, 1, OP_sum), 0);
    assert_int_equal(scan_carry_count(scan_at(simple, 1)), 2);
    assert_int_equal(scan_result_count(scan_at(simple, 1)), 3);
    assert_int_equal(count_op(simple, OP_einsum), 4);
    close_graph(g);
}

static void test_lstm_gradient(void **state)
{
    (void)state;
    check_lstm_gradient(DT_f64, false);
    check_lstm_gradient(DT_f64, true);
    check_lstm_gradient(DT_f32, false);
}

static void test_two_layers(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = rnn_body(g, DT_f64);
    Node *first = make_pick(g, LOOP(g, body), 1);
    Node *turned = make_einsum(g, "tbh,hi->tbi", first, param(g, "v", SHAPE(g, DT_f64, H, I)));
    ask_all(g, LOOP_WITH(g, body, 1, {"x", turned}, {"h", make_full(g, SHAPE(g, DT_f64, B, H), 0)}));
    Graph *simple = check_gradient(g->arena, g, "two layers");
    assert_int_equal(count_op(simple, OP_scan), 4);
    for (int k = 0; k < 4; k++) assert_int_equal(body_count(simple, k, OP_einsum), 1);
    close_graph(g);
}

/* Logits and their loss in the loop: after it. */
static void test_tail(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = rnn_body(g, DT_f64);
    Node *h = body->outputs.at[0].node, *v = outer(body, "v", SHAPE(g, DT_f64, H, 7));
    Node *logits = make_einsum(body, "bh,hv->bv", h, v), *target = each(body, "target", SHAPE(g, DT_bool, B, 7));
    Node *sum = make_reduce(body, OP_sum, make_unary(body, OP_exp, logits), 2);
    Node *hit = make_where(body, target, logits, make_full(body, logits->type, 0));
    Node *loss = add(body, make_unary(body, OP_log, sum), scaled(body, make_reduce(body, OP_sum, hit, 2), -1));
    emit_value(body, "0", loss);
    ask_all(g, LOOP(g, body));
    Graph *simple = check(g->arena, g, "tail");
    assert_int_equal(body_count(simple, 0, OP_einsum), 1);
    assert_int_equal(body_count(simple, 0, OP_exp), 0);
    assert_int_equal(scan_result_count(scan_at(simple, 0)), 2);
    simple = check_gradient(g->arena, g, "tail gradient");
    assert_int_equal(body_count(simple, 0, OP_einsum), 1);
    assert_int_equal(body_count(simple, 1, OP_einsum), 1);
    close_graph(g);
}

/* ---- draws, masks, tables ---- */

static Node *uniform(Graph *g, Type type, Node *index)
{
    Type count = type_scalar(DT_i64);
    Node *args[] = {outer(g, "seed", count), outer(g, "step", count), index};
    return build(g, OP_uniform, args, 3, &(Attr){.text = "key"}, &type);
}

static void test_dropout(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = rnn_body(g, DT_f64);
    Node *h = body->outputs.at[0].node, *u = uniform(body, h->type, place(body));
    Node *keep = make_binary(body, OP_lt, u, make_full(body, u->type, 0.5));
    Node *kept = make_where(body, keep, scaled(body, h, 2), make_full(body, h->type, 0));
    next(body, "h", kept);
    emit_value(body, "0", kept);
    ask_all(g, LOOP(g, body));
    Graph *simple = check_gradient(g->arena, g, "dropout");
    assert_int_equal(count_op(simple, OP_uniform), 1);
    assert_int_equal(body_count(simple, 0, OP_uniform), 0);
    assert_int_equal(body_count(simple, 1, OP_uniform), 0);
    close_graph(g);
}

/* Draws stay inside where all of them would take much room, or most might never be made. */
static void test_draws_that_stay(void **state)
{
    (void)state;
    enum { FEW, MANY, UNTIL, CASES };
    for (int which = FEW; which < CASES; which++) {
        Graph *g = open_graph(), *body = new_body(g);
        Node *h = carry(body, "h", SHAPE(g, DT_f64, H)), *u = uniform(body, h->type, place(body));
        next(body, "h", make_unary(body, OP_tanh, add(body, h, u)));
        if (which == UNTIL) {
            Node *done = carry(body, "done", type_scalar(DT_bool));
            next(body, "done", make_unary(body, OP_not, done));
        }
        const Dim *count = dim_int(g->dims, which == MANY ? 1 << 20 : T);
        Node *scan = LOOP(g, body, .axis = which == UNTIL ? 2 : 0, .count = count);
        emit_value(g, "0", make_pick(g, scan, 0));
        Graph *simple = which == MANY ? simplified(g->arena, g) : check(g->arena, g, "draws");
        assert_int_equal(body_count(simple, 0, OP_uniform), which != FEW);
        close_graph(g);
    }
}

static void test_mask(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = rnn_body(g, DT_f64);
    Node *h = body->outputs.at[0].node, *old = graph_find_input(body, "h");
    Node *mask = make_expand(body, each(body, "mask", SHAPE(g, DT_bool, B)), FIXED(0), SHAPE(g, DT_bool, B, H));
    Node *kept = make_where(body, mask, h, old);
    next(body, "h", kept);
    emit_value(body, "0", make_where(body, mask, kept, make_full(body, h->type, 0)));
    ask_all(g, LOOP(g, body, .i = 1));
    Graph *simple = check_gradient(g->arena, g, "mask");
    assert_int_equal(body_count(simple, 0, OP_einsum), 1);
    assert_int_equal(body_count(simple, 1, OP_einsum), 1);
    close_graph(g);
}

/* Rows of a table come in before the loop; their gradients go back in one scatter, in the order of the loop. */
static void check_table(bool backwards)
{
    Graph *g = open_graph(), *body = new_body(g);
    Node *ids = each(body, "ids", SHAPE(g, DT_i32, B)), *rows = outer(body, "rows", SHAPE(g, DT_f64, 3, H));
    Node *h = carry(body, "h", SHAPE(g, DT_f64, B, H));
    Node *y = make_unary(body, OP_tanh, add(body, h, make_gather(body, rows, &ids, 1, 0)));
    next(body, "h", y);
    emit_value(body, "0", y);
    ask_all(g, LOOP(g, body, .i = backwards));
    Graph *simple = check_gradient(g->arena, g, "table");
    assert_int_equal(count_op(simple, OP_gather), 1);
    assert_int_equal(count_op(simple, OP_scatter), 1);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(body_count(simple, k, OP_gather), 0);
        assert_int_equal(body_count(simple, k, OP_scatter), 0);
    }
    close_graph(g);
}

static void test_table(void **state)
{
    (void)state;
    check_table(false);
    check_table(true);
}

/* Rows are added in the order of the loop: 1 first, or 1 last, beside numbers that swallow it. */
static void test_order_of_rows(void **state)
{
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        Graph *g = open_graph(), *body = new_body(g);
        Type one = SHAPE(g, DT_f64, 1);
        Node *sum = carry(body, "sum", one), *x = each(body, "x", one), *ids = each(body, "ids", SHAPE(g, DT_i32, 1));
        next(body, "sum", add(body, sum, make_scatter(body, make_full(body, one, 0), x, &ids, 1, 0, true)));
        Node *scan = loop(g, body, 3, (Attr){.i = backwards}, (Given[]){{"sum", make_full(g, one, 0)}}, 1);
        emit_value(g, "0", make_pick(g, scan, 0));
        Graph *simple = simplified(g->arena, g);
        assert_int_equal(count_op(simple, OP_scan), 0);
        Tensor **inputs = random_inputs(g->arena, simple, 0, 1, 1);
        for (int k = 0; k < simple->inputs.count; k++) {
            const double values[] = {1, 1e20, -1e20};
            for (int64_t j = 0; j < 3; j++) {
                if (inputs[k]->f) inputs[k]->f[j] = values[j];
                else inputs[k]->i[j] = 0;
            }
        }
        assert_true(evaluate(g->arena, simple, inputs)[0]->f[0] == backwards);
        close_graph(g);
    }
}

/* Every form that an indexing of what changes with the place can have. */
static void test_indexing(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = new_body(g);
    Type table = SHAPE(g, DT_f64, 3, 3, 3);
    Node *x = each(body, "x", table), *w = outer(body, "w", table), *ids = each(body, "ids", SHAPE(g, DT_i32, 2));
    Node *fixed = outer(body, "fixed", SHAPE(g, DT_i32, 2));
    Node *own = each(body, "own", SHAPE(g, DT_f64, 2, 3, 3)), *inner = each(body, "inner", SHAPE(g, DT_f64, 3, 2, 3));
    emit_value(body, "0", make_gather(body, w, &ids, 1, 1));
    emit_value(body, "1", make_gather(body, x, &fixed, 1, 1));
    emit_value(body, "2", make_gather(body, x, &ids, 1, 0));
    emit_value(body, "3", make_gather(body, x, &ids, 1, 1));
    emit_value(body, "4", make_gather(body, x, (Node *[]){ids, fixed}, 2, 0));
    emit_value(body, "5", make_scatter(body, x, own, &ids, 1, 0, true));
    emit_value(body, "6", make_scatter(body, w, own, &ids, 1, 0, false));
    emit_value(body, "7", make_scatter(body, x, inner, &fixed, 1, 1, false));
    emit_value(body, "8", make_scatter(body, w, inner, &ids, 1, 1, true));
    emit_value(body, "9", make_gather(body, w, &fixed, 1, 2));
    ask_all(g, LOOP(g, body));
    Graph *simple = check(g->arena, g, "indexing");
    assert_int_equal(body_count(simple, 0, OP_gather), 1);           /* "3" */
    assert_int_equal(body_count(simple, 0, OP_scatter), 1);          /* "8" */
    close_graph(g);
}

/* Movement, reductions and running sums on the way to a product. */
static void test_movement(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = new_body(g);
    Node *x = each(body, "x", SHAPE(g, DT_f64, 6, 4)), *h = carry(body, "h", SHAPE(g, DT_f64, 3, 8));
    Node *w = outer(body, "w", SHAPE(g, DT_f64, 8, 8));
    Node *turned = make_permute(body, build_flip(body, x, 0), FIXED(1, 0));
    Node *part = build_part(body, turned, 1, dim_int(g->dims, 1), dim_int(g->dims, 3));
    Node *flat = make_reshape(body, make_permute(body, part, FIXED(1, 0)), SHAPE(g, DT_f64, 3, 4));
    Node *wide = make_concat(body, (Node *[]){flat, make_cumsum(body, flat, 1)}, 2, 1);
    Node *windows = make_window(body, build_place(body, wide, 1, dim_int(g->dims, 1), dim_int(g->dims, 10)), 1, 1,
                                SHAPE(g, DT_f64, 3, 8, 3));
    Node *most = make_reduce(body, OP_reduce_max, windows, 4);
    Node *z = add(body, make_einsum(body, "ab,bc->ac", most, w), scaled(body, h, 0.5));
    next(body, "h", make_unary(body, OP_tanh, z));
    ask_all(g, LOOP(g, body, .i = 1));
    Graph *simple = check(g->arena, g, "movement");
    const Node *scan = scan_at(simple, 0);
    assert_int_equal(scan->arg_count, 2);
    assert_int_equal(count_op(scan->region, OP_einsum) + count_op(scan->region, OP_reduce_max), 0);
    check_gradient(g->arena, g, "movement gradient");
    close_graph(g);
}

/* ---- sums ---- */

/* Sums over the iterations: linear in products, sums over axes and plain values; one that is read inside stays. */
static void test_sums(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = new_body(g);
    Type row = SHAPE(g, DT_f64, B, H), square = SHAPE(g, DT_f64, H, H);
    Node *h = carry(body, "h", row), *x = each(body, "x", row);
    Node *y = make_unary(body, OP_tanh, add(body, scaled(body, h, 0.3), x));
    next(body, "h", y);
    emit_value(body, "0", y);
    Node *grown = carry(body, "grown", square), *bias = carry(body, "bias", SHAPE(g, DT_f64, H));
    Node *product = make_einsum(body, "bi,bj->ij", h, y);
    next(body, "grown", add(body, scaled(body, make_permute(body, product, FIXED(1, 0)), -2),
                            add(body, make_einsum(body, "bi,bj->ij", x, y), grown)));
    next(body, "bias", add(body, bias, make_reduce(body, OP_sum, mul(body, y, y), 1)));
    Node *plain = carry(body, "plain", row), *steps = carry(body, "_steps", type_scalar(DT_i32));
    next(body, "plain", add(body, plain, x));
    next(body, "_steps", add(body, steps, make_whole(body, DT_i32, 3)));
    Node *read = carry(body, "read", row);
    next(body, "read", add(body, read, mul(body, read, y)));
    ask_all(g, LOOP(g, body));
    Graph *simple = check(g->arena, g, "sums");
    assert_int_equal(scan_carry_count(scan_at(simple, 0)), 2);
    assert_int_equal(body_count(simple, 0, OP_einsum) + body_count(simple, 0, OP_sum), 0);
    assert_int_equal(count_op(simple, OP_einsum), 2);
    check_gradient(g->arena, g, "sums gradient");
    close_graph(g);
}

/* A sum over axes of what nobody stacks is added up inside. */
static void test_sum_inside(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = rnn_body(g, DT_f64);
    Node *h = body->outputs.at[0].node, *total = carry(body, "total", type_scalar(DT_f64));
    body->outputs.count = 1;
    next(body, "total", add(body, total, make_reduce(body, OP_sum, mul(body, h, h), 3)));
    ask_all(g, LOOP(g, body));
    Graph *simple = check(g->arena, g, "sum inside");
    assert_int_equal(scan_carry_count(scan_at(simple, 0)), 2);
    assert_int_equal(scan_result_count(scan_at(simple, 0)), 2);
    close_graph(g);
}

/* ---- what is the same, what is dead ---- */

static void test_dead(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = rnn_body(g, DT_f64);
    Node *h = body->outputs.at[0].node, *idle = carry(body, "idle", h->type), *unread = each(body, "unread", h->type);
    next(body, "idle", add(body, idle, make_unary(body, OP_exp, unread)));
    emit_value(body, "1", mul(body, h, h));
    emit_value(body, "2", h);
    Node *scan = LOOP(g, body);
    emit_value(g, "first", make_pick(g, scan, 2));
    emit_value(g, "second", make_pick(g, scan, 4));
    Graph *simple = check(g->arena, g, "dead");
    scan = (Node *)scan_at(simple, 0);
    assert_int_equal(scan_carry_count(scan), 1);
    assert_int_equal(scan_result_count(scan), 2);
    assert_ptr_equal(simple->outputs.at[0].node, simple->outputs.at[1].node);
    assert_null(graph_find_input(simple, "unread"));
    close_graph(g);
}

/* Nothing is left of a loop in which nothing is carried. */
static void test_no_loop(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = new_body(g);
    Type row = SHAPE(g, DT_f64, H);
    Node *x = each(body, "x", row), *w = outer(body, "w", row), *same = carry(body, "same", row);
    Node *index = make_broadcast(body, make_cast(body, place(body), DT_f64), row);
    next(body, "same", same);
    emit_value(body, "0", mul(body, x, make_unary(body, OP_exp, w)));
    emit_value(body, "1", add(body, index, same));
    emit_value(body, "2", make_unary(body, OP_exp, w));
    emit_value(body, "3", make_full(body, row, 4));
    ask_all(g, LOOP(g, body, .i = 1));
    assert_int_equal(count_op(check(g->arena, g, "no loop"), OP_scan), 0);
    check_gradient(g->arena, g, "no loop gradient");
    close_graph(g);
}

/* Arguments that are one, constants, those that repeat, indices. */
static void test_arguments(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = new_body(g);
    Type row = SHAPE(g, DT_f64, B), all = SHAPE(g, DT_f64, T, B);
    Node *h = carry(body, "h", row), *sum = h;
    static const char *const names[] = {"a", "b", "ones", "repeated", "counted", "column"};
    for (int k = 0; k < 6; k++) sum = add(body, sum, mul(body, each(body, names[k], row), h));
    Node *u = outer(body, "u", row), *v = outer(body, "v", row);
    next(body, "h", make_unary(body, OP_tanh, add(body, sum, mul(body, u, add(body, v, outer(body, "two", row))))));
    Node *x = param(g, "x", all), *w = param(g, "w", row), *one = param(g, "one", SHAPE(g, DT_f64, 1, B));
    ask_all(g, LOOP_WITH(g, body, 0, {"a", x}, {"b", x}, {"ones", make_full(g, all, 1)},
                         {"repeated", make_expand(g, one, FIXED(0, 1), all)}, {"counted", make_iota(g, all, 0)},
                         {"column", make_iota(g, all, 1)}, {"u", w}, {"v", w}, {"two", make_full(g, row, 2)}));
    Graph *simple = check(g->arena, g, "arguments");
    const Node *scan = scan_at(simple, 0);
    assert_int_equal(scan->arg_count, 4);                            /* h, x, one, w * (w + 2) */
    assert_non_null(graph_find_input(scan->region, "index"));
    check_gradient(g->arena, g, "arguments gradient");
    close_graph(g);
}

/* What was there an iteration ago: products of it leave the loop too. */
static Graph *check_delays(Graph *g, const Dim *count, bool backwards)
{
    Graph *body = rnn_body(g, DT_f64);
    Node *x = graph_find_input(body, "x"), *late = carry(body, "late", x->type);
    Node *later = carry(body, "later", x->type);
    Node *h = body->outputs.at[0].node, *v = outer(body, "v", SHAPE(g, DT_f64, I, H));
    Node *y = add(body, h, make_einsum(body, "bi,ij->bj", late, v));
    next(body, "h", make_unary(body, OP_tanh, add(body, y, make_einsum(body, "bi,ij->bj", later, v))));
    next(body, "late", x);
    next(body, "later", late);
    ask_all(g, LOOP(g, body, .i = backwards, .count = count));
    Graph *simple = check(g->arena, g, "delays");
    check_gradient(g->arena, g, "delays gradient");
    return simple;
}

static void test_delays(void **state)
{
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        Graph *g = open_graph(), *simple = check_delays(g, dim_int(g->dims, T), backwards);
        assert_int_equal(scan_carry_count(scan_at(simple, 0)), 1);
        assert_int_equal(body_count(simple, 0, OP_einsum), 1);
        close_graph(g);
        for (int length = 1; length < 4; length++) {
            g = open_graph();
            check_delays(g, dim_symbol(g->dims, "T", length), backwards);
            close_graph(g);
        }
    }
}

/* ---- loops that may end early, or never begin ---- */

/* What does not depend on carries leaves, but results behind the end stay zero. */
static void test_until(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = rnn_body(g, DT_f64);
    Node *h = body->outputs.at[0].node, *done = carry(body, "done", type_scalar(DT_bool)), *x = body->inputs.at[1];
    Node *n = carry(body, "_n", type_scalar(DT_i64)), *ids = each(body, "ids", SHAPE(g, DT_i32, B));
    Node *limit = make_whole(body, DT_i64, 2);
    (void)done;
    next(body, "_n", add(body, n, make_whole(body, DT_i64, 1)));
    next(body, "done", make_binary(body, OP_lt, limit, n));
    emit_value(body, "1", x);
    emit_value(body, "2", make_full(body, h->type, 1));
    emit_value(body, "3", make_gather(body, outer(body, "rows", SHAPE(g, DT_f64, 3, I)), &ids, 1, 0));
    Node *scan = loop(g, body, T, (Attr){.axis = 2}, (Given[]){{"done", make_whole(g, DT_bool, 0)},
                      {"_n", make_whole(g, DT_i64, 0)}}, 2);
    for (int k = 0; k < scan_result_count(scan); k++)
        emit_value(g, arena_print(g->arena, "%d", k), make_pick(g, scan, k));
    Graph *simple = check(g->arena, g, "until");
    scan = (Node *)scan_at(simple, 0);
    assert_int_equal(scan_result_count(scan), 3 + 4);
    assert_int_equal(count_op(scan->region, OP_einsum), 1);
    assert_int_equal(count_op(scan->region, OP_gather), 1);
    assert_string_equal(scan_carry(scan, scan->attr.axis - 1)->attr.text, "done");
    close_graph(g);
}

/* Rows that are not there are no error of a loop that makes no iteration, be they in a loop in it. */
static void test_never_begun(void **state)
{
    (void)state;
    for (int until = 0; until < 2; until++) {
        Graph *g = open_graph(), *inner = new_body(g), *body = new_body(g);
        Type row = SHAPE(g, DT_f64, H);
        Node *h = carry(inner, "h", row), *id = each(inner, "id", type_scalar(DT_i32));
        Node *rows = outer(inner, "rows", SHAPE(g, DT_f64, 1, H));
        next(inner, "h", make_unary(inner, OP_tanh, add(inner, h, make_gather(inner, rows, &id, 1, 0))));
        Node *sum = carry(body, "sum", row), *first = make_full(body, row, 0);
        Node *ids = outer(body, "ids", SHAPE(g, DT_i32, T)), *done = carry(body, "done", type_scalar(DT_bool));
        Node *args[] = {first, ids, outer(body, "rows", SHAPE(g, DT_f64, 1, H))};
        Node *scan = make_scan(body, args, 3, &(Attr){.count = dim_int(g->dims, T)}, inner);
        next(body, "sum", add(body, sum, make_pick(body, scan, 0)));
        next(body, "done", done);
        Given given[] = {{"ids", make_full(g, ids->type, 3)}, {"done", make_whole(g, DT_bool, 1)}};
        scan = loop(g, body, until ? T : 0, (Attr){.axis = until ? 2 : 0}, given, 2);
        emit_value(g, "0", make_pick(g, scan, 0));
        check(g->arena, g, "never begun");
        close_graph(g);
    }
}

/* There is no axis left for the places of a value, but for those of a view of it. */
static void test_full_rank(void **state)
{
    (void)state;
    Graph *g = open_graph(), *body = new_body(g);
    Node *h = carry(body, "h", SHAPE(g, DT_f64, 2, 1, 2, 1, 2, 1, 1, 2)), *x = each(body, "x", type_scalar(DT_f64));
    h = make_unary(body, OP_tanh, mul(body, h, make_broadcast(body, x, h->type)));
    next(body, "h", h);
    emit_value(body, "0", make_reshape(body, h, SHAPE(g, DT_f64, 16)));
    emit_value(body, "1", scaled(body, make_reshape(body, h, SHAPE(g, DT_f64, 4, 4)), 2));
    ask_all(g, LOOP(g, body));
    check_gradient(g->arena, g, "full rank");
    close_graph(g);
}

/* Bodies as deep as a long program: neither they nor what leaves them takes a deep stack. */
static void test_deep(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        Graph *g = open_graph(), *body = new_body(g);
        Type one = type_scalar(DT_f64);
        Node *h = carry(body, "h", one), *x = kind == 0 ? each(body, "x", one) : outer(body, "x", one);
        Node *y = kind == 2 ? x : h;
        for (int k = 0; k < 60000; k++) y = make_unary(body, k % 2 ? OP_sin : OP_exp, y);
        next(body, "h", kind == 2 ? make_unary(body, OP_tanh, add(body, h, y)) : mul(body, x, y));
        emit_value(body, "0", y);
        ask_all(g, LOOP(g, body));
        Graph *simple = simplified(g->arena, g);
        if (kind == 2) assert_int_equal(body_count(simple, 0, OP_sin), 0);
        close_graph(g);
    }
}

static void check_length(int length)
{
    Graph *g = open_graph();
    ask_all(g, loop(g, lstm_body(g, DT_f64), length, (Attr){0}, NULL, 0));
    check_gradient(g->arena, g, "length");
    close_graph(g);
}

static void test_lengths(void **state)
{
    (void)state;
    check_length(0);
    check_length(1);
    check_length(2);
}

/* ---- loops in loops ---- */

/* h = tanh(h u_n + x w + v) for all n, in every step; u_n and v of the inner loop, x of the outer one, w of neither. */
static void test_nested(void **state)
{
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        Graph *g = open_graph(), *inner = new_body(g), *body = new_body(g);
        Type row = SHAPE(g, DT_f64, B, H), square = SHAPE(g, DT_f64, H, H);
        Node *h = carry(inner, "h", row), *u = each(inner, "u", square), *x = outer(inner, "x", row);
        Node *w = outer(inner, "w", square), *v = outer(inner, "v", SHAPE(g, DT_f64, H));
        Node *z = add(inner, make_einsum(inner, "bh,hj->bj", h, u), make_einsum(inner, "bh,hj->bj", x, w));
        Node *noise = uniform(inner, row, add(inner, mul(inner, outer(inner, "t", type_scalar(DT_i64)),
                              make_whole(inner, DT_i64, T)), place(inner)));
        Node *y = make_unary(inner, OP_tanh, add(inner, add(inner, z, noise), make_broadcast(inner, v, row)));
        next(inner, "h", y);
        emit_value(inner, "0", y);
        Type number = type_scalar(DT_i64);
        Node *args[] = {carry(body, "h", row),         outer(body, "u", SHAPE(g, DT_f64, T, H, H)),
                        each(body, "x", row),          outer(body, "w", square),
                        outer(body, "v", SHAPE(g, DT_f64, H)), place(body),
                        outer(body, "seed", number),   outer(body, "step", number)};
        Node *scan = make_scan(body, args, 8, &(Attr){.i = backwards, .count = dim_int(g->dims, T)}, inner);
        next(body, "h", make_pick(body, scan, 0));
        emit_value(body, "0", make_reduce(body, OP_sum, make_pick(body, scan, 1), 1));
        ask_all(g, LOOP(g, body));
        Graph *simple = check(g->arena, g, "nested");
        const Graph *outside = scan_at(simple, 0)->region;
        assert_int_equal(count_op(simple, OP_einsum), 1);
        assert_int_equal(count_op(simple, OP_uniform), 1);
        assert_int_equal(count_op(outside, OP_einsum) + count_op(outside, OP_uniform), 0);
        assert_int_equal(body_count(outside, 0, OP_einsum), 1);
        assert_int_equal(body_count(outside, 0, OP_uniform), 0);
        check_gradient(g->arena, g, "nested gradient");
        close_graph(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lstm_forward), cmocka_unit_test(test_lstm_gradient), cmocka_unit_test(test_two_layers),
        cmocka_unit_test(test_tail),         cmocka_unit_test(test_dropout),       cmocka_unit_test(test_mask),
        cmocka_unit_test(test_draws_that_stay),
        cmocka_unit_test(test_table),        cmocka_unit_test(test_indexing),      cmocka_unit_test(test_movement),
        cmocka_unit_test(test_sums),         cmocka_unit_test(test_sum_inside),    cmocka_unit_test(test_dead),
        cmocka_unit_test(test_no_loop),      cmocka_unit_test(test_arguments),     cmocka_unit_test(test_until),
        cmocka_unit_test(test_lengths),      cmocka_unit_test(test_nested),
        cmocka_unit_test(test_order_of_rows), cmocka_unit_test(test_delays),
        cmocka_unit_test(test_never_begun),  cmocka_unit_test(test_full_rank),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
