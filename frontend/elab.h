/* The elaborator's inside: an interpreter of the syntax tree whose tensors are nodes of the graph being built. Calls
 * are inlined, so every fn is a template; statics vanish. Shared by the files of this room only. */
#ifndef PTM_ELAB_H
#define PTM_ELAB_H

#include "frontend/value.h"
#include "frontend/weights.h"

/* what is known about a file */

typedef struct File File;
typedef struct Model Model;

/* A fn and the file whose scope it sees. */
typedef struct Callable {
    const FnDecl *fn;
    File         *file;
} Callable;

typedef struct Binding {
    const char *name;
    Value       value;
    Place       place;
    const Expr *pending;                 /* a default that nothing has asked for yet */
    const ParamDecl *param;              /* of a parameter; of a result of a host fn while its type is checked */
    struct Site *site;                   /* of a param or state: its value is the present one there */
    bool        result;
} Binding;
typedef Vec(Binding) Bindings;

/* A line `names = value` of `data`, or one binding of a `const`. Evaluated when first asked for. A `for` in data makes
 * lines of its own in each round. */
typedef struct Item {
    const Stmt *stmt;
    const Name *names;
    File       *file;
    bool        in_data, constant;
    int         order;                   /* among the lines of data, as they are written out */
    Bindings    scope;                   /* the names of the loops around it */
    enum { ITEM_waiting, ITEM_running, ITEM_done } state;
    Value      *values;                  /* one per name */
    int         count;
} Item;

typedef struct ItemName {
    Item       *item;
    int         index;                   /* among the names of the item */
    const Name *name;
    const char *setting;                 /* of --set, or NULL */
    bool        used;
    struct ItemName *older;              /* what the name meant before a `for` of data bound it anew, or NULL */
} ItemName;

struct File {
    const Ast *ast;
    bool       builtin;                  /* of the prelude */
    bool       plain_import;             /* may hold no label in a fn */
    Map       *fns;                      /* name -> Callable: its own, then those of plain imports */
    Map       *consts;                   /* name -> ItemName */
    Map       *pipeline;                 /* name -> ItemName: what `data` binds without const */
    Map       *stores;                   /* name -> Stmt: file-level param and state */
    Vec(ItemName *) names;               /* of consts and pipeline, in order */
};

/* A `group` line: kept as syntax, evaluated for each parameter that it matches. */
typedef struct Group {
    const Stmt *stmt;
    Bindings    scope;                   /* the names of the loops around it */
    Vec(const char *) patterns;          /* with the values of those names */
} Group;

/* An entry as `train` calls it: a fn with static arguments. */
typedef struct Use {
    const char *key;                     /* the name of the fn, or the text of the call when it has static arguments */
    const Callable *callable;
    const Expr *call;
    int         stream_count;
    const StreamUse *streams;
    Bindings    scope;                   /* of its static arguments */
} Use;

/* The syntax of an evaluation's terms. */
typedef struct TermSource {
    const EvalTerm *terms;
    const Expr    **calls;               /* the mean(…) or sum(…) of each */
    Bindings        scope;               /* of its static arguments */
} TermSource;

/* A pattern of a `freeze`, `group` or `ignore` line with the values of the names in it. */
typedef struct PatternUse {
    const Expr *x;
    const char *pattern;
} PatternUse;

/* A line of a weights block, its patterns with the values of the names in them. */
struct WeightLine {
    const Stmt *stmt;
    Bindings    scope;                   /* the names of the loops around it */
    const char **targets;                /* patterns of paths */
    int         target_count;
    const Expr **leaves;                 /* the strings in the expression … */
    const char **leaf_patterns;          /* … as patterns */
    int         leaf_count;
    const struct WeightBlock *block;
};

typedef struct WeightBlock {
    const char *name;
    Place       place;
    const char *prefix;                  /* "" without a line that says one */
    Place       prefix_place;
    Vec(PatternUse) ignored;
    Vec(WeightLine *) lines;
} WeightBlock;

typedef Vec(Evaluation) Evaluations;
typedef Vec(Param *) States;             /* of one path, at several types */

/* A line of `train` as syntax, and the turn in which it was read: a turn ends where a stage begins or ends. */
typedef struct Line {
    const Stmt *stmt;                    /* or NULL */
    int         turn;
} Line;

/* What the lines of a stage say, its own over those it inherits. */
typedef struct Stage {
    StageSpec   spec;                    /* complete once the stage is read to its end */
    Line        minimize, using, clip, length, accumulate;
    Bindings    using_scope;             /* the names of the loops around it */
    Vec(Group)  groups;
    Vec(const char *) frozen;
    Evaluations evaluations;
    Vec(int)    evaluation_turns;        /* as in Line */
} Stage;

struct Model {
    Arena        *arena;
    Dims         *dims;
    const Ast    *ast;
    ModelOptions  options;
    File         *root;
    Map          *files;                 /* path -> File, of root and plain imports */
    Map          *prelude;               /* name -> Callable */
    Map          *schedules;             /* name -> Callable: rates over time, seen first by `using` and `group` */
    Map          *uses;                  /* key -> Use */
    Map          *constant_symbols;      /* names of symbols that stand for constants of data */
    Map          *param_index;           /* path -> Param */
    Map          *unread;                /* function and file name -> itself: what the host could not read */
    Map          *circles;               /* file and fn -> a frame: those reported for calling themselves */
    Map          *faulty;                /* name -> FnDecl, of the root file: those that fail by themselves, as check
                                            has reported; NULL before */
    Map          *checked;               /* the same for elaborations that only check, whose initial values are checked
                                            once */
    Vec(Param *)  params;
    Map          *states;                /* path -> States */
    Vec(ItemName *) host_constants;
    Vec(const HostValue *) tables;       /* the arrays among the constants of data */
    int           line_count;            /* of data, loops written out */
    int           line_depth;            /* lines being evaluated, each for another */
    int64_t       work;                  /* of all elaborations since a command last asked for a graph */
    bool          endless;               /* too much of it: everything ends without further reports */
    TrainSpec     train;
    Vec(const Stage *) stages;           /* of train.stages, at the same places */
    Vec(PatternUse) patterns;
    bool          patterns_checked;
    Vec(TermSource) term_sources;
    Vec(WeightBlock *) weights;          /* in the order of the file */
};

/* an elaboration */

/* A call being inlined, or the file level. */
typedef struct Frame Frame;
struct Frame {
    Frame        *caller;
    const FnDecl *fn;                    /* NULL at file level */
    File         *file;
    const char   *path;                  /* of the instance that labels belong to; "" at the root */
    const Origin *call;                  /* where it was called, or NULL */
    Origin       *here;                  /* the latest origin given to nodes */
    bool          training;
    bool          broken;                /* a statement failed that may have bound names: unknown ones stay silent */
    bool          returned;
    Value         result;
    Bindings      names;
};

/* Where a label, parameter or state was first written in this entry. */
typedef struct Site {
    Place        place;
    const Frame *frame;
    const FnDecl *module;                /* of a label */
    bool         failed;                 /* its module was reported: what is missing below stays silent */
    /* of a parameter or state; see region_read and region_write */
    bool         stored;                 /* it is one, and nothing is wrong with it */
    Storage      storage;
    const char  *path;
    Type         type;
    const Origin *origin;                /* of its declaration */
    const Graph *initial;
    Node        *input;                  /* of the entry's graph; NULL: a state that nothing has read yet */
    Node        *node;                   /* the present value, in the graph of `region`; NULL: the input, once read */
    struct Region *region;
    Node        *start;                  /* the initial value in the entry's graph, once a reset has asked for it */
    bool         updated;                /* it has a new value */
} Site;

/* A tensor of the graph around a scan, and the input of its body that stands for it. */
typedef struct Capture {
    Node *outer, *input;
} Capture;

/* A parameter or state that the body of a scan reads or updates. */
typedef struct Crossing {
    Site *site;
    Node *before;                        /* in the graph around the scan */
    Node *input, *after;                 /* in its body: the value at the start of an iteration and at its end */
} Crossing;

/* The body of a scan while it is elaborated. */
typedef struct Region {
    struct Region  *around;              /* NULL: the scan stands in the entry itself */
    Graph          *outside, *graph;     /* that the scan will stand in; its body */
    const ScanExpr *scan;
    const Dim      *count;
    Frame          *frame;               /* of the fn that the scan is written in … */
    int             first;               /* … and its names from here on are those of the body */
    Vec(Capture)    captures;
    Vec(Crossing)   crossings;
    bool            emits, failed;
    Place           emitted;             /* where */
    Vec(Node *)     results;             /* in the body: what it emits */
} Region;

/* In data: an array and the input of the line's graph that stands for it. */
typedef struct ArrayInput {
    const HostValue *value;
    Node            *node;
} ArrayInput;

/* What an entry says of states that it may reach later: `reset label`, or `update label.h = value`. */
typedef struct Ahead {
    const char *path;                    /* of the label; of the state */
    Value       value;                   /* of an update; none: a reset */
    Place       place;
    struct Region *region;               /* the innermost open scan that it was said in, or NULL */
    bool        met;                     /* there is such a state */
} Ahead;

typedef enum ElabMode { MODE_entry, MODE_data, MODE_settings, MODE_initial, MODE_optimizer, MODE_term } ElabMode;

typedef struct Elab {
    Model       *model;
    Arena       *arena;
    Dims        *dims;
    Diagnostics *d;
    Graph       *graph;                  /* NULL where no tensors can be made; in a scan its body */
    Region      *region;                 /* the innermost scan, or NULL */
    Frame       *frame;
    ElabMode     mode;
    Map         *sites;                  /* path -> Site */
    Map         *draws;                  /* key without ordinal -> int */
    const char  *draw_prefix;            /* of keys: the path of the parameter in its initialiser; in data the line */
    const Item  *item;                   /* the line of data being evaluated, or NULL */
    Vec(ArrayInput) arrays;              /* in data */
    const Value *shape;                  /* ambient, in an initialiser */
    const Frame *owner;                  /* in an initialiser: the frame that declares what begins with it */
    double       steps, epoch;           /* ambient in an optimizer; -1: unknown */
    const StageSpec *stage;              /* in an optimizer: whose evaluations can be read; or NULL */
    bool         symbolic;               /* parameters are not recorded: check only */
    Vec(Ahead)   ahead;                  /* in order */
    Map         *heads;                  /* every leading part of a label's path -> Place of the label */
    Map         *stream_nodes;           /* in a term of an evaluation: name of a stream -> input */
    const Expr **terms;                  /* in the graph around the terms of an evaluation: their calls … */
    Node       **term_nodes;             /* … and the scalars that stand for them */
    int          term_count;
    int          depth;                  /* of frames */
    int          nesting;                /* of expressions being evaluated, over all frames */
    int64_t      work;                   /* expressions and list elements so far */
    bool         stopped;                /* too much of one of them: everything ends without further reports */
    const Origin *chained;               /* the call whose way there was shown last: once is enough for its errors */
    Place        blamed;                  /* the call of the prelude at which the latest error in it was reported */
} Elab;

Elab *elab_new(Model *m, ElabMode mode, Graph *graph, Diagnostics *d);
Elab *elab_new_data(Model *m, const char *line, Diagnostics *d);   /* the same for a line of data, with a graph of its
                                                                      own */

/* scope.c */
Frame   *elab_push(Elab *e, const FnDecl *fn, File *file, const char *path, Place call);
void     elab_pop(Elab *e);
Binding *elab_find(const Frame *frame, const char *name);    /* NULL when absent; pending defaults stay so */
void     elab_bind(Elab *e, const char *name, Value value, Place place);
/* The same for a name that a `for` or scan declares: in a scan it hides one from outside. */
void     elab_bind_own(Elab *e, const char *name, Value value, Place place);
void     elab_bind_scope(Elab *e, const Bindings *scope);    /* the names of loops, in the present frame */
Bindings elab_scope(Elab *e);                                /* a copy of the present frame's names */
Value    elab_name(Elab *e, const char *name, Place place);  /* the value of a name; reports unknown ones */
bool     elab_known_name(Elab *e, const char *name);
const Callable *elab_callable(Elab *e, const char *name);
const char *elab_suggest_fn(Elab *e, const char *name);
Value    elab_item(Elab *e, ItemName *name, Place place);

/* Reports at `place` (or, for a place in the prelude, at the call that led there) with the chain of calls. */
Value elab_error(Elab *e, Place place, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Nodes made from here on come from `place`. */
void  elab_at(Elab *e, Place place);
Origin *elab_origin(Elab *e, Place place);
bool    elab_same_place(const Place *a, const Place *b);

/* expr.c */
Value elab_expr(Elab *e, const Expr *x);
bool  elab_truth(Elab *e, const Expr *x, bool *out);         /* a static condition; reports others */
bool  elab_whole(Elab *e, const Value *v, Place place, const char *what, int64_t *out);
const Dim *elab_dim(Elab *e, const Value *given, Place place);   /* a number as a dimension, or NULL after reporting */
bool  elab_values(Elab *e, const Expr *list, Value **out, int *count);   /* elements, spreads spliced */

/* Counts work; false, after one report, when a program does more than any model needs. */
bool elab_spend(Elab *e, int64_t amount, Place place);

/* stmt.c */
void elab_block(Elab *e, const Stmt *body);                  /* until its end or a return */
/* `for names in range`: the list that it runs through, and the names in one round. False after reporting. */
bool elab_loop_range(Elab *e, const Expr *range, Place place, List *out);
bool elab_loop_names(Elab *e, const Name *names, const Value *value, Place place);

/* compute.c: arrays of data in expressions */
bool  elab_is_array(const Value *v);
/* An array as a tensor: a table of the model, or in data an input of the line's graph. Other values as they are. */
Value elab_lift(Elab *e, Value v, Place place);
/* In data, what was computed as an array or a number; lists too. Runs the graph. Elsewhere the value as it is. */
Value elab_settle(Elab *e, Value v, Place place);

/* equal.c: dimensions that are the same for the values which the constants of data have */
bool  elab_call_symbol(const Elab *e, const Dim *d);         /* mentions a symbol of a call, whose value may differ */
bool  elab_same_dim(const Elab *e, const Dim *p, const Dim *q);
bool  elab_same_shape(const Elab *e, const Type *a, const Type *b);
/* n with the dimensions of `shape`; NULL without reporting when they are not the same. */
Node *elab_renamed(Elab *e, Node *n, const Type *shape, Place place);

/* call.c */
Value elab_call(Elab *e, const Expr *call, const Expr *label, bool share);
const char *elab_own_keyword(const char *word);              /* what other languages call so, or NULL */
/* Calls a function value; label: NULL, or the path of the instance for a module. */
Value elab_apply(Elab *e, const Function *f, const Argument *given, int count, const char *path, Place place);

/* bind.c: types and dimensions */
bool elab_type(Elab *e, const TypeExpr *type, Type *out);    /* false after reporting */
/* The type of a parameter has elements along every axis; false after reporting. */
bool elab_positive(Elab *e, const TypeExpr *type, const Type *found, const char *path);
bool elab_is_host_type(const TypeExpr *type);
bool elab_is_host_fn(const FnDecl *fn);                      /* has text or a ragged axis in its signature */
bool elab_unify(Elab *e);                                    /* the parameters of the current frame against their
                                                                types */
/* The results of a host fn, whose types may bind names as well; the values become what the types say. */
bool elab_unify_results(Elab *e, const TypeExpr *types, Value *values, int count, Place place);
Value elab_fit(Elab *e, Value v, const TypeExpr *type, Place place, const char *what);  /* asserts, or fills a static */
bool elab_binds(Elab *e, const char *name);                  /* would this name bind in a parameter type? */

/* arith.c */
Value elab_element(Elab *e, Op op, const Value *given, int count, const char *what, Place place);
Value elab_binary(Elab *e, Operator op, Value a, Value b, Place place);
Value elab_negate(Elab *e, Value v, Place place);
Value elab_not(Elab *e, Value v, Place place);
Node *elab_number_node(Elab *e, const Value *v, DType dtype, Place place);   /* a scalar; NULL after reporting */
/* A tensor, statics alone as real or bool. */
Node *elab_tensor(Elab *e, const Value *given, Place place, const char *what);
Node *elab_node(Elab *e, Op op, Node *const *args, int count, const Attr *attr, const Type *type, Place place);
bool  elab_known(const Dim *dim, int64_t *value);   /* its symbols all have values */
DType elab_real(const Elab *e);
/* The broadcast of the shapes, aligned at the end: only a literal 1 and absent axes stretch. False without
 * reporting. */
bool  elab_broadcast(const Elab *e, const Type *const *types, int count, Type *out);
Node *elab_expand_to(Elab *e, Node *a, const Type *shape, Place place);   /* keeps a's dtype */

/* index.c and assign.c */
Value elab_index(Elab *e, const Expr *x);
Node *elab_slice_axis(Elab *e, Node *x, int axis, const Dim *start, const Dim *length, int64_t step, Place place);
Value elab_assigned(Elab *e, Node *base, const Expr *subs, Value value, bool add, Place place);

/* A subscript list read against a tensor: one entry per axis of the argument, new axes apart. */
typedef enum AxisKind { AXIS_slice, AXIS_drop, AXIS_tensor, AXIS_moving, AXIS_new } AxisKind;
typedef struct AxisSub {
    AxisKind   kind;
    const Dim *start, *length;           /* slice and drop; of a moving slice the length */
    int64_t    step;
    Node      *index;                    /* tensor; of a moving slice the whole scalar where it begins */
    Place      place;
} AxisSub;
/* Up to 2 * MAX_RANK entries in order of the subscripts; -1 after reporting. */
int elab_read_subscripts(Elab *e, const Type *type, const Expr *subs, AxisSub *out, Place place);
/* The index tensors of a subscript, broadcast against each other, and the axis of the first; their number, -1 after
 * reporting. */
int   elab_index_tensors(Elab *e, const AxisSub *subs, int count, Node **out, int *axis, Place place);
Node *elab_moving_places(Elab *e, const AxisSub *sub);       /* i64[length]; NULL after reporting */
/* distance.c: to - from, of whole scalars, where it is a dimension whatever the run finds; or NULL. */
const Dim *elab_distance(Elab *e, const Node *from, const Node *to);
/* The slices and new axes of a subscript; axes of index tensors stay whole. */
Node *elab_apply_slices(Elab *e, Node *x, const AxisSub *subs, int count, Place place);

/* label.c */
const char *elab_label_path(Elab *e, const Expr *label);     /* "h.0" below the current instance; NULL after
                                                                reporting */
bool  elab_enter_label(Elab *e, const char *path, Place place, bool share, const FnDecl *module);
Value elab_instance_member(Elab *e, const char *path, const char *member, Place place);
Value elab_label_value(Elab *e, const char *name);           /* an instance, or VALUE_none when no such label ran */
const char *elab_join_path(Elab *e, const char *path, const char *name);
const FnDecl *elab_labelling_fn(const File *file, const char *name);     /* in which the label is written, or NULL */

/* store.c: param and state */
void  elab_declare(Elab *e, const Stmt *stmt);               /* in a body: binds the names */
/* The param or state of the file, declared if this is its first use; NULL after reporting. */
Site *elab_file_site(Elab *e, const Stmt *stmt, const char *name, Place place);
Value elab_site_value(Elab *e, Site *site, Place place);     /* the present value */
Node *elab_ambient(Elab *e, const char *name);               /* "seed", "step" */

/* state.c: new values of params and states */
void  elab_update(Elab *e, const Stmt *stmt);
void  elab_reset(Elab *e, const Stmt *stmt);
void  elab_check_ahead(Elab *e);                             /* at the end: what met nothing */
void  elab_meet(Elab *e, Site *site);                        /* gives a new state what was said ahead of it */
Node *elab_initial_value(Elab *e, Site *site);               /* of a state, in the entry's graph */
/* Makes the new values outputs of the graph. Evaluations commit no params. */
void  elab_output_updates(Elab *e, bool params);

/* loop.c: scan and emit */
Value elab_scan(Elab *e, const Expr *x);
void  elab_emit(Elab *e, const Stmt *stmt);

/* region.c: the body of a scan and the graphs around it */
Graph *elab_root(const Elab *e);                             /* the graph of the entry */
Node  *elab_root_input(Elab *e, Storage storage, const char *name, Type type);
/* The node as one of the present graph: a tensor from outside becomes an input of the scan's body. NULL after
 * reporting that there is no way to it. */
Node  *elab_adopt(Elab *e, Node *n, Place place);
/* A constant, an index or what repeats one, made again in `g`; NULL: it is none. */
Node  *region_made_anew(Graph *g, const Node *n);
Node  *region_origin(const Elab *e, Node *n);                /* the entry's node that it stands for; NULL: none */
Node  *elab_iteration(Elab *e);                              /* which it is, counted over all scans around; or NULL */
void   region_enter(Elab *e, Region *r);
void   region_leave(Elab *e);                                /* parameters and states are what they were before */
const char *region_name(Elab *e, const Graph *body, const char *base);   /* of an input; no other has it */
Node  *region_read(Elab *e, Site *site);                     /* its present value */
void   region_write(Elab *e, Site *site, Node *value);
/* May the name at this index of the frame not change in the present scan? Is it hidden by one that the scan binds? */
bool   region_keeps(const Elab *e, int index, const char *name);
bool   region_hides(const Elab *e, int index);
/* Elaborates for a while in the graph that the name at this index of the frame belongs to. */
typedef struct Outside {
    Region *region;
    Graph  *graph;
} Outside;
Outside region_step_out(Elab *e, int index);
void    region_step_back(Elab *e, Outside inside);

/* builtin.c */
typedef struct Builtin Builtin;
const Builtin *builtin_find(const char *name);
const char    *builtin_name(const Builtin *b);
int            builtin_count(void);
const Builtin *builtin_at(int i);
Value builtin_call(Elab *e, const Builtin *b, const Argument *args, int count, Place place);
bool  builtin_constant(const char *name, double *out);       /* inf, nan, pi */

/* host.c: the data phase */
bool  elab_host_knows(const Elab *e, const char *name);
Value elab_host_call(Elab *e, const char *name, const Argument *args, int count, Place place);
bool  elab_to_host(Elab *e, const Value *v, Place place, HostArg *out);
Value elab_from_host(Elab *e, const HostArg *arg);

/* data.c */
File *file_new(Model *m, const Ast *ast, bool plain_import, Diagnostics *d);
void  file_add_data(Model *m, File *file, Diagnostics *d);     /* the lines of its data block */
void  data_constants(Model *m, Diagnostics *d);              /* evaluates every const */

/* train.c, setting.c, evaluate.c, update.c */
void  train_read(Model *m, Diagnostics *d);
void  setting_read(Elab *e, Stage *stage, int turn, const Stmt *s);      /* a line of the table settings.def */
bool  setting_stream(Elab *e, const Expr *x, StreamUse *out);            /* a name of the pipeline as a stream */
bool  evaluate_read(Elab *e, const Stmt *s, Evaluation *out);
/* What the evaluation `name` of the stage has given so far; VALUE_none when there is none of that name. */
Value evaluate_history(Elab *e, const char *name, Place place);
void  update_check_using(Model *m, const Stage *stage, Diagnostics *d);  /* the optimizer, for a parameter made up */
bool  pattern_matches(const char *pattern, const char *path);
const char *pattern_fill(Elab *e, const char *pattern);      /* {i} replaced by the number or string that i is, when it
                                                                is one */
/* A pattern whose wildcards (`*`, `**`, {a,b}) stand for texts: does it match, with which of them; how many it has; and
 * the path with these texts for them. */
typedef Vec(const char *) Captures;
bool pattern_capture(Arena *arena, const char *pattern, const char *path, Captures *out);
int  pattern_wildcards(const char *pattern);
const char *pattern_with(Arena *arena, const char *pattern, const char *const *parts, int count);

/* weights.c, weights_rules.c, weights_shape.c, weights_check.c */
void weights_read(Model *m, Diagnostics *d);                 /* the blocks of the root file */
Elab *weights_elab(Model *m, const WeightRule *rule, Diagnostics *d);    /* for the expression of its line */
int  weights_leaf_source(const WeightRule *rule, const Expr *leaf);      /* which source a string is; -1: a text */
void weights_refuse(Diagnostics *d, Place place, const char *what);      /* what calculates with elements */

/* entry.c */
int    entry_input_count(const FnDecl *fn);
bool   entry_is_complete(const FnDecl *fn);                  /* its signature says all that an entry needs */
Graph *entry_symbolic(Model *m, const Callable *c, Diagnostics *d);
const Dim *entry_symbol(Model *m, const char *name, int64_t value);

/* walk.c: syntax without values */
typedef bool (*ExprVisitor)(void *context, const Expr *x);   /* true: stop */
bool  walk_expr(const Expr *x, ExprVisitor visit, void *context);        /* x and what is in it */
bool  walk_exprs(const Expr *list, ExprVisitor visit, void *context);    /* a linked list */
bool  walk_body(const Stmt *body, ExprVisitor visit, void *context);
bool  fn_mentions(const FnDecl *fn, const char *name);
bool  expr_mentions(const Expr *x, const char *name);
bool  items_mention(const Stmt *items, const char *name);    /* declarations and blocks of a file */

#endif
