/* Running a Program: its table, row by row. */
#include "runtime/core/pool.h"

/* A run ends at the first step that met a bad index: what follows would only spread numbers that mean nothing, and
 * parameters are updated last, so they keep their values. */
int rt_program_run(const Program *program, Pool *pool, char *const *block, RtFault *fault)
{
    *fault = (RtFault){0};
    for (int32_t i = 0; i < program->step_count; i++) {
        rt_pool_run(pool, &program->steps[i], block, fault);
        if (fault->place != 0) return 1;     /* plain read: rt_pool_run returned after every thread had finished */
    }
    return 0;
}
