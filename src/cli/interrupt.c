#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A signal is the process's own business, and so is this state. */
static volatile sig_atomic_t seen;
static struct sigaction earlier;

static void on_sigint(int signal_number)
{
    (void)signal_number;
    seen = 1;
}

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = on_sigint, .sa_flags = (int)SA_RESETHAND};
    seen = 0;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, &earlier);
}

void interrupt_release(void)
{
    (void)sigaction(SIGINT, &earlier, NULL);
}

bool interrupt_seen(void)
{
    return seen != 0;
}
