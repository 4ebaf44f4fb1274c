/* Recipe: what `train` says, as programs, memory and streams; and the two verbs that follow it. The caller owns
 * everything that a recipe points to and keeps it until the verb returns. */
#ifndef PTM_RUNTIME_RECIPE_H
#define PTM_RUNTIME_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/core/pool.h"
#include "runtime/data/stream.h"
#include "runtime/text/tokenizer.h"
#include "runtime/train/tensors.h"

/* One input of a program, filled from a stream before every run. */
typedef struct RtFeed {
    const RtValue  *input;               /* among the program's inputs */
    const RtStream *stream;
} RtFeed;

/* A program and what feeds it. Inputs named "seed" and "step" that no feed names are ambient (i64): the seed, and
 * the number of steps made before this one. */
typedef struct RtRun {
    const Program *program;
    const RtFeed  *feeds;
    int            feed_count;
} RtRun;

/* An entry over one pass of finite streams, its output "0" reduced in f64, in data order. mean: over all elements
 * of all batches; an entry that returns one number a batch has already averaged over its rows, so that number
 * counts once for each row. */
typedef struct RtTerm {
    RtRun full, rest;                    /* a program is NULL when the pass has no such batch; rest: the short last
                                            one */
    enum { RT_MEAN, RT_SUM } reduce;
    const char *state;                   /* initial bytes of the state block, set before each pass; NULL: zeros */
} RtTerm;

/* A number of the field, computed from the terms. */
typedef struct RtEvaluation {
    const char   *name;                  /* "loss"; written as valid_loss */
    const RtTerm *terms;
    int           term_count;
    const Program *post;                 /* f64 scalars: inputs "0", "1" .. are the terms, output "0"; NULL: the first
                                            term */
    int64_t       every;                 /* steps; 0: at the end of every epoch. Always at the end */
    int           better;                /* -1: a smaller value is better, 1: a larger one, 0: does not choose the best
                                            weights. The first evaluation that is not 0 chooses */
} RtEvaluation;

/* A file of the run directory, written when the run begins or goes on: the model, run.json, tokenizers. */
typedef struct RtFile {
    const char *name, *text;             /* name: relative to the directory; may have folders, no ".." */
    int64_t     size;
} RtFile;

typedef struct Recipe {
    Pool *pool;                          /* scratch for the neediest of the programs */
    char *param, *state, *constants;     /* blocks shared by all programs (evaluations have states of their own); params
                                            and states hold their initial values, and the result afterwards. Work blocks
                                            are made here */
    const RtValue *params, *states, *tables;     /* what a checkpoint holds, at places in these three blocks. Tables are
                                                    written as "const.NAME" and must be the same on resume */
    int           param_count, state_count, table_count;
    const RtMeta *metadata;              /* further texts for the checkpoint, the same on resume */
    int           metadata_count;

    RtRun          train;
    const RtValue *loss;                 /* among the train program's outputs: f32 or f64 scalars */
    const RtValue *lr, *grad_norm;       /* NULL: there is none */
    int64_t        steps;                /* in all, those before a resume included */
    int64_t        epoch_steps;          /* in one pass of the stream */
    int64_t        tokens;               /* per step, for the progress line; 0: not shown */
    uint64_t       seed;
    const RtEvaluation *evaluations;
    int            evaluation_count;

    const char   *out;                   /* run directory; NULL: nothing is written */
    bool          resume;                /* go on from out/last.safetensors; otherwise out must not hold a run */
    const RtFile *files;
    int           file_count;
    int64_t       log_every;             /* steps between lines of metrics.jsonl; 0: 10 */
    int64_t       save_every;            /* steps between checkpoints; 0: at evaluations of the first one and at the
                                            end */
    int           progress;              /* file descriptor for progress; -1: silent */
} Recipe;

typedef enum RtOutcome {
    RT_DONE,
    RT_INTERRUPTED,                      /* by the user; saved when there is a run directory */
    RT_FAILED                            /* the error says why; the last checkpoint is as it was */
} RtOutcome;

/* Trains. Nothing is allocated between the first step and the last. */
RtOutcome rt_train(const Recipe *recipe, RtError *error);

/* All evaluations on the parameters as they are; values: one for each. */
bool rt_evaluate(const Recipe *recipe, double *values, RtError *error);

/* Bytes that a verb takes beside the blocks of its recipe. step and evaluation share one work block. */
typedef struct RtMemory {
    int64_t step, evaluation;            /* work of a training step, and of the neediest evaluation */
    int64_t states;                      /* of evaluations */
} RtMemory;
RtMemory rt_recipe_memory(const Recipe *recipe);

/* "gpt.ptm:21:9 h.0: id 70 is outside the table's 65 rows" */
void rt_fault_text(const Program *program, const RtFault *fault, RtError *error);

#endif
