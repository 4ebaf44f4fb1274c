/* Random graphs, with products, reductions over any axes, gathers, scatters and updates, keep their meaning when
 * they are cut into kernels and placed; twice, since equal graphs must give equal plans; and once more in as little
 * memory as possible, so that values are made again. */
#include "interpret.h"
#include "samples_random.h"

enum { GRAPHS = 1500 };

static char *plan_as_text(const Plan *p)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    plan_print(p, f);
    fclose(f);
    return text;
}

static char *check_graph(uint64_t seed, int64_t memory, int *again)
{
    Lab l = lab_new();
    Random r = random_new(&l, seed);
    int nodes = 8 + random_number(&r, 30);
    for (int k = 0; k < nodes; k++) random_node(&r);
    for (int k = 0; k < 4; k++)
        result(&l, arena_print(l.arena, "%d", k), r.at[r.count - 1 - random_number(&r, r.count / 2)]);
    random_update_states(&r);
    lower_within(&l, memory);
    *again += plan_made_again(l.p);
    compare_with_graph(l.arena, l.p, l.g);
    char *text = plan_as_text(l.p);
    arena_free(l.arena);
    return text;
}

static void random_graphs_keep_their_meaning(void **state)
{
    (void)state;
    int none = 0, again = 0;
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        if (getenv("SEED")) seed = (uint64_t)atoi(getenv("SEED"));
        char *first = check_graph(seed, 0, &none), *second = check_graph(seed, 0, &none);
        if (strcmp(first, second)) fail_msg("seed %d: two plans for one graph", (int)seed);
        free(first);
        free(second);
        free(check_graph(seed, 1, &again));
        if (getenv("SEED")) break;
    }
    assert_int_equal(none, 0);
    if (!getenv("SEED") && again < GRAPHS / 10) fail_msg("only %d kernels ran again", again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs_keep_their_meaning)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
