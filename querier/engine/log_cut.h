/*
 * log_cut.h - how far a page of entries reaches, found from times alone.
 *
 * What it costs to open a unit is its text; times are a small part of it. Where every row that a cursor yields becomes an entry, the
 * times of the best rows say where a page ends at the latest, and units that lie behind need not be opened at all.
 *
 * Threads    One thread asks; the work is done by the context's pool.
 */
#ifndef CW_ENGINE_LOG_CUT_H
#define CW_ENGINE_LOG_CUT_H
#include "querier/engine/plan.h"

/*
 * The time of the entry number `nentries` in the order of the scan, or 0 if there are not so many, or too few units for it to pay. 1: *out is
 * set. Rows may turn out not to be readable once their lines are wanted: a page that is not full says nothing of what lies behind the cut.
 */
int cw_log_cut_find(struct cw_query_context *query, const struct cw_plan *plan,
                    const struct cw_scan *scan, size_t nentries, int64_t *out,
                    struct cw_err *err) CW_MUST_USE;

#endif
