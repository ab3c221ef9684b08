/*
 * cursor.h - the hinge between storage and the query engine: everything that yields entries (a part, the head, a file, a
 * remote ingester) is a source; a scan of a source gives work units; a unit opened is a cursor; a cursor yields batches.
 * Line filters run beside the data; the engine never knows where entries come from.
 *
 * Ownership  Sources are reference counted (parts are shared by queries and merges). A batch is borrowed from its cursor
 *            and dies at the next cw_cursor_next() or _close().
 * Units      Ranges are half open: start_ns <= t < end_ns.
 * Threads    A source is shared by any threads. A unit and its cursor belong to one thread at a time; units of one scan are
 *            opened on many worker threads at once.
 * Errors     CW_E_IO, CW_E_CORRUPT (one bad block: counted in stats, the rest is served; only a lost source is an error),
 *            CW_E_CANCELED when scan->cancel is raised, CW_E_LIMIT.
 */
#ifndef CW_STORE_CURSOR_H
#define CW_STORE_CURSOR_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/labels/labels.h"
#include "common/match/line_filter.h"
#include "common/match/selector.h"
#include "common/store/meta_filter.h"

/* What a scan wants in its batches beside the count of rows. Asking for less is faster. */
enum cw_need {
    /* ts_ns; without it a unit that lies in the range whole need not decode times */
    CW_NEED_TIMES = 1,
    CW_NEED_LINES = 2,    /* lines */
    CW_NEED_SIZES = 4,    /* line lengths (bytes_over_time); lines imply them */
    CW_NEED_METADATA = 8, /* structured metadata */
    /* with lines and times, oldest first and without filters: a source that has rows as values (value_rows.h) may give those instead */
    CW_NEED_VALUES = 16,
    /* what the lines look like, without the lines: the block of templates that the rows lie in. Sources that keep none give lines */
    CW_NEED_TEMPLATES = 32,
};

/* What each step skipped and cost; summed over sources and units. Atomics: many threads add, once a block or a piece of one. */
struct cw_scan_stats {
    /* Planned: blocks that the table of a part rules out, and what they hold of lines. */
    atomic_uint_fast64_t streams_matched;
    atomic_uint_fast64_t blocks_outside, bytes_outside;     /* of the range */
    atomic_uint_fast64_t blocks_unmatched, bytes_unmatched; /* no stream of the selector */
    /* Opened. blocks_read have rows in the range of wanted streams, blocks_skipped have none. */
    atomic_uint_fast64_t blocks_read, blocks_skipped, bytes_stored_read, bytes_decompressed;
    atomic_uint_fast64_t corrupt_blocks;
    /* Of blocks_read: those without a row that the filters may keep, known before a line is rebuilt. */
    atomic_uint_fast64_t blocks_ruled_out_by_values; /* the value filter had a part in it ... */
    atomic_uint_fast64_t blocks_ruled_out_by_text;   /* ... or literals and templates alone */
    atomic_uint_fast64_t rows_seen, rows_matched;
    atomic_uint_fast64_t
        rows_ruled_out; /* by templates and values, their lines were not looked at */
    atomic_uint_fast64_t
        rows_rebuilt; /* lines of templates that were made, to be tested or handed out */
    atomic_uint_fast64_t cache_hits, cache_misses;
};

struct cw_scan {
    const struct cw_selector *selector; /* NULL: every stream */
    int64_t start_ns, end_ns;
    const struct cw_line_filter *const *filters; /* all must hold */
    size_t nfilters;
    /* With metadata: rows that one of these drops may be left out, but for those of streams that have a label of its name. */
    const struct cw_meta_filter *meta_filters;
    size_t nmeta_filters;
    unsigned need;     /* enum cw_need */
    bool newest_first; /* order of batches and rows within a unit */
    bool keep_decoded; /* others will ask for the same: a source that has a cache uses it */
    /* Rows before *cut_ns (newest_first; else those behind it) may be left out. Who reads a cursor may move it on between batches, as
     * it finds how many it needs. NULL: all rows. */
    const int64_t *cut_ns;
    const atomic_bool *cancel;   /* may be NULL */
    struct cw_scan_stats *stats; /* may be NULL */
};

struct cw_stream_ref {
    struct cw_hash128 id;
    /* Borrowed: dies with the batch or the item that it stands in. Who keeps labels copies them: a source may have a million
     * streams, and decodes them as it comes to them. */
    struct cw_labels labels;
};

struct cw_value_rows;
struct cw_template_block;

/* Rows of one stream, ordered by time (ties in order of arrival; both reversed when newest_first). n > 0. */
struct cw_entry_batch {
    struct cw_stream_ref stream;
    size_t n;
    const int64_t *ts_ns;       /* NULL when not needed */
    const struct cw_str *lines; /* NULL when not needed */
    const uint32_t *sizes;      /* NULL when neither sizes nor lines were asked for */
    /* Per row, sorted and sanitised; NULL: no row of the batch has any. Rows with the same may have it at the same place. */
    const struct cw_labels *metadata;
    /* In place of lines: row i is row first_row + i of these. */
    struct cw_value_rows *values;
    uint32_t first_row;
    /* NULL when templates were not asked for, or the source keeps none: then `lines` are there. Else rows[i] is the block's row that row i
     * of the batch is; its layout and rows (template_block.h) were read without a fault. It is the same for all batches of a cursor. */
    struct cw_template_block *templates;
    const uint32_t *rows;
};

struct cw_cursor;
struct cw_cursor_ops {
    /* 1 a batch, 0 the end. */
    int (*next)(struct cw_cursor *cursor, struct cw_entry_batch *out, struct cw_err *err);
    void (*close)(struct cw_cursor *cursor);
    /* The block that batches with templates are of turned out to be bad. NULL: there are no such batches. */
    void (*bad)(struct cw_cursor *cursor, const struct cw_err *why);
};
struct cw_cursor { /* first member of every cursor */
    const struct cw_cursor_ops *ops;
};

/* A piece of a scan that one thread does: a block, or a stream of the head. */
struct cw_unit {
    struct cw_source *source; /* borrowed */
    uint64_t key;             /* the source's own: which block or stream */
    int64_t min_ns, max_ns;   /* inclusive: times that rows of it may have */
    uint64_t bytes;           /* estimate of what it decompresses */
    uint64_t rows;            /* that it holds, of whatever stream and time; 0: not known */
    uint64_t stored_bytes;    /* that opening it may read; 0: it is in memory, or not known */
};
struct cw_units {
    struct cw_unit *items; /* heap; free with cw_units_fini() */
    size_t n, cap;
};

struct cw_index_stats {
    uint64_t streams, chunks, bytes, entries;
};

struct cw_listing;
struct cw_list_cursor;
struct cw_source;
struct cw_source_ops {
    /* Append the units whose streams and times may match; in any order. */
    int (*plan)(struct cw_source *source, const struct cw_scan *scan, struct cw_units *out,
                struct cw_err *err);
    int (*open)(struct cw_source *source, const struct cw_scan *scan, const struct cw_unit *unit,
                struct cw_cursor **out, struct cw_err *err);
    /* Streams, label names or values: listing.h. */
    int (*list)(struct cw_source *source, const struct cw_listing *listing,
                struct cw_list_cursor **out, struct cw_err *err);
    /* Add to *out. */
    int (*stats)(struct cw_source *source, const struct cw_selector *selector, int64_t start_ns,
                 int64_t end_ns, struct cw_index_stats *out, struct cw_err *err);
    void (*destroy)(struct cw_source *source); /* the last reference is gone */
};
struct cw_source { /* first member of every source */
    const struct cw_source_ops *ops;
    atomic_int refs;        /* born with 1 */
    int64_t min_ns, max_ns; /* inclusive; min > max: empty */
};

struct cw_source *cw_source_ref(struct cw_source *source);
void cw_source_unref(struct cw_source **source);
int cw_cursor_next(struct cw_cursor *cursor, struct cw_entry_batch *out,
                   struct cw_err *err) CW_MUST_USE;
/* Who reads a batch's templates found them damaged, and leaves its rows out: it is reported as if the cursor had found it. */
void cw_cursor_bad(struct cw_cursor *cursor, const struct cw_err *why);
void cw_cursor_close(struct cw_cursor **cursor);
void cw_units_add(struct cw_units *units, struct cw_unit unit);
void cw_units_fini(struct cw_units *units);

/* A consistent set of sources of one tenant: every acknowledged entry is in exactly one of them. */
struct cw_snapshot {
    struct cw_source **sources; /* referenced; heap */
    size_t n;
};
void cw_snapshot_fini(struct cw_snapshot *snapshot);

struct cw_follow_options;
struct cw_head_follow;
/* Whoever keeps entries (the ingester's store, a data directory opened for reading) gives snapshots. */
struct cw_entry_store {
    void *ctx;
    int (*snapshot)(void *ctx, struct cw_str tenant, struct cw_snapshot *out, struct cw_err *err);
    /* A sentence for the answer's `warnings` while not everything is readable (WAL replay), else an empty text. */
    struct cw_str (*warning)(void *ctx);
    /* Follow what becomes visible from now on (head_follow.h); CW_E_UNAVAILABLE while the log is replayed. NULL: nothing comes here. */
    int (*follow)(void *ctx, const struct cw_follow_options *options, struct cw_head_follow **out,
                  struct cw_err *err);
};

#endif
