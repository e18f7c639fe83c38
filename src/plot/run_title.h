/* run_title.h: what was run, in a line or two over a picture. */
#ifndef LLMSIM_PLOT_RUN_TITLE_H
#define LLMSIM_PLOT_RUN_TITLE_H

#include "json_file.h"
#include "output.h"

/* Characters that a picture has room for. */
#define HEADING_WIDTH 110u
#define SUBTITLE_WIDTH 160u

/* heading = 'MODEL on GPU' and subtitle = 'settings' for a script, from a summary.json. */
void run_title_put(struct llmsim_output *out, const cJSON *summary);

/* root.object.name as a finite number, or `otherwise`. `name` NULL: root.object. */
double run_title_number(const cJSON *root, const char *object, const char *name, double otherwise);

#endif
