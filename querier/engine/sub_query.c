#include "querier/engine/sub_query.h"

#include "common/base/assert.h"
#include "common/base/limits.h"
#include "querier/engine/metric_query.h"
#include "querier/engine/range_agg.h"
#include "querier/engine/value_set.h"

struct sub_queries {
    struct cw_query_context *query;
    struct cw_arena *arena;
    struct cw_sub_query_span span; /* of the query that is walked */
};

static int run_all(struct cw_query_context *query, struct cw_arena *arena, struct cw_expr *expr,
                   const struct cw_sub_query_span *span, struct cw_err *err);

/* What a log query, or a range of a metric query, reads. */
static void find_bounds(const struct cw_sub_query_span *span, const struct cw_expr *expr,
                        int64_t *start_ns, int64_t *end_ns)
{
    *start_ns = span->start_ns;
    *end_ns = span->end_ns;
    if (expr->kind == CW_EXPR_RANGE_AGG)
        cw_range_bounds(expr, span->grid, start_ns, end_ns);
}

/* The values that entries have, as the groups of a count. */
static int read_entries(struct cw_query_context *query, const struct cw_expr *expr,
                        struct cw_str name, int64_t start_ns, int64_t end_ns, struct cw_table **out,
                        struct cw_err *err)
{
    struct cw_expr count = *expr;
    struct cw_grid grid;
    count.kind = CW_EXPR_RANGE_AGG;
    count.range_fn = CW_RANGE_COUNT_OVER_TIME;
    count.grouping = (struct cw_grouping){CW_GROUP_BY, &name, 1};
    count.keeps_errors = true;
    cw_grid_init_instant(&grid, end_ns);
    struct cw_range_agg *agg = cw_range_agg_new(&count, NULL, &grid, &query->allowance);
    int rc = cw_metric_query_scan(query, agg, start_ns, end_ns, err);
    if (rc == 0)
        rc = cw_range_agg_finish(agg, out, err);
    cw_range_agg_free(&agg);
    return rc;
}

/* Of the metric's series at the end of the time. */
static int evaluate(struct cw_query_context *query, const struct cw_expr *expr, int64_t end_ns,
                    struct cw_table **out, struct cw_err *err)
{
    struct cw_result result;
    struct cw_grid grid;
    cw_grid_init_instant(&grid, end_ns);
    int rc = cw_metric_query_run(query, expr, &grid, CW_EVAL_INSTANT, 0, &result, err);
    if (rc == 0)
        *out = result.table;
    return rc;
}

static int fail_values(struct cw_str name, struct cw_err *err)
{
    return cw_err_set(err, CW_E_LIMIT,
                      "`%.*s in (...)` found more than %u values, which is as many as a query may "
                      "tell apart",
                      CW_STR_ARG(name), CW_LIMIT_QUERY_VALUES);
}

static int keep_values(struct sub_queries *sub, struct cw_label_filter *filter,
                       const struct cw_table *table, struct cw_err *err)
{
    size_t n = table != NULL ? table->n : 0, text_bytes = 0; /* a literal has no table */
    if (n > CW_LIMIT_QUERY_VALUES)
        return fail_values(filter->name, err);
    for (size_t i = 0; i < n; i++)
        text_bytes += cw_labels_get(table->items[i].labels, filter->name).len;
    int rc = cw_allowance_take(&sub->query->allowance, cw_value_set_bytes(n, text_bytes), err);
    if (rc < 0)
        return rc;
    struct cw_value_set *set = cw_value_set_new(sub->arena, n);
    for (size_t i = 0; i < n; i++) {
        struct cw_str value = cw_labels_get(table->items[i].labels, filter->name);
        if (value.len > 0)
            cw_value_set_add(set, value);
    }
    filter->values = set;
    return 0;
}

static int run_one(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                   struct cw_err *err)
{
    struct sub_queries *sub = arg;
    struct cw_expr *inner = filter->query;
    struct cw_table *table = NULL;
    int64_t start_ns, end_ns;
    find_bounds(&sub->span, expr, &start_ns, &end_ns);
    int64_t last_ns = end_ns > INT64_MIN ? end_ns - 1 : end_ns;
    struct cw_grid grid;
    cw_grid_init_instant(&grid, last_ns);
    const struct cw_sub_query_span span = {start_ns, end_ns, &grid};
    int rc = run_all(sub->query, sub->arena, inner, &span, err);
    if (rc == 0 && cw_expr_is_metric(inner))
        rc = evaluate(sub->query, inner, last_ns, &table, err);
    else if (rc == 0)
        rc = read_entries(sub->query, inner, filter->name, start_ns, end_ns, &table, err);
    if (rc == 0)
        rc = keep_values(sub, filter, table, err);
    cw_table_free(&table);
    return rc;
}

static int run_all(struct cw_query_context *query, struct cw_arena *arena, struct cw_expr *expr,
                   const struct cw_sub_query_span *span, struct cw_err *err)
{
    struct sub_queries sub = {query, arena, *span};
    return cw_expr_each_in(expr, run_one, &sub, err);
}

int cw_sub_queries_run(struct cw_query_context *query, struct cw_query *parsed,
                       const struct cw_sub_query_span *span, struct cw_err *err)
{
    return run_all(query, parsed->arena, parsed->root, span, err);
}
