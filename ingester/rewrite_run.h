/*
 * rewrite_run.h - write one part anew without the rows that rules hide. Private to ingester/purge.c and tests.
 *
 * Streams that are hidden whole cost nothing; blocks that may hold other hidden rows are read twice: first counted, for the
 * streams' totals, then written. Full blocks that no rule touches are copied. A part in which nothing turns out to be hidden is
 * left as it is.
 *
 * Bad blocks  One that no rule touches is copied as it is, and stays bad. Of one that a rule touches, what can be read is judged and
 *            written; whether the rest is hidden nobody can tell, so that it leaves the part, and the block's bytes, which are
 *            seen to be in quarantine/ before, are all that is left of it.
 *
 * Ownership  Holds a reference on the source and on the owner of what the rules point to; copies the rules.
 * Threads    One at a time; a step may run on another thread than the one before.
 * Errors     CW_E_CORRUPT: its index is damaged, the disk does not give a page of it, or a block is of a newer version: it is not
 *            written anew. CW_E_CONFLICT: the part left meanwhile. What a rule's filter fails with. CW_E_IO, CW_E_UNAVAILABLE.
 */
#ifndef CW_INGESTER_REWRITE_RUN_H
#define CW_INGESTER_REWRITE_RUN_H
#include <stdint.h>
#include "common/base/codec.h"
#include "common/store/hidden.h"
#include "ingester/parts.h"

struct cw_rewrite_run;

/* Draws the new part's id. `codec`: of the new part. */
int cw_rewrite_run_new(struct cw_parts *parts, struct cw_source *source,
                       const struct cw_hidden_rule *rules, size_t n, struct cw_hidden_owner *owner,
                       enum cw_codec codec, struct cw_rewrite_run **out,
                       struct cw_err *err) CW_MUST_USE;
/* Work for about `cpu_ns`. 1: there is more, 0: it is ready for _commit(), or an error: only _free() then. */
int cw_rewrite_run_step(struct cw_rewrite_run *run, int64_t cpu_ns, struct cw_err *err) CW_MUST_USE;
/* Blocks that are open now, or were before the first of them ended. */
size_t cw_rewrite_run_cursors(const struct cw_rewrite_run *run);
/* Rows that go, all and by each rule. */
uint64_t cw_rewrite_run_removed(const struct cw_rewrite_run *run);
const uint64_t *cw_rewrite_run_removed_by(const struct cw_rewrite_run *run);
/* Rows of bad blocks that cannot be read and leave the part, all and those that each rule may hide. */
uint64_t cw_rewrite_run_unread(const struct cw_rewrite_run *run);
const uint64_t *cw_rewrite_run_unread_by(const struct cw_rewrite_run *run);
/* The new part takes the old one's place (which is empty when no row is left). Only when rows go, removed or unread. */
int cw_rewrite_run_commit(struct cw_rewrite_run *run, struct cw_err *err) CW_MUST_USE;
const struct cw_part_footer *cw_rewrite_run_part(const struct cw_rewrite_run *run);
uint64_t cw_rewrite_run_bytes_out(const struct cw_rewrite_run *run);
void cw_rewrite_run_free(struct cw_rewrite_run **run);

#endif
