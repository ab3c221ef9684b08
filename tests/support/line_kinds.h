/*
 * line_kinds.h - random lines of several kinds, each appended to *out.
 */
#ifndef CW_TESTS_LINE_KINDS_H
#define CW_TESTS_LINE_KINDS_H
#include "common/base/buf.h"

void line_like_a_log(uint64_t *state, struct cw_buf *out);
void line_like_json(uint64_t *state, struct cw_buf *out);
/* Pieces that are nearly one of the slots' forms, put together at random. */
void line_adversarial(uint64_t *state, struct cw_buf *out);

#endif
