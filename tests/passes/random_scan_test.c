/* Random loops, with numbers and with symbols for dimensions, keep their values when work leaves them; and so do the
 * gradients of those that have one. */
#include "tests/passes/random_loops.h"

/* A unit in the last place, grown through some tens of operators. */
static bool close_enough(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * fmax(1, fmax(fabs(a), fabs(b)));
}

static void compare(Arena *arena, const Graph *g, uint64_t seed)
{
    PassOptions options = {0};
    Graph *simple = pass_simplify(arena, g, &options, diag_new(arena));
    const char *reason = graph_verify(simple, arena);
    if (reason) fail_msg("seed %llu: %s", (unsigned long long)seed, reason);
    Tensor **inputs = random_inputs(arena, g, -1, 1, seed);
    Tensor **before = evaluate(arena, g, inputs);
    Tensor **after = evaluate(arena, simple, same_inputs(arena, simple, g, inputs));
    for (int k = 0; k < g->outputs.count; k++)
        for (int64_t j = 0; j < before[k]->count; j++) {
            if (close_enough(before[k]->f[j], after[k]->f[j])) continue;
            graph_print(g, stderr);
            graph_print(simple, stderr);
            fail_msg("seed %llu: output %s [%lld] differs: %.17g %.17g", (unsigned long long)seed,
                     g->outputs.at[k].name, (long long)j, before[k]->f[j], after[k]->f[j]);
        }
}

static void check_program(uint64_t seed, bool symbolic)
{
    Arena *arena = arena_new();
    Graph *g = random_loops(arena, seed, symbolic);
    compare(arena, g, seed);
    Graph *gradient = random_gradient(g);
    if (gradient) compare(arena, gradient, seed);
    arena_free(arena);
}

static void check_programs(bool symbolic, uint64_t count)
{
    const char *only = getenv("SEED");
    if (only) check_program(strtoull(only, NULL, 10), symbolic);
    for (uint64_t seed = 1; !only && seed <= count; seed++) check_program(seed, symbolic);
}

static void random_loops_keep_their_values(void **state)
{
    (void)state;
    check_programs(false, 400);
}

static void symbols_change_nothing(void **state)
{
    (void)state;
    check_programs(true, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_loops_keep_their_values),
                                       cmocka_unit_test(symbols_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
