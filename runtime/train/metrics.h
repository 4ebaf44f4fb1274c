/* metrics.jsonl: one JSON object a line. A line is put together in memory and written at once. */
#ifndef PTM_RUNTIME_METRICS_H
#define PTM_RUNTIME_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/text/tokenizer.h"

typedef struct Metrics {
    int   fd;                            /* -1: nothing is written */
    char *line;
    int   size, room;
} Metrics;

/* Keeps the lines of steps up to keep_step (-1: none) and cuts off the rest, so that a resumed run writes them
 * again. `room`: bytes of the longest line. */
bool metrics_open(Metrics *m, const char *path, int64_t keep_step, int room, RtError *e);
void metrics_close(Metrics *m);

/* A line: begin, numbers and texts, end. digits: significant ones; what JSON cannot write (NaN, infinity) becomes
 * null. */
void metrics_begin(Metrics *m, int64_t step);
void metrics_number(Metrics *m, const char *prefix, const char *name, double value, int digits);
void metrics_text(Metrics *m, const char *name, const char *text);
bool metrics_end(Metrics *m, RtError *e);

bool metrics_flush(Metrics *m, RtError *e);                  /* to the disk */

#endif
