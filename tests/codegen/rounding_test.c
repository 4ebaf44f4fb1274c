/* A value has the same bits in every kernel that computes it. A product and the sum it feeds may be rounded once
 * instead of twice, so this must not depend on what else a kernel does. The gradient of a maximum asks for it: it looks
 * for the elements that equal the maximum, in another kernel or another pass. */
#include "jit.h"
#include "passes/build.h"
#include "tests/passes/samples_random.h"

static Type shape(Lab *l, int rank, const int64_t *extent)
{
    Type t = {.dtype = DT_f32, .rank = rank};
    for (int k = 0; k < rank; k++) t.dim[k] = dim_int(l->g->dims, extent[k]);
    return t;
}

static Node *square(Lab *l, Node *x) { return mul(l, x, x); }

/* Replaces l->g by its gradient for the parameter c. */
static void differentiate(Lab *l)
{
    static const char *const trained[] = {"c"};
    PassOptions options = {.loss = "loss", .trained = trained, .trained_count = 1};
    Diagnostics *d = diag_new(l->arena);
    l->g = pass_simplify(l->arena, pass_grad(l->arena, l->g, &options, d), &options, d);
    assert_int_equal(diag_error_count(d), 0);
}

/* d loss / d c is 1 at one element of every row. */
static void check_winners(Lab *l, int64_t rows, int64_t columns)
{
    Jit j = jit_new(l, 2);
    for (int k = 0; k < l->g->inputs.count; k++)
        jit_set(&j, l->g->inputs.at[k]->attr.text, tensor_some(l->arena, l->g->inputs.at[k], k, 8));
    assert_int_equal(jit_run(&j), 0);
    for (int k = 0; k < l->g->outputs.count; k++) {
        if (strcmp(l->g->outputs.at[k].name, "d c")) continue;
        const Tensor *d = jit_output(&j, &l->g->outputs.at[k]);
        for (int64_t r = 0; r < rows; r++) {
            double total = 0;
            for (int64_t i = 0; i < columns; i++) total += d->f[r * columns + i];
            if (total != 1) fail_msg("row %lld passes on %g", (long long)r, total);
        }
    }
    jit_free(&j);
}

/* z = a * b + c, and what else the product feeds: nothing, an element operator, a reduction, a product. */
typedef enum Else { ELSE_nothing, ELSE_sine, ELSE_sum, ELSE_product, ELSE_COUNT } Else;

static Node *feed(Lab *l, Else what, Node *y)
{
    switch (what) {
    case ELSE_nothing: return NULL;
    case ELSE_sine: return sum(l, square(l, un(l, OP_sin, y)), 3);
    case ELSE_sum: return sum(l, y, 3);
    case ELSE_product: return sum(l, make_einsum(l->g, "ij,kj->ik", y, y), 3);
    case ELSE_COUNT: break;
    }
    return NULL;
}

static void every_row_of_a_maximum_has_a_winner(void **state)
{
    (void)state;
    static const int64_t columns[] = {40, 512};
    for (Else what = 0; what < ELSE_COUNT; what++)
        for (int k = 0; k < 2; k++)
            for (uint32_t axis = 0; axis < 2; axis++) {
                Lab l = lab_new();
                Type type = shape(&l, 2, axis ? (int64_t[]){64, columns[k]} : (int64_t[]){columns[k], 64});
                Node *a = make_input(l.g, STORE_param, "a", type), *b = make_input(l.g, STORE_param, "b", type),
                     *c = make_input(l.g, STORE_param, "c", type);
                Node *y = mul(&l, a, b), *z = add(&l, y, c);
                Node *top = make_reduce(l.g, OP_reduce_max, z, 1u << axis), *loss = sum(&l, top, 1);
                Node *other = feed(&l, what, y);
                result(&l, "loss", other ? add(&l, loss, mul(&l, other, num(&l, other, 0))) : loss);
                differentiate(&l);
                Node *d = NULL;
                for (int i = 0; i < l.g->outputs.count; i++)
                    if (!strcmp(l.g->outputs.at[i].name, "d c")) d = l.g->outputs.at[i].node;
                static const int8_t turn[] = {1, 0};
                if (!axis) result(&l, "d c", make_permute(l.g, d, turn));
                check_winners(&l, 64, columns[k]);
                arena_free(l.arena);
            }
}

/* How many elements equal the maximum: at least one, whoever computes them. */
static void maxima_are_attained_in_random_graphs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        Lab l = lab_new();
        Random r = random_new(&l, seed);
        for (int k = 0; k < 24; k++) random_node(&r);
        int asked = 0;
        for (int k = r.count - 1; k >= 0 && asked < 4; k--) {
            Node *x = r.at[k];
            if (x->type.dtype != DT_f32 || x->type.rank == 0 || x->op == OP_input) continue;
            uint32_t all = (1u << x->type.rank) - 1;
            Node *top = make_reduce(l.g, OP_reduce_max, x, all);
            Node *equal = make_binary(l.g, OP_eq, x, make_broadcast(l.g, top, x->type));
            result(&l, arena_print(l.arena, "%d", asked++), sum(&l, make_cast(l.g, equal, DT_f32), all));
        }
        Jit j = jit_new(&l, 1);
        for (int k = 0; k < l.g->inputs.count; k++)
            jit_set(&j, l.g->inputs.at[k]->attr.text, tensor_some(l.arena, l.g->inputs.at[k], k, 8));
        assert_int_equal(jit_run(&j), 0);
        for (int k = 0; k < l.g->outputs.count; k++)
            if (!(jit_output(&j, &l.g->outputs.at[k])->f[0] >= 1)) fail_msg("seed %d: no winner", (int)seed);
        jit_free(&j);
        arena_free(l.arena);
    }
}

/* One kernel knows the index at compile time, the other does not: LLVM must not fold the product of two constants
 * apart from its sum. */
static void known_numbers_are_rounded_alike(void **state)
{
    (void)state;
    Lab l = lab_new();
    Type type = shape(&l, 2, (int64_t[]){33, 40});
    Node *c = make_input(l.g, STORE_param, "c", type);
    Node *i = make_cast(l.g, make_iota(l.g, type_with(type, DT_i32), 1), DT_f32);
    Node *z = add(&l, mul(&l, i, num(&l, i, 0.1)), c);
    Node *top = make_reduce(l.g, OP_reduce_max, z, 2);
    Node *equal = make_cast(l.g, make_binary(l.g, OP_eq, z, over_last(&l, top, z)), DT_f32);
    static const int8_t turn[] = {1, 0};
    result(&l, "equal", sum(&l, make_permute(l.g, equal, turn), 1));
    Jit j = jit_new(&l, 1);
    jit_set(&j, "c", tensor_some(l.arena, c, 1, 8));
    assert_int_equal(jit_run(&j), 0);
    const Tensor *equals = jit_output(&j, &l.g->outputs.at[0]);
    for (int64_t k = 0; k < equals->count; k++) assert_true(equals->f[k] >= 1);
    jit_free(&j);
    arena_free(l.arena);
}

/* exp(x) / c, and then exp(x) again: c is 0 and inf somewhere, exp(x) is inf somewhere. */
static void exponentials_do_not_come_back_from_quotients(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = make_input(l.g, STORE_data, "x", shape(&l, 2, (int64_t[]){4, 20})),
         *c = make_input(l.g, STORE_data, "c", shape(&l, 1, (int64_t[]){4}));
    Node *e = un(&l, OP_exp, x);
    result(&l, "y", divide(&l, e, over_last(&l, c, x)));
    result(&l, "twice", mul(&l, e, num(&l, e, 2)));
    Tensor *inputs[] = {tensor_some(l.arena, x, 1, 8), tensor_some(l.arena, c, 2, 8)};
    inputs[0]->f[3] = 100;
    inputs[1]->f[1] = 0;
    inputs[1]->f[2] = INFINITY;
    jit_check(&l, inputs, 1, 1e-6, true);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_a_maximum_has_a_winner),
        cmocka_unit_test(maxima_are_attained_in_random_graphs),
        cmocka_unit_test(known_numbers_are_rounded_alike),
        cmocka_unit_test(exponentials_do_not_come_back_from_quotients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
