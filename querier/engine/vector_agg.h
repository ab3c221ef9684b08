/*
 * vector_agg.h - aggregation over series at each step: sum, avg, ... by/without; topk, bottomk;
 * sort.
 *
 * Ownership  *out is a new table (of `in`'s grid and allowance) and the caller's; `in` stays the
 *            caller's.
 * Errors     CW_E_LIMIT.
 */
#ifndef CW_ENGINE_VECTOR_AGG_H
#define CW_ENGINE_VECTOR_AGG_H
#include "common/logql/ast.h"
#include "querier/engine/sample.h"

/* sum, avg, count, min, max, stddev, stdvar: one series a group. */
int cw_vector_agg_fold(const struct cw_expr *expr, struct cw_table *in, struct cw_table **out,
                       struct cw_err *err) CW_MUST_USE;
/* topk, bottomk: at each step the k series of each group with the largest (smallest) values; of
 * equal ones the first by labels. NaN is chosen last. */
int cw_vector_agg_select(const struct cw_expr *expr, struct cw_table *in, struct cw_table **out,
                         struct cw_err *err) CW_MUST_USE;
/* sort, sort_desc: the series ordered by their value at step 0, NaN last; more steps have no order.
 * */
int cw_vector_agg_sort(const struct cw_expr *expr, struct cw_table *in, struct cw_table **out,
                       struct cw_err *err) CW_MUST_USE;

#endif
