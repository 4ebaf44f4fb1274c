/* Arrays of data: what lines compute, tables in entries, host fns, loops. The host evaluates graphs by the reference
 * evaluator. */
#include "tests/frontend/program.h"

#define TEXT "const tok = chars(read(\"text\")), V = size(tok)\n ids = tok(read(\"text\"))\n "

/* A program whose data has these lines after TEXT, and an entry that uses a table. */
static Program *data_program(const char *lines, const char *fns)
{
    char text[4096];
    snprintf(text, sizeof text, "%s\ndata {\n %s%s\n}\n", fns, TEXT, lines);
    return program_new(text);
}

/* The constant t of these lines has these values. */
static void assert_table(const char *lines, const char *fns, const double *wanted, int count)
{
    Program *p = data_program(lines, fns);
    assert_clean(p);
    assert_values(table_value(p, "t"), wanted, count, 1e-6);
    program_free(p);
}

static double constant_number(Program *p, const char *name)
{
    HostArg v;
    assert_true(model_constant(p->model, name, &v, p->d));
    assert_true(v.kind == ARG_number || v.kind == ARG_bool);
    return v.number;
}

static void test_expressions(void **state)
{
    (void)state;
    assert_table("const t = ids[:12]", "", VALUES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1));
    assert_table("const t = counts(ids, V)", "", VALUES(100, 100, 100, 100, 100, 100, 100, 100, 100, 100));
    assert_table("f = f32(counts(ids[:4], V)) / size(ids[:4])\n const t = f[2:6] + sqrt(f[0])", "",
                 VALUES(0.75, 0.75, 0.5, 0.5));
    assert_table("const t = scatter_sum(f32(ids[:3]) ^ 2, ids[:3] // 2, 2)", "", VALUES(1, 4));
    assert_table("const t = one_hot(ids[1:3], 3)", "", VALUES(0, 1, 0, 0, 0, 1));
    assert_table("const t = iota(5)[1::2] == ids[1:3]", "", VALUES(1, 0));
    assert_table("const t = (ids[:4, _] @ ids[_, :2]).T", "", VALUES(0, 0, 0, 0, 0, 1, 2, 3));
    assert_table("const t = iota(V)[ids[98:101]]", "", VALUES(8, 9, 0));
    assert_table("const t = max(ids[:4], 2) % 3", "", VALUES(2, 2, 2, 0));
}

/* A result without axes is a number: a dimension, a condition, an argument of a reader. */
static void test_numbers(void **state)
{
    (void)state;
    Program *p = data_program("const top = max(ids) + 1, total = sum(counts(ids, top)), big = total > 999, half = "
                              "f32(total) / 16\n"
                              " if max(ids) == 9 { const t = iota(top // 2) } else { const u = 3 }\n"
                              " batch = windows(ids[:max(ids)], length = sum(ids[:3]) + 1, batch = 2)", "");
    assert_clean(p);
    assert_true(constant_number(p, "top") == 10 && constant_number(p, "total") == 1000);
    assert_true(constant_number(p, "big") == 1 && constant_number(p, "half") == 62.5);
    assert_values(table_value(p, "t"), VALUES(0, 1, 2, 3, 4), 0);
    program_free(p);
}

/* A line is one graph, run once; what nothing asks for is not computed. */
static void test_runs(void **state)
{
    (void)state;
    Program *p = data_program("const t = sqrt(f32(counts(ids, V))) * 2, u = ids, a, b = two(ids[:5])\n"
                              " unused = ids * 3",
                              "fn two(x: i32[N]) -> (i32[N], i64) { return x + 1, sum(i32(x > 2)) }\n");
    assert_clean(p);
    assert_int_equal(p->runs, 2);
    assert_values(table_value(p, "a"), VALUES(1, 2, 3, 4, 5), 0);
    assert_true(constant_number(p, "b") == 2);
    assert_int_equal(model_table_count(p->model), 3);
    assert_true(table_value(p, "u")->count == 1000);
    program_free(p);
}

/* Fns see arrays as tensors of their shapes, and templates as whatever they are given. */
static void test_fns(void **state)
{
    (void)state;
    const char *fns = "fn part(n: i64[N]) -> f32[N] { return f32(n) / f32(sum(n)) }\n"
                      "fn walk(x) {\n out = []\n for i in 0..3 { out = [..out, [x[i], x[:i+1]]] }\n return out\n}\n"
                      "fn marked(x: i32[N]) -> i32[N] {\n x[1] = 7\n x[iota(2)] += 1\n return x\n}\n"
                      "fn size_of(x: f32[..S, N]) -> f32 { return size(x) / N }\n";
    assert_table("const t = part(counts(ids[:8], 4 * 2))", fns, VALUES(.125, .125, .125, .125, .125, .125, .125, .125));
    assert_table("const t = marked(ids[2:5])", fns, VALUES(3, 8, 4));
    Program *p = data_program("const t = walk(ids[3:9]), n = size_of(one_hot(ids, 5))", fns);
    assert_clean(p);
    assert_values(table_value(p, "t.2.1"), VALUES(3, 4, 5), 0);
    assert_true(constant_number(p, "n") == 1000);
    HostArg v;
    assert_true(model_constant(p->model, "t", &v, p->d) && v.kind == ARG_list && v.count == 3);
    assert_true(v.items[1].items[0].kind == ARG_number && v.items[1].items[0].number == 4);
    assert_string_equal(v.items[2].items[1].value.name, "t.2.1");
    program_free(p);
}

/* Tables are inputs of the entries that use them, by their name; numbers of data are dimensions of them. */
static void test_tables(void **state)
{
    (void)state;
    Program *p = data_program("const prior = f32(counts(ids[:15], V)) / 15, pairs = [ids[:2], ids[3:5]], unused = "
                              "ids[:1]",
                              "param w: f32[V] = prior * 3\n"
                              "fn f(i: i32[N]) -> f32[N] { return (prior + w)[i] + f32(pairs[1][0]) }\n");
    Given i = { DT_i32, { 3 }, (const double[]){ 0, 9, -1 } };
    Graph *g = program_entry(p, "f", &i, 1, false);
    assert_clean(p);
    const Node *prior = graph_find_input(g, "prior");
    assert_true(prior && prior->attr.storage == STORE_const);
    assert_string_equal(type_text(p->arena, &prior->type), "f32[V]");
    assert_non_null(graph_find_input(g, "pairs.1"));
    assert_null(graph_find_input(g, "pairs.0"));
    assert_int_equal(model_table_count(p->model), 4);
    const Graph *initial = model_find_param(p->model, "w")->initial;
    assert_string_equal(initial->inputs.at[0]->attr.text, "prior");
    Tensor *table = table_value(p, "prior"), *weight, *results[1];
    assert_null(graph_eval(initial, &table, &weight, p->arena));
    Tensor **inputs = arena_array(p->arena, Tensor *, g->inputs.count);
    for (int k = 0; k < g->inputs.count; k++) {
        const char *name = g->inputs.at[k]->attr.text;
        inputs[k] = !strcmp(name, "i") ? given_tensor(p, &i) : !strcmp(name, "w") ? weight : table_value(p, name);
    }
    assert_null(graph_eval(g, inputs, results, p->arena));
    assert_values(results[0], VALUES(4 * 2.0 / 15 + 3, 4 * 1.0 / 15 + 3, 3), 1e-6);
    program_free(p);
}

/* Arrays that a reader gave fit where a constant with their number is declared, and the other way round. */
static void test_same_numbers(void **state)
{
    (void)state;
    const char *fns = "fn f(x: f32[V, 2]) -> f32[V] { return (row + col) * sum(x, axis = 1) + row @ x @ full([2], "
                      "1.0) }\n"
                      "fn typed(x: f32[V]) -> f32[10] { return x }\n"
                      "fn ten(x: f32[10]) -> f32[10] {\n y: f32[V] = x\n return y + row\n}\n"
                      "fn loss(x: f32[B, V], n: i32[B]) -> f32 { return mean(x @ row + f32(n)) }\n";
    Program *p = data_program("const row = f32(ids[:10]), col = full([V], 1.0)\n"
                              " rows = one_hot(ids, V); b = batches(rows, size = 4)\n"
                              " n = batches(ids, size = 4)", fns);
    assert_clean(p);
    Given x = { DT_f32, { 10, 2 }, (const double[]){ 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1 } };
    Graph *g = program_entry(p, "f", &x, 1, false);
    assert_clean(p);
    assert_values(program_eval(p, g, &x, 1)[0], VALUES(46, 47, 48, 49, 50, 51, 52, 53, 54, 55), 1e-6);
    assert_non_null(model_entry(p->model, "ten", NULL, -1, false, p->d));
    const Dim *shape[2] = { dim_int(model_dims(p->model), 4), dim_int(model_dims(p->model), 10) };
    EntryArg args[2] = { { type_of(DT_f32, 2, shape), "x" }, { type_of(DT_i32, 1, shape), "n" } };
    assert_non_null(model_entry(p->model, "loss", args, 2, true, p->d));
    assert_clean(p);
    program_free(p);
    /* A symbol of a call is another number at the next call. */
    p = data_program("const row = f32(ids[:10])", "fn g(x: f32[B]) -> f32[B] { return x + row }\n");
    Given ten = { DT_f32, { 10 }, (const double[10]){0} };
    assert_null(program_entry(p, "g", &ten, 1, false));
    assert_says(p, "the shapes of f32[B] and f32[10] do not fit");
    program_free(p);
}

/* Draws of data are the same in every run, and not the same in two lines. */
static void test_draws(void **state)
{
    (void)state;
    const char *lines = "const t = uniform(0, 1, shape = [4]), u = uniform(0, 1, shape = [4]), v = twice()\n"
                        " all = []\n for i in 0..2 { all = [..all, integers(0, 1000000, shape = [3])] }\n"
                        " const w = all";
    const char *fns = "fn twice() { return [uniform(0, 1, shape = [4]), uniform(0, 1, shape = [4])] }\n";
    Program *p = data_program(lines, fns), *again = data_program(lines, fns);
    assert_clean(p);
    const char *names[] = { "t", "u", "v.0", "v.1" };
    for (int i = 0; i < 4; i++) {
        const Tensor *a = table_value(p, names[i]);
        assert_memory_equal(a->f, table_value(again, names[i])->f, 4 * sizeof(double));
        for (int k = 0; k < i; k++) assert_true(table_value(p, names[k])->f[0] != a->f[0]);
    }
    assert_true(table_value(p, "w.0")->i[0] != table_value(p, "w.1")->i[0]);
    program_free(p);
    program_free(again);
}

/* `for` writes its lines out; a line sees what stands before it. */
static void test_loops(void **state)
{
    (void)state;
    Program *p = data_program("x = ids[:2]; parts = []\n for i, name in [[1, \"a\"], [2, \"b\"]] {\n"
                              "  for j in 0..2 {\n   y = x + i\n   x = y * 10 + j\n  }\n  parts = [..parts, x]\n }\n"
                              " const t = concat(parts), n = size(parts), last = y", "");
    assert_clean(p);
    assert_values(table_value(p, "t"), VALUES(111, 211, 11321, 21321), 0);
    assert_values(table_value(p, "last"), VALUES(1132, 2132), 0);
    assert_true(constant_number(p, "n") == 2);
    program_free(p);
    p = data_program("x = 1\n for i in 0..2000 { x = x + 1 }\n const n = x", "");
    assert_clean(p);
    assert_true(constant_number(p, "n") == 2001);
    program_free(p);
    check_says("data {\n x = 0\n for i in 0..200 { for j in 0..200 { x = x + 1 } }\n}\n", "more than 10000 lines");
}

static void test_host_fns(void **state)
{
    (void)state;
    const char *fns = "fn pack(body: text[N]; length = 2) -> (i32[N, length], i32[M]) {\n"
                      " rows = full([N, length], i32(size(tok)))\n return rows, tok(read(\"more\"))[:N+1]\n}\n"
                      "fn rows(r: i32[S, *]) -> i32[S] { return iota(S) }\n"
                      "fn upper(body: text) -> text { return body }\n";
    Program *p = data_program("const a, b = pack(lines(upper(read(\"text\"))), length = 4), t = "
                              "rows(tok(lines(upper(\"x\"))))", fns);
    assert_clean(p);
    assert_string_equal(type_text(p->arena, &table_value(p, "a")->type), "i32[3, 4]");
    assert_values(table_value(p, "b"), VALUES(0, 1, 2, 3), 0);
    assert_values(table_value(p, "t"), VALUES(0, 1, 2), 0);
    program_free(p);
    p = data_program("const t = bad(lines(read(\"text\")))",
                     "fn bad(body: text[N]) -> i32[N] { return tok(read(\"text\")) }\n");
    assert_says(p, "the result: expected i32[N] with 3 where 1000 stands");
    program_free(p);
}

/* What is saved with the weights is taken instead of being computed; then nothing is read. */
static void test_saved(void **state)
{
    (void)state;
    const char *text = "const context = 4\ndata {\n const tok = chars(read(\"text\")), V = size(tok), n = "
                       "counts(tok(read(\"text\")), V)\n"
                       " const later = tok(read(\"other\"))\n}\n"
                       "fn f(i: i32[N]) -> i64[N] { return n[i] + all()[i] }\nfn all() -> i64[V] { return n }\n";
    Arena *arena = arena_new();
    Map *saved = map_new(arena);
    Dims *own = dims_new(arena);
    const Dim *three = dim_int(own, 3);
    Tensor *n = tensor_new(arena, type_of(DT_i64, 1, &three));
    for (int i = 0; i < 3; i++) n->i[i] = 5 + i;
    HostArg args[3] = { { .kind = ARG_host, .value = { .kind = HOST_tokenizer, .handle = n } },
                        { .kind = ARG_number, .number = 3 },
                        { .kind = ARG_host, .value = host_tensor(n) } };
    map_set(saved, "tok", &args[0]);
    map_set(saved, "V", &args[1]);
    map_set(saved, "n", &args[2]);
    Program *p = program_saved(text, NULL, 0, arena, saved);
    assert_int_equal(p->reads, 1);           /* for `later` */
    args[2].value.type.dim[0] = dim_int(model_dims(p->model), 3);
    assert_int_equal(p->runs, 0);
    assert_values(table_value(p, "n"), VALUES(5, 6, 7), 0);
    program_free(p);
}

/* On demand only what an entry uses is evaluated. */
static void test_on_demand(void **state)
{
    (void)state;
    const char *text = "data {\n const tok = chars(read(\"a\")), V = size(tok), big = tok(read(\"b\"))\n"
                       " batch = windows(tok(read(\"c\")), length = 3, batch = 2)\n}\n"
                       "param w: f32[V] = 0\nfn loss(x: i32[B, T]) -> f32 { return sum(w[x]) }\n"
                       "train { minimize loss(batch); using sgd(); steps 1 }\n";
    Arena *arena = arena_new();
    Program p = { .arena = arena, .d = diag_new(arena) };
    Source source = { .path = "test.ptm", .text = text, .size = strlen(text) };
    Host host = { .context = &p, .knows = host_knows, .names = host_names, .call = host_call, .run = host_run };
    ModelOptions options = { .host = &host, .real = DT_f32, .on_demand = true };
    p.model = model_new(arena, ast_parse(arena, &source, (const char *const[]){ NULL }, p.d), &options, p.d);
    assert_int_equal(p.reads, 0);
    assert_non_null(model_entry(p.model, "loss", NULL, -1, false, p.d));
    assert_int_equal(p.reads, 1);
    assert_clean(&p);
    arena_free(arena);
}

/* Without a host, computed constants are symbols, and calls with them are not looked into. */
static void test_without_data(void **state)
{
    (void)state;
    const char *text = "data {\n const tok = chars(read(\"text\")), V = size(tok)\n ids = tok(read(\"text\"))\n"
                       " n = counts(ids, V)\n"
                       " const N = size(ids) - 1, top = max(n, axis = 0), t = sum(f32(n) / size(ids), axis = 0) + "
                       "iota(3), k = two(n)[0], c = concat([ids, iota(3)])\n"
                       " if V > 0 { x = 3 }\n}\n"
                       "fn two(n: i64[V]) { return [n, n] }\n"
                       "param w: f32[N] = 0\nfn f(x: f32[B]) -> f32[B] { return x * sum(w) + N }\n";
    Arena *arena = arena_new();
    Program p = { .arena = arena, .d = diag_new(arena) };
    Source source = { .path = "test.ptm", .text = text, .size = strlen(text) };
    ModelOptions options = { .real = DT_f32 };
    p.model = model_new(arena, ast_parse(arena, &source, (const char *const[]){ NULL }, p.d), &options, p.d);
    Graph *g = model_entry(p.model, "f", NULL, -1, false, p.d);
    assert_says(&p, "a condition must be known");
    assert_int_equal(diag_error_count(p.d), 1);
    assert_non_null(g);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions), cmocka_unit_test(test_numbers), cmocka_unit_test(test_runs),
        cmocka_unit_test(test_fns), cmocka_unit_test(test_tables), cmocka_unit_test(test_same_numbers),
        cmocka_unit_test(test_draws), cmocka_unit_test(test_loops), cmocka_unit_test(test_host_fns),
        cmocka_unit_test(test_saved), cmocka_unit_test(test_on_demand), cmocka_unit_test(test_without_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
