/* For tests of the elaborator: models from text, a host with a handful of readers, values through the reference evaluator. */
#ifndef PTM_TESTS_PROGRAM_H
#define PTM_TESTS_PROGRAM_H

#include "frontend/frontend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Program {
    Arena       *arena;
    Diagnostics *d;
    Model       *model;
    int          reads;                  /* how often "read" was called */
} Program;

/* --- a host: read, chars, windows, batches; a tokenizer of 10 pieces ------------------------------------------------------ */

static inline bool host_knows(void *context, const char *name)
{
    (void)context;
    static const char *const NAMES[] = { "read", "chars", "windows", "()", "[]", "size" };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (!strcmp(NAMES[i], name)) return true;
    return false;
}

static inline const char *const *host_names(void *context, int *count)
{
    (void)context;
    static const char *const NAMES[] = { "read", "chars", "windows" };
    *count = 3;
    return NAMES;
}

static inline double host_number(const HostArg *args, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (args[i].name && !strcmp(args[i].name, name)) return args[i].number;
    return 0;
}

static inline bool host_call(void *context, const char *name, const HostArg *args, int count, Place place, Arena *arena,
                             Dims *dims, Diagnostics *d, HostArg *results, int *result_count)
{
    Program *p = context;
    (void)arena;
    *result_count = 1;
    results[0] = (HostArg){ .kind = ARG_host, .place = place };
    HostValue *v = &results[0].value;
    v->handle = p;
    if (!strcmp(name, "read")) {
        v->kind = HOST_text;
        p->reads++;
    } else if (!strcmp(name, "chars")) {
        v->kind = HOST_tokenizer;
    } else if (!strcmp(name, "()")) {
        const Dim *n = dim_int(dims, 1000);
        v->kind = HOST_ids;
        v->type = type_of(DT_i32, 1, &n);
    } else if (!strcmp(name, "windows")) {
        const Dim *shape[2] = { dim_int(dims, (int64_t)host_number(args, count, "batch")),
                                dim_int(dims, (int64_t)host_number(args, count, "length")) };
        v->kind = HOST_stream;
        v->type = type_of(DT_i32, 2, shape);
    } else if (!strcmp(name, "size")) {
        results[0] = (HostArg){ .kind = ARG_number, .number = 10 };
    } else if (!strcmp(name, "[]") && args[1].kind == ARG_text && !strcmp(args[1].text, "z")) {
        diag_error(d, place, "the tokenizer has no piece \"z\"");
        return false;
    } else {
        results[0] = (HostArg){ .kind = ARG_number, .number = 3 };
    }
    return true;
}

/* --- programs --------------------------------------------------------------------------------------------------------------- */

static inline Program *program_with(const char *text, const Setting *settings, int count)
{
    Arena *arena = arena_new();
    Program *p = arena_new_of(arena, Program);
    p->arena = arena;
    p->d = diag_new(arena);
    Source *source = arena_new_of(arena, Source);
    *source = (Source){ .path = "test.ptm", .text = text, .size = strlen(text) };
    Ast *ast = ast_parse(arena, source, (const char *const[]){ NULL }, p->d);
    if (!ast || diag_error_count(p->d)) {
        diag_print(p->d, stderr);
        fail_msg("the program does not parse");
    }
    Host *host = arena_new_of(arena, Host);
    *host = (Host){ .context = p, .knows = host_knows, .names = host_names, .call = host_call };
    ModelOptions options = { .settings = settings, .setting_count = count, .host = host, .real = DT_f32 };
    p->model = model_new(arena, ast, &options, p->d);
    return p;
}

static inline Program *program_new(const char *text) { return program_with(text, NULL, 0); }

static inline void program_free(Program *p) { arena_free(p->arena); }

static inline void assert_clean(Program *p)
{
    if (!diag_error_count(p->d)) return;
    diag_print(p->d, stderr);
    fail_msg("unexpected errors");
}

/* All messages as printed. */
static inline char *program_messages(Program *p)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    diag_print(p->d, out);
    fclose(out);
    char *copy = arena_copy_text(p->arena, text, size);
    free(text);
    return copy;
}

static inline void assert_says(Program *p, const char *wanted)
{
    const char *all = program_messages(p);
    if (!strstr(all, wanted)) fail_msg("wanted: %s\nmessages:\n%s", wanted, all);
}

static inline void assert_silent_about(Program *p, const char *unwanted)
{
    const char *all = program_messages(p);
    if (strstr(all, unwanted)) fail_msg("unwanted: %s\nmessages:\n%s", unwanted, all);
}

/* The messages of `check` on a program contain the text. */
static inline void check_says(const char *text, const char *wanted)
{
    Program *p = program_new(text);
    model_check(p->model, p->d);
    assert_says(p, wanted);
    program_free(p);
}

static inline void check_is_clean(const char *text)
{
    Program *p = program_new(text);
    model_check(p->model, p->d);
    const char *all = program_messages(p);
    if (*all) fail_msg("unexpected messages:\n%s", all);
    program_free(p);
}

/* --- values ------------------------------------------------------------------------------------------------------------------ */

/* An argument: its dtype, shape (0 ends it) and elements. */
typedef struct Given {
    DType         dtype;
    int64_t       shape[4];
    const double *values;
} Given;

static inline Type given_type(Program *p, const Given *g)
{
    Type type = type_scalar(g->dtype);
    for (int i = 0; i < 4 && g->shape[i]; i++) type.dim[type.rank++] = dim_int(model_dims(p->model), g->shape[i]);
    return type;
}

static inline Tensor *given_tensor(Program *p, const Given *g)
{
    Tensor *t = tensor_new(p->arena, given_type(p, g));
    for (int64_t i = 0; i < t->count; i++) {
        if (t->f) t->f[i] = g->values[i];
        else t->i[i] = (int64_t)g->values[i];
    }
    return t;
}

static inline Graph *program_entry(Program *p, const char *name, const Given *given, int count, bool training)
{
    EntryArg args[8];
    for (int i = 0; i < count; i++) args[i] = (EntryArg){ given_type(p, &given[i]), model_entry_parameter(p->model, name, i) };
    return model_entry(p->model, name, args, count, training, p->d);
}

/* The value of a parameter's or state's initial graph with a seed. */
static inline Tensor *initial_value(Program *p, const Graph *g, int64_t seed)
{
    Tensor *inputs[4], *results[4];
    assert_non_null(g);
    for (int i = 0; i < g->inputs.count; i++) {
        inputs[i] = tensor_new(p->arena, g->inputs.at[i]->type);
        if (!strcmp(g->inputs.at[i]->attr.text, "seed")) inputs[i]->i[0] = seed;
    }
    const char *why = graph_eval(g, inputs, results, p->arena);
    if (why) fail_msg("%s", why);
    return results[0];
}

/* Evaluates a graph: data inputs in the order given, parameters at their initial value, ambients 1. */
static inline Tensor **program_eval(Program *p, const Graph *g, const Given *given, int count)
{
    Tensor **inputs = arena_array(p->arena, Tensor *, g->inputs.count + 1);
    Tensor **results = arena_array(p->arena, Tensor *, g->outputs.count + 1);
    int next = 0;
    for (int i = 0; i < g->inputs.count; i++) {
        const Node *n = g->inputs.at[i];
        if (n->attr.storage == STORE_data) {
            assert_true(next < count);
            inputs[i] = given_tensor(p, &given[next++]);
        } else if (n->attr.storage == STORE_param) {
            inputs[i] = initial_value(p, model_find_param(p->model, n->attr.text)->initial, 1);
        } else {
            inputs[i] = tensor_new(p->arena, n->type);
            if (inputs[i]->i) inputs[i]->i[0] = 1;
        }
    }
    const char *why = graph_eval(g, inputs, results, p->arena);
    if (why) fail_msg("%s", why);
    return results;
}

static inline double element(const Tensor *t, int64_t i) { return t->f ? t->f[i] : (double)t->i[i]; }

static inline void assert_values(const Tensor *t, const double *wanted, int count, double tolerance)
{
    assert_int_equal(t->count, count);
    for (int i = 0; i < count; i++) {
        double x = element(t, i);
        bool same = x == wanted[i] || (isnan(x) && isnan(wanted[i])) || fabs(x - wanted[i]) <= tolerance;
        if (!same) fail_msg("element %d: %.9g, wanted %.9g", i, x, wanted[i]);
    }
}

#define VALUES(...) (const double[]){ __VA_ARGS__ }, (int)(sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double))

/* Entry f of the program on these arguments gives these values (f32 rounding of sums of a few terms: 1e-6). */
static inline void assert_f(const char *text, const Given *given, int count, const double *wanted, int wanted_count)
{
    Program *p = program_new(text);
    Graph *g = program_entry(p, "f", given, count, false);
    assert_clean(p);
    assert_values(program_eval(p, g, given, count)[0], wanted, wanted_count, 1e-6);
    program_free(p);
}

/* An expression of x: f32[3] = [-1, 0.5, 2]. */
static inline void assert_expression(const char *expression, const double *wanted, int count)
{
    char text[1024];
    snprintf(text, sizeof text, "fn f(x: f32[N]) { return %s }\n", expression);
    Given x = { DT_f32, { 3 }, (const double[]){ -1, 0.5, 2 } };
    assert_f(text, &x, 1, wanted, count);
}

#endif
