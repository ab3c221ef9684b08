/*
 * spool_record.h - one record of a spool segment: an entry that its sender cannot be asked for
 * again, as a receiver took it. Pure: bytes in, values out.
 *
 * A segment is a file of records, one behind the other. All integers are little-endian.
 *   record  |  0 magic "CWSp" u32 | 4 len u32 of the payload | 8 xxh3 u64 of the payload | 16 payload
 *   payload |  0 ts_ns i64 | 8 nlabels u32 | 12 nmetadata u32 | 16 tenant len u32
 *           | 20 cursor len u32 | 24 line len u32
 *           | 28 nlabels + nmetadata pairs, each: name len u32, value len u32, name, value
 *           | tenant | cursor | line
 * A record is valid when its checksum holds, labels are sorted by name and unique, and its lengths
 * fill the payload. The cursor says where the receiver's own source (the journal, an Engine's log)
 * goes on behind this entry: it is durable with the entry or not at all.
 *
 * Ownership  A decoded record borrows its texts from the bytes; its pairs live in the arena.
 * Errors     CW_E_TOO_LARGE (encode), CW_E_CORRUPT (decode). Any bytes are safe.
 */
#ifndef CW_SHIPPER_SPOOL_RECORD_H
#define CW_SHIPPER_SPOOL_RECORD_H
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/limits.h"
#include "common/labels/labels.h"

enum { CW_SPOOL_RECORD_HEADER_BYTES = 16 };
/* All of a record's payload but the line: labels, metadata, tenant, cursor. */
#define CW_SPOOL_RECORD_HEAD_BYTES (128u << 10)
/* A whole record: the longest line that a store takes by default is in one. Every buffer that a batch is cut from holds it. */
#define CW_SPOOL_RECORD_BYTES                                                                      \
    (CW_SPOOL_RECORD_HEADER_BYTES + CW_SPOOL_RECORD_HEAD_BYTES + CW_LIMIT_LINE_BYTES)

struct cw_spool_record {
    int64_t ts_ns;
    struct cw_labels labels;   /* of its stream */
    struct cw_labels metadata; /* structured metadata, in the sender's order */
    struct cw_str tenant;      /* empty: the output's own */
    struct cw_str cursor;      /* empty: none */
    struct cw_str line;
};

/* Append the record. A line over CW_LIMIT_LINE_BYTES is cut into as many records as it takes; how many is
 * returned. Only the last has the cursor. CW_E_TOO_LARGE: the rest is larger than
 * CW_SPOOL_RECORD_HEAD_BYTES; nothing is appended. */
int cw_spool_record_encode(const struct cw_spool_record *record, struct cw_buf *out,
                           struct cw_err *err) CW_MUST_USE;
/* The record at bytes[*at], where one begins. Returns 1, and *at is behind it; 0 where the bytes end
 * before it does (*at stays: all is read, more is to come, or it is torn); CW_E_CORRUPT where no
 * record is: *at is moved to where the next one may begin, and what lies between is lost. */
int cw_spool_record_next(struct cw_str bytes, size_t *at, struct cw_arena *arena,
                         struct cw_spool_record *out, struct cw_err *err) CW_MUST_USE;
/* Give up the record at bytes[at], of which no more will come: where the next whole one begins, or
 * bytes.len. */
size_t cw_spool_record_resync(struct cw_str bytes, size_t at);

#endif
