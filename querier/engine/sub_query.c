#include "querier/engine/sub_query.h"

#include "common/base/assert.h"
#include "common/base/limits.h"
#include "querier/engine/metric_query.h"
#include "querier/engine/range_agg.h"
#include "querier/engine/value_set.h"

/* One level of them: those of one query, but not those within. */
struct walk {
    const struct cw_sub_query_span *span; /* of the query that is walked */
    cw_sub_query_fn fn;
    void *arg;
};

struct run {
    struct cw_query_context *query;
    struct cw_arena *arena;
};

/* ---- which there are ---- */

/* What a log query, or a range of a metric query, reads. */
static void find_bounds(const struct cw_sub_query_span *span, const struct cw_expr *expr,
                        int64_t *start_ns, int64_t *end_ns)
{
    *start_ns = span->start_ns;
    *end_ns = span->end_ns;
    if (expr->kind == CW_EXPR_RANGE_AGG)
        cw_range_bounds(expr, span->grid, start_ns, end_ns);
}

static int walk_one(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                    struct cw_err *err)
{
    const struct walk *walk = arg;
    struct cw_sub_query sub = {.filter = filter};
    find_bounds(walk->span, expr, &sub.start_ns, &sub.end_ns);
    cw_grid_init_instant(&sub.grid, sub.end_ns > INT64_MIN ? sub.end_ns - 1 : sub.end_ns);
    const struct cw_sub_query_span within = {sub.start_ns, sub.end_ns, &sub.grid};
    int rc = cw_sub_queries_each(filter->query, &within, walk->fn, walk->arg, err);
    return rc == 0 ? walk->fn(walk->arg, &sub, err) : rc;
}

int cw_sub_queries_each(struct cw_expr *expr, const struct cw_sub_query_span *span,
                        cw_sub_query_fn fn, void *arg, struct cw_err *err)
{
    struct walk walk = {span, fn, arg};
    return cw_expr_each_in(expr, walk_one, &walk, err);
}

struct cw_expr cw_sub_query_count(const struct cw_sub_query *sub)
{
    struct cw_expr count = *sub->filter->query;
    count.kind = CW_EXPR_RANGE_AGG;
    count.range_fn = CW_RANGE_COUNT_OVER_TIME;
    count.grouping = (struct cw_grouping){CW_GROUP_BY, &sub->filter->name, 1};
    count.keeps_errors = true;
    return count;
}

/* ---- running them ---- */

static int read_entries(struct cw_query_context *query, const struct cw_sub_query *sub,
                        struct cw_table **out, struct cw_err *err)
{
    struct cw_expr count = cw_sub_query_count(sub);
    struct cw_grid grid;
    cw_grid_init_instant(&grid, sub->end_ns);
    struct cw_range_agg *agg = cw_range_agg_new(&count, NULL, &grid, &query->allowance);
    int rc = cw_metric_query_scan(query, agg, sub->start_ns, sub->end_ns, err);
    if (rc == 0)
        rc = cw_range_agg_finish(agg, out, err);
    cw_range_agg_free(&agg);
    return rc;
}

static int evaluate(struct cw_query_context *query, const struct cw_sub_query *sub,
                    struct cw_table **out, struct cw_err *err)
{
    struct cw_result result;
    int rc = cw_metric_query_run(query, sub->filter->query, &sub->grid, CW_EVAL_INSTANT, 0, &result,
                                 err);
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

static int keep_values(struct run *run, struct cw_label_filter *filter,
                       const struct cw_table *table, struct cw_err *err)
{
    size_t n = table != NULL ? table->n : 0, text_bytes = 0; /* a literal has no table */
    if (n > CW_LIMIT_QUERY_VALUES)
        return fail_values(filter->name, err);
    for (size_t i = 0; i < n; i++)
        text_bytes += cw_labels_get(table->items[i].labels, filter->name).len;
    int rc = cw_allowance_take(&run->query->allowance, cw_value_set_bytes(n, text_bytes), err);
    if (rc < 0)
        return rc;
    struct cw_value_set *set = cw_value_set_new(run->arena, n);
    for (size_t i = 0; i < n; i++) {
        struct cw_str value = cw_labels_get(table->items[i].labels, filter->name);
        if (value.len > 0)
            cw_value_set_add(set, value);
    }
    filter->values = set;
    return 0;
}

static int run_one(void *arg, const struct cw_sub_query *sub, struct cw_err *err)
{
    struct run *run = arg;
    struct cw_table *table = NULL;
    int rc = cw_expr_is_metric(sub->filter->query) ? evaluate(run->query, sub, &table, err)
                                                   : read_entries(run->query, sub, &table, err);
    if (rc == 0)
        rc = keep_values(run, sub->filter, table, err);
    cw_table_free(&table);
    return rc;
}

int cw_sub_queries_run(struct cw_query_context *query, struct cw_query *parsed,
                       const struct cw_sub_query_span *span, struct cw_err *err)
{
    struct run run = {query, parsed->arena};
    return cw_sub_queries_each(parsed->root, span, run_one, &run, err);
}
