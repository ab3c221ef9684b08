#include <criterion/criterion.h>
#include <stdio.h>

#include "querier/engine/distinct.h"

/* `n` values, each `times` times. */
static uint64_t count(size_t n, size_t times)
{
    struct cw_distinct distinct = {0};
    for (size_t i = 0; i < n * times; i++) {
        char value[32];
        int len = snprintf(value, sizeof value, "value-%zu", i % n);
        cw_distinct_add(&distinct, cw_str_make(value, (size_t)len));
    }
    uint64_t got = cw_distinct_get(&distinct);
    cw_distinct_fini(&distinct);
    return got;
}

Test(distinct, no_value_is_none)
{
    cr_expect_eq(count(0, 1), 0);
}

Test(distinct, few_values_are_counted_exactly)
{
    cr_expect_eq(count(1, 5), 1);
    cr_expect_eq(count(17, 3), 17);
    cr_expect_eq(count(CW_DISTINCT_EXACT, 2), CW_DISTINCT_EXACT);
}

Test(distinct, many_values_are_estimated)
{
    for (size_t n = CW_DISTINCT_EXACT + 1; n < 1000000; n *= 3) {
        double got = (double)count(n, 2);
        cr_expect(got > 0.97 * (double)n && got < 1.03 * (double)n, "%zu are told as %.0f", n, got);
    }
}

Test(distinct, an_empty_value_is_one)
{
    struct cw_distinct distinct = {0};
    cw_distinct_add(&distinct, CW_STR_NONE);
    cr_expect_eq(cw_distinct_get(&distinct), 1);
    cw_distinct_fini(&distinct);
}
