/* kernel_limits.h: what shapes there are kernels for. Plain C and CUDA read it. */
#ifndef LLMSIM_PROFILE_KERNEL_LIMITS_H
#define LLMSIM_PROFILE_KERNEL_LIMITS_H

/* Head sizes, each of which the attention kernels are compiled for: multiples of 16. */
#define LLMSIM_HEAD_DIMS(X) X(64) X(80) X(96) X(128)
/* Query heads that share one of keys and values: the rows of a matrix instruction. */
#define LLMSIM_MAX_GROUP 16
/* A context is split in multiples of this many keys: 16 for each of the 4 warps of a block. */
#define LLMSIM_SPLIT_UNIT 64

#endif
