/*
 * merge.h - join the small parts of a tenant and day into larger ones, in the background.
 *
 * Eight parts of one level make one of the next, and what is left of a day is joined when it is over and quiet (merge_pick.h
 * has the rules and what they cost). A merge runs in slices of some milliseconds on the pool's low priority, so
 * that it never holds a worker for long; blocks that are full already are copied without decoding them. The new part's footer
 * names the ids that it replaces, so a crash at any point leaves either the old ones or the new one (parts.h). A part in
 * which a bad block was found is never merged: what is left of it stays as it is.
 *
 * Before any merge, parts with entries that are to be removed are written anew (purge.h). Parts between which entries were
 * deleted, which are only hidden yet, are not joined.
 *
 * Ownership  Borrows what it is made of; that outlives it.
 * Threads    Any. One merge runs at a time.
 * Errors     Logged and counted, nobody waits for them: the inputs stay, and the merge is tried again at a later kick: after a
 *            second, after two, ... after a minute; at once when parts have left, when a delete is to be carried out, or when
 *            somebody waits. What is said of a row of failures is its beginning and its end.
 * Cost       A kick looks at all parts when they or the deletes have changed, or when somebody waits, else every 10 seconds.
 */
#ifndef CW_INGESTER_MERGE_H
#define CW_INGESTER_MERGE_H
#include <stdint.h>
#include "common/base/codec.h"
#include "common/base/memory_budget.h"
#include "common/base/pool.h"
#include "ingester/parts.h"

struct cw_deletes;
struct cw_purge;
struct cw_merge;
/* `codec`: LZ4 or ZSTD, of merged parts. */
struct cw_merge *cw_merge_new(struct cw_parts *parts, struct cw_deletes *deletes,
                              struct cw_purge *purge, struct cw_pool *pool, enum cw_codec codec);
/* Merges take fewer parts at once where it is small, and wait while there is no room for what they need (CW_MEMORY_MERGE); the
 * purge too. Before the first kick. */
void cw_merge_set_budget(struct cw_merge *merge, struct cw_memory_budget *budget);
/* Begin what is due, if no merge runs. Returns at once. Call it after a flush and now and then. */
void cw_merge_kick(struct cw_merge *merge);
/* Until nothing is due or running (POST /flush). */
void cw_merge_wait(struct cw_merge *merge);
/* Gives up a merge under way (its file is removed) and waits for that. */
void cw_merge_free(struct cw_merge **merge);

struct cw_merge_counts {
    uint64_t merges, failed, parts_in, bytes_in, bytes_out; /* since the start */
};
void cw_merge_count(struct cw_merge *merge, struct cw_merge_counts *out);

#endif
