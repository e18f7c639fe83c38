/* packer.h: zstd compression of an output in a thread of its own. The row writers fill the ring's
 * slots themselves; nothing is copied on the way to libzstd. */
#ifndef LLMSIM_IO_PACKER_H
#define LLMSIM_IO_PACKER_H

#include "ring.h"

struct llmsim_packer;

/* Pack what is published in the packer's ring and write it to `fd` (borrowed until finish). NULL:
 * out of memory or threads. */
struct llmsim_packer *llmsim_packer_create(int fd);
struct llmsim_ring *llmsim_packer_ring(struct llmsim_packer *packer);
/* errno of the first failed write so far, or 0. What comes after a failure is dropped. */
int llmsim_packer_error(const struct llmsim_packer *packer);
/* Wait until all is written and free; returns the errno as above. */
int llmsim_packer_finish(struct llmsim_packer *packer);

/* write(2) until all is out; 0 or the errno. */
int llmsim_write_all(int fd, const char *bytes, size_t n);

#endif
