/* Simplification keeps values: on every sample and its gradient, and on random graphs; and each rule does what it is
 * for. */
#include "tests/passes/samples.h"

static Graph *simplified(Arena *arena, const Graph *g)
{
    PassOptions options = {0};
    Graph *simple = pass_simplify(arena, g, &options, diag_new(arena));
    const char *reason = graph_verify(simple, arena);
    if (reason) fail_msg("%s", reason);
    return simple;
}

/* Rounding differs where a rule says so: a few units in the last place, grown by sums of up to a few hundred terms. */
static bool close_enough(DType dtype, double a, double b)
{
    double unit = dtype == DT_f64 ? 1e-12 : 2e-5;
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= unit * fmax(1, fmax(fabs(a), fabs(b)));
}

static void compare_outputs(Arena *arena, const Graph *g, const Graph *simple, Tensor *const *inputs, const char *what)
{
    Tensor **before = evaluate(arena, g, inputs),
           **after = evaluate(arena, simple, same_inputs(arena, simple, g, inputs));
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

static void check_same(Arena *arena, const Graph *g, double low, const char *what)
{
    PassOptions options = options_for(arena, g);
    Graph *gradient = pass_grad(arena, g, &options, diag_new(arena)), *simple = simplified(arena, gradient);
    compare_outputs(arena, gradient, simple, random_inputs(arena, gradient, low, 2, 3), what);
    Graph *again = simplified(arena, simple);
    compare_outputs(arena, gradient, again, random_inputs(arena, gradient, low, 2, 3), what);
}

static void test_samples(void **state)
{
    (void)state;
    for (int k = 0; k < SAMPLE_COUNT; k++) {
        Arena *arena = arena_new();
        Graph *g = new_graph(arena);
        weigh(g, samples[k].make(g));
        check_same(arena, g, -2, samples[k].name);
        arena_free(arena);
    }
}

static void test_elements(void **state)
{
    (void)state;
#define STRUCTURAL(...)
#define ELEMENT(name, arity, types, result, ...) \
    for (int s = 0, n = 1; s < n; s++) { \
        Arena *arena = arena_new(); \
        Graph *g = new_graph(arena); \
        Node *y = sample_element(g, OP_##name, #types, #result, sample_shapes(g, &n)[s]); \
        if (y) { \
            weigh(g, y); \
            check_same(arena, g, 0, #name); \
        } \
        arena_free(arena); \
    }
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
}

/* Random graphs: nodes are drawn from a pool of values over the lengths 1, 2, 3 and 4. */

typedef struct Pool {
    Graph   *g;
    uint64_t state;
    Node    *at[64];
    int      count;
} Pool;

static Node *pick(Pool *p) { return p->at[random_below(&p->state, p->count)]; }

static Node *constant(Pool *p, Type type)
{
    static const double values[] = {0.0, -0.0, 1, -1, 2, 3, 0.5, -0.5, 1.5, 4};
    double value = values[random_below(&p->state, 10)];
    return make_full(p->g, type, dtype_is_float(type.dtype) ? value : random_below(&p->state, 2));
}

static Node *random_element(Pool *p, Node *x)
{
    static const Op floats[] = {OP_add, OP_mul, OP_max, OP_div, OP_pow};
    static const Op wholes[] = {OP_add, OP_mul, OP_max, OP_floordiv};
    Graph *g = p->g;
    Node *y = random_below(&p->state, 2) ? constant(p, x->type) : x;
    for (int k = 0; k < p->count; k++)
        if (type_equal(&p->at[k]->type, &x->type) && random_below(&p->state, 3) == 0) y = p->at[k];
    if (x->type.dtype == DT_bool)
        return random_below(&p->state, 2) ? make_unary(g, OP_not, x) : make_binary(g, OP_and, x, y);
    int kind = random_below(&p->state, 7);
    if (kind == 0) return make_binary(g, OP_lt, x, y);
    if (kind == 1) return make_binary(g, OP_eq, x, y);
    if (kind == 2) return make_where(g, constant(p, type_of(DT_bool, x->type.rank, x->type.dim)), x, y);
    if (!dtype_is_float(x->type.dtype)) return make_binary(g, wholes[random_below(&p->state, 4)], x, y);
    if (kind == 3) return make_unary(g, OP_tanh, x);
    return make_binary(g, floats[random_below(&p->state, 5)], x, y);
}

static Node *random_permute(Pool *p, Node *x)
{
    int8_t map[MAX_RANK];
    for (int k = 0; k < x->type.rank; k++) map[k] = (int8_t)k;
    for (int k = x->type.rank - 1; k > 0; k--) {
        int j = random_below(&p->state, k + 1);
        int8_t swap = map[k];
        map[k] = map[j];
        map[j] = swap;
    }
    return make_permute(p->g, x, map);
}

static Node *random_expand(Pool *p, Node *x)
{
    Type type = {.dtype = x->type.dtype};
    int8_t map[MAX_RANK] = {0};
    for (int k = 0; k <= x->type.rank; k++) {
        if (type.rank + x->type.rank - k < 4 && random_below(&p->state, 3) == 0)
            type.dim[type.rank++] = dim_int(p->g->dims, 1 + random_below(&p->state, 4));
        if (k == x->type.rank) break;
        map[k] = (int8_t)type.rank;
        bool stretch = dim_is(x->type.dim[k], 1) && random_below(&p->state, 2);
        type.dim[type.rank++] = stretch ? dim_int(p->g->dims, 3) : x->type.dim[k];
    }
    return make_expand(p->g, x, map, type);
}

/* Ones added and left out, or everything in one axis. */
static Node *random_reshape(Pool *p, Node *x)
{
    Type type = {.dtype = x->type.dtype};
    if (random_below(&p->state, 3) == 0) {
        type.rank = 1;
        type.dim[0] = type_elements(p->g->dims, &x->type);
        return make_reshape(p->g, x, type);
    }
    for (int k = 0; k < x->type.rank; k++) {
        if (dim_is(x->type.dim[k], 1) && random_below(&p->state, 2)) continue;
        if (type.rank + x->type.rank - k < 4 && random_below(&p->state, 3) == 0)
            type.dim[type.rank++] = dim_int(p->g->dims, 1);
        type.dim[type.rank++] = x->type.dim[k];
    }
    return make_reshape(p->g, x, type);
}

static Node *random_slice(Pool *p, Node *x)
{
    const Dim *start[MAX_RANK];
    int64_t step[MAX_RANK];
    Type type = x->type;
    for (int k = 0; k < type.rank; k++) {
        int n = (int)dim_value(type.dim[k]);
        bool back = random_below(&p->state, 3) == 0;
        int first = random_below(&p->state, 2) ? (back ? n - 1 : 0) : random_below(&p->state, n);
        int room = back ? first + 1 : n - first, wide = 1 + random_below(&p->state, 2);
        step[k] = back ? -wide : wide;
        start[k] = dim_int(p->g->dims, first);
        type.dim[k] = dim_int(p->g->dims, (room + wide - 1) / wide);
    }
    return make_slice(p->g, x, start, step, type);
}

static Node *random_pad(Pool *p, Node *x)
{
    const Dim *before[MAX_RANK];
    Type type = x->type;
    for (int k = 0; k < type.rank; k++) {
        int left = random_below(&p->state, 2), n = (int)dim_value(type.dim[k]);
        before[k] = dim_int(p->g->dims, left);
        type.dim[k] = dim_int(p->g->dims, n + left > 4 ? n + left : n + left + random_below(&p->state, 2));
    }
    return make_pad(p->g, x, before, type);
}

static Node *random_reduce(Pool *p, Node *x)
{
    uint32_t axes = (uint32_t)random_below(&p->state, 1 << x->type.rank);
    if (!axes) axes = 1;
    return make_reduce(p->g, random_below(&p->state, 2) ? OP_sum : OP_reduce_max, x, axes);
}

/* Letters of the second argument are those of the first where lengths agree by chance, else new ones. */
static Node *random_einsum(Pool *p, Node *x)
{
    Node *y = pick(p);
    char text[40] = {0}, b[8] = {0}, result[16] = {0};
    if (y->type.dtype != x->type.dtype) return x;
    int used = x->type.rank, kept = 0;
    for (int k = 0; k < y->type.rank; k++) {
        b[k] = (char)('a' + used);
        for (int j = 0; j < x->type.rank; j++)
            if (x->type.dim[j] == y->type.dim[k] && !strchr(b, 'a' + j) && random_below(&p->state, 3))
                b[k] = (char)('a' + j);
        if (b[k] == 'a' + used) used++;
    }
    for (int k = 0; k < used && kept < 4; k++) {
        int letter = (k * 3 + 1) % used;
        if (random_below(&p->state, 2) && !strchr(result, 'a' + letter)) result[kept++] = (char)('a' + letter);
    }
    snprintf(text, sizeof text, "%.*s,%s->%s", x->type.rank, "abcd", b, result);
    return make_einsum(p->g, text, x, y);
}

static Node *random_node(Pool *p)
{
    Node *x = pick(p);
    int kind = random_below(&p->state, 14);
    bool number = x->type.dtype != DT_bool;
    if (kind == 0)
        return make_cast(p->g, x, (DType[]){DT_f32, DT_i32, DT_f64, DT_bool, DT_u8}[random_below(&p->state, 5)]);
    if (kind == 1) return random_expand(p, x);
    if (kind == 2 && x->type.rank > 0) return random_permute(p, x);
    if (kind == 3) return random_reshape(p, x);
    if (kind == 4 && x->type.rank > 0) return random_slice(p, x);
    if (kind == 5 && x->type.rank > 0) return random_pad(p, x);
    if ((kind == 6 || kind == 7) && x->type.rank > 0 && number) return random_reduce(p, x);
    if ((kind == 8 || kind == 9) && number) return random_einsum(p, x);
    return random_element(p, x);
}

/* Values stay small, so that rounding differences do not meet overflow or the edge of an integer. */
static bool is_tame(Arena *arena, Graph *g, Node *node, Tensor *const *inputs)
{
    if (type_value_elements(&node->type) > 300 || node->type.rank > 4) return false;
    Graph probe = *g;
    Output output = {OUTPUT_result, "probe", node};
    probe.outputs.at = &output;
    probe.outputs.count = 1;
    Tensor *value = evaluate(arena, &probe, inputs)[0];
    for (int64_t k = 0; k < value->count; k++)
        if (value->f ? !(fabs(value->f[k]) < 1e3) : llabs(value->i[k]) > 100) return false;
    return true;
}

/* A comparison or a whole number made of a float would show a last-place difference as another value. */
static bool is_discrete_of_float(const Node *node)
{
    bool from_float = node->arg_count > 0 && dtype_is_float(node->args[0]->type.dtype);
    return (from_float && !dtype_is_float(node->type.dtype)) || node->op == OP_floordiv || node->op == OP_floor;
}

static void check_random_graph(uint64_t seed)
{
    Arena *arena = arena_new();
    Pool p = {.g = new_graph(arena), .state = seed};
    Graph *g = p.g;
    p.at[p.count++] = data(g, "a", SHAPE(g, DT_f64, 2, 3));
    p.at[p.count++] = data(g, "b", SHAPE(g, DT_f64, 3, 1, 2));
    p.at[p.count++] = data(g, "c", type_scalar(DT_f64));
    p.at[p.count++] = data(g, "d", SHAPE(g, DT_i32, 3, 2));
    p.at[p.count++] = data(g, "e", SHAPE(g, DT_bool, 2, 3));
    p.at[p.count++] = constant(&p, SHAPE(g, DT_f64, 2, 3));
    p.at[p.count++] = make_iota(g, SHAPE(g, DT_f64, 2, 3), 1);
    Tensor **inputs = random_inputs(arena, g, 0, 2, seed);
    for (int tries = 0; tries < 80 && p.count < 40; tries++) {
        Node *node = random_node(&p);
        if (!is_discrete_of_float(node) && is_tame(arena, g, node, inputs)) p.at[p.count++] = node;
    }
    for (int k = 0; k < 4; k++) graph_output(g, OUTPUT_result, arena_print(arena, "%d", k), p.at[p.count - 1 - 3 * k]);
    compare_outputs(arena, g, simplified(arena, g), inputs, arena_print(arena, "seed %llu", (unsigned long long)seed));
    arena_free(arena);
}

static void test_random_graphs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) check_random_graph(seed);
}

/* Single rules. */

static Graph *result_of(Node *(*make)(Graph *g), Arena *arena)
{
    Graph *g = new_graph(arena);
    graph_output(g, OUTPUT_result, "0", make(g));
    return simplified(arena, g);
}

static Node *square(Graph *g)
{
    Node *x = data(g, "x", SHAPE(g, DT_f32, 3));
    return make_binary(g, OP_pow, x, make_full(g, x->type, 2));
}

static Node *constant_arithmetic(Graph *g)
{
    Type type = SHAPE(g, DT_f32, 3);
    return make_binary(g, OP_mul, make_full(g, type, 3), make_unary(g, OP_exp, make_full(g, type, 0)));
}

static Node *transposed_product(Graph *g)
{
    Node *x = make_permute(g, data(g, "x", SHAPE(g, DT_f32, 3, 5)), FIXED(1, 0));
    return make_permute(g, make_einsum(g, "ij,jk->ik", x, data(g, "y", SHAPE(g, DT_f32, 3, 2))), FIXED(1, 0));
}

static Node *not_zero_times(Graph *g)
{
    Node *x = data(g, "x", SHAPE(g, DT_f32, 3));
    return make_binary(g, OP_mul, x, make_full(g, x->type, 0));
}

static Node *kept_axis(Graph *g)
{
    Node *x = data(g, "x", SHAPE(g, DT_f32, 3, 5));
    Node *sum = make_reshape(g, make_reduce(g, OP_sum, x, 2), SHAPE(g, DT_f32, 3, 1));
    return make_binary(g, OP_add, x, make_broadcast(g, sum, x->type));
}

static Node *sum_of_sum(Graph *g)
{
    Node *x = data(g, "x", SHAPE(g, DT_f32, 3, 5, 7));
    return make_reduce(g, OP_sum, make_reduce(g, OP_sum, x, 1), 1);
}

static Node *sum_and_zero(Graph *g)
{
    Node *x = data(g, "x", SHAPE(g, DT_f32, 3, 5)), *sum = make_reduce(g, OP_sum, x, 1);
    Node *product = make_einsum(g, "ij,ij->j", x, x);
    return make_binary(g, OP_mul, make_binary(g, OP_add, product, make_full(g, product->type, 0)),
                       make_binary(g, OP_add, make_full(g, sum->type, 0), sum));
}

/* A product cannot write rows of a letter that both arguments have. */
static Node *batch_last(Graph *g)
{
    Node *x = data(g, "x", SHAPE(g, DT_f32, 2, 3, 5)), *y = data(g, "y", SHAPE(g, DT_f32, 2, 5, 7));
    return make_permute(g, make_einsum(g, "bij,bjk->bik", x, y), FIXED(1, 2, 0));
}

static Node *seen_twice(Graph *g)
{
    Node *x = data(g, "x", SHAPE(g, DT_f32, 3, 5)), *y = data(g, "y", SHAPE(g, DT_f32, 5, 3));
    Node *product = make_einsum(g, "ij,jk->ik", x, y);
    return make_binary(g, OP_mul, product, make_permute(g, product, FIXED(1, 0)));
}

static void test_rules(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = result_of(square, arena);
    assert_int_equal(count_op(g, OP_pow), 0);
    assert_int_equal(count_op(g, OP_mul), 1);
    g = result_of(constant_arithmetic, arena);
    assert_int_equal(g->nodes.count, 2);
    g = result_of(transposed_product, arena);
    assert_int_equal(count_op(g, OP_permute), 0);
    assert_string_equal(g->outputs.at[0].node->attr.text, "ji,jk->ki");
    g = result_of(not_zero_times, arena);
    assert_int_equal(count_op(g, OP_mul), 1);
    g = result_of(kept_axis, arena);
    assert_int_equal(count_op(g, OP_reshape), 0);
    g = result_of(sum_of_sum, arena);
    assert_int_equal(count_op(g, OP_sum), 1);
    g = result_of(sum_and_zero, arena);
    assert_int_equal(count_op(g, OP_add), 0);
    g = result_of(batch_last, arena);
    assert_int_equal(count_op(g, OP_permute), 1);
    g = result_of(seen_twice, arena);
    assert_int_equal(count_op(g, OP_einsum), 1);
    arena_free(arena);
}

static void test_cut(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Node *x = data(g, "x", SHAPE(g, DT_f64, 512, 128));
    graph_output(g, OUTPUT_result, "all", make_reduce(g, OP_sum, x, 3));
    graph_output(g, OUTPUT_result, "rows", make_reduce(g, OP_sum, x, 1));
    graph_output(g, OUTPUT_result, "columns", make_reduce(g, OP_sum, x, 2));
    graph_output(g, OUTPUT_result, "apart",
                 make_reduce(g, OP_sum, make_reshape(g, x, SHAPE(g, DT_f64, 32, 16, 128)), 5));
    Graph *simple = simplified(arena, g);
    for (int k = 0; k < simple->nodes.count; k++) {
        const Node *node = simple->nodes.at[k];
        if (node->op != OP_sum) continue;
        uint32_t axes = node->attr.axes >> __builtin_ctz(node->attr.axes);
        assert_int_equal(axes & (axes + 1), 0);
    }
    assert_int_equal(simple->outputs.at[0].node->args[0]->op, OP_sum);
    assert_int_equal(simple->outputs.at[1].node->args[0]->op, OP_sum);
    assert_int_equal(simple->outputs.at[2].node->args[0]->op, OP_input);
    compare_outputs(arena, g, simple, random_inputs(arena, g, -1, 1, 5), "cut");
    arena_free(arena);
}

/* The squares of a product are summed row by row at first, so that its tiles give them. */
static void test_cut_of_product(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Node *a = data(g, "a", SHAPE(g, DT_f64, 300, 8)), *b = data(g, "b", SHAPE(g, DT_f64, 8, 128));
    Node *product = make_einsum(g, "mk,kn->mn", a, b);
    graph_output(g, OUTPUT_result, "squares", make_reduce(g, OP_sum, make_binary(g, OP_mul, product, product), 3));
    Graph *simple = simplified(arena, g);
    const Node *all = simple->outputs.at[0].node, *rows = all->args[0];
    assert_int_equal(rows->op, OP_sum);
    assert_int_equal(rows->attr.axes, 2);
    assert_int_equal(rows->args[0]->op, OP_mul);
    compare_outputs(arena, g, simple, random_inputs(arena, g, -1, 1, 5), "cut");
    arena_free(arena);
}

/* Without elements there is nothing to cut, and nothing to divide by. */
static void test_cut_of_nothing(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Node *x = data(g, "x", SHAPE(g, DT_f64, 0, 512, 128)), *y = data(g, "y", SHAPE(g, DT_f64, 512, 128, 0));
    graph_output(g, OUTPUT_result, "all", make_reduce(g, OP_sum, x, 7));
    graph_output(g, OUTPUT_result, "rows", make_reduce(g, OP_sum, x, 3));
    graph_output(g, OUTPUT_result, "columns", make_reduce(g, OP_sum, y, 6));
    Graph *simple = simplified(arena, g);
    compare_outputs(arena, g, simple, random_inputs(arena, g, -1, 1, 5), "cut");
    arena_free(arena);
}

static void test_dead_code(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Node *x = data(g, "x", SHAPE(g, DT_f32, 3));
    data(g, "unused", SHAPE(g, DT_f32, 3));
    make_unary(g, OP_exp, x);
    Node *w = param(g, "w", SHAPE(g, DT_f32, 3));
    param(g, "idle", SHAPE(g, DT_f32, 3));
    graph_output(g, OUTPUT_update, "w", make_unary(g, OP_stop, x));
    Graph *simple = simplified(arena, g);
    assert_int_equal(count_op(simple, OP_exp), 0);
    assert_int_equal(count_op(simple, OP_stop), 0);
    assert_int_equal(simple->inputs.count, 3);
    assert_string_equal(simple->inputs.at[1]->attr.text, "unused");
    assert_string_equal(simple->inputs.at[2]->attr.text, w->attr.text);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples), cmocka_unit_test(test_elements), cmocka_unit_test(test_random_graphs),
        cmocka_unit_test(test_rules),   cmocka_unit_test(test_cut),      cmocka_unit_test(test_dead_code),
        cmocka_unit_test(test_cut_of_nothing), cmocka_unit_test(test_cut_of_product),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
