/* models/gpt.ptm compiled, beside numbers that PyTorch computed in float64: loss and gradients of a small one whose
 * weights and ids are formulas. gpt_reference.txt holds the numbers and says the formulas; gpt_torch.py makes it.
 * And its `next`, a prompt and then token by token, beside its `logits` of the whole. */
#include "tests/parity/compiled.h"

#include "frontend/frontend.h"
#include "ir/cost.h"

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

enum { MOST_PARAMETERS = 64, MOST_SIZES = 8, SIZES_OF_MODEL = 4, NAME_BYTES = 64 };

/* One line of the file: a parameter's gradient. */
typedef struct Row {
    char path[NAME_BYTES];
    double norm, at[3]; /* elements 0, n/2 and n-1 */
} Row;

typedef struct Size {
    char name[NAME_BYTES];
    int64_t value;
} Size;

typedef struct Reference {
    Size sizes[MOST_SIZES]; /* the model's constants, then V and B */
    int size_count, count;
    double loss;
    Row rows[MOST_PARAMETERS]; /* in the order that numbers the parameters */
} Reference;

static Reference read_reference(void)
{
    Reference r = {0};
    char line[512];
    FILE *file = fopen(TESTS "/parity/gpt_reference.txt", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        Row row;
        Size size;
        if (sscanf(line, "size %63s %" SCNd64, size.name, &size.value) == 2) {
            assert_true(r.size_count < MOST_SIZES);
            r.sizes[r.size_count++] = size;
        } else if (sscanf(line, "gradient %63s %lf %lf %lf %lf", row.path, &row.norm, &row.at[0], &row.at[1],
                          &row.at[2]) == 5) {
            assert_true(r.count < MOST_PARAMETERS);
            r.rows[r.count++] = row;
        } else if (sscanf(line, "loss %lf", &r.loss) != 1) {
            assert_true(line[0] == '#');
        }
    }
    fclose(file);
    assert_true(r.count > 0 && r.loss > 0 && r.size_count > SIZES_OF_MODEL);
    return r;
}

static int64_t size_of(const Reference *r, const char *name)
{
    for (int i = 0; i < r->size_count; i++)
        if (!strcmp(r->sizes[i].name, name)) return r->sizes[i].value;
    fail_msg("no size %s", name);
    return 0;
}

/* the model */

static Model *load(Arena *arena, const Reference *r, DType real, Diagnostics *d)
{
    Setting settings[SIZES_OF_MODEL];
    for (int i = 0; i < SIZES_OF_MODEL; i++)
        settings[i] = (Setting){r->sizes[i].name, arena_print(arena, "%lld", (long long)r->sizes[i].value)};
    Ast *ast = ast_load(arena, MODELS "/gpt.ptm", (const char *const[]){MODELS, NULL}, d);
    ModelOptions options = {.settings = settings, .setting_count = SIZES_OF_MODEL, .real = real};
    Model *m = ast ? model_new(arena, ast, &options, d) : NULL;
    if (m) {
        dim_symbol(model_dims(m), "V", size_of(r, "V"));
        dim_set_value(model_dims(m), "V", size_of(r, "V"));
    }
    return m;
}

static Graph *graph_of(Model *m, const Reference *r, const char *entry, int64_t length, Diagnostics *d)
{
    const Dim *shape[2] = {dim_int(model_dims(m), size_of(r, "B")), dim_int(model_dims(m), length)};
    EntryArg ids = {type_of(DT_i32, 2, shape), model_entry_parameter(m, entry, 0)};
    return model_entry(m, entry, &ids, 1, !strcmp(entry, "loss"), d);
}

static void set(Compiled *c, const char *name, const Tensor *value)
{
    char *bytes = arena_alloc(c->arena, (size_t)type_value_bytes(&value->type));
    tensor_to_bytes(value, bytes);
    compiled_set(c, name, bytes);
}

/* From place `first` on. */
static void set_ids(Compiled *c, const Reference *r, int64_t first)
{
    Tensor *ids = tensor_new(c->arena, *compiled_input(c, "ids"));
    int64_t T = dim_value(ids->type.dim[1]), V = size_of(r, "V");
    for (int64_t i = 0; i < ids->count; i++) {
        int64_t b = i / T, t = first + i % T;
        ids->i[i] = (7 * b + 3 * t + b * t * t) % V;
    }
    set(c, "ids", ids);
}

static void set_parameter(Compiled *c, const char *path, int k)
{
    const Type *type = compiled_input(c, path);
    if (!type) fail_msg("the model has no parameter %s", path);
    Tensor *w = tensor_new(c->arena, *type);
    for (int64_t i = 0; i < w->count; i++) {
        double wave = sin(k + (double)i + 0.013 * (double)i * (double)i);
        w->f[i] = type->rank == 1 ? 1 + 0.2 * wave : 0.3 * wave;
    }
    set(c, path, w);
}

static void set_parameters(Compiled *c, const Reference *r)
{
    for (int k = 0; k < r->count; k++) set_parameter(c, r->rows[k].path, k);
}

/* comparing */

/* The larger of the errors of norm and elements, relative to the norm. */
static double gradient_error(const Compiled *c, const Row *row)
{
    const Tensor *d = compiled_value(c, arena_print(c->arena, "d %s", row->path));
    if (!d) fail_msg("no gradient of %s", row->path);
    double square = 0;
    for (int64_t i = 0; i < d->count; i++) square += d->f[i] * d->f[i];
    double worst = fabs(sqrt(square) - row->norm);
    const int64_t at[3] = {0, d->count / 2, d->count - 1};
    for (int k = 0; k < 3; k++) worst = fmax(worst, fabs(d->f[at[k]] - row->at[k]));
    return worst / row->norm;
}

static void agrees_within(DType real, double tolerance)
{
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    Reference r = read_reference();
    Model *m = load(arena, &r, real, d);
    Graph *g = m ? graph_of(m, &r, "loss", size_of(&r, "context") + 1, d) : NULL;
    diag_print(d, stderr);
    assert_non_null(g);
    const char *trained[MOST_PARAMETERS];
    for (int k = 0; k < r.count; k++) trained[k] = r.rows[k].path;
    assert_int_equal(model_param_count(m), r.count);
    Compiled c;
    PassOptions passes = {.loss = "loss", .trained = trained, .trained_count = r.count};
    const char *why = compiled_open(&c, arena, g, passes, 2);
    if (why) fail_msg("%s", why);
    set_ids(&c, &r, 0);
    set_parameters(&c, &r);
    why = compiled_run(&c);
    if (why) fail_msg("%s", why);
    double error = fabs(compiled_value(&c, "loss")->f[0] - r.loss) / r.loss, worst = 0;
    for (int k = 0; k < r.count; k++) worst = fmax(worst, gradient_error(&c, &r.rows[k]));
    printf("%s: relative error of the loss %.2g, of the worst gradient %.2g\n", dtype_name(real), error, worst);
    assert_true(error <= tolerance && worst <= tolerance);
    compiled_close(&c);
    arena_free(arena);
}

/* What the project promises in f32 is 1e-4; sums of at most a few hundred terms keep far more. */
static void test_single_precision(void **state)
{
    (void)state;
    agrees_within(DT_f32, 1e-5);
}

/* In f64 nothing hides a slightly wrong formula. */
static void test_double_precision(void **state)
{
    (void)state;
    agrees_within(DT_f64, 1e-12);
}

/* token by token */

static void open_entry(Compiled *c, Arena *arena, Model *m, const Reference *r, const char *entry, int64_t length)
{
    Diagnostics *d = diag_new(arena);
    Graph *g = graph_of(m, r, entry, length, d);
    if (!g) fail_msg("%s", compiled_messages(arena, d));
    const char *why = compiled_open(c, arena, g, (PassOptions){0}, 2);
    if (why) fail_msg("%s", why);
    set_parameters(c, r);
}

/* The states as `from` left them, or as they begin: zeros. */
static void hand_over(Compiled *c, const Compiled *from)
{
    for (int i = 0; i < c->graph->inputs.count; i++) {
        const Node *n = c->graph->inputs.at[i];
        if (n->attr.storage != STORE_state) continue;
        set(c, n->attr.text, from ? compiled_value(from, n->attr.text) : tensor_new(c->arena, n->type));
    }
}

/* Runs `next` behind what `before` has read; the largest distance from logits, for f32 and f64 alike near 1. */
static double distance(Compiled *next, const Compiled *before, const Reference *r, int64_t read, const Tensor *logits)
{
    int64_t T = size_of(r, "context"), V = size_of(r, "V"), fresh = dim_value(compiled_input(next, "ids")->dim[1]);
    set_ids(next, r, read);
    hand_over(next, before);
    const char *why = compiled_run(next);
    if (why) fail_msg("%s", why);
    const Tensor *said = compiled_value(next, "next");
    double worst = 0;
    for (int64_t i = 0; i < said->count; i++) {
        double apart = fabs(said->f[i] - logits->f[(i / V * T + read + fresh - 1) * V + i % V]);
        if (!(apart <= worst)) worst = apart;
    }
    return worst;
}

/* A kernel that copies, or a scatter whose result lies apart from what it changes. */
static int copies(const Plan *p)
{
    int count = 0;
    for (int k = 0; k < p->kernels.count; k++) {
        const Kernel *kernel = p->kernels.at[k];
        bool writes = kernel->kind == KERNEL_scatter;
        bool apart = writes && !kernel_buffer(p, kernel, kernel->outputs.at[0])->takes_over;
        count += apart || kernel->kind == KERNEL_copy;
    }
    return count;
}

static void reads_on_within(DType real, double tolerance)
{
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    Reference r = read_reference();
    Model *m = load(arena, &r, real, d);
    assert_non_null(m);
    int64_t T = size_of(&r, "context"), prompt = 3;
    Compiled whole, first, one;
    open_entry(&whole, arena, m, &r, "logits", T);
    open_entry(&first, arena, m, &r, "next", prompt);
    open_entry(&one, arena, m, &r, "next", 1);
    set_ids(&whole, &r, 0);
    if (compiled_run(&whole)) fail_msg("logits does not run");
    const Tensor *logits = compiled_value(&whole, "logits");
    double worst = distance(&first, NULL, &r, 0, logits);
    for (int64_t read = prompt; read < T; read++)
        worst = fmax(worst, distance(&one, read == prompt ? &first : &one, &r, read, logits));
    printf("%s: next differs by %.2g from logits such as %.3g\n", dtype_name(real), worst, logits->f[0]);
    assert_true(worst <= tolerance);
    assert_int_equal(copies(one.trial.plan), 0);
    set_ids(&one, &r, T);
    hand_over(&one, &one);
    assert_non_null(compiled_run(&one));                     /* there is no place T */
    compiled_close(&whole);
    compiled_close(&first);
    compiled_close(&one);
    arena_free(arena);
}

/* The same sums in another order: logits are of the size of 10. */
static void test_next_single(void **state)
{
    (void)state;
    reads_on_within(DT_f32, 1e-4);
}

static void test_next_double(void **state)
{
    (void)state;
    reads_on_within(DT_f64, 1e-12);
}

/* A step that reads one token moves every cache once; a copy would move it twice more. */
static void test_bytes_of_a_token(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Reference r = read_reference();
    for (int i = 0; i < r.size_count; i++)
        if (!strcmp(r.sizes[i].name, "context")) r.sizes[i].value = 512;
    Compiled one;
    open_entry(&one, arena, load(arena, &r, DT_f32, diag_new(arena)), &r, "next", 1);
    int64_t caches = 0;
    for (int i = 0; i < one.graph->inputs.count; i++)
        if (one.graph->inputs.at[i]->attr.storage == STORE_state)
            caches += type_value_bytes(&one.graph->inputs.at[i]->type);
    Cost cost = plan_cost(one.trial.plan);
    printf("caches %lld bytes, moved %lld\n", (long long)caches, (long long)(cost.read + cost.written));
    assert_int_equal(copies(one.trial.plan), 0);
    assert_true(cost.read + cost.written >= caches && cost.read + cost.written < 2 * caches);
    compiled_close(&one);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_precision),
        cmocka_unit_test(test_double_precision),
        cmocka_unit_test(test_next_single),
        cmocka_unit_test(test_next_double),
        cmocka_unit_test(test_bytes_of_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
