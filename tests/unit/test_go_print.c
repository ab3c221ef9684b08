#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/template/go_value.h"

/* Every wanted text is what Go 1.26 printed. */
static void check(const char *format, const struct cw_go_value *args, size_t n, const char *want)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cw_go_printf(cw_str_of(format), args, n, &out);
    cr_expect_str_eq(cw_buf_z(&out), want, "%s: %s", format, cw_buf_z(&out));
    cw_buf_fini(&out);
}

static struct cw_go_value text(const char *z)
{
    return cw_go_string(cw_str_of(z));
}

Test(go_print, a_point_that_ends_the_format_is_a_verb)
{
    const struct cw_go_value rune[] = {cw_go_int(0xE9), text("5"), text("")};
    const struct cw_go_value width[] = {cw_go_int(3), text("a")}, one[] = {text("a")};
    check("%[9].*q %*.", rune, 3, "%!q(BADINDEX) %!(BADWIDTH)%!.(string=)");
    check("%*.", width, 2, "%!.(string=  a)");
    check("%.", one, 1, "%!.(string=a)");
    check("%.s", one, 1, "");
    check("a%.*", width, 1, "a%!(NOVERB)");
}

Test(go_print, a_number_in_the_format_may_be_larger_than_one_among_the_arguments)
{
    const struct cw_go_value one[] = {text("abc")}, big[] = {cw_go_int(1000001), cw_go_int(1)};
    check("%.9999999s", one, 1, "abc");
    check("%.10000009s", one, 1, "abc");
    check("%.10000010s|", one, 1, "%!(NOVERB)%!(EXTRA string=abc)");
    check("%12345678901s", one, 1, "%!(NOVERB)%!(EXTRA string=abc)");
    check("%*d", big, 2, "%!(BADWIDTH)1");
}

Test(go_print, a_width_is_any_integer_a_month_or_a_duration_too)
{
    const enum cw_go_kind kinds[] = {CW_GO_INT,   CW_GO_INT64,   CW_GO_UINT8,
                                     CW_GO_MONTH, CW_GO_WEEKDAY, CW_GO_DURATION};
    for (size_t i = 0; i < CW_COUNT(kinds); i++) {
        const struct cw_go_value number = {.kind = kinds[i], .number = 3};
        const struct cw_go_value args[] = {number, number, text("abcd")};
        check("%*.*s|", args, 3, "abc|");
    }
    const struct cw_go_value more[] = {{.kind = CW_GO_DURATION, .number = 1000001}, text("a")};
    check("%*s", more, 2, "%!(BADWIDTH)a");
    const struct cw_go_value real[] = {cw_go_float(3), text("a")};
    check("%*s", real, 2, "%!(BADWIDTH)a");
}

Test(go_print, hex_floats_begin_with_a_one_and_round_half_to_even)
{
    static const struct {
        const char *format;
        double value;
        const char *want;
    } rows[] = {
        {"%.0X", 1e-7, "0X1P-23"},
        {"%8.0X", 1e-7, " 0X1P-23"},
        {"%.0x", 0x1.8p0, "0x1p+01"},
        {"%.1x", 0x1.18p0, "0x1.2p+00"},
        {"%.1x", 0x1.08p0, "0x1.0p+00"},
        {"%.3x", 0x1.2348p4, "0x1.234p+04"},
        {"%.2X", -0x1.fffp9, "-0X1.00P+10"},
        {"%.20x", 1.5, "0x1.80000000000000000000p+00"},
        {"%x", 0.1, "0x1.999999999999ap-04"},
        {"%x", 0x1p-1074, "0x1p-1074"},
        {"%X", 0x1.8p-1074, "0X1P-1073"},
        {"%x", 0.0, "0x0p+00"},
        {"%#.3x", 1.0, "0x1.000p+00"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        struct cw_go_value arg = cw_go_float(rows[i].value);
        check(rows[i].format, &arg, 1, rows[i].want);
    }
}

Test(go_print, no_digit_of_a_float_is_one_too_many)
{
    const struct cw_go_value args[] = {cw_go_float(0x1p-1074), cw_go_float(0x1p-1017)};
    check("%g %v", args, 2, "5e-324 7.120236347223045e-307");
}

Test(go_print, raw_quotes_keep_what_others_escape)
{
    const struct cw_go_value args[] = {text("\303\251"), text("\303\251"), text("a`b")};
    check("%+#q %+q %#q", args, 3, "`\303\251` \"\\u00e9\" \"a`b\"");
}

Test(go_print, nothing_is_an_error_to_wrap)
{
    const struct cw_go_value items[] = {cw_go_int(1), text("b")};
    const struct cw_go_list list = {items, 2};
    const struct cw_go_value args[] = {
        cw_go_int(1), text("a"), {.kind = CW_GO_LIST, .list = &list}};
    check("%w|%#w|%w", args, 3, "%!w(int=1)|%!w(string=\"a\")|%!w([]interface {}=[1 b])");
}

Test(go_print, a_time_in_go_syntax_is_the_call_that_makes_it)
{
    struct cw_go_time utc = cw_go_time_unix(1625213100, 7), berlin = utc, read;
    cr_assert(cw_go_zone_load(CW_STR("Europe/Berlin"), &berlin.zone));
    cr_assert(cw_go_time_parse(CW_STR("MST"), CW_STR("CET"), NULL, &read));
    const struct cw_go_value args[] = {{.kind = CW_GO_TIME, .time = &utc},
                                       {.kind = CW_GO_TIME, .time = &berlin},
                                       {.kind = CW_GO_TIME, .time = &read}};
    check("%#v", &args[0], 1, "time.Date(2021, time.July, 2, 8, 5, 0, 7, time.UTC)");
    check("%#v", &args[1], 1,
          "time.Date(2021, time.July, 2, 10, 5, 0, 7, time.Location(\"Europe/Berlin\"))");
    check("%#v", &args[2], 1, "time.Date(0, time.January, 1, 0, 0, 0, 0, time.Location(\"CET\"))");
    check("%40v|%.9v", args, 2, " 2021-07-02 08:05:00.000000007 +0000 UTC|2021-07-0");
}
