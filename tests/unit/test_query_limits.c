#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "querier/api/query_limits.h"

#define HOUR (3600 * CW_NS_PER_S)

Test(query_limits, a_range_longer_than_30d1h_is_refused_in_lokis_words)
{
    struct cw_query_limits limits;
    struct cw_err err;
    int64_t start = 0;
    cw_query_limits_default(&limits);
    cr_expect_eq(cw_query_limits_range(&limits, 0, &start, 721 * HOUR, &err), 0);
    cr_expect_eq(cw_query_limits_range(&limits, 0, &start, 2500 * HOUR, &err), CW_E_LIMIT);
    cr_expect_str_eq(
        err.text, "the query time range exceeds the limit (query length: 2500h0m0s, limit: 30d1h)");
    start = INT64_MIN;
    cr_expect_eq(cw_query_limits_range(&limits, 0, &start, INT64_MAX, &err), CW_E_LIMIT);
}

Test(query_limits, lookback_moves_the_start_or_refuses)
{
    struct cw_query_limits limits;
    struct cw_err err;
    int64_t now = 1000 * HOUR, start = 0;
    cw_query_limits_default(&limits);
    limits.max_query_lookback_ns = 24 * HOUR;
    cr_expect_eq(cw_query_limits_range(&limits, now, &start, now, &err), 0);
    cr_expect_eq(start, 976 * HOUR);
    start = 0;
    cr_expect_eq(cw_query_limits_range(&limits, now, &start, 10 * HOUR, &err), CW_E_LIMIT);
    cr_expect_str_eq(err.text,
                     "this data is no longer available, it is past now - max_query_lookback (1d)");
}

Test(query_limits, entries_and_matchers_and_ranges_have_bounds)
{
    struct cw_query_limits limits;
    struct cw_err err;
    struct cw_query *query = NULL;
    cw_query_limits_default(&limits);
    cr_expect_eq(cw_query_limits_entries(&limits, 5000, &err), 0);
    cr_expect_eq(cw_query_limits_entries(&limits, 5001, &err), CW_E_LIMIT);
    cr_expect_str_eq(
        err.text, "max entries limit per query exceeded, limit > max_entries_limit (5001 > 5000)");
    limits.max_entries_limit_per_query = 0;
    cr_expect_eq(cw_query_limits_entries(&limits, UINT32_MAX, &err), 0);
    cr_assert_eq(cw_logql_parse(CW_STR("sum(rate({a=\"b\",c=\"d\"}[2h])) + 1"), &query, &err), 0);
    cr_expect_eq(cw_query_limits_expr(&limits, query->root, &err), 0);
    limits.max_query_range_ns = HOUR;
    cr_expect_eq(cw_query_limits_expr(&limits, query->root, &err), CW_E_LIMIT);
    cr_expect_str_eq(err.text, "[interval] value exceeds limit: [2h] > [1h]");
    limits.max_streams_matchers_per_query = 1;
    cr_expect_eq(cw_query_limits_expr(&limits, query->root, &err), CW_E_LIMIT);
    cr_expect_str_eq(err.text,
                     "max streams matchers per query exceeded, matchers-count > limit (2 > 1)");
    cw_query_free(&query);
}

static int check(const struct cw_query_limits *limits, const char *text, struct cw_err *err)
{
    struct cw_query *query = NULL;
    int rc = cw_logql_parse(cw_str_of(text), &query, err);
    if (rc == 0)
        rc = cw_query_limits_expr(limits, query->root, err);
    cw_query_free(&query);
    return rc;
}

Test(query_limits, what_loki_has_behind_switches_is_refused_in_its_words)
{
    static const char *const topk = "1 + approx_topk(2, rate({a=\"b\"}[1m]))",
                             *const variants = "variants(rate({a=\"b\"}[1m])) of ({a=\"b\"}[1m])",
                             *const both =
                                 "variants(approx_topk(2, rate({a=\"b\"}[1m]))) of ({a=\"b\"}[1m])";
    struct cw_query_limits limits;
    struct cw_err err;
    cw_query_limits_default(&limits);
    cr_expect_eq(check(&limits, topk, &err), CW_E_LIMIT);
    cr_expect_str_eq(err.text, "approx_topk is not enabled. See -limits.shard_aggregations");
    cr_expect_eq(check(&limits, variants, &err), CW_E_LIMIT);
    cr_expect_str_eq(err.text, "multi variant queries are disabled for this instance");
    limits.multi_variant_queries = true;
    cr_expect_eq(check(&limits, variants, &err), 0);
    cr_expect_eq(check(&limits, both, &err), CW_E_LIMIT);
    limits.approx_topk = true;
    cr_expect_eq(check(&limits, both, &err), 0);
    cr_expect_eq(check(&limits, topk, &err), 0);
}
