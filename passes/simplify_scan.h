/* Inside the part of `simplify` that takes work out of loops: one scan, and what is to become of every node of its
 * body. Values of the body are computed in one of three ways:
 *   inside   once in every iteration, as written;
 *   whole    once, in the graph around, when it is the same in every iteration;
 *   every    for all places at once, in the graph around, with one more leading axis of as many elements as there are
 *            iterations. What depends on the iterations before is then computed from values that the loop stacks.
 * The place t, not the order of iterations, numbers the elements of a stacked value: the direction does not matter. */
#ifndef PTM_SIMPLIFY_SCAN_H
#define PTM_SIMPLIFY_SCAN_H

#include "passes/simplify.h"

/* What a value of the body depends on at most. */
typedef enum Pace {
    PACE_constant,                       /* nothing */
    PACE_fixed,                          /* what is the same in every iteration */
    PACE_place,                          /* the place t: it can be computed as `every` */
    PACE_carried                         /* the iterations before, or it cannot be computed but inside */
} Pace;

typedef enum Way { WAY_inside, WAY_whole, WAY_every } Way;

typedef struct Carry {
    const Node *input, *next;            /* of the body: the old value and the new one */
    bool        ends;                    /* true ends the loop */
    bool        delays;                  /* the new value depends on the place alone: the old one is that, late */
    bool        live;                    /* somebody needs it */
    bool        summed;                  /* not carried: a sum over the iterations, after the loop */
    Vec(const Node *) parts;             /* next = input + part + part .. when it may be such a sum */
} Carry;

typedef struct Loop {
    Graph       *g;                      /* the graph around, being built */
    const Graph *body;                   /* in normal form */
    const Attr  *attr;                   /* the scan's */
    bool         may_skip;               /* it is not known that all iterations are made */
    const bool  *picked;                 /* by number of the pick: somebody reads it */
    int          carry_count, result_count;
    Carry       *carries;
    const Output **results;              /* outputs of the body that are stacked */
    /* by id of the body's nodes: */
    Node **args;                         /* of inputs: the argument, in g; NULL for the index */
    Pace  *pace;
    bool  *live;                         /* somebody needs it, or what it goes into */
    bool  *after;                        /* depends on carries, but is computed as `every` */
    bool  *stacked;                      /* a result of the new scan */
    int   *result;                       /* of stacked values: which */
    Node **made[3];                      /* by Way: as far as built */
    int   *terms;                        /* of linear operators: values that their total is made of */
    Graph *inner;                        /* the new body */
    Vec(Node *) inner_args;              /* by input of `inner` */
    Node  *scan;                         /* the new scan, in g, once it is there */
    int    kept_carries;                 /* of the new scan */
    bool   changed;
} Loop;

/* Not the same in every iteration. */
static inline bool loop_varies(const Loop *l, const Node *node) { return l->pace[node->id] > PACE_fixed; }

/* A view of all elements of its argument. */
static inline bool is_whole_view(const Node *node)
{
    return node->op == OP_reshape || node->op == OP_permute || node->op == OP_expand;
}

/* simplify_hoist.c: paces; the new body, which asks for `whole` and `every` where that pays. */
void  loop_find_paces(Loop *l);
bool  loop_can_lift(const Loop *l, const Node *node);        /* `every` can be built from that of the arguments */
Node *loop_add_input(Loop *l, Storage storage, const char *name, Type type, Node *arg);
bool  loop_leaves(const Loop *l, const Node *node);          /* is no longer computed inside */
Node *loop_make_inside(Loop *l, const Node *node);

/* simplify_walk.c: the value computed in that way, made when it is first asked for: what it is made of first, as a
 * recursion would, but as deep as the program likes. */
Node *loop_made(Loop *l, const Node *node, Way way);
static inline Node *loop_inside(Loop *l, const Node *node) { return loop_made(l, node, WAY_inside); }
static inline Node *loop_whole(Loop *l, const Node *node) { return loop_made(l, node, WAY_whole); }    /* not carried */
static inline Node *loop_every(Loop *l, const Node *node) { return loop_made(l, node, WAY_every); }

/* simplify_lift.c: values of the body in the graph around. */
Node *loop_make_whole(Loop *l, const Node *node);            /* of pace constant or fixed */
Node *loop_make_every(Loop *l, const Node *node);
const Carry *loop_delay(const Loop *l, const Node *input);   /* the carry of this input, if it delays */
Node *loop_last(Loop *l, const Node *node);                  /* its value in the last iteration */
Node *loop_total(Loop *l, const Node *part);                 /* the sum of a part over all iterations */
bool  loop_draw_index(const Loop *l, const Node *draw, const Node **outer);

/* simplify_sink.c: decides what is computed after the loop: fills live, after, stacked and Carry.summed. */
void loop_find_sinks(Loop *l);
/* How the sum of a part is made of sums of others: linear operators are pulled out of it. */
typedef enum TotalKind {
    TOTAL_product,                       /* one contraction over the iterations as well */
    TOTAL_sum,                           /* one sum over the iterations as well */
    TOTAL_scatter,                       /* one scatter of all rows */
    TOTAL_linear,                        /* the same operator on the totals of the arguments that are not fixed */
    TOTAL_plain                          /* the stacked values are added */
} TotalKind;
void      loop_count_terms(Loop *l);                         /* fills terms */
TotalKind loop_total_kind(const Loop *l, const Node *part);

/* simplify.c: the normal form of a body: as simplify makes it, but nothing is cut for threads. `normal` remembers
 * them. */
Graph *simplify_normal(Arena *arena, const Graph *graph, Map *normal);
/* simplify_scan.c: one round over the scans of a graph in normal form. NULL when nothing changed. */
Graph *simplify_scans(Arena *arena, const Graph *graph, Map *normal);

#endif
