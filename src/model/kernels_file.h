/* kernels_file.h: what reader and writer of data/kernels agree on. */
#ifndef LLMSIM_MODEL_KERNELS_FILE_H
#define LLMSIM_MODEL_KERNELS_FILE_H

#define KERNELS_SCHEMA 1
/* A value is the log of measured time / roofline, a whole number of thousandths. */
#define KERNELS_VALUE_UNITS 1000

#endif
