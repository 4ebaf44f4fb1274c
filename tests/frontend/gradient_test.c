/* The gradient of every differentiable prelude function, against central differences in f64. */
#include "passes/passes.h"
#include "tests/frontend/program.h"

/* Central differences err by about h^2 + 1e-16/h: 1e-9 at h = 1e-5 for values near 1; the bound leaves room for steep
 * functions. */
static const double STEP = 1e-5, TOLERANCE = 2e-8;

static double loss_at(const Graph *g, Tensor *const *inputs, Arena *arena)
{
    Tensor *results[16];
    const char *why = graph_eval(g, inputs, results, arena);
    if (why) fail_msg("%s", why);
    return results[0]->f[0];
}

/* Inputs at values that stand clear of ties and kinks: multiples of 0.23 between -1.3 and 1.3, in mixed order. */
static Tensor *spread(Arena *arena, const Node *input)
{
    Tensor *t = tensor_new(arena, input->type);
    for (int64_t i = 0; i < t->count; i++) {
        if (t->f) t->f[i] = 0.23 * (double)((i * 7) % 12) - 1.27;
        else t->i[i] = 1;
    }
    return t;
}

static void check_parameter(Program *p, const Graph *g, const Graph *gradient, int input, const char *source)
{
    const Node *param = g->inputs.at[input];
    Tensor **inputs = arena_array(p->arena, Tensor *, g->inputs.count), *results[16] = { 0 };
    for (int i = 0; i < g->inputs.count; i++) inputs[i] = spread(p->arena, g->inputs.at[i]);
    const char *why = graph_eval(gradient, inputs, results, p->arena);
    if (why) fail_msg("%s: %s", source, why);
    const Tensor *d = NULL;
    for (int i = 0; i < gradient->outputs.count; i++)
        if (!strcmp(gradient->outputs.at[i].name, arena_print(p->arena, "d %s", param->attr.text))) d = results[i];
    assert_non_null(d);
    for (int64_t i = 0; i < inputs[input]->count; i++) {
        double x = inputs[input]->f[i];
        inputs[input]->f[i] = x + STEP;
        double above = loss_at(g, inputs, p->arena);
        inputs[input]->f[i] = x - STEP;
        double below = loss_at(g, inputs, p->arena);
        inputs[input]->f[i] = x;
        double wanted = (above - below) / (2 * STEP);
        if (!(fabs(d->f[i] - wanted) <= TOLERANCE * (1 + fabs(wanted))))
            fail_msg("%s: d %s[%d] is %.12g, differences give %.12g", source, param->attr.text, (int)i, d->f[i],
                     wanted);
    }
}

/* The program has a fn f() -> f32 of its parameters; every parameter is checked. */
static void check_program(const char *source)
{
    Arena *arena = arena_new();
    Program *p = arena_new_of(arena, Program);
    Source *text = arena_new_of(arena, Source);
    *text = (Source){ .path = "test.ptm", .text = source, .size = strlen(source) };
    p->arena = arena;
    p->d = diag_new(arena);
    ModelOptions options = { .real = DT_f64 };
    p->model = model_new(arena, ast_parse(arena, text, (const char *const[]){ NULL }, p->d), &options, p->d);
    Graph *g = model_entry(p->model, "f", NULL, 0, true, p->d);
    assert_clean(p);
    int count = model_param_count(p->model);
    const char **trained = arena_array(arena, const char *, count);
    for (int i = 0; i < count; i++) trained[i] = model_param(p->model, i)->path;
    PassOptions passes = { .loss = "f", .trained = trained, .trained_count = count };
    Graph *gradient = pass_grad(arena, g, &passes, p->d);
    assert_clean(p);
    assert_int_equal(gradient->inputs.count, g->inputs.count);
    for (int i = 0; i < g->inputs.count; i++)
        if (g->inputs.at[i]->attr.storage == STORE_param) check_parameter(p, g, gradient, i, source);
    arena_free(arena);
}

/* sum of expression(x) weighted, for x: f32[3, 4]. */
static void check(const char *expression)
{
    char text[1024];
    snprintf(text, sizeof text, "param x: f32[3, 4] = 0\nfn f() -> f32 {\n y = %s\n"
             " return sum(y * sin(f32(reshape(iota(size(y)), shape(y)) + 1)))\n}\n", expression);
    check_program(text);
}

static void test_elementwise(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "abs(x)", "square(x)", "rsqrt(x + 2)", "min(x, 0.1)", "max(x, 0.1)", "clamp(x, -0.5, 0.5)", "expm1(x)",
        "log1p(x / 2)", "sigmoid(3 * x)",
        "log_sigmoid(3 * x)", "softplus(3 * x)", "relu(x)", "silu(x)", "gelu(x)", "gelu_tanh(x)", "x ^ 3.0", "2 ^ x",
        "(x + 2) ^ -0.5",
        "x / (x + 2)", "where(x > 0, x * x, sin(x))", "cos(x) * tanh(x) + erf(x)", "log(x + 2) - exp(-x)",
        "floor(x) * x",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) check(CASES[i]);
}

static void test_reductions(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "mean(x, axis = 1)", "var(x, axis = 0)", "var(x, correction = 1)", "norm(x, axis = 1)", "unit(x)",
        "min(x, axis = 0)",
        "max(x, axis = 1, keep = true)", "logsumexp(x)", "logsumexp(x, axis = 0)", "softmax(x)", "softmax(x, axis = 0)",
        "log_softmax(x)", "mean_over(x, x > 0)", "cumsum(x)", "sum(x * softmax(where(iota(4) < 3, x, -inf)), axis = 1)",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) check(CASES[i]);
}

static void test_movement(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "flip(x) * x", "swap(x)", "split(x, 2)[1]", "stack([x, x * x], axis = 1)", "repeat(x, 2)", "tril(x[:, :3])",
        "x.T @ x",
        "take(x, iota(2)[_] + iota(3)[:, _])", "scatter_sum(x, iota(3) // 2, 2)", "x[iota(4) - 1]",
        "window(x, 2, axis = 1)",
        "pad(x, [1, 0], [0, 2])", "einsum(\"ij,kj->ki\", x, x)", "einsum(\"i...->...\", x)", "x[1:, ::2]",
        "concat([x, 2 * x], axis = 1)",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) check(CASES[i]);
    check_program("param x: f32[4] = 0\nfn f() -> f32 {\n y = x * 1\n y[1:3] = x[:2] * x[2:]\n"
                  " y[iota(2)] += sin(x[:2])\n return sum(y * y)\n}\n");
}

static void test_losses_and_layers(void **state)
{
    (void)state;
    check("cross_entropy(x, i32(3) - iota(3))");
    check("cross_entropy(x, iota(3) - 1, smooth = 0.1)");
    check_program("param x: f32[3, 4] = 0\nfn f() -> f32 { return sum(sin(n: layer_norm(x))) }\n");
    check_program("param x: f32[3, 4] = 0\nfn f() -> f32 { return sum(sin(n: rms_norm(x))) }\n");
    check_program("param x: f32[3, 4] = 0\nfn f() -> f32 { return sum(sin(n: linear(x, 2))) }\n");
    check_program("fn f() -> f32 { return sum(sin(n: embedding(iota(5) - 1, 4, 3))) }\n");
    check_program("param x: f32[3, 4] = 0\nfn f() -> f32 { return sum(sin(dropout(x, 0.5))) }\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise), cmocka_unit_test(test_reductions), cmocka_unit_test(test_movement),
        cmocka_unit_test(test_losses_and_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
