/* Known traps of fusion: work that is done again in every pass, in every kernel or for every element, and kernels that
 * take in too much. */
#include "gpt.h"
#include "interpret.h"

/* The highest cost of an element operator, as ops.def says. */
static int cost_of(const Node *n)
{
    switch ((int)n->op) {
#define ELEMENT(name, arity, types, result, value, code, gradient, cost, doc) case OP_##name: return cost;
#define STRUCTURAL(name, ...)
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    default: return 0;
    }
}

static bool holds(Node *const *at, int count, const Node *node)
{
    for (int k = 0; k < count; k++)
        if (at[k] == node) return true;
    return false;
}

/* x + 0.1 * tanh(x), some steps of it */
static Node *dear(Lab *l, Node *x, int steps)
{
    for (int k = 0; k < steps; k++) x = add(l, x, mul(l, un(l, OP_tanh, x), num(l, x, 0.1)));
    return x;
}

/* What feeds a row's maximum and exp(x - max) is computed in the first pass and held for the second. */
static void scores_are_computed_once_a_row(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = dear(&l, DATA(&l, "x", "B", "H", "T", "S"), 3);
    result(&l, "p", softmax(&l, x));
    lower(&l);
    assert_kinds(&l, "rows");
    const Kernel *k = kernel_at(&l, 0);
    assert_true(holds(k->keep.at, k->keep.count, k->nodes.at[k->nodes.count - 1]->args[0]));     /* exp(x - max) */
    const Node *kept = NULL;
    for (int i = 0; i < k->keep.count; i++)
        if (k->keep.at[i]->op == OP_add) kept = k->keep.at[i];
    assert_non_null(kept);
    for (int i = 0; i < k->nodes.count; i++) {                       /* every tanh stands before what is held */
        const Node *n = k->nodes.at[i];
        assert_true(n->op != OP_tanh || n->id < kept->id);
    }
    arena_free(l.arena);
}

/* A row too long to be held is computed again in every pass, unless it is dearer than a store and a load: then it is
 * stored by the first. */
static void long_rows_are_held_where_they_are_written(void **state)
{
    (void)state;
    Lab l = lab_new();
    const Dim *d[] = {dim_int(l.g->dims, 64), dim_int(l.g->dims, 30000)};
    Node *x = make_input(l.g, STORE_data, "x", type_of(DT_f32, 2, d));
    result(&l, "p", softmax(&l, x));
    lower(&l);
    assert_kinds(&l, "rows");
    const Kernel *k = kernel_at(&l, 0);
    for (int i = 0; i < k->keep.count; i++) assert_true(holds(k->outputs.at, k->outputs.count, k->keep.at[i]));
    arena_free(l.arena);
}

static int reductions(const Kernel *k)
{
    int count = 0;
    for (int i = 0; i < k->nodes.count; i++) count += node_is_reduction(k->nodes.at[i]);
    return count;
}

static void a_kernel_takes_few_reductions(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D"), *power = x;
    for (int k = 0; k < 20; k++, power = mul(&l, power, x))
        result(&l, arena_print(l.arena, "%d", k), sum(&l, power, 4));
    lower(&l);
    int most = 0, all = 0;
    for (int k = 0; k < l.p->kernels.count; k++) {
        int here = reductions(kernel_at(&l, k));
        most = here > most ? here : most;
        all += here;
    }
    assert_int_equal(all, 20);
    assert_int_equal(most, 6);
    bool said = false;
    for (int k = 0; k < l.p->kernels.count; k++)
        for (int i = 0; i < kernel_at(&l, k)->refusals.count; i++)
            said = said || strstr(kernel_at(&l, k)->refusals.at[i].why, "as many reductions");
    assert_true(said);
    arena_free(l.arena);
}

/* Operations of a node and all that is computed for it inside the kernel. */
static int cost_inside(const Kernel *k, const Node *n, bool *counted)
{
    if (!holds(k->nodes.at, k->nodes.count, n) || counted[n->id]) return 0;
    counted[n->id] = true;
    int cost = cost_of(n);
    for (int j = 0; j < n->arg_count; j++) cost += cost_inside(k, n->args[j], counted);
    return cost;
}

/* Over a whole training step: what several kernels compute is cheap in each of them, and reads no product. */
static void nothing_dear_is_computed_in_two_kernels(void **state)
{
    (void)state;
    enum { RECOMPUTED = 64 };            /* operations: fuse_store.c */
    Gpt m = gpt_new(3);
    Lab *l = &m.lab;
    Diagnostics *d = diag_new(l->arena);
    PassOptions options = gpt_options(&m, 1.0);
    Graph *g = pass_update(l->arena, pass_grad(l->arena, l->g, &options, d), &options, d);
    l->g = pass_simplify(l->arena, g, &options, d);
    lower(l);
    int count = l->p->graph->nodes.count, twice = 0;
    int *kernels = arena_array(l->arena, int, count);
    for (int k = 0; k < l->p->kernels.count; k++)
        for (int i = 0; i < kernel_at(l, k)->nodes.count; i++) kernels[kernel_at(l, k)->nodes.at[i]->id]++;
    for (int k = 0; k < l->p->kernels.count; k++) {
        const Kernel *kernel = kernel_at(l, k);
        for (int i = 0; i < kernel->nodes.count; i++) {
            const Node *n = kernel->nodes.at[i];
            if (kernels[n->id] < 2 || type_value_elements(&n->type) < 2) continue;
            twice++;
            int cost = cost_inside(kernel, n, arena_array(l->arena, bool, count));
            if (cost > RECOMPUTED) fail_msg("%%%u %s costs %d in kernel %d", n->id, op_name(n->op), cost, k);
            assert_false(node_is_reduction(n));
        }
    }
    assert_true(twice > 0);
    arena_free(l->arena);
}

/* One value a row, spread over it: computed once a row, not for each element. */
static void row_values_are_computed_once_a_row(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D"), *s = dear(&l, DATA(&l, "s", "B", "T"), 3);
    result(&l, "y", mul(&l, x, over_last(&l, s, x)));
    lower(&l);
    int computing = 0;
    for (int k = 0; k < l.p->kernels.count; k++) {
        const Kernel *kernel = kernel_at(&l, k);
        bool computes = false;
        for (int i = 0; i < kernel->nodes.count; i++) computes = computes || kernel->nodes.at[i]->op == OP_tanh;
        computing += computes;
        if (computes) assert_int_equal(kernel_extent(kernel, 0, kernel->a_rank), 12 * 64);
    }
    assert_int_equal(computing, 1);
    arena_free(l.arena);
}

/* A product reads its operands from memory, though a padded constant is cheaper made again by every other kernel. */
static void a_product_of_a_constant_reads_it(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "T", "B", "K"), *ones = make_full(l.g, lab_type(&l, DT_f32, SHAPE("B", "1")), 1);
    const Dim *start[MAX_RANK] = {dim_int(l.g->dims, 0), dim_int(l.g->dims, 1)};
    Node *edge = make_pad(l.g, ones, start, lab_type(&l, DT_f32, SHAPE("B", "D")));
    result(&l, "y", make_einsum(l.g, "mn,tmk->tkn", edge, x));
    shrink(&l);
    lower(&l);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_computed_once_a_row),
        cmocka_unit_test(long_rows_are_held_where_they_are_written),
        cmocka_unit_test(a_kernel_takes_few_reductions),
        cmocka_unit_test(nothing_dear_is_computed_in_two_kernels),
        cmocka_unit_test(row_values_are_computed_once_a_row),
        cmocka_unit_test(a_product_of_a_constant_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
