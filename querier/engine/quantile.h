/*
 * quantile.h - a quantile of values, as Prometheus computes it: between the two values next to its rank, in proportion. NaN comes
 * before every number.
 */
#ifndef CW_ENGINE_QUANTILE_H
#define CW_ENGINE_QUANTILE_H
#include <stddef.h>

/* n > 0. The values are put in another order. Below 0 -Inf, above 1 +Inf. */
double cw_quantile(double *values, size_t n, double quantile);

#endif
