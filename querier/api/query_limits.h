/*
 * query_limits.h - what a tenant's limits forbid, with Loki's texts.
 *
 * Errors     CW_E_LIMIT, CW_E_INVALID: both are 400.
 */
#ifndef CW_API_QUERY_LIMITS_H
#define CW_API_QUERY_LIMITS_H
#include "common/logql/ast.h"
#include "querier/engine/eval.h"
#include "querier/querier.h"

/* max_query_lookback moves *start_ns up; then max_query_length. A range that ends before it begins is refused. */
int cw_query_limits_range(const struct cw_query_limits *limits, int64_t now_ns, int64_t *start_ns,
                          int64_t end_ns, struct cw_err *err) CW_MUST_USE;
/* Matchers, the ranges in [ ], and what of the language has to be switched on. */
int cw_query_limits_expr(const struct cw_query_limits *limits, const struct cw_expr *expr,
                         struct cw_err *err) CW_MUST_USE;
/* Ranges count against max_query_length: what lies between a piece's first and last step, and the range before them. An offset moves
 * both ends and does not count. Loki cuts queries by the hour, or by their longest range, before it looks. */
int cw_query_limits_samples(const struct cw_query_limits *limits, const struct cw_expr *expr,
                            const struct cw_grid *grid, enum cw_eval_kind kind,
                            struct cw_err *err) CW_MUST_USE;
int cw_query_limits_entries(const struct cw_query_limits *limits, uint32_t limit,
                            struct cw_err *err) CW_MUST_USE;

#endif
