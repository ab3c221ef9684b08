/*
 * unit_run.h - run the work units of a plan on the pool; after a large one or some small ones it is another query's turn.
 *
 * Units are begun in the plan's order. A worker holds a slot (0 .. cw_unit_run_slots() - 1) that no other worker of the run
 * has at the same time: partial results lie there and need no lock.
 *
 * Threads    Call from a thread that is not one of the pool's: it waits.
 * Errors     The first error of a unit ends the run; units not yet begun are skipped.
 */
#ifndef CW_ENGINE_UNIT_RUN_H
#define CW_ENGINE_UNIT_RUN_H
#include "querier/engine/plan.h"

/* 0 go on, 1 nothing that comes later can matter (later units are skipped), negative: an error. `unit` is an index of
 * plan->units.items. */
typedef int (*cw_unit_fn)(void *arg, unsigned slot, size_t unit, struct cw_err *err);

unsigned cw_unit_run_slots(const struct cw_query_context *query);
int cw_unit_run(struct cw_query_context *query, const struct cw_plan *plan, cw_unit_fn fn,
                void *arg, struct cw_err *err) CW_MUST_USE;

/* Called for each batch of one unit; nonzero ends the unit (negative: an error; CW_E_CORRUPT of a batch with templates leaves its rows out,
 * and no more). */
typedef int (*cw_batch_fn)(void *arg, const struct cw_entry_batch *batch, struct cw_err *err);
/* Open the unit, hand its batches to `fn`, close it; looks at the query's end between batches. It is counted as read where the scan
 * counts. */
int cw_unit_read(struct cw_query_context *query, const struct cw_scan *scan,
                 const struct cw_unit *unit, cw_batch_fn fn, void *arg,
                 struct cw_err *err) CW_MUST_USE;

#endif
