/* Own products beside OpenBLAS's: the same contraction compiled twice, run in alternation. One thread is timed by its
 * own processor time, which others on the machine change little; several by the clock. usage: products PEAK1 PEAKN
 * THREADS ROUNDS [MxNxK[:LAYOUT[:BATCH]] ..], peaks in GFLOP/s (`ptm bench` measures them); LAYOUT nn, tn (A in
 * columns), nt (B in columns). Prints a table in Markdown: of many rounds the fastest, and the medians' ratio. */
#include "codegen/trial.h"
#include "passes/passes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Shape {
    const char *name;
    int64_t m, n, k, batch;
    char a, b;                           /* n: in rows, t: in columns */
} Shape;

enum { MAX_ROUNDS = 1000, SERVERS = 2 };

static const char *const usual[] = {
    /* GPT 4 x 128, 12 x 64 tokens: forward, and gradients of weights and inputs */
    "768x128x128", "768x384x128", "768x512x128", "768x128x512", "768x65x128:nt", "128x512x768:tn", "512x128x768:tn",
    "768x128x512:nt", "64x64x32:nt:48", "64x32x64:nn:48",
    /* GPT-2 124M, 4 x 64 tokens */
    "256x768x768", "256x2304x768", "256x3072x768", "256x768x3072", "768x3072x256:tn", "3072x768x256:tn",
    "256x768x3072:nt", "256x3072x768:nt", "1024x768x768", "1024x3072x768",
    /* BERT-base, 16, 128 and 512 tokens */
    "16x768x768", "16x3072x768", "16x768x3072", "128x768x768", "128x3072x768", "128x768x3072", "512x768x768",
    "512x3072x768", "512x768x3072", "128x128x64:nt:12", "128x64x128:nn:12", "512x512x64:nt:12", "512x64x512:nn:12",
    /* LSTM of 650 and 200 units, steps of 20 rows */
    "20x2600x650", "20x800x200", "20x650x2600:nt", "700x10000x650",
    /* decoding: one row and some */
    "1x768x768", "1x3072x768", "1x768x3072", "1x50257x768:nt", "2x3072x768", "4x3072x768", "8x3072x768",
    "8x50257x768:nt",
};

static Shape read_shape(const char *text)
{
    Shape s = {.name = text, .batch = 1, .a = 'n', .b = 'n'};
    long long m, n, k, batch = 1;
    if (sscanf(text, "%lldx%lldx%lld:%c%c:%lld", &m, &n, &k, &s.a, &s.b, &batch) < 3) {
        fprintf(stderr, "products: %s is no shape like 256x768x3072:nt:12\n", text);
        exit(2);
    }
    s.m = m, s.n = n, s.k = k, s.batch = batch;
    return s;
}

static Type type_of_shape(Graph *g, const Shape *s, int64_t rows, int64_t columns)
{
    Type t = {.dtype = DT_f32};
    if (s->batch > 1) t.dim[t.rank++] = dim_int(g->dims, s->batch);
    t.dim[t.rank++] = dim_int(g->dims, rows);
    t.dim[t.rank++] = dim_int(g->dims, columns);
    return t;
}

static Plan *plan_of(Arena *arena, const Shape *s, Diagnostics *d)
{
    Graph *g = graph_new(arena, dims_new(arena), "product");
    bool a = s->a == 't', b = s->b == 't';
    Node *x = make_input(g, STORE_param, "a", type_of_shape(g, s, a ? s->k : s->m, a ? s->m : s->k)),
         *y = make_input(g, STORE_param, "b", type_of_shape(g, s, b ? s->n : s->k, b ? s->k : s->n));
    const char *batch = s->batch > 1 ? "b" : "";
    const char *equation =
        arena_print(arena, "%s%s,%s%s->%smn", batch, a ? "km" : "mk", batch, b ? "nk" : "kn", batch);
    graph_output(g, OUTPUT_result, "c", make_einsum(g, equation, x, y));
    const Graph *all[] = {g};
    PassOptions options = {.layout = layout_new(arena, all, 1)};
    return passes_run(arena, g, &options, d);
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double seconds_of(Trial *t, int threads, int turns)
{
    clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    double start = now(clock);
    for (int i = 0; i < turns; i++) trial_run(t);
    return (now(clock) - start) / turns;
}

static int by_size(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void fill(Trial *t, Arena *arena, const Graph *g)
{
    for (int k = 0; k < g->inputs.count; k++)
        trial_set(t, g->inputs.at[k]->attr.text, tensor_some(arena, g->inputs.at[k], k, 8));
}

static void measure(const Shape *s, int threads, double peak, int rounds)
{
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    Plan *plan = plan_of(arena, s, d);
    Trial t[SERVERS];
    static double seconds[SERVERS][MAX_ROUNDS];
    for (int k = 0; k < SERVERS; k++) {
        CodeOptions code = {.threads = 1, .blas = k == 0 ? BLAS_none : BLAS_openblas};
        if (!plan || !trial_open(&t[k], plan, threads, &code, d)) {
            diag_print(d, stderr);
            exit(1);
        }
        fill(&t[k], arena, plan->graph);
        trial_run(&t[k]);
    }
    double work = 2.0 * (double)(s->batch * s->m * s->n * s->k);
    int turns = (int)(2e8 / work) + 1;
    for (int r = 0; r < rounds; r++)
        for (int k = 0; k < SERVERS; k++) seconds[k][r] = seconds_of(&t[k], threads, turns);
    for (int k = 0; k < SERVERS; k++) {
        qsort(seconds[k], (size_t)rounds, sizeof **seconds, by_size);
        trial_close(&t[k]);
    }
    double own = 1e-9 * work / seconds[0][0], library = 1e-9 * work / seconds[1][0];
    printf("| %-18s | %d | %7.1f | %7.1f | %.2f | %.2f | %3.0f %% |\n", s->name, threads, own, library, own / library,
           seconds[1][rounds / 2] / seconds[0][rounds / 2], 100 * own / peak);
    fflush(stdout);
    arena_free(arena);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: products PEAK1 PEAKN THREADS ROUNDS [SHAPE ..]\n");
        return 2;
    }
    int threads = atoi(argv[3]), rounds = atoi(argv[4]);
    if (rounds < 1 || rounds > MAX_ROUNDS) rounds = 21;
    int count = argc > 5 ? argc - 5 : (int)(sizeof usual / sizeof *usual);
    printf("| m x n x k:layout:batch | threads | own GFLOP/s | OpenBLAS GFLOP/s | ratio | of medians | of peak |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < count; i++) {
        Shape s = read_shape(argc > 5 ? argv[5 + i] : usual[i]);
        measure(&s, threads, threads == 1 ? atof(argv[1]) : atof(argv[2]), rounds);
    }
    return 0;
}
