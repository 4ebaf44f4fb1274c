/* Which pass first changes what a graph means. Every program between the passes is evaluated on the same inputs, and
 * the finished plan is run; an output must keep the value that it had when it first appeared, up to rounding. */
#ifndef PTM_BISECT_H
#define PTM_BISECT_H

#include "passes/passes.h"

typedef struct KnownOutput KnownOutput;

typedef struct Bisect {
    /* The value of an input of any of the graphs: a function of its name and type. */
    Tensor *(*value)(void *context, Arena *arena, const Node *input);
    /* Runs a finished plan as machine code; see plan_eval. NULL: plans are evaluated only. */
    const char *(*run)(void *context, const Plan *plan, Tensor *const *inputs, Tensor **results, Arena *arena);
    void *context;

    /* The finding. */
    const char *stage;                   /* "graph", a pass, "code generation": what makes the difference; NULL: none */
    const char *output, *why;            /* which output differs; or why there is none */
    int64_t     element;                 /* of the output, which has */
    Type        type;
    double      have, want;

    Arena *arena;                        /* set by bisect_passes, like what follows */
    Vec(KnownOutput *) known;
} Bisect;

/* True when a difference is found. Stage "graph": the graph itself has no values on these inputs. options.observe,
 * where it is given, is called in place of bisect_observe and has to call it. */
bool bisect_passes(Arena *arena, Bisect *b, const Graph *graph, PassOptions options, Diagnostics *d);

/* For PassOptions.observe, with the Bisect as its context. */
void bisect_observe(void *bisect, const char *pass, bool after, const Graph *graph, const Plan *plan);

/* The smallest graph found that still shows what `shows` asks for: outputs are left out, nodes become inputs, constants
 * or one of their arguments, in the bodies of loops too, and extents shrink. output: what to keep first, or NULL. most:
 * how many graphs are tried. */
typedef bool Shows(void *context, const Graph *graph);
const Graph *graph_shrink(Arena *arena, const Graph *graph, const char *output, Shows *shows, void *context, int most);

#endif
