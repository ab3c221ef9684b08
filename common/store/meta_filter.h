/*
 * meta_filter.h - a label filter (`| trace_id="..."`) that is decided beside the data, on structured metadata: a matcher, and what lets
 * it be asked of values that are the lines of a block of templates (template_match.h).
 *
 * Ownership  Borrows the matcher.
 * Threads    Read-only after it is made; shared by worker threads.
 */
#ifndef CW_STORE_META_FILTER_H
#define CW_STORE_META_FILTER_H
#include <stdbool.h>
#include "common/base/err.h"
#include "common/match/line_filter.h"
#include "common/match/selector.h"

struct cw_meta_filter {
    const struct cw_matcher *matcher;
    bool negated; /* != or !~ */
    /* Keeps every value that the matcher's operand, negated or not, fits, and others. NULL: all values. */
    struct cw_line_filter *lines;
};

void cw_meta_filter_init(struct cw_meta_filter *filter, const struct cw_matcher *matcher);
void cw_meta_filter_fini(struct cw_meta_filter *filter);
/* Does the operand fit the value, whether or not it is negated? What cannot be decided (a regex's limit) is answered so that the row
 * stays, for who asks again and gives the error. */
bool cw_meta_filter_fits(const struct cw_meta_filter *filter, struct cw_str value);
/* Does a row without the name stay? */
static inline bool cw_meta_filter_keeps_none(const struct cw_meta_filter *filter)
{
    return cw_matcher_matches_empty(filter->matcher);
}

#endif
