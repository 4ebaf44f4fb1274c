/* Programs that are compiled with one table share their functions. */
#include "jit.h"
#include "tests/passes/gpt.h"

static Code *compiled(Lab *l, CodeTable *table)
{
    CodeOptions options = {.threads = 1, .table = table};
    lower(l);
    return code_compile(l->p, "test", &options, diag_new(l->arena));
}

/* y = x * x + 1 of so many rows, and the sum of each row. */
static Lab program(const char *rows, bool sums)
{
    Lab l = lab_new();
    Node *x = DATA(&l, "x", rows, "D");
    result(&l, "y", add(&l, mul(&l, x, x), x));
    if (sums) result(&l, "s", make_reduce(l.g, OP_sum, x, 2));
    return l;
}

static void equal_kernels_are_compiled_once(void **state)
{
    (void)state;
    CodeTable *table = code_table_new();
    Lab l = program("T", false), other = program("B", true);
    Code *first = compiled(&l, table), *second = compiled(&l, table), *third = compiled(&other, table);
    assert_int_equal(code_statistics(first).functions, 1);
    assert_int_equal(code_statistics(second).functions, 0);
    assert_ptr_equal(code_program(first)->steps[0].run, code_program(second)->steps[0].run);
    assert_true(code_statistics(third).functions > 0);
    code_free(first);                    /* what they share outlives it */
    code_free(third);
    assert_non_null(code_program(second)->steps[0].run);
    code_free(second);
    code_table_free(table);
    arena_free(l.arena);
    arena_free(other.arena);
}

static void without_a_table_each_has_its_own(void **state)
{
    (void)state;
    Lab l = program("T", false);
    Code *first = compiled(&l, NULL), *second = compiled(&l, NULL);
    assert_int_equal(code_statistics(second).functions, 1);
    code_free(first);
    code_free(second);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_kernels_are_compiled_once),
        cmocka_unit_test(without_a_table_each_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
