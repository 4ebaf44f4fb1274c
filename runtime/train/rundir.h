/* The directory of a run: what it is called inside, and who may write there. */
#ifndef PTM_RUNTIME_RUNDIR_H
#define PTM_RUNTIME_RUNDIR_H

#include "runtime/train/kept.h"
#include "runtime/train/recipe.h"

enum { RUN_PATH_BYTES = 4096 };

typedef struct RunDirectory {
    char metrics[RUN_PATH_BYTES], last[RUN_PATH_BYTES], best[RUN_PATH_BYTES];
    Kept kept;
    bool has_checkpoint;                 /* on opening: `last` or another one is there to go on from */
    int  lock;                           /* the directory, locked; -1: not open */
} RunDirectory;

/* Whether no run is in the directory yet, which need not be there: for a command that asks before it compiles. */
bool rundir_is_free(const char *out, RtError *e);

/* Makes the directory (and those above it), or, to resume, finds it as a run left it. No other run can open it until it
 * is closed, or the process has ended. */
bool rundir_open(const Recipe *recipe, RunDirectory *d, RtError *e);
void rundir_close(RunDirectory *d);

/* Writes the recipe's files, each as a whole or not at all. Warns of what a run that goes on has lost since. */
bool rundir_describe(const Recipe *recipe, const RunDirectory *d, RtError *e);

/* The one of this step becomes the last one; what was in its place is put aside as last.safetensors.damaged. */
bool rundir_promote(RunDirectory *d, int64_t step, RtError *e);

#endif
