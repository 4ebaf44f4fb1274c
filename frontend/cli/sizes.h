/* Sizes that cannot be: asked before anything is planned or allocated, so that a zero too many is a message with a
 * line. */
#ifndef PTM_CLI_SIZES_H
#define PTM_CLI_SIZES_H

#include "frontend/cli/session.h"

/* Whether every value of the graph can be counted, every product can be called, and this machine could hold each
 * parameter and state. False after reporting the first that is too large, with its line. */
bool sizes_check(Session *s, const Graph *graph);

/* Memory and swap of this machine, in bytes, or the least that the system lets this process have; INT64_MAX where that
 * is not known. */
int64_t sizes_machine(void);

#endif
