/*
 * metric_query.h - a metric expression over a snapshot: every range aggregation is scanned by all cores into partial
 * accumulators, one a worker, and the rest is arithmetic (eval.h).
 *
 * Ownership  Borrows context, expression and grid; the result is the caller's.
 * Threads    Call from a thread that is not one of the pool's.
 */
#ifndef CW_ENGINE_METRIC_QUERY_H
#define CW_ENGINE_METRIC_QUERY_H
#include "querier/engine/eval.h"
#include "querier/engine/query_context.h"

/* Feed one range aggregation with the entries of start_ns <= t < end_ns, which lie in its windows. */
int cw_metric_query_scan(struct cw_query_context *query, struct cw_range_agg *agg, int64_t start_ns,
                         int64_t end_ns, struct cw_err *err) CW_MUST_USE;
/* The expression passed cw_eval_check(). max_series 0: no bound. */
int cw_metric_query_run(struct cw_query_context *query, const struct cw_expr *expr,
                        const struct cw_grid *grid, enum cw_eval_kind kind, size_t max_series,
                        struct cw_result *out, struct cw_err *err) CW_MUST_USE;

#endif
