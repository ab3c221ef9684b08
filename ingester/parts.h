/*
 * parts.h - the registry of immutable parts: which are open, which tenant and day they belong to, who may see them.
 *
 * Every acknowledged entry is in exactly one source. So whoever builds a snapshot takes the parts and the head's
 * generations under one lock, and whoever moves entries from a generation into parts swaps both under it:
 *
 *   snapshot:  cw_parts_lock(); cw_parts_add_sources(..., out); <add the head's generations>; cw_parts_unlock();
 *   flush:     cw_flush_write(parts, input, &change);        part files on disk, fsynced, seen by nobody
 *              cw_parts_commit(parts, change);               the catalog's rename: durable; WAL <= wal_last is void
 *              cw_parts_lock(); cw_parts_publish(parts, change); <drop the generation>; cw_parts_unlock();
 *              cw_parts_change_free(&change);                uncommitted: its files are removed
 *
 * Ownership  The registry owns the parts' sources with one reference each; snapshots hold their own. A part that left the
 *            registry (merged, expired) is unlinked when its last reference goes.
 * Threads    Any. cw_parts_lock() is a short mutex: nothing that blocks (no disk, no fsync) may happen under it.
 *            Commits are serialised inside.
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full), CW_E_CONFLICT (a part to be replaced is gone: drop the change),
 *            CW_E_CORRUPT (FORMAT or catalog of a version we do not know; names it).
 */
#ifndef CW_INGESTER_PARTS_H
#define CW_INGESTER_PARTS_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/store/catalog.h"
#include "common/store/cursor.h"
#include "common/store/part_cache.h"

struct cw_parts;
struct cw_part_reader;

struct cw_parts_options {
    const char *data_dir; /* made if missing; FORMAT is written there at the first start */
    /* The lowest sequence number that the WAL still holds, UINT64_MAX when it holds none, 0 when unknown. Only read when the
     * catalog is lost and rebuilt: an incomplete newest flush is dropped if the WAL can give its entries again. */
    uint64_t wal_oldest_seq;
    struct cw_part_cache *cache; /* of what queries decode; outlives the registry; may be NULL */
    /* The file `deletes` is there, durably: the catalog remembers it from its next write on. */
    bool keeps_deletes;
};

/* A folder that has no FORMAT may become a data directory; one whose FORMAT is another's, or newer, is refused (CW_E_CORRUPT,
 * CW_E_INVALID, by name). Changes nothing: for whoever is about to. */
int cw_parts_check_format(const char *data_dir, struct cw_err *err) CW_MUST_USE;

/* Check FORMAT, read the catalog (or rebuild it from the parts' footers), remove orphans and temporary files, open all
 * parts. A part that cannot be opened is moved to quarantine/, counted and named in the log; it is no error. That one, and one
 * whose file is gone, is missing from then on (catalog.h); one that was missing and is there again is taken in. */
int cw_parts_open(const struct cw_parts_options *options, struct cw_parts **out,
                  struct cw_err *err) CW_MUST_USE;
/* No snapshot may still be held. NULL is fine. */
void cw_parts_close(struct cw_parts **parts);

/* Replay skips the data of frames up to and including this sequence number; 0: none was flushed yet. */
uint64_t cw_parts_wal_flushed(const struct cw_parts *parts);
/* The catalog was made again from the parts: how far they reach is not all that was flushed. */
bool cw_parts_catalog_was_lost(const struct cw_parts *parts);
const char *cw_parts_data_dir(const struct cw_parts *parts);

void cw_parts_lock(struct cw_parts *parts);
void cw_parts_unlock(struct cw_parts *parts);
/* Append a reference to every visible part of the tenant; under the lock. Initialise *out to zero before. */
void cw_parts_add_sources(struct cw_parts *parts, struct cw_str tenant, struct cw_snapshot *out);
/* Names of the tenants that have parts, each once; under the lock. Texts are borrowed until the unlock. */
typedef void (*cw_parts_tenant_fn)(void *arg, struct cw_str tenant);
void cw_parts_each_tenant(struct cw_parts *parts, cw_parts_tenant_fn fn, void *arg);

/* A change of the set of parts: new ones that are on disk already, and old ones that they replace. */
struct cw_parts_change;
struct cw_parts_change *cw_parts_change_new(struct cw_parts *parts);
/* Write the catalog with the change applied. After success the change must be published. */
int cw_parts_commit(struct cw_parts *parts, struct cw_parts_change *change,
                    struct cw_err *err) CW_MUST_USE;
/* New parts become visible, replaced ones leave; under the lock. */
void cw_parts_publish(struct cw_parts *parts, struct cw_parts_change *change);
/* NULL is fine. Files of a change that was never committed are removed. Not under the lock. */
void cw_parts_change_free(struct cw_parts_change **change);

/* Hard links of all parts of the catalog below the folder `dir`, in the same places, and the catalog that names just these. Neither
 * flush nor merge commits meanwhile; nothing is synced. *out is set on success. */
int cw_parts_link_all(struct cw_parts *parts, const char *dir, struct cw_catalog *out,
                      struct cw_err *err) CW_MUST_USE;

/* For flush, merge and retention. */

/* See to it that a copy of the bad block is in quarantine/. CW_E_UNAVAILABLE: the disk is full. */
int cw_parts_set_aside_block(struct cw_parts *parts, const struct cw_part_reader *reader,
                             uint32_t block, struct cw_err *err) CW_MUST_USE;

/* A fresh id alone: every new part has a greater one from now on. */
uint64_t cw_parts_draw_id(struct cw_parts *parts);
/* Ids that are drawn are greater than this one. */
void cw_parts_ids_after(struct cw_parts *parts, uint64_t id);
/* A fresh id and its final path ("<data>/parts/<tenant, escaped>/<day>/<id>.part"); the folder is made. */
int cw_parts_new_path(struct cw_parts *parts, struct cw_str tenant, int32_t day, uint64_t *id_out,
                      struct cw_buf *path_out, struct cw_err *err) CW_MUST_USE;
/* The same for many parts: no folder is durable before cw_parts_change_sync(). */
int cw_parts_place(struct cw_parts *parts, struct cw_str tenant, int32_t day, uint64_t *id_out,
                   struct cw_buf *path_out, struct cw_err *err) CW_MUST_USE;
/* Open the finished file at `path` and add it to the change. */
int cw_parts_change_add(struct cw_parts_change *change, const char *path,
                        struct cw_err *err) CW_MUST_USE;
/* An fsync of the folders that hold what was added, and of those above. */
int cw_parts_change_sync(struct cw_parts_change *change, struct cw_err *err) CW_MUST_USE;
/* This part leaves with the change; the change holds a reference of its own. */
void cw_parts_change_remove(struct cw_parts_change *change, struct cw_source *part);
/* The change makes the WAL void up to `wal_last` (flush). */
void cw_parts_change_wal_flushed(struct cw_parts_change *change, uint64_t wal_last);
/* All visible parts with a reference each, of all tenants; takes the lock itself. */
void cw_parts_all(struct cw_parts *parts, struct cw_snapshot *out);

/* Forget the missing parts of which `of` is true: they are not taken in when they are put back. No catalog is written when there is
 * none. */
typedef bool (*cw_parts_missing_fn)(void *arg, const struct cw_catalog_part *part);
int cw_parts_forget(struct cw_parts *parts, cw_parts_missing_fn of, void *arg,
                    struct cw_err *err) CW_MUST_USE;

/* Parts that left since the start: merged, written anew, dropped. */
uint64_t cw_parts_nleft(const struct cw_parts *parts);
/* Another number after each change of what is visible. */
uint64_t cw_parts_version(const struct cw_parts *parts);

/* For /metrics. */
struct cw_parts_counts {
    uint64_t parts, bytes, raw_bytes, entries, streams; /* now, visible */
    uint64_t bad_blocks, bad_parts; /* since the start, set aside in quarantine/ */
    uint64_t bad_indexes;           /* parts whose streams or postings are damaged */
    uint64_t missing;               /* now: remembered, and taken in when they are put back */
};
void cw_parts_count(struct cw_parts *parts, struct cw_parts_counts *out);

#endif
