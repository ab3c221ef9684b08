#include "querier/api/query_limits.h"

#include "common/base/assert.h"
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
        .volume_max_series = 1000,
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

static int check_expr(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    const struct cw_query_limits *limits = arg;
    int rc = check_switches(limits, expr, err);
    if (rc == 0 && (expr->kind == CW_EXPR_LOG || expr->kind == CW_EXPR_RANGE_AGG))
        rc = check_matchers(limits, expr, err);
    if (rc == 0 && expr->kind == CW_EXPR_RANGE_AGG)
        rc = check_range(limits, expr, err);
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
    int rc = cw_expr_each(expr, check_expr, (void *)limits, err);
    return rc < 0 ? rc : cw_expr_each_in(expr, check_in, (void *)limits, err);
}

/* ---- the length of what metric queries read ---- */

/* Loki cuts a range query at multiples of so much (split_queries_by_interval), or of its longest range, and checks each piece. */
#define SPLIT_NS (3600 * CW_NS_PER_S)

struct length_check {
    const struct cw_query_limits *limits;
    int64_t piece_ns; /* from the first step to the last */
    int64_t longest_range_ns;
    const struct cw_expr *root;
};

/* Loki looks at the piece twice: as it is when it asks what there is, and a nanosecond longer when it reads. */
static int check_piece(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    const struct length_check *check = arg;
    int64_t length_ns, limit_ns = check->limits->max_query_length_ns;
    if (expr->kind != CW_EXPR_RANGE_AGG)
        return 0;
    if (__builtin_add_overflow(check->piece_ns, expr->range_ns, &length_ns))
        length_ns = INT64_MAX;
    if (length_ns < limit_ns)
        return 0;
    return fail_length(err, length_ns + (length_ns == limit_ns), limit_ns);
}

static int find_longest(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    struct length_check *check = arg;
    (void)err;
    if (expr->kind == CW_EXPR_RANGE_AGG)
        check->longest_range_ns = CW_MAX(check->longest_range_ns, expr->range_ns);
    return 0;
}

/* The last step of the piece that begins at `from_ns`. */
static int64_t piece_end(const struct cw_grid *grid, int64_t from_ns, int64_t end_ns,
                         int64_t interval_ns)
{
    int64_t step_ns = grid->step_ns, boundary_ns, last_ns;
    if (step_ns >= interval_ns)
        interval_ns = step_ns;
    if (__builtin_mul_overflow(from_ns / interval_ns + 1, interval_ns, &boundary_ns) ||
        boundary_ns > end_ns)
        return end_ns;
    if (step_ns >= interval_ns)
        return boundary_ns;
    last_ns = boundary_ns - (boundary_ns - from_ns) % step_ns;
    if (last_ns == boundary_ns)
        last_ns -= step_ns;
    return last_ns + step_ns >= end_ns ? end_ns : last_ns;
}

static int check_grid(struct length_check *check, const struct cw_grid *grid, struct cw_err *err)
{
    int64_t from_ns = grid->start_ns, end_ns = cw_grid_time(grid, grid->n - 1);
    int rc = 0;
    if (grid->n == 1)
        return cw_expr_each(check->root, check_piece, check, err);
    (void)cw_expr_each(check->root, find_longest, check, err);
    int64_t interval_ns = CW_MAX(SPLIT_NS, check->longest_range_ns);
    while (rc == 0 && from_ns < end_ns) {
        int64_t to_ns = piece_end(grid, from_ns, end_ns, interval_ns);
        check->piece_ns = to_ns - from_ns;
        rc = cw_expr_each(check->root, check_piece, check, err);
        from_ns = grid->step_ns >= interval_ns ? to_ns : to_ns + grid->step_ns;
    }
    return rc;
}

/* Is the range of an instant query cut into hours too, however long it is? */
static bool is_cut(const struct length_check *check, const struct cw_expr *expr)
{
    switch (expr->range_fn) {
    case CW_RANGE_COUNT_OVER_TIME:
    case CW_RANGE_RATE:
    case CW_RANGE_BYTES_OVER_TIME:
    case CW_RANGE_BYTES_RATE:
    case CW_RANGE_SUM:
    case CW_RANGE_MIN:
    case CW_RANGE_MAX: break;
    default: return false;
    }
    /* What parsers find could be any number of series, unless something gathers them. */
    return expr != check->root || expr->grouping.kind != CW_GROUP_NONE ||
           (cw_stage_find(expr->stages, CW_STAGE_JSON) == NULL &&
            cw_stage_find(expr->stages, CW_STAGE_LOGFMT) == NULL);
}

static int check_instant(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    const struct length_check *check = arg;
    if (expr->kind == CW_EXPR_RANGE_AGG)
        return is_cut(check, expr) ? 0 : check_piece(arg, expr, err);
    /* Around these nothing is cut. */
    if (expr->kind == CW_EXPR_VECTOR_AGG &&
        (expr->vector_fn == CW_VECTOR_BOTTOMK || expr->vector_fn == CW_VECTOR_STDDEV ||
         expr->vector_fn == CW_VECTOR_STDVAR))
        return cw_expr_each(expr->left, check_piece, arg, err);
    return 0;
}

int cw_query_limits_samples(const struct cw_query_limits *limits, const struct cw_expr *expr,
                            const struct cw_grid *grid, enum cw_eval_kind kind, struct cw_err *err)
{
    struct length_check check = {.limits = limits, .root = expr};
    if (limits->max_query_length_ns <= 0)
        return 0;
    return kind == CW_EVAL_RANGE ? check_grid(&check, grid, err)
                                 : cw_expr_each(expr, check_instant, &check, err);
}

int cw_query_limits_entries(const struct cw_query_limits *limits, uint32_t limit,
                            struct cw_err *err)
{
    uint32_t max = limits->max_entries_limit_per_query;
    if (max > 0 && limit > max)
        return cw_err_set(
            err, CW_E_LIMIT,
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (%u > %u)",
            limit, max);
    return 0;
}
