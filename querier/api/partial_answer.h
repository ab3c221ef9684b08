/*
 * partial_answer.h - query_range for clients that say they can take an answer that is not whole: where a limit would be an error, the
 * answer has what is complete up to it, names the limit in `warnings`, and has a token in `continuation` with which the rest is asked.
 *
 * Asked for   by partial=true, or the header X-Cordwood-Partial: allow. max_time and max_bytes lower the tenant's limits for the one
 *             answer. continuation=TOKEN goes on where the answer with the token ended: the range, the step and the direction are
 *             those of the first question then, whatever the others say. `limit` is of each answer.
 * Limits      query_timeout (half of it: what is begun must end, too), max_query_bytes_read, max_entries_limit_per_query, and what a
 *             query may take of memory. Nothing complete at all is an error, as without.
 * Errors      CW_E_INVALID, and those of the query.
 */
#ifndef CW_API_PARTIAL_ANSWER_H
#define CW_API_PARTIAL_ANSWER_H
#include "common/logql/ast.h"
#include "querier/api/api_request.h"
#include "querier/api/continuation.h"

struct cw_partial_params {
    bool wanted; /* false: nothing else is set */
    bool resumed;
    struct cw_continuation from; /* resumed */
    int64_t max_time_ns;         /* 0: as the tenant's limits say */
    uint64_t max_bytes;          /* likewise */
};

int cw_partial_params(struct cw_api_request *request, struct cw_partial_params *out,
                      struct cw_err *err) CW_MUST_USE;
/* Put what the token says in place of what the request says; before limits are asked. */
int cw_partial_resume(const struct cw_partial_params *partial, const struct cw_expr *expr,
                      struct cw_range_params *params, struct cw_err *err) CW_MUST_USE;
int cw_partial_answer(struct cw_api_request *request, const struct cw_expr *expr,
                      const struct cw_range_params *params, const struct cw_partial_params *partial,
                      struct cw_err *err) CW_MUST_USE;

#endif
