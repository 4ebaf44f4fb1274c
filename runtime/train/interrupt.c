/* Interrupts. A signal handler can reach nothing but a variable of the file, hence the one below. */
#include "runtime/train/interrupt.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static const int signals[INTERRUPT_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

static const char STILL_STOPPING[] =
    "\nstopping: the checkpoint is written after this step; a third Ctrl-C ends at once, without it\n";

static void on_signal(int number)
{
    int error = errno;
    asked++;
    if (asked == 2) {
        ssize_t written = write(STDERR_FILENO, STILL_STOPPING, sizeof STILL_STOPPING - 1);
        (void)written;                   /* nothing depends on whether the person sees it */
    }
    if (asked > 2) {
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = error;
}

/* A run that `nohup` began goes on when the terminal closes. */
static bool is_left_alone(int number, const struct sigaction *old)
{
    return number == SIGHUP && old->sa_handler == SIG_IGN;
}

void interrupt_begin(Interrupt *i)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    asked = 0;
    for (int k = 0; k < INTERRUPT_SIGNALS; k++) {
        sigaction(signals[k], NULL, &i->old[k]);
        if (!is_left_alone(signals[k], &i->old[k])) sigaction(signals[k], &action, NULL);
    }
}

bool interrupt_asked(void) { return asked != 0; }

void interrupt_end(const Interrupt *i)
{
    for (int k = 0; k < INTERRUPT_SIGNALS; k++) sigaction(signals[k], &i->old[k], NULL);
    asked = 0;
}
