/* The optimizer step: hand-written sgd with momentum and a step-dependent rate, spliced in per parameter; clipping
 * by the global norm. */
#include "tests/passes/samples.h"

/* lr = 0.5 / step; m' = 0.9 m + g; w' = w - lr m' */
static const Graph *momentum(Arena *arena, Dims *dims, const char *param_name, Type type)
{
    Graph *g = graph_new(arena, dims, "momentum");
    Node *w = data(g, "w", type), *d = data(g, "g", type);
    const char *state = arena_print(arena, "optimizer.%s.m", param_name);
    Node *m = make_input(g, STORE_state, state, type);
    Node *step = make_cast(g, make_input(g, STORE_ambient, "step", type_scalar(DT_i64)), F);
    Node *lr = make_binary(g, OP_div, make_float(g, F, 0.5), step);
    Node *fresh = make_binary(g, OP_add, make_binary(g, OP_mul, m, make_full(g, type, 0.9)), d);
    Node *down =
        make_binary(g, OP_mul, make_binary(g, OP_mul, fresh, make_full(g, type, -1)), make_broadcast(g, lr, type));
    graph_output(g, OUTPUT_result, "w", make_binary(g, OP_add, w, down));
    graph_output(g, OUTPUT_result, "lr", lr);
    graph_output(g, OUTPUT_update, state, fresh);
    return g;
}

/* loss = sum(x * x) / 2 + 3 y, whose gradients are x and 3; the entry does not read z. */
typedef struct Step {
    Arena  *arena;
    Graph  *before, *after;
    Tensor **inputs;                     /* of after */
} Step;

static Step make_step(double clip)
{
    Step s = {.arena = arena_new()};
    Graph *g = s.before = new_graph(s.arena);
    Type vector = SHAPE(g, F, 2), scalar = type_scalar(F);
    Node *x = param(g, "x", vector), *y = param(g, "y", scalar);
    Node *square =
        make_binary(g, OP_mul, make_reduce(g, OP_sum, make_binary(g, OP_mul, x, x), 1), make_float(g, F, 0.5));
    graph_output(g, OUTPUT_result, "loss",
                 make_binary(g, OP_add, square, make_binary(g, OP_mul, y, make_float(g, F, 3))));
    const char *const trained[] = {"x", "y", "z"};
    ParamUpdate updates[] = {{"y", momentum(s.arena, g->dims, "y", scalar)},
                             {"x", momentum(s.arena, g->dims, "x", vector)},
                             {"z", momentum(s.arena, g->dims, "z", vector)}};
    PassOptions options = {.loss = "loss", .trained = trained, .trained_count = 3, .updates = updates, .clip = clip};
    Diagnostics *d = diag_new(s.arena);
    Graph *gradient = pass_grad(s.arena, g, &options, d);
    s.after = pass_update(s.arena, gradient, &options, d);
    assert_null(graph_verify(s.after, s.arena));
    s.inputs = arena_array(s.arena, Tensor *, s.after->inputs.count);
    for (int k = 0; k < s.after->inputs.count; k++) {
        const Node *input = s.after->inputs.at[k];
        Tensor *t = s.inputs[k] = tensor_new(s.arena, input->type);
        if (t->i) t->i[0] = 2;                                       /* step */
        for (int64_t j = 0; t->f && j < t->count; j++) t->f[j] = input->attr.storage == STORE_state ? 10 : 4;
    }
    return s;
}

static Tensor *value_of(const Step *s, const char *name) { return output_value(s->arena, s->after, s->inputs, name); }

static void expect_near(double found, double wanted, double tolerance)
{
    if (!(fabs(found - wanted) <= tolerance)) fail_msg("found %.17g, wanted %.17g", found, wanted);
}

static void test_momentum(void **state)
{
    (void)state;
    Step s = make_step(0);
    double lr = 0.25, m = 0.9 * 10 + 4;
    expect_near(value_of(&s, "lr")->f[0], lr, 0);
    expect_near(value_of(&s, "optimizer.x.m")->f[1], m, 1e-15);
    expect_near(value_of(&s, "x")->f[1], 4 - lr * m, 1e-15);
    expect_near(value_of(&s, "y")->f[0], 4 - lr * (9 + 3), 1e-15);
    expect_near(value_of(&s, "z")->f[0], 4 - lr * 9, 1e-15);
    arena_free(s.arena);
}

static void test_outputs(void **state)
{
    (void)state;
    Step s = make_step(1);
    static const char *const names[] = {"loss",          "grad_norm", "lr",           "x", "optimizer.x.m", "y",
                                        "optimizer.y.m", "z",         "optimizer.z.m"};
    int count = sizeof names / sizeof *names;
    assert_int_equal(s.after->outputs.count, count);
    for (int k = 0; k < count; k++) {
        assert_string_equal(s.after->outputs.at[k].name, names[k]);
        assert_int_equal(s.after->outputs.at[k].kind, k < 3 ? OUTPUT_result : OUTPUT_update);
    }
    arena_free(s.arena);
}

static void test_clipping(void **state)
{
    (void)state;
    double norm = sqrt(4.0 * 4 + 4.0 * 4 + 3 * 3), scale = 2 / (norm + 1e-6);
    Step s = make_step(2);
    Tensor *found = value_of(&s, "grad_norm");
    assert_int_equal(found->type.dtype, DT_f64);
    expect_near(found->f[0], norm, 1e-14);
    expect_near(value_of(&s, "x")->f[0], 4 - 0.25 * (9 + 4 * scale), 1e-7);
    arena_free(s.arena);
    s = make_step(100);
    expect_near(value_of(&s, "x")->f[0], 4 - 0.25 * (9 + 4), 1e-15);
    arena_free(s.arena);
}

/* w' = w - g / (1 + h[0] + h[1]) for the history h of an evaluation, which two parameters read. */
static const Graph *plateau(Arena *arena, Dims *dims, Type type)
{
    Graph *g = graph_new(arena, dims, "plateau");
    Node *w = data(g, "w", type), *d = data(g, "g", type);
    Node *history = make_input(g, STORE_ambient, "history.validation", SHAPE(g, DT_f32, 2));
    Node *sum = make_cast(g, make_reduce(g, OP_sum, history, 1), F);
    Node *by = make_binary(g, OP_add, make_float(g, F, 1), sum);
    Node *down = make_binary(g, OP_div, d, make_broadcast(g, make_binary(g, OP_mul, by, make_float(g, F, -1)), type));
    graph_output(g, OUTPUT_result, "w", make_binary(g, OP_add, w, down));
    return g;
}

/* Whatever is ambient in the code is one input of the step. */
static void test_history(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Type vector = SHAPE(g, F, 2), scalar = type_scalar(F);
    Node *x = param(g, "x", vector), *y = param(g, "y", scalar);
    graph_output(g, OUTPUT_result, "loss", make_binary(g, OP_add, make_reduce(g, OP_sum, x, 1), y));
    const char *const trained[] = {"x", "y"};
    ParamUpdate updates[] = {{"x", plateau(arena, g->dims, vector)}, {"y", plateau(arena, g->dims, scalar)}};
    PassOptions options = {.loss = "loss", .trained = trained, .trained_count = 2, .updates = updates};
    Diagnostics *d = diag_new(arena);
    Graph *after = pass_update(arena, pass_grad(arena, g, &options, d), &options, d);
    assert_null(graph_verify(after, arena));
    assert_int_equal(after->inputs.count, 3);
    const Node *history = graph_find_input(after, "history.validation");
    assert_int_equal(history->attr.storage, STORE_ambient);
    Tensor **inputs = random_inputs(arena, after, 0, 1, 1);
    for (int k = 0; k < after->inputs.count; k++)
        for (int64_t j = 0; j < inputs[k]->count; j++) inputs[k]->f[j] = after->inputs.at[k] == history ? 1 + 4 * j : 3;
    expect_near(output_value(arena, after, inputs, "x")->f[1], 3 - 1.0 / 7, 1e-15);
    expect_near(output_value(arena, after, inputs, "y")->f[0], 3 - 1.0 / 7, 1e-15);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_momentum), cmocka_unit_test(test_outputs),
                                       cmocka_unit_test(test_clipping), cmocka_unit_test(test_history)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
