/* What looks for a wrong gradient rule names the operator and its place: the first one on the way back from the loss,
 * in the bodies of loops too. That it finds nothing where the rules are right is in differences.h. */
#include "passes/build.h"
#include "tests/passes/samples.h"

static void at_line(Graph *g, int line)
{
    static const Source source = {.path = "wrong.ptm", .text = "", .size = 0};
    Origin *origin = arena_new_of(g->arena, Origin);
    *origin = (Origin){.place = {&source, (uint32_t)line, 1, 1}, .path = ""};
    g->origin = origin;
}

/* The derivative of tanh without its square, of a product with its arguments changed over. */
static Node *wrong_tanh(Graph *g, Node *node, Node *d, int k)
{
    if (node->op != OP_tanh) return grad_rule(g, node, d, k);
    Node *y = make_binary(g, OP_mul, node, make_full(g, node->type, -1));
    return make_binary(g, OP_mul, d, make_binary(g, OP_add, make_full(g, node->type, 1), y));
}

static Node *wrong_einsum(Graph *g, Node *node, Node *d, int k)
{
    return node->op == OP_einsum && k == 1 ? make_full(g, node->args[1]->type, 0) : grad_rule(g, node, d, k);
}

/* Wrong in one element of the argument only. */
static Node *wrong_sum(Graph *g, Node *node, Node *d, int k)
{
    Node *right = grad_rule(g, node, d, k);
    if (node->op != OP_sum || right->type.rank != 1) return right;
    Node *place = make_iota(g, (Type){DT_i64, 1, {right->type.dim[0]}}, 0);
    Node *third = make_binary(g, OP_eq, place, build_splat(g, place->type, 3));
    return make_where(g, third, make_full(g, right->type, 0), right);
}

static void expect(const Graph *g, GradRule *rule, Op op, uint32_t line, int argument, int64_t element)
{
    GradFault fault;
    PassOptions options = options_for(g->arena, g);
    Tensor **inputs = random_inputs(g->arena, g, -2, 2, 7);
    assert_true(grad_find_fault(g, &options, inputs, rule, &fault));
    assert_string_equal(op_name(fault.node->op), op_name(op));
    assert_int_equal(fault.node->origins[0]->place.line, line);
    assert_int_equal(fault.argument, argument);
    if (element >= 0) assert_int_equal(fault.element, element);
    assert_true(fabs(fault.derived - fault.measured) > 1e-3 * fabs(fault.measured));
    assert_false(grad_find_fault(g, &options, inputs, grad_rule, &fault));
}

/* tanh(sin(x) @ w), summed */
static Graph *two_layers(Arena *arena)
{
    Graph *g = new_graph(arena);
    Node *x = param(g, "x", SHAPE(g, F, 3, 5)), *w = param(g, "w", SHAPE(g, F, 5, 2));
    at_line(g, 3);
    Node *s = make_unary(g, OP_sin, x);
    at_line(g, 4);
    Node *z = make_einsum(g, "ij,jk->ik", s, w);
    at_line(g, 5);
    Node *y = make_unary(g, OP_tanh, z);
    at_line(g, 6);
    Node *row = make_reduce(g, OP_sum, y, 1);
    Node *flat = make_reduce(g, OP_sum, make_reshape(g, make_expand(g, row, FIXED(1), SHAPE(g, F, 3, 2)),
                                                     SHAPE(g, F, 6)), 1);
    graph_output(g, OUTPUT_result, "loss", flat);
    return g;
}

static void names_the_operator(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    expect(two_layers(arena), wrong_tanh, OP_tanh, 5, 0, 0);
    expect(two_layers(arena), wrong_einsum, OP_einsum, 4, 1, -1);
    expect(two_layers(arena), wrong_sum, OP_sum, 6, 0, 3);
    arena_free(arena);
}

/* h = tanh(x_t + h w), in a loop whose results are summed: the last iteration comes first on the way back. */
static void names_operators_in_loops(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena), *body = graph_like(arena, g);
    Node *h = make_input(body, STORE_carry, "h", SHAPE(body, F, 2, 3));
    Node *x = make_input(body, STORE_each, "x", SHAPE(body, F, 2, 3));
    Node *w = make_input(body, STORE_outer, "w", SHAPE(body, F, 3, 3));
    at_line(body, 8);
    Node *z = make_einsum(body, "bi,ij->bj", h, w);
    at_line(body, 9);
    Node *y = make_unary(body, OP_tanh, make_binary(body, OP_add, x, z));
    graph_output(body, OUTPUT_update, "h", y);
    graph_output(body, OUTPUT_result, "0", y);
    at_line(g, 7);
    Node *args[] = {data(g, "h0", h->type), param(g, "xs", SHAPE(g, F, 4, 2, 3)), param(g, "w", w->type)};
    Node *scan = make_scan(g, args, 3, &(Attr){.count = dim_int(g->dims, 4)}, body);
    graph_output(g, OUTPUT_result, "loss", make_reduce(g, OP_sum, make_pick(g, scan, 1), 7));
    expect(g, wrong_tanh, OP_tanh, 9, 0, 0);
    expect(g, wrong_einsum, OP_einsum, 8, 1, -1);
    GradFault fault;
    PassOptions options = options_for(arena, g);
    assert_true(grad_find_fault(g, &options, random_inputs(arena, g, -2, 2, 7), wrong_tanh, &fault));
    assert_int_equal(fault.iteration, 3);
    arena_free(arena);
}

/* What a stop hides is an input of the frozen graph, so that its differences are the gradient. */
static void freezes_what_a_stop_hides(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Graph *g = new_graph(arena);
    Node *x = param(g, "x", SHAPE(g, F, 3));
    Node *free = make_unary(g, OP_stop, data(g, "y", x->type));
    Node *held = make_unary(g, OP_stop, make_unary(g, OP_sin, x));
    Node *product = make_binary(g, OP_mul, make_binary(g, OP_mul, x, held), free);
    graph_output(g, OUTPUT_result, "loss", make_reduce(g, OP_sum, product, 1));
    StoppedNodes stopped = {0};
    PassOptions options = options_for(arena, g);
    Graph *frozen = grad_freeze(arena, g, &options, &stopped);
    assert_int_equal(stopped.count, 1);
    assert_ptr_equal(stopped.at[0], held);
    assert_non_null(graph_find_input(frozen, "stop.0"));
    assert_null(graph_verify(frozen, arena));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_operator),
        cmocka_unit_test(names_operators_in_loops),
        cmocka_unit_test(freezes_what_a_stop_hides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
