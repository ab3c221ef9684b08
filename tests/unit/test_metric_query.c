#include <criterion/criterion.h>
#include <stdio.h>

#include "querier/engine/metric_query.h"
#include "tests/support/mem_source.h"

#define S INT64_C(1000000000)

struct fixture {
    struct mem_store *store;
    struct cw_pool *pool;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query;
};

/* 4 streams over two sources, an entry a second each, the line is the second. */
static void begin(struct fixture *f, const char *text)
{
    struct cw_err err;
    memset(f, 0, sizeof *f);
    f->store = mem_store_new(2, 7, 3);
    for (int i = 0; i < 600; i++) {
        char labels[64], line[16];
        snprintf(labels, sizeof labels, "{app=\"a%d\", host=\"h%d\"}", i % 2, i / 2 % 2);
        snprintf(line, sizeof line, "%d", i / 4);
        mem_store_add(f->store, (size_t)i % 3 % 2, labels, (1000 + i / 4) * S, line, NULL);
    }
    struct cw_entry_store entries = mem_store_entry_store(f->store);
    f->pool = cw_pool_new(3);
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f->snapshot, &err), 0);
    cw_query_context_init(&f->context, f->pool, &f->snapshot, 0);
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &f->query, &err), 0, "%s", err.text);
}

static void end(struct fixture *f)
{
    cw_query_free(&f->query);
    cw_snapshot_fini(&f->snapshot);
    cw_pool_free(&f->pool);
    mem_store_free(&f->store);
}

static void expect_instant(const char *text, int64_t time_ns, size_t nseries, double sum)
{
    struct fixture f;
    struct cw_grid grid;
    struct cw_result result;
    struct cw_err err;
    begin(&f, text);
    cw_grid_init_instant(&grid, time_ns);
    cr_assert_eq(
        cw_metric_query_run(&f.context, f.query->root, &grid, CW_EVAL_INSTANT, 500, &result, &err),
        0, "%s", err.text);
    cr_assert_eq(result.kind, CW_RESULT_VECTOR);
    cr_expect_eq(result.table->n, nseries, "%s: %zu series", text, result.table->n);
    double got = 0;
    for (size_t i = 0; i < result.table->n; i++)
        got += result.table->items[i].values[0];
    cr_expect_float_eq(got, sum, 1e-9, "%s: %g", text, got);
    cw_result_fini(&result);
    cr_expect_eq(atomic_load(&f.context.allowance.used), 0);
    end(&f);
}

Test(metric_query, partial_sums_of_workers_and_sources_add_up)
{
    expect_instant("count_over_time({app=~\".+\"}[100s])", 1099 * S, 4, 400);
    expect_instant("sum(count_over_time({app=~\".+\"}[100s]))", 1099 * S, 1, 400);
    expect_instant("sum by (host) (rate({app=\"a0\"}[100s]))", 1099 * S, 2, 2);
    expect_instant("sum(count_over_time({app=~\".+\"} |= \"77\" [1h]))", 2000 * S, 1, 4);
}

Test(metric_query, several_range_aggregations_in_one_expression)
{
    expect_instant(
        "sum(count_over_time({app=\"a0\"}[10s])) / sum(count_over_time({app=\"a1\"}[20s])) * 100",
        1050 * S, 1, 50);
}

Test(metric_query, the_bound_on_series_is_lokis)
{
    struct fixture f;
    struct cw_grid grid;
    struct cw_result result;
    struct cw_err err;
    begin(&f, "count_over_time({app=~\".+\"}[100s])");
    cw_grid_init_instant(&grid, 1099 * S);
    cr_expect_eq(
        cw_metric_query_run(&f.context, f.query->root, &grid, CW_EVAL_INSTANT, 3, &result, &err),
        CW_E_LIMIT);
    cr_expect(cw_str_starts(cw_str_of(err.text),
                            CW_STR("maximum number of series (3) reached for a single query")),
              "%s", err.text);
    end(&f);
}

Test(metric_query, ends_when_the_client_goes_away)
{
    struct fixture f;
    struct cw_grid grid;
    struct cw_result result;
    struct cw_err err;
    atomic_bool gone = true;
    begin(&f, "count_over_time({app=~\".+\"}[100s])");
    f.context.client_gone = &gone;
    cw_grid_init_instant(&grid, 1099 * S);
    cr_expect_eq(
        cw_metric_query_run(&f.context, f.query->root, &grid, CW_EVAL_INSTANT, 500, &result, &err),
        CW_E_CANCELED);
    cr_expect_eq(atomic_load(&f.context.allowance.used), 0);
    end(&f);
}
