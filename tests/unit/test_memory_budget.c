/* test_memory_budget.c - takes, shares, peaks, and what may not be refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/memory_budget.h"

static struct cw_memory_budget budget;

static void setup(void)
{
    cw_memory_budget_init(&budget, 1000);
}

TestSuite(memory_budget, .init = setup);

Test(memory_budget, what_is_taken_is_not_there_for_others_until_it_is_given_back)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_PUSHES, 600, &err), 0);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_QUERIES, 401, &err), CW_E_OVERLOAD);
    cr_assert_not_null(strstr(err.text, "memory.limit is 1000"), "%s", err.text);
    cr_assert_eq(cw_memory_used(&budget, CW_MEMORY_QUERIES), 0);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_QUERIES, 400, &err), 0);
    cw_memory_give(&budget, CW_MEMORY_PUSHES, 600);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_QUERIES, 600, &err), 0);
    cr_assert_eq(cw_memory_used(&budget, CW_MEMORY_QUERIES), 1000);
}

Test(memory_budget, a_share_bounds_one_use_and_is_named)
{
    struct cw_err err = {0};
    cw_memory_budget_share(&budget, CW_MEMORY_QUERIES, 300);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_QUERIES, 301, &err), CW_E_OVERLOAD);
    cr_assert_not_null(strstr(err.text, "queries"), "%s", err.text);
    cr_assert_not_null(strstr(err.text, "300"), "%s", err.text);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_QUERIES, 300, &err), 0);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_PUSHES, 700, &err), 0, "others have the rest");
}

Test(memory_budget, what_cannot_be_refused_is_counted_over_the_limit)
{
    struct cw_err err = {0};
    cw_memory_add(&budget, CW_MEMORY_HEAD, 5000);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_PUSHES, 1, &err), CW_E_OVERLOAD);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_PUSHES, UINT64_MAX, &err), CW_E_OVERLOAD,
                 "sums do not wrap");
    cw_memory_give(&budget, CW_MEMORY_HEAD, 5000);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_PUSHES, 1000, &err), 0);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_PUSHES, UINT64_MAX, &err), CW_E_OVERLOAD);
}

Test(memory_budget, the_peak_stays_when_memory_goes)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_MERGE, 70, &err), 0);
    cw_memory_add(&budget, CW_MEMORY_MERGE, 30);
    cw_memory_give(&budget, CW_MEMORY_MERGE, 100);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_MERGE, 50, &err), 0);
    cr_assert_eq(cw_memory_used(&budget, CW_MEMORY_MERGE), 50);
    cr_assert_eq(cw_memory_peak(&budget, CW_MEMORY_MERGE), 100);
}

Test(memory_budget, without_a_budget_there_is_room)
{
    cr_assert_eq(cw_memory_take(NULL, CW_MEMORY_HEAD, UINT64_MAX, NULL), 0);
    cw_memory_add(NULL, CW_MEMORY_HEAD, 1);
    cw_memory_give(NULL, CW_MEMORY_HEAD, 1);
}
