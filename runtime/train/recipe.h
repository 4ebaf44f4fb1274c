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
    bool           idle;                 /* predicts nothing: an evaluation leaves such batches out */
} RtRun;

/* The same entry compiled for each variant of its streams (RtVariant): run[v], whose program is NULL when no batch of
 * it has that shape. All share one state block. */
typedef struct RtRuns {
    const RtRun *run;
    int32_t      count;                  /* as many as its streams have variants; 1 without streams */
} RtRuns;

/* The states of a session: how large the block is, what it begins with, and the values in it. A session's states do not
 * depend on the variant. */
typedef struct RtStates {
    int64_t        bytes;
    const char    *initial;              /* a block with what `drawn` begin with: copied, never changed; NULL: there
                                            are none */
    const bool    *drawn;                /* by value; all others begin as zeros */
    const RtValue *values;               /* for checkpoints and resets */
    int32_t        count, kept;          /* values[0 .. kept) are the optimizer's: a new pass leaves them alone, the
                                            others are reset to their initial values */
} RtStates;

/* An entry over one pass of finite streams, its output "0" reduced in f64, in an order that follows from the data.
 * mean: over all elements of all batches; an entry that returns one number a batch has already averaged over the batch,
 * so that number counts as much as the batch does (RtVariant.weight). Its states begin afresh with each pass. */
typedef struct RtTerm {
    RtRuns   runs;
    RtStates states;
    enum { RT_MEAN, RT_SUM } reduce;
} RtTerm;

/* A number of the field, computed from the terms. */
typedef struct RtEvaluation {
    const char   *name;                  /* "loss"; written as valid_loss */
    const RtTerm *terms;
    int           term_count;
    const Program *post;                 /* f64 scalars: inputs "0", "1" .. are the terms, output "0"; NULL: the first
                                            term */
    int64_t       every;                 /* steps; 0: at the end of every epoch. Always at the end of the stage */
    int           better;                /* -1: a smaller value is better, 1: a larger one, 0: does not choose the best
                                            weights. The first evaluation of the last stage that is not 0 chooses */
} RtEvaluation;

/* A stage of training: what is minimized, with what, for how long. The ambient "step" counts from its begin. */
typedef struct RtStage {
    const char    *name;                 /* "pretrain"; "" for a train block without stages */
    RtRuns         train;                /* the step with its optimizer */
    /* Outputs by variant: f32 or f64 scalars; lr and grad_norm may be NULL: there is none. */
    const RtValue *const *loss, *const *lr, *const *grad_norm;
    RtStates       states;               /* hidden states and the optimizer's: both begin afresh with the stage */
    int64_t        steps;                /* of this stage, those before a resume included */
    int64_t        epoch_steps;          /* in one pass of its streams. The states behind `kept` are reset at each
                                            pass */
    int64_t        shards;               /* batches to a step; 0 is 1. With more, `train` makes the gradients and the
                                            loss of one batch in the block of sums, and two programs without feeds
                                            follow: */
    RtRun          merge;                /* adds the slot behind it to the slot at the block's begin */
    RtRun          update;               /* the optimizer, for the mean of the shards; its outputs are the step's */
    int64_t        slot_bytes;           /* of one set of sums */
    int64_t        items;                /* per step, for the progress line; 0: not shown */
    const char    *unit;                 /* of these: "tokens", "rows" */
    const RtEvaluation *evaluations;
    int            evaluation_count;
} RtStage;
/* An input "history.NAME" (f32[K]) of the step that no feed names is ambient too: the values so far of the stage's
 * evaluation NAME, first one first, and NaN for those to come. Checkpoints hold them. */

/* A file of the run directory, written when the run begins or goes on: the model, run.json, tokenizers. */
typedef struct RtFile {
    const char *name, *text;             /* name: relative to the directory; may have folders, no ".." */
    int64_t     size;
    bool        fixed;                   /* the same whenever the run goes on: another one there is damaged */
} RtFile;

typedef struct Recipe {
    Pool *pool;                          /* scratch for the neediest of the programs */
    char *param, *constants;             /* blocks shared by all programs; params holds the initial values, and the
                                            result afterwards. Work and state blocks are made here */
    const RtValue *params, *tables;      /* what a checkpoint holds beside the states of its stage, at places in these
                                            two blocks. Tables are written as "const.NAME" and must be the same on
                                            resume */
    int           param_count, table_count;
    const RtMeta *metadata;              /* further texts for the checkpoint, the same on resume */
    int           metadata_count;

    const RtStage *stages;               /* run in order. rt_evaluate evaluates those of the last one */
    int            stage_count;
    uint64_t       seed;                 /* of the first stage; the others draw from rt_stage_seed */

    const char   *out;                   /* run directory; NULL: nothing is written */
    bool          resume;                /* go on from out/last.safetensors, or the newest of those kept that is whole;
                                            otherwise out must not hold a run */
    const RtFile *files;
    int           file_count;
    int64_t       log_every;             /* steps between lines of metrics.jsonl; 0: 10 */
    int64_t       save_every;            /* steps between checkpoints; 0: at evaluations of the stage's first one and
                                            at the end of a stage */
    int64_t       keep;                  /* checkpoints before the last to keep beside it, as step-000180.safetensors */
    int           progress;              /* file descriptor for progress; -1: silent */
    void        (*warn)(const char *text);   /* what the user should know of, though the run goes on; NULL: silent */

    /* For finding out where a number that is not finite came from. */
    bool          strict;                /* every number that a step reports must be finite, not the loss alone */
    const RtWatch *watch;                /* of training steps, and of the evaluations of rt_evaluate; or NULL */
    const char   *from;                  /* without `out`: a checkpoint to begin from; NULL: step 0 */
    int64_t      *step;                  /* is kept at the number of the step being made; or NULL */
} Recipe;

typedef enum RtOutcome {
    RT_DONE,
    RT_INTERRUPTED,                      /* by the user; saved when there is a run directory */
    RT_DIVERGED,                         /* failed, because the loss is no finite number any more */
    RT_FAILED                            /* the error says why; the last checkpoint is as it was */
} RtOutcome;

/* Trains. Nothing is allocated between the first step and the last. */
RtOutcome rt_train(const Recipe *recipe, RtError *error);

/* What a stage draws with, given the seed of the first, which is number 0. */
uint64_t rt_stage_seed(uint64_t seed, int stage);

/* All evaluations on the parameters as they are; values: one for each. */
bool rt_evaluate(const Recipe *recipe, double *values, RtError *error);

/* "gpt.ptm:21:9 h.0: index 70 is outside its axis of 65" */
void rt_fault_text(const Program *program, const RtFault *fault, RtError *error);

#endif
