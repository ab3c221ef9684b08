/*
 * wal_salvage.h - write a segment of the log anew without what is bad in it, replaced by rename. Replay, which steps over what is bad,
 * finds the same in it.
 *
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full), CW_E_CORRUPT (no frame is whole). The old segment is there then.
 */
#ifndef CW_STORE_WAL_SALVAGE_H
#define CW_STORE_WAL_SALVAGE_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

/* As replay tells them (wal_replay.h): ascending, apart. */
struct cw_wal_range {
    uint64_t off, len;
};

/* The caller holds the lock of the data directory. */
int cw_wal_salvage(const char *path, uint64_t segment, const struct cw_wal_range *bad, size_t n,
                   struct cw_err *err) CW_MUST_USE;

/* The segment's header, which is whole, says from now on that what is missing before it was told (CW_WAL_BEFORE_GIVEN_UP). */
int cw_wal_give_up_before(const char *path, uint64_t segment, struct cw_err *err) CW_MUST_USE;

#endif
