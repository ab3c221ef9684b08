/*
 * head_follow.h - the entries of a tenant's streams as they become visible in the head: what a live tail reads.
 *
 * A follower looks for itself, so that appending and committing do not know of it: per matching stream it remembers how many
 * rows it has seen. A generation that is closed is kept for it until it has seen all rows, whether it is in parts by
 * then or not; only at that change the writer touches followers.
 *
 * Behind     A follower behind which closed generations of 16 MiB or more wait gives up the rest of the one it is in: its rows come
 *            as `lost`, without lines. So all followers together hold a few generations, however slow they are.
 * Ownership  Borrows head, selector and filters. A batch dies at the next call.
 * Threads    One thread reads; the head may be written meanwhile. Closed before the head is freed.
 * Errors     Those of selector and filters (regexes).
 */
#ifndef CW_STORE_HEAD_FOLLOW_H
#define CW_STORE_HEAD_FOLLOW_H
#include "common/store/head.h"

struct cw_head_follow;

struct cw_follow_batch {
    struct cw_entry_batch rows; /* in order of arrival, of one stream */
    bool lost;                  /* only times and labels: nobody looked at these lines */
};

/* What a follower wants; newest_first, times and the rest of a scan mean nothing here. */
struct cw_follow_options {
    struct cw_str tenant; /* copied */
    const struct cw_selector *selector;
    const struct cw_line_filter *const *filters;
    size_t nfilters;
};

/* It begins behind all that is visible by now. */
int cw_head_follow_open(struct cw_head *head, const struct cw_follow_options *options,
                        struct cw_head_follow **out, struct cw_err *err) CW_MUST_USE;
/* NULL is fine. */
void cw_head_follow_close(struct cw_head_follow **follow);
/* 1 a batch; 0 nothing more for now: all that was visible at the 0 before has been given. */
int cw_head_follow_next(struct cw_head_follow *follow, struct cw_follow_batch *out,
                        struct cw_err *err) CW_MUST_USE;

#endif
