/* What the graph passes build with beside the builders of ir/graph.h: operators that have no builder there, and small
 * idioms of movement. A violation is a bug of the pass: it is printed with the operator, and the program aborts. */
#ifndef PTM_PASSES_BUILD_H
#define PTM_PASSES_BUILD_H

#include "ir/graph.h"

Node *build(Graph *g, Op op, Node *const *args, int arg_count, const Attr *attr, const Type *type);

Node *build_splat(Graph *g, Type type, int64_t value);       /* of an integer type or bool */

Type type_with(Type type, DType dtype);                      /* the same shape of another element type */

/* [.., n, ..] as [outer, n, inner]. */
Node *build_three(Graph *g, Node *x, int axis);
/* [.., n, ..] read backwards along the axis. */
Node *build_flip(Graph *g, Node *x, int axis);
/* [.., n, ..] to [.., (n - 1)*gap + 1, ..]: gap - 1 zeros between neighbours. */
Node *build_dilate(Graph *g, Node *x, int axis, int64_t gap);
/* The slice of `length` from `start` along one axis. */
Node *build_part(Graph *g, Node *x, int axis, const Dim *start, const Dim *length);
/* x placed at `before` along one axis among zeros, `length` in all. */
Node *build_place(Graph *g, Node *x, int axis, const Dim *before, const Dim *length);

/* New nodes stand where `node` does. */
void build_at(Graph *g, const Node *node);

const Output *graph_find_output(const Graph *g, OutputKind kind, const char *name);      /* NULL when absent */

/* New graph with the same dims and name. */
Graph *graph_like(Arena *arena, const Graph *graph);
/* The node of another graph, its arguments replaced by their copies, which are given by id. */
Node  *graph_copy_node(Graph *to, const Node *node, Node *const *copy);
/* Copies every node of `from` into `to`; returns the copies by id. */
Node **graph_copy_nodes(Graph *to, const Graph *from);

#endif
