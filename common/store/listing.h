/*
 * listing.h - what streams there are, without their entries: streams, label names, or values of a label, in an order in which
 * sources can be merged, so that a million of them pass through little memory.
 *
 * Order      Streams: by cw_part_stream_cmp() (stream_table.h). Names and values: by bytes. Each once per source.
 * Wider      A stream counts for a range that a block with rows of it touches: it may have none there.
 * Ownership  A cursor borrows the source and the listing; an item is borrowed from the cursor until its next _next() or _close().
 * Threads    A cursor belongs to one thread.
 * Errors     As cursor.h: what is damaged is reported and left out; CW_E_LIMIT from a regex that gave up; CW_E_CANCELED (match_stop.h).
 */
#ifndef CW_STORE_LISTING_H
#define CW_STORE_LISTING_H
#include "common/store/cursor.h"

enum cw_list_what { CW_LIST_STREAMS, CW_LIST_NAMES, CW_LIST_VALUES };

struct cw_listing {
    enum cw_list_what what;
    struct cw_str name; /* whose values */
    /* A stream counts when one of them matches; n = 0: every stream. */
    const struct cw_selector *const *selectors;
    size_t nselectors;
    int64_t start_ns, end_ns;
    struct cw_scan_stats *stats; /* may be NULL */
};

struct cw_list_item {
    struct cw_stream_ref stream; /* CW_LIST_STREAMS */
    struct cw_str text;          /* the others */
};

struct cw_list_cursor;
struct cw_list_cursor_ops {
    /* 1 an item, 0 the end. */
    int (*next)(struct cw_list_cursor *cursor, struct cw_list_item *out, struct cw_err *err);
    void (*close)(struct cw_list_cursor *cursor);
};
struct cw_list_cursor { /* first member of every one */
    const struct cw_list_cursor_ops *ops;
};
int cw_list_cursor_next(struct cw_list_cursor *cursor, struct cw_list_item *out,
                        struct cw_err *err) CW_MUST_USE;
/* NULL is fine. */
void cw_list_cursor_close(struct cw_list_cursor **cursor);

/* The listing of streams that lie in memory as long as the cursor lives: takes `streams` (heap), which match already. CW_E_CANCELED. */
int cw_list_cursor_of(const struct cw_listing *listing, struct cw_stream_ref *streams, size_t n,
                      struct cw_list_cursor **out, struct cw_err *err) CW_MUST_USE;
/* 1 one of the listing's selectors matches, 0 none, or an error. */
int cw_listing_match(const struct cw_listing *listing, struct cw_labels labels,
                     struct cw_err *err) CW_MUST_USE;

#endif
