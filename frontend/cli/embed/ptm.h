/* libptm: language models in a program of your own. A model file is opened, entries of it and its training are compiled
 * in the process, and called.
 *
 *     PtmError error;
 *     PtmModel *model = ptm_open("gpt.ptm", (const char *[]){"--weights", "run/", NULL}, &error);
 *     PtmEntry *logits = ptm_entry(model, "logits", (const char *[]){"B=1", "T=16", NULL}, &error);
 *     if (!logits || !ptm_build(model, &error)) ...
 *     fill ptm_entry_input(logits, "ids")->data, then ptm_entry_run(logits, &error)
 *
 * First everything that is wanted is asked for: entries and training. Then ptm_build plans, compiles and allocates
 * all of it, with one set of parameters: what training changes, entries see. After that nothing is allocated by running
 * and stepping. A model and all that belongs to it are for one thread at a time; different models are independent. Work
 * is spread over threads of the library's own; their number never changes a result.
 *
 * Functions that can fail return NULL or false and say why in *error, which the caller owns and which must not be NULL.
 * Arrays are dense and row-major. Strings are UTF-8 and zero-terminated. */
#ifndef PTM_H
#define PTM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PTM_API __attribute__((visibility("default")))
#else
#define PTM_API
#endif

/* What the command line would print: several lines, with the places in the model file. */
typedef struct PtmError {
    char text[4096];
} PtmError;

/* Element types, 4, 8, 2, 2, 8, 4, 1, 1 and 1 bytes. A bool is 0 or 1. */
typedef enum PtmType {
    PTM_f32, PTM_f64, PTM_bf16, PTM_f16, PTM_i64, PTM_i32, PTM_i8, PTM_u8, PTM_bool
} PtmType;

enum { PTM_MAX_RANK = 8 };

typedef struct PtmArray {
    const char *name;                    /* "ids", "h.0.attn.query.weight" */
    PtmType     type;
    int         rank;                    /* 0: a single number */
    int64_t     shape[PTM_MAX_RANK], bytes;
    void       *data;                    /* bytes of them, the library's; NULL before ptm_build */
} PtmArray;

typedef struct PtmModel    PtmModel;
typedef struct PtmEntry    PtmEntry;     /* these two belong to their model and go with it */
typedef struct PtmTraining PtmTraining;

PTM_API const char *ptm_version(void);

/* Opens a model file. flags: as on the command line, ended by NULL; NULL: none. Those known are --data --set --weights
 * --seed --threads --memory and, for training, --steps; without --weights the parameters are drawn from the seed. */
PTM_API PtmModel *ptm_open(const char *path, const char *const *flags, PtmError *error);
PTM_API bool      ptm_build(PtmModel *model, PtmError *error);       /* once, after all that is wanted is asked for */
PTM_API void      ptm_close(PtmModel *model);                        /* NULL is allowed */

/* Parameters of what was built; changing them changes the model. NULL: there is no k-th, none of this name. */
PTM_API const PtmArray *ptm_param(const PtmModel *model, int k);
PTM_API const PtmArray *ptm_param_named(const PtmModel *model, const char *name);
/* Writes them, with the model's tables, as a safetensors file that --weights takes; a file that was there is replaced
 * whole or not at all. */
PTM_API bool ptm_save(PtmModel *model, const char *path, PtmError *error);

/* An fn of the file. dims: values of its dimension symbols, "B=1", ended by NULL; NULL: it has none. */
PTM_API PtmEntry *ptm_entry(PtmModel *model, const char *name, const char *const *dims, PtmError *error);
PTM_API const PtmArray *ptm_entry_input(const PtmEntry *entry, const char *name);    /* to be filled before every run */
PTM_API const PtmArray *ptm_entry_output(const PtmEntry *entry, int k);  /* NULL: no k-th. Stays until the next run of
                                                                            anything of this model */
/* States go on from run to run. False when an id is outside its table: the states are then not to be used. */
PTM_API bool ptm_entry_run(PtmEntry *entry, PtmError *error);
PTM_API void ptm_entry_reset(PtmEntry *entry);                       /* states as they begin */

/* What the file's `train` block says, step by step, as `ptm train` makes them: the same bits. At most once a model. */
PTM_API PtmTraining *ptm_training(PtmModel *model, PtmError *error);
PTM_API int64_t ptm_training_steps(const PtmTraining *training);     /* in all, of all stages */
PTM_API int64_t ptm_training_made(const PtmTraining *training);      /* so far */
/* One step more; *loss, which may be NULL, as that step found it. */
PTM_API bool ptm_training_step(PtmTraining *training, double *loss, PtmError *error);
/* The k-th `evaluate` line of the stage at work, over its whole pass. *name, which may be NULL: the line's. */
PTM_API bool ptm_training_evaluate(PtmTraining *training, int k, const char **name, double *value, PtmError *error);

/* Text to ids and back, by the tokenizer `tok` of the model's data. Both return how many ids or bytes there are, which
 * may be more than the room that they were given and have filled; -1 is an error. The text of ids ends with a zero byte
 * that does not count. */
PTM_API int64_t ptm_encode(PtmModel *model, const char *text, int32_t *ids, int64_t room, PtmError *error);
PTM_API int64_t ptm_decode(PtmModel *model, const int32_t *ids, int64_t count, char *text, int64_t room,
                           PtmError *error);

/* How an id is chosen by its logits, as `ptm generate` does it with these flags. Zeros are the defaults but for the
 * temperature: 0 is always the likeliest. */
typedef struct PtmSampling {
    double   temperature, top_p, repetition_penalty;
    int64_t  top_k;
    uint64_t seed;
} PtmSampling;

/* The id to stand behind ids[0 .. count), the `position`-th to be chosen for this text (from 0): a function of the
 * arguments. `vocabulary` logits. -1: they are not all numbers, or memory is short. */
PTM_API int32_t ptm_choose(PtmModel *model, const PtmSampling *how, const float *logits, int64_t vocabulary,
                           const int32_t *ids, int64_t count, int64_t position);

#ifdef __cplusplus
}
#endif

#endif
