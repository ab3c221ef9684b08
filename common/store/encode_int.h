/*
 * encode_int.h - integer columns: times, lengths, stream numbers, the values of slots. The bytes are drawn in format.h.
 *
 * The cheapest of seven encodings wins: constant; frame of reference with one width; frame of reference per miniblock of 128 (an
 * outlier costs one miniblock); differences in miniblocks; a dictionary of the distinct values, or of the distinct differences;
 * differences in whole bytes (bursts). Values that are all multiples of 10^3, 10^6 or 10^9 are divided first
 * (times in whole ms cost what ms cost). All of int64 is allowed.
 *
 * Errors     Decoding: CW_E_CORRUPT. It reads no byte outside `in`, and writes exactly n values or fails.
 */
#ifndef CW_STORE_ENCODE_INT_H
#define CW_STORE_ENCODE_INT_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* Append the column to *out. n = 0 is a column too. `values` is used as scratch: its contents are gone afterwards. */
void cw_encode_int(int64_t *values, size_t n, struct cw_buf *out);
/* Decode n values from the front of `in`; *used_out (may be NULL: the column must fill `in`) is what the column took. */
int cw_decode_int(struct cw_str in, size_t n, int64_t *out, size_t *used_out,
                  struct cw_err *err) CW_MUST_USE;

/* LEB128. */
void cw_encode_varint(uint64_t value, struct cw_buf *out);
/* Takes it off the front of *in; false when there is none or it is too long. */
static inline bool cw_decode_varint(struct cw_str *in, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < in->len && i < 10; i++) {
        uint64_t b = (uint8_t)in->ptr[i];
        if (i == 9 && b > 1)
            return false;
        v |= (b & 0x7f) << (7 * i);
        if (b < 0x80) {
            *out = v;
            in->ptr += i + 1;
            in->len -= i + 1;
            return true;
        }
    }
    return false;
}

#endif
