/* What simplification and gradients promise holds at the edges too: zeros, infinities, numbers near the ends of a
 * type's range, axes of one element, steps whose product no integer holds. */
#include "tests/passes/samples.h"

static const double specials[] = {0.0, -0.0, 1, -1, 0.5, -2, 3, 0x1p-149, -0x1p-149, 0x1p-126, 0x1p-80, 0x1p-70,
                                  0x1p-63, 0x1p-49, 0x1p40, 0x1p63, 0x1p65, 0x1p74, 0x1p100, 0x1.fffffep127,
                                  -0x1.fffffep127, INFINITY, -INFINITY, NAN};
enum { SPECIALS = sizeof specials / sizeof *specials };

typedef Node *Make(Graph *g, Node *x, double parameter);

/* The values of make(x) for x = specials, as they are and after simplification, in f32. */
static void values_of(Arena *arena, Make *make, double parameter, const double **plain, const double **simple)
{
    Graph *g = new_graph(arena);
    graph_output(g, OUTPUT_result, "0", make(g, data(g, "x", SHAPE(g, DT_f32, SPECIALS)), parameter));
    Tensor *x = tensor_new(arena, g->inputs.at[0]->type);
    for (int k = 0; k < SPECIALS; k++) x->f[k] = specials[k];
    PassOptions options = {0};
    *plain = output_value(arena, g, &x, "0")->f;
    *simple = output_value(arena, pass_simplify(arena, g, &options, diag_new(arena)), &x, "0")->f;
}

static bool same_sign(double a, double b) { return !signbit(a) == !signbit(b); }

/* Within `ulp` units of the last place of f32; zeros and infinities by sign. */
static bool close_enough(double a, double b, double ulp)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b) || a == 0 || b == 0) return a == b && same_sign(a, b);
    double unit = ldexp(1, fmax(ilogb(b) - 23, -149));
    return fabs(a - b) <= ulp * unit;
}

static Node *make_power(Graph *g, Node *x, double exponent)
{
    return make_binary(g, OP_pow, x, make_full(g, x->type, exponent));
}

/* The exceptions of simplify.def: roots of -inf and -0. */
static bool is_exception(double x, double exponent)
{
    return fabs(exponent) == 0.5 && (x == -INFINITY || (x == 0 && signbit(x)));
}

static void powers_of_special_numbers(void **state)
{
    (void)state;
    static const double exponents[] = {0, 0.5, 1, 1.5, 2, 2.5, 3, -0.5, -1, -1.5, -2, -2.5, -3, 4};
    Arena *arena = arena_new();
    for (size_t e = 0; e < sizeof exponents / sizeof *exponents; e++) {
        const double *plain, *simple;
        values_of(arena, make_power, exponents[e], &plain, &simple);
        for (int k = 0; k < SPECIALS; k++)
            if (!is_exception(specials[k], exponents[e]) && !close_enough(simple[k], plain[k], 2))
                fail_msg("%g ^ %g is %g, not %g", specials[k], exponents[e], simple[k], plain[k]);
    }
    arena_free(arena);
}

static Node *make_factors(Graph *g, Node *x, double c)
{
    double d = fabs(log2(c)) > 100 ? 2 : c;                  /* one of them is a power of two */
    return make_binary(g, OP_mul, make_binary(g, OP_mul, x, make_full(g, x->type, c)), make_full(g, x->type, d));
}

/* x * 3e38 * 2 is no x * inf, x * 2^-100 * 2^-100 no x * 0. */
static void factors_that_leave_the_range(void **state)
{
    (void)state;
    static const double factors[] = {3e38, 0x1p-100, 0x1p90, 0x1p-70};
    Arena *arena = arena_new();
    for (int f = 0; f < 4; f++) {
        const double *plain, *simple;
        values_of(arena, make_factors, factors[f], &plain, &simple);
        for (int k = 0; k < SPECIALS; k++)
            if (!close_enough(simple[k], plain[k], 0))
                fail_msg("%g * %g .. is %g, not %g", specials[k], factors[f], simple[k], plain[k]);
    }
    arena_free(arena);
}

/* d/dx x^0 is 0, at 0 too. */
static void gradient_of_a_power_at_zero(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Node *x = param(g, "x", SHAPE(g, DT_f64, 4)), *y = data(g, "y", x->type);
    graph_output(g, OUTPUT_result, "loss", make_reduce(g, OP_sum, make_binary(g, OP_pow, x, y), 1));
    PassOptions options = options_for(arena, g);
    Graph *gradient = pass_grad(arena, g, &options, diag_new(arena));
    Tensor *inputs[] = {tensor_new(arena, x->type), tensor_new(arena, x->type)};
    memcpy(inputs[0]->f, (double[]){0, 0, 2, 0}, 4 * sizeof(double));
    memcpy(inputs[1]->f, (double[]){0, 1, 0, 2}, 4 * sizeof(double));
    static const double wanted[] = {0, 1, 0, 0};
    for (int simple = 0; simple < 2; simple++) {
        if (simple) gradient = pass_simplify(arena, gradient, &options, diag_new(arena));
        const Tensor *d = output_value(arena, gradient, inputs, "d x");
        for (int k = 0; k < 4; k++)
            if (d->f[k] != wanted[k]) fail_msg("d [%d] is %g", k, d->f[k]);
    }
    arena_free(arena);
}

/* Every second element of an axis that has as many neighbours as a tensor can have, and of an axis of one. */
static void gradient_of_steps_at_the_highest_rank(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    for (int axis = 0; axis < 8; axis++)
        for (int n = 1; n <= 5; n += 2) {
            Graph *g = new_graph(arena);
            Type type = SHAPE(g, DT_f64, 2, 1, 2, 2, 1, 2, 1, 3);
            type.dim[axis] = dim_int(g->dims, n);
            Node *x = param(g, "x", type);
            const Dim *start[MAX_RANK];
            int64_t step[MAX_RANK];
            for (int k = 0; k < 8; k++) start[k] = dim_int(g->dims, 0), step[k] = k == axis ? 1000000 : 1;
            if (n > 1) step[axis] = 2;
            type.dim[axis] = dim_int(g->dims, (n + 1) / 2);
            Node *part = make_slice(g, x, start, step, type);
            graph_output(g, OUTPUT_result, "loss", make_reduce(g, OP_sum, part, 255));
            PassOptions options = options_for(arena, g);
            Graph *gradient = pass_grad(arena, g, &options, diag_new(arena));
            Tensor *input = random_inputs(arena, g, 1, 2, 1)[0];
            const Tensor *d = output_value(arena, gradient, &input, "d x");
            int64_t inner = 1;
            for (int k = axis + 1; k < 8; k++) inner *= dim_value(x->type.dim[k]);
            for (int64_t k = 0; k < d->count; k++) assert_true(d->f[k] == (k / inner % n % 2 == 0));
            for (int k = 0; k < gradient->nodes.count; k++)
                assert_true(type_value_elements(&gradient->nodes.at[k]->type) <= 2 * type_value_elements(&x->type));
        }
    arena_free(arena);
}

/* Steps of 2^32 one after the other: their product is no step. */
static void steps_that_multiply_beyond_all_integers(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    int64_t step = (int64_t)1 << 32, one = 1;
    const Dim *zero = dim_int(g->dims, 0);
    Type two = type_of(DT_f32, 1, (const Dim *[]){dim_int(g->dims, 2)}), single = SHAPE(g, DT_f32, 1);
    Node *x = data(g, "x", type_of(DT_f32, 1, (const Dim *[]){dim_int(g->dims, step + 1)}));
    Node *ends = make_slice(g, x, &zero, &step, two), *first = make_slice(g, ends, &zero, &step, single);
    graph_output(g, OUTPUT_result, "0", make_slice(g, first, &zero, &step, single));
    graph_output(g, OUTPUT_result, "1", make_slice(g, x, &zero, &one, single));
    PassOptions options = {0};
    g = pass_simplify(arena, g, &options, diag_new(arena));
    assert_ptr_equal(g->outputs.at[0].node, g->outputs.at[1].node);
    arena_free(arena);
}

/* The gradient of a maximum numbers the elements, even more of them than 32 bits count. */
static void maxima_of_more_elements_than_i32(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    for (int large = 0; large < 2; large++) {
        Graph *g = new_graph(arena);
        Node *x = param(g, "x", SHAPE(g, DT_f32, 2, large ? 1 << 30 : 3));
        graph_output(g, OUTPUT_result, "loss", make_reduce(g, OP_reduce_max, x, 3));
        PassOptions options = options_for(arena, g);
        g = pass_grad(arena, g, &options, diag_new(arena));
        for (int k = 0; k < g->nodes.count; k++)
            if (g->nodes.at[k]->op == OP_iota)
                assert_int_equal(g->nodes.at[k]->type.dtype, large ? DT_i64 : DT_i32);
    }
    arena_free(arena);
}

/* As many nodes for a window of a thousand columns as for one of twenty. */
static void gradient_of_wide_windows(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    int nodes[2];
    for (int k = 0; k < 2; k++) {
        int width = k ? 1000 : 20;
        Graph *g = new_graph(arena);
        Node *x = param(g, "x", SHAPE(g, DT_f64, 2000, 2));
        Node *w = make_window(g, x, 0, 1, SHAPE(g, DT_f64, 2001 - width, width, 2));
        graph_output(g, OUTPUT_result, "loss", make_reduce(g, OP_sum, w, 7));
        PassOptions options = options_for(arena, g);
        g = pass_grad(arena, g, &options, diag_new(arena));
        nodes[k] = g->nodes.count;
        Tensor *input = random_inputs(arena, g, 1, 2, 1)[0];
        const Tensor *d = output_value(arena, g, &input, "d x");
        for (int i = 0; i < 2000; i++) {
            int before = i < width - 1 ? i + 1 : width, after = i > 2000 - width ? 2000 - i : width;
            assert_true(d->f[2 * i] == (before < after ? before : after));
        }
    }
    assert_int_equal(nodes[0], nodes[1]);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_of_special_numbers),
        cmocka_unit_test(factors_that_leave_the_range),
        cmocka_unit_test(gradient_of_a_power_at_zero),
        cmocka_unit_test(gradient_of_steps_at_the_highest_rank),
        cmocka_unit_test(steps_that_multiply_beyond_all_integers),
        cmocka_unit_test(maxima_of_more_elements_than_i32),
        cmocka_unit_test(gradient_of_wide_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
