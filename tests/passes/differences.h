/* For tests of gradients: the loss of a graph of samples.h by central finite differences in f64. */
#ifndef PTM_TESTS_DIFFERENCES_H
#define PTM_TESTS_DIFFERENCES_H

#include "tests/passes/samples.h"

/* Step of the differences: truncation (step^2) and rounding (1e-16 / step) both stay near 1e-9 of a value around 1. */
static const double STEP = 3e-6, TOLERANCE = 2e-7;

static double loss_at(Arena *arena, const Graph *g, Tensor *const *inputs)
{
    return output_value(arena, g, inputs, "loss")->f[0];
}

static void check_param(Arena *arena, const Graph *g, const Graph *gradient, Tensor *const *inputs, int at,
                        const char *what)
{
    const char *name = arena_print(arena, "d %s", g->inputs.at[at]->attr.text);
    Tensor *d = output_value(arena, gradient, same_inputs(arena, gradient, g, inputs), name), *x = inputs[at];
    assert_true(type_equal(&d->type, &x->type));
    for (int64_t k = 0; k < x->count; k++) {
        Arena *scratch = arena_new();
        double here = x->f[k];
        x->f[k] = here + STEP;
        double above = loss_at(scratch, g, inputs);
        x->f[k] = here - STEP;
        double below = loss_at(scratch, g, inputs), wanted = (above - below) / (2 * STEP);
        x->f[k] = here;
        arena_free(scratch);
        if (!(fabs(d->f[k] - wanted) <= TOLERANCE * fmax(1, fabs(wanted))))
            fail_msg("%s: %s [%lld] is %.10g, differences say %.10g", what, name, (long long)k, d->f[k], wanted);
    }
}

/* The gradient of every parameter, for inputs in [low, 2). */
static void check_graph(Arena *arena, const Graph *g, double low, const char *what)
{
    PassOptions options = options_for(arena, g);
    Diagnostics *d = diag_new(arena);
    Graph *gradient = pass_grad(arena, g, &options, d);
    assert_non_null(gradient);
    assert_null(graph_verify(gradient, arena));
    for (uint64_t seed = 1; seed <= 2; seed++) {
        Tensor **inputs = random_inputs(arena, g, low, 2, seed);
        for (int k = 0; k < g->inputs.count; k++)
            if (g->inputs.at[k]->attr.storage == STORE_param) check_param(arena, g, gradient, inputs, k, what);
        GradFault fault;                 /* and what looks for a wrong rule agrees */
        if (grad_find_fault(g, &options, inputs, grad_rule, &fault))
            fail_msg("%s: %s, argument %d [%lld]: derived %.10g, differences say %.10g", what, op_name(fault.node->op),
                     fault.argument, (long long)fault.element, fault.derived, fault.measured);
    }
}

#endif
