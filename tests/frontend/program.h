/* For tests of the elaborator: models from text, a host with a handful of readers, values through the reference
 * evaluator. */
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
    int          runs;                   /* graphs of data */
    Map         *saved;                  /* name -> HostArg: constants of a checkpoint; NULL: there is none */
} Program;

/* --- a host: a text of 1000 ids 0 1 2 … 9 0 1 …, a column of 3 texts; a tokenizer of 10 pieces; an array is a Tensor
 * ------ */

static inline bool host_knows(void *context, const char *name)
{
    (void)context;
    static const char *const NAMES[] = { "read", "lines", "chars", "windows", "batches", "()", "[]", "size" };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (!strcmp(NAMES[i], name)) return true;
    return false;
}

static inline const char *const *host_names(void *context, int *count)
{
    (void)context;
    static const char *const NAMES[] = { "read", "lines", "chars", "windows", "batches" };
    *count = 5;
    return NAMES;
}

static inline HostValue host_tensor(Tensor *t)
{
    bool ids = t->type.rank == 1 && t->type.dtype == DT_i32;
    return (HostValue){ .handle = t, .kind = ids ? HOST_ids : HOST_array, .type = t->type };
}

/* The reference evaluator in place of compiled code. */
static inline bool host_run(void *context, Graph *graph, const HostArg *inputs, Place place, Diagnostics *d,
                            HostArg *results)
{
    Program *p = context;
    Tensor **given = arena_array(p->arena, Tensor *, graph->inputs.count + 1);
    Tensor **out = arena_array(p->arena, Tensor *, graph->outputs.count);
    p->runs++;
    for (int i = 0; i < graph->inputs.count; i++) given[i] = inputs[i].value.handle;
    const char *why = graph_eval(graph, given, out, p->arena);
    if (why) diag_error(d, place, "%s", why);
    for (int i = 0; !why && i < graph->outputs.count; i++) {
        Tensor *t = out[i];
        bool truth = t->type.dtype == DT_bool;
        results[i] = (HostArg){ .kind = ARG_host };
        if (t->type.rank) results[i].value = host_tensor(t);
        else results[i] = (HostArg){ .kind = truth ? ARG_bool : ARG_number,
                                     .number = t->f ? t->f[0] : (double)t->i[0] };
    }
    return !why;
}

static inline bool host_saved(void *context, const char *name, Place place, Diagnostics *d, Dims *dims, HostArg *out)
{
    const Program *p = context;
    const HostArg *arg = p->saved ? map_get(p->saved, name) : NULL;
    (void)place, (void)d, (void)dims;
    if (arg) *out = *arg;
    return arg != NULL;
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
    } else if (!strcmp(name, "lines")) {
        const Dim *n = dim_int(dims, 3);
        v->kind = HOST_column;
        v->type = type_of(DT_i32, 1, &n);
    } else if (!strcmp(name, "chars")) {
        v->kind = HOST_tokenizer;
    } else if (!strcmp(name, "()") && args[1].value.kind == HOST_column) {
        *v = args[1].value;
        v->kind = HOST_ragged;
    } else if (!strcmp(name, "()")) {
        const Dim *n = dim_int(dims, 1000);
        Tensor *ids = tensor_new(p->arena, type_of(DT_i32, 1, &n));
        for (int i = 0; i < 1000; i++) ids->i[i] = i % 10;
        *v = host_tensor(ids);
    } else if (!strcmp(name, "batches")) {
        if (args[0].kind != ARG_host || args[0].value.kind == HOST_text) {
            diag_error(d, place, "batches are made of arrays");
            return false;
        }
        *v = args[0].value;
        v->kind = HOST_stream;
        v->type.dim[0] = dim_int(dims, (int64_t)host_number(args, count, "size"));
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

/* --- programs
 * --------------------------------------------------------------------------------------------------------------- */

static inline Program *program_saved(const char *text, const Setting *settings, int count, Arena *arena, Map *saved)
{
    Program *p = arena_new_of(arena, Program);
    p->arena = arena;
    p->saved = saved;
    p->d = diag_new(arena);
    Source *source = arena_new_of(arena, Source);
    *source = (Source){ .path = "test.ptm", .text = text, .size = strlen(text) };
    Ast *ast = ast_parse(arena, source, (const char *const[]){ NULL }, p->d);
    if (!ast || diag_error_count(p->d)) {
        diag_print(p->d, stderr);
        fail_msg("the program does not parse");
    }
    Host *host = arena_new_of(arena, Host);
    *host = (Host){ .context = p, .knows = host_knows, .names = host_names, .call = host_call,
                    .run = host_run, .saved = host_saved };
    ModelOptions options = { .settings = settings, .setting_count = count, .host = host, .real = DT_f32 };
    p->model = model_new(arena, ast, &options, p->d);
    return p;
}

static inline Program *program_with(const char *text, const Setting *settings, int count)
{
    return program_saved(text, settings, count, arena_new(), NULL);
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

/* --- values
 * ------------------------------------------------------------------------------------------------------------------ */

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
    for (int i = 0; i < count; i++)
        args[i] = (EntryArg){ given_type(p, &given[i]), model_entry_parameter(p->model, name, i) };
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

static inline Tensor *table_value(Program *p, const char *name)
{
    for (int i = 0; i < model_table_count(p->model); i++)
        if (!strcmp(model_table(p->model, i)->name, name)) return model_table(p->model, i)->handle;
    fail_msg("no table %s", name);
    return NULL;
}

/* Evaluates a graph: data inputs in the order given, tables as data made them, parameters and states at their initial
 * value, ambients 1. */
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
        } else if (n->attr.storage == STORE_const) {
            inputs[i] = table_value(p, n->attr.text);
        } else if (n->attr.storage == STORE_param) {
            inputs[i] = initial_value(p, model_find_param(p->model, n->attr.text)->initial, 1);
        } else if (n->attr.storage == STORE_state) {
            inputs[i] = initial_value(p, model_state_initial(p->model, n), 1);
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
