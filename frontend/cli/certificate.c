/* The memory certificate: what a step occupies, how near the plan is to its lower bound, and the largest tensors alive at the
 * peak. Everything in the arena is known before the first step; what stays outside is listed as such. */
#include "frontend/cli/session.h"

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
        while (origin && origin->caller && origin->place.source && origin->place.source->builtin) origin = origin->caller;
        fprintf(out, "  %12s  %-26s %-18s", amount(arena, b->bytes), type_text(arena, &node->type), b->category ? b->category : "");
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

void certificate_print(FILE *out, const Plan *plan, const Program *program, const Code *code, int threads)
{
    Arena *arena = arena_new();
    int64_t scratch = program->scratch_bytes * threads, work = program->block_bytes[BLOCK_work], total = scratch;
    for (int i = 0; i < BLOCK_COUNT; i++) total += program->block_bytes[i];

    CodeStatistics statistics = code_statistics(code);
    fprintf(out, "one step: %d kernels, %d distinct functions, %.2f s of LLVM\nmemory of one step\n", program->step_count, statistics.functions,
            statistics.llvm_seconds);
    line(out, arena, "parameters", program->block_bytes[BLOCK_param]);
    line(out, arena, "optimizer state", program->block_bytes[BLOCK_state]);
    if (program->block_bytes[BLOCK_const]) line(out, arena, "tables", program->block_bytes[BLOCK_const]);
    line(out, arena, "work arena", work);
    static const char *const parts[] = { "batch", "saved activations", "gradients", "scratch" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        fprintf(out, "    %-20s %12s  at the peak\n", parts[i], amount(arena, category_bytes(plan, parts[i])));
    fprintf(out, "    %-20s %12s  (efficiency %.1f %%, order: %s)\n", "lower bound", amount(arena, plan->lower_bound),
            work ? 100.0 * (double)plan->lower_bound / (double)work : 100.0, plan->order ? plan->order : "as built");
    fprintf(out, "  %-22s %12s  (%d threads)\n", "thread scratch", amount(arena, scratch), threads);
    line(out, arena, "total", total);
    fprintf(out, "outside: code %s, the data read, OpenBLAS (128 MiB of address space a thread), the compiler\n",
            amount(arena, statistics.code_bytes));
    print_largest(out, arena, plan);
    arena_free(arena);
}
