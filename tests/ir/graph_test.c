/* Nodes: shape rules and their messages, equal nodes, origins. */
#include "ir/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static Arena *arena;
static Dims *dims;
static Graph *g;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    dims = dims_new(arena);
    g = graph_new(arena, dims, "test");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* "B, T + 1" as a type; "" is a scalar. */
static Type type(DType dtype, const char *shape)
{
    Type t = type_scalar(dtype);
    while (*shape) {
        t.dim[t.rank++] = dim_read(dims, &shape);
        assert_non_null(t.dim[t.rank - 1]);
        shape += strspn(shape, ", ");
    }
    return t;
}

static Node *input(const char *name, DType dtype, const char *shape)
{
    return make_input(g, STORE_data, name, type(dtype, shape));
}

static void expect_type(const Node *node, const char *wanted)
{
    assert_string_equal(type_text(arena, &node->type), wanted);
}

static void refused(Op op, Node *const *args, int count, Attr attr, const Type *given, const char *wanted)
{
    const char *why = NULL;
    assert_null(graph_node(g, op, args, count, &attr, given, &why));
    assert_non_null(why);
    assert_string_equal(why, wanted);
}

#define REFUSED(op, attr, given, wanted, ...) \
    refused(op, (Node *[]){__VA_ARGS__}, sizeof((Node *[]){__VA_ARGS__}) / sizeof(Node *), attr, given, wanted)

static const Attr NONE;

static void elements(void **state)
{
    (void)state;
    Node *x = input("x", DT_f32, "B, T"), *y = input("y", DT_f32, "B, S"), *i = input("i", DT_i32, "B, T");
    Node *m = input("m", DT_bool, "B, T"), *h = input("h", DT_f64, "B, T");
    expect_type(make_binary(g, OP_add, x, x), "f32[B, T]");
    expect_type(make_binary(g, OP_lt, i, i), "bool[B, T]");
    expect_type(make_binary(g, OP_floordiv, i, i), "i32[B, T]");
    expect_type(make_where(g, m, i, i), "i32[B, T]");
    expect_type(make_where(g, m, m, m), "bool[B, T]");
    REFUSED(OP_add, NONE, NULL, "add: found f32[B, T] and f32[B, S], expected equal types", x, y);
    REFUSED(OP_add, NONE, NULL, "add: found f32[B, T] and f64[B, T], expected equal types", x, h);
    REFUSED(OP_add, NONE, NULL, "add: found bool[B, T], expected numbers", m, m);
    REFUSED(OP_exp, NONE, NULL, "exp: found i32[B, T], expected a float type", i);
    REFUSED(OP_not, NONE, NULL, "not: found f32[B, T], expected bool", x);
    REFUSED(OP_where, NONE, NULL, "where: found f32[B, T] as the condition, expected bool", x, x, x);
    REFUSED(OP_where, NONE, NULL, "where: found bool[B, T] as the condition of f32[B, S], expected equal shapes", m, y,
            y);
    REFUSED(OP_where, NONE, NULL, "where: found f32[B, T] and i32[B, T], expected equal types", m, x, i);
    REFUSED(OP_add, NONE, NULL, "add: found 1 arguments, expected 2", x);
}

static void meta_and_reductions(void **state)
{
    (void)state;
    Node *x = input("x", DT_f32, "B, T, V"), *i = input("i", DT_i32, "B"), *m = input("m", DT_bool, "B");
    Node *h = input("h", DT_bf16, "B"), *s = input("s", DT_f32, "");
    expect_type(make_cast(g, m, DT_f32), "f32[B]");
    assert_ptr_equal(make_cast(g, i, DT_i32), i);
    expect_type(make_unary(g, OP_stop, x), "f32[B, T, V]");
    expect_type(make_reduce(g, OP_sum, x, 5), "f32[T]");
    expect_type(make_reduce(g, OP_sum, i, 1), "i64");
    expect_type(make_reduce(g, OP_sum, h, 1), "f32");
    expect_type(make_reduce(g, OP_reduce_max, i, 1), "i32");
    expect_type(make_cumsum(g, x, 2), "f32[B, T, V]");
    REFUSED(OP_sum, (Attr){.axes = 1}, NULL, "sum: found bool[B], expected numbers; cast first", m);
    REFUSED(OP_sum, (Attr){.axes = 8}, NULL, "sum: found axes 0x8 of f32[B, T, V], expected one or more of its axes",
            x);
    REFUSED(OP_sum, (Attr){.axes = 0}, NULL, "sum: found axes 0 of f32, expected one or more of its axes", s);
    REFUSED(OP_cumsum, (Attr){.axis = 3}, NULL, "cumsum: found axis 3, expected an axis of f32[B, T, V]", x);
    REFUSED(OP_cumsum, (Attr){.axis = -1}, NULL, "cumsum: found axis -1, expected an axis of f32[B, T, V]", x);
    REFUSED(OP_cumsum, NONE, NULL, "cumsum: found bool[B], expected numbers; cast first", m);
}

static void contractions(void **state)
{
    (void)state;
    Node *q = input("q", DT_f32, "B, H, T, D"), *k = input("k", DT_f32, "B, H, S, D"), *w = input("w", DT_f32, "D, V");
    Node *i = input("i", DT_i32, "D, V");
    expect_type(make_einsum(g, "bhtd,bhsd->bhts", q, k), "f32[B, H, T, S]");
    expect_type(make_einsum(g, "bhtd,dv->bhtv", q, w), "f32[B, H, T, V]");
    expect_type(make_einsum(g, "bhtd,dv->", q, w), "f32");
    REFUSED(OP_einsum, (Attr){.text = "bhtd,bhtd->bh"}, NULL,
            "einsum: in \"bhtd,bhtd->bh\" t is T in the first argument and S in the second, expected one length", q, k);
    REFUSED(OP_einsum, (Attr){.text = "bhtd,bv->bv"}, NULL,
            "einsum: in \"bhtd,bv->bv\" b is B in the first argument and D in the second, expected one length", q, w);
    REFUSED(OP_einsum, (Attr){.text = "btd,dv->bv"}, NULL,
            "einsum: found f32[B, H, T, D] for the term \"btd\", expected 3 axes", q, w);
    REFUSED(OP_einsum, (Attr){.text = "dd,dv->v"}, NULL,
            "einsum: found d twice in one term of \"dd,dv->v\", expected it once", w, w);
    REFUSED(OP_einsum, (Attr){.text = "dv,dv->x"}, NULL,
            "einsum: found x in the result of \"dv,dv->x\", expected letters of the arguments, each once", w, w);
    REFUSED(OP_einsum, (Attr){.text = "dv,dv"}, NULL,
            "einsum: found \"dv,dv\", expected an equation such as \"ij,jk->ik\"", w, w);
    REFUSED(OP_einsum, (Attr){.text = "dv,dv->v!"}, NULL,
            "einsum: found \"dv,dv->v!\", expected an equation such as \"ij,jk->ik\"", w, w);
    REFUSED(OP_einsum, NONE, NULL, "einsum: expected an equation", w, w);
    REFUSED(OP_einsum, (Attr){.text = "dv,dv->v"}, NULL,
            "einsum: found f32[D, V] and i32[D, V], expected numbers of one type", w, i);
}

static void reshapes(void **state)
{
    (void)state;
    Node *x = input("x", DT_f32, "B, T, heads*D");
    expect_type(make_reshape(g, x, type(DT_f32, "B, T, heads, D")), "f32[B, T, heads, D]");
    expect_type(make_reshape(g, x, type(DT_f32, "B*T*heads, D")), "f32[B*T*heads, D]");
    assert_ptr_equal(make_reshape(g, x, x->type), x);
    Type other = type(DT_f32, "B, 128");
    REFUSED(OP_reshape, NONE, &other,
            "reshape: found f32[B, T, D*heads] with B*D*T*heads elements, expected as many as in f32[B, 128], which "
            "has 128*B", x);
    dim_set_value(dims, "T", 4);
    dim_set_value(dims, "heads", 2);
    dim_set_value(dims, "D", 16);
    dim_set_value(dims, "B", 3);
    expect_type(make_reshape(g, x, other), "f32[B, 128]");
    REFUSED(OP_reshape, NONE, NULL, "reshape: expected the shape to give", x);
}

static void permutes_and_expands(void **state)
{
    (void)state;
    Node *x = input("x", DT_f32, "B, T, V"), *b = input("b", DT_f32, "V"), *one = input("one", DT_f32, "B, 1");
    expect_type(make_permute(g, x, (int8_t[]){2, 0, 1}), "f32[V, B, T]");
    REFUSED(OP_permute, ((Attr){.map = {0, 0, 1}}), NULL,
            "permute: found axis 0 at place 1 of the order, expected every axis of f32[B, T, V] once", x);
    REFUSED(OP_permute, ((Attr){.map = {0, 7, 1}}), NULL,
            "permute: found axis 7 at place 1 of the order, expected every axis of f32[B, T, V] once", x);
    expect_type(make_broadcast(g, b, x->type), "f32[B, T, V]");
    expect_type(make_expand(g, one, (int8_t[]){0, 1}, type(DT_f32, "B, T, V")), "f32[B, T, V]");
    assert_ptr_equal(make_broadcast(g, x, x->type), x);
    Type wrong = type(DT_f32, "B, T");
    REFUSED(OP_expand, (Attr){.map = {1}}, &wrong, "expand: found f32[V] for f32[B, T], expected T or 1 as its axis 0",
            b);
    Type back = type(DT_f32, "1, B");
    REFUSED(OP_expand, ((Attr){.map = {1, 0}}), &back,
            "expand: found axis 1 of f32[B, 1] at axis 0 of f32[1, B], expected rising axes of the result", one);
}

static void slices_and_pads(void **state)
{
    (void)state;
    Node *x = input("x", DT_f32, "B, T + 1"), *y = input("y", DT_f32, "10");
    const Dim *zero = dim_int(dims, 0), *one = dim_int(dims, 1), *minus = dim_int(dims, -1);
    expect_type(make_slice(g, x, (const Dim *[]){zero, one}, (int64_t[]){1, 1}, type(DT_f32, "B, T")), "f32[B, T]");
    expect_type(make_slice(g, x, (const Dim *[]){zero, dim_symbol(dims, "T", -1)}, (int64_t[]){1, -1}, x->type),
                "f32[B, T + 1]");
    expect_type(make_slice(g, y, (const Dim *[]){one}, (int64_t[]){3}, type(DT_f32, "3")), "f32[3]");
    Type same = x->type, four = type(DT_f32, "4"), rank = type(DT_f32, "B");
    REFUSED(OP_slice, ((Attr){.start = {zero, one}, .step = {1, 1}}), &same,
            "slice: found the elements 1 to T + 1 along axis 1, expected them below its length T + 1", x);
    REFUSED(OP_slice, ((Attr){.start = {one}, .step = {3}}), &four,
            "slice: found the elements 1 to 10 along axis 0, expected them below its length 10", y);
    REFUSED(OP_slice, ((Attr){.start = {one}, .step = {-1}}), &four,
            "slice: found the elements -2 to 1 along axis 0, expected them below its length 10", y);
    REFUSED(OP_slice, ((Attr){.start = {one}}), &four, "slice: found step 0 along axis 0, expected another", y);
    REFUSED(OP_slice, NONE, &rank, "slice: found f32[B] for f32[B, T + 1], expected a shape of equal rank", x);
    expect_type(make_pad(g, y, &one, type(DT_f32, "12")), "f32[12]");
    REFUSED(OP_pad, ((Attr){.start = {one}}), &four,
            "pad: found 1 zeros before and -7 after along axis 0, expected no negative number", y);
    REFUSED(OP_pad, ((Attr){.start = {minus}}), &y->type,
            "pad: found -1 zeros before and 1 after along axis 0, expected no negative number", y);
    Type negative = type(DT_f32, "3 - B");
    dim_set_value(dims, "B", 5);
    REFUSED(OP_input, ((Attr){.text = "n"}), &negative, "input: axis 0 of the result would have the length 3 - B (-2)");
}

static void bounds_use_values(void **state)
{
    (void)state;
    Node *table = input("table", DT_f32, "context, D");
    Attr attr = {.step = {1, 1}};
    Type wanted = type(DT_f32, "T, D");
    assert_non_null(graph_node(g, OP_slice, &table, 1, &attr, &wanted, NULL));
    dim_set_value(dims, "context", 64);
    dim_set_value(dims, "T", 65);
    REFUSED(OP_slice, attr, &wanted,
            "slice: found the elements 0 to T - 1 along axis 0, expected them below its length context", table);
}

static void concats_and_windows(void **state)
{
    (void)state;
    Node *x = input("x", DT_f32, "B, T"), *y = input("y", DT_f32, "B, S"), *z = input("z", DT_f32, "C, S");
    expect_type(make_concat(g, (Node *[]){x, y, x}, 3, 1), "f32[B, S + 2*T]");
    REFUSED(OP_concat, (Attr){.axis = 1}, NULL,
            "concat: found f32[B, T] and f32[C, S], expected types that differ along axis 1 only", x, z);
    REFUSED(OP_concat, (Attr){.axis = 2}, NULL, "concat: found axis 2, expected an axis of f32[B, T]", x, y);
    refused(OP_concat, NULL, 0, NONE, NULL, "concat: expected at least one argument");
    Node *w = input("w", DT_f32, "B, L + 2, D");
    expect_type(make_window(g, w, 1, 1, type(DT_f32, "B, L, 3, D")), "f32[B, L, 3, D]");
    Type more = type(DT_f32, "B, L + 1, 3, D"), flat = type(DT_f32, "B, L, D"), beside = type(DT_f32, "B, L, 3, E");
    REFUSED(OP_window, ((Attr){.axis = 1, .step = {1}}), &more,
            "window: found L + 1 windows of 3 with step 1, expected them within the length L + 2", w);
    REFUSED(OP_window, ((Attr){.axis = 1, .step = {1}}), &flat,
            "window: found axis 1 of f32[B, L + 2, D] and f32[B, L, D], expected one of its axes and one axis more", w);
    REFUSED(OP_window, ((Attr){.axis = 1, .step = {1}}), &beside,
            "window: found f32[B, L, 3, E] for f32[B, L + 2, D], expected equal lengths beside axis 1", w);
    REFUSED(OP_window, ((Attr){.axis = 1}), &more, "window: found step 0, expected at least 1", w);
}

static void indexing(void **state)
{
    (void)state;
    Node *x = input("x", DT_f32, "V, C, D"), *i = input("i", DT_i32, "B, T"), *j = input("j", DT_i64, "B, T");
    Node *v = input("v", DT_f32, "V, B, T, D"), *f = input("f", DT_f32, "B, T"), *k = input("k", DT_i32, "B");
    expect_type(make_gather(g, x, &i, 1, 0), "f32[B, T, C, D]");
    expect_type(make_gather(g, x, &i, 1, 2), "f32[V, C, B, T]");
    expect_type(make_gather(g, x, (Node *[]){i, j}, 2, 1), "f32[V, B, T]");
    expect_type(make_scatter(g, x, v, &i, 1, 1, true), "f32[V, C, D]");
    REFUSED(OP_gather, NONE, NULL, "gather: found f32[B, T] as an index, expected integers", x, f);
    REFUSED(OP_gather, NONE, NULL, "gather: found indices i32[B, T] and i32[B], expected one shape", x, i, k);
    REFUSED(OP_gather, (Attr){.axis = 2}, NULL,
            "gather: found 2 indices at axis 2 of f32[V, C, D], expected axes of it", x, i, j);
    REFUSED(OP_gather, NONE, NULL, "gather: expected a table and at least one index", x);
    REFUSED(OP_scatter, NONE, NULL,
            "scatter: found values f32[V, B, T, D] for f32[V, C, D] at i32[B, T], expected f32[B, T, C, D]", x, v, i);
    REFUSED(OP_scatter, ((Attr){.axis = 1, .i = 2}), NULL, "scatter: found mode 2, expected 0 to set or 1 to add", x, v,
            i);
    REFUSED(OP_scatter, NONE, NULL, "scatter: expected a table, values and at least one index", x, v);
}

static void makers_and_draws(void **state)
{
    (void)state;
    Node *seed = make_input(g, STORE_ambient, "seed", type_scalar(DT_i64)),
         *step = make_input(g, STORE_ambient, "step", type_scalar(DT_i64));
    Node *low = make_whole(g, DT_i32, 0), *wide = make_whole(g, DT_i64, 0);
    Type shape = type(DT_f32, "B, T"), whole = type(DT_i32, "B"), truth = type(DT_bool, "B"), byte = type(DT_u8, "");
    expect_type(make_iota(g, whole, 0), "i32[B]");
    Attr key = {.text = "h.0@gpt.ptm:3:4"};
    const char *why = NULL;
    Node *draw = graph_node(g, OP_uniform, (Node *[]){seed, step}, 2, &key, &shape, &why);
    assert_non_null(draw);
    assert_ptr_equal(graph_node(g, OP_uniform, (Node *[]){seed, step}, 2, &key, &shape, &why), draw);
    assert_non_null(graph_node(g, OP_integers, (Node *[]){seed, step, low, low}, 4, &key, &whole, &why));
    REFUSED(OP_integers, key, &whole, "integers: found i64 as high, expected i32", seed, step, low, wide);
    REFUSED(OP_uniform, key, &whole, "uniform: found i32[B], expected a float type", seed, step);
    REFUSED(OP_uniform, key, &shape, "uniform: found i32 as step, expected i64", seed, low);
    REFUSED(OP_uniform, NONE, &shape, "uniform: expected a key", seed, step);
    assert_non_null(graph_node(g, OP_uniform, (Node *[]){seed, step, wide}, 3, &key, &shape, &why));
    assert_non_null(graph_node(g, OP_integers, (Node *[]){seed, step, low, low, wide}, 5, &key, &whole, &why));
    REFUSED(OP_uniform, key, &shape, "uniform: found i32 as index, expected i64", seed, step, low);
    REFUSED(OP_integers, key, &whole, "integers: found i32 as index, expected i64", seed, step, low, low, low);
    REFUSED(OP_uniform, key, &shape, "uniform: found 1 arguments, expected 2, or 3 with an index", seed);
    REFUSED(OP_integers, key, &whole, "integers: found 2 arguments, expected 4, or 5 with an index", seed, step);
    REFUSED(OP_cast, NONE, NULL, "cast: expected the type to cast to", low);
    REFUSED(OP_expand, NONE, NULL, "expand: expected the shape to give", low);
    REFUSED(OP_slice, NONE, NULL, "slice: found no type for i32, expected a shape of equal rank", low);
    REFUSED(OP_window, NONE, NULL,
            "window: found axis 0 of i32 and no type, expected one of its axes and one axis more", low);
    REFUSED(OP_uniform, key, NULL, "uniform: expected a type", seed, step);
    refused(OP_iota, NULL, 0, NONE, NULL, "iota: expected a type");
    refused(OP_input, NULL, 0, (Attr){.text = "new"}, NULL, "input: expected a type");
    refused(OP_input, NULL, 0, (Attr){.text = "new", .storage = STORE_outer + 1}, &shape,
            "input: found storage 9, expected one of those that there are");
    Type deep = shape;
    deep.rank = MAX_RANK + 1;
    const Dim *overflow = dim_mul(g->dims, dim_int(g->dims, INT64_MAX), dim_int(g->dims, 2));
    Type large = type_of(DT_i32, 1, &overflow);
    refused(OP_iota, NULL, 0, NONE, &large, "iota: axis 0 of the result is too large");
    refused(OP_iota, NULL, 0, NONE, &deep, "iota: found a type of 9 axes, expected at most 8");
    refused(OP_iota, NULL, 0, NONE, &truth, "iota: found bool[B], expected numbers");
    refused(OP_iota, NULL, 0, (Attr){.axis = 1}, &whole, "iota: found axis 1, expected an axis of i32[B]");
    refused(OP_const, NULL, 0, (Attr){.i = 256}, &byte, "const: found 256, expected a value of u8");
    refused(OP_const, NULL, 0, NONE, &whole, "const: expected the type of a scalar");
    refused(OP_input, NULL, 0, (Attr){.text = "seed"}, &shape,
            "input: found \"seed\" as data f32[B, T], but it is already ambient i64");
    refused(OP_input, NULL, 0, NONE, &shape, "input: expected a name");
}

static Node *bound(Graph *body, Storage storage, const char *name, DType dtype, const char *shape)
{
    return make_input(body, storage, name, type(dtype, shape));
}

/* h' = h + x_t * w, emitted; and a flag that ends the loop. */
static Graph *running_sum(void)
{
    Graph *body = graph_new(arena, dims, "body");
    Node *x = bound(body, STORE_each, "x_t", DT_f32, "B"), *h = bound(body, STORE_carry, "h", DT_f32, "B");
    Node *over = bound(body, STORE_carry, "over", DT_bool, ""), *w = bound(body, STORE_outer, "w", DT_f32, "B");
    Node *index = bound(body, STORE_ambient, "index", DT_i64, "");
    Node *next = make_binary(body, OP_add, h, make_binary(body, OP_mul, x, w));
    graph_output(body, OUTPUT_result, "0", next);
    graph_output(body, OUTPUT_update, "h", next);
    graph_output(body, OUTPUT_result, "place", index);
    graph_output(body, OUTPUT_update, "over", over);
    return body;
}

static void refused_scan(Node *const *args, int count, Attr attr, const Graph *body, const char *wanted)
{
    const char *why = NULL;
    assert_null(graph_scan(g, args, count, &attr, body, &why));
    assert_non_null(why);
    assert_string_equal(why, wanted);
}

static void scans_and_picks(void **state)
{
    (void)state;
    Node *xs = input("xs", DT_f32, "T, B"), *h = input("h", DT_f32, "B"), *over = make_whole(g, DT_bool, 0);
    Node *args[] = {xs, h, over, h};
    Graph *body = running_sum();
    Attr attr = {.axis = 2, .i = 1, .count = dim_symbol(dims, "T", -1)};
    Node *scan = make_scan(g, args, 4, &attr, body);
    expect_type(scan, "i64");
    assert_ptr_equal(scan->region, body);
    assert_int_equal(scan_carry_count(scan), 2);
    assert_int_equal(scan_result_count(scan), 4);
    for (int k = 0; k < 4; k++) assert_ptr_equal(scan_input(scan, k), body->inputs.at[k]);
    for (int k = 0; k < 4; k++) assert_int_equal(scan_argument(scan, body->inputs.at[k]), k);
    assert_int_equal(scan_argument(scan, body->inputs.at[4]), -1);
    assert_ptr_equal(scan_carry(scan, 0), body->inputs.at[1]);
    assert_ptr_equal(scan_carry(scan, 1), body->inputs.at[2]);
    assert_null(scan_carry(scan, 2));
    static const int OUTPUTS[] = {1, 3, 0, 2};
    static const char *const TYPES[] = {"f32[B]", "bool", "f32[T, B]", "i64[T]"};
    for (int k = 0; k < 4; k++) {
        assert_ptr_equal(scan_output(scan, k), &body->outputs.at[OUTPUTS[k]]);
        expect_type(make_pick(g, scan, k), TYPES[k]);
    }
    assert_null(scan_output(scan, 4));
    REFUSED(OP_pick, (Attr){.i = 4}, NULL, "pick: found result 4, expected one of 4", scan);
    REFUSED(OP_pick, (Attr){.i = -1}, NULL, "pick: found result -1, expected one of 4", scan);
    REFUSED(OP_pick, NONE, NULL, "pick: found input, expected a scan", xs);
    REFUSED(OP_stop, NONE, NULL, "stop: found a scan as argument 0, expected one of its picks", scan);
    refused(OP_scan, args, 4, attr, NULL, "scan: expected a body");
}

/* Two scans are one when their bodies are; a copy in another graph keeps the body. */
static void equal_scans_are_one(void **state)
{
    (void)state;
    Node *xs = input("xs", DT_f32, "T, B"), *h = input("h", DT_f32, "B"), *over = make_whole(g, DT_bool, 0);
    Node *args[] = {xs, h, over, h};
    Graph *body = running_sum();
    Attr attr = {.count = dim_symbol(dims, "T", -1), .text = "noise"};
    Node *scan = make_scan(g, args, 4, &attr, body);
    assert_ptr_equal(make_scan(g, args, 4, &attr, body), scan);
    assert_ptr_not_equal(make_scan(g, args, 4, &attr, running_sum()), scan);
    assert_null(graph_verify(g, arena));
    Graph *copy = graph_new(arena, dims, "copy");
    Node *copies[4];
    for (int k = 0; k < 4; k++) copies[k] = graph_rebuild(copy, args[k], NULL);
    Node *second = graph_rebuild(copy, scan, copies);
    assert_ptr_equal(second->region, body);
    expect_type(graph_rebuild(copy, make_pick(g, scan, 2), &second), "f32[T, B]");
    assert_null(graph_verify(copy, arena));
}

static void wrong_scans_are_refused(void **state)
{
    (void)state;
    Node *xs = input("xs", DT_f32, "T, B"), *h = input("h", DT_f32, "B"), *over = make_whole(g, DT_bool, 0);
    Node *good[] = {xs, h, over, h}, *crossed[] = {xs, xs, over, h}, *flat[] = {h, h, over, h};
    Attr attr = {.count = dim_symbol(dims, "T", -1)}, other = {.count = dim_int(dims, 7)};
    Attr far = attr, until = attr, sideways = attr, less = {.count = dim_int(dims, -1)};
    far.axis = 3, until.axis = 1, sideways.i = 2;
    Graph *body = running_sum();
    refused_scan(good, 3, attr, body, "scan: found no argument for \"w\"");
    refused_scan((Node *[]){xs, h, over, h, h}, 5, attr, body, "scan: found 5 arguments, expected 4 as its body has");
    refused_scan(crossed, 4, attr, body, "scan: found f32[T, B] for carry \"h\", expected f32[B]");
    refused_scan(flat, 4, attr, body, "scan: found f32[B] for each \"x_t\", expected f32[T, B]");
    refused_scan(good, 4, other, body, "scan: found f32[T, B] for each \"x_t\", expected f32[7, B]");
    refused_scan(good, 4, NONE, body, "scan: expected how many iterations");
    Attr endless = {.count = dim_mul(g->dims, dim_int(g->dims, INT64_MAX), dim_int(g->dims, 2))};
    refused_scan(good, 4, endless, body, "scan: there are too many iterations");
    refused_scan(good, 4, less, body, "scan: found a negative number of iterations");
    refused_scan(good, 4, sideways, body, "scan: found direction 2, expected 0 or 1 for backwards");
    refused_scan(good, 4, until, body, "scan: found carry \"h\" : f32[B] as what ends it, expected bool");
    refused_scan(good, 4, far, body, "scan: found axis 3, expected 0 or 1 + the number of a carry");
    graph_output(body, OUTPUT_update, "h", body->inputs.at[2]);
    refused_scan(good, 4, attr, body, "scan: found bool as the new value of carry \"h\", expected f32[B]");
    body = running_sum();
    graph_output(body, OUTPUT_update, "w", body->inputs.at[3]);
    refused_scan(good, 4, attr, body, "scan: found an update of \"w\", which its body does not carry");
    body = running_sum();
    body->outputs.count--;
    refused_scan(good, 4, attr, body, "scan: found 0 updates of carry \"over\", expected one");
    Node *deep = bound(body, STORE_outer, "deep", DT_f32, "1, 1, 1, 1, 1, 1, 1, 1");
    graph_output(body, OUTPUT_result, "deep", deep);
    Node *more[] = {xs, h, over, h, input("deep", DT_f32, "1, 1, 1, 1, 1, 1, 1, 1")};
    refused_scan(more, 5, attr, body,
                 "scan: found f32[1, 1, 1, 1, 1, 1, 1, 1] for each iteration, expected at most 7 axes");
    body = running_sum();
    bound(body, STORE_ambient, "seed", DT_i64, "");
    refused_scan(good, 4, attr, body, "scan: found ambient \"seed\" : i64 in its body, expected \"index\" : i64 only");
    body = running_sum();
    bound(body, STORE_param, "p", DT_f32, "");
    refused_scan(good, 4, attr, body, "scan: found param \"p\" in its body, expected each, carry or outer");
    body = running_sum();
    Node *none = make_scan(body, NULL, 0, &other, graph_new(arena, dims, "nothing"));
    graph_output(body, OUTPUT_result, "count", none);
    refused_scan(good, 4, attr, body,
                 "scan: found a scan as output \"count\" of its body, expected one of its picks");
    refused_scan(NULL, 0, other, graph_new(arena, dims_new(arena), "elsewhere"),
                 "scan: found a body over other dimensions");
}

static void equal_nodes_are_one(void **state)
{
    (void)state;
    Node *x = input("x", DT_f32, "B, T"), *half = make_float(g, DT_f32, 0.5);
    int count = g->nodes.count;
    char name[] = "x";
    assert_ptr_equal(input(name, DT_f32, "B, T"), x);
    assert_ptr_equal(make_float(g, DT_f32, 0.5), half);
    assert_int_equal(g->nodes.count, count);
    assert_ptr_not_equal(make_float(g, DT_f64, 0.5), half);
    assert_ptr_not_equal(make_float(g, DT_f32, -0.0), make_float(g, DT_f32, 0.0));
    assert_ptr_equal(make_float(g, DT_f32, NAN), make_float(g, DT_f32, -NAN));
    assert_ptr_equal(make_float(g, DT_f32, 0.1), make_float(g, DT_f32, (double)0.1f));
    assert_ptr_not_equal(make_binary(g, OP_add, x, make_full(g, x->type, 1)),
                         make_binary(g, OP_add, make_full(g, x->type, 1), x));
    Attr noise = {.axes = 2, .axis = 7, .f = 3, .text = "unused"};
    assert_ptr_equal(graph_node(g, OP_sum, &x, 1, &noise, NULL, NULL), make_reduce(g, OP_sum, x, 2));
    assert_ptr_not_equal(make_reduce(g, OP_sum, x, 1), make_reduce(g, OP_sum, x, 2));
    for (int i = 0; i < g->nodes.count; i++) assert_int_equal(g->nodes.at[i]->id, i);
    assert_int_equal(g->inputs.count, 1);
    assert_ptr_equal(graph_find_input(g, "x"), x);
    assert_null(graph_find_input(g, "y"));
}

static void merged_nodes_keep_their_origins(void **state)
{
    (void)state;
    Source file = {.path = "gpt.ptm", .text = "", .size = 0};
    Origin call = {.place = {&file, 30, 5, 1}, .path = ""};
    Origin first = {.place = {&file, 21, 9, 1}, .path = "h.0.attn", .callee = "block", .caller = &call};
    Origin again = first, second = {.place = {&file, 22, 1, 1}, .path = ""};
    Node *one = make_float(g, DT_f32, 1);
    g->origin = &first;
    Node *x = make_unary(g, OP_exp, one);
    g->origin = &again;
    make_unary(g, OP_exp, one);
    g->origin = &second;
    make_unary(g, OP_exp, one);
    assert_int_equal(x->origin_count, 2);
    assert_string_equal(origin_text(arena, x->origins[0]), "gpt.ptm:21:9 h.0.attn < gpt.ptm:30:5");
    assert_string_equal(origin_text(arena, x->origins[1]), "gpt.ptm:22:1");
    g->origin = NULL;
    assert_int_equal(make_unary(g, OP_exp, one)->origin_count, 2);
    Graph *copy = graph_new(arena, dims, "copy");
    copy->origin = &second;
    Node *copied = graph_rebuild(copy, one, NULL), *y = graph_rebuild(copy, x, &copied);
    assert_int_equal(y->origin_count, 2);
    assert_ptr_equal(y->origins[0], &first);
    assert_ptr_equal(copy->origin, &second);

    g->origin = &first;
    Node *two = make_float(g, DT_f32, 2);
    g->origin = &second;
    make_float(g, DT_f32, 2);
    assert_int_equal(two->origin_count, 1);
}

/* However many there are: each place once, first one first, through copies and whatever comes later. */
static void many_origins_are_kept_once(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    Source file = {.path = "gpt.ptm", .text = "", .size = 0};
    static Origin origin[2][COUNT + 1];
    Node *one = make_float(g, DT_f32, 1), *x = make_unary(g, OP_exp, one);
    for (int k = 0; k < 2; k++) {
        for (uint32_t i = 0; i <= COUNT; i++) {
            Place place = {&file, 1 + i / 7, 1 + i % 7, 1};
            origin[k][i] = (Origin){.place = place, .path = arena_print(arena, "h.%u", i % 3)};
            if (i < COUNT) graph_add_origin(g, x, &origin[k][i]);
        }
    }
    assert_int_equal(x->origin_count, COUNT);
    for (int i = 0; i < COUNT; i++) assert_ptr_equal(x->origins[i], &origin[0][i]);
    Graph *copy = graph_new(arena, dims, "copy");
    Node *copied = graph_rebuild(copy, one, NULL), *y = graph_rebuild(copy, x, &copied);
    for (int i = 0; i < COUNT; i++) graph_add_origin(copy, y, &origin[1][i]);
    assert_int_equal(y->origin_count, COUNT);
    graph_add_origin(copy, y, &origin[1][COUNT]);
    graph_add_origins(copy, y, x);
    assert_int_equal(y->origin_count, COUNT + 1);
    assert_ptr_equal(y->origins[COUNT], &origin[1][COUNT]);
    assert_int_equal(x->origin_count, COUNT);
}

/* A constant has the value that its type holds, and so is the node of any constant that rounds to it. */
static void constants_are_rounded(void **state)
{
    (void)state;
    assert_true(make_float(g, DT_bf16, 0.1)->attr.f == 0x1.9ap-4);
    assert_ptr_equal(make_float(g, DT_bf16, 0.1), make_float(g, DT_bf16, 0x1.9ap-4));
    assert_true(make_float(g, DT_f16, 0.1)->attr.f == 0x1.998p-4);
    assert_true(isinf(make_float(g, DT_f16, 65520)->attr.f));
    assert_true(make_float(g, DT_f32, 0.1)->attr.f == (double)0.1f);
    assert_true(make_float(g, DT_f64, 0.1)->attr.f == 0.1);
    assert_ptr_equal(make_float(g, DT_bf16, NAN), make_float(g, DT_bf16, -NAN));
}

static void outputs_are_replaced_by_name(void **state)
{
    (void)state;
    Node *a = make_float(g, DT_f32, 1), *b = make_float(g, DT_f32, 2);
    graph_output(g, OUTPUT_result, "loss", a);
    graph_output(g, OUTPUT_update, "loss", a);
    graph_output(g, OUTPUT_result, "loss", b);
    assert_int_equal(g->outputs.count, 2);
    assert_ptr_equal(g->outputs.at[0].node, b);
}

static void types(void **state)
{
    (void)state;
    DType found;
    assert_true(dtype_find("bf16", &found));
    assert_int_equal(found, DT_bf16);
    assert_false(dtype_find("float", &found));
    assert_true(dtype_is_whole(DT_u8));
    assert_false(dtype_is_whole(DT_bool));
    Type t = type(DT_f16, "B, 3");
    assert_int_equal(type_value_bytes(&t), -1);
    dim_set_value(dims, "B", 5);
    assert_int_equal(type_value_bytes(&t), 30);
    assert_string_equal(dim_text(arena, type_elements(dims, &t)), "3*B");
    Op op;
    assert_true(op_find("floordiv", &op));
    assert_int_equal(op, OP_floordiv);
    assert_false(op_find("conv", &op));
    assert_true(op_is_element(OP_where) && !op_is_element(OP_cast));
    assert_true(op_is_movement(OP_window) && !op_is_movement(OP_gather));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(elements),
        TEST(meta_and_reductions),
        TEST(contractions),
        TEST(reshapes),
        TEST(permutes_and_expands),
        TEST(slices_and_pads),
        TEST(bounds_use_values),
        TEST(concats_and_windows),
        TEST(indexing),
        TEST(makers_and_draws),
        TEST(scans_and_picks),
        TEST(equal_scans_are_one),
        TEST(wrong_scans_are_refused),
        TEST(equal_nodes_are_one),
        TEST(merged_nodes_keep_their_origins),
        TEST(many_origins_are_kept_once),
        TEST(constants_are_rounded),
        TEST(outputs_are_replaced_by_name),
        TEST(types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
