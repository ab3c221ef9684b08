#include <criterion/criterion.h>

#include "querier/api/live_tails.h"

Test(live_tails, each_tenant_has_a_bound_of_its_own)
{
    struct cw_live_tails *tails = cw_live_tails_new();
    uint32_t n;
    cw_live_tails_hold(tails);
    cr_assert(cw_live_tails_enter(tails, CW_STR("a"), 2, &n));
    cr_assert(cw_live_tails_enter(tails, CW_STR("a"), 2, &n));
    cr_expect_not(cw_live_tails_enter(tails, CW_STR("a"), 2, &n));
    cr_expect_eq(n, 3);
    cr_assert(cw_live_tails_enter(tails, CW_STR("b"), 1, &n));
    cr_expect_eq(n, 1);
    cr_expect_eq(cw_live_tails_count(tails), 3);
    cw_live_tails_leave(tails, CW_STR("a"));
    cr_expect(cw_live_tails_enter(tails, CW_STR("a"), 2, &n));
    cr_expect_not(cw_live_tails_enter(tails, CW_STR("c"), 0, &n), "no tails at all");
    cw_live_tails_leave(tails, CW_STR("a"));
    cw_live_tails_leave(tails, CW_STR("a"));
    cw_live_tails_leave(tails, CW_STR("b"));
    cr_expect_eq(cw_live_tails_count(tails), 0);
    cw_live_tails_drop(tails);
    cw_live_tails_free(&tails);
    cr_expect_null(tails);
}
