/* interrupt.h: Ctrl-C ends a run cleanly, so that no temporary file stays behind. */
#ifndef LLMSIM_INTERRUPT_H
#define LLMSIM_INTERRUPT_H

#include <stdbool.h>

/* From here on SIGINT is only noted, once; a second one kills, should the first not get through. */
void interrupt_catch(void);
/* As it was before. */
void interrupt_release(void);
/* Did one come since interrupt_catch? */
bool interrupt_seen(void);

#endif
