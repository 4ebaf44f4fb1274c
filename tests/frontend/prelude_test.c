/* Prelude functions against numbers worked out by hand or with more digits than f32 has. */
#include "tests/frontend/program.h"

static void test_elementwise(void **state)
{
    (void)state;
    assert_expression("abs(x)", VALUES(1, 0.5, 2));
    assert_expression("square(x)", VALUES(1, 0.25, 4));
    assert_expression("ceil(x)", VALUES(-1, 1, 2));
    assert_expression("round(x)", VALUES(-1, 1, 2));
    assert_expression("sign(x)", VALUES(-1, 1, 1));
    assert_expression("min(x, 1)", VALUES(-1, 0.5, 1));
    assert_expression("max(x, 1)", VALUES(1, 1, 2));
    assert_expression("clamp(x, 0, 1)", VALUES(0, 0.5, 1));
    assert_expression("relu(x)", VALUES(0, 0.5, 2));
    assert_expression("rsqrt(x + 2)", VALUES(1, 0.632455532, 0.5));
    assert_expression("expm1(x / 100)", VALUES(-0.00995016625, 0.00501252086, 0.0202013400));
    assert_expression("log1p(x / 2)", VALUES(-0.693147181, 0.223143551, 0.693147181));
    assert_expression("log1p(x / 1e8) * 1e8", VALUES(-1, 0.5, 2));
    assert_expression("log1p(x * 3 + 3)", VALUES(0, 1.70474809, 2.30258509));
}

static void test_activations(void **state)
{
    (void)state;
    assert_expression("sigmoid(x)", VALUES(0.268941421, 0.622459331, 0.880797078));
    assert_expression("log_sigmoid(x)", VALUES(-1.31326169, -0.474076984, -0.126928011));
    assert_expression("softplus(x)", VALUES(0.313261688, 0.974076984, 2.12692801));
    assert_expression("silu(x)", VALUES(-0.268941421, 0.311229666, 1.76159416));
    assert_expression("gelu(x)", VALUES(-0.158655254, 0.345731230, 1.95449974));
    assert_expression("gelu_tanh(x)", VALUES(-0.158808009, 0.345714014, 1.95459769));
    assert_expression("sigmoid(x * 1000)", VALUES(0, 1, 1));
    assert_expression("log_sigmoid(x * 1000)", VALUES(-1000, 0, 0));
    assert_expression("softplus(x - 20) * 1e9", VALUES(0.758256043, 3.39826780, 15.2299797));
}

static void test_reductions(void **state)
{
    (void)state;
    assert_expression("mean(x)", VALUES(0.5));
    assert_expression("var(x)", VALUES(1.5));
    assert_expression("var(x, correction = 1)", VALUES(2.25));
    assert_expression("norm(x)", VALUES(2.29128785));
    assert_expression("min(x)", VALUES(-1));
    assert_expression("max(x)", VALUES(2));
    assert_expression("argmax(x)", VALUES(2));
    assert_expression("argmin(x)", VALUES(0));
    assert_expression("any(x > 1)", VALUES(1));
    assert_expression("all(x > 1)", VALUES(0));
    assert_expression("mean_over(x, x > 0)", VALUES(1.25));
    assert_expression("mean_over(x, x > 9)", VALUES(0));
    assert_expression("logsumexp(x)", VALUES(2.24131130));
    assert_expression("softmax(x)", VALUES(0.0391122117, 0.175290212, 0.785597034));
    assert_expression("log_softmax(x)", VALUES(-3.24131130, -1.74131130, -0.241311296));
}

/* What sklearn.metrics 1.2.1 gives for y = 1 0 1 1 0 0 1 0 1 1 0 0 and p = 1 0 0 1 0 0 1 0 1 0 0 1 (4 of 5 found
 * right, 6 there), and numpy's corrcoef for 1 2.5 -1 4 0.5 beside 0.5 3 -2 3.5 1. */
static void test_scores(void **state)
{
    (void)state;
    assert_expression("precision(4 + 0 * x[0], 5)", VALUES(0.8));
    assert_expression("recall(4 + 0 * x[0], 6)", VALUES(0.6666666666666666));
    assert_expression("f1(4 + 0 * x[0], 5, 6)", VALUES(0.7272727272727273));
    assert_expression("matthews(4 + 0 * x[0], 5, 6, 12)", VALUES(0.50709255283711));
    assert_expression("pearson(7 + 0 * x[0], 6, 24.5, 26.5, 24.5, 5)", VALUES(0.9558473801618901));
    assert_expression("precision(0 * x[0], 0 * x[0])", VALUES(0));
    assert_expression("f1(0 * x[0], 0 * x[0], 0)", VALUES(0));
    assert_expression("matthews(2 + 0 * x[0], 2, 2, 2)", VALUES(0));
    assert_expression("pearson(x[0] * 3, -3, 3, 3, 3, 3)", VALUES(0));
}

/* One tensor is summed and turned, more than two are multiplied from the left. */
static void test_einsum(void **state)
{
    (void)state;
    assert_expression("einsum(\"i->\", x)", VALUES(1.5));
    assert_expression("einsum(\"i,i,i->\", x, x, x)", VALUES(7.125));
    assert_expression("einsum(\"i,i,i->i\", x, x, x)", VALUES(-1, 0.125, 8));
    assert_expression("einsum(\"i,j,k->i\", x, x, x)", VALUES(-2.25, 1.125, 4.5));
    assert_expression("einsum(\"i,ij,jk,k->\", x, x[:, _] * x, x[:, _] + x, x)", VALUES(82.6875));
    assert_expression("einsum(\"ij->j\", x[:, _] * x)", VALUES(-1.5, 0.75, 3));
    assert_expression("flatten(einsum(\"ij->ji\", x[:, _] + f32(iota(2))))", VALUES(-1, 0.5, 2, 0, 1.5, 3));
}

/* The first of equal maxima; along another axis than the last. */
static void test_argmax_ties_and_axes(void **state)
{
    (void)state;
    Given x = { DT_f32, { 2, 3 }, (const double[]){ 1, 7, 7, 9, 2, 9 } };
    assert_f("fn f(x: f32[A, B]) -> i32[A] { return argmax(x) }", &x, 1, VALUES(1, 0));
    assert_f("fn f(x: f32[A, B]) -> i32[B] { return argmax(x, axis = 0) }", &x, 1, VALUES(1, 0, 1));
}

static void test_masked_rows(void **state)
{
    (void)state;
    Given x = { DT_f32, { 2, 2 }, (const double[]){ -INFINITY, -INFINITY, -INFINITY, 3 } };
    assert_f("fn f(x: f32[A, B]) { return softmax(x) }", &x, 1, VALUES(0, 0, 0, 1));
    assert_f("fn f(x: f32[A, B]) { return logsumexp(x) }", &x, 1, VALUES(-INFINITY, 3));
    assert_f("fn f(x: f32[A, B]) { return log_softmax(x) }", &x, 1, VALUES(-INFINITY, -INFINITY, -INFINITY, 0));
}

/* -log softmax(x)[y]; -1 is absent; smoothing takes (1 - s) of the target and s of the mean. */
static void test_cross_entropy(void **state)
{
    (void)state;
    Given args[2] = { { DT_f32, { 3, 3 }, (const double[]){ -1, 0.5, 2, -1, 0.5, 2, 5, 6, 7 } },
                      { DT_i32, { 3 }, (const double[]){ 2, 0, -1 } } };
    assert_f("fn f(x: f32[N, V], y: i32[N]) -> f32[N] { return cross_entropy(x, y) }", args, 2,
             VALUES(0.241311296, 3.24131130, 0));
    assert_f("fn f(x: f32[N, V], y: i32[N]) { return cross_entropy(x, y, smooth = 0.1) }", args, 2,
             VALUES(2.24131130 - 0.9 * 2 - 0.1 * 0.5, 2.24131130 + 0.9 - 0.1 * 0.5, 0));
}

static void test_movement(void **state)
{
    (void)state;
    assert_expression("flip(x)", VALUES(2, 0.5, -1));
    assert_expression("stack([x, 2 * x])", VALUES(-1, 0.5, 2, -2, 1, 4));
    assert_expression("stack([x, 2 * x], axis = 1)", VALUES(-1, -2, 0.5, 1, 2, 4));
    assert_expression("stack([0.0, 1.5])", VALUES(0, 1.5));
    assert_expression("split(concat([x, x + 1]), 2)[1]", VALUES(0, 1.5, 3));
    assert_expression("repeat(x, 2)", VALUES(-1, -1, 0.5, 0.5, 2, 2));
    assert_expression("swap(stack([x, x]))", VALUES(-1, -1, 0.5, 0.5, 2, 2));
    assert_expression("one_hot(iota(2), 3)", VALUES(1, 0, 0, 0, 1, 0));
    assert_expression("eye(2)", VALUES(1, 0, 0, 1));
    assert_expression("tril(full([2, 2], 3))", VALUES(3, 0, 3, 3));
    assert_expression("scatter_sum(x, where(iota(N) == 1, i32(-1), 0), 2)", VALUES(1, 0));
    assert_expression("counts(iota(3) // 2, 2)", VALUES(2, 1));
    assert_expression("take(stack([x, x]), full([2, 1], i32(2)))", VALUES(2, 2));
    assert_expression("sinusoid(iota(2), 4)", VALUES(0, 1, 0, 1, 0.841470985, 0.540302306, 0.00999983333, 0.999950000));
}

static void test_layers(void **state)
{
    (void)state;
    Given x = { DT_f32, { 2, 2 }, (const double[]){ 1, 3, -2, 2 } };
    assert_f("fn f(x: f32[B, D]) -> f32[B, D] { return n: layer_norm(x, eps = 0) }", &x, 1, VALUES(-1, 1, -1, 1));
    assert_f("fn f(x: f32[B, D]) { return n: rms_norm(x, eps = 0) }", &x, 1,
             VALUES(0.447213595, 1.34164079, -1, 1));
    assert_f("fn f(x: f32[B, D]) -> f32[B, 3] { return n: linear(x, 3, init = 0.5, start = 1) }", &x, 1,
             VALUES(3, 3, 3, 1, 1, 1));
    assert_f("fn f(x: f32[B, D]) { return dropout(x, 0.5) }", &x, 1, VALUES(1, 3, -2, 2));
    Given ids = { DT_i32, { 3 }, (const double[]){ 1, -1, 0 } };
    assert_f("fn start(; shape) { return f32(iota(shape[0]))[:, _] + full(shape, 1) }\n"
             "fn f(i: i32[N]) -> f32[N, 2] { return e: embedding(i, 3, 2, init = start()) }", &ids, 1,
             VALUES(2, 2, 0, 0, 1, 1));
}

/* While training each element is 0 or scaled, about half of each; the mean stays near. */
static void test_dropout_while_training(void **state)
{
    (void)state;
    Program *p = program_new("fn f(x: f32[N]) { return dropout(x + 1, 0.5) }\n");
    double zeros[1000] = { 0 };
    Given x = { DT_f32, { 1000 }, zeros };
    Graph *g = program_entry(p, "f", &x, 1, true);
    assert_clean(p);
    const Tensor *y = program_eval(p, g, &x, 1)[0];
    int kept = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(y->f[i] == 0 || y->f[i] == 2);
        kept += y->f[i] != 0;
    }
    assert_in_range(kept, 420, 580);     /* five deviations of a binomial of 1000 */
    program_free(p);
}

static void moments(const Tensor *t, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < t->count; i++) sum += t->f[i], squares += t->f[i] * t->f[i];
    *mean = sum / (double)t->count;
    *deviation = sqrt(squares / (double)t->count - *mean * *mean);
}

/* Means within five standard errors of 10000 draws, deviations within three per cent. */
static void test_initial_values(void **state)
{
    (void)state;
    static const struct { const char *init; double mean, deviation, most; } CASES[] = {
        { "normal(1, 0.5)", 1, 0.5, 4 },
        { "uniform(-3, 3)", 0, 1.7320508, 3 },
        { "truncated_normal(0, 1)", 0, 0.879625661, 2 },     /* of a normal cut at two deviations */
        { "xavier()", 0, 0.1, 0.1733 },                      /* (6/200)^0.5 / 3^0.5 */
        { "kaiming()", 0, 0.141421356, 1 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[256];
        snprintf(text, sizeof text, "param w: f32[100, 100] = %s\nfn f(x: f32) { return x + sum(w) }\n", CASES[i].init);
        Program *p = program_new(text);
        Given x = { DT_f32, { 0 }, (const double[]){ 0 } };
        program_entry(p, "f", &x, 1, false);
        assert_clean(p);
        const Tensor *w = initial_value(p, model_find_param(p->model, "w")->initial, 7);
        double mean, deviation;
        moments(w, &mean, &deviation);
        assert_true(fabs(mean - CASES[i].mean) < 5 * CASES[i].deviation / 100);
        assert_true(fabs(deviation / CASES[i].deviation - 1) < 0.03);
        for (int64_t k = 0; k < w->count; k++) assert_true(fabs(w->f[k] - CASES[i].mean) <= CASES[i].most);
        const Tensor *again = initial_value(p, model_find_param(p->model, "w")->initial, 7);
        const Tensor *other = initial_value(p, model_find_param(p->model, "w")->initial, 8);
        assert_true(w->f[5] == again->f[5] && w->f[5] != other->f[5]);
        program_free(p);
    }
}

/* Two parameters of one shape draw different numbers, since their paths differ; a layer more moves neither. */
static void test_draws_are_keyed_by_path(void **state)
{
    (void)state;
    const char *two = "fn f(x: f32[N, 4]) { return (a: linear(x, 4)) + (b: linear(x, 4)) }\n";
    const char *three = "fn f(x: f32[N, 4]) { return (c: linear(x, 4)) + (a: linear(x, 4)) + (b: linear(x, 4)) }\n";
    double first[2];
    const char *texts[2] = { two, three };
    for (int i = 0; i < 2; i++) {
        Program *p = program_new(texts[i]);
        Given x = { DT_f32, { 1, 4 }, (const double[]){ 1, 2, 3, 4 } };
        program_entry(p, "f", &x, 1, false);
        assert_clean(p);
        first[i] = initial_value(p, model_find_param(p->model, "a.weight")->initial, 1)->f[0];
        assert_true(first[i] != initial_value(p, model_find_param(p->model, "b.weight")->initial, 1)->f[0]);
        program_free(p);
    }
    assert_true(first[0] == first[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise), cmocka_unit_test(test_activations), cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_einsum), cmocka_unit_test(test_argmax_ties_and_axes), cmocka_unit_test(test_masked_rows),
        cmocka_unit_test(test_cross_entropy), cmocka_unit_test(test_movement), cmocka_unit_test(test_layers),
        cmocka_unit_test(test_dropout_while_training), cmocka_unit_test(test_initial_values),
        cmocka_unit_test(test_draws_are_keyed_by_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
