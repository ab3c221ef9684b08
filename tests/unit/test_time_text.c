#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/clock.h"
#include "querier/local/time_text.h"

#define T INT64_C(1767607200) /* 2026-01-05T10:00:00Z */

static int64_t rfc3339(const char *text)
{
    int64_t ns = 0;
    cr_assert(cw_time_parse_rfc3339(cw_str_of(text), &ns), "%s", text);
    return ns;
}

static struct cw_time_text reader_at(const char *reference)
{
    struct cw_time_text reader = {.reference_ns = rfc3339(reference)};
    cw_zone_time_init(&reader.zone, CW_ZONE_UTC);
    return reader;
}

Test(time_text, times_at_the_front_of_a_text_are_read)
{
    static const struct {
        const char *text, *time, *rest;
    } rows[] = {
        {"2026-01-05T10:00:00Z x", "2026-01-05T10:00:00Z", " x"},
        {"2026-01-05T10:00:00.123456789Z", "2026-01-05T10:00:00.123456789Z", ""},
        {"2026-01-05T10:00:00.1234567891234Z", "2026-01-05T10:00:00.123456789Z", ""},
        {"2026-01-05T11:00:00+01:00 x", "2026-01-05T10:00:00Z", " x"},
        {"2026-01-05T11:00:00+0100,x", "2026-01-05T10:00:00Z", ",x"},
        {"2026-01-05T11:00:00+01 x", "2026-01-05T10:00:00Z", " x"},
        {"2026-01-05T04:30:00-05:30", "2026-01-05T10:00:00Z", ""},
        {"2026-01-05 10:00:00,123 INFO", "2026-01-05T10:00:00.123Z", " INFO"},
        {"2026-01-05 10:00:00.5 INFO", "2026-01-05T10:00:00.5Z", " INFO"},
        {"2026-01-05 10:00:00, Info", "2026-01-05T10:00:00Z", ", Info"},
        {"2026-01-05 10:00:00 UTC [7] LOG:", "2026-01-05T10:00:00Z", " [7] LOG:"},
        {"2026-01-05 10:00:00.123 GMT", "2026-01-05T10:00:00.123Z", ""},
        {"2026-01-05 11:00:00 +0100 x", "2026-01-05T10:00:00Z", " x"},
        {"2026-01-05 10:00:00 UTCx", "2026-01-05T10:00:00Z", " UTCx"},
        {"2026-01-05 10:00:00] x", "2026-01-05T10:00:00Z", "] x"},
        {"2026-01-05 10:00 x", "2026-01-05T10:00:00Z", " x"},
        {"2026-01-05-10.00.00.634000 R21", "2026-01-05T10:00:00.634Z", " R21"},
        {"2026/01/05 10:00:00.123456 main.go:1:", "2026-01-05T10:00:00.123456Z", " main.go:1:"},
        {"2026/01/05 10:00:00 [error] 7#7:", "2026-01-05T10:00:00Z", " [error] 7#7:"},
        {"26/01/05 10:00:00 INFO", "2026-01-05T10:00:00Z", " INFO"},
        {"260105 100000 19 INFO", "2026-01-05T10:00:00Z", " 19 INFO"},
        {"Jan  5 10:00:00 host", "2026-01-05T10:00:00Z", " host"},
        {"Jan 05 10:00:00 host", "2026-01-05T10:00:00Z", " host"},
        {"Jan 5 10:00:00.250 host", "2026-01-05T10:00:00.25Z", " host"},
        {"Jan  5 2026 10:00:00: %ASA", "2026-01-05T10:00:00Z", ": %ASA"},
        {"Mon Jan 05 10:00:00.123456 2026] x", "2026-01-05T10:00:00.123456Z", "] x"},
        {"Mon Jan  5 10:00:00 UTC 2026", "2026-01-05T10:00:00Z", ""},
        {"Mon Jan  5 10:00:00 2026 [pid", "2026-01-05T10:00:00Z", " [pid"},
        {"Mon, 05 Jan 2026 10:00:00 GMT x", "2026-01-05T10:00:00Z", " x"},
        {"Monday, 05 Jan 2026 11:00:00 +0100", "2026-01-05T10:00:00Z", ""},
        {"05/Jan/2026:11:00:00 +0100] \"GET", "2026-01-05T10:00:00Z", "] \"GET"},
        {"05 Jan 2026 10:00:00.123 * Ready", "2026-01-05T10:00:00.123Z", " * Ready"},
        {"5 Jan 2026 10:00:00 x", "2026-01-05T10:00:00Z", " x"},
        {"I0105 10:00:00.123456    1 a.go:1] x", "2026-01-05T10:00:00.123456Z", "    1 a.go:1] x"},
        {"E0105 10:00:00 x", "2026-01-05T10:00:00Z", " x"},
        {"W20260105 10:00:00.123456 7 a.cc:1]", "2026-01-05T10:00:00.123456Z", " 7 a.cc:1]"},
        {"1767607200 x", "2026-01-05T10:00:00Z", " x"},
        {"1767607200.25 x", "2026-01-05T10:00:00.25Z", " x"},
        {"1767607200123 x", "2026-01-05T10:00:00.123Z", " x"},
        {"1767607200123456\tx", "2026-01-05T10:00:00.123456Z", "\tx"},
        {"1767607200123456789 x", "2026-01-05T10:00:00.123456789Z", " x"},
        {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", ""},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", ""},
    };
    struct cw_time_text reader = reader_at("2026-06-01T00:00:00Z");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cw_str s = cw_str_of(rows[i].text);
        int64_t ns = 0;
        cr_expect(cw_time_text_take(&reader, &s, &ns), "%s", rows[i].text);
        cr_expect_eq(ns, rfc3339(rows[i].time), "%s: %lld", rows[i].text, (long long)ns);
        cr_expect(cw_str_eqz(s, rows[i].rest), "%s: \"%.*s\"", rows[i].text, CW_STR_ARG(s));
    }
}

Test(time_text, what_is_no_time_is_left_alone)
{
    static const char *const texts[] = {
        "",
        "x",
        "2026-01-05",
        "2026-13-05T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05T10:60:00Z",
        "2026-01-05T10:00:00Zulu",
        "2026-01-05_10:00:00",
        "2026-01-05T10:00:000",
        "12026-01-05T10:00:00Z",
        "9999999-01-05T10:00:00Z",
        "2400-01-05T10:00:00Z",
        "26/13/05 10:00:00",
        "261305 100000 x",
        "260105 1000000",
        "0260105 100000",
        "Jan 32 10:00:00 x",
        "Jan  5 1:00:00 xxxx",
        "January 5 10:00:00",
        "Mon Jan 05 2026 xxx",
        "05/Jan/26:10:00:00 x",
        "I0105 x 10:00:00",
        "X0105 10:00:00.123456",
        "176760720 seconds",
        "17676072000 seconds",
        "0767607200 seconds",
        "1767607200x",
        "1767607200_1",
        "10.0.0.1 - - [05/Jan/2026:10:00:00 +0000]",
        "99999999999999999999999999",
        "-2026-01-05T10:00:00Z",
    };
    struct cw_time_text reader = reader_at("2026-06-01T00:00:00Z");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct cw_str s = cw_str_of(texts[i]);
        int64_t ns = 7;
        cr_expect_not(cw_time_text_take(&reader, &s, &ns), "%s", texts[i]);
        cr_expect(cw_str_eqz(s, texts[i]), "%s", texts[i]);
    }
}

Test(time_text, a_year_that_is_not_told_is_the_latest_that_fits)
{
    static const struct {
        const char *reference, *text, *time;
    } rows[] = {
        {"2026-06-01T00:00:00Z", "Jan  5 10:00:00", "2026-01-05T10:00:00Z"},
        {"2026-01-05T10:00:00Z", "Jan  5 10:00:00", "2026-01-05T10:00:00Z"},
        {"2026-01-05T09:00:00Z", "Jan  5 10:00:00", "2026-01-05T10:00:00Z"}, /* a clock is ahead */
        {"2026-01-03T10:00:00Z", "Jan  5 10:00:00", "2025-01-05T10:00:00Z"},
        {"2026-01-01T00:00:05Z", "Dec 31 23:59:59", "2025-12-31T23:59:59Z"},
        {"2025-12-31T23:59:59Z", "Jan  1 00:00:01", "2026-01-01T00:00:01Z"},
        {"2026-06-01T00:00:00Z", "Feb 29 10:00:00", "2024-02-29T10:00:00Z"},
        {"2026-06-01T00:00:00Z", "I1231 10:00:00.5", "2025-12-31T10:00:00.5Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cw_time_text reader = reader_at(rows[i].reference);
        struct cw_str s = cw_str_of(rows[i].text);
        int64_t ns = 0;
        cr_expect(cw_time_text_take(&reader, &s, &ns), "%s", rows[i].text);
        cr_expect_eq(ns, rfc3339(rows[i].time), "%s at %s", rows[i].text, rows[i].reference);
    }
}

Test(time_text, a_number_since_the_epoch_is_told_by_its_size)
{
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"1767607200", T * CW_NS_PER_S},
        {"1767607200.000000001", T * CW_NS_PER_S + 1},
        {"1767607200123.5", T * CW_NS_PER_S + 123500000},
        {"1767607200123456.789", T * CW_NS_PER_S + 123456789},
        {"1767607200123456789", T * CW_NS_PER_S + 123456789},
    };
    int64_t ns;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect(cw_time_text_epoch(cw_str_of(rows[i].text), &ns), "%s", rows[i].text);
        cr_expect_eq(ns, rows[i].ns, "%s", rows[i].text);
    }
    static const char *const none[] = {
        "", "1", "x", "17676072001", "1767607200 ", "1e9", "-1767607200", "9999999999999999999"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        cr_expect_not(cw_time_text_epoch(cw_str_of(none[i]), &ns), "%s", none[i]);
}

Test(time_text, a_time_without_a_zone_is_of_the_zone_of_the_machine)
{
    setenv("TZ", "Europe/Vienna", 1);
    tzset();
    struct cw_time_text reader = reader_at("2026-06-01T00:00:00Z");
    cw_zone_time_init(&reader.zone, CW_ZONE_LOCAL);
    static const struct {
        const char *text, *time;
    } rows[] = {
        {"2026-01-05 10:00:00", "2026-01-05T09:00:00Z"},
        {"2026-07-05 10:00:00", "2026-07-05T08:00:00Z"},
        {"2026-07-05 10:00:00Z", "2026-07-05T10:00:00Z"},
        {"Jan  5 10:00:00", "2026-01-05T09:00:00Z"},
        {"2026-03-29 01:59:59", "2026-03-29T00:59:59Z"},
        {"2026-03-29 03:00:00", "2026-03-29T01:00:00Z"},
        {"2026-10-25 03:00:00", "2026-10-25T02:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cw_str s = cw_str_of(rows[i].text);
        int64_t ns = 0;
        cr_expect(cw_time_text_take(&reader, &s, &ns), "%s", rows[i].text);
        cr_expect_eq(ns, rfc3339(rows[i].time), "%s", rows[i].text);
    }
}
