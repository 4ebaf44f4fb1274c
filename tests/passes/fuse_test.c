/* Which kernels small graphs are cut into. */
#include "lower.h"

static void softmax_is_one_kernel(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "H", "T", "S");
    result(&l, "p", softmax(&l, x));
    lower(&l);
    assert_kinds(&l, "rows");
    Kernel *k = kernel_at(&l, 0);
    assert_int_equal(k->a_rank, 3);
    assert_int_equal(k->r_rank, 1);
    assert_int_equal(k->outputs.count, 1);
    assert_int_equal(k->keep.count, 1);
    assert_int_equal(k->keep.at[0]->op, OP_exp);
    assert_int_equal(k->aligned.count, 1);
    arena_free(l.arena);
}

static void masked_softmax_of_scores_runs_in_place(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *q = DATA(&l, "q", "B", "T", "H", "K"), *key = DATA(&l, "k", "B", "S", "H", "K");
    Node *s = make_einsum(l.g, "bthd,bshd->bhts", q, key);
    Type index = s->type;
    index.dtype = DT_i32;
    Node *past = make_binary(l.g, OP_lt, make_iota(l.g, index, 2), make_iota(l.g, index, 3));
    s = make_where(l.g, past, num(&l, s, -1e30), mul(&l, s, num(&l, s, 0.25)));
    Node *v = DATA(&l, "v", "B", "S", "H", "K");
    result(&l, "o", make_einsum(l.g, "bhts,bshd->bthd", softmax(&l, s), v));
    lower(&l);
    assert_kinds(&l, "contract rows contract");
    const Buffer *p = l.p->buffer_of[kernel_at(&l, 1)->outputs.at[0]->id];
    assert_ptr_equal(p->takes_over, l.p->buffer_of[kernel_at(&l, 0)->outputs.at[0]->id]);
    arena_free(l.arena);
}

static void residual_and_norm_are_one_kernel(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D"), *y = DATA(&l, "y", "B", "T", "D"), *w = PARAM(&l, "w", "D", "D");
    Node *r = add(&l, x, y);
    Node *n = layer_norm(&l, r, PARAM(&l, "gain", "D"));
    result(&l, "z", add(&l, r, make_einsum(l.g, "btd,de->bte", n, w)));
    lower(&l);
    assert_kinds(&l, "rows contract map");
    assert_int_equal(kernel_at(&l, 0)->outputs.count, 2);    /* the sum, and the normed value */
    arena_free(l.arena);
}

/* The gradient of a cross entropy needs the logits once more, in the kernel of its forward pass. */
static void cross_entropy_and_gradient_are_one_kernel(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D"), *w = PARAM(&l, "w", "V", "D"), *y = IDS(&l, "y", "B", "T");
    Node *z = make_einsum(l.g, "btd,vd->btv", x, w);
    Node *m = make_reduce(l.g, OP_reduce_max, z, 4);
    Node *e = un(&l, OP_exp, sub(&l, z, over_last(&l, m, z)));
    Node *s = sum(&l, e, 4);
    Node *index[3] = {make_iota(l.g, y->type, 0), make_iota(l.g, y->type, 1), y};
    Node *hit = make_gather(l.g, z, index, 3, 0);
    Node *each = sub(&l, add(&l, un(&l, OP_log, s), m), hit);
    result(&l, "loss", sum(&l, each, 3));
    Node *one = make_scatter(l.g, num(&l, z, 0), num(&l, hit, -1), index, 3, 0, true);
    Node *d = add(&l, mul(&l, e, over_last(&l, divide(&l, num(&l, s, 1), s), z)), one);
    result(&l, "d w", make_einsum(l.g, "btv,btd->vd", d, x));
    result(&l, "d x", make_einsum(l.g, "btv,vd->btd", d, w));
    lower(&l);
    assert_kinds(&l, "contract map rows contract rows contract");
    Kernel *k = kernel_at(&l, 2);
    assert_int_equal(k->a_rank, 2);
    assert_int_equal(k->outputs.count, 3); /* maximum, sum, gradient: the last in place of the logits */
    assert_ptr_equal(l.p->buffer_of[k->outputs.at[2]->id]->takes_over,
                     l.p->buffer_of[kernel_at(&l, 0)->outputs.at[0]->id]);
    arena_free(l.arena);
}

/* x - max(x) over the last axis; guarded: 0 for the maximum of a row of -inf */
static Node *shifted(Lab *l, Node *x, bool guarded)
{
    Node *top = un(l, OP_stop, make_reduce(l->g, OP_reduce_max, x, 1u << (x->type.rank - 1)));
    if (guarded)
        top = make_where(l->g, make_binary(l->g, OP_eq, top, num(l, top, -1.0 / 0.0)), num(l, top, 0), top);
    return guarded ? add(l, x, over_last(l, neg(l, top), x)) : sub(l, x, over_last(l, top, x));
}

/* Whichever way softmax divides, its gradient reads the result and not what it was made from. */
static void gradient_of_softmax_reads_its_result(void **state)
{
    (void)state;
    for (int inverse = 0; inverse < 2; inverse++) {
        Lab l = lab_new();
        Node *q = DATA(&l, "q", "B", "T", "K"), *k = DATA(&l, "k", "B", "S", "K"), *d = DATA(&l, "d", "B", "T", "S");
        Node *s = make_einsum(l.g, "btk,bsk->bts", q, k);
        Node *e = un(&l, OP_exp, shifted(&l, s, inverse)), *z = sum(&l, e, 4);
        if (inverse) z = make_where(l.g, make_binary(l.g, OP_eq, z, num(&l, z, 0)), num(&l, z, 1), z);
        Node *p =
            inverse ? mul(&l, over_last(&l, divide(&l, num(&l, z, 1), z), s), e) : divide(&l, e, over_last(&l, z, s));
        result(&l, "o", make_einsum(l.g, "bts,bsk->btk", p, k));
        result(&l, "d q", make_einsum(l.g, "bts,bsk->btk", mul(&l, d, e), k));
        lower(&l);
        int readers = 0;
        for (int i = 0; i < l.p->kernels.count; i++)
            for (int j = 0; j < kernel_at(&l, i)->inputs.count; j++) {
                const Node *n = kernel_at(&l, i)->inputs.at[j];
                readers += n->op == OP_einsum && !strcmp(n->attr.text, "btk,bsk->bts");
            }
        assert_int_equal(readers, 1);
        arena_free(l.arena);
    }
}

static int count_nodes(const Graph *g, Op op)
{
    int count = 0;
    for (int k = 0; k < g->nodes.count; k++) count += g->nodes.at[k]->op == op;
    return count;
}

/* exp(x) / c * c is not exp(x) when c is 0 or inf: only what softmax itself divides by is multiplied back. */
static void exponentials_survive_other_divisions(void **state)
{
    (void)state;
    for (int form = 0; form < 5; form++) {
        Lab l = lab_new();
        Node *x = DATA(&l, "x", "T", "D"), *c = DATA(&l, "c", "T");
        Node *e = un(&l, OP_exp, form == 1 ? x : form == 2 ? sub(&l, x, over_last(&l, c, x)) : shifted(&l, x, false));
        Node *z = form == 0 ? c : sum(&l, form == 3 ? mul(&l, e, e) : e, 2);
        result(&l, "p", divide(&l, e, over_last(&l, z, x)));
        result(&l, "q", mul(&l, e, x));
        lower(&l);
        bool again = form == 4;                              /* softmax, as it should be */
        int products = (form == 3) + 1 + again + (form == 2) + (form != 1 && form != 2);
        assert_int_equal(count_nodes(l.p->graph, OP_mul), products);
        arena_free(l.arena);
    }
}

static Node *gelu(Lab *l, Node *x)
{
    Node *cube = mul(l, mul(l, x, x), mul(l, x, num(l, x, 0.044715)));
    Node *t = un(l, OP_tanh, mul(l, add(l, x, cube), num(l, x, 0.7978845608)));
    return mul(l, mul(l, x, num(l, x, 0.5)), add(l, t, num(l, x, 1)));
}

/* The forward kernel of an activation leaves its slope in place of the product before it, whatever the form in which
 * the gradient asks for it: nothing is computed twice, and one value is saved. */
static void activation_leaves_its_slope(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D"), *w = PARAM(&l, "w", "D", "F"), *v = PARAM(&l, "v", "F", "D");
    Node *h = add(&l, make_einsum(l.g, "btd,df->btf", x, w),
                  over_first(&l, PARAM(&l, "b", "F"), DATA(&l, "f", "B", "T", "F")));
    Node *a = gelu(&l, h);
    Node *y = make_einsum(l.g, "btf,fd->btd", a, v);
    Node *da = make_einsum(l.g, "btd,fd->btf", y, v);
    Node *t =
        un(&l, OP_tanh,
           mul(&l, add(&l, h, mul(&l, mul(&l, h, h), mul(&l, h, num(&l, h, 0.044715)))), num(&l, h, 0.7978845608)));
    Node *inner = mul(&l, mul(&l, da, t), h);
    Node *dh = sub(&l, da, add(&l, mul(&l, da, mul(&l, t, t)), inner));
    result(&l, "d w", make_einsum(l.g, "btd,btf->df", x, dh));
    result(&l, "d b", sum(&l, dh, 3));
    lower(&l);
    assert_kinds(&l, "contract map contract contract map contract columns");
    assert_int_equal(kernel_at(&l, 1)->outputs.count, 2);
    assert_int_equal(kernel_at(&l, 4)->outputs.count, 1);
    assert_int_equal(kernel_at(&l, 4)->nodes.count, 1);
    assert_int_equal(l.p->buffer_of[kernel_at(&l, 0)->outputs.at[0]->id]->last, 1);      /* the product dies there */
    arena_free(l.arena);
}

/* One sweep writes moments and weights, each in its own place. */
static void optimizer_step_is_one_kernel(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *w = PARAM(&l, "w", "D", "F"), *m = STATE(&l, "optimizer.w.m", "D", "F"),
         *v = STATE(&l, "optimizer.w.v", "D", "F");
    Node *x = DATA(&l, "x", "B", "D"), *y = DATA(&l, "y", "B", "F");
    Node *g = make_einsum(l.g, "bd,bf->df", x, y);
    Node *step = make_input(l.g, STORE_ambient, "step", type_scalar(DT_i64));
    Node *rate = make_binary(l.g, OP_pow, make_float(l.g, DT_f32, 0.9), make_cast(l.g, step, DT_f32));
    Node *m1 = add(&l, mul(&l, m, num(&l, m, 0.9)), mul(&l, g, num(&l, g, 0.1)));
    Node *v1 = add(&l, mul(&l, v, num(&l, m, 0.99)), mul(&l, mul(&l, g, g), num(&l, g, 0.01)));
    Node *d = divide(&l, m1, add(&l, un(&l, OP_sqrt, v1), num(&l, v1, 1e-8)));
    update(&l, "w", sub(&l, w, mul(&l, d, over_first(&l, rate, w))));
    update(&l, "optimizer.w.m", m1);
    update(&l, "optimizer.w.v", v1);
    lower(&l);
    assert_kinds(&l, "contract map map");
    Kernel *k = kernel_at(&l, 2);
    assert_int_equal(k->outputs.count, 3);
    for (int i = 0; i < 3; i++) assert_non_null(l.p->buffer_of[k->outputs.at[i]->id]->takes_over);
    assert_string_equal(l.p->buffer_of[kernel_at(&l, 0)->outputs.at[0]->id]->category, "gradients");
    arena_free(l.arena);
}

static void column_sums_share_a_kernel(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D"), *y = DATA(&l, "y", "B", "T", "D");
    result(&l, "bias", sum(&l, x, 3));
    result(&l, "gain", sum(&l, mul(&l, x, y), 3));
    lower(&l);
    assert_kinds(&l, "columns");
    assert_int_equal(kernel_at(&l, 0)->r_rank, 2);
    assert_int_equal(kernel_at(&l, 0)->c_rank, 1);
    assert_int_equal(kernel_at(&l, 0)->outputs.count, 2);
    arena_free(l.arena);
}

/* A bag of words: rows gathered and summed without being stored. */
static void gather_and_sum_are_one_kernel(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *table = PARAM(&l, "table", "V", "D"), *ids = IDS(&l, "ids", "B", "T");
    result(&l, "bag", sum(&l, make_gather(l.g, table, &ids, 1, 0), 2));
    lower(&l);
    assert_kinds(&l, "columns");
    assert_int_equal(kernel_at(&l, 0)->a_rank, 1);
    arena_free(l.arena);
}

/* The rows' gradient goes straight into the gradient of the other use of the table. */
static void scatter_adds_onto_a_sum(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *table = PARAM(&l, "table", "V", "D"), *ids = IDS(&l, "ids", "B", "T"), *d = DATA(&l, "d", "B", "T", "D");
    Node *z = DATA(&l, "z", "B", "T", "V");
    Node *tied = make_einsum(l.g, "btv,btd->vd", z, d);
    Node *rows = make_scatter(l.g, num(&l, table, 0), mul(&l, d, num(&l, d, 2)), &ids, 1, 0, true);
    update(&l, "table", sub(&l, table, add(&l, tied, rows)));
    lower(&l);
    assert_kinds(&l, "contract scatter map");
    Kernel *k = kernel_at(&l, 1);
    assert_int_equal(k->outputs.at[0]->op, OP_scatter);
    assert_ptr_equal(l.p->buffer_of[k->outputs.at[0]->id]->takes_over,
                     l.p->buffer_of[kernel_at(&l, 0)->outputs.at[0]->id]);
    arena_free(l.arena);
}

static void scatter_into_zeros_fills_them(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *table = PARAM(&l, "table", "V", "D"), *ids = IDS(&l, "ids", "B", "T"), *d = DATA(&l, "d", "B", "T", "D");
    result(&l, "d table", make_scatter(l.g, num(&l, table, 0), mul(&l, d, d), &ids, 1, 0, true));
    lower(&l);
    assert_kinds(&l, "scatter");
    assert_int_equal(kernel_at(&l, 0)->inputs.count, 2);
    arena_free(l.arena);
}

/* One place a row becomes a comparison with the index, if a gather has checked that index against the same extent: a
 * comparison would not notice an id out of range. */
static void one_place_a_row_needs_a_checked_index(void **state)
{
    (void)state;
    for (int checked = 0; checked < 3; checked++) {
        Lab l = lab_new();
        Node *z = DATA(&l, "z", "T", "V"), *table = DATA(&l, "table", "D"), *y = IDS(&l, "y", "T"),
            *v = DATA(&l, "v", "T");
        Node *index[] = {make_iota(l.g, y->type, 0), y};
        if (checked == 1) result(&l, "x", make_gather(l.g, table, &y, 1, 0));
        if (checked == 2) result(&l, "x", make_gather(l.g, z, index, 2, 0));
        result(&l, "one", make_scatter(l.g, num(&l, z, 0), v, index, 2, 0, true));
        lower(&l);
        assert_int_equal(count_nodes(l.p->graph, OP_scatter), checked < 2);
        arena_free(l.arena);
    }
}

/* An index of 8 bits does not count to 512. */
static void a_narrow_index_is_not_its_axis(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *z = DATA(&l, "z", "F", "V"), *y = IDS(&l, "y", "F"), *v = DATA(&l, "v", "F");
    Node *narrow = make_cast(l.g, make_cast(l.g, make_iota(l.g, y->type, 0), DT_i8), DT_i32), *index[] = {narrow, y};
    Node *full[] = {make_iota(l.g, y->type, 0), y};
    result(&l, "x", make_gather(l.g, z, full, 2, 0));
    result(&l, "one", make_scatter(l.g, num(&l, z, 0), v, index, 2, 0, true));
    lower(&l);
    assert_int_equal(count_nodes(l.p->graph, OP_scatter), 1);
    arena_free(l.arena);
}

/* Heads are strides: no copy of q, k or the result. */
static void heads_are_read_where_they_lie(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = DATA(&l, "x", "B", "T", "D");
    Type heads = lab_type(&l, DT_f32, 4, "B", "T", "H", "K");
    static const int8_t swap[] = {0, 2, 1, 3};
    Node *q = make_permute(l.g, make_reshape(l.g, make_einsum(l.g, "btd,de->bte", x, PARAM(&l, "wq", "D", "D")), heads),
                           swap);
    Node *k = make_permute(l.g, make_reshape(l.g, make_einsum(l.g, "btd,de->bte", x, PARAM(&l, "wk", "D", "D")), heads),
                           swap);
    Node *s = make_einsum(l.g, "bhtd,bhsd->bhts", q, k);
    Node *o = make_einsum(l.g, "bhts,bhsd->bthd", s, k);
    result(&l, "o", make_einsum(l.g, "btd,de->bte", make_reshape(l.g, o, x->type), PARAM(&l, "wo", "D", "D")));
    lower(&l);
    assert_kinds(&l, "contract contract contract contract contract");
    arena_free(l.arena);
}

/* A product of whole numbers is no product for a library: it becomes multiplications and a sum. */
static void whole_products_are_loops(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *x = IDS(&l, "x", "B", "T"), *y = IDS(&l, "y", "T", "V");
    result(&l, "z", make_einsum(l.g, "bt,tv->bv", x, y));
    lower(&l);
    assert_kinds(&l, "rows");
    arena_free(l.arena);
}

static void sums_over_distant_axes_are_two(void **state)
{
    (void)state;
    Lab l = lab_new();
    result(&l, "z", sum(&l, DATA(&l, "x", "B", "T", "D"), 5));
    lower(&l);
    assert_kinds(&l, "rows columns");
    arena_free(l.arena);
}

static void an_output_can_be_a_constant(void **state)
{
    (void)state;
    Lab l = lab_new();
    result(&l, "c", make_full(l.g, lab_type(&l, DT_f32, 1, "B"), 3));
    result(&l, "x", DATA(&l, "x", "B"));
    lower(&l);
    assert_kinds(&l, "map");
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_is_one_kernel),
        cmocka_unit_test(masked_softmax_of_scores_runs_in_place),
        cmocka_unit_test(residual_and_norm_are_one_kernel),
        cmocka_unit_test(cross_entropy_and_gradient_are_one_kernel),
        cmocka_unit_test(gradient_of_softmax_reads_its_result),
        cmocka_unit_test(exponentials_survive_other_divisions),
        cmocka_unit_test(activation_leaves_its_slope),
        cmocka_unit_test(optimizer_step_is_one_kernel),
        cmocka_unit_test(column_sums_share_a_kernel),
        cmocka_unit_test(gather_and_sum_are_one_kernel),
        cmocka_unit_test(scatter_adds_onto_a_sum),
        cmocka_unit_test(scatter_into_zeros_fills_them),
        cmocka_unit_test(one_place_a_row_needs_a_checked_index),
        cmocka_unit_test(a_narrow_index_is_not_its_axis),
        cmocka_unit_test(heads_are_read_where_they_lie),
        cmocka_unit_test(whole_products_are_loops),
        cmocka_unit_test(sums_over_distant_axes_are_two),
        cmocka_unit_test(an_output_can_be_a_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
