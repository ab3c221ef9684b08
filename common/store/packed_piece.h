/*
 * packed_piece.h - a piece of a region that is read alone (a group of streams, a chunk of postings): compressed where that makes it
 * smaller, with a checksum, and found by an entry in the region's directory, which begins with
 *
 *   offset u64 | bytes u32 | stored bytes u32 | codec u8, 0 0 0 | low half of XXH3-64 over what is stored u32
 */
#ifndef CW_STORE_PACKED_PIECE_H
#define CW_STORE_PACKED_PIECE_H
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum { CW_PACKED_PIECE_ENTRY_BYTES = 24 };

/* Append the piece to *bytes; its offset in there, and what else the entry says, is written to `entry`. */
int cw_packed_piece_add(struct cw_str raw, struct cw_buf *bytes, uint8_t *entry,
                        struct cw_err *err) CW_MUST_USE;

/* Append the piece of a region, of raw_max bytes at most, to *raw. NULL, or what is wrong with it ("lies outside the region"). */
const char *cw_packed_piece_read(const void *entry, struct cw_str region, uint64_t raw_max,
                                 struct cw_buf *raw) CW_MUST_USE;

#endif
