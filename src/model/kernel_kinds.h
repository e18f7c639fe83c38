/* kernel_kinds.h: the kernels of the catalogue, a row each.
 *
 * A row says which table its measurements are in, and turns a row of that table into a sample: the
 * lattice that it belongs to (its variant: a number format, a regime), its place in it, the
 * roofline that its time is set against, and the time. To add a kernel is to add a row, and a
 * function in kernel_times.c that asks for it. */
#ifndef LLMSIM_MODEL_KERNEL_KINDS_H
#define LLMSIM_MODEL_KERNEL_KINDS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel_roofline.h"
#include "lattice.h"
#include "llmsim/kernels.h"

enum kernel_kind_row {
    KERNEL_GEMM,
    KERNEL_ALL_REDUCE,
    KERNEL_DECODE_ATTENTION,
    KERNEL_PREFILL_ATTENTION,
    KERNEL_DECODE_MLA,
    KERNEL_PREFILL_MLA,
    KERNEL_DECODE_MLA_BLOCK,
    KERNEL_PREFILL_MLA_BLOCK,
    KERNEL_EXPERTS,
    N_KERNEL_KINDS
};

/* The axis of kernels whose time is a line in the sum of contexts: at 1 the time without any, at 2
 * what a token adds, each over the roofline's. */
#define KERNEL_PART_AXIS "part"

#define KERNEL_MAX_COLUMNS 12
#define KERNEL_MAX_VARIANT 48

/* A row of a measured table. Columns by the order in which the kind names them. */
struct kernel_row {
    const char *text[KERNEL_MAX_COLUMNS]; /* "" where the table has no such column */
    double number[KERNEL_MAX_COLUMNS];    /* 0 where it is no number */
    double seconds;
};

struct kernel_sample {
    char variant[KERNEL_MAX_VARIANT];
    struct llmsim_lattice_sample at; /* its value: log(seconds / roofline), or a sum */
    uint64_t shape;                  /* a hash: what is held out goes by it */
    bool is_judged;                  /* counts in the errors that are reported */
};

struct kernel_axis {
    const char *name;
    unsigned n;
    double nodes[LLMSIM_LATTICE_MAX_NODES];
};

struct kernel_kind {
    const char *name;
    const char *table; /* gemm: gemm.csv.zst */
    const char *also;  /* another table, where that one is not there; NULL */
    const char *columns[KERNEL_MAX_COLUMNS + 1]; /* NULL behind the last */
    /* false: not one of this kernel's rows */
    bool (*sample)(const struct kernel_row *row, const struct llmsim_peaks *peaks,
                   struct kernel_sample *sample);
    struct kernel_axis axes[LLMSIM_LATTICE_MAX_AXES];
    /* The same axes with other nodes, or none: more values, for libraries whose choice of a kernel
     * is erratic. A variant has them where they predict it much better. */
    struct kernel_axis fine_axes[LLMSIM_LATTICE_MAX_AXES];
};

/* N_KERNEL_KINDS rows. */
extern const struct kernel_kind kernel_kinds[];

/* The lattice of a kernel and variant; NULL: it was not measured. */
const struct llmsim_lattice *llmsim_kernels_find(const struct llmsim_kernels *kernels,
                                                 enum kernel_kind_row kind, const char *variant);

/* Of a kernel with the part axis, at a point on the axes before it: the roofline's line times what
 * the lattice says of each part. A token takes no less than by the roofline, whatever was measured.
 */
struct decode_line kernel_line_at(const struct llmsim_lattice *lattice, const double *point,
                                  const struct decode_line *roofline);

#endif
