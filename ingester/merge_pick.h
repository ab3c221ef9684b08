/*
 * merge_pick.h - which parts are joined next: the rules alone, over plain values. Private to ingester/merge.c and tests.
 *
 * CW_MERGE_LEVEL  Eight parts of one level, the oldest first, make one of the next: while a day is written to.
 * CW_MERGE_REST   What that leaves of a day: its levels no longer matter once the day is over and no part of it was made for
 *                 CW_MERGE_QUIET_NS. Neighbours in age are joined, as many at once as may be, if the largest has at most
 *                 CW_MERGE_REST_SHARE times the bytes of all others together.
 *
 * What a rest costs: each byte that is not in the largest part pays for itself and at most CW_MERGE_REST_SHARE of that one's,
 * and is in a part twice as large after it: a merge writes at most CW_MERGE_REST_SHARE + 1 bytes for each byte so moved, which
 * moves again at most once for each doubling up to CW_MERGE_PART_BYTES_MAX. So it takes 228 MiB of late lines to have a part of
 * 1.8 GiB written anew. Each merge leaves fewer parts than it takes, and one part alone is never written anew: it ends.
 *
 * Threads    Pure.
 */
#ifndef CW_INGESTER_MERGE_PICK_H
#define CW_INGESTER_MERGE_PICK_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/clock.h"
#include "common/base/str.h"

/* Parts of one level that make a merge due. */
#define CW_MERGE_FAN_IN 8
/* Parts that would be larger than this together stay apart: a merge must end, and a part must be removable. */
#define CW_MERGE_PART_BYTES_MAX (UINT64_C(2) << 30)
/* As much as neighbouring levels differ by, so that two of these are joined. */
#define CW_MERGE_REST_SHARE CW_MERGE_FAN_IN
/* A shipper that catches up after an outage fills a head in minutes: its day is joined once, after it. */
#define CW_MERGE_QUIET_NS (3600 * CW_NS_PER_S)

enum cw_merge_kind { CW_MERGE_LEVEL, CW_MERGE_REST };

struct cw_merge_candidate {
    struct cw_str tenant; /* borrowed */
    int32_t day;
    uint8_t level;
    uint64_t epoch; /* of deletes: parts that differ in it stay apart */
    uint64_t id, wal_first, bytes;
    int64_t
        made_ns; /* wall clock; one that is as far in the future is as good as one in the past */
    void *arg;   /* the caller's */
};

/* Put what may become one part side by side. */
void cw_merge_sort(struct cw_merge_candidate *parts, size_t n, enum cw_merge_kind kind);
/* The next merge that is due among sorted parts[*from..n): how many, at most `max` (>= 2), which begin at *from then; 0: none. */
size_t cw_merge_due(const struct cw_merge_candidate *parts, size_t n, enum cw_merge_kind kind,
                    size_t max, int64_t now_ns, size_t *from);

#endif
