/* Ctrl-C (and a polite kill) as a request: the first is noticed between two steps, the second ends the program at
 * once. */
#ifndef PTM_RUNTIME_INTERRUPT_H
#define PTM_RUNTIME_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

typedef struct Interrupt {
    struct sigaction old_interrupt, old_terminate;
} Interrupt;

void interrupt_begin(Interrupt *i);
bool interrupt_asked(void);
void interrupt_end(const Interrupt *i);

#endif
