/* ptm weights: what a file of tensors holds; how it fits a model; and weights of a model in another layout. */
#include "frontend/cli/export.h"
#include "frontend/cli/saved.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 1 << 20 };         /* summed by themselves */

/* ---- what a file holds ---- */

/* Of the finite elements; the mean and the sum of squared distances from it are put together piece by piece (Chan,
 * Golub, LeVeque 1983), so that they are exact to f64 whatever the mean. */
typedef struct Statistics {
    int64_t count, zeros, nans, infinities;      /* count: finite ones */
    double  mean, squares, least, most;
} Statistics;

static void add_piece(Statistics *s, const void *elements, int32_t dtype, int64_t n)
{
    Statistics p = { 0 };
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = rt_element(elements, dtype, i);
        s->nans += isnan(x);
        s->infinities += isinf(x);
        s->zeros += x == 0;
        if (!isfinite(x)) continue;
        if (s->count + p.count == 0 || x < s->least) s->least = x;
        if (s->count + p.count == 0 || x > s->most) s->most = x;
        p.count++;
        sum += x;
    }
    if (!p.count) return;
    p.mean = sum / (double)p.count;
    for (int64_t i = 0; i < n; i++) {
        double x = rt_element(elements, dtype, i);
        if (isfinite(x)) p.squares += (x - p.mean) * (x - p.mean);
    }
    double apart = p.mean - s->mean, all = (double)(s->count + p.count);
    s->squares += p.squares + apart * apart * (double)s->count * (double)p.count / all;
    s->mean += apart * (double)p.count / all;
    s->count += p.count;
}

static bool measure(const RtWeights *file, const RtTensor *t, Statistics *out, RtError *e)
{
    int64_t size = rt_dtype_bytes(t->dtype);
    char *all = malloc((size_t)t->bytes + 1);
    bool good = all || rt_fail(e, "out of memory for tensor %.100s", t->name);
    good = good && rt_weights_read(file, t, t->dtype, all, e);
    *out = (Statistics){ 0 };
    for (int64_t at = 0; good && at < t->bytes; at += PIECE_BYTES) {
        int64_t bytes = t->bytes - at < PIECE_BYTES ? t->bytes - at : PIECE_BYTES;
        add_piece(out, all + at, t->dtype, bytes / size);
    }
    free(all);
    return good;
}

static void print_statistics(const RtTensor *t, const Statistics *s)
{
    int64_t total = t->bytes / rt_dtype_bytes(t->dtype);
    if (s->count)
        printf("  %11.4g  %11.4g  %11.4g  %11.4g", s->mean, sqrt(s->squares / (double)s->count), s->least, s->most);
    else printf("  %11s  %11s  %11s  %11s", "-", "-", "-", "-");
    printf("  %6.2f %%", total ? 100 * (double)s->zeros / (double)total : 0.0);
    if (s->nans) printf("  %" PRId64 " NaN", s->nans);
    if (s->infinities) printf("  %" PRId64 " infinite", s->infinities);
    putchar('\n');
}

static int name_width(const RtWeights *file)
{
    int width = 6;
    for (int i = 0; i < rt_weights_count(file); i++) {
        int length = (int)strlen(rt_weights_at(file, i)->name);
        if (length > width) width = length;
    }
    return width;
}

static int type_width(Arena *arena, const RtWeights *file)
{
    int width = 4;
    for (int i = 0; i < rt_weights_count(file); i++) {
        int length = (int)strlen(mapping_tensor_text(arena, rt_weights_at(file, i)));
        if (length > width) width = length;
    }
    return width;
}

static bool list_tensors(Arena *arena, const RtWeights *file, RtError *e)
{
    int names = name_width(file), types = type_width(arena, file);
    int64_t elements = 0, bytes = 0;
    printf("%-*s  %-*s  %11s  %11s  %11s  %11s  %8s\n", names, "tensor", types, "type", "mean", "std", "min", "max",
           "zeros");
    for (int i = 0; i < rt_weights_count(file); i++) {
        const RtTensor *t = rt_weights_at(file, i);
        Statistics s;
        if (!measure(file, t, &s, e)) return false;
        printf("%-*s  %-*s", names, mapping_shown(arena, t->name), types, mapping_tensor_text(arena, t));
        print_statistics(t, &s);
        elements += t->bytes / rt_dtype_bytes(t->dtype);
        bytes += t->bytes;
    }
    printf("%d tensors, %" PRId64 " elements, %" PRId64 " bytes\n", rt_weights_count(file), elements, bytes);
    return true;
}

static int fail(const char *text)
{
    fprintf(stderr, "ptm weights: %s\n", text);
    return EXIT_BAD_INPUT;
}

static int list(const Options *options)
{
    Arena *arena = options->arena;
    RtError error;
    RtWeights *file = saved_weights(arena, options->argument, &error);
    if (!file) return fail(error.text);
    bool good = list_tensors(arena, file, &error);
    rt_weights_close(file);
    return good ? EXIT_GOOD : fail(error.text);
}

/* ---- a model and a file ---- */

static int list_params(Session *s)
{
    int64_t elements = 0;
    for (int i = 0; i < model_param_count(s->model); i++) {
        const Param *p = model_param(s->model, i);
        printf("%-40s %s\n", p->path, mapping_param_text(s->arena, p));
        elements += type_value_elements(&p->type);
    }
    printf("%d parameters, %" PRId64 " elements\n", model_param_count(s->model), elements);
    return EXIT_GOOD;
}

static int find_block(const Session *s, const char *name)
{
    const char **names = arena_array(s->arena, const char *, weights_count(s->model) + 1);
    for (int b = 0; b < weights_count(s->model); b++) {
        names[b] = weights_name(s->model, b);
        if (!strcmp(names[b], name)) return b;
    }
    const char *near = suggest(name, names, weights_count(s->model));
    session_fail(s, "--to %s: %s has no block `weights %s`%s%s%s", name, s->options->argument, name,
                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return -1;
}

/* The row of a float type; -1: as they are; -2 after reporting. */
static int find_dtype(const Session *s)
{
    DType dtype;
    if (!s->options->dtype) return -1;
    if (dtype_find(s->options->dtype, &dtype) && dtype_is_float(dtype)) return (int)dtype;
    session_fail(s, "--dtype wants f32, bf16, f16 or f64, not \"%s\"", s->options->dtype);
    return -2;
}

static int export_to(const Mapping *mapping)
{
    const Session *s = mapping->s;
    RtWeights *like = NULL;
    RtError error;
    if (s->options->output.count != 1) return session_fail(s, "which file is to be written? -o FILE is missing");
    int block = find_block(s, s->options->to), dtype = find_dtype(s);
    if (block < 0 || dtype == -2 || !mapping_report(mapping)) return EXIT_BAD_INPUT;
    if (s->options->like && !(like = rt_weights_open(s->options->like, &error)))
        return session_fail(s, "%s", error.text);
    int status = export_weights(mapping, block, like, dtype, s->options->output.at[0].value);
    rt_weights_close(like);
    return status;
}

static int compare(Session *s)
{
    if (!weights_reach(s->model)) {
        model_check(s->model, s->diagnostics);
        session_report(s);
        return session_fail(s, "the model has errors");
    }
    if (s->options->to && !session_has_weights(s)) return EXIT_BAD_INPUT;
    if (!s->options->weights) return list_params(s);
    RtError error;
    RtWeights *file = saved_weights(s->arena, s->options->weights, &error);
    Mapping mapping;
    int status = EXIT_GOOD;
    if (!file) return session_fail(s, "%s", error.text);
    mapping_find(s, file, saved_file(s->arena, s->options->weights), NULL, &mapping);
    if (s->options->to) {
        status = export_to(&mapping);
    } else if (!mapping_print(&mapping, stdout)) {
        diag_print(mapping.d, stderr);
        status = EXIT_BAD_INPUT;
    }
    rt_weights_close(file);
    return status;
}

static bool is_model(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && !strcmp(path + length - 4, ".ptm");
}

int command_weights(const Options *options)
{
    Session s = { 0 };
    bool model = is_model(options->argument);
    if (!model && (options->weights || options->to))
        return fail("--weights and --to belong to a model: ptm weights MODEL.ptm --weights FILE");
    if (!model) return list(options);
    int status = session_open(&s, options) ? compare(&s) : EXIT_BAD_INPUT;
    session_close(&s);
    return status;
}
