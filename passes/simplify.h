/* Inside `simplify`: the state of a run and what its rules build with. Every node a rule emits is simplified before
 * the rule sees it. */
#ifndef PTM_SIMPLIFY_H
#define PTM_SIMPLIFY_H

#include "passes/build.h"

typedef struct Simplify {
    Graph *g;                            /* the new graph */
    Vec(Node *) normal;                  /* by id in g: what the node became, or NULL while not visited */
    Vec(int) uses;                       /* by id in g: uses of the old nodes that became this one; 0: made by a rule */
} Simplify;

typedef Node *SimplifyRule(Simplify *s, Node *node);

#define RULE(op, name, doc) SimplifyRule simplify_##name;
#define ELEMENTS(name, doc) SimplifyRule simplify_##name;
#include "passes/simplify.def"
#undef RULE
#undef ELEMENTS

/* Building; every result is in normal form. */
Node *emit(Simplify *s, Op op, Node *const *args, int arg_count, const Attr *attr, const Type *type);
Node *emit_normal(Simplify *s, Node *node);                  /* of a node that was just built in s->g */
Node *emit_unary(Simplify *s, Op op, Node *a);
Node *emit_binary(Simplify *s, Op op, Node *a, Node *b);
Node *emit_expand(Simplify *s, Node *a, const int8_t *map, Type type);
Node *emit_permute(Simplify *s, Node *a, const int8_t *map);
Node *emit_reshape(Simplify *s, Node *a, Type type);
Node *emit_reduce(Simplify *s, Op op, Node *a, uint32_t axes);
Node *emit_full(Simplify *s, Type type, double value);       /* of any element type */

/* The scalar constant that all elements equal, or NULL. */
const Node *splat_of(const Node *node);
bool is_splat_float(const Node *node, double value);         /* of a float type, equal to the bit: -0 is not 0 */
bool is_splat_whole(const Node *node, int64_t value);        /* of an integer type or bool */

/* The last step: sums and maxima whose axes are not adjacent become one after the other, and those with little else
 * to spread over threads become two. `reduction` is a sum or reduce_max of g; returns what stands for it. */
Node *cut_reduction(Graph *g, Node *reduction);

/* The live nodes only. */
Graph *simplify_drop_dead(Arena *arena, const Graph *graph);

#endif
