/* version.h: the version, in one place; CMake reads it from here. */
#ifndef LLMSIM_VERSION_H
#define LLMSIM_VERSION_H

#define LLMSIM_VERSION "0.1.0"

#endif
