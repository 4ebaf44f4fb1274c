/* Loops as machine code against the evaluator: recurrences of many sizes, directions, carries of every kind, on several
 * threads; and that the code does not grow with the number of iterations. */
#include "jit.h"
#include "tests/passes/recurrence.h"

static Type sized(Lab *l, DType dtype, int rank, const int64_t *extent)
{
    Type t = {.dtype = dtype, .rank = rank};
    for (int k = 0; k < rank; k++) t.dim[k] = dim_int(l->g->dims, extent[k]);
    return t;
}
#define DIMS(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}
#define INPUT(l, storage, name, dtype, ...) make_input((l)->g, storage, name, sized(l, dtype, DIMS(__VA_ARGS__)))
#define SCALAR(l, storage, name, dtype) make_input((l)->g, storage, name, type_scalar(dtype))

static Node *node(Lab *l, Op op, Node *const *args, int count, Attr attr, const Type *type)
{
    const char *why = NULL;
    Node *n = graph_node(l->g, op, args, count, &attr, type, &why);
    if (!n) fail_msg("%s: %s", op_name(op), why);
    return n;
}

static const Dim *number(Lab *l, int64_t x) { return dim_int(l->g->dims, x); }

/* Every result of the scan as one of the graph's. */
static void all_results(Lab *l, Node *scan)
{
    for (int k = 0; k < scan_result_count(scan); k++)
        result(l, arena_print(l->arena, "r%d", k), make_pick(l->g, scan, k));
}

/* From the last element of a vector to the first. */
static Node *turned(Lab *l, Node *x)
{
    const Dim *start[MAX_RANK] = {number(l, type_value_elements(&x->type) - 1)};
    return make_slice(l->g, x, start, (const int64_t[MAX_RANK]){-1}, x->type);
}

/* ---- recurrences ---- */

typedef struct Sizes {
    int64_t time, batch, width;
    bool    backwards;
} Sizes;

typedef void Build(Lab *l, Sizes s);

/* h' = tanh(x_t w + h u + b), emitted. */
static void build_elman(Lab *l, Sizes s)
{
    Lab b = body_new(l);
    Node *x = INPUT(&b, STORE_each, "x", DT_f32, s.batch, s.width);
    Node *h = INPUT(&b, STORE_carry, "h", DT_f32, s.batch, s.width);
    Node *w = INPUT(&b, STORE_outer, "w", DT_f32, s.width, s.width);
    Node *u = INPUT(&b, STORE_outer, "u", DT_f32, s.width, s.width);
    Node *bias = INPUT(&b, STORE_outer, "b", DT_f32, s.width);
    Node *z = add(&b, make_einsum(b.g, "bd,de->be", x, w), make_einsum(b.g, "bd,de->be", h, u));
    Node *next = un(&b, OP_tanh, add(&b, z, over_first(&b, bias, z)));
    update(&b, "h", next);
    result(&b, "0", next);
    Node *args[] = {INPUT(l, STORE_data, "xs", DT_f32, s.time, s.batch, s.width),
                    INPUT(l, STORE_data, "start", DT_f32, s.batch, s.width),
                    INPUT(l, STORE_param, "w", DT_f32, s.width, s.width),
                    INPUT(l, STORE_param, "u", DT_f32, s.width, s.width), INPUT(l, STORE_param, "b", DT_f32, s.width)};
    all_results(l, loop_over(l, &b, number(l, s.time), s.backwards, args, 5));
}

/* Columns k*width to (k + 1)*width. */
static Node *part(Lab *l, Node *z, int64_t width, int k)
{
    Type t = z->type;
    t.dim[1] = number(l, width);
    const Dim *start[MAX_RANK] = {number(l, 0), number(l, k * width)};
    return make_slice(l->g, z, start, (const int64_t[MAX_RANK]){1, 1}, t);
}

/* Gates i, f, g, o from x_t + h u; h and c are states of the graph, updated by what the loop leaves. */
static void build_lstm(Lab *l, Sizes s)
{
    Lab b = body_new(l);
    Node *x = INPUT(&b, STORE_each, "x", DT_f32, s.batch, 4 * s.width);
    Node *h = INPUT(&b, STORE_carry, "h", DT_f32, s.batch, s.width);
    Node *c = INPUT(&b, STORE_carry, "c", DT_f32, s.batch, s.width);
    Node *u = INPUT(&b, STORE_outer, "u", DT_f32, s.width, 4 * s.width);
    Node *z = add(&b, x, make_einsum(b.g, "bd,de->be", h, u));
    Node *i = sigmoid(&b, part(&b, z, s.width, 0)), *f = sigmoid(&b, part(&b, z, s.width, 1));
    Node *g = un(&b, OP_tanh, part(&b, z, s.width, 2)), *o = sigmoid(&b, part(&b, z, s.width, 3));
    Node *next = add(&b, mul(&b, f, c), mul(&b, i, g)), *y = mul(&b, o, un(&b, OP_tanh, next));
    update(&b, "h", y);
    update(&b, "c", next);
    result(&b, "0", y);
    result(&b, "1", f);
    Node *args[] = {INPUT(l, STORE_data, "xs", DT_f32, s.time, s.batch, 4 * s.width),
                    INPUT(l, STORE_state, "h", DT_f32, s.batch, s.width),
                    INPUT(l, STORE_state, "c", DT_f32, s.batch, s.width),
                    INPUT(l, STORE_param, "u", DT_f32, s.width, 4 * s.width)};
    Node *scan = loop_over(l, &b, number(l, s.time), s.backwards, args, 4);
    update(l, "h", make_pick(l->g, scan, 0));
    update(l, "c", make_pick(l->g, scan, 1));
    result(l, "ys", make_pick(l->g, scan, 2));
    result(l, "fs", make_pick(l->g, scan, 3));
}

/* For every row a loop over its elements, which begins with what the row before left. */
static void build_nested(Lab *l, Sizes s)
{
    Lab outer = body_new(l), inner = body_new(l);
    Node *e = INPUT(&inner, STORE_each, "e", DT_f32, s.width);
    Node *sum = INPUT(&inner, STORE_carry, "sum", DT_f32, s.width);
    Node *scale = INPUT(&inner, STORE_outer, "scale", DT_f32, s.width), *index = INDEX(&inner);
    Node *place = make_broadcast(inner.g, make_cast(inner.g, index, DT_f32), e->type);
    Node *next = add(&inner, mul(&inner, sum, scale), mul(&inner, e, place));
    update(&inner, "sum", next);
    result(&inner, "0", add(&inner, next, e));
    Node *row = INPUT(&outer, STORE_each, "row", DT_f32, s.batch, s.width);
    Node *carried = INPUT(&outer, STORE_carry, "carried", DT_f32, s.width);
    Node *by = INPUT(&outer, STORE_outer, "by", DT_f32, s.width);
    Node *inside = loop_over(&outer, &inner, number(l, s.batch), !s.backwards, (Node *[]){row, carried, by}, 3);
    Node *last = make_pick(outer.g, inside, 0), *all = make_pick(outer.g, inside, 1);
    update(&outer, "carried", add(&outer, last, by));
    result(&outer, "0", all);
    result(&outer, "1", un(&outer, OP_tanh, last));
    result(&outer, "2", un(&outer, OP_exp, all));
    Node *args[] = {INPUT(l, STORE_data, "rows", DT_f32, s.time, s.batch, s.width),
                    INPUT(l, STORE_data, "start", DT_f32, s.width), INPUT(l, STORE_param, "by", DT_f32, s.width)};
    all_results(l, loop_over(l, &outer, number(l, s.time), s.backwards, args, 3));
}

/* Adds x_t until the largest sum is above a bound; a count, and a sum that stays in place. */
static void build_until(Lab *l, Sizes s)
{
    Lab b = body_new(l);
    Node *x = INPUT(&b, STORE_each, "x", DT_f32, s.width), *sum = INPUT(&b, STORE_carry, "sum", DT_f32, s.width);
    Node *turning = INPUT(&b, STORE_carry, "turning", DT_f32, s.width);
    Node *count = SCALAR(&b, STORE_carry, "count", DT_i32);
    SCALAR(&b, STORE_carry, "done", DT_bool);
    Node *next = add(&b, sum, mul(&b, x, x)), *top = make_reduce(b.g, OP_reduce_max, next, 1);
    update(&b, "sum", next);
    update(&b, "turning", turned(&b, add(&b, turning, x)));
    update(&b, "count", add(&b, count, make_whole(b.g, DT_i32, 1)));
    update(&b, "done", make_binary(b.g, OP_lt, make_float(b.g, DT_f32, 0.2), top));
    result(&b, "0", next);
    result(&b, "1", make_reshape(b.g, top, sized(&b, DT_f32, DIMS(1))));
    Node *args[] = {INPUT(l, STORE_data, "xs", DT_f32, s.time, s.width), INPUT(l, STORE_data, "sum", DT_f32, s.width),
                    INPUT(l, STORE_data, "turning", DT_f32, s.width), SCALAR(l, STORE_data, "count", DT_i32),
                    make_whole(l->g, DT_bool, 0)};
    Attr attr = {.axis = 4, .i = s.backwards, .count = number(l, s.time)};
    all_results(l, make_scan(l->g, args, 5, &attr, b.g));
}

/* A table carried along: each iteration reads two of its rows and adds their product to a third. */
static void build_table(Lab *l, Sizes s)
{
    enum { ROWS = 8 };
    Lab b = body_new(l);
    Node *i = INPUT(&b, STORE_each, "i", DT_i32, s.batch), *j = INPUT(&b, STORE_each, "j", DT_i32, s.batch);
    Node *table = INPUT(&b, STORE_carry, "table", DT_f32, ROWS, s.width);
    Node *read = mul(&b, make_gather(b.g, table, &i, 1, 0), make_gather(b.g, table, &j, 1, 0));
    update(&b, "table", make_scatter(b.g, table, read, &j, 1, 0, true));
    result(&b, "0", read);
    Node *args[] = {INPUT(l, STORE_data, "is", DT_i32, s.time, s.batch),
                    INPUT(l, STORE_data, "js", DT_i32, s.time, s.batch),
                    INPUT(l, STORE_data, "table", DT_f32, ROWS, s.width)};
    all_results(l, loop_over(l, &b, number(l, s.time), s.backwards, args, 3));
}

/* Ids scattered into a carried table whose old values nothing else reads, and into one that is new every time. */
static void build_in_place(Lab *l, Sizes s)
{
    enum { ROWS = 8 };
    Lab b = body_new(l);
    Node *i = INPUT(&b, STORE_each, "i", DT_i32, s.batch), *v = INPUT(&b, STORE_each, "v", DT_f32, s.batch, s.width);
    Node *table = INPUT(&b, STORE_carry, "table", DT_f32, ROWS, s.width);
    Node *decay = INPUT(&b, STORE_carry, "decay", DT_f32, s.width);
    update(&b, "table", make_scatter(b.g, table, v, &i, 1, 0, true));
    update(&b, "decay", mul(&b, decay, num(&b, decay, 0.5)));
    Node *fresh = INPUT(&b, STORE_each, "fresh", DT_f32, ROWS, s.width);
    result(&b, "0", make_scatter(b.g, fresh, v, &i, 1, 0, false));
    Node *args[] = {INPUT(l, STORE_data, "is", DT_i32, s.time, s.batch),
                    INPUT(l, STORE_data, "vs", DT_f32, s.time, s.batch, s.width),
                    INPUT(l, STORE_state, "table", DT_f32, ROWS, s.width),
                    INPUT(l, STORE_data, "decay", DT_f32, s.width),
                    INPUT(l, STORE_data, "fresh", DT_f32, s.time, ROWS, s.width)};
    Node *scan = loop_over(l, &b, number(l, s.time), s.backwards, args, 5);
    update(l, "table", make_pick(l->g, scan, 0));
    result(l, "decay", make_pick(l->g, scan, 1));
    result(l, "fresh", make_pick(l->g, scan, 2));
}

/* Masks, ids and two vectors of different lengths drawn anew in each iteration. */
static void build_draws(Lab *l, Sizes s)
{
    Lab b = body_new(l);
    Node *x = INPUT(&b, STORE_each, "x", DT_f32, s.batch, s.width);
    Node *h = INPUT(&b, STORE_carry, "h", DT_f32, s.batch, s.width);
    Node *seed = SCALAR(&b, STORE_outer, "seed", DT_i64);
    Node *step = SCALAR(&b, STORE_outer, "step", DT_i64), *t = INDEX(&b);
    Type whole = sized(&b, DT_i32, DIMS(s.width));
    Node *uniform[] = {seed, step, t};
    Node *integers[] = {seed, step, make_whole(b.g, DT_i32, -3), make_whole(b.g, DT_i32, 40), t};
    Node *u = node(&b, OP_uniform, uniform, 3, (Attr){.text = graph_text(b.g, "a")}, &x->type);
    Node *k = node(&b, OP_integers, integers, 5, (Attr){.text = graph_text(b.g, "b")}, &whole);
    Node *keep = make_binary(b.g, OP_lt, u, num(&b, u, 0.7));
    Node *next = make_where(b.g, keep, add(&b, h, x), mul(&b, h, num(&b, h, 0.5)));
    update(&b, "h", next);
    result(&b, "0", u);
    result(&b, "1", k);
    for (int64_t n = 2; n < 4; n++) {
        Type type = sized(&b, DT_f32, DIMS(16 * n));
        const char *name = arena_print(l->arena, "%d", (int)n);
        result(&b, name, node(&b, OP_uniform, uniform, 3, (Attr){.text = graph_text(b.g, name)}, &type));
    }
    Node *args[] = {INPUT(l, STORE_data, "xs", DT_f32, s.time, s.batch, s.width),
                    INPUT(l, STORE_data, "start", DT_f32, s.batch, s.width), SCALAR(l, STORE_ambient, "seed", DT_i64),
                    SCALAR(l, STORE_ambient, "step", DT_i64)};
    all_results(l, loop_over(l, &b, number(l, s.time), s.backwards, args, 4));
}

/* Carries of every type; some only copied, one that nobody reads, a result that is an input. */
static void build_types(Lab *l, Sizes s)
{
    Lab b = body_new(l);
    Node *x = INPUT(&b, STORE_each, "x", DT_i32, s.width), *args[2 * DT_COUNT + 2];
    args[0] = INPUT(l, STORE_data, "xs", DT_i32, s.time, s.width);
    for (int t = 0; t < DT_COUNT; t++) {
        const char *name = arena_print(l->arena, "%s", dtype_name((DType)t)),
                   *old = arena_print(l->arena, "old %s", name);
        Node *c = INPUT(&b, STORE_carry, name, (DType)t, s.width);
        INPUT(&b, STORE_carry, old, (DType)t, s.width);
        Node *step = make_cast(b.g, x, (DType)t);
        update(&b, name, t == DT_bool ? make_unary(b.g, OP_not, make_binary(b.g, OP_and, c, step)) : add(&b, c, step));
        update(&b, old, c);
        args[1 + 2 * t] = INPUT(l, STORE_data, name, (DType)t, s.width);
        args[2 + 2 * t] = INPUT(l, STORE_data, old, (DType)t, s.width);
    }
    result(&b, "0", x);
    all_results(l, loop_over(l, &b, number(l, s.time), s.backwards, args, 2 * DT_COUNT + 1));
}

/* More carries that change places than there are cursors. */
static void build_many(Lab *l, Sizes s)
{
    enum { MANY = RT_MAX_CURSORS / 2 + 4 };
    Lab b = body_new(l);
    Node *args[MANY], *carry[MANY];
    for (int k = 0; k < MANY; k++) {
        const char *name = arena_print(l->arena, "c%d", k);
        carry[k] = INPUT(&b, STORE_carry, name, DT_f32, s.width);
        args[k] = INPUT(l, STORE_data, name, DT_f32, s.width);
    }
    for (int k = 0; k < MANY; k++)
        update(&b, carry[k]->attr.text, add(&b, turned(&b, carry[k]), mul(&b, carry[k], carry[(k + 7) % MANY])));
    all_results(l, loop_over(l, &b, number(l, s.time), s.backwards, args, MANY));
}

/* A product over so long an axis that its parts are added up in a second step. */
static void build_long(Lab *l, Sizes s)
{
    enum { LONG = 4096 };
    Lab b = body_new(l);
    Node *x = INPUT(&b, STORE_each, "x", DT_f32, 4, LONG), *h = INPUT(&b, STORE_carry, "h", DT_f32, 4, s.width);
    Node *w = INPUT(&b, STORE_outer, "w", DT_f32, LONG, s.width);
    Node *next = add(&b, un(&b, OP_tanh, h), make_einsum(b.g, "bd,de->be", x, w));
    update(&b, "h", next);
    result(&b, "0", next);
    Node *args[] = {INPUT(l, STORE_data, "xs", DT_f32, s.time, 4, LONG),
                    INPUT(l, STORE_data, "start", DT_f32, 4, s.width),
                    INPUT(l, STORE_param, "w", DT_f32, LONG, s.width)};
    all_results(l, loop_over(l, &b, number(l, s.time), s.backwards, args, 3));
}

static Build *const builds[] = {build_elman,    build_lstm,  build_nested, build_until, build_table,
                                build_in_place, build_draws, build_types,  build_many,   build_long};
enum { BUILDS = sizeof builds / sizeof *builds };

static void check_build(Build *build, Sizes s, int threads)
{
    Lab l = lab_new();
    build(&l, s);
    jit_check_some(&l, threads, 2e-5);
    arena_free(l.arena);
}

static void values_of_all_sizes(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 7, 17, 33};
    for (int b = 0; b < BUILDS; b++)
        for (int k = 0; k < 4; k++)
            for (int backwards = 0; backwards < 2; backwards++)
                check_build(builds[b], (Sizes){4 + k, 3, widths[k], backwards}, 1 + k % 2);
}

static void few_iterations(void **state)
{
    (void)state;
    for (int b = 0; b < BUILDS; b++)
        for (int64_t time = 0; time < 4; time++) check_build(builds[b], (Sizes){time, 2, 5, time == 2}, 1);
}

/* Whatever nobody picks is computed into memory of the loop's own. */
static void results_that_nobody_picks(void **state)
{
    (void)state;
    for (int only = 0; only < 3; only++) {
        Lab l = lab_new(), b = body_new(&l);
        Node *x = INPUT(&b, STORE_each, "x", DT_f32, 9), *h = INPUT(&b, STORE_carry, "h", DT_f32, 9);
        update(&b, "h", add(&b, turned(&b, h), x));
        result(&b, "0", mul(&b, h, x));
        result(&b, "1", un(&b, OP_exp, x));
        Node *args[] = {INPUT(&l, STORE_data, "xs", DT_f32, 6, 9), INPUT(&l, STORE_data, "start", DT_f32, 9)};
        result(&l, "only", make_pick(l.g, loop_over(&l, &b, number(&l, 6), false, args, 2), only));
        jit_check_some(&l, 1, 1e-6);
        arena_free(l.arena);
    }
}

/* ---- threads ---- */

static bool has_tiles(const Program *p)
{
    for (int row = 0; row < p->step_count; row++)
        if (!p->steps[row].loop && p->steps[row].extent > p->steps[row].tile) return true;
    return false;
}

/* All outputs' bytes. */
static char *bytes_of_run(Lab *l, int threads, int64_t *size)
{
    const Graph *g = l->g;
    Jit j = jit_new(l, threads);
    assert_true(has_tiles(j.trial.program));                 /* or this test has no object */
    for (int k = 0; k < g->inputs.count; k++)
        jit_set(&j, g->inputs.at[k]->attr.text, tensor_some(l->arena, g->inputs.at[k], k, 8));
    assert_int_equal(jit_run(&j), 0);
    *size = 0;
    for (int k = 0; k < g->outputs.count; k++) *size += type_value_bytes(&g->outputs.at[k].node->type);
    char *bytes = arena_alloc(l->arena, (size_t)*size + 1), *to = bytes;
    for (int k = 0; k < g->outputs.count; k++) {
        tensor_to_bytes(jit_output(&j, &g->outputs.at[k]), to);
        to += type_value_bytes(&g->outputs.at[k].node->type);
    }
    jit_free(&j);
    return bytes;
}

static void threads_give_the_same_bits(void **state)
{
    (void)state;
    static const int counts[] = {2, 3, 8};
    for (int b = 0; b < BUILDS; b++) {
        Lab l = lab_new();
        bool square = builds[b] == build_elman || builds[b] == build_lstm || builds[b] == build_long;
        builds[b](&l, square ? (Sizes){3, 96, 256, b % 2} : (Sizes){3, 4, 70000, b % 2});
        int64_t size;
        const char *one = bytes_of_run(&l, 1, &size);
        for (int k = 0; k < 3; k++) assert_memory_equal(bytes_of_run(&l, counts[k], &size), one, (size_t)size);
        arena_free(l.arena);
    }
}

/* ---- code ---- */

static CodeStatistics statistics_of(Build *build, int64_t time)
{
    Lab l = lab_new();
    build(&l, (Sizes){time, 4, 24, false});
    CodeTable *table = code_table_new();
    Jit j = jit_new_afresh(&l, table);
    CodeStatistics statistics = code_statistics(j.trial.code);
    jit_free(&j);
    code_table_free(table);
    arena_free(l.arena);
    return statistics;
}

static void code_does_not_grow_with_the_length(void **state)
{
    (void)state;
    for (int b = 0; b < BUILDS; b++) {
        CodeStatistics few = statistics_of(builds[b], 5), many = statistics_of(builds[b], 500);
        assert_int_equal(few.kernels, many.kernels);
        assert_int_equal(few.functions, many.functions);
        assert_int_equal(few.code_bytes, many.code_bytes);
    }
}

/* Two layers, one after the other, and the same element work outside: the code of one. */
static void equal_bodies_are_one_code(void **state)
{
    (void)state;
    int functions[3];
    for (int layers = 1; layers < 3; layers++) {
        Lab l = lab_new();
        Node *x = INPUT(&l, STORE_data, "xs", DT_f32, 6, 4, 32);
        for (int k = 0; k < layers; k++) {
            Lab b = body_new(&l);
            Node *e = INPUT(&b, STORE_each, "x", DT_f32, 4, 32), *h = INPUT(&b, STORE_carry, "h", DT_f32, 4, 32);
            Node *u = INPUT(&b, STORE_outer, "u", DT_f32, 32, 32);
            Node *next = un(&b, OP_tanh, add(&b, e, make_einsum(b.g, "bd,de->be", h, u)));
            update(&b, "h", next);
            result(&b, "0", next);
            Node *args[] = {x, INPUT(&l, STORE_state, arena_print(l.arena, "h%d", k), DT_f32, 4, 32),
                            INPUT(&l, STORE_param, arena_print(l.arena, "u%d", k), DT_f32, 32, 32)};
            x = make_pick(l.g, loop_over(&l, &b, number(&l, 6), k == 1, args, 3), 1);
        }
        result(&l, "y", x);
        CodeTable *table = code_table_new();
        Jit j = jit_new_afresh(&l, table);
        functions[layers] = code_statistics(j.trial.code).functions;
        jit_free(&j);
        code_table_free(table);
        jit_check_some(&l, 2, 2e-5);
        arena_free(l.arena);
    }
    assert_int_equal(functions[1], functions[2]);
}

/* ---- faults ---- */

/* What no cursor is left for is said with its place. */
static void too_many_sizes_are_refused(void **state)
{
    (void)state;
    Lab l = lab_new(), b = body_new(&l);
    Node *args[RT_MAX_CURSORS + 1];
    for (int k = 0; k <= RT_MAX_CURSORS; k++) {
        const char *name = arena_print(l.arena, "x%d", k);
        result(&b, name, un(&b, OP_tanh, INPUT(&b, STORE_each, name, DT_f32, k + 1)));
        args[k] = INPUT(&l, STORE_data, name, DT_f32, 2, k + 1);
    }
    Source source = {.path = "deep.ptm"};
    l.g->origin = &(Origin){.place = {&source, 3, 4}};
    all_results(&l, loop_over(&l, &b, number(&l, 2), false, args, RT_MAX_CURSORS + 1));
    lower(&l);
    Diagnostics *d = diag_new(l.arena);
    Trial trial;
    assert_false(trial_open(&trial, l.p, 1, &(CodeOptions){.threads = 1}, d));
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    diag_print(d, out);
    fclose(out);
    assert_non_null(strstr(text, "deep.ptm:3:4: a loop walks along values of too many different sizes"));
    free(text);
    arena_free(l.arena);
}

static void bad_ids_end_the_loop(void **state)
{
    (void)state;
    Lab l = lab_new();
    build_table(&l, (Sizes){6, 3, 5, false});
    Jit j = jit_new(&l, 2);
    for (int k = 0; k < l.g->inputs.count; k++) {
        Tensor *t = tensor_some(l.arena, l.g->inputs.at[k], k, 8);
        if (k == 0) t->i[4 * 3 + 1] = 99;
        jit_set(&j, l.g->inputs.at[k]->attr.text, t);
    }
    assert_int_equal(jit_run(&j), 1);
    assert_int_equal(j.trial.fault.value, 99);
    assert_int_equal(j.trial.fault.bound, 8);
    jit_free(&j);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_all_sizes),
        cmocka_unit_test(few_iterations),
        cmocka_unit_test(results_that_nobody_picks),
        cmocka_unit_test(threads_give_the_same_bits),
        cmocka_unit_test(code_does_not_grow_with_the_length),
        cmocka_unit_test(equal_bodies_are_one_code),
        cmocka_unit_test(bad_ids_end_the_loop),
        cmocka_unit_test(too_many_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
