#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/clock.h"
#include "querier/local/zone_time.h"

static int64_t seconds(const char *text)
{
    int64_t ns = 0;
    cr_assert(cw_time_parse_rfc3339(cw_str_of(text), &ns), "%s", text);
    return ns / CW_NS_PER_S;
}

static void use_zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

Test(zone_time, wall_times_are_moments_also_where_clocks_are_changed)
{
    static const struct {
        const char *zone, *wall, *moment;
    } rows[] = {
        {"Europe/Vienna", "2026-01-05T10:00:00Z", "2026-01-05T09:00:00Z"},
        {"Europe/Vienna", "2026-07-05T10:00:00Z", "2026-07-05T08:00:00Z"},
        {"Europe/Vienna", "2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z"},
        {"Europe/Vienna", "2026-03-29T02:30:00Z", "2026-03-29T01:30:00Z"}, /* never: 03:30 */
        {"Europe/Vienna", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"},
        {"Europe/Vienna", "2026-10-25T01:59:59Z", "2026-10-24T23:59:59Z"},
        {"Europe/Vienna", "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z"}, /* twice: the first */
        {"Europe/Vienna", "2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"},
        {"America/New_York", "2026-03-08T01:59:59Z", "2026-03-08T06:59:59Z"},
        {"America/New_York", "2026-03-08T03:00:00Z", "2026-03-08T07:00:00Z"},
        {"America/New_York", "2026-11-01T01:30:00Z", "2026-11-01T05:30:00Z"},
        {"Australia/Lord_Howe", "2026-04-05T01:45:00Z", "2026-04-04T14:45:00Z"}, /* half an hour */
        {"Asia/Kathmandu", "2026-01-05T10:00:00Z", "2026-01-05T04:15:00Z"},
        {"UTC", "2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cw_zone_time zone;
        use_zone(rows[i].zone);
        cw_zone_time_init(&zone, CW_ZONE_LOCAL);
        for (int again = 0; again < 2; again++) /* from the cache too */
            cr_expect_eq(cw_zone_time_of_wall(&zone, seconds(rows[i].wall)),
                         seconds(rows[i].moment), "%s %s", rows[i].zone, rows[i].wall);
    }
}

Test(zone_time, every_quarter_of_a_year_comes_back)
{
    struct cw_zone_time zone;
    use_zone("Europe/Vienna");
    cw_zone_time_init(&zone, CW_ZONE_LOCAL);
    int64_t start = seconds("2026-01-01T00:00:00Z"), twice = 0;
    for (int64_t t = start; t < start + INT64_C(365) * 86400; t += 900) {
        int64_t wall = cw_zone_time_to_wall(&zone, t), back = cw_zone_time_of_wall(&zone, wall);
        if (back != t) {
            twice++;
            cr_assert_eq(back, t - 3600); /* an hour that is shown twice: the first */
        }
    }
    cr_assert_eq(twice, 4);
}

Test(zone_time, utc_has_no_offset_whatever_the_machine_has)
{
    struct cw_zone_time zone;
    use_zone("Asia/Tokyo");
    cw_zone_time_init(&zone, CW_ZONE_UTC);
    cr_assert_eq(cw_zone_time_of_wall(&zone, 1767607200), 1767607200);
    cr_assert_eq(cw_zone_time_to_wall(&zone, 1767607200), 1767607200);
    cw_zone_time_init(&zone, CW_ZONE_LOCAL);
    cr_assert_eq(cw_zone_time_of_wall(&zone, 1767607200), 1767607200 - 9 * 3600);
    cr_assert_eq(cw_zone_time_of_wall(&zone, -1), -1 - 9 * 3600);
}
