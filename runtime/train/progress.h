/* What a person sees of a run: on a terminal a bar that stays on its line, elsewhere a plain line now and then. */
#ifndef PTM_RUNTIME_PROGRESS_H
#define PTM_RUNTIME_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Progress {
    int     fd;                          /* -1: silent */
    bool    terminal, drawn;             /* drawn: a bar stands on the current line */
    int64_t first, steps;                /* steps made before this session, and in all */
    int64_t items;                       /* a step; 0: not shown */
    const char *unit;                    /* of these: "tokens" */
    int64_t timed_from;                  /* the speed is that of the steps behind this one, which took ... */
    double  timed_s;
    double  start_s, shown_s;            /* clock at the beginning, and when the last line or bar was drawn */
    double  training_s;                  /* spent in steps, evaluations left out */
} Progress;

double clock_s(void);                    /* of a clock that only goes forward */

Progress progress_begin(int fd, int64_t first, int64_t steps, int64_t items, const char *unit);
/* From here on steps are of another kind. */
void progress_stage(Progress *p, int64_t step, int64_t items, const char *unit);
/* After a step that took `seconds`. Draws when enough time has passed or the step is the last. */
void progress_step(Progress *p, int64_t step, double seconds, double loss, double lr);
/* A line of its own, above the bar. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void progress_line(Progress *p, const char *format, ...);
void progress_end(Progress *p);          /* leaves the bar on its line */

#endif
