/* run.json: how a run was begun. It explains the run to a reader, and it is what `--resume` goes on with: flags that
 * are not given again come from here, and what the model and the data say now must be what they said then. Equal runs
 * have equal records but for the names of files. */
#ifndef PTM_CLI_RECORD_H
#define PTM_CLI_RECORD_H

#include "frontend/cli/session.h"
#include "frontend/cli/sources.h"

/* A text that the run depends on: a file of the model, or what a source of `data` gave. */
typedef struct RecordedText {
    const char *name, *file;             /* "text", "book.txt"; file NULL: the built-in corpus */
    const char *hash;
} RecordedText;
typedef Vec(RecordedText) RecordedTexts;

/* A stage of the run, for the reader; not written where the one stage has no name. */
typedef struct RecordedStage {
    const char *name;
    int64_t     steps;
} RecordedStage;

typedef struct Record {
    const char *version, *model;
    Pairs       set, data, dim;
    const char *blas;                    /* NULL, in older records: openblas */
    const char *precision;               /* NULL: the default */
    int64_t     seed, steps;
    int64_t     save_every, keep;        /* of checkpoints; -1: not given */
    const char *folder;                  /* in which the files of `data` were named: from the run directory, "..", where
                                            it lies below, else absolute; NULL: not known */
    RecordedTexts files, sources;
    Vec(RecordedStage) stages;           /* of a record that is to be written */
} Record;

/* Reads DIR/run.json. NULL with the reason when it is missing or no record. */
const Record *record_read(Arena *arena, const char *directory, const char **why);

/* Adds to the flags of a command with --weights what the record beside the weights says and they do not: values of
 * constants and dimensions, and files. Weights without a record add nothing. False with the reason when there is one
 * but it is damaged. */
bool record_add(Arena *arena, const char *weights, Options *options, const char **why);

/* Completes the flags of a resumed run from its record. False after saying which of them contradict it. */
bool record_complete(Arena *arena, const Record *begun, Options *options);

/* What a run that begins now would have as its record. */
Record *record_of(Session *s, uint64_t seed, int64_t steps);

/* Whether a run may go on: false after saying which text differs. Warns of a length or version that differs. */
bool record_agrees(const Session *s, const Record *begun, const Record *now);

const char *record_text(Arena *arena, const Record *record);             /* JSON */

#endif
