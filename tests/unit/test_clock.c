#include <criterion/criterion.h>

#include <time.h>

#include "common/base/assert.h"
#include "common/base/clock.h"

static const char *rfc3339(int64_t ns)
{
    static struct cw_buf buf = {.max = 100};
    cw_buf_clear(&buf);
    cw_time_format_rfc3339(ns, &buf);
    return cw_buf_z(&buf);
}

Test(clock, monotonic_time_does_not_go_back_and_wall_time_is_ours)
{
    int64_t a = cw_clock_mono_ns(), b = cw_clock_mono_ns();
    cr_assert_leq(a, b);
    cr_assert_leq(llabs(cw_clock_now_ns() / CW_NS_PER_S - (int64_t)time(NULL)), 2);
    cr_assert_geq(cw_clock_thread_cpu_ns(), 0);
}

Test(clock, rfc3339_is_read)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-05T10:00:00Z", 1767607200000000000},
        {"2026-01-05T10:00:00.5Z", 1767607200500000000},
        {"2026-01-05T10:00:00.123456789Z", 1767607200123456789},
        {"2026-01-05T10:00:00.1234567891Z", 1767607200123456789},
        {"2026-01-05T12:30:00+02:30", 1767607200000000000},
        {"2026-01-04T23:00:00-11:00", 1767607200000000000},
        {"1969-12-31T23:59:59.999999999Z", -1},
        {"2024-02-29T00:00:00Z", 1709164800000000000},
        {"2000-02-29T00:00:00Z", 951782400000000000},
        {"1677-09-21T00:12:43.145224192Z", INT64_MIN},
        {"2262-04-11T23:47:16.854775807Z", INT64_MAX},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        int64_t ns = 42;
        cr_assert(cw_time_parse_rfc3339(cw_str_of(cases[i].text), &ns), "%s", cases[i].text);
        cr_assert_eq(ns, cases[i].ns, "%s: %ld", cases[i].text, ns);
    }
}

Test(clock, what_is_not_rfc3339_is_refused)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-01-05",
        "2026-01-05T10:00:00",
        "2026-01-05 10:00:00Z",
        "2026-1-5T10:00:00Z",
        "2026-13-05T10:00:00Z",
        "2026-00-05T10:00:00Z",
        "2026-01-32T10:00:00Z",
        "2026-01-00T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T10:00:00Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05T10:60:00Z",
        "2026-01-05T10:00:60Z",
        "2026-01-05T10:00:00.Z",
        "2026-01-05T10:00:00Zx",
        "2026-01-05T10:00:00+0200",
        "2026-01-05T10:00:00+24:00",
        "2026-01-05T10:00:00+02:60",
        "1677-09-21T00:12:43.145224191Z",
        "2262-04-11T23:47:16.854775808Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-026-01-05T10:00:00Z",
        "2026-01-05t10:00:00z",
    };
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        int64_t ns = 42;
        cr_assert_not(cw_time_parse_rfc3339(cw_str_of(bad[i]), &ns), "%s", bad[i]);
        cr_assert_eq(ns, 42);
    }
}

Test(clock, rfc3339_is_written_with_the_digits_needed)
{
    cr_assert_str_eq(rfc3339(0), "1970-01-01T00:00:00Z");
    cr_assert_str_eq(rfc3339(1767607200500000000), "2026-01-05T10:00:00.5Z");
    cr_assert_str_eq(rfc3339(1767607200000000001), "2026-01-05T10:00:00.000000001Z");
    cr_assert_str_eq(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
    cr_assert_str_eq(rfc3339(INT64_MIN), "1677-09-21T00:12:43.145224192Z");
    cr_assert_str_eq(rfc3339(INT64_MAX), "2262-04-11T23:47:16.854775807Z");
}

Test(clock, dates_agree_with_the_c_library_on_every_day)
{
    for (int64_t day = -200000; day < 200000; day++) {
        int year, month, mday;
        time_t seconds = day * 86400;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        cw_day_to_date(day, &year, &month, &mday);
        cr_assert(year == tm.tm_year + 1900 && month == tm.tm_mon + 1 && mday == tm.tm_mday,
                  "day %ld", day);
        cr_assert_eq(cw_date_to_day(year, month, mday), day);
    }
}
