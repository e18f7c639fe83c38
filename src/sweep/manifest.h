/* manifest.h: manifest.json, which says what a directory's points are of. */
#ifndef LLMSIM_SWEEP_MANIFEST_H
#define LLMSIM_SWEEP_MANIFEST_H

#include "json_file.h"
#include "llmsim/sweep.h"

/* DIR/manifest.json must have the same members as `manifest`; where there is none it is written,
 * unless `has_journal`. LLMSIM_USAGE if it differs; LLMSIM_IO, LLMSIM_RUN_FAILED. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_manifest_agree(const char *dir,
                                                           struct llmsim_json_document *manifest,
                                                           bool has_journal,
                                                           struct llmsim_error *err);

/* The first member, but those named `except`, in which two manifests differ; NULL: none. */
const char *llmsim_manifest_difference(const cJSON *a, const cJSON *b, const char *except);

/* DIR/manifest.json. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_manifest_load(const char *dir, struct llmsim_json *manifest, struct llmsim_error *err);

#endif
