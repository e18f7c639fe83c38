#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define N_SIGNALS (sizeof signals / sizeof *signals)

/* A signal is the process's own business, and so is this state. */
static volatile sig_atomic_t first;
static struct sigaction earlier[N_SIGNALS];

static void on_signal(int signal_number)
{
    if (first == 0)
        first = signal_number;
    else
        (void)signal(signal_number, SIG_DFL);
}

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    first = 0;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < N_SIGNALS; i++)
        (void)sigaddset(&action.sa_mask, signals[i]);
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (sigaction(signals[i], NULL, &earlier[i]) == 0 && earlier[i].sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
}

void interrupt_release(void)
{
    for (size_t i = 0; i < N_SIGNALS; i++)
        (void)sigaction(signals[i], &earlier[i], NULL);
}

int interrupt_seen(void)
{
    return first;
}
