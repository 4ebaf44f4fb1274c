/* What runs on the tiles of a product gives the bits that it gives after the product. */
#include "jit.h"

#include <string.h>

static Type sized(Lab *l, DType dtype, int rank, const int64_t *extent)
{
    Type t = {.dtype = dtype, .rank = rank};
    for (int k = 0; k < rank; k++) t.dim[k] = dim_int(l->g->dims, extent[k]);
    return t;
}

/* x @ w of m rows and n columns */
static Node *product(Lab *l, DType dtype, int64_t m, int64_t n, int64_t k)
{
    Node *x = make_input(l->g, STORE_param, "x", sized(l, dtype, 2, (int64_t[]){m, k})),
         *w = make_input(l->g, STORE_param, "w", sized(l, dtype, 2, (int64_t[]){k, n}));
    return make_einsum(l->g, "mk,kn->mn", x, w);
}

/* Looks at nothing; but rows that are looked at run one by one. */
static void ignore_run(void *context, const Program *p, char *const *block) { (void)context, (void)p, (void)block; }
static void ignore_end(void *context, char *const *block) { (void)context, (void)block; }
static void ignore_row(void *context, int32_t row, char *const *block, const RtIteration *in)
{
    (void)context, (void)row, (void)block, (void)in;
}

static int count_tiled(const Program *p)
{
    int count = 0;
    for (int row = 0; row < p->step_count; row++) count += p->steps[row].tiled != NULL;
    return count;
}

static void set_inputs(Jit *j, int salt)
{
    const Graph *g = j->lab->g;
    for (int k = 0; k < g->inputs.count; k++)
        jit_set(j, g->inputs.at[k]->attr.text, tensor_some(j->lab->arena, g->inputs.at[k], k + salt, 8));
}

/* Runs on tiles, by any number of threads, and row by row. */
static void check_tiled(Lab *l, int wanted)
{
    static const int threads[] = {1, 2, 3, 8};
    static const RtWatch watch = {NULL, ignore_run, ignore_row, ignore_row, ignore_end};
    jit_check_some(l, 2, 1e-3);
    for (int i = 0; i < 4; i++) {
        Jit j = jit_new(l, threads[i]);
        Trial *t = &j.trial;
        assert_int_equal(count_tiled(t->program), wanted);
        Tensor *tiled[4];
        set_inputs(&j, 7);
        assert_int_equal(jit_run(&j), 0);
        for (int k = 0; k < l->g->outputs.count; k++) tiled[k] = jit_output(&j, &l->g->outputs.at[k]);
        set_inputs(&j, 7);
        assert_int_equal(rt_program_watch(t->program, t->pool, t->block, &watch, &t->fault), 0);
        for (int k = 0; k < l->g->outputs.count; k++) {
            Tensor *alone = jit_output(&j, &l->g->outputs.at[k]);
            assert_memory_equal(tiled[k]->f, alone->f, (size_t)alone->count * sizeof *alone->f);
        }
        jit_free(&j);
    }
    arena_free(l->arena);
}

static Node *vector(Lab *l, const char *name, Node *like)
{
    return make_input(l->g, STORE_param, name, type_of(like->type.dtype, 1, &like->type.dim[1]));
}

/* Bias, activation and residual, over sizes of one tile and of many, with and without whole vectors. */
static void maps_run_on_tiles(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{3, 5, 7}, {64, 48, 32}, {200, 512, 96}, {131, 1000, 33}, {768, 80, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int wide = 0; wide < 2; wide++) {
            Lab l = lab_new();
            Node *y = product(&l, wide ? DT_f64 : DT_f32, sizes[i][0], sizes[i][1], sizes[i][2]);
            Node *z = un(&l, OP_tanh, add(&l, y, over_first(&l, vector(&l, "b", y), y)));
            Node *r = make_input(l.g, STORE_data, "r", y->type);
            result(&l, "z", add(&l, r, mul(&l, z, num(&l, z, 0.5))));
            check_tiled(&l, 1);
        }
}

static void a_map_may_leave_the_product_as_it_is(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *y = product(&l, DT_f32, 256, 512, 64);
    result(&l, "y", y);
    result(&l, "z", mul(&l, un(&l, OP_tanh, y), y));
    check_tiled(&l, 1);
}

static void rows_run_on_rows_of_tiles(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *y = product(&l, DT_f32, 768, 128, 64), *r = make_input(l.g, STORE_data, "r", y->type);
    result(&l, "z", layer_norm(&l, add(&l, y, r), vector(&l, "gain", y)));
    check_tiled(&l, 1);
}

/* Scores of several heads, a batch of products. */
static void softmax_runs_on_scores(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *q = DATA(&l, "q", "B", "T", "H", "K"), *k = DATA(&l, "k", "B", "S", "H", "K");
    Node *s = make_einsum(l.g, "bthd,bshd->bhts", q, k);
    result(&l, "p", softmax(&l, mul(&l, s, num(&l, s, 0.25))));
    check_tiled(&l, 1);
}

/* A head's columns lie apart in the result. */
static void columns_of_a_batch_lie_apart(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *p = DATA(&l, "p", "B", "H", "T", "S"), *v = DATA(&l, "v", "B", "S", "H", "K");
    Node *o = make_einsum(l.g, "bhts,bshd->bthd", p, v);
    result(&l, "o", mul(&l, o, un(&l, OP_tanh, o)));
    check_tiled(&l, 1);
}

/* Elements of other tiles, elements that only parts add up to, and few rows for many threads. */
static void others_wait_for_the_whole_product(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *y = product(&l, DT_f32, 256, 512, 64);
    const Dim *last[] = {dim_int(l.g->dims, 255), dim_int(l.g->dims, 0)};
    result(&l, "z", un(&l, OP_tanh, make_slice(l.g, y, last, (const int64_t[]){-1, 1}, y->type)));
    check_tiled(&l, 0);
    l = lab_new();
    y = product(&l, DT_f32, 32, 32, 4096);
    result(&l, "z", un(&l, OP_tanh, y));
    check_tiled(&l, 0);
    l = lab_new();
    y = product(&l, DT_f32, 24, 2048, 64);
    result(&l, "z", softmax(&l, y));
    check_tiled(&l, 0);
}

/* The product still reads what the map may write over when it is done. */
static void operands_are_not_written_over(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = make_input(l.g, STORE_data, "x", sized(&l, DT_f32, 2, (int64_t[]){512, 512}));
    Node *a = un(&l, OP_tanh, x), *w = make_input(l.g, STORE_param, "w", x->type);
    result(&l, "z", mul(&l, make_einsum(l.g, "mk,kn->mn", a, w), a));
    check_tiled(&l, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_run_on_tiles),
        cmocka_unit_test(a_map_may_leave_the_product_as_it_is),
        cmocka_unit_test(rows_run_on_rows_of_tiles),
        cmocka_unit_test(softmax_runs_on_scores),
        cmocka_unit_test(columns_of_a_batch_lie_apart),
        cmocka_unit_test(others_wait_for_the_whole_product),
        cmocka_unit_test(operands_are_not_written_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
