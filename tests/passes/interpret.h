/* Runs plans with the reference evaluator inside the kernels, and compares with what the graph means. */
#ifndef PTM_TESTS_INTERPRET_H
#define PTM_TESTS_INTERPRET_H

#include "lower.h"
#include "ir/plan_eval.h"

#include <math.h>

static inline void compare(const Tensor *have, const Tensor *want, const char *name)
{
    assert_true(have->count == want->count);
    for (int64_t k = 0; k < have->count; k++) {
        double a = have->f ? have->f[k] : (double)have->i[k], b = want->f ? want->f[k] : (double)want->i[k];
        if (!(fabs(a - b) <= 2e-5 * fmax(1, fabs(b))))       /* f32 after some hundred additions in another order */
            fail_msg("%s [%lld] is %.9g, not %.9g", name, (long long)k, a, b);
    }
}

/* Runs the plan and the graph it came from on the same inputs. */
static inline void compare_with_graph(Arena *arena, const Plan *p, const Graph *g)
{
    Tensor **inputs = arena_array(arena, Tensor *, g->inputs.count + 1),
           **planned = arena_array(arena, Tensor *, p->graph->inputs.count + 1),
           **wanted = arena_array(arena, Tensor *, g->outputs.count + 1),
           **results = arena_array(arena, Tensor *, p->graph->outputs.count + 1);
    for (int k = 0; k < g->inputs.count; k++) {
        inputs[k] = tensor_some(arena, g->inputs.at[k], k, 8);
        for (int j = 0; j < p->graph->inputs.count; j++)
            if (!strcmp(g->inputs.at[k]->attr.text, p->graph->inputs.at[j]->attr.text)) planned[j] = inputs[k];
    }
    assert_null(graph_eval(g, inputs, wanted, arena));
    const char *why = plan_eval(p, PLAN_placed, planned, results, arena);
    if (why) fail_msg("%s", why);
    for (int k = 0; k < g->outputs.count; k++) {
        assert_string_equal(p->graph->outputs.at[k].name, g->outputs.at[k].name);
        compare(results[k], wanted[k], g->outputs.at[k].name);
    }
}

static inline void shrink(Lab *l)
{
    static const struct { const char *name; int64_t value; } sizes[] = {
        {"B", 3}, {"T", 7}, {"S", 7}, {"H", 2}, {"K", 4}, {"D", 8}, {"F", 20}, {"V", 11}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) dim_set_value(l->g->dims, sizes[k].name, sizes[k].value);
}

#endif
