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

/* The step that needs most of the work arena: a stage and a variant. */
typedef struct Neediest {
    int          stage, variant;
    const Build *build;
} Neediest;

static Neediest neediest_step(const Run *r)
{
    Neediest most = { 0 };
    for (int i = 0; i < r->train_count; i++) {
        const Job *job = &r->trains[i];
        for (int v = 0; v < job->count; v++) {
            const Build *b = &job->builds[v];
            if (!b->program) continue;
            if (!most.build || b->program->block_bytes[BLOCK_work] > most.build->program->block_bytes[BLOCK_work])
                most = (Neediest){ i, v, b };
        }
    }
    return most;
}

/* The plan of the evaluation that needs most of the work arena; NULL: there are none. */
static const Plan *neediest_evaluation(const Run *r)
{
    const Plan *most = NULL;
    for (int i = 0; i < r->measures.count; i++) {
        const Measure *m = &r->measures.at[i];
        for (int t = 0; t < m->from->term_count; t++)
            for (int v = 0; v < m->jobs[t].count; v++) {
                const Plan *p = m->jobs[t].builds[v].plan;
                if (p && (!most || p->block_bytes[MEMORY_work] > most->block_bytes[MEMORY_work])) most = p;
            }
    }
    return most;
}

static double efficiency(const Plan *p)
{
    int64_t bytes = p->block_bytes[MEMORY_work];
    return bytes ? 100.0 * (double)p->lower_bound / (double)bytes : 100.0;
}

static int shape_count(const Job *job)
{
    int count = 0;
    for (int v = 0; v < job->shapes; v++) count += job->builds[v].program != NULL;
    return count;
}

/* "stage tune, batch i32[128, 40]", "update": which of several programs it is; "" when there is one. */
static const char *step_name(Arena *arena, const Run *r, const Neediest *n)
{
    const StepSource *step = &r->steps[n->stage];
    const char *stage = r->train_count > 1 ? arena_print(arena, "stage %s", step->stage->name) : "";
    if (n->variant >= r->trains[n->stage].shapes)
        return arena_print(arena, "%s%supdate", stage, *stage ? ", " : "");
    if (shape_count(&r->trains[n->stage]) < 2) return stage;
    Type type = variants_type(&step->variants, model_dims(r->s->model), step->variants.leader, n->variant);
    return arena_print(arena, "%s%s%s %s", stage, *stage ? ", " : "", step->stage->streams[step->variants.leader].name,
                       type_text(arena, &type));
}

/* How tables that are looked up in are updated. */
static void print_notes(FILE *out, const Job *job)
{
    int v = 0;
    while (v < job->count && !job->builds[v].code) v++;
    for (int k = 0; v < job->count && k < job->builds[v].notes.count; k++)
        fprintf(out, "  %s\n", job->builds[v].notes.at[k]);
}

/* What is compiled for a stage: the programs of all its shapes together. */
static void print_step(FILE *out, const Run *r, int stage)
{
    const Job *job = &r->trains[stage];
    const char *name = r->stages[stage].name;
    CodeStatistics all = { 0 };
    int kernels = 0;
    for (int v = 0; v < job->count; v++) {
        if (!job->builds[v].code) continue;
        CodeStatistics one = code_statistics(job->builds[v].code);
        if (!kernels) kernels = job->builds[v].program->step_count, all.groups = one.groups;
        all.functions += one.functions;
        all.llvm_seconds += one.llvm_seconds;
    }
    if (*name) fprintf(out, "stage %s: %lld steps; ", name, (long long)r->stages[stage].steps);
    fprintf(out, "one step: %d kernels in %d groups, %d distinct functions, %.2f s of LLVM", kernels, all.groups,
            all.functions, all.llvm_seconds);
    if (shape_count(job) > 1) fprintf(out, ", in %d shapes of batches", shape_count(job));
    if (r->steps[stage].shards > 1) fprintf(out, "; %lld batches to a step", (long long)r->steps[stage].shards);
    fputc('\n', out);
    print_notes(out, job);
}

static int64_t code_bytes(const Run *r)
{
    int64_t bytes = 0;
    for (int i = 0; i < r->train_count; i++)
        for (int v = 0; v < r->trains[i].count; v++)
            if (r->trains[i].builds[v].code) bytes += code_statistics(r->trains[i].builds[v].code).code_bytes;
    return bytes;
}

/* The states of a session: the training's are those of the stage that has most. Returns the bytes of all. */
static int64_t print_states(FILE *out, Arena *arena, const Run *r, const RtMemory *memory)
{
    const RtStates *most = &r->trains[0].states;
    for (int i = 1; i < r->train_count; i++)
        if (r->trains[i].states.bytes > most->bytes) most = &r->trains[i].states;
    bool hidden = most->kept < most->count;
    int64_t kept = hidden ? rt_offset(most->values[most->kept].place) : most->bytes;
    line(out, arena, "optimizer state", kept);
    if (hidden) line(out, arena, "state", most->bytes - kept);
    if (memory->states > most->bytes) line(out, arena, "evaluation states", memory->states - most->bytes);
    return memory->states;
}

/* The work arena: one for all programs, so as large as the neediest wants it; then what the step does with its part. */
static int64_t print_work(FILE *out, Arena *arena, const Run *r, const Neediest *n, const RtMemory *memory)
{
    static const char *const parts[] = { "batch", "saved activations", "gradients", "scratch" };
    const Plan *plan = n->build->plan, *evaluation = neediest_evaluation(r);
    const char *name = step_name(arena, r, n);
    int64_t initial = r->initial.program->block_bytes[BLOCK_work], arena_bytes = memory->step;
    if (memory->evaluation > arena_bytes) arena_bytes = memory->evaluation;
    line(out, arena, "work arena", arena_bytes);
    fprintf(out, "    %-20s %12s%s%s%s\n", "step", amount(arena, memory->step), *name ? "  (" : "", name,
            *name ? ")" : "");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        fprintf(out, "      %-18s %12s  at the peak\n", parts[i], amount(arena, category_bytes(plan, parts[i])));
    fprintf(out, "      %-18s %12s  (efficiency %.1f %%, order: %s)\n", "lower bound", amount(arena, plan->lower_bound),
            efficiency(plan), plan->order);
    if (evaluation)
        fprintf(out, "    %-20s %12s  (efficiency %.1f %%)\n", "evaluations", amount(arena, memory->evaluation),
                efficiency(evaluation));
    if (initial <= arena_bytes) return arena_bytes;
    fprintf(out, "  %-22s %12s  (before the first step, in place of the arena)\n", "initial values",
            amount(arena, initial));
    return initial;
}

void certificate_print(FILE *out, const Run *r, const RtMemory *memory)
{
    Arena *arena = arena_new();
    const Layout *layout = r->layout;
    Neediest neediest = neediest_step(r);
    int64_t scratch = rt_pool_scratch(r->pool);
    for (int i = 0; i < r->train_count; i++) print_step(out, r, i);
    fputs("memory of training\n", out);
    line(out, arena, "parameters", layout->bytes[MEMORY_param]);
    int64_t states = print_states(out, arena, r, memory);
    if (layout->bytes[MEMORY_const]) line(out, arena, "tables", layout->bytes[MEMORY_const]);
    if (memory->sums) line(out, arena, "sums of gradients", memory->sums);
    int64_t work = print_work(out, arena, r, &neediest, memory);
    fprintf(out, "  %-22s %12s  (%d threads)\n", "thread scratch", amount(arena, scratch), rt_pool_threads(r->pool));
    line(out, arena, "total", layout->bytes[MEMORY_param] + states + layout->bytes[MEMORY_const] + memory->sums + work + scratch);
    fprintf(out, "outside: code %s, the data read, OpenBLAS (128 MiB of address space a thread), the compiler\n",
            amount(arena, code_bytes(r)));
    print_largest(out, arena, neediest.build->plan);
    arena_free(arena);
}
