/* Minimum cuts of small random networks against all the ways to part them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "passes/min_cut.h"

#include <stdlib.h>

enum { VERTICES = 8, ARCS = 16, NETWORKS = 300 };

typedef struct Network {
    int     from[ARCS], to[ARCS];
    int64_t price[ARCS];
} Network;

static uint64_t next(uint64_t *state, uint64_t bound)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % bound;
}

/* Of the arcs into the sink's side, given as bits. */
static int64_t price_of(const Network *n, unsigned side)
{
    int64_t sum = 0;
    for (int k = 0; k < ARCS; k++)
        if (!(side >> n->from[k] & 1) && side >> n->to[k] & 1) sum += n->price[k];
    return sum;
}

static void check_network(const Network *n)
{
    Arena *arena = arena_new();
    MinCut *cut = min_cut_new(arena, VERTICES);
    for (int k = 0; k < ARCS; k++) min_cut_arc(cut, n->from[k], n->to[k], n->price[k]);
    bool *found = min_cut_find(cut);
    unsigned side = 0;
    for (int k = 0; k < VERTICES; k++) side |= (unsigned)found[k] << k;
    assert_true(found[MIN_CUT_SINK] && !found[MIN_CUT_SOURCE]);
    int64_t price = price_of(n, side);
    for (unsigned other = 0; other < 1u << VERTICES; other++) {
        if (other >> MIN_CUT_SOURCE & 1 || !(other >> MIN_CUT_SINK & 1)) continue;
        assert_true(price_of(n, other) >= price);
        if (price_of(n, other) == price) assert_int_equal(side & ~other, 0);
    }
    arena_free(arena);
}

static void test_random(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int k = 0; k < NETWORKS; k++) {
        Network n;
        for (int j = 0; j < ARCS; j++) {
            n.from[j] = (int)next(&seed, VERTICES);
            n.to[j] = (int)next(&seed, VERTICES);
            n.price[j] = (int64_t)next(&seed, 6);
        }
        check_network(&n);
    }
}

/* What can not be cut is not, if there is another way. */
static void test_never(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    MinCut *cut = min_cut_new(arena, MIN_CUT_FIRST + 2);
    min_cut_arc(cut, MIN_CUT_SOURCE, MIN_CUT_FIRST, MIN_CUT_NEVER);
    min_cut_arc(cut, MIN_CUT_FIRST, MIN_CUT_FIRST + 1, (int64_t)1 << 50);
    min_cut_arc(cut, MIN_CUT_FIRST + 1, MIN_CUT_SINK, MIN_CUT_NEVER);
    bool *side = min_cut_find(cut);
    assert_false(side[MIN_CUT_FIRST]);
    assert_true(side[MIN_CUT_FIRST + 1]);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_never)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
