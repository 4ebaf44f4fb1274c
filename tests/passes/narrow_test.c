/* Gradient and simplification of parameters in bf16, where sums widen to f32 and come back: types fit, and values
 * agree as far as eight bits can. */
#define F DT_bf16
#include "tests/passes/samples.h"

/* A result rounds to 2^-9 of itself; the longest chain of roundings here, a scattered sum, has some ten of values up
 * to 8. */
static const double TOLERANCE = 8 * 10 * 0x1p-9;

static void check_sample(const Sample *sample)
{
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    weigh(g, sample->make(g));
    PassOptions options = options_for(arena, g);
    Diagnostics *d = diag_new(arena);
    Graph *gradient = pass_grad(arena, g, &options, d), *simple = pass_simplify(arena, gradient, &options, d);
    assert_null(graph_verify(gradient, arena));
    assert_null(graph_verify(simple, arena));
    Tensor **inputs = random_inputs(arena, gradient, -2, 2, 7);
    for (int k = 0; k < gradient->outputs.count; k++) {
        const Output *output = &gradient->outputs.at[k];
        bool is_gradient = strcmp(output->name, "loss") != 0;
        assert_int_equal(output->node->type.dtype, is_gradient ? DT_bf16 : DT_f64);
        Tensor *a = output_value(arena, gradient, inputs, output->name);
        Tensor *b = output_value(arena, simple, same_inputs(arena, simple, gradient, inputs), output->name);
        for (int64_t j = 0; is_gradient && j < a->count; j++)
            if (!(fabs(a->f[j] - b->f[j]) <= TOLERANCE)) fail_msg("%s: %g and %g", sample->name, a->f[j], b->f[j]);
    }
    arena_free(arena);
}

static void test_samples(void **state)
{
    (void)state;
    for (int k = 0; k < SAMPLE_COUNT; k++) check_sample(&samples[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
