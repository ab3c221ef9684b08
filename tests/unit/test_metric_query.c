#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/base/limits.h"
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
    f->pool = cw_pool_new(3, NULL);
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

/* `first`, and `n` times `again` behind it. */
static char *chain(const char *first, const char *again, size_t n)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_QUERY_BYTES);
    cw_buf_addz(&text, first);
    for (size_t i = 0; i < n; i++)
        cw_buf_addz(&text, again);
    cr_assert(!cw_buf_failed(&text));
    cw_buf_z(&text);
    return cw_buf_take(&text, NULL);
}

Test(metric_query, long_chains_are_evaluated)
{
    static const struct {
        const char *first, *again;
        size_t n, nseries;
        double sum;
    } rows[] = {
        {"sum(count_over_time({app=\"a0\"}[10s]))", "+1", 20000, 1, 20020},
        {"count_over_time({app=\"a0\"}[10s])", "-1", 1000, 2, 20 - 2000},
        {"2", "+sum(count_over_time({app=\"a0\"}[10s]))", 700, 1, 14002},
        {"vector(1)", "+vector(1)*2", 2000, 1, 4001},
        {"count_over_time({app=\"a0\"}[10s])", " or vector(3)", 2000, 3, 23},
        {"count_over_time({app=\"a0\"}[10s])", " > 3", 2000, 2, 20},
        {"sum(count_over_time({app=\"a0\"} | host=\"x\"", " or host=\"h1\"", 5000, 1, 10},
        {"sum(count_over_time({app=\"a0\"} | host=\"h1\"", " and host!=\"x\"", 5000, 1, 10},
        {"sum(count_over_time({app=\"a0\"} | host=\"h1\"", ",host!=\"x\"", 5000, 1, 10},
        {"sum(count_over_time({app=\"a0\"} |= \"1\"", " |= \"1\"", 5000, 1, 2},
        {"sum(count_over_time({app=\"a0\"} |= \"x\"", " or \"41\"", 5000, 1, 2},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        char *text = chain(rows[i].first, rows[i].again, rows[i].n);
        bool open = strstr(rows[i].first, "[") == NULL && strstr(rows[i].first, "{") != NULL;
        char *whole = open ? chain(text, "[10s]))", 1) : chain(text, "", 0);
        expect_instant(whole, 1050 * S, rows[i].nseries, rows[i].sum);
        free(whole);
        free(text);
    }
}

/* As deep as it parses: `before` so many times, the middle, and `behind` as many times. */
static char *deepest(const char *before, const char *middle, const char *behind)
{
    for (size_t n = CW_LIMIT_QUERY_DEPTH;; n -= 16) {
        char *left = chain("", before, n), *right = chain(middle, behind, n),
             *text = chain(left, right, 1);
        struct cw_query *query = NULL;
        struct cw_err err;
        bool parses = cw_logql_parse(cw_str_of(text), &query, &err) == 0;
        free(right);
        free(left);
        cw_query_free(&query);
        if (parses)
            return text;
        free(text);
        cr_assert_gt(n, 100, "%s", err.text);
    }
}

Test(metric_query, the_deepest_queries_run_and_print)
{
    static const struct {
        const char *before, *middle, *behind;
        size_t nseries;
    } rows[] = {
        {"vector(1)+(vector(1)-", "vector(2)", ")", 1},
        {"(", "vector(1)", "+vector(1)-1)", 1},
        {"vector(1) ^ ", "vector(1)", "", 1},
        {"sum(1+", "vector(1)", "*2)", 1},
        {"label_replace(", "count_over_time({app=\"a0\"}[10s])", "-1,\"x\",\"y\",\"z\",\"\")", 2},
    };
    struct cw_buf out;
    cw_buf_init(&out, CW_LIMIT_QUERY_LINES_BYTES);
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        char *text = deepest(rows[i].before, rows[i].middle, rows[i].behind);
        struct fixture f;
        struct cw_grid grid;
        struct cw_result result;
        struct cw_err err;
        begin(&f, text);
        cw_grid_init_instant(&grid, 1050 * S);
        cr_assert_eq(cw_metric_query_run(&f.context, f.query->root, &grid, CW_EVAL_INSTANT, 500,
                                         &result, &err),
                     0, "%s", err.text);
        cr_expect_eq(result.table->n, rows[i].nseries, "%.40s: %zu", text, result.table->n);
        cw_result_fini(&result);
        cw_buf_clear(&out);
        cw_query_format(f.query, &out);
        cr_expect(!cw_buf_failed(&out) && out.len > strlen(text), "%.40s", text);
        end(&f);
        free(text);
    }
    cw_buf_fini(&out);
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
