/*
 * wal_writer.h - write the log: segments, their order, and what happens when the disk says no.
 *
 *   none --begin--> open --append, sync--> open --begin (seals: fsync first)--> open
 *                    |
 *                    +-- a failed write or fsync --> none: cut to the last good frame, closed, never touched again
 *                    +-- a write without room --> open: cut to the last good frame, by a new descriptor from there on
 *
 * Ownership  Owns its descriptor.
 * Threads    One at a time (the WAL's own); cw_wal_writer_remove_before() and _bytes() any.
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (no space). After a failed append or sync nothing of what was appended since the last
 *            sync is kept; cw_wal_writer_ready() tells whether another segment must be begun.
 */
#ifndef CW_INGESTER_WAL_WRITER_H
#define CW_INGESTER_WAL_WRITER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/wal_format.h"
#include "common/store/wal_frame.h"

struct cw_wal_writer;

/* A frame's header, marks and small body are gathered here before they are written. */
#define CW_WAL_GATHER_BYTES (256u << 10)

/* `dir` exists. */
struct cw_wal_writer *cw_wal_writer_new(const char *dir, uint64_t segment_bytes);
/* After the replay, before the first segment: it will have the number `segment`, its first frame the number last_seq + 1. */
void cw_wal_writer_continue(struct cw_wal_writer *writer, uint64_t segment, uint64_t last_seq);
/* Seals (fsyncs) what is open. NULL is fine. */
void cw_wal_writer_close(struct cw_wal_writer **writer);

/* Is there a segment, with room? If not, begin one before appending. */
bool cw_wal_writer_ready(const struct cw_wal_writer *writer);
/* Seal the old segment and begin the next: header and a checkpoint with `marks` as its body, both durable on return. `before`: NEEDED
 * or SETTLED; segments may go before their frames are in parts only with the latter. */
int cw_wal_writer_begin(struct cw_wal_writer *writer, struct cw_str marks,
                        enum cw_wal_before before, int64_t now_ns, struct cw_err *err) CW_MUST_USE;
/* Give the frame its seq and segment, and append it. */
int cw_wal_writer_append(struct cw_wal_writer *writer, struct cw_wal_frame *frame,
                         struct cw_err *err) CW_MUST_USE;
/* All that was appended is in the file; with `durable` it is fsynced too. */
enum cw_wal_sync { CW_WAL_SYNC_DURABLE, CW_WAL_SYNC_WRITTEN };
int cw_wal_writer_sync(struct cw_wal_writer *writer, enum cw_wal_sync sync,
                       struct cw_err *err) CW_MUST_USE;
/* The last frame that a successful sync covered. */
uint64_t cw_wal_writer_last_seq(const struct cw_wal_writer *writer);
bool cw_wal_writer_dirty(const struct cw_wal_writer *writer); /* written, not fsynced */

/* Segments found at start, oldest first; they are removed like those written since. */
void cw_wal_writer_add_old(struct cw_wal_writer *writer, uint64_t segment, uint64_t last_seq,
                           uint64_t bytes);
/* Remove sealed segments whose frames are all in parts. The current segment's checkpoint is durable, so their marks are. */
int cw_wal_writer_remove_before(struct cw_wal_writer *writer, uint64_t flushed_seq,
                                struct cw_err *err) CW_MUST_USE;
/* Bytes and number of all segments. */
void cw_wal_writer_count(struct cw_wal_writer *writer, uint64_t *bytes_out,
                         uint64_t *nsegments_out);

#endif
