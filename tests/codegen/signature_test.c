/* Kernels that share a function: the text that two of them have in common must be all that their code depends on. */
#include "jit.h"
#include "tests/passes/gpt.h"
#include "tests/passes/recurrence.h"
#include "tests/passes/samples_random.h"

#include "codegen/signature.h"

static Type line(Lab *l, int64_t extent)
{
    return (Type){.dtype = DT_f32, .rank = 1, .dim = {dim_int(l->g->dims, extent)}};
}

/* x[at] as a scalar */
static Node *element(Lab *l, Node *x, int64_t at)
{
    const Dim *start[] = {dim_int(l->g->dims, at)};
    int64_t step[] = {1};
    return make_reshape(l->g, make_slice(l->g, x, start, step, line(l, 1)), type_scalar(DT_f32));
}

/* a * a[3] and b * b[5] are not the same code. */
static void one_element_has_its_place(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *a = make_input(l.g, STORE_data, "a", line(&l, 48)), *b = make_input(l.g, STORE_data, "b", line(&l, 80));
    result(&l, "x", mul(&l, a, make_broadcast(l.g, element(&l, a, 3), a->type)));
    result(&l, "y", mul(&l, b, make_broadcast(l.g, element(&l, b, 5), b->type)));
    jit_check_some(&l, 1, 0);
    arena_free(l.arena);
}

/* Two states that change places: one of the two new values is copied. */
static void swap(Lab *l, const char *one, const char *other, int64_t extent)
{
    Node *x = make_input(l->g, STORE_state, one, line(l, extent)),
         *y = make_input(l->g, STORE_state, other, line(l, extent));
    update(l, one, y);
    update(l, other, x);
}

static void copies_of_any_length(void **state)
{
    (void)state;
    static const int64_t extents[] = {1, 7, 15, 16, 17, 64};
    for (int j = 0; j < 6; j++)
        for (int k = 0; k < 6; k++) {
            Lab l = lab_new();
            swap(&l, "a", "b", extents[j]);
            swap(&l, "c", "d", extents[k]);
            jit_check_some(&l, 1, 0);
            int copies = 0;
            for (int i = 0; i < l.p->kernels.count; i++) copies += kernel_at(&l, i)->kind == KERNEL_copy;
            assert_int_equal(copies, 2);
            arena_free(l.arena);
        }
}

/* A value and a spread element of as many elements in another order of axes, written by one kernel of a loop's body:
 * what follows them stays. */
static void results_of_two_shapes(void **state)
{
    (void)state;
    Lab l = lab_new(), b = body_new(&l);
    const Dim *d[] = {dim_int(l.g->dims, 2), dim_int(l.g->dims, 5), dim_int(l.g->dims, 7)};
    Type one = type_of(DT_f32, 3, d), other = type_of(DT_f32, 3, (const Dim *[]){d[2], d[0], d[1]});
    Node *x = make_input(b.g, STORE_carry, "x", one), *k = make_input(b.g, STORE_outer, "k", type_scalar(DT_f32));
    update(&b, "x", un(&b, OP_tanh, mul(&b, x, make_broadcast(b.g, k, one))));
    result(&b, "spread", make_broadcast(b.g, k, other));
    Node *args[] = {make_input(l.g, STORE_data, "x", one), make_input(l.g, STORE_data, "k", type_scalar(DT_f32))};
    Node *scan = loop_over(&l, &b, dim_int(l.g->dims, 3), false, args, 2);
    for (int i = 0; i < 2; i++) result(&l, arena_print(l.arena, "%d", i), make_pick(l.g, scan, i));
    jit_check_some(&l, 1, 1e-6);
    const Kernel *scan_kernel = kernel_at(&l, l.p->kernels.count - 1);
    assert_non_null(scan_kernel->body);
    assert_int_equal(scan_kernel->body->kernels.count, 1);   /* or this test has no object */
    arena_free(l.arena);
}

/* Kernels of any plans with one text, each compiled for itself, are one code. */
typedef struct Known {
    Arena *arena;
    Map   *code;                         /* by the text of the signature */
    int    shared;
} Known;

static void check_kernels(Known *known, const Plan *p)
{
    Arena *scratch = arena_new();
    for (int k = 0; k < p->kernels.count; k++) {
        if (p->kernels.at[k]->body) check_kernels(known, p->kernels.at[k]->body);
        if (p->kernels.at[k]->kind == KERNEL_contract || p->kernels.at[k]->kind == KERNEL_scan) continue;
        const char *text = signature_new(scratch, p, p->kernels.at[k])->text, *code = code_kernel_llvm(scratch, p, k);
        const char *before = map_get(known->code, text);
        if (!before) {
            map_set(known->code, arena_print(known->arena, "%s", text), arena_print(known->arena, "%s", code));
            continue;
        }
        known->shared++;
        if (strcmp(before, code)) fail_msg("%s\n-- is\n%s\n-- and\n%s", text, before, code);
    }
    arena_free(scratch);
}

/* Scalars out of vectors, moved and spread over values of several lengths, which flat kernels take in. */
static void add_places(Random *r)
{
    Lab *l = r->lab;
    for (int k = 0; k < 6; k++) {
        Node *x = make_input(l->g, STORE_data, arena_print(l->arena, "line%d", k),
                             line(l, 16 * (1 + random_number(r, 4))));
        Node *y = mul(l, x, make_broadcast(l->g, element(l, x, random_number(r, 9)), x->type));
        result(l, x->attr.text, random_number(r, 2) ? y : un(l, OP_exp, y));
    }
}

static void equal_text_is_equal_code(void **state)
{
    (void)state;
    Known known = {.arena = arena_new()};
    known.code = map_new(known.arena);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        Lab l = lab_new();
        Random r = random_new(&l, seed);
        for (int k = 0; k < 20; k++) random_node(&r);
        for (int k = 0; k < 4; k++) result(&l, arena_print(l.arena, "%d", k), r.at[r.count - 1 - k]);
        add_places(&r);
        lower(&l);
        check_kernels(&known, l.p);
        arena_free(l.arena);
    }
    Gpt m = gpt_new(2);
    PassOptions options = gpt_options(&m, 1.0);
    Diagnostics *d = diag_new(m.lab.arena);
    Graph *step = pass_update(m.lab.arena, pass_grad(m.lab.arena, m.lab.g, &options, d), &options, d);
    m.lab.g = pass_simplify(m.lab.arena, step, &options, d);
    lower(&m.lab);
    check_kernels(&known, m.lab.p);
    arena_free(m.lab.arena);
    assert_true(known.shared > 200);
    arena_free(known.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_element_has_its_place),
        cmocka_unit_test(copies_of_any_length),
        cmocka_unit_test(results_of_two_shapes),
        cmocka_unit_test(equal_text_is_equal_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
