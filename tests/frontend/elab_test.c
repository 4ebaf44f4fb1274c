/* The meaning of programs: dimensions, subscripts, static values, labels and parameters, entries. */
#include "tests/frontend/program.h"

static const double ROW[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
static const Given GRID = { DT_f32, { 3, 4 }, ROW };         /* [[0 1 2 3] [4 5 6 7] [8 9 10 11]] */

static void assert_grid(const char *expression, const double *wanted, int count)
{
    char text[1024];
    snprintf(text, sizeof text, "fn f(x: f32[N, M]) { return %s }\n", expression);
    assert_f(text, &GRID, 1, wanted, count);
}

static void test_subscripts(void **state)
{
    (void)state;
    assert_grid("x[1]", VALUES(4, 5, 6, 7));
    assert_grid("x[-1, -1]", VALUES(11));
    assert_grid("x[:, 1]", VALUES(1, 5, 9));
    assert_grid("x[1:, :2]", VALUES(4, 5, 8, 9));
    assert_grid("x[:-1, -2:]", VALUES(2, 3, 6, 7));
    assert_grid("x[0, ::-1]", VALUES(3, 2, 1, 0));
    assert_grid("x[0, ::2]", VALUES(0, 2));
    assert_grid("x[0, 1::2]", VALUES(1, 3));
    assert_grid("x[0, 2:0:-1]", VALUES(2, 1));
    assert_grid("x[.., 0]", VALUES(0, 4, 8));
    assert_grid("x[0, _, :2] + x[:2, 0][:, _]", VALUES(0, 1, 4, 5));
    assert_grid("x.T[0]", VALUES(0, 4, 8));
}

/* Index tensors broadcast; -1 is the absent row; their dimensions stand where the first stood. */
static void test_index_tensors(void **state)
{
    (void)state;
    assert_grid("x[iota(2) + 1, 0]", VALUES(4, 8));
    assert_grid("x[iota(3) - 1, iota(3)]", VALUES(0, 1, 6));
    assert_grid("x[iota(2)[:, _], iota(2)]", VALUES(0, 1, 4, 5));
    assert_grid("x[1:, iota(2)]", VALUES(4, 5, 8, 9));
    assert_grid("x[iota(2) - 1][:, :2]", VALUES(0, 0, 0, 1));
}

static void assert_assigned(const char *statement, const double *wanted, int count)
{
    char text[1024];
    snprintf(text, sizeof text, "fn f(x: f32[N, M]) {\n y = x\n %s\n return y\n}\n", statement);
    assert_f(text, &GRID, 1, wanted, count);
}

static void test_assignment_by_subscript(void **state)
{
    (void)state;
    assert_assigned("y[1] = 0", VALUES(0, 1, 2, 3, 0, 0, 0, 0, 8, 9, 10, 11));
    assert_assigned("y[:, 1:3] = x[:, :2]", VALUES(0, 0, 1, 3, 4, 4, 5, 7, 8, 8, 9, 11));
    assert_assigned("y[0, 0] += 5", VALUES(5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    assert_assigned("y[iota(2)] = 0", VALUES(0, 0, 0, 0, 0, 0, 0, 0, 8, 9, 10, 11));
    assert_assigned("y[iota(3) // 2, 0] += 1", VALUES(2, 1, 2, 3, 5, 5, 6, 7, 8, 9, 10, 11));
    assert_assigned("y[:, iota(4) - 1] = 0", VALUES(0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 11));
}

static const double ONE = 1;

/* A slice that begins where the run says: a is 1. Its length is the normal form of stop - start. */
static void test_moving_slices(void **state)
{
    (void)state;
    const Given given[] = { GRID, { DT_i32, { 0 }, &ONE } };
    struct { const char *body; const double *wanted; int count; } cases[] = {
        { "return x[a : a+1]", VALUES(4, 5, 6, 7) },
        { "return x[:, a : a+2]", VALUES(1, 2, 5, 6, 9, 10) },
        { "return x[a : a+2, a-1 : 1+a]", VALUES(4, 5, 8, 9) },
        { "b = 2*a + N; return x[0, b-4-a : b-a-2]", VALUES(0, 1) },
        { "return x[0, a : a + (M-1)]", VALUES(1, 2, 3) },
        { "return x[1, 3 - 2*a : 5 - 2*a]", VALUES(5, 6) },
        { "return x[iota(2), a : a+2]", VALUES(1, 2, 5, 6) },
        { "return x[a : a+1, _, 0]", VALUES(4) },
        { "y = x; y[a : a+2] = 0; return y[:, 0]", VALUES(0, 0, 0) },
        { "y = x; y[:, a : a+2] += 1; return y[0]", VALUES(0, 2, 3, 3) },
        { "y = x; y[2, a : a+2] = x[0, :2]; return y[2]", VALUES(8, 0, 1, 11) },
        { "y = x; y[a : a+2, a : a+2] = x[:2, :2]; return y", VALUES(0, 1, 2, 3, 4, 0, 1, 7, 8, 4, 5, 11) },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[256];
        snprintf(text, sizeof text, "fn f(x: f32[N, M], a: i32) { %s }\n", cases[k].body);
        assert_f(text, given, 2, cases[k].wanted, cases[k].count);
    }
}

/* A slice that leaves its axis ends the run, below 0 as well, where an index of -1 would mean no row. */
static void test_moving_slices_stay_inside(void **state)
{
    (void)state;
    static const char *const BODIES[] = { "return x[:, a : a+2]", "y = x; y[:, a : a+2] = 0; return y" };
    static const double STARTS[] = { -3, -2, -1, 3, 4, 2147483647 };
    for (int k = 0; k < 12; k++) {
        char text[256];
        snprintf(text, sizeof text, "fn f(x: f32[N, M], a: i32) { %s }\n", BODIES[k % 2]);
        const Given given[] = { GRID, { DT_i32, { 0 }, &STARTS[k / 2] } };
        Program *p = program_new(text);
        Graph *g = program_entry(p, "f", given, 2, false);
        assert_clean(p);
        Tensor *inputs[] = { given_tensor(p, &given[0]), given_tensor(p, &given[1]) }, *results[1];
        const char *why = graph_eval(g, inputs, results, p->arena);
        if (!why || !strstr(why, "out of range")) fail_msg("%s from %g: %s", text, STARTS[k / 2], why);
        program_free(p);
    }
}

static void test_products(void **state)
{
    (void)state;
    assert_grid("x @ x.T", VALUES(14, 38, 62, 38, 126, 214, 62, 214, 366));
    assert_grid("x[0] @ x[1]", VALUES(38));
    assert_grid("x @ x[0]", VALUES(14, 38, 62));
    assert_grid("einsum(\"ij,kj->ik\", x, x)[0]", VALUES(14, 38, 62));
    assert_grid("einsum(\"ij->ji\", x)[0]", VALUES(0, 4, 8));
    assert_grid("einsum(\"ij->\", x)", VALUES(66));
    assert_grid("einsum(\"i...,i->...\", x, x[:, 0])", VALUES(80, 92, 104, 116));
    assert_grid("einsum(\"ij,k->i\", x, x[0])", VALUES(36, 132, 228));
    assert_grid("stack([x, x]) @ x[0]", VALUES(14, 38, 62, 14, 38, 62));
}

static void test_numbers(void **state)
{
    (void)state;
    assert_grid("x[0] // 2", VALUES(0, 0, 1, 1));
    assert_grid("(iota(4) - 2) // 2", VALUES(-1, -1, 0, 0));
    assert_grid("(iota(4) - 2) % 3", VALUES(1, 2, 0, 1));
    assert_grid("x[0] ^ 2", VALUES(0, 1, 4, 9));
    assert_grid("-x[0, 1:] ^ 2", VALUES(-1, -4, -9));
    assert_grid("x[0] <= 1 or x[0] == 3", VALUES(1, 1, 0, 1));
    assert_grid("x[0] != 1 and not (x[0] > 2)", VALUES(1, 0, 1, 0));
    assert_grid("full([2], 7 // 2 + 2^3)", VALUES(11, 11));
    assert_grid("x[0] * M / N", VALUES(0, 1.3333333, 2.6666667, 4));
    assert_grid("where(x[0] >= 2, x[0], -inf)", VALUES(-INFINITY, -INFINITY, 2, 3));
    assert_grid("sum(iota(M))", VALUES(6));
    assert_grid("sum(x, axis = 0, keep = true)", VALUES(12, 15, 18, 21));
    assert_grid("max(x, axis = [0, 1])", VALUES(11));
    assert_grid("window(x[0], 3)", VALUES(0, 1, 2, 1, 2, 3));
    assert_grid("pad(x[:1, :1], [0, 1], [1, 0])", VALUES(0, 0, 0, 0));
}

static void test_static_values(void **state)
{
    (void)state;
    Given x = { DT_f32, { 2 }, (const double[]){ 1, 2 } };
    assert_f("fn f(x: f32[N]) {\n for a, b in [[1, 2], [3, 4]] { x = x * a + b }\n return x\n}\n", &x, 1,
             VALUES(13, 16));
    assert_f("fn f(x: f32[N]; act = relu) { return act(-x) }\n", &x, 1, VALUES(0, 0));
    assert_f("fn g(x, k; n = 2) { return x * k * n }\nfn f(x: f32[N]) { h = g(n = 5)\n return h(x, 3) }\n", &x, 1,
             VALUES(15, 30));
    assert_f("fn two(x) { return x, x + 1 }\nfn f(x: f32[N]) { a, b = two(x)\n return a * b }\n", &x, 1, VALUES(2, 6));
}

static void test_lists(void **state)
{
    (void)state;
    Given x = { DT_f32, { 2 }, (const double[]){ 1, 2 } };
    assert_f("fn f(x: f32[N]) {\n out = []\n for i in 0..3 { out = [..out, x * i] }\n"
             " return concat([out[-1], out[1]])\n}\n", &x, 1,
             VALUES(2, 4, 1, 2));
    assert_f("fn f(x: f32[N]) {\n if N == N and none == none and \"a\" != \"b\" { y = x } else { y = -x }\n"
             " return y\n}\n", &x, 1,
             VALUES(1, 2));
}

/* Bare names bind first, then linear forms are solved, then the rest is checked. */
static void test_dimensions(void **state)
{
    (void)state;
    Program *p = program_new("const width = 4\n"
                             "fn f(a: f32[T+1, 4*H], b: f32[..S, width], c: i32[2*T]) -> f32[..S, T, H] {\n"
                             "  return full([..S, T, H], 0)\n}\n");
    Given args[3] = { { DT_f32, { 4, 8 }, ROW }, { DT_f32, { 5, 6, 4 }, ROW }, { DT_i32, { 6 }, ROW } };
    Graph *g = program_entry(p, "f", args, 3, false);
    assert_clean(p);
    const Type *t = &g->outputs.at[0].node->type;
    assert_int_equal(t->rank, 4);
    assert_int_equal(dim_value(t->dim[0]), 5);
    assert_int_equal(dim_value(t->dim[2]), 3);
    assert_string_equal(dim_text(p->arena, t->dim[2]), "T");
    assert_string_equal(dim_text(p->arena, t->dim[3]), "H");
    assert_string_equal(dim_text(p->arena, g->inputs.at[0]->type.dim[0]), "T + 1");
    program_free(p);
}

/* Entries that give one name different values get different symbols. */
static void test_two_values_of_a_symbol(void **state)
{
    (void)state;
    Program *p = program_new("fn f(x: f32[B]) { return x + 1 }\nfn g(x: f32[B]) { return f(x) }\n");
    Given small = { DT_f32, { 2 }, ROW }, large = { DT_f32, { 5 }, ROW };
    Graph *f = program_entry(p, "f", &small, 1, false), *g = program_entry(p, "g", &large, 1, false);
    assert_clean(p);
    assert_int_equal(dim_value(f->inputs.at[0]->type.dim[0]), 2);
    assert_int_equal(dim_value(g->inputs.at[0]->type.dim[0]), 5);
    assert_null(graph_verify(f, p->arena));
    program_free(p);
}

static void test_parameters_and_paths(void **state)
{
    (void)state;
    Program *p = program_new(
        "module pair(x: f32[B, I]; O) -> f32[B, O] { return out: linear(relu(inner[0]: linear(x, 8)), O) }\n"
        "param scale: f32 = 2\n"
        "fn body(x: f32[B, I]) { for i in 0..2 { x = h[i]: pair(x, 3) }\n return x }\n"
        "fn f(x: f32[B, 3]) { return body(x) @ h[1].out.weight.T * scale }\n");
    Given x = { DT_f32, { 1, 3 }, ROW };
    Graph *g = program_entry(p, "f", &x, 1, false);
    assert_clean(p);
    static const char *const PATHS[] = {
        "h.0.inner.0.weight", "h.0.inner.0.bias", "h.0.out.weight", "h.0.out.bias",
        "h.1.inner.0.weight", "h.1.inner.0.bias", "h.1.out.weight", "h.1.out.bias", "scale",
    };
    assert_int_equal(model_param_count(p->model), 9);
    for (int i = 0; i < 9; i++) assert_string_equal(model_param(p->model, i)->path, PATHS[i]);
    assert_string_equal(type_text(p->arena, &model_find_param(p->model, "h.1.out.weight")->type), "f32[8, 3]");
    assert_null(graph_verify(g, p->arena));
    program_free(p);
}

static void test_sharing(void **state)
{
    (void)state;
    Given x = { DT_f32, { 1, 2 }, ROW };
    Program *p = program_new("fn once(x: f32[B, D]) { return a: linear(x, 2) }\n"
                             "fn f(x: f32[B, 2]) {\n"
                             "  x = once(once(x))\n"
                             "  for i in 0..3 { x = share b: linear(x, 2) }\n"
                             "  return share a: linear(x, 2)\n}\n");
    program_entry(p, "f", &x, 1, false);
    assert_clean(p);
    assert_int_equal(model_param_count(p->model), 4);
    program_free(p);
}

/* `training` goes down with every call and may be overridden. */
static void test_training(void **state)
{
    (void)state;
    const char *text = "fn g(x: f32[N]) {\n if training { return x + 1 } else { return x }\n}\n"
                       "fn f(x: f32[N]) { return g(x) + 10 * g(x, training = false) }\n";
    Program *p = program_new(text);
    Given x = { DT_f32, { 1 }, (const double[]){ 1 } };
    Graph *on = program_entry(p, "f", &x, 1, true), *off = program_entry(p, "f", &x, 1, false);
    assert_clean(p);
    assert_values(program_eval(p, on, &x, 1)[0], VALUES(12), 0);
    assert_values(program_eval(p, off, &x, 1)[0], VALUES(11), 0);
    program_free(p);
}

/* Textual draws never merge; each has a key of its own. */
static void test_draws_do_not_merge(void **state)
{
    (void)state;
    Program *p = program_new("fn f(x: f32[N]) { return uniform(0, 1, shape = [N]) - uniform(0, 1, shape = [N]) }\n"
                             "fn g(x: f32[N]) { return integers(2, 5, shape = [N]) }\n");
    Given x = { DT_f32, { 4 }, ROW };
    Graph *f = program_entry(p, "f", &x, 1, false), *g = program_entry(p, "g", &x, 1, false);
    assert_clean(p);
    const Tensor *d = program_eval(p, f, &x, 1)[0], *i = program_eval(p, g, &x, 1)[0];
    for (int k = 0; k < 4; k++) {
        assert_true(d->f[k] != 0);
        assert_in_range(i->i[k], 2, 4);
    }
    program_free(p);
}

/* A data const is a symbol with its value; nothing reads the pipeline that no one asks for. */
static void test_data_constants(void **state)
{
    (void)state;
    Program *p = program_new("data {\n const tok = chars(read(\"text\")), V = size(tok), end = tok[\"x\"]\n"
                             " other = tok(read(\"other\"))\n}\n"
                             "param w: f32[V + 1] = 0\nfn f(x: f32[N]) { return x + sum(w) + V + end }\n");
    assert_int_equal(p->reads, 1);
    Given x = { DT_f32, { 1 }, ROW };
    Graph *g = program_entry(p, "f", &x, 1, false);
    assert_clean(p);
    assert_values(program_eval(p, g, &x, 1)[0], VALUES(13), 0);
    assert_string_equal(type_text(p->arena, &model_find_param(p->model, "w")->type), "f32[V + 1]");
    HostArg v;
    assert_true(model_constant(p->model, "V", &v, p->d) && v.kind == ARG_number && v.number == 10);
    assert_int_equal(model_constant_count(p->model), 3);
    assert_string_equal(model_constant_name(p->model, 0), "tok");
    program_free(p);
}

/* A fn with text in its signature runs in data, on the host's values. */
static void test_host_fn(void **state)
{
    (void)state;
    Program *p = program_new("fn ids(t: text; again = false) -> i32[S] {\n if again { return tok(t) }\n"
                             " return ids_of(t)\n}\n"
                             "fn ids_of(t: text) { return tok(t) }\n"
                             "data {\n const tok = chars(read(\"text\")), first = ids(read(\"text\"))\n}\n");
    assert_clean(p);
    HostArg v;
    assert_true(model_constant(p->model, "first", &v, p->d) && v.kind == ARG_host && v.value.kind == HOST_ids);
    assert_int_equal(model_entry_parameters(p->model, "ids"), 1);
    assert_null(model_entry(p->model, "ids", NULL, -1, false, p->d));
    assert_says(p, "ids cannot be an entry");
    program_free(p);
}

static void test_settings(void **state)
{
    (void)state;
    const Setting set[] = { { "n", "5" }, { "kind", "big" }, { "flag", "true" } };
    Program *p = program_with("const n = 2, kind = \"small\", flag = false\n"
                              "fn f(x: f32[N]) {\n if kind == \"big\" and flag { x = x * n }\n return x\n}\n", set, 3);
    Given x = { DT_f32, { 1 }, (const double[]){ 3 } };
    Graph *g = program_entry(p, "f", &x, 1, false);
    assert_clean(p);
    assert_values(program_eval(p, g, &x, 1)[0], VALUES(15), 0);
    program_free(p);
}

/* f32 in a source is the model's real type. */
static void test_real_type(void **state)
{
    (void)state;
    const char *text = "param w: f32[2] = uniform(0, 1)\n"
                       "fn f(x: f32[N]) -> f32 { return sum(x) / 3 + f32(iota(1))[0] + sum(w) }\n";
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    Source source = { .path = "test.ptm", .text = text, .size = strlen(text) };
    ModelOptions options = { .real = DT_f64 };
    Model *m = model_new(arena, ast_parse(arena, &source, (const char *const[]){ NULL }, d), &options, d);
    Graph *g = model_entry(m, "f", NULL, -1, false, d);
    assert_int_equal(diag_error_count(d), 0);
    assert_non_null(g);
    for (int i = 0; i < g->nodes.count; i++) assert_int_not_equal(g->nodes.at[i]->type.dtype, DT_f32);
    arena_free(arena);
}

/* Without a host, constants of data are symbols of their names. */
static void test_without_data(void **state)
{
    (void)state;
    const char *text = "data {\n const tok = chars(read(\"text\")), V = size(tok), end = tok[\"x\"]\n"
                       " batch = windows(tok(read(\"text\")), length = 5, batch = 2)\n}\n"
                       "param w: f32[V, 4] = normal(0, 0.02)\n"
                       "fn loss(x: i32[B, T+1]) -> f32 { return mean(cross_entropy(w[x[:, :-1]] @ w.T, x[:, 1:])) + "
                       "end }\n"
                       "train { minimize loss(batch); using sgd(); steps 3; evaluate loss = mean(loss(batch)) }\n";
    Arena *arena = arena_new();
    Program p = { .arena = arena, .d = diag_new(arena) };
    Source source = { .path = "test.ptm", .text = text, .size = strlen(text) };
    ModelOptions options = { .real = DT_f32 };
    p.model = model_new(arena, ast_parse(arena, &source, (const char *const[]){ NULL }, p.d), &options, p.d);
    model_check(p.model, p.d);
    Graph *g = model_entry(p.model, "loss", NULL, -1, true, p.d);
    assert_clean(&p);
    assert_string_equal(type_text(arena, &graph_find_input(g, "w")->type), "f32[V, 4]");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subscripts), cmocka_unit_test(test_index_tensors),
        cmocka_unit_test(test_assignment_by_subscript), cmocka_unit_test(test_moving_slices),
        cmocka_unit_test(test_moving_slices_stay_inside), cmocka_unit_test(test_products),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_static_values), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_dimensions), cmocka_unit_test(test_two_values_of_a_symbol),
        cmocka_unit_test(test_parameters_and_paths), cmocka_unit_test(test_sharing), cmocka_unit_test(test_training),
        cmocka_unit_test(test_draws_do_not_merge), cmocka_unit_test(test_data_constants),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_host_fn), cmocka_unit_test(test_real_type),
        cmocka_unit_test(test_without_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
