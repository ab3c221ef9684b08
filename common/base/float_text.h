/*
 * float_text.h - doubles as the texts that Go and Prometheus write (strconv.FormatFloat with precision -1):
 * the fewest digits that read back as the same number; NaN, +Inf, -Inf.
 */
#ifndef CW_BASE_FLOAT_TEXT_H
#define CW_BASE_FLOAT_TEXT_H
#include "common/base/buf.h"

enum { CW_FLOAT_TEXT_DIGITS = 17 }; /* no double needs more to read back as itself */

/* The digits themselves, without point and sign, and the power of ten of the first one; value is finite. */
size_t cw_float_text_digits(double value, char digits[CW_FLOAT_TEXT_DIGITS], int *exp10);

/* Format 'f': "0.1", "100000000000000000000", never an exponent. What sample values look like in answers. */
void cw_float_text_plain(double value, struct cw_buf *out);
/* Format 'g': as above, with an exponent ("1e+21", "1e-07") below 1e-4 and from 1e21 on, as Go's %v prints. */
void cw_float_text_general(double value, struct cw_buf *out);

/* As Go's encoding/json: with an exponent below 1e-6 ("1e-7") and from 1e21 on ("1e+21"). */
void cw_float_text_json(double value, struct cw_buf *out);

#endif
