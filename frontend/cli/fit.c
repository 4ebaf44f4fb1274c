/* --memory: the arena of training within a size. What stays outside of the arena, such as the data and the libraries,
 * is not counted. */
#include "frontend/cli/certificate.h"
#include "frontend/cli/sizes.h"

/* Plans the steps that need more work than this again, with a limit; compiles those that were compiled. */
static bool limit_work(Run *r, int64_t bytes)
{
    for (int i = 0; i < r->train_count; i++) {
        const StepSource *step = &r->steps[i];
        const Job *job = &r->trains[i];
        bool over = false, compiled = false;
        for (int v = 0; v < job->count; v++) {
            const Build *b = &job->builds[v];
            step->passes[v].memory = bytes;
            over = over || (b->plan && b->plan->block_bytes[MEMORY_work] > bytes);
            compiled = compiled || b->program;
        }
        if (over && (!run_plan_step(r, i) || (compiled && !run_compile_step(r, i)))) return false;
    }
    return true;
}

static bool refuse(const Run *r, const Needs *n, int64_t size)
{
    Arena *arena = r->s->arena;
    const Neediest step = run_neediest_step(r), evaluation = run_neediest_evaluation(r);
    bool in_step = n->step >= n->evaluation;
    session_fail(r->s, "the arena does not fit into %s: the least is %s (--memory %lld), %s of it for the work of %s",
                 certificate_amount(arena, size), certificate_amount(arena, n->arena), (long long)n->arena,
                 certificate_amount(arena, n->work), in_step ? r->trains[step.stage].title : "an evaluation");
    certificate_largest(messages_of(r->s->options), in_step ? step.build->plan : evaluation.build->plan);
    return false;
}

bool run_fits_machine(const Run *r)
{
    Arena *arena = r->s->arena;
    int64_t needs = run_needs(r).arena, machine = sizes_machine();
    if (needs <= machine) return true;
    session_fail(r->s, "the arena takes %s, and this process can have %s: make the model or its batches smaller, or "
                 "see what --memory SIZE can do", certificate_amount(arena, needs), certificate_amount(arena, machine));
    return false;
}

bool run_fit(Run *r, int64_t size)
{
    Needs n = run_needs(r);
    if (n.arena <= size) return true;
    int64_t work = size - (n.arena - n.work);
    if (!limit_work(r, work > 0 ? work : 1)) return false;
    n = run_needs(r);
    return n.arena <= size || refuse(r, &n, size);
}
