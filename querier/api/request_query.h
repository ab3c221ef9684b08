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
/* `start`, `end`, `since`, and what limits make of them. */
int cw_request_range(struct cw_api_request *request, int64_t *start_ns, int64_t *end_ns,
                     struct cw_err *err) CW_MUST_USE;

#endif
