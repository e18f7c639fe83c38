/* ranks.h: the processes of `mpirun -n N llmsim sweep`: rank 0 hands out points and keeps what
 * comes back, the others compute. All there is of MPI in the program; where it is built without, a
 * run is of one process. */
#ifndef LLMSIM_RANKS_H
#define LLMSIM_RANKS_H

#include "llmsim/llmsim.h"

struct ranks {
    int rank, size;
};

/* Join the processes that mpirun started with this one; {0, 1} where none were. LLMSIM_USAGE if
 * there are others and the program was built without MPI. */
LLMSIM_MUST_CHECK enum llmsim_status ranks_join(struct ranks *ranks, struct llmsim_error *err);

/* The status of the first rank that has failed, and its error, in all of them. Called by all. Ranks
 * other than 0 then say nothing more, so that one error is one line. */
LLMSIM_MUST_CHECK enum llmsim_status
ranks_agree(const struct ranks *ranks, enum llmsim_status status, struct llmsim_error *err);

/* llmsim_sweep_run with the other ranks as the crew. `sweep` is that of rank 0. */
LLMSIM_MUST_CHECK enum llmsim_status ranks_run(const struct ranks *ranks,
                                               struct llmsim_sweep *sweep,
                                               const struct llmsim_sweep_work *work,
                                               struct llmsim_error *err);

/* `status`: of the run. One that was interrupted does not wait for the others. */
void ranks_leave(const struct ranks *ranks, enum llmsim_status status);

#endif
