/*
 * request_query.h - what a request asks of: its query and its range, and whether the tenant's limits allow them.
 *
 * Ownership  A query is the caller's (cw_query_free()), and NULL after an error.
 * Errors     CW_E_INVALID, CW_E_LIMIT, with Loki's texts.
 */
#ifndef CW_API_REQUEST_QUERY_H
#define CW_API_REQUEST_QUERY_H
#include "common/logql/ast.h"
#include "querier/api/api_request.h"

/* Any query of Loki's that can be evaluated. */
int cw_request_query(struct cw_api_request *request, struct cw_str text, struct cw_query **out,
                     struct cw_err *err) CW_MUST_USE;
/* The same in the language that the request asks for (dialect.h). What reads the query runs its sub-queries first (sub_query.h). */
int cw_request_query_extended(struct cw_api_request *request, struct cw_str text,
                              struct cw_query **out, struct cw_err *err) CW_MUST_USE;
/* A query that is nothing but a selector. */
int cw_request_selector(struct cw_api_request *request, struct cw_str text, struct cw_query **out,
                        struct cw_err *err) CW_MUST_USE;
/* What of the tenant's policy a route keeps to: Loki looks at selectors in range queries and patterns, at blocked queries where a query is
 * run, and leaves labels, volumes and tails alone. */
enum cw_request_rule {
    CW_RULE_SELECTORS = 1,
    CW_RULE_ENABLED = 2,
    CW_RULE_BLOCKED = 4,
    CW_RULES_RANGE = CW_RULE_SELECTORS | CW_RULE_ENABLED | CW_RULE_BLOCKED,
    CW_RULES_INSTANT = CW_RULE_ENABLED | CW_RULE_BLOCKED,
};
/* May the tenant ask it? `rules`: of cw_request_rule; `expr` may be NULL with CW_RULE_ENABLED alone. */
int cw_request_allowed(struct cw_api_request *request, struct cw_str text,
                       const struct cw_expr *expr, unsigned rules, struct cw_err *err) CW_MUST_USE;
/* `start`, `end`, `since`, and what limits make of them. */
int cw_request_range(struct cw_api_request *request, int64_t *start_ns, int64_t *end_ns,
                     struct cw_err *err) CW_MUST_USE;

#endif
