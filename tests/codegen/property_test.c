/* Properties of the code itself: full-width vectors, no calls, loops that add only what changes, equal kernels once,
 * line tables. */
#include "jit.h"

/* The text of a dump of one graph's code. */
typedef struct Dump {
    char  *llvm, *assembly;
    size_t llvm_size, assembly_size;
    CodeStatistics statistics;
} Dump;

static Dump dump_of(Lab *l)
{
    Dump d = {0};
    FILE *llvm = open_memstream(&d.llvm, &d.llvm_size), *assembly = open_memstream(&d.assembly, &d.assembly_size);
    Jit j = jit_new_with(l, 1, (CodeOptions){.llvm = llvm, .assembly = assembly});
    d.statistics = code_statistics(j.trial.code);
    fclose(llvm);
    fclose(assembly);
    jit_free(&j);
    return d;
}

static void dump_free(Dump *d)
{
    free(d->llvm);
    free(d->assembly);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++) n++;
    return n;
}

static bool host_is_wide(Arena *arena) { return strstr(code_target(arena), "avx512") != NULL; }

static void transcendentals_are_inline_and_full_width(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D");
    result(&l, "y", un(&l, OP_erf, un(&l, OP_log, un(&l, OP_exp, un(&l, OP_tanh, un(&l, OP_sin, x))))));
    Dump d = dump_of(&l);
    assert_int_equal(count(d.llvm, "call "), count(d.llvm, "@llvm.") - count(d.llvm, "declare "));
    assert_int_equal(count(d.assembly, "\tcall"), 0);
    assert_true(count(d.llvm, "<16 x float>") > 50);
    if (host_is_wide(l.arena)) assert_true(count(d.assembly, "zmm") > 50);
    dump_free(&d);
    arena_free(l.arena);
}

/* 12 * 64 * 128 elements are one loop of whole vectors without a masked rest. */
static void plain_maps_are_one_loop(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D"), *y = DATA(&l, "y", "B", "T", "D");
    result(&l, "z", mul(&l, add(&l, x, y), x));
    Dump d = dump_of(&l);
    assert_int_equal(count(d.llvm, "phi i64"), 1);
    assert_int_equal(count(d.llvm, "masked"), 0);
    assert_int_equal(count(d.llvm, "load <16 x float>"), 2);
    assert_int_equal(count(d.llvm, "store <16 x float>"), 1);
    dump_free(&d);
    arena_free(l.arena);
}

/* The row's factor does not depend on the loop over the row: it is built before it. */
static void what_does_not_change_stays_outside(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "T", "D"), *gain = PARAM(&l, "gain", "T");
    result(&l, "z", mul(&l, x, over_last(&l, un(&l, OP_sqrt, gain), x)));
    Dump d = dump_of(&l);
    const char *factor = strstr(d.llvm, "@llvm.sqrt"), *row = strstr(d.llvm, "load <16 x float>");
    assert_non_null(factor);
    assert_non_null(row);
    assert_true(factor < row);
    assert_int_equal(count(row, "fmul"), 1);
    dump_free(&d);
    arena_free(l.arena);
}

/* Updates of parameters of different shapes run the same code; so do draws with different keys. */
static void equal_kernels_are_one_function(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    Lab l = lab_new();
    Node *seed = make_input(l.g, STORE_ambient, "seed", type_scalar(DT_i64)),
         *step = make_input(l.g, STORE_ambient, "step", type_scalar(DT_i64));
    Type types[] = {lab_type(&l, DT_f32, SHAPE("D", "F")), lab_type(&l, DT_f32, SHAPE("V", "D")),
                    lab_type(&l, DT_f32, SHAPE("B", "T", "H"))};
    for (int k = 0; k < 3; k++) {
        Node *w = make_input(l.g, STORE_param, names[k], types[k]), *args[] = {seed, step};
        const char *why = NULL;
        Attr key = {.text = graph_text(l.g, names[k])};
        Node *u = graph_node(l.g, OP_uniform, args, 2, &key, &types[k], &why);
        update(&l, names[k], mul(&l, w, u));
    }
    Jit j = jit_new(&l, 1);
    assert_int_equal(j.trial.program->step_count, 3);
    assert_int_equal(code_statistics(j.trial.code).functions, 1);
    assert_ptr_equal(j.trial.program->steps[0].run, j.trial.program->steps[2].run);
    jit_free(&j);
    arena_free(l.arena);
}

/* Another constant is other code. */
static void constants_are_part_of_the_code(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T"), *y = DATA(&l, "y", "D");
    result(&l, "a", mul(&l, x, num(&l, x, 2)));
    result(&l, "b", mul(&l, y, num(&l, y, 3)));
    jit_check_some(&l, 1, 0);
    Dump d = dump_of(&l);
    assert_int_equal(d.statistics.functions, 2);
    dump_free(&d);
    arena_free(l.arena);
}

/* A small result of a long product is added up in parts, whose bytes are planned. */
static void parts_of_products_are_planned(void **state)
{
    (void)state;
    for (int large = 0; large < 2; large++) {
        Lab l = lab_new();
        Type type = type_of(DT_f32, 2, (const Dim *[]){dim_int(l.g->dims, large ? 8192 : 32), dim_int(l.g->dims, 16)});
        Node *x = make_input(l.g, STORE_data, "x", type), *y = make_input(l.g, STORE_data, "y", type);
        result(&l, "z", make_einsum(l.g, "ki,kj->ij", x, y));
        Jit j = jit_new(&l, 1);
        int parts = l.p->kernels.at[0]->parts;
        assert_true(large ? parts >= 0 && l.p->buffers.at[parts]->bytes % (16 * 16 * 4) == 0 : parts < 0);
        assert_int_equal(j.trial.program->block_bytes[BLOCK_work], l.p->block_bytes[MEMORY_work]);
        jit_free(&j);
        arena_free(l.arena);
    }
}

/* What a row computes and where its values lie, also of a product in parts. */
static void rows_name_their_kernels(void **state)
{
    (void)state;
    Lab l = lab_new();
    Type long_type = type_of(DT_f32, 2, (const Dim *[]){dim_int(l.g->dims, 8192), dim_int(l.g->dims, 16)});
    Type square = type_of(DT_f32, 2, (const Dim *[]){long_type.dim[1], long_type.dim[1]});
    Node *x = make_input(l.g, STORE_data, "x", long_type), *w = make_input(l.g, STORE_param, "w", square);
    update(&l, "w", add(&l, mul(&l, w, num(&l, w, 2)), make_einsum(l.g, "ki,kj->ij", x, x)));
    Jit j = jit_new(&l, 1);
    const CodeRow *rows = code_rows(j.trial.code);
    int described = 0, last = j.trial.program->step_count - 1;
    for (int k = 0; k <= last; k++) {
        if (!rows[k].kernel) continue;
        assert_ptr_equal(rows[k].kernel, l.p->kernels.at[described]);
        described++;
    }
    assert_int_equal(described, l.p->kernels.count);
    assert_true(j.trial.program->step_count > described);    /* the parts of the product come before their sum */
    assert_true(rows[last].outputs[0] == RT_PLACE(BLOCK_param, 0));
    assert_true(rows[last - 1].kernel->kind == KERNEL_contract);
    bool reads = false;
    for (int k = 0; k < rows[last].kernel->inputs.count; k++)
        reads = reads || rows[last].inputs[k] == rows[last - 1].outputs[0];
    assert_true(reads);
    jit_free(&j);
    arena_free(l.arena);
}

static void line_tables_name_the_model(void **state)
{
    (void)state;
    Lab l = lab_new();
    Source source = {.path = "models/small.ptm", .text = "", .size = 0};
    Origin origin = {.place = {&source, 17, 5, 1}, .path = "h.0"};
    l.g->origin = &origin;
    Node *x = DATA(&l, "x", "B", "T", "D");
    result(&l, "y", un(&l, OP_exp, x));
    char *text = NULL;
    size_t size = 0;
    FILE *llvm = open_memstream(&text, &size);
    Jit j = jit_new_with(&l, 1, (CodeOptions){.debug_lines = true, .llvm = llvm});
    fclose(llvm);
    assert_non_null(strstr(text, "DIFile(filename: \"small.ptm\", directory: \"models\")"));
    assert_non_null(strstr(text, "DILocation(line: 17, column: 5"));
    assert_string_equal(j.trial.program->places[j.trial.program->steps[0].place], "models/small.ptm:17:5 h.0");
    jit_set(&j, "x", tensor_some(l.arena, l.g->inputs.at[0], 0, 8));
    assert_int_equal(jit_run(&j), 0);
    free(text);
    jit_free(&j);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transcendentals_are_inline_and_full_width),
        cmocka_unit_test(plain_maps_are_one_loop),
        cmocka_unit_test(what_does_not_change_stays_outside),
        cmocka_unit_test(equal_kernels_are_one_function),
        cmocka_unit_test(constants_are_part_of_the_code),
        cmocka_unit_test(parts_of_products_are_planned),
        cmocka_unit_test(rows_name_their_kernels),
        cmocka_unit_test(line_tables_name_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
