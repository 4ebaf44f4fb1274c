/* Whole plans: run kernel by kernel over the planned bytes they compute what the graph means; and a plan that was
 * tampered with does not verify. */
#include "gpt.h"
#include "interpret.h"

static void run_gpt(int layers, double clip)
{
    Gpt m = gpt_new(layers);
    shrink(&m.lab);
    PassOptions options = gpt_options(&m, clip);
    options.verify = true;
    Diagnostics *d = diag_new(m.lab.arena);
    Graph *g = pass_simplify(
        m.lab.arena, pass_update(m.lab.arena, pass_grad(m.lab.arena, m.lab.g, &options, d), &options, d), &options, d);
    m.lab.p = pass_fuse(m.lab.arena, g, &options, d);
    check_plan(&m.lab, "fuse");
    m.lab.p = pass_schedule(m.lab.arena, m.lab.p, &options, d);
    check_plan(&m.lab, "schedule");
    m.lab.p = pass_plan(m.lab.arena, m.lab.p, &options, d);
    check_plan(&m.lab, "plan");
    compare_with_graph(m.lab.arena, m.lab.p, g);
    assert_true(m.lab.p->block_bytes[MEMORY_work] < 1.2 * (double)m.lab.p->lower_bound);
    arena_free(m.lab.arena);
}

static void a_training_step_computes_what_its_graph_means(void **state)
{
    (void)state;
    run_gpt(2, 0);
    run_gpt(1, 1.0);
}

/* Operators that the rewriting takes apart. */
static void rewritten_operators_keep_their_meaning(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D"), *y = DATA(&l, "y", "D", "B", "V"), *ids = IDS(&l, "ids", "B", "T");
    result(&l, "mixed", make_einsum(l.g, "btd,dbv->tbv", x, y));         /* ends with a letter of one, batch inside */
    result(&l, "batch last", make_einsum(l.g, "btd,dbv->tvb", x, y));
    result(&l, "lone", make_einsum(l.g, "btd,dbv->v", x, y));
    result(&l, "outer", make_einsum(l.g, "btd,ebv->btdev", x, y));
    result(&l, "dots", make_einsum(l.g, "btd,btd->bt", x, x));
    result(&l, "whole", make_einsum(l.g, "bt,bt->b", ids, ids));
    result(&l, "distant", sum(&l, x, 5));
    Attr along = {.axis = 1};
    const char *why = NULL;
    result(&l, "running", graph_node(l.g, OP_cumsum, &x, 1, &along, NULL, &why));
    Node *index[3] = {make_iota(l.g, ids->type, 0), make_iota(l.g, ids->type, 1), ids};
    Node *seen = sum(&l, x, 4);
    result(&l, "places", make_scatter(l.g, num(&l, x, 0), seen, index, 3, 0, true));
    Node *rows = make_scatter(l.g, make_full(l.g, lab_type(&l, DT_f32, SHAPE("V", "D")), 0), x, &ids, 1, 0, true);
    result(&l, "rows", add(&l, make_einsum(l.g, "btd,dbv->vd", x, y), rows));
    shrink(&l);
    const Graph *g = l.g;
    lower(&l);
    compare_with_graph(l.arena, l.p, g);
    arena_free(l.arena);
}

/* ---- updates ---- */

/* Two states change places: neither may be written before the other is read. */
static void states_can_change_places(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *a = STATE(&l, "a", "B", "D"), *b = STATE(&l, "b", "B", "D");
    update(&l, "a", b);
    update(&l, "b", a);
    result(&l, "old a", a);
    lower(&l);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* A value that reads its old self at other elements is written beside it and copied. */
static void a_turned_state_is_copied(void **state)
{
    (void)state;
    Lab l = lab_new();
    Type square = lab_type(&l, DT_f32, SHAPE("D", "D"));
    Node *a = make_input(l.g, STORE_state, "a", square);
    static const int8_t turn[] = {1, 0};
    update(&l, "a", make_permute(l.g, a, turn));
    lower(&l);
    assert_kinds(&l, "map copy");
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* The old value has a reader that needs the new one: no order serves both in place. */
static void a_reader_after_the_writer_forces_a_copy(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *w = PARAM(&l, "w", "D", "D"), *x = DATA(&l, "x", "B", "D");
    Node *next = mul(&l, w, num(&l, w, 0.5));
    Node *y = make_einsum(l.g, "bd,de->be", x, next);
    result(&l, "z", make_einsum(l.g, "be,ef->bf", y, w));
    update(&l, "w", next);
    lower(&l);
    assert_kinds(&l, "map contract contract copy");
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* The bytes of a batch are free after its last use; the seed stays for the next run. */
static void data_dies_after_its_last_use(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "T", "D"), *w = PARAM(&l, "w", "D", "D");
    Node *step = make_input(l.g, STORE_ambient, "step", type_scalar(DT_i64));
    Node *rate = make_cast(l.g, step, DT_f32), *h = mul(&l, make_einsum(l.g, "td,de->te", x, w),
                                                        make_broadcast(l.g, rate, x->type));
    for (int k = 0; k < 3; k++) h = make_einsum(l.g, "td,de->te", h, w);
    result(&l, "h", h);
    lower(&l);
    assert_true(l.p->block_bytes[MEMORY_work] <= 2 * type_value_bytes(&x->type) + 64);
    assert_int_equal(l.p->buffer_of[graph_find_input(l.p->graph, "step")->id]->last, l.p->kernels.count);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* What makes little of a whole product stands right behind it, wherever it was written. */
static void squares_follow_their_product(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "T", "D"), *w = PARAM(&l, "w", "D", "V"), *h = make_einsum(l.g, "td,dv->tv", x, w);
    result(&l, "h", h);
    result(&l, "back", make_einsum(l.g, "tv,dv->td", h, w));
    result(&l, "squares", sum(&l, mul(&l, h, h), 2));
    lower(&l);
    const Kernel *product = l.p->kernels.at[0], *then = l.p->kernels.at[1];
    assert_int_equal(product->kind, KERNEL_contract);
    assert_int_equal(then->kind, KERNEL_loop);
    assert_ptr_equal(then->inputs.at[0], product->outputs.at[0]);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* What the parts of a product need lives in its kernel only, where something else lay before. */
static void parts_of_products_share_memory(void **state)
{
    (void)state;
    Lab l = lab_new();
    Type wide = type_of(DT_f32, 2, (const Dim *[]){dim_int(l.g->dims, 8192), dim_int(l.g->dims, 16)});
    Node *x = make_input(l.g, STORE_data, "x", wide), *y = mul(&l, x, x);
    Node *small = make_einsum(l.g, "ki,kj->ij", un(&l, OP_exp, y), x);
    result(&l, "first", small);
    result(&l, "then", make_einsum(l.g, "ki,ij->kj", make_einsum(l.g, "ki,ij->kj", un(&l, OP_tanh, x), small), small));
    lower(&l);
    int parts = 0;
    for (int k = 0; k < l.p->kernels.count; k++) {
        const Kernel *kernel = l.p->kernels.at[k];
        if (kernel->parts < 0) continue;
        const Buffer *b = l.p->buffers.at[kernel->parts];
        assert_true(b->first == k && b->last == k && b->block == MEMORY_work && b->bytes % (16 * 16 * 4) == 0);
        parts++;
    }
    assert_int_equal(parts, 1);
    assert_int_equal(l.p->block_bytes[MEMORY_work], l.p->lower_bound);
    compare_with_graph(l.arena, l.p, l.g);
    arena_free(l.arena);
}

/* ---- tampering ---- */

typedef void Tamper(Lab *l);

static void expect_refusal(Lab *l, const char *name, Tamper *tamper, const char *reason)
{
    lower(l);
    tamper(l);
    const char *wrong = plan_verify(l->p, l->arena);
    if (!wrong) fail_msg("%s: the plan still verifies", name);
    if (!strstr(wrong, reason)) fail_msg("%s: %s", name, wrong);
    arena_free(l->arena);
}

static Buffer *work_buffer(Lab *l, int skip)
{
    for (int k = 0; k < l->p->buffers.count; k++) {
        Buffer *b = l->p->buffers.at[k];
        if (b->block == MEMORY_work && b->node->op != OP_input && b->bytes > 64 && !b->takes_over && skip-- == 0)
            return b;
    }
    fail();
    return NULL;
}

static void overlap(Lab *l) { work_buffer(l, 0)->offset = work_buffer(l, 1)->offset; }
static void misalign(Lab *l) { work_buffer(l, 0)->offset += 4; }
static void outgrow(Lab *l) { l->p->block_bytes[MEMORY_work] -= 64; }
static void die_early(Lab *l) { work_buffer(l, 0)->last = work_buffer(l, 0)->first; }
static void forget_kernel(Lab *l) { l->p->kernels.count--; }
static void swap_kernels(Lab *l)
{
    Kernel *first = l->p->kernels.at[0];
    l->p->kernels.at[0] = l->p->kernels.at[1];
    l->p->kernels.at[1] = first;
}
static void forget_seed(Lab *l) { l->p->buffer_of[graph_find_input(l->p->graph, "seed")->id]->last = 0; }
static void round_what_is_stored(Lab *l)
{
    for (int k = 0; k < l->p->graph->nodes.count; k++) l->p->contracted[k] = l->p->buffer_of[k] != NULL;
}
static void forget_input(Lab *l) { l->p->kernels.at[1]->inputs.count--; }
static void write_twice(Lab *l) { vec_push(l->arena, &l->p->kernels, l->p->kernels.at[0]); }

/* The first value dies in the kernel that makes the second, but is read there at other elements. */
static void take_over_what_is_read_astray(Lab *l)
{
    for (int k = 0; k < l->p->kernels.count; k++) {
        Kernel *kernel = l->p->kernels.at[k];
        if (kernel->kind != KERNEL_loop || kernel->aligned.count == 0) continue;
        kernel->aligned.count = 0;
    }
}

static void take_over_what_is_read_later(Lab *l)
{
    Buffer *b = work_buffer(l, 1);
    b->takes_over = work_buffer(l, 0);
    b->offset = b->takes_over->offset;
}

static Kernel *split_product(Lab *l)
{
    for (int k = 0; k < l->p->kernels.count; k++)
        if (l->p->kernels.at[k]->parts >= 0) return l->p->kernels.at[k];
    fail();
    return NULL;
}

static void forget_parts(Lab *l) { split_product(l)->parts = -1; }
static void shrink_parts(Lab *l) { l->p->buffers.at[split_product(l)->parts]->bytes -= 64; }
static void call_an_operand_parts(Lab *l)
{
    Kernel *k = split_product(l);
    k->parts = l->p->buffer_of[k->inputs.at[0]->id]->id;
}
static void put_parts_on_an_operand(Lab *l)
{
    const Kernel *k = split_product(l);
    l->p->buffers.at[k->parts]->offset = l->p->buffer_of[k->inputs.at[0]->id]->offset;
}

static Buffer *home_of(Lab *l, const char *name) { return l->p->buffer_of[graph_find_input(l->p->graph, name)->id]; }
static Kernel *kernel_of(Lab *l, KernelKind kind)
{
    for (int k = 0; k < l->p->kernels.count; k++)
        if (l->p->kernels.at[k]->kind == kind) return l->p->kernels.at[k];
    fail();
    return NULL;
}
static Output *output_of(Lab *l, OutputKind kind)
{
    Graph *g = (Graph *)l->p->graph;
    for (int k = 0; k < g->outputs.count; k++)
        if (g->outputs.at[k].kind == kind) return &g->outputs.at[k];
    fail();
    return NULL;
}
static Buffer *result_of(Lab *l) { return l->p->buffer_of[output_of(l, OUTPUT_result)->node->id]; }

static void number_astray(Lab *l) { l->p->buffers.at[0]->id = 1; }
static void read_what_is_not_stored(Lab *l) { l->p->buffer_of[l->p->kernels.at[0]->inputs.at[0]->id] = NULL; }
static void compute_less(Lab *l) { l->p->kernels.at[0]->nodes.count--; }
static void write_over_an_input(Lab *l)
{
    Kernel *k = l->p->kernels.at[0];
    l->p->buffer_of[k->outputs.at[0]->id] = l->p->buffer_of[k->inputs.at[0]->id];
}
static void write_nothing(Lab *l) { l->p->kernels.at[0]->outputs.count = 0; }
static void shorten_a_map(Lab *l) { kernel_of(l, KERNEL_loop)->space[0] = dim_int(l->g->dims, 7); }
static void call_it_a_product(Lab *l) { kernel_of(l, KERNEL_loop)->kind = KERNEL_contract; }
static void copy_nothing(Lab *l) { kernel_of(l, KERNEL_copy)->inputs.count = 0; }
static void copy_to_itself(Lab *l)
{
    Kernel *copy = kernel_of(l, KERNEL_copy);
    copy->outputs.at[0] = copy->inputs.at[0];
}
static void copy_something_else(Lab *l)
{
    kernel_of(l, KERNEL_copy)->inputs.at[0] = graph_find_input(l->p->graph, "x");
}
static void copy_twice(Lab *l) { vec_push(l->arena, &l->p->kernels, kernel_of(l, KERNEL_copy)); }
static void copy_too_early(Lab *l)
{
    Kernel *reader = kernel_of(l, KERNEL_contract);
    int at = 0;
    while (l->p->kernels.at[at] != reader) at++;
    for (; at < l->p->kernels.count - 1; at++) l->p->kernels.at[at] = l->p->kernels.at[at + 1];
    l->p->kernels.at[at] = reader;
}
static void update_nothing(Lab *l) { output_of(l, OUTPUT_update)->name = "nothing"; }
static void give_what_is_copied_over(Lab *l)
{
    output_of(l, OUTPUT_result)->node = graph_find_input(l->p->graph, "a");
}
static void end_a_result(Lab *l) { result_of(l)->last = 0; }
static void take_over_unwritten(Lab *l) { home_of(l, "x")->takes_over = home_of(l, "a"); }
static void take_over_what_is_copied_to(Lab *l)
{
    l->p->buffer_of[kernel_of(l, KERNEL_copy)->inputs.at[0]->id]->takes_over = home_of(l, "a");
}
static void shrink_a_value(Lab *l) { result_of(l)->bytes -= 64; }
static void take_one_place_twice(Lab *l)
{
    Buffer *first = NULL;
    for (int k = 0; k < l->p->buffers.count; k++) {
        Buffer *b = l->p->buffers.at[k];
        if (first) b->takes_over = first->takes_over;
        else if (b->takes_over) first = b;
    }
    assert_non_null(first);
}

/* A state whose new value is copied, one in place, and a product. */
static void tampered_copies_do_not_verify(void **state)
{
    (void)state;
    static const struct { const char *name; Tamper *tamper; const char *reason; } cases[] = {
        {"number", number_astray, "not numbered in order"},
        {"not stored", read_what_is_not_stored, "is read but not stored"},
        {"compute less", compute_less, "is written but not computed"},
        {"over an input", write_over_an_input, "without a buffer of its own"},
        {"nothing", write_nothing, "writes nothing"},
        {"shorter", shorten_a_map, "another number of elements than its kernel"},
        {"no product", call_it_a_product, "is no product of what its kernel reads"},
        {"copy nothing", copy_nothing, "a copy has one input, one output and no nodes"},
        {"copy to itself", copy_to_itself, "is copied to but is no input"},
        {"copy other", copy_something_else, "gets a copy of another size"},
        {"copy twice", copy_twice, "is copied to twice"},
        {"copy early", copy_too_early, "is read after it was copied over"},
        {"forget copy", forget_kernel, "the new value never reaches its place"},
        {"update nothing", update_nothing, "there is no such input"},
        {"copied over", give_what_is_copied_over, "a result is copied over"},
        {"end early", end_a_result, "a result does not live to the end"},
        {"unwritten", take_over_unwritten, "takes over but is not written"},
        {"copied to", take_over_what_is_copied_to, "takes over a value that is"},
        {"shrink", shrink_a_value, "has not the size of its value"},
        {"one place", take_one_place_twice, "takes a place that another one took"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Lab l = lab_new();
        Node *a = make_input(l.g, STORE_state, "a", lab_type(&l, DT_f32, SHAPE("D", "D")));
        Node *b = STATE(&l, "b", "D"), *x = DATA(&l, "x", "B", "D");
        static const int8_t turn[] = {1, 0};
        update(&l, "b", mul(&l, b, num(&l, b, 0.5)));
        update(&l, "a", make_permute(l.g, a, turn));
        result(&l, "z", make_einsum(l.g, "bd,de->be", x, a));
        expect_refusal(&l, cases[k].name, cases[k].tamper, cases[k].reason);
    }
}

static void tampered_plans_do_not_verify(void **state)
{
    (void)state;
    static const struct { const char *name; Tamper *tamper; const char *reason; } cases[] = {
        {"overlap", overlap, "overlap"},
        {"misalign", misalign, "aligned"},
        {"outgrow", outgrow, "past its block"},
        {"die early", die_early, "outside of its lifetime"},
        {"forget kernel", forget_kernel, "not computed"},
        {"swap kernels", swap_kernels, "before it is written"},
        {"forget input", forget_input, "neither read nor computed"},
        {"contracted", round_what_is_stored, "has a value of its own"},
        {"forget seed", forget_seed, "does not live to the end"},
        {"write twice", write_twice, "is written twice"},
        {"astray", take_over_what_is_read_astray, "at other elements"},
        {"later", take_over_what_is_read_later, "takes over"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Lab l = lab_new();
        Node *x = DATA(&l, "x", "B", "T", "D"), *w = PARAM(&l, "w", "D", "D");
        Node *h = make_einsum(l.g, "btd,de->bte", x, w);
        Node *r = add(&l, h, softmax(&l, h));
        make_input(l.g, STORE_ambient, "seed", type_scalar(DT_i64));
        result(&l, "z", add(&l, h, make_einsum(l.g, "btd,de->bte", r, w)));
        expect_refusal(&l, cases[k].name, cases[k].tamper, cases[k].reason);
    }
}

static void tampered_parts_do_not_verify(void **state)
{
    (void)state;
    static const struct { const char *name; Tamper *tamper; const char *reason; } cases[] = {
        {"forget", forget_parts, "no room for its parts"},
        {"shrink", shrink_parts, "room for other parts"},
        {"operand", call_an_operand_parts, "has its parts where another value lies"},
        {"astray", put_parts_on_an_operand, "overlap"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Lab l = lab_new();
        Type wide = type_of(DT_f32, 2, (const Dim *[]){dim_int(l.g->dims, 8192), dim_int(l.g->dims, 16)});
        Node *x = make_input(l.g, STORE_data, "x", wide);
        result(&l, "z", make_einsum(l.g, "ki,kj->ij", x, x));
        expect_refusal(&l, cases[k].name, cases[k].tamper, cases[k].reason);
    }
}

/* ---- the certificate ---- */

static int64_t bytes_in(const Plan *p, const char *category)
{
    int64_t n = 0;
    for (int k = 0; k < p->buffers.count; k++)
        if (!strcmp(p->buffers.at[k]->category, category)) n += p->buffers.at[k]->bytes;
    return n;
}

static void values_have_categories(void **state)
{
    (void)state;
    Gpt m = gpt_new(1);
    PassOptions options = gpt_options(&m, 1.0);
    options.verify = true;
    Plan *p = passes_run(m.lab.arena, m.lab.g, &options, diag_new(m.lab.arena));
    int64_t parameters = 0;
    for (int k = 0; k < p->graph->inputs.count; k++)
        if (p->graph->inputs.at[k]->attr.storage == STORE_param)
            parameters += type_value_bytes(&p->graph->inputs.at[k]->type);
    assert_int_equal(bytes_in(p, "gradients"), parameters);
    assert_int_equal(bytes_in(p, "parameters"),
                     2 * parameters); /* each once more under its new name, in the same place */
    assert_int_equal(bytes_in(p, "optimizer state"), 4 * parameters);
    assert_true(bytes_in(p, "saved activations") > 0);
    assert_true(p->block_bytes[MEMORY_work] >= p->lower_bound);
    arena_free(m.lab.arena);
}

/* Softmax is saved once: neither the scores nor their exponentials live on to the backward pass. */
static void attention_saves_one_matrix(void **state)
{
    (void)state;
    Gpt m = gpt_new(1);
    PassOptions options = gpt_options(&m, 0);
    options.verify = true;
    Plan *p = passes_run(m.lab.arena, m.lab.g, &options, diag_new(m.lab.arena));
    int saved = 0;
    for (int k = 0; k < p->buffers.count; k++) {
        const Buffer *b = p->buffers.at[k];
        saved += b->bytes == 12 * 4 * 64 * 64 * 4 && !strcmp(b->category, "saved activations");
    }
    assert_int_equal(saved, 1);
    arena_free(m.lab.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_training_step_computes_what_its_graph_means),
        cmocka_unit_test(rewritten_operators_keep_their_meaning),
        cmocka_unit_test(states_can_change_places),
        cmocka_unit_test(a_turned_state_is_copied),
        cmocka_unit_test(a_reader_after_the_writer_forces_a_copy),
        cmocka_unit_test(data_dies_after_its_last_use),
        cmocka_unit_test(squares_follow_their_product),
        cmocka_unit_test(parts_of_products_share_memory),
        cmocka_unit_test(tampered_plans_do_not_verify),
        cmocka_unit_test(tampered_parts_do_not_verify),
        cmocka_unit_test(tampered_copies_do_not_verify),
        cmocka_unit_test(values_have_categories),
        cmocka_unit_test(attention_saves_one_matrix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
