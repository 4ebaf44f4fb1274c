/* From the graph of an entry to a plan. Each pass is a row of passes.def; a pass never edits its input. */
#ifndef PTM_PASSES_H
#define PTM_PASSES_H

#include "ir/eval.h"
#include "ir/plan.h"

/* The optimizer's code for one parameter, elaborated by the frontend: a graph over the same dims whose inputs are "w"
 * and "g" (STORE_data, the parameter's type), its states (STORE_state, already named "optimizer.<parameter
 * path>.<state>"), and ambient inputs such as "step" and "history.<name>", which become inputs of the step by the same
 * names; its results are "w" (the new value), if the optimizer has a learning rate, "lr", and perhaps "lazy", a
 * constant: true leaves rows of w and its states alone that got no gradient; its updates are the states. */
typedef struct ParamUpdate {
    const char  *param;
    const Graph *code;
} ParamUpdate;

typedef Vec(const char *) PassNotes;     /* what passes decided and why, one line each */

typedef struct PassOptions {
    const char  *loss;                   /* result to differentiate: f32 or f64 scalar; NULL: grad and update are
                                            skipped */
    const char *const *trained;          /* names of the parameters to differentiate for */
    int          trained_count;
    const ParamUpdate *updates;          /* one per trained parameter, or NULL: gradients stay as results "d <param>" */
    bool         sums;                   /* the program of one shard: `update` leaves gradients and loss as updates of
                                            sums, and trains nothing */
    DType        precision;              /* what products of f32 values multiply: DT_f32, or DT_bf16 for `precision` */
    double       clip;                   /* global norm bound; 0: none. Adds the result "grad_norm" */
    const Layout *layout;                /* for `plan` */
    int64_t      memory;                 /* bytes of work that the plan is to fit into, for `recompute`; 0: no limit */
    int64_t      strip_elements;         /* from how many on `strip` cuts a value; 0: as it is worth the while */
    const char  *stop_after;             /* name of the last pass to run, or NULL */
    bool         verify;                 /* after every pass */
    PassNotes   *notes;                  /* added to; may be NULL */
    /* Called before and after each pass that runs; either graph or plan is NULL. For dumps. May be NULL. */
    void (*observe)(void *context, const char *pass, bool after, const Graph *graph, const Plan *plan);
    void *context;
} PassOptions;

/* Runs the passes in order. Returns the plan (NULL when stop_after ended before `fuse`, or after reporting errors such
 * as an operator without gradient). */
Plan *passes_run(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d);

/* The other two programs of a step of several shards (shards.c), with the same options; `loss` is its type. The sums of
 * the graph for merge are those of two slots: first all of one, then all of the next. That for update is to be run
 * through the passes with `sums` false. */
extern const char SHARD_LOSS[];          /* the sum of the losses, an update of each shard */
Graph *shard_merge(Arena *arena, Dims *dims, const PassOptions *options, Type loss);
Graph *shard_update(Arena *arena, Dims *dims, const PassOptions *options, Type loss, int64_t shards);

/* Narrow weights (narrow.c), the choice for all graphs that share a layout: name -> Narrow. Those are chosen that some
 * graph multiplies by or reads by rows, and that none uses otherwise. */
Map        *narrow_choose(Arena *arena, const Graph *const *graphs, int count, DType dtype);
Type        narrow_scale_type(Dims *dims, const Narrow *n, Type type);       /* of the parameter's type */
const char *narrow_scale_name(Arena *arena, const char *name);
/* In place of the update of a parameter's initial value: that of what lies there. */
void        narrow_update(Graph *g, const char *name, Node *value, const Narrow *n);

int         pass_count(void);
const char *pass_name(int i);
const char *pass_doc(int i);

/* Adds to the notes what is not among them yet. */
void pass_note(Arena *arena, const PassOptions *options, const char *text);

/* What `update` does with the option `sums`. */
Graph *shard_sums(Arena *arena, const Graph *graph, const PassOptions *options);

/* Single passes, for tests. */
Graph *pass_grad(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d);
Graph *pass_update(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d);
Graph *pass_simplify(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d);
Graph *pass_narrow(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d);
Graph *pass_sparse(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d);
Graph *pass_precision(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d);
Graph *pass_strip(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d);
Plan  *pass_fuse(Arena *arena, const Graph *graph, const PassOptions *options, Diagnostics *d);
Plan  *pass_schedule(Arena *arena, Plan *plan, const PassOptions *options, Diagnostics *d);
Plan  *pass_recompute(Arena *arena, Plan *plan, const PassOptions *options, Diagnostics *d);
Plan  *pass_plan(Arena *arena, Plan *plan, const PassOptions *options, Diagnostics *d);

/* Checking gradients, for f64 graphs. A rule: what the gradient d of the node's result sends to argument k, of that
 * argument's type, made of ordinary nodes; NULL where nothing flows. */
typedef Node *GradRule(Graph *g, Node *node, Node *d, int k);
GradRule grad_rule;                                          /* that of the gradient pass */

/* An operator whose rule disagrees with differences of its values. */
typedef struct GradFault {
    const Node *node;                    /* in the graph or in the body of a scan */
    int     argument;
    int64_t element;                     /* of the argument; -1: a sum over all of them, in random proportions */
    double  derived, measured;
    int64_t iteration;                   /* of the innermost loop; -1: in none */
} GradFault;

/* Goes from the loss back through the operators that its gradient goes through, in loops too, and compares what the
 * rule says with central differences, on the values that these inputs give, for random gradients of the operator's
 * result. True for the first that is off. Operators that round are left out, and elements at a kink. */
bool grad_find_fault(const Graph *graph, const PassOptions *options, Tensor *const *inputs, GradRule *rule,
                     GradFault *out);

/* The graph with an input "stop.K" in place of every `stop` that a gradient would go around, of those outside of loops:
 * the loss whose differences the gradient is. It updates nothing. stopped: those nodes of the source, in order. */
typedef Vec(Node *) StoppedNodes;
Graph *grad_freeze(Arena *arena, const Graph *graph, const PassOptions *options, StoppedNodes *stopped);

#endif
