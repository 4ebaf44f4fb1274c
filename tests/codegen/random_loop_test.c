/* Random loops over symbols go the whole way, from the gradient through every pass to machine code, and give the values
 * of the evaluator for the graph that they began with. */
#include "jit.h"
/* shapes of numbers are written otherwise there */
#undef SHAPE
#include "tests/passes/random_loops.h"

enum { PROGRAMS = 40 };

static const Output *find_result(const Graph *g, const char *name)
{
    for (int k = 0; k < g->outputs.count; k++)
        if (!strcmp(g->outputs.at[k].name, name)) return &g->outputs.at[k];
    return NULL;
}

static void check_way(Arena *arena, const Graph *g, uint64_t seed)
{
    PassOptions options = {0};
    Lab l = {.arena = arena, .g = pass_simplify(arena, g, &options, diag_new(arena))};
    Tensor **inputs = random_inputs(arena, g, -1, 1, seed), **wanted = evaluate(arena, g, inputs);
    Tensor **own = same_inputs(arena, l.g, g, inputs);
    const Graph *simple = l.g;
    Jit j = jit_new(&l, 1 + (int)(seed % 3));
    for (int k = 0; k < simple->inputs.count; k++) jit_set(&j, simple->inputs.at[k]->attr.text, own[k]);
    assert_int_equal(jit_run(&j), 0);
    for (int k = 0; k < g->outputs.count; k++) {
        const Output *output = find_result(l.g, g->outputs.at[k].name);
        const char *name = arena_print(arena, "seed %llu: %s", (unsigned long long)seed, g->outputs.at[k].name);
        jit_compare(jit_output(&j, output), wanted[k], 1e-7, false, name);
    }
    jit_free(&j);
}

static void check_program(uint64_t seed)
{
    Arena *arena = arena_new();
    Graph *g = random_loops(arena, seed, true), *gradient = random_gradient(g);
    check_way(arena, gradient ? gradient : g, seed);
    arena_free(arena);
}

static void machine_code_has_the_values(void **state)
{
    (void)state;
    const char *only = getenv("SEED"), *last = getenv("LAST");
    uint64_t from = only ? strtoull(only, NULL, 10) : 1, to = last ? strtoull(last, NULL, 10) : only ? from : PROGRAMS;
    for (uint64_t seed = from; seed <= to; seed++) check_program(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(machine_code_has_the_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
