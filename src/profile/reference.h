/* reference.h: every launch in double, on the CPU: what a device's results are held against. */
#ifndef LLMSIM_PROFILE_REFERENCE_H
#define LLMSIM_PROFILE_REFERENCE_H

#include "llmsim/device.h"

/* The operands of a launch: in, weights, state, out, keys, values, partials. */
enum { LLMSIM_OPERANDS = 7 };
enum llmsim_operand_type {
    LLMSIM_OPERAND_HALF,  /* the launch's dtype */
    LLMSIM_OPERAND_FLOAT, /* 4 bytes */
    LLMSIM_OPERAND_WORD,  /* uint32_t */
};
struct llmsim_operand {
    uint64_t n; /* elements; 0: the launch has no such operand */
    enum llmsim_operand_type type;
    bool is_written; /* all or a part of it, by the launch */
    bool is_read;
};
/* Sizes from the launch's numbers, whatever its pointers are but for `in` of NORM, which may be
 * NULL. */
void llmsim_launch_operands(const struct llmsim_launch *launch,
                            struct llmsim_operand operands[static LLMSIM_OPERANDS]);
/* Where the launch holds the pointer to operand i. */
const void *llmsim_launch_operand(const struct llmsim_launch *launch, unsigned i);
void llmsim_launch_set_operand(struct llmsim_launch *launch, unsigned i, void *memory);

/* Do what the launch says with memory of the CPU. Results are rounded to the launch's dtype once,
 * at the end. */
void llmsim_reference_launch(const struct llmsim_launch *launch);

#endif
