/* Compiles a graph through every pass, runs the machine code, and compares what lies in the outputs' places with the
 * reference evaluator. */
#ifndef PTM_TESTS_JIT_H
#define PTM_TESTS_JIT_H

#include "tests/passes/lower.h"

#include "codegen/trial.h"

#include <math.h>
#include <stdio.h>

typedef struct Jit {
    Lab  *lab;
    Trial trial;
} Jit;

/* $PTM_TEST_BLAS none: own products. */
static inline Blas jit_blas(void)
{
    const char *blas = getenv("PTM_TEST_BLAS");
    return blas && !strcmp(blas, "none") ? BLAS_none : BLAS_openblas;
}

/* The functions that serve products are many: compiled once for a test program, not for every graph. */
static inline CodeTable *jit_table(void)
{
    static CodeTable *table;
    if (!table) table = code_table_new();
    return table;
}

/* Runs fuse, schedule and plan, then compiles. */
static inline Jit jit_new_with(Lab *l, int threads, CodeOptions options)
{
    Jit j = {.lab = l};
    lower(l);
    Diagnostics *d = diag_new(l->arena);
    options.threads = 1;
    if (jit_blas() == BLAS_none) {
        options.blas = BLAS_none;
        if (!options.llvm && !options.assembly && !options.table) options.table = jit_table();
    }
    bool open = trial_open(&j.trial, l->p, threads, &options, d);
    if (!open) diag_print(d, stderr);
    assert_true(open);
    return j;
}

/* Nothing of it was compiled before, for counting. */
static inline Jit jit_new_afresh(Lab *l, CodeTable *table) { return jit_new_with(l, 1, (CodeOptions){.table = table}); }

static inline Jit jit_new(Lab *l, int threads)
{
    CodeOptions options = {.llvm = getenv("LLVM") ? stdout : NULL, .assembly = getenv("ASM") ? stdout : NULL};
    return jit_new_with(l, threads, options);
}

static inline void jit_free(Jit *j) { trial_close(&j->trial); }

static inline void jit_set(Jit *j, const char *name, const Tensor *value)
{
    if (!trial_set(&j->trial, name, value)) fail_msg("no input named %s", name);
}

/* 0, or 1 with a fault. */
static inline int jit_run(Jit *j) { return trial_run(&j->trial) ? 0 : 1; }

/* What an output of the graph came to. */
static inline Tensor *jit_output(const Jit *j, const Output *o) { return trial_get(&j->trial, j->lab->arena, o); }

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
    for (int k = 0; k < l->g->inputs.count; k++) inputs[k] = tensor_some(l->arena, l->g->inputs.at[k], k, 8);
    jit_check(l, inputs, threads, within, false);
}

#endif
