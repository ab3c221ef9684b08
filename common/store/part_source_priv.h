/* part_source_priv.h - what part_source.c and part_cursor.c share. */
#ifndef CW_STORE_PART_SOURCE_PRIV_H
#define CW_STORE_PART_SOURCE_PRIV_H
#include <stdatomic.h>
#include "common/store/block_reader.h"
#include "common/store/part_source.h"

struct cw_part_source {
    struct cw_source base; /* first */
    struct cw_part_reader *reader;
    struct cw_part_events events;
    _Atomic int64_t hidden_before_ns;
    atomic_bool obsolete;
    atomic_uint nbad;  /* blocks */
    atomic_uchar *bad; /* per block: it was reported */
    atomic_bool bad_index;
};

/* Counts the block in stats (may be NULL) and reports it, once. */
void cw_part_source_report(struct cw_part_source *source, uint32_t block, const struct cw_err *why,
                           struct cw_scan_stats *stats);
/* The range of a scan without what retention hides. */
int64_t cw_part_source_start_ns(const struct cw_part_source *source, int64_t start_ns);
/* The same for the index of streams; it tells once per part. */
void cw_part_source_report_index(struct cw_part_source *source, const struct cw_err *why,
                                 struct cw_scan_stats *stats);
/* Reports the part when the disk did not give a page of it: its tables were checked at open, and read as zeros since. */
void cw_part_source_report_lost(struct cw_part_source *source, struct cw_scan_stats *stats);
/* What a selector matches. Damage of the index is reported, and costs what cannot be found otherwise. */
int cw_part_source_select(struct cw_part_source *source, const struct cw_selector *selector,
                          struct cw_scan_stats *stats, struct cw_part_selection **out,
                          struct cw_err *err);
/* Add the streams of the set that have rows in a block which touches the range. part_list.c */
void cw_part_touched_streams(const struct cw_part_source *source, const struct cw_stream_set *set,
                             int64_t start_ns, int64_t end_ns, struct cw_stream_set *out);
int cw_part_list_open(struct cw_part_source *source, const struct cw_listing *listing,
                      struct cw_list_cursor **out, struct cw_err *err);
int cw_part_cursor_open(struct cw_part_source *source, const struct cw_scan *scan, uint32_t block,
                        struct cw_cursor **out, struct cw_err *err);
/* Is there a time in [start, end) (INT64_MAX as the end is inclusive) that lies in [min, max]? */
static inline bool cw_part_times_touch(int64_t min_ns, int64_t max_ns, int64_t start_ns,
                                       int64_t end_ns)
{
    return max_ns >= start_ns && (min_ns < end_ns || end_ns == INT64_MAX);
}

#endif
