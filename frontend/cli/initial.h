/* Parameters drawn beside the compiler: most of a large model's start is planning, which takes one thread, and drawing,
 * which any number can share. */
#ifndef PTM_CLI_INITIAL_H
#define PTM_CLI_INITIAL_H

#include "frontend/cli/build.h"

typedef struct Initial Initial;

/* Begins to run a program of initial values on other threads than the caller's, `threads` with it. The blocks of
 * parameters and tables stay where they are until it is over. NULL: the program has an order of its own, or there is no
 * thread or memory for this; it can be run like any other then. */
Initial *initial_begin(const Build *build, char *const *block, uint64_t seed, int threads);

/* Takes part until everything is drawn, and ends it: 0, or the place of a bad index. */
int64_t initial_finish(Initial *initial, RtFault *fault);

/* Ends it, whatever is drawn by then. NULL is allowed. */
void initial_stop(Initial *initial);

#endif
