/* The clock around rows. */
#include "frontend/cli/timer.h"
#include "runtime/train/progress.h"

static void begin(void *context, const Program *program, char *const *block)
{
    Timer *t = context;
    (void)block;
    t->now = -1;
    for (int k = 0; k < t->programs.count; k++)
        if (t->programs.at[k].build->program == program) t->now = k;
    if (!t->visits.count) t->first = clock_s();
}

static void before(void *context, int32_t row, char *const *block, const RtIteration *in)
{
    (void)row, (void)block, (void)in;
    ((Timer *)context)->since = clock_s();
}

static void after(void *context, int32_t row, char *const *block, const RtIteration *in)
{
    Timer *t = context;
    double end = clock_s();
    (void)block, (void)in;
    if (t->now < 0) return;
    RowTime *time = &t->programs.at[t->now].rows[row];
    time->seconds += end - t->since;
    time->visits++;
    if (t->recording)
        vec_push(t->arena, &t->visits, ((Visit){ t->now, row, t->since - t->first, end - t->first }));
}

static void end(void *context, char *const *block) { (void)context, (void)block; }

Timer *timer_new(Arena *arena)
{
    Timer *t = arena_new_of(arena, Timer);
    *t = (Timer){ .arena = arena, .now = -1, .watch = { t, begin, before, after, end } };
    return t;
}

void timer_add(Timer *t, const Build *build)
{
    TimedProgram program = { build, arena_array(t->arena, RowTime, build->program->step_count + 1) };
    vec_push(t->arena, &t->programs, program);
}
