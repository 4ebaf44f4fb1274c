/* A stage's step as a function: its batches have one shape or several, and several batches may make one step. */
#include "frontend/cli/shipped.h"
#include "runtime/train/step.h"

#include <string.h>

static int shape_count(const Job *job)
{
    int count = 0;
    for (int v = 0; v < job->shapes; v++) count += job->graphs[v] != NULL;
    return count;
}

/* "batch_1" for the axes along which the shapes of batches differ. */
static void add_shapes(Shipment *m, Shipped *f, const StepSource *step)
{
    Session *s = m->s;
    const StageSpec *stage = step->stage;
    int first = 0;
    while (!variants_has(&step->variants, first)) first++;
    for (int k = 0; k < stage->stream_count; k++) {
        Type type = variants_type(&step->variants, model_dims(s->model), k, first);
        for (int axis = 0; axis < type.rank; axis++) {
            bool differs = false;
            for (int v = first; v < step->variants.count; v++)
                if (variants_has(&step->variants, v))
                    differs = differs || variants_type(&step->variants, model_dims(s->model), k, v).dim[axis]
                                             != type.dim[axis];
            if (!differs) continue;
            const char *name = model_entry_parameter(s->model, stage->minimize, k);
            name = arena_print(s->arena, "%s_%d", name, axis);
            vec_push(s->arena, &f->dims, name);
            ship_argument(m, f, ship_name(s, f, name), (ExportArg){ .kind = ARG_DIM });
        }
    }
}

static int64_t *shape_values(Shipment *m, const Shipped *f, const StepSource *step, int variant)
{
    Session *s = m->s;
    int64_t *values = arena_array(s->arena, int64_t, f->dims.count + 1);
    int count = 0;
    for (int k = 0; k < step->stage->stream_count && count < f->dims.count; k++) {
        Type type = variants_type(&step->variants, model_dims(s->model), k, variant);
        const char *name = model_entry_parameter(s->model, step->stage->minimize, k);
        for (int axis = 0; axis < type.rank && count < f->dims.count; axis++)
            if (!strcmp(f->dims.at[count], arena_print(s->arena, "%s_%d", name, axis)))
                values[count++] = dim_value(type.dim[axis]);
    }
    return values;
}

/* As runtime/train/step.c adds up shards: two sums of as many become one, after the last one all do. */
static void add_shards(Shipment *m, Shipped *f, ExportCase *c, int64_t shards, const int *programs)
{
    enum { BATCH, MERGE, UPDATE };
    Session *s = m->s;
    int64_t slot = f->f.sum_bytes / step_slots(shards);
    int held = 0;
    for (int64_t shard = 0; shard < shards; shard++) {
        bool last = shard == shards - 1;
        vec_push(s->arena, &c->actions,
                 ((ExportAction){ .program = programs[BATCH], .shard = shard, .sums = held * slot }));
        held++;
        for (int64_t bits = shard; held > 1 && (last || bits & 1); bits >>= 1) {
            held--;
            vec_push(s->arena, &c->actions,
                     ((ExportAction){ .program = programs[MERGE], .sums = (held - 1) * slot }));
        }
    }
    ship_run(m, c, programs[UPDATE]);
}

static bool add_step_cases(Shipment *m, Shipped *f, const StepSource *step, const Job *job, const char *name)
{
    int more[3] = { -1, -1, -1 };
    for (int k = job->shapes; k < job->count; k++)
        if ((more[1 + k - job->shapes] = ship_program(m, job->builds[k].plan, name)) < 0) return false;
    int cases = 0;
    f->values = arena_array(m->s->arena, int64_t *, job->shapes);
    f->plans = arena_array(m->s->arena, const Plan *, job->shapes);
    for (int v = 0; v < job->shapes; v++) {
        if (!job->graphs[v]) continue;
        if ((more[0] = ship_program(m, job->builds[v].plan, name)) < 0) return false;
        f->values[cases] = shape_values(m, f, step, v);
        f->plans[cases] = job->builds[v].plan;
        ExportCase *c = ship_case(m, f, f->values[cases++]);
        if (step->shards > 1) add_shards(m, f, c, step->shards, more);
        else ship_run(m, c, more[0]);
    }
    return true;
}

bool ship_step(Shipment *m, int stage, const char *entry)
{
    Session *s = m->s;
    const StepSource *step = &m->run.steps[stage];
    const Job *job = &m->run.trains[stage];
    const StageSpec *spec = step->stage;
    const Plan **plans = arena_array(s->arena, const Plan *, job->count);
    for (int k = 0; k < job->count; k++) plans[k] = job->builds[k].plan;
    const char *about = arena_print(s->arena,
        "One step of training: gradients, optimizer, random numbers and schedule; param and state are new afterwards.\n"
        "step: how many were made before this one, of %lld that the schedule knows of.%s", (long long)step->steps,
        step->shards > 1 ? arena_print(s->arena, "\nInputs are %lld batches, one behind the other.",
                                       (long long)step->shards) : "");
    Shipped *f = ship_function(m, entry, about);
    f->signature = arena_print(s->arena, "minimize %s", spec->minimize);
    f->f.stage = stage;
    if (step->shards > 1)
        f->f.sum_bytes = (step_slots(step->shards) * (job->layout->bytes[MEMORY_sum] / 2) + 63) / 64 * 64;
    if (step->shards > 1 && shape_count(job) > 1)
        return session_fail(s, "%s: a step of several batches is compiled for batches of one shape: use widths = 1",
                            entry) && false;
    add_shapes(m, f, step);
    if (!ship_memory(m, f, plans, job->count, true)) return false;
    for (int k = 0; k < spec->stream_count; k++)
        ship_value(m, f, ARG_INPUT, model_entry_parameter(s->model, spec->minimize, k));
    ship_histories(m, f, plans, job->count);
    ship_results(m, f, plans, job->count);
    return add_step_cases(m, f, step, job, entry);
}
