/* validation.h: what validate found, and how it is shown. */
#ifndef LLMSIM_VALIDATION_H
#define LLMSIM_VALIDATION_H

#include "cli.h"
#include "replay_settings.h"

#define VALIDATION_MAX_PARTS 2

struct validation {
    const struct replay_setup *setup;
    const char *measured_name;
    const char *calibrated_on; /* as the option says; NULL: not calibrated */
    struct llmsim_measured_run run, other;
    bool is_calibrated;
    unsigned tunables;
    struct llmsim_calibration calibration;
    struct llmsim_validation_part parts[VALIDATION_MAX_PARTS];
    struct llmsim_latencies *owned[VALIDATION_MAX_PARTS];
    struct llmsim_comparison comparisons[VALIDATION_MAX_PARTS][LLMSIM_N_METRICS];
    size_t n_parts;
};

struct validation_format {
    struct llmsim_choice choice;
    enum llmsim_status (*print)(const struct validation *w, struct llmsim_error *err);
};
/* Ends with a row whose name is NULL. */
extern const struct validation_format validation_formats[];

/* Draw the distributions of the last part. LLMSIM_USAGE (the file's name), LLMSIM_IO. */
LLMSIM_MUST_CHECK enum llmsim_status validation_plot(const struct validation *w, const char *path,
                                                     struct llmsim_error *err);

#endif
