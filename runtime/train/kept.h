/* The checkpoints of a run before its last one, kept beside it as step-000180.safetensors: what to go on from should
 * the last one be damaged. Nothing is written twice: a checkpoint that another takes the place of gets such a name. */
#ifndef PTM_RUNTIME_KEPT_H
#define PTM_RUNTIME_KEPT_H

#include "runtime/text/tokenizer.h"

typedef struct Kept {
    const char *directory;
    int64_t    *steps;                   /* rising */
    int64_t     count, room;
    int64_t     most;                    /* to keep */
} Kept;

/* Finds those in the directory. */
bool kept_open(Kept *k, const char *directory, int64_t most, RtError *e);
void kept_close(Kept *k);

/* The path of the one of this step; `room` bytes there. False when it is too long. */
bool kept_path(const Kept *k, int64_t step, char *path, size_t room, RtError *e);

/* A run goes on after `step`: removes those of that step and of later ones. */
void kept_cut(Kept *k, int64_t step);

/* Gives the file `last`, of this step, its second name, so that it stays when it is replaced. Allocates nothing. */
bool kept_add(Kept *k, const char *last, int64_t step, RtError *e);
/* Removes the oldest until there are no more than asked for. */
void kept_prune(Kept *k);

#endif
