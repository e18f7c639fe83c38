/* sweep_run.c: points in threads, each taking the next that nobody has. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "llmsim/sweep.h"
#include "parts.h"

struct crew {
    struct llmsim_sweep *sweep;
    const struct llmsim_sweep_work *work;
    uint64_t *pending;
    uint64_t n_pending;
    atomic_uint_fast64_t next; /* of `pending` */
    atomic_bool stop;
    pthread_mutex_t mutex; /* of all below, and of storing */
    enum llmsim_status status;
    struct llmsim_error *err;
};

/* The first thing that goes wrong is what the caller hears of. Under the mutex. */
static void end_all(struct crew *crew, enum llmsim_status status, const struct llmsim_error *err)
{
    atomic_store(&crew->stop, true);
    if (crew->status != LLMSIM_OK)
        return;
    crew->status = status;
    if (crew->err != NULL)
        *crew->err = *err;
}

static void keep(struct crew *crew, uint64_t point, enum llmsim_status outcome, const char *row)
{
    struct llmsim_error err;
    enum llmsim_status status = llmsim_sweep_store(crew->sweep, point, outcome, row, &err);
    if (status != LLMSIM_OK) {
        end_all(crew, status, &err);
    } else if (crew->work->on_progress != NULL) {
        struct llmsim_sweep_progress progress = llmsim_sweep_get_progress(crew->sweep);
        crew->work->on_progress(crew->work->ctx, &progress);
    }
}

static void *work(void *arg)
{
    struct crew *crew = arg;
    uint64_t i;
    while (!atomic_load(&crew->stop) && (i = atomic_fetch_add(&crew->next, 1)) < crew->n_pending) {
        struct llmsim_error err = {0};
        struct llmsim_csv_row row = {0};
        enum llmsim_status outcome = LLMSIM_OK;
        enum llmsim_status status =
            crew->work->compute(crew->work->ctx, crew->pending[i], &row, &outcome, &err);
        if (status == LLMSIM_OK && row.failed)
            status = llmsim_fail(&err, LLMSIM_RUN_FAILED, "out of memory");
        (void)pthread_mutex_lock(&crew->mutex);
        if (status != LLMSIM_OK)
            end_all(crew, status, &err);
        else
            keep(crew, crew->pending[i], outcome, row.text);
        (void)pthread_mutex_unlock(&crew->mutex);
        llmsim_csv_row_fini(&row);
    }
    return NULL;
}

/* The calling thread is one of them. Where fewer threads can be had, fewer do. */
static enum llmsim_status run_crew(struct crew *crew, unsigned n_jobs)
{
    unsigned n_started = 0, wanted = n_jobs > 1 ? n_jobs - 1 : 0;
    if (wanted > crew->n_pending)
        wanted = (unsigned)crew->n_pending;
    pthread_t *threads = calloc(wanted + 1, sizeof *threads);
    if (threads == NULL)
        return llmsim_fail(crew->err, LLMSIM_RUN_FAILED, "out of memory");
    while (n_started < wanted && pthread_create(&threads[n_started], NULL, work, crew) == 0)
        n_started++;
    work(crew);
    for (unsigned i = 0; i < n_started; i++)
        (void)pthread_join(threads[i], NULL);
    free(threads);
    return crew->status;
}

enum llmsim_status llmsim_sweep_run(struct llmsim_sweep *sweep,
                                    const struct llmsim_sweep_work *work_to_do, unsigned n_jobs,
                                    struct llmsim_error *err)
{
    enum llmsim_status missing = LLMSIM_CHECK_PARTS(
        "the work of a sweep", err, {work_to_do->compute != NULL, "function compute"});
    if (missing != LLMSIM_OK)
        return missing;
    struct llmsim_sweep_progress progress = llmsim_sweep_get_progress(sweep);
    struct crew crew = {.sweep = sweep, .work = work_to_do, .err = err};
    crew.pending = malloc((progress.n_points - progress.n_finished + 1) * sizeof *crew.pending);
    if (crew.pending == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (uint64_t p = 0; llmsim_sweep_next(sweep, &p); p++)
        crew.pending[crew.n_pending++] = p;
    atomic_init(&crew.next, 0);
    atomic_init(&crew.stop, false);
    enum llmsim_status status;
    if (pthread_mutex_init(&crew.mutex, NULL) != 0) {
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "cannot make a mutex");
    } else {
        status = run_crew(&crew, n_jobs);
        (void)pthread_mutex_destroy(&crew.mutex);
    }
    free(crew.pending);
    return status;
}
