/* detmath.h: log, exp and sin from additions, multiplications and divisions alone, so that their
 * bits are the same on every machine that follows IEEE 754 (compiled with -ffp-contract=off). Good
 * to about one unit in the last place; tests/unit/test_detmath.c holds them against libm. */
#ifndef LLMSIM_BASE_DETMATH_H
#define LLMSIM_BASE_DETMATH_H

/* x normal and > 0. */
double llmsim_log(double x);
/* 0 below -708; the largest double above 709. */
double llmsim_exp(double x);
/* sin(2π × turns), |turns| < 2^51; absolute error. */
double llmsim_sin_turns(double turns);

#endif
