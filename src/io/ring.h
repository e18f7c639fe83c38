/* ring.h: a few buffers that one thread fills and another empties, in order, so that packing and
 * unpacking run beside the simulation. One filling and one emptying thread; no copy is made. */
#ifndef LLMSIM_IO_RING_H
#define LLMSIM_IO_RING_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define LLMSIM_RING_SLOTS 4u
#define LLMSIM_RING_SLOT_BYTES ((size_t)256 << 10)

struct llmsim_ring {
    sem_t free_slots, full_slots; /* each posted once more when the other side has gone */
    atomic_size_t n_published;
    atomic_bool emptier_gone;
    bool holds_free; /* the filling side's own: it has reserved slot n_published */
    bool holds_full; /* the emptying side's own: it has waited for slot n_taken */
    size_t n_taken;
    size_t used[LLMSIM_RING_SLOTS];
    char *bytes; /* all slots */
};

/* false: out of memory. */
bool llmsim_ring_init(struct llmsim_ring *ring);
void llmsim_ring_fini(struct llmsim_ring *ring);

/* The filling side. reserve waits for a free slot of LLMSIM_RING_SLOT_BYTES and returns the same
 * one until publish; NULL: the emptying side has left. finish says that no more will come. */
char *llmsim_ring_reserve(struct llmsim_ring *ring);
void llmsim_ring_publish(struct llmsim_ring *ring, size_t n);
void llmsim_ring_finish(struct llmsim_ring *ring);

/* The emptying side. take waits for a full slot and returns the same one until give_back; NULL:
 * finish was called and all is taken. wait is take's waiting alone, which a signal can end. leave
 * says that no more will be taken. */
/* false: a signal handler ran. */
bool llmsim_ring_wait(struct llmsim_ring *ring);
const char *llmsim_ring_take(struct llmsim_ring *ring, size_t *n);
void llmsim_ring_give_back(struct llmsim_ring *ring);
void llmsim_ring_leave(struct llmsim_ring *ring);

/* Start a thread that takes no signals: they belong to the caller's threads. false: no thread. */
bool llmsim_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
