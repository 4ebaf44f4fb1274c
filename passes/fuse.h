/* What the files of the fusion pass share. Words: an *anchor* is a node that belongs to exactly one kernel (stored
 * values, reductions, and values that may turn out to be stored); every other node is computed inside each kernel
 * that needs it. A *unit* is a kernel in the making: anchors over one space. */
#ifndef PTM_PASSES_FUSE_H
#define PTM_PASSES_FUSE_H

#include "passes/passes.h"

/* fuse.c: the plan of a rewritten body. */
Plan *fuse_body(Arena *arena, const Graph *graph);

/* fuse_rewrite.c: the graph in the operators that kernels are made of; of a scan's body, also with every output a node
 * of its own. */
Graph *fuse_rewrite(Arena *arena, const Graph *graph);
Graph *fuse_rewrite_body(Arena *arena, const Graph *body);

/* fuse_softmax.c: p = e / spread(z), or e * spread(1 / z), with e = exp(x - spread(max(x))) and z = sum(e) over the
 * same rows. */
typedef struct Softmax {
    const Node *p, *spread;              /* p NULL: none. spread: the expand that p divides or multiplies by */
    const Node *e, *z;                   /* z before it is spread */
} Softmax;
Softmax fuse_find_softmax(const Node *p);
/* p * spread(z) for e; copy: the new graph's nodes by the old ids. */
Node   *fuse_ask_exponential(Graph *g, const Softmax *s, Node *const *copy);

/* fuse_slope.c: x as the result of a product times the slope of an activation, if it is that; else NULL. copy: the new
 * graph's nodes by the old ids. */
enum { SLOPE_COST = 16 };                /* operations of a slope that is worth keeping */
Node *fuse_by_slope(Graph *g, const Node *x, Node *const *copy);

/* fuse_parts.c: a concat; of concats along the same axis it has their parts, if those are few. And a sum of pads that
 * lie side by side as a concat, or NULL. */
Node *fuse_concat(Graph *g, Node *const *parts, int count, int axis);
Node *fuse_join_pads(Graph *g, const Node *sum, const int *users, Node *const *copy);

/* alone: a product, a scatter, or a scan with its picks, which take nothing else in. */
typedef enum Form { FORM_map, FORM_rows, FORM_columns, FORM_alone } Form;

typedef enum Role {
    ROLE_inside,                         /* computed where it is asked */
    ROLE_input,                          /* stored before the step */
    ROLE_wish,                           /* an anchor: stored if another kernel asks for it */
    ROLE_store                           /* an anchor: stored */
} Role;

/* The places of KernelKind in ir/plan.h. */
typedef enum Stand { STAND_full, STAND_row, STAND_other, STAND_COUNT } Stand;

typedef struct Space {
    Form    form;
    int64_t a, r, c;                     /* extents; those that the form lacks are 1 */
} Space;

typedef struct Unit Unit;
struct Unit {
    int    id;
    Space  space;
    int    level;                        /* length of the longest path of units before it */
    int    reductions, nodes;            /* nodes: that its anchors' expressions have; shared ones may count again */
    Vec(Node *) anchors;                 /* by rising id */
    Vec(Node *) sources;                 /* inputs and anchors of other units that it reads, each once */
    Vec(Unit *) from, to;                /* producers and consumers, each once */
    int    mark;                         /* stamp of the latest search */
    Refusals refusals;                   /* anchors that did not join */
};

typedef Vec(Unit *) UnitList;

typedef struct Fusion {
    Arena *arena;
    const Graph *graph;
    bool   is_body;                      /* of a scan */
    bool   is_limited;                   /* values will be made again: what they can be made of is kept */
    int    count;                        /* nodes */
    bool  *live;                         /* nodes that an output needs, and inputs */
    Node ***users;                       /* live ones of each node, each once */
    int   *user_count;
    int64_t *elements;                   /* of each node */
    Role  *role;
    const char **why;                    /* of an anchor: Buffer.why */
    bool  *contracted;                   /* see Plan.contracted */
    bool  *in_parts;                     /* stored concats that are written part by part */
    Unit **unit;                         /* of an anchor */
    UnitList units;
    UnitList *readers;                   /* units that read an anchor or input */
    int   *visited[STAND_COUNT];         /* stamps of walks */
    int    stamp;                        /* of the latest walk or search */
    bool  *stored;                       /* anchors that get a buffer: known once all units are */
    int   *slot;                         /* place in the kernel that is being built */
    UnitList stack;                      /* of a walk over units */
} Fusion;

/* fuse_store.c: fills `role`; the cost of one element of a node, its arguments at hand. */
void fuse_mark_stored(Fusion *f);
int  fuse_node_cost(const Node *node);

/* fuse_parts.c: whether a concat has few parts, all of one size. */
bool fuse_fits_parts(const Fusion *f, const Node *node);

/* fuse_contract.c: fills `contracted`, once roles are known. */
void fuse_contract(Fusion *f);

/* fuse_space.c: spaces, and where nodes stand in them. */
bool  fuse_is_anchor(const Fusion *f, const Node *node);
bool  fuse_is_filled(const Node *node);                      /* a constant, moved and spread */
Node *fuse_base(const Node *node);                           /* the value whose bytes a chain of reshapes shares */
Space fuse_natural_space(const Fusion *f, const Node *anchor);
/* Where an anchor stands in a space; `other` when it does not fit there. */
Stand fuse_anchor_stand(const Fusion *f, const Space *space, const Node *anchor);
/* Where argument k stands when the node stands at `stand`. */
Stand fuse_argument_stand(const Fusion *f, const Space *space, const Node *node, int k, Stand stand);

/* Visits what an anchor's own expression asks, as an anchor of `unit` in `space`. leaf: each input, anchor, or
 * reshape of one from outside the unit, once for each place it stands in; false ends the walk. inner (may be NULL):
 * each node between. */
typedef struct Walk {
    Fusion     *f;
    const Unit *unit;
    Space       space;
    void       *context;
    bool      (*leaf)(void *context, Node *leaf, Stand stand);
    void      (*inner)(void *context, Node *node, Stand stand);
    bool        is_product;              /* set by fuse_walk: operands come from memory, whatever they are */
} Walk;
bool fuse_walk(const Walk *w, const Node *anchor);

/* fuse_group.c: fills `units`. */
void fuse_group(Fusion *f);

/* fuse_kernel.c: the kernels of the units, in the given order, and the buffers. */
void fuse_build_kernels(Fusion *f, const UnitList *order, Plan *plan);

int  fuse_slot(const Fusion *f, const Kernel *k, const Node *node);      /* its place among the nodes inside, or -1 */
bool fuse_is_output(const Kernel *k, const Node *node);

/* fuse_keep.c: fills kernel->keep; full[k] says that kernel->nodes.at[k] stands full. Needs `slot` and passes. */
void fuse_keep(const Fusion *f, const Unit *unit, const bool *full, Kernel *kernel);

#endif
