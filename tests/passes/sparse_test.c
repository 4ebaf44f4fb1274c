/* Updates by rows: which tables get them, that they are what the dense update is, and that nothing of the table's size
 * is made. */
#include "interpret.h"

enum { ROWS = 40, WIDTH = 6, LOOKUPS = 7 };

/* The dense step is what `simplify` makes of the graph, the other what `sparse` makes of that. */
typedef struct Step {
    Lab    lab;
    Graph *dense;
    PassNotes notes;
} Step;

/* w', and updates of the states, from w and g. */
typedef Node *Optimizer(Lab *code, Node *w, Node *g, Node *rate);

static Type table_type(Lab *l)
{
    return type_of(DT_f32, 2, (const Dim *[]){dim_int(l->g->dims, ROWS), dim_int(l->g->dims, WIDTH)});
}

static Node *state_of(Lab *code, const char *name) { return make_input(code->g, STORE_state, name, table_type(code)); }

static Node *sgd(Lab *c, Node *w, Node *g, Node *rate) { return sub(c, w, mul(c, g, rate)); }

static Node *clamped(Lab *c, Node *w, Node *g, Node *rate)
{
    Node *low = make_binary(c->g, OP_max, g, num(c, g, -0.01));
    Node *both = neg(c, make_binary(c->g, OP_max, neg(c, low), num(c, g, -0.01)));
    return sub(c, w, mul(c, both, rate));
}

/* h += g^2; w -= rate * g / (sqrt(h) + 0.1) */
static Node *adagrad(Lab *c, Node *w, Node *g, Node *rate)
{
    Node *h = add(c, state_of(c, "optimizer.w.h"), mul(c, g, g));
    update(c, "optimizer.w.h", h);
    return sub(c, w, divide(c, mul(c, g, rate), add(c, un(c, OP_sqrt, h), num(c, h, 0.1))));
}

static Node *momentum(Lab *c, Node *w, Node *g, Node *rate)
{
    Node *m = state_of(c, "optimizer.w.m"), *fresh = add(c, mul(c, m, num(c, m, 0.9)), g);
    update(c, "optimizer.w.m", fresh);
    return sub(c, w, mul(c, fresh, rate));
}

static Node *lazy_momentum(Lab *c, Node *w, Node *g, Node *rate)
{
    result(c, "lazy", make_whole(c->g, DT_bool, 1));
    return momentum(c, w, g, rate);
}

static Node *decayed(Lab *c, Node *w, Node *g, Node *rate)
{
    return sub(c, mul(c, w, num(c, w, 0.99)), mul(c, g, rate));
}

static Node *lookup(Lab *l, Node *w, const char *name, int count)
{
    const Dim *n = dim_int(l->g->dims, count);
    Node *ids = make_input(l->g, STORE_data, name, type_of(DT_i32, 1, &n));
    return make_gather(l->g, w, &ids, 1, 0);
}

/* sum(x * x * c) over whatever there is */
static Node *energy(Lab *l, Node *x, double c)
{
    return sum(l, mul(l, mul(l, x, x), num(l, x, c)), (1u << x->type.rank) - 1);
}

static Node *once(Lab *l, Node *w) { return energy(l, lookup(l, w, "a", LOOKUPS), 0.5); }

static Node *twice(Lab *l, Node *w) { return add(l, once(l, w), energy(l, lookup(l, w, "b", 5), 0.25)); }

static Node *often(Lab *l, Node *w) { return energy(l, lookup(l, w, "a", ROWS / 2 + 1), 0.5); }

/* As a tied head: every row is in a product, too. */
static Node *tied(Lab *l, Node *w)
{
    return add(l, once(l, w), energy(l, make_einsum(l->g, "nd,vd->nv", lookup(l, w, "b", 3), w), 0.5));
}

static Step step_new(Node *(*loss)(Lab *, Node *), Optimizer *optimizer, double clip)
{
    Step s = {.lab = lab_new()};
    Lab *l = &s.lab, code = {.arena = l->arena, .g = graph_new(l->arena, l->g->dims, "code")};
    result(l, "loss", loss(l, make_input(l->g, STORE_param, "w", table_type(l))));
    Node *w = make_input(code.g, STORE_data, "w", table_type(l)), *g = make_input(code.g, STORE_data, "g", w->type);
    Node *rate = make_broadcast(code.g, make_input(code.g, STORE_ambient, "rate", type_scalar(DT_f32)), w->type);
    result(&code, "w", optimizer(&code, w, g, rate));
    const char *trained = "w";
    ParamUpdate update = {"w", code.g};
    PassOptions options = {.loss = "loss", .trained = &trained, .trained_count = 1, .updates = &update, .clip = clip};
    Diagnostics *d = diag_new(l->arena);
    options.notes = &s.notes;
    Graph *graph = pass_update(l->arena, pass_grad(l->arena, l->g, &options, d), &options, d);
    s.dense = pass_simplify(l->arena, graph, &options, d);
    l->g = pass_sparse(l->arena, s.dense, &options, d);
    return s;
}

/* Whether a value of the table's size is stored outside of the tables. */
static bool makes_dense(const Lab *l)
{
    for (int k = 0; k < l->p->buffers.count; k++) {
        const Buffer *b = l->p->buffers.at[k];
        if (b->block == MEMORY_work && b->bytes >= ROWS * WIDTH * (int64_t)sizeof(float)) return true;
    }
    return false;
}

static void expect_rows(Node *(*loss)(Lab *, Node *), Optimizer *optimizer, double clip)
{
    Step s = step_new(loss, optimizer, clip);
    assert_int_equal(s.notes.count, 1);
    if (!strstr(s.notes.at[0], "only rows")) fail_msg("%s", s.notes.at[0]);
    lower(&s.lab);
    assert_false(makes_dense(&s.lab));
    compare_with_graph(s.lab.arena, s.lab.p, s.dense);
    arena_free(s.lab.arena);
}

static void expect_dense(Node *(*loss)(Lab *, Node *), Optimizer *optimizer, const char *why)
{
    Step s = step_new(loss, optimizer, 1.0);
    assert_ptr_equal(s.lab.g, s.dense);
    assert_int_equal(s.notes.count, 1);
    if (!strstr(s.notes.at[0], why)) fail_msg("%s", s.notes.at[0]);
    lower(&s.lab);
    compare_with_graph(s.lab.arena, s.lab.p, s.dense);
    arena_free(s.lab.arena);
}

static void what_rests_without_gradient_goes_by_rows(void **state)
{
    (void)state;
    for (int clip = 0; clip < 2; clip++) {
        expect_rows(once, sgd, 0.05 * clip);
        expect_rows(once, adagrad, 0.05 * clip);
        expect_rows(once, clamped, 0.05 * clip);
        expect_rows(twice, sgd, 0.05 * clip);
        expect_rows(twice, adagrad, 0.05 * clip);
    }
}

static void others_stay_dense_and_say_why(void **state)
{
    (void)state;
    expect_dense(once, momentum, "also changes where no lookup");
    expect_dense(once, decayed, "\"w\" also changes where no lookup");
    expect_dense(tied, sgd, "\"w\" also changes where no lookup");
    expect_dense(often, sgd, "half of its rows");
}

static Tensor *update_of(Arena *arena, const Graph *g, Tensor *const *inputs, const char *name)
{
    Tensor **results = arena_array(arena, Tensor *, g->outputs.count);
    assert_null(graph_eval(g, inputs, results, arena));
    for (int k = 0; k < g->outputs.count; k++)
        if (!strcmp(g->outputs.at[k].name, name)) return results[k];
    return NULL;
}

/* Rows that occur move as they do in the dense step, the others and their states not at all. */
static void lazy_leaves_other_rows_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"w", "optimizer.w.m"};
    Step s = step_new(once, lazy_momentum, 0);
    Arena *arena = s.lab.arena;
    Graph *graphs[] = {s.dense, s.lab.g};
    Tensor *values[2][2], *before[2] = {0}, *ids = NULL;
    assert_ptr_not_equal(s.lab.g, s.dense);
    for (int i = 0; i < 2; i++) {
        Tensor **inputs = arena_array(arena, Tensor *, graphs[i]->inputs.count);
        for (int k = 0; k < graphs[i]->inputs.count; k++) {
            const char *name = graphs[i]->inputs.at[k]->attr.text;
            inputs[k] = tensor_some(arena, graphs[i]->inputs.at[k], name[0], 8);
            for (int j = 0; j < 2; j++)
                if (!strcmp(name, names[j])) before[j] = inputs[k];
            if (!strcmp(name, "a")) ids = inputs[k], ids->i[2] = -1, ids->i[3] = ids->i[0];
        }
        for (int j = 0; j < 2; j++) values[i][j] = update_of(arena, graphs[i], inputs, names[j]);
    }
    for (int row = 0; row < ROWS; row++) {
        bool occurs = false;
        for (int k = 0; k < LOOKUPS; k++) occurs = occurs || ids->i[k] == row;
        for (int j = 0; j < 2; j++)
            for (int e = row * WIDTH; e < (row + 1) * WIDTH; e++)
                assert_true(values[1][j]->f[e] == (occurs ? values[0][j]->f[e] : before[j]->f[e]));
    }
    arena_free(arena);
}

/* A gradient that somebody wants to see is made, whatever the update does. */
static void gradients_that_are_results_are_dense(void **state)
{
    (void)state;
    Lab l = lab_new();
    result(&l, "loss", once(&l, make_input(l.g, STORE_param, "w", table_type(&l))));
    const char *trained = "w";
    PassOptions options = {.loss = "loss", .trained = &trained, .trained_count = 1};
    Diagnostics *d = diag_new(l.arena);
    Graph *g = pass_simplify(l.arena, pass_grad(l.arena, l.g, &options, d), &options, d);
    assert_ptr_equal(pass_sparse(l.arena, g, &options, d), g);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_rests_without_gradient_goes_by_rows),
        cmocka_unit_test(others_stay_dense_and_say_why),
        cmocka_unit_test(lazy_leaves_other_rows_alone),
        cmocka_unit_test(gradients_that_are_results_are_dense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
