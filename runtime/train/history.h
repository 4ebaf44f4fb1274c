/* Histories: what the evaluations of a stage have given so far, for optimizers whose rates follow them. */
#ifndef PTM_RUNTIME_HISTORY_H
#define PTM_RUNTIME_HISTORY_H

#include "runtime/train/recipe.h"

#define HISTORY_PREFIX "history."

typedef struct HistoryRow {
    const RtValue *input;                /* "history.loss", f32[K], of a program of the step */
    int            evaluation;           /* of the stage */
    float         *numbers;              /* K; NaN for those to come */
} HistoryRow;

/* The histories of a stage that its step asks for. */
typedef struct History {
    HistoryRow *rows;
    int         count;
    float      *numbers;                 /* of all rows */
} History;

/* Begins without any number. */
bool history_new(const RtStage *stage, History *h, RtError *e);
void history_free(History *h);

void history_note(History *h, int evaluation, int64_t place, double value);
/* Forgets numbers from `place` on. */
void history_cut(const HistoryRow *row, int64_t place);

/* Fills the inputs of a step that no feed names. */
void history_fill(const History *h, const RtRun *run, char *const *block);

#endif
