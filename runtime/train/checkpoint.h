/* Checkpoints of a run: parameters, states and tables as a tensor file, and how far the run has come as its
 * metadata. State only: no clock, host or number of threads, so that equal states are equal bytes. Random numbers
 * and batches are functions of (seed, step), so these two are all that resuming needs of them. */
#ifndef PTM_RUNTIME_CHECKPOINT_H
#define PTM_RUNTIME_CHECKPOINT_H

#include "runtime/train/recipe.h"

/* How far a run has come. */
typedef struct Position {
    int64_t step;                        /* steps made */
    double  best;                        /* of the evaluation that chooses; NaN before its first */
    int64_t best_step;
} Position;

/* Writes checkpoints of one recipe; everything it needs is allocated when it is made. */
typedef struct Saver Saver;
Saver *saver_new(const Recipe *recipe, RtError *e);
void   saver_free(Saver *saver);
bool   saver_write_all(Saver *saver, const char *path, const Position *position, RtError *e);
bool   saver_write_weights(Saver *saver, const char *path, const Position *position, RtError *e);   /* without states */

/* Reads a file of saver_write_all into the recipe's blocks. Tables and metadata must be those of the recipe, and
 * nothing may be missing or left over. */
bool checkpoint_load(const Recipe *recipe, const char *path, Position *position, RtError *e);

#endif
