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
        err.text,
        "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)");
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

/* Parses, and asks whether the range query over [0, end] in such steps is too long; NULL: it is not. */
static const char *too_long(const char *text, int64_t start_ns, int64_t end_ns, int64_t step_ns)
{
    static struct cw_err err;
    struct cw_query_limits limits;
    struct cw_query *query = NULL;
    struct cw_grid grid;
    cw_query_limits_default(&limits);
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0);
    if (step_ns == 0)
        cw_grid_init_instant(&grid, end_ns);
    else
        cr_assert_eq(cw_grid_init_range(&grid, start_ns, end_ns, step_ns, &err), 0);
    int rc = cw_query_limits_samples(&limits, query->root, &grid,
                                     step_ns == 0 ? CW_EVAL_INSTANT : CW_EVAL_RANGE, &err);
    limits.max_query_length_ns = 0;
    struct cw_err none;
    cr_expect_eq(cw_query_limits_samples(&limits, query->root, &grid, CW_EVAL_RANGE, &none), 0);
    cw_query_free(&query);
    cr_assert(rc == 0 || rc == CW_E_LIMIT);
    return rc == 0 ? NULL : err.text;
}

#define TOO_LONG(length)                                                                           \
    "the query time range exceeds the limit (query length: " length ", limit: 30d1h)"

Test(query_limits, a_range_counts_with_the_piece_of_the_query_that_it_stands_in)
{
    const int64_t day = 24 * HOUR, at = 1000 * 721 * HOUR;
    const char *hour = "rate({a=\"b\"}[1h])", *most = "rate({a=\"b\"}[721h])";
    cr_expect_null(too_long(hour, at, at + 721 * HOUR, HOUR / 4), "an hour at a time");
    cr_expect_null(too_long("rate({a=\"b\"}[720h])", at, at + HOUR / 60 * 59, HOUR / 60));
    cr_expect_str_eq(too_long(most, at + 1, at + 2, HOUR / 60), TOO_LONG("721h1m0s"));
    cr_expect_str_eq(too_long(most, at, at, HOUR / 60), TOO_LONG("721h0m0.000000001s"));
    cr_expect_str_eq(
        too_long("1 + rate({a=\"b\"}[1h]) + rate({a=\"b\"}[800h] offset 5m)", at, at, HOUR),
        TOO_LONG("800h0m0s"));
    /* It is cut at day 40: pieces of nine days, and then of nine and of seventeen. */
    const char *twenty = "sum(rate({a=\"b\"}[20d]))";
    cr_expect_null(too_long(twenty, 31 * day, 49 * day, HOUR));
    cr_expect_str_eq(too_long(twenty, 31 * day, 57 * day, HOUR), TOO_LONG("888h0m0s"));
    /* Steps that are longer than the range are the pieces. */
    cr_expect_null(too_long("rate({a=\"b\"}[2d])", 0, 60 * day, 20 * day));
    cr_expect_str_eq(too_long("rate({a=\"b\"}[11d])", 0, 60 * day, 20 * day), TOO_LONG("744h0m0s"));
    cr_expect_str_eq(too_long("rate({a=\"b\"}[290y])", at, at + day, HOUR),
                     TOO_LONG("2540424h0m0s"));
}

Test(query_limits, an_instant_query_that_is_cut_into_hours_is_never_too_long)
{
    static const char *const cut[] = {
        "rate({a=\"b\"}[800h])",
        "topk(2, sum by (a) (count_over_time({a=\"b\"} | json [800h]))) / 2"};
    static const char *const whole[] = {"rate({a=\"b\"} | json [800h])",
                                        "stddev(rate({a=\"b\"}[800h]))",
                                        "1 + bottomk(2, max(rate({a=\"b\"}[800h])))",
                                        "quantile_over_time(0.5, {a=\"b\"} | unwrap x [800h])"};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++)
        cr_expect_null(too_long(cut[i], 0, 1000 * HOUR, 0), "%s", cut[i]);
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        cr_expect_str_eq(too_long(whole[i], 0, 1000 * HOUR, 0), TOO_LONG("800h0m0s"));
}
