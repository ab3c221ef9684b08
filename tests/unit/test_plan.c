#include <criterion/criterion.h>
#include <stdlib.h>

#include "querier/engine/plan.h"
#include "tests/support/mem_source.h"

static void expect_filters(const char *text, size_t want)
{
    struct cw_query *query = NULL;
    struct cw_err err;
    const struct cw_line_filter **filters;
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s: %s", text, err.text);
    cr_expect_eq(cw_plan_filters(query->root->stages, &filters), want, "%s", text);
    free(filters);
    cw_query_free(&query);
}

Test(plan, line_filters_move_ahead_of_what_leaves_the_line_alone)
{
    expect_filters("{a=\"b\"}", 0);
    expect_filters("{a=\"b\"} |= \"x\" != \"y\" |~ \"z\"", 3);
    expect_filters("{a=\"b\"} | json | logfmt |= \"x\"", 1);
    expect_filters("{a=\"b\"} |= \"w\" | decolorize | label_format x=y | drop q |= \"x\"", 2);
}

Test(plan, line_filters_wait_behind_what_changes_or_decides)
{
    expect_filters("{a=\"b\"} |= \"w\" | line_format \"{{.x}}\" |= \"x\"", 1);
    expect_filters("{a=\"b\"} | unpack |= \"x\"", 0);
    expect_filters("{a=\"b\"} | json | x=\"1\" |= \"x\"", 0);
}

static void make(struct mem_store *store, bool newest_first, int64_t start, int64_t end,
                 size_t want_units)
{
    struct cw_err err;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query = NULL;
    struct cw_plan plan;
    struct cw_entry_store entries = mem_store_entry_store(store);
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &snapshot, &err), 0);
    cr_assert_eq(cw_logql_parse(CW_STR("{a=~\".+\"}"), &query, &err), 0);
    cw_query_context_init(&context, NULL, &snapshot, 0);
    cr_assert_eq(
        cw_plan_make(&context, query->root, start, end, CW_NEED_TIMES, newest_first, &plan, &err),
        0);
    cr_expect_eq(plan.units.n, want_units);
    for (size_t i = 1; i < plan.units.n; i++) {
        const struct cw_unit *a = &plan.units.items[cw_unit_order_get(plan.order, i - 1)],
                             *b = &plan.units.items[cw_unit_order_get(plan.order, i)];
        cr_expect(newest_first ? a->max_ns >= b->max_ns : a->min_ns <= b->min_ns);
    }
    cw_plan_fini(&plan);
    cw_query_free(&query);
    cw_snapshot_fini(&snapshot);
}

Test(plan, units_come_in_the_order_of_the_query)
{
    struct mem_store *store = mem_store_new(3, 2, 2);
    for (int i = 0; i < 30; i++)
        mem_store_add(store, (size_t)i % 3, i % 2 ? "{a=\"1\"}" : "{a=\"2\"}", i * 7 % 30, "x",
                      NULL);
    make(store, false, 0, 100, 18);
    make(store, true, 0, 100, 18);
    make(store, true, 50, 100, 0);
    make(store, true, 20, 10, 0);
    mem_store_free(&store);
}
