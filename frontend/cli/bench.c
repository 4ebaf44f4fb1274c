/* ptm bench: the limits of the host, and a step or an entry of a model beside them. */
#include "frontend/cli/build.h"
#include "frontend/cli/limits.h"
#include "frontend/cli/workload.h"

enum { DEFAULT_STEPS = 30, MOST_STEPS = 100000 };

static bool bench_model(Session *s, const Limits *limits)
{
    Workload w;
    const char *unit;
    int64_t steps = s->options->steps;
    int count = (int)(steps <= 0 ? DEFAULT_STEPS : steps < MOST_STEPS ? steps : MOST_STEPS);
    const double *seconds = workload_open(s, &w) ? workload_time(&w, count) : NULL;
    if (seconds) {
        double median = seconds[count / 2], products = workload_products(&w);
        double rate = limits_products(limits, build_precision(s->options));
        int64_t items = workload_items(&w, &unit);
        printf("%s, %s: %.3f ms (fastest %.3f, slowest %.3f, of %d)", s->options->argument, w.title, 1e3 * median,
               1e3 * seconds[0], 1e3 * seconds[count - 1], count);
        if (items > 0) printf(", %.0f %s/s", (double)items / median, unit);
        printf("\nproducts: %.3g GFLOP, %.3f ms at the limit, %.0f %% of the time\n", 1e-9 * products,
               1e3 * products / rate, 100 * products / rate / median);
        printf("arena: %.1f MiB\n", (double)workload_memory(&w) / (1 << 20));
    }
    workload_close(&w);
    return seconds != NULL;
}

int command_bench(const Options *options)
{
    Limits limits;
    Session s = { .arena = options->arena, .options = options };
    if (!options_weights_are_read(options, !options->entry)) return EXIT_MISUSE;
    if (options->argument && !session_open(&s, options)) {
        session_close(&s);
        return EXIT_BAD_INPUT;
    }
    bool good = limits_measure(&s, &limits);
    if (good) {
        limits_print(stdout, &limits);
        good = !options->argument || bench_model(&s, &limits);
    }
    if (options->argument) session_close(&s);
    return good ? EXIT_GOOD : EXIT_BAD_INPUT;
}
