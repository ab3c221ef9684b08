#include "querier/api/query_limits.h"

#include "common/base/clock.h"

void cw_query_limits_default(struct cw_query_limits *limits)
{
    *limits = (struct cw_query_limits){
        .max_entries_limit_per_query = 5000,
        .max_query_series = 500,
        .max_query_length_ns = 721 * 3600 * CW_NS_PER_S,
        .query_timeout_ns = 60 * CW_NS_PER_S,
        .max_streams_matchers_per_query = 1000,
        .query_memory_bytes = (uint64_t)256 << 20,
        .volume_enabled = true,
        .max_concurrent_tail_requests = 10,
    };
}

enum { DURATION_TEXT_BYTES = 64 };

static const char *prom_text(struct cw_buf *buf, int64_t ns)
{
    cw_buf_init(buf, DURATION_TEXT_BYTES);
    cw_duration_format_prom(ns, buf);
    return cw_buf_z(buf);
}

static int fail_length(struct cw_err *err, int64_t length_ns, int64_t limit_ns)
{
    struct cw_buf length, limit;
    cw_buf_init(&length, DURATION_TEXT_BYTES);
    cw_duration_format_go(length_ns, &length);
    int rc = cw_err_set(err, CW_E_LIMIT,
                        "the query time range exceeds the limit (query length: %s, limit: %s)",
                        cw_buf_z(&length), prom_text(&limit, limit_ns));
    cw_buf_fini(&length);
    cw_buf_fini(&limit);
    return rc;
}

int cw_query_limits_range(const struct cw_query_limits *limits, int64_t now_ns, int64_t *start_ns,
                          int64_t end_ns, struct cw_err *err)
{
    int64_t lookback = limits->max_query_lookback_ns;
    if (lookback > 0 && *start_ns < now_ns - lookback)
        *start_ns = now_ns - lookback;
    int64_t length;
    if (__builtin_sub_overflow(end_ns, *start_ns, &length))
        length = end_ns < *start_ns ? INT64_MIN : INT64_MAX;
    if (limits->max_query_length_ns > 0 && length > limits->max_query_length_ns)
        return fail_length(err, length, limits->max_query_length_ns);
    if (length >= 0)
        return 0;
    struct cw_buf text;
    int rc =
        cw_err_set(err, CW_E_LIMIT,
                   "this data is no longer available, it is past now - max_query_lookback (%s)",
                   prom_text(&text, lookback));
    cw_buf_fini(&text);
    return rc;
}

static int check_matchers(const struct cw_query_limits *limits, const struct cw_expr *expr,
                          struct cw_err *err)
{
    uint32_t max = limits->max_streams_matchers_per_query;
    if (max > 0 && expr->selector.n > max)
        return cw_err_set(
            err, CW_E_LIMIT,
            "max streams matchers per query exceeded, matchers-count > limit (%zu > %u)",
            expr->selector.n, max);
    return 0;
}

static int check_range(const struct cw_query_limits *limits, const struct cw_expr *expr,
                       struct cw_err *err)
{
    if (limits->max_query_range_ns <= 0 || expr->range_ns <= limits->max_query_range_ns)
        return 0;
    struct cw_buf range, limit;
    int rc = cw_err_set(err, CW_E_LIMIT, "[interval] value exceeds limit: [%s] > [%s]",
                        prom_text(&range, expr->range_ns),
                        prom_text(&limit, limits->max_query_range_ns));
    cw_buf_fini(&range);
    cw_buf_fini(&limit);
    return rc;
}

static int check_switches(const struct cw_query_limits *limits, const struct cw_expr *expr,
                          struct cw_err *err)
{
    if (expr->kind == CW_EXPR_VARIANTS && !limits->multi_variant_queries)
        return cw_err_set(err, CW_E_LIMIT, "multi variant queries are disabled for this instance");
    if (expr->kind == CW_EXPR_VECTOR_AGG && expr->vector_fn == CW_VECTOR_APPROX_TOPK &&
        !limits->approx_topk)
        return cw_err_set(err, CW_E_LIMIT,
                          "approx_topk is not enabled. See -limits.shard_aggregations");
    return 0;
}

static int check_tree(const struct cw_query_limits *limits, const struct cw_expr *expr,
                      struct cw_err *err)
{
    if (expr == NULL)
        return 0;
    int rc = check_switches(limits, expr, err);
    if (rc == 0 && (expr->kind == CW_EXPR_LOG || expr->kind == CW_EXPR_RANGE_AGG))
        rc = check_matchers(limits, expr, err);
    if (rc == 0 && expr->kind == CW_EXPR_RANGE_AGG)
        rc = check_range(limits, expr, err);
    if (rc == 0)
        rc = check_tree(limits, expr->left, err);
    if (rc == 0)
        rc = check_tree(limits, expr->right, err);
    for (size_t i = 0; rc == 0 && i < expr->nvariants; i++)
        rc = check_tree(limits, expr->variants[i], err);
    return rc;
}

static int check_in(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                    struct cw_err *err)
{
    (void)expr;
    return cw_query_limits_expr(arg, filter->query, err);
}

int cw_query_limits_expr(const struct cw_query_limits *limits, const struct cw_expr *expr,
                         struct cw_err *err)
{
    int rc = check_tree(limits, expr, err);
    return rc < 0 ? rc : cw_expr_each_in(expr, check_in, (void *)limits, err);
}

int cw_query_limits_entries(const struct cw_query_limits *limits, uint32_t limit,
                            struct cw_err *err)
{
    uint32_t max = limits->max_entries_limit_per_query;
    if (max > 0 && limit > max)
        return cw_err_set(
            err, CW_E_LIMIT,
            "max entries limit per query exceeded, limit > max_entries_limit (%u > %u)", limit,
            max);
    return 0;
}
