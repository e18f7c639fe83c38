/* ring.c: a bounded queue of buffers under one mutex. A slot holds 256 KiB, so the lock is taken
 * some thousand times a second at most and anything cleverer would not be seen. */
#include "ring.h"

#include <signal.h>
#include <stdlib.h>

bool llmsim_ring_init(struct llmsim_ring *ring)
{
    *ring = (struct llmsim_ring){.bytes = malloc(LLMSIM_RING_SLOTS * LLMSIM_RING_SLOT_BYTES)};
    if (ring->bytes == NULL)
        return false;
    /* With default attributes these two cannot fail on Linux. */
    (void)pthread_mutex_init(&ring->mutex, NULL);
    (void)pthread_cond_init(&ring->changed, NULL);
    return true;
}

void llmsim_ring_fini(struct llmsim_ring *ring)
{
    if (ring->bytes == NULL)
        return;
    (void)pthread_mutex_destroy(&ring->mutex);
    (void)pthread_cond_destroy(&ring->changed);
    free(ring->bytes);
    ring->bytes = NULL;
}

static void lock(struct llmsim_ring *ring)
{
    (void)pthread_mutex_lock(&ring->mutex);
}

static void unlock_and_wake(struct llmsim_ring *ring)
{
    (void)pthread_cond_signal(&ring->changed);
    (void)pthread_mutex_unlock(&ring->mutex);
}

char *llmsim_ring_reserve(struct llmsim_ring *ring)
{
    lock(ring);
    while (ring->n_full == LLMSIM_RING_SLOTS && !ring->emptier_gone)
        (void)pthread_cond_wait(&ring->changed, &ring->mutex);
    size_t slot = (ring->first + ring->n_full) % LLMSIM_RING_SLOTS;
    bool gone = ring->emptier_gone;
    (void)pthread_mutex_unlock(&ring->mutex);
    return gone ? NULL : ring->bytes + slot * LLMSIM_RING_SLOT_BYTES;
}

void llmsim_ring_publish(struct llmsim_ring *ring, size_t n)
{
    lock(ring);
    ring->used[(ring->first + ring->n_full) % LLMSIM_RING_SLOTS] = n;
    ring->n_full++;
    unlock_and_wake(ring);
}

void llmsim_ring_finish(struct llmsim_ring *ring)
{
    lock(ring);
    ring->filler_done = true;
    unlock_and_wake(ring);
}

const char *llmsim_ring_take(struct llmsim_ring *ring, size_t *n)
{
    lock(ring);
    while (ring->n_full == 0 && !ring->filler_done)
        (void)pthread_cond_wait(&ring->changed, &ring->mutex);
    size_t slot = ring->first;
    bool empty = ring->n_full == 0;
    *n = empty ? 0 : ring->used[slot];
    (void)pthread_mutex_unlock(&ring->mutex);
    return empty ? NULL : ring->bytes + slot * LLMSIM_RING_SLOT_BYTES;
}

void llmsim_ring_give_back(struct llmsim_ring *ring)
{
    lock(ring);
    ring->first = (ring->first + 1) % LLMSIM_RING_SLOTS;
    ring->n_full--;
    unlock_and_wake(ring);
}

void llmsim_ring_leave(struct llmsim_ring *ring)
{
    lock(ring);
    ring->emptier_gone = true;
    unlock_and_wake(ring);
}

bool llmsim_thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, NULL, run, argument) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}
