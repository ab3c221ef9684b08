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

static void expect_meta_filters(const char *text, const char *names)
{
    struct cw_query *query = NULL;
    struct cw_err err;
    struct cw_meta_filter *filters;
    struct cw_buf got;
    cw_buf_init(&got, 1000);
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s: %s", text, err.text);
    size_t n = cw_plan_meta_filters(query->root->stages, &filters);
    for (size_t i = 0; i < n; i++) {
        cw_buf_adds(&got, filters[i].matcher->name);
        cw_buf_addc(&got, ' ');
        cw_meta_filter_fini(&filters[i]);
    }
    cr_expect_str_eq(cw_buf_z(&got), names, "%s", text);
    cw_buf_fini(&got);
    free(filters);
    cw_query_free(&query);
}

Test(plan, label_filters_are_asked_of_metadata_as_far_as_nothing_else_gives_labels)
{
    expect_meta_filters("{a=\"b\"}", "");
    expect_meta_filters("{a=\"b\"} | x=\"1\"", "x ");
    expect_meta_filters("{a=\"b\"} |= \"w\" | x=\"1\" != \"v\" | y!~\"2\", z=\"3\"", "x y z ");
    expect_meta_filters("{a=\"b\"} | x=\"1\" and (y=\"2\" or z=\"3\") and u!=\"4\"", "x u ");
    expect_meta_filters("{a=\"b\"} | x=\"1\" or y=\"2\"", "");
    expect_meta_filters("{a=\"b\"} | n > 5 | d > 5s | x=\"1\" | ip=ip(\"10.0.0.0/8\") | y=\"2\"",
                        "x y ");
    expect_meta_filters("{a=\"b\"} | x=\"1\" | json | y=\"2\"", "x ");
    expect_meta_filters("{a=\"b\"} | label_format x=y | x=\"1\"", "");
    expect_meta_filters("{a=\"b\"} | drop x | x=\"1\"", "");
    expect_meta_filters("{a=\"b\"} | __error__=\"\" | x_extracted=\"1\"", "");
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
