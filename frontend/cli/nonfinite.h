/* The first value that is not finite: looks at what every kernel of the watched programs writes, and inside a kernel
 * that wrote such a value finds the operator that made it of finite ones. Infinities that a good run has too, such as
 * those of a mask, are not what is looked for. */
#ifndef PTM_CLI_NONFINITE_H
#define PTM_CLI_NONFINITE_H

#include "frontend/cli/build.h"

typedef struct Nonfinite Nonfinite;

/* step: the number of the training step that is being made; NULL: there are no steps. */
Nonfinite *nonfinite_new(Session *s, const int64_t *step);
/* A program to look at; the watch leaves others alone. title: for messages, "evaluate loss". */
void       nonfinite_add(Nonfinite *n, const char *title, const Build *build);
const RtWatch *nonfinite_watch(Nonfinite *n);

/* Whether a run ended with a result, a parameter or a sum of gradients that is not finite, and if so where the value
 * came from: it was there when the run began, or an operator made it. */
typedef enum Culprit { CULPRIT_none, CULPRIT_input, CULPRIT_operator } Culprit;
Culprit    nonfinite_found(const Nonfinite *n);
void       nonfinite_print(Nonfinite *n);                    /* with source lines, to standard error */
void       nonfinite_free(Nonfinite *n);

#endif
