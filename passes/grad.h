/* Inside the gradient pass: what is known of a graph before its gradient is built, and the two of them while they are
 * built. Arrays go by the ids of the graph that is differentiated, the source. The body of a scan is differentiated
 * like the graph around it. */
#ifndef PTM_GRAD_H
#define PTM_GRAD_H

#include "passes/build.h"

/* Which values a gradient goes to. */
typedef struct Flow Flow;
struct Flow {
    const Graph *graph;
    bool  *active;                       /* floats that depend on a trained parameter */
    bool  *wanted;                       /* active, and the loss depends on it; of scans: on one of its picks */
    Flow **body;                         /* of scans */
    bool  *pick;                         /* of a body, by pick of its scan: the loss depends on the result or, of a
                                            carry, on what an iteration left in it */
};

/* trained: nodes of the graph, NULL among them. */
Flow *flow_find(Arena *arena, const Graph *graph, Node *const *trained, int trained_count, const Node *loss);

typedef struct ScanGrad ScanGrad;

/* A source copied into `g`, and the gradients of the copies. */
typedef struct Grad {
    Graph       *g;
    const Flow  *flow;
    Node       **copy;
    Node       **gradient;               /* NULL: none so far */
    ScanGrad   **scan;                   /* of wanted scans */
    Diagnostics *d;
} Grad;

/* Copies the source; wanted scans also give what their gradient needs. */
Grad *grad_begin(Graph *g, const Flow *flow, Diagnostics *d);
/* One more part of the gradient of a node of the source, where it is active. */
void  grad_add(Grad *grad, const Node *to, Node *part);
/* From the gradients added so far to those of everything that they depend on. */
void  grad_finish(Grad *grad);

/* A scan with its backward scan (grad_scan.c). */
struct ScanGrad {
    const Node *source;
    Node       *forward;                 /* the copy: the same picks, and the saved values behind them */
    struct Backward *backward;
    Node      **gradient;                /* of its picks; NULL: none */
};

ScanGrad *scan_grad_begin(Grad *grad, const Node *scan);     /* its arguments are copied; NULL after an error */
void      scan_grad_finish(Grad *grad, const ScanGrad *scan);

/* The backward body's want of forward values (grad_save.c). */
typedef struct Saving {
    Graph *work;                         /* the forward nodes, then those of their gradient */
    int    forward_count;                /* of the former */
    bool  *needed;                       /* by id in work: the backward body has it */
    int   *pick;                         /* by id in work: which result of the forward scan it is, or -1. In the end of
                                            those only that the backward body reads */
    int    pick_count;                   /* of the forward scan, saved values included */
    Vec(Node *) saved;                   /* the results to add, in order */
} Saving;

/* `needed` holds the nodes that the backward body returns; adds what they are made of, and says what is saved. */
void saving_find(Saving *s);

#endif
