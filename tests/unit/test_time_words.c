#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/clock.h"
#include "querier/cli/time_words.h"

static int64_t rfc3339(const char *text)
{
    int64_t ns = 0;
    cr_assert(cw_time_parse_rfc3339(cw_str_of(text), &ns), "%s", text);
    return ns;
}

static void use_zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

struct row {
    const char *zone, *now, *text, *time;
};

static void expect(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t ns = 0;
        use_zone(rows[i].zone);
        cr_expect(
            cw_time_words_parse(cw_str_of(rows[i].text), rfc3339(rows[i].now), CW_ZONE_LOCAL, &ns),
            "%s", rows[i].text);
        cr_expect_eq(ns, rfc3339(rows[i].time), "%s, at %s in %s: %lld", rows[i].text, rows[i].now,
                     rows[i].zone, (long long)ns);
    }
}

#define SATURDAY "2026-11-28T15:41:24.5Z"

Test(time_words, times_are_said_in_many_ways)
{
    static const struct row rows[] = {
        {"UTC", SATURDAY, "now", SATURDAY},
        {"UTC", SATURDAY, " Now ", SATURDAY},
        {"UTC", SATURDAY, "now-15m", "2026-11-28T15:26:24.5Z"},
        {"UTC", SATURDAY, "now - 1h30m", "2026-11-28T14:11:24.5Z"},
        {"UTC", SATURDAY, "now+1d", "2026-11-29T15:41:24.5Z"},
        {"UTC", SATURDAY, "2h ago", "2026-11-28T13:41:24.5Z"},
        {"UTC", SATURDAY, "2 hours ago", "2026-11-28T13:41:24.5Z"},
        {"UTC", SATURDAY, "an hour ago", "2026-11-28T14:41:24.5Z"},
        {"UTC", SATURDAY, "90 Minutes AGO", "2026-11-28T14:11:24.5Z"},
        {"UTC", SATURDAY, "3 days ago", "2026-11-25T15:41:24.5Z"},
        {"UTC", SATURDAY, "1 week ago", "2026-11-21T15:41:24.5Z"},
        {"UTC", SATURDAY, "10:30", "2026-11-28T10:30:00Z"},
        {"UTC", SATURDAY, "9:05", "2026-11-28T09:05:00Z"},
        {"UTC", SATURDAY, "23:59:59", "2026-11-28T23:59:59Z"}, /* later today */
        {"UTC", SATURDAY, "today", "2026-11-28T00:00:00Z"},
        {"UTC", SATURDAY, "today 10:30", "2026-11-28T10:30:00Z"},
        {"UTC", SATURDAY, "yesterday", "2026-11-27T00:00:00Z"},
        {"UTC", SATURDAY, "Yesterday  10:30", "2026-11-27T10:30:00Z"},
        {"UTC", SATURDAY, "tomorrow", "2026-11-29T00:00:00Z"},
        {"UTC", SATURDAY, "2026-11-28", "2026-11-28T00:00:00Z"},
        {"UTC", SATURDAY, "2024-02-29 23:59", "2024-02-29T23:59:00Z"},
        {"UTC", SATURDAY, "2026-11-28T10:30", "2026-11-28T10:30:00Z"},
        {"UTC", SATURDAY, "2026-11-28T10:30:15", "2026-11-28T10:30:15Z"},
        {"UTC", SATURDAY, "monday", "2026-11-23T00:00:00Z"},
        {"UTC", SATURDAY, "Mon 08:00", "2026-11-23T08:00:00Z"},
        {"UTC", SATURDAY, "friday", "2026-11-27T00:00:00Z"},
        {"UTC", SATURDAY, "saturday", "2026-11-28T00:00:00Z"}, /* today */
        {"UTC", SATURDAY, "sunday", "2026-11-22T00:00:00Z"},
        {"UTC", "1969-12-31T12:00:00Z", "yesterday", "1969-12-30T00:00:00Z"},
    };
    expect(rows, sizeof rows / sizeof rows[0]);
}

Test(time_words, days_and_times_of_day_are_of_the_zone)
{
    static const struct row rows[] = {
        /* Already Sunday in Tokyo, still Friday evening on Midway. */
        {"Asia/Tokyo", "2026-11-28T15:41:00Z", "today", "2026-11-28T15:00:00Z"},
        {"Asia/Tokyo", "2026-11-28T15:41:00Z", "sunday", "2026-11-28T15:00:00Z"},
        {"Asia/Tokyo", "2026-11-28T15:41:00Z", "10:30", "2026-11-29T01:30:00Z"},
        {"Pacific/Midway", "2026-11-28T10:00:00Z", "today", "2026-11-27T11:00:00Z"},
        {"Pacific/Midway", "2026-11-28T10:00:00Z", "yesterday 10:30", "2026-11-26T21:30:00Z"},
        {"Asia/Kathmandu", SATURDAY, "2026-11-28", "2026-11-27T18:15:00Z"},
    };
    expect(rows, sizeof rows / sizeof rows[0]);
    int64_t ns;
    use_zone("Asia/Tokyo");
    cr_assert(cw_time_words_parse(CW_STR("10:30"), rfc3339(SATURDAY), CW_ZONE_UTC, &ns));
    cr_assert_eq(ns, rfc3339("2026-11-28T10:30:00Z"));
}

Test(time_words, days_on_which_clocks_are_changed_begin_and_end_where_they_do)
{
    static const struct row rows[] = {
        /* 29 March 2026 has 23 hours in Vienna, 25 October 25. */
        {"Europe/Vienna", "2026-03-29T20:00:00Z", "today", "2026-03-28T23:00:00Z"},
        {"Europe/Vienna", "2026-03-30T20:00:00Z", "today", "2026-03-29T22:00:00Z"},
        {"Europe/Vienna", "2026-03-30T20:00:00Z", "yesterday", "2026-03-28T23:00:00Z"},
        {"Europe/Vienna", "2026-03-30T20:00:00Z", "yesterday 10:30", "2026-03-29T08:30:00Z"},
        {"Europe/Vienna", "2026-03-30T20:00:00Z", "yesterday 01:30", "2026-03-29T00:30:00Z"},
        {"Europe/Vienna", "2026-03-30T20:00:00Z", "yesterday 02:30", "2026-03-29T01:30:00Z"},
        {"Europe/Vienna", "2026-03-30T20:00:00Z", "1d ago", "2026-03-29T20:00:00Z"},
        {"Europe/Vienna", "2026-10-26T20:00:00Z", "yesterday", "2026-10-24T22:00:00Z"},
        {"Europe/Vienna", "2026-10-26T20:00:00Z", "today", "2026-10-25T23:00:00Z"},
        {"Europe/Vienna", "2026-10-25T20:00:00Z", "02:30", "2026-10-25T00:30:00Z"},
        {"Europe/Vienna", "2026-10-25T20:00:00Z", "03:30", "2026-10-25T02:30:00Z"},
        {"America/New_York", "2026-03-09T12:00:00Z", "sunday", "2026-03-08T05:00:00Z"},
        {"America/New_York", "2026-03-09T12:00:00Z", "sunday 04:00", "2026-03-08T08:00:00Z"},
        {"America/New_York", "2026-11-02T12:00:00Z", "sunday", "2026-11-01T04:00:00Z"},
        /* Where clocks are changed at midnight a day begins at 01:00. */
        {"America/Asuncion", "2023-10-01T12:00:00Z", "today", "2023-10-01T04:00:00Z"},
    };
    expect(rows, sizeof rows / sizeof rows[0]);
}

Test(time_words, what_is_no_time_is_refused)
{
    static const char *const bad[] = {
        "",
        "x",
        "now15m",
        "now-",
        "now--1h",
        "ago",
        " ago",
        "2 ago",
        "hours ago",
        "-2h ago",
        "2 moons ago",
        "24:00",
        "10:60",
        "10:3",
        "10:30:60",
        "10:30:1",
        "10:30 x",
        "10:30pm",
        "1030",
        "today 25:00",
        "yesterday x",
        "2026-02-29",
        "2026-13-01",
        "2026-11-31",
        "2026-1-5",
        "2026-00-10",
        "someday",
        "mo",
        "monday monday",
        "9223372036854775807 weeks ago",
        "2026-11-28T",
        "2026-11-28T25:00",
        "now-9223372036s1",
        "1677-01-01",
        "2263-01-01",
    };
    int64_t ns;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(cw_time_words_parse(cw_str_of(bad[i]), rfc3339(SATURDAY), CW_ZONE_UTC, &ns),
                      "%s", bad[i]);
    }
}
