/* lattice.h: a function of a few positive numbers by its values on a coarse grid: multilinear in
 * the logarithms between the nodes, constant beyond them.
 *
 * What a formula misses of measured times is smooth over sizes but has no formula of its own. A
 * lattice that is fitted to the logarithm of measured / formula carries it (lattice regression:
 * E. Garcia, M. Gupta, NIPS 2009). */
#ifndef LLMSIM_MODEL_LATTICE_H
#define LLMSIM_MODEL_LATTICE_H

#include <stdbool.h>
#include <stddef.h>

#include "llmsim/status.h"

#define LLMSIM_LATTICE_MAX_AXES 5
#define LLMSIM_LATTICE_MAX_NODES 24

struct llmsim_lattice_axis {
    unsigned n;                            /* nodes, 1 or more */
    double node[LLMSIM_LATTICE_MAX_NODES]; /* ascending, over 0 */
    double log_node[LLMSIM_LATTICE_MAX_NODES];
};

struct llmsim_lattice {
    unsigned n_axes;
    struct llmsim_lattice_axis axes[LLMSIM_LATTICE_MAX_AXES];
    size_t n_values;
    double *values; /* the last axis changes fastest */
};

/* Append an axis; its nodes are copied. */
void llmsim_lattice_add_axis(struct llmsim_lattice *lattice, const double *nodes, unsigned n);
/* Make room for the values, which are 0. LLMSIM_RUN_FAILED (memory). Fini also on a zeroed one. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_lattice_alloc(struct llmsim_lattice *lattice,
                                                          struct llmsim_error *err);
void llmsim_lattice_fini(struct llmsim_lattice *lattice);

/* The value at a point: one coordinate over 0 for each axis. The same bits on every machine. */
double llmsim_lattice_at(const struct llmsim_lattice *lattice, const double *point);

/* A measurement: the value that the lattice should have at a point. Or one of a sum of two terms:
 * with parts over 0, the last axis has the nodes 1 and 2, and `value` is to be the logarithm of
 * parts[0] exp(the value at 1) + parts[1] exp(the value at 2). */
struct llmsim_lattice_sample {
    double point[LLMSIM_LATTICE_MAX_AXES]; /* of a sum: its last coordinate does not count */
    double value;
    double parts[2];
};

/* What the lattice says that the sample's value is. */
double llmsim_lattice_predict(const struct llmsim_lattice *lattice,
                              const struct llmsim_lattice_sample *sample);

/* Set the values to what is nearest to the samples, all of one sort: least absolute errors, by a
 * few rounds of weighted least squares (for sums of Gauss and Newton's steps), and second
 * differences along the axes kept small, so that nodes without samples continue their neighbours.
 * LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_lattice_fit(struct llmsim_lattice *lattice,
                                                        const struct llmsim_lattice_sample *samples,
                                                        size_t n_samples, struct llmsim_error *err);

#endif
