/*
 * store.h - the ingester's data directory: log, head, parts, and who does what to them when.
 *
 *   HTTP threads --ops--> WAL thread: in order: check, append to log and head -> fsync -> commit -> answer
 *                             | freezes a generation (40 MiB, idle, memory is short, /flush, stop)
 *                             v
 *                         flusher: generation -> parts -> catalog -> old segments go
 *                         keeper: retention, merges, POST /flush
 *
 * At start the WAL thread replays the log first; until then queries are answered with a warning and ops are refused.
 *
 * Ownership  An op belongs to the store from _submit until its finish() was called; finish() may free it.
 * Threads    Any, where nothing else is said.
 * Errors     CW_E_UNAVAILABLE: LOCK is held by another process, replay, disk full, stopping. CW_E_OVERLOAD: memory budget.
 */
#ifndef CW_INGESTER_STORE_H
#define CW_INGESTER_STORE_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/memory_budget.h"
#include "common/base/pool.h"
#include "common/base/str.h"
#include "common/store/cursor.h"
#include "common/store/head.h"
#include "common/store/wal_frame.h"
#include "ingester/deletes.h"
#include "ingester/marks.h"
#include "ingester/merge.h"
#include "ingester/parts.h"
#include "ingester/purge.h"
#include "ingester/retention.h"

/* Generations that are flushed or wait for it beside the current one; when that is full too, pushes wait. */
#define CW_STORE_FROZEN_MAX 1

enum cw_store_wal_sync { CW_STORE_SYNC_ALWAYS, CW_STORE_SYNC_INTERVAL };

struct cw_store_options {
    const char *data_dir;
    uint64_t segment_bytes; /* of the log */
    enum cw_store_wal_sync wal_sync;
    int64_t wal_sync_interval_ns; /* INTERVAL: at most so much is lost by a power cut */
    uint64_t head_flush_bytes;
    uint64_t memory_bytes;           /* for the head and pushes under way, of ... */
    struct cw_memory_budget *budget; /* ... what the whole process may hold; may be NULL */
    struct cw_part_cache *cache;     /* of what queries decode; outlives the store; may be NULL */
    int64_t sources_forget_ns;
    struct cw_retention_options retention;
    struct cw_pool *pool;      /* for merges, snapshots and reports */
    enum cw_codec merge_codec; /* LZ4 or ZSTD, of merged parts */
};

struct cw_store;
/* Lock the directory, read the catalog, start the threads (replay goes on in the background). */
int cw_store_open(const struct cw_store_options *options, struct cw_store **out,
                  struct cw_err *err) CW_MUST_USE;
/* Write the address of the server into LOCK: "<pid> <host:port>\n". */
int cw_store_set_address(struct cw_store *store, const char *address,
                         struct cw_err *err) CW_MUST_USE;
/* Answer what was submitted, flush the head, stop. A flush that fails leaves the entries in the log: logged. */
void cw_store_close(struct cw_store **store);

/* False while the log is replayed, and when it could not be (then the sentence says why). */
bool cw_store_ready(struct cw_store *store, struct cw_err *why);
/* For the querier: snapshots, and the warning while the log is replayed. */
struct cw_entry_store cw_store_entries(struct cw_store *store);

/* ---- ops: what has to happen in WAL order ---- */
struct cw_store_op {
    struct cw_store_op *next;
    /* On the WAL thread, before the fsync. 0, or the error of cw_store_append(): then the whole group fails. */
    int (*prepare)(struct cw_store_op *op, struct cw_store *store, struct cw_err *err);
    /* On the WAL thread, after the fsync of all that was written before. rc < 0: it failed (or a write did), and nothing that
     * prepare() did is left; prepare() may not have been called then. */
    void (*finish)(struct cw_store_op *op, int rc, const struct cw_err *err);
    uint64_t bytes; /* admitted for it: released after finish */
    /* Nothing is appended behind it before it is finished. */
    bool ends_group;
    /* prepare() appends nothing: it is a group of its own, which needs no segment to append to and fails with no push. */
    bool appends_nothing;
};

/* Take `bytes` more of the memory budget for a push that holds *held (which rises), before they are used: CW_E_OVERLOAD;
 * CW_E_UNAVAILABLE: the head cannot be flushed; CW_E_TOO_LARGE: it could never hold so much. */
int cw_store_admit(struct cw_store *store, uint64_t *held, uint64_t bytes,
                   struct cw_err *err) CW_MUST_USE;
void cw_store_release(struct cw_store *store, uint64_t bytes);
/* All that there is to admit. */
uint64_t cw_store_memory_bytes(const struct cw_store *store);
/* Queue the op. On failure it was not queued, and stays the caller's. */
int cw_store_submit(struct cw_store *store, struct cw_store_op *op, struct cw_err *err) CW_MUST_USE;

/* Only inside prepare(). */
struct cw_marks *cw_store_marks(struct cw_store *store);
struct cw_head *cw_store_head(struct cw_store *store);
int cw_store_append(struct cw_store *store, struct cw_wal_frame *frame,
                    struct cw_err *err) CW_MUST_USE;

/* Flush what there is and run due merges; `done` is called when both ended (rc of the flush), on a thread of the store. */
int cw_store_flush(struct cw_store *store,
                   void (*done)(void *arg, int rc, const struct cw_err *err), void *arg,
                   struct cw_err *err) CW_MUST_USE;

/* ---- snapshots (snapshots.h) ---- */
/* On a thread of the store. *json is the answer, which may be taken; empty after _remove. */
typedef void (*cw_store_snapshot_fn)(void *arg, int rc, struct cw_buf *json,
                                     const struct cw_err *err);
/* Everything acknowledged before, and the marks, is in it; `done` is called when it is durable. */
int cw_store_snapshot(struct cw_store *store, cw_store_snapshot_fn done, void *arg,
                      struct cw_err *err) CW_MUST_USE;
void cw_store_snapshots_list(struct cw_store *store, cw_store_snapshot_fn done, void *arg);
void cw_store_snapshots_remove(struct cw_store *store, struct cw_str name,
                               cw_store_snapshot_fn done, void *arg);
/* Hide what matches and was stored before; `done` is called when that is durable and in force, on a thread of the store. The row's
 * texts are copied; id, state and wal_seq are set here. */
typedef void (*cw_store_done_fn)(void *arg, int rc, const struct cw_err *err);
int cw_store_delete(struct cw_store *store, const struct cw_delete_row *row, cw_store_done_fn done,
                    void *arg, struct cw_err *err) CW_MUST_USE;
int cw_store_cancel_delete(struct cw_store *store, struct cw_str tenant, struct cw_str id,
                           enum cw_deletes_cancel how, cw_store_done_fn done, void *arg,
                           struct cw_err *err) CW_MUST_USE;
struct cw_deletes *cw_store_deletes(struct cw_store *store);
/* What goes when, of one tenant or (`tenant` empty) of all, as JSON (retention_report.h); `done` may free *body. */
int cw_store_retention_report(struct cw_store *store, struct cw_str tenant,
                              void (*done)(void *arg, struct cw_buf *body), void *arg,
                              struct cw_err *err) CW_MUST_USE;

struct cw_store_counts {
    uint64_t head_bytes, head_streams, head_entries, pending_bytes, memory_bytes;
    uint64_t wal_bytes, wal_segments, wal_syncs, wal_sync_ns, wal_failures, wal_bad_frames,
        wal_missing_frames;
    uint64_t flushes, flush_failures, marks, marks_forgotten, replayed_entries;
    struct cw_parts_counts parts;
    struct cw_merge_counts merges;
    struct cw_deletes_counts deletes;
    struct cw_purge_counts purge;
    struct cw_retention_counts retention;
};
void cw_store_count(struct cw_store *store, struct cw_store_counts *out);

#endif
