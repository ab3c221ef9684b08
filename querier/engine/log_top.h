/*
 * log_top.h - the best entries seen so far, in the order of a log query, bounded by count and by bytes.
 *
 * Ownership  Owns copies of lines, metadata and parsed labels, and of what a pipeline changed of the stream's labels, one block
 *            for each entry; the labels of the stream itself are shared by its entries of one unit, and counted.
 * Threads    One thread at a time; tops that are merged under a lock may come from several.
 */
#ifndef CW_ENGINE_LOG_TOP_H
#define CW_ENGINE_LOG_TOP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/str.h"
#include "common/labels/labels.h"
#include "querier/engine/sample.h"

/* Labels of a stream, copied once for all its entries of a unit. */
struct cw_log_origin {
    size_t refs;
    struct cw_labels labels; /* heap */
};
struct cw_log_origin *cw_log_origin_new(struct cw_labels labels);
/* NULL is fine. */
void cw_log_origin_unref(struct cw_log_origin **origin);

struct cw_log_entry {
    int64_t ts_ns;
    struct cw_log_origin *origin; /* the entry's stream */
    struct cw_labels stream; /* what the pipeline left of its labels: the same set, or a copy */
    struct cw_str line;
    struct cw_labels metadata;
    struct cw_labels parsed;
    uint32_t unit; /* place of the unit in order of arrival */
    /* Which of the stream's entries of this unit with this timestamp, as the cursor gives them. */
    uint32_t tie;
    void *block; /* of a copy: its texts; NULL: they are borrowed */
};

struct cw_log_top {
    bool newest_first;
    size_t max_entries, max_bytes;
    struct cw_log_entry *items; /* a heap with the worst at 0; in order after _sort() */
    size_t n, cap, bytes;
    struct cw_allowance *allowance; /* may be NULL */
    size_t taken;                   /* from it */
    /* The best entry that found no room: nothing from it on belongs to this top. Its text is not kept. */
    bool bounded;
    struct cw_log_entry bound;
};

void cw_log_top_init(struct cw_log_top *top, bool newest_first, size_t max_entries,
                     size_t max_bytes, struct cw_allowance *allowance);
void cw_log_top_fini(struct cw_log_top *top);
/* The entry's place in the order without its texts; holds the origin. */
struct cw_log_entry cw_log_entry_place(const struct cw_log_entry *entry);
/* With texts of its own, behind `ahead` bytes of its block that are the caller's; holds the origin. Origins are counted without a
 * lock: those of one come from one thread at a time. */
struct cw_log_entry cw_log_entry_copy(const struct cw_log_entry *entry, size_t ahead);
/* Of such a copy, or of a place; the block goes with what the caller has in it. */
void cw_log_entry_fini(struct cw_log_entry *entry);
/* What such a copy takes. */
size_t cw_log_entry_bytes(const struct cw_log_entry *entry);
/* Less than 0: a stands before b. */
int cw_log_cmp(const struct cw_log_entry *a, const struct cw_log_entry *b, bool newest_first);
/* Does a stand before b? */
bool cw_log_before(const struct cw_log_entry *a, const struct cw_log_entry *b, bool newest_first);
/* Would the entry find room? Costs a compare. */
bool cw_log_top_takes(const struct cw_log_top *top, const struct cw_log_entry *entry);
/* Copies the texts, if the entry finds room, and refers to the origin; CW_E_LIMIT, CW_E_OVERLOAD: the allowance has none. */
int cw_log_top_add(struct cw_log_top *top, const struct cw_log_entry *entry,
                   struct cw_err *err) CW_MUST_USE;
/* Move everything from `from` (of the same order) into `top`, and what it took; `from` is left empty. */
void cw_log_top_merge(struct cw_log_top *top, struct cw_log_top *from);
/* The time from which on (in the order) entries find no room for certain; false while there is none. */
bool cw_log_top_cut(const struct cw_log_top *top, int64_t *ts_ns_out);
/* Into the order of the answer; only _fini() may follow. CW_E_CANCELED (match_stop.h). */
int cw_log_top_sort(struct cw_log_top *top, struct cw_err *err) CW_MUST_USE;

#endif
