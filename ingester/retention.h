/*
 * retention.h - let old parts go: by a tenant's periods, and oldest first when its bytes, the store's bytes or the disk's free
 * space say so. Each limit works alone.
 *
 * A part whose entries are all older than every period of the tenant is dropped whole; entries of a part that is only partly
 * older are hidden at once (the source answers no entry before the limit). Single streams: hiding.h, retention_shares.h, purge.h.
 *
 * Threads    One run at a time, on a thread that may block.
 * Errors     CW_E_IO: the catalog could not be written; nothing was dropped.
 */
#ifndef CW_INGESTER_RETENTION_H
#define CW_INGESTER_RETENTION_H
#include <stdatomic.h>
#include <stdint.h>
#include "common/base/err.h"
#include "ingester/parts.h"
#include "ingester/retention_policy.h"

/* Parts with entries of this last time stay when the disk is full. */
#define CW_RETENTION_YOUNG_NS (INT64_C(3600) * 1000000000)

struct cw_retention_options {
    /* A reference on what holds for the tenant now. */
    struct cw_retention_policy *(*policy)(void *ctx, struct cw_str tenant);
    void *ctx;
    /* storage.min_free as a share of the file system, 0..1; 0: never. Dropped are the parts with the oldest newest entry,
     * of any tenant, until that much is free; never parts that reach into the last hour: a disk that something else filled
     * must not cost what was just stored; and never one whose bytes a snapshot holds: that would free nothing. */
    double min_free;
    /* storage.max_bytes of parts and log; 0: any. The newest part stays, and a tenant's under its retention_bytes. */
    uint64_t max_bytes;
};

/* Parts that were dropped, by reason. */
struct cw_retention_counts {
    uint64_t age, tenant_bytes, store_bytes, free_space;
};
struct cw_retention_totals {
    atomic_uint_fast64_t age, tenant_bytes, store_bytes, free_space;
    atomic_bool
        held_told; /* that snapshots hold what min_free would drop; until there is room again */
};

/* What is due at `now_ns`; adds to *totals. `log_bytes`: of the WAL. */
int cw_retention_run(struct cw_parts *parts, const struct cw_retention_options *options,
                     int64_t now_ns, uint64_t log_bytes, struct cw_retention_totals *totals,
                     struct cw_err *err) CW_MUST_USE;
void cw_retention_count(struct cw_retention_totals *totals, struct cw_retention_counts *out);
/* Bytes that the disk gets when the part leaves: 0 when its file has other links, as a snapshot's are. */
uint64_t cw_retention_frees(struct cw_source *part);
/* Oldest newest entry first: the order in which parts go. */
void cw_retention_sort(struct cw_snapshot *parts);
/* The same tenant by tenant. */
void cw_retention_sort_tenants(struct cw_snapshot *parts);

#endif
