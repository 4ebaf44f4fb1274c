/* Programs that are one long chain: nothing walks them by recursion as deep as they are long, and time grows with their
 * length. */
#include "jit.h"

#include "passes/build.h"

#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What is longer than a kernel may be is cut, and equal pieces are one function. */
static void sixty_thousand_sines(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "H"), *y = x;
    for (int k = 0; k < 60000; k++) y = un(&l, OP_sin, y);
    result(&l, "y", y);
    double start = seconds();
    jit_check_some(&l, 1, 1e-5);
    printf("%d kernels in %.1f s\n", l.p->kernels.count, seconds() - start);
    assert_true(l.p->kernels.count < 600);
    for (int k = 0; k < l.p->kernels.count; k++) assert_true(kernel_at(&l, k)->nodes.count <= 320);
    arena_free(l.arena);
}

/* Movement keeps whole indices on the stack while it looks for what it moves. */
static void thousands_of_moves(void **state)
{
    (void)state;
    static const int8_t turn[] = {1, 0};
    Lab l = lab_new();
    const Dim *side = dim_int(l.g->dims, 64);
    Node *x = make_input(l.g, STORE_data, "x", type_of(DT_f32, 2, (const Dim *[]){side, side})), *y = x;
    for (int k = 0; k < 1000; k++) {
        y = build_flip(l.g, y, k % 2);
        y = make_permute(l.g, y, turn);
        y = build_place(l.g, build_part(l.g, y, 0, dim_int(l.g->dims, 1), dim_int(l.g->dims, 63)), 0,
                        dim_int(l.g->dims, k % 2), side);
        if (k % 3 == 0) y = add(&l, y, x);
        if (k % 40 == 0) y = un(&l, OP_tanh, y);
    }
    result(&l, "y", y);
    double start = seconds();
    jit_check_some(&l, 2, 1e-4);
    printf("%d kernels in %.1f s\n", l.p->kernels.count, seconds() - start);
    arena_free(l.arena);
}

/* Kernels that wait for each other: products, and an update at the end of them. */
static void thousands_of_kernels(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *w = PARAM(&l, "w", "H", "H"), *y = w;
    for (int k = 0; k < 20000; k++) y = make_einsum(l.g, "ij,jk->ik", y, w);
    update(&l, "w", mul(&l, y, num(&l, y, 0.5)));
    double start = seconds();
    lower(&l);
    printf("%d kernels in %.1f s\n", l.p->kernels.count, seconds() - start);
    assert_int_equal(l.p->kernels.count, 20001);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixty_thousand_sines),
        cmocka_unit_test(thousands_of_moves),
        cmocka_unit_test(thousands_of_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
