/* ptm profile: where the time of a training step, or of an entry, goes: by kernel, by line of the source. */
#include "frontend/cli/build.h"
#include "frontend/cli/drawing.h"
#include "frontend/cli/limits.h"
#include "frontend/cli/timer.h"
#include "frontend/cli/workload.h"
#include "ir/cost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_STEPS = 10, MOST_STEPS = 1000, SHOWN_KERNELS = 30, SHOWN_LINES = 20,
       CACHED = 32 << 20 };                  /* bytes */

/* Rows of the same name and line, or of the same line. Everything is of one step. */
typedef struct Group {
    const char *name, *line;             /* name "": all kernels of the line */
    double seconds, visits;
    Cost   cost;
} Group;

typedef struct Groups {
    Map *by_key;
    Vec(Group *) all;
} Groups;

typedef struct Profile {
    Session *s;
    Workload work;
    Timer   *timer;
    Limits   limits;
    int      steps;
    double   step_s, rows_s;             /* median of whole steps; sum of all rows, of one step */
    Groups   kernels, lines;
} Profile;

/* "gpt.ptm:21:9 h.0.attn" without column and path. */
static const char *line_of(Arena *arena, const char *place)
{
    size_t end = strcspn(place, " ");
    while (end > 0 && place[end - 1] != ':') end--;
    return end > 0 ? arena_copy_text(arena, place, end - 1) : place;
}

static void add_cost(Cost *to, const Cost *of, double times)
{
    to->operations += of->operations * times;
    to->products += of->products * times;
    to->read += (int64_t)((double)of->read * times);
    to->written += (int64_t)((double)of->written * times);
}

static void add(Profile *p, Groups *groups, const char *name, const char *line, const RowTime *time, const Cost *cost)
{
    Arena *arena = p->s->arena;
    const char *key = arena_print(arena, "%s|%s", name, line);
    if (!groups->by_key) groups->by_key = map_new(arena);
    Group *group = map_get(groups->by_key, key);
    if (!group) {
        group = arena_new_of(arena, Group);
        *group = (Group){ .name = name, .line = line };
        map_set(groups->by_key, key, group);
        vec_push(arena, &groups->all, group);
    }
    double times = (double)time->visits / p->steps;
    group->seconds += time->seconds / p->steps;
    group->visits += times;
    add_cost(&group->cost, cost, times);
}

static void add_program(Profile *p, const TimedProgram *timed)
{
    const Program *program = timed->build->program;
    const CodeRow *rows = code_rows(timed->build->code);
    for (int k = 0; k < program->step_count; k++) {
        if (!timed->rows[k].visits) continue;
        Cost cost = rows[k].kernel ? kernel_cost(rows[k].kernel) : (Cost){ 0 };
        const char *line = line_of(p->s->arena, program->places[program->steps[k].place]);
        add(p, &p->kernels, program->names[program->steps[k].name], line, &timed->rows[k], &cost);
        add(p, &p->lines, "", line, &timed->rows[k], &cost);
        p->rows_s += timed->rows[k].seconds / p->steps;
    }
}

static int by_seconds(const void *x, const void *y)
{
    const Group *a = *(Group *const *)x, *b = *(Group *const *)y;
    if (a->seconds != b->seconds) return a->seconds < b->seconds ? 1 : -1;
    int lines = strcmp(a->line, b->line);
    return lines ? lines : strcmp(a->name, b->name);
}

/* The time that products need at the limit of arithmetic; of everything else that or the time of its bytes, whichever
 * is larger: in a cache where a run has no more of them than caches hold, since the kernel before may have left them
 * there. */
static double floor_of(const Profile *p, const Group *g)
{
    double products = g->cost.products / limits_products(&p->limits, build_precision(p->s->options));
    double arithmetic = products + (g->cost.operations - g->cost.products) / p->limits.multiply_add.all;
    double bytes = (double)(g->cost.read + g->cost.written);
    const Limits *l = &p->limits;
    double beyond = l->read.all > l->update.all ? l->read.all : l->update.all;
    double memory = bytes / (bytes <= CACHED * g->visits ? l->cache.all : beyond);
    return g->cost.products > 0 || arithmetic > memory ? arithmetic : memory;
}

static void print_group(const Profile *p, const Group *g)
{
    double bytes = (double)(g->cost.read + g->cost.written);
    printf("%9.3f %5.1f%% %6.0f %8.1f %7.1f %6.0f%%  %s%s%s\n", 1e3 * g->seconds, 100 * g->seconds / p->rows_s,
           g->visits, 1e-9 * g->cost.operations / g->seconds, 1e-9 * bytes / g->seconds,
           100 * floor_of(p, g) / g->seconds, g->name, *g->name ? "  " : "", g->line);
}

static void print_groups(const Profile *p, Groups *groups, const char *title, int shown)
{
    printf("\n       ms      %%  times  GFLOP/s    GB/s  limit  %s\n", title);
    if (groups->all.count) qsort(groups->all.at, (size_t)groups->all.count, sizeof *groups->all.at, by_seconds);
    for (int k = 0; k < groups->all.count && k < shown; k++) print_group(p, groups->all.at[k]);
    double rest = 0;
    for (int k = shown; k < groups->all.count; k++) rest += groups->all.at[k]->seconds;
    if (groups->all.count > shown)
        printf("%9.3f %5.1f%%  in %d more\n", 1e3 * rest, 100 * rest / p->rows_s, groups->all.count - shown);
}

static void print_step(const Profile *p)
{
    Cost all = { 0 };
    int rows = 0;
    const char *unit;
    int64_t items = workload_items(&p->work, &unit);
    for (int k = 0; k < p->lines.all.count; k++) add_cost(&all, &p->lines.all.at[k]->cost, 1);
    for (int k = 0; k < p->kernels.all.count; k++) rows += (int)p->kernels.all.at[k]->visits;
    printf("%s, %s: %.3f ms", p->s->options->argument, p->work.title, 1e3 * p->step_s);
    if (items > 0) printf(", %.0f %s/s", (double)items / p->step_s, unit);
    printf(" (median of %d, %d thread%s)\n", p->steps, p->limits.threads, p->limits.threads == 1 ? "" : "s");
    printf("one kernel at a time: %.3f ms in %d kernels\n", 1e3 * p->rows_s, rows);
    double least = all.products / limits_products(&p->limits, build_precision(p->s->options));
    printf("products: %.3g GFLOP, %.3f ms at the limit, %.0f %% of the time\n", 1e-9 * all.products, 1e3 * least,
           100 * least / p->step_s);
    limits_print(stdout, &p->limits);
}

static bool time_steps(Profile *p)
{
    const double *seconds = workload_time(&p->work, p->steps);
    if (seconds) p->step_s = seconds[p->steps / 2];
    return seconds != NULL;
}

static bool time_rows(Profile *p)
{
    p->timer = timer_new(p->s->arena);
    for (int k = 0; k < p->work.job->count; k++)
        if (p->work.job->builds[k].program) timer_add(p->timer, &p->work.job->builds[k]);
    for (int k = 0; k < p->steps; k++) {
        p->timer->recording = k == p->steps - 1;
        if (!workload_once(&p->work, &p->timer->watch)) return false;
    }
    for (int k = 0; k < p->timer->programs.count; k++) add_program(p, &p->timer->programs.at[k]);
    return true;
}

/* The plan whose rows took longest. */
static const Plan *main_plan(const Profile *p)
{
    const Plan *plan = NULL;
    double most = -1;
    for (int k = 0; k < p->timer->programs.count; k++) {
        const TimedProgram *timed = &p->timer->programs.at[k];
        double seconds = 0;
        for (int row = 0; row < timed->build->program->step_count; row++) seconds += timed->rows[row].seconds;
        if (seconds > most) most = seconds, plan = timed->build->plan;
    }
    return plan;
}

static bool draw(const Profile *p, const char *path, bool trace)
{
    FILE *out = fopen(path, "w");
    if (!out) return session_fail(p->s, "%s: %s", path, strerror(errno)) && false;
    if (trace) drawing_trace(out, p->timer);
    else drawing_svg(out, p->s->arena, p->timer, main_plan(p), p->s->options->argument);
    bool written = !ferror(out);
    written = fclose(out) == 0 && written;
    return written || (session_fail(p->s, "%s: %s", path, strerror(errno)) && false);
}

static bool profile(Profile *p)
{
    const Options *o = p->s->options;
    p->steps = o->steps > 0 ? (int)(o->steps < MOST_STEPS ? o->steps : MOST_STEPS) : DEFAULT_STEPS;
    if (!limits_measure(p->s, &p->limits) || !workload_open(p->s, &p->work)) return false;
    if (!time_steps(p) || !time_rows(p)) return false;
    print_step(p);
    print_groups(p, &p->kernels, "kernel, line", SHOWN_KERNELS);
    print_groups(p, &p->lines, "line", SHOWN_LINES);
    return (!o->trace || draw(p, o->trace, true)) && (!o->svg || draw(p, o->svg, false));
}

int command_profile(const Options *options)
{
    Session s;
    Profile p = { .s = &s };
    if (!options_weights_are_read(options, !options->entry)) return EXIT_MISUSE;
    bool good = session_open(&s, options) && profile(&p);
    workload_close(&p.work);
    session_close(&s);
    return good ? EXIT_GOOD : EXIT_BAD_INPUT;
}
