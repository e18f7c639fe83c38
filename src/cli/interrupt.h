/* interrupt.h: SIGINT, SIGTERM and SIGHUP end a run cleanly, so that no temporary file stays
 * behind. */
#ifndef LLMSIM_INTERRUPT_H
#define LLMSIM_INTERRUPT_H

/* From here on they are only noted. A third one kills, should the first not get through: a second
 * is often the same one again, as timeout(1) and a closing terminal send it to the process and to
 * its group. A signal that the program was started to ignore (nohup) stays ignored. */
void interrupt_catch(void);
/* As it was before. */
void interrupt_release(void);
/* The first that came since interrupt_catch; 0: none. */
int interrupt_seen(void);

#endif
