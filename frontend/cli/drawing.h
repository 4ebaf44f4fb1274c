/* Pictures of a run: its time line and its plan of memory. */
#ifndef PTM_CLI_DRAWING_H
#define PTM_CLI_DRAWING_H

#include "frontend/cli/timer.h"

#include <stdio.h>

/* The recorded visits as a Chrome trace ("Trace Event Format", complete events), which chrome://tracing and Perfetto
 * show; microseconds. */
void drawing_trace(FILE *out, const Timer *timer);

/* An SVG page: the recorded visits from left to right; under them the plan's work block: every buffer from the kernel
 * that writes it to the last that reads it, at its offset. Pointing at a box tells its line. */
void drawing_svg(FILE *out, Arena *arena, const Timer *timer, const Plan *plan, const char *title);

#endif
