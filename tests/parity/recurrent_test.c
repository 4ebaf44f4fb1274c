/* The gallery's recurrent layers compiled, beside numbers that PyTorch computed in float64: outputs, states and
 * gradients of two layers each, in two runs of which the second goes on from the states of the first.
 * recurrent_reference.txt holds the numbers and says the formulas; recurrent_torch.py makes it. */
#include "tests/parity/compiled.h"

#include "frontend/frontend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CASES = 16, MOST_ROWS = 32, NAME_BYTES = 64, RUNS = 2, NUMBERS = 5, THREADS = 2 };

typedef enum RowKind { ROW_output, ROW_state, ROW_gradient } RowKind;
static const char *const ROW_KINDS[] = {"output", "state", "gradient"};

/* One tensor: its norm, its product with wave(1), its elements 0, n/2 and n-1. */
typedef struct Row {
    RowKind kind;
    char name[NAME_BYTES]; /* of the gradient of a parameter, or of x: what it is by */
    double numbers[NUMBERS];
} Row;

typedef struct Run {
    double loss;
    Row rows[MOST_ROWS];
    int count;
} Run;

typedef struct Case {
    char name[NAME_BYTES];
    bool masked;
    int64_t outputs; /* last axis of the outputs */
    Run runs[RUNS];
} Case;

typedef struct Reference {
    int64_t B, T, I;
    Case cases[MOST_CASES];
    int count;
} Reference;

/* The one error of a comparison that is largest. */
typedef struct Worst {
    double error;
    char what[2 * NAME_BYTES];
} Worst;

/* the file */

static bool read_row(const char *line, Row *row)
{
    char kind[NAME_BYTES];
    double *n = row->numbers;
    if (sscanf(line, "%63s %63s %lf %lf %lf %lf %lf", kind, row->name, &n[0], &n[1], &n[2], &n[3], &n[4]) != 7)
        return false;
    for (int k = 0; k < 3; k++) {
        row->kind = (RowKind)k;
        if (!strcmp(kind, ROW_KINDS[k])) return true;
    }
    return false;
}

static void read_line(Reference *r, Run **run, const char *line)
{
    char name[NAME_BYTES], mask[NAME_BYTES];
    int64_t value;
    Row row;
    Case *c = r->count ? &r->cases[r->count - 1] : NULL;
    if (sscanf(line, "size %63s %" SCNd64, name, &value) == 2) {
        int64_t *const sizes[] = {&r->B, &r->T, &r->I};
        for (int k = 0; k < 3; k++)
            if (name[0] == "BTI"[k]) *sizes[k] = value;
    } else if (sscanf(line, "case %63s %63s %" SCNd64, name, mask, &value) == 3) {
        assert_true(r->count < MOST_CASES);
        c = &r->cases[r->count++];
        snprintf(c->name, sizeof c->name, "%s", name);
        c->masked = !strcmp(mask, "masked");
        c->outputs = value;
    } else if (sscanf(line, "run %" SCNd64, &value) == 1) {
        assert_true(c && value >= 0 && value < RUNS);
        *run = &c->runs[value];
    } else if (read_row(line, &row)) {
        assert_true(*run && (*run)->count < MOST_ROWS);
        (*run)->rows[(*run)->count++] = row;
    } else if (!*run || sscanf(line, "loss %lf", &(*run)->loss) != 1) {
        assert_true(line[0] == '#');
    }
}

static Reference *read_reference(Arena *arena)
{
    Reference *r = arena_new_of(arena, Reference);
    Run *run = NULL;
    char line[512];
    FILE *file = fopen(TESTS "/parity/recurrent_reference.txt", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) read_line(r, &run, line);
    fclose(file);
    assert_true(r->count > 0 && r->B > 0 && r->T > 0 && r->I > 0);
    return r;
}

/* values by formula */

static double wave(int k, int64_t i)
{
    return sin(k + (double)i + 0.013 * (double)i * (double)i);
}

static void set(Compiled *c, const char *name, const Tensor *value)
{
    char *bytes = arena_alloc(c->arena, (size_t)type_value_bytes(&value->type));
    tensor_to_bytes(value, bytes);
    compiled_set(c, name, bytes);
}

static void set_wave(Compiled *c, const char *name, double swing, int k)
{
    const Type *type = compiled_input(c, name);
    if (!type) fail_msg("%s reads no %s", c->graph->name, name);
    Tensor *t = tensor_new(c->arena, *type);
    for (int64_t i = 0; i < t->count; i++) t->f[i] = swing * wave(k, i);
    set(c, name, t);
}

/* Row b has 1 + (4 + 3 b + 2 n) mod T steps. */
static void set_mask(Compiled *c, const Reference *r, int n)
{
    Tensor *m = tensor_new(c->arena, *compiled_input(c, "m"));
    for (int64_t i = 0; i < m->count; i++) m->i[i] = i % r->T < 1 + (4 + 3 * (i / r->T) + 2 * n) % r->T;
    set(c, "m", m);
}

/* The parameters are numbered as their gradients stand in the file, behind that of x. */
static int set_parameters(Compiled *c, const Run *run)
{
    int k = 0;
    for (int i = 0; i < run->count; i++) {
        const Row *row = &run->rows[i];
        if (row->kind == ROW_gradient && strcmp(row->name, "x")) set_wave(c, row->name, 0.3, k++);
    }
    return k;
}

/* Inputs of the graph of this storage. */
static int inputs_of(const Graph *g, Storage storage)
{
    int n = 0;
    for (int i = 0; i < g->inputs.count; i++) n += g->inputs.at[i]->attr.storage == (int)storage;
    return n;
}

static void zero_states(Compiled *c)
{
    for (int i = 0; i < c->graph->inputs.count; i++) {
        const Node *n = c->graph->inputs.at[i];
        if (n->attr.storage == STORE_state) set(c, n->attr.text, tensor_new(c->arena, n->type));
    }
}

/* the program */

static Graph *graph_of(Arena *arena, const Reference *r, const Case *test, DType real, Diagnostics *d)
{
    Ast *ast = ast_load(arena, TESTS "/parity/recurrent.ptm", (const char *const[]){MODELS, NULL}, d);
    ModelOptions options = {.real = real};
    Model *m = ast ? model_new(arena, ast, &options, d) : NULL;
    if (!m) return NULL;
    Dims *dims = model_dims(m);
    const Dim *x[] = {dim_int(dims, r->B), dim_int(dims, r->T), dim_int(dims, r->I)};
    const Dim *y[] = {x[0], x[1], dim_int(dims, test->outputs)};
    EntryArg args[] = {{type_of(real, 3, x), "x"}, {type_of(real, 3, y), "r"}, {type_of(DT_bool, 2, x), "m"}};
    return model_entry(m, test->name, args, test->masked ? 3 : 2, true, d);
}

static const char *open_case(Compiled *c, Arena *arena, const Reference *r, const Case *test, DType real)
{
    Diagnostics *d = diag_new(arena);
    Graph *g = graph_of(arena, r, test, real, d);
    if (!g || diag_error_count(d)) return compiled_messages(arena, d);
    const char *trained[MOST_ROWS];
    PassOptions passes = {.loss = g->outputs.at[0].name, .trained = trained};
    for (int i = 0; i < test->runs[0].count; i++)
        if (test->runs[0].rows[i].kind == ROW_gradient)
            trained[passes.trained_count++] = test->runs[0].rows[i].name;
    return compiled_open(c, arena, g, passes, THREADS);
}

/* comparing */

static void note(Worst *worst, double error, const Case *test, int run, const char *what)
{
    if (error <= worst->error) return;
    worst->error = error;
    snprintf(worst->what, sizeof worst->what, "%s of %s, run %d", what, test->name, run);
}

/* What a row is about: results are the loss and then the file's outputs in order. */
static const Tensor *value_of(const Compiled *c, const Row *row, int *output)
{
    if (row->kind == ROW_state) return compiled_value(c, row->name);
    if (row->kind == ROW_gradient) return compiled_value(c, arena_print(c->arena, "d %s", row->name));
    return compiled_value(c, c->graph->outputs.at[++*output].name);
}

/* The largest of the errors of the numbers, relative to the norm. */
static double row_error(const Tensor *t, const Row *row)
{
    double square = 0, product = 0, worst = 0;
    for (int64_t i = 0; i < t->count; i++) {
        square += t->f[i] * t->f[i];
        product += t->f[i] * wave(1, i);
    }
    const double have[NUMBERS] = {sqrt(square), product, t->f[0], t->f[t->count / 2], t->f[t->count - 1]};
    for (int k = 0; k < NUMBERS; k++) {
        if (!isfinite(have[k])) return INFINITY;
        worst = fmax(worst, fabs(have[k] - row->numbers[k]));
    }
    return worst / row->numbers[0];
}

static void compare_run(const Compiled *c, const Case *test, int n, Worst *worst)
{
    const Run *run = &test->runs[n];
    double loss = compiled_value(c, c->graph->outputs.at[0].name)->f[0];
    note(worst, isfinite(loss) ? fabs(loss - run->loss) / fabs(run->loss) : INFINITY, test, n, "the loss");
    int output = 0;
    for (int i = 0; i < run->count; i++) {
        const Row *row = &run->rows[i];
        const Tensor *t = value_of(c, row, &output);
        if (!t) fail_msg("%s has no %s of %s", test->name, ROW_KINDS[row->kind], row->name);
        note(worst, row_error(t, row), test, n, arena_print(c->arena, "%s %s", ROW_KINDS[row->kind], row->name));
    }
}

static void run_case(const Reference *r, const Case *test, DType real, Worst *worst)
{
    Arena *arena = arena_new();
    Compiled c;
    const char *why = open_case(&c, arena, r, test, real);
    if (why) fail_msg("%s: %s", test->name, why);
    assert_int_equal(set_parameters(&c, &test->runs[0]), inputs_of(c.graph, STORE_param));
    zero_states(&c);
    for (int n = 0; n < RUNS; n++) {
        set_wave(&c, "x", 0.8, 50 + n);
        set_wave(&c, "r", 1, 60 + n);
        if (test->masked) set_mask(&c, r, n);
        why = compiled_run(&c);
        if (why) fail_msg("%s: %s", test->name, why);
        compare_run(&c, test, n, worst);
    }
    compiled_close(&c);
    arena_free(arena);
}

static void agrees_within(DType real, double tolerance)
{
    Arena *arena = arena_new();
    const Reference *r = read_reference(arena);
    Worst all = {0};
    for (int k = 0; k < r->count; k++) {
        Worst worst = {0};
        run_case(r, &r->cases[k], real, &worst);
        printf("%s %s: relative error %.2g (%s)\n", dtype_name(real), r->cases[k].name, worst.error, worst.what);
        if (worst.error > all.error) all = worst;
    }
    if (!(all.error <= tolerance)) fail_msg("%s differs by %.2g", all.what, all.error);
    arena_free(arena);
}

/* Ten steps of sums of at most 36 terms lose little of seven digits. */
static void test_single_precision(void **state)
{
    (void)state;
    agrees_within(DT_f32, 1e-5);
}

/* In f64 nothing hides a slightly wrong formula. */
static void test_double_precision(void **state)
{
    (void)state;
    agrees_within(DT_f64, 1e-10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_precision),
        cmocka_unit_test(test_double_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
