#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "querier/engine/explain.h"
#include "tests/support/mem_source.h"

struct fixture {
    struct mem_store *store;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query;
    struct cw_explain explain;
};

/* Two sources: seconds 0 to 9 of x and y, and second 1000 of x; units of 5 entries. */
static void begin(struct fixture *f, const char *text)
{
    struct cw_err err;
    *f = (struct fixture){.store = mem_store_new(2, 5, 5)};
    for (int i = 0; i < 10; i++) {
        mem_store_add(f->store, 0, "{app=\"x\"}", i * CW_NS_PER_S, "line", NULL);
        mem_store_add(f->store, 0, "{app=\"y\"}", i * CW_NS_PER_S, "line", NULL);
    }
    mem_store_add(f->store, 1, "{app=\"x\"}", 1000 * CW_NS_PER_S, "line", NULL);
    struct cw_entry_store entries = mem_store_entry_store(f->store);
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f->snapshot, &err), 0);
    cr_assert_eq(cw_logql_parse_dialect(cw_str_of(text), CW_LOGQL_EXTENSIONS, &f->query, &err), 0,
                 "%s", err.text);
    cw_query_context_init(&f->context, NULL, &f->snapshot, 0);
}

static void end(struct fixture *f)
{
    cw_explain_fini(&f->explain);
    cw_query_free(&f->query);
    cw_snapshot_fini(&f->snapshot);
    mem_store_free(&f->store);
}

Test(explain, a_log_query_is_one_scan_and_none_is_run)
{
    struct fixture f;
    struct cw_err err;
    begin(&f, "{app=\"x\"} |= \"a\"");
    cr_assert_eq(cw_explain_logs(&f.context, f.query->root, 0, 100 * CW_NS_PER_S, &f.explain, &err),
                 0);
    cr_assert_eq(f.explain.n, 1);
    const struct cw_explain_scan *scan = &f.explain.scans[0];
    cr_expect_eq(scan->sources, 2);
    cr_expect_eq(scan->sources_outside, 1);
    cr_expect_eq(scan->streams, 1);
    cr_expect_eq(scan->blocks, 2);
    cr_expect_eq(scan->kind, CW_SCAN_LINES);
    cr_expect(cw_pipeline_is_idle(scan->pipeline));
    cr_expect_eq(mem_store_opened(f.store), 0);
    cr_expect_eq(atomic_load(&f.context.units_planned), 0, "the query's own figures are untouched");
    end(&f);
}

Test(explain, a_metric_has_a_scan_for_each_range_aggregation)
{
    struct fixture f;
    struct cw_err err;
    struct cw_grid grid;
    begin(&f,
          "sum(rate({app=~\".+\"}[10s])) / sum(count_over_time({app=\"y\"} | json | n > 5 [1m]))");
    cr_assert_eq(cw_grid_init_range(&grid, 0, 60 * CW_NS_PER_S, 30 * CW_NS_PER_S, &err), 0);
    cr_assert_eq(
        cw_explain_samples(&f.context, f.query->root, &grid, CW_EVAL_RANGE, &f.explain, &err), 0);
    cr_assert_eq(f.explain.n, 2);
    cr_expect_eq(f.explain.scans[0].streams, 2);
    cr_expect_eq(f.explain.scans[0].blocks, 4);
    cr_expect_eq(f.explain.scans[0].kind, CW_SCAN_COUNT);
    cr_expect_eq(f.explain.scans[0].start_ns, -10 * CW_NS_PER_S + 1);
    cr_expect_eq(f.explain.scans[1].streams, 1);
    cr_expect_eq(f.explain.scans[1].kind, CW_SCAN_FIELDS);
    cr_expect_eq(cw_pipeline_hints(f.explain.scans[1].pipeline)->nrequired, 1);
    cr_expect_eq(mem_store_opened(f.store), 0);
    end(&f);
}

Test(explain, an_empty_range_and_a_number_ask_for_nothing)
{
    struct fixture f;
    struct cw_err err;
    struct cw_grid grid;
    begin(&f, "{app=\"x\"}");
    cr_assert_eq(cw_explain_logs(&f.context, f.query->root, 5, 5, &f.explain, &err), 0);
    cr_expect_eq(f.explain.scans[0].blocks, 0);
    cr_expect_eq(f.explain.scans[0].streams, 0);
    end(&f);
    begin(&f, "1 + 1");
    cw_grid_init_instant(&grid, 0);
    cr_assert_eq(
        cw_explain_samples(&f.context, f.query->root, &grid, CW_EVAL_INSTANT, &f.explain, &err), 0);
    cr_expect_eq(f.explain.n, 0);
    end(&f);
}

Test(explain, what_gathers_is_one_scan_of_lines)
{
    struct fixture f;
    struct cw_err err;
    begin(&f, "{app=\"x\"} | json | distinct user | sort by (ms desc)");
    cr_assert_eq(cw_explain_logs(&f.context, f.query->root, 0, 100 * CW_NS_PER_S, &f.explain, &err),
                 0);
    cr_assert_eq(f.explain.n, 1);
    const struct cw_explain_scan *scan = &f.explain.scans[0];
    cr_expect_eq(scan->purpose, CW_EXPLAIN_ANSWER);
    cr_expect_eq(scan->kind, CW_SCAN_LINES);
    cr_expect(
        cw_pipeline_runs(scan->pipeline, cw_stage_find(f.query->root->stages, CW_STAGE_SORT)));
    end(&f);
}

Test(explain, context_reads_the_matches_and_then_their_streams_whole)
{
    struct fixture f;
    struct cw_err err;
    begin(&f, "{app=~\".+\"} |= \"a\" | context -B 2 -A 3");
    cr_assert_eq(cw_explain_logs(&f.context, f.query->root, 0, 100 * CW_NS_PER_S, &f.explain, &err),
                 0);
    cr_assert_eq(f.explain.n, 2);
    const struct cw_explain_scan *matches = &f.explain.scans[0], *around = &f.explain.scans[1];
    cr_expect_eq(matches->purpose, CW_EXPLAIN_ANSWER);
    cr_expect_eq(around->purpose, CW_EXPLAIN_CONTEXT);
    cr_expect_null(cw_stage_find(matches->expr->stages, CW_STAGE_CONTEXT));
    cr_expect_not_null(matches->expr->stages);
    cr_expect_null(around->expr->stages);
    cr_expect_eq(around->blocks, 4);
    end(&f);
}

Test(explain, queries_within_in_come_first_the_innermost_ahead)
{
    struct fixture f;
    struct cw_err err;
    begin(&f, "{app=\"x\"} | json | user in ({app=\"y\"} | json | host in "
              "(sum by (host) (rate({app=~\".+\"} | json [5s]))))");
    cr_assert_eq(cw_explain_logs(&f.context, f.query->root, 0, 10 * CW_NS_PER_S, &f.explain, &err),
                 0);
    cr_assert_eq(f.explain.n, 3);
    const struct cw_explain_scan *scans = f.explain.scans;
    cr_expect_eq(scans[0].purpose, CW_EXPLAIN_VALUES);
    cr_expect(cw_str_eq(scans[0].values_of, CW_STR("host")));
    cr_expect_eq(scans[0].start_ns, 5 * CW_NS_PER_S, "the range ends with the last time read");
    cr_expect_eq(scans[0].end_ns, 10 * CW_NS_PER_S);
    cr_expect_eq(scans[1].purpose, CW_EXPLAIN_VALUES);
    cr_expect(cw_str_eq(scans[1].values_of, CW_STR("user")));
    cr_expect_eq(cw_pipeline_hints(scans[1].pipeline)->nrequired, 2,
                 "host to filter, user to give");
    cr_expect_eq(scans[2].purpose, CW_EXPLAIN_ANSWER);
    cr_expect_eq(mem_store_opened(f.store), 0);
    end(&f);
}

Test(explain, in_within_a_metric_reads_what_its_range_reads)
{
    struct fixture f;
    struct cw_err err;
    struct cw_grid grid;
    begin(&f, "sum(rate({app=\"x\"} | json | user in ({app=\"y\"} | json)[10s] offset 1m))");
    cr_assert_eq(cw_grid_init_range(&grid, 0, 60 * CW_NS_PER_S, 30 * CW_NS_PER_S, &err), 0);
    cr_assert_eq(
        cw_explain_samples(&f.context, f.query->root, &grid, CW_EVAL_RANGE, &f.explain, &err), 0);
    cr_assert_eq(f.explain.n, 2);
    cr_expect_eq(f.explain.scans[0].start_ns, f.explain.scans[1].start_ns);
    cr_expect_eq(f.explain.scans[0].end_ns, f.explain.scans[1].end_ns);
    cr_expect_eq(f.explain.scans[0].end_ns, 1, "the last window ends at 60 s, less a minute");
    end(&f);
}

Test(explain, a_context_that_is_to_end_ends_it)
{
    struct fixture f;
    struct cw_err err;
    atomic_bool gone = true;
    begin(&f, "{app=\"x\"}");
    f.context.client_gone = &gone;
    cr_expect_eq(cw_explain_logs(&f.context, f.query->root, 0, 100 * CW_NS_PER_S, &f.explain, &err),
                 CW_E_CANCELED);
    end(&f);
}
