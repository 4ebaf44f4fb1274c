/* Movement, indexing, draws and reductions as machine code against the evaluator, over odd extents. */
#include "jit.h"

static const int64_t extents[] = {1, 2, 5, 15, 16, 17, 33};
enum { EXTENTS = sizeof extents / sizeof *extents };

static Type shape(Lab *l, DType dtype, int rank, const int64_t *extent)
{
    Type t = {.dtype = dtype, .rank = rank};
    for (int k = 0; k < rank; k++) t.dim[k] = dim_int(l->g->dims, extent[k]);
    return t;
}
#define DIMS(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}

static Node *input(Lab *l, const char *name, DType dtype, int rank, const int64_t *extent)
{
    return make_input(l->g, STORE_data, name, shape(l, dtype, rank, extent));
}

static Node *node(Lab *l, Op op, Node *const *args, int count, Attr attr, const Type *type)
{
    const char *why = NULL;
    Node *n = graph_node(l->g, op, args, count, &attr, type, &why);
    if (!n) fail_msg("%s: %s", op_name(op), why);
    return n;
}

static const Dim *number(Lab *l, int64_t x) { return dim_int(l->g->dims, x); }

/* Keeps a movement from being the only thing that a kernel does. */
static Node *worked(Lab *l, Node *x) { return add(l, x, num(l, x, 1)); }

static void pads_and_slices(void **state)
{
    (void)state;
    for (int k = 0; k < EXTENTS; k++) {
        Lab l = lab_new();
        int64_t n = extents[k];
        Node *x = input(&l, "x", DT_f32, DIMS(3, n));
        Type wide = shape(&l, DT_f32, DIMS(6, n + 7));
        Attr before = {.start = {number(&l, 2), number(&l, 3)}};
        result(&l, "pad", node(&l, OP_pad, &x, 1, before, &wide));
        Node *y = worked(&l, x);
        result(&l, "padded work", worked(&l, node(&l, OP_pad, &y, 1, before, &wide)));
        Type part = shape(&l, DT_f32, DIMS(2, (n + 1) / 2));
        Attr every_second = {.start = {number(&l, 2), number(&l, 0)}, .step = {-2, 2}};
        result(&l, "slice", worked(&l, node(&l, OP_slice, &x, 1, every_second, &part)));
        Attr backwards = {.start = {number(&l, 0), number(&l, n - 1)}, .step = {1, -1}};
        Type same = x->type;
        result(&l, "turned", worked(&l, node(&l, OP_slice, &y, 1, backwards, &same)));
        jit_check_some(&l, 1, 1e-6);
        arena_free(l.arena);
    }
}

static void concats_along_each_axis(void **state)
{
    (void)state;
    for (int k = 0; k < EXTENTS; k++) {
        Lab l = lab_new();
        int64_t n = extents[k];
        Node *parts[3] = {input(&l, "x", DT_f32, DIMS(2, n)), input(&l, "y", DT_f32, DIMS(2, 7)),
                          input(&l, "z", DT_f32, DIMS(2, n + 1))};
        parts[1] = worked(&l, parts[1]);
        result(&l, "columns", worked(&l, node(&l, OP_concat, parts, 3, (Attr){.axis = 1}, NULL)));
        Node *rows[2] = {parts[0], worked(&l, parts[0])};
        result(&l, "rows", worked(&l, node(&l, OP_concat, rows, 2, (Attr){.axis = 0}, NULL)));
        jit_check_some(&l, 1, 1e-6);
        arena_free(l.arena);
    }
}

static void windows_overlap(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = input(&l, "x", DT_f32, DIMS(3, 40, 2));
    Type windows = shape(&l, DT_f32, DIMS(3, 18, 5, 2));
    result(&l, "windows", worked(&l, node(&l, OP_window, &x, 1, (Attr){.axis = 1, .step = {2}}, &windows)));
    Node *line = input(&l, "line", DT_f32, DIMS(50));
    Type ahead = shape(&l, DT_f32, DIMS(47, 4));
    result(&l, "line", worked(&l, node(&l, OP_window, &line, 1, (Attr){.axis = 0, .step = {1}}, &ahead)));
    jit_check_some(&l, 1, 1e-6);
    arena_free(l.arena);
}

static void reshapes_that_cut_across_axes(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = input(&l, "x", DT_f32, DIMS(6, 35));
    static const int8_t turn[] = {1, 0}, roll[] = {2, 0, 1};
    Node *y = make_permute(l.g, worked(&l, x), turn);
    result(&l, "cut", worked(&l, make_reshape(l.g, y, shape(&l, DT_f32, DIMS(10, 21)))));
    Node *z = make_permute(l.g, make_reshape(l.g, x, shape(&l, DT_f32, DIMS(6, 5, 7))), roll);
    result(&l, "split", worked(&l, make_reshape(l.g, z, shape(&l, DT_f32, DIMS(42, 5)))));
    Node *s = sum(&l, make_reshape(l.g, worked(&l, y), shape(&l, DT_f32, DIMS(14, 15))), 2);
    result(&l, "summed", s);
    jit_check_some(&l, 1, 1e-5);
    arena_free(l.arena);
}

static void iotas_count_along_their_axis(void **state)
{
    (void)state;
    static const DType dtypes[] = {DT_f32, DT_i32, DT_i64, DT_i8, DT_u8};
    Lab l = lab_new();
    for (int t = 0; t < 5; t++)
        for (int axis = 0; axis < 2; axis++) {
            Type type = shape(&l, dtypes[t], DIMS(19, 21));
            result(&l, arena_print(l.arena, "%s %d", dtype_name(dtypes[t]), axis),
                   node(&l, OP_iota, NULL, 0, (Attr){.axis = axis}, &type));
        }
    Type type = shape(&l, DT_i32, DIMS(19, 20));
    Node *i = node(&l, OP_iota, NULL, 0, (Attr){.axis = 1}, &type);
    result(&l, "flat", make_reshape(l.g, i, shape(&l, DT_i32, DIMS(38, 10))));
    jit_check_some(&l, 1, 0);
    arena_free(l.arena);
}

/* Ids in [-1, bound). */
static Tensor *ids(Lab *l, const Node *input, int64_t bound)
{
    Tensor *t = tensor_new(l->arena, input->type);
    for (int64_t k = 0; k < t->count; k++) t->i[k] = (k * 7 + 3) % (bound + 1) - 1;
    return t;
}

static void gathers_read_rows_and_places(void **state)
{
    (void)state;
    for (int k = 0; k < EXTENTS; k++) {
        Lab l = lab_new();
        int64_t n = extents[k];
        Node *table = input(&l, "table", DT_f32, DIMS(11, n)), *i = input(&l, "i", DT_i32, DIMS(4, 5)),
             *j = input(&l, "j", DT_i64, DIMS(4, 5));
        result(&l, "rows", worked(&l, make_gather(l.g, table, &i, 1, 0)));
        Node *both[] = {i, j};
        result(&l, "places", worked(&l, make_gather(l.g, table, both, 2, 0)));
        result(&l, "columns", worked(&l, make_gather(l.g, worked(&l, table), &j, 1, 1)));
        Tensor *inputs[] = {tensor_some(l.arena, table, 1, 8), ids(&l, i, 11), ids(&l, j, n)};
        jit_check(&l, inputs, 1, 1e-6, true);
        arena_free(l.arena);
    }
}

static void scatters_set_and_add_in_order(void **state)
{
    (void)state;
    for (int k = 0; k < EXTENTS; k++) {
        Lab l = lab_new();
        int64_t n = extents[k];
        Node *x = input(&l, "x", DT_f32, DIMS(6, n)), *v = input(&l, "v", DT_f32, DIMS(20, n)),
             *i = input(&l, "i", DT_i32, DIMS(20));
        Node *c = input(&l, "c", DT_f32, DIMS(6, 20)), *j = input(&l, "j", DT_i32, DIMS(20));
        for (int adds = 0; adds < 2; adds++) {
            result(&l, adds ? "add" : "set", make_scatter(l.g, x, v, &i, 1, 0, adds));
            result(&l, adds ? "add to zero" : "set in zero",
                   make_scatter(l.g, num(&l, x, 0), worked(&l, v), &i, 1, 0, adds));
            result(&l, adds ? "add columns" : "set columns", make_scatter(l.g, x, c, &j, 1, 1, adds));
        }
        Node *whole = input(&l, "whole", DT_i64, DIMS(9)), *ones = make_full(l.g, shape(&l, DT_i64, DIMS(20)), 1);
        result(&l, "counts", make_scatter(l.g, whole, ones, &i, 1, 0, true));
        Tensor *inputs[] = {tensor_some(l.arena, x, 1, 8), tensor_some(l.arena, v, 2, 8), ids(&l, i, 6),
                            tensor_some(l.arena, c, 3, 8), ids(&l, j, n), tensor_some(l.arena, whole, 4, 8)};
        jit_check(&l, inputs, 2, 1e-5, true);
        arena_free(l.arena);
    }
}

static void draws_are_the_evaluators(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *seed = make_input(l.g, STORE_ambient, "seed", type_scalar(DT_i64)),
         *step = make_input(l.g, STORE_ambient, "step", type_scalar(DT_i64));
    Node *low = make_whole(l.g, DT_i32, -5), *high = make_whole(l.g, DT_i32, 90);
    Type type = shape(&l, DT_f32, DIMS(7, 19)), whole_type = shape(&l, DT_i32, DIMS(7, 19));
    Node *two[] = {seed, step}, *four[] = {seed, step, low, high};
    Node *u = node(&l, OP_uniform, two, 2, (Attr){.text = graph_text(l.g, "a")}, &type);
    Node *w = node(&l, OP_uniform, two, 2, (Attr){.text = graph_text(l.g, "b")}, &type);
    static const int8_t turn[] = {1, 0};
    result(&l, "u", u);
    result(&l, "turned", worked(&l, make_permute(l.g, w, turn)));
    result(&l, "sum", sum(&l, w, 1));
    result(&l, "k", node(&l, OP_integers, four, 4, (Attr){.text = graph_text(l.g, "c")}, &whole_type));
    static const int64_t ranges[][2] = {{7, 7}, {7, -9}, {0, (int64_t)1 << 32}, {INT64_MIN, INT64_MAX},
                                        {-5, INT64_MAX}};
    Type long_type = shape(&l, DT_i64, DIMS(35));
    for (int k = 0; k < 5; k++) {
        Node *bounds[] = {seed, step, make_whole(l.g, DT_i64, ranges[k][0]), make_whole(l.g, DT_i64, ranges[k][1])};
        result(&l, arena_print(l.arena, "range %d", k),
               node(&l, OP_integers, bounds, 4, (Attr){.text = graph_text(l.g, "d")}, &long_type));
    }
    Tensor *inputs[] = {tensor_new(l.arena, seed->type), tensor_new(l.arena, step->type)};
    inputs[0]->i[0] = 0x123456789abcdef;
    inputs[1]->i[0] = 77;
    jit_check(&l, inputs, 1, 1e-6, false);
    arena_free(l.arena);
}

static void reductions_of_every_type(void **state)
{
    (void)state;
    for (int t = 0; t < DT_COUNT; t++) {
        if (t == DT_bool) continue;
        for (int k = 0; k < EXTENTS; k++) {
            Lab l = lab_new();
            Node *x = input(&l, "x", (DType)t, DIMS(5, extents[k], 3));
            for (uint32_t axes = 1; axes < 8; axes++) {
                result(&l, arena_print(l.arena, "%s sum %u", dtype_name((DType)t), axes),
                       make_reduce(l.g, OP_sum, x, axes));
                result(&l, arena_print(l.arena, "%s max %u", dtype_name((DType)t), axes),
                       make_reduce(l.g, OP_reduce_max, x, axes));
            }
            jit_check_some(&l, 1, 1e-5);
            arena_free(l.arena);
        }
    }
}

/* Eight axes leave no room for another one. */
static void operators_of_the_highest_rank(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = input(&l, "x", DT_f32, DIMS(2, 1, 3, 2, 2, 1, 2, 3)),
        *i = input(&l, "i", DT_i32, DIMS(2, 1, 3, 2, 2, 1, 2, 3));
    for (int axis = 0; axis < 8; axis++)
        result(&l, arena_print(l.arena, "running %d", axis), make_cumsum(l.g, x, axis));
    Node *j = input(&l, "j", DT_i32, DIMS(3, 5)), *k = input(&l, "k", DT_i32, DIMS(2, 4, 3, 3, 5));
    result(&l, "one", make_einsum(l.g, "abcdefgh,hi->abcdefgi", i, j));
    result(&l, "two", make_einsum(l.g, "abcdefgh,dyhcz->fzdyabge", i, k));
    jit_check_some(&l, 2, 1e-6);
    arena_free(l.arena);
}

static void maxima_of_nan(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = input(&l, "x", DT_f32, DIMS(4, 20));
    result(&l, "max", make_reduce(l.g, OP_reduce_max, x, 2));
    result(&l, "columns", make_reduce(l.g, OP_reduce_max, x, 1));
    Tensor *inputs[] = {tensor_some(l.arena, x, 1, 8)};
    inputs[0]->f[5] = NAN;
    inputs[0]->f[20] = -INFINITY;
    inputs[0]->f[47] = INFINITY;
    jit_check(&l, inputs, 1, 0, false);
    arena_free(l.arena);
}

static void softmax_and_norm_over_odd_rows(void **state)
{
    (void)state;
    for (int k = 0; k < EXTENTS; k++) {
        Lab l = lab_new();
        Node *x = input(&l, "x", DT_f32, DIMS(9, extents[k]));
        result(&l, "softmax", softmax(&l, x));
        result(&l, "norm", layer_norm(&l, x, input(&l, "gain", DT_f32, DIMS(extents[k]))));
        jit_check_some(&l, 3, 1e-5);
        arena_free(l.arena);
    }
}

/* One kernel's first bad id is reported with its place; the run says so and touches nothing outside. */
/* An axis of length 0 anywhere: nothing to write, and a sum over nothing is 0. */
static void values_without_elements(void **state)
{
    (void)state;
    for (int axis = 0; axis < 3; axis++) {
        Lab l = lab_new();
        int64_t extent[] = {3, 4, 5}, left[] = {3, 4, 5};
        left[axis] = 0;
        Node *x = input(&l, "x", DT_f32, 3, extent);
        Type none = shape(&l, DT_f32, 3, left);
        Attr start = {.start = {number(&l, 0), number(&l, 0), number(&l, 0)}, .step = {1, 1, 1}};
        Node *nothing = node(&l, OP_slice, &x, 1, start, &none);
        result(&l, "slice", nothing);
        result(&l, "work", mul(&l, worked(&l, nothing),
                               make_cast(l.g, make_iota(l.g, shape(&l, DT_i32, 3, left), 2), DT_f32)));
        result(&l, "sum", worked(&l, sum(&l, worked(&l, nothing), 1u << axis)));
        jit_check_some(&l, 2, 1e-6);
        arena_free(l.arena);
    }
}

static void an_id_out_of_range_is_a_fault(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        Lab l = lab_new();
        Node *table = input(&l, "table", DT_f32, DIMS(11, 20)), *i = input(&l, "i", DT_i32, DIMS(19));
        Node *v = input(&l, "v", DT_f32, DIMS(19, 20)), *own[] = {make_iota(l.g, i->type, 0), i};
        Node *zero = make_full(l.g, shape(&l, DT_f32, DIMS(19, 11)), 0),
            *ones = make_full(l.g, shape(&l, DT_f32, DIMS(19)), 1);
        result(&l, "out", which == 0   ? make_gather(l.g, table, &i, 1, 0)
                          : which == 1 ? make_gather(l.g, table, &i, 1, 1)
                          : which == 2 ? make_scatter(l.g, table, v, &i, 1, 0, true)
                                       : make_scatter(l.g, zero, ones, own, 2, 0, true));
        Jit j = jit_new(&l, 2);
        Tensor *bad = ids(&l, i, 11);
        bad->i[7] = which == 1 ? 20 : -2;
        jit_set(&j, "i", bad);
        jit_set(&j, "table", tensor_some(l.arena, table, 1, 8));
        if (which == 2) jit_set(&j, "v", tensor_some(l.arena, v, 2, 8));
        assert_int_equal(jit_run(&j), 1);
        assert_int_equal(j.trial.fault.value, bad->i[7]);
        assert_int_equal(j.trial.fault.bound, which == 1 ? 20 : 11);
        assert_true(j.trial.fault.place > 0 && j.trial.fault.place < j.trial.program->place_count);
        jit_set(&j, "i", ids(&l, i, 11));
        jit_set(&j, "table", tensor_some(l.arena, table, 1, 8));
        assert_int_equal(jit_run(&j), 0);
        jit_free(&j);
        arena_free(l.arena);
    }
}

/* Of many bad ids the same one is reported, whoever meets them first. */
static void a_fault_does_not_depend_on_threads(void **state)
{
    (void)state;
    Lab l = lab_new();
    enum { IDS = 40000 };
    Node *table = input(&l, "table", DT_f32, DIMS(11)), *i = input(&l, "i", DT_i32, DIMS(IDS));
    result(&l, "out", worked(&l, make_gather(l.g, table, &i, 1, 0)));
    Tensor *bad = ids(&l, i, 11);
    for (int k = 5; k < IDS; k += 16) bad->i[k] = 100 + k;
    for (int threads = 1; threads <= 8; threads++) {
        Jit j = jit_new(&l, threads);
        jit_set(&j, "i", bad);
        jit_set(&j, "table", tensor_some(l.arena, table, 1, 8));
        for (int k = 0; k < 5; k++) {
            assert_int_equal(jit_run(&j), 1);
            assert_int_equal(j.trial.fault.value, 105);           
            assert_int_equal(j.trial.fault.lock, 0);
        }
        bad->i[IDS - 16] = -77;
        jit_set(&j, "i", bad);
        assert_int_equal(jit_run(&j), 1);
        assert_int_equal(j.trial.fault.value, -77);
        bad->i[IDS - 16] = 0;
        jit_free(&j);
    }
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pads_and_slices),
        cmocka_unit_test(concats_along_each_axis),
        cmocka_unit_test(windows_overlap),
        cmocka_unit_test(reshapes_that_cut_across_axes),
        cmocka_unit_test(iotas_count_along_their_axis),
        cmocka_unit_test(gathers_read_rows_and_places),
        cmocka_unit_test(scatters_set_and_add_in_order),
        cmocka_unit_test(draws_are_the_evaluators),
        cmocka_unit_test(reductions_of_every_type),
        cmocka_unit_test(operators_of_the_highest_rank),
        cmocka_unit_test(maxima_of_nan),
        cmocka_unit_test(softmax_and_norm_over_odd_rows),
        cmocka_unit_test(values_without_elements),
        cmocka_unit_test(an_id_out_of_range_is_a_fault),
        cmocka_unit_test(a_fault_does_not_depend_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
