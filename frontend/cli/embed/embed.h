/* What the files of libptm share: a model as the command line has it, and what was asked of it. */
#ifndef PTM_EMBED_H
#define PTM_EMBED_H

#include "frontend/cli/run.h"
#include "frontend/cli/sample.h"
#include "frontend/cli/embed/ptm.h"
#include "runtime/train/history.h"
#include "runtime/train/run.h"

struct PtmEntry {
    PtmModel   *model;
    const char *name;
    Graph      *graph;
    Job         job;                     /* of the one graph; owned */
    char       *states;                  /* owned */
    char       *block[BLOCK_COUNT];
    PtmArray   *inputs, *outputs;
};

struct PtmTraining {
    PtmModel *model;
    Recipe    recipe;
    Blocks    blocks;                    /* owned, like the history */
    History   history;                   /* of the stage at work */
    bool      begun;
    int       stage;
    int64_t   made, made_of_stage;
};

struct PtmModel {
    Arena      *arena;
    Options     options;
    Session     session;
    Run         run;
    bool        opened, built;
    char       *said;                    /* what the session has printed: a memory stream */
    size_t      said_bytes;
    Vec(PtmEntry *) entries;
    PtmTraining *training;
    PtmArray   *params;
    char       *work;                    /* of entries, shared; owned */
    int64_t     work_bytes;
    Sampler     sampler;                 /* with room for a vocabulary once ptm_choose has been called */
};

/* Moves what was printed to *error and returns false. */
bool embed_failed(PtmModel *model, PtmError *error);
bool embed_fail(PtmError *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

PtmArray embed_array(const RtValue *value, char *const *block);

bool entry_compile(PtmEntry *entry);     /* these say on the session what is wrong */
bool entry_allocate(PtmEntry *entry);
void entry_close(PtmEntry *entry);
bool training_open(PtmTraining *training);
void training_close(PtmTraining *training);

#endif
