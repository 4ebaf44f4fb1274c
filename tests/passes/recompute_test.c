/* Values made again: the plan still means the graph, within the bytes that were asked for. */
#include "gpt.h"
#include "interpret.h"

static Graph *step_graph(Gpt *m, PassOptions *options, Diagnostics *d)
{
    Arena *arena = m->lab.arena;
    return pass_simplify(arena, pass_update(arena, pass_grad(arena, m->lab.g, options, d), options, d), options, d);
}

static void lower_step(Gpt *m, const Graph *g, PassOptions *options, Diagnostics *d, int64_t memory)
{
    Arena *arena = m->lab.arena;
    options->memory = memory;
    m->lab.p = pass_schedule(arena, pass_fuse(arena, g, options, d), options, d);
    if (memory) m->lab.p = pass_recompute(arena, m->lab.p, options, d);
    check_plan(&m->lab, "recompute");
    m->lab.p = pass_plan(arena, m->lab.p, options, d);
    check_plan(&m->lab, "plan");
}

/* The smaller the limit, the more runs again. */
static void a_step_fits_into_less(void **state)
{
    (void)state;
    for (int layers = 1; layers <= 3; layers += 2) {
        Gpt m = gpt_new(layers);
        PassOptions options = gpt_options(&m, 1.0);
        Diagnostics *d = diag_new(m.lab.arena);
        Graph *g = step_graph(&m, &options, d);
        lower_step(&m, g, &options, d, 0);
        int64_t all = m.lab.p->block_bytes[MEMORY_work];
        int before = -1;
        for (int percent = 100; percent >= 60; percent -= 10) {
            lower_step(&m, g, &options, d, all * percent / 100);
            int again = plan_made_again(m.lab.p);
            assert_true(percent == 100 ? again == 0 : again > before);
            assert_true(m.lab.p->block_bytes[MEMORY_work] <= all * percent / 100);
            before = again;
        }
        arena_free(m.lab.arena);
    }
}

/* What does not fit comes as near as it can; just that much fits. */
static void the_smallest_size_is_one_that_fits(void **state)
{
    (void)state;
    Gpt m = gpt_new(2);
    PassOptions options = gpt_options(&m, 0);
    Diagnostics *d = diag_new(m.lab.arena);
    Graph *g = step_graph(&m, &options, d);
    lower_step(&m, g, &options, d, 1);
    int64_t least = m.lab.p->block_bytes[MEMORY_work];
    assert_true(least > 1);
    lower_step(&m, g, &options, d, least);
    assert_int_equal(m.lab.p->block_bytes[MEMORY_work], least);
    lower_step(&m, g, &options, d, least - 1);
    assert_int_equal(m.lab.p->block_bytes[MEMORY_work], least);
    arena_free(m.lab.arena);
}

static void values_stay(void **state)
{
    (void)state;
    for (int clip = 0; clip < 2; clip++) {
        Gpt m = gpt_new(2);
        PassOptions options = gpt_options(&m, clip);
        Diagnostics *d = diag_new(m.lab.arena);
        shrink(&m.lab);
        Graph *g = step_graph(&m, &options, d);
        lower_step(&m, g, &options, d, 1);
        assert_true(plan_made_again(m.lab.p) > 5);
        compare_with_graph(m.lab.arena, m.lab.p, g);
        arena_free(m.lab.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_fits_into_less),
        cmocka_unit_test(the_smallest_size_is_one_that_fits),
        cmocka_unit_test(values_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
