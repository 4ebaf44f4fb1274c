/* Compiled code against the backend node tests of ONNX. usage: parity_onnx [--table] [CASE ...]
 *
 * Every directory of $PTM_DATA/onnx-node and $PTM_DATA/onnx-pytorch whose operators the table onnx.def can write
 * becomes a program, which is elaborated, compiled, run and compared. ONNX allows a relative error of 1e-3 beside an
 * absolute one of 1e-7; here 1e-5 is enough, except where the files hold rounded decimals. Without the data the test is
 * skipped. The table in README.md lists what matches; it must be what --table prints. With CASE, prints the programs of
 * these. */
#include "tests/parity/compiled.h"
#include "tests/parity/onnx_write.h"

#include "frontend/frontend.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_SKIPPED = 77, THREADS = 2, MOST_REASONS = 200 };

static const double RELATIVE = 1e-5, ONNX_RELATIVE = 1e-3, ABSOLUTE = 1e-7;

/* Cases whose outputs are written with four digits. */
static const char *const ROUNDED[] = {"test_averagepool_2d_ceil_last_window_starts_on_pad"};

/* What became of the cases of one operator. */
typedef struct Tally {
    int checked, wrong, out;
    double error;      /* the relative tolerance that would have been enough, beside the absolute one */
    const char *worst; /* the case that needs it */
} Tally;

typedef struct Reason {
    const char *op, *text;
    int count;
} Reason;

typedef struct Survey {
    Arena *arena;
    Tally *tally;            /* by row of onnx.def */
    Vec(Reason) reasons;     /* why cases are left out */
    Vec(const char *) names; /* to run; empty: all */
    bool show;               /* programs are printed */
} Survey;

/* comparing */

static double element(const Tensor *t, int64_t i)
{
    return t->f ? t->f[i] : (double)t->i[i];
}

/* How large a relative tolerance the element needs; infinite when none is enough. */
static double error_of(double have, double want)
{
    if (have == want || (isnan(have) && isnan(want))) return 0;
    double beyond = fabs(have - want) - ABSOLUTE;
    return beyond <= 0 ? 0 : isfinite(beyond) ? beyond / fabs(want) : INFINITY;
}

static double tolerance_of(const char *name)
{
    for (size_t i = 0; i < sizeof ROUNDED / sizeof *ROUNDED; i++)
        if (!strcmp(ROUNDED[i], name)) return ONNX_RELATIVE;
    return RELATIVE;
}

/* NULL, or how the tensor differs. *error grows to the tolerance it needs. */
static const char *compare(Arena *arena, const OnnxCase *test, const Tensor *have, const OnnxTensor *want,
                           double *error)
{
    if (!have) return "there is no such result";
    if (want->type.dtype == DT_COUNT) return "an element type that the language lacks";
    bool same = have->type.dtype == want->type.dtype && have->type.rank == want->type.rank;
    for (int k = 0; k < want->type.rank && same; k++) same = dim_value(have->type.dim[k]) == want->type.shape[k];
    if (!same) return arena_print(arena, "the type is %s", type_text(arena, &have->type));
    const Tensor *wanted = tensor_from_bytes(arena, have->type, want->bytes);
    for (int64_t i = 0; i < have->count; i++) {
        double e = error_of(element(have, i), element(wanted, i));
        if (!(e <= tolerance_of(test->name)))
            return arena_print(arena, "element %lld is %.9g, not %.9g", (long long)i, element(have, i),
                               element(wanted, i));
        if (e > *error) *error = e;
    }
    return NULL;
}

/* running */

static Type type_in(Dims *dims, const OnnxType *type)
{
    Type t = type_scalar(type->dtype);
    for (int k = 0; k < type->rank; k++) t.dim[t.rank++] = dim_int(dims, type->shape[k]);
    return t;
}

static Model *model_of(Arena *arena, const char *text, Diagnostics *d)
{
    Source *source = arena_new_of(arena, Source);
    *source = (Source){.path = "case.ptm", .text = text, .size = strlen(text)};
    Ast *ast = ast_parse(arena, source, (const char *const[]){MODELS, NULL}, d);
    ModelOptions options = {.real = DT_f32};
    return ast && !diag_error_count(d) ? model_new(arena, ast, &options, d) : NULL;
}

static const char *set_inputs(Compiled *c, const OnnxProgram *p)
{
    for (int i = 0; i < p->values.count; i++)
        if (p->values.at[i].read) compiled_set(c, p->values.at[i].text, p->values.at[i].known->bytes);
    for (int i = 0; i < p->bindings.count; i++) {
        const OnnxBinding *b = &p->bindings.at[i];
        const Type *type = compiled_input(c, b->path);
        if (!type) return arena_print(c->arena, "the model has no parameter %s", b->path);
        Type bound = type_in(c->graph->dims, &b->type);
        if (!type_equal(type, &bound)) return arena_print(c->arena, "%s is %s", b->path, type_text(c->arena, type));
        compiled_set(c, b->path, b->bytes);
    }
    return NULL;
}

static const char *compare_results(const Compiled *c, const OnnxCase *test, const OnnxProgram *p, double *error)
{
    const char *why = NULL;
    int next = 0;
    for (int k = 0; k < test->outputs.count && !why; k++) {
        const char *name = p->results.at[k] ? c->graph->outputs.at[next++].name
                                            : arena_print(c->arena, "d %s", p->bindings.at[k - 1].path);
        why = compare(c->arena, test, compiled_value(c, name), &test->outputs.at[k], error);
        if (why) why = arena_print(c->arena, "%s: %s", test->outputs.at[k].name, why);
    }
    return why;
}

/* The fn f of the program; with gradients by its bindings where the case has such outputs. */
static const char *run_entry(Arena *arena, const OnnxCase *test, const OnnxProgram *p, double *error)
{
    Diagnostics *d = diag_new(arena);
    Model *m = model_of(arena, p->text, d);
    EntryArg args[64];
    int count = 0;
    for (int i = 0; m && i < p->values.count && count < 64; i++)
        if (p->values.at[i].read)
            args[count++] = (EntryArg){type_in(model_dims(m), &p->values.at[i].type), p->values.at[i].text};
    Graph *g = m ? model_entry(m, "f", args, count, false, d) : NULL;
    if (!g || diag_error_count(d)) return compiled_messages(arena, d);
    const char **trained = arena_array(arena, const char *, p->bindings.count + 1), *why;
    for (int i = 0; i < p->bindings.count; i++) trained[i] = p->bindings.at[i].path;
    PassOptions passes = {0};
    if (p->gradient)
        passes = (PassOptions){.loss = g->outputs.at[0].name, .trained = trained, .trained_count = p->bindings.count};
    Compiled c;
    why = compiled_open(&c, arena, g, passes, THREADS);
    if (!why) why = set_inputs(&c, p);
    if (!why) why = compiled_run(&c);
    if (!why) why = compare_results(&c, test, p, error);
    compiled_close(&c);
    return why;
}

/* One parameter's update: inputs are R, T, weights, gradients, states in runs of n; outputs are weights, then states.
 */
static const char *run_update(Arena *arena, const OnnxCase *test, Graph *g, int k, int n, double *error)
{
    Compiled c;
    const char *why = compiled_open(&c, arena, g, (PassOptions){0}, THREADS), *state;
    if (!why) {
        compiled_set(&c, "w", test->inputs.at[2 + k].bytes);
        compiled_set(&c, "g", test->inputs.at[2 + n + k].bytes);
        int states = 0;
        for (int i = 0; i < g->inputs.count; i++)
            if (g->inputs.at[i]->attr.storage == STORE_state)
                compiled_set(&c, g->inputs.at[i]->attr.text, test->inputs.at[2 + (2 + states++) * n + k].bytes);
        why = compiled_run(&c);
        if (!why) why = compare(arena, test, compiled_value(&c, "w"), &test->outputs.at[k], error);
        states = 0;
        for (int i = 0; i < g->inputs.count && !why; i++) {
            if (g->inputs.at[i]->attr.storage != STORE_state) continue;
            state = g->inputs.at[i]->attr.text;
            why = compare(arena, test, compiled_value(&c, state), &test->outputs.at[++states * n + k], error);
        }
    }
    compiled_close(&c);
    return why;
}

static const char *run_optimizer(Arena *arena, const OnnxCase *test, const OnnxProgram *p, double *error)
{
    Diagnostics *d = diag_new(arena);
    Model *m = model_of(arena, p->text, d);
    if (!m || !model_entry(m, "f", NULL, 0, true, d) || diag_error_count(d)) return compiled_messages(arena, d);
    const char *why = NULL;
    for (int k = 0; k < p->bindings.count && !why; k++) {
        Graph *g = model_update(m, model_train(m)->stages, model_find_param(m, p->bindings.at[k].path), 1, 1, d);
        why = g ? run_update(arena, test, g, k, p->bindings.count, error) : compiled_messages(arena, d);
    }
    return why;
}

/* the survey */

/* A case counts for its last node: what comes before makes that node's inputs. */
static const char *operator_of(const OnnxCase *test)
{
    return test->nodes.count ? test->nodes.at[test->nodes.count - 1].op : "";
}

static void leave_out(Survey *s, const char *op, const char *why)
{
    for (int i = 0; i < s->reasons.count; i++) {
        if (strcmp(s->reasons.at[i].op, op) || strcmp(s->reasons.at[i].text, why)) continue;
        s->reasons.at[i].count++;
        return;
    }
    Reason reason = {arena_copy_text(s->arena, op, strlen(op)), arena_copy_text(s->arena, why, strlen(why)), 1};
    vec_push(s->arena, &s->reasons, reason);
}

static void note(Survey *s, Tally *tally, const OnnxCase *test, const OnnxProgram *p, const char *why, double error)
{
    tally->checked++;
    if (s->show) printf("--- %s\n%s", test->name, p->text);
    if (s->show && !why) printf("agrees within %.2g\n", error);
    if (error >= tally->error) {
        tally->error = error;
        tally->worst = arena_copy_text(s->arena, test->name, strlen(test->name));
    }
    if (!why) return;
    tally->wrong++;
    printf("%s: %s\n%s", test->name, why, s->show ? "" : p->text);
}

static bool survey_case(Survey *s, const char *directory)
{
    Arena *arena = arena_new();
    OnnxCase test;
    double error = 0;
    const char *why = onnx_read_model(arena, directory, &test);
    const OnnxRow *row = why ? NULL : onnx_find_row(operator_of(&test));
    if (row && row->kind == ONNX_none) {
        s->tally[row - onnx_row(0)].out++;
        leave_out(s, row->op, row->how);
    } else {
        if (!why) why = row ? onnx_read_values(arena, directory, &test) : "no row of onnx.def";
        OnnxProgram p = {0};
        if (!why) p = onnx_write(arena, &test);
        if (why) {
            printf("%s: %s\n", directory, why);
        } else if (p.refused) {
            s->tally[row - onnx_row(0)].out++;
            leave_out(s, row->op, p.refused);
        } else {
            const char *wrong = (p.optimizer ? run_optimizer : run_entry)(arena, &test, &p, &error);
            note(s, &s->tally[row - onnx_row(0)], &test, &p, wrong, error);
        }
    }
    arena_free(arena);
    return !why;
}

static bool wanted(const Survey *s, const char *name)
{
    bool found = s->names.count == 0;
    for (int i = 0; i < s->names.count; i++) found = found || !strcmp(s->names.at[i], name);
    return found && !strncmp(name, "test_", 5);
}

/* All directories below one folder, in order of their names. False when one cannot be read. */
static bool survey_folder(Survey *s, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    bool good = count > 0;
    for (int i = 0; i < count; i++) {
        if (wanted(s, entries[i]->d_name))
            good = survey_case(s, arena_print(s->arena, "%s/%s", folder, entries[i]->d_name)) && good;
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return good;
}

/* the table */

/* A template as a reader wants it: the first input is x. */
static void print_how(FILE *out, const OnnxRow *row)
{
    if (row->kind == ONNX_none) {
        fputs("–", out);
        return;
    }
    fputs(row->kind == ONNX_text ? "`" : "", out);
    for (const char *c = row->how; *c; c++) {
        if (*c == '$')
            fputc("xyz"[*++c - '0'], out);
        else if (*c != '{')
            fputc(*c, out);
        else {
            fprintf(out, "%.*s", (int)strcspn(c + 1, "=}"), c + 1);
            c += strcspn(c, "}");
        }
    }
    fputs(row->kind == ONNX_text ? "`" : "", out);
}

static void print_table(const Survey *s, FILE *out)
{
    fputs("| ONNX | in the language | agree | left out |\n|---|---|---|---|\n", out);
    for (int i = 0; i < onnx_row_count(); i++) {
        const OnnxRow *row = onnx_row(i);
        const Tally *t = &s->tally[i];
        fprintf(out, "| %s | ", row->op);
        print_how(out, row);
        fprintf(out, " | %d |", t->checked - t->wrong);
        const char *between = " ";
        for (int k = 0; k < s->reasons.count; k++) {
            if (strcmp(s->reasons.at[k].op, row->op)) continue;
            fprintf(out, "%s%d: %s", between, s->reasons.at[k].count, s->reasons.at[k].text);
            between = "; ";
        }
        fputs(" |\n", out);
    }
}

static char *table_text(const Survey *s)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    print_table(s, out);
    fclose(out);
    return text;
}

/* Whether README.md holds the table as it is now. */
static bool table_is_true(const Survey *s)
{
    static const char PATH[] = TESTS "/parity/README.md";
    char *text = table_text(s), *readme = NULL;
    size_t room = 0;
    FILE *file = fopen(PATH, "r");
    ssize_t size = file ? getdelim(&readme, &room, EOF, file) : -1;
    bool good = size >= 0 && strstr(readme, text);
    if (!good) printf("%s does not hold the table that `parity_onnx --table` prints\n", PATH);
    if (file) fclose(file);
    free(readme);
    free(text);
    return good;
}

static int print_summary(const Survey *s)
{
    int checked = 0, wrong = 0, out = 0;
    puts("relative tolerance needed, where more than 1e-6:");
    for (int i = 0; i < onnx_row_count(); i++) {
        const Tally *t = &s->tally[i];
        checked += t->checked;
        wrong += t->wrong;
        out += t->out;
        if (t->error > 1e-6) printf("  %-26s %.2g  %s\n", onnx_row(i)->op, t->error, t->worst);
    }
    puts("left out:");
    for (int i = 0; i < s->reasons.count; i++)
        printf("  %3d  %-26s %s\n", s->reasons.at[i].count, s->reasons.at[i].op, s->reasons.at[i].text);
    printf("%d checked, %d wrong, %d not applicable\n", checked, wrong, out);
    return wrong;
}

int main(int argc, char **argv)
{
    const char *data = getenv("PTM_DATA");
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was printed before an abort is seen */
    Arena *arena = arena_new();
    Survey s = {.arena = arena, .tally = arena_array(arena, Tally, onnx_row_count())};
    bool table = argc > 1 && !strcmp(argv[1], "--table");
    for (int i = 1 + table; i < argc; i++) vec_push(arena, &s.names, argv[i]);
    s.show = s.names.count > 0;
    DIR *there = data ? opendir(arena_print(arena, "%s/onnx-node", data)) : NULL;
    if (!there) {
        puts("skipped: PTM_DATA names no folder with onnx-node/ in it");
        arena_free(arena);
        return EXIT_SKIPPED;
    }
    closedir(there);
    bool good = survey_folder(&s, arena_print(arena, "%s/onnx-node", data));
    good = survey_folder(&s, arena_print(arena, "%s/onnx-pytorch", data)) && good;
    if (table)
        print_table(&s, stdout);
    else
        good = print_summary(&s) == 0 && (s.show || table_is_true(&s)) && good;
    arena_free(arena);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
