#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/template/go_time.h"

static void check_format(struct cw_go_time t, const char *layout, const char *want)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cw_go_time_format(t, cw_str_of(layout), &out);
    cr_expect_str_eq(cw_buf_z(&out), want, "%s: %s", layout, cw_buf_z(&out));
    cw_buf_fini(&out);
}

Test(go_time, layouts_are_written_as_go_writes_them)
{
    struct cw_go_time t = cw_go_time_unix(1673798889, 902000123);
    check_format(t, "Mon Jan _2 15:04:05 MST 2006", "Sun Jan 15 16:08:09 UTC 2023");
    check_format(t, "Monday, January 2nd 06 3:04:05 PM pm",
                 "Sunday, January 15nd 23 4:08:09 PM pm");
    check_format(t, "05.000 05.999999999 05,00 .999x", "09.902 09.902000123 09,90 .902x");
    check_format(t, "002 __2 _2006 01 1", "015  15 _2023 01 1");
    check_format(t, "Z07:00 -07:00 -0700 Z0700 -07 -07:00:00", "Z +00:00 +0000 Z +00 +00:00:00");
    check_format(t, "Janus Monx MST", "Janus Monx UTC");
    check_format(cw_go_time_zero(), "2006-01-02 Monday", "0001-01-01 Monday");
    check_format(cw_go_time_unix(INT64_C(253402300800), 0), "2006-01-02", "10000-01-01");
    check_format(cw_go_time_unix(-1, 0), "2006-01-02 15:04:05", "1969-12-31 23:59:59");
}

Test(go_time, zones_follow_tzdata_before_in_and_behind_their_transitions)
{
    static const struct {
        const char *zone;
        int64_t sec;
        const char *want;
    } rows[] = {
        {"Europe/Berlin", 1719828000, "2024-07-01 12:00:00 +0200 CEST"},
        {"Europe/Berlin", INT64_C(2840180400), "2060-01-01 12:00:00 +0100 CET"},
        {"America/New_York", 1710053999, "2024-03-10 01:59:59 -0500 EST"},
        {"America/New_York", 1710054000, "2024-03-10 03:00:00 -0400 EDT"},
        {"Asia/Kolkata", 0, "1970-01-01 05:30:00 +0530 IST"},
        {"Australia/Sydney", INT64_C(4102444800), "2100-01-01 11:00:00 +1100 AEDT"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        struct cw_go_time t = cw_go_time_unix(rows[i].sec, 0);
        cr_assert(cw_go_zone_load(cw_str_of(rows[i].zone), &t.zone), "tzdata has no %s",
                  rows[i].zone);
        check_format(t, "2006-01-02 15:04:05 -0700 MST", rows[i].want);
    }
}

Test(go_time, names_that_are_no_zones_are_refused)
{
    static const char *const names[] = {"No/Zone", "../etc/passwd", "/etc/passwd", "Europe/..",
                                        "Europe",  "tzdata.zi",     "a\\b"};
    const struct cw_go_zone *zone;
    for (size_t i = 0; i < CW_COUNT(names); i++) {
        cr_expect_not(cw_go_zone_load(cw_str_of(names[i]), &zone), "%s", names[i]);
        cr_expect_null(zone);
    }
    cr_expect(cw_go_zone_load(CW_STR("UTC"), &zone));
    cr_expect(cw_go_zone_load(CW_STR(""), &zone));
}

Test(go_time, texts_are_read_as_go_reads_them)
{
    static const struct {
        const char *layout, *text;
        bool fine;
        int64_t sec;
        int32_t nsec;
    } rows[] = {
        {"2006-01-02 15:04:05", "2021-07-02 10:00:00", true, 1625220000, 0},
        {"2006-01-02 15:04:05", "2021-07-02 10:00:00.25", true, 1625220000, 250000000},
        {"2006-01-02T15:04:05Z07:00", "2021-07-02T10:00:00+02:00", true, 1625212800, 0},
        {"2006-01-02T15:04:05Z07:00", "2021-07-02T10:00:00Z", true, 1625220000, 0},
        {"Jan _2 06 3PM", "jul  2 21 10AM", true, 1625220000, 0},
        {"2006-002", "2024-366", true, 1735603200, 0},
        {"2006-002", "2023-366", false, 0, 0},
        {"2006-01-02", "2021-02-29", false, 0, 0},
        {"2006-01-02", "2021-13-01", false, 0, 0},
        {"2006-01-02", "2021-07-02x", false, 0, 0},
        {"15:04", "24:00", false, 0, 0},
        {"05.000", "09.12", false, 0, 0},
        {"2006-01-02 05.00", "2021-07-02 09.+5", true, 1625184009, 50000000},
        {"2006-01-02 05.00", "2021-07-02 09.-0", true, 1625184009, 0},
        {"2006-01-02 05.0", "2021-07-02 09.+", true, 1625184009, 0},
        {"2006-01-02 05.00", "2021-07-02 09.-5", false, 0, 0},
        {"06-01-02", "+5-07-02", true, 1120262400, 0},
        {"06-01-02", "-5-07-02", true, 804643200, 0},
        {"2006-01-02", "+021-07-02", false, 0, 0},
        {"2006-01-02 MST", "2021-07-02 CEST", true, 1625184000, 0},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        struct cw_go_time t;
        bool fine = cw_go_time_parse(cw_str_of(rows[i].layout), cw_str_of(rows[i].text), NULL, &t);
        cr_expect_eq(fine, rows[i].fine, "%s", rows[i].text);
        cr_expect_eq(t.sec, fine ? rows[i].sec : cw_go_time_zero().sec, "%s: %lld", rows[i].text,
                     (long long)t.sec);
        cr_expect_eq(t.nsec, rows[i].nsec, "%s", rows[i].text);
    }
}

Test(go_time, an_offset_that_is_not_the_zones_shows_as_itself_and_utc_as_utc)
{
    static const struct {
        const char *zone, *layout, *text, *want;
    } rows[] = {
        {"America/New_York", "-0700", "+0000", "+0000 +0000"},
        {"Europe/Berlin", "Z07:00", "+00:00", "+0000 +0000"},
        {"Europe/Berlin", "Z07:00", "Z", "+0000 UTC"},
        {"UTC", "-0700", "+0000", "+0000 UTC"},
        {"UTC", "-0700", "+0130", "+0130 +0130"},
        {"UTC", "MST", "CET", "+0000 CET"},
        {"Europe/London", "2006-01 -0700", "2021-01 +0000", "+0000 GMT"},
        {"Europe/London", "2006-01 -0700", "2021-07 +0000", "+0000 +0000"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        const struct cw_go_zone *zone;
        struct cw_go_time t;
        cr_assert(cw_go_zone_load(cw_str_of(rows[i].zone), &zone));
        cr_assert(cw_go_time_parse(cw_str_of(rows[i].layout), cw_str_of(rows[i].text), zone, &t));
        check_format(t, "-0700 MST", rows[i].want);
    }
}

Test(go_time, a_local_time_that_the_clock_skips_is_moved_as_go_moves_it)
{
    const struct cw_go_zone *zone;
    struct cw_go_time t;
    cr_assert(cw_go_zone_load(CW_STR("America/New_York"), &zone));
    cr_assert(cw_go_time_parse(CW_STR("2006-01-02 15:04"), CW_STR("2024-03-10 02:30"), zone, &t));
    check_format(t, "15:04 MST", "01:30 EST");
}

Test(go_time, nanoseconds_wrap_around_where_they_do_in_go)
{
    cr_assert_eq(cw_go_time_unix_ns(cw_go_time_zero()), INT64_C(-6795364578871345152));
    cr_assert_eq(cw_go_time_unix(0, -1).sec, -1);
    cr_assert_eq(cw_go_time_unix(0, -1).nsec, 999999999);
}
