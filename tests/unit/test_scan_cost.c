#include <criterion/criterion.h>

#include "querier/engine/scan_cost.h"

#define MB UINT64_C(1000000)

Test(scan_cost, is_believed_before_anything_ran_and_orders_kinds_by_what_they_do)
{
    uint64_t count = cw_scan_costs_estimate(NULL, CW_SCAN_COUNT, 100 * MB),
             filter = cw_scan_costs_estimate(NULL, CW_SCAN_FILTER, 100 * MB),
             lines = cw_scan_costs_estimate(NULL, CW_SCAN_LINES, 100 * MB);
    cr_expect_gt(count, 0);
    cr_expect_lt(count, filter);
    cr_expect_lt(filter, lines);
    cr_expect_eq(cw_scan_costs_estimate(NULL, CW_SCAN_LINES, 0), 0);
}

Test(scan_cost, follows_what_ran_of_the_same_kind)
{
    struct cw_scan_costs costs = {0};
    uint64_t believed = cw_scan_costs_estimate(&costs, CW_SCAN_COUNT, MB);
    cr_expect_eq(believed, cw_scan_costs_estimate(NULL, CW_SCAN_COUNT, MB));
    for (int i = 0; i < 100; i++)
        cw_scan_costs_add(&costs, CW_SCAN_LINES, 100 * MB, 100 * MB * 7); /* 7 ns a byte */
    uint64_t lines = cw_scan_costs_estimate(&costs, CW_SCAN_LINES, MB);
    cr_expect(lines > MB * 69 / 10 && lines <= MB * 7, "%llu", (unsigned long long)lines);
    cr_expect_eq(cw_scan_costs_estimate(&costs, CW_SCAN_COUNT, MB), believed);
}

Test(scan_cost, knows_kinds_by_what_a_scan_asks_for)
{
    struct cw_scan scan = {.need = CW_NEED_TIMES};
    cr_expect_eq(cw_scan_kind_of(&scan), CW_SCAN_COUNT);
    scan.nfilters = 1;
    cr_expect_eq(cw_scan_kind_of(&scan), CW_SCAN_FILTER);
    scan.need |= CW_NEED_LINES;
    cr_expect_eq(cw_scan_kind_of(&scan), CW_SCAN_LINES);
    cr_expect_str_eq(cw_scan_kind_name(CW_SCAN_LINES), "lines");
}
