/*
 * snapshots.h - copies of the store at one point of its log, as hard links: <data>/snapshots/<name>, each a data directory that a
 * server can be started on once it is copied. They cost no space until the store drops what they hold.
 *
 * What is inside: FORMAT, deletes, catalog and all parts that it names, and the log's sealed segments. None of these files is ever
 * changed in place, so a link to one is as good as a copy. The segment that grows is ended first; the checkpoint that begins the
 * next one is copied, for it may soon be the only place where the marks are.
 *
 * A name says when it was made and the last frame of the log in it: "20260105T100000Z-000000004711". It is put together under a name with
 * ".tmp" behind it; the rename that takes that off makes it a snapshot. What a crash leaves is removed at the next start.
 *
 *   on the WAL thread, right after a new segment began     _begin(), cw_parts_link_all(): links only, no fsync
 *   anywhere                                               _finish(), or _abandon()
 *
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full), CW_E_NOT_FOUND (no such snapshot). The file system must know hard links.
 */
#ifndef CW_INGESTER_SNAPSHOTS_H
#define CW_INGESTER_SNAPSHOTS_H
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/catalog.h"

struct cw_snapshot_draft {
    char *data_dir, *name, *dir; /* dir: where it is put together; NULL: none was begun */
    struct cw_catalog catalog;   /* of the parts that are linked */
};

/* The folder with the log's segments. `wal_seq`: the last frame before the newest one. */
int cw_snapshots_begin(const char *data_dir, int64_t now_ns, uint64_t wal_seq,
                       struct cw_snapshot_draft *out, struct cw_err *err) CW_MUST_USE;
/* Durable on return; a JSON object that describes it is appended to *json. The draft is gone either way. */
int cw_snapshots_finish(struct cw_snapshot_draft *draft, struct cw_buf *json,
                        struct cw_err *err) CW_MUST_USE;
void cw_snapshots_abandon(struct cw_snapshot_draft *draft);

/* {"snapshots":[...]}, oldest first, appended. */
int cw_snapshots_list(const char *data_dir, struct cw_buf *json, struct cw_err *err) CW_MUST_USE;
int cw_snapshots_remove(const char *data_dir, struct cw_str name, struct cw_err *err) CW_MUST_USE;
/* At start: remove what was not finished. */
int cw_snapshots_clean(const char *data_dir, struct cw_err *err) CW_MUST_USE;

#endif
