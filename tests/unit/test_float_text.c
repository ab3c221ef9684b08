#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/float_text.h"

static void check(double value, const char *plain, const char *general)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 1024);
    cw_float_text_plain(value, &buf);
    cr_expect_str_eq(cw_buf_z(&buf), plain);
    cw_buf_clear(&buf);
    cw_float_text_general(value, &buf);
    cr_expect_str_eq(cw_buf_z(&buf), general);
    cw_buf_fini(&buf);
}

Test(float_text, numbers_look_as_go_prints_them)
{
    check(0, "0", "0");
    check(-0.0, "-0", "-0");
    check(1, "1", "1");
    check(-17, "-17", "-17");
    check(0.1, "0.1", "0.1");
    check(0.1 + 0.2, "0.30000000000000004", "0.30000000000000004");
    check(1.0 / 3, "0.3333333333333333", "0.3333333333333333");
    check(100.5, "100.5", "100.5");
    check(1e15, "1000000000000000", "1000000000000000");
    check(123456789012345680.0, "123456789012345680", "123456789012345680");
    check(1e20, "100000000000000000000", "100000000000000000000");
    check(1e21, "1000000000000000000000", "1e+21");
    check(-2.5e30, "-2500000000000000000000000000000", "-2.5e+30");
    check(0.0001, "0.0001", "0.0001");
    check(0.00001, "0.00001", "1e-05");
    check(1.5e-7, "0.00000015", "1.5e-07");
    check(1e100,
          "1"
          "0000000000"
          "0000000000"
          "0000000000"
          "0000000000"
          "0000000000"
          "0000000000"
          "0000000000"
          "0000000000"
          "0000000000"
          "0000000000",
          "1e+100");
}

Test(float_text, subnormal_numbers_and_powers_of_two_have_no_digit_too_many)
{
    static const struct {
        double value;
        const char *want;
    } rows[] = {
        {0x1p-1074, "5e-324"},
        {0x1.8p-1073, "1.5e-323"},
        {-0x1p-1030, "-8.691694759794e-311"},
        {0x1p-1022, "2.2250738585072014e-308"},
        {0x1p-1017, "7.120236347223045e-307"}, /* nearest of 16 digits: ...44, another number */
        {-0x1p-957, "-8.209073602596753e-289"},
        {0x1p-44, "5.684341886080802e-14"},
        {0x1.8p-44, "8.526512829121202e-14"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        struct cw_buf buf;
        cw_buf_init(&buf, 4096);
        cw_float_text_general(rows[i].value, &buf);
        cr_expect_str_eq(cw_buf_z(&buf), rows[i].want);
        cw_buf_fini(&buf);
    }
}

Test(float_text, json_has_exponents_where_encoding_json_has_them)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.000001, "0.000001"}, {0.0000125, "0.0000125"},        {-0.00000025, "-2.5e-7"},
                 {1e-10, "1e-10"},       {1e20, "100000000000000000000"}, {1e21, "1e+21"},
                 {12.5, "12.5"}};
    struct cw_buf buf;
    cw_buf_init(&buf, 1024);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_buf_clear(&buf);
        cw_float_text_json(cases[i].value, &buf);
        cr_expect_str_eq(cw_buf_z(&buf), cases[i].text);
    }
    cw_buf_fini(&buf);
}

Test(float_text, what_is_no_number_has_a_name)
{
    check(NAN, "NaN", "NaN");
    check(INFINITY, "+Inf", "+Inf");
    check(-INFINITY, "-Inf", "-Inf");
}

Test(float_text, every_text_reads_back_as_the_same_number)
{
    static const double values[] = {4.9e-324,
                                    2.2250738585072014e-308,
                                    1.7976931348623157e308,
                                    9007199254740993.0,
                                    5e-324,
                                    0.1,
                                    123456.789e-20,
                                    3.14159};
    struct cw_buf buf;
    cw_buf_init(&buf, 4096);
    for (size_t i = 0; i < CW_COUNT(values); i++) {
        cw_buf_clear(&buf);
        cw_float_text_plain(values[i], &buf);
        cr_expect(strtod(cw_buf_z(&buf), NULL) == values[i], "%s", cw_buf_z(&buf));
        cw_buf_clear(&buf);
        cw_float_text_general(values[i], &buf);
        cr_expect(strtod(cw_buf_z(&buf), NULL) == values[i], "%s", cw_buf_z(&buf));
    }
    cw_buf_fini(&buf);
}
