/* model_limits.h: bounds of a model's numbers: four times and more above any published model, and
 * low enough that no count of parameters that is formed from them exceeds 64 bits. */
#ifndef LLMSIM_MODEL_MODEL_LIMITS_H
#define LLMSIM_MODEL_MODEL_LIMITS_H

#define MAX_WIDTH (1 << 18)
#define MAX_VOCABULARY (1 << 22)
#define MAX_LAYERS (1 << 10)
#define MAX_HEADS (1 << 10)
#define MAX_EXPERTS (1 << 11)
#define MAX_POSITIONS (1 << 26)

#endif
