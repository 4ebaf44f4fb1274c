/* Compiles a graph through every pass, runs the machine code, and compares what lies in the outputs' places with the
 * reference evaluator. */
#ifndef PTM_TESTS_JIT_H
#define PTM_TESTS_JIT_H

#include "tests/passes/lower.h"

#include "codegen/codegen.h"
#include "ir/eval.h"
#include "runtime/core/memory.h"
#include "tests/paint.h"
#include "runtime/core/pool.h"

#include <math.h>
#include <stdio.h>

typedef struct Jit {
    Lab     *lab;
    Code    *code;
    const Program *program;
    Pool    *pool;
    char    *block[BLOCK_COUNT];
    RtFault  fault;
} Jit;

/* Runs fuse, schedule and plan, then compiles. */
static inline Jit jit_new_with(Lab *l, int threads, CodeOptions options)
{
    Jit j = {.lab = l};
    lower(l);
    Diagnostics *d = diag_new(l->arena);
    options.threads = 1;
    j.code = code_compile(l->p, "test", &options, d);
    if (!j.code) diag_print(d, stderr);
    assert_non_null(j.code);
    j.program = code_program(j.code);
    j.pool = rt_pool_new(threads, j.program->scratch_bytes);
    assert_non_null(j.pool);
    for (int b = 0; b < BLOCK_COUNT; b++) {
        j.block[b] = rt_memory_new(j.program->block_bytes[b]);
        assert_non_null(j.block[b]);
        paint(j.block[b], j.program->block_bytes[b]);
    }
    return j;
}

static inline Jit jit_new(Lab *l, int threads)
{
    CodeOptions options = {.llvm = getenv("LLVM") ? stdout : NULL, .assembly = getenv("ASM") ? stdout : NULL};
    return jit_new_with(l, threads, options);
}

static inline void jit_free(Jit *j)
{
    for (int b = 0; b < BLOCK_COUNT; b++) rt_memory_free(j->block[b], j->program->block_bytes[b]);
    rt_pool_free(j->pool);
    code_free(j->code);
}

static inline char *jit_bytes(const Jit *j, int64_t place)
{
    return rt_at(j->block, place);
}

static inline const RtValue *jit_value(const RtValue *at, int count, const char *name)
{
    for (int k = 0; k < count; k++)
        if (!strcmp(at[k].name, name)) return &at[k];
    fail_msg("no value named %s", name);
    return NULL;
}

static inline void jit_set(const Jit *j, const char *name, const Tensor *value)
{
    const RtValue *v = jit_value(j->program->inputs, j->program->input_count, name);
    assert_int_equal(v->bytes, type_value_bytes(&value->type));
    tensor_to_bytes(value, jit_bytes(j, v->place));
}

/* 0, or 1 with a fault. */
static inline int jit_run(Jit *j) { return rt_program_run(j->program, j->pool, j->block, &j->fault); }

/* What an output of the graph came to: a result from its place, an update from the place of the input it updates. */
static inline Tensor *jit_output(const Jit *j, const Output *o)
{
    const RtValue *v = o->kind == OUTPUT_update ? jit_value(j->program->inputs, j->program->input_count, o->name)
                                                : jit_value(j->program->outputs, j->program->output_count, o->name);
    return tensor_from_bytes(j->lab->arena, o->node->type, jit_bytes(j, v->place));
}

/* within: relative to the larger of 1 and the wanted value. NaN agrees with NaN, infinities and zeros by sign (not
 * zeros after a sum, whose order is free: signed says whether to look). */
static inline void jit_compare(const Tensor *have, const Tensor *want, double within, bool with_sign, const char *name)
{
    assert_true(have->count == want->count);
    for (int64_t k = 0; k < have->count; k++) {
        if (have->i) {
            if (have->i[k] != want->i[k])
                fail_msg("%s [%lld] is %lld, not %lld", name, (long long)k, (long long)have->i[k],
                         (long long)want->i[k]);
            continue;
        }
        double a = have->f[k], b = want->f[k];
        bool same = isnan(b) ? isnan(a) : isinf(b) ? a == b : fabs(a - b) <= within * fmax(1, fabs(b));
        if (same && with_sign && b == 0 && a == 0) same = !signbit(a) == !signbit(b);
        if (!same) fail_msg("%s [%lld] is %.9g, not %.9g", name, (long long)k, a, b);
    }
}

static inline Tensor *jit_some(Arena *arena, const Node *input, int salt)
{
    Tensor *t = tensor_new(arena, input->type);
    uint32_t x = 12345u + (uint32_t)salt * 7919u;
    bool moment = strstr(input->attr.text, "optimizer.") != NULL;
    for (int64_t k = 0; k < t->count; k++) {
        x = x * 1664525u + 1013904223u;
        double unit = (x >> 8) * 0x1p-24;
        if (t->f) t->f[k] = (float)(moment ? unit : 0.6 * unit - 0.3);
        else t->i[k] = input->type.dtype == DT_bool ? unit < 0.5 : input->type.rank ? (int64_t)(unit * 8) : 3;
    }
    char *bytes = arena_alloc(arena, (size_t)type_value_bytes(&t->type) + 1);            /* what the type can hold */
    tensor_to_bytes(t, bytes);
    return tensor_from_bytes(arena, t->type, bytes);
}

/* Runs compiled code and evaluator on the same inputs. */
static inline void jit_check(Lab *l, Tensor *const *inputs, int threads, double within, bool with_sign)
{
    const Graph *g = l->g;
    Jit j = jit_new(l, threads);
    Tensor **wanted = arena_array(l->arena, Tensor *, g->outputs.count + 1);
    for (int k = 0; k < g->inputs.count; k++) jit_set(&j, g->inputs.at[k]->attr.text, inputs[k]);
    const char *why = graph_eval(g, inputs, wanted, l->arena);
    if (why) fail_msg("%s", why);
    assert_int_equal(jit_run(&j), 0);
    for (int k = 0; k < g->outputs.count; k++)
        jit_compare(jit_output(&j, &g->outputs.at[k]), wanted[k], within, with_sign, g->outputs.at[k].name);
    jit_free(&j);
}

static inline void jit_check_some(Lab *l, int threads, double within)
{
    Tensor **inputs = arena_array(l->arena, Tensor *, l->g->inputs.count + 1);
    for (int k = 0; k < l->g->inputs.count; k++) inputs[k] = jit_some(l->arena, l->g->inputs.at[k], k);
    jit_check(l, inputs, threads, within, false);
}

#endif
