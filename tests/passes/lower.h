/* What the tests of fuse, schedule and plan share: small graphs by name, and questions about plans. */
#ifndef PTM_TESTS_LOWER_H
#define PTM_TESTS_LOWER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ir/base/arena.h"
#include "passes/passes.h"

#include <stdlib.h>
#include <string.h>

typedef struct Lab {
    Arena *arena;
    Graph *g;
    Plan  *p;
} Lab;

static inline Lab lab_new(void)
{
    Arena *arena = arena_new();
    return (Lab){arena, graph_new(arena, dims_new(arena), "test"), NULL};
}

/* The type of these dimensions: "B" and so on are symbols, valued on first mention. */
static inline Type lab_type(Lab *l, DType dtype, int rank, ...)
{
    Type t = type_scalar(dtype);
    va_list args;
    va_start(args, rank);
    t.rank = rank;
    for (int k = 0; k < rank; k++) {
        const char *name = va_arg(args, const char *);
        static const struct { const char *name; int64_t value; } sizes[] = {
            {"B", 12}, {"T", 64}, {"S", 64}, {"H", 4}, {"K", 32}, {"D", 128}, {"F", 512}, {"V", 65}, {"1", 1}};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            if (!strcmp(sizes[i].name, name))
                t.dim[k] = strcmp(name, "1") ? dim_symbol(l->g->dims, name, sizes[i].value) : dim_int(l->g->dims, 1);
        assert_non_null(t.dim[k]);
    }
    va_end(args);
    return t;
}
#define SHAPE(...) (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), __VA_ARGS__
#define DATA(l, name, ...) make_input((l)->g, STORE_data, name, lab_type(l, DT_f32, SHAPE(__VA_ARGS__)))
#define IDS(l, name, ...) make_input((l)->g, STORE_data, name, lab_type(l, DT_i32, SHAPE(__VA_ARGS__)))
#define PARAM(l, name, ...) make_input((l)->g, STORE_param, name, lab_type(l, DT_f32, SHAPE(__VA_ARGS__)))
#define STATE(l, name, ...) make_input((l)->g, STORE_state, name, lab_type(l, DT_f32, SHAPE(__VA_ARGS__)))

static inline Node *add(Lab *l, Node *a, Node *b) { return make_binary(l->g, OP_add, a, b); }
static inline Node *mul(Lab *l, Node *a, Node *b) { return make_binary(l->g, OP_mul, a, b); }
static inline Node *divide(Lab *l, Node *a, Node *b) { return make_binary(l->g, OP_div, a, b); }
static inline Node *un(Lab *l, Op op, Node *a) { return make_unary(l->g, op, a); }
static inline Node *num(Lab *l, Node *like, double x) { return make_full(l->g, like->type, x); }
static inline Node *neg(Lab *l, Node *a) { return mul(l, a, num(l, a, -1)); }
static inline Node *sub(Lab *l, Node *a, Node *b) { return add(l, a, neg(l, b)); }
static inline Node *sum(Lab *l, Node *a, uint32_t axes) { return make_reduce(l->g, OP_sum, a, axes); }
/* A value of the leading axes, spread over the last one; and a value of the trailing axes, spread over the leading
 * ones. */
static inline Node *over_last(Lab *l, Node *a, Node *like)
{
    int8_t map[MAX_RANK];
    for (int k = 0; k < a->type.rank; k++) map[k] = (int8_t)k;
    Type t = like->type;
    t.dtype = a->type.dtype;
    return make_expand(l->g, a, map, t);
}
static inline Node *over_first(Lab *l, Node *a, Node *like) { return make_broadcast(l->g, a, like->type); }
static inline void result(Lab *l, const char *name, Node *n) { graph_output(l->g, OUTPUT_result, name, n); }
static inline void update(Lab *l, const char *name, Node *n) { graph_output(l->g, OUTPUT_update, name, n); }

/* exp(x - max) / sum(exp(x - max)) over the last axis */
static inline Node *softmax(Lab *l, Node *x)
{
    uint32_t last = 1u << (x->type.rank - 1);
    Node *top = un(l, OP_stop, make_reduce(l->g, OP_reduce_max, x, last));
    Node *e = un(l, OP_exp, sub(l, x, over_last(l, top, x)));
    return divide(l, e, over_last(l, sum(l, e, last), x));
}

static inline Node *layer_norm(Lab *l, Node *x, Node *gain)
{
    uint32_t last = 1u << (x->type.rank - 1);
    Node *s = sum(l, x, last);
    Node *mean = mul(l, s, num(l, s, 1.0 / 128));
    Node *c = sub(l, x, over_last(l, mean, x));
    Node *v = sum(l, mul(l, c, c), last);
    Node *r = divide(l, num(l, v, 1), un(l, OP_sqrt, add(l, mul(l, v, num(l, v, 1.0 / 128)), num(l, v, 1e-5))));
    return mul(l, mul(l, c, over_last(l, r, x)), over_first(l, gain, x));
}

static inline void check_plan(Lab *l, const char *pass)
{
    const char *wrong = plan_verify(l->p, l->arena);
    if (!wrong) return;
    plan_print(l->p, stderr);
    fail_msg("%s: %s", pass, wrong);
}

/* What is in memory says why, and what was refused. */
static inline void check_reasons(const Plan *p)
{
    for (int k = 0; k < p->buffers.count; k++)
        if (p->buffers.at[k]->node->op != OP_input) assert_non_null(p->buffers.at[k]->why);
    for (int k = 0; k < p->kernels.count; k++) {
        const Kernel *kernel = p->kernels.at[k];
        for (int i = 0; i < kernel->refusals.count; i++) assert_non_null(kernel->refusals.at[i].why);
        if (kernel->body) check_reasons(kernel->body);
    }
}

/* Runs the passes from fuse on and verifies after each. memory: as in PassOptions. */
static inline void lower_within(Lab *l, int64_t memory)
{
    PassOptions options = {.loss = "loss", .memory = memory};
    Diagnostics *d = diag_new(l->arena);
    assert_null(graph_verify(l->g, l->arena));
    l->p = pass_fuse(l->arena, l->g, &options, d);
    check_plan(l, "fuse");
    check_reasons(l->p);
    l->p = pass_schedule(l->arena, l->p, &options, d);
    check_plan(l, "schedule");
    if (memory) l->p = pass_recompute(l->arena, l->p, &options, d);
    check_plan(l, "recompute");
    l->p = pass_plan(l->arena, l->p, &options, d);
    check_plan(l, "plan");
    if (getenv("SHOW")) plan_print(l->p, stdout);
}

static inline void lower(Lab *l) { lower_within(l, 0); }

/* "rows contract map": the kinds in order of execution. */
static inline void assert_kinds(Lab *l, const char *wanted)
{
    const char *have = "";
    for (int k = 0; k < l->p->kernels.count; k++)
        have = arena_print(l->arena, "%s%s%s", have, k ? " " : "", kernel_kind_name(l->p->kernels.at[k]));
    if (strcmp(have, wanted)) plan_print(l->p, stderr);
    assert_string_equal(have, wanted);
}

static inline Kernel *kernel_at(Lab *l, int k) { return l->p->kernels.at[k]; }

#endif
