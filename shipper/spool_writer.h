/*
 * spool_writer.h - the spool of one receiver: a folder of segments (spool_record.h) that are
 * appended to in batches and deleted when all outputs have settled them.
 *
 *          bytes + commit                  fsynced: waiters told
 *   IDLE -----------------> WRITING ------------------------------> IDLE, or WRITING what came
 *                              | disk full, failed                            meanwhile
 *                              v
 *                           FAILED: the segment is cut and ended; after a second a new one is tried
 *
 * One write and fsync serves all that was added while the one before ran. Each start, and each
 * failure, begins a new segment: an offset that was read once never holds other bytes. What is added
 * may be read (by the sources) once it is written, a moment before the fsync.
 *
 * Bounds     Over max_bytes, and over max_age, there is no room until segments are settled
 *            (CW_SPOOL_WAIT), or the oldest segments are deleted with what they hold, counted and
 *            told (CW_SPOOL_DROP_OLDEST). So that few are lost with one, a segment is no larger than
 *            CW_SPOOL_SEGMENTS_MIN allow, but for a single record and what CW_SPOOL_GIVE_BACK holds together.
 * Ownership  Options' texts are copied. A waiter's context is the caller's, until it is told.
 * Threads    The loop's; writing and fsync run in libuv's pool.
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full), CW_E_TOO_LARGE.
 */
#ifndef CW_SHIPPER_SPOOL_WRITER_H
#define CW_SHIPPER_SPOOL_WRITER_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "common/base/buf.h"
#include "shipper/sources.h"

/* What is added and not written yet: a few fsyncs' worth of a fast sender. */
#define CW_SPOOL_PENDING_BYTES (4u << 20)
#define CW_SPOOL_RETRY_MS 1000
/* A full spool has so many segments or more: the oldest goes, the others stay. */
#define CW_SPOOL_SEGMENTS_MIN 4
#define CW_SPOOL_SUFFIX ".spool"

enum cw_spool_full { CW_SPOOL_WAIT, CW_SPOOL_DROP_OLDEST };
/* What becomes of bytes that could not be written: tried again (the sender thinks they are here), or
 * forgotten (it sends them again when its waiter is told). */
enum cw_spool_failure { CW_SPOOL_RETRY, CW_SPOOL_GIVE_BACK };

struct cw_spool_options {
    uv_loop_t *loop;
    const char *folder; /* made where it is missing */
    const char *name;   /* the receiver's, for log lines and metrics */
    uint64_t segment_bytes, max_bytes;
    int64_t max_age_ns; /* 0: any age */
    enum cw_spool_full full;
    enum cw_spool_failure failure;
    struct cw_metrics *metrics;
    void (*on_room)(void *arg);    /* there is room again */
    void (*on_segment)(void *arg); /* a segment was begun: scan */
    void *arg;
};

struct cw_spool_writer;
typedef void (*cw_spool_waiter_fn)(void *ctx, int rc);

/* Reads what is there: torn tails are cut, the last cursor is found. */
int cw_spool_writer_open(const struct cw_spool_options *options, struct cw_spool_writer **out,
                         struct cw_err *err) CW_MUST_USE;
/* The cursor of the last durable entry that has one. */
struct cw_str cw_spool_writer_cursor(const struct cw_spool_writer *writer);
/* Whether more may be added now. If not, on_room will be called; what is added nevertheless is kept
 * in memory. */
bool cw_spool_writer_room(struct cw_spool_writer *writer);
/* Add `n` encoded records. `cursor` is that of the last one. */
void cw_spool_writer_add(struct cw_spool_writer *writer, struct cw_str records, size_t n,
                         struct cw_str cursor);
/* Write what was added. `fn` (may be NULL) is called once, when all of it is durable (0), or could
 * not be written (negative: with CW_SPOOL_GIVE_BACK, or at the end); with nothing to wait for at
 * once. */
void cw_spool_writer_commit(struct cw_spool_writer *writer, cw_spool_waiter_fn fn, void *ctx);
/* Nothing is added that is not durable. */
bool cw_spool_writer_idle(const struct cw_spool_writer *writer);
/* Delete segments that the sources have settled, and keep the bounds. Now and then. */
void cw_spool_writer_prune(struct cw_spool_writer *writer, struct cw_sources *sources,
                           int64_t now_ns);
/* What is under way ends, what is not written is lost and its waiters are told so; frees itself when the loop has run. */
void cw_spool_writer_close(struct cw_spool_writer **writer);

#endif
