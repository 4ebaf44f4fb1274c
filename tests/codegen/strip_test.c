/* Attention by strips of rows: the values of the whole, the columns that are made, what is refused, no value of all
 * rows and columns in memory, and the same bits for any number of threads. */
#include "jit.h"
#include "tests/passes/samples_random.h"

enum { HEADS = 2, WIDTH = 8 };

/* What a case of attention has beside its sizes. */
typedef struct Case {
    int64_t asks, asked; /* T, S */
    int start;           /* causal from this place on; -1: not */
    bool padded, biased, drops, gradient;
    DType dtype;
    int heads;
} Case;

typedef struct Attention {
    Lab lab;
    PassNotes notes;
    Graph *whole; /* before strips */
} Attention;

static Node *input(Lab *l, DType dtype, const char *name, int rank, const int64_t *size)
{
    Type t = {.dtype = dtype, .rank = rank};
    for (int k = 0; k < rank; k++) t.dim[k] = dim_int(l->g->dims, size[k]);
    return make_input(l->g, STORE_param, name, t);
}
#define INPUT(l, dtype, name, ...)                                                                                     \
    input(l, dtype, name, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                             \
          (const int64_t[]){__VA_ARGS__})

/* e^x / sum(e^x), zeros for a row of -inf, as in prelude/reduce.ptm. */
static Node *safe_softmax(Lab *l, Node *x)
{
    uint32_t last = 1u << (x->type.rank - 1);
    Node *top = un(l, OP_stop, make_reduce(l->g, OP_reduce_max, x, last));
    Node *shift = make_where(l->g, make_binary(l->g, OP_eq, top, num(l, top, -INFINITY)), num(l, top, 0), top);
    Node *e = un(l, OP_exp, sub(l, x, over_last(l, shift, x))), *z = sum(l, e, last);
    Node *full = make_where(l->g, make_binary(l->g, OP_eq, z, num(l, z, 0)), num(l, z, 1), z);
    return mul(l, e, over_last(l, divide(l, num(l, z, 1), full), x));
}

static Node *masked(Lab *l, Node *s, const Case *c)
{
    Type index = s->type;
    index.dtype = DT_i32;
    Node *from = make_binary(l->g, OP_add, make_iota(l->g, index, 2), make_full(l->g, index, c->start));
    Node *seen = un(l, OP_not, make_binary(l->g, OP_lt, from, make_iota(l->g, index, 3)));
    return make_where(l->g, seen, s, num(l, s, -INFINITY));
}

static Node *attend(Lab *l, const Case *c)
{
    int64_t T = c->asks, S = c->asked, H = c->heads;
    Node *q = INPUT(l, c->dtype, "q", 2, T, H, WIDTH), *k = INPUT(l, c->dtype, "k", 2, S, H, WIDTH);
    Node *v = INPUT(l, c->dtype, "v", 2, S, H, WIDTH), *x = make_einsum(l->g, "bthd,bshd->bhts", q, k);
    x = mul(l, x, num(l, x, 0.35));
    if (c->biased) x = add(l, x, over_first(l, INPUT(l, c->dtype, "bias", H, T, S), x));
    if (c->start >= 0) x = masked(l, x, c);
    if (c->padded) {
        Node *pad = INPUT(l, c->dtype, "pad", 2, S);
        Node *hidden = make_binary(l->g, OP_lt, pad, num(l, pad, 0));
        Type wide = x->type;
        wide.dtype = DT_bool;
        x = make_where(l->g, make_expand(l->g, hidden, (const int8_t[]){0, 3}, wide), num(l, x, -INFINITY), x);
    }
    Node *p = safe_softmax(l, x);
    if (c->drops) {
        Node *ambient[] = {make_input(l->g, STORE_ambient, "seed", type_scalar(DT_i64)),
                           make_input(l->g, STORE_ambient, "step", type_scalar(DT_i64))};
        const char *why = NULL;
        Node *draw =
            graph_node(l->g, OP_uniform, ambient, 2, &(Attr){.text = graph_text(l->g, "drop")}, &p->type, &why);
        p = make_where(l->g, make_binary(l->g, OP_lt, draw, num(l, draw, 0.25)), num(l, p, 0),
                       mul(l, p, num(l, p, 4.0 / 3)));
    }
    return make_einsum(l->g, "bhts,bshe->bthe", p, v);
}

static Attention attention_new(const Case *c)
{
    Attention a = {.lab = lab_new()};
    Lab *l = &a.lab;
    Diagnostics *d = diag_new(l->arena);
    Node *o = attend(l, c);
    static const char *const trained[] = {"q", "k", "v"};
    PassOptions options = {
        .loss = "loss", .trained = trained, .trained_count = 3, .strip_elements = 1, .notes = &a.notes};
    Node *target = INPUT(l, c->dtype, "target", 2, c->asks, c->heads, WIDTH);
    if (c->gradient)
        result(l, "loss", sum(l, mul(l, mul(l, o, o), target), 15));
    else
        result(l, "o", o);
    a.whole = l->g;
    if (c->gradient) a.whole = pass_grad(l->arena, l->g, &options, d);
    a.whole = pass_simplify(l->arena, a.whole, &options, d);
    l->g = pass_strip(l->arena, a.whole, &options, d);
    assert_int_equal(diag_error_count(d), 0);
    assert_null(graph_verify(l->g, l->arena));
    return a;
}

static void nothing_is_whole(const Attention *a, const Case *c)
{
    for (int k = 0; k < a->lab.p->buffers.count; k++) {
        const Node *n = a->lab.p->buffers.at[k]->node;
        bool made = n->op != OP_input && type_value_elements(&n->type) >= 2 * c->heads * c->asks * c->asked;
        if (made) fail_msg("%%%u %s %s is in memory", n->id, op_name(n->op), type_text(a->lab.arena, &n->type));
    }
}

static Tensor **some_inputs(Arena *arena, const Graph *g)
{
    Tensor **inputs = arena_array(arena, Tensor *, g->inputs.count + 1);
    for (int k = 0; k < g->inputs.count; k++)
        inputs[k] = tensor_some(arena, g->inputs.at[k], (int)g->inputs.at[k]->attr.text[0], 8);
    return inputs;
}

/* The strips in the evaluator against the whole: outputs of rows have its bits, sums over rows nearly so. Then the
 * machine code against the evaluator. */
static void check(const Case *c, const char *notes)
{
    Attention a = attention_new(c);
    Lab *l = &a.lab;
    assert_int_equal(a.notes.count, 1);
    if (!strstr(a.notes.at[0], notes)) fail_msg("\"%s\" is not \"%s\"", a.notes.at[0], notes);
    Tensor **whole = arena_array(l->arena, Tensor *, a.whole->outputs.count + 1),
           **parts = arena_array(l->arena, Tensor *, a.whole->outputs.count + 1);
    assert_null(graph_eval(a.whole, some_inputs(l->arena, a.whole), whole, l->arena));
    assert_null(graph_eval(l->g, some_inputs(l->arena, l->g), parts, l->arena));
    for (int k = 0; k < l->g->outputs.count; k++) {
        const char *name = l->g->outputs.at[k].name;
        bool adds = !strcmp(name, "d k") || !strcmp(name, "d v");
        jit_compare(parts[k], whole[k], !adds ? 0 : c->dtype == DT_f64 ? 1e-13 : 1e-6, false, name);
    }
    jit_check(l, some_inputs(l->arena, l->g), 3, c->dtype == DT_f64 ? 1e-10 : 2e-5, false);
    nothing_is_whole(&a, c);
    arena_free(l->arena);
}

static void values_are_those_of_the_whole(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {{65, 65}, {64, 80}, {96, 33}, {128, 96}};
    for (int k = 0; k < 4; k++)
        for (int gradient = 0; gradient < 2; gradient++) {
            Case c = {.asks = sizes[k][0], .asked = sizes[k][1], .start = -1, .gradient = gradient, .heads = HEADS};
            c.dtype = k == 3 ? DT_f64 : DT_f32;
            check(&c, ": by 8 strips");
            c.padded = true;
            check(&c, ": by 8 strips");
            c.biased = true;
            check(&c, ": by 8 strips");
            c.drops = true;
            c.heads = 1;
            check(&c, ": by 8 strips");
        }
}

/* Rows 0 to 15 see the first 16 columns, rows 16 to 31 the first 32, and so on. */
static void hidden_columns_are_not_made(void **state)
{
    (void)state;
    for (int gradient = 0; gradient < 2; gradient++) {
        check(&(Case){64, 64, 0, false, false, false, gradient, DT_f32, 3},
              "by 8 strips of 8 rows, 62 % of all elements");
        check(&(Case){65, 65, 0, true, true, true, gradient, DT_f32, 1}, "by 8 strips of 9 rows");
        check(&(Case){64, 96, 32, true, false, false, gradient, DT_f32, 1},
              "by 8 strips of 8 rows, 75 % of all elements");
        check(&(Case){64, 96, 200, false, false, false, gradient, DT_f32, 1},
              "by 8 strips of 8 rows, 100 % of all elements");
        check(&(Case){64, 64, -1, false, false, false, gradient, DT_f32, 1},
              "by 8 strips of 8 rows, 100 % of all elements");
    }
}

/* ---- what stays whole ---- */

static const char *note_of(Lab *l)
{
    PassNotes notes = {0};
    PassOptions options = {.strip_elements = 1, .notes = &notes};
    Graph *g = pass_strip(l->arena, l->g, &options, diag_new(l->arena));
    if (notes.count == 0 || !strstr(notes.at[0], ": by ")) assert_ptr_equal(g, l->g);
    return notes.count ? notes.at[0] : "";
}

static Node *scores_of(Lab *l, int64_t rows, int64_t columns)
{
    return make_einsum(l->g, "btd,bsd->bts", INPUT(l, DT_f32, "q", 2, rows, 2), INPUT(l, DT_f32, "k", 2, columns, 2));
}

static Node *scores(Lab *l)
{
    return make_einsum(l->g, "btd,bsd->bts", INPUT(l, DT_f32, "q", 2, 64, 8), INPUT(l, DT_f32, "k", 2, 64, 8));
}

static void refusals_say_why(void **state)
{
    (void)state;
    Lab l = lab_new();
    result(&l, "p", softmax(&l, scores(&l)));
    assert_non_null(strstr(note_of(&l), "is a result"));
    arena_free(l.arena);

    l = lab_new();
    Node *running = make_cumsum(l.g, scores(&l), 1);
    result(&l, "o", make_einsum(l.g, "bts,bsd->btd", running, INPUT(&l, DT_f32, "v", 2, 64, 8)));
    assert_non_null(strstr(note_of(&l), "asks for all of it"));
    arena_free(l.arena);

    l = lab_new(); /* the largest over rows and over columns */
    Node *s = scores(&l);
    result(&l, "rows", make_reduce(l.g, OP_reduce_max, s, 2));
    result(&l, "columns", make_reduce(l.g, OP_reduce_max, s, 4));
    assert_non_null(strstr(note_of(&l), "is the largest over rows"));
    arena_free(l.arena);

    l = lab_new(); /* of a size that is cut only where columns are hidden */
    s = make_einsum(l.g, "td,sd->ts", INPUT(&l, DT_f32, "q", 2048, 8), INPUT(&l, DT_f32, "k", 2048, 8));
    result(&l, "o", make_einsum(l.g, "ts,sd->td", softmax(&l, s), INPUT(&l, DT_f32, "v", 2048, 8)));
    PassNotes notes = {0};
    pass_strip(l.arena, l.g, &(PassOptions){.notes = &notes}, diag_new(l.arena));
    assert_non_null(strstr(notes.at[0], "it hides no column, and stays in the caches"));
    arena_free(l.arena);

    l = lab_new(); /* long sums: not worth making twice */
    s = make_einsum(l.g, "td,sd->ts", INPUT(&l, DT_f32, "q", 2048, 300), INPUT(&l, DT_f32, "k", 2048, 300));
    result(&l, "o", make_einsum(l.g, "ts,sd->td", softmax(&l, s), INPUT(&l, DT_f32, "v", 2048, 8)));
    assert_string_equal(note_of(&l), "");
    arena_free(l.arena);
}

/* The columns of one product may be the rows of the region: those over which nothing but sums are taken. */
static void rows_may_be_those_of_the_second_operand(void **state)
{
    (void)state;
    Lab l = lab_new();
    Node *s = make_einsum(l.g, "bsd,btd->bts", INPUT(&l, DT_f32, "k", 2, 64, 8), INPUT(&l, DT_f32, "q", 2, 64, 8));
    result(&l, "o", make_einsum(l.g, "bts,bsd->btd", softmax(&l, s), INPUT(&l, DT_f32, "v", 2, 64, 8)));
    assert_non_null(strstr(note_of(&l), "by 8 strips of 8 rows"));
    arena_free(l.arena);
}

/* ---- any graph ---- */

static void random_graphs_keep_their_values(void **state)
{
    (void)state;
    int cut = 0;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        Lab l = lab_new();
        Random r = random_new(&l, seed);
        int nodes = 8 + random_number(&r, 30);
        Node *s = scores_of(&l, 6 + random_number(&r, 10), 6 + random_number(&r, 10));
        random_keep(&r, s);
        random_keep(&r, softmax(&l, s));
        for (int k = 0; k < nodes; k++) random_node(&r);
        for (int k = 0; k < 3; k++)
            result(&l, arena_print(l.arena, "%d", k), r.at[r.count - 1 - random_number(&r, r.count / 2)]);
        PassOptions options = {.strip_elements = 1};
        Graph *g = pass_strip(l.arena, l.g, &options, diag_new(l.arena));
        const char *wrong = graph_verify(g, l.arena);
        if (wrong) fail_msg("seed %d: %s", (int)seed, wrong);
        cut += g != l.g;
        Tensor *whole[3], *parts[3];
        assert_null(graph_eval(l.g, some_inputs(l.arena, l.g), whole, l.arena));
        assert_null(graph_eval(g, some_inputs(l.arena, g), parts, l.arena));
        for (int k = 0; k < 3; k++)
            jit_compare(parts[k], whole[k], 2e-5, false, arena_print(l.arena, "seed %d", (int)seed));
        arena_free(l.arena);
    }
    printf("%d graphs were cut\n", cut);
    assert_true(cut > 20);
}

/* ---- threads ---- */

static uint64_t bits_with(int threads)
{
    Case c = {.asks = 256, .asked = 256, .start = 0, .gradient = true, .heads = 4, .dtype = DT_f32};
    Attention a = attention_new(&c);
    Jit j = jit_new(&a.lab, threads);
    for (int k = 0; k < a.lab.g->inputs.count; k++) {
        const Node *x = a.lab.g->inputs.at[k];
        jit_set(&j, x->attr.text, tensor_some(a.lab.arena, x, (int)x->attr.text[0], 8));
    }
    assert_int_equal(jit_run(&j), 0);
    uint64_t hash = 14695981039346656037u;
    for (int k = 0; k < a.lab.g->outputs.count; k++) {
        const Tensor *t = jit_output(&j, &a.lab.g->outputs.at[k]);
        for (size_t b = 0; b < (size_t)t->count * sizeof *t->f; b++)
            hash = (hash ^ ((const unsigned char *)t->f)[b]) * 1099511628211u;
    }
    jit_free(&j);
    arena_free(a.lab.arena);
    return hash;
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    uint64_t one = bits_with(1);
    assert_true(bits_with(2) == one);
    assert_true(bits_with(3) == one);
    assert_true(bits_with(8) == one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_the_whole),
        cmocka_unit_test(hidden_columns_are_not_made),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(rows_may_be_those_of_the_second_operand),
        cmocka_unit_test(random_graphs_keep_their_values),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
