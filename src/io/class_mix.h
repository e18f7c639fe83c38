/* class_mix.h: draw the class of a generated request. */
#ifndef LLMSIM_IO_CLASS_MIX_H
#define LLMSIM_IO_CLASS_MIX_H

#include "llmsim/generate.h"
#include "random.h"

/* A class_id. */
uint16_t llmsim_class_mix_draw(const struct llmsim_class_mix *mix, struct llmsim_random *random);
const char *llmsim_class_mix_name(const struct llmsim_class_mix *mix, uint16_t class_id);

#endif
