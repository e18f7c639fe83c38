#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "interrupt.h"

/* An event takes some tens of nanoseconds. */
#define EVENTS_BETWEEN_LOOKS 4096
#define SECONDS_BETWEEN_LINES 0.2

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

static void show(struct progress *p, const struct llmsim_observation *o, double elapsed_s)
{
    struct llmsim_trace_status trace;
    llmsim_trace_get_status(p->trace, &trace);
    char share[64] = "";
    if (trace.bytes_total > 0 && trace.bytes_read > 0) {
        double done = (double)trace.bytes_read / (double)trace.bytes_total;
        (void)snprintf(share, sizeof share, "%5.1f %% of the trace, %.0f s to go, ", 100 * done,
                       elapsed_s * (1 - done) / done);
    }
    (void)fprintf(stderr, "\r%ssimulated %.0f s, %llu requests ended, %.2f M requests/s \033[K",
                  share, llmsim_time_to_seconds(o->now), (unsigned long long)o->n_ended,
                  (double)o->n_ended / elapsed_s / 1e6);
    p->is_shown = true;
}

static bool observe(void *ctx, const struct llmsim_observation *o)
{
    struct progress *p = ctx;
    if (interrupt_seen() != 0)
        return false;
    if (!p->is_terminal)
        return true;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (seconds_between(&p->last, &now) < SECONDS_BETWEEN_LINES)
        return true;
    p->last = now;
    show(p, o, seconds_between(&p->start, &now));
    return true;
}

void progress_start(struct progress *progress, const struct llmsim_trace *trace,
                    struct llmsim_replay_config *config)
{
    *progress = (struct progress){.trace = trace, .is_terminal = isatty(STDERR_FILENO) == 1};
    (void)clock_gettime(CLOCK_MONOTONIC, &progress->start);
    progress->last = progress->start;
    config->observe = observe;
    config->observe_ctx = progress;
    config->observe_every = EVENTS_BETWEEN_LOOKS;
}

void progress_stop(struct progress *progress)
{
    if (progress->is_shown)
        (void)fputs("\r\033[K", stderr);
}
