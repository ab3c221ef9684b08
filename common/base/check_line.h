/*
 * check_line.h - the last line of a text file that the programs keep: "check <XXH3-64 of what stands before, in hex>".
 */
#ifndef CW_BASE_CHECK_LINE_H
#define CW_BASE_CHECK_LINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/str.h"

/* Of the bytes from `start` on. */
void cw_check_line_add(struct cw_buf *out, size_t start);
/* Take it off the end of *bytes; false: it is not there, or does not fit. */
bool cw_check_line_strip(struct cw_str *bytes);
/* Sixteen hexadecimal digits. */
bool cw_check_line_hex(struct cw_str text, uint64_t *out);

#endif
