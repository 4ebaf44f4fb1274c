/* The memory certificate: what training occupies, evaluations included; how near the step's plan is to its lower bound,
 * and the largest tensors alive at its peak. Everything in the arena is known before the first step; what stays outside
 * is listed as such. */
#include "frontend/cli/run.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST = 10 };

static const char *amount(Arena *arena, int64_t bytes)
{
    if (bytes < 10240) return arena_print(arena, "%lld B", (long long)bytes);
    if (bytes < 10 * 1048576) return arena_print(arena, "%.1f KiB", (double)bytes / 1024);
    return arena_print(arena, "%.1f MiB", (double)bytes / 1048576);
}

static void line(FILE *out, Arena *arena, const char *what, int64_t bytes)
{
    fprintf(out, "  %-22s %12s\n", what, amount(arena, bytes));
}

static void detail(FILE *out, Arena *arena, const char *what, int64_t bytes)
{
    fprintf(out, "    %-20s %12s\n", what, amount(arena, bytes));
}

static bool alive(const Buffer *b, int at)
{
    return b->block == MEMORY_work && b->first <= at && at <= b->last;
}

/* The position at which the living work buffers reach highest. */
static int peak_position(const Plan *plan)
{
    int64_t *change = calloc((size_t)plan->kernels.count + 2, sizeof *change);
    if (!change) return 0;
    for (int i = 0; i < plan->buffers.count; i++) {
        const Buffer *b = plan->buffers.at[i];
        if (b->block != MEMORY_work || b->last < b->first) continue;
        int first = b->first < 0 ? 0 : b->first;
        change[first] += b->bytes;
        if (b->last < plan->kernels.count) change[b->last + 1] -= b->bytes;
    }
    int best = 0;
    int64_t sum = 0, most = -1;
    for (int at = 0; at < plan->kernels.count; at++) {
        sum += change[at];
        if (sum > most) most = sum, best = at;
    }
    free(change);
    return best;
}

static int by_size(const void *a, const void *b)
{
    const Buffer *x = *(Buffer *const *)a, *y = *(Buffer *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->id - y->id;
}

static void print_largest(FILE *out, Arena *arena, const Plan *plan)
{
    Vec(Buffer *) living = { 0 };
    int at = peak_position(plan);
    for (int i = 0; i < plan->buffers.count; i++) {
        Buffer *b = plan->buffers.at[i];
        bool counted = b->takes_over && (alive(b->takes_over, at) || b->takes_over->block != MEMORY_work);
        if (!counted && (alive(b, at) || b->block != MEMORY_work)) vec_push(arena, &living, b);
    }
    if (living.count) qsort(living.at, (size_t)living.count, sizeof *living.at, by_size);
    fprintf(out, "largest tensors alive at the peak (kernel %d of %d):\n", at + 1, plan->kernels.count);
    for (int i = 0; i < living.count && i < LARGEST; i++) {
        const Buffer *b = living.at[i];
        const Node *node = b->node;
        const Origin *origin = node->origin_count ? node->origins[0] : NULL;
        const char *name = node->op == OP_input ? node->attr.text : origin ? origin->path : "";
        while (origin && origin->caller && origin->place.source && origin->place.source->builtin)
            origin = origin->caller;
        fprintf(out, "  %12s  %-26s %-18s", amount(arena, b->bytes), type_text(arena, &node->type),
                b->category ? b->category : "");
        if (origin && origin->place.source)
            fprintf(out, " %s:%u %s", origin->place.source->path, origin->place.line, name);
        fputc('\n', out);
    }
}

static int64_t category_bytes(const Plan *plan, const char *category)
{
    int at = peak_position(plan);
    int64_t sum = 0;
    for (int i = 0; i < plan->buffers.count; i++) {
        const Buffer *b = plan->buffers.at[i];
        if (alive(b, at) && b->category && !strcmp(b->category, category)) sum += b->bytes;
    }
    return sum;
}

/* The work arena: one for all programs, so as large as the neediest wants it; then what the step does with its part. */
static int64_t print_work(FILE *out, Arena *arena, const Run *r, const RtMemory *memory)
{
    static const char *const parts[] = { "batch", "saved activations", "gradients", "scratch" };
    const Plan *plan = r->train.plan;
    int64_t initial = r->initial.program->block_bytes[BLOCK_work], arena_bytes = memory->step;
    if (memory->evaluation > arena_bytes) arena_bytes = memory->evaluation;
    line(out, arena, "work arena", arena_bytes);
    detail(out, arena, "step", memory->step);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        fprintf(out, "      %-18s %12s  at the peak\n", parts[i], amount(arena, category_bytes(plan, parts[i])));
    int64_t products = code_statistics(r->train.code).product_bytes;
    if (products) fprintf(out, "      %-18s %12s  behind the plan\n", "product parts", amount(arena, products));
    fprintf(out, "      %-18s %12s  (efficiency %.1f %%, order: %s)\n", "lower bound", amount(arena, plan->lower_bound),
            memory->step ? 100.0 * (double)plan->lower_bound / (double)memory->step : 100.0,
            plan->order ? plan->order : "as built");
    if (r->evaluation_count) detail(out, arena, "evaluations", memory->evaluation);
    if (initial <= arena_bytes) return arena_bytes;
    fprintf(out, "  %-22s %12s  (before the first step, in place of the arena)\n", "initial values",
            amount(arena, initial));
    return initial;
}

void certificate_print(FILE *out, const Run *r, const RtMemory *memory)
{
    Arena *arena = arena_new();
    const Layout *layout = r->layout;
    CodeStatistics statistics = code_statistics(r->train.code);
    int64_t scratch = rt_pool_scratch(r->pool);
    fprintf(out, "one step: %d kernels, %d distinct functions, %.2f s of LLVM\nmemory of training\n",
            r->train.program->step_count, statistics.functions, statistics.llvm_seconds);
    line(out, arena, "parameters", layout->param_bytes);
    line(out, arena, "optimizer state", layout->state_bytes);
    if (memory->states) line(out, arena, "evaluation states", memory->states);
    if (layout->const_bytes) line(out, arena, "tables", layout->const_bytes);
    int64_t work = print_work(out, arena, r, memory);
    fprintf(out, "  %-22s %12s  (%d threads)\n", "thread scratch", amount(arena, scratch), rt_pool_threads(r->pool));
    line(out, arena, "total", layout->param_bytes + layout->state_bytes + memory->states + layout->const_bytes + work
         + scratch);
    fprintf(out, "outside: code %s, the data read, OpenBLAS (128 MiB of address space a thread), the compiler\n",
            amount(arena, statistics.code_bytes));
    print_largest(out, arena, r->train.plan);
    arena_free(arena);
}
