#include <criterion/criterion.h>

#include "common/match/line_filter.h"
#include "common/match/match_stop.h"

Test(match_stop, a_regex_over_lines_ends_when_the_flag_is_raised)
{
    struct cw_line_filter *filter;
    struct cw_err err;
    atomic_bool stop = false;
    const uint32_t offsets[] = {0, 3, 6};
    uint64_t keep = 3;
    cr_assert_eq(cw_line_filter_new(CW_FILTER_RE, &filter, &err), 0);
    cr_assert_eq(cw_line_filter_add(filter, CW_STR("a.*c$"), 0, &err), 0);
    cw_match_stop_watch(&stop);
    cr_expect_eq(cw_line_filter_match(filter, CW_STR("abc"), &err), 1);
    cr_expect_eq(cw_line_filter_select(filter, "abcabd", offsets, 2, &keep, &err), 0);
    cr_expect_eq(keep, 1);
    atomic_store(&stop, true);
    keep = 3;
    cr_expect_eq(cw_line_filter_match(filter, CW_STR("abc"), &err), CW_E_CANCELED);
    cr_expect_eq(cw_line_filter_select(filter, "abcabd", offsets, 2, &keep, &err), CW_E_CANCELED);
    cw_match_stop_watch(NULL);
    cr_expect_eq(cw_line_filter_match(filter, CW_STR("abc"), &err), 1);
    cw_line_filter_free(&filter);
}
