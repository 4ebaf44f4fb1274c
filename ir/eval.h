/* The reference evaluator: plain loops over whole tensors, in double for every float type and rounded to the node's
 * type after each operator. It serves constant folding and tests; models run as compiled code only. */
#ifndef PTM_EVAL_H
#define PTM_EVAL_H

#include "ir/graph.h"

/* Row-major elements. Floats of every width are held as double (rounded to their type), the rest as int64_t. */
typedef struct Tensor {
    Type     type;
    int64_t  count;
    double  *f;                          /* float types */
    int64_t *i;                          /* integers and bool */
    struct Tensor **picks;               /* of a scan: its results */
} Tensor;

Tensor *tensor_new(Arena *arena, Type type);                 /* zeroed; every dim must have a value */
Tensor *tensor_from_bytes(Arena *arena, Type type, const void *bytes);   /* packed elements of the dtype */
void    tensor_to_bytes(const Tensor *t, void *bytes);
/* Plausible values for an input, different for each salt: floats from -0.3 to 0.3, those of an optimizer's states from
 * 0 to 1; whole numbers from 0 to below `below`, scalars 3. */
Tensor *tensor_some(Arena *arena, const Node *input, int salt, int below);

/* Evaluates every output. inputs[k] belongs to graph->inputs.at[k]; results[k] to graph->outputs.at[k], in `arena`.
 * Returns NULL, or a message (an id out of range: value, bound and place). */
const char *graph_eval(const Graph *g, Tensor *const *inputs, Tensor **results, Arena *arena);

/* The same, and keeps what every node comes to that an output needs: value[id], NULL elsewhere. */
const char *graph_eval_nodes(const Graph *g, Tensor *const *inputs, Tensor **value, Arena *arena);

/* Evaluates a scan and shows the values of its body's inputs before each iteration, at place t; they are gone after
 * the call. NULL, or a message. */
typedef void ScanVisit(void *context, int64_t t, Tensor *const *inputs);
const char *scan_eval(const Node *scan, Tensor *const *args, ScanVisit *visit, void *context, Arena *arena);

/* One node from the values of its arguments; draws included. NULL on an index out of range, with *why. */
Tensor *node_eval(const Node *node, Tensor *const *args, Arena *arena, const char **why);

#endif
