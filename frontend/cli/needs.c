/* What a run needs of memory: the certificate prints it, --memory limits it. */
#include "frontend/cli/run.h"
#include "runtime/train/step.h"

static void raise(int64_t *most, int64_t bytes)
{
    if (bytes > *most) *most = bytes;
}

static int64_t work_bytes(const Build *b) { return b->plan ? b->plan->block_bytes[MEMORY_work] : 0; }

static void raise_to(Neediest *most, int stage, int variant, const Build *b)
{
    bool more = b->plan && (!most->build || work_bytes(b) > work_bytes(most->build));
    if (more) *most = (Neediest){ stage, variant, b };
}

Neediest run_neediest_step(const Run *r)
{
    Neediest most = { 0 };
    for (int i = 0; i < r->train_count; i++)
        for (int v = 0; v < r->trains[i].count; v++) raise_to(&most, i, v, &r->trains[i].builds[v]);
    return most;
}

Neediest run_neediest_evaluation(const Run *r)
{
    Neediest most = { 0 };
    for (int i = 0; i < r->measures.count; i++) {
        const Measure *m = &r->measures.at[i];
        for (int t = 0; t < m->from->term_count; t++)
            for (int v = 0; v < m->jobs[t].count; v++) raise_to(&most, -1, v, &m->jobs[t].builds[v]);
        raise_to(&most, -1, 0, &m->post);
    }
    return most;
}

static int64_t evaluation_states(const Run *r)
{
    int64_t most = 0;
    for (int i = 0; i < r->measures.count; i++) {
        const Measure *m = &r->measures.at[i];
        for (int t = 0; t < m->from->term_count; t++) raise(&most, m->jobs[t].states.bytes);
    }
    return most;
}

/* Of the threads that there are, or will be. */
static int64_t scratch_bytes(const Run *r)
{
    int64_t most = 0, threads = r->s->options->threads;
    if (r->pool) return rt_pool_scratch(r->pool);
    for (int i = 0; i < r->train_count; i++)
        for (int v = 0; v < r->trains[i].count; v++)
            if (r->trains[i].builds[v].plan) raise(&most, plan_scratch(r->trains[i].builds[v].plan));
    for (int i = 0; i < r->measures.count; i++) raise(&most, measure_scratch(&r->measures.at[i]));
    return rt_pool_room(threads > 0 ? (int)threads : 0, most);
}

Needs run_needs(const Run *r)
{
    Needs n = { 0 };
    const Neediest step = run_neediest_step(r), evaluation = run_neediest_evaluation(r);
    for (int i = 0; i < r->train_count; i++) {
        const Job *job = &r->trains[i];
        raise(&n.states, job->states.bytes);
        if (job->count > job->shapes)
            raise(&n.sums, step_slots(r->steps[i].shards) * job->layout->bytes[MEMORY_sum] / 2);
    }
    n.states += evaluation_states(r);
    n.step = step.build ? work_bytes(step.build) : 0;
    n.evaluation = evaluation.build ? work_bytes(evaluation.build) : 0;
    n.initial = work_bytes(&r->initial);
    raise(&n.work, n.step);
    raise(&n.work, n.evaluation);
    raise(&n.work, n.initial);
    n.arena = r->layout->bytes[MEMORY_param] + r->layout->bytes[MEMORY_const] + n.states + n.sums + n.work
        + scratch_bytes(r);
    return n;
}
