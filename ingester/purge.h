/*
 * purge.h - find parts with entries that are hidden for good, and write them anew without: deletes that can be cancelled no
 * more, and streams whose period by retention_stream is over, or whose bytes are too many. Driven by merge.c, in the same slices.
 *
 * A part is written anew for retention once all that it has of a rule's streams has come of age or is to make room, so once a
 * rule at most; for deletes at once. A tenant's oldest part is first. A part that cannot be written anew (a damaged
 * index) stays: what is hidden in it stays hidden. Bad blocks: rewrite_run.h. On a full disk those are passed over that find no room,
 * and a part that goes whole, which needs none, is dropped; when some have left, what was passed over is tried again.
 *
 * Ownership  Borrows the registries; they outlive it.
 * Threads    _next to _free of one run: one at a time.
 * Errors     As rewrite_run.h.
 */
#ifndef CW_INGESTER_PURGE_H
#define CW_INGESTER_PURGE_H
#include "common/base/codec.h"
#include "common/base/memory_budget.h"
#include "ingester/hiding.h"
#include "ingester/parts.h"
#include "ingester/retention.h"
#include "ingester/retention_shares.h"

struct cw_purge;
/* `codec`: of parts that are written anew. */
struct cw_purge *cw_purge_new(struct cw_parts *parts, struct cw_deletes *deletes,
                              const struct cw_retention_options *retention,
                              struct cw_retention_shares *shares, enum cw_codec codec);
/* A run waits while there is no room to begin it (CW_MEMORY_MERGE); before the first _next(). */
void cw_purge_set_budget(struct cw_purge *purge, struct cw_memory_budget *budget);
/* NULL is fine. */
void cw_purge_free(struct cw_purge **purge);
/* Is there a part to be written anew? 1: it has begun. CW_E_UNAVAILABLE: there are only some for which the disk has no room. */
int cw_purge_next(struct cw_purge *purge, struct cw_err *err) CW_MUST_USE;
/* Did the last _next() find one, and no memory for it? */
bool cw_purge_short_of_memory(const struct cw_purge *purge);
/* Work for about `cpu_ns`. 1: there is more, 0: the new part is committed and visible (or nothing was to be removed, or
 * the part was passed over for want of room), or an error: the part is left as it is. */
int cw_purge_step(struct cw_purge *purge, int64_t cpu_ns, struct cw_err *err) CW_MUST_USE;

struct cw_purge_counts {
    uint64_t rewritten, removed, failed; /* parts, entries, parts; since the start */
};
void cw_purge_count(struct cw_purge *purge, struct cw_purge_counts *out);

#endif
