/* The directory of a run: what it is called inside, and who may write there. */
#ifndef PTM_RUNTIME_RUNDIR_H
#define PTM_RUNTIME_RUNDIR_H

#include "runtime/train/recipe.h"

enum { RUN_PATH_BYTES = 4096 };

typedef struct RunDirectory {
    char metrics[RUN_PATH_BYTES], last[RUN_PATH_BYTES], best[RUN_PATH_BYTES];
    bool has_checkpoint;                 /* on opening: `last` is there to go on from */
} RunDirectory;

/* Whether no run is in the directory yet, which need not be there: for a command that asks before it compiles. */
bool rundir_is_free(const char *out, RtError *e);

/* Makes the directory (and those above it), or, to resume, finds it as a run left it. */
bool rundir_open(const Recipe *recipe, RunDirectory *d, RtError *e);

/* Writes the recipe's files, each as a whole or not at all. */
bool rundir_describe(const Recipe *recipe, RtError *e);

#endif
