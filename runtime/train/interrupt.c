/* Interrupts. A signal handler can reach nothing but a variable of the file, hence the one below. */
#include "runtime/train/interrupt.h"

#include <stddef.h>

static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    (void)number;
    asked = 1;
}

/* SA_RESETHAND: the handler serves once, then the signal does what it did by default. */
void interrupt_begin(Interrupt *i)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    asked = 0;
    sigaction(SIGINT, &action, &i->old_interrupt);
    sigaction(SIGTERM, &action, &i->old_terminate);
}

bool interrupt_asked(void) { return asked != 0; }

void interrupt_end(const Interrupt *i)
{
    sigaction(SIGINT, &i->old_interrupt, NULL);
    sigaction(SIGTERM, &i->old_terminate, NULL);
    asked = 0;
}
