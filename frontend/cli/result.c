/* Writing results. */
#include "frontend/cli/result.h"
#include "runtime/data/value.h"
#include "runtime/train/arrays_write.h"

#include <string.h>

enum { ROWS_SHOWN = 16, VALUES_SHOWN = 12 };

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), last = strlen(end);
    return size >= last && !strcmp(text + size - last, end);
}

/* Several results in one file, or one in an archive. */
static bool is_archive(const Pair *output, int count)
{
    return !*output->name && (ends_with(output->value, ".npz") || count > 1);
}

static const RtTensor *find_result(const RtTensor *results, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(results[i].name, name)) return &results[i];
    return NULL;
}

static bool check_name(Session *s, const char *entry, const RtTensor *results, int count, const char *name)
{
    if (find_result(results, count, name)) return true;
    const char **names = arena_array(s->arena, const char *, count + 1), *list = "";
    for (int i = 0; i < count; i++) {
        names[i] = results[i].name;
        list = arena_print(s->arena, "%s%s%s", list, i ? ", " : "", names[i]);
    }
    const char *near = suggest(name, names, count);
    if (near) session_fail(s, "--output: %s has no result %s; did you mean %s?", entry, name, near);
    else session_fail(s, "--output: %s has no result %s; its results are: %s", entry, name, count ? list : "none");
    return false;
}

bool results_check(Session *s, const char *entry, const RtTensor *results, int count)
{
    const Pairs *outputs = &s->options->output;
    bool good = true;
    for (int i = 0; i < outputs->count; i++) {
        const Pair *output = &outputs->at[i];
        if (*output->name) good = check_name(s, entry, results, count, output->name) && good;
        else if (ends_with(output->value, ".npy") && count != 1)
            good = session_fail(s, "--output %s: a .npy file holds one array, %s has %d results: NAME=%s, or a .npz "
                                "file", output->value, entry, count, output->value) == EXIT_GOOD;
        for (int k = 0; k < i; k++) {
            if (strcmp(output->value, outputs->at[k].value)) continue;
            good = session_fail(s, "--output %s is said twice", output->value) == EXIT_GOOD;
        }
    }
    return good;
}

/* ---- printing ---- */

static void print_row(const RtTensor *t, int64_t first, int64_t length)
{
    for (int64_t i = 0; i < length && i < VALUES_SHOWN; i++) {
        double x = rt_element(t->data, t->dtype, first + i);
        if (t->dtype == RT_bool) fputs(x != 0 ? " true" : " false", stdout);
        else if (t->dtype == RT_i64) printf(" %lld", (long long)((const int64_t *)t->data)[first + i]);
        else printf(" %.*g", dtype_is_float((DType)t->dtype) ? 6 : 10, x);
    }
    puts(length > VALUES_SHOWN ? " ..." : "");
}

/* "[0, 2]": where row r stands, of a tensor with more than two axes. */
static void print_place(const RtTensor *t, int64_t row)
{
    int64_t at[RT_MAX_RANK];
    for (int32_t axis = t->rank - 2; axis >= 0; axis--) {
        at[axis] = row % t->shape[axis];
        row /= t->shape[axis];
    }
    for (int32_t axis = 0; axis < t->rank - 1; axis++) printf(axis ? ", %lld" : " [%lld", (long long)at[axis]);
    putchar(']');
}

/* "logits f32[2, 3]", then a line for each row of the last axis; a scalar stands in one line. */
static void print_result(const RtTensor *t)
{
    int64_t length = t->rank ? t->shape[t->rank - 1] : 1, rows = 1;
    printf("%s %s", t->name, rt_dtype_name(t->dtype));
    for (int32_t i = 0; i < t->rank; i++) printf(i ? ", %lld" : "[%lld", (long long)t->shape[i]);
    fputs(t->rank ? "]\n" : "", stdout);
    for (int32_t i = 0; i + 1 < t->rank; i++) rows *= t->shape[i];
    for (int64_t r = 0; r < rows && r < ROWS_SHOWN; r++) {
        if (t->rank > 2) print_place(t, r);
        print_row(t, r * length, length);
    }
    if (rows > ROWS_SHOWN)
        printf(" ... %lld rows more (--output %s=FILE.npy has all)\n", (long long)(rows - ROWS_SHOWN), t->name);
}

bool results_write(Session *s, const RtTensor *results, int count)
{
    const Pairs *outputs = &s->options->output;
    bool good = true;
    for (int i = 0; !outputs->count && i < count; i++) print_result(&results[i]);
    for (int i = 0; i < outputs->count; i++) {
        const Pair *output = &outputs->at[i];
        RtError error;
        const RtTensor *one = *output->name ? find_result(results, count, output->name) : results;
        bool written = is_archive(output, count) ? rt_npz_write(output->value, results, count, &error)
                                                 : rt_npy_write(output->value, one, &error);
        if (!written) good = session_fail(s, "%s", error.text) == EXIT_GOOD;
    }
    return good;
}
