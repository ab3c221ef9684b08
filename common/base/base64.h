/*
 * base64.h - RFC 4648 section 4: bytes that are no text, inside of JSON.
 */
#ifndef CW_BASE_BASE64_H
#define CW_BASE_BASE64_H
#include "common/base/buf.h"

/* Append the text, padded with '='. */
void cw_base64_encode(struct cw_str bytes, struct cw_buf *out);
/* Append the bytes; false when `text` is none, padding included: what was appended by then means nothing. */
bool cw_base64_decode(struct cw_str text, struct cw_buf *out) CW_MUST_USE;

#endif
