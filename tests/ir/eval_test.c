/* The reference evaluator: values that the documentation column of ops.def promises, worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ir/eval.h"
#include "runtime/core/random.h"

#include <math.h>
#include <string.h>

typedef struct Bench {
    Arena *arena;
    Graph *g;
    Tensor *inputs[8];
} Bench;

static Bench bench_new(void)
{
    Bench b = {.arena = arena_new()};
    b.g = graph_new(b.arena, dims_new(b.arena), "bench");
    return b;
}

static Type shape(Graph *g, DType dtype, int rank, const int *extent)
{
    Type type = {.dtype = dtype, .rank = rank};
    for (int k = 0; k < rank; k++) type.dim[k] = dim_int(g->dims, extent[k]);
    return type;
}

#define SHAPE(b, dtype, ...) \
    shape((b)->g, dtype, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (const int[]){__VA_ARGS__})

static Node *input(Bench *b, Type type, const double *values)
{
    Node *node = make_input(b->g, STORE_data, arena_print(b->arena, "%d", b->g->inputs.count), type);
    Tensor *t = b->inputs[b->g->inputs.count - 1] = tensor_new(b->arena, type);
    for (int64_t k = 0; k < t->count; k++) {
        if (t->f)
            t->f[k] = values[k];
        else
            t->i[k] = (int64_t)values[k];
    }
    return node;
}
#define INPUT(b, type, ...) input(b, type, (const double[]){__VA_ARGS__})

static Tensor *run(Bench *b, Node *node)
{
    Tensor *result = NULL;
    graph_output(b->g, OUTPUT_result, "0", node);
    const char *why = graph_eval(b->g, b->inputs, &result, b->arena);
    if (why) fail_msg("%s", why);
    assert_true(type_equal(&result->type, &node->type));
    return result;
}

static void expect(Bench *b, Node *node, int count, const double *wanted)
{
    Tensor *t = run(b, node);
    assert_int_equal(t->count, count);
    for (int k = 0; k < count; k++) {
        double found = t->f ? t->f[k] : (double)t->i[k];
        bool same = found == wanted[k] && signbit(found) == signbit(wanted[k]);
        if (!same && !(isnan(found) && isnan(wanted[k])))
            fail_msg("%s [%d]: %.17g, wanted %.17g", op_name(node->op), k, found, wanted[k]);
    }
}
#define EXPECT(b, node, ...) \
    expect(b, node, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (const double[]){__VA_ARGS__})

static void test_elements(void **state)
{
    (void)state;
    Bench b = bench_new();
    Type f = SHAPE(&b, DT_f32, 4), i = SHAPE(&b, DT_i32, 4);
    Node *x = INPUT(&b, f, 1, -2, NAN, 0.25), *y = INPUT(&b, f, 3, 2, 1, 0.5);
    Node *p = INPUT(&b, i, 7, -7, 2147483647, 5), *q = INPUT(&b, i, 2, 2, 1, 0);
    EXPECT(&b, make_binary(b.g, OP_add, x, y), 4, 0, NAN, 0.75);
    EXPECT(&b, make_binary(b.g, OP_div, x, y), (float)(1.0 / 3), -1, NAN, 0.5);
    EXPECT(&b, make_binary(b.g, OP_max, x, y), 3, 2, NAN, 0.5);
    EXPECT(&b, make_binary(b.g, OP_max, y, x), 3, 2, NAN, 0.5);
    EXPECT(&b, make_binary(b.g, OP_lt, x, y), 1, 1, 0, 1);
    EXPECT(&b, make_binary(b.g, OP_add, p, q), 9, -5, -2147483648.0, 5);
    EXPECT(&b, make_binary(b.g, OP_mul, p, p), 49, 49, 1, 25);
    EXPECT(&b, make_binary(b.g, OP_floordiv, p, q), 3, -4, 2147483647, 0);
    EXPECT(&b, make_where(b.g, make_binary(b.g, OP_eq, q, make_full(b.g, i, 1)), p, q), 2, 2, 2147483647, 0);
    EXPECT(&b, make_unary(b.g, OP_not, make_binary(b.g, OP_eq, x, x)), 0, 0, 1, 0);
    arena_free(b.arena);
}

static void test_rounding_of_casts(void **state)
{
    (void)state;
    Bench b = bench_new();
    Type type = SHAPE(&b, DT_f64, 8);
    Node *x = INPUT(&b, type, 1.9, -1.9, 300, -300, NAN, INFINITY, -1e30, 0.5);
    EXPECT(&b, make_cast(b.g, x, DT_i32), 1, -1, 300, -300, 0, 2147483647, -2147483648.0, 0);
    EXPECT(&b, make_cast(b.g, x, DT_i8), 1, -1, 127, -128, 0, 127, -128, 0);
    EXPECT(&b, make_cast(b.g, x, DT_u8), 1, 0, 255, 0, 0, 255, 0, 0);
    EXPECT(&b, make_cast(b.g, x, DT_i64), 1, -1, 300, -300, 0, 0x1p63, -0x1p63, 0);
    Node *y = INPUT(&b, type, 1 + 0x1p-8, 1 + 3 * 0x1p-8, 65519, 65520, 0x1p-24, 0x1p-25, 1 + 0x1p-11, -0.0);
    EXPECT(&b, make_cast(b.g, y, DT_bf16), 1, 1 + 0x1p-6, 65536, 65536, 0x1p-24, 0x1p-25, 1, -0.0);
    EXPECT(&b, make_cast(b.g, y, DT_f16), 1 + 0x1p-8, 1 + 3 * 0x1p-8, 65504, INFINITY, 0x1p-24, 0, 1, -0.0);
    Node *big = INPUT(&b, SHAPE(&b, DT_i64, 2), 16777217, 257);
    EXPECT(&b, make_cast(b.g, big, DT_f32), 16777216, 257);
    EXPECT(&b, make_cast(b.g, big, DT_i8), 1, 1);
    arena_free(b.arena);
}

static void test_bytes(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Dims *dims = dims_new(arena);
    Type type = {.dtype = DT_f16, .rank = 1, .dim = {dim_int(dims, 65536)}};
    uint16_t *halves = arena_array(arena, uint16_t, 65536), *back = arena_array(arena, uint16_t, 65536);
    for (int k = 0; k < 65536; k++) halves[k] = (uint16_t)k;
    tensor_to_bytes(tensor_from_bytes(arena, type, halves), back);
    for (int k = 0; k < 65536; k++) {
        bool is_nan = (k & 0x7C00) == 0x7C00 && (k & 0x3FF);
        if (!is_nan && back[k] != k) fail_msg("f16 %#x came back as %#x", k, back[k]);
    }
    type.dtype = DT_bf16;
    tensor_to_bytes(tensor_from_bytes(arena, type, halves), back);
    for (int k = 0; k < 65536; k++) {
        bool is_nan = (k & 0x7F80) == 0x7F80 && (k & 0x7F);
        if (!is_nan && back[k] != k) fail_msg("bf16 %#x came back as %#x", k, back[k]);
    }
    assert_true(tensor_from_bytes(arena, type, halves)->f[0x3F80] == 1.0);
    type.dtype = DT_i8;
    tensor_to_bytes(tensor_from_bytes(arena, type, halves), back);
    assert_memory_equal(halves, back, 65536);
    arena_free(arena);
}

static void test_reductions(void **state)
{
    (void)state;
    Bench b = bench_new();
    Node *x = INPUT(&b, SHAPE(&b, DT_f32, 2, 3), 1, 5, -2, 4, NAN, 6);
    EXPECT(&b, make_reduce(b.g, OP_sum, x, 1), 5, NAN, 4);
    EXPECT(&b, make_reduce(b.g, OP_sum, x, 2), 4, NAN);
    EXPECT(&b, make_reduce(b.g, OP_reduce_max, x, 1), 4, NAN, 6);
    Node *none = INPUT(&b, SHAPE(&b, DT_f32, 2, 0), 0);
    EXPECT(&b, make_reduce(b.g, OP_reduce_max, none, 2), -INFINITY, -INFINITY);
    EXPECT(&b, make_reduce(b.g, OP_sum, none, 2), 0, 0);
    Node *i = INPUT(&b, SHAPE(&b, DT_i32, 3), 2147483647, 2147483647, 3);
    EXPECT(&b, make_reduce(b.g, OP_sum, i, 1), 4294967297.0);
    EXPECT(&b, make_cumsum(b.g, i, 0), 2147483647, -2, 1);
    Node *y = INPUT(&b, SHAPE(&b, DT_f32, 2, 2), 1, 2, 3, 4);
    EXPECT(&b, make_cumsum(b.g, y, 0), 1, 2, 4, 6);
    EXPECT(&b, make_cumsum(b.g, y, 1), 1, 3, 3, 7);
    arena_free(b.arena);
}

static void test_einsum(void **state)
{
    (void)state;
    Bench b = bench_new();
    Node *x = INPUT(&b, SHAPE(&b, DT_f32, 2, 3), 1, 2, 3, 4, 5, 6),
         *y = INPUT(&b, SHAPE(&b, DT_f32, 3, 2), 1, 0, 0, 1, 1, 1);
    EXPECT(&b, make_einsum(b.g, "ij,jk->ik", x, y), 4, 5, 10, 11);
    EXPECT(&b, make_einsum(b.g, "ij,jk->ki", x, y), 4, 10, 5, 11);
    EXPECT(&b, make_einsum(b.g, "ij,ki->j", x, y), 10, 14, 18);
    EXPECT(&b, make_einsum(b.g, "ij,ji->", x, y), 1 + 3 + 5 + 6);
    Node *i = INPUT(&b, SHAPE(&b, DT_i8, 2), 100, 2);
    EXPECT(&b, make_einsum(b.g, "i,j->ij", i, i), 16, -56, -56, 4);
    arena_free(b.arena);
}

static void test_movement(void **state)
{
    (void)state;
    Bench b = bench_new();
    Graph *g = b.g;
    Node *x = INPUT(&b, SHAPE(&b, DT_f32, 2, 3), 1, 2, 3, 4, 5, 6);
    const Dim *zero = dim_int(g->dims, 0), *one = dim_int(g->dims, 1), *two = dim_int(g->dims, 2);
    EXPECT(&b, make_permute(g, x, (int8_t[]){1, 0}), 1, 4, 2, 5, 3, 6);
    EXPECT(&b, make_reshape(g, x, SHAPE(&b, DT_f32, 6)), 1, 2, 3, 4, 5, 6);
    EXPECT(&b, make_slice(g, x, (const Dim *[]){one, two}, (int64_t[]){-1, -2}, SHAPE(&b, DT_f32, 2, 2)), 6, 4, 3, 1);
    EXPECT(&b, make_pad(g, x, (const Dim *[]){zero, one}, SHAPE(&b, DT_f32, 2, 4)), 0, 1, 2, 3, 0, 4, 5, 6);
    Node *column = INPUT(&b, SHAPE(&b, DT_f32, 2, 1), 7, 8);
    EXPECT(&b, make_concat(g, (Node *[]){x, column}, 2, 1), 1, 2, 3, 7, 4, 5, 6, 8);
    EXPECT(&b, make_expand(g, column, (int8_t[]){0, 1}, SHAPE(&b, DT_f32, 2, 2)), 7, 7, 8, 8);
    EXPECT(&b, make_expand(g, column, (int8_t[]){1, 2}, SHAPE(&b, DT_f32, 2, 2, 1)), 7, 8, 7, 8);
    EXPECT(&b, make_window(g, x, 1, 1, SHAPE(&b, DT_f32, 2, 2, 2)), 1, 2, 2, 3, 4, 5, 5, 6);
    EXPECT(&b, make_iota(g, SHAPE(&b, DT_i32, 2, 3), 1), 0, 1, 2, 0, 1, 2);
    arena_free(b.arena);
}

static void test_gather_scatter(void **state)
{
    (void)state;
    Bench b = bench_new();
    Node *x = INPUT(&b, SHAPE(&b, DT_f32, 3, 2), 1, 2, 3, 4, 5, 6), *i = INPUT(&b, SHAPE(&b, DT_i32, 3), 2, -1, 2);
    Node *j = INPUT(&b, SHAPE(&b, DT_i32, 3), 1, 0, 0), *v = INPUT(&b, SHAPE(&b, DT_f32, 3, 2), 10, 20, 30, 40, 50, 60);
    EXPECT(&b, make_gather(b.g, x, &i, 1, 0), 5, 6, 0, 0, 5, 6);
    EXPECT(&b, make_gather(b.g, x, (Node *[]){i, j}, 2, 0), 6, 0, 5);
    EXPECT(&b, make_gather(b.g, x, &j, 1, 1), 2, 1, 1, 4, 3, 3, 6, 5, 5);
    EXPECT(&b, make_scatter(b.g, x, v, &i, 1, 0, false), 1, 2, 3, 4, 50, 60);
    EXPECT(&b, make_scatter(b.g, x, v, &i, 1, 0, true), 1, 2, 3, 4, 65, 86);
    Node *line = INPUT(&b, SHAPE(&b, DT_f32, 3), 7, 8, 9);
    EXPECT(&b, make_scatter(b.g, x, line, (Node *[]){i, j}, 2, 0, false), 1, 2, 3, 4, 9, 7);
    arena_free(b.arena);
}

static void test_out_of_range(void **state)
{
    (void)state;
    Bench b = bench_new();
    Source source = {.path = "a.ptm", .text = ""};
    Origin origin = {.place = {&source, 7, 3, 1}, .path = ""};
    Node *x = INPUT(&b, SHAPE(&b, DT_f32, 3), 1, 2, 3), *i = INPUT(&b, SHAPE(&b, DT_i32, 2), 0, 3);
    b.g->origin = &origin;
    graph_output(b.g, OUTPUT_result, "0", make_gather(b.g, x, &i, 1, 0));
    Tensor *result;
    const char *why = graph_eval(b.g, b.inputs, &result, b.arena);
    assert_string_equal(why, "a.ptm:7:3: index 3 is out of range: gather reads an axis of 3");
    b.inputs[1]->i[1] = -2;
    assert_non_null(strstr(graph_eval(b.g, b.inputs, &result, b.arena), "index -2 "));
    arena_free(b.arena);
}

static void test_draws(void **state)
{
    (void)state;
    Bench b = bench_new();
    Node *seed = INPUT(&b, type_scalar(DT_i64), 5), *step = INPUT(&b, type_scalar(DT_i64), 9);
    Type type = SHAPE(&b, DT_f32, 2, 3), whole = SHAPE(&b, DT_i32, 1000);
    const char *why = NULL;
    Node *u = graph_node(b.g, OP_uniform, (Node *[]){seed, step}, 2, &(Attr){.text = "h.0"}, &type, &why);
    Tensor *found = run(&b, u);
    uint64_t key = rt_random_key(5, rt_random_hash("h.0"));
    for (int k = 0; k < 6; k++) assert_true(found->f[k] == rt_random_unit(rt_random_word(key, 9, (uint64_t)k)));
    Node *args[] = {seed, step, make_whole(b.g, DT_i32, -3), make_whole(b.g, DT_i32, 4)};
    Tensor *numbers = run(&b, graph_node(b.g, OP_integers, args, 4, &(Attr){.text = "h.0"}, &whole, &why));
    int seen[7] = {0};
    for (int k = 0; k < 1000; k++) {
        assert_in_range(numbers->i[k] + 3, 0, 6);
        seen[numbers->i[k] + 3]++;
    }
    for (int k = 0; k < 7; k++) assert_in_range(seen[k], 100, 190);       /* 143 expected, deviation 11 */
    args[3] = make_whole(b.g, DT_i32, -3);
    numbers = run(&b, graph_node(b.g, OP_integers, args, 4, &(Attr){.text = "none"}, &whole, &why));
    for (int k = 0; k < 1000; k++) assert_int_equal(numbers->i[k], -3);
    arena_free(b.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),  cmocka_unit_test(test_rounding_of_casts), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_reductions), cmocka_unit_test(test_einsum),           cmocka_unit_test(test_movement),
        cmocka_unit_test(test_gather_scatter), cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
