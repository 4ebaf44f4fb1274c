/* Random programs of loops: bodies over a few small dimensions, numbers and symbols, with products, sums, indexing,
 * draws, movement and loops inside; carries that are added to, that stay, that end the loop. Everything is f64 and
 * continuous in its inputs, so that another order of additions shows in the last places only. */
#ifndef PTM_TESTS_RANDOM_LOOPS_H
#define PTM_TESTS_RANDOM_LOOPS_H

#include "passes/build.h"
#include "tests/passes/samples.h"

enum { POOL = 96, LARGEST = 300 };

typedef struct Pool {
    Graph   *g;                          /* a body, or the graph around */
    struct Pool *around;
    uint64_t *state;
    Node    *at[POOL], *ids[4];          /* values; tensors of row numbers */
    int      count, id_count, inputs, depth;
    bool     symbolic;                   /* most dimensions are symbols with a value */
    Node    *index, *seed, *step;
    Node    *args[32];                   /* of a body: what its inputs are given */
    int      arg_count;
} Pool;

static int below(Pool *p, int bound) { return random_below(p->state, bound); }

static Node *keep(Pool *p, Node *n)
{
    if (p->count < POOL && n->type.rank <= 4 && type_value_elements(&n->type) <= LARGEST) p->at[p->count++] = n;
    return n;
}

/* Rather a late value than an early one. */
static Node *pick(Pool *p)
{
    int from = below(p, 3) ? p->count / 2 : 0;
    return p->at[from + below(p, p->count - from)];
}

/* Of 0 to 3: itself, or one of two symbols that stand for it. */
static const Dim *extent(Pool *p, int value)
{
    static const char *const names[][2] = {{"N", "M"}, {"A", "B"}, {"C", "D"}, {"E", "F"}};
    int which = p->symbolic ? below(p, 3) : 0;
    return which ? dim_symbol(p->g->dims, names[value][which - 1], value) : dim_int(p->g->dims, value);
}

static const Dim *length(Pool *p) { return extent(p, 1 + below(p, 3)); }

static Node *scaled(Pool *p, Node *x, double by)
{
    return make_binary(p->g, OP_mul, x, make_full(p->g, x->type, by));
}

static Node *squashed(Pool *p, Node *x) { return make_unary(p->g, below(p, 2) ? OP_tanh : OP_sin, x); }

static Node *same_shape(Pool *p, const Type *type)
{
    for (int k = 0; k < 12; k++) {
        Node *n = pick(p);
        if (type_equal(&n->type, type)) return n;
    }
    return make_full(p->g, *type, 0.5 * below(p, 3));
}

static Node *element(Pool *p, Node *x)
{
    Node *y = same_shape(p, &x->type);
    switch (below(p, 5)) {
    case 0: return make_binary(p->g, OP_mul, squashed(p, x), squashed(p, y));
    case 1: return make_unary(p->g, OP_exp, squashed(p, x));
    case 2: return make_binary(p->g, OP_max, x, y);
    case 3: return squashed(p, x);
    default: return make_binary(p->g, OP_add, x, scaled(p, y, -1));
    }
}

static Node *wider(Pool *p, Node *x)
{
    Type type = {.dtype = x->type.dtype};
    int8_t map[MAX_RANK] = {0};
    for (int k = 0; k <= x->type.rank; k++) {
        if (type.rank + x->type.rank - k < 4 && below(p, 2)) type.dim[type.rank++] = length(p);
        if (k == x->type.rank) break;
        map[k] = (int8_t)type.rank;
        type.dim[type.rank++] = x->type.dim[k];
    }
    return make_expand(p->g, x, map, type);
}

static Node *moved(Pool *p, Node *x)
{
    int rank = x->type.rank, axis = rank ? below(p, rank) : 0;
    int8_t map[MAX_RANK];
    const Dim *one = dim_int(p->g->dims, 1);
    if (!rank) return wider(p, x);
    for (int k = 0; k < rank; k++) map[k] = (int8_t)((k + axis) % rank);
    switch (below(p, 7)) {
    case 0: return make_permute(p->g, x, map);
    case 1: return build_flip(p->g, x, axis);
    case 2: return build_part(p->g, x, axis, dim_sub(p->g->dims, x->type.dim[axis], one), one);
    case 3: return build_place(p->g, x, axis, one, dim_add(p->g->dims, x->type.dim[axis], one));
    case 4: return make_concat(p->g, (Node *[]){x, squashed(p, x)}, 2, axis);
    case 5: return make_reshape(p->g, x, type_of(DT_f64, 1, (const Dim *[]){type_elements(p->g->dims, &x->type)}));
    default: return wider(p, x);
    }
}

static Node *reduced(Pool *p, Node *x)
{
    int rank = x->type.rank;
    if (!rank) return squashed(p, x);
    if (below(p, 4) == 0) return scaled(p, make_cumsum(p->g, x, below(p, rank)), 0.3);
    uint32_t axes = 1 + (uint32_t)below(p, (1 << rank) - 1);
    return below(p, 4) ? scaled(p, make_reduce(p->g, OP_sum, x, axes), 0.3) : make_reduce(p->g, OP_reduce_max, x, axes);
}

static Node *product(Pool *p, Node *x)
{
    Node *y = pick(p);
    char a[MAX_RANK + 1] = {0}, b[MAX_RANK + 1] = {0}, out[MAX_RANK + 1] = {0};
    int letters = x->type.rank, count = 0;
    for (int k = 0; k < x->type.rank; k++) a[k] = (char)('a' + k);
    for (int k = 0; k < y->type.rank; k++) {
        for (int j = 0; j < x->type.rank && !b[k]; j++)
            if (x->type.dim[j] == y->type.dim[k] && !strchr(b, a[j]) && below(p, 4)) b[k] = a[j];
        if (!b[k]) b[k] = (char)('a' + letters++);
    }
    int first = letters ? below(p, letters) : 0;
    for (int k = 0; k < letters && count < 3; k++)
        if (below(p, 3)) out[count++] = (char)('a' + (first + k) % letters);
    return scaled(p, make_einsum(p->g, arena_print(p->g->arena, "%s,%s->%s", a, b, out), x, y), 0.3);
}

/* Row numbers are from -1 to 2: some axis of three elements. */
static Node *indexed(Pool *p, Node *x)
{
    for (int axis = 0; axis < x->type.rank && p->id_count; axis++) {
        Node *ids = p->ids[below(p, p->id_count)];
        if (dim_value(x->type.dim[axis]) != 3) continue;
        Node *rows = make_gather(p->g, x, &ids, 1, axis);
        if (below(p, 2)) return rows;
        Node *onto = below(p, 2) ? make_full(p->g, x->type, 0) : x;
        return make_scatter(p->g, onto, squashed(p, rows), &ids, 1, axis, below(p, 3) > 0);
    }
    return element(p, x);
}

static Node *drawn(Pool *p)
{
    Type type = type_of(DT_f64, 2, (const Dim *[]){length(p), length(p)});
    Node *args[] = {p->seed, p->step, p->index};
    return build(p->g, OP_uniform, args, 3, &(Attr){.text = below(p, 2) ? "one" : "two"}, &type);
}

static void random_loop(Pool *around);

static void random_value(Pool *p)
{
    Node *x = pick(p);
    int kind = below(p, 15);
    if (kind == 14 && p->depth < 2) {
        random_loop(p);
        return;
    }
    keep(p, kind < 4                  ? element(p, x)
            : kind < 7                ? moved(p, x)
            : kind < 9                ? reduced(p, x)
            : kind < 11               ? product(p, x)
            : kind < 13               ? indexed(p, x)
            : kind == 13 && p->depth  ? drawn(p)
                                      : squashed(p, x));
}

static Node *body_input(Pool *p, Storage storage, Node *arg, Type type)
{
    p->args[p->arg_count++] = arg;
    return make_input(p->g, storage, arena_print(p->g->arena, "in%d", p->inputs++), type);
}

static Type row_type(const Type *type)
{
    Type row = {.dtype = type->dtype, .rank = type->rank - 1};
    for (int k = 0; k < row.rank; k++) row.dim[k] = type->dim[k + 1];
    return row;
}

/* Whatever is around and has `count` first: one element for each iteration. */
static void add_each(Pool *p, const Dim *count)
{
    for (int k = 0; k < p->around->count && p->arg_count < 8; k++) {
        Node *x = p->around->at[k];
        if (x->type.rank && x->type.dim[0] == count && below(p, 2))
            keep(p, body_input(p, STORE_each, x, row_type(&x->type)));
    }
    for (int k = 0; k < p->around->id_count; k++) {
        Node *x = p->around->ids[k];
        bool along = x->type.rank == 2 && x->type.dim[0] == count;
        if (p->id_count < 4)
            p->ids[p->id_count++] = along && below(p, 2) ? body_input(p, STORE_each, x, row_type(&x->type))
                                                         : body_input(p, STORE_outer, x, x->type);
    }
}

static void open_body(Pool *p, Pool *around, const Dim *count)
{
    Type number = type_scalar(DT_i64);
    *p = (Pool){.around = around, .state = around->state, .depth = around->depth + 1, .symbolic = around->symbolic};
    p->g = graph_new(around->g->arena, around->g->dims, "body");
    p->index = make_input(p->g, STORE_ambient, "index", number);
    if (around->index) {
        Node *place = body_input(p, STORE_outer, around->index, number);
        Node *before = make_binary(p->g, OP_mul, place, make_whole(p->g, DT_i64, dim_value(count)));
        p->index = make_binary(p->g, OP_add, before, p->index);
    }
    p->seed = body_input(p, STORE_outer, around->seed, number);
    p->step = body_input(p, STORE_outer, around->step, number);
    add_each(p, count);
    for (int k = 2; k > 0; k--) {
        Node *x = pick(around);
        keep(p, body_input(p, STORE_outer, x, x->type));
    }
}

/* Some tables that each go on from the one before, with rows of any of them. */
static Node *rewritten(Pool *p, Node *table)
{
    Node *from[4] = {table};
    for (int k = 0; k < 3 && p->id_count && table->type.rank && dim_value(table->type.dim[0]) == 3; k++) {
        Node *ids = p->ids[below(p, p->id_count)], *rows = make_gather(p->g, from[below(p, k + 1)], &ids, 1, 0);
        if (below(p, 3) == 0) keep(p, rows);
        from[k + 1] = make_scatter(p->g, from[k], squashed(p, rows), &ids, 1, 0, below(p, 2));
        table = from[k + 1];
    }
    return table;
}

/* What a carry is added to, if it is added to; else a squashed value, some rows, or itself. */
static Node *new_value(Pool *p, Node *carry)
{
    int kind = below(p, 9);
    if (kind == 0) return carry;
    if (kind == 8) return rewritten(p, carry);
    Node *n = same_shape(p, &carry->type);
    for (int tries = 0; tries < 40 && n->op == OP_expand; tries++) n = same_shape(p, &carry->type);
    if (kind > 4) return squashed(p, n);
    n = make_binary(p->g, OP_add, carry, scaled(p, n, 0.3));
    if (below(p, 5) == 0) keep(p, n);
    return kind == 4 ? make_binary(p->g, OP_add, same_shape(p, &carry->type), n) : n;
}

/* A loop with up to three carries; those that are only added to are not among the values that others are made of. */
static void random_loop(Pool *around)
{
    Pool p;
    const Dim *count = extent(around, below(around, 4));
    Node *carry[4];
    int carries = below(around, 4), until = around->depth == 0 && below(around, 5) == 0;
    open_body(&p, around, count);
    for (int k = 0; k < carries; k++) {
        Node *first = pick(around);
        carry[k] = body_input(&p, STORE_carry, first, first->type);
        if (k == 0 || below(&p, 2)) keep(&p, carry[k]);
    }
    for (int k = 4 + below(&p, 12); k > 0; k--) random_value(&p);
    for (int k = 0; k < carries; k++)
        graph_output(p.g, OUTPUT_update, carry[k]->attr.text, new_value(&p, carry[k]));
    for (int k = below(&p, 4); k > 0; k--)
        graph_output(p.g, OUTPUT_result, arena_print(p.g->arena, "%d", k), pick(&p));
    if (until) {
        Node *first = make_whole(around->g, DT_bool, below(&p, 6) == 0);
        Node *ends = body_input(&p, STORE_carry, first, type_scalar(DT_bool));
        Node *late = make_binary(p.g, OP_lt, make_whole(p.g, DT_i64, 0), p.index);
        graph_output(p.g, OUTPUT_update, ends->attr.text, late);
    }
    Attr attr = {.count = count, .i = below(&p, 2), .axis = until ? carries + 1 : 0};
    Node *scan = make_scan(around->g, p.args, p.arg_count, &attr, p.g);
    for (int k = 0; k < scan_result_count(scan); k++) {
        Node *value = below(&p, 5) ? make_pick(around->g, scan, k) : NULL;
        if (value && value->type.dtype == DT_f64 && type_value_elements(&value->type)) keep(around, value);
    }
}

static Type shape_of(Pool *p, DType dtype, int rank, const int *extents)
{
    Type type = {.dtype = dtype, .rank = rank};
    for (int k = 0; k < rank; k++) type.dim[k] = extent(p, extents[k]);
    return type;
}
#define EXTENTS(p, dtype, ...) \
    shape_of(p, dtype, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (const int[]){__VA_ARGS__})

static void random_program(Pool *p)
{
    Graph *g = p->g;
    Type number = type_scalar(DT_i64);
    p->seed = make_input(g, STORE_ambient, "seed", number);
    p->step = make_input(g, STORE_ambient, "step", number);
    p->ids[p->id_count++] = data(g, "ids", EXTENTS(p, DT_i32, 3, 2));
    p->ids[p->id_count++] = data(g, "one", EXTENTS(p, DT_i32, 2));
    keep(p, param(g, "a", EXTENTS(p, DT_f64, 3, 3, 2)));
    keep(p, param(g, "b", EXTENTS(p, DT_f64, 2, 3)));
    keep(p, param(g, "c", EXTENTS(p, DT_f64, 1, 3)));
    keep(p, data(g, "d", EXTENTS(p, DT_f64, 3)));
    keep(p, param(g, "e", EXTENTS(p, DT_f64, 3, 3)));
    int inputs = p->count;
    for (int k = 0; k < 3; k++) random_loop(p);
    Node *loss = make_float(g, DT_f64, 0);
    for (int k = inputs; k < p->count; k++) {
        Node *x = p->at[k];
        graph_output(g, OUTPUT_result, arena_print(g->arena, "%d", k), x);
        Node *part = squashed(p, scaled(p, x, 1.0 / (1 + k)));
        if (x->type.rank) part = make_reduce(g, OP_sum, part, (1u << x->type.rank) - 1);
        loss = make_binary(g, OP_add, loss, part);
    }
    graph_output(g, OUTPUT_result, "loss", loss);
}

static bool has_until(const Graph *g)
{
    for (int k = 0; k < g->nodes.count; k++)
        if (g->nodes.at[k]->op == OP_scan && g->nodes.at[k]->attr.axis) return true;
    return false;
}

/* The gradient, if it has one. */
static Graph *random_gradient(Graph *g)
{
    if (has_until(g)) return NULL;
    PassOptions options = options_for(g->arena, g);
    Graph *gradient = pass_grad(g->arena, g, &options, diag_new(g->arena));
    assert_non_null(gradient);
    return gradient;
}

static Graph *random_loops(Arena *arena, uint64_t seed, bool symbolic)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u;
    Pool pool = {.g = new_graph(arena), .state = &state, .symbolic = symbolic};
    random_program(&pool);
    assert_null(graph_verify(pool.g, arena));
    return pool.g;
}

#endif
