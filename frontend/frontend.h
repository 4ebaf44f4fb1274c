/* The language: text to syntax tree, syntax tree to graphs. Elaboration inlines calls, binds shapes and resolves names;
 * every node keeps its place and call path. The frontend knows nothing of files with data or of running code: what
 * `data` needs is asked of a Host. */
#ifndef PTM_FRONTEND_H
#define PTM_FRONTEND_H

#include "ir/eval.h"
#include "ir/graph.h"

typedef struct Ast Ast;                  /* one parsed file with its imports; see ast.h */

/* Reads a model file and what it imports (relative to the file, then in the gallery directories `search`, a
 * NULL-terminated list). NULL after reporting. Wrong files (binary, empty, huge, deeply nested, recursive import) end
 * in one clear error. */
Ast *ast_load(Arena *arena, const char *path, const char *const *search, Diagnostics *d);
Ast *ast_parse(Arena *arena, const Source *source, const char *const *search, Diagnostics *d);
Ast *ast_parse_alone(Arena *arena, const Source *source, Diagnostics *d);    /* imports stay unread */
void ast_print(const Ast *ast, FILE *out);                   /* stage "ast" */

/* A file as text: NULL after reporting. */
const Source *source_read(Arena *arena, const char *path, Diagnostics *d);
/* The canonical form of a model file (`ptm fmt`), comments kept. NULL after reporting syntax errors. */
const Source *source_format(Arena *arena, const Source *source, Diagnostics *d);

/* A value of the data phase that is not a number, text, list or stream of the language itself: opaque to the
 * frontend. */
typedef struct HostValue {
    void *handle;                        /* owned by the host */
    enum { HOST_text, HOST_column, HOST_ids, HOST_ragged, HOST_tokenizer, HOST_array, HOST_stream } kind;
    Type  type;                          /* array: its type; stream: the type of one batch element; ids: i32[N]; column
                                            and ragged: one axis, the rows */
    const char *name;                    /* of an array that is a const of data: what its table is called; else NULL */
} HostValue;

/* An argument or result of a host function. */
typedef struct HostArg {
    const char *name;                    /* keyword, or NULL when positional */
    enum { ARG_none, ARG_number, ARG_bool, ARG_text, ARG_host, ARG_list } kind;
    double      number;                  /* number and bool */
    const char *text;                    /* a string literal of the program */
    HostValue   value;
    struct HostArg *items;               /* list */
    int         count;
    Place       place;
} HostArg;

/* What the command supplies so that `data` can run. Functions report errors through `d` at `place` and return false. */
typedef struct Host {
    void *context;
    /* Is this the name of a row of readers.def? And all of them, for suggestions. */
    bool (*knows)(void *context, const char *name);
    const char *const *(*names)(void *context, int *count);
    /* Calls a reader: up to 8 results. dims is the table for types of results. */
    bool (*call)(void *context, const char *name, const HostArg *args, int arg_count, Place place,
                 Arena *arena, Dims *dims, Diagnostics *d, HostArg *results, int *result_count);
    /* tok["<s>"]: an id; tok(x): applies a tokenizer or label set; size(x): elements along an axis. All go through
     * `call` with the names "[]", "()" and "size" and the value as first argument. */
    /* A constant of `data` that was saved with the weights in use: taken in place of evaluating its expression. May be
     * NULL; false: not saved, or not to be used, which is then reported. */
    bool (*saved)(void *context, const char *name, Place place, Diagnostics *d, Dims *dims, HostArg *out);
    /* Runs a graph of data compiled, at concrete shapes. inputs[k] is an array for graph->inputs.at[k]; results[k]
     * belongs to graph->outputs.at[k]: an array of that type, or a number or truth value where it has no axes. False
     * after reporting. May be NULL. */
    bool (*run)(void *context, Graph *graph, const HostArg *inputs, Place place, Diagnostics *d, HostArg *results);
} Host;

typedef struct Setting {                 /* --set NAME=VALUE: a number, true, false, none or a string */
    const char *name, *value;
} Setting;

typedef struct ModelOptions {
    const Setting *settings;
    int            setting_count;
    const Host    *host;                 /* NULL: data is not evaluated, its constants become symbols */
    DType          real;                 /* what f32 in a source means: DT_f32, or DT_f64 for gradient checks */
    bool           on_demand;            /* constants of data are evaluated when something asks for them and the train
                                            block is not read, so that a command which runs one entry needs no more data
                                            than that entry */
} ModelOptions;

/* A model: an elaborated file. Owns (in its arena) the dims table shared by all its graphs. */
typedef struct Model Model;

/* Evaluates constants and `data`, checks declarations and the `train` block. NULL or a model; errors are in `d` either
 * way. */
Model *model_new(Arena *arena, const Ast *ast, const ModelOptions *options, Diagnostics *d);
/* What was left out on demand: all constants of data and the train block. False after errors. */
bool model_complete(Model *m, Diagnostics *d);

Dims  *model_dims(const Model *m);

/* `ptm check`: elaborates every function and module that can be an entry with symbolic dimensions, and everything
 * `train` uses with its streams; reports unused settings, constants and parameters. */
void model_check(Model *m, Diagnostics *d);

/* Whether a signature or a body of the file, or of a plain import, has a dimension or value of this name. */
bool model_has_dimension(const Model *m, const char *name);

/* A constant of `data` or the file, by name, for commands (`V`, tokenizer `tok`): false when absent, or after
 * reporting. */
bool model_constant(Model *m, const char *name, HostArg *out, Diagnostics *d);
/* All host values that are `const` in data, in order: saved with the weights. None while they are evaluated on
 * demand. */
int  model_constant_count(const Model *m);
const char *model_constant_name(const Model *m, int i);
HostArg     model_constant_value(const Model *m, int i);

/* The arrays among constants evaluated so far, also those inside lists ("levels.0.1"): inputs of storage STORE_const,
 * by name, of the graphs that use them. */
int              model_table_count(const Model *m);
const HostValue *model_table(const Model *m, int i);

/* One bound argument of an entry. */
typedef struct EntryArg {
    Type        type;                    /* its shape binds the entry's dimension symbols; the symbols then carry
                                            values */
    const char *name;
} EntryArg;

/* Elaborates the file-level fn `name` at these argument types (arg_count -1: symbolic, from its own signature): those
 * that must be given, in order, then others by name.
 * `training` is the ambient flag. Parameters reached are recorded in the model. NULL after errors. */
Graph *model_entry(Model *m, const char *name, const EntryArg *args, int arg_count, bool training, Diagnostics *d);
/* Number of tensor parameters that must be given; -1 when there is no such fn. */
int         model_entry_parameters(const Model *m, const char *name);
const char *model_entry_parameter(const Model *m, const char *name, int i);
/* Number of all its tensor parameters: behind those that must be given, the ones with a default. */
int         model_entry_tensors(const Model *m, const char *name);
bool        model_entry_any_rank(const Model *m, const char *name, int i);   /* f32[..S, N] */
/* Their types as the signature says them, with symbols for the dimensions that arguments bind, one for any leading
 * axes. out: room for model_entry_tensors. False after errors, also when there is no such fn. */
bool        model_entry_types(Model *m, const char *name, Diagnostics *d, Type *out);

/* The model's parameters, in order of first reach, over all entries elaborated so far. */
typedef struct Param {
    const char *path;                    /* "h.0.attn.query.weight" */
    Type        type;
    bool        trained;                 /* a gradient may be taken */
    const Graph *initial;                /* inputs: ambient "seed" and tables; result "0" of the parameter's type. Key:
                                            (seed, path) */
    const Origin *origin;
} Param;
int          model_param_count(const Model *m);
const Param *model_param(const Model *m, int i);
const Param *model_find_param(const Model *m, const char *path);

/* What `train` says. All values are evaluated; graphs are over scalars. */
typedef struct StreamUse {               /* argument k of an entry is fed from this stream's component */
    HostValue stream;
    const char *name;                    /* of the pipeline value: "batch" */
    Place       place;                   /* where the train block names it */
} StreamUse;

/* evaluate NAME = post(mean(entry(streams)), ..): each term is an entry over finite streams reduced in f64 over the
 * pass. */
typedef struct EvalTerm {
    const char *entry;                   /* a graph of its own for each: see graph */
    Graph      *graph;                   /* result "0"; NULL until model_entry-like elaboration by model_eval_graph */
    const StreamUse *streams;
    int         stream_count;
    enum { TERM_mean, TERM_sum } reduce;
} EvalTerm;
typedef struct Evaluation {
    const char *name;                    /* "loss": reported as valid_loss */
    EvalTerm   *terms;
    int         term_count;
    const Graph *post;                   /* inputs "0", "1" .. (f64 scalars, one per term) to result "0" */
    int64_t     every;                   /* steps; 0: at the end of every epoch */
    Place       place;
} Evaluation;

/* A stage of `train`: what its own lines and those it inherits say. A train block without stages is one stage "". */
typedef struct StageSpec {
    const char *name;                    /* "pretrain", "classify.thaw"; unique: with "_2" .. behind it where needed */
    const char *minimize;                /* entry; NULL: nothing to train */
    const StreamUse *streams;            /* its arguments */
    int         stream_count;
    double      clip;                    /* 0: none */
    int64_t     steps, epochs;           /* one of them, the other 0 */
    int64_t     accumulate;              /* batches to a step; 0: not said, so 1 */
    const char *const *frozen;           /* patterns of parameters that are not trained */
    int         frozen_count;
    const Evaluation *evaluations;
    int         evaluation_count;
    int         number;                  /* place in TrainSpec.stages */
    Place       place;
} StageSpec;

typedef struct TrainSpec {
    bool        present;                 /* the file has a train block */
    const StageSpec *stages;             /* in order; none when it says nothing to do */
    int         stage_count;
    Place       place;
} TrainSpec;
const TrainSpec *model_train(const Model *m);

/* Does one of the stage's `freeze` patterns match? */
bool model_frozen(const Model *m, const StageSpec *stage, const Param *param);

/* Reports the patterns of `freeze` and `group` lines that match no parameter: to be called once what the stages
 * minimize is elaborated. False when there are any. */
bool model_check_patterns(Model *m, Diagnostics *d);

/* The optimizer's code for one parameter in a stage, as `using` says with the groups that match; see passes.h
 * ParamUpdate. `steps` is the length of the stage for schedules, `epoch_steps` of a pass. What evaluations have given
 * so far comes in as ambient inputs "history.NAME", f32[K] with K as many as the stage makes (model_history_length),
 * NaN where there is none yet. NULL after errors. */
Graph *model_update(Model *m, const StageSpec *stage, const Param *param, int64_t steps, int64_t epoch_steps,
                    Diagnostics *d);
int64_t model_history_length(const Evaluation *e, int64_t steps, int64_t epoch_steps);

/* The initial value of a state that a graph of this model reads: a graph like Param.initial for `input`'s type, which
 * may differ between entries and batches ("h.0.c": f32[20, 200] and f32[1, 200]). Names "optimizer.wte.weight.m" too.
 * NULL: no such state. */
const Graph *model_state_initial(const Model *m, const Node *input);

/* The graph of an evaluation's term when its streams give batches of these types (a short last batch has others). */
Graph *model_eval_graph(Model *m, const Evaluation *e, int term, const Type *batch_types, Diagnostics *d);

/* The settings of `train` (settings.def), for help. */
int         setting_count(void);
const char *setting_name(int i);
const char *setting_doc(int i);

/* What a program can call, for help: the primitives, then the prelude file by file. */
typedef struct FunctionDoc {
    const char *group;                   /* "primitives", "prelude/nn.ptm" */
    const char *name;
    bool        module;
    const char *signature;               /* "softmax(x; axis = -1)" */
    const char *doc;                     /* a sentence, or "" */
} FunctionDoc;
const FunctionDoc *function_list(Arena *arena, int *count);

/* Every word that the language knows, grouped by kind. Kinds: keyword operator literal type block constant value
 * setting primitive function. */
typedef struct Word {
    const char *kind, *name;
} Word;
const Word *word_list(Arena *arena, int *count);

#endif
