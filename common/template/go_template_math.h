/*
 * go_template_math.h - numbers of templates: conversions as the library that Loki uses makes them, and decimal arithmetic.
 */
#ifndef CW_TEMPLATE_GO_TEMPLATE_MATH_H
#define CW_TEMPLATE_GO_TEMPLATE_MATH_H
#include "common/template/go_template_priv.h"

/* Whatever can be read as one; 0 for what cannot. */
int64_t cw_go_to_int(struct cw_go_value value);
double cw_go_to_float(struct cw_go_value value);

CW_GT_FN(add);
CW_GT_FN(sub);
CW_GT_FN(mul);
CW_GT_FN(div);
CW_GT_FN(mod);
CW_GT_FN(addf);
CW_GT_FN(subf);
CW_GT_FN(mulf);
CW_GT_FN(divf);
CW_GT_FN(max);
CW_GT_FN(min);
CW_GT_FN(maxf);
CW_GT_FN(minf);
CW_GT_FN(ceil);
CW_GT_FN(floor);
CW_GT_FN(round);
CW_GT_FN(int);
CW_GT_FN(float64);
CW_GT_FN(bytes);
CW_GT_FN(duration);

#endif
