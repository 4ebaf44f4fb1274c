/* Ctrl-C, a polite kill and a closed terminal as requests: the first is noticed between two steps. A second one changes
 * nothing but says so, since what it would lose is not yet on the disk; a third ends the program at once. */
#ifndef PTM_RUNTIME_INTERRUPT_H
#define PTM_RUNTIME_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

enum { INTERRUPT_SIGNALS = 3 };

typedef struct Interrupt {
    struct sigaction old[INTERRUPT_SIGNALS];
} Interrupt;

void interrupt_begin(Interrupt *i);
bool interrupt_asked(void);
void interrupt_end(const Interrupt *i);

#endif
