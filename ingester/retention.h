/*
 * retention.h - let old parts go: by a tenant's age limit, and oldest first when the disk runs full.
 *
 * A part whose entries are all older than the tenant's period is dropped; entries of a part that is only partly older are
 * hidden at once (the source answers no entry before the limit).
 *
 * Threads    One run at a time, on a thread that may block.
 * Errors     CW_E_IO: the catalog could not be written; nothing was dropped.
 */
#ifndef CW_INGESTER_RETENTION_H
#define CW_INGESTER_RETENTION_H
#include <stdint.h>
#include "common/base/err.h"
#include "ingester/parts.h"

struct cw_retention_options {
    /* The tenant's retention_period in ns; 0 keeps for ever. */
    int64_t (*period_ns)(void *ctx, struct cw_str tenant);
    void *ctx;
    /* storage.min_free as a share of the file system, 0..1; 0: never. Dropped are the parts with the oldest newest entry,
     * of any tenant, until that much is free; never parts that reach into the last hour: a disk that something else filled
     * must not cost what was just stored. */
    double min_free;
};

/* What is due at `now_ns`; *ndropped_out parts were dropped (may be NULL). */
int cw_retention_run(struct cw_parts *parts, const struct cw_retention_options *options,
                     int64_t now_ns, uint64_t *ndropped_out, struct cw_err *err) CW_MUST_USE;
/* The first time that a query of this tenant may see at `now_ns`: INT64_MIN when it keeps for ever (the head's entries are
 * hidden by it too). */
int64_t cw_retention_horizon_ns(const struct cw_retention_options *options, struct cw_str tenant,
                                int64_t now_ns);

#endif
