#include "querier/api/request_query.h"

#include "querier/api/dialect.h"
#include "querier/api/query_limits.h"
#include "querier/api/query_policy.h"
#include "querier/engine/eval.h"

static int parse(struct cw_api_request *request, struct cw_str text, unsigned dialect,
                 struct cw_query **out, struct cw_err *err)
{
    int rc = cw_logql_parse_dialect(text, dialect, out, err);
    if (rc == 0) {
        rc = cw_eval_check((*out)->root, err);
        if (rc == 0)
            rc = cw_query_limits_expr(&request->limits, (*out)->root, err);
        if (rc < 0)
            cw_query_free(out);
    }
    return rc;
}

int cw_request_query(struct cw_api_request *request, struct cw_str text, struct cw_query **out,
                     struct cw_err *err)
{
    return parse(request, text, CW_LOGQL_LOKI, out, err);
}

int cw_request_query_extended(struct cw_api_request *request, struct cw_str text,
                              struct cw_query **out, struct cw_err *err)
{
    unsigned dialect;
    int rc = cw_api_dialect(request->http, &dialect, err);
    return rc < 0 ? rc : parse(request, text, dialect, out, err);
}

int cw_request_selector(struct cw_api_request *request, struct cw_str text, struct cw_query **out,
                        struct cw_err *err)
{
    int rc = cw_logql_parse(text, out, err);
    if (rc < 0)
        return rc;
    const struct cw_expr *expr = (*out)->root;
    if (expr->kind != CW_EXPR_LOG || expr->stages != NULL)
        rc = cw_err_set(err, CW_E_INVALID, "only label matchers are supported");
    else
        rc = cw_query_limits_expr(&request->limits, expr, err);
    if (rc < 0)
        cw_query_free(out);
    return rc;
}

int cw_request_allowed(struct cw_api_request *request, struct cw_str text,
                       const struct cw_expr *expr, unsigned rules, struct cw_err *err)
{
    const struct cw_querier_options *options = &request->api->options;
    struct cw_query_policy *policy = options->policy(options->ctx, request->tenant);
    int rc = 0;
    if (rules & CW_RULE_SELECTORS)
        rc = cw_query_policy_selectors(policy, expr, err);
    if (rc == 0 && (rules & CW_RULE_ENABLED))
        rc = cw_query_policy_enabled(policy, err);
    if (rc == 0 && (rules & CW_RULE_BLOCKED))
        rc = cw_query_policy_blocked(policy, text, expr,
                                     cw_http_header(request->http, "X-Query-Tags"), err);
    cw_query_policy_unref(&policy);
    return rc;
}

int cw_request_range(struct cw_api_request *request, int64_t *start_ns, int64_t *end_ns,
                     struct cw_err *err)
{
    int rc = cw_params_bounds(&request->params, start_ns, end_ns, err);
    return rc < 0 ? rc
                  : cw_query_limits_range(&request->limits, request->params.now_ns, start_ns,
                                          *end_ns, err);
}
