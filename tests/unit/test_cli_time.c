#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/clock.h"
#include "querier/cli/cli_time.h"

#define HOUR (3600 * CW_NS_PER_S)

static struct cw_err err;

static struct cw_cli_args args_of(const char *from, const char *to)
{
    return (struct cw_cli_args){.from = cw_str_of(from), .to = cw_str_of(to)};
}

Test(cli_time, times_of_every_kind_make_a_range)
{
    struct cw_cli_args args = args_of("2026-01-05T00:00:00Z", "1767574800000000000");
    struct cw_cli_range range;
    cr_assert_eq(cw_cli_range(&args, &range, &err), 0, "%s", err.text);
    cr_assert_eq(range.start_ns, 1767571200 * CW_NS_PER_S);
    cr_assert_eq(range.end_ns, 1767574800 * CW_NS_PER_S);
    int64_t before_ns = cw_clock_now_ns();
    args = args_of("2h", "1h");
    cr_assert_eq(cw_cli_range(&args, &range, &err), 0, "%s", err.text);
    cr_assert_eq(range.end_ns - range.start_ns, HOUR);
    cr_assert(range.end_ns >= before_ns - HOUR && range.end_ns <= cw_clock_now_ns() - HOUR);
}

Test(cli_time, since_counts_back_from_the_end)
{
    struct cw_cli_args args = args_of("", "7200000000000");
    struct cw_cli_range range;
    cr_assert_eq(cw_cli_range(&args, &range, &err), 0, "%s", err.text);
    cr_assert_eq(range.start_ns, HOUR);
    /* And ends where time does. */
    args = args_of("", "-9223372036854775807");
    cr_assert_eq(cw_cli_range(&args, &range, &err), 0, "%s", err.text);
    cr_assert_eq(range.start_ns, INT64_MIN);
}

Test(cli_time, what_is_no_time_is_told_with_its_flag)
{
    static const char *const bad[] = {
        "someday", "2026-01-32", "1x", "9223372036854775808", "-2562047h", "3000-01-01T00:00:00Z"};
    struct cw_cli_range range;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cw_cli_args args = args_of(bad[i], "");
        cr_expect_eq(cw_cli_range(&args, &range, &err), CW_E_INVALID, "%s", bad[i]);
        cr_expect_not_null(strstr(err.text, "--from: \""), "%s", err.text);
        args = args_of("", bad[i]);
        cr_expect_eq(cw_cli_range(&args, &range, &err), CW_E_INVALID, "%s", bad[i]);
        cr_expect_not_null(strstr(err.text, "--to: \""), "%s", err.text);
    }
}

Test(cli_time, words_are_of_the_zone_that_was_asked_for)
{
    const int64_t now_ns = 1767607200 * CW_NS_PER_S; /* 2026-01-05T10:00:00Z, a Monday */
    struct cw_cli_range range;
    setenv("TZ", "EAST-5:30", 1);
    tzset();
    struct cw_cli_args args = args_of("yesterday 10:30", "monday");
    cr_assert_eq(cw_cli_range_given(&args, now_ns, &range, &err), 0, "%s", err.text);
    cr_assert_eq(range.start_ns,
                 (INT64_C(1767484800) + 10 * 3600 + 1800) * CW_NS_PER_S - 5 * HOUR - HOUR / 2);
    cr_assert_eq(range.end_ns, 1767571200 * CW_NS_PER_S - 5 * HOUR - HOUR / 2);
    args.zone = CW_CLI_ZONE_UTC;
    cr_assert_eq(cw_cli_range_given(&args, now_ns, &range, &err), 0, "%s", err.text);
    cr_assert_eq(range.end_ns, 1767571200 * CW_NS_PER_S);
}

Test(cli_time, since_is_a_span_before_the_end_or_a_time)
{
    const int64_t now_ns = 1767607200 * CW_NS_PER_S;
    struct cw_cli_range range;
    struct cw_cli_args args = {.since = CW_STR("2h"), .zone = CW_CLI_ZONE_UTC};
    cr_assert_eq(cw_cli_range_given(&args, now_ns, &range, &err), 0, "%s", err.text);
    cr_assert_eq(range.start_ns, now_ns - 2 * HOUR);
    cr_assert_eq(range.end_ns, INT64_MAX);
    args.to = CW_STR("now-1h");
    cr_assert_eq(cw_cli_range_given(&args, now_ns, &range, &err), 0, "%s", err.text);
    cr_assert_eq(range.start_ns, now_ns - 3 * HOUR);
    args.since = CW_STR("today");
    cr_assert_eq(cw_cli_range_given(&args, now_ns, &range, &err), 0, "%s", err.text);
    cr_assert_eq(range.start_ns, 1767571200 * CW_NS_PER_S);
    args.since = CW_STR("-2h");
    cr_assert_eq(cw_cli_range_given(&args, now_ns, &range, &err), CW_E_INVALID);
    args.since = CW_STR("soon");
    cr_assert_eq(cw_cli_range_given(&args, now_ns, &range, &err), CW_E_INVALID);
    cr_assert_not_null(strstr(err.text, "--since: \"soon\""), "%s", err.text);
}

Test(cli_time, a_range_has_no_ends_where_none_are_given)
{
    struct cw_cli_range range;
    struct cw_cli_args args = {0};
    cr_assert_eq(cw_cli_range_given(&args, 0, &range, &err), 0);
    cr_assert(range.start_ns == INT64_MIN && range.end_ns == INT64_MAX);
    cr_assert_eq(cw_cli_range(&args, &range, &err), 0); /* of a server: an hour, until now */
    cr_assert_eq(range.end_ns - range.start_ns, HOUR);
}

Test(cli_time, a_range_that_ends_before_it_begins_is_told)
{
    struct cw_cli_args args = args_of("2", "1");
    struct cw_cli_range range;
    cr_assert_eq(cw_cli_range(&args, &range, &err), CW_E_INVALID);
    cr_assert_not_null(strstr(err.text, "ends before it begins: check --from and --to"));
}

Test(cli_time, a_range_that_begins_after_now_is_told)
{
    struct cw_cli_args args = {.from = CW_STR("tomorrow")};
    struct cw_cli_range range;
    cr_assert_eq(cw_cli_range(&args, &range, &err), CW_E_INVALID);
    cr_assert_not_null(strstr(err.text, "begins after now: check --from"));
    cr_assert_null(strstr(err.text, "--to"));
}

Test(cli_time, now_is_the_flag_or_the_clock)
{
    struct cw_cli_args args = {.now = CW_STR("12")};
    int64_t ns, before_ns = cw_clock_now_ns();
    cr_assert_eq(cw_cli_now(&args, &ns, &err), 0);
    cr_assert_eq(ns, 12);
    args.now = CW_STR("");
    cr_assert_eq(cw_cli_now(&args, &ns, &err), 0);
    cr_assert(ns >= before_ns && ns <= cw_clock_now_ns());
}

static void assert_shown(int64_t ns, enum cw_cli_zone zone, const char *want)
{
    struct cw_buf out;
    cw_buf_init(&out, 100);
    cw_cli_time_format(ns, zone, &out);
    cr_expect_str_eq(cw_buf_z(&out), want, "%s, not %s", cw_buf_z(&out), want);
    cw_buf_fini(&out);
}

Test(cli_time, times_are_shown_in_the_zone_that_was_asked_for)
{
    int64_t ns = 1767571200 * CW_NS_PER_S + 120;
    setenv("TZ", "EAST-5:30", 1); /* five and a half hours east */
    tzset();
    assert_shown(ns, CW_CLI_ZONE_UTC, "2026-01-05T00:00:00.00000012Z");
    assert_shown(ns, CW_CLI_ZONE_LOCAL, "2026-01-05T05:30:00.00000012+05:30");
    setenv("TZ", "WEST3:30", 1);
    tzset();
    assert_shown(1767571200 * CW_NS_PER_S, CW_CLI_ZONE_LOCAL, "2026-01-04T20:30:00-03:30");
    assert_shown(-1, CW_CLI_ZONE_LOCAL, "1969-12-31T20:29:59.999999999-03:30");
    setenv("TZ", "UTC", 1);
    tzset();
    assert_shown(ns, CW_CLI_ZONE_LOCAL, "2026-01-05T00:00:00.00000012Z");
    assert_shown(INT64_MIN, CW_CLI_ZONE_LOCAL, "1677-09-21T00:12:43.145224192Z");
    assert_shown(INT64_MAX, CW_CLI_ZONE_LOCAL, "2262-04-11T23:47:16.854775807Z");
}
