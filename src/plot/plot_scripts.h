/* plot_scripts.h: the .gp files of this directory, as the build puts them into the program. */
#ifndef LLMSIM_PLOT_PLOT_SCRIPTS_H
#define LLMSIM_PLOT_PLOT_SCRIPTS_H

#include <stddef.h>

struct plot_script {
    const char *name; /* without ".gp" */
    const unsigned char *bytes;
    size_t n_bytes;
};

/* Ends with a row whose name is NULL. */
extern const struct plot_script plot_scripts[];

#endif
