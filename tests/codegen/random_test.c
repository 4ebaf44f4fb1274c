/* Random graphs, with products, reductions over any axes, gathers, scatters and updates, give the evaluator's values as
 * machine code, on one thread and on three. */
#include "jit.h"
#include "tests/passes/samples_random.h"

enum { GRAPHS = 150 };

static void check_graph(uint64_t seed)
{
    Lab l = lab_new();
    Random r = random_new(&l, seed);
    int nodes = 8 + random_number(&r, 30);
    for (int k = 0; k < nodes; k++) random_node(&r);
    for (int k = 0; k < 4; k++)
        result(&l, arena_print(l.arena, "%d", k), r.at[r.count - 1 - random_number(&r, r.count / 2)]);
    random_update_states(&r);
    jit_check_some(&l, seed % 2 ? 1 : 3, 5e-5);              /* f32 after some hundred operations in another order */
    arena_free(l.arena);
}

static void random_graphs_keep_their_values(void **state)
{
    (void)state;
    int first = getenv("SEED") ? atoi(getenv("SEED")) : 1, last = getenv("LAST")   ? atoi(getenv("LAST"))
                                                                  : getenv("SEED") ? first
                                                                                   : GRAPHS;
    for (int seed = first; seed <= last; seed++) {
        if (getenv("SEED")) printf("seed %d\n", seed), fflush(stdout);
        check_graph((uint64_t)seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs_keep_their_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
