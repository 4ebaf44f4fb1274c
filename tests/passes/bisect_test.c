/* The first pass that changes a result is named, and the graph shrinks to what shows it: with passes that are wrong on
 * purpose, put in by the observer of a pipeline that is right. */
#include "passes/bisect.h"
#include "passes/build.h"
#include "tests/passes/samples_random.h"

static Tensor *some_value(void *context, Arena *arena, const Node *input)
{
    (void)context;
    unsigned salt = 0;
    for (const char *c = input->attr.text; *c; c++) salt = salt * 31 + (unsigned char)*c;
    return tensor_some(arena, input, (int)(salt % 1000), 2);
}

/* A pass whose result stands for that of the right one. */
typedef struct Wrong {
    Bisect      bisect;
    const char *pass;
    Op          from, to;
} Wrong;

/* The graph with one operator in place of another, in bodies too. */
static Graph *replace_op(Arena *arena, const Graph *graph, Op from, Op to)
{
    Graph *g = graph_like(arena, graph);
    Node **copy = arena_array(arena, Node *, graph->nodes.count + 1);
    for (int k = 0; k < graph->nodes.count; k++) {
        const Node *node = graph->nodes.at[k];
        Node *args[64];
        for (int j = 0; j < node->arg_count; j++) args[j] = copy[node->args[j]->id];
        if (node->region)
            copy[k] = make_scan(g, args, node->arg_count, &node->attr, replace_op(arena, node->region, from, to));
        else
            copy[k] = build(g, node->op == from ? to : node->op, args, node->arg_count, &node->attr, &node->type);
    }
    for (int k = 0; k < graph->outputs.count; k++) {
        const Output *o = &graph->outputs.at[k];
        graph_output(g, o->kind, o->name, copy[o->node->id]);
    }
    return g;
}

static void observe(void *context, const char *pass, bool after, const Graph *graph, const Plan *plan)
{
    Wrong *w = context;
    if (after && graph && !strcmp(pass, w->pass)) graph = replace_op(graph->arena, graph, w->from, w->to);
    bisect_observe(&w->bisect, pass, after, graph, plan);
}

static bool finds(Wrong *w, Arena *arena, const Graph *g)
{
    PassOptions options = {.layout = layout_new(arena, &g, 1), .observe = observe, .context = w};
    return bisect_passes(arena, &w->bisect, g, options, diag_new(arena));
}

static bool shows(void *context, const Graph *g)
{
    Wrong *w = context;
    Arena *arena = arena_new();
    bool found = finds(w, arena, g) && !strcmp(w->bisect.stage, w->pass);
    arena_free(arena);
    return found;
}

static int count_nodes(const Graph *g)
{
    int count = g->nodes.count;
    for (int k = 0; k < g->nodes.count; k++)
        if (g->nodes.at[k]->region) count += count_nodes(g->nodes.at[k]->region);
    return count;
}

static const Graph *shrunk(Wrong *w, Lab *l)
{
    const Graph *small = graph_shrink(l->arena, l->g, w->bisect.output, shows, w, 2000);
    assert_null(graph_verify(small, l->arena));
    assert_true(shows(w, small));
    return small;
}

static void right_passes_change_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        Lab l = lab_new();
        Random r = random_new(&l, seed);
        for (int k = 0; k < 25; k++) random_node(&r);
        for (int k = 0; k < 4; k++) result(&l, arena_print(l.arena, "%d", k), r.at[r.count - 1 - k]);
        random_update_states(&r);
        Bisect b = {.value = some_value};
        const Graph *g = l.g;
        PassOptions options = {.layout = layout_new(l.arena, &g, 1)};
        if (bisect_passes(l.arena, &b, l.g, options, diag_new(l.arena)) && strcmp(b.stage, "graph"))
            fail_msg("seed %d: %s: %s [%lld] is %.9g, was %.9g (%s)", (int)seed, b.stage, b.output ? b.output : "",
                     (long long)b.element, b.have, b.want, b.why ? b.why : "");
        arena_free(l.arena);
    }
}

/* Two layers and a norm; only the first tanh of the lot matters. */
static Lab layers(void)
{
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "D"), *w = PARAM(&l, "w", "D", "D"), *v = PARAM(&l, "v", "D", "V");
    Node *h = un(&l, OP_tanh, make_einsum(l.g, "bd,de->be", x, w));
    Node *y = softmax(&l, make_einsum(l.g, "bd,dv->bv", layer_norm(&l, h, PARAM(&l, "gain", "D")), v));
    result(&l, "y", y);
    result(&l, "h", sum(&l, mul(&l, h, h), 3));
    update(&l, "w", add(&l, w, mul(&l, w, num(&l, w, -0.1))));
    static const struct { const char *name; int64_t value; } sizes[] = {{"B", 3}, {"D", 8}, {"V", 5}};
    for (int k = 0; k < 3; k++) dim_set_value(l.g->dims, sizes[k].name, sizes[k].value);
    return l;
}

static void names_a_wrong_pass(void **state)
{
    (void)state;
    Lab l = layers();
    Wrong w = {.bisect = {.value = some_value}, .pass = "simplify", .from = OP_tanh, .to = OP_sin};
    assert_true(finds(&w, l.arena, l.g));
    assert_string_equal(w.bisect.stage, "simplify");
    assert_null(w.bisect.why);
    w.pass = "sparse";
    assert_true(finds(&w, l.arena, l.g));
    assert_string_equal(w.bisect.stage, "sparse");
    w.from = OP_cos;                     /* none there */
    assert_false(finds(&w, l.arena, l.g));
    arena_free(l.arena);
}

static void shrinks_to_one_operator(void **state)
{
    (void)state;
    Lab l = layers();
    Wrong w = {.bisect = {.value = some_value}, .pass = "simplify", .from = OP_tanh, .to = OP_sin};
    const Graph *small = shrunk(&w, &l);
    assert_int_equal(small->nodes.count, 2);
    assert_int_equal(small->outputs.count, 1);
    assert_int_equal(small->outputs.at[0].node->op, OP_tanh);
    assert_int_equal(type_value_elements(&small->outputs.at[0].node->type), 1);
    arena_free(l.arena);
}

/* In a body: everything around it goes, and of it what is not asked for. */
static void shrinks_loops(void **state)
{
    (void)state;
    Lab l = lab_new();
    Graph *body = graph_like(l.arena, l.g);
    Lab b = {l.arena, body, NULL};
    Type row = lab_type(&l, DT_f32, SHAPE("B", "D"));
    Node *x = make_input(body, STORE_each, "x", row), *h = make_input(body, STORE_carry, "h", row);
    Node *bias = make_input(body, STORE_outer, "bias", row), *other = make_input(body, STORE_carry, "other", row);
    update(&b, "other", mul(&b, other, x));
    Node *z = un(&b, OP_tanh, add(&b, add(&b, x, h), bias));
    update(&b, "h", z);
    result(&b, "0", mul(&b, z, z));
    result(&b, "1", un(&b, OP_exp, x));
    Node *xs = DATA(&l, "xs", "T", "B", "D"), *begin = STATE(&l, "h", "B", "D");
    Node *args[] = {mul(&l, xs, num(&l, xs, 2)), begin, un(&l, OP_sin, PARAM(&l, "bias", "B", "D")), begin};
    Node *scan = make_scan(l.g, args, 4, &(Attr){.count = xs->type.dim[0]}, body);
    result(&l, "y", sum(&l, make_pick(l.g, scan, 2), 7));
    result(&l, "z", make_pick(l.g, scan, 3));
    update(&l, "h", make_pick(l.g, scan, 0));
    static const struct { const char *name; int64_t value; } sizes[] = {{"B", 3}, {"D", 8}, {"T", 4}};
    for (int k = 0; k < 3; k++) dim_set_value(l.g->dims, sizes[k].name, sizes[k].value);
    Wrong w = {.bisect = {.value = some_value}, .pass = "simplify", .from = OP_tanh, .to = OP_sin};
    int before = count_nodes(l.g);
    const Graph *small = shrunk(&w, &l);
    if (count_nodes(small) > 9) graph_print(small, stderr);
    assert_true(count_nodes(small) <= 9 && count_nodes(small) < before);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_passes_change_nothing), cmocka_unit_test(names_a_wrong_pass),
        cmocka_unit_test(shrinks_to_one_operator), cmocka_unit_test(shrinks_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
