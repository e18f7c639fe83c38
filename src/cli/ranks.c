#include "ranks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "interrupt.h"

/* What Open MPI's and other launchers say of the number of processes. Slurm's own variables are of
 * the job, not of who was started with whom. */
static const char *launched_size(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]) != NULL)
            return getenv(names[i]);
    return getenv("PMIX_RANK") != NULL ? "more" : NULL;
}

#ifndef LLMSIM_WITH_MPI

enum llmsim_status ranks_join(struct ranks *ranks, struct llmsim_error *err)
{
    const char *size = launched_size();
    *ranks = (struct ranks){0, 1};
    if (size == NULL || strcmp(size, "1") == 0)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_USAGE,
                       "started as one of several processes, but this llmsim was built without "
                       "MPI; expected one process, or --shard");
}

enum llmsim_status ranks_agree(const struct ranks *ranks, enum llmsim_status status,
                               struct llmsim_error *err)
{
    (void)ranks;
    (void)err;
    return status;
}

enum llmsim_status ranks_run(const struct ranks *ranks, struct llmsim_sweep *sweep,
                             const struct llmsim_sweep_work *work, struct llmsim_error *err)
{
    (void)ranks;
    return llmsim_sweep_run(sweep, work, 1, err);
}

void ranks_leave(const struct ranks *ranks, enum llmsim_status status)
{
    (void)ranks;
    (void)status;
}

#else

#include <mpi.h>

#define NO_POINT UINT64_MAX
enum { TAG_RESULT = 1, TAG_POINT };

/* Between looks for a message: short beside a simulation, and rank 0 takes no core to itself. */
#define NS_BETWEEN_LOOKS 200000

/* A worker's message: what became of its point (NO_POINT: it asks for the first), then the row or,
 * where `status` is not LLMSIM_OK, the error that ends the sweep. Machines of one run are of one
 * kind, so it is sent as it lies in memory. */
struct result {
    uint64_t point;
    int32_t outcome;
    int32_t status;
    char text[];
};

enum llmsim_status ranks_join(struct ranks *ranks, struct llmsim_error *err)
{
    int provided;
    *ranks = (struct ranks){0, 1};
    if (launched_size() == NULL)
        return LLMSIM_OK;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "MPI does not start");
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &ranks->rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &ranks->size);
    return LLMSIM_OK;
}

/* Rank 0 speaks. */
static void be_silent(const struct ranks *ranks)
{
    int fd = ranks->rank > 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    (void)dup2(fd, STDERR_FILENO);
    (void)close(fd);
}

enum llmsim_status ranks_agree(const struct ranks *ranks, enum llmsim_status status,
                               struct llmsim_error *err)
{
    int mine = status == LLMSIM_OK ? ranks->size : ranks->rank, first = mine, shared = (int)status;
    if (ranks->size == 1)
        return status;
    (void)MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    if (first == ranks->size)
        return LLMSIM_OK;
    (void)MPI_Bcast(&shared, 1, MPI_INT, first, MPI_COMM_WORLD);
    (void)MPI_Bcast(err, (int)sizeof *err, MPI_BYTE, first, MPI_COMM_WORLD);
    be_silent(ranks);
    return (enum llmsim_status)shared;
}

/* ---- a worker ---- */

static enum llmsim_status send_result(uint64_t point, enum llmsim_status outcome,
                                      enum llmsim_status status, const char *text,
                                      struct llmsim_error *err)
{
    size_t n = sizeof(struct result) + strlen(text) + 1;
    struct result *message = malloc(n);
    if (message == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    message->point = point;
    message->outcome = (int32_t)outcome;
    message->status = (int32_t)status;
    memcpy(message->text, text, strlen(text) + 1);
    (void)MPI_Send(message, (int)n, MPI_BYTE, 0, TAG_RESULT, MPI_COMM_WORLD);
    free(message);
    return LLMSIM_OK;
}

static enum llmsim_status compute_and_send(const struct llmsim_sweep_work *work, uint64_t point,
                                           struct llmsim_error *err)
{
    struct llmsim_csv_row row = {0};
    enum llmsim_status outcome = LLMSIM_OK;
    enum llmsim_status status = work->compute(work->ctx, point, &row, &outcome, err);
    if (status == LLMSIM_OK && row.failed)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status != LLMSIM_INTERRUPTED) /* then rank 0 was interrupted, too, and does not listen */
        status =
            send_result(point, outcome, status, status == LLMSIM_OK ? row.text : err->message, err);
    llmsim_csv_row_fini(&row);
    return status;
}

static enum llmsim_status serve(const struct llmsim_sweep_work *work, struct llmsim_error *err)
{
    uint64_t point = NO_POINT;
    enum llmsim_status status = send_result(NO_POINT, LLMSIM_OK, LLMSIM_OK, "", err);
    while (status == LLMSIM_OK) {
        (void)MPI_Recv(&point, (int)sizeof point, MPI_BYTE, 0, TAG_POINT, MPI_COMM_WORLD,
                       MPI_STATUS_IGNORE);
        if (point == NO_POINT)
            break;
        status = compute_and_send(work, point, err);
    }
    return status;
}

/* ---- rank 0 ---- */

struct master {
    struct llmsim_sweep *sweep;
    const struct llmsim_sweep_work *work;
    uint64_t next;
    enum llmsim_status status;
    struct llmsim_error *err;
};

/* Wait for a message; false: a signal came first. */
static bool wait_for_message(MPI_Status *from)
{
    const struct timespec pause = {.tv_nsec = NS_BETWEEN_LOOKS};
    for (int has_one = 0;;) {
        (void)MPI_Iprobe(MPI_ANY_SOURCE, TAG_RESULT, MPI_COMM_WORLD, &has_one, from);
        if (has_one)
            return true;
        if (interrupt_seen() != 0)
            return false;
        (void)nanosleep(&pause, NULL);
    }
}

static void keep(struct master *m, const struct result *r)
{
    struct llmsim_error inner;
    if (m->status != LLMSIM_OK || r->point == NO_POINT)
        return;
    m->status = (enum llmsim_status)r->status;
    if (m->status != LLMSIM_OK) {
        (void)llmsim_fail(m->err, m->status, "%s", r->text);
        return;
    }
    m->status =
        llmsim_sweep_store(m->sweep, r->point, (enum llmsim_status)r->outcome, r->text, &inner);
    if (m->status != LLMSIM_OK) {
        *m->err = inner;
    } else if (m->work->on_progress != NULL) {
        struct llmsim_sweep_progress progress = llmsim_sweep_get_progress(m->sweep);
        m->work->on_progress(m->work->ctx, &progress);
    }
}

/* Take one message and answer it. Returns whether the worker is to stop. */
static bool answer(struct master *m, const MPI_Status *from)
{
    int n = 0;
    (void)MPI_Get_count(from, MPI_BYTE, &n);
    struct result *r = malloc((size_t)n);
    if (r == NULL) {
        (void)MPI_Abort(MPI_COMM_WORLD, LLMSIM_RUN_FAILED);
        return true;
    }
    (void)MPI_Recv(r, n, MPI_BYTE, from->MPI_SOURCE, TAG_RESULT, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    keep(m, r);
    free(r);
    uint64_t point = NO_POINT;
    if (m->status == LLMSIM_OK && llmsim_sweep_next(m->sweep, &m->next))
        point = m->next++;
    (void)MPI_Send(&point, (int)sizeof point, MPI_BYTE, from->MPI_SOURCE, TAG_POINT,
                   MPI_COMM_WORLD);
    return point == NO_POINT;
}

static enum llmsim_status hand_out(int n_workers, struct llmsim_sweep *sweep,
                                   const struct llmsim_sweep_work *work, struct llmsim_error *err)
{
    struct master m = {.sweep = sweep, .work = work, .err = err};
    MPI_Status from;
    while (n_workers > 0) {
        if (!wait_for_message(&from))
            return llmsim_fail(err, LLMSIM_INTERRUPTED, "interrupted");
        n_workers -= answer(&m, &from);
    }
    return m.status;
}

enum llmsim_status ranks_run(const struct ranks *ranks, struct llmsim_sweep *sweep,
                             const struct llmsim_sweep_work *work, struct llmsim_error *err)
{
    if (ranks->rank == 0)
        return hand_out(ranks->size - 1, sweep, work, err);
    enum llmsim_status status = serve(work, err);
    be_silent(ranks);
    return status;
}

void ranks_leave(const struct ranks *ranks, enum llmsim_status status)
{
    int is_initialized = 0;
    (void)ranks;
    (void)MPI_Initialized(&is_initialized);
    if (is_initialized && status != LLMSIM_INTERRUPTED)
        (void)MPI_Finalize();
}

#endif
