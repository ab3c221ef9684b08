/*
 * batch.h - cut what sources hold for one output into one push: whole entries, contiguous ranges,
 * bounded size.
 *
 * A batch reads from the files at the moment it is cut and keeps no lines beside them: what is not
 * pushed waits on disk, and after a 409 or a refusal the same bytes are cut again, with the same
 * times (source.h, cw_sightings). Bytes become lines in UTF-8 (framing.h), lines go through the source's
 * stages (common/pipeline/stages.h) and come out as entries. Per source it holds every entry for
 * this output's tenant that begins at cw_ledger_next() or behind and ends before `to`; its range is
 * [mark, to). No entry spans `to`: what stages join lies on one side of it.
 *
 * Ownership  The batch owns its buffers, which are reused; lines borrow from them until the next
 *            cut. While parts name sources, their `nbusy` is raised: cw_batch_drop() lowers it.
 * Threads    The loop's.
 * Errors     A source that cannot be read is left out and told through cw_batch_report.
 */
#ifndef CW_SHIPPER_BATCH_H
#define CW_SHIPPER_BATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/match/selector.h"
#include "common/metrics/metrics.h"
#include "common/wire/push.h"
#include "shipper/source.h"
#include "shipper/spool_record.h"

/* Short lines fill the table of entries (2.4 MB) before the bytes. */
#define CW_BATCH_ENTRIES_MAX 32768
/* Sources in one push: their ranges and labels stay small beside the lines. */
#define CW_BATCH_SOURCES_MAX 1000
/* The largest batch that may be configured: memory is a few times as much. */
#define CW_BATCH_BYTES_MAX (16u << 20)
/* What is read at a time at least: a record of a spool fits, and Docker's lines (16 KiB, six times as
 * long when all is escaped). */
#define CW_BATCH_READ_BYTES_MIN CW_SPOOL_RECORD_BYTES

struct cw_batch_pieces;
struct cw_batch_streams;
struct cw_inspect;

/* In the order of limits_config.long_lines. */
enum cw_long_lines { CW_LONG_SKIP, CW_LONG_TRUNCATE, CW_LONG_SPLIT };

struct cw_batch_options {
    size_t output;                  /* whose rows of the ledgers count */
    struct cw_batch_pieces *pieces; /* what outputs share; borrowed, NULL: nothing */
    bool keeps_labels;              /* of its streams, beside their texts */
    bool all_tenants;               /* a dry run: the two that follow do not count */
    struct cw_str tenant;      /* only its entries; empty: those that name none, or own_tenant */
    struct cw_str own_tenant;  /* of the client */
    struct cw_labels external; /* for streams that have not these names; borrowed */
    const struct cw_selector
        *selector;                 /* streams that it does not match are left out; may be NULL */
    struct cw_metrics *metrics;    /* where what happens to lines is counted; may be NULL */
    struct cw_inspect *inspect;    /* shows what stages do; NULL: nobody looks */
    size_t bytes;                  /* of lines in one push */
    size_t max_line_bytes;         /* 0: no limit (a line that no buffer holds is sent in pieces) */
    size_t max_streams;            /* with entries in one push; 0: any number */
    bool gzip;                     /* around the snappy */
    enum cw_long_lines long_lines; /* what becomes of a line over max_line_bytes */
    struct cw_str truncated_mark;  /* ends what is kept of it, within max_line_bytes; borrowed */
};

/* What happened to the output's entries on the way: added up, told when the part is settled. (What happens to lines, whoever
 * they are for, is in the metrics, once.) */
struct cw_batch_counts {
    uint64_t
        fresh; /* entries that no run before has settled (ledger.h, told_to), as in what follows */
    uint64_t skipped;      /* longer than max_line_bytes */
    uint64_t pairs;        /* of metadata, left out for their names */
    uint64_t dropped;      /* by stages */
    uint64_t unselected;   /* by the output's selector */
    uint64_t over_streams; /* of streams beyond max_streams */
};

struct cw_batch_part {
    struct cw_source *source;
    uint64_t generation, from, to;
    size_t first, nentries; /* in the batch's entries */
    int64_t last_ts_ns;     /* that a line ahead of `to` was given; the next one's is later */
    struct cw_batch_counts counts;
};

struct cw_batch_entry {
    struct cw_push_entry push;
    struct cw_str tenant; /* empty: it names none */
    uint64_t from;        /* its first byte in the source */
    uint32_t stream;      /* in the batch's streams */
};

struct cw_batch {
    struct cw_batch_options options;
    struct cw_batch_part *parts;
    size_t nparts;
    struct cw_batch_entry *entries;
    size_t nentries, entries_cap;
    struct cw_batch_streams *streams;
    size_t ncounted; /* streams, where there is a max_streams */
    uint64_t line_bytes;
    /* Index of the source to begin with; then of the one that had no room, or is next. */
    size_t resume;
    int64_t blocked_ns; /* after so long a `limit` stage lets more through; 0: none held back */
    char *bytes;        /* what was read; lines borrow from it */
    size_t cap, used;
    struct cw_arena *arena;  /* what entries hold that is not in the bytes */
    struct cw_buf raw, body; /* encoded; body compressed */
    struct cw_buf packed;    /* with options.gzip: what the body is made of */
};

struct cw_batch_report {
    void (*on_error)(void *arg, struct cw_source *source, const struct cw_err *err);
    void (*on_changed)(void *arg, struct cw_source *source); /* found to be truncated */
    /* An entry is another tenant's: see to it that there is an output for that, before this returns.
     * False: there is none, and its source waits. */
    bool (*on_tenant)(void *arg, struct cw_str tenant);
    /* Lines were left out and settled without a push. */
    void (*on_dropped)(void *arg, struct cw_source *source, const struct cw_batch_counts *counts);
    void *arg;
};

/* Several outputs that stand at the same place of a source take it from one staging: a few pieces of sources are kept for that. */
struct cw_batch_pieces *cw_batch_pieces_new(void);
void cw_batch_pieces_free(struct cw_batch_pieces **pieces);

struct cw_batch *cw_batch_new(const struct cw_batch_options *options);
void cw_batch_free(struct cw_batch **batch);
/* Add an entry whose parts live as long as it does. */
void cw_batch_put(struct cw_batch *batch, const struct cw_batch_entry *entry);
/* Fill an empty batch with at most `max_entries`, from batch->resume on, once around the list, which may grow meanwhile; returns how
 * many there are. */
size_t cw_batch_cut(struct cw_batch *batch, const struct cw_source_list *sources,
                    size_t max_entries, int64_t now_ns, const struct cw_batch_report *report);
/* Forget the parts (their sources are no longer busy). */
void cw_batch_drop(struct cw_batch *batch);
/* `{a="b"}` of an entry's stream. */
struct cw_str cw_batch_labels(const struct cw_batch *batch, const struct cw_batch_entry *entry);

/* Encode into batch->body, in snappy (Loki takes protobuf in nothing else), perhaps with gzip
 * around. `delivery` carries
 * uuid, session and confirms; the ranges are put in here. delivery->present false: a plain Loki
 * push. */
int cw_batch_encode(struct cw_batch *batch, const struct cw_push_delivery *delivery,
                    struct cw_err *err) CW_MUST_USE;

#endif
