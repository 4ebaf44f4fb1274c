/* Medians, since a machine that does something else now and then would move a mean. Early and late tokens apart: how
 * what was generated before shows. */
#include "frontend/cli/pace.h"
#include "ir/cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EARLY = 100, LATE = 900 };        /* tokens 1 to 100 of a text; those from 900 on */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void pace_start(Pace *p) { p->begun = now(); }

void pace_prompt(Pace *p, int64_t prompt)
{
    p->reading += now() - p->begun;
    p->read += prompt;
}

void pace_token(Pace *p, int64_t place)
{
    vec_push(p->arena, &p->seconds, now() - p->begun);
    vec_push(p->arena, &p->places, (int)place);
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the tokens from place `from` to before `to`; 0 when there are none. */
static double median(const Pace *p, int from, int to)
{
    double *some = arena_array(p->arena, double, p->seconds.count + 1);
    int count = 0;
    for (int i = 0; i < p->seconds.count; i++)
        if (p->places.at[i] >= from && p->places.at[i] < to) some[count++] = p->seconds.at[i];
    qsort(some, (size_t)count, sizeof *some, rising);
    return count ? some[count / 2] : 0;
}

/* Of the program that reads the fewest tokens at once: one, or the window. */
static int64_t bytes_moved(const Predictor *predictor)
{
    int least = 0;
    for (int i = 1; i < predictor->length_count; i++)
        if (predictor->lengths[i] < predictor->lengths[least]) least = i;
    Cost cost = plan_cost(predictor->job.builds[least].plan);
    return cost.read + cost.written;
}

void pace_report(const Pace *p, const Predictor *predictor)
{
    int all = p->seconds.count;
    fprintf(stderr, "prompt: %lld tokens in %.1f ms\n", (long long)p->read, 1e3 * p->reading);
    if (!all) return;
    double token = median(p, 0, INT32_MAX), bytes = (double)bytes_moved(predictor);
    fprintf(stderr, "token: %.3f ms (median of %d), ", 1e3 * token, all);
    if (predictor->rows > 1) fprintf(stderr, "%lld texts together, ", (long long)predictor->rows);
    fprintf(stderr, "%.1f a second, %.1f MB moved, %.2f GB/s\n", (double)predictor->rows / token, 1e-6 * bytes,
            1e-9 * bytes / token);
    double late = median(p, LATE, INT32_MAX);
    if (late > 0) fprintf(stderr, "tokens 1 to %d: %.3f ms; from %d on: %.3f ms\n", EARLY,
                          1e3 * median(p, 0, EARLY), LATE, 1e3 * late);
}
