/* The gradient of every operator against central finite differences in f64, generated from the rows of ops.def where
 * they are element operators, from samples.h where they are structural; and what differences cannot show: ties,
 * sides not taken. */
#include "tests/passes/differences.h"

static bool needs_positive(Op op) { return op == OP_sqrt || op == OP_log || op == OP_pow; }

/* floor(a / b) jumps where a / b is whole, which inputs clear of whole numbers do not avoid. */
static bool jumps(Op op) { return op == OP_floordiv; }

static void test_elements(void **state)
{
    (void)state;
#define STRUCTURAL(...)
#define ELEMENT(name, arity, types, result, ...) \
    for (int s = 0, n = 1; s < n && !jumps(OP_##name); s++) { \
        Arena *arena = arena_new(); \
        Graph *g = new_graph(arena); \
        Node *y = sample_element(g, OP_##name, #types, #result, sample_shapes(g, &n)[s]); \
        if (y) { \
            weigh(g, y); \
            check_graph(arena, g, needs_positive(OP_##name) ? 0 : -2, #name); \
        } \
        arena_free(arena); \
    }
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
}

/* A cast to f32 rounds, so its differences say nothing; its gradient is the incoming one. */
static void test_cast(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    weigh(g, sample_cast(g));
    PassOptions options = options_for(arena, g);
    Graph *gradient = pass_grad(arena, g, &options, diag_new(arena));
    Tensor **inputs = random_inputs(arena, gradient, -2, 2, 1);
    Tensor *d = output_value(arena, gradient, inputs, "d x");
    for (int64_t k = 0; k < d->count; k++) assert_true(d->f[k] == (double)(float)inputs[1]->f[k]);
    arena_free(arena);
}

static void test_structural(void **state)
{
    (void)state;
    for (int k = 0; k < SAMPLE_COUNT; k++) {
        if (samples[k].op == OP_cast) continue;
        Arena *arena = arena_new();
        Graph *g = new_graph(arena);
        weigh(g, samples[k].make(g));
        check_graph(arena, g, -2, samples[k].name);
        arena_free(arena);
    }
}

/* A rule without a sample would go untested. */
static void test_every_rule_has_a_sample(void **state)
{
    (void)state;
#define ELEMENT(...)
#define STRUCTURAL(name, arity, kind, attrs, shape, gradient, ...) \
    { \
        bool found = !strcmp(#gradient, "none"); \
        for (int k = 0; k < SAMPLE_COUNT; k++) found = found || samples[k].op == OP_##name; \
        if (!found) fail_msg("the gradient of %s has no sample", #name); \
    }
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
}

static void expect_gradient(Arena *arena, const Graph *g, Tensor *const *inputs, const char *name, const double *wanted)
{
    PassOptions options = options_for(arena, g);
    Graph *gradient = pass_grad(arena, g, &options, diag_new(arena));
    Tensor *d =
        output_value(arena, gradient, same_inputs(arena, gradient, g, inputs), arena_print(arena, "d %s", name));
    for (int64_t k = 0; k < d->count; k++)
        if (d->f[k] != wanted[k]) fail_msg("d %s[%lld] is %g, wanted %g", name, (long long)k, d->f[k], wanted[k]);
}

static void fill(Tensor *t, const double *values) { memcpy(t->f, values, sizeof *values * (size_t)t->count); }

/* The inputs are x, [y,] weights in the order of first use; weights are ones. */
static Tensor **inputs_of(Arena *arena, const Graph *g, const double *x, const double *y)
{
    Tensor **inputs = random_inputs(arena, g, 0, 1, 1);
    for (int k = 0; k < g->inputs.count; k++) {
        const char *name = g->inputs.at[k]->attr.text;
        if (!strcmp(name, "x")) fill(inputs[k], x);
        if (!strcmp(name, "y")) fill(inputs[k], y);
        for (int64_t j = 0; !strcmp(name, "weights") && j < inputs[k]->count; j++) inputs[k]->f[j] = 1;
    }
    return inputs;
}

static void test_ties(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    weigh(g, make_reduce(g, OP_reduce_max, param(g, "x", SHAPE(g, F, 2, 3)), 2));
    Tensor **inputs = inputs_of(arena, g, (double[]){1, 2, 2, 3, 3, 3}, NULL);
    expect_gradient(arena, g, inputs, "x", (double[]){0, 1, 0, 1, 0, 0});
    g = new_graph(arena);
    weigh(g, make_reduce(g, OP_reduce_max, param(g, "x", SHAPE(g, F, 2, 3)), 3));
    inputs = inputs_of(arena, g, (double[]){1, 3, 2, 3, 3, 3}, NULL);
    expect_gradient(arena, g, inputs, "x", (double[]){0, 1, 0, 0, 0, 0});
    g = new_graph(arena);
    weigh(g, make_binary(g, OP_max, param(g, "x", SHAPE(g, F, 3)), param(g, "y", SHAPE(g, F, 3))));
    inputs = inputs_of(arena, g, (double[]){1, 2, 3}, (double[]){1, 3, 2});
    expect_gradient(arena, g, inputs, "x", (double[]){1, 0, 1});
    expect_gradient(arena, g, inputs, "y", (double[]){0, 1, 0});
    arena_free(arena);
}

/* A NaN on the side that where does not take stays there. */
static void test_side_not_taken(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Node *x = param(g, "x", SHAPE(g, F, 2)), *zero = make_full(g, x->type, 0);
    Node *root = make_unary(g, OP_sqrt, x);
    weigh(g, make_where(g, make_binary(g, OP_lt, zero, x), root, x));
    Tensor **inputs = inputs_of(arena, g, (double[]){4, -4}, NULL);
    PassOptions options = options_for(arena, g);
    Graph *gradient = pass_grad(arena, g, &options, diag_new(arena));
    Tensor *d = output_value(arena, gradient, inputs, "d x");
    assert_true(d->f[0] == 0.25);
    arena_free(arena);
}

static void test_stop_and_unused(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Node *x = param(g, "x", SHAPE(g, F, 2));
    Node *y = param(g, "y", SHAPE(g, F, 2));
    weigh(g, make_binary(g, OP_mul, x, make_unary(g, OP_stop, y)));
    graph_output(g, OUTPUT_result, "other", y);
    Tensor **inputs = inputs_of(arena, g, (double[]){4, 5}, (double[]){2, 3});
    expect_gradient(arena, g, inputs, "x", (double[]){2, 3});
    expect_gradient(arena, g, inputs, "y", (double[]){0, 0});
    arena_free(arena);
}

static void test_only_float_scalars(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    graph_output(g, OUTPUT_result, "loss", param(g, "x", SHAPE(g, F, 2)));
    PassOptions options = options_for(arena, g);
    Diagnostics *d = diag_new(arena);
    assert_null(pass_grad(arena, g, &options, d));
    assert_int_equal(diag_error_count(d), 1);
    arena_free(arena);
}

/* Gradient nodes stand where their forward node does. */
static void test_places(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Source source = {.path = "a.ptm", .text = "", .size = 0};
    Origin origin = {.place = {&source, 7, 3, 1}, .path = ""};
    g->origin = &origin;
    weigh(g, make_unary(g, OP_exp, param(g, "x", SHAPE(g, F, 2))));
    PassOptions options = options_for(arena, g);
    Graph *gradient = pass_grad(arena, g, &options, diag_new(arena));
    for (int k = 0; k < gradient->nodes.count; k++) {
        assert_true(gradient->nodes.at[k]->origin_count > 0);
        assert_int_equal(gradient->nodes.at[k]->origins[0]->place.line, 7);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),       cmocka_unit_test(test_cast),
        cmocka_unit_test(test_structural),     cmocka_unit_test(test_every_rule_has_a_sample),
        cmocka_unit_test(test_ties),           cmocka_unit_test(test_side_not_taken),
        cmocka_unit_test(test_stop_and_unused), cmocka_unit_test(test_only_float_scalars),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
