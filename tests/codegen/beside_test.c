/* Rows that run at the same time touch nothing of each other. */
#include "jit.h"
#include "tests/passes/gpt.h"

/* The groups of a program, as the sizes of those that have more than one row: "3 2". */
static const char *groups_of(Lab *l)
{
    CodeOptions options = {.threads = 1};
    lower(l);
    Code *code = code_compile(l->p, "test", &options, diag_new(l->arena));
    const Program *p = code_program(code);
    const char *text = "";
    int groups = 0;
    for (int row = 0, size; row < p->step_count; row += size, groups++) {
        size = p->steps[row].beside + 1;
        if (size > 1) text = arena_print(l->arena, "%s%s%d", text, *text ? " " : "", size);
    }
    assert_int_equal(code_statistics(code).groups, groups);
    assert_int_equal(code_statistics(code).kernels, p->step_count);
    code_free(code);
    return text;
}

static Node *product(Lab *l, Node *x, const char *name)
{
    return make_einsum(l->g, "btd,de->bte", x, PARAM(l, name, "D", "D"));
}

static void products_of_one_value_run_together(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D");
    result(&l, "q", product(&l, x, "q"));
    result(&l, "k", product(&l, x, "k"));
    result(&l, "v", product(&l, x, "v"));
    assert_string_equal(groups_of(&l), "3");
    arena_free(l.arena);
}

static void what_reads_another_result_waits(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D");
    result(&l, "y", product(&l, product(&l, x, "u"), "v"));
    assert_string_equal(groups_of(&l), "");
    arena_free(l.arena);
}

/* Rows that do not read each other's results may still have memory in common. */
static void bytes_used_again_keep_the_order(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "T", "D"), *sum = NULL;
    for (int k = 0; k < 4; k++) {
        Node *w = PARAM(&l, arena_print(l.arena, "w%d", k), "D", "D");
        Node *y = make_einsum(l.g, "td,de->te", x, w), *norm = make_reduce(l.g, OP_sum, mul(&l, y, y), 3);
        sum = sum ? add(&l, sum, norm) : norm;
    }
    result(&l, "norm", sum);
    jit_check_some(&l, 3, 1e-3);
    arena_free(l.arena);
}

/* A bad id ends the run before what outlives it is written. */
static void nothing_is_kept_beside_a_lookup(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *ids = IDS(&l, "ids", "T"), *w = PARAM(&l, "w", "V", "D"), *s = STATE(&l, "s", "D", "D");
    result(&l, "rows", make_gather(l.g, w, &ids, 1, 0));
    update(&l, "s", mul(&l, s, num(&l, s, 0.5)));
    assert_string_equal(groups_of(&l), "");
    arena_free(l.arena);
}

typedef struct Span {
    int64_t place, bytes;
} Span;

static bool meet(Span a, Span b)
{
    return rt_block(a.place) == rt_block(b.place) && a.place < b.place + b.bytes && b.place < a.place + a.bytes;
}

static Span span_of(const Node *node, int64_t place) { return (Span){place, type_value_bytes(&node->type)}; }

static void check_apart(const CodeRow *writer, const CodeRow *other)
{
    for (int i = 0; i < writer->kernel->outputs.count; i++) {
        Span own = span_of(writer->kernel->outputs.at[i], writer->outputs[i]);
        for (int j = 0; j < other->kernel->inputs.count; j++)
            assert_false(meet(own, span_of(other->kernel->inputs.at[j], other->inputs[j])));
        for (int j = 0; j < other->kernel->outputs.count; j++)
            assert_false(meet(own, span_of(other->kernel->outputs.at[j], other->outputs[j])));
    }
}

/* Whether one of two rows runs on the tiles of the other. */
static bool on_tiles(const Program *p, int a, int b)
{
    return (b == a + 1 && p->steps[a].tiled) || (a == b + 1 && p->steps[b].tiled);
}

static void groups_of_a_training_step_are_apart(void **state)
{
    (void)state;
    Gpt m = gpt_new(4);
    Lab *l = &m.lab;
    Diagnostics *d = diag_new(l->arena);
    PassOptions options = gpt_options(&m, 1.0);
    Graph *g = pass_update(l->arena, pass_grad(l->arena, l->g, &options, d), &options, d);
    l->g = pass_simplify(l->arena, g, &options, d);
    Jit j = jit_new(l, 1);
    const CodeRow *rows = code_rows(j.trial.code);
    int groups = 0;
    for (int row = 0; row < j.trial.program->step_count; row += j.trial.program->steps[row].beside + 1, groups++)
        for (int a = row; a <= row + j.trial.program->steps[row].beside; a++)
            for (int b = row; b <= row + j.trial.program->steps[row].beside; b++)
                if (a != b && rows[a].kernel && rows[b].kernel && !on_tiles(j.trial.program, a, b))
                    check_apart(&rows[a], &rows[b]);
    printf("%d rows in %d groups\n", j.trial.program->step_count, groups);
    assert_true(groups * 3 < j.trial.program->step_count * 2);
    jit_free(&j);
    arena_free(l->arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_one_value_run_together),
        cmocka_unit_test(what_reads_another_result_waits),
        cmocka_unit_test(bytes_used_again_keep_the_order),
        cmocka_unit_test(nothing_is_kept_beside_a_lookup),
        cmocka_unit_test(groups_of_a_training_step_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
