/*
 * log_gather.h - log queries with `distinct` or `sort by`: what an entry is worth depends on the others.
 *
 * Entries go through the whole pipeline as in any log query; the gathering stages note what they are told apart and sorted by
 * (gather_key.h). Each worker keeps the entries that may be in the answer, and what they have is joined in the end:
 *
 *   distinct   Of each combination the first entry that comes to the stage: in the direction of the query or, behind `sort by`, in its
 *              order. What a later stage drops stands for its combination all the same.
 *   sort by    The order of the answer; entries with the same values are in the direction of the query.
 *
 * Memory     What a limit leaves of it: of `sort by` the best entries; of `distinct` too, when nothing may drop an entry behind it, and
 *            then no time past the last of them is read. Else one entry for each combination, at most CW_LIMIT_QUERY_VALUES. All of it
 *            from the query's allowance.
 * Ownership  Borrows context, plan, pipeline and expression.
 * Threads    One thread uses it; the work is done by the context's pool.
 * Errors     CW_E_LIMIT, and the pipeline's.
 */
#ifndef CW_ENGINE_LOG_GATHER_H
#define CW_ENGINE_LOG_GATHER_H
#include "querier/engine/log_top.h"
#include "querier/engine/pipeline.h"
#include "querier/engine/plan.h"

struct cw_log_gather;

/* The best `max_entries` of all; SIZE_MAX: all. */
int cw_log_gather_run(struct cw_query_context *query, const struct cw_expr *expr,
                      const struct cw_plan *plan, const struct cw_pipeline *pipeline,
                      size_t max_entries, struct cw_log_gather **out,
                      struct cw_err *err) CW_MUST_USE;
void cw_log_gather_free(struct cw_log_gather **gather);
/* In the order of the answer. */
const struct cw_log_entry *cw_log_gather_entries(const struct cw_log_gather *gather, size_t *n_out);

#endif
