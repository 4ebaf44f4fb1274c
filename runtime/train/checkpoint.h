/* Checkpoints of a run: parameters, tables, the states and histories of the current stage as a tensor file, and how far
 * the run has come as its metadata. State only: no clock, host or number of threads, so that equal states are equal
 * bytes. Random numbers and batches are functions of (seed, step), so these two are all that resuming needs of them. */
#ifndef PTM_RUNTIME_CHECKPOINT_H
#define PTM_RUNTIME_CHECKPOINT_H

#include "runtime/train/history.h"
#include "runtime/train/recipe.h"

/* How far a run has come. Numbers that there are not (yet) are NaN. */
typedef struct Position {
    int64_t step;                        /* steps made, of all stages */
    int64_t stage, begin;                /* the stage of the last of them, and how many steps were made before it
                                            began */
    double  best;                        /* of the evaluation that chooses */
    int64_t best_step;
    double  loss, lr, grad_norm;         /* of the last step */
    bool    pending;                     /* the line of metrics and the evaluations that follow the last step are still
                                            to be made */
} Position;

/* What a checkpoint holds beside the recipe's blocks. */
typedef struct Held {
    char    *state;                      /* the state block of training */
    History *histories;                  /* one for each stage */
} Held;

/* Writes checkpoints of one recipe; everything it needs is allocated when it is made. */
typedef struct Saver Saver;
Saver *saver_new(const Recipe *recipe, Held held, RtError *e);
void   saver_free(Saver *saver);
bool   saver_write_all(Saver *saver, const char *path, const Position *position, RtError *e);
bool   saver_write_weights(Saver *saver, const char *path, const Position *position, RtError *e);   /* without states */

typedef enum Loaded {
    LOADED,
    LOADED_NOTHING,                      /* the file is missing or damaged; nothing has changed */
    LOADED_OTHER                         /* it is whole, but not of this run, or could not be read to its end */
} Loaded;

/* Reads a file of saver_write_all into the recipe's blocks and `held`. Tables and metadata must be those of the recipe,
 * and nothing may be missing or left over. */
Loaded checkpoint_load(const Recipe *recipe, Held held, const char *path, Position *position, RtError *e);

#endif
