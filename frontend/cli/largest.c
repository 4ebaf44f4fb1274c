/* Where a plan needs most: its peak, and the largest tensors alive there. */
#include "frontend/cli/certificate.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST = 10 };

const char *certificate_amount(Arena *arena, int64_t bytes)
{
    if (bytes < 10240) return arena_print(arena, "%lld B", (long long)bytes);
    if (bytes < 10 * 1048576) return arena_print(arena, "%.1f KiB", (double)bytes / 1024);
    return arena_print(arena, "%.1f MiB", (double)bytes / 1048576);
}

void certificate_line(FILE *out, const char *what, int64_t bytes, const char *rest)
{
    Arena *arena = arena_new();
    fprintf(out, "  %-22s %12s%s\n", what, certificate_amount(arena, bytes), rest);
    arena_free(arena);
}

static bool is_alive(const Buffer *b, int at)
{
    return b->block == MEMORY_work && b->first <= at && at <= b->last;
}

/* Written in the bytes of another value that counts already. */
static bool is_second(const Buffer *b, int at)
{
    return b->takes_over && (is_alive(b->takes_over, at) || b->takes_over->block != MEMORY_work);
}

int64_t certificate_category(const Plan *plan, const char *category)
{
    int at = certificate_peak(plan);
    int64_t sum = 0;
    for (int i = 0; i < plan->buffers.count; i++) {
        const Buffer *b = plan->buffers.at[i];
        bool counts = is_alive(b, at) && !is_second(b, at);
        if (counts && b->category && !strcmp(b->category, category)) sum += b->bytes;
    }
    return sum;
}

int certificate_peak(const Plan *plan)
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

void certificate_largest(FILE *out, const Plan *plan)
{
    Arena *arena = arena_new();
    Vec(Buffer *) living = { 0 };
    int at = certificate_peak(plan);
    for (int i = 0; i < plan->buffers.count; i++) {
        Buffer *b = plan->buffers.at[i];
        if (!is_second(b, at) && (is_alive(b, at) || b->block != MEMORY_work)) vec_push(arena, &living, b);
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
        fprintf(out, "  %12s  %-26s %-18s", certificate_amount(arena, b->bytes), type_text(arena, &node->type),
                b->category ? b->category : "");
        if (origin && origin->place.source)
            fprintf(out, " %s:%u %s", origin->place.source->path, origin->place.line, name);
        fputc('\n', out);
    }
    arena_free(arena);
}
