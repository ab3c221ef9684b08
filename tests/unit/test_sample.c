/* test_sample.c - grids and tables. */
#include <criterion/criterion.h>
#include "common/base/clock.h"
#include "querier/engine/sample.h"

#define S CW_NS_PER_S

Test(sample, a_range_grid_rounds_start_down_and_end_up_to_steps)
{
    struct cw_grid grid;
    struct cw_err err = {0};
    cr_assert_eq(cw_grid_init_range(&grid, 61 * S, 179 * S, 60 * S, &err), 0);
    cr_expect_eq(grid.start_ns, 60 * S);
    cr_expect_eq(grid.n, 3);
    cr_assert_eq(cw_grid_init_range(&grid, 60 * S, 60 * S, 60 * S, &err), 0);
    cr_expect_eq(grid.n, 1);
    cr_assert_eq(cw_grid_init_range(&grid, -61 * S, -1, 60 * S, &err), 0);
    cr_expect_eq(grid.start_ns, -120 * S);
    cr_expect_eq(grid.n, 3);
    cr_expect_eq(cw_grid_time(&grid, 2), 0);
}

Test(sample, a_grid_that_cannot_be_is_refused_in_lokis_words)
{
    struct cw_grid grid;
    struct cw_err err = {0};
    cr_expect_eq(cw_grid_init_range(&grid, 0, S, 0, &err), CW_E_INVALID);
    cr_expect_str_eq(
        err.text,
        "zero or negative query resolution step widths are not accepted. Try a positive integer");
    cr_expect_eq(cw_grid_init_range(&grid, 0, S, -1, &err), CW_E_INVALID);
    cr_expect_eq(cw_grid_init_range(&grid, S, 0, S, &err), CW_E_INVALID);
    cr_expect_eq(cw_grid_init_range(&grid, 0, 11001 * S, S, &err), CW_E_INVALID);
    cr_expect_str_eq(err.text, "exceeded maximum resolution of 11,000 points per timeseries. Try "
                               "decreasing the query resolution (?step=XX)");
    cr_expect_eq(cw_grid_init_range(&grid, 0, 11000 * S, S, &err), 0);
    cr_expect_eq(cw_grid_init_range(&grid, INT64_MIN, INT64_MAX, INT64_MAX, &err), CW_E_INVALID);
    cr_expect_eq(cw_grid_init_range(&grid, INT64_MAX - 1, INT64_MAX, 1, &err), CW_E_INVALID);
}

Test(sample, a_table_keeps_labels_values_and_gaps)
{
    struct cw_grid grid = {.start_ns = 0, .step_ns = 1, .n = 130};
    struct cw_allowance allowance;
    struct cw_err err = {0};
    cw_allowance_init(&allowance, 10000);
    struct cw_table *table = cw_table_new(&grid, &allowance);
    struct cw_label b = {CW_STR("a"), CW_STR("2")}, a = {CW_STR("a"), CW_STR("1")};
    struct cw_series *series;
    cr_assert_eq(cw_table_add(table, (struct cw_labels){&b, 1}, CW_TABLE_COPY, &series, &err), 0);
    cw_series_set(series, 129, 5);
    cr_assert_eq(cw_table_add(table, (struct cw_labels){&a, 1}, CW_TABLE_COPY, &series, &err), 0);
    cr_expect_eq(cw_series_count(series, grid.n), 0);
    cr_assert_eq(cw_table_sort(table, &err), 0);
    cr_expect(cw_str_eqz(table->items[0].labels.items[0].value, "1"));
    cr_expect(cw_series_has(&table->items[1], 129));
    cr_expect(!cw_series_has(&table->items[1], 128));
    cw_series_unset(&table->items[1], 129);
    cr_expect_eq(cw_series_count(&table->items[1], grid.n), 0);
    int rc = 0;
    for (int i = 0; rc == 0 && i < 100; i++)
        rc = cw_table_add(table, CW_LABELS_NONE, CW_TABLE_BORROW, &series, &err);
    cr_expect_eq(rc, CW_E_LIMIT);
    cw_table_free(&table);
    cr_expect_eq(atomic_load(&allowance.used), 0);
}
