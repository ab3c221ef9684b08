#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/base/clock.h"

#define MINUTE (60 * CW_NS_PER_S)
#define HOUR (60 * MINUTE)

struct duration_case {
    const char *text;
    int64_t ns;
};

Test(duration, go_durations_are_read)
{
    static const struct duration_case cases[] = {
        {"0", 0},
        {"-0", 0},
        {"+0", 0},
        {"0s", 0},
        {"5s", 5 * CW_NS_PER_S},
        {"1h30m", HOUR + 30 * MINUTE},
        {"1.5s", 1500000000},
        {".5s", 500000000},
        {"5.s", 5 * CW_NS_PER_S},
        {"-1.5h", -HOUR - 30 * MINUTE},
        {"+5s", 5 * CW_NS_PER_S},
        {"1m1h", HOUR + MINUTE},
        {"1s1s", 2 * CW_NS_PER_S},
        {"12\xC2\xB5s", 12000},
        {"12\xCE\xBCs", 12000},
        {"12us", 12000},
        {"7ns", 7},
        {"3ms4us5ns", 3004005},
        {"39h9m14.425s", 39 * HOUR + 9 * MINUTE + 14425000000},
        {"9223372036854775807ns", INT64_MAX},
        {"9223372036854775.807us", INT64_MAX},
        {"-9223372036854775808ns", INT64_MIN},
        {"-9223372036s854ms775us808ns", INT64_MIN},
        {"0.100000000000000000000h", 6 * MINUTE},
        {"0.9223372036854775807h", 3320413933267},
        {"0.3333333333333333333h", 20 * MINUTE},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        int64_t ns = 42;
        cr_assert(cw_duration_parse_go(cw_str_of(cases[i].text), &ns), "%s", cases[i].text);
        cr_assert_eq(ns, cases[i].ns, "%s: %ld", cases[i].text, ns);
    }
}

Test(duration, what_is_no_go_duration_is_refused)
{
    static const char *const bad[] = {
        "",
        "3",
        "-",
        "s",
        ".",
        "-.",
        ".s",
        "+.s",
        "1d",
        "1 h",
        " 1h",
        "1h ",
        "1h-1m",
        "1hh",
        "0x1s",
        "1e3s",
        "9223372036854775808ns",
        "-9223372036854775809ns",
        "9223372036854775.808us",
        "3000000h",
        "9223372036854775807ns1ns",
        "9223372036854775808ns9223372036854775808ns",
        "-9223372036854775808ns9223372036854775808ns",
        "99999999999999999999h",
        "1\xC2s",
        "--1s",
    };
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        int64_t ns = 42;
        cr_assert_not(cw_duration_parse_go(cw_str_of(bad[i]), &ns), "%s", bad[i]);
        cr_assert_eq(ns, 42);
    }
}

Test(duration, prometheus_durations_are_read)
{
    static const struct duration_case cases[] = {
        {"0", 0},
        {"0s", 0},
        {"5m", 5 * MINUTE},
        {"100ms", 100 * CW_NS_PER_MS},
        {"1d12h", 36 * HOUR},
        {"1y2w3d4h5m6s7ms",
         (365 + 14 + 3) * 24 * HOUR + 4 * HOUR + 5 * MINUTE + 6 * CW_NS_PER_S + 7 * CW_NS_PER_MS},
        {"90d", 90 * 24 * HOUR},
        {"292y", 292 * 365 * 24 * HOUR},
        {"00005m", 5 * MINUTE},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        int64_t ns = 42;
        cr_assert(cw_duration_parse_prom(cw_str_of(cases[i].text), &ns), "%s", cases[i].text);
        cr_assert_eq(ns, cases[i].ns, "%s: %ld", cases[i].text, ns);
    }
    static const char *const bad[] = {"",
                                      "1",
                                      "m",
                                      "1m1m",
                                      "1m1h",
                                      "1.5h",
                                      "-5m",
                                      "+5m",
                                      "5us",
                                      "5 m",
                                      "1ms1s",
                                      "293y",
                                      "9223372036854775808ms",
                                      "99999999999999999999s",
                                      "5M"};
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        int64_t ns = 42;
        cr_assert_not(cw_duration_parse_prom(cw_str_of(bad[i]), &ns), "%s", bad[i]);
        cr_assert_eq(ns, 42);
    }
}

Test(duration, go_format_reads_back)
{
    static const struct duration_case cases[] = {
        {"0s", 0},
        {"1ns", 1},
        {"1.1\xC2\xB5s", 1100},
        {"2.2ms", 2200000},
        {"3.3s", 3300000000},
        {"4m5s", 4 * MINUTE + 5 * CW_NS_PER_S},
        {"4m5.001s", 4 * MINUTE + 5001000000},
        {"1h30m0s", HOUR + 30 * MINUTE},
        {"5h6m7.001s", 5 * HOUR + 6 * MINUTE + 7001000000},
        {"8m0.000000001s", 8 * MINUTE + 1},
        {"2562047h47m16.854775807s", INT64_MAX},
        {"-2562047h47m16.854775808s", INT64_MIN},
        {"-1h0m0s", -HOUR},
        {"999ms", 999 * CW_NS_PER_MS},
        {"1s", CW_NS_PER_S},
    };
    struct cw_buf buf;
    cw_buf_init(&buf, 100);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_buf_clear(&buf);
        cw_duration_format_go(cases[i].ns, &buf);
        cr_assert_str_eq(cw_buf_z(&buf), cases[i].text);
        int64_t ns;
        cr_assert(cw_duration_parse_go(cw_buf_str(&buf), &ns));
        cr_assert_eq(ns, cases[i].ns);
    }
    cw_buf_fini(&buf);
}

Test(duration, prometheus_format_prefers_days_to_odd_weeks)
{
    static const struct duration_case cases[] = {
        {"0s", 0},
        {"0s", 999999},
        {"324ms", 324000000},
        {"3s", 3 * CW_NS_PER_S},
        {"5m", 5 * MINUTE},
        {"1h", HOUR},
        {"4d", 96 * HOUR},
        {"4d1h", 97 * HOUR},
        {"2w", 14 * 24 * HOUR},
        {"90d", 90 * 24 * HOUR},
        {"10y", 10 * 365 * 24 * HOUR},
        {"1h30m", HOUR + 30 * MINUTE},
        {"-5m", -5 * MINUTE},
    };
    struct cw_buf buf;
    cw_buf_init(&buf, 100);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_buf_clear(&buf);
        cw_duration_format_prom(cases[i].ns, &buf);
        cr_assert_str_eq(cw_buf_z(&buf), cases[i].text);
    }
    cw_buf_fini(&buf);
}
