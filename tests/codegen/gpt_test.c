/* The training step of a GPT as machine code: its values, the number of its functions whatever its depth, and the same
 * bits for any number of threads. */
#include "jit.h"
#include "tests/passes/gpt.h"

#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Gradient, update and simplification; `lab` then holds the graph that the other passes start from. */
static Gpt training_step(int layers, bool small)
{
    Gpt m = gpt_new(layers);
    Diagnostics *d = diag_new(m.lab.arena);
    PassOptions options = gpt_options(&m, 1.0);
    static const struct { const char *name; int64_t value; } sizes[] = {
        {"B", 3}, {"T", 7}, {"S", 7}, {"H", 2}, {"K", 4}, {"D", 8}, {"F", 20}, {"V", 11}};
    for (size_t k = 0; small && k < sizeof sizes / sizeof *sizes; k++)
        dim_set_value(m.lab.g->dims, sizes[k].name, sizes[k].value);
    Graph *g = pass_grad(m.lab.arena, m.lab.g, &options, d);
    g = pass_update(m.lab.arena, g, &options, d);
    m.lab.g = pass_simplify(m.lab.arena, g, &options, d);
    assert_int_equal(diag_error_count(d), 0);
    return m;
}

static void the_step_has_the_evaluators_values(void **state)
{
    (void)state;
    Gpt m = training_step(2, true);
    jit_check_some(&m.lab, 2, 1e-4);                         /* moments near zero divide: a few times f32's error */
    arena_free(m.lab.arena);
}

static void depth_adds_no_functions(void **state)
{
    (void)state;
    int functions[2];
    for (int k = 0; k < 2; k++) {
        Gpt m = training_step(k ? 12 : 4, false);
        lower(&m.lab);
        double start = seconds();
        CodeOptions options = {.threads = 2, .blas = jit_blas()};
        Code *code = code_compile(m.lab.p, "step", &options, diag_new(m.lab.arena));
        CodeStatistics s = code_statistics(code);
        printf("%d kernels, %d functions, %lld bytes: %.3f s of LLVM in %.3f s\n", s.kernels, s.functions,
               (long long)s.code_bytes, s.llvm_seconds, seconds() - start);
        functions[k] = s.functions;
        code_free(code);
        arena_free(m.lab.arena);
    }
    assert_true(functions[1] <= functions[0] + 2);
}

/* Hash of all parameters after three steps. */
static uint64_t parameters_after(int threads)
{
    Gpt m = training_step(1, false);
    Jit j = jit_new(&m.lab, threads);
    for (int k = 0; k < m.lab.g->inputs.count; k++) {
        const Node *input = m.lab.g->inputs.at[k];
        jit_set(&j, input->attr.text, tensor_some(m.lab.arena, input, k, 8));
    }
    for (int step = 0; step < 3; step++) {
        for (int k = 0; k < m.lab.g->inputs.count; k++) {
            const Node *input = m.lab.g->inputs.at[k];
            if (!graph_input_stays(input)) jit_set(&j, input->attr.text, tensor_some(m.lab.arena, input, k, 8));
        }
        assert_int_equal(jit_run(&j), 0);
    }
    uint64_t hash = 14695981039346656037u;
    for (int64_t k = 0; k < j.trial.program->block_bytes[BLOCK_param]; k++)
        hash = (hash ^ (unsigned char)j.trial.block[BLOCK_param][k]) * 1099511628211u;
    jit_free(&j);
    arena_free(m.lab.arena);
    return hash;
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    uint64_t one = parameters_after(1);
    assert_int_equal(parameters_after(2), one);
    assert_int_equal(parameters_after(3), one);
    assert_int_equal(parameters_after(8), one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_step_has_the_evaluators_values),
        cmocka_unit_test(depth_adds_no_functions),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
