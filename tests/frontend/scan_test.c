/* scan, state, update and reset: values against loops by hand, what a graph reads and writes, and scopes. */
#include "tests/frontend/program.h"

static const double ROW[] = { 1, 2, 3, 4, 5, 6 };
static const Given VECTOR = { DT_f32, { 4 }, ROW };
static const Given GRID = { DT_f32, { 3, 2 }, ROW };         /* [[1 2] [3 4] [5 6]] */

/* The verifier has nothing against the graph of entry f at these arguments, nor against the one of `check`. */
static Graph *clean_entry(Program *p, const Given *given, int count, bool training)
{
    Graph *g = program_entry(p, "f", given, count, training);
    assert_clean(p);
    const char *why = graph_verify(g, p->arena);
    if (why) fail_msg("%s", why);
    model_check(p->model, p->d);
    assert_clean(p);
    return g;
}

static void gives(const char *text, const Given *given, int count, const double *wanted, int wanted_count)
{
    Program *p = program_new(text);
    Graph *g = clean_entry(p, given, count, false);
    assert_values(program_eval(p, g, given, count)[0], wanted, wanted_count, 1e-6);
    program_free(p);
}

static int count_nodes(const Graph *g, Op op)
{
    int n = 0;
    for (int i = 0; i < g->nodes.count; i++) n += g->nodes.at[i]->op == op;
    return n;
}

static const Node *only_scan(const Graph *g)
{
    const Node *found = NULL;
    for (int i = 0; i < g->nodes.count; i++) {
        if (g->nodes.at[i]->op != OP_scan) continue;
        assert_null(found);
        found = g->nodes.at[i];
    }
    assert_non_null(found);
    return found;
}

static int storage_count(const Graph *g, Storage storage)
{
    int n = 0;
    for (int i = 0; i < g->inputs.count; i++) n += g->inputs.at[i]->attr.storage == (int)storage;
    return n;
}

static bool has_output(const Graph *g, OutputKind kind, const char *name)
{
    for (int i = 0; i < g->outputs.count; i++)
        if (g->outputs.at[i].kind == kind && !strcmp(g->outputs.at[i].name, name)) return true;
    return false;
}

/* --- scan --------------------------------------------------------------------------------------------------------- */

static void test_values(void **state)
{
    (void)state;
    gives("fn f(x: f32[T]) { ys = scan a in x { emit a * 2 }\n return ys }\n", &VECTOR, 1, VALUES(2, 4, 6, 8));
    gives("fn f(x: f32[T]) { return scan a in x { emit a * 2 } }\n", &VECTOR, 1, VALUES(2, 4, 6, 8));
    gives("fn f(x: f32[T]) { s = 0.0\n scan a in x carrying s { s = s + a }\n return s }\n", &VECTOR, 1, VALUES(10));
    gives("fn f(x: f32[T]) { s = 0\n scan a in x carrying s { s += a }\n return s }\n", &VECTOR, 1, VALUES(10));
    gives("fn f(x: f32[T]) { s = 1.0\n p = scan a in x carrying s { s = s * a; emit s }\n return p / s }\n", &VECTOR, 1,
          VALUES(1.0 / 24, 2.0 / 24, 6.0 / 24, 1));
    gives("fn f(x: f32[T, D]) { a, b = scan r in x { emit sum(r), max(r) }\n return a * b }\n", &GRID, 1,
          VALUES(6, 28, 66));
    gives("fn f(x: f32[T, D]) { y = scan a, b in x, iota(T) { emit a * f32(b) }\n return y }\n", &GRID, 1,
          VALUES(0, 0, 3, 4, 10, 12));
}

/* Sources that are lists: one for all names, or an element that is a list itself. */
static void test_sources(void **state)
{
    (void)state;
    gives("fn two(x) { return x, x * 10 }\nfn f(x: f32[T]) { return scan a, b in two(x) { emit b - a } }\n", &VECTOR, 1,
          VALUES(9, 18, 27, 36));
    gives("fn f(x: f32[T]) { return scan pair in [x, -x] { a, b = pair; emit a * b } }\n", &VECTOR, 1,
          VALUES(-1, -4, -9, -16));
    gives("fn f(x: f32[T]) { n = 0\n scan _ in x carrying n { n += 1 }\n return n }\n", &VECTOR, 1, VALUES(4));
    gives("const k = 2\nfn f(x: f32[T]) { return scan a in x { y = a\n for i in 0..k { y = y + a }\n emit y } }\n",
          &VECTOR, 1, VALUES(3, 6, 9, 12));
}

/* Indexed assignment of what is carried, and fns and static `if` in the body. */
static void test_bodies(void **state)
{
    (void)state;
    gives("fn f(x: f32[T]) { y = full([T], 0.0)\n scan a, t in x, iota(T) carrying y { y[T - 1 - t] = a }\n"
          " return y }\n",
          &VECTOR, 1, VALUES(4, 3, 2, 1));
    gives("fn f(x: f32[T]) { y = full([2], 0.0)\n scan a, t in x, iota(T) carrying y { y[t % 2] += a }\n return y }\n",
          &VECTOR, 1, VALUES(4, 6));
    gives("fn half(x; up = false) { if up { return x * 2 } else { return x / 2 } }\n"
          "fn f(x: f32[T]) { z = x[0] * 10\n return scan a in x {\n"
          " if T == T { emit half(a) + z } else { emit a } } }\n",
          &VECTOR, 1, VALUES(10.5, 11, 11.5, 12));
    gives("fn run(x: f32[T, D], start: f32[D] = 5, by = 3) { s = start\n"
          " scan r in x carrying s { s = s + r * by }\n return s }\n"
          "fn f(x: f32[T, D]) { return run(x) }\n", &GRID, 1, VALUES(32, 41));
}

/* A name declared by the scan or a `for` in it may hide one from outside, which is back behind the scan. */
static void test_scope(void **state)
{
    (void)state;
    gives("fn f(x: f32[T]) { y = scan x in x { for i in 0..2 { x = x * 2 }\n emit x }\n return x + y }\n", &VECTOR, 1,
          VALUES(5, 10, 15, 20));
    gives("fn f(x: f32[T]) { for i in 0..3 { z = x * i }\n y = scan a in x { for i in 0..1 { b = a }\n emit b }\n"
          " return z + y * i }\n", &VECTOR, 1, VALUES(4, 8, 12, 16));
}

/* A default that the body asks for first belongs outside: it sees names and parameters as before the scan. */
static void test_defaults(void **state)
{
    (void)state;
    gives("param p: f32[2] = 1\n"
          "fn run(x: f32[T, 2], by = p * 2) { return scan r in x { update p = p + r; emit r * by + p } }\n"
          "fn f(x: f32[T, 2]) { y = run(x)\n return y + p }\n", &GRID, 1, VALUES(14, 20, 21, 28, 30, 38));
    gives("fn run(x: f32[T, D], s: f32[D] = 5) { scan r in x { y = r }\n scan r in x carrying s { s = s + r }\n"
          " return s }\nfn f(x: f32[T, D]) { return run(x) }\n", &GRID, 1, VALUES(14, 17));
}

static void test_nested(void **state)
{
    (void)state;
    gives("fn f(x: f32[T, D]) { s = 0.0\n scan r in x carrying s { scan a in r carrying s { s = s * 2 + a } }\n"
          " return s }\n", &GRID, 1, VALUES(120));
    gives("fn f(x: f32[T, D]) { k = x[0, 1]\n return scan r in x { emit scan_sums(r, k) } }\n"
          "fn scan_sums(r, k) { s = 0.0\n return scan a in r carrying s { s = s + a * k; emit s } }\n", &GRID, 1,
          VALUES(2, 6, 6, 14, 10, 22));
    /* a state and a parameter two scans deep, a tensor of the entry and one of the outer body */
    gives("module m(a: f32; c) { param w: f32 = 3\n state n: f32 = 0\n update n = n + a * w\n return n + c }\n"
          "fn f(x: f32[T, D]) { k = x[0, 1]\n"
          " return scan r in x { z = sum(r) + k\n y = scan a in r { emit l: m(a, z) }\n emit y } }\n", &GRID, 1,
          VALUES(8, 14, 27, 39, 58, 76));
}

/* until is read before each step: what is not emitted is zero. */
static void test_until(void **state)
{
    (void)state;
    gives("fn f(x: f32[T]) { s = 0.0\n y = scan a in x carrying s until s >= 3 { s = s + a; emit s }\n return y }\n",
          &VECTOR, 1, VALUES(1, 3, 0, 0));
    gives("fn f(x: f32[T]) { s = 5.0\n y = scan a in x carrying s until s >= 3 { s = s + a; emit s }\n"
          " return y + s }\n",
          &VECTOR, 1, VALUES(5, 5, 5, 5));
}

/* What a body needs from outside is an input of its own; constants and indices are made again in it. */
static void test_captures(void **state)
{
    (void)state;
    Program *p = program_new("fn f(x: f32[T, D], w: f32[D, D]) { z = x * 2\n k = full([D], 3.0)\n"
                             " return scan a, b in x, z { emit a @ w + b @ w + z[0] + k + f32(iota(D)) } }\n");
    Given args[2] = { GRID, { DT_f32, { 2, 2 }, ROW } };
    Graph *g = clean_entry(p, args, 2, false);
    const Node *scan = only_scan(g);
    assert_int_equal(storage_count(scan->region, STORE_each), 2);
    assert_int_equal(storage_count(scan->region, STORE_outer), 2);   /* w and z */
    assert_non_null(graph_find_input(scan->region, "mul"));          /* what has no name goes by its operator */
    assert_int_equal(scan->arg_count, 4);
    program_free(p);
}

/* The same draw outside, with the iterations as axes before the others, gives the same numbers. */
static void test_draws(void **state)
{
    (void)state;
    Program *p = program_new("fn draw(; shape) { return uniform(0, 1, shape = shape) }\n"
                             "fn f(x: f32[T, D]) {\n return scan r in x {\n"
                             " y = scan a in r { emit draw(shape = [2]) }\n emit y } }\n"
                             "fn g(x: f32[T, D]) { return uniform(0, 1, shape = [T, D, 2]) }\n");
    Graph *g = clean_entry(p, &GRID, 1, false);
    const Tensor *t = program_eval(p, g, &GRID, 1)[0];
    assert_int_equal(t->count, 12);
    for (int i = 0; i < 12; i++)
        for (int k = 0; k < i; k++) assert_true(t->f[i] != t->f[k]);
    const Node *inner = only_scan(only_scan(g)->region);
    assert_int_equal(count_nodes(inner->region, OP_uniform), 1);
    Graph *flat = graph_new(p->arena, g->dims, "flat");
    Node *args[2] = { make_input(flat, STORE_ambient, "seed", type_scalar(DT_i64)),
                      make_input(flat, STORE_ambient, "step", type_scalar(DT_i64)) };
    for (int i = 0; i < inner->region->nodes.count; i++) {
        const Node *n = inner->region->nodes.at[i];
        if (n->op != OP_uniform) continue;
        Node *u = graph_node(flat, OP_uniform, args, 2, &n->attr, &t->type, NULL);
        graph_output(flat, OUTPUT_result, "0", u);
    }
    const Tensor *same = program_eval(p, flat, NULL, 0)[0];
    for (int i = 0; i < 12; i++) assert_true(t->f[i] == same->f[i]);
    program_free(p);
}

/* --- state -------------------------------------------------------------------------------------------------------- */

#define CELL \
    "module cell(x: f32[B, T, D]; carry = true) -> f32[B, T, D] {\n state h: f32[B, D] = 0\n" \
    " if not carry { reset h }\n" \
    " ys = scan x_t in swap(x) { update h = h + x_t\n emit h }\n return swap(ys)\n}\n"

static const Given BATCH = { DT_f32, { 1, 3, 2 }, ROW };

static void test_state(void **state)
{
    (void)state;
    Program *p = program_new(CELL "fn f(x: f32[B, T, D]) { return c: cell(x) }\n");
    Graph *g = clean_entry(p, &BATCH, 1, false);
    Tensor **out = program_eval(p, g, &BATCH, 1);
    assert_values(out[0], VALUES(1, 2, 4, 6, 9, 12), 1e-6);
    assert_values(out[1], VALUES(9, 12), 1e-6);
    assert_true(has_output(g, OUTPUT_update, "c.h"));
    assert_int_equal(scan_carry_count(only_scan(g)), 1);
    program_free(p);
}

/* A state that is reset before it is read needs none from the run before. */
static void test_reset(void **state)
{
    (void)state;
    Program *p = program_new(CELL "fn f(x: f32[B, T, D]) { return c: cell(x, carry = false) }\n");
    Graph *g = clean_entry(p, &BATCH, 1, false);
    assert_values(program_eval(p, g, &BATCH, 1)[0], VALUES(1, 2, 4, 6, 9, 12), 1e-6);
    assert_int_equal(storage_count(g, STORE_state), 0);
    assert_int_equal(g->outputs.count, 1);
    program_free(p);

    p = program_new(CELL "fn f(x: f32[B, T, D]) { reset top\n return top[0]: cell(x) }\n");
    g = clean_entry(p, &BATCH, 1, false);
    assert_int_equal(storage_count(g, STORE_state), 0);
    program_free(p);

    const char *sum = "module sum_of(x: f32[D]) -> f32[D] { state k: f32[D] = 1\n update k = k + x\n return k }\n"
                      "module fresh(x: f32[D]) -> f32[D] { state k: f32[D] = 1\n reset k\n update k = k + x\n"
                      " return k }\n";
    const char *inside[] = {
        "fn f(x: f32[T, D]) { return scan r in x { reset a\n emit a: sum_of(r) } }\n",
        "fn f(x: f32[T, D]) { return scan r in x { reset a\n"
        " y = scan n in iota(1) { emit a: sum_of(r) }\n emit y[0] } }\n",
        "fn f(x: f32[T, D]) { return scan r in x { emit a: fresh(r) } }\n"};
    for (int k = 0; k < 3; k++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", sum, inside[k]);
        p = program_new(text);
        g = clean_entry(p, &GRID, 1, false);
        Tensor **every = program_eval(p, g, &GRID, 1);
        for (int j = 0; j < 6; j++) assert_true(every[0]->f[j] == GRID.values[j] + 1);
        assert_int_equal(storage_count(g, STORE_state), 0);
        program_free(p);
    }

    p = program_new(CELL "fn f(x: f32[B, T, D]) { y = top[0]: cell(x)\n reset top\n return y }\n");
    g = clean_entry(p, &BATCH, 1, false);
    Tensor **out = program_eval(p, g, &BATCH, 1);
    assert_int_equal(storage_count(g, STORE_state), 1);
    assert_values(out[1], VALUES(0, 0), 0);
    program_free(p);
}

/* A module in the body: its parameters come in from outside, its state is carried, its label is one. */
static void test_module_in_body(void **state)
{
    (void)state;
    Program *p = program_new("module acc(x: f32[D]) -> f32[D] { param w: f32[D] = 2\n state n: i32 = 0\n"
                             " update n = n + 1\n return x * w * f32(n) }\n"
                             "fn f(x: f32[T, D]) { ys = scan r in x { emit a: acc(r) }\n return ys + f32(a.n) }\n");
    Graph *g = clean_entry(p, &GRID, 1, false);
    Tensor **out = program_eval(p, g, &GRID, 1);
    assert_values(out[0], VALUES(5, 7, 15, 19, 33, 39), 1e-6);
    assert_values(out[1], VALUES(3), 0);
    assert_int_equal(storage_count(only_scan(g)->region, STORE_outer), 1);
    program_free(p);
}

/* What an update says of a label below it is where that one begins, in a scan too; the later of a reset and an update
 * counts. */
static void test_update_ahead(void **state)
{
    (void)state;
    Program *p = program_new("module sum_of(x: f32[D]) -> f32[D] { state k: f32[D] = 100\n"
                             " update k = k + x\n return k }\n"
                    "fn f(x: f32[T, D]) { y = enc: sum_of(x[0])\n reset dec\n update dec.k = enc.k\n"
                    " ys = scan r in x { emit dec: sum_of(r) }\n update last.k = 1\n reset last\n"
                    " return ys + (last: sum_of(x[0])) }\n");
    Graph *g = clean_entry(p, &GRID, 1, false);
    Tensor **out = program_eval(p, g, &GRID, 1);
    assert_values(out[0], VALUES(203, 206, 206, 210, 211, 216), 1e-6);
    assert_false(graph_find_input(g, "dec.k") != NULL);
    program_free(p);
}

/* By path, by subscript, several at once, and by scalar; earlier reads keep the old value. */
static void test_update_targets(void **state)
{
    (void)state;
    Program *p = program_new("module m(x: f32[D]) -> f32[D] { state k: f32[2, D] = 0\n state n: i32 = 0\n"
                    " update k[n], n = x, n + 1\n return k[0] + k[1] }\n"
                    "fn f(x: f32[T, D]) { y = h[0]: m(x[0])\n old = h[0].k\n"
                    " update h[0].k[:, 1] = 7\n update h[0].k += 1\n return concat([y, old[0], h[0].k[0]]) }\n");
    Graph *g = clean_entry(p, &GRID, 1, false);
    Tensor **out = program_eval(p, g, &GRID, 1);
    assert_values(out[0], VALUES(1, 2, 1, 2, 2, 8), 1e-6);
    assert_true(has_output(g, OUTPUT_update, "h.0.k") && has_output(g, OUTPUT_update, "h.0.n"));
    program_free(p);
}

/* A state of the file, read and written by several fns; reset inside a scan. */
static void test_file_state(void **state)
{
    (void)state;
    gives("state pos: i32 = 0\nfn next(x) { update pos = pos + 1\n return x * f32(pos) }\n"
          "fn f(x: f32[T]) { y = next(x)\n return next(y) }\n", &VECTOR, 1, VALUES(2, 4, 6, 8));
    gives("state pos: f32 = 1\n"
          "fn f(x: f32[T]) { return scan a in x { if T == T { reset pos }\n update pos += a\n emit pos } }\n"
          "", &VECTOR, 1,
          VALUES(2, 3, 4, 5));
}

/* A param that counts is an update of the graph, and nothing trains it. An evaluation does not change it. */
static void test_counts(void **state)
{
    (void)state;
    const char *text = "param seen: f32[3] = 0\nparam w: f32 = 2\n"
                       "fn f(i: i32[N]) { update seen[i] += 1\n return sum(seen) * w }\n"
                       "data { const tok = chars()\n batch = batches(tok(read(\"x\")), size = 4) }\n"
                       "train { minimize f(batch); using sgd(lr = 1.0); steps 1\n evaluate e = mean(f(batch)) }\n";
    Program *p = program_new(text);
    Given ids = { DT_i32, { 4 }, (const double[]){ 0, 2, 2, 1 } };
    Graph *g = clean_entry(p, &ids, 1, true);
    Tensor **out = program_eval(p, g, &ids, 1);
    assert_values(out[0], VALUES(8), 0);
    assert_values(out[1], VALUES(1, 1, 2), 0);
    assert_false(model_find_param(p->model, "seen")->trained);
    assert_true(model_find_param(p->model, "w")->trained);
    const Dim *n = dim_int(model_dims(p->model), 4);
    Type batch = type_of(DT_i32, 1, &n);
    Graph *term = model_eval_graph(p->model, &model_train(p->model)->stages[0].evaluations[0], 0, &batch, p->d);
    assert_clean(p);
    assert_int_equal(term->outputs.count, 1);
    program_free(p);
}

static void test_count_only(void **state)
{
    (void)state;
    Program *p = program_new("param seen: i64[3] = 0\nfn f(i: i32[N]) { update seen[i] += 1 }\n");
    Given ids = { DT_i32, { 4 }, (const double[]){ 0, 2, 2, 1 } };
    Graph *g = clean_entry(p, &ids, 1, true);
    assert_values(program_eval(p, g, &ids, 1)[0], VALUES(1, 1, 2), 0);
    program_free(p);
}

/* One path, another batch in every entry: each type has an initial value of its own. */
static void test_initial_types(void **state)
{
    (void)state;
    Program *p = program_new("module m(x: f32[B, D]) { state h: f32[B, D] = uniform(1, 2)\n update h = h + x\n"
                             " return h }\n"
                             "fn f(x: f32[B, D]) { return a: m(x) }\n");
    Given wide = GRID, narrow = { DT_f32, { 1, 2 }, ROW };
    Graph *one = program_entry(p, "f", &wide, 1, true), *two = program_entry(p, "f", &narrow, 1, false);
    assert_clean(p);
    const Node *h1 = graph_find_input(one, "a.h"), *h2 = graph_find_input(two, "a.h");
    assert_int_equal(initial_value(p, model_state_initial(p->model, h1), 1)->count, 6);
    const Tensor *t = initial_value(p, model_state_initial(p->model, h2), 1);
    assert_int_equal(t->count, 2);
    assert_true(t->f[0] >= 1 && t->f[0] < 2);
    program_free(p);
}

/* --- data --------------------------------------------------------------------------------------------------------- */

/* Walker's table of three weights: the slots of the small ones are filled up from the large one. */
static void test_alias(void **state)
{
    (void)state;
    Program *p = program_new(
        "fn rising(w: f32[N]) { at = full([N], i32(0)); i = iota(N)\n"
        "  before = w < w[:, _] or w == w[:, _] and i < i[:, _]\n"
        "  at[i32(sum(i32(before), axis = 1))] = i\n  return at }\n"
        "fn alias(weight: f32[N]) -> (f32[N], i32[N]) {\n"
        "  p = weight * N / sum(weight); order = rising(p); part = p; mate = iota(N)\n"
        "  lo = i32(0); hi = i32(N - 1); low = order[0]\n"
        "  scan _ in iota(N - 1) carrying part, mate, lo, hi, low {\n"
        "    top = order[hi]; mate[low] = top; part[top] += min(part[low], 1) - 1\n"
        "    spent = part[top] < 1\n"
        "    low = where(spent, top, order[lo + 1]); lo = lo + i32(not spent); hi = hi - i32(spent)\n"
        "  }\n  return part, mate\n}\n"
        "data { const cut, other = alias(concat([full([1], 1.0), full([1], 6.0), full([1], 2.0)])) }\n");
    assert_clean(p);
    assert_values(table_value(p, "cut"), VALUES(1.0 / 3, 1, 2.0 / 3), 1e-6);
    assert_values(table_value(p, "other"), VALUES(1, 1, 1), 0);
    program_free(p);
}

/* Counts 8 4 2 1 give codes of 1, 2, 3 and 3 digits. */
static void test_huffman(void **state)
{
    (void)state;
    Program *p = program_new(
        "const depth = 3\n"
        "fn huffman(n: i64[N]) -> (i32[N, depth], i32[N, depth]) {\n"
        "  count = concat([n, full([N-1], i64(1e15))]); parent = full([2*N-1], i32(-1)); bit = full([2*N-1], i32(0))\n"
        "  leaf = i32(N - 1); inner = i32(N)\n"
        "  scan node in iota(N-1) + N carrying count, parent, bit, leaf, inner {\n"
        "    total = i64(0)\n"
        "    for side in 0..2 {\n"
        "      l = leaf >= 0 and count[leaf] < count[inner]; m = where(l, leaf, inner)\n"
        "      leaf = leaf - i32(l); inner = inner + i32(not l)\n"
        "      total = total + count[m]; parent[m] = node; bit[m] = side\n"
        "    }\n    count[node] = total\n  }\n"
        "  at = iota(N)\n"
        "  up, turn = scan _ in iota(depth) carrying at {\n"
        "    b = bit[at]; at = where(at < 0, -1, parent[at])\n"
        "    emit where(at < 0, -1, at - N), b\n  }\n"
        "  return up.T, turn.T\n}\n"
        "data { const path, code = huffman(i64(2.0 ^ (3 - f32(iota(4))))) }\n");
    if (!diag_error_count(p->d)) {
        assert_values(table_value(p, "path"), VALUES(2, -1, -1, 1, 2, -1, 0, 1, 2, 0, 1, 2), 0);
        assert_values(table_value(p, "code"), VALUES(1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0), 0);
    }
    assert_clean(p);
    program_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_sources), cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_scope), cmocka_unit_test(test_defaults), cmocka_unit_test(test_nested),
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_captures), cmocka_unit_test(test_draws), cmocka_unit_test(test_state),
        cmocka_unit_test(test_reset), cmocka_unit_test(test_module_in_body), cmocka_unit_test(test_update_ahead),
        cmocka_unit_test(test_update_targets),
        cmocka_unit_test(test_file_state), cmocka_unit_test(test_counts), cmocka_unit_test(test_count_only),
        cmocka_unit_test(test_initial_types), cmocka_unit_test(test_alias), cmocka_unit_test(test_huffman),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
