/* profile_csv.h: the rows of profile CSV. docs/profiles.md describes the columns. */
#ifndef LLMSIM_PROFILE_CSV_H
#define LLMSIM_PROFILE_CSV_H

#include "llmsim/profiler.h"
#include "output.h"

/* What a profile's rows have in common. */
struct profile_csv {
    struct llmsim_output out;
    const char *model, *gpu;
    char source[512];
};

/* Write the header row. The source is about to be text without commas and quotes: those of the
 * device's own texts become blanks. */
LLMSIM_MUST_CHECK enum llmsim_status profile_csv_open(struct profile_csv *csv, const char *path,
                                                      const struct llmsim_profile_plan *plan,
                                                      const struct llmsim_profile_config *config,
                                                      const struct llmsim_device_info *info,
                                                      struct llmsim_error *err);
/* A row for each of n repeats. */
void profile_csv_add(struct profile_csv *csv, const struct llmsim_profile_point *point,
                     const double *seconds, size_t n);
LLMSIM_MUST_CHECK enum llmsim_status profile_csv_commit(struct profile_csv *csv,
                                                        struct llmsim_error *err);
/* Close, and remove what is not committed. */
void profile_csv_close(struct profile_csv *csv);

#endif
