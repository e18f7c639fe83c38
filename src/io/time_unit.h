/* time_unit.h: what a trace's arrivals count.
 *
 * A format of CSV says so by its column. The keys of Mooncake's JSON lines do not: Mooncake counts
 * milliseconds, others who took over its keys seconds. Whoever reads such a file has to be told, or
 * to know. */
#ifndef LLMSIM_IO_TIME_UNIT_H
#define LLMSIM_IO_TIME_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#include "json_line.h"
#include "lines.h"
#include "llmsim/choice.h"
#include "trace_format.h"

struct llmsim_time_unit {
    struct llmsim_choice choice;
    int exponent;      /* a unit is 10^-exponent seconds */
    const char *empty; /* what is wrong with a text, as trace_fields.h says it */
    const char *not_number;
    const char *negative;
    const char *too_large;
};

enum { LLMSIM_UNIT_S, LLMSIM_UNIT_MS, LLMSIM_UNIT_US, LLMSIM_UNIT_NS };
extern const struct llmsim_time_unit llmsim_time_units[];

/* The unit of this name. LLMSIM_USAGE: there is none. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_time_unit_named(const char *name,
                                                            const struct llmsim_time_unit **unit,
                                                            struct llmsim_error *err);

/* What could be found out about the unit of a file. */
struct llmsim_time_finding {
    const struct llmsim_time_unit *unit;
    bool from_whole_numbers; /* so it would not hold of a file with fractions */
};

/* From the rows of JSON lines that stand in the buffer, of which `first` was taken last: it is put
 * back, the buffer filled, and it is taken once more. LLMSIM_TRACE: it cannot be told. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_time_unit_find(struct llmsim_lines *lines, struct llmsim_line *first, size_t n_bom,
                      const struct llmsim_trace_format *format, struct llmsim_json_line *json,
                      struct llmsim_time_finding *finding, struct llmsim_error *err);

#endif
