/* Loops: how their bodies are cut into kernels, where carries and results lie, and that the planned bytes hold what the
 * graph means after any number of iterations. */
#include "interpret.h"
#include "recurrence.h"

static Kernel *first_loop(Lab *l)
{
    for (int k = 0; k < l->p->kernels.count; k++)
        if (kernel_at(l, k)->kind == KERNEL_scan) return kernel_at(l, k);
    fail_msg("there is no loop");
    return NULL;
}

static Lab body_of(const Lab *l, const Kernel *loop) { return (Lab){l->arena, NULL, loop->body}; }

static void finish(Lab *l)
{
    lower(l);
    compare_with_graph(l->arena, l->p, l->g);
    arena_free(l->arena);
}

/* ---- kernels ---- */

static Lab lstm_new(bool saves)
{
    Lab l = lab_new();
    Node *scan = lstm_loop(&l, saves);
    for (int k = 0; k < scan_result_count(scan); k++) {
        Node *pick = make_pick(l.g, scan, k);
        if (k < 2) update(&l, scan_carry(scan, k)->attr.text, pick);
        else result(&l, scan_output(scan, k)->name, pick);
    }
    return l;
}

/* One product, and one kernel that reads it at the four gates' columns; the states go on in their own places. */
static void an_lstm_is_a_product_and_a_map(void **state)
{
    (void)state;
    for (int saves = 0; saves < 2; saves++) {
        Lab l = lstm_new(saves);
        shrink(&l);
        lower(&l);
        assert_kinds(&l, "scan");
        const Kernel *loop = first_loop(&l);
        Lab body = body_of(&l, loop);
        assert_kinds(&body, "contract map");
        for (int k = 0; k < 2; k++) {
            assert_true(kernel_carry_in_place(loop, k));
            const Buffer *home = l.p->buffer_of[kernel_pick(loop, k)->id];
            assert_int_equal(home->block, MEMORY_state);
            assert_ptr_equal(home->takes_over, l.p->buffer_of[loop->inputs.at[k + 1]->id]);
        }
        assert_int_equal(loop->body->block_bytes[MEMORY_work], 3 * 32 * 4);      /* the product, and nothing else */
        compare_with_graph(l.arena, l.p, l.g);
        arena_free(l.arena);
    }
}

/* Backward: the gradients of all gates side by side, and what flows to the old c; then the product. */
static void its_gradient_is_a_map_and_a_product(void **state)
{
    (void)state;
    static const char *const trained[] = {"w"};
    Lab l = lab_new();
    Node *y = make_pick(l.g, lstm_loop(&l, false), 2);
    result(&l, "loss", sum(&l, mul(&l, y, y), 7));
    shrink(&l);
    PassOptions options = {.loss = "loss", .trained = trained, .trained_count = 1};
    Diagnostics *d = diag_new(l.arena);
    l.g = pass_simplify(l.arena, pass_grad(l.arena, l.g, &options, d), &options, d);
    lower(&l);
    compare_with_graph(l.arena, l.p, l.g);
    int loops = 0;
    for (int k = 0; k < l.p->kernels.count; k++) {
        const Kernel *loop = kernel_at(&l, k);
        if (loop->kind != KERNEL_scan) continue;
        Lab body = body_of(&l, loop);
        assert_kinds(&body, loops++ ? "map contract" : "contract map");
        if (loops == 1) continue;
        const Kernel *gates = kernel_at(&body, 0);
        int parts = 0;
        for (int i = 0; i < gates->outputs.count; i++) parts += kernel_parts(gates, gates->outputs.at[i]) == 4;
        assert_int_equal(parts, 1);
    }
    assert_int_equal(loops, 2);
    arena_free(l.arena);
}

/* A value of the body that goes two ways has two nodes; an input that goes out has one of its own. */
static void every_output_of_a_body_has_a_node(void **state)
{
    (void)state;
    Lab l = lab_new(), b = body_new(&l);
    Node *x = EACH(&b, "x", "D"), *h = CARRY(&b, "h", "D"), *k = CARRY(&b, "k", "D"), *w = OUTER(&b, "w", "B", "D");
    Node *next = un(&b, OP_tanh, add(&b, h, x));
    Type flat = lab_type(&b, DT_f32, SHAPE("1", "D"));
    update(&b, "h", next);
    update(&b, "k", h);
    Node *const results[] = {next, next, x, h, k, w, make_reshape(b.g, next, flat), make_reshape(b.g, x, flat)};
    for (int i = 0; i < 8; i++) result(&b, arena_print(b.arena, "%d", i), results[i]);
    Node *loop = LOOP(&l, &b, lab_type(&l, DT_f32, SHAPE("T")).dim[0], DATA(&l, "x", "T", "D"), STATE(&l, "h", "D"),
                      DATA(&l, "k", "D"), DATA(&l, "w", "B", "D"));
    for (int i = 0; i < scan_result_count(loop); i++)
        result(&l, arena_print(l.arena, "%d", i), make_pick(l.g, loop, i));
    shrink(&l);
    lower(&l);
    const Plan *body = first_loop(&l)->body;
    for (int i = 0; i < body->graph->outputs.count; i++) {
        const Node *n = body->graph->outputs.at[i].node;
        assert_true(n->op != OP_input && n->op != OP_reshape && body->buffer_of[n->id]->node == n);
        for (int j = 0; j < i; j++) assert_ptr_not_equal(n, body->graph->outputs.at[j].node);
    }
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* ---- parts ---- */

/* Halves of x, worked on and put side by side again by what `join` says. */
typedef enum Join { JOIN_concat, JOIN_pads } Join;

static void check_parts(Join join, const char *wanted, int parts)
{
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "D"), *w = PARAM(&l, "w", "D", "D"), *half[2], *placed[2];
    Type type = x->type;
    type.dim[1] = dim_int(l.g->dims, 4);
    for (int k = 0; k < 2; k++) {
        const Dim *start[MAX_RANK] = {dim_int(l.g->dims, 0), dim_int(l.g->dims, 4 * k)};
        half[k] = un(&l, k ? OP_tanh : OP_exp, make_slice(l.g, x, start, (const int64_t[MAX_RANK]){1, 1}, type));
        placed[k] = make_pad(l.g, half[k], start, lab_type(&l, DT_f32, SHAPE("B", "D")));
    }
    shrink(&l);
    Node *joined = join == JOIN_concat ? make_concat(l.g, half, 2, 1) : add(&l, placed[1], placed[0]);
    result(&l, "y", make_einsum(l.g, "bd,de->be", make_reshape(l.g, joined, x->type), w));
    lower(&l);
    assert_kinds(&l, wanted);
    const Kernel *first = kernel_at(&l, 0);
    assert_int_equal(kernel_parts(first, first->outputs.at[first->outputs.count - 1]), parts);
    assert_int_equal(kernel_extent(first, 0, first->a_rank), 3 * 8 / parts);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

static void what_is_put_together_is_written_in_parts(void **state)
{
    (void)state;
    check_parts(JOIN_concat, "map contract", 2);
    check_parts(JOIN_pads, "map contract", 2);
}

/* Put together twice is put together once: three parts of one size. */
static void nested_concats_are_one(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "D");
    Node *two[] = {un(&l, OP_tanh, x), un(&l, OP_exp, x)};
    Node *three[] = {make_concat(l.g, two, 2, 1), x};
    result(&l, "y", make_concat(l.g, three, 2, 1));
    shrink(&l);
    lower(&l);
    assert_kinds(&l, "map");
    const Kernel *first = kernel_at(&l, 0);
    assert_int_equal(first->outputs.count, 1);
    assert_int_equal(kernel_parts(first, first->outputs.at[0]), 3);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* Parts of several sizes are made first, so that the dear ones are not computed for every element of the whole. */
static void parts_of_several_sizes_are_made_first(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "D"), *y = DATA(&l, "y", "B", "F");
    Node *both[] = {un(&l, OP_tanh, x), un(&l, OP_tanh, y)};
    result(&l, "z", make_concat(l.g, both, 2, 1));
    shrink(&l);
    lower(&l);
    assert_kinds(&l, "map map");
    assert_int_equal(kernel_extent(kernel_at(&l, 0), 0, 2), 3 * 8);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* ---- carries ---- */

/* A row of the carry is written in each iteration: nothing else moves. */
static void a_scatter_into_a_carry_is_in_place(void **state)
{
    (void)state;
    Lab l = lab_new(), b = body_new(&l);
    Node *x = EACH(&b, "x", "D"), *t = INDEX(&b), *buffer = CARRY(&b, "buffer", "T", "D");
    Type row = x->type, place = {.dtype = DT_i64, .rank = 1, .dim = {dim_int(l.g->dims, 1)}};
    row.rank = 2, row.dim[0] = place.dim[0], row.dim[1] = x->type.dim[0];
    Node *at = make_reshape(b.g, t, place);
    update(&b, "buffer", make_scatter(b.g, buffer, make_reshape(b.g, un(&b, OP_exp, x), row), &at, 1, 0, false));
    Node *loop = LOOP(&l, &b, lab_type(&l, DT_f32, SHAPE("T")).dim[0], DATA(&l, "x", "T", "D"),
                      STATE(&l, "buffer", "T", "D"));
    update(&l, "buffer", make_pick(l.g, loop, 0));
    shrink(&l);
    lower(&l);
    Lab body = body_of(&l, first_loop(&l));
    assert_kinds(&body, "scatter");
    assert_true(kernel_carry_in_place(first_loop(&l), 0));
    assert_int_equal(l.p->buffer_of[kernel_pick(first_loop(&l), 0)->id]->block, MEMORY_state);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* Two rows change places, and a loop inside goes on from there: the table is never copied, though
 * rows of the old one and of a later one are asked for, too. */
static void tables_that_go_on_from_each_other_are_one(void **state)
{
    (void)state;
    Lab l = lab_new(), b = body_new(&l), c = body_new(&l);
    Node *a = body_input(&b, STORE_each, "a", lab_type(&l, DT_i32, SHAPE("1")));
    Node *d = body_input(&b, STORE_each, "b", a->type), *o = body_input(&b, STORE_each, "c", a->type);
    Node *table = CARRY(&b, "table", "V", "D");
    Node *x = make_gather(b.g, table, &a, 1, 0), *y = make_gather(b.g, table, &d, 1, 0);
    Node *once = make_scatter(b.g, table, y, &a, 1, 0, false);
    Node *twice = make_scatter(b.g, once, un(&b, OP_exp, x), &d, 1, 0, true);
    Node *e = body_input(&c, STORE_each, "e", a->type), *inner = CARRY(&c, "inner", "V", "D");
    update(&c, "inner", make_scatter(c.g, inner, num(&c, x, 2), &e, 1, 0, true));
    Node *ids = body_input(&b, STORE_outer, "ids", lab_type(&l, DT_i32, SHAPE("K", "1")));
    update(&b, "table", make_pick(b.g, LOOP(&b, &c, ids->type.dim[0], ids, twice), 0));
    Node *other = make_gather(b.g, table, &o, 1, 0);
    result(&b, "0", add(&b, other, make_gather(b.g, once, &d, 1, 0)));
    Node *as = IDS(&l, "as", "T", "1"), *ds = IDS(&l, "ds", "T", "1"), *os = IDS(&l, "os", "T", "1");
    Node *loop = LOOP(&l, &b, as->type.dim[0], as, ds, os, STATE(&l, "table", "V", "D"), IDS(&l, "ids", "K", "1"));
    update(&l, "table", make_pick(l.g, loop, 0));
    result(&l, "y", make_pick(l.g, loop, 1));
    shrink(&l);
    lower(&l);
    assert_true(kernel_carry_in_place(first_loop(&l), 0));
    assert_int_equal(l.p->buffer_of[kernel_pick(first_loop(&l), 0)->id]->block, MEMORY_state);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* Carries that are read at other elements than they are written at: two places take turns. Picked or not; of `count`
 * iterations. */
static void check_turns(int64_t count, bool picks, bool backwards)
{
    Lab l = lab_new(), b = body_new(&l);
    Type square = lab_type(&l, DT_f32, SHAPE("D", "D"));
    static const int8_t turn[] = {1, 0};
    Node *m = body_input(&b, STORE_carry, "m", square), *sum_so_far = CARRY(&b, "s", "D");
    Node *next = make_permute(b.g, mul(&b, m, num(&b, m, 0.5)), turn);
    update(&b, "m", next);
    update(&b, "s", add(&b, sum_so_far, sum(&b, m, 1)));
    result(&b, "0", sum_so_far);
    Node *args[] = {make_input(l.g, STORE_data, "m", square), DATA(&l, "s", "D")};
    Node *loop = loop_over(&l, &b, dim_int(l.g->dims, count), backwards, args, 2);
    for (int k = picks ? 0 : 1; k < 2 + (count > 0); k++)
        result(&l, arena_print(l.arena, "%d", k), make_pick(l.g, loop, k));
    shrink(&l);
    lower(&l);
    const Kernel *kernel = first_loop(&l);
    assert_false(kernel_carry_in_place(kernel, 0));
    assert_true(kernel_carry_in_place(kernel, 1));
    assert_true(kernel->spare[0] >= 0 && kernel->spare[1] == -1 && kernel->spare[2] == -1);
    assert_true((kernel->home[0] >= 0) == !picks && kernel->home[1] == -1 && (kernel->home[2] >= 0) == (count == 0));
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

static void a_carry_read_astray_takes_turns(void **state)
{
    (void)state;
    for (int64_t count = 0; count < 5; count++)
        for (int how = 0; how < 4; how++) check_turns(count, how & 1, how >> 1);
}

/* The loop ends when the carry says so; what was not emitted is zero. The other carry takes turns, but is found at
 * home. */
static void until_ends_a_loop(void **state)
{
    (void)state;
    for (int64_t most = 0; most < 6; most++) {
        Lab l = lab_new(), b = body_new(&l);
        Type square = lab_type(&l, DT_f32, SHAPE("D", "D"));
        static const int8_t turn[] = {1, 0};
        Node *m = body_input(&b, STORE_carry, "m", square), *t = INDEX(&b);
        body_input(&b, STORE_carry, "done", type_scalar(DT_bool));
        update(&b, "m", make_permute(b.g, add(&b, m, num(&b, m, 0.125)), turn));
        update(&b, "done", make_binary(b.g, OP_lt, make_whole(b.g, DT_i64, most - 2), t));
        result(&b, "0", sum(&b, m, 3));
        Node *args[] = {make_input(l.g, STORE_state, "m", square), make_whole(l.g, DT_bool, most == 0)};
        Attr attr = {.count = dim_int(l.g->dims, 4), .axis = 2};
        Node *loop = make_scan(l.g, args, 2, &attr, b.g);
        update(&l, "m", make_pick(l.g, loop, 0));
        result(&l, "0", make_pick(l.g, loop, 2));
        shrink(&l);
        finish(&l);
    }
}

/* A loop in a loop: what the inner one carries on is the outer one's carry, in one place throughout. */
static void loops_stand_in_loops(void **state)
{
    (void)state;
    Lab l = lab_new(), outer = body_new(&l), inner = body_new(&l);
    Node *x = EACH(&inner, "x", "D"), *a = CARRY(&inner, "a", "D");
    update(&inner, "a", add(&inner, mul(&inner, a, num(&inner, a, 0.5)), x));
    result(&inner, "0", un(&inner, OP_tanh, a));
    Node *rows = EACH(&outer, "rows", "T", "D"), *h = CARRY(&outer, "h", "D");
    Node *loop = LOOP(&outer, &inner, rows->type.dim[0], rows, h);
    update(&outer, "h", make_pick(outer.g, loop, 0));
    result(&outer, "0", make_pick(outer.g, loop, 1));
    Node *all = LOOP_BACK(&l, &outer, lab_type(&l, DT_f32, SHAPE("B")).dim[0], DATA(&l, "x", "B", "T", "D"),
                          STATE(&l, "h", "D"));
    update(&l, "h", make_pick(l.g, all, 0));
    result(&l, "y", make_pick(l.g, all, 1));
    shrink(&l);
    lower(&l);
    const Kernel *around = first_loop(&l);
    Lab body = body_of(&l, around);
    assert_kinds(&body, "scan");
    assert_true(kernel_carry_in_place(around, 0) && kernel_carry_in_place(first_loop(&body), 0));
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* What a loop reads is in memory: constants and moved values too. */
static void arguments_of_loops_are_stored(void **state)
{
    (void)state;
    Lab l = lab_new(), b = body_new(&l);
    Node *x = EACH(&b, "x", "D"), *h = CARRY(&b, "h", "D"), *w = OUTER(&b, "w", "D");
    update(&b, "h", add(&b, mul(&b, h, w), x));
    static const int8_t turn[] = {1, 0};
    Node *moved = make_permute(l.g, DATA(&l, "x", "D", "T"), turn), *zero = num(&l, h, 0);
    Node *loop = LOOP(&l, &b, moved->type.dim[0], moved, zero, un(&l, OP_exp, DATA(&l, "w", "D")));
    result(&l, "h", make_pick(l.g, loop, 0));
    shrink(&l);
    lower(&l);
    const Kernel *kernel = first_loop(&l);
    assert_int_equal(kernel->inputs.count, 3);
    for (int k = 0; k < 3; k++) assert_non_null(l.p->buffer_of[kernel->inputs.at[k]->id]);
    assert_ptr_equal(l.p->buffer_of[kernel_pick(kernel, 0)->id]->takes_over, l.p->buffer_of[zero->id]);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* ---- tampering ---- */

typedef void Tamper(Kernel *loop, Plan *around);

static Buffer *body_buffer(Kernel *loop, const Node *n) { return loop->body->buffer_of[n->id]; }
static const Node *scan_of(const Kernel *loop) { return loop->outputs.at[loop->outputs.count - 1]; }

static void shrink_memory(Kernel *loop, Plan *around) { around->buffer_of[scan_of(loop)->id]->bytes -= 64; }
static void overlap_places(Kernel *loop, Plan *around) { (void)around, loop->spare[0] = loop->home[0]; }
static void overlap_work(Kernel *loop, Plan *around) { (void)around, loop->home[0] -= 64; }
static void room_for_a_pick(Kernel *loop, Plan *around) { (void)around, loop->home[1] = 1024; }
static void place_an_output(Kernel *loop, Plan *around)
{
    (void)around;
    body_buffer(loop, scan_output(scan_of(loop), 1)->node)->block = MEMORY_work;
}
static void lose_the_body(Kernel *loop, Plan *around) { (void)around, loop->body = NULL; }
static void forget_a_kernel(Kernel *loop, Plan *around) { (void)around, loop->body->kernels.count--; }
static void take_another_place(Kernel *loop, Plan *around)
{
    (void)around;
    const Node *scan = scan_of(loop);
    body_buffer(loop, scan_output(scan, 2)->node)->takes_over = body_buffer(loop, scan_carry(scan, 1));
}
static void drop_the_scan(Kernel *loop, Plan *around) { (void)around, loop->outputs.count--; }

static Output *body_outputs(Kernel *loop) { return ((Graph *)loop->body->graph)->outputs.at; }
static void copy_in_a_body(Kernel *loop, Plan *around) { (void)around, loop->body->kernels.at[0]->kind = KERNEL_copy; }
static void compute_an_input(Kernel *loop, Plan *around) { vec_push(around->arena, &loop->nodes, loop->inputs.at[0]); }
static void give_an_input(Kernel *loop, Plan *around)
{
    (void)around;
    body_outputs(loop)[2].node = (Node *)scan_carry(scan_of(loop), 1);
}
static void give_a_value_twice(Kernel *loop, Plan *around)
{
    (void)around;
    body_outputs(loop)[2].node = body_outputs(loop)[1].node;
}
static void end_an_output(Kernel *loop, Plan *around)
{
    (void)around;
    body_buffer(loop, scan_output(scan_of(loop), 2)->node)->last = 0;
}
static void move_an_output(Kernel *loop, Plan *around)
{
    (void)around;
    body_buffer(loop, scan_output(scan_of(loop), 2)->node)->offset = 64;
}

static void tampered_loops_do_not_verify(void **state)
{
    (void)state;
    static const struct { Tamper *tamper; const char *reason; } cases[] = {
        {shrink_memory, "less memory"},
        {overlap_places, "overlap in its memory"},
        {overlap_work, "overlap in its memory"},
        {room_for_a_pick, "needs none"},
        {place_an_output, "where a loop would place it"},
        {lose_the_body, "no plan of its body"},
        {forget_a_kernel, "in the body of kernel"},
        {take_another_place, "takes another value's place"},
        {drop_the_scan, "no scan"},
        {copy_in_a_body, "the body of a scan has no copies"},
        {compute_an_input, "is no part of the loop"},
        {give_an_input, "an output of a body shares its place"},
        {give_a_value_twice, "an output of a body shares its place"},
        {end_an_output, "an output does not live to the end"},
        {move_an_output, "does not begin where the loop says"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Lab l = lab_new(), b = body_new(&l);
        Type square = lab_type(&l, DT_f32, SHAPE("D", "D"));
        static const int8_t turn[] = {1, 0};
        Node *m = body_input(&b, STORE_carry, "m", square), *s = CARRY(&b, "s", "D");
        Node *w = body_input(&b, STORE_outer, "w", square);
        update(&b, "m", make_permute(b.g, make_einsum(b.g, "de,ef->df", m, w), turn));
        update(&b, "s", add(&b, s, sum(&b, m, 1)));
        result(&b, "0", un(&b, OP_exp, s));
        Node *loop = LOOP(&l, &b, dim_int(l.g->dims, 3), make_input(l.g, STORE_data, "m", square), DATA(&l, "s", "D"),
                          make_input(l.g, STORE_data, "w", square));
        for (int i = 1; i < 3; i++) result(&l, arena_print(l.arena, "%d", i), make_pick(l.g, loop, i));
        lower(&l);
        cases[k].tamper(first_loop(&l), l.p);
        const char *wrong = plan_verify(l.p, l.arena);
        if (!wrong) fail_msg("%s: the plan still verifies", cases[k].reason);
        if (!strstr(wrong, cases[k].reason)) fail_msg("%s: %s", cases[k].reason, wrong);
        arena_free(l.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_lstm_is_a_product_and_a_map),
        cmocka_unit_test(its_gradient_is_a_map_and_a_product),
        cmocka_unit_test(every_output_of_a_body_has_a_node),
        cmocka_unit_test(what_is_put_together_is_written_in_parts),
        cmocka_unit_test(nested_concats_are_one),
        cmocka_unit_test(parts_of_several_sizes_are_made_first),
        cmocka_unit_test(a_scatter_into_a_carry_is_in_place),
        cmocka_unit_test(tables_that_go_on_from_each_other_are_one),
        cmocka_unit_test(a_carry_read_astray_takes_turns),
        cmocka_unit_test(until_ends_a_loop),
        cmocka_unit_test(loops_stand_in_loops),
        cmocka_unit_test(arguments_of_loops_are_stored),
        cmocka_unit_test(tampered_loops_do_not_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
