/* ring.c: a bounded queue of buffers. It waits on semaphores, because sem_wait returns when a
 * signal handler has run (without SA_RESTART) and pthread_cond_wait does not: Ctrl-C has to reach a
 * reader whose file says nothing. */
#include "ring.h"

#include <signal.h>
#include <stdlib.h>

bool llmsim_ring_init(struct llmsim_ring *ring)
{
    *ring = (struct llmsim_ring){.bytes = malloc(LLMSIM_RING_SLOTS * LLMSIM_RING_SLOT_BYTES)};
    if (ring->bytes == NULL)
        return false;
    atomic_init(&ring->n_published, 0);
    atomic_init(&ring->emptier_gone, false);
    /* With such values these two cannot fail. */
    (void)sem_init(&ring->free_slots, 0, LLMSIM_RING_SLOTS);
    (void)sem_init(&ring->full_slots, 0, 0);
    return true;
}

void llmsim_ring_fini(struct llmsim_ring *ring)
{
    if (ring->bytes == NULL)
        return;
    (void)sem_destroy(&ring->free_slots);
    (void)sem_destroy(&ring->full_slots);
    free(ring->bytes);
    ring->bytes = NULL;
}

static char *slot(const struct llmsim_ring *ring, size_t i)
{
    return ring->bytes + i % LLMSIM_RING_SLOTS * LLMSIM_RING_SLOT_BYTES;
}

char *llmsim_ring_reserve(struct llmsim_ring *ring)
{
    while (!ring->holds_free)
        ring->holds_free = sem_wait(&ring->free_slots) == 0;
    return atomic_load(&ring->emptier_gone) ? NULL : slot(ring, atomic_load(&ring->n_published));
}

void llmsim_ring_publish(struct llmsim_ring *ring, size_t n)
{
    ring->used[atomic_load(&ring->n_published) % LLMSIM_RING_SLOTS] = n;
    atomic_fetch_add(&ring->n_published, 1);
    ring->holds_free = false;
    (void)sem_post(&ring->full_slots);
}

void llmsim_ring_finish(struct llmsim_ring *ring)
{
    (void)sem_post(&ring->full_slots);
}

bool llmsim_ring_wait(struct llmsim_ring *ring)
{
    if (!ring->holds_full)
        ring->holds_full = sem_wait(&ring->full_slots) == 0;
    return ring->holds_full;
}

const char *llmsim_ring_take(struct llmsim_ring *ring, size_t *n)
{
    while (!llmsim_ring_wait(ring))
        ;
    /* One post more than slots: that of finish. */
    bool ended = ring->n_taken == atomic_load(&ring->n_published);
    *n = ended ? 0 : ring->used[ring->n_taken % LLMSIM_RING_SLOTS];
    return ended ? NULL : slot(ring, ring->n_taken);
}

void llmsim_ring_give_back(struct llmsim_ring *ring)
{
    ring->n_taken++;
    ring->holds_full = false;
    (void)sem_post(&ring->free_slots);
}

void llmsim_ring_leave(struct llmsim_ring *ring)
{
    atomic_store(&ring->emptier_gone, true);
    (void)sem_post(&ring->free_slots);
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
