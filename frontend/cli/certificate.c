/* The memory certificate. The arena is known before the first step: what training occupies, evaluations included; how
 * near the step's plan is to its lower bound, and the largest tensors alive at its peak. What the process takes besides
 * is partly measured (process.c). */
#include "frontend/cli/certificate.h"

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
        all.cached += one.cached;
        all.llvm_seconds += one.llvm_seconds;
    }
    if (*name) fprintf(out, "stage %s: %lld step%s; ", name, (long long)r->stages[stage].steps,
                       r->stages[stage].steps == 1 ? "" : "s");
    fprintf(out, "one step: %d kernels in %d groups, %d distinct functions, %.2f s of LLVM", kernels, all.groups,
            all.functions, all.llvm_seconds);
    if (all.cached > 0) fprintf(out, ", %d functions compiled before", all.cached);
    if (shape_count(job) > 1) fprintf(out, ", in %d shapes of batches", shape_count(job));
    if (r->steps[stage].shards > 1) fprintf(out, "; %lld batches to a step", (long long)r->steps[stage].shards);
    fputc('\n', out);
    print_notes(out, job);
}

/* The states of a session: the training's are those of the stage that has most. */
static void print_states(FILE *out, const Run *r, const Needs *n)
{
    const RtStates *most = &r->trains[0].states;
    for (int i = 1; i < r->train_count; i++)
        if (r->trains[i].states.bytes > most->bytes) most = &r->trains[i].states;
    bool hidden = most->kept < most->count;
    int64_t kept = hidden ? rt_offset(most->values[most->kept].place) : most->bytes;
    certificate_line(out, "optimizer state", kept, "");
    if (hidden) certificate_line(out, "state", most->bytes - kept, "");
    if (n->states > most->bytes)
        certificate_line(out, "evaluation states", n->states - most->bytes, "");
}

/* The step's part of the work arena, and how near that is to the least. */
static void print_step_work(FILE *out, Arena *arena, const Run *r, const Neediest *step)
{
    static const char *const parts[] = { "batch", "saved activations", "gradients", "scratch" };
    const Plan *plan = step->build->plan;
    const char *name = step_name(arena, r, step);
    int again = plan_made_again(plan);
    certificate_line(out, "  step", plan->block_bytes[MEMORY_work], *name ? arena_print(arena, "  (%s)", name) : "");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        certificate_line(out, arena_print(arena, "    %s", parts[i]), certificate_category(plan, parts[i]),
                         "  at the peak");
    certificate_line(out, "    lower bound", plan->lower_bound,
                     arena_print(arena, "  (efficiency %.1f %%, order: %s)", efficiency(plan), plan->order));
    if (again) fprintf(out, "      %-18s %12d  kernels of %d\n", "run again", again, plan->kernels.count);
}

/* The work arena: one for all programs, so as large as the neediest wants it. */
static void print_work(FILE *out, Arena *arena, const Run *r, const Needs *n, const Neediest *step)
{
    const Neediest evaluation = run_neediest_evaluation(r);
    certificate_line(out, "work arena", n->step > n->evaluation ? n->step : n->evaluation, "");
    print_step_work(out, arena, r, step);
    if (evaluation.build)
        certificate_line(out, "  evaluations", n->evaluation,
                         arena_print(arena, "  (efficiency %.1f %%)", efficiency(evaluation.build->plan)));
    if (n->initial == n->work && n->initial > n->step && n->initial > n->evaluation)
        certificate_line(out, "initial values", n->initial, "  (before the first step, in place of the arena)");
}

void certificate_print(FILE *out, const Run *r)
{
    Arena *arena = arena_new();
    Needs n = run_needs(r);
    Neediest neediest = run_neediest_step(r);
    const int64_t *shared = r->layout->bytes;
    for (int i = 0; i < r->train_count; i++) print_step(out, r, i);
    fputs("memory of training\n", out);
    certificate_line(out, "parameters", shared[MEMORY_param], "");
    print_states(out, r, &n);
    if (shared[MEMORY_const]) certificate_line(out, "tables", shared[MEMORY_const], "");
    if (n.sums) certificate_line(out, "sums of gradients", n.sums, "");
    print_work(out, arena, r, &n, &neediest);
    certificate_line(out, "thread scratch", rt_pool_scratch(r->pool),
                     arena_print(arena, "  (%d thread%s)", rt_pool_threads(r->pool),
                                 rt_pool_threads(r->pool) == 1 ? "" : "s"));
    certificate_line(out, "total", n.arena, "");
    certificate_largest(out, neediest.build->plan);
    arena_free(arena);
}
