/* How long the rows of programs take: a watch that looks at the clock around each. Rows run one at a time, every thread
 * waiting for the others, so their times add up to a little more than a step takes. */
#ifndef PTM_CLI_TIMER_H
#define PTM_CLI_TIMER_H

#include "frontend/cli/build.h"

/* A row of a program's table over all its runs. */
typedef struct RowTime {
    double  seconds;
    int64_t visits;                      /* of a row in a loop: one for each iteration */
} RowTime;

typedef struct TimedProgram {
    const Build *build;
    RowTime     *rows;                   /* as many as the program has steps */
} TimedProgram;

/* One visit. */
typedef struct Visit {
    int    program, row;
    double begin_s, end_s;               /* since the run of the program that came first began */
} Visit;

typedef struct Timer {
    Arena *arena;
    Vec(TimedProgram) programs;
    Vec(Visit) visits;                   /* while `recording` */
    bool   recording;
    int    now;                          /* the program at work; -1: one that nobody asked about */
    double since, first;
    RtWatch watch;                       /* to be given to runs */
} Timer;

Timer *timer_new(Arena *arena);
void   timer_add(Timer *t, const Build *build);

#endif
