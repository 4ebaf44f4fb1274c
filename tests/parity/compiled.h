/* A graph as machine code with its memory: everything between elaboration and the values that come out, for tests that
 * compare with numbers of other programs. */
#ifndef PTM_TESTS_COMPILED_H
#define PTM_TESTS_COMPILED_H

#include "codegen/trial.h"
#include "passes/passes.h"

typedef struct Compiled {
    Arena *arena;
    Graph *graph;         /* as elaborated */
    Trial trial;          /* of its plan, with gradients */
} Compiled;

/* Runs the passes and compiles; memory is painted, so reading what was never written shows. NULL, or why not. */
const char *compiled_open(Compiled *c, Arena *arena, Graph *graph, PassOptions passes, int threads);
void compiled_close(Compiled *c);

/* The input's type in the graph, or NULL when it reads none of this name. */
const Type *compiled_input(const Compiled *c, const char *name);
/* Copies packed elements into an input. */
void compiled_set(Compiled *c, const char *name, const void *bytes);
/* Runs once. NULL, or the fault. */
const char *compiled_run(Compiled *c);
/* A result, or what an update made of an input, by name; NULL when there is none. */
Tensor *compiled_value(const Compiled *c, const char *name);

/* Everything that was reported, as one text in the arena. */
const char *compiled_messages(Arena *arena, const Diagnostics *d);

#endif
