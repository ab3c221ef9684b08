/*
 * flush.h - turn one sealed generation of the head into parts: one part per tenant and UTC day.
 *
 * A generation touches few days; the days beyond CW_FLUSH_DAYS_MAX of a tenant (hostile or very late times) share one part
 * in the folder `mixed`. How the result becomes durable and visible: parts.h.
 *
 * Ownership  The input borrows from the sealed generation, which must not change and must live until the flush returned.
 * Threads    One flush at a time; the caller is a thread that may block (fsync).
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full): nothing is changed, files are removed, the flush may be tried again.
 */
#ifndef CW_INGESTER_FLUSH_H
#define CW_INGESTER_FLUSH_H
#include <stdatomic.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/store/cursor.h"
#include "ingester/parts.h"

/* Each day costs a file and an fsync, so one push with a time in every day of 500 years must not make 180,000 of them. */
#define CW_FLUSH_DAYS_MAX 31

struct cw_flush_stream {
    struct cw_stream_ref ref;
    uint64_t nentries, line_bytes;
    int64_t min_ns, max_ns; /* inclusive, exact */
    uint64_t key;           /* the head's own */
};

struct cw_flush_tenant {
    struct cw_str tenant;
    /* In any order, each stream once, none empty; the flush sorts the array in place. */
    struct cw_flush_stream *streams;
    size_t nstreams;
};

struct cw_flush_input {
    struct cw_flush_tenant *tenants;
    size_t ntenants;
    uint64_t wal_first, wal_last; /* sequence numbers of the generation's frames, inclusive */
    void *ctx;
    /* A cursor over one stream's entries with start_ns <= t < end_ns (INT64_MAX as the end is inclusive), oldest first, ties
     * in order of arrival, with times, lines and metadata. Batches as in cursor.h; their `stream` is not read. */
    int (*open)(void *ctx, const struct cw_flush_stream *stream, int64_t start_ns, int64_t end_ns,
                struct cw_cursor **out, struct cw_err *err);
};

/* Write and fsync the parts. On success *out is to be committed and published (or freed, which removes the files). An input
 * without entries gives a change that only moves wal_last. */
int cw_flush_write(struct cw_parts *parts, const struct cw_flush_input *input,
                   struct cw_parts_change **out, struct cw_err *err) CW_MUST_USE;

#endif
