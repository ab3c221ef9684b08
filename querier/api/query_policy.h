/*
 * query_policy.h - which queries a tenant may not ask, with Loki's texts: required_labels, minimum_labels_number, blocked_queries, and
 * whether it may ask at all. The policy itself is made by whoever knows the limits (querier.h).
 *
 * Threads    A policy is read-only once it is made.
 * Errors     CW_E_LIMIT (400); CW_E_OVERLOAD (429, as by Loki) where querying is disabled.
 */
#ifndef CW_API_QUERY_POLICY_H
#define CW_API_QUERY_POLICY_H
#include "common/logql/ast.h"
#include "querier/querier.h"

int cw_query_policy_enabled(const struct cw_query_policy *policy, struct cw_err *err) CW_MUST_USE;
/* Has each selector of the query the labels that it must have, and enough matchers? */
int cw_query_policy_selectors(const struct cw_query_policy *policy, const struct cw_expr *expr,
                              struct cw_err *err) CW_MUST_USE;
/* The first rule of blocked_queries that `text` matches decides. `tags`: what the header X-Query-Tags says. */
int cw_query_policy_blocked(const struct cw_query_policy *policy, struct cw_str text,
                            const struct cw_expr *expr, struct cw_str tags,
                            struct cw_err *err) CW_MUST_USE;

#endif
