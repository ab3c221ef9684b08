/*
 * quarantine.h - what is bad on disk is set aside in <data>/quarantine, counted and named; the rest is served.
 *
 * Threads    Any; the log's by one at a time.
 * Errors     CW_E_IO. A block that cannot be copied is only logged: the part that holds it stays where it is.
 */
#ifndef CW_STORE_QUARANTINE_H
#define CW_STORE_QUARANTINE_H
#include <stdint.h>
#include "common/base/err.h"
#include "common/store/part_reader.h"
#include "common/store/wal_replay.h"

struct cw_quarantine;
/* Makes the folder. */
int cw_quarantine_open(const char *data_dir, struct cw_quarantine **out,
                       struct cw_err *err) CW_MUST_USE;
void cw_quarantine_close(struct cw_quarantine **quarantine);
/* Copy a bad block's bytes to <part id>-block-<n>.bin. */
void cw_quarantine_block(struct cw_quarantine *quarantine, const struct cw_part_reader *reader,
                         uint32_t block);
/* See to it that the copy is there: the part is about to go. CW_E_UNAVAILABLE: the disk is full. */
int cw_quarantine_keep_block(struct cw_quarantine *quarantine, const struct cw_part_reader *reader,
                             uint32_t block, struct cw_err *err) CW_MUST_USE;
/* Move a part that cannot be opened. */
int cw_quarantine_part(struct cw_quarantine *quarantine, const char *path,
                       struct cw_err *err) CW_MUST_USE;
/* Another name for the part's file there, so that writing it anew loses nothing; *path_out (its buffer is the caller's) is that name. */
int cw_quarantine_link_part(struct cw_quarantine *quarantine, const char *path,
                            struct cw_buf *path_out, struct cw_err *err) CW_MUST_USE;
/* Where a part that was set aside under its own name would be. */
void cw_quarantine_part_path(const struct cw_quarantine *quarantine, uint64_t id,
                             struct cw_buf *path_out);
/* Move the file `name` of the data directory. */
int cw_quarantine_file(struct cw_quarantine *quarantine, const char *name,
                       struct cw_err *err) CW_MUST_USE;
/* Copy bad bytes of the log to wal-<segment>-<offset>; of more than CW_QUARANTINE_WAL_BYTES_MAX in all no copies are made: a log that
 * is rotten all over must not fill the disk a second time. */
#define CW_QUARANTINE_WAL_BYTES_MAX (256u << 20)
void cw_quarantine_wal_bytes(struct cw_quarantine *quarantine, const struct cw_wal_bad *bad);
/* Move a segment in which nothing is whole to wal-<segment>. */
int cw_quarantine_wal_segment(struct cw_quarantine *quarantine, uint64_t segment, const char *path,
                              struct cw_err *err) CW_MUST_USE;
/* Blocks set aside since the start. */
uint64_t cw_quarantine_blocks(const struct cw_quarantine *quarantine);

#endif
